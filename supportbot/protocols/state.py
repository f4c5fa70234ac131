"""What keeps every conversation, and says which is next."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Protocol

from supportbot.protocols.shelf import Shelf
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


class Enqueue(Protocol):
    """The queue's side of `Store.receive`: called inside the store's own transaction.

    `transaction` is the pair's own kind of connection (sqlite3.Connection for sqlite + local). What it returns,
    if anything, is called after the transaction has committed.
    """

    def __call__(self, transaction: Any, job: Job, /) -> Callable[[], None] | None: ...


class TurnQueue(Protocol):
    """Which conversation is next. One lease per conversation at a time, in the order of readiness."""

    async def claim(self) -> Lease:
        """Waits for the next conversation with work that nobody holds, and leases it."""

    async def extend(self, lease: Lease, *, until: float) -> None:
        """Keeps a lease longer; raises StaleLease when it is gone."""

    async def release(self, lease: Lease, *, again_at: float | None) -> None:
        """Gives the lease back; `again_at` is when there is more work, None for no more."""

    async def close(self) -> None: ...


class Store(Protocol):
    """Every conversation, durably. Each method is one transaction. Written by one process (SQLite) or many."""

    async def open(self) -> None:
        """Takes ownership, checks the version, migrates. Raises StoreBusy, StoreNewer, StoreFull, StoreError."""

    async def close(self) -> None: ...

    # the way in
    async def receive(
        self, message: Message, *, now: float, ready_at: float, entry: Mapping[str, Any] | None = None
    ) -> Receipt:
        """Stores, deduplicates and enqueues; `entry` goes into the feed of the message's chat under its id. A repeat
        gives the first receipt; Conflict if its digest differs."""

    async def begin(self, lease: Lease, *, now: float) -> TurnInput | None:
        """Fences out older attempts and reads the turn; None if nothing is pending. StaleLease if outdated."""

    async def arrived(self, lease: Lease, *, after: int) -> tuple[Inbound, ...]:
        """Messages accepted for the conversation after inbox position `after`. StaleLease if outdated."""

    async def journal(
        self, lease: Lease, entry: JournalEntry, ledger: Charge | tuple[str, ChargeOutcome, float] | None = None
    ) -> Refused | None:
        """Writes, or overwrites, one journal entry of the running turn. StaleLease if outdated.

        A tool's result shows that the turn gets on: how often it was begun is counted anew. With it goes, in the same transaction, a charge into the ledger, or (key, outcome, time) of one that is over. A
        charge that is refused writes nothing at all.
        """

    async def commit(self, lease: Lease, outcome: Outcome, *, now: float) -> Committed:
        """Writes the turn and ends the lease's fence. StaleLease if outdated."""

    async def charge(self, charge: Charge) -> Refused | None:
        """Enters a call that runs outside of a turn; None if it may run."""

    async def earlier(self, key: str) -> ChargeOutcome | None:
        """What the ledger says of a key; None if it was never charged."""

    async def settle(self, key: str, outcome: ChargeOutcome, *, now: float) -> None:
        """Says what such a call came to."""

    async def seize(self, conversation: str, *, until: float) -> Lease:
        """A lease newer than anyone's, for the watchdog: whoever holds the turn can no longer commit it."""

    async def holds(self, lease: Lease) -> bool:
        """Whether the lease is still the conversation's newest."""

    # the way out
    async def due(self, *, now: float, limit: int, busy: Collection[str]) -> tuple[Outgoing, ...]:
        """The first unsent row of each lane not in `busy`, if its time has come; oldest first."""

    async def delivered(self, ids: Sequence[str], *, handle: str = "", now: float) -> None: ...

    async def postpone(self, id: str, *, until: float, error: str) -> None:
        """Counts one more attempt and keeps the row, and its lane, until then."""

    async def bury(self, id: str, *, error: str, now: float) -> None:
        """Makes the row a dead letter; its lane goes on."""

    async def unsent(self, id: str) -> bool:
        """Whether the row is still to be sent; asked again when a sender may have slept past its time."""

    async def behind(self, conversation: str, channel: str) -> bool:
        """Whether anything said earlier in the conversation is still to be sent on the channel."""

    async def replies_to(self, channel: str, message_id: str) -> tuple[Outgoing, ...]:
        """The replies that answer a message, sent or not, in order."""

    # desks
    async def take_place(self, lease: Lease, asked: TakePlace, *, now: float) -> Place:
        """Stands the conversation in line at a desk, and seats it with an agent who has room. A conversation has one
        place; it leaves the line when its handoff ends. StaleLease if outdated."""

    async def look_back(self, conversation: str, asked: LookBack) -> LookedBack:
        """What there was before this handoff."""

    async def placed(self, desk: str, *, place: str = "", handoff: str = "") -> Placed | None:
        """The handoff that stands at a place of the desk, or that has the id."""

    async def unplaced(self, channel: str) -> bool:
        """Whether a handoff is on its way to this desk (as a channel, "@desk.NAME") whose place is not known yet; one
        that was refused again and again does not count."""

    # what channels that are their own platform keep
    def shelf(self, channel: str, *, clock: Callable[[], float]) -> Shelf:
        """The channel's own shelf; `clock` says when its values end."""

    # time
    async def fire_timers(self, *, now: float) -> int:
        """Turns due timers into inbox rows (kind "timer") and enqueues them; how many."""

    async def next_timer(self) -> float | None: ...

    async def overdue(self, *, before: float) -> tuple[tuple[str, float], ...]:
        """Conversations whose oldest pending message from outside was received before then, with that time."""

    async def pending(self) -> tuple[Job, ...]:
        """Conversations with pending messages, for a queue that keeps no state of its own."""

    async def sweep(self, *, now: float, keep: float) -> int:
        """Removes inbox and outbox rows, and journals, finished before `now - keep`; how many. Dead letters stay."""

    # reading, for people and commands
    async def conversation(self, id: str) -> Conversation:
        """NotFound if there is none."""

    async def find(self, channel: str, chat: str, thread: str = "") -> Conversation | None: ...

    async def conversations(self, *, limit: int = 50, before: float | None = None) -> tuple[Conversation, ...]:
        """Newest first by last change; `before` pages on."""

    async def transcript(self, conversation: str, *, limit: int = 200) -> tuple[Turn, ...]:
        """The newest turns, oldest first, in full: trimming never deletes."""

    async def handoffs(self, *, open_only: bool = True, limit: int = 100) -> tuple[Handoff, ...]: ...

    async def handoff(self, id: str) -> Handoff:
        """NotFound if there is none."""

    async def calls(self, waits_for: CallWaits, *, limit: int = 100) -> tuple[tuple[str, WaitingCall], ...]:
        """(conversation, call) of those that wait for this, oldest first."""

    async def call(self, id: str) -> tuple[str, WaitingCall]:
        """(conversation, call), also of one that waits no more. NotFound if there is none."""

    async def ledger(self, *, limit: int = 100) -> tuple[LedgerEntry, ...]:
        """The newest calls with effects, newest first."""

    async def traces(self, conversation: str, *, limit: int = 1) -> tuple[Mapping[str, Any], ...]:
        """The newest turns' traces, newest first: {sequence, at, config, steps, usage}."""

    async def usage(self, *, since: float) -> tuple[tuple[str, str, Usage], ...]:
        """(conversation, channel, usage) of each model call since then."""

    async def set_aside(self, channel: str, id: str, content: str, reason: str, *, now: float) -> None:
        """Keeps an authentic update that no adapter can read; the same (channel, id) once."""

    async def aside(self, *, limit: int = 100) -> tuple[Aside, ...]:
        """What was set aside, newest first."""

    async def dead_letters(self, *, limit: int = 100) -> tuple[tuple[Outgoing, str], ...]:
        """Messages that could not be delivered, with the last error."""

    async def counts(self) -> Mapping[str, int]:
        """How many rows each table holds, and pending inbox and outbox rows: {"inbox_pending": 0, …}."""
