"""Figures as people read them, and as a file that a spreadsheet opens.

1. A table holds plain values; its columns say how they are shown. The page and the CSV come from the same table.
2. What anybody else wrote is never a formula in a spreadsheet: a text that begins like one gets an apostrophe before it.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal

from supportbot.console.words import dollars, length

Unit = Literal["text", "count", "percent", "seconds", "dollars", "stars", "day", "time"]
"""`percent` of 100; `dollars` may be fractions of a cent; `time` in seconds since the epoch."""
Value = str | float | date | None

_UNITS = {"percent": "%", "seconds": "seconds", "dollars": "USD", "time": "UTC"}
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


@dataclass(frozen=True, slots=True)
class Link:
    """A cell that leads somewhere in the console."""

    text: str
    href: str


Cell = Value | Link


@dataclass(frozen=True, slots=True)
class Column:
    """`written`: people or models wrote what stands in it."""

    name: str
    unit: Unit = "text"
    written: bool = False

    @property
    def is_number(self) -> bool:
        return self.unit in ("count", "percent", "seconds", "dollars", "stars")


@dataclass(frozen=True, slots=True)
class Table:
    """`key` names it in addresses; every row has a cell for each column."""

    key: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]


def formatted(value: Value, unit: Unit) -> str:
    """The value with its unit; "–" for none."""
    if value is None:
        return "–"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str):
        return value
    match unit:
        case "percent":
            return f"{value:.1f} %"
        case "seconds":
            return length(value)
        case "dollars":
            return dollars(value)
        case "stars":
            return f"{value:.2f}"
        case "time":
            return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%d %H:%M")
    return f"{round(value):,}"


def cell(value: Cell, unit: Unit) -> str:
    return value.text if isinstance(value, Link) else formatted(value, unit)


def csv_of(table: Table) -> str:
    """The table as CSV (RFC 4180); numbers plain, times as ISO 8601 in UTC."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([harmless(_headed(column)) for column in table.columns])
    for row in table.rows:
        writer.writerow([_plain(value, column) for value, column in zip(row, table.columns, strict=True)])
    return out.getvalue()


def _headed(column: Column) -> str:
    return f"{column.name} ({_UNITS[column.unit]})" if column.unit in _UNITS else column.name


def _plain(value: Cell, column: Column) -> str | float:
    if value is None:
        return ""
    if isinstance(value, Link):
        return harmless(value.text)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str):
        return harmless(value)
    if column.unit == "time":
        return datetime.fromtimestamp(value, UTC).isoformat(timespec="seconds")
    return round(value) if column.unit == "count" else round(value, 6)


def harmless(text: str) -> str:
    """The text with an apostrophe before it if a spreadsheet could take it for a formula."""
    return f"'{text}" if text.lstrip(" \u00a0\ufeff").startswith(_FORMULA) or text.startswith(_FORMULA) else text
