"""The stand-in for Telegram, by the real python-telegram-bot and, where that is too polite, by plain HTTP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from telegram import Bot, Message
from telegram.error import ChatMigrated, Forbidden, InvalidToken, NetworkError, RetryAfter, TimedOut
from telegramming import bot_for, refusal

from supportbot.testing.telegram import updates
from supportbot.testing.telegram.server import (
    BAD_GATEWAY,
    HANG,
    HANG_AFTER_ACCEPTING,
    RESET,
    RESET_AFTER_ACCEPTING,
    FakeTelegram,
    Fault,
)

ANNA, GROUP = updates.ANNA, updates.GROUP


@pytest.fixture(autouse=True)
def new_retry_after(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library warns at each `RetryAfter` unless it may say its seconds as a timedelta."""
    monkeypatch.setenv("PTB_TIMEDELTA", "true")


@pytest.fixture
async def fake() -> AsyncIterator[FakeTelegram]:
    async with FakeTelegram(limits=False) as fake:
        fake.chat(ANNA, title="Anna")
        fake.chat(GROUP, "supergroup", "Shop talk")
        yield fake


@pytest.fixture
async def paced() -> AsyncIterator[FakeTelegram]:
    async with FakeTelegram() as fake:
        fake.chat(ANNA, title="Anna")
        fake.chat(GROUP, "supergroup", "Shop talk")
        yield fake


@pytest.fixture
async def bot(fake: FakeTelegram) -> AsyncIterator[Bot]:
    async with bot_for(fake) as bot:
        yield bot


# Who and where


async def test_the_bot_knows_its_name_and_a_wrong_token_is_unauthorized(fake: FakeTelegram, bot: Bot) -> None:
    me = await bot.get_me()
    assert (me.id, me.username, me.is_bot) == (fake.id, fake.username, True)
    wrong = bot_for(fake, "1:wrong")
    await wrong._request[1].initialize()
    assert await refusal(wrong.get_me(), InvalidToken) == "Unauthorized"
    await wrong._request[1].shutdown()


async def test_an_unknown_method_is_not_found(fake: FakeTelegram) -> None:
    async with httpx.AsyncClient() as client:
        answer = await client.post(f"{fake.url}/bot{fake.token}/sendRocket")
    assert answer.status_code == 404
    assert answer.json()["ok"] is False


async def test_a_method_takes_json_queries_and_any_case(fake: FakeTelegram) -> None:
    async with httpx.AsyncClient() as client:
        base = f"{fake.url}/bot{fake.token}/sendmessage"
        await client.get(base, params={"chat_id": ANNA, "text": "query"})
        await client.post(base, json={"chat_id": ANNA, "text": "json"})
    assert fake.texts() == ["query", "json"]
    assert [call.method for call in fake.calls] == ["sendMessage"] * 2


async def test_chats_the_bot_may_not_write_to_refuse_in_the_words_of_telegram(
    fake: FakeTelegram, bot: Bot
) -> None:
    fake.chat(5, wrote=False)
    fake.chat(-7, "group")
    assert await refusal(bot.send_message(404, "x")) == "Chat not found"
    never = "Forbidden: bot can't initiate conversation with a user"
    assert await refusal(bot.send_message(5, "x"), Forbidden) == never
    fake.block(ANNA)
    fake.block(GROUP)
    blocked = "Forbidden: bot was blocked by the user"
    assert await refusal(bot.send_message(ANNA, "x"), Forbidden) == blocked
    kicked = "Forbidden: bot was kicked from the supergroup chat"
    assert await refusal(bot.send_chat_action(GROUP, "typing"), Forbidden) == kicked
    fake.migrate(-7, -1007)
    with pytest.raises(ChatMigrated) as caught:
        await bot.send_message(-7, "x")
    assert caught.value.new_chat_id == -1007
    assert fake.sent == []


async def test_the_fake_learns_from_updates_who_wrote_who_blocked_and_what_migrated(
    fake: FakeTelegram, bot: Bot
) -> None:
    fake.add(updates.text(chat=updates.private(90), sender=updates.user(90)))
    await bot.send_message(90, "hello")
    fake.add(updates.blocked(90))
    await refusal(bot.send_message(90, "x"), Forbidden)
    fake.add(updates.unblocked(90))
    await bot.send_message(90, "again")
    fake.add(updates.bot_removed())
    assert "kicked" in await refusal(bot.send_message(GROUP, "x"), Forbidden)
    fake.add(updates.bot_added())
    await bot.send_message(GROUP, "back")
    fake.add(updates.migrated_to(updates.SMALL_GROUP, GROUP))
    with pytest.raises(ChatMigrated):
        await bot.send_message(updates.SMALL_GROUP, "x")
    assert fake.texts(90) == ["hello", "again"]


async def test_a_topic_must_exist_and_is_kept_in_the_ledger(fake: FakeTelegram, bot: Bot) -> None:
    fake.chat(-1005, "supergroup", "Forum", is_forum=True)
    assert await refusal(bot.send_message(-1005, "x", message_thread_id=3)) == "Message thread not found"
    fake.add(updates.topic(thread=3, chat=updates.group(-1005, is_forum=True)))
    message = await bot.send_message(-1005, "in it", message_thread_id=3)
    assert (message.message_thread_id, fake.sent[0].thread) == (3, 3)
    await bot.send_message(GROUP, "no topics here", message_thread_id=3)
    assert fake.sent[1].thread is None


# Rates


async def test_one_message_a_second_passes_with_jitter_and_two_a_second_do_not(paced: FakeTelegram) -> None:
    async with bot_for(paced) as bot:
        began = time.monotonic()
        for at in (0.05, 0.98, 2.0):
            await asyncio.sleep(began + at - time.monotonic())
            await bot.send_message(ANNA, "paced")
        assert paced.rate_limited == 0
        await asyncio.sleep(0.5)
        with pytest.raises(RetryAfter) as caught:
            await bot.send_message(ANNA, "too early")
        assert caught.value.retry_after == timedelta(seconds=1)
    assert (len(paced.sent), paced.rate_limited) == (3, 1)


async def test_a_group_takes_twenty_messages_a_minute(paced: FakeTelegram) -> None:
    async with bot_for(paced) as bot:
        for number in range(20):
            await bot.send_message(GROUP, str(number))
        with pytest.raises(RetryAfter) as caught:
            await bot.send_message(GROUP, "one too many")
    assert isinstance(caught.value.retry_after, timedelta)
    assert timedelta(seconds=50) < caught.value.retry_after <= timedelta(seconds=60)
    assert len(paced.texts(GROUP)) == 20


async def test_thirty_messages_a_second_go_out_in_all(paced: FakeTelegram) -> None:
    for person in range(1, 41):
        paced.chat(person)
    async with bot_for(paced) as bot:
        sends = (bot.send_message(person, "x") for person in range(1, 41))
        outcomes = await asyncio.gather(*sends, return_exceptions=True)
    refused = [one for one in outcomes if isinstance(one, RetryAfter)]
    assert len(paced.sent) == len([one for one in outcomes if isinstance(one, Message)])
    assert 0 < len(refused) == paced.rate_limited <= 10


async def test_the_answer_to_a_flood_says_when_to_come_back(paced: FakeTelegram) -> None:
    async with httpx.AsyncClient() as client:
        for _ in range(2):
            answer = await client.post(
                f"{paced.url}/bot{paced.token}/sendMessage", json={"chat_id": ANNA, "text": "x"}
            )
    assert answer.status_code == 429
    assert answer.json() == {
        "ok": False,
        "error_code": 429,
        "description": "Too Many Requests: retry after 1",
        "parameters": {"retry_after": 1},
    }


# Faults


async def test_faults_come_as_ordered_and_a_reset_after_accepting_leaves_its_message(
    fake: FakeTelegram, bot: Bot
) -> None:
    fake.next("sendMessage", Fault("rate limit", retry_after=3), BAD_GATEWAY, RESET, RESET_AFTER_ACCEPTING)
    with pytest.raises(RetryAfter) as caught:
        await bot.send_message(ANNA, "1")
    assert caught.value.retry_after == timedelta(seconds=3)
    assert "Bad Gateway (502)" in await refusal(bot.send_message(ANNA, "2"), NetworkError)
    assert "httpx." in await refusal(bot.send_message(ANNA, "3"), NetworkError)
    assert fake.sent == []
    assert "httpx." in await refusal(bot.send_message(ANNA, "4"), NetworkError)
    await bot.send_message(ANNA, "5")
    assert fake.texts() == ["4", "5"]


async def test_a_lasting_fault_ends_and_spares_other_methods(fake: FakeTelegram, bot: Bot) -> None:
    fake.always("sendMessage", Fault(error_code=403, description="Forbidden: user is deactivated"))
    for _ in range(2):
        assert await refusal(bot.send_message(ANNA, "x"), Forbidden) == "Forbidden: user is deactivated"
    await bot.send_chat_action(ANNA, "typing")
    fake.always("sendMessage", None)
    fake.always("*", Fault(error_code=500, description="Internal Server Error"))
    assert await refusal(bot.get_me(), NetworkError) == "Internal Server Error"
    fake.always("*", None)
    await bot.send_message(ANNA, "fine")
    assert fake.texts() == ["fine"]


async def test_a_call_that_hangs_times_out_and_does_not_hold_up_the_end(fake: FakeTelegram, bot: Bot) -> None:
    fake.next("sendMessage", HANG)
    await refusal(bot.send_message(ANNA, "x", read_timeout=0.2), TimedOut)
    assert fake.sent == []
    fake.next("sendMessage", HANG_AFTER_ACCEPTING)
    await refusal(bot.send_message(ANNA, "y", read_timeout=0.2), TimedOut)
    assert fake.texts() == ["y"]


async def test_chaos_is_the_same_for_the_same_seed(fake: FakeTelegram, bot: Bot) -> None:
    async def failures() -> list[bool]:
        fake.chaos(0.3, 7, [BAD_GATEWAY], ["sendMessage"])
        outcomes: list[object] = []
        for number in range(30):
            try:
                outcomes.append(await bot.send_message(ANNA, str(number)))
            except NetworkError as error:
                outcomes.append(error)
        return [isinstance(one, NetworkError) for one in outcomes]

    first = await failures()
    assert first == await failures()
    assert 2 < sum(first) < 18
    await bot.get_me()


async def test_waiting_for_messages_says_how_many_came(fake: FakeTelegram, bot: Bot) -> None:
    waiting = asyncio.create_task(fake.wait_for(2))
    await bot.send_message(ANNA, "1")
    await bot.send_message(ANNA, "2")
    assert [one.text for one in await waiting] == ["1", "2"]
    with pytest.raises(TimeoutError, match="0 of 1 messages"):
        await fake.wait_for(1, 0.01, where=lambda sent: sent.chat_id == GROUP)
