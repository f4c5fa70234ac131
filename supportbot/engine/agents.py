"""What human agents do: write, note, claim, release, transfer, resolve, hand back.

1. What they write goes to the customer, once; a note never does.
2. One agent has it: claims are decided one after the other, and who comes second is told so.
3. An act at a place that is over is refused, and the agent is told; words at the place of the newest handoff that has
   ended open it again.
"""

from __future__ import annotations

from supportbot.engine.draft import Draft, Opening
from supportbot.engine.handing import ANSWER, DEADLINE, ROUTE, changed, finish, open_handoff, opened, post, tell
from supportbot.engine.hands import move, release, reopen, wait_for_answer
from supportbot.engine.settling import house_the_homeless, settle, stand, tell_customer
from supportbot.engine.talk import Steps
from supportbot.types import (
    PRIORITIES,
    Button,
    ChatMessage,
    Fetch,
    Fetched,
    HandOff,
    Handoff,
    Message,
    Place,
    Reply,
    TakePlace,
)

RATE = "handoff.rate."
_MOST_NOTES = 100


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
            yield from release(draft, by=_name(message), without=opened(draft).agent_id or message.user.id)
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
    wait_for_answer(draft)


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
    draft.trace("refused", agent=_name(message), reason=f"{_name(message)} may have {most} at once and has them")
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
        size = draft.script.count(message.text)
        draft.turn.append(ChatMessage("assistant", message.text, size, name=name, files=reply.files))
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


def _transfer(draft: Draft, message: Message) -> Steps:
    """To another desk, or to an agent of this one."""
    to = str(message.event.data.get("to", "")) if message.event is not None else ""
    terms, handoff = draft.script.handoff, opened(draft)
    desk = terms.desk(to)
    here = terms.desk(handoff.desk)
    if to in ("", handoff.desk) and here is not None:
        yield from release(draft, by=_name(message))
        return
    if draft.start.conversation.address.channel in terms.own:
        draft.trace("refused", reason="the channel has humans of its own")
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
        place = yield from move(draft, desk, by=_by(message))
        tell_customer(draft, desk, place, draft.text("handoff_moved"))


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
    """Tells the agent that it was not done, at the desk where they tried; others read it in the turn's trace."""
    if not message.via:
        return
    more = {"change": "refused", "why": why, "by": _by(message), **({"handoff": handoff} if handoff else {})}
    post(draft, "handoff.updated", more, desk=message.via, about=about)


def _name(message: Message) -> str:
    return message.user.name or message.user.id


def _by(message: Message) -> dict[str, str]:
    return {"id": message.user.id, "name": _name(message)}
