"""After a human has resolved it: what the customer says of it, and whether it is opened again."""

from __future__ import annotations

from dataclasses import replace

from supportbot.dialogue import understand
from supportbot.engine.agents import RATE
from supportbot.engine.draft import Draft
from supportbot.engine.handing import changed
from supportbot.engine.hands import reopen
from supportbot.texts import is_thanks
from supportbot.types import HandOff, Message, Reply


def rated(draft: Draft, message: Message) -> bool:
    """Whether the customer has pressed how content they are; then it is kept and they are thanked."""
    ended = draft.start.ended
    if message.action is None or not message.action.id.startswith(RATE) or ended is None:
        return False
    stars = message.action.id.removeprefix(RATE)
    if stars not in ("1", "2", "3", "4", "5"):
        return False
    draft.handoff = replace(ended, rating=int(stars))
    draft.trace("rated", rating=int(stars), handoff=ended.id)
    changed(draft, "rated", rating=int(stars))
    draft.say(Reply(draft.text("handoff_rated")))
    return True


def reopened(draft: Draft, message: Message) -> bool:
    """Whether the words are about the matter that was resolved a while ago; then its human gets them."""
    ended, script = draft.start.ended, draft.script
    if ended is None or ended.status != "resolved" or ended.ended_at is None or not script.handoff.reopen:
        return False
    if message.kind != "message" or message.action is not None or message.user.id != ended.user.id:
        return False
    if draft.moment.now - ended.ended_at > script.handoff.reopen or is_thanks(message.text):
        return False
    command = understand(message, draft.state, script.book, script.words, draft.locale)
    if draft.state.frames or not (command is None or isinstance(command, HandOff)):
        return False
    reopen(draft, ended)
    return True
