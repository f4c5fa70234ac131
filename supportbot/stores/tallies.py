"""What happened, counted by the hour in the transaction in which it happens, so that no dashboard has to scan.

1. A tally stands at (hour since the epoch in UTC, channel, name) and only grows: leaving out a period's rows is how
   they are forgotten.
2. "handed_over" stands at the hour in which the conversation began, whenever its first handoff is: so the share that
   never needed a human is "conversations" without "handed_over" of the same hours.
3. Names with a colon end in a model's name: calls, prompt, cached, completion (tokens), cost (micro-dollars), unpriced
   (calls that used tokens at an unknown price).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping

from supportbot.stores.codec import clean
from supportbot.types import Outcome, Usage

HOUR = 3600
_SAID = ("message", "action")

ADD_TALLY = """INSERT INTO tallies (hour, channel, name, amount) VALUES (?, ?, ?, ?)
    ON CONFLICT (hour, channel, name) DO UPDATE SET amount = amount + excluded.amount"""
ADD_UNANSWERED = "INSERT OR IGNORE INTO unanswered (conversation, turn, at) VALUES (?, ?, ?)"
HANDED_OVER = """SELECT created_at, EXISTS (SELECT 1 FROM handoffs WHERE conversation = ?1),
    EXISTS (SELECT 1 FROM handoffs WHERE public = ?2) FROM conversations WHERE id = ?1"""

_HOURS = "CAST({at} / 3600 AS INTEGER)"
_SUM = "INSERT INTO tallies (hour, channel, name, amount) SELECT {hour}, channel, {name}, {amount} FROM {source} GROUP BY 1, 2, 3"
_OWNED = "JOIN conversations ON conversations.id = {table}.conversation"
_SPOKEN = f"""messages JOIN traces ON traces.conversation = messages.conversation AND traces.turn = messages.turn
    {_OWNED.format(table="messages")} WHERE {{which}}"""


def _backfill(name: str, at: str, source: str, amount: str = "count(*)") -> str:
    return _SUM.format(hour=_HOURS.format(at=at), name=name, amount=amount, source=source)


def _of_usage(name: str, amount: str, where: str) -> str:
    source = f"usage {_OWNED.format(table='usage')} WHERE {where}"
    return _backfill(f"'{name}:' || model", "usage.at", source, amount)


_BACKFILL: tuple[str, ...] = (
    # the turn that ended with the handoff: the first that was committed after it was decided
    """INSERT OR IGNORE INTO unanswered (conversation, turn, at)
        SELECT handoffs.conversation, min(traces.turn), handoffs.requested_at
        FROM handoffs JOIN conversations ON conversations.id = handoffs.conversation
        JOIN traces ON traces.conversation = handoffs.conversation AND traces.at >= handoffs.requested_at
        WHERE handoffs.reason IN ('no_answer', 'model') GROUP BY handoffs.id""",
    _backfill("'conversations'", "created_at", "conversations"),
    _backfill("'messages'", "traces.at", _SPOKEN.format(which="messages.role = 1")),
    _backfill(
        "'replies'",
        "traces.at",
        _SPOKEN.format(which="messages.role = 2 AND messages.name IS NULL AND messages.tool_calls IS NULL"),
    ),
    _backfill(
        "'agent_replies'", "traces.at", _SPOKEN.format(which="messages.role = 2 AND messages.name IS NOT NULL")
    ),
    _backfill("'handoffs'", "handoffs.requested_at", f"handoffs {_OWNED.format(table='handoffs')}"),
    _backfill(
        "'handed_over'",
        "created_at",
        "conversations WHERE EXISTS (SELECT 1 FROM handoffs WHERE handoffs.conversation = conversations.id)",
    ),
    _backfill("'unanswered'", "unanswered.at", f"unanswered {_OWNED.format(table='unanswered')}"),
    _of_usage("calls", "count(*)", "true"),
    _of_usage("prompt", "sum(prompt_tokens)", "prompt_tokens > 0"),
    _of_usage("cached", "sum(cached_tokens)", "cached_tokens > 0"),
    _of_usage("completion", "sum(completion_tokens)", "completion_tokens > 0"),
    _of_usage("cost", "sum(cost)", "cost > 0"),
    _of_usage("unpriced", "count(*)", "cost IS NULL AND prompt_tokens + completion_tokens > 0"),
)


def backfill(connection: sqlite3.Connection) -> None:
    """Counts what an older version has left, as far as it can still be told: messages and replies of turns that have a
    trace, and open questions only where they ended with a human. Run once, in the migration, over empty tables."""
    for statement in _BACKFILL:
        connection.execute(statement)


def count_receipt(connection: sqlite3.Connection, channel: str, fresh: bool, kind: str, now: float) -> None:
    """Counts one stored message, in its transaction; `fresh`: it has opened its conversation. `channel` is clean."""
    hour = int(now // HOUR)
    if fresh:
        connection.execute(ADD_TALLY, (hour, channel, "conversations", 1))
    if kind in _SAID:
        connection.execute(ADD_TALLY, (hour, channel, "messages", 1))


def count_turn(
    connection: sqlite3.Connection, at: tuple[int, int], channel: str, outcome: Outcome, now: float
) -> None:
    """Counts what a turn came to, in the transaction of its commit and before its handoff is written.

    `at` is (the conversation's key, the turn's sequence); `channel` is clean.
    """
    hour = int(now // HOUR)
    if outcome.handoff is not None:
        _count_handoff(connection, at[0], channel, outcome.handoff.id, hour)
    if outcome.unanswered:
        connection.execute(ADD_UNANSWERED, (*at, now))
    rows = [(hour, channel, name, amount) for name, amount in _amounts(outcome) if amount]
    if rows:
        connection.executemany(ADD_TALLY, rows)


def _count_handoff(connection: sqlite3.Connection, key: int, channel: str, id: str, hour: int) -> None:
    began, has_one, is_known = connection.execute(HANDED_OVER, (key, clean(id))).fetchone()
    if not is_known:
        connection.execute(ADD_TALLY, (hour, channel, "handoffs", 1))
    if not has_one:
        connection.execute(ADD_TALLY, (int(began // HOUR), channel, "handed_over", 1))


def _amounts(outcome: Outcome) -> Iterable[tuple[str, int]]:
    by_humans = sum(one.role == "assistant" and bool(one.name) for one in outcome.turn)
    yield "replies", sum(one.role == "assistant" and not one.name and not one.tool_calls for one in outcome.turn)
    yield "agent_replies", by_humans
    yield "unanswered", int(outcome.unanswered)
    if outcome.usage:
        yield from _spent(outcome.usage).items()


def _spent(usage: Iterable[Usage]) -> Mapping[str, int]:
    spent: dict[str, int] = {}
    for one in usage:
        model = clean(one.model)
        unpriced = one.cost is None and one.prompt_tokens + one.completion_tokens > 0
        for name, amount in (
            ("calls", 1),
            ("prompt", one.prompt_tokens),
            ("cached", one.cached_tokens),
            ("completion", one.completion_tokens),
            ("cost", one.cost or 0),
            ("unpriced", int(unpriced)),
        ):
            key = f"{name}:{model}"
            spent[key] = spent.get(key, 0) + amount
    return spent
