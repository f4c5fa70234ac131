"""Shows a streamed reply while it is being written, on channels that can; the outbox finishes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from supportbot.errors import ChannelError
from supportbot.types import Outgoing, Reply, TurnInput

if TYPE_CHECKING:
    from supportbot.worker import House


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

    async def show(self, piece: str) -> None:
        """Adds a piece and shows all of it so far; a channel that fails at this only loses the preview."""
        if self._adapter is None:
            return
        self._text += piece
        self.shown = True
        try:
            self.handle = await self._adapter.preview(self._outgoing(), self._text) or self.handle
        except ChannelError as error:
            self._log("preview.failed", channel=self._adapter.name, error=str(error))
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
