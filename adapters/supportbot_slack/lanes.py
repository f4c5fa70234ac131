"""What comes from one chat is taken in one after the other, in the order in which it arrived; chats do not wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Lanes:
    """A fair lock for each key, kept only while somebody is there."""

    def __init__(self) -> None:
        self._locks: dict[str, asyncio.Lock] = {}
        self._there: dict[str, int] = {}

    @asynccontextmanager
    async def lane(self, key: str) -> AsyncIterator[None]:
        """Alone in this lane. The place in the queue is taken before anything is awaited."""
        lock = self._locks.setdefault(key, asyncio.Lock())
        self._there[key] = self._there.get(key, 0) + 1
        try:
            async with lock:
                yield
        finally:
            self._there[key] -= 1
            if not self._there[key]:
                del self._there[key], self._locks[key]
