"""Long polling against the stand-in for Telegram: the offset follows the store, whatever happens."""

from __future__ import annotations

import asyncio
import logging

import pytest
from telegram.error import InvalidToken

from supportbot.errors import StoreFull, UsageError
from supportbot.testing.adapter_contract import context
from supportbot.testing.fake_inbox import FakeInbox
from supportbot.testing.telegram import updates
from supportbot.testing.telegram.queue import Webhook
from supportbot.testing.telegram.server import BAD_GATEWAY, RESET, FakeTelegram, Fault
from supportbot_telegram import TelegramAdapter
from supportbot_telegram.api import Flooded
from supportbot_telegram.inbound import ALLOWED_UPDATES
from supportbot_telegram.tasks import Backoff

from .conftest import Shop, opened, options


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Failures are tried again at once."""
    monkeypatch.setattr("supportbot_telegram.tasks._FIRST_WAIT", 0.01)
    monkeypatch.setattr("supportbot_telegram.tasks._LONGEST_WAIT", 0.05)


async def test_updates_are_taken_in_order_and_confirmed(polling: Shop) -> None:
    numbers = [polling.fake.add(updates.text(f"message {at}")) for at in range(250)]
    assert all([await polling.fake.delivered(number) for number in numbers])
    assert [message.text for message in polling.inbox.messages] == [f"message {at}" for at in range(250)]
    first = polling.called("getUpdates")[0]
    assert first["allowed_updates"] == list(ALLOWED_UPDATES) and first["timeout"] in (25, "25")


async def test_a_webhook_is_removed_and_what_waits_is_kept() -> None:
    async with FakeTelegram() as fake:
        await fake._queue.set_webhook(Webhook("http://127.0.0.1:9/gone"))
        waiting = fake.add(updates.text("before you came"))
        adapter, inbox = TelegramAdapter("shop", options(fake)), FakeInbox()
        await adapter.start(context(inbox))
        assert await fake.delivered(waiting)
        await adapter.stop()
        assert [message.text for message in inbox.messages] == ["before you came"]
        removed = next(call.params for call in fake.calls if call.method == "deleteWebhook")
        assert removed["drop_pending_updates"] in (False, "false")


async def test_nothing_is_confirmed_before_it_is_stored(polling: Shop) -> None:
    polling.inbox.hold()
    number = polling.fake.add(updates.text("slowly"))
    await polling.inbox.arrived.wait()
    assert not await polling.fake.delivered(number, 0.2)
    polling.inbox.release()
    assert await polling.fake.delivered(number)


async def test_the_offset_stays_before_the_first_update_that_cannot_be_stored(polling: Shop) -> None:
    polling.inbox.error = StoreFull("the disk is full")
    numbers = [polling.fake.add(updates.text(f"message {at}")) for at in range(3)]
    await polling.until(lambda: polling.logged("telegram.not_stored"))
    assert polling.fake.pending == numbers
    polling.inbox.error = None
    assert await polling.fake.delivered(numbers[-1])
    assert [message.text for message in polling.inbox.messages] == ["message 0", "message 1", "message 2"]


async def test_one_update_that_cannot_be_read_does_not_lose_the_batch(polling: Shop) -> None:
    polling.inbox.hold()
    first = polling.fake.add(updates.text("first"))
    await polling.inbox.arrived.wait()
    strange = polling.fake.add(updates.unparsable())
    last = polling.fake.add(updates.text("last"))
    polling.inbox.release()
    assert await polling.fake.delivered(last)
    assert [message.text for message in polling.inbox.messages] == ["first", "last"]
    assert [id for id, _, _ in polling.inbox.aside] == [f"update.{strange}"]
    assert first < strange


async def test_a_second_process_is_explained_and_outlived(polling: Shop) -> None:
    other = Fault("error", 409, "Conflict: terminated by other getUpdates request")
    polling.fake.next("getUpdates", other, other)
    number = polling.fake.add(updates.text("still here"))
    later = polling.fake.add(updates.text("and here"))
    assert await polling.fake.delivered(number) and await polling.fake.delivered(later)
    said = polling.logged("telegram.polling_failed")[0]["error"]
    assert said.startswith("Another process polls with this token, or a webhook is set")


@pytest.mark.parametrize("fault", [BAD_GATEWAY, RESET, Fault(), Fault("rate limit", retry_after=0)])
async def test_a_bad_line_costs_nothing_but_time(polling: Shop, fault: Fault) -> None:
    polling.fake.next("getUpdates", fault, fault)
    number = polling.fake.add(updates.text("through the storm"))
    last = polling.fake.add(updates.text("and out"))
    assert await polling.fake.delivered(number) and await polling.fake.delivered(last)
    assert [message.text for message in polling.inbox.messages] == ["through the storm", "and out"]


def test_the_wait_after_failures_grows_to_half_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("supportbot_telegram.tasks._FIRST_WAIT", 1.0)
    monkeypatch.setattr("supportbot_telegram.tasks._LONGEST_WAIT", 30.0)
    backoff = Backoff()
    assert [backoff.seconds() for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    backoff.reset()
    assert [backoff.seconds(), backoff.seconds(Flooded(17)), backoff.seconds(InvalidToken())] == [1, 17, 30]


async def test_a_repeat_after_a_restart_is_recognised() -> None:
    async with opened({}) as shop:
        update = {**updates.text("once"), "update_id": 5}
        assert await shop.fake.delivered(shop.fake.add(update))
        await shop.until(lambda: shop.inbox.messages)
        shop.fake._queue.pending[6] = {**update, "update_id": 6}
        shop.fake._queue.bell.ring()
        await shop.until(lambda: ("repeated", shop.inbox.messages[0].id) in shop.inbox.log)
        assert len(shop.inbox.messages) == 1


# --- the start and the end -----------------------------------------------------------------------------------


async def test_a_token_that_telegram_does_not_know_stops_the_start() -> None:
    async with FakeTelegram() as fake:
        adapter = TelegramAdapter("shop", {"bot_token": "123456:unknown-token", "api_url": fake.url})
        with pytest.raises(UsageError, match="bot_token is not accepted") as raised:
            await adapter.start(context(FakeInbox()))
        assert "unknown-token" not in str(raised.value)
        await adapter.stop()


async def test_a_telegram_that_is_down_does_not_keep_the_bot_from_starting() -> None:
    log: list[tuple[str, dict[str, object]]] = []
    async with FakeTelegram() as fake:
        fake.next("getMe", BAD_GATEWAY, RESET)
        adapter, inbox = TelegramAdapter("shop", options(fake)), FakeInbox()
        async with asyncio.timeout(5):
            await adapter.start(context(inbox, log=lambda event, **details: log.append((event, details))))
        number = fake.add(updates.text("hello"))
        assert await fake.delivered(number)
        await adapter.stop()
    assert [event for event, _ in log] == ["telegram.unreachable", "telegram.not_started", "telegram.ready"]


async def test_a_channel_can_be_stopped_while_telegram_is_away() -> None:
    adapter = TelegramAdapter("shop", {"bot_token": "123456:abcdef", "api_url": "http://127.0.0.1:9"})
    await adapter.start(context(FakeInbox()))
    await adapter.stop()
    await adapter.stop()


async def test_stop_ends_the_long_poll_and_every_task(polling: Shop) -> None:
    before = {task for task in asyncio.all_tasks() if task.get_name().startswith("shop:")}
    assert before
    async with asyncio.timeout(2):
        await polling.adapter.stop()
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("shop:")]


async def test_no_log_line_shows_the_token(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with opened({}) as shop:
        shop.fake.next("getUpdates", BAD_GATEWAY, RESET, Fault("error", 401, "Unauthorized"))
        last = [shop.fake.add(updates.text(f"{at}")) for at in range(3)][-1]
        assert await shop.fake.delivered(last)
    written = caplog.text + str(shop.log)
    assert shop.fake.token not in written and shop.fake.token.partition(":")[2] not in written
