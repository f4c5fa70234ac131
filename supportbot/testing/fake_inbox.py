"""The house as an adapter sees it, for tests: it records, and it can be slow, full, or about to answer."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from typing import Any, Self

from supportbot.errors import Conflict, NotFound, SupportbotError
from supportbot.types import Act, Address, Entry, Message, Outgoing, Receipt


class FakeInbox:
    """An Inbox in memory. `messages` are what was stored (no repeats), `log` everything that happened, in order.

    Set `error` to have every `receive` raise it; call `hold()` to stop them until `release()`; script what a waiting
    caller gets with `will_answer(id, rows)`, before or after the message came. `customers` says whose an address is
    (the first who wrote there, unless the test says otherwise), `aside` has what was set aside: (id, content, reason).
    """

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.log: list[tuple[str, str]] = []
        self.error: SupportbotError | None = None
        self.answered: dict[str, tuple[Outgoing, ...]] = {}
        self.customers: dict[Address, str] = {}
        self.aside: list[tuple[str, str, str]] = []
        self.arrived = asyncio.Event()
        self._open = asyncio.Event()
        self._open.set()
        self._scripted: dict[str, asyncio.Future[tuple[Outgoing, ...]]] = {}
        self._shelves: dict[str, FakeShelf] = {}

    def shelf(self, channel: str) -> FakeShelf:
        """The channel's own shelf, always the same one."""
        return self._shelves.setdefault(channel, FakeShelf())

    def hold(self) -> None:
        """Every `receive` from now on stops before it stores."""
        self._open.clear()

    def release(self) -> None:
        self._open.set()

    def will_answer(self, id: str, *rows: Outgoing) -> None:
        """Gives the caller who waits for message `id` these rows."""
        future = self._script(id)
        if not future.done():
            future.set_result(rows)

    async def receive(self, message: Message, *, entry: Mapping[str, Any] | None = None) -> Receipt:
        self.log.append(("asked", message.id))
        self.arrived.set()
        await self._open.wait()
        if self.error is not None:
            raise self.error
        for at, known in enumerate(self.messages):
            if (known.address.channel, known.id) == (message.address.channel, message.id):
                return self._again(at, known, message)
        self.messages.append(message)
        if entry is not None:
            await self.shelf(message.address.channel).append(message.address.chat, message.id, entry)
        self.customers.setdefault(message.address, message.user.id)
        self.log.append(("stored", message.id))
        return Receipt("conversation", len(self.messages), fresh=True)

    def wait_for(self, message: Message) -> FakeWaiting:
        return FakeWaiting(self, message.id)

    async def answers(self, message: Message) -> tuple[Outgoing, ...]:
        return self.answered.get(message.id, ())

    async def customer(self, address: Address) -> str:
        return self.customers.get(address, "")

    async def set_aside(self, channel: str, id: str, content: str, reason: str) -> None:
        self.log.append(("aside", id))
        await self._open.wait()
        if self.error is not None:
            raise self.error
        if id not in (known for known, _, _ in self.aside):
            self.aside.append((id, content, reason))

    def _again(self, at: int, known: Message, message: Message) -> Receipt:
        if known.digest and message.digest and known.digest != message.digest:
            raise Conflict(f"the id {message.id!r} came before with other content")
        self.log.append(("repeated", message.id))
        return Receipt("conversation", at + 1, fresh=False, done=message.id in self.answered)

    def _script(self, id: str) -> asyncio.Future[tuple[Outgoing, ...]]:
        if id not in self._scripted:
            self._scripted[id] = asyncio.get_running_loop().create_future()
        return self._scripted[id]


class FakeShelf:
    """A Shelf in memory: `values` by key, `feed` as (chat, entry) in order."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.values: dict[str, tuple[Mapping[str, Any], float | None]] = {}
        self.feed: list[tuple[str, Entry]] = []
        self._clock = clock

    async def get(self, key: str) -> Mapping[str, Any] | None:
        value, until = self.values.get(key, ({}, -1.0))
        return value if until is None or until > self._clock() else None

    async def put(self, key: str, value: Mapping[str, Any], *, until: float | None = None) -> None:
        self.values[key] = (json.loads(json.dumps(value)), until)

    async def remove(self, key: str) -> None:
        self.values.pop(key, None)

    async def append(self, chat: str, key: str, body: Mapping[str, Any]) -> Entry:
        for _, entry in self.feed:
            if entry.key == key:
                return entry
        self.feed.append((chat, Entry(len(self.feed) + 1, key, self._clock(), json.loads(json.dumps(body)))))
        return self.feed[-1][1]

    async def entries(
        self, chat: str, *, after: int | None = None, before: int | None = None, limit: int = 100
    ) -> tuple[Entry, ...]:
        own = [entry for whose, entry in self.feed if whose == chat]
        if after is not None:
            return tuple(entry for entry in own if entry.position > after)[:limit]
        return tuple(entry for entry in own if before is None or entry.position < before)[-limit:]

    async def entry(self, chat: str, position: int) -> Entry | None:
        return next((one for whose, one in self.feed if whose == chat and one.position == position), None)


class FakeDesks:
    """A DeskInbox in memory: `acts` are (desk, act) as they were stored, repeats left out.

    `places` are (desk, place) at which a handoff stands; a place "*" stands for every one. `handoffs` are the ids that
    are known. Set `error` to have every `act` raise it.
    """

    def __init__(self) -> None:
        self.acts: list[tuple[str, Act]] = []
        self.places: set[tuple[str, str]] = set()
        self.handoffs: set[str] = set()
        self.error: SupportbotError | None = None
        self.asked = 0

    async def act(self, desk: str, act: Act) -> bool:
        self.asked += 1
        if self.error is not None:
            raise self.error
        known = (
            act.handoff in self.handoffs if act.handoff else bool(self.places & {(desk, act.place), (desk, "*")})
        )
        if known and act.id not in [one.id for at, one in self.acts if at == desk]:
            self.acts.append((desk, act))
        return known


class FakeFiles:
    """Files in memory, by their digest: `kept[sha256 hex] = content`."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def add(self, content: bytes) -> str:
        """The digest under which it can be read."""
        digest = hashlib.sha256(content).hexdigest()
        self.kept[digest] = content
        return digest

    async def keep(self, content: bytes) -> str:
        return self.add(content)

    async def read(self, digest: str) -> bytes:
        try:
            return self.kept[digest]
        except KeyError:
            raise NotFound(f"there is no file {digest}") from None


class FakeWaiting:
    """One caller's wait; leaves ("taken", id) or ("left", id) in the inbox's log."""

    def __init__(self, inbox: FakeInbox, id: str) -> None:
        self._inbox = inbox
        self._id = id
        self._taken = False

    async def replies(self, seconds: float) -> tuple[Outgoing, ...]:
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.shield(self._inbox._script(self._id))
        except TimeoutError:
            return ()

    def taken(self) -> None:
        self._taken = True

    async def __aenter__(self) -> Self:
        self._inbox.log.append(("waiting", self._id))
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._inbox.log.append(("taken" if self._taken else "left", self._id))
