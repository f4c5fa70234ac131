"""The built-in console as a desk: `desks: {front: {channel: console}}` in the config.

1. Its pages read the store, so there is nothing to deliver: a row is there once it is committed. Pages that are open are
   told that there is something new.
2. A handoff's place is its own id. An agent's id is their login.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from supportbot.changes import Changes
from supportbot.errors import UsageError
from supportbot.protocols import Desk
from supportbot.types import Outgoing

CHANNEL = "console"
"""The name that stands in the place of a channel; no channel may have it."""


class ConsoleDesk(Desk):
    """A desk whose agents work in the console. UsageError for an option: it has none."""

    def __init__(self, name: str, options: Mapping[str, Any], changes: Changes) -> None:
        super().__init__(name)
        self._changes = changes
        if unknown := sorted(options):
            raise UsageError(f"{unknown[0]} is not known; a desk in the console has no options of its own.")

    async def send(self, outgoing: Outgoing) -> str:
        self._changes.tell("queue", f"c:{outgoing.conversation}")
        return str(outgoing.data["handoff"])
