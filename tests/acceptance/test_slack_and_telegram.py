"""The example shop on Slack and Telegram: the platforms' own SDKs, real files and database, stand-ins on loopback."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from supportbot.bot import Bot
from supportbot.config.bundled import bundled
from supportbot.models import Line, ScriptedModel
from supportbot.testing.slack import events
from supportbot.testing.slack.server import Channel, FakeSlack
from supportbot.testing.telegram import updates
from supportbot.testing.telegram.server import FakeTelegram
from supportbot.types import ModelRequest, ToolCall

PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
ROOT = "1700000000.000100"


def write_shop(folder: Path, channels: Mapping[str, Any]) -> Path:
    """The example bot's own files, with these channels."""
    for name in ("flows", "prompts", "knowledge", "tools"):
        shutil.copytree(bundled(name), folder / name, dirs_exist_ok=True)
    for name in ("shop_tools.py", "shop.sql"):
        shutil.copyfile(bundled(name), folder / name)
    config = yaml.safe_load(Path(bundled("config.example.yaml")).read_text("utf-8"))
    path = folder / "config.yaml"
    path.write_text(json.dumps({**config, "channels": channels}), "utf-8")
    return path


@asynccontextmanager
async def on_telegram(
    folder: Path, model: Any = "offline", fake: FakeTelegram | None = None
) -> AsyncIterator[FakeTelegram]:
    async with fake or FakeTelegram(limits=False) as telegram, _telegram_bot(folder, telegram, model):
        yield telegram


@asynccontextmanager
async def _telegram_bot(folder: Path, telegram: FakeTelegram, model: Any) -> AsyncIterator[Bot]:
    path = write_shop(folder, {"telegram": {"type": "telegram", "burst_wait": "0s"}})
    env = {"TELEGRAM_BOT_TOKEN": telegram.token, "TELEGRAM_API_URL": telegram.url}
    async with Bot.from_config(path, env=env, model=model) as bot:
        yield bot


@asynccontextmanager
async def on_slack(folder: Path, model: Any = "offline") -> AsyncIterator[FakeSlack]:
    async with FakeSlack(pace=0, tiers={}) as slack:
        path = write_shop(folder, {"slack": {"type": "slack", "mode": "socket", "burst_wait": "0s"}})
        env = {"SLACK_BOT_TOKEN": slack.bot_token, "SLACK_APP_TOKEN": slack.app_token, "SLACK_API_URL": slack.url}
        async with Bot.from_config(path, env=env, model=model):
            assert await slack.connected_within(5)
            yield slack


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


def labels(markup: Mapping[str, Any] | None) -> dict[str, str]:
    """What stands on each button of a Telegram message, and what it carries."""
    rows = (markup or {}).get("inline_keyboard", ())
    return {one["text"]: one["callback_data"] for row in rows for one in row}


# --- Telegram ------------------------------------------------------------------------------------------------


async def test_a_customer_on_telegram_presses_a_button_and_finds_the_order(tmp_path: Path) -> None:
    async with on_telegram(tmp_path) as telegram:
        telegram.add(updates.command("/start"))
        (hello,) = await telegram.wait_for(1, 10)
        choice = labels(hello.reply_markup)["Where is my order?"]
        for _ in range(3):
            press = updates.callback(choice, hello.message_id)
            press["callback_query"]["message"] |= {"text": hello.text, "reply_markup": hello.reply_markup}
            telegram.add(press)
        await telegram.wait_for(2, 10)
        telegram.add(updates.text("A-10002"))
        await telegram.wait_for(3, 10)
        telegram.add(updates.text("10115"))
        *_, asked, _, found = await telegram.wait_for(4, 10)
        await until(lambda: bool(hello.edits))
    assert asked.text.startswith("What is your order number?")
    assert found.text.startswith("Order A-10002 left us")
    assert {"type": "bold", "offset": 6, "length": 7} in found.entities
    assert len(telegram.sent) == 4, "the second and third press said nothing"
    assert hello.text.endswith("✓ Where is my order?") and not labels(hello.edits[-1].reply_markup)
    assert len(telegram.answers) == 3


async def test_a_photo_is_kept_and_shown_to_the_model_and_a_voice_note_is_answered_honestly(
    tmp_path: Path,
) -> None:
    model = ScriptedModel(["A lamp with a crack."])
    async with on_telegram(tmp_path, model) as telegram:
        telegram.file("photo-1", PNG, "image/png", "lamp.png")
        telegram.file("voice-1", b"OggS" + bytes(40), "audio/ogg", "voice.ogg")
        telegram.add(updates.photo("photo-1", "What is this?"))
        await telegram.wait_for(1, 10)
        telegram.add(updates.voice("voice-1"))
        await telegram.wait_for(2, 10)
    seen, heard = telegram.texts()
    assert seen == "A lamp with a crack." and "cannot listen" in heard
    (request,) = model.requests
    assert list(request.pictures.values()) == [PNG]
    kept = [path for path in (tmp_path / "data" / "files").rglob("*") if path.is_file()]
    assert len(kept) == 2
    database = (tmp_path / "data" / "supportbot.db").read_bytes()
    assert telegram.token.encode() not in database, "no URL with the token is stored"


async def test_an_edit_before_the_answer_takes_the_place_of_what_was_written(tmp_path: Path) -> None:
    release = asyncio.Event()

    class Slow(ScriptedModel):
        async def complete(self, request: ModelRequest, **options: Any) -> Any:
            await release.wait()
            return await super().complete(request, seconds=10)

    model = Slow(lambda request: f"You said: {request.question}")
    async with on_telegram(tmp_path, model) as telegram:
        first = updates.text("Tell me a jkoe")
        telegram.add(first)
        await asyncio.sleep(0.3)
        changed = {**first["message"], "text": "Tell me a joke", "edit_date": first["message"]["date"] + 5}
        telegram.add({"edited_message": changed})
        await asyncio.sleep(0.3)
        release.set()
        await telegram.wait_for(1, 10)
        await asyncio.sleep(0.3)
    assert telegram.texts() == ["You said: Tell me a joke"]


async def test_in_a_group_an_order_is_told_to_its_customer_alone(tmp_path: Path) -> None:
    async with on_telegram(tmp_path) as telegram:
        telegram.chat(updates.GROUP, "supergroup", "Shop talk")
        telegram.chat(updates.ANNA, wrote=True)
        telegram.add(updates.mention(f"@{telegram.username} where is my order A-10002"))
        await telegram.wait_for(1, 10)
        reply = telegram.sent[0]
        telegram.add(updates.reply_in_group(reply.message_id, "10115"))
        await telegram.wait_for(2, 10)
        telegram.add(updates.text("and what did I ask in the group?"))
        await telegram.wait_for(3, 10)
    asked, found, apart = telegram.sent
    assert asked.chat_id == updates.GROUP
    assert (found.chat_id, found.text[:24]) == (updates.ANNA, "Order A-10002 left us on")
    assert apart.chat_id == updates.ANNA and "A-10002" not in apart.text, (
        "their own chat is a conversation of its own"
    )


async def test_what_was_taken_before_a_restart_is_answered_after_it_and_once(tmp_path: Path) -> None:
    async with FakeTelegram(limits=False) as telegram:
        hang = ScriptedModel([Line(("never",), delay=30)])
        async with _telegram_bot(tmp_path, telegram, hang) as bot:
            bot.drain_turns = 0.1
            update = telegram.add(updates.text("Tell me a joke"))
            assert await telegram.delivered(update, 10)
        assert telegram.texts() == []
        async with _telegram_bot(tmp_path, telegram, ScriptedModel(["Knock."], repeat=True)):
            await telegram.wait_for(1, 10)
            await asyncio.sleep(0.5)
        assert telegram.texts() == ["Knock."]


# --- Slack ---------------------------------------------------------------------------------------------------


async def say(slack: FakeSlack, count: int, payload: Mapping[str, Any], kind: Any = "events_api") -> None:
    """Brings it to the bot and waits until so many messages stand there."""
    await slack.push(payload, kind)
    await until(lambda: len(slack.posts) >= count)


async def test_a_customer_on_slack_presses_a_button_and_finds_the_order(tmp_path: Path) -> None:
    async with on_slack(tmp_path) as slack:
        await say(slack, 1, events.event_callback(events.message("hello")))
        hello = slack.posts[0]
        choice = next(one for block in hello.blocks for one in block.get("elements", ()) if "Where" in str(one))
        action = {**choice, "block_id": hello.blocks[-1]["block_id"], "action_ts": events.stamp()}
        for _ in range(2):
            shown = {"ts": hello.ts, "text": hello.text, "blocks": hello.blocks}
            await say(slack, 2, events.block_actions(action, shown), "interactive")
        for count, words in enumerate(("A-10002", "10115"), 3):
            await say(slack, count, events.event_callback(events.message(words)))
        await until(lambda: bool(hello.edits))
    asked, _, found = slack.posts[1:]
    assert asked.text.startswith("What is your order number?")
    assert "Order *A-10002* left us" in json.dumps(found.blocks)
    assert "✓ Where is my order?" in json.dumps(hello.blocks, ensure_ascii=False)


async def test_in_a_channel_an_order_is_told_to_its_customer_alone_in_the_thread(tmp_path: Path) -> None:
    find = ToolCall("call-1", "find_order", '{"order_number": "A-10002", "contact": "10115"}')
    answers: Any = itertools.chain([find, "It left us on Monday."], itertools.repeat("We sell lamps."))
    model = ScriptedModel(lambda request: next(answers))
    async with on_slack(tmp_path, model) as slack:
        slack.channels["C0SHOP"] = Channel("C0SHOP")
        mention = f"<@{slack.bot_user}> would you look into that?"
        await say(slack, 1, events.event_callback(events.app_mention(mention, channel="C0SHOP")))
        (private,) = slack.posts
        asked = f"<@{slack.bot_user}> what did she ask?"
        other = events.app_mention(asked, channel="C0SHOP", user="U0OTHER", thread_ts=private.thread_ts)
        await say(slack, 2, events.event_callback(other))
    assert (private.user, private.channel) == (events.CUSTOMER, "C0SHOP") and private.thread_ts
    assert slack.posts[1].user == "", "what is said to another is for all"
    last = " ".join(one.content for one in model.requests[-1].messages)
    assert "would you look into that?" in last and "left us on Monday" not in last and "DHL" not in last


async def test_a_reply_in_the_assistant_pane_is_streamed_and_stands_there_once(tmp_path: Path) -> None:
    words = tuple(f"word{number} " for number in range(12))

    class Writing(ScriptedModel):
        async def complete(self, request: ModelRequest, *, seconds: float, on_text: Any = None) -> Any:
            for word in words if on_text else ():
                await on_text(word)
                await asyncio.sleep(0.25)
            return await super().complete(request, seconds=seconds)

    async with on_slack(tmp_path, Writing(["".join(words).strip()])) as slack:
        await say(slack, 1, events.event_callback(events.message("Tell me", thread_ts=ROOT)))
        (post,) = slack.posts
        assert post.streaming
        await until(lambda: not post.streaming)
        assert [one.text for one in slack.statuses][:1], "a status was shown while it was at work"
    assert len(slack.posts) == 1 and post.shown == "".join(words).strip()
    assert len(post.pieces) >= 3


def naming(request: ModelRequest) -> str:
    """Names the numbers in what the customer wrote last."""
    newest = itertools.takewhile(lambda one: one.role == "user", reversed(request.messages))
    return "You asked " + " ".join(re.findall(r"no\d", " ".join(one.content for one in newest)))


@pytest.mark.parametrize("abrupt", [False, True])
async def test_a_socket_that_is_cut_off_loses_and_doubles_nothing(tmp_path: Path, abrupt: bool) -> None:
    async with on_slack(tmp_path, ScriptedModel(naming)) as slack:
        for number in range(6):
            await slack.push(events.event_callback(events.message(f"Tell me no{number}")))
            if number % 2:
                await slack.disconnect_all(abrupt=abrupt)
        await until(lambda: len(slack.acked) == 6, 30)
        await until(lambda: len(re.findall(r"no\d", " ".join(slack.texts()))) >= 6, 30)
        await asyncio.sleep(1)
    assert sorted(re.findall(r"no\d", " ".join(slack.texts()))) == [f"no{number}" for number in range(6)]
