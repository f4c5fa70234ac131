"""`LocalQueue`: which conversation is next, in memory, for the process that owns the store.

1. The durable truth is the store's inbox; `restore()` takes in what it holds, so a restart loses nothing.
2. A conversation is waiting, leased, or unknown here. Waiting ones are claimed in the order of `ready_at`; more work
   for one that waits keeps the earlier time; more work for a leased one is kept until the release.
3. The store numbers the leases: sequence = committed turn + 1, attempt above every earlier one. A lease that ran out
   is claimed again under a higher attempt, and the store refuses the old one from then on.
4. Taking a lease is one synchronous step and waking a claimer only says "look again": a cancelled claim loses neither.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

from supportbot.errors import StaleLease, StoreError
from supportbot.types import Job, Lease

_LONGEST_NAP = 3600.0


class Ledger(Protocol):
    """What the queue asks of the store it is paired with."""

    def issue(self, conversation: str) -> tuple[int, int] | None:
        """A new lease's (sequence, attempt), above all before; None when nothing is pending."""


@dataclass(slots=True)
class _Entry:
    """A known conversation. `stamp` marks its valid place in a heap; `lease` is None while it waits.

    `due` and `expires` are monotonic. `again` is when work that came during the lease may start, None for none.
    """

    due: float
    stamp: int = 0
    lease: Lease | None = None
    expires: float = 0.0
    again: float | None = None


class LocalQueue:
    """A `supportbot.protocols.TurnQueue`. Hand `enqueue` to the store, `attach` the store, `restore` what it has.

    `lease_seconds` is how long a claimed lease lasts. `clock` gives seconds since the epoch; what is waited for is
    measured by `monotonic`, which is `clock` itself when one is handed in other than the system's.
    """

    def __init__(
        self,
        *,
        lease_seconds: float = 90.0,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] | None = None,
    ) -> None:
        self._lease_seconds = lease_seconds
        self._clock = clock
        self._monotonic = monotonic or (time.monotonic if clock is time.time else clock)
        self._ledger: Ledger | None = None
        self._entries: dict[str, _Entry] = {}
        self._waiting: list[tuple[float, int, str]] = []
        self._leased: list[tuple[float, int, str]] = []
        self._stamps = itertools.count(1)
        self._claimers: deque[asyncio.Future[None]] = deque()
        self._alarm: asyncio.TimerHandle | None = None
        self._closed = False

    def attach(self, ledger: Ledger) -> None:
        """Names the store that numbers the leases; before the first `claim`."""
        self._ledger = ledger

    async def restore(self, jobs: Iterable[Job]) -> None:
        """Takes in what was pending when the process started (`Store.pending`)."""
        for job in jobs:
            self._add(job)

    def enqueue(self, transaction: Any, job: Job, /) -> Callable[[], None]:
        """The `Enqueue` port: nothing happens before the returned call, made on the event loop after the commit."""
        return partial(self._add, job)

    async def claim(self) -> Lease:
        """Raises StoreError once the queue is closed."""
        while True:
            if self._closed:
                raise StoreError("The queue is closed: no more turns are given out.")
            lease = self._take()
            self._rouse()
            if lease is not None:
                return lease
            await self._wait()

    async def extend(self, lease: Lease, *, until: float) -> None:
        entry = self._held(lease)
        if entry is None or entry.lease is None:
            raise StaleLease(
                f"Turn {lease.sequence} of conversation {lease.conversation} is no longer attempt {lease.attempt}'s."
            )
        entry.lease = replace(entry.lease, expires_at=until)
        self._expire_at(lease.conversation, entry, self._moment(until))

    async def release(self, lease: Lease, *, again_at: float | None) -> None:
        """A lease that was taken away is nobody's to give back: nothing happens then."""
        entry = self._held(lease)
        if entry is None:
            return
        times = [entry.again] if entry.again is not None else []
        times += [self._moment(again_at)] if again_at is not None else []
        entry.lease, entry.again = None, None
        if times:
            self._await_turn(lease.conversation, entry, min(times))
        else:
            del self._entries[lease.conversation]
        self._rouse()

    async def close(self) -> None:
        self._closed = True
        self._set_alarm(None)
        while self._claimers:
            _wake(self._claimers.popleft())

    # --- what is known ---

    def _add(self, job: Job) -> None:
        due = self._moment(job.ready_at)
        entry = self._entries.get(job.conversation)
        if entry is None:
            entry = self._entries[job.conversation] = _Entry(due)
            self._await_turn(job.conversation, entry, due)
        elif entry.lease is not None:
            entry.again = due if entry.again is None else min(entry.again, due)
        elif due < entry.due:
            self._await_turn(job.conversation, entry, due)
        self._rouse()

    def _moment(self, epoch: float) -> float:
        """That time on the monotonic clock, so that setting the system's clock later stalls nothing."""
        return self._monotonic() + (epoch - self._clock())

    def _held(self, lease: Lease) -> _Entry | None:
        entry = self._entries.get(lease.conversation)
        if entry is None or entry.lease is None:
            return None
        same = (entry.lease.sequence, entry.lease.attempt) == (lease.sequence, lease.attempt)
        return entry if same else None

    def _await_turn(self, conversation: str, entry: _Entry, due: float) -> None:
        entry.due, entry.stamp = due, next(self._stamps)
        heapq.heappush(self._waiting, (due, entry.stamp, conversation))

    def _expire_at(self, conversation: str, entry: _Entry, expires: float) -> None:
        entry.expires, entry.stamp = expires, next(self._stamps)
        heapq.heappush(self._leased, (expires, entry.stamp, conversation))

    # --- taking ---

    def _take(self) -> Lease | None:
        """The next lease, if one is ready now."""
        now = self._monotonic()
        self._take_back(now)
        while (head := self._head(self._waiting)) is not None and head[0] <= now:
            heapq.heappop(self._waiting)
            lease = self._lease(head[2], self._entries[head[2]], now)
            if lease is not None:
                return lease
        return None

    def _take_back(self, now: float) -> None:
        """Puts conversations whose lease ran out back in line, at their old place."""
        while (head := self._head(self._leased)) is not None and head[0] <= now:
            heapq.heappop(self._leased)
            entry = self._entries[head[2]]
            entry.lease, entry.again = None, None
            self._await_turn(head[2], entry, entry.due)

    def _lease(self, conversation: str, entry: _Entry, now: float) -> Lease | None:
        if self._ledger is None:
            raise StoreError("The queue has no store: call attach(store) first.")
        number = self._ledger.issue(conversation)
        if number is None:  # all of it was taken in by the turn before
            del self._entries[conversation]
            return None
        entry.lease = Lease(conversation, number[0], number[1], self._clock() + self._lease_seconds)
        self._expire_at(conversation, entry, now + self._lease_seconds)
        return entry.lease

    def _head(self, heap: list[tuple[float, int, str]]) -> tuple[float, int, str] | None:
        """The heap's first valid item; those that were overtaken fall out on the way."""
        while heap:
            entry = self._entries.get(heap[0][2])
            if entry is not None and entry.stamp == heap[0][1]:
                return heap[0]
            heapq.heappop(heap)
        return None

    # --- waiting ---

    async def _wait(self) -> None:
        claimer = asyncio.get_running_loop().create_future()
        self._claimers.append(claimer)
        self._rouse()
        try:
            await claimer
        except asyncio.CancelledError:
            if not claimer.cancelled():
                self._rouse()  # the call was meant for whoever looks next
            raise

    def _rouse(self) -> None:
        """Wakes one claimer if something is ready; sets the alarm for the next moment when something will be."""
        if self._closed or not self._claimers:
            return self._set_alarm(None)
        heads = (self._head(self._waiting), self._head(self._leased))
        moments = [head[0] for head in heads if head is not None]
        delay = min(moments) - self._monotonic() if moments else None
        if delay is None or delay > 0:
            return self._set_alarm(delay)
        while self._claimers:
            if _wake(self._claimers.popleft()):
                return None
        return None

    def _set_alarm(self, delay: float | None) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if delay is not None:
            loop = asyncio.get_running_loop()
            self._alarm = loop.call_later(min(delay, _LONGEST_NAP), self._rouse)


def _wake(claimer: asyncio.Future[None]) -> bool:
    if claimer.done():
        return False
    claimer.set_result(None)
    return True
