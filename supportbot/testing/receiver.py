"""A real HTTP server on loopback that takes callbacks: it verifies signatures, keeps a ledger, and fails on demand.

    async with Receiver("whsec_…") as receiver:
        ...                                    # callback_url: receiver.url, allow_private: true
        (delivery,) = await receiver.wait_for(1)
        assert delivery.genuine and delivery.payload["text"] == "Hello"

The signature is checked with `hmac` by the published rules, not by the code under test.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import socket
import struct
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

_TOLERANCE = 300.0
_MAX_BODY = 16_000_000


@dataclass(frozen=True, slots=True)
class Answer:
    """How to answer one request: an HTTP status with headers and body, or not at all.

    `way`: "respond"; "hang" takes the request and says nothing; "reset" breaks off before the request is read;
    "reset after accepting" takes the request, counts it as accepted, and breaks off without an answer.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b"{}"
    way: Literal["respond", "hang", "reset", "reset after accepting"] = "respond"


OK = Answer()
HANG = Answer(way="hang")
RESET = Answer(way="reset")
RESET_AFTER_ACCEPTING = Answer(way="reset after accepting")


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request as it arrived. `genuine`: signed by one of the secrets, and fresh. `accepted`: it counts as taken."""

    id: str
    timestamp: float
    headers: Mapping[str, str]
    body: bytes
    genuine: bool
    accepted: bool
    at: float

    @property
    def payload(self) -> dict[str, Any]:
        """The body as JSON."""
        found: dict[str, Any] = json.loads(self.body)
        return found


class Receiver:
    """See above. Unsigned requests get 401 and stand in the ledger with `genuine` False."""

    def __init__(self, *secrets: str, path: str = "/callback") -> None:
        self._secrets = secrets
        self._path = path
        self._always = OK
        self._next: deque[Answer] = deque()
        self._arrived = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()
        self.ledger: list[Delivery] = []
        self.connections = 0
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self._path}"

    @property
    def accepted(self) -> tuple[Delivery, ...]:
        """What was taken, in order; a copy of a message stands here twice."""
        return tuple(delivery for delivery in self.ledger if delivery.accepted)

    def always(self, answer: Answer) -> None:
        """Answers every request like this from now on."""
        self._always = answer

    def next(self, *answers: Answer) -> None:
        """Answers the next requests like this, then as `always` says (200 at first)."""
        self._next.extend(answers)

    async def wait_for(self, count: int, seconds: float = 5.0) -> tuple[Delivery, ...]:
        """The first `count` accepted deliveries; TimeoutError says how many there were."""
        try:
            async with asyncio.timeout(seconds), self._arrived:
                await self._arrived.wait_for(lambda: len(self.accepted) >= count)
        except TimeoutError:
            raise TimeoutError(f"{len(self.accepted)} of {count} deliveries came in {seconds:g} s") from None
        return self.accepted[:count]

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            while await self._one(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            writer.transport.abort()
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Serves one request; False when the connection is over."""
        head = await reader.readuntil(b"\r\n\r\n")
        answer = self._next.popleft() if self._next else self._always
        if answer.way == "reset":
            _reset(writer)
            return False
        headers = _parse_head(head)
        body = await reader.readexactly(min(int(headers.get("content-length", "0")), _MAX_BODY))
        delivery = self._judge(headers, body, answer)
        self.ledger.append(delivery)
        async with self._arrived:
            self._arrived.notify_all()
        if answer.way == "hang":
            await asyncio.sleep(3600)
        if answer.way == "reset after accepting":
            _reset(writer)
            return False
        writer.write(_response(answer if delivery.genuine else Answer(401)))
        await writer.drain()
        return True

    def _judge(self, headers: Mapping[str, str], body: bytes, answer: Answer) -> Delivery:
        genuine = any(is_genuine(secret, headers, body) for secret in self._secrets)
        taken = answer.way == "reset after accepting" or (answer.way == "respond" and 200 <= answer.status < 300)
        stamp = headers.get("webhook-timestamp", "")
        return Delivery(
            id=headers.get("webhook-id", ""),
            timestamp=float(stamp) if stamp.isdigit() else 0.0,
            headers=headers,
            body=body,
            genuine=genuine,
            accepted=genuine and taken,
            at=time.time(),
        )


def is_genuine(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether `secret` (whsec_…) signed `body` within five minutes, by the rules of Standard Webhooks."""
    id, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not id or not stamp.isdigit() or abs(time.time() - int(stamp)) > _TOLERANCE:
        return False
    wanted = signature(secret, id, stamp, body)
    given = headers.get("webhook-signature", "").split(" ")
    return any(hmac.compare_digest(wanted.encode(), one.encode()) for one in given)


def signature(secret: str, id: str, timestamp: str, body: bytes) -> str:
    """`v1,…` for the body."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    mac = hmac.new(key, b".".join((id.encode(), timestamp.encode(), body)), hashlib.sha256)
    return "v1," + base64.b64encode(mac.digest()).decode()


def signed_headers(secret: str, id: str, body: bytes, *, at: float | None = None) -> dict[str, str]:
    """The three headers for sending `body` as `id`, now or at another time."""
    stamp = str(int(time.time() if at is None else at))
    return {
        "webhook-id": id,
        "webhook-timestamp": stamp,
        "webhook-signature": signature(secret, id, stamp, body),
    }


def _parse_head(head: bytes) -> dict[str, str]:
    lines = head.decode("latin-1").split("\r\n")[1:]
    pairs = (line.partition(":") for line in lines if line)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _response(answer: Answer) -> bytes:
    headers = {"content-type": "application/json", "content-length": str(len(answer.body)), **answer.headers}
    lines = [f"HTTP/1.1 {answer.status} Answer", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + answer.body


def _reset(writer: asyncio.StreamWriter) -> None:
    """Closes with a TCP reset instead of a farewell."""
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
