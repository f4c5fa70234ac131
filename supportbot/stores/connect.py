"""Connections to one database file, each with the pragmas that its use needs."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from supportbot.errors import StoreError
from supportbot.stores.failures import translated, translated_os

BUSY_SECONDS = 5.0
_WAL_RESET_BUG = ((3, 7, 0), (3, 51, 2))

_NEW = ("PRAGMA auto_vacuum=INCREMENTAL",)  # can be said only while the file is empty
_WRITER = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA mmap_size=0",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA cache_size=-16000",
    "PRAGMA journal_size_limit=67108864",
)
_READER = ("PRAGMA query_only=ON", "PRAGMA mmap_size=0", "PRAGMA temp_store=MEMORY")


def library_warning(version: tuple[int, ...] = sqlite3.sqlite_version_info) -> str:
    """A sentence for the log when the SQLite library has the WAL-reset bug, "" otherwise."""
    first, last = _WAL_RESET_BUG
    if not first <= version <= last:
        return ""
    return (
        f"SQLite {'.'.join(map(str, version))} has the WAL-reset bug (3.7.0 to 3.51.2), which can damage a database "
        "that two connections write: supportbot writes through one only; let no other program write to its "
        "database, or upgrade SQLite to 3.51.3."
    )


def create_file(path: Path) -> None:
    """Makes the folder and an empty file that only its owner can read; an existing file stays as it is."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise translated_os(error, path) from error


def writing(path: Path) -> sqlite3.Connection:
    """The one connection that writes; its holder says BEGIN IMMEDIATE and COMMIT itself."""
    empty = path.exists() and path.stat().st_size == 0
    return _connected(_uri(path, "rw"), _NEW + _WRITER if empty else _WRITER, path)


def reading(path: Path) -> sqlite3.Connection:
    """A connection that cannot write; sees each commit as soon as it is durable."""
    if not path.exists():
        raise StoreError(f"There is no database at {path}: look at `store` in the config.")
    try:
        return _connected(_uri(path, "ro"), _READER, path)
    except StoreError:
        if _has_log(path):
            raise
        # a folder that cannot be written has no room for the log's index; without a log none is needed
        return _connected(_uri(path, "ro") + "&immutable=1", _READER, path)


def _has_log(path: Path) -> bool:
    log = path.with_name(path.name + "-wal")
    return log.exists() and log.stat().st_size > 0


def _uri(path: Path, mode: str) -> str:
    return f"{path.absolute().as_uri()}?mode={mode}"


def _connected(uri: str, pragmas: tuple[str, ...], path: Path) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(
            uri,
            uri=True,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
    except sqlite3.Error as error:
        raise translated(error, path) from error
    try:
        for pragma in pragmas:
            connection.execute(pragma).fetchall()
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        connection.close()
        raise translated(error, path) from error
    return connection
