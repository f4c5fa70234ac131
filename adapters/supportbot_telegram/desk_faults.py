"""What keeps a group from being a desk, and how people mend it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from telegram.error import BadRequest, Forbidden, TelegramError

from supportbot import ChannelBusy, ChannelError, ChannelGone
from supportbot_telegram.api import failure

NO_TOPIC = ("thread not found", "thread identifier", "topic_id_invalid", "topic_deleted")
CLOSED = ("topic_closed",)
SAME = ("not_modified", "not modified")
RIGHTS = ("not enough rights", "chat_admin_required", "have no rights", "chat_write_forbidden")
NO_FORUM = ("not a forum", "channel_forum_missing")
_NO_CHAT = ("chat not found", "peer_id_invalid", "chat_id_invalid")
_SECONDS = 60.0
"""How long to wait at least, before what people have to mend is tried again."""


def says(error: Exception, signs: Sequence[str]) -> bool:
    """Whether Telegram's words have one of the signs."""
    said = str(error).lower()
    return any(sign in said for sign in signs)


def mending(error: TelegramError, desk: str, chat: int) -> str:
    """What an operator must do, "" if it is nothing of theirs."""
    group = f"the group of desk {desk} ({chat})"
    if isinstance(error, Forbidden):
        return f"The bot is not in {group}: add it, as an administrator that may manage topics."
    if not isinstance(error, BadRequest):
        return ""
    if says(error, RIGHTS):
        return f"The bot may not manage topics in {group}: make it an administrator with the right to."
    if says(error, NO_FORUM):
        return f"There are no topics in {group}: turn them on in the group's settings."
    if says(error, _NO_CHAT):
        return f"The bot knows no group {chat}: add it there, or correct desks.{desk}.place."
    return ""


def desk_failure(error: TelegramError, sentence: str) -> ChannelError:
    """The house's error; `sentence` is what `mending` says. Nothing that can be mended is lost."""
    if sentence:
        return ChannelBusy(sentence, retry_after=_SECONDS)
    if isinstance(error, BadRequest) and says(error, NO_TOPIC):
        return ChannelGone("The handoff's topic is not there any more: somebody deleted it.")
    return failure(error)
