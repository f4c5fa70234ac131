"""What happens by time alone: timers fire, the watchdog ends what is overdue, finished rows are swept away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from supportbot.errors import StoreError
from supportbot.house import House
from supportbot.protocols import Store
from supportbot.worker import Worker

_WATCH_EVERY = 1.0
_SWEEP_EVERY = 600.0
_LONGEST_SLEEP = 60.0
_AT_ONCE = 32
_MOST_ROUNDS = 1000


class Clockwork:
    """Three loops beside the worker; each survives a failing store and says so."""

    def __init__(self, house: House, worker: Worker, *, keep_finished: float, keep_files: float) -> None:
        self._house = house
        self._worker = worker
        self._keep = keep_finished
        self._keep_files = keep_files
        self._timer_set = asyncio.Event()
        house.timers_set = self._timer_set.set

    def loops(self) -> Mapping[str, Coroutine[Any, Any, None]]:
        return {"timers": self._timers(), "watchdog": self._watchdog(), "sweeper": self._sweeper()}

    async def _timers(self) -> None:
        while True:
            self._timer_set.clear()
            due = await self._guard(self._fire)
            wait = _LONGEST_SLEEP if due is None else min(max(due - self._house.clock(), 0.0), _LONGEST_SLEEP)
            try:
                async with asyncio.timeout(max(wait, 0.05)):
                    await self._timer_set.wait()
            except TimeoutError:
                pass

    async def _fire(self) -> float | None:
        store: Store = self._house.store
        await store.fire_timers(now=self._house.clock())
        return await store.next_timer()

    async def _watchdog(self) -> None:
        while True:
            await self._guard(self._rescue)
            await asyncio.sleep(_WATCH_EVERY)

    async def _rescue(self) -> None:
        house = self._house
        for _ in range(_MOST_ROUNDS):
            # asked again for each round, because a rescue must not take away a turn that is no longer overdue
            rows = await house.store.overdue(before=house.clock() - house.notice_within)
            for conversation, since in rows[:_AT_ONCE]:
                house.log("watchdog.overdue", conversation=conversation, waited=round(house.clock() - since, 1))
            await asyncio.gather(*(self._worker.rescue(conversation) for conversation, _ in rows[:_AT_ONCE]))
            if len(rows) <= _AT_ONCE:
                return

    async def _sweeper(self) -> None:
        while True:
            await self._guard(self._sweep)
            await asyncio.sleep(_SWEEP_EVERY)

    async def _sweep(self) -> None:
        swept = await self._house.store.sweep(now=self._house.clock(), keep=self._keep)
        if swept:
            self._house.log("store.swept", rows=swept)
        if removed := await self._house.files.sweep(self._keep_files, spare=self._house.own_files.values()):
            self._house.log("files.swept", files=removed)

    async def _guard(self, step: Callable[[], Coroutine[Any, Any, float | None]]) -> float | None:
        try:
            return await step()
        except StoreError as error:
            self._house.log("store.failed", error=str(error))
        except Exception as error:  # noqa: BLE001 - named boundary: a loop must outlive any one step
            self._house.log("clockwork.failed", error=type(error).__name__, exc_info=True)
        return self._house.clock() + 1.0
