"""What each dashboard shows: reports become tiles, charts and tables.

1. A section asks for what it shows and for nothing else.
2. A table's key is its own among all tables, because it names the file that it is saved as.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from supportbot.console.charts import Axes, Chart, Series, lines
from supportbot.console.drawing import columns_by_day, day_labels, per_day, split
from supportbot.console.handed import handoffs, satisfaction, times
from supportbot.console.section import Asked, Shown
from supportbot.console.tables import Column, Table
from supportbot.console.tiles import Tile, compared, counted, rated, timed
from supportbot.console.undone import deliveries, unanswered
from supportbot.types.reports import Period, Spending, Volume

_MICRO = 1_000_000


# --- the overview --------------------------------------------------------------------------------------------


async def overview(asked: Asked) -> Shown:
    period, reports = asked.period, asked.reports
    now, totals_before = await reports.volume(period), await reports.totals(period.before)
    helped, earlier = [await reports.handoffs(one) for one in (period, period.before)]
    spent, spent_before = [await reports.cost(one) / _MICRO for one in (period, period.before)]
    lying = await reports.deliveries(period.channel)
    totals = _totals(now)
    tiles = (
        counted("Conversations", "volume", totals, totals_before, "conversations"),
        compared("Without a human", "volume", contained(totals), contained(totals_before), "percent", "up"),
        counted("Handoffs", "handoffs", totals, totals_before, "handoffs"),
        timed("First response, median", helped.overall.answer, earlier.overall.answer),
        timed("Resolution, median", helped.overall.resolution, earlier.overall.resolution),
        rated(helped, earlier),
        compared("Spent on models", "money", spent, spent_before, "dollars", ""),
        counted("Unanswered questions", "unanswered", totals, totals_before, "unanswered", "down"),
        Tile(
            "Failed deliveries",
            f"{lying.dead:,}",
            "deliveries",
            note="lying there now",
            mood="bad" if lying.dead else "",
        ),
    )
    return Shown(tiles, (_by_channel(period, now), _containment(period, now)))


# --- volume --------------------------------------------------------------------------------------------------


async def volume(asked: Asked) -> Shown:
    period = asked.period
    rows = await asked.reports.volume(period)
    said = [
        Series(name, per_day(period, ((row.day, getattr(row, key)) for row in rows)))
        for name, key in (("Customers", "messages"), ("Bot", "replies"), ("Agents", "agent_replies"))
    ]
    return Shown(
        charts=(
            _by_channel(period, rows),
            _containment(period, rows),
            columns_by_day(
                "messages",
                "Messages by day",
                period,
                said,
                note="What customers wrote or pressed, what the bot and the agents replied.",
            ),
        ),
        tables=(_channels(rows),),
    )


def _by_channel(period: Period, rows: Iterable[Volume]) -> Chart:
    found = split(period, ((row.channel, row.day, row.conversations) for row in rows))
    return columns_by_day(
        "conversations",
        "Conversations by day",
        period,
        found,
        note="On the day on which each of them began, by channel.",
    )


def _containment(period: Period, rows: Sequence[Volume]) -> Chart:
    by_day = [_totals(row for row in rows if row.day == day) for day in period.days]
    shares = tuple(contained(totals) for totals in by_day)
    table = Table(
        "containment",
        "Without a human, by day",
        (
            Column("Day", "day"),
            Column("Conversations", "count"),
            Column("With a human", "count"),
            Column("Without", "percent"),
        ),
        tuple(
            (day, totals["conversations"], totals["handed_over"], share)
            for day, totals, share in zip(period.days, by_day, shares, strict=True)
        ),
    )
    series = [Series("Without a human", shares)]
    axes = Axes(day_labels(period), "percent", 100)
    svg, legend = lines("containment", axes, series)
    note = "Of the conversations that began on the day, those that have never been with a human; young ones may still be."
    return Chart(table, svg, legend, note)


def contained(totals: Mapping[str, int]) -> float | None:
    """Percent of the conversations without a handoff; None if there are none."""
    began = totals["conversations"]
    return 100 * max(0, began - totals["handed_over"]) / began if began else None


def _totals(rows: Iterable[Volume]) -> dict[str, int]:
    totals = dict.fromkeys(
        ("conversations", "messages", "replies", "agent_replies", "handoffs", "handed_over", "unanswered"), 0
    )
    for row in rows:
        for key in totals:
            totals[key] += getattr(row, key)
    return totals


def _channels(rows: Sequence[Volume]) -> Table:
    names = sorted({row.channel for row in rows})
    lines_of = []
    for name in names:
        totals = _totals(row for row in rows if row.channel == name)
        counts = (
            totals[key]
            for key in ("conversations", "messages", "replies", "agent_replies", "handoffs", "unanswered")
        )
        lines_of.append((name, *counts, contained(totals)))
    heads = ("Conversations", "Customers' messages", "Bot's replies", "Agents' replies", "Handoffs", "Unanswered")
    return Table(
        "channels",
        "By channel",
        (
            Column("Channel", written=True),
            *(Column(head, "count") for head in heads),
            Column("Without a human", "percent"),
        ),
        tuple(lines_of),
    )


# --- money ---------------------------------------------------------------------------------------------------


async def money(asked: Asked) -> Shown:
    period = asked.period
    rows = await asked.reports.spending(period)
    cost = split(period, ((row.model, row.day, row.cost / _MICRO) for row in rows))
    tokens = [
        Series("Prompt, read anew", per_day(period, ((row.day, max(0, row.prompt - row.cached)) for row in rows))),
        Series("Prompt, from the cache", per_day(period, ((row.day, row.cached) for row in rows))),
        Series("Completion", per_day(period, ((row.day, row.completion) for row in rows))),
    ]
    unknown = sorted({row.model for row in rows if row.unpriced})
    notes = (
        (
            f"No price is known for {', '.join(unknown)}: write it under model.prices in the config. What it cost is not in these figures.",
        )
        if unknown
        else ()
    )
    return Shown(
        charts=(
            columns_by_day(
                "cost",
                "Cost by day",
                period,
                cost,
                "dollars",
                note="By model, at list prices or those of the config; taxes and surcharges are not in it.",
            ),
            columns_by_day("tokens", "Tokens by day", period, tokens, note="As the providers counted them."),
        ),
        tables=(_models(rows),),
        notes=notes,
    )


def _models(rows: Iterable[Spending]) -> Table:
    sums: dict[str, list[int]] = {}
    for row in rows:
        counts = (row.calls, row.prompt, row.cached, row.completion, row.unpriced, row.cost)
        sums[row.model] = [a + b for a, b in zip(sums.get(row.model, [0] * 6), counts, strict=True)]
    heads = ("Calls", "Prompt tokens", "of them cached", "Completion tokens", "Calls without a price")
    return Table(
        "models",
        "By model",
        (Column("Model", written=True), *(Column(head, "count") for head in heads), Column("Cost", "dollars")),
        tuple(
            (name, *counts[:5], counts[5] / _MICRO)
            for name, counts in sorted(sums.items(), key=lambda item: -item[1][5])
        ),
    )


SECTIONS: Mapping[str, tuple[str, Callable[[Asked], Awaitable[Shown]]]] = {
    "overview": ("Overview", overview),
    "volume": ("Volume", volume),
    "handoffs": ("Handoffs", handoffs),
    "times": ("Times", times),
    "satisfaction": ("Satisfaction", satisfaction),
    "money": ("Money", money),
    "unanswered": ("Unanswered", unanswered),
    "deliveries": ("Deliveries", deliveries),
}
"""By their names in addresses: what they are called, and what makes them."""
