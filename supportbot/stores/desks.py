"""Lines at desks, seats with agents, places of handoffs, and what there was before, as functions over a connection."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from supportbot.stores import codec, queries
from supportbot.stores.codec import Row, clean
from supportbot.stores.turns import held
from supportbot.types import Address, Earlier, Handoff, Lease, LookBack, LookedBack, Place, Placed, TakePlace, User

_IN_FLIGHT = 120.0
"""Seconds after which a seat whose turn was never committed counts no more."""
_WAITS, _WAITS_OF = 50, 14 * 86_400.0
_NEXT = 20
_EARLIER, _SAME, _STEPS = 5, 20, 12


def take_place(connection: sqlite3.Connection, lease: Lease, asked: TakePlace, now: float) -> Place:
    """Stands the conversation in line, seated with an agent if one has room. StaleLease if the lease is outdated."""
    key = held(connection, lease)[0]
    desk, recent = clean(asked.desk), now - _IN_FLIGHT
    agent = _agent(connection, asked, (desk, key, recent))
    values = (desk, key, recent, asked.priority, asked.priority, asked.since)
    ahead = connection.execute(queries.AHEAD, values).fetchone()[0]
    if agent or asked.order != "claim":
        _free(connection, key, agent, now)
        connection.execute(queries.TAKE_SEAT, (key, desk, agent, asked.priority, asked.since, now))
    if agent and asked.order != "claim":
        connection.execute(queries.SET_ROTA, (desk, agent, now))
    waits = connection.execute(queries.WAITS, (desk, now - _WAITS_OF, _WAITS)).fetchall()
    return Place(ahead, agent, tuple((requested, claimed) for requested, claimed in waits))


def _free(connection: sqlite3.Connection, key: int, but: str, now: float) -> None:
    """Whoever had the conversation before has room for another one."""
    for desk, agent in connection.execute(queries.SEAT, (key,)).fetchall():
        if agent and agent != but:
            connection.execute(queries.CALL_NEXT, (now, desk, _NEXT))


def _agent(connection: sqlite3.Connection, asked: TakePlace, at: tuple[str, int, float]) -> str:
    loads = dict(connection.execute(queries.LOADS, at).fetchall())
    able = [clean(id) for id, most in asked.agents if not most or loads.get(clean(id), 0) < most]
    if not able:
        return ""
    last = dict(connection.execute(queries.ROTA, at[:1]).fetchall())
    if asked.order == "round_robin":
        return min(able, key=lambda id: last.get(id, 0.0))
    return min(able, key=lambda id: (loads.get(id, 0), last.get(id, 0.0)))


def settle(connection: sqlite3.Connection, key: int, handoff: Handoff, now: float) -> None:
    """The seat as the turn leaves it. Who ends leaves the line; those who wait longest are looked at again."""
    if handoff.open:
        connection.execute(queries.SETTLE_SEAT, (2 if handoff.status == "claimed" else 1, key))
        return
    for desk, agent in connection.execute(queries.LEAVE_SEAT, (key,)).fetchall():
        if agent:
            connection.execute(queries.CALL_NEXT, (now, desk, _NEXT))


def placed(connection: sqlite3.Connection, desk: str, place: str, handoff: str) -> Placed | None:
    """The handoff at that place, or of that id."""
    if handoff:
        row = connection.execute(queries.PLACED_HANDOFF, (clean(handoff), *[clean(desk)] * 2)).fetchone()
    else:
        row = connection.execute(queries.PLACED, (clean(desk), clean(place))).fetchone()
    if row is None:
        return None
    id, channel, chat, thread, customer, name = row
    return Placed(id, Address(channel, chat, thread), User(customer, name))


def unplaced(connection: sqlite3.Connection, channel: str) -> bool:
    return bool(connection.execute(queries.UNPLACED, (clean(channel),)).fetchone()[0])


def look_back(connection: sqlite3.Connection, conversation: str, asked: LookBack) -> LookedBack:
    row = connection.execute(queries.CONVERSATION, (clean(conversation),)).fetchone()
    if row is None:
        return LookedBack()
    key, channel = row[-2], row[1]
    same = connection.execute(queries.SAME_USER, (channel, clean(asked.user), _SAME)).fetchall()
    if asked.customer:
        same += connection.execute(queries.SAME_CUSTOMER, (clean(asked.customer), _SAME)).fetchall()
    keys = sorted({other for (other,) in same} | {key})
    steps: list[object] = []
    for (body,) in reversed(connection.execute(queries.LAST_TRACES, (key, _STEPS)).fetchall()):
        steps += codec.trace(body).steps
    return LookedBack(_earlier(connection, keys, key), tuple(steps))  # type: ignore[arg-type]


def _earlier(connection: sqlite3.Connection, keys: Sequence[int], own: int) -> tuple[Earlier, ...]:
    found: list[Earlier] = []
    handoffs, values = _over(queries.EARLIER_HANDOFFS, keys)
    for at, channel, summary, reason, status in connection.execute(handoffs, values):
        found.append(Earlier(at, channel, summary, f"{reason}: {status}"))
    talks, values = _over(queries.EARLIER_TALKS, [key for key in keys if key != own])
    for at, channel, summary, first in connection.execute(talks, values):
        found.append(Earlier(at, channel, summary or first or "", "answered by the bot"))
    return tuple(sorted(found, key=lambda one: -one.at)[:_EARLIER])


def _over(query: str, keys: Sequence[int]) -> tuple[str, Row]:
    return query.format(keys=", ".join("?" * len(keys))), (*keys, _EARLIER)
