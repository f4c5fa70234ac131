"""Nothing accepted is lost: killed processes, full disks, read-only folders, foreign locks."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path

import pytest

from supportbot.errors import StoreBusy, StoreError, StoreFull, StoreNewer
from supportbot.stores import connect, maintenance
from supportbot.stores.sqlite import SqliteStore
from supportbot.testing.local_pair import local_pairs
from supportbot.testing.pairs import NOW, finish, message, receive, start, turn
from supportbot.types import Reply

ROOT = Path(__file__).parents[3]


@contextmanager
def child(name: str, path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, str(Path(__file__).with_name("children.py")), name, str(path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def stored_ids(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        return {id for (id,) in connection.execute("SELECT message FROM inbox")}


def test_every_acknowledged_message_survives_kill_minus_nine(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    acknowledged: set[str] = set()
    for _ in range(4):
        with child("write_receipts", path) as process:
            acknowledged |= {line(process) for _ in range(150)}
            process.kill()
            assert process.stdout is not None
            acknowledged |= {rest.strip() for rest in process.stdout if rest.endswith("\n")}
    assert len(acknowledged) >= 600
    assert acknowledged <= stored_ids(path)
    assert maintenance.check(path)[0].text.startswith(f"{len(stored_ids(path))} message(s) have waited")


def test_a_full_disk_refuses_and_keeps_what_was_accepted(tmp_path: Path) -> None:
    with child("fill", tmp_path / "store.db") as process:
        said, accepted, sentence = line(process).split("|")
        assert said == "full" and int(accepted) >= 5 and "Nothing was written" in sentence
        assert line(process) == f"stored|{int(accepted) + 1}", "with room again it goes on, and nothing is lost"


async def test_a_database_that_may_not_grow_fails_its_whole_batch_and_recovers(tmp_path: Path) -> None:
    async with local_pairs(tmp_path / "store.db")() as pair:
        store = pair.store
        assert isinstance(store, SqliteStore)
        await store._write(lambda connection: limit(connection, 60))
        sent = [message(f"m{n}", "x" * 20_000) for n in range(40)]
        results = await asyncio.gather(
            *(store.receive(one, now=NOW, ready_at=NOW) for one in sent), return_exceptions=True
        )
        refused = [result for result in results if isinstance(result, BaseException)]
        assert refused and all(isinstance(error, StoreFull) for error in refused)
        assert (await store.counts())["inbox"] == len(results) - len(refused)
        await store._write(lambda connection: limit(connection, 1_000_000))
        assert (await store.receive(message("later"), now=NOW, ready_at=NOW)).fresh


def limit(connection: sqlite3.Connection, pages: int) -> None:
    connection.execute(f"PRAGMA max_page_count={pages}").fetchall()


def test_a_second_process_is_told_who_owns_the_database(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with child("own", path) as owner:
        assert line(owner) == "open"
        with child("own", path) as second:
            said = line(second)
        assert said.startswith("StoreBusy") and f"process {owner.pid}" in said


def test_a_killed_owner_leaves_the_database_free(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with child("own", path) as owner:
        assert line(owner) == "open"
        with pytest.raises(StoreBusy, match=f"process {owner.pid}"):
            maintenance.migrate(path)
        owner.kill()
        owner.wait(10)
        assert maintenance.migrate(path) == []


async def test_a_program_outside_that_locks_the_database_is_named_busy(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    async with local_pairs(path)() as pair:
        assert isinstance(pair.store, SqliteStore)
        await pair.store._write(lambda c: c.execute("PRAGMA busy_timeout=100").fetchall())
        with closing(sqlite3.connect(path, isolation_level=None)) as foreign:
            foreign.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreBusy, match="outside supportbot"):
                await receive(pair, message("m1"))
            foreign.execute("ROLLBACK")
        assert (await receive(pair, message("m1")))[0].fresh


@asynccontextmanager
async def read_only_folder(path: Path) -> AsyncIterator[None]:
    """A mount that really refuses writes, also to root."""
    mounted = await asyncio.to_thread(_mount, path)
    if not mounted:
        pytest.skip("no right to mount here")
    try:
        yield
    finally:
        await asyncio.to_thread(subprocess.run, ["umount", str(path)], check=True)


def _mount(path: Path) -> bool:
    bind = subprocess.run(["mount", "--bind", str(path), str(path)], capture_output=True, check=False)
    if bind.returncode:
        return False
    again = ["mount", "-o", "remount,ro,bind", str(path)]
    if subprocess.run(again, capture_output=True, check=False).returncode:
        subprocess.run(["umount", str(path)], check=True)
        return False
    return True


async def test_a_read_only_folder_is_refused_for_writing_and_fine_for_reading(tmp_path: Path) -> None:
    folder = tmp_path / "bot"
    async with local_pairs(folder / "store.db")() as pair:
        begun = await turn(pair, message("m1"))
    async with read_only_folder(folder):
        with pytest.raises(StoreFull, match="Read-only"):
            async with local_pairs(folder / "store.db")():
                pass
        reader = SqliteStore.read_only(folder / "store.db")
        await reader.open()
        assert (await reader.conversation(begun.conversation.id)).turn == 1
        await reader.close()


async def test_reading_beside_a_running_server_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    async with local_pairs(path)() as pair:
        reader = SqliteStore.read_only(path)
        await reader.open()
        await turn(pair, message("m1"), replies=(Reply("hi"),))
        assert len(await reader.conversations()) == 1
        with pytest.raises(StoreError, match="reading only"):
            await reader.receive(message("m2"), now=NOW, ready_at=NOW)
        await reader.close()


async def test_a_newer_database_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    async with local_pairs(path)():
        pass
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('supportbot', 'm9_later', '')"
        )
        connection.commit()
    before = path.read_bytes()
    for store in (SqliteStore(path, enqueue=lambda *_: None), SqliteStore.read_only(path)):
        with pytest.raises(StoreNewer, match="newer supportbot"):
            await store.open()
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("content", "said"), [(b"not a database " * 100, "no SQLite database"), (None, "another program")]
)
async def test_what_is_not_our_database_is_refused(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "store.db"
    if content is None:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE theirs (id)")
    else:
        path.write_bytes(content)
    store = SqliteStore(path, enqueue=lambda *_: None)
    for _ in range(2):  # the first failure leaves no lock behind
        with pytest.raises(StoreError, match=said):
            await store.open()


async def test_the_file_is_for_its_owner_only_and_is_whole_after_closing(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "store.db"
    async with local_pairs(path)() as pair:
        await receive(pair, message("m1"))
        modes = {part.name: part.stat().st_mode & 0o777 for part in path.parent.iterdir()}
    assert set(modes.values()) == {0o600}, modes
    assert not path.with_name("store.db-wal").exists()
    assert stored_ids(path) == {"m1"}


def test_the_writer_waits_for_the_disk_at_each_commit(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    connect.create_file(path)
    with closing(connect.writing(path)) as connection:
        said = {
            name: connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "mmap_size", "foreign_keys", "busy_timeout")
        }
    assert said == {
        "journal_mode": "wal",
        "synchronous": 2,
        "mmap_size": 0,
        "foreign_keys": 1,
        "busy_timeout": 5000,
    }


async def test_a_call_after_closing_or_before_opening_is_an_error_and_not_a_hang(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db", enqueue=lambda *_: None)
    for _ in range(2):
        with pytest.raises(StoreError, match="not open"):
            await store.receive(message("m1"), now=NOW, ready_at=NOW)
        with pytest.raises(StoreError, match="not open"):
            await store.counts()
        await store.open()
        await store.close()


async def test_a_burst_of_receivers_and_turns_never_sees_a_locked_database(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    async with local_pairs(path)() as pair:
        backups = asyncio.create_task(asyncio.to_thread(repeat_backups, path, tmp_path))
        for round in range(10):
            sent = [message(f"{round}-{n}", chat=f"c{n}") for n in range(50)]
            await asyncio.gather(*(pair.store.receive(one, now=NOW, ready_at=NOW) for one in sent))
            begun = await asyncio.gather(*(start(pair) for _ in sent))
            await asyncio.gather(*(finish(pair, one, replies=(Reply("hi"),)) for one in begun))
        await backups
        assert (await pair.store.counts())["outbox_pending"] == 500


def repeat_backups(path: Path, folder: Path) -> None:
    for n in range(3):
        maintenance.backup(path, folder / f"backup-{n}.db")
        time.sleep(0.02)
