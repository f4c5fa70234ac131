"""What an MCP server lists, as tools: only what the operator allowed, and each as it was when it was first seen.

Rules:
1. A tool's name here is known before a server says anything: no server can take a name from another.
2. The first description and schema of a tool stay in use until the bot starts anew. A server that changes them later
   is only told of in the log: a harmless tool that turns into another one is how a model is led astray.
3. A tool has effects unless the server says that it only reads, or the operator says otherwise.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Protocol

from supportbot.errors import ToolError, UsageError
from supportbot.protocols import Tool, ToolContext
from supportbot.toolfiles import McpServer, Rules
from supportbot.tools import arguments as checking
from supportbot.tools.mcp.calls import UNREACHED
from supportbot.tools.rules import ruled

MAX_DESCRIPTION = 2_000
MAX_SCHEMA = 100_000
SHOWN = 50
"""How many names a log line has."""

Log = Callable[..., None]
Call = Callable[[Tool, str, dict[str, Any], ToolContext], Awaitable[Any]]
"""(tool, its name there, arguments, context) -> its result."""

_UNFIT = re.compile(r"[^A-Za-z0-9_-]")


class Listed(Protocol):
    """The part of the SDK's `Tool` that is read here."""

    name: str
    description: str | None
    input_schema: dict[str, Any]
    annotations: Any


def fitting(text: str) -> str:
    """`text` as a tool may be named: an underscore for every other character, and 64 of them at most."""
    name = _UNFIT.sub("_", text)
    return (name if re.match(r"[A-Za-z_]", name) else f"_{name}")[:64]


def named(servers: Mapping[str, McpServer], log: Log) -> Mapping[str, Mapping[str, str]]:
    """For each server its allowed tools, as name there -> name here. Of two that collide the first has the name."""
    taken: dict[str, str] = {}
    found: dict[str, dict[str, str]] = {server: {} for server in servers}
    for server, settings in servers.items():
        for there in settings.allow:
            here = fitting(settings.prefix + there)
            if here in taken:
                log("mcp.name_taken", server=server, tool=there, name=here, by=taken[here])
                continue
            taken[here] = f"{server}: {there}"
            found[server][there] = here
    return found


class Listing:
    """One server's tools. `names` are those it may have, as name there -> name here; `rules` go by the name here."""

    def __init__(
        self,
        server: str,
        settings: McpServer,
        names: Mapping[str, str],
        rules: Mapping[str, Rules],
        *,
        call: Call,
        log: Log,
    ) -> None:
        self.tools: tuple[Tool, ...] = ()
        self._server = server
        self._settings = settings
        self._names = names
        self._rules = rules
        self._call = call
        self._log = log
        self._pinned: dict[str, tuple[Tool, str]] = {}
        self._told: set[tuple[str, str]] = set()

    def take(self, listed: Iterable[Listed]) -> bool:
        """Takes a listing over into `tools`, in the order of the allow-list; returns whether that changed them."""
        offered = {tool.name: tool for tool in reversed(tuple(listed))}
        for there in (name for name in self._names if name not in offered):
            self._once("mcp.no_such_tool", there, has=", ".join(sorted(offered)[:SHOWN]))
        before = self.tools
        found = (self._as_first_seen(offered[there]) for there in self._names if there in offered)
        self.tools = tuple(tool for tool in found if tool is not None)
        return self.tools != before

    def _as_first_seen(self, listed: Listed) -> Tool | None:
        """The tool as it was first seen; None for one that cannot be used."""
        content = json.dumps([listed.description, listed.input_schema], sort_keys=True)
        if listed.name not in self._pinned:
            if (made := self._made(listed)) is None:
                return None
            self._pinned[listed.name] = made, content
        tool, first = self._pinned[listed.name]
        if content != first:
            self._once("mcp.tool_changed", listed.name, advice="restart to accept it")
        return tool

    def _made(self, listed: Listed) -> Tool | None:
        schema = {"type": "object", **listed.input_schema}
        if problem := _problem(listed.name, schema):
            self._once("mcp.tool_refused", listed.name, reason=problem)
            return None
        here, there = self._names[listed.name], listed.name

        async def call(arguments: dict[str, Any], context: ToolContext) -> Any:
            if tool not in self.tools:
                raise ToolError(UNREACHED)
            return await self._call(tool, there, arguments, context)

        bare = Tool(
            here,
            (listed.description or "")[:MAX_DESCRIPTION],
            schema,
            call,
            effects=getattr(listed.annotations, "read_only_hint", None) is not True,
            timeout=self._settings.timeout,
            source=f"mcp:{self._server}",
        )
        tool = ruled(ruled(bare, self._settings.allow[there]), self._rules.get(here, Rules()))
        return tool

    def _once(self, event: str, tool: str, **details: str) -> None:
        """Logs it the first time: listings come again and again."""
        if (event, tool) not in self._told:
            self._told.add((event, tool))
            self._log(event, server=self._server, tool=tool, **details)


def _problem(name: str, schema: Mapping[str, Any]) -> str:
    """Why a tool with these parameters cannot be used; empty if it can."""
    if len(json.dumps(schema)) > MAX_SCHEMA:
        return f"its parameters have more than {MAX_SCHEMA:,} characters"
    if schema["type"] != "object":
        return "its parameters are no object"
    try:
        checking.validator(name, schema)
    except UsageError as error:
        return str(error)
    except RecursionError:
        return "its parameters are nested too deeply"
    return ""
