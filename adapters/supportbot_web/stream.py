"""The stream of what is new in a chat, as server-sent events.

1. A page names the last entry that it has, and gets every later one, in order and once; then what comes.
2. What is not kept (previews, typing) comes between entries, and never after the entry that finishes it.
3. A stream ends with its session, when the page leaves, and when the server stops; what it holds is given back then.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Send

from supportbot import Shelf
from supportbot.doors import Refused
from supportbot_web import entries
from supportbot_web.door import position_of, visitor, within
from supportbot_web.hub import Page
from supportbot_web.sessions import Session

if TYPE_CHECKING:
    from supportbot_web import WebAdapter

PING = 15.0
_PIECE = 100
_MOST_PAGES = 8
"""Streams of one session."""
_LATER = (b"retry-after", b"10")


async def last_of(shelf: Shelf, chat: str) -> int:
    """The position of the chat's newest entry, 0 if there is none."""
    found = await shelf.entries(chat, limit=1)
    return found[-1].position if found else 0


async def seen_of(shelf: Shelf, chat: str) -> int:
    """The position up to which the customer has read."""
    found = await shelf.get(f"seen:{chat}")
    return 0 if found is None else int(found["position"])


class Streams:
    """Opens the streams of one web chat."""

    def __init__(self, adapter: WebAdapter) -> None:
        self._adapter = adapter

    async def open(self, request: Request, session: Session) -> Response:
        """The stream from the last entry that the page has. Raises Refused."""
        within(self._adapter.asks.take(session.chat))
        comes_from = visitor(request)
        self._admit(session, comes_from, 1)
        asked = position_of(request.headers.get("last-event-id"), "Last-Event-ID")
        last = await last_of(self._adapter.shelf, session.chat)
        after = last if asked is None else min(asked, last)  # more than there is: of a feed that was set back
        return _Events(self._stream(session, comes_from, after))

    def _admit(self, session: Session, comes_from: str, more: int) -> None:
        """Raises Refused if there are too many streams, with so many more."""
        hub, most = self._adapter.hub, self._adapter.settings.streams
        if len(hub) + more > most:
            raise Refused(503, "Too many pages are open; this one will be served soon.", _LATER)
        if hub.of_visitor(comes_from) + more > max(most // 2, _MOST_PAGES):
            raise Refused(429, "Too many pages are open at your address.", _LATER)
        if hub.of_session(session.chat, session.key) + more > _MOST_PAGES:
            raise Refused(429, "This chat is open in too many windows.", _LATER)

    async def _stream(self, session: Session, comes_from: str, after: int) -> AsyncGenerator[bytes]:
        with self._adapter.hub.joined(session.chat, session.key, comes_from) as page:
            try:
                self._admit(session, comes_from, 0)
            except Refused:
                return  # others came as quickly as this one
            # a session that was ended before the page was there to be told
            page.over = not await self._adapter.sessions.stands(session)
            async with aclosing(self._told(page, session, after)) as told:
                async for piece in told:
                    yield piece

    async def _told(self, page: Page, session: Session, after: int) -> AsyncGenerator[bytes]:
        ready = False
        while not page.ended and not page.over:
            found = await self._adapter.shelf.entries(session.chat, after=after, limit=_PIECE)
            for entry in found:
                after = entry.position
                page.has(str(entry.body.get("preview", "")))
                yield _event("entry", entries.shown(entry), after)
            if len(found) == _PIECE:
                continue
            if not ready:
                ready = True
                seen = await seen_of(self._adapter.shelf, session.chat)
                yield _event("ready", {"last": after, "seen": seen})
            for name, data in page.take():
                yield _event(name, data)
            if not await page.woken(PING):
                yield b": still there\n\n"
            kept = await self._adapter.sessions.kept(session)  # an open page is a visit
            page.over = page.over or kept is None
            session = kept or session
        if page.over:
            yield _event("over", {})


class _Events(StreamingResponse):
    """Ends with what it streams from closed, also if the page leaves in the middle."""

    def __init__(self, body: AsyncGenerator[bytes]) -> None:
        # the second header is for nginx, which would hold back what it gets
        super().__init__(body, 200, {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}, "text/event-stream")
        self._body = body

    async def stream_response(self, send: Send) -> None:
        async with aclosing(self._body):
            await super().stream_response(send)


def _event(name: str, data: Mapping[str, Any], id: int = 0) -> bytes:
    told = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    lines = [f"id: {id}"] if id else []
    return "\n".join([*lines, f"event: {name}", f"data: {told}", "", ""]).encode("utf-8", "replace")
