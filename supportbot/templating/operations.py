"""What a template may do with data: operators, filters and tests, each one paid for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import wraps
from html import escape as escape_html
from typing import Any

from jinja2 import Undefined, pass_context
from jinja2.filters import FILTERS, do_indent, do_round, do_wordwrap
from jinja2.tests import TESTS

from supportbot.templating.formats import MAX_WIDTH, percent
from supportbot.templating.meter import (
    DATES,
    MANY,
    MAX_BITS,
    NUMBERS,
    Refused,
    built,
    concat,
    iterable,
    listed,
    room,
    running,
    settle,
    text,
    weigh,
)


def operate(symbol: str, plain: Callable[[Any, Any], Any], left: Any, right: Any) -> Any:
    """The result of `left symbol right` for numbers, texts, lists and dates; everything else is refused."""
    if symbol == "%" and isinstance(left, str):
        return percent(left, right)
    if symbol == "*" and isinstance(left, int) and isinstance(right, str | list | tuple):
        left, right = right, left
    if isinstance(left, NUMBERS) and isinstance(right, NUMBERS):
        _sane_numbers(symbol, left, right)
    elif symbol == "+" and isinstance(left, str) and isinstance(right, str):
        room(len(left) + len(right))
    elif symbol == "+" and isinstance(left, list | tuple) and type(left) is type(right):
        weigh((left, right))
    elif symbol == "*" and isinstance(left, str) and isinstance(right, int):
        room(len(left) * max(right, 0))
    elif symbol == "*" and isinstance(left, list | tuple) and isinstance(right, int):
        running.get().turn(1, len(left) * max(right, 0))
        return built(plain(left, right))
    elif not (symbol in "+-" and isinstance(left, DATES) and isinstance(right, DATES)):
        raise Refused(f"it applies {symbol} to {_kind(left)} and {_kind(right)}")
    return settle(plain(left, right))


def _kind(value: Any) -> str:
    if isinstance(value, Undefined):
        str(value)  # raises the error that names the missing variable
    return "nothing" if value is None else f"a {type(value).__name__}"


def _sane_numbers(symbol: str, left: Any, right: Any) -> None:
    settle(left)
    settle(right)
    running.get().spend(1)
    if symbol == "**" and not (isinstance(left, float) or isinstance(right, float)):
        if isinstance(left, Decimal) or isinstance(right, Decimal) or abs(right) > MAX_BITS:
            raise Refused("it makes a number that is too large")
        if right > 0 and int(left).bit_length() * right > 2 * MAX_BITS:
            raise Refused("it makes a number that is too large")


_TEXT_FILTERS = "capitalize lower title trim truncate upper urlencode wordcount"
_DATA_FILTERS = (
    "abs count d default dictsort filesizeformat first float groupby int items last length list map max min "
    "reject rejectattr reverse select selectattr sort unique"
)
_TESTS = (
    "odd even divisibleby defined undefined filter test none boolean false true integer float string mapping number "
    "sequence iterable sameas in == eq equalto != ne > gt greaterthan ge >= < lt lessthan <= le"
)


def _metered(original: Callable[..., Any], *, on_text: bool) -> Callable[..., Any]:
    """The filter, paying for its arguments and result. Jinja's own first argument, if any, is passed through."""
    first = 1 if hasattr(original, "jinja_pass_arg") else 0

    @wraps(original)
    def run(*args: Any, **kwargs: Any) -> Any:
        given = args[first:]
        weigh((given, kwargs))
        if on_text and given:
            given = (text(given[0]), *given[1:])
        elif given and isinstance(given[0], MANY):
            running.get().turn(1, len(given[0]))
        return settle(original(*args[:first], *given, **kwargs))

    return run


def _tested(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def run(*args: Any) -> Any:
        weigh(args)
        return original(*args)

    return run


def replaced(value: Any, old: Any, new: Any, count: int | None = None) -> str:
    """`value` with `old` replaced by `new`, at most `count` times."""
    value, old, new = text(value), text(old), text(new)
    times = value.count(old) if count is None or count < 0 else min(count, value.count(old))
    room(len(value) + times * len(new))
    return str(value.replace(old, new, -1 if count is None else count))


def _center(value: Any, width: int = 80) -> str:
    room(max(width, 0))
    return text(value).center(width)


def _indent(value: Any, width: int | str = 4, first: bool = False, blank: bool = False) -> str:
    value = text(value)
    room(len(value) + (value.count("\n") + 2) * (len(width) if isinstance(width, str) else max(width, 0)))
    return settle(do_indent(value, width, first, blank))  # type: ignore[no-any-return]


def _format(value: Any, *args: Any, **kwargs: Any) -> str:
    return percent(text(value), kwargs or args)


def _round(value: Any, precision: int = 0, method: Any = "common") -> Any:
    if not -15 <= precision <= 15:
        raise Refused("it rounds to more than 15 digits")
    return do_round(value, precision, method)


def _tojson(value: Any, indent: int | None = None) -> str:
    if indent is not None and not 0 <= indent <= 8:
        raise Refused("it indents JSON by more than 8")
    weigh(value, per_unit=1, printing=True)
    return settle(json.dumps(value, ensure_ascii=False, indent=indent, default=str))  # type: ignore[no-any-return]


@pass_context
def _join(context: Any, values: Any, d: Any = "", attribute: Any = None) -> str:
    return joined(d, _picked(context, values, attribute))


@pass_context
def _sum(context: Any, values: Any, attribute: Any = None, start: Any = 0) -> Any:
    total = start
    for value in _picked(context, values, attribute):
        total = operate("+", lambda left, right: left + right, total, value)
    return total


def _picked(context: Any, values: Any, attribute: Any) -> list[Any]:
    if attribute is not None:
        values = context.environment.call_filter("map", values, (), {"attribute": attribute}, context=context)
    return listed(iterable(values))


def joined(separator: Any, values: Iterable[Any]) -> str:
    """The values as one text with the separator between."""
    pieces = [text(value) for value in values]
    separator = text(separator)
    room(sum(map(len, pieces)) + len(separator) * len(pieces))
    return str(separator.join(pieces))


def _batch(values: Any, linecount: int, fill_with: Any = None) -> list[list[Any]]:
    if not 1 <= linecount <= MAX_WIDTH:
        raise Refused(f"it makes batches that are not between 1 and {MAX_WIDTH} long")
    values = listed(iterable(values))
    rows = [values[at : at + linecount] for at in range(0, len(values), linecount)]
    if rows and fill_with is not None:
        rows[-1] += [fill_with] * (linecount - len(rows[-1]))
    return built(rows)  # type: ignore[no-any-return]


def _wordwrap(value: Any, width: int = 79, break_long_words: bool = True) -> str:
    if not 20 <= width <= MAX_WIDTH:
        raise Refused(f"it wraps lines at a width that is not between 20 and {MAX_WIDTH}")
    value = text(value)
    running.get().spend(len(value))
    return settle(do_wordwrap(_NEWLINE, value, width, break_long_words))  # type: ignore[no-any-return]


class _Newline:
    """All that the wordwrap filter asks of an environment."""

    newline_sequence = "\n"


_NEWLINE: Any = _Newline()


def _escape(value: Any) -> str:
    return str(settle(escape_html(text(value))))


def step(units: int) -> bool:
    """Pays for one run of a template's or macro's body."""
    running.get().spend(units)
    return True


def _stepped(units: int) -> str:
    running.get().spend(units)
    return ""


def _turned(units: int) -> str:
    running.get().turn(units)
    return ""


# Names with # cannot be written in a template: the sandbox puts these in.
HOUSE_FILTERS: dict[str, Callable[..., Any]] = {
    "#built": built,
    "#concat": concat,
    "#iterable": iterable,
    "#test": step,
    "#step": _stepped,
    "#turn": _turned,
}
ALL_FILTERS: dict[str, Callable[..., Any]] = {
    **{name: _metered(FILTERS[name], on_text=True) for name in _TEXT_FILTERS.split()},
    **{name: _metered(FILTERS[name], on_text=False) for name in _DATA_FILTERS.split()},
    "batch": _batch,
    "center": _center,
    "e": _escape,
    "escape": _escape,
    "format": _format,
    "indent": _indent,
    "join": _join,
    "replace": replaced,
    "round": _round,
    "string": text,
    "sum": _sum,
    "tojson": _tojson,
    "wordwrap": _wordwrap,
    **HOUSE_FILTERS,
}
_JINJA_TESTS: dict[str, Any] = dict(TESTS)
ALL_TESTS = {name: _tested(_JINJA_TESTS[name]) for name in _TESTS.split()}
