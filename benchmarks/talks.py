"""Fills a real database with as many conversations as a shop has after years, by plain SQL.

    python benchmarks/talks.py shop.db --conversations 100000

Eight to ten messages each, in four languages and by words as unevenly frequent as people's are; handoffs for one in
twelve, model usage, traces, proven identities, files, ratings. One user id has a fiftieth of all conversations, as an
integration that writes for everybody has. The same count gives the same rows, apart from the clock.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import sqlite3
import time
import zlib
from bisect import bisect
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from supportbot.stores import connect, migrations, tallies

CHANNELS = ("web", "slack", "telegram", "shop")
AGENTS = ("ana", "ben", "chloe", "dmitri", "elif", "farid", "grace", "hiro")
REASONS = ("requested", "rule", "unanswered", "angry", "flow", "tool_failed")
HEAVY = "integration-1"
_LOCALES = ("en", "de", "es", "tr")
_COMMON = {
    "en": "the order is my i and to a please not it when for have refund delivery parcel where help with",
    "de": "die bestellung ist meine ich und zu ein bitte nicht es wann für habe rückgabe lieferung paket wo hilfe mit",
    "es": "el pedido es mi yo y para un por favor no cuándo tengo devolución entrega paquete dónde ayuda con está",
    "tr": "sipariş benim ben ve için bir lütfen değil ne zaman var iade teslimat paket nerede yardım ile çok",
}
_SYLLABLES = [
    "ba",
    "ko",
    "li",
    "ra",
    "mun",
    "te",
    "si",
    "vor",
    "gel",
    "na",
    "dri",
    "pas",
    "ue",
    "lom",
    "kir",
    "zo",
]
_FIRST = [
    "Ada",
    "Bruno",
    "Çiğdem",
    "Dilan",
    "Émile",
    "Fatma",
    "Greta",
    "Hannah",
    "İbrahim",
    "José",
    "Katarzyna",
    "Lê",
    "Müge",
    "Noor",
    "Olga",
    "Paul",
]
_LAST = [
    "Lovelace",
    "Müller",
    "García",
    "Yılmaz",
    "Okri",
    "Novák",
    "Šimek",
    "Østergård",
    "Tanaka",
    "Smith",
    "Schmidt",
    "Kaya",
    "Fernández",
    "Brown",
]
_DAY = 86_400.0
SPAN = 700.0
"""Days over which they are spread."""
_BATCH = 2_000

_CONVERSATION = """INSERT INTO conversations (id, public, channel, chat, thread, customer, customer_name, created_at,
    updated_at, turn, cut, locale, summary) VALUES (?, ?, ?, ?, '', ?, ?, ?, ?, ?, 0, ?, ?)"""
_MESSAGE = """INSERT INTO messages (conversation, turn, role, tokens, content, name, source, files)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""
_HANDOFF = """INSERT INTO handoffs (public, conversation, reason, detail, summary, requested_at, deadline, ceiling,
    status, agent, claimed_at, ended_at, noticed, notes, user, user_name, desk, assignee, priority, more)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, '[]', ?, ?, 'front', '', ?, ?)"""
_USAGE = """INSERT INTO usage (conversation, turn, at, model, purpose, prompt_tokens, cached_tokens, completion_tokens,
    cost, outcome, seconds) VALUES (?, ?, ?, ?, 'answer', ?, ?, ?, ?, 'ok', ?)"""
_TRACE = "INSERT INTO traces (conversation, turn, at, body) VALUES (?, ?, ?, ?)"
_STANDING = "INSERT INTO standings (conversation, author, body) VALUES (?, ?, ?)"
_STATE = "INSERT INTO states (conversation, author, body) VALUES (?, ?, ?)"
_SEAT = """INSERT INTO seats (conversation, desk, agent, priority, since, taken_at, state)
    VALUES (?, 'front', ?, ?, ?, ?, ?)"""
_UNANSWERED = "INSERT INTO unanswered (conversation, turn, at) VALUES (?, ?, ?)"
_CANNED = "INSERT INTO canned (title, text, locale, by, changed_at) VALUES (?, ?, ?, 'ana', ?)"
_DEAD = """INSERT INTO outbox (public, conversation, turn, channel, kind, user, user_name, in_reply_to, part, parts,
    text, preview, created_at, due_at, attempt, error, finished_at, dead)
    VALUES (?, ?, 1, ?, 'message.reply', ?, '', '[]', 1, 1, ?, '', ?, ?, 9, 'the platform refused it', ?, 1)"""


class Words:
    """Words of a language: a few make most of what is said, thousands the rest."""

    def __init__(self, locale: str, dice: random.Random) -> None:
        common = _COMMON[locale].split()
        rare = ["".join(dice.choices(_SYLLABLES, k=dice.randint(2, 4))) for _ in range(12_000)]
        self._words = list(dict.fromkeys([*common, *rare]))
        weights = [1 / (rank + 2) for rank in range(len(self._words))]
        self._edges = list(itertools.accumulate(weights))
        self._dice = dice

    def sentence(self) -> str:
        top, roll = self._edges[-1], self._dice.random
        return " ".join(self._words[bisect(self._edges, roll() * top)] for _ in range(5 + int(roll() * 15))) + "."


class Shop:
    """Makes the rows of one conversation after the other."""

    def __init__(self, conversations: int, now: float, span: float) -> None:
        self.count = conversations
        self.now = now
        self.span = span
        self.dice = random.Random(6)
        self.words = {locale: Words(locale, self.dice) for locale in _LOCALES}
        self.trace = zlib.compress(
            json.dumps(["bench", [{"step": "answer", "reason": "an article"}] * 6]).encode()
        )

    def rows(self, id: int) -> Iterator[tuple[str, tuple[Any, ...]]]:
        dice, words = self.dice, self.words[_LOCALES[id % 4]]
        began = self.now - self.span + self.span * id / (self.count + 1)
        heavy, person = id % 50 == 0, dice.randrange(max(1, self.count // 3))
        channel = "shop" if heavy else CHANNELS[person % 4]
        user = HEAVY if heavy else f"u-{person}"
        name = "" if heavy else f"{_FIRST[person % len(_FIRST)]} {_LAST[person // 7 % len(_LAST)]}"
        turns = dice.choice((4, 4, 5))
        ended = began + turns * 60
        locale = _LOCALES[id % 4]
        yield _CONVERSATION, (id, f"{id:032x}", channel, f"chat-{id}", user, name, began, ended, turns, locale, "")
        for turn in range(1, turns + 1):
            at = began + turn * 60
            files = '[["photo.jpg","image/jpeg",4096,"","","' + f"{id:064x}" + '"]]' if id % 40 == turn else None
            asked = f"Order SB-{id}: {words.sentence()}" if turn == 1 else words.sentence()
            yield _MESSAGE, (id, turn, 1, 20, asked, None, f"m-{id}-{turn}", files)
            yield _MESSAGE, (id, turn, 2, 30, f"{words.sentence()} {words.sentence()}", None, None, None)
            yield _TRACE, (id, turn, at, self.trace)
            model = ("gpt-4.1-mini", "gpt-4.1")[id % 9 == 0]
            yield _USAGE, (id, turn, at, model, 900 + dice.randrange(900), 400, 80, 400 + dice.randrange(200), 1.1)
        if id % 10 == 0 and not heavy:
            yield _STANDING, (id, user, json.dumps({"identity": _identity(f"cust-{person // 2}", name, began)}))
        if id % 6 == 0:
            slots = {"order_number": f"SB-{id}", "wish": "refund"}
            yield _STATE, (id, user, json.dumps([[], slots, [], 0, False]))
        if id % 50 == 7:
            yield _UNANSWERED, (id, 1, began + 60)
        if id % 2_500 == 3:
            yield _DEAD, (f"{id:032x}-dead", id, channel, user, "Hello", ended, ended, ended)
        if id % 12 == 5:
            yield from self._handoff(id, (user, name), ended)

    def _handoff(self, id: int, who: tuple[str, str], at: float) -> Iterator[tuple[str, tuple[Any, ...]]]:
        dice, agent = self.dice, AGENTS[id // 12 % len(AGENTS)]
        rating, priority = dice.choice((0, 0, 0, 1, 3, 4, 5, 5)), dice.choice((0, 0, 0, 1, 2))
        status = dice.choice(("resolved", "resolved", "resolved", "returned", "expired"))
        if id > self.count - 2_400:
            status = ("waiting", "claimed")[id // 12 % 2]
        claimed = at + dice.randrange(600) if status not in ("waiting", "expired") else None
        ends = at + 4_000 if status not in ("waiting", "claimed") else None
        more: dict[str, Any] = {"tags": ["orders"], "agent_id": agent if claimed else "", "desks": ["front"]}
        more |= {"rating": rating} if rating and ends else {}
        more |= {"answered_at": claimed + 30} if claimed else {}
        yield (
            _HANDOFF,
            (
                *(f"h_{id:030x}", id, REASONS[id // 12 % len(REASONS)], "They asked for a person.", "My parcel."),
                *(at, at + 900, at + 86_400, status, agent.title() if claimed else "", claimed, ends, *who),
                *(priority, json.dumps(more)),
            ),
        )
        if ends is None:
            yield _SEAT, (id, agent if claimed else "", priority, at, at, 2 if claimed else 1)


def _identity(customer: str, name: str, at: float) -> dict[str, Any]:
    return {"customer": customer, "name": name, "method": "signed", "at": at, "expires_at": at + 1_800}


def fill(path: Path, conversations: int, *, now: float | None = None, days: float = SPAN) -> None:
    """Makes the file, migrated and full; the conversations began in the last so many days."""
    connect.create_file(path)
    opened, _ = migrations.open_migrated(path)
    with closing(opened) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        shop = Shop(conversations, time.time() if now is None else now, days * _DAY)
        for start in range(1, conversations + 1, _BATCH):
            _insert(connection, shop, range(start, min(start + _BATCH, conversations + 1)))
        text = "Hello {customer}, this is answer number "
        connection.executemany(_CANNED, [(f"Reply {n}", f"{text}{n}.", "", shop.now) for n in range(40)])
        _count(connection)
        connection.execute("PRAGMA optimize")


def _count(connection: sqlite3.Connection) -> None:
    """What the house counts as it goes."""
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("DELETE FROM tallies")
    tallies.backfill(connection)
    connection.execute("COMMIT")


def _insert(connection: sqlite3.Connection, shop: Shop, ids: range) -> None:
    batches: dict[str, list[tuple[Any, ...]]] = {}
    for id in ids:
        for statement, row in shop.rows(id):
            batches.setdefault(statement, []).append(row)
    connection.execute("BEGIN IMMEDIATE")
    for statement, rows in batches.items():
        connection.executemany(statement, rows)
    connection.execute("COMMIT")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path)
    parser.add_argument("--conversations", type=int, default=100_000)
    parser.add_argument("--days", type=float, default=SPAN)
    options = parser.parse_args()
    began = time.perf_counter()
    fill(options.path, options.conversations, days=options.days)
    print(f"{options.conversations:,} conversations in {time.perf_counter() - began:.0f} s")
