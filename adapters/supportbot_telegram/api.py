"""The Bot API through python-telegram-bot, with answers left as they came.

The library reads every answer into its own objects. What it cannot read would then look like a failure: a message
that Telegram has taken would be sent again, and one strange update would lose the whole batch. So `Api.call` returns
the plain result, and nothing here shows the token, which stands in every URL.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

import httpx
import telegram
from telegram.error import (
    BadRequest,
    Conflict,
    Forbidden,
    InvalidToken,
    NetworkError,
    TelegramError,
    TimedOut,
)
from telegram.request import HTTPXRequest

from supportbot import ChannelBusy, ChannelError, ChannelGone, ChannelRefused

CONNECT_SECONDS = 5.0
SECONDS = 12.0
POOL = 128
LONGEST_WAIT = 86_400.0
_LOGGERS = ("telegram", "httpx", "httpcore")
_GONE = ("chat not found", "user not found", "peer_id_invalid", "chat_id_invalid", "user is deactivated")


class Flooded(TelegramError):
    """429: too many requests; try again after `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"too many requests, try again in {seconds:g} s")
        self.seconds = seconds


class Api:
    """One bot's calls. Close it after use."""

    def __init__(self, token: str, url: str) -> None:
        silence()
        trusted = httpx.create_ssl_context(trust_env=True)
        self.files = httpx.AsyncClient(trust_env=False, verify=trusted, timeout=SECONDS)
        """Downloads files; it follows no redirect."""
        self._file_base = f"{url}/file/bot{token}"
        self._request = _Request(
            connection_pool_size=POOL,
            read_timeout=SECONDS,
            write_timeout=SECONDS,
            media_write_timeout=SECONDS,
            connect_timeout=CONNECT_SECONDS,
            pool_timeout=CONNECT_SECONDS,
            httpx_kwargs={"trust_env": False, "verify": trusted},
        )
        self._bot = _Bot(
            token,
            base_url=f"{url}/bot",
            base_file_url=f"{url}/file/bot",
            request=self._request,
            get_updates_request=self._request,
        )

    async def call(self, method: str, fields: Mapping[str, Any], *, seconds: float = SECONDS) -> Any:
        """The method's result as Telegram sent it. Raises TelegramError, which `failure` puts into words."""
        return await self._bot.raw(method, dict(fields), seconds)

    def file_url(self, path: str) -> str:
        """Where a file lies. It contains the token: show it to nobody."""
        return f"{self._file_base}/{path}"

    async def close(self) -> None:
        await self._request.shutdown()
        await self.files.aclose()


class _Bot(telegram.Bot):
    """The library's bot with one more method."""

    async def raw(self, method: str, fields: dict[str, Any], seconds: float) -> Any:
        try:
            return await self._post(method, fields, read_timeout=seconds)
        except KeyError:
            raise TelegramError("the answer has no result") from None


class _Request(HTTPXRequest):
    """The library's HTTP client; 429 and answers that are no JSON become errors of ours."""

    async def do_request(self, *args: Any, **options: Any) -> tuple[int, bytes]:
        code, payload = await super().do_request(*args, **options)
        if code == httpx.codes.TOO_MANY_REQUESTS:
            raise Flooded(_retry_after(payload))
        return code, payload

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        """The answer; the library's own version logs what it cannot read."""
        try:
            answer = json.loads(payload)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise TelegramError("the answer is not JSON")
        return answer


def silence() -> None:
    """Keeps the libraries from logging URLs, which contain the token."""
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.setLevel(max(logger.level, logging.WARNING))


def _retry_after(payload: bytes) -> float:
    try:
        seconds = float(json.loads(payload)["parameters"]["retry_after"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return 1.0
    return seconds if 0 <= seconds <= LONGEST_WAIT else 1.0


def failure(error: TelegramError) -> ChannelError:
    """The same as the house's error, in our own words: the library's may quote the URL."""
    if isinstance(error, Flooded):
        return ChannelBusy(f"Telegram asks to wait {error.seconds:g} seconds.", retry_after=error.seconds)
    if isinstance(error, Forbidden):
        return ChannelGone(f"The customer or group no longer takes messages: {_said(error)}")
    if isinstance(error, BadRequest):
        if any(sign in error.message.lower() for sign in _GONE):
            return ChannelGone(f"There is no such chat for this bot any more: {_said(error)}")
        return ChannelRefused(f"Telegram refused the message: {_said(error)}")
    return ChannelBusy(reason(error))


def reason(error: TelegramError) -> str:
    """One sentence about a failure that is not about one message."""
    if isinstance(error, Flooded):
        return f"Telegram asks to wait {error.seconds:g} seconds."
    if isinstance(error, InvalidToken):
        return (
            "Telegram does not accept the bot token (any more): take the current one from @BotFather, put it into "
            "TELEGRAM_BOT_TOKEN and restart."
        )
    if isinstance(error, Conflict):
        return (
            "Another process polls with this token, or a webhook is set: stop the other one; each bot token can be "
            "used by one process only."
        )
    if isinstance(error, TimedOut):
        return "Telegram did not answer in time."
    if isinstance(error, BadRequest | Forbidden):
        return f"Telegram refused it: {_said(error)}"
    cause = error.__cause__
    if isinstance(cause, httpx.HTTPError):
        return f"Telegram cannot be reached ({type(cause).__name__})."
    if isinstance(error, NetworkError):
        return "Telegram answers with an error of its own at the moment."
    return "Telegram's answer cannot be read."


def _said(error: TelegramError) -> str:
    """Telegram's own description, which is about the request and has no URL of ours in it."""
    return error.message[:200]
