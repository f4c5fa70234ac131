"""What the console's pages cost when a hundred thousand conversations are stored.

    python benchmarks/console.py --conversations 100000
    python benchmarks/console.py --database /tmp/shop.db          # filled by benchmarks/talks.py, and kept

Fills a database (`talks.py`), serves the bot on it in a process of its own, signs in over HTTP and asks for each page
twenty times on loopback, one after the other. The figures are the median and the 95th percentile, and the median as a
multiple of what `/healthz` takes in the same run (a request that reads nothing) and of one bare SELECT by key. It ends
with 1 if a page is slower than LIMIT at the 95th percentile. Quote the multiples: machines are noisy.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from urllib.parse import urlencode, urljoin

import httpx2
from talks import SPAN, fill

from supportbot.bot import Bot
from supportbot.console.passwords import hashed
from supportbot.console.sections import SECTIONS
from supportbot.testing.site import write_bot

LIMIT = 0.2
ROUNDS = 20
PASSWORD = "nine quiet boats in fog"
_ADMIN = """INSERT INTO accounts (login, name, role, password, created_at) VALUES ('bench', 'Bench', 'admin', ?, ?)
    ON CONFLICT (login) DO UPDATE SET password = excluded.password"""
_SEARCHES: dict[str, dict[str, str]] = {
    "all": {},
    "one channel": {"channel": "web"},
    "no such channel": {"channel": "nowhere"},
    "open handoffs": {"handoff": "open"},
    "an agent's": {"agent": "Ana"},
    "rated 1": {"rating": "1"},
    "without a handoff": {"handoff": "none"},
    "a common word": {"q": "order"},
    "the most common words": {"q": "the order is my"},
    "a beginning": {"q": "bak"},
    "a phrase": {"q": '"please not"'},
    "a rare word": {"q": "SB-31415"},
    "words never together": {"q": "refund iade"},
    "a common name": {"q": "Lovelace"},
    "a name with signs": {"q": "müller"},
    "nobody's name": {"q": "Xyzzy"},
    "an id": {"q": "00000000000000000000000000001"},
    "a common word, rated 1": {"q": "the", "rating": "1"},
    "a common word, open": {"q": "the", "handoff": "open"},
    "a common word, no channel": {"q": "the", "channel": "nowhere"},
}


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds: the median, and what nineteen of twenty stay under."""

    median: float
    p95: float


@asynccontextmanager
async def served(database: Path) -> AsyncIterator[str]:
    """The address of the bot, served in another process on this database."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, __file__, "--serve", str(database), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        while not (line := (await process.stdout.readline()).decode()).startswith("http://"):
            assert line, "the server did not start"
        yield line.strip()
    finally:
        process.terminate()
        await process.wait()


async def serve(database: Path) -> None:
    """Until it is terminated."""
    with tempfile.TemporaryDirectory() as folder:
        config = {
            "desks": {"front": {"channel": "console"}},
            "logging": {"level": "error"},
            "limits": {"overdue": "notice"},
        }
        path = write_bot(Path(folder), callback_url="http://127.0.0.1:9/", config=config)
        async with Bot.from_config(path, env={}, model="offline", database=database) as bot:
            stop = asyncio.Event()
            await bot.serve(
                "127.0.0.1",
                0,
                stop=stop,
                started=lambda host, port: print(f"http://{host}:{port}", flush=True),
            )


async def timed(http: httpx2.AsyncClient, address: str, rounds: int = ROUNDS) -> Cost:
    """What the page costs; the first request is not counted, it warms the caches."""
    taken = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        answer = await http.get(address)
        taken.append(time.perf_counter() - began)
        assert answer.status_code == 200, (address, answer.status_code, answer.text[:300])
    return Cost(statistics.median(taken[1:]), sorted(taken[1:])[int(rounds * 0.95) - 1])


def selects(database: Path, rounds: int = 1_000) -> Cost:
    """One SELECT by key."""
    taken = []
    with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        for id in range(1, rounds + 1):
            began = time.perf_counter()
            connection.execute("SELECT public FROM conversations WHERE id = ?", (id,)).fetchone()
            taken.append(time.perf_counter() - began)
    return Cost(statistics.median(taken), sorted(taken)[int(rounds * 0.95)])


async def addresses(http: httpx2.AsyncClient, count: int) -> dict[str, str]:
    """Every page, by name."""
    pages = {"queue": "/console/queue"}
    for name, query in _SEARCHES.items():
        pages[f"search: {name}"] = address = f"/console/conversations?{urlencode(query)}"
        older = re.search(r'href="([^"]+)" rel="next"', (await http.get(address)).text)
        if older is not None:
            pages[f"search: {name}, page 2"] = urljoin(address, unescape(older[1]))
    ordinary, handed, heavy = (f"{id:032x}" for id in (count // 3 + 1, count - 12 * 40 - (count - 5) % 12, 50))
    pages |= {
        "a conversation": f"/console/c/{ordinary}",
        "a conversation with a handoff": f"/console/c/{handed}",
        "why the bot said it": f"/console/c/{ordinary}/why/2",
        "replies to choose from": f"/console/c/{handed}/canned?q=number",
        "a customer": f"/console/c/{ordinary}/customer",
        "a customer with very many": f"/console/c/{heavy}/customer",
        "canned replies": "/console/replies",
        **{f"dashboards: {name}, {days} days": address for name, days, address in _dashboards()},
        "accounts": "/console/accounts",
        "audit": "/console/audit",
    }
    return pages


def _dashboards() -> Iterator[tuple[str, int, str]]:
    for days in (30, 90):
        for section in SECTIONS:
            place = "" if section == "overview" else f"/{section}"
            yield section, days, f"/console/dashboard{place}?days={days}"


async def measured(database: Path, count: int) -> bool:
    """Prints what every page costs; whether all are within the limit."""
    select, slow = selects(database), list[str]()
    async with (
        served(database) as url,
        httpx2.AsyncClient(base_url=url, trust_env=False, timeout=60) as http,
    ):
        form = {"login": "bench", "password": PASSWORD, "next": "/console/queue"}
        signed = await http.post("/console/sign-in", data=form, headers={"Sec-Fetch-Site": "same-origin"})
        assert signed.status_code == 303, signed.text
        floor = await timed(http, "/healthz")
        print(f"{'':40} {'ms':>8} {'p95 ms':>8} {'healthz':>8} {'SELECT':>8}")
        pages = {"healthz": "/healthz"} | await addresses(http, count)
        for name, address in pages.items():
            cost = await timed(http, address)
            marks = cost.median / floor.median, cost.median / select.median
            print(f"{name:40} {cost.median * 1e3:8.2f} {cost.p95 * 1e3:8.2f} {marks[0]:8.1f} {marks[1]:8.0f}")
            if cost.p95 > LIMIT:
                slow.append(name)
    print(f"one SELECT by key: {select.median * 1e6:.1f} us" + "".join(f"\ntoo slow: {name}" for name in slow))
    return not slow


def prepared(database: Path, count: int, days: float) -> int:
    """Fills it unless it is there, with an admin; how many conversations it has."""
    if not database.exists():
        began = time.perf_counter()
        fill(database, count, days=days)
        print(f"{count:,} conversations written in {time.perf_counter() - began:.0f} s")
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute(_ADMIN, (hashed(PASSWORD), time.time()))
        stored, messages = (
            connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("conversations", "messages")
        )
    print(f"{stored:,} conversations, {messages:,} messages, {database.stat().st_size / 1e6:.0f} MB")
    return int(stored)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--conversations", type=int, default=100_000)
    parser.add_argument("--days", type=float, default=SPAN, help="over which they are spread")
    parser.add_argument("--database", type=Path)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve is not None:
        asyncio.run(serve(options.serve))
        return
    with tempfile.TemporaryDirectory() as folder:
        database = options.database or Path(folder) / "shop.db"
        count = prepared(database, options.conversations, options.days)
        sys.exit(0 if asyncio.run(measured(database, count)) else 1)


if __name__ == "__main__":
    main()
