"""A handoff's beginning and end, as the turn decides them.

1. A handoff is opened by a structured decision, never by a phrase in a reply. Where it goes and what everybody is told
   is settled when the turn has come to its end: see `settling`.
2. It ends resolved or returned by a human, cancelled by the customer, or expired at the ceiling; the end leaves a note
   in history, so that the bot goes on from what the human did.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from supportbot import history
from supportbot.engine import calls
from supportbot.engine.draft import Draft, Opening
from supportbot.types import HANDOFF_REASONS, HandOff, Handoff, OutgoingKind, Post, Reply, Turn

DEADLINE = "handoff.deadline"
CEILING = "handoff.ceiling"
ANSWER = "handoff.answer"
ROUTE = "handoff.route"
UNDELIVERED = "handoff.undelivered"
UNPLACED = "handoff.unplaced"
_SUMMARY_TOKENS = 300


def open_handoff(
    draft: Draft, command: HandOff, *, notice: str = "handoff_told", slots: Mapping[str, Any] | None = None
) -> None:
    """Gives the conversation to a human; the customer is told when the turn is settled."""
    moment, terms = draft.moment, draft.script.handoff
    if draft.handoff is not None and draft.handoff.open:
        return
    draft.handoff = Handoff(
        id=moment.handoff_id,
        conversation=draft.start.conversation.id,
        reason=command.reason,
        detail=command.detail or HANDOFF_REASONS.get(command.reason, ""),
        summary=_summary(draft),
        requested_at=moment.now,
        deadline=moment.now + terms.deadline,
        ceiling=moment.now + terms.ceiling,
        user=draft.author,
        priority=command.priority,
        tags=command.tags,
        cause={"reason": command.reason, **command.cause},
        slots=dict(slots or {}),
    )
    draft.opening = Opening(command, notice)
    draft.leave_flows()
    calls.drop_all(draft)
    draft.trace("handoff", reason=command.reason, detail=draft.handoff.detail, **dict(command.cause))


def gathered(draft: Draft, slots: Mapping[str, Any]) -> None:
    """What a flow has learned while the customer waits."""
    draft.change_handoff(slots={**opened(draft).slots, **slots})


def opened(draft: Draft) -> Handoff:
    """The open handoff."""
    if draft.handoff is None or not draft.handoff.open:
        raise AssertionError("no handoff is open")
    return draft.handoff


def finish(draft: Draft, status: str, *, by: str = "", id: str = "") -> None:
    """The conversation is the bot's again."""
    before = opened(draft)
    handoff = draft.change_handoff(
        status=status,
        agent=by or before.agent,
        agent_id=id or before.agent_id,
        ended_at=draft.moment.now,
        assignee="",
    )
    draft.leave_flows()
    draft.stop(DEADLINE, CEILING, ANSWER, ROUTE, UNDELIVERED, UNPLACED)
    draft.note(hand_back_note(handoff))
    draft.trace(status, agent=handoff.agent)
    tell(draft, "handoff.resolved" if status == "resolved" else "handoff.returned")


def hand_back_note(handoff: Handoff) -> str:
    """What the model is told when the conversation is the bot's again; it supersedes every earlier "I hand you over"."""
    who = handoff.agent or ("A colleague" if handoff.notes else "Nobody")
    if handoff.status == "cancelled":
        did = "The customer did not want to wait any longer and asked for you."
    elif handoff.status == "expired" and not handoff.notes:
        did = "No human answered before the time was up."
    elif handoff.notes:
        did = f"{who} wrote {len(handoff.notes)} message(s) to the customer, which stand above."
    else:
        did = f"{who} ended it without writing to the customer."
    end = {
        "resolved": "The human resolved the matter.",
        "returned": "The human handed the conversation back to you.",
    }
    return (
        f"[Hand-back note] A human owned this conversation ({_why(handoff)}). {did} "
        f"{end.get(handoff.status, 'You answer again.')} The conversation is yours now: any earlier statement that it "
        "was handed over no longer holds. Answer the customer yourself and do not repeat it."
    )


def _why(handoff: Handoff) -> str:
    """The reason in the house's own words: the details may be a model's or a customer's, and this is a system message."""
    return HANDOFF_REASONS.get(handoff.reason, handoff.reason).rstrip(".")


# --- who is told ---------------------------------------------------------------------------------------------


def tell(draft: Draft, kind: OutgoingKind, **more: Any) -> None:
    """Tells the conversation's own channel, the notify address and the desk where it stands."""
    data = {**facts(draft), **more}
    draft.event(kind, data)
    post(draft, kind, more)


def changed(draft: Draft, change: str, **more: Any) -> None:
    """Tells them of a change that is no change of hands."""
    tell(draft, "handoff.updated", change=change, **more)


def post(
    draft: Draft,
    kind: OutgoingKind,
    more: Mapping[str, Any],
    *,
    reply: Reply | None = None,
    desk: str | None = None,
    about: Handoff | None = None,
) -> None:
    """Tells the desk alone: the one where it stands, or `desk`; of the turn's handoff, or of an ended one."""
    to = (draft.handoff.desk if draft.handoff else "") if desk is None else desk
    if to:
        draft.posts.append(Post(to, kind, {**facts(draft, about), "desk": to, **more}, reply))


def facts(draft: Draft, about: Handoff | None = None) -> dict[str, Any]:
    """What every row about the handoff says."""
    handoff = about or draft.handoff
    if handoff is None:
        raise AssertionError("facts of no handoff")
    return {
        "handoff": handoff.id,
        "at_desk": handoff.desk,
        "reason": handoff.reason,
        "detail": handoff.detail,
        "status": handoff.status,
        "agent": handoff.agent,
        "agent_id": handoff.agent_id,
        "claimed_at": handoff.claimed_at,
        "assignee": handoff.assignee,
        "assignee_name": _assignee_name(draft, handoff),
        "tags": list(handoff.tags),
        "priority": handoff.priority,
        "channel": draft.start.conversation.address.channel,
        "customer": {"id": handoff.user.id, "name": handoff.user.name},
        "locale": draft.locale,
        "requested_at": handoff.requested_at,
        "deadline": handoff.deadline,
        "summary": handoff.summary,
    }


def _assignee_name(draft: Draft, handoff: Handoff) -> str:
    desk = draft.script.handoff.desk(handoff.desk)
    agent = desk.agent(handoff.assignee) if desk is not None and handoff.assignee else None
    return agent.name if agent is not None else ""


def _summary(draft: Draft) -> str:
    turns = (*draft.start.turns, Turn(draft.start.lease.sequence, tuple(draft.turn)))
    return history.extract_summary(
        draft.start.conversation.summary, turns, count=draft.script.count, limit=_SUMMARY_TOKENS
    )
