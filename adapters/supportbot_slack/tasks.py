"""What is done beside the main way, and must have ended when the adapter has."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from supportbot_slack.faults import Refusal

_PATIENCE = 3.0


class Tasks:
    """Runs coroutines in the background; what fails there is logged and nothing else."""

    def __init__(self, log: Callable[..., None]) -> None:
        self._log = log
        self._running: set[asyncio.Task[None]] = set()
        self._endless: set[asyncio.Task[None]] = set()

    def run(self, what: str, work: Coroutine[Any, Any, object], *, endless: bool = False) -> None:
        """Starts it; `what` names it in the log. What is `endless` is not waited for."""
        task = asyncio.create_task(self._guarded(what, work), name=f"slack {what}")
        group = self._endless if endless else self._running
        group.add(task)
        task.add_done_callback(group.discard)

    async def settle(self) -> None:
        """Waits until all that was started is done."""
        while self._running:
            await asyncio.wait(tuple(self._running))

    async def stop(self, patience: float = _PATIENCE) -> None:
        """Lets them finish for a while, then ends them."""
        if self._running:
            await asyncio.wait(tuple(self._running), timeout=patience)
        left = (*self._running, *self._endless)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)

    async def _guarded(self, what: str, work: Coroutine[Any, Any, object]) -> None:
        try:
            await work
        except Refusal as refusal:
            self._log("slack.background_refused", what=what, error=refusal.code)
        except Exception as error:  # noqa: BLE001 - named boundary: nobody waits for it, so nobody else would say it
            self._log("slack.background_failed", what=what, error=type(error).__name__)
