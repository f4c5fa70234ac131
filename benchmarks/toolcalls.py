"""What a tool call costs: CPU and time that the bot adds to the bare function, for reading tools and for actions.

    python benchmarks/toolcalls.py [--rounds 7] [--turns 40]

Every round measures everything once, one after the other, so that a ratio compares what ran side by side; the figures
are the medians over the rounds. The ratios are to the function with its arguments read from JSON, which is the least
that a call can be, and to one durable commit, of which a reading call needs one and an action two. A turn's calls are what a turn with N of them takes beyond the same turn with none,
in one process with a durable store; the tools do nothing, and the model answers at once. Quote the ratios: machines are
noisy, and a durable commit is as slow as its disk.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import sqlite3
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supportbot import Adapter, Address, Bot, Capabilities, Message, Outgoing, Tool, ToolContext, User
from supportbot.testing.site import write_bot
from supportbot.tools import Toolbox
from supportbot.types import ModelAnswer, ModelRequest, ToolCall

CALLS = 20
"""Calls in one turn, as many as a turn may have."""
ARGUMENTS = '{"order": "W2378156"}'
ANSWER = "It was shipped yesterday and arrives tomorrow."
MODULE = """
from supportbot import Tool

SCHEMA = {"type": "object", "properties": {"order": {"type": "string"}}, "required": ["order"]}


def function(arguments, context):
    return "shipped"


async def coroutine(arguments, context):
    return "shipped"


TOOLS = [
    Tool("look", "Looks at an order.", SCHEMA, coroutine),
    Tool("look_in_thread", "Looks at an order.", SCHEMA, function),
    Tool("act", "Changes an order.", SCHEMA, coroutine, effects=True),
]
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of one call: on the clock, and of the processor in all threads."""

    wall: float
    cpu: float


async def timed(work: Callable[[], Awaitable[Any]], calls: int) -> Cost:
    wall, cpu = time.perf_counter(), time.process_time()
    await work()
    return Cost((time.perf_counter() - wall) / calls, (time.process_time() - cpu) / calls)


class Agent:
    """Asks for `calls` calls of `tool`, all at once or one a message, and answers when it has their results."""

    def __init__(self) -> None:
        self.tool, self.calls, self.at_once = "look", 0, True

    async def complete(self, request: ModelRequest, *, seconds: float, on_text: Any = None) -> ModelAnswer:
        done = sum(message.role == "tool" for message in request.messages)
        if done >= self.calls:
            return ModelAnswer(ANSWER, model="agent")
        last = self.calls if self.at_once else done + 1
        asked = tuple(ToolCall(f"call_{number}", self.tool, ARGUMENTS) for number in range(done, last))
        return ModelAnswer("", asked, model="agent")

    async def close(self) -> None:
        """Nothing is held open."""


class Room(Adapter):
    """A channel in this process; `sent` is set when a reply arrives."""

    capabilities = Capabilities(burst_wait=0.0)

    def __init__(self) -> None:
        super().__init__("room", {})
        self.sent: dict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.texts: set[str] = set()

    async def send(self, outgoing: Outgoing) -> str:
        self.texts.add(outgoing.reply.text if outgoing.reply is not None else outgoing.kind)
        self.sent[outgoing.address.chat].set()
        return ""


@dataclass
class House:
    """A running bot and what its turns are asked with."""

    bot: Bot
    room: Room
    agent: Agent
    numbers: Any

    async def turns(self, count: int, at_once: int) -> None:
        """That many turns, each the first of its conversation."""
        slots = asyncio.Semaphore(at_once)

        async def one() -> None:
            chat = f"c-{next(self.numbers)}"
            async with slots:
                await self.bot.receive(Message(Address("room", chat), f"{chat}.0", User(chat), "Where is it?"))
                await asyncio.wait_for(self.room.sent[chat].wait(), 60)

        await asyncio.gather(*(one() for _ in range(count)))

    async def cost(self, tool: str, calls: int, turns: int, *, at_once: int, in_one: bool = True) -> Cost:
        """Of one call: turns with `calls` calls less the same turns without any."""
        self.agent.tool, self.agent.at_once = tool, in_one
        self.agent.calls = 0
        without = await timed(lambda: self.turns(turns, at_once), turns * calls)
        self.agent.calls = calls
        with_calls = await timed(lambda: self.turns(turns, at_once), turns * calls)
        return Cost(with_calls.wall - without.wall, with_calls.cpu - without.cpu)


@contextlib.asynccontextmanager
async def house(folder: Path) -> AsyncIterator[House]:
    (folder / "bench_tools.py").write_text(MODULE)
    config = write_bot(
        folder, callback_url="http://127.0.0.1:9/", config={"tools": {"modules": ["bench_tools.py"]}}
    )
    agent, room = Agent(), Room()
    bot = Bot.from_config(config, env={}, model=agent, channels={"room": room}, only_channels=True)
    async with bot:
        yield House(bot, room, agent, itertools.count())
    assert room.texts == {ANSWER}, f"the bot said {room.texts - {ANSWER}}"


def commit_loop(path: Path, count: int) -> None:
    """Durable commits of one small row, one after the other."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("CREATE TABLE IF NOT EXISTS entries (value TEXT)")
        for _ in range(count):
            database.execute("INSERT INTO entries VALUES (?)", (ARGUMENTS,))


@dataclass
class Bench:
    """The measurements by name; each gives the cost of one call."""

    folder: Path
    house: House
    turns: int

    async def round(self) -> dict[str, Cost]:
        function, context = _function(), _context()
        box = Toolbox(_tools())
        found = {"bare function": await timed(_async(lambda: _loop(function, context, 20_000)), 20_000)}
        found["json.loads and the function"] = await timed(_async(lambda: _parsed(function, context)), 20_000)
        found["asyncio.to_thread(function)"] = await timed(lambda: _threads(function, context), 500)
        found["one durable commit"] = await timed(_async(lambda: commit_loop(self.folder / "floor.db", 100)), 100)
        for tool in ("look", "look_in_thread", "act"):
            found[f"Toolbox.call, {tool}"] = await timed(lambda name=tool: _boxed(box, name, context), 500)
        for tool in ("look", "look_in_thread", "act"):
            cost = self.house.cost
            found[f"turn, {tool}, all in one message"] = await cost(tool, CALLS, self.turns, at_once=1)
            found[f"turn, {tool}, one a message"] = await cost(tool, CALLS, self.turns, at_once=1, in_one=False)
            found[f"32 turns at once, {tool}, in one message"] = await cost(
                tool, CALLS, self.turns * 2, at_once=32
            )
        return found


def _async(work: Callable[[], None]) -> Callable[[], Awaitable[None]]:
    async def run() -> None:
        work()

    return run


def _tools() -> list[Tool]:
    space: dict[str, Any] = {}
    exec(MODULE, space)
    tools: list[Tool] = space["TOOLS"]
    return tools


def _function() -> Callable[[dict[str, Any], ToolContext], Any]:
    return _tools()[1].call


def _context() -> ToolContext:
    return ToolContext(conversation="c", customer=User("u"), channel="room", locale="en", key="c.1.1")


def _loop(function: Callable[..., Any], context: ToolContext, count: int) -> None:
    arguments = json.loads(ARGUMENTS)
    for _ in range(count):
        function(arguments, context)


def _parsed(function: Callable[..., Any], context: ToolContext) -> None:
    for _ in range(20_000):
        function(json.loads(ARGUMENTS), context)


async def _threads(function: Callable[..., Any], context: ToolContext) -> None:
    for _ in range(500):
        await asyncio.to_thread(function, json.loads(ARGUMENTS), context)


async def _boxed(box: Toolbox, name: str, context: ToolContext) -> None:
    for _ in range(500):
        result = await box.call(name, ARGUMENTS, context, seconds=5)
        assert result.content == "shipped", result


def report(rounds: list[dict[str, Cost]], as_json: bool) -> None:
    base, floor = "json.loads and the function", "one durable commit"
    rows = []
    for name in rounds[0]:
        costs = [one[name] for one in rounds]
        rows.append(
            {
                "what": name,
                "wall_us": statistics.median(cost.wall for cost in costs) * 1e6,
                "cpu_us": statistics.median(cost.cpu for cost in costs) * 1e6,
                "cpu_ratio": statistics.median(one[name].cpu / one[base].cpu for one in rounds),
                "commits": statistics.median(one[name].wall / one[floor].wall for one in rounds),
            }
        )
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    print(f"{'one call':<46} {'time':>10} {'CPU':>10}   CPU in bare calls   time in durable commits")
    for row in rows:
        print(
            f"{row['what']:<46} {row['wall_us']:7.1f} µs {row['cpu_us']:7.1f} µs   {row['cpu_ratio']:12.0f} ×   "
            f"{row['commits']:12.2f} ×"
        )


async def main(options: argparse.Namespace) -> None:
    rounds = []
    with tempfile.TemporaryDirectory(prefix="toolcalls-") as name:
        async with house(Path(name)) as running:
            bench = Bench(Path(name), running, options.turns)
            await running.turns(32, 8)  # warm
            for _ in range(options.rounds):
                rounds.append(await bench.round())
    report(rounds, options.json)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--turns", type=int, default=40)
    parser.add_argument("--json", action="store_true")
    asyncio.run(main(parser.parse_args()))
