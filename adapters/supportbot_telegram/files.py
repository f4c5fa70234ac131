"""Gets the content of a file that a customer sent."""

from __future__ import annotations

from urllib.parse import quote

import httpx
from telegram.error import BadRequest, TelegramError

from supportbot import Attachment, ChannelBusy, ChannelRefused, FileTooLarge
from supportbot_telegram.api import Api, failure

HANDED_OVER = 20_000_000
"""Bytes of a file that the Bot API hands over at most."""


async def fetch(api: Api, attachment: Attachment, limit: int) -> bytes:
    """The content, of at most `limit` bytes. Raises ChannelRefused and ChannelBusy, none of which shows the URL."""
    if not attachment.ref:
        raise ChannelRefused(f"{attachment.name} is nothing that Telegram has a file for.")
    if attachment.size > HANDED_OVER:
        raise _too_large_for_bots(attachment)
    if attachment.size > limit:
        raise _too_large(attachment, limit)
    path = await _path(api, attachment)
    try:
        async with api.files.stream("GET", api.file_url(quote(path))) as response:
            if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR or response.status_code == 429:
                raise ChannelBusy(f"Telegram could not give {attachment.name} ({response.status_code}).")
            if response.status_code != httpx.codes.OK:
                raise ChannelRefused(f"Telegram does not give {attachment.name} ({response.status_code}).")
            return await _read(response, attachment, limit)
    except httpx.HTTPError as error:
        name = type(error).__name__
        raise ChannelBusy(f"Telegram could not give {attachment.name} ({name}).") from None


async def _path(api: Api, attachment: Attachment) -> str:
    try:
        found = await api.call("getFile", {"file_id": attachment.ref})
    except BadRequest as error:
        if "too big" in error.message.lower():
            raise _too_large_for_bots(attachment) from None
        raise ChannelRefused(f"Telegram does not have {attachment.name} any more.") from None
    except TelegramError as error:
        raise failure(error) from None
    path = found.get("file_path") if isinstance(found, dict) else None
    if not isinstance(path, str) or not path:
        raise ChannelBusy(f"Telegram did not say where {attachment.name} is.")
    if path.startswith("/") or ".." in path.split("/"):
        raise ChannelRefused(
            f"{attachment.name} lies on the disk of a Bot API server that runs with --local, from where this bot "
            "cannot read it: run that server without --local."
        )
    return path


async def _read(response: httpx.Response, attachment: Attachment, limit: int) -> bytes:
    pieces: list[bytes] = []
    size = 0
    async for piece in response.aiter_bytes():
        pieces.append(piece)
        size += len(piece)
        if size > limit:
            raise _too_large(attachment, limit)
    return b"".join(pieces)


def _too_large(attachment: Attachment, limit: int) -> FileTooLarge:
    return FileTooLarge(f"{attachment.name} is larger than {limit:,} bytes.")


def _too_large_for_bots(attachment: Attachment) -> FileTooLarge:
    return FileTooLarge(f"{attachment.name} is larger than the 20 MB that Telegram hands to bots.")
