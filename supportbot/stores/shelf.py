"""What channels keep that are their own platform: values by key, and the feed of each chat."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

from supportbot.stores import codec
from supportbot.stores.codec import Row, clean
from supportbot.stores.run import Run
from supportbot.types import Entry

_GET = "SELECT value FROM shelf WHERE channel = ? AND key = ? AND (until IS NULL OR until > ?)"
_PUT = """INSERT INTO shelf (channel, key, value, until) VALUES (?, ?, ?, ?)
    ON CONFLICT (channel, key) DO UPDATE SET value = excluded.value, until = excluded.until"""
_REMOVE = "DELETE FROM shelf WHERE channel = ? AND key = ?"
_APPEND = """INSERT INTO feed (channel, chat, key, at, body) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (channel, key) DO NOTHING"""
_ENTRY = "SELECT id, key, at, body FROM feed WHERE channel = ? AND "
_BY_KEY = _ENTRY + "key = ?"
_AT = _ENTRY + "chat = ? AND id = ?"
_AFTER = _ENTRY + "chat = ? AND id > ? ORDER BY id LIMIT ?"
_BEFORE = _ENTRY + "chat = ? AND id < ? ORDER BY id DESC LIMIT ?"
_LAST = 2**62
SWEEP = "DELETE FROM shelf WHERE until < ?"


class SqliteShelf:
    """A `supportbot.protocols.Shelf`: one channel's."""

    def __init__(self, channel: str, read: Run, write: Run, clock: Callable[[], float]) -> None:
        self._channel = clean(channel)
        self._read = read
        self._write = write
        self._clock = clock

    async def get(self, key: str) -> Mapping[str, Any] | None:
        values = (self._channel, clean(key), self._clock())
        found = await self._read(lambda connection: connection.execute(_GET, values).fetchone())
        return None if found is None else json.loads(found[0])

    async def put(self, key: str, value: Mapping[str, Any], *, until: float | None = None) -> None:
        values = (self._channel, clean(key), codec.dump(value), until)
        await self._write(lambda connection: connection.execute(_PUT, values).rowcount)

    async def remove(self, key: str) -> None:
        values = (self._channel, clean(key))
        await self._write(lambda connection: connection.execute(_REMOVE, values).rowcount)

    async def append(self, chat: str, key: str, body: Mapping[str, Any]) -> Entry:
        values = (clean(chat), clean(key), self._clock(), codec.dump(body))
        return _entry(await self._write(lambda connection: append(connection, self._channel, values)))

    async def entries(
        self, chat: str, *, after: int | None = None, before: int | None = None, limit: int = 100
    ) -> tuple[Entry, ...]:
        newest = after is None
        query = _BEFORE if newest else _AFTER
        edge = (_LAST if before is None else before) if after is None else after
        values = (self._channel, clean(chat), edge, limit)
        rows = await self._read(lambda connection: connection.execute(query, values).fetchall())
        return tuple(_entry(row) for row in (reversed(rows) if newest else rows))

    async def entry(self, chat: str, position: int) -> Entry | None:
        values = (self._channel, clean(chat), position)
        found = await self._read(lambda connection: connection.execute(_AT, values).fetchone())
        return None if found is None else _entry(found)


def append(connection: sqlite3.Connection, channel: str, values: Row) -> Row:
    """Adds (chat, key, at, body) to the feed; the row that stands there under the key."""
    connection.execute(_APPEND, (channel, *values))
    found: Row = connection.execute(_BY_KEY, (channel, values[1])).fetchone()
    return found


def _entry(row: Row) -> Entry:
    position, key, at, body = row
    return Entry(position, key, at, json.loads(body))
