"""Puts the operator's rules onto a tool, and fills the arguments that are the server's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from supportbot.protocols import Tool, ToolContext
from supportbot.toolfiles import Rules
from supportbot.types import Limit

_AS_WRITTEN = ("effects", "private", "public", "timeout", "confirm", "long", "progress")


def ruled(tool: Tool, rules: Rules) -> Tool:
    """The tool with what `rules` says in the place of its own."""
    changes: dict[str, Any] = {
        name: getattr(rules, name) for name in _AS_WRITTEN if getattr(rules, name) is not None
    }
    for name in ("requires", "approve"):
        word = getattr(rules, name)
        changes |= {name: "" if word == "nothing" else word} if word is not None else {}
    if rules.long and not tool.long and rules.timeout is None:
        changes["timeout"] = 0.0
    if rules.bind is not None:
        changes["bound"] = {**tool.bound, **rules.bind}
    if rules.limits is not None:
        changes["limits"] = tuple(Limit(**dict(limit)) for limit in rules.limits)
    return replace(tool, **changes)


def unsound(tool: Tool) -> Iterator[str]:
    """What in the tool's rules guards nothing, because it names no argument of it."""
    known = {*tool.parameters.get("properties", {}), *tool.bound}
    closed = tool.parameters.get("additionalProperties") is False
    for name in tool.bound:
        if closed and name not in tool.parameters.get("properties", {}):
            yield f"{tool.name} binds {name!r}, which is no argument of it"
    for limit in tool.limits:
        if limit.per not in ("customer", "tool") and limit.per not in known:
            yield f"a limit of {tool.name} counts per {limit.per!r}, which is no argument of it"
        if limit.of and limit.of not in known:
            yield f"a limit of {tool.name} adds up {limit.of!r}, which is no argument of it"
        if limit.times is None and limit.money is None:
            yield f"a limit of {tool.name} has neither times nor money"


def offered(tool: Tool) -> Mapping[str, Any]:
    """The parameters as the model sees them: without the bound ones."""
    if not tool.bound:
        return tool.parameters
    schema = dict(tool.parameters)
    schema["properties"] = {
        name: value for name, value in schema.get("properties", {}).items() if name not in tool.bound
    }
    if "required" in schema:
        schema["required"] = [name for name in schema["required"] if name not in tool.bound]
    return schema


def filled(tool: Tool, arguments: Mapping[str, Any], context: ToolContext) -> dict[str, Any]:
    """The arguments with the bound ones put in, whatever stood in their place. Raises LookupError for one there is not."""
    return {**arguments, **{name: _bound(path, context) for name, path in tool.bound.items()}}


def _bound(path: str, context: ToolContext) -> Any:
    if path in ("conversation", "channel", "locale", "key"):
        return getattr(context, path)
    whole, _, name = path.partition(".")
    if path.startswith("identity.claims."):
        return context.identity.claims[path.removeprefix("identity.claims.")]
    if whole == "customer":
        return {"id": context.customer.id, "name": context.customer.name}[name]
    if whole == "identity":
        found = {"customer": context.identity.customer, "name": context.identity.name}[name]
        if not context.identity.customer:
            raise LookupError("the customer has not proven who they are")
        return found
    return {"slots": context.slots, "secrets": context.secrets}[whole][name]
