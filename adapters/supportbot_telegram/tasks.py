"""What runs beside the work: started here, and ended with the channel."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from telegram.error import InvalidToken, TelegramError

from supportbot_telegram.api import Flooded, reason

Log = Callable[..., None]

_FIRST_WAIT = 1.0
_LONGEST_WAIT = 30.0


class Tasks:
    """Background tasks of one channel. One that fails is noted in the log; nobody waits for it."""

    def __init__(self, channel: str, log: Log) -> None:
        self._channel = channel
        self._log = log
        self._running: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=f"{self._channel}: {name}")
        self._running.add(task)
        task.add_done_callback(self._ended)

    async def close(self) -> None:
        """Ends all of them."""
        running = tuple(self._running)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, TelegramError):
            self._log("telegram.failed", channel=self._channel, task=task.get_name(), error=reason(error))
        elif error is not None:
            self._log("telegram.failed", channel=self._channel, task=task.get_name(), error=type(error).__name__)


class Backoff:
    """How long to wait after a failure: 1, 2, 4 … 30 seconds, or as long as Telegram asks."""

    def __init__(self) -> None:
        self._next = _FIRST_WAIT

    def reset(self) -> None:
        self._next = _FIRST_WAIT

    def seconds(self, error: Exception | None = None) -> float:
        wait = self._next
        self._next = min(2 * wait, _LONGEST_WAIT)
        if isinstance(error, Flooded):
            return max(error.seconds, _FIRST_WAIT)
        return _LONGEST_WAIT if isinstance(error, InvalidToken) else wait


async def until_done(work: Callable[[], Awaitable[Any]], failed: Callable[[str], None]) -> Any:
    """What the work gives once it succeeds; each failure is told in words."""
    backoff = Backoff()
    while True:
        try:
            return await work()
        except TelegramError as error:
            failed(reason(error))
            await asyncio.sleep(backoff.seconds(error))
