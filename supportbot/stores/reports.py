"""`SqliteReports`: the figures behind the dashboards.

1. Nothing here scans messages, traces or usage: what happened comes from the tallies, handoffs from their index by
   request, single questions by their keys.
2. Tallies are by the hour in UTC. Where midnight is not on the hour (India, Nepal), an hour belongs to the day in
   which it begins.
"""

from __future__ import annotations

import json
import math
import sqlite3
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from itertools import pairwise
from typing import Any

from supportbot.stores import figures
from supportbot.stores.codec import clean
from supportbot.stores.figures import OpenSeconds
from supportbot.stores.listed import channels
from supportbot.stores.run import Run
from supportbot.stores.tallies import HOUR
from supportbot.types.reports import (
    Deliveries,
    Failed,
    Frequent,
    Handoffs,
    Period,
    Question,
    Refused,
    Spending,
    Unanswered,
    Volume,
)

LOOKED_AT = 2000
"""Open questions among which the frequent ones are looked for."""
LISTED = 100
_SHOWN = 300
_TAKEN_BACK = "[deleted by the customer]"
_TOTALS = ("conversations", "messages", "replies", "agent_replies", "handoffs", "handed_over", "unanswered")
_SPENT = ("calls", "prompt", "cached", "completion", "cost", "unpriced")

# CROSS JOIN: a day is looked up in the tallies, never the other way round
_TALLIED = """SELECT days.key, channel, name, sum(amount) FROM json_each(?) AS days CROSS JOIN tallies
    ON hour >= json_extract(days.value, '$[0]') AND hour < json_extract(days.value, '$[1]')
    WHERE (?2 = '' OR channel = ?2) AND instr(name, ':') {which} 0 GROUP BY 1, 2, 3"""
TOTALS = _TALLIED.format(which="=")
SPENT = _TALLIED.format(which=">")
# of the whole period: what is by day has been summed up already, or is not asked for
_WHOLE = "FROM tallies WHERE hour >= ?1 AND hour < ?2 AND (?3 = '' OR channel = ?3)"
WHOLE = f"SELECT name, sum(amount) {_WHOLE} AND instr(name, ':') = 0 GROUP BY 1"
COST = f"SELECT coalesce(sum(amount), 0) {_WHOLE} AND name >= 'cost:' AND name < 'cost;'"

_HANDOFF = """SELECT requested_at, claimed_at, ended_at, status, reason, desk, agent,
    json_extract(more, '$.answered_at'), json_extract(more, '$.rating') FROM handoffs INDEXED BY handoffs_by_request"""
HANDOFFS = _HANDOFF + " WHERE requested_at >= ? AND requested_at < ?"
HANDOFFS_OF = (
    _HANDOFF
    + """ JOIN conversations ON conversations.id = handoffs.conversation
    WHERE requested_at >= ? AND requested_at < ? AND conversations.channel = ?"""
)

_WORDS = """SELECT group_concat(content, ' ') FROM (SELECT content FROM messages
    WHERE messages.conversation = unanswered.conversation AND messages.turn = unanswered.turn AND role = 1 ORDER BY id)"""
_UNANSWERED = """FROM unanswered INDEXED BY unanswered_by_time
    JOIN conversations ON conversations.id = unanswered.conversation
    WHERE at >= ?1 AND at < ?2 AND (?3 = '' OR conversations.channel = ?3)"""
QUESTIONS = f"SELECT substr(({_WORDS}), 1, {_SHOWN}), public, channel, at {_UNANSWERED} ORDER BY at DESC LIMIT ?4"
COUNT_UNANSWERED = f"SELECT count(*) {_UNANSWERED}"

_DEAD = """FROM outbox INDEXED BY outbox_dead JOIN conversations ON conversations.id = outbox.conversation
    WHERE outbox.dead = 1 AND (?1 = '' OR conversations.channel = ?1)"""
FAILED = f"""SELECT outbox.public, conversations.public, outbox.channel, outbox.kind, coalesce(outbox.error, ''),
    outbox.finished_at, outbox.attempt, substr(coalesce(outbox.text, ''), 1, {_SHOWN})
    {_DEAD} ORDER BY outbox.id DESC LIMIT ?2"""
COUNT_FAILED = f"SELECT outbox.channel, outbox.kind, count(*) {_DEAD} GROUP BY 1, 2 ORDER BY 3 DESC"
SET_ASIDE = (
    "SELECT channel, message, reason, at FROM aside WHERE ?1 = '' OR channel = ?1 ORDER BY id DESC LIMIT ?2"
)
COUNT_ASIDE = "SELECT count(*) FROM aside WHERE ?1 = '' OR channel = ?1"
RETRY = """UPDATE outbox INDEXED BY outbox_dead SET dead = 0, finished_at = NULL, attempt = 0, due_at = ?
    WHERE dead = 1 AND public = ? AND channel NOT LIKE '@desk.%'"""


class SqliteReports:
    """Figures out of the store's own connections: `read` runs a function over a reading one, `write` in a transaction.

    A period's channel filters everything by the conversation's channel.
    """

    def __init__(self, read: Run, write: Run) -> None:
        self._read = read
        self._write = write

    async def channels(self) -> tuple[str, ...]:
        """Every channel that has a conversation."""
        return await self._read(channels)

    async def volume(self, period: Period) -> tuple[Volume, ...]:
        """One for each day and channel on which anything happened, in order."""
        return await self._read(lambda connection: _volume(connection, period))

    async def totals(self, period: Period) -> Mapping[str, int]:
        """The amounts of `Volume` over the whole period."""
        found = await self._read(lambda connection: connection.execute(WHOLE, _span(period)).fetchall())
        return dict.fromkeys(_TOTALS, 0) | {name: amount for name, amount in found if name in _TOTALS}

    async def cost(self, period: Period) -> int:
        """What all models cost over the whole period, in micro-dollars."""
        return await self._read(lambda connection: int(connection.execute(COST, _span(period)).fetchone()[0]))

    async def spending(self, period: Period) -> tuple[Spending, ...]:
        """One for each day and model that was asked, in order."""
        return await self._read(lambda connection: _spending(connection, period))

    async def handoffs(self, period: Period, open_seconds: OpenSeconds | None = None) -> Handoffs:
        """`open_seconds` says how much of a waiting time was in open hours; without it they are always open."""
        return await self._read(lambda connection: _handoffs(connection, period, open_seconds))

    async def unanswered(self, period: Period) -> Unanswered:
        return await self._read(lambda connection: _unanswered(connection, period))

    async def deliveries(self, channel: str = "") -> Deliveries:
        """What lies there, from whenever."""
        return await self._read(lambda connection: _deliveries(connection, clean(channel)))

    async def retry(self, id: str, *, now: float) -> bool:
        """Puts a dead letter back into its lane, before whatever waits there, with all its tries; False if there is none.

        What was delivered behind it meanwhile stays delivered. What went to a desk cannot be put back: the handoff has
        gone elsewhere since.
        """
        return await self._write(lambda connection: connection.execute(RETRY, (now, clean(id))).rowcount == 1)


def _span(period: Period) -> tuple[int, int, str]:
    since, *_, until = period.bounds
    return math.ceil(since / HOUR), math.ceil(until / HOUR), clean(period.channel)


def _tallied(connection: sqlite3.Connection, query: str, period: Period) -> Iterable[tuple[date, str, str, int]]:
    """(day, channel, name, amount) in order."""
    hours = [math.ceil(bound / HOUR) for bound in period.bounds]
    spans = json.dumps(list(pairwise(hours)))
    days = period.days
    for at, channel, name, amount in connection.execute(query, (spans, clean(period.channel))):
        yield days[at], channel, name, amount


def _volume(connection: sqlite3.Connection, period: Period) -> tuple[Volume, ...]:
    found: defaultdict[tuple[date, str], dict[str, int]] = defaultdict(dict)
    for day, channel, name, amount in _tallied(connection, TOTALS, period):
        if name in _TOTALS:
            found[day, channel][name] = amount
    return tuple(Volume(day, channel, **amounts) for (day, channel), amounts in sorted(found.items()))


def _spending(connection: sqlite3.Connection, period: Period) -> tuple[Spending, ...]:
    found: defaultdict[tuple[date, str], dict[str, int]] = defaultdict(lambda: dict.fromkeys(_SPENT, 0))
    for day, _, name, amount in _tallied(connection, SPENT, period):
        what, _, model = name.partition(":")
        if what in _SPENT:
            found[day, model][what] += amount
    return tuple(Spending(day, model, **amounts) for (day, model), amounts in sorted(found.items()))


def _handoffs(connection: sqlite3.Connection, period: Period, open_seconds: OpenSeconds | None) -> Handoffs:
    since, *_, until = period.bounds
    if period.channel:
        rows = connection.execute(HANDOFFS_OF, (since, until, clean(period.channel)))
    else:
        rows = connection.execute(HANDOFFS, (since, until))
    return figures.handoffs(rows, period, open_seconds)


def _unanswered(connection: sqlite3.Connection, period: Period) -> Unanswered:
    since, *_, until = period.bounds
    about = (since, until, clean(period.channel))
    total = connection.execute(COUNT_UNANSWERED, about).fetchone()[0]
    rows = connection.execute(QUESTIONS, (*about, LOOKED_AT)).fetchall()
    asked = [Question(*row) for row in rows if row[0] and _TAKEN_BACK not in row[0]]
    return Unanswered(total, tuple(asked[:LISTED]), _frequent(asked), len(rows))


def _frequent(asked: Iterable[Question]) -> tuple[Frequent, ...]:
    """Those asked more than once, most often first; `asked` is newest first."""
    counts: dict[str, tuple[Question, int]] = {}
    for question in asked:
        key = normalised(question.text)
        latest, count = counts.get(key, (question, 0))
        counts[key] = (latest, count + 1)
    found = sorted(counts.values(), key=lambda item: (-item[1], -item[0].at))
    return tuple(Frequent(latest, count) for latest, count in found if count > 1)[:LISTED]


def normalised(text: str) -> str:
    """The words alone: without case, accents, punctuation and repeated blanks; text without words stays as it is."""
    plain = (each for each in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(each))
    words = "".join(each if each.isalnum() else " " for each in plain).split()
    return " ".join(words) or text.strip()


def _deliveries(connection: sqlite3.Connection, channel: str) -> Deliveries:
    counts = {(name, kind): count for name, kind, count in connection.execute(COUNT_FAILED, (channel,))}
    return Deliveries(
        dead=sum(counts.values()),
        failed=tuple(_failed(*row) for row in connection.execute(FAILED, (channel, LISTED))),
        by_channel=counts,
        set_aside=connection.execute(COUNT_ASIDE, (channel,)).fetchone()[0],
        refused=tuple(Refused(*row) for row in connection.execute(SET_ASIDE, (channel, LISTED))),
    )


def _failed(id: str, conversation: str, channel: str, kind: str, *more: Any) -> Failed:
    error, at, attempts, text = more
    retry = not channel.startswith("@desk.")
    return Failed(id, conversation, channel, kind, error, at, attempts, text, retry)
