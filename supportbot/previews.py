"""What the customer sees while an answer is being made: that the bot is at work, and the text as it is written.

1. Neither is worth an answer: whatever goes wrong here is logged, and the answer comes without it.
2. The model never waits for a channel: text is shown by a task of its own, the newest at most every `preview_interval`.
3. The handle of a shown message is journaled before more is shown, so that after a crash the same message is finished.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from supportbot.house import House
from supportbot.journal import Journal, shown_before
from supportbot.protocols import Adapter
from supportbot.types import Outgoing, Reply, TurnInput

_SECONDS = 3.0
_FIRST_SECONDS = 15.0
"""For the first piece: given up in the middle, its message would stand there and nobody would finish it."""
_PATIENCE = 0.4
"""Seconds before the customer is told that the bot is at work; most flows have answered by then."""


class Preview:
    """One turn's streamed text. `handle` is what the channel calls the message, `shown` whether there is any."""

    def __init__(self, house: House, start: TurnInput, journal: Journal) -> None:
        self._house = house
        self._adapter = house.adapters.get(start.conversation.address.channel)
        self._start = start
        self._journal = journal
        self._text = ""
        self._pending = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.handle = shown_before(start.journal)
        self.shown = bool(self.handle)
        # what was shown before a crash is finished, not written on
        able = self._adapter is not None and self._adapter.capabilities.streaming
        aside = any(row.message.shared or row.message.kind in ("call", "timer") for row in start.pending)
        self.possible = able and not self.shown and not aside

    def begin(self) -> None:
        """Another answer is asked for: its text takes the place of what was shown before."""
        self._text = ""

    async def show(self, piece: str) -> None:
        """Adds a piece; all of it so far is shown as soon as the channel is ready for more."""
        self._text += piece
        self._pending.set()
        if self._task is None and self._adapter is not None:
            self._task = asyncio.create_task(self._show(self._adapter), name="preview")

    async def end(self) -> str:
        """Shows no more; the handle of the message to be finished, "" if there is none."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))
            self._task = None
        return self.handle

    async def _show(self, adapter: Adapter) -> None:
        while True:
            await self._pending.wait()
            self._pending.clear()
            # a push that has begun is finished, so that its handle is known
            pushing = asyncio.ensure_future(self._push(adapter))
            try:
                await asyncio.shield(pushing)
            except asyncio.CancelledError:
                await asyncio.wait((pushing,))
                raise
            if not self.possible:
                return
            await asyncio.sleep(adapter.capabilities.preview_interval)

    async def _push(self, adapter: Adapter) -> None:
        try:
            async with asyncio.timeout(_SECONDS if self.handle else _FIRST_SECONDS):
                if not self.handle and not await self._may_begin(adapter):
                    self.possible = False
                    return
                self.shown = True
                handle = str(
                    await adapter.preview(outgoing(self._start, self._text, self.handle), self._text) or ""
                )
            if handle and handle != self.handle:
                self.handle = handle
                await self._journal.shown(handle)
            self.possible = bool(self.handle)
        except Exception as error:  # noqa: BLE001 - named boundary: a preview is never worth an answer
            self._house.log("preview.failed", channel=adapter.name, error=type(error).__name__)
            self.possible = False

    async def _may_begin(self, adapter: Adapter) -> bool:
        """Not before what was said earlier is sent, nor in the place of a message that has to wait for its turn."""
        conversation = self._start.conversation
        if await self._house.store.behind(conversation.id, conversation.address.channel):
            return False
        return self._house.outbox.take_slot(adapter, conversation.address)


class Sign:
    """What the bot is at; "" for nothing in particular."""

    def __init__(self) -> None:
        self.note = ""
        self._changed = asyncio.Event()

    def show(self, note: str) -> None:
        """Says what it is at from now on."""
        if note != self.note:
            self.note = note
            self._changed.set()

    async def changed(self, seconds: float) -> None:
        """Returns at the next change, or after this time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        self._changed.clear()


@contextlib.asynccontextmanager
async def at_work(house: House, start: TurnInput, sign: Sign) -> AsyncIterator[None]:
    """Shows on the channel, for as long as the block runs, that the bot is at work, and at what."""
    adapter = house.adapters.get(start.conversation.address.channel)
    owned = start.handoff is not None or start.pending[0].message.kind in ("timer", "call")
    if adapter is None or not adapter.capabilities.typing or owned:
        yield
        return
    task = asyncio.create_task(_working(house, adapter, start, sign), name="at work")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait((task,))


async def _working(house: House, adapter: Adapter, start: TurnInput, sign: Sign) -> None:
    locale = start.pending[-1].message.locale or start.conversation.locale or house.script.locale
    note = house.script.text("working", locale)
    await asyncio.sleep(_PATIENCE)
    while True:
        try:
            async with asyncio.timeout(_SECONDS):
                await adapter.working(outgoing(start, "", ""), sign.note or note)
        except Exception as error:  # noqa: BLE001 - named boundary: a sign of life is never worth an answer
            house.log("typing.failed", channel=adapter.name, error=type(error).__name__)
            return
        await sign.changed(adapter.capabilities.typing)


def outgoing(start: TurnInput, text: str, handle: str) -> Outgoing:
    """What the turn would send if it were over now, without an id."""
    rows = tuple(row.message for row in start.pending)
    return Outgoing(
        id="",
        conversation=start.conversation.id,
        address=start.conversation.address,
        lane="",
        kind="message.reply",
        user=rows[0].user,
        in_reply_to=tuple(message.id for message in rows),
        part=1,
        parts=1,
        created_at=0.0,
        reply=Reply(text),
        preview=handle,
    )
