"""The webhook over real HTTP: set at the start, and what it answers."""

from __future__ import annotations

import json

import pytest

from supportbot.errors import StoreBusy, StoreFull
from supportbot.testing.adapter_contract import context
from supportbot.testing.telegram import updates
from supportbot.testing.telegram.server import Fault
from supportbot_telegram.inbound import ALLOWED_UPDATES

from .conftest import SECRET, Shop, opened, payload

WEBHOOK = {"mode": "webhook", "webhook_secret": SECRET}


async def test_the_webhook_is_set_with_its_secret_and_keeps_what_waits(webhook: Shop) -> None:
    (call,) = webhook.called("setWebhook")
    assert call["url"].endswith("/telegram/shop/webhook")
    assert call["secret_token"] == SECRET
    assert call["allowed_updates"] == list(ALLOWED_UPDATES)
    assert call["drop_pending_updates"] in (False, "false")
    assert not webhook.called("getUpdates")


async def test_updates_that_came_before_the_start_are_delivered() -> None:
    async with opened(WEBHOOK) as shop:
        waiting = shop.fake.add(updates.text("Is anybody there?"))
        assert await shop.fake.delivered(waiting)
        assert [message.text for message in shop.inbox.messages] == ["Is anybody there?"]


@pytest.mark.parametrize("error", [StoreFull("the disk is full"), StoreBusy("another process owns it")])
async def test_what_cannot_be_stored_is_brought_again(webhook: Shop, error: StoreFull | StoreBusy) -> None:
    webhook.inbox.error = error
    number = webhook.fake.add(updates.text("Please keep this"))
    await webhook.until(lambda: len(webhook.fake.deliveries) >= 2)
    assert {delivery.status for delivery in webhook.fake.deliveries} == {503}
    webhook.inbox.error = None
    assert await webhook.fake.delivered(number)
    assert [message.text for message in webhook.inbox.messages] == ["Please keep this"]


async def test_an_update_that_cannot_be_read_holds_up_nothing(webhook: Shop) -> None:
    strange, plain = webhook.fake.add(updates.unparsable()), webhook.fake.add(updates.text("Hello"))
    assert await webhook.fake.delivered(strange) and await webhook.fake.delivered(plain)
    ((id, content, reason),) = webhook.inbox.aside
    assert id == f"update.{strange}" and "Look at this" in content and "could not be read" in reason
    assert [message.text for message in webhook.inbox.messages] == ["Hello"]


async def test_what_is_set_aside_is_at_most_64_kilobytes(webhook: Shop) -> None:
    update = updates.unparsable("long " * 50_000)
    assert await webhook.fake.delivered(webhook.fake.add(update))
    assert len(webhook.inbox.aside[0][1].encode()) <= 64_000


@pytest.mark.parametrize("secret", [None, "", "wrong", SECRET + " x"])
async def test_only_who_knows_the_secret_is_let_in(webhook: Shop, secret: str | None) -> None:
    body = json.dumps(payload("text")).encode()
    headers = {} if secret is None else {"x-telegram-bot-api-secret-token": secret}
    assert await webhook.post(body, headers) == 401
    assert await webhook.post(b"not json", headers) == 401
    assert webhook.inbox.log == []
    assert await webhook.post(body) == 200


async def test_a_group_waits_until_the_bot_knows_its_name() -> None:
    async with opened(WEBHOOK) as shop:
        intake = shop.adapter._intake()
        assert intake is not None
        me = intake.me
        intake.me = type(me)(me.id)
        assert await shop.post(json.dumps(payload("group_mention")).encode()) == 503
        assert await shop.post(json.dumps(payload("text")).encode()) == 200
        intake.me = type(me)(me.id, "nordlicht_bot")
        assert await shop.post(json.dumps(payload("group_mention")).encode()) == 200
    assert len(shop.inbox.messages) == 2


async def test_the_webhook_is_set_as_soon_as_telegram_can_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("supportbot_telegram.tasks._FIRST_WAIT", 0.01)
    async with opened(WEBHOOK) as shop:
        await shop.until(lambda: shop.logged("telegram.ready"))
        await shop.adapter.stop()
        shop.fake.next("setWebhook", Fault(), Fault("rate limit", retry_after=1), None)
        await shop.adapter.start(context(shop.inbox, log=shop.note, public_url=shop.url))
        await shop.until(lambda: len(shop.logged("telegram.ready")) == 2)
        said = [details["error"] for details in shop.logged("telegram.not_started")]
        assert said == [
            "Telegram answers with an error of its own at the moment.",
            "Telegram asks to wait 1 seconds.",
        ]
