"""Threads that own a connection each, used from asyncio.

1. All functions that wait when the writer becomes free share one BEGIN IMMEDIATE … COMMIT.
2. A function that raises is undone alone, by its savepoint; a COMMIT that fails undoes them all.
3. Nobody hears of success before COMMIT has returned.
4. A caller that is cancelled before its function was taken withdraws it. Afterwards it is too late: the result is
   returned, and the cancellation follows at the task's next await. So a cancelled call has done nothing.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from supportbot.errors import StoreError, SupportbotError
from supportbot.stores.failures import translated

T = TypeVar("T")
_LARGEST_BATCH = 256


class _Operation:
    """One function on its way to the thread and back. `taken` is won once: by the thread, or by the canceller."""

    __slots__ = ("after", "error", "function", "future", "result", "settled", "taken")

    def __init__(self, function: Callable[[sqlite3.Connection], Any], after: Callable[[Any], None] | None) -> None:
        self.function = function
        self.after = after
        self.future: asyncio.Future[Any] | None = None
        self.result: Any = None
        self.error: BaseException | None = None
        self.settled = False
        self.taken = threading.Lock()

    def take(self) -> bool:
        return self.taken.acquire(blocking=False)

    def settle(self, loop: asyncio.AbstractEventLoop) -> None:
        """On the event loop: the after-call first, also when the caller has gone, then the caller."""
        self.settled = True
        if self.error is None and self.after is not None:
            try:
                self.after(self.result)
            except Exception as error:  # noqa: BLE001 - boundary: the rows are durable, the caller must hear so
                loop.call_exception_handler({"message": "after a commit", "exception": error})
        if self.future is None or self.future.done():
            return
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)


class Reader:
    """Runs functions one after the other on a thread that owns `connection`. `start()` it on the event loop."""

    def __init__(self, connection: sqlite3.Connection, path: Path, name: str) -> None:
        self._connection = connection
        self._path = path
        self._queue: SimpleQueue[_Operation | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._main, name=f"supportbot-{name}", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def run(
        self, function: Callable[[sqlite3.Connection], T], after: Callable[[T], None] | None = None
    ) -> T:
        """The function's result. `after` runs on the event loop, before this returns, once the result is durable."""
        if self._loop is None:
            raise StoreError(f"{self._path} is not open: call open() first, and nothing after close().")
        operation = _Operation(function, after)
        operation.future = self._loop.create_future()
        self._queue.put(operation)
        try:
            result: T = await operation.future
        except asyncio.CancelledError:
            if operation.take():
                raise
            result = await _interrupted(operation)
        return result

    async def stop(self) -> None:
        """Ends the thread after all that was asked for before; then closes the connection."""
        if self._loop is None:
            return
        self._loop = None
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _finish(self) -> None:
        self._connection.close()

    def _main(self) -> None:
        loop, last = self._loop, False
        assert loop is not None
        while not last:
            batch, last = self._gather()
            if not batch:
                continue
            self._perform(batch)
            with suppress(RuntimeError):  # the loop was closed under us: nobody is left to hear
                loop.call_soon_threadsafe(_settle, batch, loop)
        self._finish()

    def _gather(self) -> tuple[list[_Operation], bool]:
        """All that waits, at least one; True when the end was asked for."""
        batch: list[_Operation] = []
        asked = self._queue.get()
        while asked is not None:
            if asked.take():
                batch.append(asked)
            if len(batch) >= _LARGEST_BATCH:
                return batch, False
            try:
                asked = self._queue.get_nowait()
            except Empty:
                return batch, False
        return batch, True

    def _perform(self, batch: Sequence[_Operation]) -> None:
        for operation in batch:
            self._attempt(operation)

    def _attempt(self, operation: _Operation) -> None:
        try:
            operation.result = operation.function(self._connection)
        except SupportbotError as error:
            operation.error = error
        except sqlite3.Error as error:
            operation.error = translated(error, self._path)
        except Exception as error:  # noqa: BLE001 - boundary: the thread outlives any function
            operation.error = error


class Writer(Reader):
    """The thread that owns the only connection that writes."""

    def _perform(self, batch: Sequence[_Operation]) -> None:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            if len(batch) == 1:
                self._attempt(batch[0])
            else:
                self._each_alone(batch)
            self._end(batch)
        except sqlite3.Error as error:
            self._fail(batch, translated(error, self._path))

    def _finish(self) -> None:
        with suppress(sqlite3.Error):  # the log is replayed at the next start all the same
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self._connection.close()

    def _each_alone(self, batch: Sequence[_Operation]) -> None:
        execute = self._connection.execute
        for operation in batch:
            execute("SAVEPOINT alone")
            self._attempt(operation)
            if operation.error is not None:
                self._refuse_lost(operation)
                execute("ROLLBACK TO alone")
            execute("RELEASE alone")

    def _refuse_lost(self, operation: _Operation) -> None:
        """A full disk can end the transaction of all, not only this function's savepoint."""
        cause = operation.error.__cause__ if operation.error else None
        if not self._connection.in_transaction and isinstance(cause, sqlite3.Error):
            raise cause

    def _end(self, batch: Sequence[_Operation]) -> None:
        if any(operation.error is None for operation in batch):
            self._connection.execute("COMMIT")
        elif self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def _fail(self, batch: Sequence[_Operation], error: StoreError) -> None:
        for operation in batch:
            operation.error = operation.error or error
        if self._connection.in_transaction:
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")


def _settle(batch: Sequence[_Operation], loop: asyncio.AbstractEventLoop) -> None:
    for operation in batch:
        operation.settle(loop)


async def _interrupted(operation: _Operation) -> Any:
    """Waits for what can no longer be withdrawn: its result, or CancelledError if it failed."""
    loop = asyncio.get_running_loop()
    if operation.future is not None and operation.future.done() and not operation.future.cancelled():
        operation.future.exception()  # seen, so that asyncio does not report it as forgotten
    while not operation.settled:
        operation.future = loop.create_future()
        with suppress(asyncio.CancelledError, Exception):
            await operation.future
    if operation.error is not None:
        raise asyncio.CancelledError
    task = asyncio.current_task()
    if task is not None:
        loop.call_soon(_cancel_again, task)
    return operation.result


def _cancel_again(task: asyncio.Task[Any]) -> None:
    """Unless the scope that cancelled (a timeout) has been left meanwhile."""
    if task.cancelling() and not task.done():
        task.uncancel()
        task.cancel()
