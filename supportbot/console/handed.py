"""The sections about handoffs: how many and why, how long they took, and how content customers were."""

from __future__ import annotations

from supportbot.console import words
from supportbot.console.charts import Axes, Chart, Series, fewer, lines
from supportbot.console.drawing import bars_of, columns_by_day, columns_by_place, day_labels, spreads_by_day
from supportbot.console.section import Asked, Shown
from supportbot.console.tables import Cell, Column, Table, formatted
from supportbot.console.tiles import Tile
from supportbot.types.reports import Handoffs

_STARS = ("1 ★", "2 ★", "3 ★", "4 ★", "5 ★")
_WAITED = ("<1m", "1–5m", "5–15m", "15–60m", "1–4h", ">4h")
_STATUSES = {
    "waiting": "waiting",
    "claimed": "with a human",
    "resolved": "resolved",
    "returned": "given back to the bot",
    "cancelled": "cancelled by the customer",
    "expired": "expired",
}


async def handoffs(asked: Asked) -> Shown:
    period = asked.period
    found = await asked.reports.handoffs(period)
    reasons = [
        Series(words.reason(code), tuple(float(day.get(code, 0)) for day in found.by_day))
        for code in found.reasons
    ]
    return Shown(
        charts=(
            columns_by_day(
                "handoffs",
                "Handoffs by day",
                period,
                fewer(reasons),
                note="On the day on which a human was asked for, by reason.",
            ),
            bars_of(
                "reasons",
                "Reasons",
                "Reason",
                {words.reason(name): count for name, count in found.reasons.items()},
            ),
            bars_of("desks", "Desks", "Desk", {name or "no desk": count for name, count in found.desks.items()}),
            bars_of(
                "statuses",
                "How they stand",
                "Status",
                {_STATUSES.get(name, name): count for name, count in found.statuses.items()},
            ),
        ),
        tables=(_agents(found),),
    )


def _agents(found: Handoffs) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for one in found.agents:
        answer = (one.answer.median, one.answer.p90) if one.answer.count else (None, None)
        stars = one.average if one.ratings else None
        rows.append((one.name, one.desk or "–", one.handoffs, one.resolved, *answer, one.ratings, stars))
    return Table(
        "agents",
        "Agents",
        (
            Column("Agent", written=True),
            Column("Desk", written=True),
            Column("Handoffs", "count"),
            Column("Resolved", "count"),
            Column("First response, median", "seconds"),
            Column("First response, 90 %", "seconds"),
            Column("Ratings", "count"),
            Column("Average", "stars"),
        ),
        tuple(rows),
    )


async def times(asked: Asked) -> Shown:
    period = asked.period
    found = await asked.reports.handoffs(period, asked.open_seconds)
    histogram = tuple(float(count) for count in found.waits)
    note = "Until an agent took the handoff; those that nobody has taken are not in it."
    return Shown(
        charts=(
            spreads_by_day(
                "first-response",
                "First response by day",
                period,
                [one.answer for one in found.times],
                "Until a human's first words, from the request.",
            ),
            spreads_by_day(
                "resolution",
                "Resolution by day",
                period,
                [one.resolution for one in found.times],
                "Until a human ended it, from the request.",
            ),
            columns_by_place(
                "waiting", "Waiting for an agent", "Waited", _WAITED, Series("Handoffs", histogram), note
            ),
        ),
        tables=(_overall(found, asked.open_seconds is not None),),
    )


def _overall(found: Handoffs, has_hours: bool) -> Table:
    spreads = [
        ("First response", found.overall.answer),
        ("Resolution", found.overall.resolution),
        ("Waiting for an agent", found.overall.waiting),
    ]
    if has_hours:
        spreads.append(("Waiting in business hours", found.overall.open_waiting))
    rows = tuple(
        (name, one.count, *((one.median, one.p90) if one.count else (None, None))) for name, one in spreads
    )
    heads = (
        Column("Time"),
        Column("Handoffs", "count"),
        Column("Median", "seconds"),
        Column("90 % within", "seconds"),
    )
    return Table("times", "The whole period", heads, rows)


# --- satisfaction --------------------------------------------------------------------------------------------


async def satisfaction(asked: Asked) -> Shown:
    period = asked.period
    found = await asked.reports.handoffs(period)
    share = 100 * found.rated / found.asked if found.asked else None
    tiles = (
        Tile(
            "Average",
            formatted(found.average, "stars") + (" ★" if found.rated else ""),
            "satisfaction",
            note="1 rating" if found.rated == 1 else f"{found.rated:,} ratings",
        ),
        Tile(
            "Content (4 or 5 stars)",
            formatted(100 * sum(found.ratings[3:]) / found.rated if found.rated else None, "percent"),
            "satisfaction",
        ),
        Tile(
            "Response rate",
            formatted(share, "percent"),
            "satisfaction",
            note=f"of {found.asked:,} that a human resolved",
        ),
    )
    stars = Series("Ratings", tuple(float(count) for count in found.ratings))
    heads = (Column("Day", "day"), Column("Ratings", "count"), Column("Average", "stars"))
    rows = zip(period.days, found.ratings_by_day, found.average_by_day, strict=True)
    series = [Series("Average", found.average_by_day)]
    axes = Axes(day_labels(period), "stars", 5)
    svg, legend = lines("stars-by-day", axes, series)
    note = "By the day on which the human was asked for."
    return Shown(
        tiles,
        (
            columns_by_place(
                "stars", "Ratings", "Stars", _STARS, stars, "What customers pressed after a human had resolved it."
            ),
            Chart(Table("stars-by-day", "Average by day", heads, tuple(rows)), svg, legend, note),
        ),
        (_agents(found),),
    )
