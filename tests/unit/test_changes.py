"""The hub by which open pages hear that something is new."""

from __future__ import annotations

import asyncio

import pytest

from supportbot.changes import Changes


async def test_a_watcher_finds_what_was_told_since_the_last_time_each_topic_once() -> None:
    changes = Changes()
    async with changes.watch(["queue", "c:1"]) as watch:
        for topic in ("queue", "c:2", "queue", "c:1"):
            changes.tell(topic)
        assert await anext(watch) == {"queue", "c:1"}
        changes.tell("c:1")
        assert await anext(watch) == {"c:1"}
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await anext(watch)


async def test_what_was_told_before_the_watch_is_not_found() -> None:
    changes = Changes()
    changes.tell("queue")
    async with changes.watch(["queue"]) as watch:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await anext(watch)


async def test_a_wait_that_is_given_up_loses_nothing() -> None:
    changes = Changes()
    async with changes.watch(["queue"]) as watch:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await anext(watch)
        changes.tell("queue")
        assert await anext(watch) == {"queue"}


async def test_who_leaves_is_forgotten() -> None:
    changes = Changes()
    async with changes.watch(["queue"]):
        async with changes.watch(["queue", "c:1"]):
            assert changes.watchers == 2
        assert changes.watchers == 1
    assert changes.watchers == 0
    changes.tell("queue")


async def test_closing_ends_every_watch_and_those_to_come() -> None:
    changes = Changes()
    async with changes.watch(["queue"]) as watch:
        changes.tell("queue")
        changes.close()
        assert [topics async for topics in watch] == []
    async with changes.watch(["queue"]) as late:
        assert [topics async for topics in late] == []
