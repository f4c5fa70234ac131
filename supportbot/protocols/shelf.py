"""What a channel keeps with the house that is its own platform, such as the web chat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from supportbot.types import Entry


class Shelf(Protocol):
    """What a channel that is its own platform keeps with the house: values by key, and each chat's feed of entries.

    All of it is this channel's own. Values and bodies are JSON objects.
    """

    async def get(self, key: str) -> Mapping[str, Any] | None:
        """None if there is none, or its time is over."""

    async def put(self, key: str, value: Mapping[str, Any], *, until: float | None = None) -> None:
        """Keeps it, until that time (seconds since the epoch) or for good. Raises StoreFull, StoreBusy."""

    async def remove(self, key: str) -> None: ...

    async def append(self, chat: str, key: str, body: Mapping[str, Any]) -> Entry:
        """Adds an entry to the chat's feed; the first one of a key stays. Raises StoreFull, StoreBusy."""

    async def entries(
        self, chat: str, *, after: int | None = None, before: int | None = None, limit: int = 100
    ) -> tuple[Entry, ...]:
        """Entries in order: the oldest `limit` after a position, or else the newest ones (before a position)."""

    async def entry(self, chat: str, position: int) -> Entry | None: ...
