"""A service on loopback that writes down what arrives and answers as it is told, and tools that call it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import socket
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from supportbot.config import yamlfile
from supportbot.protocols import Tool, ToolContext
from supportbot.toolfiles import ToolFile
from supportbot.tools.http import HttpService
from supportbot.types import User
from supportbot.web import egress

CONTEXT = ToolContext("c", User("u"), "web", "en", "key-1")


@dataclass(frozen=True)
class Asked:
    """A request as it arrived."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Says:
    """An answer; `way` "cut" breaks off once the request was read, "hang" says nothing at all."""

    status: int = 200
    body: Any = field(default_factory=lambda: {"fine": True})
    headers: Mapping[str, str] = field(default_factory=dict)
    way: str = "respond"

    def bytes(self) -> bytes:
        body = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        headers = {"content-type": "application/json", "content-length": str(len(body)), **self.headers}
        lines = [f"HTTP/1.1 {self.status} x", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode() + (body if self.status != 204 else b"")


CUT = Says(way="cut")
HANG = Says(way="hang")


class Service:
    """See above; `next` are the next answers, then always `Says()`."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self._answers: deque[Says] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    def next(self, *answers: Says) -> None:
        self._answers.extend(answers)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while await self._one(reader, writer):
                pass
        writer.transport.abort()
        self._tasks.discard(task)

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        method, target, _ = head[0].split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-2])}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.asked.append(Asked(method, target, headers, body))
        says = self._answers.popleft() if self._answers else Says()
        if says.way == "hang":
            await asyncio.sleep(60)
        if says.way == "cut":
            return False
        writer.write(says.bytes() if method != "HEAD" else says.bytes().split(b"\r\n\r\n")[0] + b"\r\n\r\n")
        await writer.drain()
        return True


def free_port() -> int:
    """A port for a server that begins later: below those that the system gives to whoever asks meanwhile."""
    while True:
        port = random.SystemRandom().randrange(20_000, 29_000)
        with contextlib.suppress(OSError), socket.socket() as found:
            found.bind(("127.0.0.1", port))
            return port


def loaded(text: str, folder: Path) -> HttpService:
    """The service that a tool file's text makes."""
    document = yamlfile.parse(text.encode(), "tools/t.yaml")
    file = ToolFile.model_validate(document.data)
    return HttpService(file, "tools/t.yaml", folder, problem=document.problem, client=egress.client)


@contextlib.asynccontextmanager
async def tools(text: str, base: str, folder: Path = Path()) -> AsyncIterator[dict[str, Tool]]:
    """The tools by name; BASE in the text is the service's address."""
    service = loaded(text.replace("BASE", base), folder)
    try:
        yield {tool.name: tool for tool in service.tools}
    finally:
        await service.close()
