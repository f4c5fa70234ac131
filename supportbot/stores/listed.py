"""Rows of conversations and handoffs as the console's lists show them, and where a list goes on."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import replace

from supportbot.errors import UsageError
from supportbot.stores.codec import Row
from supportbot.stores.typed import short
from supportbot.types.finding import Found, FoundHandoff
from supportbot.types.messages import User

COLUMNS = """conversations.id, conversations.public, conversations.channel, conversations.customer,
    conversations.customer_name, conversations.created_at, conversations.updated_at"""
BEFORE = "updated_at <= ? AND (updated_at < ? OR conversations.id < ?)"
"""The values are those of a place, the first one twice."""
_LAST_SAID = """SELECT content FROM messages WHERE conversation = ? AND role = 1 AND content <> '' AND name IS NULL
    ORDER BY turn DESC, id DESC LIMIT 1"""
_LAST_HANDOFF = """SELECT handoffs.public, '', status, reason, agent, requested_at, ended_at, more, ''
    FROM handoffs WHERE conversation = ? ORDER BY id DESC LIMIT 1"""

# one look at the index for each channel, however many conversations it has
_CHANNELS = """WITH RECURSIVE names (name) AS (
        SELECT min(channel) FROM conversations UNION ALL
        SELECT (SELECT min(channel) FROM conversations WHERE channel > name) FROM names WHERE name IS NOT NULL)
    SELECT name FROM names WHERE name IS NOT NULL LIMIT 1000"""

_LARGEST_KEY = 2**62
START = (float("inf"), -1)
"""Every row is before it."""


def channels(connection: sqlite3.Connection) -> tuple[str, ...]:
    """Every channel that has a conversation, by name."""
    return tuple(name for (name,) in connection.execute(_CHANNELS))


def place(row: Row) -> str:
    """Where the row (as of `row_of`) stands in a list by the last change."""
    return f"{row[6]!r}~{row[0]}"


def before(place: str) -> tuple[float, int]:
    """(when the row there changed, its key). UsageError for what is no place."""
    at, _, key = place.partition("~")
    try:
        if -1 <= int(key) <= _LARGEST_KEY:
            return float(at), int(key)
    except ValueError:
        pass
    raise lost()


def lost() -> UsageError:
    return UsageError("This page of the list cannot be found any more: begin the search again.")


def row_of(row: Row) -> Found:
    """From COLUMNS: (key, id, channel, customer, name, created_at, updated_at)."""
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
