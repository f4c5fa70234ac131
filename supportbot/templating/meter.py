"""What a template's operations may cost. Rules:

1. Every operation pays from the meter of its render before it runs; work is counted, never timed.
2. Templates reach plain data only: texts, numbers, dates, lists, mappings, and the fields of our own values.
3. What is not named in this package (a filter, a method, an operator on odd types) does not exist for a template.

A unit of work is one value looked at, or eight characters copied.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, ItemsView, Iterable, KeysView, Mapping, ValuesView
from contextvars import ContextVar
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any

from jinja2 import Undefined

MAX_WORK = 500_000
MAX_TURNS = 10_000
MAX_TEXT = 200_000
MAX_CALLS = 2_000
MAX_DEPTH = 16
MAX_INCLUDES = 500
MAX_INCLUDE_DEPTH = 10
MAX_BITS = 256
MAX_WIDTH = 1_000


class Refused(Exception):
    """A template wanted more than it may; the message is one clause for the author of the template."""


@dataclasses.dataclass(slots=True)
class Meter:
    """What one render has used so far."""

    work: int = 0
    turns: int = 0
    calls: int = 0
    depth: int = 0
    includes: int = 0
    include_depth: int = 0

    def spend(self, units: int) -> None:
        self.work += units
        if self.work > MAX_WORK:
            raise Refused("it does too much work; make its loops and texts smaller")

    def turn(self, units: int, count: int = 1) -> None:
        self.turns += count
        if self.turns > MAX_TURNS:
            raise Refused(f"its loops turn more than {MAX_TURNS} times")
        self.spend(units)

    def enter_call(self) -> None:
        self.calls += 1
        self.depth += 1
        if self.calls > MAX_CALLS:
            raise Refused(f"it makes more than {MAX_CALLS} calls")
        if self.depth > MAX_DEPTH:
            raise Refused(f"its macros call each other more than {MAX_DEPTH} deep")

    def enter_include(self) -> None:
        self.includes += 1
        self.include_depth += 1
        if self.includes > MAX_INCLUDES:
            raise Refused(f"it includes templates more than {MAX_INCLUDES} times")
        if self.include_depth > MAX_INCLUDE_DEPTH:
            raise Refused(f"its templates include each other more than {MAX_INCLUDE_DEPTH} deep")


running: ContextVar[Meter] = ContextVar("supportbot_template_meter")

_VIEWS = (KeysView, ValuesView, ItemsView)
MANY = (list, tuple, set, frozenset, range, *_VIEWS)
NUMBERS = (int, float, Decimal)
DATES = (date, time, timedelta)
_LEAVES = (type(None), *NUMBERS, *DATES, Undefined)


def weigh(value: Any, *, per_unit: int = 8, printing: bool = False) -> None:
    """Pays for walking through a value, as large as it is when written out; a text costs length / `per_unit`."""
    meter = running.get()
    stack = [value]
    while stack:
        item = stack.pop()
        meter.spend(1)
        if isinstance(item, str):
            meter.spend(len(item) // per_unit)
        elif isinstance(item, Mapping):
            meter.spend(len(item))
            stack.extend(item.keys())
            stack.extend(item.values())
        elif isinstance(item, MANY):
            meter.spend(len(item))
            stack.extend(item)
        elif printing and isinstance(item, Undefined):
            str(item)  # raises the error that names what is missing
        elif printing and not isinstance(item, _LEAVES):
            raise Refused(f"it writes out a whole {type(item).__name__}; name one of its fields")


def room(characters: int) -> None:
    """Pays for a text of that length, before it is made."""
    if characters > MAX_TEXT:
        raise Refused(f"it makes a text of more than {MAX_TEXT} characters")
    running.get().spend(1 + characters // 8)


def settle(value: Any) -> Any:
    """The result of an operation as plain data of a permitted size; what was lazy becomes a list."""
    if isinstance(value, str):
        room(len(value))
        return str(value)
    if isinstance(value, int):
        if value.bit_length() > MAX_BITS:
            raise Refused("it makes a number that is too large")
        return value
    if isinstance(value, complex):
        raise Refused("it makes a number that is not real")
    if isinstance(value, Collection | Undefined) or not isinstance(value, Iterable):
        return value
    return built(listed(value))


def listed(values: Iterable[Any]) -> list[Any]:
    """The values as a list; each one is a loop turn."""
    meter, found = running.get(), []
    for value in values:
        meter.turn(1)
        found.append(value)
    return found


def built(value: Any) -> Any:
    """The value, paid for: a list or mapping that was just made, or a slice."""
    weigh(value)
    return value


def iterable(value: Any) -> Any:
    """The value if a loop may go through it; an undefined one raises by itself."""
    if isinstance(value, (str, Mapping, Undefined, *MANY)):
        return value
    raise Refused(f"it loops over a {type(value).__name__}, which is not a list")


def text(value: Any) -> str:
    """The value as text, paid for; refuses objects that are no plain data."""
    if not isinstance(value, str):
        weigh(value, per_unit=2, printing=True)
        value = str(value)
    room(len(value))
    return str(value)


def concat(values: Iterable[Any]) -> str:
    """The values as one text; stops as soon as it grows too long."""
    found: list[str] = []
    size = 0
    for value in values:
        piece = value if type(value) is str else text(value)
        size += len(piece)
        room(size if size > MAX_TEXT else len(piece))
        found.append(piece)
    return "".join(found)
