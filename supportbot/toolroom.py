"""All tools of a bot, of whatever kind, checked against one another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from supportbot.config import BotFiles
from supportbot.dialogue.flow import Call
from supportbot.engine.decisions import RESERVED
from supportbot.engine.identity import TOOLS as IDENTITY
from supportbot.errors import ConfigError, Problem
from supportbot.protocols import Tool
from supportbot.tools import Toolbox, load_modules
from supportbot.tools.http import HttpService
from supportbot.tools.mcp import MISSING, McpRoom, fitting
from supportbot.tools.rules import ruled, unsound
from supportbot.types import ToolSpec
from supportbot.web import egress

_OWN_NAMES = (*RESERVED, *(tool.name for tool in IDENTITY))
_ANYTHING = {"type": "object", "additionalProperties": True}


class ToolRoom:
    """The tools in one `box`, held open for the connections behind them.

    Without a `model` an MCP server that no flow calls is left alone. A package that is missing takes its own tools away
    and no others: `missing` says which, "" if none is. Raises ConfigError with every mistake in the tools.
    """

    def __init__(self, files: BotFiles, log: Callable[..., None], *, model: bool = True) -> None:
        self._files = files
        self._model = model
        self._log = log
        self._changed: Callable[[], None] = lambda: None
        config = files.config.tools
        modules = load_modules([Path(name) for name in config.modules], files.folder)
        self._services = _services(files)
        own = (*modules.values(), *(tool for service in self._services for tool in service.tools))
        rules = config.rules
        self._own = tuple(ruled(tool, rules[tool.name]) if tool.name in rules else tool for tool in own)
        problems = [*_names(files, own), *_named(files, {tool.name for tool in own} | set(_theirs(files)))]
        problems += [files.problem(_at(files, tool), told) for tool in self._own for told in unsound(tool)]
        if problems:
            raise ConfigError(list(dict.fromkeys(problems)))
        self.missing = "" if not config.mcp or find_spec("mcp") else MISSING
        self._mcp: McpRoom | None = None
        self.box = Toolbox(
            self._own,
            max_chars=config.max_result,
            log=log,
            offered=files.persona.tools,
            secrets={name: secret.get_secret_value() for name, secret in config.secrets.items()},
            http=egress.client(False, hosts=config.hosts),
        )

    def _servers(self) -> McpRoom:
        config, folder = self._files.config.tools, self._files.folder
        called = _called(self._files)
        wanted = {
            name: server
            for name, server in config.mcp.items()
            if self._model or not called.isdisjoint(fitting(server.prefix + tool) for tool in server.allow)
        }
        if self.missing:
            self._log("mcp.missing", error=self.missing)
        return McpRoom(
            {} if self.missing else wanted, folder, log=self._log, rules=config.rules, changed=self._exchange
        )

    async def open(self, changed: Callable[[], None] = lambda: None) -> None:
        """Connects to the MCP servers; `changed` is called whenever there are other tools than before."""
        self._changed = changed
        self._mcp = self._servers()
        await self._mcp.start()

    async def close(self) -> None:
        if self._mcp is not None:
            await self._mcp.close()
        await asyncio.gather(*(service.close() for service in self._services))
        await self.box.close()

    def for_flows(self) -> dict[str, ToolSpec]:
        """What flows may call; of tools that only a running MCP server describes, no more than the name is known."""
        specs = {name: ToolSpec(name, "", _ANYTHING) for name in _theirs(self._files)}
        specs |= {spec.name: spec for spec in self.box.specs(include_private=True)}
        return specs | ({spec.name: spec for spec in IDENTITY} if self._files.config.identity.send_code else {})

    def _exchange(self) -> None:
        taken = {tool.name for tool in self._own} | set(_OWN_NAMES)
        found = self._mcp.tools() if self._mcp is not None else ()
        for tool in found:
            if tool.name in taken:
                self._log("tool.name_taken", tool=tool.name, source=tool.source)
            elif wrong := next(unsound(tool), ""):
                self._log("tool.refused", tool=tool.name, source=tool.source, reason=wrong)
        theirs = (tool for tool in found if tool.name not in taken and not any(unsound(tool)))
        self.box.exchange((*self._own, *theirs))
        self._changed()


def _services(files: BotFiles) -> tuple[HttpService, ...]:
    services: list[HttpService] = []
    problems: list[Problem] = []
    for name, file in files.tool_files.items():
        told = partial(files.documents[name].problem)
        folder = (files.folder / name).parent
        try:
            services.append(HttpService(file, name=name, folder=folder, problem=told, client=egress.client))
        except ConfigError as error:
            problems.extend(error.problems)
    if problems:
        raise ConfigError(problems)
    return tuple(services)


def _theirs(files: BotFiles) -> tuple[str, ...]:
    """The names that the allowed tools of MCP servers have here."""
    return tuple(
        fitting(server.prefix + name) for server in files.config.tools.mcp.values() for name in server.allow
    )


def _called(files: BotFiles) -> set[str]:
    """The tools that flows call."""
    steps = (step for flow in files.flows.flows.values() for step in flow.places.values())
    return {step.tool for step in steps if isinstance(step, Call)}


def _names(files: BotFiles, own: tuple[Tool, ...]) -> Iterator[Problem]:
    """Names that stand twice, or that the bot uses itself."""
    names = [tool.name for tool in own]
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            sources = ", ".join(tool.source or "tools.modules" for tool in own if tool.name == name)
            yield files.problem(
                ("tools",), f"more than one tool is named {name!r} ({sources}): rename one of them"
            )
        if name in _OWN_NAMES:
            yield files.problem(("tools",), f"the tool name {name!r} is the bot's own: choose another one")


def _at(files: BotFiles, tool: Tool) -> tuple[str, ...]:
    """Where in the config the tool is spoken of."""
    return ("tools", "rules", tool.name) if tool.name in files.config.tools.rules else ("tools",)


def _named(files: BotFiles, known: set[str]) -> Iterator[Problem]:
    """What the config names and there is not: a rule for no tool would guard nothing."""
    tools, identity = files.config.tools, files.config.identity
    for name in tools.rules:
        if name not in known:
            yield files.problem(("tools", "rules", name), f"there is no tool {name!r}")
    if identity.send_code is not None and identity.send_code not in known:
        yield files.problem(("identity", "send_code"), f"there is no tool {identity.send_code!r}")
    if identity.flow is not None and identity.flow not in files.flows.flows:
        yield files.problem(("identity", "flow"), f"there is no flow {identity.flow!r}")
