"""Values in `set` and `with`: plain YAML as it stands, templates, or one whole {{ … }} that keeps its type."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from supportbot.dialogue.expr import Expr, ExprError, compile_expr

MAX_DEPTH = 20
_WHOLE = re.compile(r"\s*\{\{-?(?P<inner>(?:(?!\{\{|\}\}).)*?)-?\}\}\s*\Z", re.DOTALL)
_MARKS = ("{{", "{%", "{#")
Render = Callable[[str, Mapping[str, Any]], str]


@dataclass(frozen=True, slots=True)
class Template:
    """Text to be rendered."""

    text: str


@dataclass(frozen=True, slots=True)
class Many:
    """A list, or a mapping if it has keys, with templates or expressions somewhere in it."""

    items: tuple[Value, ...]
    keys: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Literal:
    """A value as it stands in the file."""

    value: Any


Value = Literal | Template | Expr | Many


def compile_value(written: Any) -> Value:
    """The value as written in YAML, ready to be resolved."""
    if isinstance(written, str):
        return _text(written)
    if isinstance(written, Mapping):
        return Many(tuple(compile_value(item) for item in written.values()), tuple(str(key) for key in written))
    if isinstance(written, list | tuple):
        return Many(tuple(compile_value(item) for item in written))
    return Literal(plain(written))


def resolve(value: Value, names: Mapping[str, Any], render: Render) -> Any:
    """Plain data; raises a ValueError (ExprError, or what `render` raises) when a name has no value."""
    if isinstance(value, Literal):
        return value.value
    if isinstance(value, Template):
        return render(value.text, names)
    if isinstance(value, Expr):
        return plain(value.evaluate(names, strict=True))
    items = [resolve(item, names, render) for item in value.items]
    return items if value.keys is None else dict(zip(value.keys, items, strict=True))


def parts_of(value: Value) -> Iterator[Template | Expr]:
    """The templates and expressions in it."""
    if isinstance(value, Template | Expr):
        yield value
    elif isinstance(value, Many):
        for item in value.items:
            yield from parts_of(item)


def plain(value: Any, depth: int = 0) -> Any:
    """The value as plain JSON data; what JSON does not have becomes text."""
    if value is None or isinstance(value, bool | str | int):
        return value
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping) and depth < MAX_DEPTH:
        return {str(key): plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple) and depth < MAX_DEPTH:
        return [plain(item, depth + 1) for item in value]
    return str(value)


def _text(written: str) -> Value:
    if not any(mark in written for mark in _MARKS):
        return Literal(written)
    whole = _WHOLE.match(written)
    if whole is None:
        return Template(written)
    try:
        return compile_expr(whole.group("inner"))
    except ExprError:
        return Template(written)  # a filter or the like: a template can do more than an expression
