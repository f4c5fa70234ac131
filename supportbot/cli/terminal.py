"""The terminal as a channel: one conversation on standard input and output."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from supportbot.cli.explaining import clean
from supportbot.cli.screen import Painter, Screen
from supportbot.protocols import Adapter
from supportbot.types import Address, Button, Capabilities, Outgoing, User

NAME = "terminal"


class TerminalAdapter(Adapter):
    """Shows what the bot says; buttons become numbered choices, and a bare number presses one.

    `label` is the bot's name. `speaker` tells who wrote a message that nobody waited for; `happened` is told of
    events such as "handoff.requested". `waiting` is True while the customer waits for an answer.
    """

    capabilities = Capabilities(
        buttons=True, streaming=True, preview_interval=0.05, events=True, burst_wait=0.0, retry_delays=()
    )

    def __init__(self, conversation: str, user: User, screen: Screen, *, label: str) -> None:
        super().__init__(NAME, {})
        self.address = Address(NAME, conversation)
        self.user = user
        self.screen = screen
        self.buttons: tuple[Button, ...] = ()
        self.label = label
        self.waiting = False
        self.speaker: Callable[[Outgoing], Awaitable[str]] | None = None
        self.happened: Callable[[Outgoing], None] | None = None
        self._painter: Painter | None = None
        self._streamed = ""

    async def preview(self, outgoing: Outgoing, text: str) -> str:
        """Shows what is new of a reply that is still being written; a pipe gets it when it is whole."""
        if not (self.waiting and self.screen.interactive and outgoing.address == self.address):
            return ""
        if self._painter is not None and not text.startswith(self._streamed):
            self._end_painting()
        if self._painter is None:
            self._painter = self.screen.message(self.label)
        self._painter.feed(text[len(self._streamed) :])
        self._streamed = text
        return NAME

    async def send(self, outgoing: Outgoing) -> str:
        """Shows what nobody waits for: a human's answer, a notice, an event."""
        if outgoing.address != self.address:
            return outgoing.id
        if outgoing.reply is None:
            if self.happened is not None:
                self.happened(outgoing)
            return outgoing.id
        who = await self.speaker(outgoing) if self.speaker is not None else ""
        with self.screen.aside():
            self.show(outgoing, label=who or self.label)
        return outgoing.id

    def at_work(self) -> None:
        """Shows that an answer is on its way, unless it has begun."""
        if self._painter is None:
            self.screen.busy(f"{self.label} is writing …")

    def show(self, outgoing: Outgoing, *, label: str = "") -> None:
        """Shows one message, or what is missing of a streamed one."""
        reply = outgoing.reply
        if reply is None:
            return
        if self._painter is not None and not reply.text.startswith(self._streamed):
            self._end_painting()
        if self._painter is None:
            self._painter = self.screen.message(label or self.label)
        self._painter.feed(reply.text[len(self._streamed) :])
        self._end_painting()
        self.buttons = reply.buttons
        for number, button in enumerate(reply.buttons, 1):
            self.screen.write(f"  {number}. {clean(button.label)}\n")
        self.screen.gap()

    def _end_painting(self) -> None:
        if self._painter is not None:
            self._painter.end()
        self._painter, self._streamed = None, ""
