"""Shows a reply while it is being written, in private chats. A draft vanishes by itself when the message comes."""

from __future__ import annotations

import secrets
from typing import Any

from telegram.error import BadRequest, InvalidToken, TelegramError

from supportbot import Outgoing
from supportbot_telegram.api import Api, reason
from supportbot_telegram.compose import TEXT_LIMIT
from supportbot_telegram.entities import render, utf16
from supportbot_telegram.sending import place_of
from supportbot_telegram.tasks import Log

_TAIL = 3_500
_PREFIX = "draft|"


class Drafts:
    """The previews of one channel; `possible` is False once Telegram has said that it has no such thing."""

    def __init__(self, api: Api, channel: str, log: Log) -> None:
        self._api = api
        self._channel = channel
        self._log = log
        self.possible = True

    async def show(self, outgoing: Outgoing, text: str) -> str:
        """Shows the text so far and returns the draft's handle, "" if it has none."""
        place = place_of(outgoing)
        if not self.possible or place.chat < 0:
            return ""
        shown = render(text)
        if utf16(shown.text) > TEXT_LIMIT:
            shown = render("…" + text[-_TAIL:])  # what is being written now
        if not shown.text:
            return outgoing.preview
        handle = outgoing.preview if _id(outgoing.preview) else f"{_PREFIX}{secrets.randbelow(2**31 - 1) + 1}"
        fields: dict[str, Any] = {**place.fields(), "draft_id": _id(handle), "text": shown.text}
        if shown.entities:
            fields["entities"] = list(shown.entities)
        try:
            await self._api.call("sendMessageDraft", fields)
        except (BadRequest, InvalidToken) as error:
            self.possible = isinstance(error, BadRequest) and "method" not in error.message.lower()
            said = error.message[:200] if isinstance(error, BadRequest) else "this Bot API server is too old"
            self._log("telegram.no_previews", channel=self._channel, error=said)
            return ""
        except TelegramError as error:
            self._log("telegram.preview_failed", channel=self._channel, error=reason(error))
        return handle


def _id(handle: str) -> int:
    """The draft's id, 0 if it is no handle of a draft."""
    number = handle.removeprefix(_PREFIX)
    return int(number) if handle.startswith(_PREFIX) and number.isdigit() else 0
