"""The way out: due -> the channel's pace -> Adapter.send -> delivered.

1. Rows of one lane (a conversation on a channel) go in order and one at a time; lanes do not wait for each other.
2. A row leaves the lane when it is delivered or a dead letter; a row that failed for now keeps its lane.
3. This module alone retries and paces, by the channel's Capabilities.
4. A sender that may have slept past its time asks the store again before it sends.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from supportbot.errors import ChannelBusy, ChannelError, StoreError
from supportbot.protocols import Store
from supportbot.types import Capabilities, Outgoing
from supportbot.waits import Wait, Waits

_POLL = 1.0
_FRESH = 20.0
_AT_ONCE = 256


class Sender(Protocol):
    """The outgoing half of an adapter, which is all that the outbox needs."""

    capabilities: Capabilities

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
        self._slots: dict[str, float] = {}
        self._sent_at: dict[str, float] = {}
        self._wake = asyncio.Event()
        self._behind = False

    async def run(self) -> None:
        """Polls for rows that became due by time, after a failure or from before a restart."""
        while True:
            try:
                await self._poll()
            except StoreError as error:
                self._log("outbox.poll_failed", error=str(error))
            try:
                async with asyncio.timeout(_POLL):
                    await self._wake.wait()
            except TimeoutError:
                pass

    async def _poll(self) -> None:
        self._wake.clear()
        free = _AT_ONCE - len(self._lanes)
        if free <= 0:
            return
        rows = await self._store.due(now=self._clock(), limit=free, busy=tuple(self._lanes))
        for row in rows:
            if row.lane not in self._lanes:
                self._start((row,))

    def push(self, ready: Sequence[Outgoing], *, behind: bool) -> None:
        """Sends freshly committed rows at once, without asking the store; `behind`: others wait for their lane."""
        self._behind = self._behind or behind
        lanes: dict[str, list[Outgoing]] = {}
        for row in ready:
            lanes.setdefault(row.lane, []).append(row)
        for lane, rows in lanes.items():
            if lane not in self._lanes and len(self._lanes) < _AT_ONCE * 4:
                self._start(tuple(rows))
            else:
                self._behind = True

    def nothing_for(self, channel: str, ids: Sequence[str]) -> None:
        """The turn over these messages has no reply: nobody need wait for one."""
        self._waits.nothing_for(channel, ids)

    async def drain(self, seconds: float) -> None:
        """Waits for what is in flight; what does not finish in time is cancelled and goes out after the restart."""
        tasks = list(self._lanes.values())
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def _start(self, rows: tuple[Outgoing, ...]) -> None:
        lane = rows[0].lane
        task = asyncio.create_task(self._lane(rows), name=f"outbox {lane}")
        self._lanes[lane] = task
        task.add_done_callback(lambda _: self._end(lane))

    def _end(self, lane: str) -> None:
        del self._lanes[lane]
        if self._behind:
            self._behind = False
            self._wake.set()

    async def _lane(self, rows: tuple[Outgoing, ...]) -> None:
        picked = self._clock()
        try:
            wait = self._waits.find(rows[0])
            left = deque(await self._hand_over(rows, wait) if wait else rows)
            while left and await self._one(left[0], picked):
                left.popleft()
        except StoreError as error:
            self._log("outbox.store_failed", lane=rows[0].lane, error=str(error))

    async def _hand_over(self, rows: tuple[Outgoing, ...], wait: Wait) -> tuple[Outgoing, ...]:
        """Gives the turn's replies to the caller who waits; returns what is still to be sent."""
        first = rows[0]
        events = tuple(row for row in rows if row.kind != "message.reply")
        replies = tuple(row for row in rows if row.kind == "message.reply")
        if len(replies) < first.parts - first.part + 1:
            turn = await self._store.replies_to(first.address.channel, first.in_reply_to[0])
            replies = tuple(row for row in turn if row.part >= first.part)
        finished: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        wait.give(replies, finished.set_result)
        if not await finished:
            return replies + events
        await self._store.delivered([row.id for row in replies], now=self._clock())
        return events

    async def _one(self, row: Outgoing, picked: float) -> bool:
        """Sends one row; False if the lane must rest."""
        sender = self._senders.get(row.address.channel)
        if sender is None:
            await self._bury(row, f"no channel {row.address.channel!r} is configured")
            return True
        await self._pace(row, sender.capabilities)
        if self._clock() - picked > _FRESH and not await self._store.unsent(row.id):
            return True
        try:
            async with asyncio.timeout(sender.capabilities.send_timeout + 1):
                handle = await sender.send(row)
        except TimeoutError:
            return await self._failed(row, sender, ChannelBusy("the channel did not answer in time"))
        except ChannelError as error:
            return await self._failed(row, sender, error)
        except Exception as error:  # noqa: BLE001 - named boundary: outbox send
            self._log(
                "outbox.adapter_failed", channel=row.address.channel, error=type(error).__name__, exc_info=True
            )
            return await self._failed(row, sender, ChannelBusy(f"the adapter failed: {type(error).__name__}"))
        if sender.capabilities.chat_interval:
            self._sent_at[row.lane] = self._clock()
        await self._store.delivered([row.id], handle=handle, now=self._clock())
        return True

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

    async def _pace(self, row: Outgoing, limits: Capabilities) -> None:
        """Waits for the chat's and the channel's next slot."""
        now = self._clock()
        wait = 0.0
        if limits.chat_interval:
            wait = self._sent_at.get(row.lane, 0.0) + limits.chat_interval - now
        if limits.channel_rate:
            channel = row.address.channel
            slot = max(now + max(wait, 0.0), self._slots.get(channel, 0.0))
            self._slots[channel] = slot + 1 / limits.channel_rate
            wait = slot - now
        if wait > 0:
            await asyncio.sleep(wait)
        if len(self._sent_at) > 10_000:
            self._sent_at.clear()
