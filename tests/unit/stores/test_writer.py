"""The writer's batches and cancellations, over a real file."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from supportbot.errors import StaleLease
from supportbot.stores import connect
from supportbot.stores.writer import Writer


@pytest.fixture
async def writer(tmp_path: Path) -> AsyncIterator[Writer]:
    path = tmp_path / "plain.db"
    connect.create_file(path)
    connection = connect.writing(path)
    connection.execute("CREATE TABLE said (word TEXT UNIQUE)")
    opened = Writer(connection, path, "test")
    opened.start()
    yield opened
    await opened.stop()


def say(connection: sqlite3.Connection, word: str) -> str:
    connection.execute("INSERT INTO said VALUES (?)", (word,))
    return word


async def said(writer: Writer) -> set[str]:
    return await writer.run(lambda c: {word for (word,) in c.execute("SELECT word FROM said")})


async def block(writer: Writer) -> tuple[threading.Event, asyncio.Task[str]]:
    """Holds the writer in the middle of a function that says "first", until the event is set."""
    going, gate = threading.Event(), threading.Event()

    def first(connection: sqlite3.Connection) -> str:
        going.set()
        gate.wait(10)
        return say(connection, "first")

    task = asyncio.create_task(writer.run(first))
    await asyncio.to_thread(going.wait, 10)
    return gate, task


async def test_what_waits_together_is_one_transaction_and_a_failure_is_undone_alone(writer: Writer) -> None:
    gate, first = await block(writer)
    begun: list[bool] = []

    def spoilt(connection: sqlite3.Connection) -> None:
        say(connection, "spoilt")
        raise StaleLease("no")

    def counted(word: str, connection: sqlite3.Connection) -> str:
        begun.append(connection.in_transaction)
        return say(connection, word)

    calls = [writer.run(lambda c, word=word: counted(word, c)) for word in ("a", "b", "first")]  # type: ignore[misc]
    waiting = asyncio.gather(*calls, writer.run(spoilt), return_exceptions=True)
    await asyncio.sleep(0)
    gate.set()
    a, b, twice, stale = await waiting
    assert (await first, a, b) == ("first", "a", "b")
    assert isinstance(stale, StaleLease) and "UNIQUE" in str(twice)
    assert begun == [True] * 3
    assert await said(writer) == {"first", "a", "b"}


async def test_a_call_cancelled_while_it_waits_does_nothing(writer: Writer) -> None:
    gate, first = await block(writer)
    heard: list[str] = []
    waiting = asyncio.create_task(writer.run(lambda c: say(c, "cancelled"), heard.append))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    gate.set()
    await first
    assert await said(writer) == {"first"} and heard == []


async def test_a_call_cancelled_too_late_returns_what_it_did_and_then_is_cancelled(writer: Writer) -> None:
    steps: list[str] = []

    async def caller() -> None:
        gate, call = await block(writer)
        call.cancel()
        await asyncio.sleep(0)
        call.cancel()
        asyncio.get_running_loop().call_later(0.05, gate.set)
        steps.append(await call)

    async def direct() -> None:
        steps.append(await writer.run(slow))
        steps.append("went on")
        await asyncio.sleep(10)
        steps.append("was never stopped")

    going = threading.Event()

    def slow(connection: sqlite3.Connection) -> str:
        going.set()
        threading.Event().wait(0.1)
        return say(connection, "slow")

    await caller()
    task = asyncio.create_task(direct())
    await asyncio.to_thread(going.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 5)
    assert steps == ["first", "slow", "went on"]
    assert await said(writer) == {"first", "slow"}


async def test_a_timeout_that_comes_too_late_leaves_the_task_alone_afterwards(writer: Writer) -> None:
    def slow(connection: sqlite3.Connection) -> str:
        threading.Event().wait(0.15)
        return say(connection, "slow")

    async with asyncio.timeout(0.05):
        word = await writer.run(slow)
    await asyncio.sleep(0.05)
    assert word == "slow"


async def test_a_caller_that_gives_up_and_a_failure_leave_no_unheard_error(
    writer: Writer, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(connection: sqlite3.Connection) -> None:
        threading.Event().wait(0.05)
        raise StaleLease("no")

    task = asyncio.create_task(writer.run(fails))
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not caplog.records


async def test_a_call_after_a_commit_that_fails_is_reported_and_the_caller_still_hears(writer: Writer) -> None:
    reported: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))

    def broken(word: str) -> None:
        raise RuntimeError(word)

    assert await writer.run(lambda c: say(c, "kept"), broken) == "kept"
    assert [str(context["exception"]) for context in reported] == ["kept"]
