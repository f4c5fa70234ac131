"""A handoff changes hands, or comes back: what both agents and time can bring about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from supportbot.engine.draft import Draft, Opening
from supportbot.engine.handing import ANSWER, changed, finish, opened
from supportbot.engine.settling import later, route_again, settle, stand, wake
from supportbot.engine.talk import Steps
from supportbot.engine.terms import DeskTerms
from supportbot.types import HandOff, Handoff, Reply


def release(draft: Draft, *, by: str, without: str = "") -> Steps:
    """Free for others again; whoever it was offered to may decline too."""
    handoff = opened(draft)
    if handoff.status != "claimed":
        draft.trace("released", by=by, reason="nobody has claimed it")
        if handoff.assignee == without:
            yield from route_again(draft, without=without)
        return
    draft.change_handoff(status="waiting", agent="", agent_id="", claimed_at=None)
    draft.trace("released", by=by)
    yield from stand(draft, draft.script.handoff.desk(handoff.desk), without=without)
    changed(draft, "released", by={"id": "", "name": by})
    if opened(draft).assignee:
        changed(draft, "assigned")


def move(draft: Draft, desk: DeskTerms, *, by: Mapping[str, str]) -> Steps:
    """To another desk, which gets it like a new one."""
    changed(draft, "transferred", to=desk.name, by=by)
    draft.change_handoff(status="waiting", agent="", agent_id="", claimed_at=None)
    handoff = opened(draft)
    draft.opening = Opening(HandOff(handoff.reason, handoff.detail, desk=desk.name), quiet=True)
    return (yield from settle(draft))


def wait_for_answer(draft: Draft) -> None:
    """From the customer's first word without an answer, or the claim, the agent has so long to write."""
    handoff = opened(draft)
    if handoff.waits_since is None:
        draft.change_handoff(waits_since=draft.moment.now)
        remind(draft)


def remind(draft: Draft) -> None:
    terms = draft.script.handoff
    desk = terms.desk(opened(draft).desk)
    if terms.answer:
        hours = desk.hours if desk is not None else terms.hours
        wake(draft, ANSWER, later(hours, draft.moment.now, terms.answer))


def expire(draft: Draft) -> None:
    """The bot goes on. Only where no human wrote is it sorry for that."""
    answered = opened(draft).answered_at is not None
    finish(draft, "expired")
    draft.say(Reply(draft.text("handoff_returned" if answered else "handoff_resumed")))


def reopen(draft: Draft, ended: Handoff) -> None:
    """The same handoff again, with its place at the desk."""
    draft.handoff = replace(
        ended,
        status="waiting",
        agent="",
        agent_id="",
        claimed_at=None,
        ended_at=None,
        noticed=False,
        late=False,
        waits_since=None,
        requested_at=draft.moment.now,
        reopened=ended.reopened + 1,
    )
    draft.leave_flows()
    draft.opening = Opening(
        HandOff(ended.reason, ended.detail, desk=ended.desk), "handoff_reopened", reopened=True
    )
    draft.trace("reopened", handoff=ended.id, times=ended.reopened + 1)
