"""The way out and the passing of time, as functions over a connection."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from supportbot.protocols import Enqueue
from supportbot.stores import codec, queries, shelf
from supportbot.stores.codec import clean
from supportbot.stores.turns import Fence
from supportbot.types import Job, Outgoing

TIMERS_AT_ONCE = 500
SWEPT_AT_ONCE = 1000
_FREE_SHARE = 4
_AGAIN = 60.0
_PAGES_AT_ONCE = 2000

# --- the way out ---------------------------------------------------------------------------------------------


def due(connection: sqlite3.Connection, now: float, limit: int, busy: Collection[str]) -> tuple[Outgoing, ...]:
    keys: list[int] = []
    for key, channel, conversation in connection.execute(queries.DUE, (now,)):
        if len(keys) >= limit:
            break
        if codec.lane(channel, conversation) not in busy:
            keys.append(key)
    return tuple(codec.outgoing(connection.execute(queries.OUTGOING, (key,)).fetchone()) for key in keys)


def delivered(connection: sqlite3.Connection, ids: Sequence[str], handle: str, now: float) -> None:
    if handle:
        connection.executemany(queries.SET_PLACE, [(clean(handle), clean(id)) for id in ids])
    connection.executemany(queries.DELIVERED, [(now, clean(handle) or None, clean(id)) for id in ids])


def bury(connection: sqlite3.Connection, id: str, error: str, now: float) -> None:
    """A dead letter; the human whose words it had is told."""
    connection.execute(queries.TELL_UNDELIVERED, (now, codec.dump({"error": clean(error)}), clean(id)))
    connection.execute(queries.TELL_UNPLACED, (now + _AGAIN, clean(error)[:300], clean(id)))
    connection.execute(queries.BURY, (now, clean(error), clean(id)))


# --- time ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fired:
    """One timer that became an inbox row."""

    conversation: str
    fence: Fence
    enqueued: Callable[[], None] | None


def fire_timers(connection: sqlite3.Connection, now: float, enqueue: Enqueue) -> list[Fired]:
    rows = connection.execute(queries.DUE_TIMERS, (now, TIMERS_AT_ONCE)).fetchall()
    return [_fire(connection, row, now, enqueue) for row in rows]


def _fire(connection: sqlite3.Connection, row: codec.Row, now: float, enqueue: Enqueue) -> Fired:
    key, name, data, public, turn, attempt, channel, customer, customer_name = row
    connection.execute(queries.DROP_TIMER, (key, name))
    id = "timer_" + secrets.token_hex(16)
    extra = f'{{"event":[{codec.dump(name)},{data}]}}'
    columns = (key, channel, id, "timer", "", customer, customer_name, "", extra, now, now)
    connection.execute(queries.ADD_INBOUND, columns)
    return Fired(public, (turn, attempt), enqueue(connection, Job(public, now)))


def next_timer(connection: sqlite3.Connection) -> float | None:
    found: float | None = connection.execute(queries.NEXT_TIMER).fetchone()[0]
    return found


def jobs(connection: sqlite3.Connection) -> list[codec.Row]:
    """(conversation, when it is ready, turn, attempt) of each that has something pending."""
    return connection.execute(queries.JOBS).fetchall()


def sweep_some(connection: sqlite3.Connection, cutoff: float) -> int:
    """One small step of the sweep, so that turns are not kept waiting; 0 when nothing is left."""
    removed = 0
    for query in (queries.SWEEP_INBOX, queries.SWEEP_OUTBOX):
        removed += connection.execute(query, (cutoff, SWEPT_AT_ONCE)).rowcount
    return removed


def sweep_rest(connection: sqlite3.Connection, cutoff: float) -> int:
    """Journals nobody needs; and gives pages back to the disk when a good part of the file is empty."""
    removed = connection.execute(queries.SWEEP_JOURNAL, (cutoff,)).rowcount
    removed += connection.execute(shelf.SWEEP, (cutoff,)).rowcount
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    free = connection.execute("PRAGMA freelist_count").fetchone()[0]
    if free * _FREE_SHARE > pages:
        connection.execute(f"PRAGMA incremental_vacuum({_PAGES_AT_ONCE})").fetchall()
    return removed
