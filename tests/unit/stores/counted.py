"""A database with what the dashboards count, written by the store's own functions or row by row."""

from __future__ import annotations

import itertools
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from supportbot.stores import committing, connect, migrations, turns
from supportbot.stores.codec import inbound_columns
from supportbot.stores.reports import SqliteReports
from supportbot.testing.pairs import NOW, message
from supportbot.types import Lease, Outcome

T = TypeVar("T")
_numbers = itertools.count(1)


@contextmanager
def database(folder: Path) -> Iterator[sqlite3.Connection]:
    path = folder / "store.db"
    connect.create_file(path)
    connection, _ = migrations.open_migrated(path)
    try:
        yield connection
    finally:
        connection.close()


def reports(connection: sqlite3.Connection) -> SqliteReports:
    async def over(function: Callable[[sqlite3.Connection], T], /) -> T:
        return function(connection)

    return SqliteReports(over, over)


def said(connection: sqlite3.Connection, *, now: float = NOW, **more: Any) -> Lease:
    """One message received; the lease for its turn."""
    sent = message(f"m{next(_numbers)}", **more)
    received = turns.receive(connection, sent, inbound_columns(sent), (now, now), lambda *_: None)
    assert received.fence is not None
    return Lease(received.receipt.conversation, received.fence[0] + 1, 1, now)


def took(connection: sqlite3.Connection, *, now: float = NOW, chat: str = "anna", **outcome: Any) -> Lease:
    """One message and its whole turn."""
    lease = said(
        connection, now=now, chat=chat, **({"channel": outcome.pop("channel")} if "channel" in outcome else {})
    )
    begun = turns.begin(connection, lease)
    assert begun is not None
    done = Outcome(tuple(row.position for row in begun.pending), **outcome)
    committing.commit(connection, lease, committing.pack(done, now), committing.EventRoutes(), now)
    return lease


def tallies(connection: sqlite3.Connection) -> dict[str, int]:
    """Every tally's whole amount by name."""
    return dict(connection.execute("SELECT name, sum(amount) FROM tallies GROUP BY name"))


def row(connection: sqlite3.Connection, table: str, **values: Any) -> int:
    names = ", ".join(values)
    marks = ", ".join("?" * len(values))
    key = connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(values.values())).lastrowid
    assert key is not None
    return key


def conversation(connection: sqlite3.Connection, at: float, channel: str = "shop") -> int:
    number = next(_numbers)
    return row(
        connection,
        "conversations",
        public=f"c_{number}",
        channel=channel,
        chat=f"chat{number}",
        thread="",
        customer="u",
        customer_name="U",
        created_at=at,
        updated_at=at,
    )


def handoff(
    connection: sqlite3.Connection, key: int, requested: float, *, status: str = "resolved", **more: Any
) -> str:
    """A handoff row; `answered_at` and `rating` go where the store keeps them."""
    id = f"h_{next(_numbers)}"
    packed = {name: more.pop(name) for name in ("answered_at", "rating") if name in more}
    values = {
        "reason": "requested",
        "detail": "",
        "summary": "",
        "deadline": requested + 900,
        "ceiling": requested + 9000,
        "agent": "",
        "noticed": 0,
        "notes": "[]",
        "user": "u",
        "user_name": "U",
        **more,
    }
    more_column = json.dumps(packed) if packed else None
    row(
        connection,
        "handoffs",
        public=id,
        conversation=key,
        requested_at=requested,
        status=status,
        more=more_column,
        **values,
    )
    return id


def letter(connection: sqlite3.Connection, key: int, id: str, *, channel: str = "shop", **more: Any) -> None:
    """An outbox row, dead unless said otherwise."""
    values = {
        "kind": "message.reply",
        "text": "Two days.",
        "finished_at": NOW,
        "dead": 1,
        "error": "blocked",
        **more,
    }
    row(
        connection,
        "outbox",
        public=id,
        conversation=key,
        turn=1,
        channel=channel,
        user="u",
        user_name="U",
        in_reply_to="[]",
        part=1,
        parts=1,
        preview="",
        created_at=NOW,
        due_at=NOW,
        **values,
    )
