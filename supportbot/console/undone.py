"""The sections about what is left to do: questions without an answer, and messages that did not arrive."""

from __future__ import annotations

from collections.abc import Sequence

from supportbot.console.charts import Series
from supportbot.console.drawing import bars_of, columns_by_day, per_day
from supportbot.console.section import Asked, Shown, conversation
from supportbot.console.tables import Column, Table
from supportbot.types.reports import Question, Unanswered


async def unanswered(asked: Asked) -> Shown:
    period = asked.period
    rows = await asked.reports.volume(period)
    found = await asked.reports.unanswered(period)
    by_day = Series("Unanswered", per_day(period, ((row.day, row.unanswered) for row in rows)))
    note = (
        "Questions after which the bot called a human because it had no answer, could not read the words in a flow, or "
        "let a model answer although no article, tool or flow had anything."
    )
    notes = (
        (f"The frequent ones are taken from the newest {found.looked_at:,} of {found.total:,}.",)
        if found.looked_at < found.total
        else ()
    )
    return Shown(
        charts=(columns_by_day("unanswered", "Unanswered by day", period, [by_day], note=note),),
        tables=(_frequent(found), _newest(found.newest)),
        notes=notes,
    )


def _frequent(found: Unanswered) -> Table:
    return Table(
        "frequent",
        "Asked more than once",
        (
            Column("Times", "count"),
            Column("Question", written=True),
            Column("Last asked", "time"),
            Column("Conversation"),
        ),
        tuple(
            (one.count, one.latest.text, one.latest.at, conversation(one.latest.conversation))
            for one in found.frequent
        ),
    )


def _newest(questions: Sequence[Question]) -> Table:
    return Table(
        "newest",
        "Newest",
        (
            Column("Question", written=True),
            Column("Channel", written=True),
            Column("Asked", "time"),
            Column("Conversation"),
        ),
        tuple((one.text, one.channel, one.at, conversation(one.conversation)) for one in questions),
    )


async def deliveries(asked: Asked) -> Shown:
    found = await asked.reports.deliveries(asked.period.channel)
    failed = Table(
        "failed",
        "Failed deliveries",
        (
            Column("Failed", "time"),
            Column("Channel", written=True),
            Column("Kind"),
            Column("Error", written=True),
            Column("Message", written=True),
            Column("Tries", "count"),
            Column("Conversation"),
        ),
        tuple(
            (one.at, one.channel, one.kind, one.error, one.text, one.attempts, conversation(one.conversation))
            for one in found.failed
        ),
    )
    aside = Table(
        "set-aside",
        "Updates set aside",
        (
            Column("Came", "time"),
            Column("Channel", written=True),
            Column("Id", written=True),
            Column("Reason", written=True),
        ),
        tuple((one.at, one.channel, one.id, one.reason) for one in found.refused),
    )
    where = {f"{channel} · {kind}": count for (channel, kind), count in found.by_channel.items()}
    return Shown(
        charts=(bars_of("where", "Where they failed", "Channel and kind", where),),
        tables=(failed, aside),
        deliveries=found,
    )
