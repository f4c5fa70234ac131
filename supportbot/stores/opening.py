"""Opening the database: for its one writer, or for reading only."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from supportbot.errors import StoreError
from supportbot.stores import codec, connect, migrations, passing
from supportbot.stores.failures import translated
from supportbot.stores.lock import DatabaseLock

Readers = tuple[sqlite3.Connection, sqlite3.Connection]


def take(path: Path) -> tuple[DatabaseLock, sqlite3.Connection, Readers, list[codec.Row]]:
    """Owns, checks and migrates the database; on failure nothing is left open."""
    connect.create_file(path)
    lock = DatabaseLock(path)
    opened: list[sqlite3.Connection] = []
    try:
        opened.append(migrations.open_migrated(path)[0])
        opened += [connect.reading(path), connect.reading(path)]
        return lock, opened[0], (opened[1], opened[2]), passing.jobs(opened[0])
    except BaseException as error:
        for connection in opened:
            connection.close()
        lock.release()
        if isinstance(error, sqlite3.Error):
            raise translated(error, path) from error
        raise


def two_readers(path: Path) -> Readers:
    """Two connections to a database that this version can read."""
    first = connect.reading(path)
    try:
        db = migrations.database(first)
        migrations.refuse_foreign(db, path)
        if migrations.missing(db):
            raise StoreError(f"{path} was written by an older supportbot: run `supportbot db migrate` first.")
        return first, connect.reading(path)
    except BaseException as error:
        first.close()
        if isinstance(error, sqlite3.Error):
            raise translated(error, path) from error
        raise
