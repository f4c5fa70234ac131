"""The terminal as a channel: one conversation on standard input and output."""

from __future__ import annotations

import sys
from typing import TextIO

from supportbot.protocols import Adapter
from supportbot.types import Address, Button, Capabilities, Outgoing, User

NAME = "terminal"


class TerminalAdapter(Adapter):
    """Prints what the bot says; buttons become numbered choices, and a bare number presses one.

    `label` stands before each of the bot's messages; empty on a pipe, where only the words are printed.
    """

    capabilities = Capabilities(buttons=True, streaming=True, burst_wait=0.0, retry_delays=())

    def __init__(self, conversation: str, user: User, *, label: str = "", out: TextIO | None = None) -> None:
        super().__init__(NAME, {})
        self.address = Address(NAME, conversation)
        self.user = user
        self.buttons: tuple[Button, ...] = ()
        self._label = label
        self._out = out or sys.stdout
        self._streamed = ""
        self.muted = False
        self.prompt = ""

    async def preview(self, outgoing: Outgoing, text: str) -> str:
        """Prints what is new of a reply that is still being written."""
        if self.muted:
            return ""
        if not self._streamed:
            self._write(self._label)
        new = text[len(self._streamed) :] if text.startswith(self._streamed) else "\n" + text
        self._streamed = text
        self._write(new)
        return ""

    async def send(self, outgoing: Outgoing) -> str:
        """Prints one message that nobody waits for: a human's answer, or a notice."""
        if outgoing.address == self.address and outgoing.reply is not None:
            self._write("\n")
            self.show(outgoing)
            self._write(self.prompt)
        return outgoing.id

    def show(self, outgoing: Outgoing) -> None:
        """Prints one of the bot's messages, or what is missing of a streamed one."""
        reply = outgoing.reply
        if reply is None:
            return
        if self._streamed and reply.text.startswith(self._streamed):
            self._write(reply.text[len(self._streamed) :])
        else:
            self._write(("\n" if self._streamed else "") + self._label + reply.text)
        self._streamed = ""
        self._write("\n")
        self.buttons = reply.buttons
        for number, button in enumerate(reply.buttons, 1):
            self._write(f"  {number}. {button.label}\n")

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()
