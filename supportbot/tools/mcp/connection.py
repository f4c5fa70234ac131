"""The connection to one MCP server, kept up in a task of its own. Everything that knows the SDK is here and beside.

Rules:
1. The SDK's contexts are entered and left by that one task; calls come from any.
2. `close` lets the task leave by itself: cancelled from outside, it could leave a program running.
3. Which words the server speaks is tried out: the newest first, and after a failure the old handshake, in turn.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from functools import partial
from pathlib import Path
from typing import Any, cast

import anyio
import httpx2
import mcp_types as types
from mcp import MCPError
from mcp.client import Client, IncomingMessage
from mcp.client.subscriptions import ListenNotSupportedError, SubscriptionLost
from pydantic import TypeAdapter, ValidationError

from supportbot.protocols import ToolContext
from supportbot.toolfiles import McpServer
from supportbot.tools.mcp.calls import PATIENCE, Late, Lost, Refused, Unreached
from supportbot.tools.mcp.listing import Listed
from supportbot.tools.mcp.transport import NOT_TAKEN, Ending, address, program, said

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
STEADY = 5.0
"""Seconds that a connection must have held for the pauses to begin anew."""
RELIST = 300.0
"""Seconds after which the tools are asked for anyhow: that also finds a server that hangs."""
MAX_PAGES = 100
KEY = "supportbot/key"
"""Where in a call's `_meta` its idempotency key is."""

_log = logging.getLogger(__name__)
_Answer: TypeAdapter[types.CallToolResult | types.InputRequiredResult] = TypeAdapter(
    types.CallToolResult | types.InputRequiredResult
)
_NOT_BEGUN = (NOT_TAKEN, types.HEADER_MISMATCH)
_UNSURE = (types.CONNECTION_CLOSED, types.INTERNAL_ERROR, types.PARSE_ERROR, types.INVALID_REQUEST, 0)
"""Codes that a server, or the SDK in its place, also uses when a call broke off in the middle."""


class Connection:
    """The connection to one server. `heard(tools)` is called with each listing."""

    def __init__(
        self,
        name: str,
        server: McpServer,
        folder: Path,
        *,
        log: Callable[..., None],
        http: Callable[[], httpx2.AsyncClient] | None,
    ) -> None:
        self.heard: Callable[[Sequence[Listed]], None] = lambda listed: None
        self._name, self._server, self._folder = name, server, folder
        self._log, self._http = log, http
        self._task: asyncio.Task[None] | None = None
        self._scope: anyio.CancelScope  # made in start: it needs a running loop
        self._stopping = False
        self._wake = asyncio.Event()
        self._settled = asyncio.Event()
        self._listed = asyncio.Event()
        self._client: Client | None = None
        self._ending = Ending(self._wake.set)
        self._down_since = 0.0
        self._legacy = self._met = False
        self._asking = 0
        self._last_said = ""

    async def start(self) -> None:
        """Begins; returns when the tools are known, both ways to begin have failed, or the timeout is over."""
        self._down_since = time.monotonic()
        self._scope = anyio.CancelScope()
        self._task = asyncio.create_task(self._run(), name=f"mcp:{self._name}")
        with suppress(TimeoutError):
            async with asyncio.timeout(self._server.timeout):
                await self._settled.wait()

    async def close(self) -> None:
        """Ends the connection; a program has 2 seconds to end by itself, and 2 more before it is killed."""
        if self._task is None:
            return
        self._stopping = True
        self._wake.set()
        if self._client is None:
            self._scope.cancel()
        _, running = await asyncio.wait({self._task}, timeout=2.0)
        if running:
            self._scope.cancel()  # of an HTTP server: its goodbye; a program's end is shielded from this
            _, running = await asyncio.wait({self._task}, timeout=7.0)
        if running:
            self._task.cancel()

    async def ask(self, there: str, arguments: dict[str, Any], context: ToolContext, seconds: float) -> Any:
        """Calls a tool: its CallToolResult. Raises Unreached, Lost, Late, Refused.

        Not through the SDK's `call_tool`: that raises when a result does not fit the output schema, and by then the
        tool has acted.
        """
        client = self._client
        if client is None or self._ending.over:
            raise Unreached
        meta = cast(types.RequestParamsMeta, {KEY: context.key})
        params = types.CallToolRequestParams(name=there, arguments=arguments, _meta=meta)
        self._asking += 1
        try:
            result = await client.session.send_request(
                types.CallToolRequest(params=params),
                _Answer,
                request_read_timeout_seconds=seconds,
                progress_callback=partial(_progress, context),
            )
        except MCPError as error:
            if error.code in (*_NOT_BEGUN, *_UNSURE):
                self._wake.set()  # to see whether the server is still there
            raise _meant(error) from None
        except ValidationError:
            raise Lost("The answer could not be read") from None
        finally:
            self._asking -= 1
        if isinstance(result, types.InputRequiredResult):
            raise Refused("The tool asks for something that cannot be asked here.")
        return result

    async def back(self, seconds: float) -> bool:
        """Waits for the next listing, and asks for one; False if the server is down for long, or stays so."""
        if self._stopping or (self._client is None and time.monotonic() - self._down_since > PATIENCE):
            return False
        listed = self._listed
        self._wake.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await listed.wait()
        return listed.is_set()

    async def _run(self) -> None:
        """Connects, again and again."""
        failures = 0
        with self._scope:
            while not self._stopping:
                began = time.monotonic()
                try:
                    await self._connected()
                except Exception as error:  # noqa: BLE001 - the boundary: whatever the SDK or a server comes up with
                    self._failed(_innermost(error))
                held = self._met and time.monotonic() - began > STEADY
                failures = 1 if held else failures + 1
                if failures > 1:
                    self._settled.set()
                await anyio.sleep(0 if self._stopping else _pause(failures))

    async def _connected(self) -> None:
        """One connection, from its beginning to its end. Raises whatever ended it, if not `close` did."""
        self._ending = ending = Ending(self._wake.set)
        self._met = False
        with anyio.CancelScope(deadline=anyio.current_time() + self._server.timeout) as scope:
            async with Client(
                cast(Any, self._way(ending)),
                mode="legacy" if self._legacy else "auto",
                cache=None,
                read_timeout_seconds=self._server.timeout,
                message_handler=self._notice,
                client_info=types.Implementation(name="supportbot", version="1"),
            ) as client:
                listed = await _tools(client)
                scope.deadline = math.inf
                self._met = True
                await self._online(client, listed, ending)
        if scope.cancelled_caught:
            raise TimeoutError(f"no answer within {self._server.timeout:g} s")

    def _way(self, ending: Ending) -> AbstractAsyncContextManager[tuple[Any, Any]]:
        if self._server.command:
            return program(self._server, self._folder, ending)
        return address(self._server, ending, self._http)

    async def _online(self, client: Client, listed: Sequence[Listed], ending: Ending) -> None:
        self._client = client
        try:
            self._take(listed)
            self._log("mcp.connected", server=self._name, tools=len(listed))
            self._last_said = ""
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._follow, client)
                await self._stay(client, ending)
                tasks.cancel_scope.cancel()
        finally:
            self._client = None
            self._down_since = time.monotonic()

    async def _stay(self, client: Client, ending: Ending) -> None:
        """Asks for the tools whenever there is a reason to; returns when `close` was called."""
        while not self._stopping:
            if ending.over:
                raise ConnectionError("the server ended the connection")
            with anyio.move_on_after(RELIST):
                await self._wake.wait()
            self._wake.clear()
            if not (self._stopping or ending.over):
                await self._relist(client)

    async def _relist(self, client: Client) -> None:
        """Raises if the server is gone. One that is busy with a call may be slow to list, and must not be ended."""
        try:
            self._take(await _tools(client))
        except ValidationError as error:
            self._log("mcp.bad_listing", server=self._name, error=said(error))
        except MCPError as error:
            if error.code in (types.CONNECTION_CLOSED, NOT_TAKEN):
                raise
            if error.code == types.REQUEST_TIMEOUT and not self._asking:
                raise
            self._log("mcp.bad_listing", server=self._name, error=said(error))

    def _take(self, listed: Sequence[Listed]) -> None:
        self.heard(listed)
        self._settled.set()
        self._listed.set()
        self._listed = asyncio.Event()

    async def _follow(self, client: Client) -> None:
        """Hears of changes from a server of the newest kind; older ones send notifications by themselves."""
        failures = 0
        while True:
            began = time.monotonic()
            try:
                async with client.listen(tools_list_changed=True) as changes:
                    self._wake.set()  # what changed before this was not told
                    async for _ in changes:
                        self._wake.set()
            except ListenNotSupportedError:
                return
            except (MCPError, SubscriptionLost, TimeoutError) as error:
                if isinstance(error, MCPError) and error.code == types.METHOD_NOT_FOUND:
                    return
            failures = 0 if time.monotonic() - began > STEADY else failures + 1
            await anyio.sleep(_pause(failures))

    async def _notice(self, message: IncomingMessage) -> None:
        if isinstance(message, types.ToolListChangedNotification):
            self._wake.set()
        elif isinstance(message, Exception):
            _log.debug("MCP server %s sent what is no message: %s", self._name, said(message))

    def _failed(self, error: BaseException) -> None:
        """Logs why there is no connection, once for each reason, and chooses the way to begin the next one."""
        if not self._met and not (isinstance(error, MCPError) and error.code == NOT_TAKEN):
            self._legacy = not self._legacy
        if (line := f"{said(error)} {self._ending.hint}") != self._last_said:
            self._last_said = line
            self._log("mcp.unreachable", server=self._name, error=said(error), hint=self._ending.hint)


def _innermost(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def _tools(client: Client) -> list[types.Tool]:
    """All pages of the server's tools."""
    found: list[types.Tool] = []
    cursor: str | None = None
    for _ in range(MAX_PAGES):
        page = await client.list_tools(cursor=cursor)
        found += page.tools
        cursor = page.next_cursor
        if not cursor:
            break
    return found


async def _progress(context: ToolContext, done: float, total: float | None, message: str | None) -> None:
    text = " ".join((message or "").split())[:200]
    if not text and total:
        text = f"{min(done / total, 1.0):.0%}"
    if text:
        context.progress(text)


def _meant(error: MCPError) -> Exception:
    """What an error of the protocol says about the call."""
    if error.code in _NOT_BEGUN:
        return Unreached()
    if error.code == types.REQUEST_TIMEOUT:
        return Late("The answer did not come in time")
    if error.code in _UNSURE:
        return Lost("The connection broke off")
    return Refused(error.message or "The server refused the call.")


def _pause(failures: int) -> float:
    """Seconds until the next try: longer each time, and not the same for all."""
    longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(failures - 1, 10))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads the tries, keeps no secret
