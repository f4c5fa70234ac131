"""`SqliteStore`: every conversation in one SQLite file, owned by one process.

1. One thread writes; what is asked of it at the same time becomes one commit (`writer`).
2. Reads go over two connections that cannot write: one for the turns' own questions, one for people, so that a long
   listing delays no turn.
3. Of conversations with pending messages the fence stands in memory too, raised when a lease is issued: so one that
   was overtaken fails at once. The database stays the truth: begin, journal and commit check the row.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from supportbot.errors import StaleLease, StoreError
from supportbot.protocols import Enqueue
from supportbot.stores import (
    authority,
    codec,
    committing,
    desks,
    opening,
    passing,
    queries,
    reading,
    turns,
)
from supportbot.stores.console import SqliteConsole
from supportbot.stores.lock import DatabaseLock
from supportbot.stores.recent import Past, Recent
from supportbot.stores.shelf import SqliteShelf
from supportbot.stores.turns import Fence
from supportbot.stores.writer import Reader, Writer
from supportbot.types import (
    Aside,
    CallWaits,
    Charge,
    ChargeOutcome,
    Committed,
    Conversation,
    Handoff,
    Inbound,
    Job,
    JournalEntry,
    Lease,
    LedgerEntry,
    LookBack,
    LookedBack,
    Message,
    Outcome,
    Outgoing,
    Place,
    Placed,
    Receipt,
    Refused,
    TakePlace,
    Turn,
    TurnInput,
    Usage,
    WaitingCall,
)

T = TypeVar("T")
_SEIZE_TRIES = 5


class SqliteStore:
    """A `supportbot.protocols.Store` in the file `path`.

    `enqueue` is the queue's. `events` names the channels that also get `handoff.*` and `conversation.closed`;
    with `notify` each `handoff.*` goes to the channel "@notify" too. `committed` is told of each turn. `open()` it on the event loop that uses it.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        enqueue: Enqueue,
        events: Collection[str] = frozenset(),
        notify: bool = False,
        committed: Callable[[str, Outcome], None] = lambda conversation, outcome: None,
    ) -> None:
        self.path = Path(path)
        self._committed = committed
        self._enqueue = enqueue
        self._routes = committing.EventRoutes(frozenset(events), notify)
        self._fences: dict[str, Fence] = {}
        self._recent = Recent()
        self._lock: DatabaseLock | None = None
        self._writer: Writer | None = None
        self._turns: Reader | None = None
        self._people: Reader | None = None
        self._for_reading = False

    @classmethod
    def read_only(cls, path: Path | str) -> SqliteStore:
        """A store that takes no lock and writes nothing, beside a running server too; its writes raise StoreError."""
        store = cls(path, enqueue=_enqueue_nothing)
        store._for_reading = True
        return store

    async def open(self) -> None:
        if self._for_reading:
            return self._start(None, await asyncio.to_thread(opening.two_readers, self.path))
        lock, connection, readers, rows = await asyncio.to_thread(opening.take, self.path)
        self._lock = lock
        self._fences = {public: (turn, attempt) for public, _, turn, attempt in rows}
        return self._start(connection, readers)

    def _start(self, connection: sqlite3.Connection | None, readers: opening.Readers) -> None:
        if connection is not None:
            self._writer = Writer(connection, self.path, "writer")
            self._writer.start()
        self._turns = Reader(readers[0], self.path, "reader")
        self._turns.start()
        self._people = Reader(readers[1], self.path, "people")
        self._people.start()

    async def close(self) -> None:
        """Finishes what was asked for, moves the log into the file, lets the database go."""
        for thread in (self._people, self._turns, self._writer):
            if thread is not None:
                await thread.stop()
        if self._lock is not None:
            self._lock.release()
        self._people = self._turns = self._writer = self._lock = None
        self._fences.clear()

    def issue(self, conversation: str) -> tuple[int, int] | None:
        """A new lease's (sequence, attempt), above all before; None when nothing is pending. For the local queue."""
        fence = self._fences.get(conversation)
        if fence is None:
            return None
        turn, attempt = fence
        self._fences[conversation] = (turn, attempt + 1)
        return (turn + 1, attempt + 1)

    # --- the way in ---

    async def receive(
        self, message: Message, *, now: float, ready_at: float, entry: Mapping[str, Any] | None = None
    ) -> Receipt:
        columns = codec.inbound_columns(message)
        times, enqueue, shown = (now, ready_at), self._enqueue, None if entry is None else codec.dump(entry)
        received = await self._write(
            lambda connection: turns.receive(connection, message, columns, times, enqueue, shown),
            self._after_receive,
        )
        return received.receipt

    def _after_receive(self, received: turns.Received) -> None:
        if received.fence is not None:
            self._fences.setdefault(received.receipt.conversation, received.fence)
        if received.enqueued is not None:
            received.enqueued()

    async def begin(self, lease: Lease, *, now: float) -> TurnInput | None:
        self._refuse_overtaken(lease)
        return await self._write(partial(_begin, lease, self._recent.get(lease.conversation)), self._after_begin)

    def _after_begin(self, started: TurnInput | None) -> None:
        if started is not None:
            self._raise_fence(started.lease.conversation, (started.lease.sequence - 1, started.lease.attempt))
            self._recent.put(started.conversation.id, started.conversation.turn, started.turns)

    def _raise_fence(self, conversation: str, begun: Fence) -> None:
        self._fences[conversation] = max(begun, self._fences.get(conversation, begun))

    def _refuse_overtaken(self, lease: Lease) -> None:
        fence = self._fences.get(lease.conversation)
        if fence is not None and not turns.newest(lease, fence):
            raise turns.outdated(lease)

    async def arrived(self, lease: Lease, *, after: int) -> tuple[Inbound, ...]:
        self._refuse_overtaken(lease)
        return await self._ask(lambda connection: turns.arrived(connection, lease, after))

    async def journal(
        self, lease: Lease, entry: JournalEntry, ledger: Charge | turns.Settled | None = None
    ) -> Refused | None:
        self._refuse_overtaken(lease)
        result = None if entry.result is None else codec.dump(entry.result)
        return await self._write(lambda connection: turns.journal(connection, lease, entry, result, ledger))

    async def commit(self, lease: Lease, outcome: Outcome, *, now: float) -> Committed:
        self._refuse_overtaken(lease)
        packed = committing.pack(outcome, now)
        return await self._write(
            lambda connection: committing.commit(connection, lease, packed, self._routes, now),
            partial(self._after_commit, lease, outcome),
        )

    def _after_commit(self, lease: Lease, outcome: Outcome, committed: Committed) -> None:
        if outcome.withdrawn:
            self._recent.drop(lease.conversation)
        else:
            self._recent.add(lease.conversation, lease.sequence, outcome.turn, outcome.cut)
        if committed.more:
            self._fences[lease.conversation] = (lease.sequence, 0)
        else:
            self._fences.pop(lease.conversation, None)
        self._committed(lease.conversation, outcome)

    async def seize(self, conversation: str, *, until: float) -> Lease:
        """NotFound if there is no such conversation; StaleLease if its turns end faster than one can be seized."""
        for _ in range(_SEIZE_TRIES):
            number = self.issue(conversation)
            taken = await self._write(
                partial(_seize, conversation, number), partial(self._after_seize, conversation)
            )
            if taken is not None:
                return Lease(conversation, taken[0], taken[1], until)
        raise StaleLease(
            f"The turns of conversation {conversation} are being committed: there is nothing to seize."
        )

    def _after_seize(self, conversation: str, taken: tuple[int, int] | None) -> None:
        if taken is not None and conversation in self._fences:
            self._raise_fence(conversation, (taken[0] - 1, taken[1]))

    async def holds(self, lease: Lease) -> bool:
        fence = self._fences.get(lease.conversation)
        if fence is None:
            return await self._ask(partial(_holds, lease))
        return turns.newest(lease, fence)

    # --- what is done outside of a turn ---

    async def charge(self, charge: Charge) -> Refused | None:
        return await self._write(lambda connection: authority.charge(connection, charge))

    async def settle(self, key: str, outcome: ChargeOutcome, *, now: float) -> None:
        await self._write(lambda connection: authority.settle(connection, key, outcome, now))

    async def earlier(self, key: str) -> ChargeOutcome | None:
        return await self._ask(lambda connection: authority.earlier(connection, key))

    # --- the way out ---

    async def due(self, *, now: float, limit: int, busy: Collection[str]) -> tuple[Outgoing, ...]:
        return await self._ask(lambda connection: passing.due(connection, now, limit, frozenset(busy)))

    async def delivered(self, ids: Sequence[str], *, handle: str = "", now: float) -> None:
        await self._write(lambda connection: passing.delivered(connection, ids, handle, now))

    async def postpone(self, id: str, *, until: float, error: str) -> None:
        await self._execute(queries.POSTPONE, (until, codec.clean(error), codec.clean(id)))

    async def bury(self, id: str, *, error: str, now: float) -> None:
        await self._write(lambda connection: passing.bury(connection, id, error, now))

    async def unsent(self, id: str) -> bool:
        values = (codec.clean(id),)
        return await self._ask(lambda connection: bool(connection.execute(queries.UNSENT, values).fetchone()[0]))

    async def behind(self, conversation: str, channel: str) -> bool:
        values = (codec.clean(conversation), codec.clean(channel))
        return await self._ask(
            lambda connection: bool(connection.execute(queries.LANE_FULL, values).fetchone()[0])
        )

    async def replies_to(self, channel: str, message_id: str) -> tuple[Outgoing, ...]:
        return await self._ask(lambda connection: reading.replies_to(connection, channel, message_id))

    # --- desks ---

    async def take_place(self, lease: Lease, asked: TakePlace, *, now: float) -> Place:
        self._refuse_overtaken(lease)
        return await self._write(lambda connection: desks.take_place(connection, lease, asked, now))

    async def look_back(self, conversation: str, asked: LookBack) -> LookedBack:
        return await self._ask(lambda connection: desks.look_back(connection, conversation, asked))

    async def placed(self, desk: str, *, place: str = "", handoff: str = "") -> Placed | None:
        return await self._ask(lambda connection: desks.placed(connection, desk, place, handoff))

    async def unplaced(self, channel: str) -> bool:
        return await self._ask(lambda connection: desks.unplaced(connection, channel))

    # --- what channels keep ---

    def shelf(self, channel: str, *, clock: Callable[[], float]) -> SqliteShelf:
        return SqliteShelf(channel, self._ask, self._write, clock)

    # --- time ---

    async def fire_timers(self, *, now: float) -> int:
        enqueue = self._enqueue
        fired = await self._write(
            lambda connection: passing.fire_timers(connection, now, enqueue), self._after_timers
        )
        return len(fired)

    def _after_timers(self, fired: Sequence[passing.Fired]) -> None:
        for one in fired:
            self._fences.setdefault(one.conversation, one.fence)
            if one.enqueued is not None:
                one.enqueued()

    async def next_timer(self) -> float | None:
        return await self._ask(passing.next_timer)

    async def overdue(self, *, before: float) -> tuple[tuple[str, float], ...]:
        return await self._ask(lambda connection: tuple(connection.execute(queries.OVERDUE, (before,)).fetchall()))

    async def pending(self) -> tuple[Job, ...]:
        rows = await self._ask(passing.jobs)
        return tuple(Job(public, ready_at) for public, ready_at, _, _ in rows)

    async def sweep(self, *, now: float, keep: float) -> int:
        """In steps of a thousand rows, each its own transaction, so that turns are not kept waiting."""
        cutoff, removed = now - keep, 0
        while step := await self._write(lambda connection: passing.sweep_some(connection, cutoff)):
            removed += step
        return removed + await self._write(lambda connection: passing.sweep_rest(connection, cutoff))

    # --- reading, for people and commands ---

    async def conversation(self, id: str) -> Conversation:
        return await self._read(lambda connection: reading.conversation(connection, id))

    async def find(self, channel: str, chat: str, thread: str = "") -> Conversation | None:
        return await self._read(lambda connection: reading.find(connection, (channel, chat, thread)))

    async def conversations(self, *, limit: int = 50, before: float | None = None) -> tuple[Conversation, ...]:
        return await self._read(lambda connection: reading.conversations(connection, limit, before))

    async def transcript(self, conversation: str, *, limit: int = 200) -> tuple[Turn, ...]:
        return await self._read(lambda connection: reading.transcript(connection, conversation, limit))

    async def handoffs(self, *, open_only: bool = True, limit: int = 100) -> tuple[Handoff, ...]:
        return await self._read(lambda connection: reading.handoffs(connection, open_only, limit))

    async def handoff(self, id: str) -> Handoff:
        return await self._read(lambda connection: reading.handoff(connection, id))

    async def calls(self, waits_for: CallWaits, *, limit: int = 100) -> tuple[tuple[str, WaitingCall], ...]:
        return await self._read(lambda connection: authority.calls(connection, waits_for, limit))

    async def call(self, id: str) -> tuple[str, WaitingCall]:
        return await self._read(lambda connection: authority.call(connection, id))

    async def ledger(self, *, limit: int = 100) -> tuple[LedgerEntry, ...]:
        return await self._read(lambda connection: authority.ledger(connection, limit))

    async def traces(self, conversation: str, *, limit: int = 1) -> tuple[Mapping[str, Any], ...]:
        return await self._read(lambda connection: reading.traces(connection, conversation, limit))

    async def usage(self, *, since: float) -> tuple[tuple[str, str, Usage], ...]:
        return await self._read(lambda connection: reading.usage(connection, since))

    async def set_aside(self, channel: str, id: str, content: str, reason: str, *, now: float) -> None:
        columns = tuple(codec.clean(text) for text in (channel, id, content, reason))
        await self._execute(queries.SET_ASIDE, (*columns, now))

    async def aside(self, *, limit: int = 100) -> tuple[Aside, ...]:
        return await self._read(lambda connection: reading.aside(connection, limit))

    async def dead_letters(self, *, limit: int = 100) -> tuple[tuple[Outgoing, str], ...]:
        return await self._read(lambda connection: reading.dead_letters(connection, limit))

    async def counts(self) -> Mapping[str, int]:
        return await self._read(reading.counts)

    @property
    def console(self) -> SqliteConsole:
        """The console's people, their sessions, and what they did."""
        return SqliteConsole(self.read, self.write)

    async def read(self, function: Callable[[sqlite3.Connection], T], /) -> T:
        """Runs a function that only reads, for people's pages."""
        return await self._read(function)

    async def write(self, function: Callable[[sqlite3.Connection], T], /) -> T:
        """Runs a function in a transaction of its own."""
        return await self._write(function)

    # --- threads ---

    async def _write(
        self, function: Callable[[sqlite3.Connection], T], after: Callable[[T], None] | None = None
    ) -> T:
        if self._writer is None:
            raise StoreError(
                f"{self.path} was opened for reading only." if self._for_reading else f"{self.path} is not open."
            )
        return await self._writer.run(function, after)

    async def _execute(self, query: str, values: tuple[Any, ...]) -> None:
        await self._write(lambda connection: connection.execute(query, values).rowcount)

    async def _ask(self, function: Callable[[sqlite3.Connection], T]) -> T:
        return await _over(self._turns, function, self.path)

    async def _read(self, function: Callable[[sqlite3.Connection], T]) -> T:
        return await _over(self._people, function, self.path)


async def _over(reader: Reader | None, function: Callable[[sqlite3.Connection], T], path: Path) -> T:
    if reader is None:
        raise StoreError(f"{path} is not open.")
    return await reader.run(function)


def _begin(lease: Lease, past: Past | None, connection: sqlite3.Connection) -> TurnInput | None:
    return turns.begin(connection, lease, past)


def _seize(conversation: str, number: Fence | None, connection: sqlite3.Connection) -> Fence | None:
    return turns.seize(connection, conversation, number)


def _holds(lease: Lease, connection: sqlite3.Connection) -> bool:
    row = connection.execute(queries.FENCE, (lease.conversation,)).fetchone()
    return row is not None and turns.newest(lease, (row[1], row[2]))


def _enqueue_nothing(transaction: object, job: Job, /) -> None:
    """A store that does not write enqueues nothing."""
