"""What has changed, for pages that are open: topics that are told of, and watched.

1. A topic is a word such as "queue" or "c:<conversation>"; it says that something is new, never what.
2. Telling never waits and never fails; a watcher that is slow finds each topic once, however often it was told.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from typing import Self


class Changes:
    """One hub for one process; used on the event loop only."""

    def __init__(self) -> None:
        self._watchers: defaultdict[str, set[Watch]] = defaultdict(set)
        self._closed = False

    def tell(self, *topics: str) -> None:
        for topic in topics:
            for watch in self._watchers.get(topic, ()):
                watch.wake(topic)

    def watch(self, topics: Iterable[str]) -> Watch:
        """Enter it, and iterate: the topics told of since the last time, never none."""
        return Watch(self, frozenset(topics))

    @property
    def watchers(self) -> int:
        """How many watch."""
        return len({watch for found in self._watchers.values() for watch in found})

    def close(self) -> None:
        """Ends every watch, and each that is entered later at once."""
        self._closed = True
        for found in list(self._watchers.values()):
            for watch in list(found):
                watch.end()

    def add(self, watch: Watch) -> None:
        for topic in watch.topics:
            self._watchers[topic].add(watch)
        if self._closed:
            watch.end()

    def drop(self, watch: Watch) -> None:
        for topic in watch.topics:
            self._watchers[topic].discard(watch)
            if not self._watchers[topic]:
                del self._watchers[topic]


class Watch:
    """`async with changes.watch(["queue"]) as watch: async for topics in watch: …`"""

    def __init__(self, changes: Changes, topics: frozenset[str]) -> None:
        self.topics = topics
        self._changes = changes
        self._told: set[str] = set()
        self._event = asyncio.Event()
        self._ended = False

    def wake(self, topic: str) -> None:
        self._told.add(topic)
        self._event.set()

    def end(self) -> None:
        self._ended = True
        self._event.set()

    async def __aenter__(self) -> Self:
        self._changes.add(self)
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._changes.drop(self)

    def __aiter__(self) -> AsyncIterator[frozenset[str]]:
        return self

    async def __anext__(self) -> frozenset[str]:
        await self._event.wait()
        if self._ended:
            raise StopAsyncIteration
        self._event.clear()
        told, self._told = frozenset(self._told), set()
        return told
