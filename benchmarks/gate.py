"""Stands between the bot and the model mock: lets requests through, or fails them in one of a model's ways.

Every request is announced before it is answered, so that a kill can fall into a turn.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable
from typing import Self
from urllib.parse import urlsplit

_JSON = b"content-type: application/json\r\n"


def _completion(content: str | None, finish: str) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": finish}
    usage = {"prompt_tokens": 10, "completion_tokens": 1, "total_tokens": 11}
    body = {
        "id": "chatcmpl-x",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [choice],
        "usage": usage,
    }
    return json.dumps(body).encode()


def _error(code: str, message: str) -> bytes:
    return json.dumps({"error": {"message": message, "type": code, "code": code, "param": None}}).encode()


FAILURES: dict[str, tuple[int, bytes, bytes]] = {
    "500": (500, _JSON, _error("server_error", "The server had an error")),
    "502 html": (502, b"content-type: text/html\r\n", b"<html>Bad gateway</html>"),
    "429": (429, _JSON + b"retry-after-ms: 100\r\n", _error("rate_limit_exceeded", "Slow down")),
    "429 quota": (429, _JSON, _error("insufficient_quota", "Quota exceeded")),
    "401": (401, _JSON, _error("invalid_api_key", "Incorrect API key")),
    "html with 200": (200, b"content-type: text/html\r\n", b"<html>Welcome</html>"),
    "truncated json": (200, _JSON, _completion("Hello", "stop")[:60]),
    "no choices": (200, _JSON, b'{"id":"x","object":"chat.completion","created":1,"model":"m","choices":[]}'),
    "empty": (200, _JSON, _completion(None, "stop")),
    "cut off": (200, _JSON, _completion("It is", "length")),
    "filtered": (200, _JSON, _completion("", "content_filter")),
}
SILENT = ("hang", "reset")


class Gate:
    """`async with Gate(upstream_port, …) as gate: base_url = gate.url`."""

    def __init__(self, upstream: str, *, failing: float, rng: random.Random, announce: Callable[[], None]) -> None:
        self.counts: Counter[str] = Counter()
        self._upstream = urlsplit(upstream).port
        self._failing = failing
        self._rng = rng
        self._announce = announce
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=8_000_000)
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._one(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")
        )
        body = await reader.readexactly(length)
        self._announce()
        way = self._way()
        self.counts[way] += 1
        if way == "hang":
            await asyncio.sleep(6)
            return False
        if way == "reset":
            writer.transport.abort()
            return False
        answer = await self._forward(head, body) if way == "passed" else _response(*FAILURES[way])
        writer.write(answer)
        await writer.drain()
        return True

    def _way(self) -> str:
        if self._rng.random() >= self._failing:
            return "passed"
        return self._rng.choice([*FAILURES, *SILENT])

    async def _forward(self, head: bytes, body: bytes) -> bytes:
        path = head.split(b" ", 2)[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", self._upstream, limit=8_000_000)
        lines = (
            b"POST " + path + b" HTTP/1.1",
            b"host: 127.0.0.1",
            b"authorization: Bearer mock-key",
            b"content-type: application/json",
            b"content-length: %d" % len(body),
            b"connection: close",
        )
        writer.write(b"\r\n".join(lines) + b"\r\n\r\n" + body)
        raw = await reader.read(-1)
        writer.close()
        answer, _, rest = raw.partition(b"\r\n\r\n")
        status = int(answer.split(b" ", 2)[1])
        chunked = b"transfer-encoding: chunked" in answer.lower()
        return _response(status, _JSON, _dechunked(rest) if chunked else rest)


def _response(status: int, headers: bytes, body: bytes) -> bytes:
    return b"HTTP/1.1 %d X\r\n%scontent-length: %d\r\n\r\n%s" % (status, headers, len(body), body)


def _dechunked(raw: bytes) -> bytes:
    parts = []
    while raw:
        size, _, raw = raw.partition(b"\r\n")
        length = int(size.split(b";")[0] or b"0", 16)
        if not length:
            break
        parts.append(raw[:length])
        raw = raw[length + 2 :]
    return b"".join(parts)
