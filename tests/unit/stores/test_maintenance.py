"""Backup, restore, check, migrate."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from supportbot.errors import StoreBusy, StoreError
from supportbot.stores import library_warning, maintenance
from supportbot.testing.local_pair import local_pairs
from supportbot.testing.pairs import message, receive, turn
from supportbot.types import ChatMessage, Reply


async def test_a_backup_beside_a_running_server_can_be_restored(tmp_path: Path) -> None:
    path, copy = tmp_path / "store.db", tmp_path / "copy.db"
    async with local_pairs(path)() as pair:
        begun = await turn(pair, message("m1"), turn=(ChatMessage("user", "hello"),))
        await asyncio.to_thread(maintenance.backup, path, copy)
        await turn(pair, message("m2"))
        with pytest.raises(StoreBusy):
            maintenance.restore(copy, path)
    assert sorted(part.name for part in tmp_path.glob("copy*")) == ["copy.db"]
    kept = maintenance.restore(copy, path)
    assert kept is not None and ".before-restore-" in kept.name
    async with local_pairs(path)() as pair:
        assert (await pair.store.conversation(begun.conversation.id)).turn == 1
        assert len(await pair.store.transcript(begun.conversation.id)) == 1
    async with local_pairs(kept)() as pair:
        assert (await pair.store.conversation(begun.conversation.id)).turn == 2


async def test_a_backup_overwrites_nothing_and_leaves_nothing_half_done(tmp_path: Path) -> None:
    path, target = tmp_path / "store.db", tmp_path / "target.db"
    async with local_pairs(path)():
        target.write_text("precious")
        with pytest.raises(StoreError, match="exists already"):
            maintenance.backup(path, target)
    assert target.read_text() == "precious"
    with pytest.raises(StoreError, match="There is no database"):
        maintenance.backup(tmp_path / "missing.db", tmp_path / "other.db")
    assert not list(tmp_path.glob("other*"))


@pytest.mark.parametrize("damage", ["text", "torn", "foreign", "missing"])
async def test_a_bad_backup_is_refused_and_the_database_stays(tmp_path: Path, damage: str) -> None:
    path, bad = tmp_path / "store.db", tmp_path / "bad.db"
    async with local_pairs(path)() as pair:
        await receive(pair, *(message(f"m{n}", "x" * 3000) for n in range(30)))
    if damage == "text":
        bad.write_bytes(b"no database at all" * 400)
    elif damage == "torn":
        whole = path.read_bytes()
        bad.write_bytes(whole[:60_000] + b"\xff" * 8192 + whole[68_192:])
    elif damage == "foreign":
        with closing(sqlite3.connect(bad)) as connection:
            connection.execute("CREATE TABLE theirs (id)")
    before = path.read_bytes()
    with pytest.raises(StoreError):
        maintenance.restore(bad, path)
    assert path.read_bytes() == before
    assert not list(tmp_path.glob("*.partial")) and not list(tmp_path.glob("*before-restore*"))


async def test_a_restore_replaces_a_database_damaged_beyond_opening(tmp_path: Path) -> None:
    path, copy = tmp_path / "store.db", tmp_path / "copy.db"
    async with local_pairs(path)() as pair:
        await receive(pair, message("m1"))
    maintenance.backup(path, copy)
    path.write_bytes(b"rubbish" * 1000)
    maintenance.restore(copy, path)
    async with local_pairs(path)() as pair:
        assert (await pair.store.counts())["inbox_pending"] == 1


async def test_a_sound_database_has_no_findings_and_a_broken_one_tells_each(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    async with local_pairs(path)() as pair:
        await turn(pair, message("m1"), turn=(ChatMessage("user", "hello"),))
        assert await asyncio.to_thread(maintenance.check, path) == []
        await turn(pair, message("m2"), replies=(Reply("hi"),))
        await receive(pair, message("m3"))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE conversations SET cut = 9")
        connection.execute("UPDATE messages SET turn = 8")
        connection.execute("INSERT INTO states VALUES (77, 'a', '[]')")
        connection.commit()
    said = " ".join(map(str, maintenance.check(path)))
    for expected in ("no conversations", "never committed", "after its end", "waited for a turn", "outgoing"):
        assert expected in said


def test_missing_migrations_are_found_and_applied(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    sqlite3.connect(path).close()
    path.touch()
    assert "db migrate" in str(maintenance.check(path)[0])
    names = ["m0001_first_edition", "m0002_channels", "m0003_tools", "m0004_desks", "m0005_pages"]
    assert maintenance.migrate(path) == names
    assert maintenance.migrate(path) == []
    assert maintenance.check(path) == []
    with pytest.raises(StoreError, match="There is no database"):
        maintenance.migrate(tmp_path / "missing.db")


def test_the_library_is_warned_about_in_the_range_of_its_bug_only() -> None:
    assert "WAL-reset" in library_warning((3, 40, 1)) and "3.51.3" in library_warning((3, 51, 2))
    assert library_warning((3, 51, 3)) == library_warning((3, 6, 23)) == ""
