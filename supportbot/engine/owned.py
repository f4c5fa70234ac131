"""What customers send while a human owns the conversation.

1. It goes to the desk where the handoff stands, under the name of whoever wrote it.
2. While it waits the bot says nothing of its own but the ways out, and what a flow gathers.
"""

from __future__ import annotations

from supportbot.dialogue import Heard, cancel, fits, understand
from supportbot.engine import calls, resuming
from supportbot.engine.draft import EDITED, Draft
from supportbot.engine.flows import resume_flow, scene
from supportbot.engine.handing import changed, finish, opened
from supportbot.engine.hands import wait_for_answer
from supportbot.engine.hearing import hear
from supportbot.engine.settling import (
    BACK_TO_BOT,
    LEAVE_CONTACT,
    gather,
    house_the_homeless,
    relay,
    ways_out,
)
from supportbot.engine.talk import Steps
from supportbot.texts import is_thanks
from supportbot.types import Cancel, Message, Reply

_BACK = ("/bot", "/cancel")


def owned(draft: Draft) -> Steps:
    """What arrives while a human owns the conversation is kept for the human and for later."""
    hear(draft)
    yield from house_the_homeless(draft)
    for row in draft.batch:
        _relay(draft, row.message)
    handoff = opened(draft)
    own = [row.message for row in draft.batch if row.message.user.id == handoff.user.id]
    if handoff.status == "claimed" and any(_wants_an_answer(message) for message in own):
        wait_for_answer(draft)
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
