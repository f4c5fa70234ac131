"""Standings, waiting calls and the ledger, as functions over a connection.

A charge is taken only if no limit forbids it and its key is new; the check and the entry are one transaction, so that
calls in many conversations at once cannot pass a limit together.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import asdict

from supportbot.errors import NotFound
from supportbot.stores import codec, queries
from supportbot.stores.codec import Row, clean, dump
from supportbot.types import (
    Challenge,
    Charge,
    ChargeOutcome,
    Consent,
    Counted,
    Identity,
    LedgerEntry,
    Refused,
    Standing,
    WaitingCall,
)

MILLION = 1_000_000

# --- the ledger ----------------------------------------------------------------------------------------------


def charge(connection: sqlite3.Connection, charge: Charge) -> Refused | None:
    """Enters the call as started; None if it may run."""
    before = earlier(connection, charge.key)
    if before is not None:
        return Refused(earlier=before)
    full = next((one for one in charge.counted if _full(connection, one, charge.at)), None)
    if full is not None:
        return Refused(limit=full.limit)
    named = (charge.key, charge.tool, charge.conversation, charge.customer, charge.arguments)
    connection.execute(queries.ADD_LEDGER, (*map(clean, named), dump(charge.consents), charge.at))
    for one in charge.counted:
        connection.execute(queries.ADD_COUNTED, (clean(one.scope), charge.at, clean(charge.key), one.amount))
    return None


def _full(connection: sqlite3.Connection, one: Counted, at: float) -> bool:
    since = at - one.limit.every if one.limit.every else 0.0
    times, amount = connection.execute(queries.COUNT_SCOPE, (clean(one.scope), since)).fetchone()
    if one.limit.times is not None and times >= one.limit.times:
        return True
    return one.limit.money is not None and amount + one.amount > round(one.limit.money * MILLION)


def earlier(connection: sqlite3.Connection, key: str) -> ChargeOutcome | None:
    row = connection.execute(queries.EARLIER, (clean(key),)).fetchone()
    return None if row is None else row[0]


def settle(connection: sqlite3.Connection, key: str, outcome: ChargeOutcome, now: float) -> None:
    """Says what the call came to; one that failed counts under no limit."""
    connection.execute(queries.SETTLE, (outcome, now, clean(key)))
    if outcome == "failed":
        connection.execute(queries.UNCOUNT, (clean(key),))


def ledger(connection: sqlite3.Connection, limit: int) -> tuple[LedgerEntry, ...]:
    return tuple(_entry(row) for row in connection.execute(queries.LEDGER, (limit,)))


def _entry(row: Row) -> LedgerEntry:
    key, tool, conversation, customer, arguments, consents, at, outcome, finished_at = row
    known = Charge(key, tool, conversation, customer, arguments, at, consents=tuple(json.loads(consents)))
    return LedgerEntry(known, outcome, finished_at)


# --- waiting calls -------------------------------------------------------------------------------------------


def call_columns(call: WaitingCall, now: float) -> tuple[Row, Row]:
    """The columns before and behind the conversation's key; what was asked in this turn is asked `now`."""
    consents = [[one.kind, one.digest, one.by, one.expires_at] for one in call.consents]
    words = (call.tool, call.arguments, call.author, call.author_name, call.question, call.digest)
    bound = dump([codec.identity_plain(call.identity), call.slots])
    waits = (call.shared, bound, dump(call.answer), call.waits_for, call.by, call.asked_at or now, call.expires_at)
    ends = (call.status, clean(call.decided_by), clean(call.note))
    return (clean(call.id),), (*map(clean, words), *waits, dump(consents), *ends)


def waiting(connection: sqlite3.Connection, key: int) -> tuple[WaitingCall, ...]:
    return tuple(_call(row) for row in connection.execute(queries.WAITING_CALLS, (key,)))


def calls(connection: sqlite3.Connection, waits_for: str, limit: int) -> tuple[tuple[str, WaitingCall], ...]:
    return tuple((row[-1], _call(row[:-1])) for row in connection.execute(queries.CALLS, (waits_for, limit)))


def call(connection: sqlite3.Connection, id: str) -> tuple[str, WaitingCall]:
    row = connection.execute(queries.CALL, (clean(id),)).fetchone()
    if row is None:
        raise NotFound(f"There is no call {id!r}.")
    return row[-1], _call(row[:-1])


def _call(row: Row) -> WaitingCall:
    id, tool, arguments, author, name, question, digest, shared, bound, answer, waits_for, by, *rest = row
    asked_at, expires_at, consents, status, decided, note = rest
    identity, slots = json.loads(bound)
    return WaitingCall(
        id=id,
        tool=tool,
        arguments=arguments,
        author=author,
        author_name=name,
        question=question,
        digest=digest,
        shared=bool(shared),
        identity=Identity(**identity),
        slots=slots,
        answer=json.loads(answer),
        waits_for=waits_for,
        by=by,
        asked_at=asked_at,
        expires_at=expires_at,
        consents=tuple(Consent(*consent) for consent in json.loads(consents)),
        status=status,
        decided_by=decided,
        note=note,
    )


# --- standings -----------------------------------------------------------------------------------------------


def standing_body(standing: Standing) -> str:
    challenge = None if standing.challenge is None else asdict(standing.challenge)
    return dump({"identity": codec.identity_plain(standing.identity), "challenge": challenge})


def standings(connection: sqlite3.Connection, key: int) -> dict[str, Standing]:
    return {author: _standing(body) for author, body in connection.execute(queries.STANDINGS, (key,))}


def _standing(body: str) -> Standing:
    plain = json.loads(body)
    challenge = plain["challenge"]
    return Standing(Identity(**plain["identity"]), None if challenge is None else Challenge(**challenge))
