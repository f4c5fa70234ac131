"""What people and commands read, as functions over a read-only connection."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any

from supportbot.errors import NotFound
from supportbot.stores import codec, queries
from supportbot.stores.migrations import TABLES
from supportbot.types import Aside, Conversation, Handoff, Outgoing, Turn, Usage


def _row(connection: sqlite3.Connection, id: str) -> codec.Row:
    found: codec.Row | None = connection.execute(queries.CONVERSATION, (codec.clean(id),)).fetchone()
    if found is None:
        raise NotFound(f"There is no conversation {id!r}.")
    return found


def conversation(connection: sqlite3.Connection, id: str) -> Conversation:
    return codec.conversation(_row(connection, id))


def find(connection: sqlite3.Connection, address: tuple[str, str, str]) -> Conversation | None:
    found = connection.execute(queries.CONVERSATION_AT, tuple(codec.clean(part) for part in address)).fetchone()
    return None if found is None else codec.conversation(found)


def conversations(connection: sqlite3.Connection, limit: int, before: float | None) -> tuple[Conversation, ...]:
    until = float("inf") if before is None else before
    return tuple(codec.conversation(row) for row in connection.execute(queries.CONVERSATIONS, (until, limit)))


def transcript(connection: sqlite3.Connection, id: str, limit: int) -> tuple[Turn, ...]:
    key = _row(connection, id)[-2]
    oldest = connection.execute(queries.OLDEST_SHOWN, (key, limit)).fetchone()[0]
    if oldest is None:
        return ()
    return codec.turns(connection.execute(queries.MESSAGES_AFTER, (key, oldest - 1)))


def handoffs(connection: sqlite3.Connection, open_only: bool, limit: int) -> tuple[Handoff, ...]:
    query = queries.OPEN_HANDOFFS if open_only else queries.HANDOFFS
    return tuple(codec.handoff(row) for row in connection.execute(query, (limit,)))


def handoff(connection: sqlite3.Connection, id: str) -> Handoff:
    found = connection.execute(queries.HANDOFF, (codec.clean(id),)).fetchone()
    if found is None:
        raise NotFound(f"There is no handoff {id!r}.")
    return codec.handoff(found)


def traces(connection: sqlite3.Connection, id: str, limit: int) -> tuple[Mapping[str, Any], ...]:
    key = _row(connection, id)[-2]
    rows = connection.execute(queries.TRACES, (key, limit)).fetchall()
    return tuple(_trace(connection, key, row) for row in rows)


def _trace(connection: sqlite3.Connection, key: int, row: codec.Row) -> Mapping[str, Any]:
    sequence, at, body = row
    said = codec.trace(body)
    spent = tuple(Usage(*columns) for columns in connection.execute(queries.USAGE_OF_TURN, (key, sequence)))
    return {"sequence": sequence, "at": at, "config": said.config, "steps": said.steps, "usage": spent}


def usage(connection: sqlite3.Connection, since: float) -> tuple[tuple[str, str, Usage], ...]:
    rows = connection.execute(queries.USAGE, (since,))
    return tuple((id, channel, Usage(*columns)) for id, channel, *columns in rows)


def replies_to(connection: sqlite3.Connection, channel: str, message_id: str) -> tuple[Outgoing, ...]:
    rows = connection.execute(queries.REPLIES_TO, (codec.clean(channel), codec.clean(message_id)))
    return tuple(codec.outgoing(row) for row in rows)


def dead_letters(connection: sqlite3.Connection, limit: int) -> tuple[tuple[Outgoing, str], ...]:
    rows = connection.execute(queries.DEAD_LETTERS, (limit,))
    return tuple((codec.outgoing(row), row[-1] or "") for row in rows)


def aside(connection: sqlite3.Connection, limit: int) -> tuple[Aside, ...]:
    return tuple(Aside(*row) for row in connection.execute(queries.ASIDE, (limit,)))


def counts(connection: sqlite3.Connection) -> Mapping[str, int]:
    questions = {table: queries.COUNT.format(table=table) for table in TABLES}
    questions["inbox_pending"] = queries.COUNT_INBOX_PENDING
    questions["outbox_pending"] = queries.COUNT_OUTBOX_PENDING
    questions["outbox_dead"] = queries.COUNT_OUTBOX_DEAD
    return {name: connection.execute(question).fetchone()[0] for name, question in questions.items()}
