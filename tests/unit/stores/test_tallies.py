"""What happens is counted in the transaction in which it happens, once, and cheaply."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from counted import conversation, database, handoff, row, said, tallies, took

from supportbot.errors import StaleLease
from supportbot.stores import committing, turns
from supportbot.stores import tallies as counting
from supportbot.stores.codec import inbound_columns
from supportbot.testing.pairs import NOW, message
from supportbot.types import ChatMessage, Handoff, Outcome, Reply, Trace, Usage

HOUR = int(NOW // 3600)
PRICED = Usage("gpt-5", "reply", 1000, 300, 50, 1700, at=NOW)
UNPRICED = Usage("local", "reply", 10, 0, 5, None, at=NOW)
FAILED = Usage("gpt-5", "reply", outcome="unavailable", at=NOW)


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with database(tmp_path) as opened:
        yield opened


def opened(id: str, at: float = NOW) -> Handoff:
    return Handoff(id, "c", "requested", "", "", at, at + 900, at + 9000)


def test_a_message_counts_once_and_opens_its_conversation_once(connection: sqlite3.Connection) -> None:
    said(connection)
    said(connection)
    said(connection, chat="ben", channel="web")
    assert connection.execute("SELECT * FROM tallies ORDER BY 2, 3").fetchall() == [
        (HOUR, "shop", "conversations", 1),
        (HOUR, "shop", "messages", 2),
        (HOUR, "web", "conversations", 1),
        (HOUR, "web", "messages", 1),
    ]


def test_a_repeated_message_is_not_counted_again(connection: sqlite3.Connection) -> None:
    sent = message("same")
    for _ in range(2):
        turns.receive(connection, sent, inbound_columns(sent), (NOW, NOW), lambda *_: None)
    assert tallies(connection) == {"conversations": 1, "messages": 1}


@pytest.mark.parametrize("kind", ["event", "timer", "human.message", "message.edited", "call"])
def test_what_is_no_message_of_a_customer_counts_as_none(connection: sqlite3.Connection, kind: str) -> None:
    said(connection)
    said(connection, kind=kind)
    assert tallies(connection)["messages"] == 1


def test_a_turn_counts_its_replies_by_who_wrote_them(connection: sqlite3.Connection) -> None:
    written = (
        ChatMessage("user", "Hi"),
        ChatMessage("assistant", "Yes.", name="Ana"),
        ChatMessage("assistant", "Hello"),
    )
    took(connection, turn=written, replies=(Reply("Yes.", author="Ana"), Reply("Hello")))
    assert (tallies(connection)["replies"], tallies(connection)["agent_replies"]) == (1, 1)


def test_a_turn_counts_tokens_and_money_by_model(connection: sqlite3.Connection) -> None:
    took(connection, usage=(PRICED, PRICED, UNPRICED, FAILED))
    counts = {name: amount for name, amount in tallies(connection).items() if ":" in name}
    assert counts == {
        "calls:gpt-5": 3,
        "prompt:gpt-5": 2000,
        "cached:gpt-5": 600,
        "completion:gpt-5": 100,
        "cost:gpt-5": 3400,
        "calls:local": 1,
        "prompt:local": 10,
        "completion:local": 5,
        "unpriced:local": 1,
    }


def test_an_open_question_is_counted_and_found_by_its_turn(connection: sqlite3.Connection) -> None:
    took(connection)
    took(connection, unanswered=True)
    assert tallies(connection)["unanswered"] == 1
    assert connection.execute("SELECT turn, at FROM unanswered").fetchall() == [(2, NOW)]


def test_a_handoff_counts_when_it_opens_and_its_conversation_where_that_began(
    connection: sqlite3.Connection,
) -> None:
    later = NOW + 7200
    took(connection)
    took(connection, now=later, handoff=opened("h_1", later))
    took(connection, now=later, handoff=opened("h_1", later))  # changed, not new
    took(connection, now=later + 3600, handoff=opened("h_2", later))
    found = connection.execute(
        "SELECT hour, name, amount FROM tallies WHERE name LIKE 'hand%' ORDER BY 1, 2"
    ).fetchall()
    assert found == [(HOUR, "handed_over", 1), (HOUR + 2, "handoffs", 1), (HOUR + 3, "handoffs", 1)]


def test_a_turn_that_is_refused_counts_nothing(connection: sqlite3.Connection) -> None:
    lease = took(connection)
    before = tallies(connection)
    packed = committing.pack(Outcome((), replies=(Reply("Twice"),), usage=(PRICED,)), NOW)
    with pytest.raises(StaleLease):
        committing.commit(connection, lease, packed, committing.EventRoutes(), NOW)
    assert tallies(connection) == before


def test_counting_a_turn_costs_a_few_statements(connection: sqlite3.Connection) -> None:
    took(connection)
    outcome = Outcome((), turn=(ChatMessage("assistant", "Yes.", 1),), usage=(PRICED,))
    statements: list[str] = []
    connection.execute("BEGIN IMMEDIATE")
    connection.set_trace_callback(statements.append)
    counting.count_turn(connection, (1, 2), "shop", outcome, NOW)
    connection.set_trace_callback(None)
    assert len(statements) == 6
    connection.execute("COMMIT")


def test_what_an_older_version_left_is_counted_by_the_migration(connection: sqlite3.Connection) -> None:
    first, second = conversation(connection, NOW), conversation(connection, NOW + 3600, "web")
    for at, (role, name) in enumerate([(1, None), (2, None), (2, "Ana")]):
        row(connection, "messages", conversation=first, turn=1, role=role, tokens=1, content=f"{at}", name=name)
    row(connection, "messages", conversation=first, turn=1, role=2, tokens=1, content="", tool_calls="[]")
    row(connection, "traces", conversation=first, turn=1, at=NOW + 10, body=b"[]")
    handoff(connection, first, NOW + 5, reason="no_answer")
    handoff(connection, first, NOW + 6, reason="requested")
    for model, cost in (("gpt-5", 40), ("gpt-5", 2), ("local", None)):
        row(
            connection, "usage", conversation=second, turn=1, at=NOW + 7200, model=model, purpose="reply",
            prompt_tokens=10, cached_tokens=0, completion_tokens=1, cost=cost, outcome="ok", seconds=1.0,
        )  # fmt: skip
    counting.backfill(connection)
    assert tallies(connection) == {
        "conversations": 2,
        "messages": 1,
        "replies": 1,
        "agent_replies": 1,
        "handoffs": 2,
        "handed_over": 1,
        "unanswered": 1,
        "calls:gpt-5": 2,
        "prompt:gpt-5": 20,
        "completion:gpt-5": 2,
        "cost:gpt-5": 42,
        "calls:local": 1,
        "prompt:local": 10,
        "completion:local": 1,
        "unpriced:local": 1,
    }
    assert connection.execute("SELECT conversation, turn FROM unanswered").fetchall() == [(first, 1)]
    spent = connection.execute("SELECT DISTINCT hour, channel FROM tallies WHERE name LIKE 'calls:%'").fetchall()
    assert spent == [(HOUR + 2, "web")]


def test_counting_what_was_left_comes_to_the_same_as_counting_as_it_happened(
    connection: sqlite3.Connection,
) -> None:
    written = (ChatMessage("user", "Hi"), ChatMessage("assistant", "Hello"))
    for chat in ("anna", "ben"):
        took(
            connection, chat=chat, turn=written, replies=(Reply("Hello"),), usage=(PRICED, UNPRICED),
            trace=Trace(({"step": "model"},)),
        )  # fmt: skip
    as_it_happened = connection.execute("SELECT * FROM tallies").fetchall()
    connection.execute("DELETE FROM tallies")
    counting.backfill(connection)
    assert connection.execute("SELECT * FROM tallies").fetchall() == as_it_happened
