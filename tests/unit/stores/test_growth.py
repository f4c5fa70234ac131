"""Costs that must not grow with what is stored."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from supportbot.stores import committing, connect, migrations, passing, queries, turns
from supportbot.stores.codec import inbound_columns
from supportbot.testing.pairs import NOW, message
from supportbot.types import ChatMessage, Lease, Outcome, Reply

ROUTES = committing.EventRoutes()


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    path = tmp_path / "store.db"
    connect.create_file(path)
    opened, _ = migrations.open_migrated(path)
    with closing(opened):
        opened.execute("BEGIN IMMEDIATE")
        yield opened
        opened.execute("ROLLBACK")


def add_turns(connection: sqlite3.Connection, count: int, **outcome: object) -> Lease:
    """Commits turns in the one conversation, leaves one message pending; the lease for it."""
    said = (ChatMessage("user", "Hello"), ChatMessage("assistant", "Hi"))
    for _ in range(count):
        begun = turns.begin(connection, receive(connection))
        assert begun is not None
        consumed = tuple(row.position for row in begun.pending)
        packed = committing.pack(Outcome(consumed, turn=said, cut=max(begun.lease.sequence - 5, 0)), NOW)
        committing.commit(connection, begun.lease, packed, ROUTES, NOW)
    return receive(connection)


def receive(connection: sqlite3.Connection) -> Lease:
    number = connection.execute("SELECT count(*) FROM inbox").fetchone()[0]
    sent = message(f"m{number}")
    received = turns.receive(connection, sent, inbound_columns(sent), (NOW, NOW), lambda *_: None)
    assert received.fence is not None
    return Lease(received.receipt.conversation, received.fence[0] + 1, 1, NOW)


def steps(connection: sqlite3.Connection, function: object) -> int:
    """Virtual machine steps in tens: the work SQLite did, whatever the machine's speed."""
    counted = 0

    def count() -> int:
        nonlocal counted
        counted += 1
        return 0

    connection.set_progress_handler(count, 10)
    try:
        function()  # type: ignore[operator]
    finally:
        connection.set_progress_handler(None, 0)
    return counted


def test_beginning_a_turn_costs_the_same_after_ten_turns_and_after_five_thousand(
    connection: sqlite3.Connection,
) -> None:
    few = add_turns(connection, 10)
    first = steps(connection, lambda: turns.begin(connection, few))
    packed = committing.pack(Outcome((), cut=5), NOW)
    committing.commit(connection, few, packed, ROUTES, NOW)
    many = add_turns(connection, 5000)
    assert many.sequence == 5012
    assert steps(connection, lambda: turns.begin(connection, many)) <= first * 1.2 + 2


def test_a_history_that_is_never_cut_is_bounded(connection: sqlite3.Connection) -> None:
    lease = add_turns(connection, 400)
    connection.execute("UPDATE conversations SET cut = 0")
    begun = turns.begin(connection, lease)
    assert begun is not None
    assert [turn.sequence for turn in begun.turns] == list(range(201, 401))


def test_looking_for_what_is_due_does_not_touch_a_hundred_thousand_finished_rows(
    connection: sqlite3.Connection,
) -> None:
    lease = add_turns(connection, 0)
    committing.commit(connection, lease, committing.pack(Outcome((), replies=(Reply("hi"),)), NOW), ROUTES, NOW)
    (alone,) = passing.due(connection, NOW, 10, ())
    before = steps(connection, lambda: passing.due(connection, NOW, 10, ()))
    connection.execute(
        """WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
        INSERT INTO outbox (public, conversation, turn, channel, kind, user, user_name, in_reply_to, part, parts,
        text, preview, created_at, due_at, finished_at)
        SELECT 'msg_' || i, 1, 1, 'shop', 'message.reply', '', '', '[]', 1, 1, '', '', 0, 0, 1 FROM n"""
    )
    assert steps(connection, lambda: passing.due(connection, NOW, 10, ())) <= before + 1
    assert passing.due(connection, NOW, 10, ()) == (alone,)


HOT = [
    "FIND_REPEAT", "FIND_ADDRESS", "FENCE", "SET_ATTEMPT", "PENDING", "MESSAGES_AFTER", "STATE", "JOURNAL", "CONSUME",
    "DROP_STATE", "DROP_TIMER", "DROP_JOURNAL", "END_TURN", "LANE_WAITS", "HAS_PENDING", "DUE", "OUTGOING",
    "REPLIES_TO", "DELIVERED", "POSTPONE", "BURY", "UNSENT", "DUE_TIMERS", "OVERDUE", "JOBS", "SWEEP_INBOX",
    "SWEEP_OUTBOX", "CONVERSATION", "CONVERSATION_AT", "CONVERSATIONS", "OLDEST_SHOWN", "HANDOFF", "OPEN_HANDOFF",
    "OPEN_HANDOFFS", "TRACES", "USAGE_OF_TURN", "DEAD_LETTERS", "NEXT_TIMER",
]  # fmt: skip
WALKS_AN_INDEX = {"OVERDUE", "JOBS", "CONVERSATIONS", "DEAD_LETTERS", "OPEN_HANDOFFS", "NEXT_TIMER"}
"""These read an index of few rows, or its end only; all others look rows up."""
_TABLE = re.compile(r"SCAN (?!waiting|CONSTANT|\(subquery)\w+.*")


@pytest.mark.parametrize("name", HOT)
def test_frequent_questions_look_rows_up_and_never_read_a_whole_table(
    connection: sqlite3.Connection, name: str
) -> None:
    query: str = getattr(queries, name)
    plan = connection.execute("EXPLAIN QUERY PLAN " + query, (1,) * query.count("?")).fetchall()
    scans = [detail for *_, detail in plan if _TABLE.fullmatch(detail)]
    if name in WALKS_AN_INDEX:
        scans = [detail for detail in scans if " USING " not in detail]
    assert not scans
