"""What the tests run in processes of their own, to kill or to limit: `python children.py NAME DATABASE`."""

from __future__ import annotations

import asyncio
import resource
import signal
import sys
import time
from pathlib import Path

from supportbot.errors import StoreError, StoreFull
from supportbot.queues.local import LocalQueue
from supportbot.stores.sqlite import SqliteStore
from supportbot.testing.pairs import NOW, message


async def opened(path: Path) -> SqliteStore:
    queue = LocalQueue()
    store = SqliteStore(path, enqueue=queue.enqueue)
    queue.attach(store)
    await store.open()
    return store


async def write_receipts(path: Path) -> None:
    """Says each stored message's id once its receipt is there, until it is killed (or half a minute is over)."""
    store = await opened(path)
    end = time.monotonic() + 30

    async def one(lane: int) -> None:
        count = 0
        while time.monotonic() < end:
            id = f"{path.stat().st_ino}-{time.monotonic_ns()}-{lane}-{count}"
            await store.receive(message(id, chat=f"c{lane}"), now=NOW, ready_at=NOW)
            print(id, flush=True)
            count += 1

    await asyncio.gather(*(one(lane) for lane in range(8)))


async def fill(path: Path) -> None:
    """Writes under a limit on file sizes until it does not fit; then says what happened, and what is left."""
    store = await opened(path)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (800_000, resource.RLIM_INFINITY))
    accepted = 0
    for count in range(2000):
        try:
            await store.receive(message(f"m{count}", "x" * 2000), now=NOW, ready_at=NOW)
            accepted += 1
        except StoreFull as error:
            print("full", accepted, error, sep="|", flush=True)
            break
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    await store.receive(message("after"), now=NOW, ready_at=NOW)
    print("stored", (await store.counts())["inbox"], sep="|", flush=True)
    await store.close()


async def own(path: Path) -> None:
    """Owns the database until its input ends."""
    try:
        store = await opened(path)
    except StoreError as error:
        print(type(error).__name__, error, flush=True)
        return
    print("open", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await store.close()


if __name__ == "__main__":
    asyncio.run({"write_receipts": write_receipts, "fill": fill, "own": own}[sys.argv[1]](Path(sys.argv[2])))
