"""The way out: due -> the channel's pace -> Adapter.send -> delivered.

1. Rows of one lane (a conversation on a channel) go in order and one at a time; lanes do not wait for each other.
2. A row leaves the lane when it is delivered or a dead letter; a row that failed for now keeps its lane.
3. This module alone retries and paces, by the channel's Capabilities.
4. What was sent and could not be recorded as such is recorded later, and not sent again.
5. A sender that may have slept past its time asks the store again before it sends.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from supportbot.errors import ChannelBusy, ChannelError, StoreError
from supportbot.protocols import Store
from supportbot.types import Address, Capabilities, Outgoing
from supportbot.waits import Wait, Waits

_POLL = 1.0
_FRESH = 20.0
_PAGE = 256
_MOST_LANES = 8192
_LET_GO_SECONDS = 1.0
_LONGEST_PACE = 60.0
_MANY_SLOTS = 10_000


class Sender(Protocol):
    """The outgoing half of an adapter, which is all that the outbox needs."""

    capabilities: Capabilities

    def pace(self, address: Address) -> float: ...

    async def send(self, outgoing: Outgoing) -> str: ...


class Outbox:
    """Runs in the background between `run()` and its cancellation; `drain()` waits until nothing is in flight."""

    def __init__(
        self,
        store: Store,
        senders: Mapping[str, Sender],
        waits: Waits,
        *,
        clock: Callable[[], float],
        log: Callable[..., None],
    ) -> None:
        self._store = store
        self._senders = senders
        self._waits = waits
        self._clock = clock
        self._log = log
        self._lanes: dict[str, asyncio.Task[None]] = {}
        self._slots: dict[tuple[str, ...], float] = {}
        self._unrecorded: dict[str, str] = {}
        self._wake = asyncio.Event()
        self._behind = False
        self._closed = False
        self._started: set[str] = set()
        self._found: set[str] = set()

    async def run(self) -> None:
        """Polls for rows that became due by time, after a failure or from before a restart."""
        while True:
            try:
                await self._poll()
            except StoreError as error:
                self._log("outbox.poll_failed", error=str(error))
            except Exception as error:  # noqa: BLE001 - named boundary: the loop must outlive any one poll
                self._log("outbox.poll_failed", error=type(error).__name__, exc_info=True)
            try:
                async with asyncio.timeout(_POLL):
                    await self._wake.wait()
            except TimeoutError:
                pass

    async def _poll(self) -> None:
        self._wake.clear()
        if len(self._lanes) >= _MOST_LANES:
            return
        self._started.clear()
        rows = await self._store.due(now=self._clock(), limit=_PAGE, busy=tuple(self._lanes))
        for row in rows:
            if row.lane in self._started:  # pushed while the store was asked: what it answered may be old
                self._wake.set()
            elif row.lane not in self._lanes:
                self._start((row,))
                self._found.add(row.lane)
        if len(rows) == _PAGE:
            self._wake.set()

    def push(self, ready: Sequence[Outgoing], *, behind: bool) -> None:
        """Sends freshly committed rows at once, without asking the store; `behind`: others wait for their lane."""
        self._behind = self._behind or behind
        lanes: dict[str, list[Outgoing]] = {}
        for row in ready:
            lanes.setdefault(row.lane, []).append(row)
        for lane, rows in lanes.items():
            if not self._closed and lane not in self._lanes and len(self._lanes) < _MOST_LANES:
                self._start(tuple(rows))
            else:
                self._behind = True

    async def drain(self, seconds: float) -> None:
        """Waits for what is in flight; what does not finish in time is cancelled and goes out after the restart."""
        self._closed = True
        tasks = list(self._lanes.values())
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=seconds)
        for task in late:
            task.cancel()
        if late:  # an adapter may ignore its cancellation
            await asyncio.wait(late, timeout=_LET_GO_SECONDS)

    def _start(self, rows: tuple[Outgoing, ...]) -> None:
        lane = rows[0].lane
        self._started.add(lane)
        task = asyncio.create_task(self._lane(rows), name=f"outbox {lane}")
        self._lanes[lane] = task
        task.add_done_callback(lambda _: self._end(lane))

    def _end(self, lane: str) -> None:
        del self._lanes[lane]
        if self._behind or lane in self._found:  # what was found in the store may have more behind it
            self._found.discard(lane)
            self._behind = False
            self._wake.set()

    async def _lane(self, rows: tuple[Outgoing, ...]) -> None:
        picked = self._clock()
        try:
            waiting = self._waits.find(rows[0])
            left = deque(await self._hand_over(rows, waiting) if waiting else rows)
            while left and await self._one(left[0], picked):
                left.popleft()
        except StoreError as error:
            self._log("outbox.store_failed", lane=rows[0].lane, error=str(error))

    async def _hand_over(self, rows: tuple[Outgoing, ...], waiting: tuple[Wait, ...]) -> tuple[Outgoing, ...]:
        """Gives the turn's replies to the callers who wait; returns what is still to be sent."""
        first = rows[0]
        events = tuple(row for row in rows if row.kind != "message.reply")
        replies = tuple(row for row in rows if row.kind == "message.reply")
        if len(replies) < first.parts - first.part + 1:
            turn = await self._store.replies_to(first.address.channel, first.in_reply_to[0])
            replies = tuple(row for row in turn if row.part >= first.part)
        if not await _taken(waiting, replies):
            return replies + events
        self._unrecorded.update(dict.fromkeys((row.id for row in replies), ""))
        await self._store.delivered([row.id for row in replies], now=self._clock())
        for row in replies:
            del self._unrecorded[row.id]
        return events

    async def _one(self, row: Outgoing, picked: float) -> bool:
        """Sends one row; False if the lane must rest."""
        if row.id in self._unrecorded:
            await self._record(row)
            return True
        sender = self._senders.get(row.address.channel)
        if sender is None:
            await self._bury(row, f"no channel {row.address.channel!r} is configured")
            return True
        await self._pace(row.address, sender)
        if self._clock() - picked > _FRESH and not await self._store.unsent(row.id):
            return True
        try:
            self._unrecorded[row.id] = await self._send(row, sender)
        except ChannelError as error:
            return await self._failed(row, sender, error)
        finally:
            self._used(row.address, sender)
        await self._record(row)
        return True

    async def _send(self, row: Outgoing, sender: Sender) -> str:
        """The platform's id for the message. Whatever goes wrong in the adapter is a ChannelError."""
        try:
            async with asyncio.timeout(sender.capabilities.send_timeout + 1):
                return str(await sender.send(row) or "")
        except TimeoutError:
            raise ChannelBusy("the channel did not answer in time") from None
        except ChannelError:
            raise
        except (Exception, SystemExit, asyncio.CancelledError) as error:
            # named boundary: outbox send
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
                raise
            self._log(
                "outbox.adapter_failed", channel=row.address.channel, error=type(error).__name__, exc_info=True
            )
            raise ChannelBusy(f"the adapter failed: {type(error).__name__}") from None

    async def _record(self, row: Outgoing) -> None:
        await self._store.delivered([row.id], handle=self._unrecorded[row.id], now=self._clock())
        del self._unrecorded[row.id]

    async def _failed(self, row: Outgoing, sender: Sender, error: ChannelError) -> bool:
        delays = sender.capabilities.retry_delays
        if not isinstance(error, ChannelBusy) or row.attempt >= len(delays):
            await self._bury(row, str(error))
            return True
        wait = max(delays[row.attempt], error.retry_after or 0.0)
        self._log(
            "outbox.retry",
            channel=row.address.channel,
            id=row.id,
            attempt=row.attempt + 1,
            wait=wait,
            error=str(error),
        )
        await self._store.postpone(row.id, until=self._clock() + wait, error=str(error)[:500])
        return False

    async def _bury(self, row: Outgoing, error: str) -> None:
        self._log("outbox.dead_letter", channel=row.address.channel, id=row.id, error=error)
        await self._store.bury(row.id, error=error[:500], now=self._clock())

    def take_slot(self, sender: Sender, address: Address) -> bool:
        """Whether a message may go into the chat at once; then its slot is taken. For what is only nice to have."""
        now = self._clock()
        slots = self._intervals(sender, address)
        if any(self._slots.get(key, 0.0) > now for key in slots):
            return False
        self._slots.update({key: now + interval for key, interval in slots.items()})
        return True

    def _intervals(self, sender: Sender, address: Address) -> dict[tuple[str, ...], float]:
        """Seconds between two messages in the chat, and on the channel, where there is such a limit."""
        found: dict[tuple[str, ...], float] = {}
        if interval := sender.pace(address):
            found[address.channel, address.chat] = interval
        if rate := sender.capabilities.channel_rate:
            found[(address.channel,)] = 1 / rate
        return found

    async def _pace(self, address: Address, sender: Sender) -> None:
        """Waits for the chat's next slot, then for the channel's: who waits for a chat takes no slot of the channel."""
        for key, interval in self._intervals(sender, address).items():
            await self._slot(key, interval)

    def _used(self, address: Address, sender: Sender) -> None:
        """The next message comes a whole interval after this one arrived, however long that took."""
        if interval := sender.pace(address):
            key = (address.channel, address.chat)
            self._slots[key] = max(self._slots.get(key, 0.0), self._clock() + interval)

    async def _slot(self, key: tuple[str, ...], interval: float) -> None:
        now = self._clock()
        # bounded, so that a clock that was set back stalls nothing
        at = min(max(now, self._slots.get(key, 0.0)), now + _LONGEST_PACE)
        if len(self._slots) > _MANY_SLOTS:
            self._slots = {key: free for key, free in self._slots.items() if free > now}
        self._slots[key] = at + interval
        if at > now:
            await asyncio.sleep(at - now)


async def _taken(waiting: tuple[Wait, ...], replies: tuple[Outgoing, ...]) -> bool:
    """Whether one of the callers has the replies; False once all of them have left without."""
    left = len(waiting)
    finished: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def finish(taken: bool) -> None:
        nonlocal left
        left -= 1
        if not finished.done() and (taken or not left):
            finished.set_result(taken)

    for wait in waiting:
        wait.give(replies, finish)
    return await finished
