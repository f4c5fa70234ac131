"""What is remembered of a conversation is what the file says."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from supportbot.stores import SqliteStore
from supportbot.stores.recent import Recent
from supportbot.types import Address, ChatMessage, Lease, Message, Outcome, ToolCall, Turn, User

ODD = ChatMessage("user", "a \ud83d lone surrogate", 5)
CALLS = ChatMessage("assistant", "", 5, tool_calls=(ToolCall("1", "look", "{}"),))
RESULT = ChatMessage("tool", "found", 2, tool_call_id="1")


async def opened(path: Path) -> SqliteStore:
    store = SqliteStore(path, enqueue=lambda transaction, job: None)
    await store.open()
    return store


async def turn(
    store: SqliteStore, number: int, said: tuple[ChatMessage, ...], cut: int | None
) -> tuple[Turn, ...]:
    """Commits one turn; the past that it began with."""
    message = Message(Address("desk", "c"), f"m{number}", User("u"), "hi")
    receipt = await store.receive(message, now=time.time(), ready_at=0)
    lease = Lease(receipt.conversation, number, 1, time.time() + 60)
    start = await store.begin(lease, now=time.time())
    assert start is not None
    await store.commit(lease, Outcome((receipt.position,), said, cut=cut), now=time.time())
    return start.turns


async def test_a_turn_begins_with_the_same_past_whether_it_is_remembered_or_read(tmp_path: Path) -> None:
    plain = (ChatMessage("user", "hi", 1), ChatMessage("assistant", "ho", 1, name="Ana"))
    script = [
        (plain, None),
        ((ODD,), None),
        ((), None),
        ((CALLS, RESULT), None),
        (plain, 2),
        (plain, None),
        (plain, 6),
    ]
    remembering = await opened(tmp_path / "a.db")
    for number, (said, cut) in enumerate(script, 1):
        warm = await turn(remembering, number, said, cut)
        forgetful = await opened(tmp_path / "b.db")
        assert warm == await turn(forgetful, number, said, cut)
        await forgetful.close()
    await remembering.close()


def test_the_oldest_conversation_is_forgotten_first_and_the_size_is_bounded() -> None:
    recent = Recent(most=10)
    for name in ("a", "b", "c"):
        recent.put(name, 1, (Turn(1, (ChatMessage("user", "x", 1),) * 3),))
    assert [name for name in ("a", "b", "c") if recent.get(name)] == ["b", "c"]
    recent.put("b", 2, (Turn(2, (ChatMessage("user", "x", 1),) * 30),))
    assert recent.get("b") is None


@pytest.mark.parametrize("sequence", [1, 3])
def test_a_commit_that_does_not_follow_makes_it_forget(sequence: int) -> None:
    recent = Recent()
    recent.put("a", 1, ())
    recent.add("a", sequence, (ChatMessage("user", "x", 1),), None)
    assert recent.get("a") is None
