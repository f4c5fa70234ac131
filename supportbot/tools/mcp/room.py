"""MCP servers as a source of tools.

Rules:
1. The bot starts, runs and stops whether or not a server does: what fails there is a log line, and the sentence of a
   call that needed it.
2. A call with effects reaches its server at most once. If it may have begun and its end was not seen, that is
   OutcomeUnknown.
3. The SDK is an optional extra: nothing of it is imported before a server is configured.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING

from supportbot.errors import UsageError
from supportbot.protocols import Tool
from supportbot.toolfiles import McpServer, Rules
from supportbot.tools.mcp.calls import called
from supportbot.tools.mcp.listing import Listed, Listing, named

if TYPE_CHECKING:
    import httpx2

    from supportbot.tools.mcp.connection import Connection


MISSING = "MCP servers need a package that is not installed: pip install 'supportbot-framework[mcp]'"


class McpRoom:
    """All MCP servers of a bot. `folder` is where the programs among them run, `rules` are `tools.rules`.

    `log(event, **details)` hears what is wrong; `changed()` is called when `tools()` is another set than before. `http`
    makes a client for the servers at an address, one for each connection; headers and timeout are set on it here.
    Raises UsageError if a server is configured and the SDK is not installed.
    """

    def __init__(
        self,
        servers: Mapping[str, McpServer],
        folder: Path,
        *,
        log: Callable[..., None],
        rules: Mapping[str, Rules] = MappingProxyType({}),
        http: Callable[[], httpx2.AsyncClient] | None = None,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._changed = changed
        self._connections: list[Connection] = []
        self._listings: list[Listing] = []
        names = named(servers, log)
        for name, server in servers.items():
            line: Connection = _sdk().Connection(name, server, folder, log=log, http=http)
            listing = Listing(name, server, names[name], rules, call=partial(called, line), log=log)
            line.heard = partial(self._take, listing)
            self._connections.append(line)
            self._listings.append(listing)

    def tools(self) -> tuple[Tool, ...]:
        """The tools known now; those of a server that is down stay."""
        return tuple(tool for listing in self._listings for tool in listing.tools)

    async def start(self) -> None:
        """Begins all connections; returns when each has its tools, has failed, or has used up its timeout."""
        await asyncio.gather(*(line.start() for line in self._connections))

    async def close(self) -> None:
        """Ends all connections, and the programs that were started for them, within seconds."""
        await asyncio.gather(*(line.close() for line in self._connections))

    def _take(self, listing: Listing, listed: Sequence[Listed]) -> None:
        if listing.take(listed):
            self._changed()


def _sdk() -> ModuleType:
    """The module that speaks to the SDK. Raises UsageError if that is not installed."""
    try:
        from supportbot.tools.mcp import connection
    except ImportError as error:
        if (error.name or "").split(".")[0] not in ("mcp", "mcp_types"):
            raise
        raise UsageError(MISSING) from error
    return connection
