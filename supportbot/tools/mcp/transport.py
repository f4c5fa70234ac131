"""The two ways to an MCP server: a program on this machine, or an address.

Rules:
1. A program gets the environment that is written for it, and of ours only what every program needs.
2. A request that fails never ends a connection that others are using (see `_Guard`).
3. No header is logged, and none goes to another host: the SDK follows redirects within the origin only.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TextIO, cast

import httpx2
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import MCP_SESSION_ID, streamable_http_client
from mcp_types import CONNECTION_CLOSED

from supportbot.errors import SupportbotError
from supportbot.toolfiles import McpServer

INHERITED = ("PATH", "HOME", "LANG", "TMPDIR")
"""What a program gets of our environment, beside LC_*; the SDK adds LOGNAME, SHELL, TERM and USER."""
NOT_TAKEN = -32_960_001
"""Our own error code: the server certainly did not take the request."""
IDLE = 300.0
"""Seconds without a byte after which an answer counts as broken."""
MAX_TAIL = 1_000
"""How much of a program's error output is kept, in bytes."""

_REFUSALS = (401, 403, 429)
_NOTHING_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, SupportbotError)

# They log whatever a program prints beside the protocol, with tracebacks; the connection tells of what matters.
for _name in ("mcp.client.stdio", "mcp.client.streamable_http"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)


class Ending:
    """How a connection is doing: `over` once it can carry nothing any more, `hint` what was seen last."""

    def __init__(self, told: Callable[[], None]) -> None:
        self.over = False
        self.hint = ""
        self._told = told

    def end(self) -> None:
        self.over = True
        self._told()


@asynccontextmanager
async def program(server: McpServer, folder: Path, ending: Ending) -> AsyncIterator[tuple[Any, Any]]:
    """Runs `server.command` in `folder`; the streams to it. The command `python` is the Python that runs us."""
    command, *arguments = server.command
    parameters = StdioServerParameters(
        command=sys.executable if command == "python" else command,
        args=arguments,
        env=environment(os.environ, server),
        cwd=folder,
        encoding_error_handler="replace",
    )
    async with _stderr(ending) as errlog, stdio_client(parameters, errlog) as (read, write):
        yield _Watched(read, ending), write


@asynccontextmanager
async def address(
    server: McpServer, ending: Ending, http: Callable[[], httpx2.AsyncClient] | None
) -> AsyncIterator[tuple[Any, Any]]:
    """The streams to the server at `server.url`."""
    longest = max(server.timeout, *(rules.timeout or 0.0 for rules in server.allow.values()))
    async with (http or _client)() as client:
        client.headers.update({name: value.get_secret_value() for name, value in server.headers.items()})
        client.timeout = httpx2.Timeout(30.0, connect=10.0, read=longest + IDLE)
        guarded = cast(httpx2.AsyncClient, _Guard(client, ending))
        async with streamable_http_client(server.url or "", http_client=guarded) as (read, write):
            yield _Watched(read, ending), write


def environment(ours: Mapping[str, str], server: McpServer) -> dict[str, str]:
    """What a program's environment is."""
    kept = {name: value for name, value in ours.items() if name in INHERITED or name.startswith("LC_")}
    return kept | {name: value.get_secret_value() for name, value in server.env.items()}


def _client() -> httpx2.AsyncClient:
    return httpx2.AsyncClient(verify=httpx2.create_ssl_context(), trust_env=False)


class _Watched:
    """A read stream that tells when it is at its end: the SDK only tells the calls that are waiting."""

    def __init__(self, inner: Any, ending: Ending) -> None:
        self._inner = inner
        self._ending = ending

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def __aiter__(self) -> _Watched:
        return self

    async def __anext__(self) -> Any:
        try:
            return await self._inner.__anext__()
        except BaseException:
            self._ending.end()
            raise

    async def __aenter__(self) -> _Watched:
        await self._inner.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> Any:
        return await self._inner.__aexit__(*error)


class _Guard:
    """The part of a client that the SDK uses. A request that fails gets an answer of its own.

    Left to the SDK, a refused connection ends the whole transport, and with it every other call on the way.
    """

    def __init__(self, client: httpx2.AsyncClient, ending: Ending) -> None:
        self._client = client
        self._ending = ending

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        try:
            response = await self._client.send(request, **options)
        except _NOTHING_SENT as error:
            return self._answer(request, NOT_TAKEN, said(error))
        except httpx2.TransportError as error:
            return self._answer(request, CONNECTION_CLOSED, said(error))
        if response.status_code in _REFUSALS or _knows_no_session(response):
            await response.aclose()
            return self._answer(request, NOT_TAKEN, f"HTTP {response.status_code}")
        self._ending.hint = f"HTTP {response.status_code}" if response.status_code >= 400 else ""
        return response

    def _answer(self, request: httpx2.Request, code: int, hint: str) -> httpx2.Response:
        self._ending.hint = hint
        error = {"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": hint}}
        return httpx2.Response(503, json=error, request=request)


def _knows_no_session(response: httpx2.Response) -> bool:
    """A server that was started anew: it did not look at the request."""
    return response.status_code == 404 and MCP_SESSION_ID in response.request.headers


def said(error: BaseException) -> str:
    """An error's class and message; only the class where the message may have a header's value in it."""
    if isinstance(error, httpx2.LocalProtocolError) or not str(error):
        return type(error).__name__
    return f"{type(error).__name__}: {error}"[:500]


@asynccontextmanager
async def _stderr(ending: Ending) -> AsyncIterator[TextIO]:
    """A file for a program's error output; the last of it becomes the hint."""
    ours, theirs = os.pipe()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: _Tail(ending), os.fdopen(ours, "rb", 0))
    try:
        with os.fdopen(theirs, "w") as errlog:
            yield errlog
    finally:
        transport.close()


class _Tail(asyncio.Protocol):
    def __init__(self, ending: Ending) -> None:
        self._ending = ending
        self._last = b""

    def data_received(self, data: bytes) -> None:
        self._last = (self._last + data)[-MAX_TAIL:]
        self._ending.hint = self._last.decode(errors="replace").strip()
