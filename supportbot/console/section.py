"""What a section of the dashboards is made from, and what it comes to."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from supportbot.console.charts import Chart
from supportbot.console.tables import Link, Table
from supportbot.console.tiles import Tile
from supportbot.stores.figures import OpenSeconds
from supportbot.stores.reports import SqliteReports
from supportbot.types.reports import Deliveries, Period


@dataclass(frozen=True, slots=True)
class Shown:
    """A section's content, in order."""

    tiles: tuple[Tile, ...] = ()
    charts: tuple[Chart, ...] = ()
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()
    deliveries: Deliveries | None = None

    def every_table(self) -> tuple[Table, ...]:
        return (*(chart.table for chart in self.charts), *self.tables)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a section is about. `open_seconds` is None where humans are there around the clock."""

    reports: SqliteReports
    period: Period
    open_seconds: OpenSeconds | None = None


def conversation(id: str, text: str = "Open") -> Link:
    return Link(text, f"/console/c/{quote(id, safe='')}")
