"""Polls, webhooks and update builders of the stand-in for Telegram, by the real python-telegram-bot."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from telegram import Bot, Message, Update
from telegram.error import Conflict
from telegramming import bot_for, refusal

from supportbot.testing.telegram import updates
from supportbot.testing.telegram.server import SECRET_HEADER, FakeTelegram

ANNA, GROUP = updates.ANNA, updates.GROUP


@pytest.fixture
async def fake() -> AsyncIterator[FakeTelegram]:
    async with FakeTelegram(limits=False) as fake:
        fake.chat(ANNA, title="Anna")
        fake.chat(GROUP, "supergroup", "Shop talk")
        yield fake


@pytest.fixture
async def bot(fake: FakeTelegram) -> AsyncIterator[Bot]:
    async with bot_for(fake) as bot:
        yield bot


# Updates by polling


async def test_an_offset_confirms_and_unconfirmed_updates_come_again(fake: FakeTelegram, bot: Bot) -> None:
    first, second, third = (fake.add(updates.text(str(number))) for number in range(3))
    assert first < second < third
    assert [one.update_id for one in await bot.get_updates(limit=2)] == [first, second]
    assert [one.update_id for one in await bot.get_updates()] == [first, second, third]
    assert not await fake.delivered(first, 0.01)
    assert [one.update_id for one in await bot.get_updates(offset=third)] == [third]
    assert await fake.delivered(second, 0.1)
    assert [one.update_id for one in await bot.get_updates(offset=-1)] == [third]
    assert fake.pending == [third]


async def test_a_negative_offset_forgets_what_came_before(fake: FakeTelegram, bot: Bot) -> None:
    ids = [fake.add(updates.text(str(number))) for number in range(4)]
    assert [one.update_id for one in await bot.get_updates(offset=-2)] == ids[2:]
    assert [one.update_id for one in await bot.get_updates()] == ids[2:]
    assert not await fake.delivered(ids[0], 0.01)


async def test_a_long_poll_waits_for_the_next_update_and_no_longer(fake: FakeTelegram, bot: Bot) -> None:
    began = time.monotonic()
    assert await bot.get_updates(timeout=1) == ()
    assert 0.9 < time.monotonic() - began < 3
    polling = asyncio.create_task(bot.get_updates(timeout=20))
    await asyncio.sleep(0.1)
    update_id = fake.add(updates.text())
    assert [one.update_id for one in await asyncio.wait_for(polling, 3)] == [update_id]


async def test_the_second_of_two_pollers_ends_the_first_with_a_conflict(fake: FakeTelegram, bot: Bot) -> None:
    first = asyncio.create_task(bot.get_updates(timeout=20))
    await asyncio.sleep(0.1)
    second = asyncio.create_task(bot.get_updates(timeout=20))
    said = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
    assert await refusal(asyncio.wait_for(first, 3), Conflict) == said
    fake.add(updates.text())
    assert len(await asyncio.wait_for(second, 3)) == 1


async def test_allowed_updates_are_remembered_until_they_change(fake: FakeTelegram, bot: Bot) -> None:
    fake.add(updates.reaction())
    assert await bot.get_updates() == ()
    await bot.get_updates(allowed_updates=["message_reaction"])
    await bot.get_updates()
    fake.add(updates.reaction())
    fake.add(updates.text())
    (update,) = await bot.get_updates()
    assert update.message_reaction is not None
    assert (await bot.get_webhook_info()).allowed_updates == ("message_reaction",)


async def test_an_update_keeps_an_id_it_brings_so_that_it_can_come_twice(fake: FakeTelegram, bot: Bot) -> None:
    update = {"update_id": 5, **updates.text()}
    assert fake.add(update) == 5
    await bot.get_updates(offset=6)
    assert fake.add(update) == 5
    assert [one.update_id for one in await bot.get_updates()] == [5]


# Updates by webhook


class Hook:
    """A webhook that answers as it is told, 200 otherwise."""

    def __init__(self) -> None:
        self.url = ""
        self.answers: list[int] = []
        self.seen: list[int] = []
        self.secrets: set[str | None] = set()
        self.gates: dict[int, asyncio.Event] = {}
        self.open = self.most_open = 0

    async def handle(self, request: web.Request) -> web.Response:
        update = await request.json()
        self.seen.append(update["update_id"])
        self.secrets.add(request.headers.get(SECRET_HEADER))
        self.open += 1
        self.most_open = max(self.open, self.most_open)
        gate = self.gates.get(update["update_id"])
        if gate is not None:
            await gate.wait()
        await asyncio.sleep(0.01)
        self.open -= 1
        return web.Response(status=self.answers.pop(0) if self.answers else 200)


@asynccontextmanager
async def hooked() -> AsyncIterator[Hook]:
    hook = Hook()
    app = web.Application()
    app.router.add_post("/hook", hook.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    hook.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        yield hook
    finally:
        await runner.cleanup()


async def test_the_webhook_gets_updates_in_order_and_a_refused_one_again_before_the_next(
    fake: FakeTelegram, bot: Bot
) -> None:
    async with hooked() as hook:
        waiting = fake.add(updates.text("waits for the webhook"))
        hook.answers = [200, 500, 302]
        await bot.set_webhook(hook.url, secret_token="a-Secret_1")
        second = fake.add(updates.text())
        third = fake.add(updates.text(chat=updates.private(updates.BEN)))
        assert await fake.delivered(third)
        await bot.delete_webhook()
    assert hook.seen == [waiting, second, second, second, third]
    assert [one.status for one in fake.deliveries] == [200, 500, 302, 200, 200]
    assert hook.secrets == {"a-Secret_1"}
    assert hook.most_open == 1


async def test_the_webhooks_trouble_shows_in_its_info(fake: FakeTelegram, bot: Bot) -> None:
    async with hooked() as hook:
        hook.answers = [503] * 1000
        await bot.set_webhook(hook.url, secret_token="s")
        assert fake.webhook_headers()[SECRET_HEADER] == "s"
        update_id = fake.add(updates.text())
        assert not await fake.delivered(update_id, 0.2)
        info = await bot.get_webhook_info()
        assert (info.url, info.pending_update_count) == (hook.url, 1)
        assert info.last_error_message == "Wrong response from the webhook: 503 Service Unavailable"
        fake.drop(update_id)
        hook.answers = []
        assert await fake.delivered(fake.add(updates.text()))
        await bot.delete_webhook()


async def test_more_connections_bring_chats_side_by_side_but_each_chat_in_order(
    fake: FakeTelegram, bot: Bot
) -> None:
    async with hooked() as hook:
        await bot.set_webhook(hook.url, max_connections=4)
        slow = fake.add(updates.text(chat=updates.private(1)))
        hook.gates[slow] = asyncio.Event()
        after = fake.add(updates.text(chat=updates.private(1)))
        other = fake.add(updates.text(chat=updates.private(2)))
        assert await fake.delivered(other)
        assert after not in hook.seen
        hook.gates[slow].set()
        assert await fake.delivered(after)
        await bot.delete_webhook()
    assert hook.most_open == 2


async def test_polling_and_a_webhook_exclude_each_other(fake: FakeTelegram, bot: Bot) -> None:
    polling = asyncio.create_task(bot.get_updates(timeout=20))
    await asyncio.sleep(0.1)
    await bot.set_webhook("http://127.0.0.1:1/hook")
    assert "terminated by setWebhook" in await refusal(asyncio.wait_for(polling, 3), Conflict)
    said = "Conflict: can't use getUpdates method while webhook is active"
    assert (await refusal(bot.get_updates(), Conflict)).startswith(said)
    fake.add(updates.text())
    await bot.delete_webhook(drop_pending_updates=True)
    assert await bot.get_updates() == ()


async def test_a_webhook_needs_https_and_a_proper_secret(bot: Bot) -> None:
    plain = await refusal(bot.set_webhook("http://example.org/hook"))
    assert plain == "Bad webhook: an https url must be provided for webhook"
    odd = await refusal(bot.set_webhook("https://example.org/hook", secret_token="a b"))
    assert odd == "Secret token contains unallowed characters"
    long = await refusal(bot.set_webhook("https://example.org/hook", secret_token="a" * 257))
    assert long == "Secret token is too long"


# The builders


@pytest.mark.parametrize("name", sorted(set(updates.every()) - {"unparsable"}))
def test_the_library_reads_every_update(name: str) -> None:
    update = Update.de_json({"update_id": 1, **updates.every()[name]})
    (kind,) = updates.every()[name]
    assert (kind in update.api_kwargs) == (name == "future")
    assert not any(unknown for unknown in _unknown(update))


def _unknown(update: Update) -> list[str]:
    """Fields of the update's message that the library does not know: a typo in a builder."""
    message = update.effective_message
    return list(message.api_kwargs) if isinstance(message, Message) else []


def test_the_library_raises_on_the_one_update_that_is_made_for_it() -> None:
    with pytest.raises(TypeError, match="sender_user"):
        Update.de_json({"update_id": 1, **updates.unparsable()})


def test_builders_give_fresh_ids_and_entities_in_utf_16() -> None:
    assert updates.text()["message"]["message_id"] != updates.text()["message"]["message_id"]
    assert updates.mention("😀 @support_bot hi")["message"]["entities"] == [
        {"type": "mention", "offset": 3, "length": 12}
    ]
