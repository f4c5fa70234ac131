"""The server's side of Slack's Socket Mode: docs.slack.dev/apis/events-api/using-socket-mode."""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
import socket
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import WSMsgType, web

_TAKES_ANSWERS = frozenset({"interactive", "slash_commands"})


@dataclass(slots=True)
class Envelope:
    """Something on its way to the app; `by` is the connection that has it now."""

    id: str
    type: str
    payload: Mapping[str, Any]
    attempt: int = -1
    by: web.WebSocketResponse | None = None

    def wire(self) -> dict[str, Any]:
        """The envelope as it is sent."""
        found: dict[str, Any] = {"envelope_id": self.id, "payload": self.payload, "type": self.type}
        found["accepts_response_payload"] = self.type in _TAKES_ANSWERS
        if self.type == "events_api":
            found |= {"retry_attempt": self.attempt, "retry_reason": "timeout" if self.attempt else ""}
        return found


class Sockets:
    """All connections of one app. `acks` holds what came back for each envelope: its payload, or None."""

    def __init__(self, app_id: str) -> None:
        self._app_id = app_id
        self._tickets: set[str] = set()
        self._open: list[web.WebSocketResponse] = []
        self._requests: dict[web.WebSocketResponse, web.Request] = {}
        self._envelopes: dict[str, Envelope] = {}
        self._numbers = itertools.count(1)
        self._changed = asyncio.Condition()
        self.acks: dict[str, Any] = {}
        self.connections = 0

    def ticket(self) -> str:
        """A ticket that opens one connection."""
        ticket = secrets.token_hex(8)
        self._tickets.add(ticket)
        return ticket

    async def connect(self, request: web.Request) -> web.StreamResponse:
        """Serves one connection to its end."""
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            return web.Response(status=404)
        self._tickets.discard(ticket)
        link = web.WebSocketResponse()
        await link.prepare(request)
        self.connections += 1
        self._open.append(link)
        self._requests[link] = request
        try:
            await self._greet(link)
            async for message in link:
                if message.type == WSMsgType.TEXT:
                    await self._take(message.data)
        except ConnectionError:
            pass  # the client left
        finally:
            self._lose(link)
            await self._resend()
            await self._tell()
        return link

    async def push(self, payload: Mapping[str, Any], type: str) -> str:
        """Sends an envelope, now or as soon as anyone connects; gives its id."""
        number = next(self._numbers)
        envelope = Envelope(f"00000000-0000-4000-9000-{number:012d}", type, payload)
        self._envelopes[envelope.id] = envelope
        if self._open:
            await self._send(self._open[number % len(self._open)], envelope)
        return envelope.id

    async def acked_within(self, envelope_id: str, seconds: float) -> bool:
        """Whether the envelope is acknowledged in time."""
        return await self._wait(lambda: envelope_id in self.acks, seconds)

    async def connected_within(self, seconds: float, count: int) -> bool:
        """Whether a connection is open in time and there have been so many of them."""
        return await self._wait(lambda: bool(self._open) and self.connections >= count, seconds)

    async def disconnect_all(self, reason: str, *, abrupt: bool) -> None:
        """Ends every connection: with a word about the reason, or abruptly with a TCP reset.

        After "warning" a connection stays open: Slack closes it ten seconds later, and a client has left by then.
        """
        for link in tuple(self._open):
            if abrupt:
                self._lose(link)
                reset(self._requests[link])
                continue
            about = {"host": "applink-1"}
            try:
                await link.send_json({"type": "disconnect", "reason": reason, "debug_info": about})
                if reason != "warning":
                    self._lose(link)
                    await link.close()
            except ConnectionError:
                self._lose(link)

    async def close(self) -> None:
        """Closes every connection."""
        for link in tuple(self._requests):
            self._lose(link)
            reset(self._requests[link])

    async def _greet(self, link: web.WebSocketResponse) -> None:
        about = {"host": "applink-1", "build_number": 1, "approximate_connection_time": 18060}
        hello = {"type": "hello", "num_connections": len(self._open), "debug_info": about}
        await link.send_json(hello | {"connection_info": {"app_id": self._app_id}})
        await self._resend()
        await self._tell()

    async def _resend(self) -> None:
        """Sends what no open connection has to the youngest one, if there is one."""
        for envelope in tuple(self._envelopes.values()):
            if envelope.by is None and self._open:
                await self._send(self._open[-1], envelope)

    async def _send(self, link: web.WebSocketResponse, envelope: Envelope) -> None:
        envelope.by = link
        envelope.attempt += 1
        try:
            await link.send_json(envelope.wire())
        except ConnectionError:
            envelope.by = None

    async def _take(self, said: str) -> None:
        try:
            found = json.loads(said)
        except ValueError:
            return
        id = found.get("envelope_id") if isinstance(found, dict) else None
        if id in self._envelopes:
            del self._envelopes[id]
            self.acks[id] = found.get("payload")
            await self._tell()

    def _lose(self, link: web.WebSocketResponse) -> None:
        if link in self._open:
            self._open.remove(link)
        for envelope in self._envelopes.values():
            if envelope.by is link:
                envelope.by = None

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _wait(self, holds: Callable[[], bool], seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait_for(holds)
        except TimeoutError:
            return False
        return True


def reset(request: web.BaseRequest) -> None:
    """Ends a request's connection with a TCP reset instead of a farewell."""
    transport = request.transport
    if transport is None:
        return
    raw = transport.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
