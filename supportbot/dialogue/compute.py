"""What an expression's parts are worth: bounded, without a call of anything but `FUNCTIONS`."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

MAX_NUMBER = 10**15
MAX_ITEMS = 10_000


class ExprError(ValueError):
    """An expression that cannot be read or computed; `column` counts from 1."""

    def __init__(self, message: str, column: int) -> None:
        super().__init__(f"column {column} of the expression: {message}")
        self.column = column


@dataclass(frozen=True, slots=True)
class Node:
    """One part of an expression: what it does, its word or value, and what it does it with."""

    kind: str
    column: int
    value: Any = None
    parts: tuple[Node, ...] = ()


def names_in(node: Node) -> Iterator[str]:
    if node.kind == "item" and node.parts[0] == Node("name", node.parts[0].column, "slots"):
        key = node.parts[1]
        yield from (str(key.value),) if key.kind == "literal" else names_in(key)
        return
    if node.kind == "name":
        yield node.value
    for part in node.parts:
        yield from names_in(part)


def value_of(node: Node, names: Mapping[str, Any], strict: bool) -> Any:
    if node.kind == "literal":
        return node.value
    if node.kind == "name":
        if strict and node.value not in names:
            raise ExprError(f"`{node.value}` has no value yet", node.column)
        return names.get(node.value)
    if node.kind in ("and", "or"):
        left = value_of(node.parts[0], names, strict)
        return left if bool(left) == (node.kind == "or") else value_of(node.parts[1], names, strict)
    values = [value_of(part, names, strict) for part in node.parts]
    if node.kind == "list":
        return values
    if node.kind == "not":
        return not values[0]
    if node.kind == "item":
        return _item(node, values[0], values[1], strict)
    if node.kind == "compare":
        return _compare(node.value, values[0], values[1])
    if node.kind == "call":
        return _call(node, values[0], names)
    return _compute(node, values[0], values[1])


def _item(node: Node, inside: Any, key: Any, strict: bool) -> Any:
    found: Any = None
    known = False
    if isinstance(inside, Mapping) and isinstance(key, str | int | float):
        known, found = key in inside, inside.get(key)
    elif _is_list(inside) and isinstance(key, int) and -len(inside) <= key < len(inside):
        known, found = True, inside[key]
    if strict and not known:
        raise ExprError(f"there is no `{key}` in it", node.column)
    return found


def _compare(word: str, left: Any, right: Any) -> bool:
    try:
        return bool(COMPARE[word](left, right))
    except TypeError:
        return word == "not in"


def _contains(inside: Any, item: Any) -> bool:
    if isinstance(inside, str | Mapping) or _is_list(inside):
        return item in inside
    return False


def _compute(node: Node, left: Any, right: Any) -> Any:
    if node.value == "+" and isinstance(left, str) and isinstance(right, str):
        return _bounded(left, right, node)
    if node.value == "+" and _is_list(left) and _is_list(right):
        return [*_bounded(left, right, node)]
    if not (_is_number(left) and _is_number(right)):
        kinds = f"{_kind(left)} and {_kind(right)}"
        raise ExprError(f"`{node.value}` needs two numbers, here are {kinds}", node.column)
    if node.value in "/%" and right == 0:
        raise ExprError("division by zero", node.column)
    result = _COMPUTE[node.value](left, right)
    if not abs(result) <= MAX_NUMBER:
        raise ExprError("the result is too large", node.column)
    return result


def _bounded(left: Any, right: Any, node: Node) -> Any:
    if len(left) + len(right) > MAX_ITEMS:
        raise ExprError("the result is too long", node.column)
    return left + type(left)(right)


def _call(node: Node, value: Any, names: Mapping[str, Any]) -> Any:
    try:
        return FUNCTIONS[node.value](value, names)
    except (TypeError, ValueError) as error:
        raise ExprError(f"`{node.value}` cannot use {_kind(value)}", node.column) from error


def _len(value: Any, _names: Mapping[str, Any]) -> int:
    return 0 if value is None else len(value)


def _lower(value: Any, _names: Mapping[str, Any]) -> str:
    return "" if value is None else str(value).lower()


def _days_since(value: Any, names: Mapping[str, Any]) -> int | None:
    if value is None:
        return None
    return (date.fromisoformat(str(names["today"])[:10]) - date.fromisoformat(str(value)[:10])).days


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _kind(value: Any) -> str:
    kinds = ((type(None), "null"), (bool, "true/false"), (int | float, "a number"), (str, "text"))
    return next((name for kind, name in kinds if isinstance(value, kind)), "a list or mapping")


FUNCTIONS: Mapping[str, Callable[[Any, Mapping[str, Any]], Any]] = {
    "len": _len,
    "lower": _lower,
    "days_since": _days_since,
}
COMPARE: Mapping[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "in": lambda item, inside: _contains(inside, item),
    "not in": lambda item, inside: not _contains(inside, item),
}
_COMPUTE: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "%": operator.mod,
}
