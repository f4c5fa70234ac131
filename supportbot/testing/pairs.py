"""A store and its queue under test, and the few steps that both contract suites take."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Collection
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from supportbot.protocols import Store, TurnQueue
from supportbot.types import Address, Committed, Lease, Message, Outcome, Receipt, TurnInput, User

T = TypeVar("T")
NOW = 1_700_000_000.0
"""The time the suites hand in; long ago, so that everything is ready to start."""
ANNA = User("u-anna", "Anna")
BEN = User("u-ben", "Ben")


@dataclass(frozen=True, slots=True)
class Pair:
    """An open store and the queue that its messages go to."""

    store: Store
    queue: TurnQueue


class Pairs(Protocol):
    """Opens the pair over one and the same database each time; leaving the block closes both (a restart).

    `events` and `notify` are what `SqliteStore` takes; `lease_seconds` is how long a claimed lease lasts.
    """

    def __call__(
        self, *, lease_seconds: float = 90.0, events: Collection[str] = (), notify: bool = False
    ) -> AbstractAsyncContextManager[Pair]: ...


def message(id: str, text: str = "Hello", *, chat: str = "anna", user: User = ANNA, **more: Any) -> Message:
    address = Address(more.pop("channel", "shop"), chat, more.pop("thread", ""))
    return Message(address, id, user, text, **more)


async def soon(awaitable: Awaitable[T]) -> T:
    """The result, or TimeoutError after ten seconds instead of a test that hangs."""
    async with asyncio.timeout(10):
        return await awaitable


async def nothing_to_claim(queue: TurnQueue, seconds: float = 0.15) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await queue.claim()
    except TimeoutError:
        return True
    return False


async def receive(pair: Pair, *messages: Message, now: float = NOW, ready_at: float = NOW) -> list[Receipt]:
    return [await pair.store.receive(one, now=now, ready_at=ready_at) for one in messages]


async def start(pair: Pair) -> TurnInput:
    """Claims the next turn and begins it."""
    lease = await soon(pair.queue.claim())
    begun = await pair.store.begin(lease, now=NOW)
    assert begun is not None, "claimed a conversation with nothing pending"
    return begun


def positions(begun: TurnInput) -> tuple[int, ...]:
    return tuple(row.position for row in begun.pending)


async def finish(pair: Pair, begun: TurnInput, *, now: float = NOW, **outcome: Any) -> Committed:
    """Commits the turn over all that was pending, and gives the lease back."""
    done = Outcome(outcome.pop("consumed", positions(begun)), **outcome)
    committed = await pair.store.commit(begun.lease, done, now=now)
    await pair.queue.release(begun.lease, again_at=now if committed.more else None)
    return committed


async def turn(pair: Pair, *messages: Message, **outcome: Any) -> TurnInput:
    """One whole turn over these messages; what it started from."""
    await receive(pair, *messages)
    begun = await start(pair)
    await finish(pair, begun, **outcome)
    return begun


def wall() -> float:
    """Now, for readiness, which queues measure by a real clock."""
    return time.time()


__all__ = [
    "ANNA",
    "BEN",
    "NOW",
    "Lease",
    "Pair",
    "Pairs",
    "finish",
    "message",
    "nothing_to_claim",
    "positions",
    "receive",
    "soon",
    "start",
    "turn",
    "wall",
]
