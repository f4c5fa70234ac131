"""Numbers as people write them in YAML: durations (`15m`), sizes (`1MB`), whole numbers and dollars."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)")
_LONGEST = 10 * 366 * 86400.0
_SIZES = {"": 1, "B": 1, "KB": 1000, "MB": 1000**2, "KIB": 1024, "MIB": 1024**2}
_SIZE = re.compile(r"(\d{1,12})\s*([KM]?I?B)?\Z", re.IGNORECASE)


def seconds(value: object) -> float:
    """Seconds of `15m`, `0.8s`, `24h`, `7d`, `500ms` or `1h30m`; a number must be 0. Raises ValueError."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        if value:
            raise ValueError(f"must have a unit: {value:g}s are seconds, {value:g}m minutes, {value:g}h hours")
        return 0.0
    if not isinstance(value, str):
        raise ValueError("must be a duration such as 20s, 15m, 24h or 7d")
    text = value.strip().lower()
    if text == "0":
        return 0.0
    parts = _DURATION.findall(text)
    if not parts or _DURATION.sub("", text).strip():
        raise ValueError(f"must be a duration such as 20s, 15m, 24h or 7d, not {_quoted(value)}")
    total = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if total > _LONGEST:
        raise ValueError("must be 10 years or less")
    return total


def size(value: object) -> int:
    """Bytes of `1MB`, `512KB`, `2MiB` or a whole number. Raises ValueError."""
    found = (
        _SIZE.match(str(value).strip()) if isinstance(value, int | str) and not isinstance(value, bool) else None
    )
    if found is None:
        raise ValueError("must be a size such as 512KB, 1MB or a number of bytes")
    return int(found[1]) * _SIZES[(found[2] or "").upper()]


def whole(value: object) -> Any:
    """`value`, unless it is true, false or null, which pydantic would count as 1 or 0. Raises ValueError."""
    if isinstance(value, bool) or value is None:
        raise ValueError("must be a whole number")
    return value


def amount(value: object) -> Any:
    """`value`, unless it is true, false or null. Raises ValueError."""
    if isinstance(value, bool) or value is None:
        raise ValueError("must be a number")
    return value


def _quoted(value: str) -> str:
    return f"'{value}'" if len(value) <= 40 else "a longer text"


def _at_least(low: float, words: str) -> Any:
    def check(value: object) -> float:
        found = seconds(value)
        if found < low:
            raise ValueError(f"must be {words} or more")
        return found

    return check


DURATION_SCHEMA: dict[str, Any] = {
    "anyOf": [{"type": "string", "pattern": r"^\s*(\d+(\.\d+)?\s*(ms|s|m|h|d|w)\s*)+$|^0$"}, {"const": 0}]
}
_SIZE_SCHEMA: dict[str, Any] = {
    "anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": r"^\d+\s*[KkMm]?[Ii]?[Bb]$"}]
}

Wait = Annotated[float, BeforeValidator(_at_least(0.1, "0.1s")), WithJsonSchema(DURATION_SCHEMA)]
"""Seconds, at least 0.1; written with a unit."""
NoWait = Annotated[float, BeforeValidator(seconds), WithJsonSchema(DURATION_SCHEMA)]
"""Seconds, or 0."""
Size = Annotated[int, BeforeValidator(size), Field(ge=1024, le=100_000_000), WithJsonSchema(_SIZE_SCHEMA)]
"""Bytes, 1 KB to 100 MB."""
Whole = Annotated[int, BeforeValidator(whole)]
Dollars = Annotated[float, BeforeValidator(amount), Field(ge=0, le=100_000, allow_inf_nan=False)]
