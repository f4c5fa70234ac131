"""The real python-telegram-bot at the stand-in for Telegram."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import pytest
from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup
from telegram.error import BadRequest
from telegram.request import HTTPXRequest

from supportbot.testing.telegram.server import FakeTelegram


def bot_for(fake: FakeTelegram, token: str | None = None) -> Bot:
    return Bot(
        token or fake.token,
        base_url=fake.url + "/bot",
        base_file_url=fake.url + "/file/bot",
        request=HTTPXRequest(connection_pool_size=64, read_timeout=5),
        get_updates_request=HTTPXRequest(connection_pool_size=4, read_timeout=5),
    )


async def refusal(call: Awaitable[Any], kind: type[Exception] = BadRequest) -> str:
    """What the library says when the API refuses the call."""
    with pytest.raises(kind) as caught:
        await call
    return str(caught.value)


def inline(**button: Any) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup([[InlineKeyboardButton("Yes", **button)]])
