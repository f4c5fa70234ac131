"""Texts made from patterns: `%`, `.format()` and `.strftime()`, with widths that are written out and small."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, time
from itertools import count
from string import Formatter
from typing import Any

from supportbot.templating.meter import Refused, concat, room, settle, text

MAX_WIDTH = 1_000

_PERCENT = re.compile(r"%(?:\((\w+)\))?[-#0 +]*(\d*)(?:\.(\d*))?([diouxXeEfFgGcs%])")


def percent(template: str, given: Any) -> str:
    """`template % given`, with widths that are written out and small."""
    if "%" in _PERCENT.sub("", template):
        raise Refused("it uses a % format that is not known here")
    specs = list(_PERCENT.finditer(template))
    values = _percent_values(specs, given)
    sizes = [len(value) if isinstance(value, str) else 400 for value in _each(values)]
    width = sum(_width(spec[2]) + _width(spec[3]) + max(sizes, default=0) for spec in specs)
    room(len(template) + width)
    return str(settle(template % values))


def _percent_values(specs: list[re.Match[str]], given: Any) -> Any:
    if isinstance(given, Mapping):
        return {spec[1]: _argument(given[spec[1]]) for spec in specs if spec[1]}
    if isinstance(given, tuple):
        return tuple(_argument(value) for value in given)
    return (_argument(given),)


def _each(values: Any) -> Iterable[Any]:
    found: Iterable[Any] = values.values() if isinstance(values, dict) else values
    return found


def _argument(value: Any) -> Any:
    return settle(value) if isinstance(value, int | float) else text(value)


def _width(digits: str | None) -> int:
    width = int(digits) if digits and len(digits) < 5 else MAX_WIDTH + 1 if digits else 0
    if width > MAX_WIDTH:
        raise Refused(f"it formats to a width of more than {MAX_WIDTH}")
    return width


_SPEC = re.compile(r"(?:.?[<>=^])?[-+ ]?#?0?(\d*)[,_]?(?:\.(\d+))?[bcdeEfFgGosxX%]?\Z", re.DOTALL)


def braces(template: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    """`template.format(...)` with plain fields: a name or a number, and a small width."""
    found: list[str] = []
    unnamed = count()
    for literal, field, spec, conversion in Formatter().parse(template):
        found.append(literal)
        if field is None:
            continue
        if conversion or not re.fullmatch(r"\w*", field):
            raise Refused("it uses a {} format that is not known here")
        chosen = field or str(next(unnamed))
        value = args[int(chosen)] if chosen.isdecimal() else kwargs[chosen]
        found.append(_fielded(value, spec or ""))
    return concat(found)


def _fielded(value: Any, spec: str) -> str:
    matched = _SPEC.match(spec)
    if matched is None:
        raise Refused("it uses a {} format that is not known here")
    _width(matched[1])
    _width(matched[2])
    piece = format(_argument(value), spec)
    room(len(piece))
    return piece


def dated(value: date | time, form: str) -> str:
    """`value.strftime(form)` with plain directives."""
    room(len(form) * 16)
    if not re.fullmatch(r"(?:[^%]|%[aAbBdHIjmMpSUwWyYZz%])*", form):
        raise Refused("it uses a date format that is not known here")
    return value.strftime(form)
