"""The console's search over conversations, and what is known of a customer, as functions over a connection.

1. A page is newest first and goes on where the one before ended, by what stands there, never by counting rows.
2. A page looks at a bounded number of rows. If that was not enough it says so (`partly`), and the next one goes on.
3. What is looked for decides which index leads: the words that were said, else the handoffs, else the last change.
   A conversation stands on one page only, also if it was found many times.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Literal

from supportbot.stores import customers, typed
from supportbot.stores.codec import Row, clean
from supportbot.stores.listed import (
    BEFORE,
    COLUMNS,
    before,
    channels,
    filled,
    found_handoff,
    lost,
    place,
    row_of,
)
from supportbot.stores.run import Run
from supportbot.types.finding import Choices, Customer, Found, FoundPage, Wanted

BUDGET = 20_000
"""Conversations or handoffs that one page looks at."""
_NAMES_OF = 200_000
"""Conversations, the last that began, in which a name is looked for."""
_BATCH, _BATCHES = 400, 10
_PEOPLE, _DIRECT, _LATER = 6, 5, 200
_LAST = 2**62
_ID = re.compile(r"[A-Za-z0-9_-]{6,64}\Z")

_FLOOR = f"""SELECT updated_at FROM conversations WHERE {BEFORE}
    ORDER BY updated_at DESC, id DESC LIMIT 1 OFFSET ?"""  # noqa: S608 - constants
_BY_CHANGE = f"""SELECT conversations.id, {COLUMNS} FROM conversations
    WHERE {BEFORE} AND updated_at >= ? AND {{filters}}
    ORDER BY updated_at DESC, conversations.id DESC LIMIT ?"""  # noqa: S608 - constants
_HANDOFF_FLOOR = "SELECT id FROM handoffs WHERE id < ? ORDER BY id DESC LIMIT 1 OFFSET ?"
_BY_HANDOFF = f"""SELECT handoffs.id, {COLUMNS}
    FROM handoffs JOIN conversations ON conversations.id = handoffs.conversation
    WHERE handoffs.id < ? AND handoffs.id >= ? AND {{filters}} AND {{handoffs}} AND NOT EXISTS (
        SELECT 1 FROM handoffs AS later WHERE later.conversation = handoffs.conversation
        AND later.id > handoffs.id AND {{later}})
    ORDER BY handoffs.id DESC LIMIT ?"""  # noqa: S608 - constants
# the inner one first: the full-text index hands its rows out newest first, and stops
_BY_WORDS = """SELECT messages.id, messages.conversation FROM (
        SELECT rowid AS id FROM said WHERE said MATCH ? AND rowid < ? ORDER BY rowid DESC LIMIT ?) AS hit
    JOIN messages ON messages.id = hit.id ORDER BY hit.id DESC"""
# what was said before a time has smaller ids than the first words of a conversation that began later
_SAID_BEFORE = """SELECT min(first) FROM (SELECT (SELECT messages.id FROM messages WHERE conversation = later.id
        ORDER BY turn, messages.id LIMIT 1) AS first
    FROM (SELECT id FROM conversations WHERE created_at >= ? ORDER BY created_at LIMIT 20) AS later)"""
_AMONG = f"SELECT {COLUMNS} FROM conversations WHERE conversations.id IN ({{keys}}) AND {{filters}}"  # noqa: S608
_SAID_SINCE = """SELECT id, content FROM messages WHERE conversation = ? AND id >= ? AND role IN (1, 2)
    ORDER BY turn, id LIMIT ?"""
_SAID = "SELECT id, content, role FROM messages WHERE id IN ({keys})"
_NEWEST_HANDOFF = """SELECT handoffs.public, '', status, reason, agent, requested_at, ended_at, more, ''
    FROM handoffs WHERE conversation = ? AND {handoffs} ORDER BY handoffs.id DESC LIMIT 1"""

# by id, not by change: the table is read in its own order, which is fast
_NAMED = f"""SELECT {COLUMNS} FROM conversations
    WHERE conversations.id > (SELECT max(id) FROM conversations) - ? AND ({{names}})
    ORDER BY conversations.id DESC LIMIT 200"""  # noqa: S608 - constants
_BY_USER = f"""SELECT {COLUMNS} FROM conversations
    WHERE channel = ? AND customer >= ? AND customer < ? LIMIT 50"""  # noqa: S608 - constants
_BY_IDENTITY = f"""SELECT {COLUMNS} FROM standings JOIN conversations ON conversations.id = standings.conversation
    WHERE json_extract(body, '$.identity.customer') = ? AND standings.author = conversations.customer
    LIMIT 50"""  # noqa: S608 - constants
_BY_ID = f"""SELECT {COLUMNS} FROM conversations WHERE public >= ? AND public < ? LIMIT ?"""  # noqa: S608
_BY_HANDOFF_ID = f"""SELECT {COLUMNS} FROM handoffs JOIN conversations ON conversations.id = handoffs.conversation
    WHERE handoffs.public >= ? AND handoffs.public < ? LIMIT ?"""  # noqa: S608 - constants

_LATELY = "SELECT DISTINCT {column} FROM (SELECT {column} FROM handoffs ORDER BY id DESC LIMIT 5000) WHERE {column} <> ''"


class SqliteFinding:
    """Reads for the console; `read` runs a function over a connection, as `SqliteStore.read` does."""

    def __init__(self, read: Run) -> None:
        self._read = read

    async def search(self, wanted: Wanted) -> FoundPage:
        """UsageError for an `after` that no page gave."""
        return await self._read(lambda connection: search(connection, wanted))

    async def choices(self) -> Choices:
        return await self._read(choices)

    async def customer(self, conversation: str, *, after: str = "") -> Customer:
        """The customer of that conversation. NotFound, and UsageError for an `after` that no page gave."""
        return await self._read(lambda connection: customers.customer(connection, conversation, after))


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A conversation and the position at which it was found."""

    position: str
    row: Row
    hit: int = 0


@dataclass(frozen=True, slots=True)
class _Part:
    """What one page looked at: `on` is where the next one goes on if this was not enough, "" at the end."""

    found: Sequence[_Candidate]
    on: str = ""


def search(connection: sqlite3.Connection, wanted: Wanted) -> FoundPage:
    question = typed.match(wanted.text)
    if wanted.text.strip() and not question:
        return FoundPage()
    if question:
        part = _by_words(connection, wanted, question)
    elif wanted.of_handoffs:
        part = _by_handoff(connection, wanted)
    else:
        part = _by_change(connection, wanted)
    full = len(part.found) > wanted.limit
    kept = part.found[: wanted.limit]
    rows = _told(connection, wanted, question, kept)
    on = kept[-1].position if full else part.on
    page = FoundPage(rows, on, partly=not full and bool(on))
    if not question or wanted.after:
        return page
    return replace(page, people=_people(connection, wanted.text), direct=_direct(connection, wanted.text))


# --- what leads ----------------------------------------------------------------------------------------------


def _by_change(connection: sqlite3.Connection, wanted: Wanted) -> _Part:
    at, key = float("inf") if wanted.until is None else wanted.until, -1
    if wanted.after:
        if wanted.after[0] != "c":
            raise lost()
        at, key = before(wanted.after[1:])
    edge = (at, at, key)
    row = connection.execute(_FLOOR, (*edge, BUDGET)).fetchone()
    lowest = float("-inf") if row is None else row[0]
    filters, values = _filters(wanted)
    rows = connection.execute(
        _BY_CHANGE.format(filters=filters), (*edge, lowest, *values, wanted.limit + 1)
    ).fetchall()
    # rows that changed at the very moment of the floor belong to this page
    on = "" if row is None or (wanted.since is not None and lowest < wanted.since) else f"c{lowest!r}~-1"
    return _Part([_Candidate(f"c{place(row[1:])}", row[1:]) for row in rows], on)


def _number(after: str, kind: str) -> int:
    if not after:
        return _LAST
    if after[0] == kind and after[1:].isascii() and after[1:].isdigit() and len(after) < 20:
        return int(after[1:])
    raise lost()


def _by_handoff(connection: sqlite3.Connection, wanted: Wanted) -> _Part:
    start = _number(wanted.after, "h")
    row = None
    if wanted.handoff != "open":  # of those there are never many, and they have an index of their own
        row = connection.execute(_HANDOFF_FLOOR, (start, BUDGET)).fetchone()
    lowest = 0 if row is None else row[0]
    filters, values = _filters(wanted, handoffs=False)
    of, more = _handoffs(wanted, "handoffs")
    later, _ = _handoffs(wanted, "later")
    query = _BY_HANDOFF.format(filters=filters, handoffs=of, later=later)
    rows = connection.execute(query, (start, lowest, *values, *more, *more, wanted.limit + 1)).fetchall()
    return _Part([_Candidate(f"h{row[0]}", row[1:]) for row in rows], f"h{lowest}" if lowest else "")


def _by_words(connection: sqlite3.Connection, wanted: Wanted, question: str) -> _Part:
    start = _number(wanted.after, "w")
    end = min(start, _said_before(connection, wanted.until))
    found: list[_Candidate] = []
    seen: set[int] = set()
    for turn in count(1):
        hits = connection.execute(_BY_WORDS, (question, end, _BATCH)).fetchall()
        new: dict[int, int] = {}
        for id, key in hits:
            if key not in seen:
                new.setdefault(key, id)
        seen |= new.keys()
        rows = _among(connection, wanted, new)
        if wanted.after:
            shown = _shown_before(connection, question, rows, start)
            rows = {key: row for key, row in rows.items() if key not in shown}
        found += [_Candidate(f"w{id}", rows[key], id) for key, id in new.items() if key in rows]
        if len(found) > wanted.limit or len(hits) < _BATCH:
            return _Part(found)
        end = hits[-1][0]
        if turn == _BATCHES:
            return _Part(found, f"w{end}")
    raise AssertionError  # pragma: no cover - count() has no end


def _said_before(connection: sqlite3.Connection, until: float | None) -> int:
    """Words with this id or a greater one were said later."""
    row = None if until is None else connection.execute(_SAID_BEFORE, (until,)).fetchone()
    return _LAST if row is None or row[0] is None else int(row[0])


def _among(connection: sqlite3.Connection, wanted: Wanted, keys: Iterable[int]) -> dict[int, Row]:
    """Those of the conversations that pass the filters."""
    listed = list(keys)
    filters, values = _filters(wanted)
    query = _AMONG.format(keys=_marks(listed), filters=filters)
    return {row[0]: row for row in connection.execute(query, (*listed, *values))}


def _shown_before(
    connection: sqlite3.Connection, question: str, keys: Iterable[int], start: int
) -> frozenset[int]:
    """Conversations that an earlier page found by newer words of theirs."""
    owner: dict[int, int] = {}
    texts: list[tuple[int, str]] = []
    for key in keys:
        for id, content in connection.execute(_SAID_SINCE, (key, start, _LATER)):
            owner[id] = key
            texts.append((id, content))
    return frozenset(owner[id] for id in typed.hits(question, texts)) if texts else frozenset()


# --- filters -------------------------------------------------------------------------------------------------


def _filters(wanted: Wanted, *, handoffs: bool = True) -> tuple[str, Row]:
    """Conditions over `conversations`, and their values; of handoffs too unless those lead.

    By "+" a channel chooses no index: all of a channel's conversations would have to be sorted.
    """
    conditions: list[str] = ["1"]
    values: list[object] = []
    for condition, value in (
        ("+conversations.channel = ?", clean(wanted.channel) or None),
        ("conversations.updated_at >= ?", wanted.since),
        ("conversations.updated_at < ?", wanted.until),
    ):
        if value is not None:
            conditions.append(condition)
            values.append(value)
    if wanted.handoff == "none":
        conditions.append("NOT EXISTS (SELECT 1 FROM handoffs WHERE handoffs.conversation = conversations.id)")
    elif handoffs and wanted.of_handoffs:
        of, more = _handoffs(wanted, "handoffs")
        conditions.append(
            f"EXISTS (SELECT 1 FROM handoffs WHERE handoffs.conversation = conversations.id AND {of})"  # noqa: S608
        )
        values += more
    return " AND ".join(conditions), tuple(values)


def _handoffs(wanted: Wanted, table: str) -> tuple[str, Row]:
    """Conditions over handoffs under that name, and their values."""
    conditions: list[str] = ["1"]
    values: list[object] = []
    if wanted.handoff == "open":
        conditions.append(f"{table}.status IN ('waiting', 'claimed')")
    if wanted.agent:
        agent = clean(wanted.agent)
        conditions.append(f"({table}.agent = ? COLLATE NOCASE OR json_extract({table}.more, '$.agent_id') = ?)")
        values += [agent, agent]
    if wanted.reason:
        conditions.append(f"{table}.reason = ?")
        values.append(clean(wanted.reason))
    if wanted.rating:
        conditions.append(f"json_extract({table}.more, '$.rating') = ?")
        values.append(wanted.rating)
    return " AND ".join(conditions), tuple(values)


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


# --- what is told --------------------------------------------------------------------------------------------


def _told(
    connection: sqlite3.Connection, wanted: Wanted, question: str, kept: Sequence[_Candidate]
) -> tuple[Found, ...]:
    """The rows with the words that were found and the handoff that fits, else the last ones."""
    rows = filled(connection, [one.row for one in kept])
    if wanted.of_handoffs:
        rows = tuple(
            _with_handoff(connection, wanted, one.row[0], row) for one, row in zip(kept, rows, strict=True)
        )
    if not question or not kept:
        return rows
    ids = [one.hit for one in kept]
    said = connection.execute(_SAID.format(keys=_marks(ids)), ids).fetchall()
    roles: dict[int, Literal["user", "assistant"]]
    roles = {id: "user" if role == 1 else "assistant" for id, _, role in said}
    hits = typed.hits(question, [(id, content) for id, content, _ in said])
    return tuple(
        replace(row, said=replace(hits[one.hit], role=roles[one.hit])) if one.hit in hits else row
        for one, row in zip(kept, rows, strict=True)
    )


def _with_handoff(connection: sqlite3.Connection, wanted: Wanted, key: int, row: Found) -> Found:
    of, values = _handoffs(wanted, "handoffs")
    handoff = connection.execute(_NEWEST_HANDOFF.format(handoffs=of), (key, *values)).fetchone()
    return row if handoff is None else replace(row, handoff=found_handoff(handoff))


def _people(connection: sqlite3.Connection, text: str) -> tuple[Found, ...]:
    """Customers of that id or name, each by their last conversation."""
    said = clean(text).replace("\0", " ").strip()[: typed.LONGEST]
    if len(said) < 2:
        return ()
    rows = [
        row
        for channel in channels(connection)
        for row in connection.execute(_BY_USER, (channel, said, said + "\U0010ffff"))
    ]
    rows += connection.execute(_BY_IDENTITY, (said,)).fetchall()
    rows += _named(connection, said)
    newest: dict[tuple[str, str], Row] = {}
    for row in sorted(rows, key=lambda row: -row[6]):
        newest.setdefault((row[2], row[3] or row[1]), row)
    return tuple(map(row_of, list(newest.values())[:_PEOPLE]))


def _named(connection: sqlite3.Connection, said: str) -> list[Row]:
    """LIKE knows capitals of ASCII only, so other letters are tried as they are usually written."""
    forms = {said} if said.isascii() else {said, said.lower(), said.upper(), said.title(), said.capitalize()}
    patterns = ["%" + re.sub(r"([\\%_])", r"\\\1", form) + "%" for form in sorted(forms)]
    names = " OR ".join([r"conversations.customer_name LIKE ? ESCAPE '\'"] * len(patterns))
    return connection.execute(_NAMED.format(names=names), (_NAMES_OF, *patterns)).fetchall()


def _direct(connection: sqlite3.Connection, text: str) -> tuple[Found, ...]:
    """The conversations whose own id, or whose handoff's id, begins like this."""
    id = text.strip()
    if not _ID.match(id):
        return ()
    asked = (id, id + "\U0010ffff", _DIRECT)
    rows = [*connection.execute(_BY_ID, asked), *connection.execute(_BY_HANDOFF_ID, asked)]
    return filled(connection, list({row[0]: row for row in rows}.values())[:_DIRECT])


def choices(connection: sqlite3.Connection) -> Choices:
    lately: Mapping[str, tuple[str, ...]] = {
        column: tuple(sorted(row[0] for row in connection.execute(_LATELY.format(column=column))))
        for column in ("agent", "reason")
    }
    return Choices(channels(connection), lately["agent"], lately["reason"])
