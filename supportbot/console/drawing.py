"""Series and charts out of figures by day, by place and by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from supportbot.console.charts import Axes, Chart, Series, bars, columns, fewer, lines
from supportbot.console.tables import Column, Table, Unit
from supportbot.types.reports import Period, Spread

MOST_BARS = 12


def day_labels(period: Period) -> tuple[str, ...]:
    return tuple(f"{day.day} {day:%b}" for day in period.days)


def per_day(period: Period, amounts: Iterable[tuple[date, float]]) -> tuple[float, ...]:
    sums = dict.fromkeys(period.days, 0.0)
    for day, amount in amounts:
        sums[day] += amount
    return tuple(sums.values())


def split(period: Period, amounts: Iterable[tuple[str, date, float]]) -> tuple[Series, ...]:
    """A series for each name, the largest first."""
    by_name: dict[str, list[tuple[date, float]]] = {}
    for name, day, amount in amounts:
        by_name.setdefault(name, []).append((day, amount))
    made = (Series(name, per_day(period, given)) for name, given in by_name.items())
    return fewer(one for one in made if one.total)


def columns_by_day(
    key: str, title: str, period: Period, series: Sequence[Series], unit: Unit = "count", *, note: str = ""
) -> Chart:
    heads = (Column("Day", "day"), *(Column(one.name, unit) for one in series))
    rows = tuple((day, *(one.values[at] for one in series)) for at, day in enumerate(period.days))
    axes = Axes(day_labels(period), unit)
    svg, legend = columns(key, axes, series)
    return Chart(Table(key, title, heads, rows), svg, legend, note)


def columns_by_place(key: str, title: str, what: str, labels: tuple[str, ...], series: Series, note: str) -> Chart:
    table = Table(
        key, title, (Column(what), Column(series.name, "count")), tuple(zip(labels, series.values, strict=True))
    )
    axes = Axes(labels)
    svg, legend = columns(key, axes, [series])
    return Chart(table, svg, legend, note)


def bars_of(key: str, title: str, what: str, counts: Mapping[str, int]) -> Chart:
    rows = tuple(counts.items())
    table = Table(key, title, (Column(what, written=True), Column("Count", "count")), rows)
    return Chart(table, bars(key, rows[:MOST_BARS]))


def spreads_by_day(key: str, title: str, period: Period, spreads: Sequence[Spread], note: str) -> Chart:
    middles = tuple(one.median if one.count else None for one in spreads)
    highs = tuple(one.p90 if one.count else None for one in spreads)
    heads = (
        Column("Day", "day"),
        Column("Handoffs", "count"),
        Column("Median", "seconds"),
        Column("90 % within", "seconds"),
    )
    rows = zip(period.days, (one.count for one in spreads), middles, highs, strict=True)
    series = [Series("Median", middles), Series("90 % within", highs)]
    axes = Axes(day_labels(period), "seconds")
    svg, legend = lines(key, axes, series)
    return Chart(Table(key, title, heads, tuple(rows)), svg, legend, note)
