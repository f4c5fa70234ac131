"""What happens to a conversation that a human owns, or is about to.

1. A handoff is opened by a structured decision, never by a phrase in a reply.
2. While it is open the bot says nothing of its own but the notices written here.
3. It ends resolved or returned by a human, or expired at the ceiling; the end leaves a note in history, so that the
   bot goes on from what the human did.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from supportbot import history
from supportbot.engine import calls
from supportbot.engine.draft import EDITED, Draft
from supportbot.types import HANDOFF_REASONS, HandOff, Handoff, Message, Reply, Timer, Turn

DEADLINE = "handoff.deadline"
CEILING = "handoff.ceiling"
_SUMMARY_TOKENS = 300
_TRANSCRIPT_MESSAGES = 60


def open_handoff(
    draft: Draft, command: HandOff, *, notice: str = "handoff_told", slots: Mapping[str, Any] | None = None
) -> None:
    """Gives the conversation to a human and tells the customer, unless a flow has told them in its own words."""
    moment, script = draft.moment, draft.script
    if draft.handoff is not None and draft.handoff.open:
        return
    draft.handoff = Handoff(
        id=moment.handoff_id,
        conversation=draft.start.conversation.id,
        reason=command.reason,
        detail=command.detail or HANDOFF_REASONS.get(command.reason, ""),
        summary=_summary(draft),
        requested_at=moment.now,
        deadline=moment.now + script.handoff_deadline,
        ceiling=moment.now + script.handoff_ceiling,
        user=draft.author,
    )
    if not command.told:
        draft.say(Reply(draft.text(notice)))
    draft.leave_flows()
    calls.drop_all(draft)
    draft.trace("handoff", reason=command.reason, detail=draft.handoff.detail)
    draft.event("handoff.requested", {**_facts(draft, transcript=True), "slots": dict(slots or {})})
    draft.wake(Timer(DEADLINE, draft.handoff.deadline, {"handoff": draft.handoff.id}))
    draft.wake(Timer(CEILING, draft.handoff.ceiling, {"handoff": draft.handoff.id}))


def owned(draft: Draft) -> None:
    """What arrives while a human owns the conversation is kept for the human and for later, and answered by nobody."""
    hear(draft)
    draft.trace(
        "silent", reason="a human owns the conversation", handoff=draft.handoff.id if draft.handoff else ""
    )


def human(draft: Draft, message: Message) -> None:
    """A human agent acts: writes, claims, resolves or hands back."""
    if message.kind in ("handoff.resolved", "handoff.returned"):
        _finish_by_human(draft, message)
        return
    _claim(draft, message)
    if message.kind == "human.message":
        _speak(draft, message)


def timer(draft: Draft, message: Message) -> None:
    """A handoff's time is up; a timer that belongs to an older handoff changes nothing."""
    event = message.event
    handoff = draft.handoff
    if event is None or handoff is None or not handoff.open or event.data.get("handoff") != handoff.id:
        draft.trace("silent", reason="this timer no longer matters")
    elif event.name == DEADLINE and handoff.status == "waiting" and not handoff.noticed:
        draft.change_handoff(noticed=True)
        draft.say(Reply(draft.text("handoff_waiting")))
        draft.trace("notice", reason="nobody has claimed the handoff by its deadline")
    elif event.name == CEILING:
        _end(draft, "expired", by="")
        draft.say(Reply(draft.text("handoff_resumed")))


def hear(draft: Draft) -> None:
    """Puts what the customers sent into the turn; an event has no words."""
    for inbound in draft.batch:
        message = inbound.message
        if message.kind == "message.deleted":
            draft.withdrawn.append(message.target)
        elif message.kind != "event":
            draft.hear(message, heard(message), images(message))


def withdraw(draft: Draft) -> None:
    """Customers took back what they wrote: nothing is answered, and earlier words leave the history."""
    hear(draft)
    draft.trace("silent", reason="the customer deleted the message, or changed nothing of it")


def heard(message: Message) -> str:
    """The words that stand in history for what the customer sent."""
    if message.action is not None:
        return message.action.value or message.action.id or "[pressed a button that is no longer open]"
    files = " ".join(f"[file: {attachment.name}]" for attachment in message.attachments)
    edited = EDITED if message.kind == "message.edited" else ""
    return " ".join(part for part in (edited, message.text, files) if part)


def images(message: Message) -> tuple[str, ...]:
    """The digests of the pictures that came with it and were kept."""
    return tuple(
        file.digest for file in message.attachments if file.digest and file.media_type.startswith("image/")
    )


def _claim(draft: Draft, message: Message) -> None:
    agent = message.user.name or message.user.id
    if draft.handoff is None or not draft.handoff.open:
        open_handoff(draft, HandOff("human", "A human joined the conversation.", told=True))
    current = draft.handoff
    if current is None or (current.status == "claimed" and current.agent == agent):
        return
    draft.change_handoff(status="claimed", agent=agent, claimed_at=draft.moment.now)
    draft.stop(DEADLINE)
    draft.trace("claimed", agent=agent)
    draft.event("handoff.claimed", _facts(draft))


def _speak(draft: Draft, message: Message) -> None:
    if not message.text or draft.handoff is None:
        return
    draft.say(Reply(message.text), name=message.user.name or message.user.id)
    draft.change_handoff(notes=(*draft.handoff.notes, message.text))


def _finish_by_human(draft: Draft, message: Message) -> None:
    if draft.handoff is None or not draft.handoff.open:
        draft.trace("silent", reason="there is no open handoff to end")
        return
    _speak(draft, message)
    agent = message.user.name or message.user.id
    returned = message.kind == "handoff.returned"
    _end(draft, "returned" if returned else "resolved", by=agent)
    if returned:
        draft.say(Reply(draft.text("handoff_returned")))
    else:
        draft.event("conversation.closed", {"reason": "resolved", "by": agent})


def _end(draft: Draft, status: str, *, by: str) -> None:
    handoff = draft.change_handoff(
        status=status, agent=by or (draft.handoff.agent if draft.handoff else ""), ended_at=draft.moment.now
    )
    draft.stop(DEADLINE, CEILING)
    draft.note(hand_back_note(handoff))
    draft.trace(status, agent=handoff.agent)
    draft.event("handoff.resolved" if status == "resolved" else "handoff.returned", _facts(draft))


def hand_back_note(handoff: Handoff) -> str:
    """What the model is told when the conversation is the bot's again; it supersedes every earlier "I hand you over"."""
    who = handoff.agent or "Nobody"
    if handoff.status == "expired" and not handoff.notes:
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


def _summary(draft: Draft) -> str:
    turns = (*draft.start.turns, Turn(draft.start.lease.sequence, tuple(draft.turn)))
    return history.extract_summary(
        draft.start.conversation.summary, turns, count=draft.script.count, limit=_SUMMARY_TOKENS
    )


def _facts(draft: Draft, *, transcript: bool = False) -> Mapping[str, Any]:
    handoff = draft.handoff
    if handoff is None:
        raise AssertionError("an event of no handoff")
    facts: dict[str, Any] = {
        "handoff": handoff.id,
        "reason": handoff.reason,
        "detail": handoff.detail,
        "status": handoff.status,
        "agent": handoff.agent,
        "channel": draft.start.conversation.address.channel,
        "customer": {"id": handoff.user.id, "name": handoff.user.name},
        "locale": draft.locale,
        "requested_at": handoff.requested_at,
        "deadline": handoff.deadline,
        "summary": handoff.summary,
    }
    if transcript:
        said = [message for turn in draft.start.turns for message in turn.messages] + draft.turn
        facts["transcript"] = [
            {"role": message.role, "name": message.name, "text": message.content}
            for message in said[-_TRANSCRIPT_MESSAGES:]
            if message.role in ("user", "assistant") and message.content
        ]
    return facts
