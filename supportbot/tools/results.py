"""Writes what a tool gave as the text that the model reads."""

from __future__ import annotations

import json
import re
from typing import Any

from pydantic_core import to_jsonable_python

from supportbot.types import ToolResult

LEAST = 200
"""Characters: less cannot hold a truncated result and say so."""

_HALF_PAIRS = re.compile("[\ud800-\udfff]")


def failure(error: str, sentence: str) -> ToolResult:
    """A failure told in one sentence."""
    return ToolResult(_HALF_PAIRS.sub("\ufffd", sentence), error=error)


def success(value: Any, max_chars: int) -> ToolResult:
    """A str as it is, anything else as JSON, in at most `max_chars` characters; `value` stays whole, as plain JSON data.

    Dates, decimals, dataclasses and pydantic models are written as JSON has them. Raises ValueError, TypeError or
    RecursionError for what cannot be.
    """
    if isinstance(value, str):
        text = _HALF_PAIRS.sub("\ufffd", value)
        return ToolResult(_cut_text(text, max_chars), value=text)
    plain = to_jsonable_python(value, inf_nan_mode="constants")
    text = _json(plain)
    return ToolResult(text if len(text) <= max_chars else _cut_json(plain, text, max_chars), value=plain)


def _cut_text(text: str, max_chars: int) -> str:
    """The beginning and the end, with a mark between them that says how much is missing."""
    if len(text) <= max_chars:
        return text
    room = max_chars - 60
    head, tail = room * 2 // 3, room - room * 2 // 3
    return f"{text[:head]}\n[… {len(text) - head - tail} characters left out …]\n{text[len(text) - tail :]}"


def _cut_json(plain: Any, text: str, max_chars: int) -> str:
    """JSON that says it is cut: the first items of a list, or the beginning of the text."""
    if isinstance(plain, list):
        kept = _fitting(plain, max_chars - 80)
        if kept:
            return _json({"truncated": True, "shown": kept, "total": len(plain), "items": plain[:kept]})
    room = max_chars - 80
    begin = text[:room]
    while len(json.dumps(begin, ensure_ascii=False)) > room:
        begin = begin[: len(begin) * 3 // 4]  # quotes and backslashes double when they are written
    return _json({"truncated": True, "characters": len(text), "begin": begin})


def _fitting(items: list[Any], room: int) -> int:
    """How many of the first items fit into `room` characters."""
    for count, item in enumerate(items):
        room -= len(_json(item)) + 2
        if room < 0:
            return count
    return len(items)


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return _HALF_PAIRS.sub("\ufffd", text)
