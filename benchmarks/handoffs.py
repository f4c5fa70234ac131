"""What a handoff costs: to open one, to carry words both ways, and to claim among many agents.

    python benchmarks/handoffs.py [--rounds 3] [--turns 100] [--waiting 2000]

Every round measures everything once, one after the other, in one process with a durable store, a channel and a desk that
take everything at once, and a model that answers at once; the figures are the medians over the rounds. The floor is one
durable commit, the peer an ordinary turn with an answer. A handoff's way is from the customer's message to the desk's
row; relays are from the message or the agent's act to the other side. Claims: two hundred handoffs wait, twenty agents
claim all of them at once; it fails unless each has just one agent. The last lines open handoffs while few and many wait
in the same line. Quote the ratios: machines are noisy, and a durable commit is as slow as its disk.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import random
import sqlite3
import statistics
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supportbot import Act, Adapter, Address, Bot, Capabilities, Desk, Message, Outgoing, User
from supportbot.testing.site import write_bot
from supportbot.types import ModelAnswer, ModelRequest

ANA = User("1", "Ana")
HANDOFFS, AGENTS = 200, 20


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of one: on the clock, and of the processor in all threads."""

    wall: float
    cpu: float


async def timed(work: Callable[[], Awaitable[Any]], count: int) -> Cost:
    wall, cpu = time.perf_counter(), time.process_time()
    await work()
    return Cost((time.perf_counter() - wall) / count, (time.process_time() - cpu) / count)


class Answering:
    async def complete(self, request: ModelRequest, *, seconds: float, on_text: Any = None) -> ModelAnswer:
        return ModelAnswer("It was shipped yesterday.", model="bench")

    async def close(self) -> None:
        """Nothing is held open."""


class Arrivals:
    """What has arrived, by name; `wait` for so many of one."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._changed: dict[str, asyncio.Event] = defaultdict(asyncio.Event)

    def add(self, name: str) -> None:
        self.counts[name] += 1
        self._changed[name].set()

    async def wait(self, name: str, count: int) -> None:
        async with asyncio.timeout(120):
            while self.counts[name] < count:
                self._changed[name].clear()
                await self._changed[name].wait()


class Front(Desk):
    """A desk in this process; its places are the handoffs' ids."""

    def __init__(self, name: str, arrivals: Arrivals) -> None:
        super().__init__(name)
        self.arrivals = arrivals
        self.claimed: Counter[str] = Counter()
        self.refused = 0
        self.of: dict[str, str] = {}

    async def send(self, outgoing: Outgoing) -> str:
        handoff = str(outgoing.data["handoff"])
        self.of[outgoing.address.chat] = handoff
        self.claimed[handoff] += outgoing.kind == "handoff.claimed"
        self.refused += outgoing.data.get("change") == "refused"
        self.arrivals.add(f"desk {outgoing.address.chat}")
        self.arrivals.add("desk")
        return handoff if outgoing.kind == "handoff.requested" else ""


class Room(Adapter):
    """A channel in this process."""

    capabilities = Capabilities(burst_wait=0.0)

    def __init__(self) -> None:
        super().__init__("room", {})
        self.arrivals = Arrivals()
        self.front = Front("front", self.arrivals)

    def desk(self, name: str, options: Mapping[str, Any]) -> Desk:
        return self.front

    async def send(self, outgoing: Outgoing) -> str:
        self.arrivals.add(f"room {outgoing.address.chat}")
        return ""


@dataclass
class House:
    """A running bot."""

    bot: Bot
    room: Room
    numbers: Any

    async def say(self, chat: str, text: str) -> None:
        await self.bot.receive(
            Message(Address("room", chat), f"{chat}.{next(self.numbers)}", User(chat, "Anna"), text)
        )

    async def answered(self, turns: int) -> None:
        for _ in range(turns):
            chat = f"a-{next(self.numbers)}"
            await self.say(chat, "Where is it?")
            await self.room.arrivals.wait(f"room {chat}", 1)

    async def opened(self, turns: int, at_once: int = 1) -> list[str]:
        slots = asyncio.Semaphore(at_once)

        async def one() -> str:
            chat = f"h-{next(self.numbers)}"
            async with slots:
                await self.say(chat, "/human")
                await self.room.arrivals.wait(f"desk {chat}", 1)
            return chat

        return await asyncio.gather(*(one() for _ in range(turns)))

    async def to_the_desk(self, chats: list[str]) -> None:
        for chat in chats:
            before = self.room.arrivals.counts[f"desk {chat}"]
            await self.say(chat, "And one more thing.")
            await self.room.arrivals.wait(f"desk {chat}", before + 1)

    async def to_the_customer(self, chats: list[str]) -> None:
        for chat in chats:
            before = self.room.arrivals.counts[f"room {chat}"]
            place = self.room.front.of[chat]
            act = Act(f"m-{next(self.numbers)}", ANA, "message", place, text="I look into it.")
            assert await self.bot.act("front", act)
            await self.room.arrivals.wait(f"room {chat}", before + 1)

    async def claims(self, chats: list[str]) -> None:
        """Twenty agents claim every one of them, each in an order of their own."""
        front, before = self.room.front, self.room.arrivals.counts["desk"]
        places = [front.of[chat] for chat in chats]
        front.claimed.clear()
        front.refused = 0

        async def agent(number: int) -> None:
            for place in random.Random(number).sample(places, len(places)):
                who = User(f"agent-{number}", f"Agent {number}")
                await self.bot.act("front", Act(f"c-{next(self.numbers)}", who, "claim", place))

        await asyncio.gather(*(agent(number) for number in range(AGENTS)))
        await self.room.arrivals.wait("desk", before + len(places) * AGENTS)
        assert set(front.claimed.values()) == {1} and len(front.claimed) == len(places), front.claimed
        assert front.refused == len(places) * (AGENTS - 1), front.refused

    async def ended(self, chats: list[str]) -> None:
        for chat in chats:
            act = Act(f"e-{next(self.numbers)}", ANA, "return", handoff=self.room.front.of[chat])
            assert await self.bot.act("front", act)
        while open_ := len(await self.bot.store.handoffs(limit=10_000)):
            await asyncio.sleep(0.01 if open_ < 50 else 0.1)


@contextlib.asynccontextmanager
async def house(folder: Path) -> AsyncIterator[House]:
    config = {"desks": {"front": {"channel": "room"}}}
    path = write_bot(folder, callback_url="http://127.0.0.1:9/", config=config)
    room = Room()
    bot = Bot.from_config(path, env={}, model=Answering(), channels={"room": room}, only_channels=True)
    async with bot:
        yield House(bot, room, itertools.count())


async def commits(path: Path, count: int) -> None:
    """Durable commits of one small row, one after the other."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("CREATE TABLE IF NOT EXISTS entries (value TEXT)")
        for _ in range(count):
            database.execute("INSERT INTO entries VALUES ('one row')")


async def measured(folder: Path, here: House, turns: int, waiting: int) -> dict[str, Cost]:
    found = {"one durable commit": await timed(lambda: commits(folder / "floor.db", 200), 200)}
    found["an answered turn"] = await timed(lambda: here.answered(turns), turns)
    chats: list[str] = []

    async def opening(count: int, at_once: int) -> None:
        chats.extend(await here.opened(count, at_once))

    found["a handoff opened"] = await timed(lambda: opening(turns, 1), turns)
    found["customer to desk"] = await timed(lambda: here.to_the_desk(chats), turns)
    found["agent to customer"] = await timed(lambda: here.to_the_customer(chats), turns)
    await here.ended(chats)
    chats.clear()
    await opening(HANDOFFS, 32)
    found["a claim of 200 x 20"] = await timed(lambda: here.claims(chats), HANDOFFS * AGENTS)
    await here.ended(chats)
    chats.clear()
    found["opened, 10 in line"] = await timed(lambda: opening(turns, 1), turns)
    await opening(waiting, 32)
    found[f"opened, {waiting:,} in line"] = await timed(lambda: opening(turns, 1), turns)
    await here.ended(chats)
    return found


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--turns", type=int, default=100)
    parser.add_argument("--waiting", type=int, default=2_000)
    options = parser.parse_args()
    rounds = []
    with tempfile.TemporaryDirectory() as name:
        async with house(Path(name)) as here:
            for _ in range(options.rounds):
                rounds.append(await measured(Path(name), here, options.turns, options.waiting))
    floor, peer = (statistics.median(one[key].wall for one in rounds) for key in list(rounds[0])[:2])
    print(f"{'':28} {'ms':>8} {'CPU ms':>8} {'commits':>8} {'turns':>8}")
    for name in rounds[0]:
        wall = statistics.median(one[name].wall for one in rounds)
        cpu = statistics.median(one[name].cpu for one in rounds)
        print(f"{name:28} {wall * 1e3:8.2f} {cpu * 1e3:8.2f} {wall / floor:8.1f} {wall / peer:8.2f}")


if __name__ == "__main__":
    asyncio.run(main())
