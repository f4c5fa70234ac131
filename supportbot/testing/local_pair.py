"""The pair of one process: SqliteStore and LocalQueue over one file."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path

from supportbot.queues.local import LocalQueue
from supportbot.stores.sqlite import SqliteStore
from supportbot.testing.pairs import Pair, Pairs


def local_pairs(path: Path) -> Pairs:
    """Opens the same file each time; see `Pairs`."""

    @asynccontextmanager
    async def opened(
        *, lease_seconds: float = 90.0, events: Collection[str] = (), notify: bool = False
    ) -> AsyncIterator[Pair]:
        queue = LocalQueue(lease_seconds=lease_seconds)
        store = SqliteStore(path, enqueue=queue.enqueue, events=events, notify=notify)
        queue.attach(store)
        await store.open()
        try:
            await queue.restore(await store.pending())
            yield Pair(store, queue)
        finally:
            await queue.close()
            await store.close()

    return opened
