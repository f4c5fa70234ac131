"""Where a handoff goes, and what customer, desk and everybody else is told of it; the end of the turn that opened it.

1. A conversation whose channel has humans of its own stays there. Others go to the first desk that takes them and is
   open, or, if none is open, the first that takes them.
2. Customers are told only what is certain or measured: who is before them, how long it lately took, when somebody is
   there again; and how to leave a contact or to go back to the bot.
3. Deadlines run in the desk's open hours.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from babel import Locale, UnknownLocaleError
from babel.dates import format_timedelta

from supportbot.engine.brief import brief
from supportbot.engine.draft import Draft, Opening
from supportbot.engine.flows import start_flow
from supportbot.engine.handing import ANSWER, CEILING, DEADLINE, ROUTE, changed, facts, opened, post
from supportbot.engine.talk import Steps
from supportbot.engine.terms import AgentTerms, DeskTerms
from supportbot.hours import Hours, when_words
from supportbot.types import (
    PRIORITIES,
    Attachment,
    Button,
    HandOff,
    Handoff,
    LookBack,
    LookedBack,
    Place,
    Reply,
    StartFlow,
    TakePlace,
    Timer,
    User,
)

LEAVE_CONTACT = "handoff.contact"
BACK_TO_BOT = "handoff.cancel"
_ROUTE_AGAIN = 1_800.0
"""Seconds after which it is looked for an agent all the same; whoever gets room is given the next one at once."""
_MEASURED = 5
_SHARE = 0.8


def settle(draft: Draft) -> Steps:
    """Finds the desk for a handoff that this turn has opened, and tells everybody. Returns the place in its line."""
    opening, handoff = draft.opening, draft.handoff
    if opening is None or handoff is None or not handoff.open:
        return Place()
    draft.opening = None
    looked = yield LookBack(draft.author.id, draft.identity.customer)
    back = looked if isinstance(looked, LookedBack) else LookedBack()
    command = opening.command
    desk = choose(draft, command.desk)
    known = desk is not None and desk.name in handoff.desks
    place = yield from stand(draft, desk, anew=not handoff.desks or opening.reopened)
    if not opening.quiet:
        notice = opening.say or (desk.told if desk is not None else {})
        words = in_own_words(notice, draft.locale) or draft.text(opening.notice)
        tell_customer(draft, desk, place, "" if command.told else words)
    more = yield from brief(draft, back)
    if opening.reopened or known:
        more["reopened"] = True
    data = {**facts(draft), **more}
    draft.event("handoff.requested", data)
    post(draft, "handoff.requested", more)
    for message in draft.batch if opening.reopened else ():
        relay(draft, message.message.text, message.message.attachments, message.message.user)
    if command.gather:
        yield from gather(draft, command.gather)
    return place


def choose(draft: Draft, named: str = "") -> DeskTerms | None:
    """The desk for this conversation, None if it needs none or there is none."""
    terms, handoff = draft.script.handoff, opened(draft)
    channel = draft.start.conversation.address.channel
    if channel in terms.own:
        return None
    wanted = terms.desk(named)
    if wanted is not None:
        return wanted
    able = [desk for desk in terms.desks if _takes(desk, handoff, channel, draft.locale)]
    now = draft.moment.at
    ready = [desk for desk in able if desk.hours is None or desk.hours.is_open(now)]
    chosen = next(iter((*ready, *able, *terms.desks)), None)
    draft.trace(
        "desk", desk=chosen.name if chosen else "", able=[desk.name for desk in able], open=[d.name for d in ready]
    )
    return chosen


def _takes(desk: DeskTerms, handoff: Handoff, channel: str, locale: str) -> bool:
    language = locale.partition("-")[0]
    return (
        (not desk.channels or channel in desk.channels)
        and (not desk.tags or bool(set(desk.tags) & set(handoff.tags)))
        and (not desk.languages or language in desk.languages)
    )


def stand(draft: Draft, desk: DeskTerms | None, *, to: str = "", without: str = "", anew: bool = False) -> Steps:
    """Stands the conversation in the desk's line; with `to` it is offered to that agent, never to `without`.

    The deadline runs from now; the ceiling only if the handoff begins `anew`.
    """
    handoff, terms, now = opened(draft), draft.script.handoff, draft.moment.now
    hours = desk.hours if desk is not None else terms.hours
    limit = desk.deadline if desk is not None else terms.deadline
    deadline = later(hours, now, limit)
    name = desk.name if desk is not None else ""
    draft.change_handoff(
        desk=name,
        desks=handoff.desks if not name or handoff.desks[-1:] == (name,) else (*handoff.desks, name),
        deadline=deadline,
        ceiling=max(deadline + terms.ceiling - limit, now) if anew else handoff.ceiling,
        noticed=False,
        late=False,
        waits_since=None,
    )
    place = Place()
    if desk is not None:
        place = yield from _seat(draft, desk, to, without)
    handoff = opened(draft)
    draft.stop(ANSWER)
    if handoff.status == "waiting":
        wake(draft, DEADLINE, handoff.deadline)
    wake(draft, CEILING, handoff.ceiling)
    return place


def wake(draft: Draft, name: str, at: float) -> None:
    """Sets a timer of the open handoff. It says when it was due: what happened since may have made it void."""
    draft.wake(Timer(name, at, {"handoff": opened(draft).id, "due": at}))


def _seat(draft: Draft, desk: DeskTerms, to: str, without: str = "") -> Steps:
    handoff = opened(draft)
    able = [agent for agent in _able(desk, handoff, draft.locale) if agent.id != without]
    chosen = [agent for agent in desk.agents if agent.id == to] if to else able
    agents = tuple((agent.id, agent.capacity) for agent in chosen if not to)
    asked = TakePlace(
        desk.name,
        handoff.requested_at,
        PRIORITIES.index(handoff.priority),
        agents if desk.order else (),
        desk.order or "least_busy",
    )
    if to:
        asked = TakePlace(desk.name, asked.since, asked.priority, ((to, 0),))
    found = yield asked
    place = found if isinstance(found, Place) else Place()
    draft.change_handoff(assignee=place.agent)
    if place.agent:
        draft.trace("assigned", agent=place.agent, order=desk.order or "asked for")
        draft.stop(ROUTE)
    elif desk.order and handoff.status == "waiting":
        wake(draft, ROUTE, draft.moment.now + _ROUTE_AGAIN)
    return place


def _able(desk: DeskTerms, handoff: Handoff, locale: str) -> list[AgentTerms]:
    """Agents who speak the customer's language and know the matter; if none knows it, those who speak the language."""
    language = locale.partition("-")[0]
    speaking = [agent for agent in desk.agents if not agent.languages or language in agent.languages]
    skilled = [
        agent for agent in speaking if not handoff.tags or not agent.tags or set(agent.tags) & set(handoff.tags)
    ]
    return skilled or speaking or list(desk.agents)


def route_again(draft: Draft, *, without: str = "") -> Steps:
    """Somebody may have room now; or somebody else, if whoever was asked does not come."""
    handoff = opened(draft)
    desk = draft.script.handoff.desk(handoff.desk)
    if desk is None or not desk.order or handoff.status != "waiting" or handoff.assignee != without:
        return
    yield from _seat(draft, desk, "", without)
    if opened(draft).assignee:
        changed(draft, "assigned")


def house_the_homeless(draft: Draft) -> Steps:
    """A desk that is no more in the config, or that was not there yet: the conversation is taken to another one."""
    handoff, terms = opened(draft), draft.script.handoff
    gone = bool(handoff.desk) and terms.desk(handoff.desk) is None
    late = not handoff.desk and handoff.status == "waiting" and draft.opening is None
    if not (gone or late) or not terms.desks or draft.start.conversation.address.channel in terms.own:
        return
    if gone:
        draft.change_handoff(status="waiting", agent="", agent_id="", claimed_at=None, desks=())
    draft.opening = Opening(HandOff(handoff.reason, handoff.detail), quiet=True)
    yield from settle(draft)


def gather(draft: Draft, flow: str) -> Steps:
    """Starts the flow that asks for more while the customer waits."""
    if flow in draft.script.book.flows:
        yield from start_flow(draft, StartFlow(flow))


def in_own_words(told: Mapping[str, str], locale: str) -> str:
    """The owner's own words, if they have some for the language or for all."""
    return told.get(locale) or told.get(locale.partition("-")[0]) or told.get("") or ""


# --- what the customer is told -------------------------------------------------------------------------------


def tell_customer(draft: Draft, desk: DeskTerms | None, place: Place, notice: str) -> None:
    """The notice, what is known of the wait, and the ways out. A flow that has said its own words is only added to."""
    lines = [notice] if notice else []
    lines += _about_the_wait(draft, desk, place)
    if lines:
        draft.say(Reply("\n\n".join(lines), ways_out(draft)))


def ways_out(draft: Draft) -> tuple[Button, ...]:
    """The buttons of somebody who waits."""
    buttons = [Button(BACK_TO_BOT, draft.text("handoff_cancel"))]
    flow = draft.script.book.flows.get(draft.script.handoff.contact)
    if flow is not None:
        buttons.insert(0, Button(LEAVE_CONTACT, flow.title(draft.locale)))
    return tuple(buttons)


def _about_the_wait(draft: Draft, desk: DeskTerms | None, place: Place) -> Iterator[str]:
    hours = desk.hours if desk is not None else draft.script.handoff.hours
    now = draft.moment.at
    if hours is not None and not hours.is_open(now):
        opens = hours.next_open(now)
        if opens is None:
            yield draft.text("handoff_closed_long")
        else:
            yield draft.text("handoff_closed", when=when_words(opens, now, draft.locale, hours.timezone))
        return
    if place.ahead:
        yield draft.text("handoff_place", place=place.ahead + 1)
    expected = expected_wait(place.waits, hours)
    if expected is not None:
        yield draft.text("handoff_wait", time=_spoken(expected, draft.locale))


def expected_wait(waits: Sequence[tuple[float, float]], hours: Hours | None) -> float | None:
    """Seconds within which four of five of the last customers had somebody, in open time; None if too few are known."""
    if len(waits) < _MEASURED:
        return None
    waited = sorted(_open_time(hours, asked, claimed) for asked, claimed in waits)
    return waited[min(math.ceil(len(waited) * _SHARE), len(waited)) - 1]


def _open_time(hours: Hours | None, a: float, b: float) -> float:
    if hours is None or b <= a:
        return max(b - a, 0.0)
    return hours.open_seconds(datetime.fromtimestamp(a, UTC), datetime.fromtimestamp(b, UTC))


def _spoken(seconds: float, locale: str) -> str:
    """ "4 minutes", "2 hours"; rounded up."""
    minutes = max(math.ceil(seconds / 60), 1)
    rounded = timedelta(minutes=minutes) if minutes < 90 else timedelta(hours=math.ceil(minutes / 60))
    try:
        spoken = Locale.parse(locale.replace("_", "-"), sep="-")
    except (ValueError, TypeError, UnknownLocaleError):
        spoken = Locale("en")
    return format_timedelta(rounded, granularity="minute", threshold=1.5, locale=spoken)


def later(hours: Hours | None, now: float, seconds: float) -> float:
    """When so many seconds of open time have passed."""
    if hours is None:
        return now + seconds
    return hours.after(datetime.fromtimestamp(now, UTC), seconds).timestamp()


def relay(draft: Draft, text: str, files: Sequence[Attachment], user: User) -> None:
    """The words of somebody in the conversation, for the desk."""
    kept = tuple(file for file in files if file.digest)
    named = " ".join(f"[file: {file.name}]" for file in files if not file.digest)
    words = " ".join(part for part in (text, named) if part)
    author = {"role": "customer", "id": user.id, "name": user.name}
    post(draft, "handoff.message", {"from": author}, reply=Reply(words, files=kept))
