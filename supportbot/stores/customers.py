"""What is known of the customer of one conversation, as functions over a connection.

1. They are one user id on one channel. Conversations of other channels are theirs only if they have proven the same
   identity there, themselves: what another person proved in a place that both read counts for that person.
2. Where one user id has proven several identities (a shared device, an account that changed hands), what belongs to
   another identity than the conversation's own is left out; if it has none, everything that belongs to one.
3. A conversation without a user id is nobody else's.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from supportbot.errors import NotFound
from supportbot.stores import codec
from supportbot.stores.codec import Row, clean
from supportbot.stores.listed import BEFORE, COLUMNS, START, before, filled, found_handoff, place
from supportbot.types import Attachment
from supportbot.types.finding import Customer, SentFile, Spent
from supportbot.types.messages import User

COUNTED = 500
"""Conversations that stand behind the sums."""
_PAGE, _HANDOFFS, _FILES, _OF_IDENTITY, _SLOTS_OF = 20, 50, 30, 2_000, 50

_WHO = """SELECT id, channel, customer, customer_name, locale, created_at, updated_at FROM conversations
    WHERE public = ?"""
_PROVEN = """json_extract(standings.body, '$.identity.customer')"""
_OWN_IDENTITY = f"""SELECT {_PROVEN}, json_extract(body, '$.identity.name') FROM standings
    WHERE conversation = ? AND author = ?"""  # noqa: S608 - constants
_IDENTITIES = f"""SELECT DISTINCT proven, name FROM (
        SELECT {_PROVEN} AS proven, json_extract(standings.body, '$.identity.name') AS name
        FROM (SELECT id, customer FROM conversations WHERE channel = ? AND customer = ?
            ORDER BY updated_at DESC LIMIT ?) AS theirs
        JOIN standings ON standings.conversation = theirs.id AND standings.author = theirs.customer)
    WHERE proven <> '' LIMIT 20"""  # noqa: S608 - constants
_SAME_USER = f"""SELECT {COLUMNS} FROM conversations
    WHERE channel = ? AND customer = ? AND {BEFORE} AND NOT (? AND EXISTS (
        SELECT 1 FROM standings WHERE standings.conversation = conversations.id
        AND standings.author = conversations.customer AND {_PROVEN} NOT IN ('', ?)))
    ORDER BY updated_at DESC, conversations.id DESC LIMIT ?"""  # noqa: S608 - constants
_SAME_IDENTITY = f"""SELECT {COLUMNS} FROM (
        SELECT conversation, author FROM standings WHERE {_PROVEN} = ? LIMIT ?) AS proof
    JOIN conversations ON conversations.id = proof.conversation AND conversations.customer = proof.author
    WHERE {BEFORE} ORDER BY updated_at DESC, conversations.id DESC LIMIT ?"""  # noqa: S608 - constants
_ONLY = f"SELECT {COLUMNS} FROM conversations WHERE id = ? AND {BEFORE}"  # noqa: S608 - constants
_OLDEST = """SELECT created_at FROM conversations WHERE channel = ? AND customer = ? AND customer <> ''
    ORDER BY updated_at LIMIT 1"""
_HANDOFFS_OF = """SELECT handoffs.public, conversations.public, status, reason, agent, requested_at, ended_at, more,
    handoffs.summary FROM handoffs JOIN conversations ON conversations.id = handoffs.conversation
    WHERE handoffs.conversation IN ({keys}) ORDER BY handoffs.id DESC LIMIT ?"""
_STATES_OF = """SELECT states.conversation, states.body FROM states
    JOIN conversations ON conversations.id = states.conversation AND conversations.customer = states.author
    WHERE states.conversation IN ({keys})"""
_SPENT = """SELECT count(*), coalesce(sum(prompt_tokens), 0), coalesce(sum(completion_tokens), 0),
    coalesce(sum(cost), 0), coalesce(sum(cost IS NULL), 0) FROM usage WHERE conversation IN ({keys})"""
# what other people say in a place that all read has their name
_FILES_OF = """SELECT messages.files, conversations.public FROM messages
    JOIN conversations ON conversations.id = messages.conversation
    WHERE messages.conversation IN ({keys}) AND role = 1 AND files IS NOT NULL
    AND messages.name IS NULL ORDER BY messages.id DESC LIMIT ?"""


@dataclass(frozen=True, slots=True)
class _Who:
    key: int
    channel: str
    user: User
    identity: str = ""
    name: str = ""
    several: bool = False

    @property
    def strict(self) -> bool:
        """Whether conversations with another identity are not theirs."""
        return bool(self.identity) or self.several


def customer(connection: sqlite3.Connection, conversation: str, after: str = "") -> Customer:
    """NotFound, and UsageError for an `after` that no page gave."""
    edge = before(after) if after else START
    found = connection.execute(_WHO, (clean(conversation),)).fetchone()
    if found is None:
        raise NotFound(f"There is no conversation {conversation!r}.")
    who = _who(connection, found)
    theirs = _theirs(connection, who, START, COUNTED + 1)
    counted = theirs[:COUNTED]
    keys = [row[0] for row in counted]
    shown = _theirs(connection, who, edge, _PAGE + 1)
    more = len(shown) > _PAGE
    oldest = None if who.strict else connection.execute(_OLDEST, (who.channel, who.user.id)).fetchone()
    return Customer(
        conversation=conversation,
        channel=who.channel,
        user=who.user,
        locale=found[4],
        first_seen=min((*(row[5] for row in counted), *(oldest or ()))),
        last_seen=counted[0][6],
        identity=who.identity,
        identity_name=who.name,
        several=who.several,
        counted=len(counted),
        more=len(theirs) > COUNTED,
        rows=filled(connection, shown[:_PAGE]),
        next=place(shown[_PAGE - 1]) if more else "",
        handoffs=tuple(map(found_handoff, _over(connection, _HANDOFFS_OF, keys, _HANDOFFS))),
        slots=_slots(connection, keys[:_SLOTS_OF]),
        spent=Spent(*_over(connection, _SPENT, keys)[0]),
        files=_files(connection, keys),
    )


def _who(connection: sqlite3.Connection, row: Row) -> _Who:
    key, channel, user, name, *_ = row
    who = _Who(key, channel, User(user, name))
    if not user:
        return who
    own = connection.execute(_OWN_IDENTITY, (key, user)).fetchone()
    proven = connection.execute(_IDENTITIES, (channel, user, _OF_IDENTITY)).fetchall()
    several = len({identity for identity, _ in proven}) > 1
    if own is not None and own[0]:
        return _Who(key, channel, who.user, own[0], own[1] or "", several)
    if proven and not several:
        return _Who(key, channel, who.user, proven[0][0], proven[0][1] or "")
    return _Who(key, channel, who.user, several=several)


def _theirs(connection: sqlite3.Connection, who: _Who, at: tuple[float, int], limit: int) -> list[Row]:
    """Their conversations before that change, newest first."""
    edge = (at[0], *at)
    if not who.user.id:
        return connection.execute(_ONLY, (who.key, *edge)).fetchall()
    same_user = (who.channel, who.user.id, *edge, who.strict, who.identity, limit)
    rows = {row[0]: row for row in connection.execute(_SAME_USER, same_user)}
    if who.identity:
        same_identity = (who.identity, _OF_IDENTITY, *edge, limit)
        rows |= {row[0]: row for row in connection.execute(_SAME_IDENTITY, same_identity)}
    return sorted(rows.values(), key=lambda row: (-row[6], -row[0]))[:limit]


def _over(connection: sqlite3.Connection, query: str, keys: Sequence[int], *more: object) -> list[Row]:
    return connection.execute(query.format(keys=", ".join("?" * len(keys))), (*keys, *more)).fetchall()


def _slots(connection: sqlite3.Connection, keys: Sequence[int]) -> dict[str, Any]:
    """What the flows know last, of each slot its newest value."""
    bodies: dict[int, str] = dict(_over(connection, _STATES_OF, keys))
    slots: dict[str, Any] = {}
    for key in keys:
        for name, value in codec.state(bodies[key]).slots.items() if key in bodies else ():
            slots.setdefault(name, value)
    return slots


def _files(connection: sqlite3.Connection, keys: Sequence[int]) -> tuple[SentFile, ...]:
    return tuple(
        SentFile(Attachment(*file), conversation)
        for packed, conversation in _over(connection, _FILES_OF, keys, _FILES)
        for file in json.loads(packed)
    )
