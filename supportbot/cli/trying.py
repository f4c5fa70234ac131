"""Looking at the tools and calling one by hand. No conversation and no ledger stands behind such a call."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import typer

from supportbot import assembly, logs
from supportbot.config import BotFiles, load
from supportbot.errors import UsageError
from supportbot.protocols import Tool, ToolContext
from supportbot.toolroom import ToolRoom
from supportbot.tools.authority import needs_proof
from supportbot.types import UNPROVEN, Consent, Identity, ToolResult, User

_KINDS = {"unconfirmed": "customer", "unapproved": "human"}
_HOUR = 3_600.0


def show(config: Path, *, as_json: bool) -> None:
    tools = asyncio.run(_tools(config))
    if as_json:
        typer.echo(json.dumps([_plain(tool) for tool in tools], ensure_ascii=False))
        return
    for tool in tools:
        typer.echo(f"{tool.name}  ({', '.join(_facts(tool))})")
        typer.echo(f"    {' '.join(tool.description.split())[:110]}")
    typer.echo("one tool" if len(tools) == 1 else f"{len(tools)} tools")


async def _tools(config: Path) -> Sequence[Tool]:
    async with _opened(load(config, env=os.environ)) as room:
        return tuple(room.box.tools.values())


@contextlib.asynccontextmanager
async def _opened(files: BotFiles) -> AsyncIterator[ToolRoom]:
    redacted = logs.Redactor(assembly.secrets(files))

    def complain(event: str, **facts: Any) -> None:
        if event == "mcp.connected":
            return
        told = " ".join(f"{key}={value}" for key, value in facts.items())
        typer.echo(redacted(f"{event} {told}".strip()), err=True)

    room = ToolRoom(files, complain)
    await room.open()
    try:
        yield room
    finally:
        await room.close()


def _facts(tool: Tool) -> list[str]:
    """What a person should know of it, in a few words each."""
    facts = [tool.source or "a function", "changes something" if tool.effects else "reads"]
    facts += ["flows only"] if tool.private else []
    facts += ["anyone may read it"] if tool.public else []
    facts += ["the customer is known"] if needs_proof(tool) else []
    facts += ["the customer says yes"] if tool.confirm else []
    facts += ["a colleague allows it"] if tool.approve else []
    facts += ["takes minutes"] if tool.long else []
    facts += [f"limits: {len(tool.limits)}"] if tool.limits else []
    return facts


def _plain(tool: Tool) -> dict[str, Any]:
    told = (
        "name",
        "description",
        "source",
        "effects",
        "private",
        "public",
        "requires",
        "approve",
        "long",
        "timeout",
    )
    plain = {key: getattr(tool, key) for key in told}
    limits = [{name: getattr(limit, name) for name in limit.__slots__} for limit in tool.limits]
    return {
        **plain,
        "confirm": bool(tool.confirm),
        "bound": dict(tool.bound),
        "limits": limits,
        "parameters": tool.parameters,
    }


def attempt(
    name: str,
    given: Sequence[str],
    config: Path,
    *,
    customer: str,
    locale: str,
    really: bool,
    as_json: bool,
) -> int:
    result = asyncio.run(_attempt(name, given, config, customer=customer, locale=locale, really=really))
    if as_json:
        typer.echo(json.dumps({"content": result.content, "error": result.error}, ensure_ascii=False))
    else:
        typer.echo(result.content, err=bool(result.error))
    return 1 if result.error else 0


async def _attempt(
    name: str, given: Sequence[str], config: Path, *, customer: str, locale: str, really: bool
) -> ToolResult:
    files = load(config, env=os.environ)
    async with _opened(files) as room:
        tool = room.box.tools.get(name)
        if tool is None:
            raise UsageError(f"there is no tool {name!r}; there are {', '.join(sorted(room.box.tools)) or 'none'}")
        arguments = _read(tool, given)
        if tool.effects and not really:
            raise UsageError(f"{name} changes something: add --yes to do it really")
        context = _context(customer, locale or files.config.bot.locale)
        result = await _called(room, name, arguments, context)
        if result.error == "unverified":
            raise UsageError(f"{name} must know who the customer is: add --customer ID")
        return result


async def _called(room: ToolRoom, name: str, arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
    """The call with every yes that it needs: who typed --yes has given them."""
    consents: tuple[Consent, ...] = ()
    for _ in range(len(_KINDS) + 1):
        seconds = room.box.tools[name].timeout
        result = await room.box.call(name, arguments, context, seconds=seconds, consents=consents)
        if result.error not in _KINDS:
            break
        kind: Any = _KINDS[result.error]
        consents += (Consent(kind, result.value["digest"], "the command line", time.time() + _HOUR),)
    return result


def _context(customer: str, locale: str) -> ToolContext:
    now = time.time()
    proven = Identity(customer, "", "signed", now, now + _HOUR) if customer else UNPROVEN
    context = ToolContext("terminal", User("terminal"), "terminal", locale, f"cli-{secrets.token_hex(16)}")
    return replace(context, identity=proven, progress=lambda text: typer.echo(f"… {text}", err=True))


def _read(tool: Tool, given: Sequence[str]) -> dict[str, Any]:
    """NAME=VALUE words, or one JSON object, as the tool's schema has them."""
    if len(given) == 1 and given[0].lstrip().startswith("{"):
        try:
            found = json.loads(given[0])
        except ValueError as error:
            raise UsageError(f"the arguments are no JSON: {error}") from None
        return dict(found)
    arguments: dict[str, Any] = {}
    for word in given:
        name, equals, value = word.partition("=")
        if not equals:
            raise UsageError(f"{word!r} is no argument: write NAME=VALUE, such as order_number=A-10002")
        arguments[name] = _value(tool.parameters.get("properties", {}).get(name, {}), value)
    return arguments


def _value(schema: Mapping[str, Any], text: str) -> Any:
    """Text where the schema wants text, else the JSON value that it spells, if it spells one."""
    if schema.get("type") == "string" or "enum" in schema:
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text
