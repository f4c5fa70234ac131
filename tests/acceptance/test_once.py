"""I6, with a process that is killed in the midst of what it does: an action takes effect once, and is never guessed at."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from processes import Place, place

from supportbot.stores.sqlite import SqliteStore
from supportbot.testing.openai_server import FakeOpenAI, Say
from supportbot.types import ToolCall

TOOLS = '''
import json, os, signal, sqlite3
from pathlib import Path
from supportbot import NotDone, ToolContext, ToolError, tool

HERE = Path(__file__).parent

def shop():
    opened = sqlite3.connect(HERE / "shop.db", isolation_level=None)
    opened.execute("CREATE TABLE IF NOT EXISTS done (key TEXT PRIMARY KEY, said TEXT)")
    return opened

def once(stage):
    """Dies here the first time that it comes by."""
    flag = HERE / "died"
    if (HERE / "die").read_text() == stage and not flag.exists():
        flag.touch()
        os.kill(os.getpid(), signal.SIGKILL)

def act(key, order):
    once("before")
    shop().execute("INSERT INTO done VALUES (?, ?)", (key, f"refunded {order}"))
    once("after")
    return f"refunded {order}"

def done_before(arguments, context):
    if (HERE / "die").read_text().endswith("lost"):
        raise RuntimeError("the shop does not answer")
    found = shop().execute("SELECT said FROM done WHERE key = ?", (context.key,)).fetchone()
    if found is None:
        raise NotDone
    return found[0]

@tool(effects=True, recover=done_before)
def refund(order: str, context: ToolContext) -> str:
    """Refunds an order."""
    return act(context.key, order)

@tool(effects=True, confirm=True, recover=done_before)
def confirmed(order: str, context: ToolContext) -> str:
    """Refunds an order."""
    return act(context.key, order)

@tool(effects=True, long=True, recover=done_before, timeout=60)
def long_refund(order: str, context: ToolContext) -> str:
    """Refunds an order, which takes minutes."""
    return act(context.key, order)

@tool(effects=True)
def without_recover(order: str, context: ToolContext) -> str:
    """Refunds an order."""
    return act(context.key, order)
'''


def obeys(body: Mapping[str, Any]) -> Say:
    """Calls the tool that the customer names, and says what it came to."""
    last = body["messages"][-1]
    if last["role"] == "tool":
        return Say(f"It came to: {last['content']}")
    name = last["content"].split()[0]
    known = {tool["function"]["name"] for tool in body.get("tools", ())}
    if name not in known:
        return Say("What do you mean?")
    return Say(tool_calls=(ToolCall("c1", name, json.dumps({"order": "A-1"})),))


def done(folder: Path) -> list[str]:
    import sqlite3

    if not (folder / "shop.db").exists():
        return []
    with sqlite3.connect(folder / "shop.db") as opened:
        return [said for (said,) in opened.execute("SELECT said FROM done")]


async def replied(bot: Place, words: str, seconds: float = 30.0) -> dict[str, Any]:
    """The first reply that begins so."""
    async with asyncio.timeout(seconds):
        while True:
            for one in bot.receiver.accepted:
                if one.payload["type"] == "message.reply" and one.payload["text"].startswith(words):
                    return dict(one.payload)
            await asyncio.sleep(0.05)


async def died(bot: Place) -> None:
    async with asyncio.timeout(20):
        while bot.process is not None and bot.process.poll() is None:
            await asyncio.sleep(0.02)


def prepared(folder: Path, stage: str) -> None:
    (folder / "acts.py").write_text(TOOLS)
    (folder / "die").write_text(stage)


CONFIG = {"tools": {"modules": ["acts.py"]}}


@pytest.mark.parametrize(
    ("tool", "stage"),
    [("refund", "before"), ("confirmed", "after"), ("long_refund", "before"), ("long_refund", "after")],
)
async def test_an_interrupted_action_is_asked_for_and_takes_effect_once(
    tmp_path: Path, tool: str, stage: str
) -> None:
    prepared(tmp_path, stage)
    async with place(tmp_path, FakeOpenAI(obeys), **CONFIG) as bot:
        await bot.start()
        await bot.post(f"{tool} please", id="m1")
        if tool == "confirmed":
            await replied(bot, "May I do this for you?")
            await bot.post("yes", id="m2")
        await died(bot)
        await bot.start()
        await replied(bot, "It came to: refunded A-1")
        await bot.end(signal.SIGTERM)
    assert done(tmp_path) == ["refunded A-1"]
    store = SqliteStore.read_only(bot.database)
    await store.open()
    assert [entry.outcome for entry in await store.ledger()] == ["done"]
    assert await store.handoffs(open_only=False) == ()
    await store.close()


@pytest.mark.parametrize(("tool", "stage"), [("without_recover", "after"), ("long_refund", "lost")])
async def test_an_outcome_that_nobody_knows_is_told_and_never_repeated(
    tmp_path: Path, tool: str, stage: str
) -> None:
    prepared(tmp_path, "after" if stage == "after" else "after lost")
    source = (tmp_path / "acts.py").read_text().replace("== stage and", ".split()[0] == stage and")
    (tmp_path / "acts.py").write_text(source)
    async with place(tmp_path, FakeOpenAI(obeys), **CONFIG) as bot:
        await bot.start()
        await bot.post(f"{tool} please", id="m1")
        await died(bot)
        await bot.start()
        await replied(bot, "I've passed your conversation on")
        await bot.end(signal.SIGTERM)
    assert done(tmp_path) == ["refunded A-1"]
    store = SqliteStore.read_only(bot.database)
    await store.open()
    assert [entry.outcome for entry in await store.ledger()] == ["unknown"]
    assert [handoff.reason for handoff in await store.handoffs()] == ["unknown_outcome"]
    await store.close()
