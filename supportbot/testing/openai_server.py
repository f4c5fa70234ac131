"""A Chat Completions server on loopback, for tests: real HTTP, strict about requests, and faulty on demand.

    async with FakeOpenAI([Say("Hello!"), Fault("rate_limit", retry_after=1)]) as server:
        model = OpenAIModel("gpt-4.1-mini", key=server.key, base_url=server.base_url)

Answers come in the order of the script; when it is over, every request gets `default`. A request that the API would
refuse gets the API's refusal and uses up no answer. HTTP is spoken by hand here, because a fault breaks it on purpose.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from supportbot.testing.openai_payloads import (
    Fault,
    FaultKind,
    HttpError,
    Say,
    chunks,
    completion,
    error,
    http_error,
)
from supportbot.testing.openai_rules import violation

__all__ = ["FakeOpenAI", "Fault", "FaultKind", "Say", "Seen"]

_JSON = "application/json"
_EVENTS = "text/event-stream; charset=utf-8"
_HTML = b"<!doctype html><html><body><h1>Bad gateway</h1></body></html>"
_REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found"}
_LARGEST = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it came: headers with lower-case names, and the JSON body (None if it was no JSON)."""

    path: str
    headers: Mapping[str, str]
    body: Any


Answer = Say | Fault
Script = Iterable[Answer] | Callable[[Mapping[str, Any]], Answer]


class FakeOpenAI:
    """The server. `script` is answers in order, or a function of the request's body; `add` appends to it later.

    `key` is the one key it takes. `models`, if given, are the only ones it knows. `requests` holds all that came,
    `refused` what was wrong with those that the API would not take.
    """

    def __init__(
        self,
        script: Script = (),
        *,
        default: Answer = Say("Hello! How can I help?"),  # noqa: B008 - frozen
        key: str = "sk-test-key",
        models: Iterable[str] = (),
    ) -> None:
        self._function = script if callable(script) else None
        self._script: deque[Answer] = deque(() if callable(script) else script)
        self._default = default
        self.key = key
        self._models = frozenset(models)
        self.requests: list[Seen] = []
        self.refused: list[str] = []
        self.connections = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def base_url(self) -> str:
        assert self._server is not None, "enter the server first"
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"

    def add(self, *answers: Answer) -> None:
        self._script.extend(answers)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, limit=_LARGEST)
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()
        await asyncio.sleep(0)  # lets the transports close

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.connections += 1
        try:
            while await self._one(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the client left, or the test is over
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request; whether the connection stays open."""
        wire = _Wire(writer)
        seen = await _read(reader)
        self.requests.append(seen)
        refusal = self._refusal(seen)
        if refusal is not None:
            return await wire.http_error(refusal)
        answer = self._next(seen.body)
        if isinstance(answer, Fault):
            return await self._fail(wire, answer, seen)
        await asyncio.sleep(answer.delay)
        return await self._say(wire, answer, seen)

    def _next(self, body: Mapping[str, Any]) -> Answer:
        if self._function is not None:
            return self._function(body)
        return self._script.popleft() if self._script else self._default

    def _refusal(self, seen: Seen) -> HttpError | None:
        """What the API answers to a request it does not take: path, key, body, model."""
        kind = "invalid_request_error"
        if seen.path != "/v1/chat/completions":
            return HttpError(404, error(f"Invalid URL (POST {seen.path})", kind, None), {})
        given = seen.headers.get("authorization", "").removeprefix("Bearer ")
        if given != self.key:
            return http_error(Fault("wrong_key"), given)
        wrong = violation(seen.body)
        if wrong is not None:
            self.refused.append(wrong.message)
            return HttpError(wrong.status, error(wrong.message, kind, wrong.code, wrong.param), {})
        if self._models and seen.body["model"] not in self._models:
            return http_error(Fault("unknown_model"), given)
        return None

    async def _say(self, wire: _Wire, say: Say, seen: Seen) -> bool:
        number = len(self.requests)
        model = str(seen.body["model"])
        if not seen.body.get("stream"):
            return await wire.json(completion(say, model=model, number=number))
        await wire.begin_events()
        with_usage = bool((seen.body.get("stream_options") or {}).get("include_usage"))
        for chunk in chunks(say, model=model, number=number, with_usage=with_usage):
            await wire.event(json.dumps(chunk))
            await asyncio.sleep(say.pace)
        await wire.event("[DONE]")
        return await wire.end_events()

    async def _fail(self, wire: _Wire, fault: Fault, seen: Seen) -> bool:
        failed = http_error(fault, self.key)
        if failed is not None:
            return await wire.http_error(failed)
        if fault.kind.startswith("stream_"):
            return await self._broken_stream(wire, fault, seen)
        if fault.kind == "hang":
            await asyncio.sleep(fault.seconds)
            return False
        if fault.kind == "reset_before_headers":
            return wire.reset()
        whole = completion(Say(fault.says), model=str(seen.body["model"]), number=len(self.requests))
        if fault.kind == "reset_after_headers":
            await wire.head(200, _JSON, {"content-length": "1000"})
            await wire.raw(json.dumps(whole).encode()[:40])
            return wire.reset()
        return await wire.whole(*_odd(fault.kind, whole))

    async def _broken_stream(self, wire: _Wire, fault: Fault, seen: Seen) -> bool:
        """A stream that begins well: half of its pieces, then the fault."""
        parts = list(chunks(Say(fault.says), model=str(seen.body["model"]), number=1, with_usage=False))
        await wire.begin_events()
        for chunk in parts[: max(2, len(parts) // 2)]:
            await wire.event(json.dumps(chunk))
        if fault.kind == "stream_cut":
            return wire.reset()
        if fault.kind == "stream_error":
            await wire.event(json.dumps(error("The server had an error", "server_error", None)))
        if fault.kind == "stream_garbage":
            await wire.event('{"id": "chatcmpl-1", "choices": [{"delta"')
        return await wire.end_events()


class _Wire:
    """The answering half of one HTTP connection."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    async def json(self, value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> bool:
        return await self.whole(status, _JSON, json.dumps(value).encode(), headers)

    async def http_error(self, failed: HttpError) -> bool:
        return await self.json(failed.body, failed.status, failed.headers)

    async def whole(
        self, status: int, media_type: str, content: bytes, headers: Mapping[str, str] | None = None
    ) -> bool:
        await self.head(status, media_type, {**(headers or {}), "content-length": str(len(content))})
        await self.raw(content)
        return True

    async def begin_events(self) -> None:
        await self.head(200, _EVENTS, {"transfer-encoding": "chunked"})

    async def event(self, data: str) -> None:
        content = f"data: {data}\n\n".encode()
        await self.raw(b"%x\r\n%s\r\n" % (len(content), content))

    async def end_events(self) -> bool:
        await self.raw(b"0\r\n\r\n")
        return True

    async def head(self, status: int, media_type: str, headers: Mapping[str, str]) -> None:
        lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Error')}", f"content-type: {media_type}"]
        lines += ["x-request-id: req_fake", *(f"{name}: {value}" for name, value in headers.items())]
        await self.raw("\r\n".join([*lines, "", ""]).encode())

    async def raw(self, content: bytes) -> None:
        self._writer.write(content)
        await self._writer.drain()

    def reset(self) -> bool:
        """Ends the connection with a TCP reset."""
        raw: socket.socket = self._writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()
        return False


async def _read(reader: asyncio.StreamReader) -> Seen:
    """One request with a content-length."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip("\r\n").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    content = await reader.readexactly(int(headers.get("content-length", "0")))
    try:
        body = json.loads(content)
    except ValueError:
        body = None
    return Seen(first.split(" ")[1], headers, body)


def _odd(kind: str, whole: dict[str, Any]) -> tuple[int, str, bytes]:
    """Status, media type and content of an answer that is no good completion."""
    if kind == "bad_gateway_html":
        return 502, "text/html", _HTML
    if kind == "html":
        return 200, "text/html; charset=utf-8", _HTML
    if kind == "truncated_json":
        return 200, _JSON, json.dumps(whole).encode()[:-30]
    if kind == "empty_body":
        return 200, _JSON, b""
    if kind == "no_choices":
        whole.pop("choices")
    elif kind == "empty_choices":
        whole["choices"] = []
    elif kind == "null_content":
        whole["choices"][0]["message"]["content"] = None
    return 200, _JSON, json.dumps(whole).encode()
