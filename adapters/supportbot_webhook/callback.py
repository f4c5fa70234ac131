"""The channel's callback: where everything goes that leaves by it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx2

from supportbot import (
    Attachment,
    ChannelBusy,
    ChannelContext,
    ChannelRefused,
    FileTooLarge,
    NotFound,
    Outgoing,
    UsageError,
)
from supportbot.webhooks import SignedEndpoint, check_url

_PATIENCE = 2
"""Tries after which a message that the endpoint calls wrong is a dead letter, so that it does not hold up the chat."""

_FETCH_SECONDS = 60.0
_MOST_PIECE = 1_000_000
"""More than one piece of an answer ever has, so that the limit is noticed here and not by the client."""


class Callback:
    """A URL that takes signed posts, "" if the channel `name` has none; works between `open` and `close`."""

    def __init__(self, name: str, url: str, secret: str, allow_private: bool) -> None:
        self.url = url
        self._name = name
        self._secret = secret
        self._private = allow_private
        self._context: ChannelContext | None = None
        self._client: httpx2.AsyncClient | None = None
        self._endpoint: SignedEndpoint | None = None

    def open(self, context: ChannelContext) -> None:
        self._context = context
        if self.url:
            self._client = context.http(self._private)
            self._endpoint = SignedEndpoint(self.url, self._secret, self._client)

    async def close(self) -> None:
        self._context = self._endpoint = None
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def post(self, outgoing: Outgoing, payload: Mapping[str, Any]) -> None:
        """Returns once it has been taken; webhook-id is the row's id over all tries. Raises as `Adapter.send` does."""
        if self.url and self._endpoint is None:
            raise self._closed()
        if self._endpoint is None:
            raise ChannelRefused(
                f"The caller who waited for this has gone, and channels.{self._name} has no callback_url to send it to."
            )
        await self._endpoint.post(outgoing.id, payload, patient=outgoing.attempt < _PATIENCE)

    async def kept(self, file: Attachment) -> bytes | None:
        """The content of a file that the house keeps, None if it does not (any more)."""
        if self._context is None:
            raise self._closed()
        try:
            return await self._context.files.read(file.digest) if file.digest else None
        except NotFound:
            return None

    async def fetch(self, file: Attachment, limit: int) -> bytes:
        """What stands at the file's url; in a private network only if the callback stands there too."""
        if self._context is None:
            raise self._closed()
        if not file.url:
            raise ChannelRefused("The file came without a url, so it cannot be fetched.")
        if file.size > limit:
            raise _too_large(limit)
        try:
            url = check_url(file.url, "url")
        except UsageError as error:
            raise ChannelRefused(f"The file cannot be fetched: {error}") from None
        private = self._private and _origin(url) == _origin(httpx2.URL(self.url))
        try:
            async with (
                asyncio.timeout(_FETCH_SECONDS),
                self._context.http(private, most=limit + _MOST_PIECE) as client,
                client.stream("GET", url) as response,
            ):
                return await _read(response, limit)
        except (httpx2.HTTPError, TimeoutError) as error:
            raise ChannelBusy(f"The file could not be fetched ({type(error).__name__}).") from None

    def _closed(self) -> ChannelBusy:
        return ChannelBusy(f"Channel {self._name} is not running.")


async def _read(response: httpx2.Response, limit: int) -> bytes:
    status = response.status_code
    if status in (408, 425, 429) or status >= 500:
        raise ChannelBusy(f"The file's server answered {status}.")
    if status != 200:
        raise ChannelRefused(f"The file's server answered {status} instead of giving it.")
    content = bytearray()
    async for piece in response.aiter_raw():
        content += piece
        if len(content) > limit:
            raise _too_large(limit)
    return bytes(content)


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _too_large(limit: int) -> FileTooLarge:
    return FileTooLarge(f"The file has more than {limit:,} bytes.")
