"""Callers that wait for a reply (`?wait=`): the outbox hands them what it would otherwise send.

1. A waiter is registered before its message is stored, so no reply can slip past it.
2. Replies that a waiter holds count as delivered only when it says so; otherwise they go the ordinary way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from supportbot.types import Message, Outgoing

_Key = tuple[str, str]


class Wait:
    """One caller's wait, an `async with` block around receiving and answering; see `protocols.Waiting`."""

    def __init__(self, waits: Waits, key: _Key) -> None:
        self._waits = waits
        self._key = key
        self._future: asyncio.Future[tuple[Outgoing, ...]] = asyncio.get_running_loop().create_future()
        self._finish: Callable[[bool], None] | None = None
        self._taken = False
        self._left = False

    async def replies(self, seconds: float) -> tuple[Outgoing, ...]:
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.shield(self._future)
        except TimeoutError:
            self._waits.forget(self._key, self)
            return self._future.result() if self._future.done() else ()

    def taken(self) -> None:
        self._taken = True

    def give(self, rows: tuple[Outgoing, ...], finish: Callable[[bool], None] | None) -> None:
        if not self._left and not self._future.done():
            self._future.set_result(rows)
            self._finish = finish
        elif finish is not None:
            finish(False)

    async def __aenter__(self) -> Wait:
        self._waits.add(self._key, self)
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._left = True
        self._waits.forget(self._key, self)
        if not self._future.done():
            self._future.cancel()
        if self._finish is not None:
            self._finish(self._taken)


class Waits:
    """Who waits for which message; several may wait for the same."""

    def __init__(self) -> None:
        self._waiting: dict[_Key, list[Wait]] = {}

    def wait_for(self, message: Message) -> Wait:
        return Wait(self, (message.address.channel, message.id))

    def add(self, key: _Key, wait: Wait) -> None:
        self._waiting.setdefault(key, []).append(wait)

    def forget(self, key: _Key, wait: Wait) -> None:
        waiting = self._waiting.get(key, [])
        if wait in waiting:
            waiting.remove(wait)
        if not waiting:
            self._waiting.pop(key, None)

    def find(self, row: Outgoing) -> tuple[Wait, ...]:
        """Who waits for this reply."""
        if not self._waiting or row.kind != "message.reply":
            return ()
        keys = ((row.address.channel, id) for id in row.in_reply_to)
        return tuple(wait for key in keys for wait in self._waiting.get(key, ()))

    def nothing_for(self, channel: str, ids: Sequence[str]) -> None:
        """Tells those who wait for these messages that the turn has no reply for them."""
        for id in ids:
            for wait in self._waiting.pop((channel, id), ()):
                wait.give((), None)
