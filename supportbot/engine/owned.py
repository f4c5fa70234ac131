"""What happens to a conversation that a human owns.

1. While it waits the bot says nothing of its own but the notices written here, and what a flow gathers.
2. What customers write goes to the desk where it stands; what agents write goes to the customer, once.
3. One agent has it: claims are decided one after the other, and who comes second is told so.
4. Nobody waits for ever: an unclaimed one goes where the desk says, a claimed one that gets no answer is free again, and
   at the ceiling the bot goes on.
"""

from __future__ import annotations

from dataclasses import replace

from supportbot.dialogue import Heard, cancel, fits, understand
from supportbot.engine import calls, resuming
from supportbot.engine.brief import brief
from supportbot.engine.draft import EDITED, Draft, Opening
from supportbot.engine.flows import resume_flow, scene
from supportbot.engine.handing import (
    ANSWER,
    CEILING,
    DEADLINE,
    ROUTE,
    UNDELIVERED,
    UNPLACED,
    changed,
    finish,
    open_handoff,
    opened,
    post,
    tell,
)
from supportbot.engine.hearing import hear
from supportbot.engine.settling import (
    BACK_TO_BOT,
    LEAVE_CONTACT,
    gather,
    house_the_homeless,
    in_own_words,
    later,
    relay,
    route_again,
    settle,
    stand,
    tell_customer,
    wake,
    ways_out,
)
from supportbot.engine.talk import Steps
from supportbot.engine.terms import CONTACT, RETURN, WAIT, DeskTerms
from supportbot.texts import is_thanks
from supportbot.types import (
    PRIORITIES,
    Button,
    Cancel,
    ChatMessage,
    Event,
    Fetch,
    Fetched,
    HandOff,
    Handoff,
    LookedBack,
    Message,
    Place,
    Reply,
    TakePlace,
)

RATE = "handoff.rate."
_BACK = ("/bot", "/cancel")
_MOST_NOTES = 100

# --- the customer --------------------------------------------------------------------------------------------


def owned(draft: Draft) -> Steps:
    """What arrives while a human owns the conversation is kept for the human and for later."""
    hear(draft)
    yield from house_the_homeless(draft)
    for row in draft.batch:
        _relay(draft, row.message)
    handoff = opened(draft)
    own = [row.message for row in draft.batch if row.message.user.id == handoff.user.id]
    if handoff.status == "claimed" and any(_wants_an_answer(message) for message in own):
        _wait_for_answer(draft)
    if handoff.status == "waiting" and own and draft.author.id == handoff.user.id:
        yield from _waiting(draft, next((one for one in own if _choice(draft, one)), own[-1]))
    if not draft.replies:
        draft.trace("silent", reason="a human owns the conversation", handoff=handoff.id)


def _relay(draft: Draft, message: Message) -> None:
    if message.kind == "message.deleted":
        relay(draft, "[deleted an earlier message]", (), message.user)
    elif message.kind == "message.edited":
        relay(draft, f"{EDITED} {message.text}", message.attachments, message.user)
    elif message.kind == "message" and (message.text or message.attachments):
        relay(draft, message.text, message.attachments, message.user)


def _wants_an_answer(message: Message) -> bool:
    return message.kind == "message" and bool(message.attachments or not is_thanks(message.text))


def _waiting(draft: Draft, message: Message) -> Steps:
    """The ways out of the line, and the questions of a flow that gathers."""
    chosen = _choice(draft, message)
    if chosen == BACK_TO_BOT:
        finish(draft, "cancelled")
        draft.say(Reply(draft.text("handoff_cancelled")))
    elif chosen == LEAVE_CONTACT:
        yield from gather(draft, draft.script.handoff.contact)
    elif draft.state.frames:
        yield from _gathering(draft, message)


def _choice(draft: Draft, message: Message) -> str:
    """The id of the way out that was pressed, or whose label or number was typed."""
    if message.action is not None:
        return message.action.id
    if message.text.strip().lower() in _BACK:
        return BACK_TO_BOT
    offered = draft.state.offered[len(draft.state.offered) - draft.state.typed :]
    typed = message.text.strip().casefold()
    for number, button in enumerate(offered, 1):
        if button.id in (BACK_TO_BOT, LEAVE_CONTACT) and typed in (str(number), button.label.casefold()):
            return button.id
    return ""


def _gathering(draft: Draft, message: Message) -> Steps:
    """An answer to the flow's question. Words that are none are for the human: the flow asks once more, then is silent."""
    script, before = draft.script, opened(draft)
    heard = Heard(message.text, message.action)
    decided = calls.answered(draft, message)
    if decided is not None:
        yield from resuming.decide(draft, decided)
        return
    command = understand(message, draft.state, script.book, script.words, draft.locale)
    if isinstance(command, Cancel):
        draft.move(cancel(draft.state))
        draft.say(Reply(draft.text("handoff_still"), ways_out(draft)))
        return
    if not fits(draft.state, script.book, scene(draft), heard) and draft.state.frames[-1].tries:
        return
    yield from resume_flow(draft, heard)
    if draft.handoff is not None and draft.handoff.open and draft.handoff.slots != before.slots:
        changed(draft, "gathered", slots=dict(draft.handoff.slots))


# --- the human -----------------------------------------------------------------------------------------------


def human(draft: Draft, message: Message) -> Steps:
    """A human agent acts: writes, notes, claims, releases, transfers, resolves or hands back."""
    about = str(message.event.data.get("handoff", "")) if message.event is not None else ""
    ended = draft.start.ended
    active = draft.handoff is not None and draft.handoff.open
    if active:
        yield from house_the_homeless(draft)
    if active and about not in ("", opened(draft).id):
        draft.trace("refused", reason="another handoff of this conversation is open")
        _refuse(draft, message, "this conversation stands at another place now", handoff=about)
        return
    if not active and message.kind == "human.note":
        draft.trace("silent", reason="a note about a handoff that has ended")
        return
    if not active and message.kind not in ("human.message", "handoff.claimed"):
        draft.trace("silent", reason="there is no open handoff to end")
        return
    if active and message.via and message.via != opened(draft).desk:
        draft.trace("refused", reason="another desk has it")
        _refuse(draft, message, f"it stands at the desk {opened(draft).desk} now")
        return
    again = ended if ended is not None and ended.id == about else None
    claims_again = not active and again is not None and message.kind == "handoff.claimed"
    if claims_again and again is not None and not (yield from _has_room(draft, message, again)):
        return
    if not active:
        yield from _join(draft, again)
    match message.kind:
        case "human.note":
            _note(draft, message)
        case "handoff.released":
            yield from _release(draft, by=_name(message), without=message.user.id)
        case "handoff.transferred":
            yield from _transfer(draft, message)
        case "handoff.resolved" | "handoff.returned":
            yield from _finish_by_human(draft, message)
        case "human.message":
            yield from _claim(draft, message, asked=False)
            yield from _speak(draft, message)
        case _:
            yield from _claim(draft, message, asked=True)


def _join(draft: Draft, ended: Handoff | None) -> Steps:
    """A human steps in: at the place of a handoff that has ended that one is opened again."""
    if ended is None:
        command = HandOff("human", "A human joined the conversation.", told=True)
        open_handoff(draft, command)
        draft.opening = Opening(command, quiet=True)
        yield from settle(draft)
        return
    reopen(draft, ended)
    draft.opening = None
    yield from stand(draft, draft.script.handoff.desk(ended.desk), anew=True)


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


def _claim(draft: Draft, message: Message, *, asked: bool) -> Steps:
    """Gives it to the agent if it is free; words of a second agent go out under their name all the same."""
    handoff, id = opened(draft), message.user.id
    if handoff.status == "claimed":
        if asked and (handoff.agent_id or handoff.agent) not in (id, _name(message)):
            draft.trace("refused", agent=_name(message), reason=f"{handoff.agent} has claimed it")
            _refuse(draft, message, f"{handoff.agent} has claimed it already")
        return
    if not (yield from _has_room(draft, message, handoff, asked=asked)):
        return
    desk = draft.script.handoff.desk(handoff.desk)
    agent = desk.agent(id) if desk is not None else None
    name = message.user.name or (agent.name if agent is not None else "") or id
    draft.change_handoff(status="claimed", agent=name, agent_id=id, claimed_at=draft.moment.now, assignee="")
    draft.leave_flows()
    draft.stop(DEADLINE, ROUTE)
    draft.trace("claimed", agent=name)
    tell(draft, "handoff.claimed")
    _wait_for_answer(draft)


def _has_room(draft: Draft, message: Message, handoff: Handoff, *, asked: bool = True) -> Steps:
    """Seats it with the agent; False, and they are told so, if they have as many as they may."""
    desk, id = draft.script.handoff.desk(handoff.desk), message.user.id
    if desk is None:
        return True
    agent = desk.agent(id)
    most = agent.capacity if agent is not None and asked else 0
    priority = PRIORITIES.index(handoff.priority)
    place = yield TakePlace(desk.name, handoff.requested_at, priority, ((id, most),), "claim")
    if isinstance(place, Place) and place.agent:
        return True
    draft.trace("refused", agent=_name(message), reason="the agent has no room")
    why = f"you have {most} conversations already; release or end one of them first"
    _refuse(draft, message, why, about=handoff)
    return False


def _speak(draft: Draft, message: Message) -> Steps:
    """The agent's words go to the customer, unless they have been seen there; other desks see them too."""
    files = []
    for attachment in message.attachments:
        result = (yield Fetch(attachment, message.via)) if attachment.ref else None
        found = result.attachment if isinstance(result, Fetched) else attachment
        if found.digest or found.url:
            files.append(found)
        else:
            changed(draft, "undelivered", error=f"the file {attachment.name} could not be taken")
    if not message.text and not files:
        return
    reply, name = Reply(message.text, files=tuple(files)), _name(message)
    handoff = opened(draft)
    if message.shown:
        draft.turn.append(ChatMessage("assistant", message.text, draft.script.count(message.text), name=name))
    else:
        draft.say(reply, name=name)
    draft.stop(ANSWER)
    draft.change_handoff(
        notes=(*handoff.notes, message.text),
        answered_at=handoff.answered_at or draft.moment.now,
        late=False,
        waits_since=None,
    )
    if handoff.desk and message.via != handoff.desk:
        author = {"role": "agent", "id": message.user.id, "name": name}
        post(draft, "handoff.message", {"from": author}, reply=reply)


def _note(draft: Draft, message: Message) -> None:
    if not message.text:
        return
    handoff = opened(draft)
    line = f"{_name(message)}: {message.text}"
    draft.change_handoff(internal=(*handoff.internal, line)[-_MOST_NOTES:])
    draft.trace("note", agent=_name(message))
    if message.via != handoff.desk:
        post(draft, "handoff.note", {"by": _by(message), "note": message.text})


def _release(draft: Draft, *, by: str, without: str = "") -> Steps:
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


def _transfer(draft: Draft, message: Message) -> Steps:
    """To another desk, or to an agent of this one."""
    to = str(message.event.data.get("to", "")) if message.event is not None else ""
    terms, handoff = draft.script.handoff, opened(draft)
    desk = terms.desk(to)
    here = terms.desk(handoff.desk)
    if to in ("", handoff.desk) and here is not None:
        yield from _release(draft, by=_name(message))
        return
    if draft.start.conversation.address.channel in terms.own:
        _refuse(draft, message, "this conversation is on a channel that has humans of its own")
        return
    agent = next((one for one in here.agents if to in (one.id, one.name)), None) if here is not None else None
    if desk is None and agent is None:
        draft.trace("refused", reason="there is no such desk or agent", to=to)
        _refuse(draft, message, f"there is no desk or agent {to!r}")
        return
    draft.trace("transferred", by=_name(message), to=to)
    if agent is not None and here is not None:
        draft.change_handoff(status="waiting", agent="", agent_id="", claimed_at=None)
        yield from stand(draft, here, to=agent.id)
        changed(draft, "assigned", by=_by(message))
    elif desk is not None:
        place = yield from _move(draft, desk, by=_by(message))
        tell_customer(draft, desk, place, draft.text("handoff_moved"))


def _move(draft: Draft, desk: DeskTerms, *, by: dict[str, str]) -> Steps:
    """To another desk, which gets it like a new one."""
    changed(draft, "transferred", to=desk.name, by=by)
    draft.change_handoff(status="waiting", agent="", agent_id="", claimed_at=None)
    handoff = opened(draft)
    draft.opening = Opening(HandOff(handoff.reason, handoff.detail, desk=desk.name), quiet=True)
    return (yield from settle(draft))


def _finish_by_human(draft: Draft, message: Message) -> Steps:
    yield from _speak(draft, message)
    returned = message.kind == "handoff.returned"
    finish(draft, "returned" if returned else "resolved", by=_name(message), id=message.user.id)
    if message.shown:
        draft.trace("silent", reason="the customer sees the end there")
    elif returned:
        draft.say(Reply(draft.text("handoff_returned")))
    elif draft.script.handoff.rating:
        stars = tuple(Button(f"{RATE}{number}", "★" * number) for number in range(1, 6))
        draft.say(Reply(draft.text("handoff_rate"), stars))
    if not returned:
        draft.event("conversation.closed", {"reason": "resolved", "by": _name(message)})


def _refuse(draft: Draft, message: Message, why: str, *, handoff: str = "", about: Handoff | None = None) -> None:
    """Tells the agent that it was not done; at the place where they tried."""
    more = {"change": "refused", "why": why, "by": _by(message), **({"handoff": handoff} if handoff else {})}
    post(draft, "handoff.updated", more, desk=message.via or (about.desk if about else None), about=about)


def _name(message: Message) -> str:
    return message.user.name or message.user.id


def _by(message: Message) -> dict[str, str]:
    return {"id": message.user.id, "name": _name(message)}


# --- time ----------------------------------------------------------------------------------------------------


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
        _expire(draft)
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


def _expire(draft: Draft) -> None:
    """The bot goes on. Only where no human wrote is it sorry for that."""
    answered = opened(draft).answered_at is not None
    finish(draft, "expired")
    draft.say(Reply(draft.text("handoff_returned" if answered else "handoff_resumed")))


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
        yield from _move(draft, following, by={"id": "", "name": ""})
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
        place = yield from _move(draft, desk, by={"id": "", "name": ""})
        told = in_own_words(desk.told, draft.locale) or draft.text("handoff_moved")
        tell_customer(draft, desk, place, told)
    elif step == RETURN:
        _expire(draft)
    elif step == CONTACT and terms.contact in draft.script.book.flows and not draft.state.frames:
        draft.say(Reply(draft.text("handoff_waiting")))
        yield from gather(draft, terms.contact)
    else:
        draft.say(Reply(draft.text("handoff_waiting"), ways_out(draft)))


def _wait_for_answer(draft: Draft) -> None:
    """From the customer's first word without an answer, or the claim, the agent has so long to write."""
    handoff = opened(draft)
    if handoff.waits_since is None:
        draft.change_handoff(waits_since=draft.moment.now)
        _remind(draft)


def _remind(draft: Draft) -> None:
    terms = draft.script.handoff
    desk = terms.desk(opened(draft).desk)
    if terms.answer:
        hours = desk.hours if desk is not None else terms.hours
        wake(draft, ANSWER, later(hours, draft.moment.now, terms.answer))


def _unanswered(draft: Draft) -> Steps:
    """Claimed, and no word: the desk is reminded, and then it is free for others."""
    handoff = opened(draft)
    if not handoff.late:
        _remind(draft)
        draft.change_handoff(late=True)
        draft.trace("late", agent=handoff.agent)
        changed(draft, "late")
        return
    yield from _release(draft, by="", without=handoff.agent_id)
    draft.say(Reply(draft.text("handoff_waiting"), ways_out(draft)))
