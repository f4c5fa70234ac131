"""`supportbot check`: every file read, every finding with its place."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer

from supportbot import assembly, deskroom
from supportbot.cli import looks
from supportbot.config import BotFiles, Finding, flow_findings, load, resolve_model_key
from supportbot.errors import ConfigError, Problem
from supportbot.prompts import Prompts, Situation
from supportbot.protocols import Adapter
from supportbot.sandbox import TemplateFailed, Templates
from supportbot.toolroom import ToolRoom
from supportbot.tools import Toolbox
from supportbot.tools.authority import needs_proof
from supportbot.types import Hit, User

_SOME_DAY = datetime(2026, 1, 1, 12, tzinfo=UTC)


def run(config: Path, *, strict: bool, as_json: bool) -> int:
    try:
        files = load(config, env=os.environ)
        deeper = _deeper(files)
    except ConfigError as error:
        if as_json:
            _print_json([("error", str(problem)) for problem in error.problems])
            return 2
        raise
    lines = [(finding.level, str(finding.problem)) for finding in (*files.findings, *deeper)]
    lines = list(dict.fromkeys(lines))
    if as_json:
        _print_json(lines)
    else:
        for level, problem in lines:
            typer.echo(problem if level == "error" else f"{problem} (warning)")
        typer.echo(_summary(files, len(lines)))
    return 1 if any(level == "error" or strict for level, _ in lines) else 0


def _print_json(lines: list[tuple[Any, str]]) -> None:
    found = [{"level": level, "problem": problem} for level, problem in lines]
    typer.echo(json.dumps(found, ensure_ascii=False))


def _deeper(files: BotFiles) -> tuple[Finding, ...]:
    """What shows only when the parts meet: tools in flows, channels, articles. ConfigError has all their problems."""
    problems: list[Problem] = []
    tools = _tried(lambda: ToolRoom(files, lambda *args, **facts: None), problems)
    adapters = _tried(lambda: assembly.adapters(files), problems)
    if adapters is not None:
        _tried(lambda: deskroom.desks(files, adapters), problems)
    for part in (assembly.database, assembly.articles, assembly.own_files):
        _tried(lambda part=part: part(files), problems)  # type: ignore[misc]  # mypy cannot type the default
    if problems:
        raise ConfigError(problems)
    return (
        *flow_findings(files, tools.for_flows()),
        *_missing_key(files),
        *_no_proof(files, tools.box),
        *([Finding("warning", files.problem(("tools", "mcp"), tools.missing))] if tools.missing else []),
        *_prompts(files),
        *_channels(files, adapters),
        *looks.warnings(files, adapters),
    )


def _tried(part: Callable[[], Any], problems: list[Problem]) -> Any:
    try:
        return part()
    except ConfigError as error:
        problems.extend(error.problems)
        return None


def _missing_key(files: BotFiles) -> Iterator[Finding]:
    if files.config.model.required and resolve_model_key(files.config, files.env) is None:
        yield Finding("error", assembly.key_problem(files))


def _no_proof(files: BotFiles, box: Toolbox) -> Iterator[Finding]:
    """Tools that need to know who the customer is, where nobody can prove it."""
    identity = files.config.identity
    needing = [tool.name for tool in box.tools.values() if needs_proof(tool)]
    if needing and identity.flow is None and not identity.secrets:
        told = f"{', '.join(needing)} must know who the customer is, and nobody can prove it: set flow or secrets"
        yield Finding("warning", files.problem(("identity",), told))


def _channels(files: BotFiles, adapters: Mapping[str, Adapter]) -> Iterator[Finding]:
    """What a channel finds when it tries itself."""
    for name, adapter in adapters.items():
        key = "mapping" if "mapping" in files.config.channels[name].options else "type"
        for sentence in adapter.check():
            yield Finding("error", files.problem(("channels", name, key), sentence))


def _prompts(files: BotFiles) -> Iterator[Finding]:
    """What goes wrong when the prompts are written as they would be for a customer."""
    persona = files.persona
    prompts = Prompts(persona, Templates(files.templates), {"name": files.config.bot.name}, files.flows.offered())
    situation = Situation(
        bot_name=files.config.bot.name,
        persona=persona,
        user=User("u-1", "Ada"),
        channel="webhook",
        locale=files.config.bot.locale,
        slots={},
        now=_SOME_DAY,
        passages=(Hit(source="returns.md", title="Returns", text="Within 30 days.", score=1.0),),
    )
    home = (files.folder / files.config.bot.persona).parent
    for render in (prompts.stable, lambda: prompts.changing(situation)):
        try:
            render()
        except TemplateFailed as error:
            yield Finding("error", Problem(str(home / error.template), error.line, 1, error.reason))


def _summary(files: BotFiles, findings: int) -> str:
    key = "with a model key" if resolve_model_key(files.config, files.env) else "no model key: it runs offline"
    flows, channels, desks = len(files.flows.flows), len(files.config.channels), len(files.config.desks)
    places = _counted(channels, "channel") + (f", {_counted(desks, 'desk')}" if desks else "")
    done = "no findings" if not findings else _counted(findings, "finding")
    return f"{done}: {_counted(flows, 'flow')}, {places}, {key}"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
