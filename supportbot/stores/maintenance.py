"""Care for a database file: backup, restore, check, migrate. Plain functions for commands; none needs an event loop."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from supportbot.errors import StoreError
from supportbot.stores import connect, migrations, queries
from supportbot.stores.failures import translated, translated_os
from supportbot.stores.lock import DatabaseLock

_STUCK_SECONDS = 3600.0
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong in a database: what, and what to do."""

    text: str

    def __str__(self) -> str:
        return self.text


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise translated(error, path) from error
    except OSError as error:
        raise translated_os(error, path) from error


def backup(source: Path, target: Path) -> None:
    """Writes a complete, verified copy as one file; the server may go on writing meanwhile.

    Raises StoreError when `target` exists or `source` is no supportbot database, StoreFull without room.
    """
    if target.exists():
        raise StoreError(f"{target} exists already: name a file that does not, nothing is overwritten.")
    partial = target.with_name(target.name + ".partial")
    _copy(source, partial)
    with _explained(target):
        partial.rename(target)
        _sync_folder(target.parent)


def restore(backup: Path, target: Path) -> Path | None:
    """Puts a verified copy of `backup` in the place of `target`; where the replaced file is now, None if none was.

    Raises StoreBusy while a server owns `target`, StoreError for a backup that is damaged or not supportbot's.
    """
    if not backup.exists():
        raise StoreError(f"There is no backup at {backup}: look at the path.")
    with _explained(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    lock = DatabaseLock(target)
    try:
        partial = target.with_name(target.name + ".partial")
        _copy(backup, partial)
        with _explained(target):
            kept = _put_aside(target)
            partial.rename(target)
            _sync_folder(target.parent)
        return kept
    finally:
        lock.release()


def migrate(path: Path) -> list[str]:
    """Brings a database to this version; the names of what was applied, in order. Raises StoreBusy, StoreNewer."""
    if not path.exists():
        raise StoreError(f"There is no database at {path}: look at `store` in the config.")
    lock = DatabaseLock(path)
    try:
        with _explained(path):
            connection, applied = migrations.open_migrated(path)
            connection.close()
        return applied
    finally:
        lock.release()


def check(path: Path) -> list[Finding]:
    """Everything found wrong, [] for a sound database; a running server is not disturbed.

    Raises StoreError when there is no database, and when it is damaged beyond reading.
    """
    with _explained(path), closing(connect.reading(path)) as connection:
        findings = _damage(connection)
        if findings:
            return findings
        db = migrations.database(connection)
        migrations.refuse_foreign(db, path)
        missing = migrations.missing(db)
        if missing:
            return [Finding(f"migrations are missing ({', '.join(missing)}): run `supportbot db migrate`.")]
        return _dangling(connection) + _stuck(connection, time.time())


# --- copying -------------------------------------------------------------------------------------------------


def _copy(source: Path, target: Path) -> None:
    """A verified single-file copy; nothing is left of it on failure."""
    try:
        with closing(connect.reading(source)) as origin, _explained(source):
            migrations.refuse_foreign(migrations.database(origin), source)
            _copy_pages(origin, target)
            _verify(target, source)
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def _copy_pages(origin: sqlite3.Connection, target: Path) -> None:
    target.unlink(missing_ok=True)
    connect.create_file(target)
    with _explained(target), closing(sqlite3.connect(target, isolation_level=None)) as copy:
        origin.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE").fetchall()
    with target.open("rb") as file:
        os.fsync(file.fileno())


def _verify(copy: Path, source: Path) -> None:
    with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
        if not migrations.migrations.applied(migrations.database(connection)):
            raise StoreError(f"{source} holds nothing of supportbot: name another file.")
        findings = _damage(connection)
    if findings:
        raise StoreError(f"{source} is damaged ({findings[0]}): use another backup.")


def _put_aside(target: Path) -> Path | None:
    """Renames a database together with its log, which may hold its newest rows."""
    if not target.exists():
        return None
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    kept = target.with_name(f"{target.name}.before-restore-{stamp}")
    if kept.exists():
        raise StoreError(f"{kept} exists already: wait a second and restore again.")
    for suffix in ("-wal", "-shm", ""):
        part = target.with_name(target.name + suffix)
        if part.exists():
            part.rename(kept.with_name(kept.name + suffix))
    return kept


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# --- looking -------------------------------------------------------------------------------------------------


def _damage(connection: sqlite3.Connection) -> list[Finding]:
    rows = connection.execute(f"PRAGMA integrity_check({_SHOWN})").fetchall()
    return [
        Finding(f"damage: {text}; run `supportbot db restore` with a backup.") for (text,) in rows if text != "ok"
    ]


def _dangling(connection: sqlite3.Connection) -> list[Finding]:
    orphans = connection.execute("PRAGMA foreign_key_check").fetchmany(_SHOWN)
    findings = [Finding(f"row {row} of {table} belongs to no {parent}.") for table, row, parent, _ in orphans]
    questions = (
        (queries.CHECK_TURNS, "{} message(s) belong to turns that were never committed."),
        (queries.CHECK_CUTS, "{} conversation(s) cut their history after its end."),
        (queries.CHECK_DONE, "{} done inbox row(s) name no turn."),
    )
    return findings + _answers(connection, questions, ())


def _stuck(connection: sqlite3.Connection, now: float) -> list[Finding]:
    questions = (
        (
            queries.CHECK_INBOX,
            "{} message(s) have waited for a turn for over an hour: is `supportbot serve` running?",
        ),
        (queries.CHECK_OUTBOX, "{} outgoing message(s) have waited for over an hour: look at the channel."),
    )
    dead = ((queries.COUNT_OUTBOX_DEAD, "{} message(s) could not be delivered (dead letters)."),)
    return _answers(connection, questions, (now - _STUCK_SECONDS,)) + _answers(connection, dead, ())


def _answers(
    connection: sqlite3.Connection, questions: tuple[tuple[str, str], ...], values: tuple[float, ...]
) -> list[Finding]:
    counted = [(connection.execute(question, values).fetchone()[0], sentence) for question, sentence in questions]
    return [Finding(sentence.format(number)) for number, sentence in counted if number]
