"""The stream by which open pages hear that something is new.

1. It says what is new, never the news: pages fetch that by themselves, with the rights they have then.
2. A topic is told at most twice a second, and a beat shows every 15 seconds that the line is alive.
3. It ends with the session, when nobody reads it, and when the server stops.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

if TYPE_CHECKING:
    from supportbot.console.access import Access
    from supportbot.console.room import Room
    from supportbot.types.console import Visit

BEAT = 15.0
PAUSE = 0.5
_TOPIC = re.compile(r"queue\Z|(?:c|typing):[A-Za-z0-9_-]{1,64}\Z")
_MOST_TOPICS = 8


def routes(room: Room, access: Access) -> list[BaseRoute]:
    async def events(request: Request, visit: Visit) -> Response:
        topics = [topic for topic in request.query_params.get("topics", "").split(",") if topic]
        if not topics or len(topics) > _MOST_TOPICS or not all(_TOPIC.match(topic) for topic in topics):
            raise HTTPException(404)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "X-Content-Type-Options": "nosniff"}
        return StreamingResponse(_stream(room, access, visit, topics), 200, headers, "text/event-stream")

    return [Route("/console/events", access.page(events, itself=True))]


async def _stream(room: Room, access: Access, visit: Visit, topics: list[str]) -> AsyncIterator[bytes]:
    now = asyncio.get_running_loop().time
    async with room.changes.watch(topics) as watch:
        yield b"retry: 2000\n\n"
        beat = now() + BEAT
        while True:
            told: frozenset[str] = frozenset()
            try:
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(beat):
                        told = await anext(watch)
            except StopAsyncIteration:
                return
            if now() >= beat:
                if not await access.holds(visit):
                    yield _event("over")
                    return
                beat = now() + BEAT
                yield _event("beat")
            for topic in sorted(told):
                yield _event(topic)
            await asyncio.sleep(PAUSE)


def _event(name: str) -> bytes:
    return f"event: {name}\ndata: {name}\n\n".encode()
