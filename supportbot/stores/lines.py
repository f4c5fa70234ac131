"""What the console's queue and conversation pages read, as functions over a read-only connection.

1. A question costs what it shows: pages are bounded, and customers' last words are read only for the rows of a page.
2. Every value goes in as a parameter; what is put into a statement is a constant of this module.
"""

from __future__ import annotations

import json
import re
import sqlite3
from typing import Any

from supportbot.errors import NotFound
from supportbot.stores import codec, queries
from supportbot.stores.codec import Row, clean
from supportbot.stores.desks import look_back
from supportbot.stores.run import Run
from supportbot.types import (
    Address,
    Attachment,
    Identity,
    Inbound,
    LookBack,
    Turn,
    Usage,
    User,
)
from supportbot.types.lines import Delivery, QueueAsked, QueueCount, QueueCounts, QueueRow, Taken, Talk, Told

_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_MOST_TAGS, _TAGS_OF = 60, 2_000
_MOST_HANDOFFS = 20
_MOST_PENDING = 50
_LAST_WORDS = 400

# --- the queue -----------------------------------------------------------------------------------------------

_HANDOFF = """handoffs.public, conversations.public, reason, detail, handoffs.summary, requested_at, deadline,
    ceiling, status, agent, claimed_at, ended_at, noticed, notes, user, user_name, desk, assignee, priority, more"""
# :has is how the JSON says who has it: a look for it is much quicker than reading the JSON of everybody's
_MINE = """((status = 'claimed' AND instr(more, :has) > 0 AND json_extract(more, '$.agent_id') IS :login)
    OR (status = 'waiting' AND assignee = :login))"""
_WHOSE = {"": "1", "mine": _MINE, "others": f"NOT coalesce({_MINE}, 0)"}
_ASKED = """status IN (SELECT value FROM json_each(:statuses)) AND requested_at > :since
    AND (:desk = '' OR desk = :desk)
    AND (:tag = '' OR EXISTS (SELECT 1 FROM json_each(more, '$.tags') WHERE json_each.value = :tag))"""
_ORDERS = {"waiting": "priority DESC, requested_at, id", "ended": "ended_at DESC, id DESC"}
_PAGE = """SELECT {handoff}, conversations.channel, conversations.customer, conversations.customer_name, conversations.locale, (
        SELECT substr(content, 1, {words}) FROM messages
        WHERE messages.conversation = conversations.id AND role = 1 ORDER BY turn DESC, messages.id DESC LIMIT 1)
    FROM handoffs JOIN conversations ON conversations.id = handoffs.conversation
    WHERE handoffs.id IN (SELECT id FROM handoffs WHERE {asked} AND {whose} ORDER BY {order} LIMIT :limit OFFSET :offset)
    ORDER BY {page_order}"""
_PAGE_ORDERS = {name: order.replace("id", "handoffs.id") for name, order in _ORDERS.items()}
QUEUE_PAGES = {
    (whose, order): _PAGE.format(
        handoff=_HANDOFF,
        words=_LAST_WORDS,
        asked=_ASKED,
        whose=_WHOSE[whose],
        order=_ORDERS[order],
        page_order=_PAGE_ORDERS[order],
    )
    for whose in _WHOSE
    for order in _ORDERS
}
QUEUE_TOTALS = {
    whose: f"SELECT count(*) FROM handoffs WHERE {_ASKED} AND {condition}"  # noqa: S608 - constants
    for whose, condition in _WHOSE.items()
}
QUEUE_COUNTS = f"""SELECT desk, status, count(*), sum({_MINE}) FROM handoffs
    WHERE status IN ('waiting', 'claimed') GROUP BY desk, status"""  # noqa: S608 - constants
QUEUE_TAGS = """SELECT DISTINCT json_each.value FROM handoffs, json_each(more, '$.tags')
    WHERE handoffs.id IN (SELECT id FROM handoffs WHERE status IN ('waiting', 'claimed') ORDER BY id DESC LIMIT ?)
    AND instr(more, '"tags"') > 0 LIMIT ?"""

# --- a conversation ------------------------------------------------------------------------------------------

TURNS_BEFORE = (
    """SELECT DISTINCT turn FROM messages WHERE conversation = ? AND turn < ? ORDER BY turn DESC LIMIT ?"""
)
MESSAGES_BETWEEN = """SELECT turn, role, content, tokens, name, tool_calls, tool_call_id, images, source, only_for, files
    FROM messages WHERE conversation = ? AND turn BETWEEN ? AND ? ORDER BY turn, id"""
TURN_TIMES = "SELECT turn, at FROM traces WHERE conversation = ? AND turn BETWEEN ? AND ?"
DELIVERIES = """SELECT turn, text, dead, error FROM outbox WHERE conversation = ? AND turn BETWEEN ? AND ?
    AND kind = 'message.reply' AND (dead = 1 OR (finished_at IS NULL AND attempt > 0)) ORDER BY id"""
PENDING_WORDS = """SELECT id, message, kind, digest, user, user_name, text, extra, received_at FROM inbox
    WHERE conversation = ? AND done_at IS NULL AND kind IN ('message', 'action', 'human.message') ORDER BY id LIMIT ?"""
HANDOFFS_OF = f"""SELECT {_HANDOFF} FROM handoffs JOIN conversations ON conversations.id = handoffs.conversation
    WHERE handoffs.conversation = ? ORDER BY handoffs.id DESC LIMIT ?"""  # noqa: S608 - constants
STANDING = "SELECT json_extract(body, '$.identity') FROM standings WHERE conversation = ? AND author = ?"
FILES_OF = (
    """SELECT files FROM messages WHERE conversation = ? AND files IS NOT NULL AND instr(files, ?) > 0 LIMIT 1"""
)
IMAGE_OF = (
    """SELECT 1 FROM messages WHERE conversation = ? AND images IS NOT NULL AND instr(images, ?) > 0 LIMIT 1"""
)
FILES_PENDING = """SELECT json_extract(extra, '$.files') FROM inbox
    WHERE conversation = ? AND done_at IS NULL AND instr(extra, ?) > 0"""
TRACE_OF = "SELECT turn, at, body FROM traces WHERE conversation = ? AND turn = ?"
TAKEN = "SELECT turn, done_at IS NOT NULL FROM inbox WHERE channel = ? AND message = ? AND conversation = ?"


class SqliteLines:
    """The questions of the queue and of a conversation's page; `read` is `SqliteStore.read`."""

    def __init__(self, read: Run) -> None:
        self._read = read

    async def page(self, asked: QueueAsked, *, limit: int, offset: int = 0) -> tuple[QueueRow, ...]:
        """Open ones by priority, then age; ended ones from the newest end."""
        return await self._read(lambda connection: queue_page(connection, asked, limit, offset))

    async def total(self, asked: QueueAsked) -> int:
        return await self._read(lambda connection: queue_total(connection, asked))

    async def counts(self, login: str) -> QueueCounts:
        return await self._read(lambda connection: queue_counts(connection, login))

    async def tags(self) -> tuple[str, ...]:
        """Those that the newest open handoffs have."""
        return await self._read(queue_tags)

    async def talk(
        self, conversation: str, *, before: int | None = None, after: int | None = None, limit: int = 40
    ) -> Talk:
        """The newest turns, those before a turn, or the newest of those after one. NotFound."""
        return await self._read(lambda connection: talk(connection, conversation, before, after, limit))

    async def told(self, conversation: str, author: str) -> Told:
        """What stands beside the transcript. NotFound."""
        return await self._read(lambda connection: talk_told(connection, conversation, author))

    async def file(self, conversation: str, digest: str) -> Attachment:
        """The file of that content as it was called in this conversation. NotFound if it has none."""
        return await self._read(lambda connection: talk_file(connection, conversation, digest))

    async def trace(self, conversation: str, turn: int) -> dict[str, Any]:
        """{sequence, at, config, steps, usage} of one turn. NotFound."""
        return await self._read(lambda connection: talk_trace(connection, conversation, turn))

    async def taken(self, conversation: str, channel: str, message: str) -> Taken:
        return await self._read(lambda connection: talk_taken(connection, conversation, channel, message))


def _values(asked: QueueAsked) -> dict[str, Any]:
    return {
        "statuses": json.dumps(asked.statuses),
        "since": asked.since,
        "desk": clean(asked.desk),
        "tag": clean(asked.tag),
        **_whose(asked.login),
    }


def _whose(login: str) -> dict[str, str]:
    login = clean(login)
    return {"login": login, "has": '"agent_id":' + codec.dump(login)}


def queue_page(connection: sqlite3.Connection, asked: QueueAsked, limit: int, offset: int) -> tuple[QueueRow, ...]:
    order = "waiting" if "waiting" in asked.statuses or "claimed" in asked.statuses else "ended"
    values = {**_values(asked), "limit": limit, "offset": offset}
    return tuple(_queue_row(row) for row in connection.execute(QUEUE_PAGES[asked.whose, order], values))


def _queue_row(row: Row) -> QueueRow:
    channel, customer, name, locale, last = row[20:]
    return QueueRow(codec.handoff(row[:20]), channel, User(customer, name), locale, last or "")


def queue_total(connection: sqlite3.Connection, asked: QueueAsked) -> int:
    found: int = connection.execute(QUEUE_TOTALS[asked.whose], _values(asked)).fetchone()[0]
    return found


def queue_counts(connection: sqlite3.Connection, login: str) -> QueueCounts:
    found = [
        QueueCount(desk, status, count, own or 0)
        for desk, status, count, own in connection.execute(QUEUE_COUNTS, _whose(login))
    ]
    return QueueCounts(tuple(found))


def queue_tags(connection: sqlite3.Connection) -> tuple[str, ...]:
    return tuple(sorted(str(tag) for (tag,) in connection.execute(QUEUE_TAGS, (_TAGS_OF, _MOST_TAGS))))


def _conversation(connection: sqlite3.Connection, id: str) -> Row:
    row: Row | None = connection.execute(queries.CONVERSATION, (clean(id),)).fetchone()
    if row is None:
        raise NotFound(f"There is no conversation {id!r}.")
    return row


def talk(connection: sqlite3.Connection, id: str, before: int | None, after: int | None, limit: int) -> Talk:
    row = _conversation(connection, id)
    key = row[-2]
    first, last, more = _stretch(connection, key, before, after, limit)
    turns = codec.turns(connection.execute(MESSAGES_BETWEEN, (key, first, last)))
    times = dict(connection.execute(TURN_TIMES, (key, first, last)).fetchall())
    conversation = codec.conversation(row)
    return Talk(
        conversation,
        turns,
        times,
        _deliveries(connection, key, turns),
        _pending(connection, key, conversation.address) if before is None else (),
        more,
    )


def _stretch(
    connection: sqlite3.Connection, key: int, before: int | None, after: int | None, limit: int
) -> tuple[int, int, bool]:
    """First and last turn, and whether there are older ones."""
    end = 2**62 if before is None else before
    found = [turn for (turn,) in connection.execute(TURNS_BEFORE, (key, end, limit + 1))]
    shown = found[:limit]
    if not shown:
        return 0, -1, False
    if after is not None:
        return max(after + 1, shown[-1]), end - 1, False
    return shown[-1], end - 1, len(found) > limit


def _deliveries(connection: sqlite3.Connection, key: int, turns: tuple[Turn, ...]) -> tuple[Delivery, ...]:
    if not turns:
        return ()
    rows = connection.execute(DELIVERIES, (key, turns[0].sequence, turns[-1].sequence))
    return tuple(
        Delivery(turn, text or "", "failed" if dead else "waiting", error or "")
        for turn, text, dead, error in rows
    )


def _pending(connection: sqlite3.Connection, key: int, address: Address) -> tuple[Inbound, ...]:
    rows = connection.execute(PENDING_WORDS, (key, _MOST_PENDING))
    return tuple(codec.inbound(row, address) for row in rows)


def talk_told(connection: sqlite3.Connection, id: str, author: str) -> Told:
    key = _conversation(connection, id)[-2]
    handoffs = tuple(codec.handoff(row) for row in connection.execute(HANDOFFS_OF, (key, _MOST_HANDOFFS)))
    author = handoffs[0].user.id if handoffs and handoffs[0].user.id else author
    identity = _identity(connection, key, author)
    return Told(handoffs, identity, look_back(connection, id, LookBack(author, identity.customer)))


def _identity(connection: sqlite3.Connection, key: int, author: str) -> Identity:
    row = connection.execute(STANDING, (key, clean(author))).fetchone()
    return Identity(**json.loads(row[0])) if row is not None and row[0] else Identity()


def talk_file(connection: sqlite3.Connection, id: str, digest: str) -> Attachment:
    key = _conversation(connection, id)[-2]
    if _DIGEST.match(digest):
        for question in (FILES_OF, FILES_PENDING):
            for (packed,) in connection.execute(question, (key, digest)):
                for file in json.loads(packed) if packed else ():
                    attachment = Attachment(*file)
                    if attachment.digest == digest:
                        return attachment
        if connection.execute(IMAGE_OF, (key, digest)).fetchone() is not None:
            return Attachment("picture", "image/*", digest=digest)
    raise NotFound("There is no such file in this conversation.")


def talk_trace(connection: sqlite3.Connection, id: str, turn: int) -> dict[str, Any]:
    key = _conversation(connection, id)[-2]
    row = connection.execute(TRACE_OF, (key, turn)).fetchone()
    if row is None:
        raise NotFound(f"There is no turn {turn} in this conversation.")
    sequence, at, body = row
    said = codec.trace(body)
    spent = tuple(Usage(*columns) for columns in connection.execute(queries.USAGE_OF_TURN, (key, sequence)))
    return {"sequence": sequence, "at": at, "config": said.config, "steps": said.steps, "usage": spent}


def talk_taken(connection: sqlite3.Connection, id: str, channel: str, message: str) -> Taken:
    key = _conversation(connection, id)[-2]
    row = connection.execute(TAKEN, (clean(channel), clean(message), key)).fetchone()
    if row is None or not row[1]:
        return Taken(row is not None)
    turn: int = row[0]
    trace = connection.execute(TRACE_OF, (key, turn)).fetchone()
    steps = codec.trace(trace[2]).steps if trace is not None else ()
    refused = next((str(step.get("reason", "")) for step in steps if step.get("step") == "refused"), "")
    return Taken(True, turn, refused)
