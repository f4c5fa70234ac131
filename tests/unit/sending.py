"""A real store with an outbox over it, polled by hand, and a platform that makes trouble."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from supportbot.outbox import Outbox
from supportbot.testing.local_pair import local_pairs
from supportbot.testing.pairs import NOW, Pair, message, turn
from supportbot.types import Address, Capabilities, Outgoing, Reply
from supportbot.waits import Waits

BASE = Capabilities(retry_delays=(2.0, 5.0))


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


class Platform:
    """Takes messages; each entry of `trouble` is for one send: an error to raise, a value to return, or a function."""

    def __init__(self, *trouble: Any, capabilities: Capabilities = BASE) -> None:
        self.capabilities = capabilities
        self.trouble = list(trouble)
        self.tries: list[str] = []
        self.sent: list[str] = []
        self.times: list[float] = []

    def pace(self, address: Address) -> float:
        return self.capabilities.chat_interval

    async def send(self, outgoing: Outgoing) -> str:
        text = outgoing.reply.text if outgoing.reply else outgoing.kind
        self.tries.append(text)
        trouble = self.trouble.pop(0) if self.trouble else "handle"
        if isinstance(trouble, BaseException):
            raise trouble
        if callable(trouble):
            trouble = await trouble(outgoing)
        self.sent.append(text)
        self.times.append(time.monotonic())
        return trouble


class Way:
    """A store with an outbox over it, polled by hand."""

    def __init__(self, pair: Pair, senders: dict[str, Any], clock: Callable[[], float]) -> None:
        self.pair, self.store, self.clock, self.waits = pair, pair.store, clock, Waits()
        self.logged: list[str] = []
        self.outbox = Outbox(
            pair.store, senders, self.waits, clock=clock, log=lambda event, **facts: self.logged.append(event)
        )

    async def reply(self, *texts: str, chat: str = "anna", **more: Any) -> None:
        """One turn that answers with these texts; nothing is sent yet."""
        number = len(await self.store.conversations(limit=1000)) + sum((await self.store.counts()).values())
        said = message(f"{chat}-{number}", chat=chat, thread=more.pop("thread", ""))
        await turn(self.pair, said, replies=tuple(Reply(text) for text in texts), **more)

    async def poll(self) -> None:
        """Sends what is due now, one row of each lane."""
        await self.outbox._poll()
        await self.outbox.drain(20)

    async def polls(self, count: int) -> None:
        for _ in range(count):
            await self.poll()

    async def dead(self) -> list[tuple[str, str]]:
        return [(row.reply.text if row.reply else row.kind, why) for row, why in await self.store.dead_letters()]

    async def unsent(self) -> int:
        return (await self.store.counts())["outbox_pending"]


@asynccontextmanager
async def way(
    tmp_path: Path, sender: Any = None, *, clock: Callable[[], float] | None = None, **pair: Any
) -> AsyncIterator[Way]:
    senders = sender if isinstance(sender, dict) else {"shop": sender}
    async with local_pairs(tmp_path / "store.db")(**pair) as opened:
        yield Way(opened, {name: one for name, one in senders.items() if one}, clock or Clock())


@asynccontextmanager
async def running(site: Way) -> AsyncIterator[None]:
    loop = asyncio.create_task(site.outbox.run())
    try:
        yield
    finally:
        loop.cancel()
        await asyncio.wait((loop,))
        await site.outbox.drain(5)


async def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)
