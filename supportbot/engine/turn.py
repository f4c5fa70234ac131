"""One turn: what is pending -> commands -> effects -> outcome."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import replace

from supportbot import history
from supportbot.dialogue import (
    Heard,
    Valid,
    accept,
    cancel,
    correct,
    fits,
    language,
    question,
    understand,
    waiting,
)
from supportbot.engine import after, agents, calls, deadlines, hearing, owned, resuming, watching
from supportbot.engine.arriving import MOST_FILES, OUTSIDE, batch, fetched
from supportbot.engine.draft import Draft
from supportbot.engine.flows import resume_flow, scene, start_flow
from supportbot.engine.handing import open_handoff
from supportbot.engine.past import trim
from supportbot.engine.script import MAX_ATTEMPTS, Moment, Script
from supportbot.engine.settling import settle
from supportbot.engine.talk import Steps, converse, extract
from supportbot.types import (
    Action,
    Answer,
    Button,
    Cancel,
    Command,
    Correct,
    Decide,
    Effect,
    Event,
    HandOff,
    Help,
    Message,
    Outcome,
    Reply,
    Result,
    SetSlot,
    StartFlow,
    TurnInput,
)

MOST_OWNED = 40
"""Files of one turn that are fetched for a human."""
_UNREAD: Mapping[tuple[bool, bool], str] = {
    (False, False): "attachment_unread",
    (False, True): "attachment_beside",
    (True, False): "voice_unread",
    (True, True): "voice_beside",
}
"""(whether it is a recording, whether it came with words and is kept) -> what is said to it."""


def take_turn(start: TurnInput, script: Script, moment: Moment) -> Generator[Effect, Result, Outcome]:
    """Runs one turn over `start.pending` (never empty). Yields effects and is sent their results."""
    human = start.handoff is not None and start.handoff.open
    rows = batch(start.pending, everyone=moment.overdue)
    draft = Draft(start, rows, script, moment)
    first = rows[0].message
    if first.kind == "call" or (first.kind == "timer" and _is_call_timer(first)):
        yield from _waited(draft, first)
    elif first.kind == "timer":
        yield from deadlines.timer(draft, first)
    elif first.kind not in OUTSIDE:
        yield from agents.human(draft, first)
    elif all(row.message.kind == "event" for row in rows):
        if human:
            yield from owned.owned(draft)
        else:
            yield from _event(draft, first)
    else:
        if not moment.given_up:
            draft.batch, draft.unread = yield from fetched(draft.batch, most=MOST_OWNED if human else MOST_FILES)
        if human:
            yield from owned.owned(draft)
        elif all(row.message.kind == "message.deleted" for row in draft.batch):
            hearing.withdraw(draft)
        else:
            yield from _customer(draft)
            _never_silent(draft)
            draft.signs.unanswered = watching.unanswered(draft)
    yield from settle(draft)
    calls.tidy(draft)
    return draft.outcome()


def _is_call_timer(message: Message) -> bool:
    return message.event is not None and message.event.name.startswith(calls.TIMER)


def _waited(draft: Draft, message: Message) -> Steps:
    """A call that waited was decided, is done, or has waited too long. While a human has the word, nothing is said."""
    if draft.moment.unsure or draft.moment.attempt > MAX_ATTEMPTS:
        failed = f"The bot failed {draft.moment.attempt - 1} times at what a call came to."
        resuming.lost(draft, message, draft.moment.unsure or failed)
        return
    if draft.handoff is not None and draft.handoff.open:
        resuming.note(draft, message)
        return
    yield from trim(draft)
    command = yield from resuming.row(draft, message)
    if command is not None:
        yield from apply(draft, command, message)
    yield from _once_proven(draft, message)
    if draft.replies:
        calls.ask_again(draft)


def _once_proven(draft: Draft, message: Message) -> Steps:
    command = yield from resuming.after_flows(draft)
    if command is not None:
        yield from apply(draft, command, message)


def _event(draft: Draft, message: Message) -> Steps:
    """Something happened without words: a flow may wait for it, else it is only noted.

    Who has followed a link to the bot ("start") hears something in any case.
    """
    moment = draft.moment
    if moment.unsure:
        open_handoff(draft, HandOff("unknown_outcome", moment.unsure))
        return
    command = _started_by(draft, message)
    if command is not None and not moment.overdue and moment.attempt <= MAX_ATTEMPTS:
        yield from trim(draft)
        yield from start_flow(draft, command)
    elif message.event is not None and message.event.name == "start":
        _help(draft)
    else:
        draft.trace(
            "silent", reason="no flow waits for this event", event=message.event.name if message.event else ""
        )


def _started_by(draft: Draft, message: Message) -> StartFlow | None:
    """The flow that waits for the event, with the event's payload. A deep link ("start") is looked for with its
    payload first, as "start.PAYLOAD", and last as any beginning of a conversation."""
    event = message.event or Event("")
    payload = event.data.get("payload", "")
    names = (f"start.{payload}", "start", "conversation.started") if event.name == "start" else (event.name,)
    for name in names:
        named = replace(message, event=Event(name))
        command = understand(named, draft.state, draft.script.book, draft.script.words, draft.locale)
        if isinstance(command, StartFlow):
            return replace(command, slots={"payload": payload} if isinstance(payload, str) else {})
    return None


def _never_silent(draft: Draft) -> None:
    """A customer's turn that came to no words, such as a flow that only sets slots, goes to a human."""
    if not draft.replies and (draft.handoff is None or not draft.handoff.open):
        open_handoff(draft, HandOff("error", "The turn ended without an answer for the customer."))


def _customer(draft: Draft) -> Steps:
    limit = draft.script.limits.max_tokens // 2
    hearing.hear(draft)
    draft.turn = [history.fit(message, limit, draft.script.count) for message in draft.turn]
    if _unable(draft):
        return
    yield from trim(draft)
    message = _pressed(draft, _joined(draft))
    if not draft.learned:
        draft.learn(_known_language(draft, message.text))
    if after.rated(draft, message) or watching.before(draft, message) or after.reopened(draft, message):
        return
    if message.action is not None and message.action.id.startswith("handoff."):
        _closed(draft)
        return
    if not message.text and message.action is None and not message.attachments:
        _help(draft)
    elif message.action is not None and (not message.action.id or calls.closed(draft, message)):
        _closed(draft)
    elif message.kind == "message.edited" and draft.state.frames:
        draft.say(Reply(draft.text("edited_late")))
        draft.trace("notice", reason="an earlier answer was edited while a flow had gone on")
        _ask_again(draft)
    elif not message.text and message.action is None and not _seen(draft, message):
        _unread(draft, message, beside=False)
        if draft.state.frames:
            _ask_again(draft)
    else:
        message = replace(message, kind="action" if message.action else "message")
        yield from apply(draft, calls.answered(draft, message) or _understood(draft, message), message)
        yield from _once_proven(draft, message)
        calls.ask_again(draft)
        if not _seen(draft, message):
            _unread(draft, message, beside=True)
        watching.after(draft, message)


def _closed(draft: Draft) -> None:
    """A button that was pressed already, replaced by a later question, or shown to somebody else."""
    draft.say(Reply(draft.text("choice_closed"), private=draft.shared))
    draft.trace("notice", reason="the pressed button is not open to this customer")
    if draft.state.frames:
        _ask_again(draft)
    else:
        draft.offered, draft.typed = draft.state.offered, draft.state.typed


def _seen(draft: Draft, message: Message) -> bool:
    """Whether the model can look at all that came with the message."""
    images = hearing.images(message)
    return len(images) == len(message.attachments) and (not images or draft.script.sees)


def _unread(draft: Draft, message: Message, *, beside: bool) -> None:
    """Says honestly what became of files that the bot cannot look at, unless a model or a human has the word."""
    if draft.read or (draft.handoff is not None and draft.handoff.open):
        return
    errors = {error for _, error in draft.unread}
    kept = beside and all(file.digest for file in message.attachments)
    recorded = any(file.media_type.startswith(("audio/", "video/")) for file in message.attachments)
    key = "attachment_too_large" if "too_large" in errors else _UNREAD[recorded, kept]
    draft.say(Reply(draft.text(key)))
    draft.trace("notice", reason="files that the bot cannot look at", errors=sorted(errors))


def _unable(draft: Draft) -> bool:
    """Ends the turn at once when it may not, or must not, be answered in the ordinary way."""
    moment = draft.moment
    if moment.unsure:
        open_handoff(draft, HandOff("unknown_outcome", moment.unsure))
    elif moment.overdue and draft.script.overdue == "handoff":
        open_handoff(draft, HandOff("deadline"), notice="overdue_handoff")
    elif moment.overdue:
        draft.say(Reply(draft.text("overdue")))
        draft.trace("notice", reason="no answer was ready in time")
    elif moment.attempt > MAX_ATTEMPTS:
        open_handoff(draft, HandOff("error", f"The bot failed {moment.attempt - 1} times at this message."))
    else:
        return False
    return True


def _joined(draft: Draft) -> Message:
    """The batch as one message: several typed quickly are one thing said."""
    if len(draft.batch) == 1:
        message = draft.batch[0].message
        if len(message.text) <= draft.script.max_message_chars:
            return message
    rows = [inbound.message for inbound in draft.batch if inbound.message.kind != "message.deleted"]
    if draft.state.frames:  # a change to something said earlier is no answer to what is asked now
        rows = [message for message in rows if message.kind != "message.edited"] or rows
    text = "\n".join(message.text for message in rows if message.text)
    files = tuple(file for message in rows for file in message.attachments)
    return replace(rows[-1], text=text[: draft.script.max_message_chars], attachments=files)


def _pressed(draft: Draft, message: Message) -> Message:
    """A typed label or number of the buttons shown last counts as a press; a pressed id gets its value."""
    offered = draft.state.offered
    if message.action is not None and message.action.press:
        return message
    if message.action is not None:
        value = next((button.value or button.label for button in offered if button.id == message.action.id), "")
        return replace(message, action=replace(message.action, value=message.action.value or value))
    typed = message.text.strip().casefold()
    for number, button in enumerate(offered[len(offered) - draft.state.typed :], 1):
        if typed in (str(number), button.label.casefold()):
            return replace(message, text="", action=Action(button.id, button.value or button.label))
    return message


def _known_language(draft: Draft, text: str) -> str:
    found = language(text, draft.script.book, draft.script.words)
    return found if found in {name.partition("-")[0] for name in draft.script.persona.languages} else ""


def _understood(draft: Draft, message: Message) -> Command:
    """What the customer means, as far as it can be told without a model; Answer() leaves it to the model."""
    script, state = draft.script, draft.state
    command = understand(message, state, script.book, script.words, draft.locale)
    asked = waiting(state, script.book)
    if asked is None:
        return command or Answer()
    heard = Heard(message.text, message.action)
    spoken_command = message.text.startswith("/") or isinstance(command, Cancel | Help | HandOff)
    if command is not None and spoken_command:
        return command
    if fits(state, script.book, scene(draft), heard):
        return SetSlot(asked.slot, message.text)
    return command or Answer()


def apply(draft: Draft, command: Command, message: Message) -> Steps:
    """Carries out one command. The only place where commands take effect."""
    draft.trace("understood", command=type(command).__name__, **_facts(command))
    match command:
        case HandOff():
            open_handoff(draft, command)
        case StartFlow():
            yield from start_flow(draft, command)
        case SetSlot():
            yield from resume_flow(draft, Heard(message.text, message.action))
        case Correct(name, value):
            _correct(draft, name, value)
        case Cancel():
            waited = calls.drop_own(draft)
            draft.say(Reply(draft.text("cancelled" if draft.state.frames or waited else "nothing_to_cancel")))
            draft.move(cancel(draft.state))
        case Decide():
            asked = draft.calls[command.call]
            decided = yield from resuming.decide(draft, command)
            if decided is not None:
                yield from apply(draft, decided, message)
            elif waiting(draft.state, draft.script.book) is not None and (
                asked.by == "model" or not draft.replies
            ):
                _ask_again(draft)
        case Help():
            _help(draft)
        case Answer():
            yield from _answer(draft, message)


def _correct(draft: Draft, name: str, value: object) -> None:
    """Changes an earlier answer if it would have been valid as one; the open question stands as before."""
    accepted = accept(draft.state, draft.script.book, scene(draft), name, value)
    if isinstance(accepted, Valid):
        draft.move(correct(draft.state, name, accepted.value))
    draft.trace("corrected", slot=name, accepted=isinstance(accepted, Valid))
    _ask_again(draft)


def _answer(draft: Draft, message: Message) -> Steps:
    """Free words: the model's business; inside a flow the question is asked again afterwards."""
    heard = Heard(message.text, message.action)
    if not draft.state.frames:
        yield from _follow(draft, (yield from converse(draft, hearing.heard(message))), message)
        return
    held = calls.asked(draft) is not None
    if waiting(draft.state, draft.script.book) is None and not (held and draft.script.has_model):
        yield from resume_flow(draft, heard)
        return
    if draft.script.has_model:
        command = yield from converse(draft, hearing.heard(message))
        if isinstance(command, HandOff) and command.reason == "model_failed":
            yield from resume_flow(draft, heard)  # the flow can do without: it says what answer it needs
        else:
            yield from _follow(draft, command, message)
        return
    answered = "?" in message.text and (yield from extract(draft, message.text))
    if answered:
        _ask_again(draft)
    else:
        yield from resume_flow(draft, heard)


def _follow(draft: Draft, command: Command | None, message: Message) -> Steps:
    """What the model decided, if it was more than an answer in words."""
    if isinstance(command, SetSlot):
        yield from resume_flow(draft, Heard(str(command.value), None))
    elif command is not None:
        yield from apply(draft, command, message)
    elif draft.state.frames:
        _ask_again(draft)


def _ask_again(draft: Draft) -> None:
    """Puts a flow's open question once more, unless the customer has to say yes or no to something else first."""
    if calls.asked(draft) is not None:
        return
    draft.say(question(draft.state, draft.script.book, scene(draft)))


def _help(draft: Draft) -> None:
    """Says what the bot can do; every flow with a button trigger is offered as one."""
    flows = [flow for flow in draft.script.book.flows.values() if flow.button]
    buttons = tuple(Button(flow.button, flow.title(draft.locale)) for flow in flows[:8])
    draft.say(Reply(draft.text("help", bot=draft.script.bot_name), buttons))
    if draft.state.frames and waiting(draft.state, draft.script.book) is not None:
        _ask_again(draft)


def _facts(command: Command) -> dict[str, str]:
    names = ("flow", "name", "reason", "detail")
    return {name: str(getattr(command, name)) for name in names if getattr(command, name, "")}
