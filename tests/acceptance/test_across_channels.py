"""A customer on Telegram, and an agent in a Slack thread or a helpdesk; the bot between them is killed again and again."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from processes import Place, place

from supportbot.testing.helpdesk import FakeChatwoot, FakeZendesk
from supportbot.testing.helpdesk.core import FakeHelpdesk
from supportbot.testing.slack import events
from supportbot.testing.slack.server import Channel, FakeSlack
from supportbot.testing.telegram import updates
from supportbot.testing.telegram.server import FakeTelegram

DESK, AGENT = "C0DESK", "U0AGENT"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)


@asynccontextmanager
async def between(folder: Path) -> AsyncIterator[tuple[Place, FakeTelegram, FakeSlack]]:
    async with FakeTelegram(limits=False) as telegram, FakeSlack(pace=0, tiers={}) as slack:
        slack.channels[DESK] = Channel(DESK)
        channels = {
            "telegram": {"type": "telegram", "burst_wait": "0s"},
            "slack": {"type": "slack", "mode": "socket"},
        }
        desks = {"front": {"channel": "slack", "place": DESK}}
        async with place(folder, channels=channels, desks=desks) as here:
            here.environment = {
                "TELEGRAM_BOT_TOKEN": telegram.token,
                "TELEGRAM_API_URL": telegram.url,
                "SLACK_BOT_TOKEN": slack.bot_token,
                "SLACK_APP_TOKEN": slack.app_token,
                "SLACK_API_URL": slack.url,
            }
            await start(here, slack)
            yield here, telegram, slack


async def start(here: Place, slack: FakeSlack) -> None:
    before = slack.connections
    await here.start()
    assert await slack.connected_within(10, before + 1)


async def killed(here: Place, slack: FakeSlack) -> None:
    """Outside of the window in which Telegram, which cannot be asked, may get a second copy."""
    await asyncio.sleep(0.4)
    await here.end(signal.SIGKILL)
    await start(here, slack)


async def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


def thread(slack: FakeSlack) -> list[str]:
    """What stands in the desk's channel, each message with its blocks and edits, in order."""
    return [
        json.dumps([post.text, post.blocks], ensure_ascii=False) for post in slack.posts if post.channel == DESK
    ]


def root(slack: FakeSlack) -> Any:
    return next(post for post in slack.posts if post.channel == DESK and not post.thread_ts)


async def write(slack: FakeSlack, text: str, **more: Any) -> None:
    """The agent writes in the handoff's thread."""
    where = {"thread_ts": root(slack).ts, "parent_user_id": events.BOT_USER}
    said = events.message(text, channel=DESK, user=AGENT, **where, **more)
    await slack.push(events.event_callback(said), "events_api")


async def press(slack: FakeSlack, label: str) -> None:
    post = root(slack)
    blocks = post.blocks
    element = next(one for block in blocks for one in block.get("elements", ()) if label in json.dumps(one))
    block = next(block for block in blocks if element in block.get("elements", ()))
    action = {**element, "block_id": block.get("block_id", ""), "action_ts": events.stamp()}
    shown = {"ts": post.ts, "text": post.text, "blocks": blocks}
    await slack.push(events.block_actions(action, shown, user=AGENT, channel=DESK), "interactive")


async def test_a_telegram_customer_is_served_from_a_slack_thread_whatever_is_killed(tmp_path: Path) -> None:
    async with between(tmp_path) as (here, telegram, slack):
        telegram.add(updates.text("My lamp A-10002 flickers. I want to talk to a human."))
        await telegram.wait_for(1, 20)
        assert "passed your conversation on" in telegram.texts()[0]
        await until(lambda: bool(thread(slack)))
        assert "A-10002" in " ".join(thread(slack))
        await killed(here, slack)
        await press(slack, "Claim")
        await until(lambda: "Release" in json.dumps(root(slack).blocks))
        await killed(here, slack)
        await write(slack, "Hello Anna, does it flicker *all the time*?")
        await telegram.wait_for(2, 20)
        assert telegram.texts()[1] == "Hello Anna, does it flicker all the time?"
        await asyncio.sleep(0.4)
        await here.end(signal.SIGKILL)
        telegram.add(updates.text("Only in the evening."))
        telegram.file("photo-1", PNG, "image/png", "lamp.png")
        telegram.add(updates.photo("photo-1", "Like this"))
        await start(here, slack)
        await until(lambda: any("Like this" in line for line in thread(slack)))
        told = " ".join(thread(slack))
        assert told.index("Only in the evening.") < told.index("Like this")
        await until(lambda: any(file.content == PNG for file in slack.files.values()))
        await write(slack, "// he is a VIP")
        await write(slack, "Please try another bulb.")
        await killed(here, slack)
        await telegram.wait_for(3, 20)
        await press(slack, "Resolve")
        await asyncio.sleep(1.0)
        await killed(here, slack)
        telegram.add(updates.text("hello"))
        await telegram.wait_for(4, 20)
        await asyncio.sleep(1.0)
        texts = telegram.texts()
    assert texts[1:3] == ["Hello Anna, does it flicker all the time?", "Please try another bulb."]
    assert len(texts) == 4 and not any("VIP" in text for text in texts)
    told = [line for line in thread(slack) if "(customer)" in line]
    assert [words for line in told for words in ("Only in the evening.", "Like this") if words in line] == [
        "Only in the evening.",
        "Like this",
    ]
    roots = [post for post in slack.posts if post.channel == DESK and not post.thread_ts]
    assert len(roots) == 2, "one for each handoff: nobody could answer the last hello"


@pytest.mark.parametrize("kind", [FakeChatwoot, FakeZendesk], ids=lambda kind: kind.preset)
async def test_a_telegram_customer_is_served_from_a_ticket_whatever_is_killed(
    tmp_path: Path, kind: type[FakeHelpdesk]
) -> None:
    async with FakeTelegram(limits=False) as telegram, kind() as desk:
        channels = {
            "telegram": {"type": "telegram", "burst_wait": "0s"},
            "help": {"type": "helpdesk", **desk.options},
        }
        desks = {"tickets": {"channel": "help"}}
        async with place(tmp_path, channels=channels, desks=desks) as here:
            here.environment = {"TELEGRAM_BOT_TOKEN": telegram.token, "TELEGRAM_API_URL": telegram.url}

            async def again() -> None:
                await asyncio.sleep(0.4)
                await here.end(signal.SIGKILL)
                await here.start()
                desk.hook = f"{here.url}/webhook/help"

            await here.start()
            desk.hook = f"{here.url}/webhook/help"
            telegram.add(updates.text("My lamp A-10002 flickers. I want to talk to a human."))
            await until(lambda: bool(desk.tickets))
            (ticket,) = desk.tickets
            await until(lambda: any("flickers" in text for text in desk.texts(ticket, public=False)))
            await again()
            await desk.agent_takes(ticket)
            await desk.agent_replies(ticket, "Hello Anna, does it flicker all the time?")
            await telegram.wait_for(2, 20)
            await again()
            await desk.agent_notes(ticket, "he is a VIP")
            await asyncio.sleep(0.4)
            await here.end(signal.SIGKILL)
            telegram.add(updates.text("Only in the evening."))
            await again()
            await until(lambda: any("Only in the evening" in text for text in desk.texts(ticket, public=False)))
            await desk.agent_replies(ticket, "Please try another bulb.")
            await again()
            await telegram.wait_for(3, 20)
            await desk.agent_solves(ticket)
            await desk.settle()
            await again()
            telegram.add(updates.text("hello"))
            await telegram.wait_for(4, 20)
            await asyncio.sleep(1.0)
            texts = telegram.texts()
    assert texts[1:3] == ["Hello Anna, does it flicker all the time?", "Please try another bulb."]
    assert len(texts) == 4 and not any("VIP" in text for text in texts)
    told = [text for text in desk.texts(ticket, public=False) if "Only in the evening" in text]
    assert len(told) == 1 and len(desk.tickets) == 2, (
        "the last hello, which nobody could answer, is another ticket"
    )
