"""Rows of conversations and handoffs as the console's lists show them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import replace

from supportbot.stores.codec import Row
from supportbot.stores.typed import short
from supportbot.types.finding import Found, FoundHandoff
from supportbot.types.messages import User

_LAST_SAID = """SELECT content FROM messages WHERE conversation = ? AND role = 1 AND content <> '' AND name IS NULL
    ORDER BY turn DESC, id DESC LIMIT 1"""
_LAST_HANDOFF = """SELECT handoffs.public, '', status, reason, agent, requested_at, ended_at, more, ''
    FROM handoffs WHERE conversation = ? ORDER BY id DESC LIMIT 1"""


def row_of(row: Row) -> Found:
    """From (key, id, channel, customer, name, created_at, updated_at)."""
    _, id, channel, customer, name, created_at, updated_at = row
    return Found(id, channel, User(customer, name), created_at, updated_at)


def found_handoff(row: Row) -> FoundHandoff:
    """From (id, conversation, status, reason, agent, requested_at, ended_at, more, summary)."""
    id, conversation, status, reason, agent, requested_at, ended_at, more, summary = row
    rating = json.loads(more).get("rating", 0) if more else 0
    return FoundHandoff(id, conversation, status, reason, agent, requested_at, ended_at, rating, summary)


def filled(connection: sqlite3.Connection, rows: Iterable[Row]) -> tuple[Found, ...]:
    """With the customer's last words and the newest handoff."""
    return tuple(_filled(connection, row) for row in rows)


def _filled(connection: sqlite3.Connection, row: Row) -> Found:
    said = connection.execute(_LAST_SAID, row[:1]).fetchone()
    handoff = connection.execute(_LAST_HANDOFF, row[:1]).fetchone()
    return replace(
        row_of(row),
        said=None if said is None else short(said[0]),
        handoff=None if handoff is None else replace(found_handoff(handoff), conversation=row[1]),
    )
