"""Shows a streamed reply while it is being written, on channels that can; the outbox finishes it."""

from __future__ import annotations

import asyncio

from supportbot.house import House
from supportbot.types import Outgoing, Reply, TurnInput

_SECONDS = 5.0


class Preview:
    """One turn's streamed text. `handle` is what the channel calls the message, `shown` whether there is any."""

    def __init__(self, house: House, start: TurnInput) -> None:
        self._adapter = house.adapters.get(start.conversation.address.channel)
        self._start = start
        self._text = ""
        self._log = house.log
        self.handle = ""
        self.shown = False
        self.possible = self._adapter is not None and self._adapter.capabilities.streaming

    def begin(self) -> None:
        """Another answer is asked for: its text takes the place of what was shown before."""
        self._text = ""

    async def show(self, piece: str) -> None:
        """Adds a piece and shows all of it so far; a channel that fails at this only loses the preview."""
        if self._adapter is None or not self.possible:
            return
        self._text += piece
        self.shown = True
        try:
            async with asyncio.timeout(_SECONDS):
                self.handle = str(await self._adapter.preview(self._outgoing(), self._text) or self.handle)
        except Exception as error:  # noqa: BLE001 - named boundary: a preview is never worth an answer
            self._log("preview.failed", channel=self._adapter.name, error=type(error).__name__)
            self.possible = False

    def _outgoing(self) -> Outgoing:
        start = self._start
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
            reply=Reply(self._text),
            preview=self.handle,
        )
