"""The way in and a turn until its commit, as functions over the writer's connection; the caller has begun the transaction.

The fence: `conversations.turn` is the last committed turn, `attempt` the highest attempt that has begun at the next
one. A lease holds while its sequence is turn + 1 and its attempt is not below that.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Collection
from dataclasses import dataclass

from supportbot.errors import Conflict, NotFound, StaleLease
from supportbot.protocols import Enqueue
from supportbot.stores import authority, codec, queries, shelf, tallies
from supportbot.stores.codec import Row, clean
from supportbot.stores.recent import Past
from supportbot.types import (
    Address,
    Charge,
    ChargeOutcome,
    FlowState,
    Inbound,
    Job,
    JournalEntry,
    Lease,
    Message,
    Receipt,
    Refused,
    Turn,
    TurnInput,
)

LARGEST_TURN = 200
"""Inbox rows one turn takes in at most; the rest is the next turn."""
LONGEST_HISTORY = 200
"""Turns handed to a turn at most, whatever was cut."""

Settled = tuple[str, ChargeOutcome, float]
"""(key of the charge, what it came to, when)."""
Fence = tuple[int, int]
"""(last committed turn, highest attempt known at the next one)."""


def outdated(lease: Lease) -> StaleLease:
    return StaleLease(
        f"Turn {lease.sequence} of conversation {lease.conversation} is no longer attempt {lease.attempt}'s: "
        "another worker has it, or it is done. Nothing was written."
    )


# --- the way in ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Received:
    """A receipt, and for a fresh message the conversation's fence and the queue's call for after the commit."""

    receipt: Receipt
    fence: Fence | None = None
    enqueued: Callable[[], None] | None = None


def receive(
    connection: sqlite3.Connection,
    message: Message,
    columns: Row,
    times: tuple[float, float],
    enqueue: Enqueue,
    entry: str | None = None,
) -> Received:
    """`times` are (now, ready_at), `entry` what the channel's feed shows of it. Raises Conflict for the same id with another digest."""
    channel, id, _, digest, *_ = columns
    found = connection.execute(queries.FIND_REPEAT, (channel, id)).fetchone()
    if found is not None:
        return Received(_repeat(found, channel, id, digest))
    now, ready_at = times
    (key, public, turn, attempt), opened = _conversation(connection, message, now)
    position = connection.execute(queries.ADD_INBOUND, (key, *columns, now, ready_at)).lastrowid
    assert position is not None
    tallies.count_receipt(connection, channel, opened, message.kind, now)
    if entry is not None:
        shelf.append(connection, channel, (clean(message.address.chat), id, now, entry))
    enqueued = enqueue(connection, Job(public, ready_at))
    return Received(Receipt(public, position, True), (turn, attempt), enqueued)


def _repeat(found: Row, channel: str, id: str, digest: str) -> Receipt:
    position, first, public, done = found
    if first and digest and first != digest:
        raise Conflict(
            f"Message {id!r} on channel {channel} came before with other content: "
            "the sender must give a new message a new id."
        )
    return Receipt(public, position, False, bool(done))


def _conversation(connection: sqlite3.Connection, message: Message, now: float) -> tuple[Row, bool]:
    """(key, public id, turn, attempt) of the conversation at the message's address, and whether it is a new one."""
    at = message.address
    address = (clean(at.channel), clean(at.chat), clean(at.thread))
    found: Row | None = connection.execute(queries.FIND_ADDRESS, address).fetchone()
    opener = (clean(message.user.id), clean(message.user.name))
    if found is not None:
        *row, name = found
        if opener[1] and not name:  # who opened it has said meanwhile who they are
            connection.execute(queries.NAME_CUSTOMER, (opener[1], row[0], opener[0]))
        return tuple(row), False
    public = "c_" + secrets.token_hex(16)
    key = connection.execute(queries.ADD_CONVERSATION, (public, *address, *opener, now, now)).lastrowid
    return (key, public, 0, 0), True


# --- a turn's start ------------------------------------------------------------------------------------------


def held(connection: sqlite3.Connection, lease: Lease) -> Row:
    """(key, turn, attempt, channel, chat, thread, customer, customer_name); StaleLease unless the lease holds."""
    row: Row | None = connection.execute(queries.FENCE, (lease.conversation,)).fetchone()
    if row is None or not newest(lease, (row[1], row[2])):
        raise outdated(lease)
    return row


def newest(lease: Lease, fence: Fence) -> bool:
    turn, attempt = fence
    return lease.sequence == turn + 1 and lease.attempt >= attempt


def seize(connection: sqlite3.Connection, conversation: str, number: Fence | None) -> Fence | None:
    """Records (sequence, attempt) `number`, or one above the recorded attempt, as the fence; what it recorded.

    None if the turn was committed meanwhile and `number` is of the past. Raises NotFound.
    """
    row = connection.execute(queries.FENCE, (conversation,)).fetchone()
    if row is None:
        raise NotFound(f"There is no conversation {conversation!r}.")
    key, turn, attempt = row[:3]
    sequence, seized = number or (turn + 1, attempt + 1)
    if sequence != turn + 1:
        return None
    connection.execute(queries.SET_ATTEMPT, (max(seized, attempt + 1), key))
    return (sequence, max(seized, attempt + 1))


def begin(connection: sqlite3.Connection, lease: Lease, past: Past | None = None) -> TurnInput | None:
    """`past` is used in the place of the stored turns if it is of the conversation's last committed turn."""
    row = connection.execute(queries.CONVERSATION, (lease.conversation,)).fetchone()
    if row is None:
        raise outdated(lease)
    conversation, (key, attempt) = codec.conversation(row), row[-2:]
    if not newest(lease, (conversation.turn, attempt)):
        raise outdated(lease)
    rows = connection.execute(queries.PENDING, (key, 0, LARGEST_TURN)).fetchall()
    if not rows:
        return None
    tries = connection.execute(queries.BEGIN_TURN, (lease.attempt, key)).fetchone()[0]
    pending = tuple(codec.inbound(row, conversation.address) for row in rows)
    calls = authority.waiting(connection, key)
    shown = max(conversation.cut, conversation.turn - LONGEST_HISTORY)
    handoff = connection.execute(queries.OPEN_HANDOFF, (key,)).fetchone()
    ended = None if handoff is not None else connection.execute(queries.ENDED_HANDOFF, (key,)).fetchone()
    latest = handoff or ended
    found = None if latest is None else codec.handoff(latest)
    journal = connection.execute(queries.JOURNAL, (key, lease.sequence))
    return TurnInput(
        lease=lease,
        conversation=conversation,
        pending=pending,
        turns=_turns(connection, key, shown, conversation.turn, past),
        states=_states(
            connection,
            key,
            {row.message.user.id for row in pending}
            | {call.author for call in calls}
            | ({found.user.id} if found is not None else set()),
        ),
        handoff=found if handoff is not None else None,
        ended=found if handoff is None else None,
        journal=tuple(codec.journal_entry(row) for row in journal),
        standings=authority.standings(connection, key),
        calls=calls,
        tries=tries,
    )


def _turns(connection: sqlite3.Connection, key: int, shown: int, last: int, past: Past | None) -> tuple[Turn, ...]:
    if past is not None and past[0] == last:
        return tuple(turn for turn in past[1] if turn.sequence > shown)
    return codec.turns(connection.execute(queries.MESSAGES_AFTER, (key, shown)).fetchall())


def _states(connection: sqlite3.Connection, key: int, authors: Collection[str]) -> dict[str, FlowState]:
    found = ((author, connection.execute(queries.STATE, (key, author)).fetchone()) for author in sorted(authors))
    return {author: codec.state(row[0]) for author, row in found if row is not None}


def arrived(connection: sqlite3.Connection, lease: Lease, after: int) -> tuple[Inbound, ...]:
    key, _, _, channel, chat, thread, *_ = held(connection, lease)
    rows = connection.execute(queries.PENDING, (key, after, LARGEST_TURN)).fetchall()
    return tuple(codec.inbound(row, Address(channel, chat, thread)) for row in rows)


def journal(
    connection: sqlite3.Connection,
    lease: Lease,
    entry: JournalEntry,
    result: str | None,
    ledger: Charge | Settled | None = None,
) -> Refused | None:
    """Writes the entry with its change in the ledger; nothing if the charge is refused."""
    key = held(connection, lease)[0]
    if isinstance(ledger, Charge):
        refused = authority.charge(connection, ledger)
        if refused is not None:
            return refused
    elif ledger is not None:
        authority.settle(connection, *ledger)
    values = (key, lease.sequence, entry.position, entry.kind, clean(entry.digest), result)
    connection.execute(queries.WRITE_JOURNAL, values)
    if entry.kind == "tool" and result is not None:
        connection.execute(queries.GOT_ON, (key,))
    return None
