"""A database of the first edition: it gets the new columns and tables, and every old row is still read."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

from supportbot.errors import StoreNewer
from supportbot.stores import SqliteStore, maintenance
from supportbot.stores.migrations import TABLES, behind, migrations
from supportbot.testing.local_pair import local_pairs
from supportbot.testing.pairs import ANNA, NOW, finish, message, receive, start
from supportbot.types import (
    Action,
    Attachment,
    Button,
    ChatMessage,
    FlowState,
    Frame,
    Reply,
    Trace,
    Turn,
)

PAGES = ("shelf", "feed", "accounts", "sessions", "audit", "canned", "unanswered")
LATER = ("standings", "calls", "ledger", "counted", "places", "seats", "rota", *PAGES)
ROWS: Mapping[str, Mapping[str, Any]] = {
    "conversations": {
        "id": 1,
        "public": "c_old",
        "channel": "shop",
        "chat": "anna",
        "thread": "",
        "customer": ANNA.id,
        "customer_name": ANNA.name,
        "created_at": NOW,
        "updated_at": NOW,
        "turn": 1,
    },
    "messages": {"conversation": 1, "turn": 1, "role": 1, "tokens": 2, "content": "my pin is 1234"},
    "states": {
        "conversation": 1,
        "author": ANNA.id,
        "body": '[[["order","d1",[2,"then",0],"size",1]],{"n":3},[["s","Small","small"],["l","Large",""]]]',
    },
    "inbox": {
        "conversation": 1,
        "channel": "shop",
        "message": "m1",
        "kind": "message",
        "digest": "",
        "user": ANNA.id,
        "user_name": ANNA.name,
        "text": "my pin is 1234",
        "received_at": NOW,
        "ready_at": NOW,
        "turn": 1,
        "done_at": NOW,
    },
    "outbox": {
        "public": "o_old",
        "conversation": 1,
        "turn": 1,
        "channel": "shop",
        "kind": "message.reply",
        "user": ANNA.id,
        "user_name": ANNA.name,
        "in_reply_to": '["m1"]',
        "part": 1,
        "parts": 1,
        "text": "Which size?",
        "extra": '[["s","Small","small"],["l","Large",""]]',
        "preview": "",
        "created_at": NOW,
        "due_at": NOW,
    },
    "journal": {"conversation": 1, "turn": 2, "position": 1, "kind": "tool", "digest": "d", "result": None},
    "timers": {"conversation": 1, "name": "idle", "due_at": NOW + 5, "data": "{}"},
    "handoffs": {
        "public": "h_old",
        "conversation": 1,
        "reason": "requested",
        "detail": "",
        "summary": "",
        "requested_at": NOW,
        "deadline": NOW,
        "ceiling": NOW,
        "status": "resolved",
        "agent": "Ana",
        "noticed": 0,
        "notes": "[]",
        "user": ANNA.id,
        "user_name": ANNA.name,
    },
    "usage": {
        "conversation": 1,
        "turn": 1,
        "at": NOW,
        "model": "gpt-4.1-mini",
        "purpose": "reply",
        "prompt_tokens": 1,
        "cached_tokens": 0,
        "completion_tokens": 1,
        "cost": None,
        "outcome": "ok",
        "seconds": 0.5,
    },
    "traces": {"conversation": 1, "turn": 1, "at": NOW, "body": b'["v1",[{"step":"model"}]]'},
}
PENDING = {
    "message": "m2",
    "kind": "action",
    "text": "",
    "extra": json.dumps({"action": ["s", "small"], "files": [["a.png", "image/png", 3, ""]], "locale": "de"}),
    "turn": None,
    "done_at": None,
}
OLD_BUTTONS = (Button("s", "Small", "small"), Button("l", "Large"))


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A database as the first edition left it, with a row in each table and one message that waits."""
    path = tmp_path / "store.db"
    with closing(Database(path)) as database:
        migrations.apply(database, stop_before="m0002_channels")
        connection = database.conn
        for table, row in (*ROWS.items(), ("inbox", {**ROWS["inbox"], **PENDING})):
            marks = ", ".join("?" * len(row))
            connection.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", tuple(row.values()))
        connection.commit()
    return path


def test_the_first_edition_has_a_row_in_each_of_its_tables(old: Path) -> None:
    with closing(sqlite3.connect(old)) as connection:
        found = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        assert set(found) >= set(ROWS) and "aside" not in found
        assert set(TABLES) == {*ROWS, "aside", "tallies", *LATER}


async def test_everything_old_is_read_after_the_migration(old: Path) -> None:
    async with local_pairs(old)() as pair:
        store = pair.store
        assert await store.transcript("c_old") == (Turn(1, (ChatMessage("user", "my pin is 1234", 2),)),)
        (reply,) = await store.due(now=NOW, limit=9, busy=())
        assert reply.reply == Reply("Which size?", OLD_BUTTONS)
        assert (await store.handoff("h_old")).agent == "Ana"
        assert [usage.model for _, _, usage in await store.usage(since=NOW)] == ["gpt-4.1-mini"]
        (trace,) = await store.traces("c_old")
        assert trace["steps"] == Trace(({"step": "model"},)).steps
        assert await store.next_timer() == NOW + 5
        assert {name: count for name, count in (await store.counts()).items() if name in TABLES} == {
            **dict.fromkeys(ROWS, 1),
            "inbox": 2,
            "aside": 0,
            "tallies": 8,
            **dict.fromkeys(LATER, 0),
        }


async def test_an_old_turn_goes_on_with_its_buttons_and_its_press(old: Path) -> None:
    async with local_pairs(old)() as pair:
        begun = await start(pair)
        frame = Frame("order", "d1", (2, "then", 0), "size", 1)
        assert begun.states == {ANNA.id: FlowState((frame,), {"n": 3}, OLD_BUTTONS, typed=2)}
        (row,) = begun.pending
        assert row.message.action == Action("s", "small")
        assert row.message.attachments == (Attachment("a.png", "image/png", 3),)
        assert (row.message.locale, row.message.target, row.message.shared) == ("de", "", False)
        assert [entry.kind for entry in begun.journal] == ["tool"]


async def test_what_is_new_is_kept_beside_what_is_old(old: Path) -> None:
    picture = (ChatMessage("user", "see", 1, images=("a" * 64,), source="m2"),)
    async with local_pairs(old)() as pair:
        await finish(pair, await start(pair), turn=picture, replies=(Reply("x", private=True),))
        await pair.store.set_aside("shop", "u1", "{}", "It has no sender.", now=NOW)
    async with local_pairs(old)() as pair:
        first, second = await pair.store.transcript("c_old")
        assert [one.content for one in first.messages] == ["my pin is 1234"]
        assert second.messages == picture
        assert [row.id for row in await pair.store.aside()] == ["u1"]
        await receive(pair, message("m1"))
        assert (await pair.store.counts())["inbox_pending"] == 0, "what was answered before is not answered again"


async def test_a_reader_beside_an_old_database_says_what_to_do(old: Path) -> None:
    store = SqliteStore.read_only(old)
    with pytest.raises(Exception, match="migrate") as caught:
        await store.open()
    assert not isinstance(caught.value, StoreNewer)


def test_what_will_be_migrated_is_known_before(old: Path, tmp_path: Path) -> None:
    assert behind(old) == ["m0002_channels", "m0003_tools", "m0004_desks", "m0005_pages"]
    maintenance.migrate(old)
    assert behind(old) == []
    assert behind(tmp_path / "none.db") == []
    (tmp_path / "empty.db").touch()
    assert behind(tmp_path / "empty.db") == []
