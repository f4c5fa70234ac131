"""The door of a channel that is called over HTTP: a capped body, and refusals of one JSON sentence.

A plain ASGI application, because this is the hot path; `Door(serve)` is a route's endpoint.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any

from starlette.types import Receive, Scope, Send

BODY_SECONDS = 15.0
RETRY_AFTER = (b"retry-after", b"5")
Header = tuple[bytes, bytes]


class Refused(Exception):
    """The request is turned down: status and one sentence."""

    def __init__(self, status: int, sentence: str, *headers: Header) -> None:
        super().__init__(sentence)
        self.status = status
        self.headers = headers


class CallerLeft(Exception):
    """The caller hung up before the whole request was here."""


class Door:
    """Answers with what `serve` sends, or with the refusal it raises."""

    def __init__(self, serve: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self._serve = serve

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._serve(scope, receive, send)
        except Refused as refused:
            await answer(send, refused.status, {"error": str(refused)}, refused.headers)
        except CallerLeft:
            return


def headers_of(scope: Scope) -> dict[str, str]:
    """The request's headers, names in small letters; of a header that stands twice the last one."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


async def read_body(length: str, receive: Receive, limit: int, *, seconds: float | None = None) -> bytes:
    """The body, of at most `limit` bytes, once it is here, which may take `seconds` (BODY_SECONDS if none are
    given); `length` is its content-length header. Raises Refused and CallerLeft."""
    seconds = BODY_SECONDS if seconds is None else seconds
    if not (length.isascii() and length.isdigit()) or len(length) > 15 or int(length) > limit:
        raise _too_large(limit)
    pieces: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(seconds):
            while True:
                event: MutableMapping[str, Any] = await receive()
                if event["type"] == "http.disconnect":
                    raise CallerLeft
                pieces.append(event.get("body", b""))
                size += len(pieces[-1])
                if size > limit:
                    raise _too_large(limit)
                if not event.get("more_body", False):
                    return b"".join(pieces)
    except TimeoutError:
        raise Refused(
            408, f"The body did not arrive within {seconds:g} seconds.", (b"connection", b"close")
        ) from None


def _too_large(limit: int) -> Refused:
    return Refused(413, f"The body is larger than {limit:,} bytes.")


async def answer(
    send: Send,
    status: int,
    payload: Mapping[str, Any] | str,
    headers: Sequence[Header] = (),
    *,
    more: bool = False,
) -> None:
    """Sends a whole answer, JSON or plain text; `more` leaves its end to the caller."""
    kind = b"application/json" if isinstance(payload, Mapping) else b"text/plain; charset=utf-8"
    text = payload if isinstance(payload, str) else json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    body = text.encode("utf-8", "replace")
    fixed = [(b"content-type", kind), (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": fixed})
    await send({"type": "http.response.body", "body": body, "more_body": more})
