"""What time does to a handoff: nobody waits for ever.

1. An unclaimed one goes where its desk says, a claimed one without a word is free again, and at the ceiling the bot goes on.
2. A timer says when it was due: what has happened since may have made it void.
"""

from __future__ import annotations

from supportbot.engine.brief import brief
from supportbot.engine.draft import Draft
from supportbot.engine.handing import (
    ANSWER,
    CEILING,
    DEADLINE,
    ROUTE,
    UNDELIVERED,
    UNPLACED,
    changed,
    opened,
    post,
)
from supportbot.engine.hands import expire, move, release, remind
from supportbot.engine.settling import (
    gather,
    house_the_homeless,
    in_own_words,
    route_again,
    tell_customer,
    ways_out,
)
from supportbot.engine.talk import Steps
from supportbot.engine.terms import CONTACT, RETURN, WAIT
from supportbot.types import Event, Handoff, LookedBack, Message, Reply


def timer(draft: Draft, message: Message) -> Steps:
    """A handoff's time is up; a timer that belongs to an older handoff changes nothing."""
    event, handoff = message.event, draft.handoff
    if event is not None and event.name == UNDELIVERED and handoff is not None and handoff.open:
        changed(draft, "undelivered", error=str(event.data.get("error", "")))
        draft.trace("undelivered", error=str(event.data.get("error", "")))
        return
    if event is None or handoff is None or not handoff.open or event.data.get("handoff") != handoff.id:
        draft.trace("silent", reason="this timer no longer matters")
    elif _void(event, handoff):
        draft.trace("silent", reason="something has happened since")
    elif event.name == UNPLACED:
        yield from _unplaced(draft)
    elif event.name == DEADLINE and handoff.status == "waiting" and not handoff.noticed:
        yield from _unclaimed(draft)
    elif event.name == CEILING:
        expire(draft)
    elif event.name == ROUTE:
        yield from route_again(draft)
    elif event.name == ANSWER and handoff.status == "claimed":
        yield from _unanswered(draft)
    if not draft.replies and not draft.steps:
        draft.trace("silent", reason="nothing is to be said")


def _void(event: Event, handoff: Handoff) -> bool:
    """Whether the time that was set has been set anew, or the customer waits no more."""
    due = event.data.get("due")
    now_due = {DEADLINE: handoff.deadline, CEILING: handoff.ceiling}.get(event.name)
    if event.name == ANSWER:
        return handoff.waits_since is None
    return now_due is not None and isinstance(due, int | float) and abs(due - now_due) > 1.0


def _unplaced(draft: Draft) -> Steps:
    """The desk has refused it: it goes to the next one, or comes to this one once more."""
    handoff, terms = opened(draft), draft.script.handoff
    here = terms.desk(handoff.desk)
    if here is None or handoff.status != "waiting":
        yield from house_the_homeless(draft)
        return
    following = terms.desk(here.otherwise)
    draft.trace("unplaced", desk=here.name)
    if following is not None and following.name not in handoff.desks:
        yield from move(draft, following, by={"id": "", "name": ""})
        return
    more = yield from brief(draft, LookedBack())
    post(draft, "handoff.requested", more)


def _unclaimed(draft: Draft) -> Steps:
    """Nobody has come: the customer gets the truth and a way on."""
    terms, handoff = draft.script.handoff, opened(draft)
    if draft.moment.now >= handoff.ceiling:
        draft.trace("silent", reason="the ceiling is reached too, and its own timer says so")
        return
    here = terms.desk(handoff.desk)
    step = here.otherwise if here is not None else (CONTACT if terms.contact else WAIT)
    draft.trace("notice", reason="nobody has claimed the handoff by its deadline", next=step)
    if step == WAIT and handoff.assignee:
        yield from route_again(draft, without=handoff.assignee)
    draft.change_handoff(noticed=True)
    desk = terms.desk(step)
    if desk is not None and desk.name not in handoff.desks:
        place = yield from move(draft, desk, by={"id": "", "name": ""})
        told = in_own_words(desk.told, draft.locale) or draft.text("handoff_moved")
        tell_customer(draft, desk, place, told)
    elif step == RETURN:
        expire(draft)
    elif step == CONTACT and terms.contact in draft.script.book.flows and not draft.state.frames:
        draft.say(Reply(draft.text("handoff_waiting")))
        yield from gather(draft, terms.contact)
    else:
        draft.say(Reply(draft.text("handoff_waiting"), ways_out(draft)))


def _unanswered(draft: Draft) -> Steps:
    """Claimed, and no word: the desk is reminded, and then it is free for others."""
    handoff = opened(draft)
    if not handoff.late:
        remind(draft)
        draft.change_handoff(late=True)
        draft.trace("late", agent=handoff.agent)
        changed(draft, "late")
        return
    yield from release(draft, by="", without=handoff.agent_id)
    draft.say(Reply(draft.text("handoff_waiting"), ways_out(draft)))
