"""LocalQueue's own corners: time handed in, wake-ups at the worst moment, thousands of conversations."""

from __future__ import annotations

import asyncio
import time

import pytest

from supportbot.errors import StoreError
from supportbot.queues.local import LocalQueue
from supportbot.testing.pairs import nothing_to_claim, soon
from supportbot.types import Job


class Numbers:
    """A ledger in which everything always has work."""

    def __init__(self) -> None:
        self.issued: dict[str, int] = {}

    def issue(self, conversation: str) -> tuple[int, int] | None:
        self.issued[conversation] = self.issued.get(conversation, 0) + 1
        return (1, self.issued[conversation])


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def queue(clock: Clock) -> LocalQueue:
    made = LocalQueue(clock=clock)
    made.attach(Numbers())
    return made


async def test_a_claimer_cancelled_just_after_its_wake_up_passes_it_on() -> None:
    turns = queue(Clock())
    first, second = (asyncio.create_task(turns.claim()) for _ in range(2))
    await asyncio.sleep(0)
    turns.enqueue(None, Job("c_1", 0.0))()
    first.cancel()
    assert (await soon(second)).conversation == "c_1"
    assert first.cancelled() or (await asyncio.gather(first, return_exceptions=True))
    await turns.close()


async def test_a_transaction_that_rolled_back_enqueues_nothing() -> None:
    turns = queue(Clock())
    turns.enqueue(None, Job("c_1", 0.0))
    assert await nothing_to_claim(turns, 0.02)


async def test_time_is_read_from_the_clock_that_was_handed_in() -> None:
    clock = Clock()
    turns = queue(clock)
    turns.enqueue(None, Job("c_1", 1005.0))()
    assert await nothing_to_claim(turns, 0.02)
    clock.now = 1005.0
    lease = await soon(turns.claim())
    assert lease.expires_at == 1095.0
    clock.now = 1094.0
    await turns.extend(lease, until=1200.0)
    clock.now = 1199.0
    assert await nothing_to_claim(turns, 0.02)
    clock.now = 1200.0
    assert (await soon(turns.claim())).attempt == lease.attempt + 1


async def test_thousands_of_conversations_are_claimed_in_order_and_quickly() -> None:
    turns = queue(Clock())
    count = 20_000
    began = time.process_time()
    for n in range(count):
        turns.enqueue(None, Job(f"c_{n}", float(n * 7919 % count) / count))()
    leases = [await turns.claim() for _ in range(count)]
    order = [int(lease.conversation[2:]) * 7919 % count for lease in leases]
    assert order == sorted(order)
    assert time.process_time() - began < 10, "20,000 claims must not be quadratic"


async def test_closing_ends_those_who_wait() -> None:
    turns = queue(Clock())
    waiting = asyncio.create_task(turns.claim())
    await asyncio.sleep(0)
    await turns.close()
    with pytest.raises(StoreError, match="closed"):
        await soon(waiting)


async def test_a_queue_without_its_store_says_so() -> None:
    turns = LocalQueue()
    turns.enqueue(None, Job("c_1", 0.0))()
    with pytest.raises(StoreError, match="attach"):
        await turns.claim()
