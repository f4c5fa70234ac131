"""Getting what a customer sent."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from supportbot.errors import ChannelBusy, ChannelRefused
from supportbot.testing.telegram import updates
from supportbot.testing.telegram.server import BAD_GATEWAY, HANG, RESET, Fault
from supportbot.types import Attachment

from .conftest import Shop, opened

CONTENT = bytes(range(256)) * 4_000
INVOICE = Attachment("invoice.pdf", "application/pdf", len(CONTENT), ref="doc-1")
LIMIT = 10_000_000


@pytest.fixture
async def shop(polling: Shop) -> Shop:
    polling.fake.file("doc-1", CONTENT, "application/pdf", "the invoice.pdf")
    return polling


async def test_a_file_that_came_can_be_fetched(shop: Shop) -> None:
    assert await shop.fake.delivered(shop.fake.add(updates.document("doc-1")))
    (attachment,) = shop.inbox.messages[0].attachments
    assert await shop.adapter.fetch(attachment, limit=LIMIT) == CONTENT


@pytest.mark.parametrize("size", [len(CONTENT), -1, 10])
async def test_more_than_the_limit_is_never_read(shop: Shop, size: int) -> None:
    with pytest.raises(ChannelRefused, match=r"invoice\.pdf is larger than 100,000 bytes"):
        await shop.adapter.fetch(replace(INVOICE, size=size), limit=100_000)


@pytest.mark.parametrize("size", [-1, 30_000_000])
async def test_more_than_telegram_hands_over_is_refused_in_words(shop: Shop, size: int) -> None:
    shop.fake.file("big", size=30_000_000)
    with pytest.raises(ChannelRefused, match="larger than the 20 MB that Telegram hands to bots"):
        await shop.adapter.fetch(Attachment("film.mp4", size=size, ref="big"), limit=100_000_000)


@pytest.mark.parametrize("ref", ["", "gone"])
async def test_what_is_gone_is_refused(shop: Shop, ref: str) -> None:
    with pytest.raises(ChannelRefused):
        await shop.adapter.fetch(replace(INVOICE, ref=ref), limit=LIMIT)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (BAD_GATEWAY, ChannelBusy),
        (RESET, ChannelBusy),
        (Fault("rate limit"), ChannelBusy),
        (Fault("error", 404, "Not Found"), ChannelRefused),
    ],
)
async def test_a_failing_download_says_how_and_shows_no_token(
    shop: Shop, fault: Fault, expected: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    shop.fake.always("file", fault)
    with pytest.raises(expected) as raised:
        await shop.adapter.fetch(INVOICE, limit=LIMIT)
    assert type(raised.value) is expected
    assert shop.fake.token not in f"{raised.value}{raised.value.__cause__}{caplog.text}"


async def test_a_download_that_hangs_ends(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.fake.always("file", HANG)
    monkeypatch.setattr(shop.adapter._open().api.files, "timeout", 0.2)
    with pytest.raises(ChannelBusy):
        await shop.adapter.fetch(INVOICE, limit=LIMIT)


async def test_a_busy_getfile_is_busy(shop: Shop) -> None:
    shop.fake.always("getFile", Fault("rate limit", retry_after=4))
    with pytest.raises(ChannelBusy) as raised:
        await shop.adapter.fetch(INVOICE, limit=LIMIT)
    assert raised.value.retry_after == 4


async def test_no_redirect_is_followed_with_the_token() -> None:
    async with opened({}, fake={"file_redirect": "http://127.0.0.1:9/elsewhere"}) as shop:
        shop.fake.file("doc-1", CONTENT)
        with pytest.raises(ChannelRefused, match="302"):
            await shop.adapter.fetch(INVOICE, limit=LIMIT)


async def test_a_file_on_the_api_servers_own_disk_is_explained(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def call(method: str, fields: object, **more: object) -> object:
        return {"file_path": "/var/lib/telegram/documents/file_1.pdf"}

    monkeypatch.setattr(shop.adapter._open().api, "call", call)
    with pytest.raises(ChannelRefused, match="--local"):
        await shop.adapter.fetch(INVOICE, limit=LIMIT)
