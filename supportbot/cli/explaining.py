"""Stored turns and traces as text for people."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from supportbot.types import Turn

_WHO = {"user": "customer", "assistant": "bot", "system": "note", "tool": "tool"}
_STEERING = (*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_CONTROLS = dict.fromkeys(_STEERING, "\N{REPLACEMENT CHARACTER}")
_CONTROLS |= {ord("\n"): "\n", ord("\t"): "    ", ord("\r"): " "}


def clean(text: str) -> str:
    """The text without characters that would steer a terminal; lines stay lines."""
    return text.translate(_CONTROLS)


def at(seconds: float) -> str:
    """A time as a person reads it, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def transcript(turns: Sequence[Turn]) -> str:
    """One line per message, indented where a message has several."""
    lines: list[str] = []
    for turn in turns:
        for message in turn.messages:
            who = message.name or _WHO[message.role]
            if message.content:
                lines.append(f"{who}: " + message.content.replace("\n", "\n    "))
            lines += [f"{who} calls {call.name} {call.arguments}" for call in message.tool_calls]
    return clean("\n".join(lines))


def trace(entry: Mapping[str, Any]) -> str:
    """Why one turn came out as it did, step by step."""
    lines = [f"turn {entry['sequence']}, {at(entry['at'])} UTC, config {entry['config']}"]
    for step in entry["steps"]:
        facts = ", ".join(
            _fact(key, value) for key, value in step.items() if key != "step" and value not in ("", None)
        )
        lines.append(f"  {step['step']}" + (f": {facts}" if facts else ""))
        if step.get("hits"):
            lines += [f"      {hit['score']:.2f}  {hit['title']} ({hit['source']})" for hit in step["hits"]]
    lines += _calls(entry.get("usage", ()))
    return clean("\n".join(lines))


def _fact(key: str, value: Any) -> str:
    if key == "hits":
        return f"{len(value)} passage(s)"
    return f"{key} {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"


def _calls(usage: Iterable[Any]) -> Iterable[str]:
    for one in usage:
        cost = "price unknown" if one.cost is None else f"${one.cost / 1e6:.6f}"
        tokens = f"{one.prompt_tokens} in ({one.cached_tokens} cached), {one.completion_tokens} out"
        yield f"  model call: {one.model} for {one.purpose}, {one.outcome}, {tokens}, {cost}, {one.seconds:.2f} s"
