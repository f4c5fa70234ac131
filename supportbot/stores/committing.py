"""A turn's end: everything an Outcome says, written in the writer's one transaction."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Collection
from dataclasses import dataclass

from supportbot.stores import authority, codec, desks, queries, tallies
from supportbot.stores.codec import Row, clean
from supportbot.stores.turns import held
from supportbot.types import Committed, Lease, Outcome, Outgoing, Post, User

_OUTSIDE = ("message", "message.edited", "message.deleted", "action", "event")
_TAKEN_BACK = "[deleted by the customer]"
NOTIFY = "@notify"
DESK = "@desk."
_ALONE = ("[]", 1, 1)
"""What a row answers, and its part: nothing, and one of one."""


@dataclass(frozen=True, slots=True)
class EventRoutes:
    """Which events leave: to the conversation's own channel if it is in `channels`, `handoff.*` and `approval.*` to
    "@notify" too."""

    channels: Collection[str] = frozenset()
    notify: bool = False

    def of(self, kind: str, own: str) -> tuple[str, ...]:
        to_own = (own,) if own in self.channels else ()
        to_notify = (NOTIFY,) if self.notify and kind.startswith(("handoff.", "approval.")) else ()
        return to_own + to_notify


@dataclass(frozen=True, slots=True)
class Packed:
    """An Outcome in columns, so that the writer's thread only executes."""

    outcome: Outcome
    messages: tuple[Row, ...]
    states: tuple[tuple[str, str | None], ...]
    timers: tuple[Row, ...]
    replies: tuple[tuple[str, str | None], ...]
    events: tuple[tuple[str, str], ...]
    posts: tuple[tuple[str, str, str | None, tuple[str | None, str | None]], ...]
    """(desk, kind, handoff, (text, extra))"""
    usage: tuple[Row, ...]
    trace: bytes | None
    standings: tuple[tuple[str, str], ...]
    calls: tuple[tuple[Row, Row], ...]
    end: tuple[int | None, str | None, str | None]


def pack(outcome: Outcome, now: float) -> Packed:
    """Raises StoreError for data that is no JSON."""
    return Packed(
        outcome=outcome,
        messages=tuple(codec.chat_columns(message) for message in outcome.turn),
        states=tuple((clean(author), codec.state_body(state)) for author, state in outcome.states.items()),
        timers=tuple((clean(timer.name), timer.due_at, codec.dump(timer.data)) for timer in outcome.timers),
        replies=tuple(codec.reply_columns(reply) for reply in outcome.replies),
        events=tuple((kind, codec.dump(data)) for kind, data in outcome.events),
        posts=tuple(
            (clean(post.desk), post.kind, clean(str(post.data.get("handoff", ""))) or None, _post_body(post))
            for post in outcome.posts
        ),
        usage=tuple(codec.usage_columns(usage) for usage in outcome.usage),
        trace=codec.trace_body(outcome.trace),
        standings=tuple(
            (clean(author), authority.standing_body(one)) for author, one in outcome.standings.items()
        ),
        calls=tuple(authority.call_columns(call, now) for call in outcome.calls),
        end=(outcome.cut, _cleaned(outcome.summary), _cleaned(outcome.locale)),
    )


def _post_body(post: Post) -> tuple[str | None, str | None]:
    if post.reply is None:
        return None, codec.dump(post.data)
    return codec.reply_columns(post.reply, post.data)


def _cleaned(text: str | None) -> str | None:
    return None if text is None else clean(text)


@dataclass(frozen=True, slots=True)
class _Turn:
    """What every step of one commit needs."""

    connection: sqlite3.Connection
    lease: Lease
    packed: Packed
    now: float
    key: int


def commit(
    connection: sqlite3.Connection, lease: Lease, packed: Packed, routes: EventRoutes, now: float
) -> Committed:
    key, _, _, *address, customer, customer_name = held(connection, lease)
    turn = _Turn(connection, lease, packed, now, key)
    answered = _consume(turn)
    tallies.count_turn(connection, (key, lease.sequence), address[0], packed.outcome, now)
    _write_history(turn)
    _write_dialogue(turn)
    _withdraw(turn, address[0])
    ready: tuple[Outgoing, ...] = ()
    waiting = False
    if packed.replies or packed.events or packed.posts:
        user = _addressee(turn, answered) or User(customer, customer_name)
        rows = _outgoing(turn, tuple(address), user, answered, routes)
        ready = _send(turn, rows)
        waiting = len(ready) < len(rows)
    connection.execute(queries.DROP_JOURNAL, (key,))
    connection.execute(queries.END_TURN, (lease.sequence, now, *packed.end, key))
    return Committed(bool(connection.execute(queries.HAS_PENDING, (key,)).fetchone()[0]), ready, waiting)


def _consume(turn: _Turn) -> list[tuple[str, User]]:
    """Marks the rows done; (platform id, author) of those from outside, in order."""
    answered = []
    for position in sorted(set(turn.packed.outcome.consumed)):
        values = (turn.now, turn.lease.sequence, position, turn.key)
        done = turn.connection.execute(queries.CONSUME, values).fetchall()
        answered += [(id, User(user, name)) for kind, id, user, name in done if kind in _OUTSIDE]
    return answered


def _write_history(turn: _Turn) -> None:
    connection, packed, head = turn.connection, turn.packed, (turn.key, turn.lease.sequence)
    for columns in packed.messages:
        connection.execute(queries.ADD_MESSAGE, (*head, *columns))
    for columns in packed.usage:
        connection.execute(queries.ADD_USAGE, (*head, *columns))
    if packed.trace is not None:
        connection.execute(queries.ADD_TRACE, (*head, turn.now, packed.trace))


def _write_dialogue(turn: _Turn) -> None:
    connection, key, outcome = turn.connection, turn.key, turn.packed.outcome
    if outcome.reset:
        connection.execute(queries.DROP_STATES, (key,))
    for author, body in turn.packed.states:
        if body is None:
            connection.execute(queries.DROP_STATE, (key, author))
        else:
            connection.execute(queries.SET_STATE, (key, author, body))
    for name in outcome.stop_timers:
        connection.execute(queries.DROP_TIMER, (key, clean(name)))
    for columns in turn.packed.timers:
        connection.execute(queries.SET_TIMER, (key, *columns))
    for author, body in turn.packed.standings:
        connection.execute(queries.SET_STANDING, (key, author, body))
    for before, behind in turn.packed.calls:
        connection.execute(queries.SET_CALL, (*before, key, *behind))
    if outcome.handoff is not None:
        connection.execute(queries.SET_HANDOFF, codec.handoff_columns(outcome.handoff, key))
        desks.settle(connection, key, outcome.handoff, turn.now)


def _withdraw(turn: _Turn, channel: str) -> None:
    """Takes the words of deleted messages, and of their edits, out of the history, its summaries and the inbox."""
    for id in turn.packed.outcome.withdrawn:
        id = clean(id)
        turn.connection.execute(queries.WITHDRAW_RECAP, (turn.key, turn.key, id))
        turn.connection.execute(queries.WITHDRAW_SUMMARY, (turn.key,))
        turn.connection.execute(queries.WITHDRAW_MESSAGE, (_TAKEN_BACK, turn.key, id))
        turn.connection.execute(queries.WITHDRAW_INBOUND, (channel, turn.key, id, id + ".", id + "/"))


def _addressee(turn: _Turn, answered: list[tuple[str, User]]) -> User | None:
    """Whom the replies are for: the first author answered, else the customer who was handed over."""
    if answered:
        return answered[0][1]
    if turn.packed.outcome.user is not None:
        return User(clean(turn.packed.outcome.user.id), clean(turn.packed.outcome.user.name))
    handoff = turn.packed.outcome.handoff
    if handoff is None:
        row = turn.connection.execute(queries.OPEN_HANDOFF, (turn.key,)).fetchone()
        handoff = None if row is None else codec.handoff(row)
    if handoff is None or not handoff.user.id:
        return None
    return User(clean(handoff.user.id), clean(handoff.user.name))


def _outgoing(
    turn: _Turn, address: Row, user: User, answered: list[tuple[str, User]], routes: EventRoutes
) -> list[tuple[Row, str | None]]:
    """The rows, as `queries.OUTGOING` would read them, each with the handoff whose place it needs: the replies in order,
    then the events (but a claim comes first), then what goes to desks."""
    channel, chat, thread = address

    def row(
        to: str, kind: str, about: Row, body: tuple[str | None, str | None], preview: str = "", place: str = ""
    ) -> Row:
        public = "msg_" + secrets.token_hex(16)
        where = (public, turn.lease.conversation, to, chat, thread)
        return (*where, kind, user.id, user.name, *about, turn.now, *body, 0, preview, place, None)

    ids = codec.dump([id for id, _ in answered])
    parts = len(turn.packed.replies)
    preview = clean(turn.packed.outcome.preview)
    replies: list[tuple[Row, str | None]] = [
        (row(channel, "message.reply", (ids, part, parts), body, preview if part == 1 else ""), None)
        for part, body in enumerate(turn.packed.replies, start=1)
    ]
    events = [
        (row(to, kind, _ALONE, (None, data)), None)
        for kind, data in turn.packed.events
        for to in routes.of(kind, channel)
    ]
    # who claims by writing is there before their words are
    come = max((at for at, (event, _) in enumerate(events, 1) if event[5] == "handoff.claimed"), default=0)
    rows = events[:come] + replies + events[come:]
    for desk, kind, handoff, body in turn.packed.posts:
        found = turn.connection.execute(queries.PLACE_OF, (desk, handoff)).fetchone()
        rows.append((row(DESK + desk, kind, _ALONE, body, place=found[0] if found else ""), handoff))
    return rows


def _send(turn: _Turn, rows: list[tuple[Row, str | None]]) -> tuple[Outgoing, ...]:
    """Inserts the rows; those that can go at once: whose lane holds nothing older, and to a desk only the first, because
    the others need the place that it gives."""
    lanes = {row[2] for row, _ in rows}
    values = [(turn.key, channel, turn.lease.sequence) for channel in lanes]
    waits = {value[1]: turn.connection.execute(queries.LANE_WAITS, value).fetchone()[0] for value in values}
    ready = []
    for row, handoff in rows:
        id, _, to, _, _, kind, user, name, ids, part, parts, at, text, extra, _, preview, _, _ = row
        columns = (user, name, ids, part, parts, text, extra, preview, handoff, at, at)
        turn.connection.execute(queries.ADD_OUTGOING, (id, turn.key, turn.lease.sequence, to, kind, *columns))
        if not waits[to]:
            ready.append(codec.outgoing(row))
            waits[to] = handoff is not None
    return tuple(ready)
