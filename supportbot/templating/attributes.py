"""What `value.name` is for a template."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping
from typing import Any

from jinja2.runtime import LoopContext
from jinja2.utils import Cycler, Namespace

from supportbot.templating.formats import braces, dated
from supportbot.templating.meter import DATES, built, iterable, listed, room, settle
from supportbot.templating.operations import joined, replaced


@dataclasses.dataclass(frozen=True, slots=True)
class Bound:
    """Something that a template may call, and nothing else."""

    function: Callable[..., Any]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return settle(self.function(*args, **kwargs))


_PLAIN_TEXT_METHODS = frozenset(
    [
        "capitalize",
        "casefold",
        "count",
        "endswith",
        "find",
        "index",
        "isalnum",
        "isalpha",
        "isdecimal",
        "isdigit",
        "islower",
        "isnumeric",
        "isspace",
        "istitle",
        "isupper",
        "lower",
        "lstrip",
        "partition",
        "removeprefix",
        "removesuffix",
        "rfind",
        "rindex",
        "rpartition",
        "rsplit",
        "rstrip",
        "split",
        "splitlines",
        "startswith",
        "strip",
        "swapcase",
        "title",
        "upper",
    ]
)
_PADDING = frozenset(("center", "ljust", "rjust", "zfill"))
_LIST_METHODS = frozenset(("count", "index"))
_MAPPING_METHODS = frozenset(("get", "items", "keys", "values"))
_DATE_METHODS = frozenset(["date", "time", "isoformat", "isoweekday", "weekday", "timestamp", "total_seconds"])
_DATE_FIELDS = frozenset(
    ["year", "month", "day", "hour", "minute", "second", "microsecond", "days", "seconds", "microseconds"]
)
_LOOP = frozenset(
    [
        "index",
        "index0",
        "first",
        "last",
        "length",
        "revindex",
        "revindex0",
        "previtem",
        "nextitem",
        "depth",
        "depth0",
    ]
)
_LOOP_CALLS = frozenset(("cycle", "changed"))
MISSING = object()


def attribute(value: Any, name: str) -> Any:
    """What `value.name` is for a template, MISSING if there is no such thing for it."""
    found = _runtime_attribute(value, name)
    if found is not MISSING:
        return found
    if isinstance(value, Mapping):
        if name in value:
            return value[name]
        return Bound(getattr(value, name)) if name in _MAPPING_METHODS else MISSING
    if isinstance(value, str):
        return _text_method(value, name)
    if isinstance(value, DATES):
        return _date_attribute(value, name)
    if isinstance(value, list | tuple) and name in _LIST_METHODS:
        return Bound(getattr(value, name))
    return getattr(value, name) if name in _fields(value) else MISSING


def _fields(value: Any) -> Collection[str]:
    """The data fields of our own values: dataclasses, pydantic models and named tuples."""
    kind = type(value)
    if dataclasses.is_dataclass(kind) and kind is not Bound:
        return [field.name for field in dataclasses.fields(kind)]
    fields: Collection[str] | None = getattr(kind, "model_fields", None) or getattr(kind, "_fields", None)
    return fields or ()


def _text_method(value: str, name: str) -> Any:
    special: Mapping[str, Callable[..., Any]] = {
        "format": lambda *args, **kwargs: braces(value, args, kwargs),
        "join": lambda values: joined(value, listed(iterable(values))),
        "replace": lambda old, new, count=None: replaced(value, old, new, count),
    }
    if name in special:
        return Bound(special[name])
    if name in _PADDING:
        return Bound(lambda width, *fill: _padded(value, name, width, fill))
    if name in _PLAIN_TEXT_METHODS:
        return Bound(lambda *args, **kwargs: built(getattr(built(value), name)(*args, **kwargs)))
    return MISSING


def _padded(value: str, name: str, width: int, fill: tuple[str, ...]) -> Any:
    room(max(width, 0))
    return getattr(value, name)(width, *fill)


def _date_attribute(value: Any, name: str) -> Any:
    if name == "strftime":
        return Bound(lambda form: dated(value, form))
    if name in _DATE_METHODS and hasattr(value, name):
        return Bound(getattr(value, name))
    return getattr(value, name) if name in _DATE_FIELDS and hasattr(value, name) else MISSING


def _runtime_attribute(value: Any, name: str) -> Any:
    """Attributes of Jinja's own objects: loop, namespace, cycler and imported templates."""
    if isinstance(value, LoopContext):
        if name in _LOOP_CALLS:
            return Bound(getattr(value, name))
        return getattr(value, name) if name in _LOOP else MISSING
    if isinstance(value, Namespace):
        return _of_namespace(value, name)
    if isinstance(value, Cycler):
        return Bound(getattr(value, name)) if name in ("next", "reset") else MISSING
    if type(value).__name__ == "TemplateModule":
        return vars(value).get(name, MISSING)
    return MISSING


def _of_namespace(value: Namespace, name: str) -> Any:
    try:
        return getattr(value, name)
    except AttributeError:
        return MISSING
