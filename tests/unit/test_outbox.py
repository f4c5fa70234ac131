"""The way out: order, pace, retries, dead letters, and adapters at their worst."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from sending import BASE, Clock, Platform, running, until, way

from supportbot.errors import ChannelBusy, ChannelGone, ChannelRefused
from supportbot.testing.pairs import Pair, finish, message, receive, start
from supportbot.types import Address, Outgoing, Reply

# --- order and retries ---------------------------------------------------------------------------------------


async def test_a_lane_keeps_its_order_over_failures_and_others_do_not_wait_for_it(tmp_path: Path) -> None:
    platform, clock = Platform(ChannelBusy("busy")), Clock()
    async with way(tmp_path, platform, clock=clock) as site:
        await site.reply("one", "two")
        await site.reply("three")
        await site.reply("other", chat="ben")
        await site.poll()
        assert platform.tries == ["one", "other"]
        await site.polls(2)
        assert platform.tries == ["one", "other"], "the failed row rests, and its lane with it"
        clock.now += 2.0
        await site.polls(3)
    assert platform.sent == ["other", "one", "two", "three"]


async def test_a_busy_channel_is_tried_on_its_schedule_and_then_the_letter_is_dead(tmp_path: Path) -> None:
    platform, clock = Platform(*[ChannelBusy("still busy")] * 3), Clock()
    async with way(tmp_path, platform, clock=clock) as site:
        await site.reply("one", "two")
        for wait in (0.0, 1.9, 0.1, 4.9, 0.1):
            clock.now += wait
            await site.poll()
        assert platform.tries == ["one"] * 3
        assert await site.dead() == [("one", "still busy")]
        await site.poll()
        assert platform.sent == ["two"], "the lane goes on behind a dead letter"
        assert await site.unsent() == 0


async def test_the_platforms_wish_to_wait_longer_is_honoured(tmp_path: Path) -> None:
    platform, clock = Platform(ChannelBusy("slow down", retry_after=30.0)), Clock()
    async with way(tmp_path, platform, clock=clock) as site:
        await site.reply("one")
        await site.poll()
        clock.now += 29.9
        await site.poll()
        assert platform.sent == []
        clock.now += 0.2
        await site.poll()
    assert platform.sent == ["one"]


async def test_a_wish_to_wait_shorter_than_the_schedule_changes_nothing(tmp_path: Path) -> None:
    platform, clock = Platform(ChannelBusy("slow down", retry_after=0.1)), Clock()
    async with way(tmp_path, platform, clock=clock) as site:
        await site.reply("one")
        await site.poll()
        clock.now += 1.9
        await site.poll()
    assert platform.tries == ["one"]


@pytest.mark.parametrize("error", [ChannelRefused("too long"), ChannelGone("blocked")])
async def test_what_will_never_be_taken_is_a_dead_letter_at_once(tmp_path: Path, error: Exception) -> None:
    platform = Platform(error)
    async with way(tmp_path, platform) as site:
        await site.reply("one", "two")
        await site.polls(2)
        assert await site.dead() == [("one", str(error))]
    assert platform.sent == ["two"]


async def test_a_channel_that_is_no_longer_configured_gives_a_dead_letter(tmp_path: Path) -> None:
    async with way(tmp_path, None) as site:
        await site.reply("one")
        await site.poll()
        assert await site.dead() == [("one", "no channel 'shop' is configured")]


async def test_a_notice_that_fails_does_not_hold_up_the_reply(tmp_path: Path) -> None:
    platform, notify = Platform(), Platform(ChannelBusy("down"))
    senders = {"shop": platform, "@notify": notify}
    async with way(tmp_path, senders, notify=True, events=["shop"]) as site:
        await site.reply("one", events=(("handoff.requested", {"handoff": "h"}),))
        await site.polls(3)
        assert platform.sent == ["one", "handoff.requested"]
        assert (notify.sent, await site.unsent()) == ([], 1)


# --- adapters at their worst ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "garbage",
    [
        *(
            ValueError("x"),
            KeyError(),
            OSError(),
            ExceptionGroup("g", [ValueError()]),
            SystemExit(1),
            TimeoutError(),
        ),
        asyncio.CancelledError(),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_garbage_raised_by_an_adapter_counts_as_a_failure(tmp_path: Path, garbage: BaseException) -> None:
    platform, clock = Platform(garbage), Clock()
    async with way(tmp_path, platform, clock=clock) as site:
        await site.reply("one")
        await site.polls(2)
        assert platform.tries == ["one"], "it rests before it is tried again"
        clock.now += 2.0
        await site.poll()
        assert (platform.sent, await site.unsent()) == (["one"], 0)


@pytest.mark.parametrize("handle", [None, 17, b"bytes", object(), "\ud800"])
async def test_garbage_returned_by_an_adapter_still_means_accepted(tmp_path: Path, handle: object) -> None:
    platform = Platform(handle)
    async with way(tmp_path, platform) as site:
        await site.reply("one")
        await site.polls(2)
        assert (platform.sent, await site.unsent()) == (["one"], 0)


async def test_an_adapter_that_hangs_is_given_up_and_tried_again(tmp_path: Path) -> None:
    async def hangs(outgoing: Outgoing) -> str:
        await asyncio.sleep(3600)
        return ""

    platform, clock = Platform(hangs, capabilities=replace(BASE, send_timeout=-0.9)), Clock()
    async with way(tmp_path, platform, clock=clock) as site:
        await site.reply("one")
        await site.poll()
        assert (platform.sent, site.logged) == ([], ["outbox.retry"])
        clock.now += 2.0
        await site.poll()
    assert platform.sent == ["one"]


async def test_an_adapter_that_ignores_its_cancellation_does_not_keep_the_bot_from_closing(tmp_path: Path) -> None:
    free = asyncio.Event()

    async def stubborn(outgoing: Outgoing) -> str:
        while not free.is_set():
            try:
                await free.wait()
            except asyncio.CancelledError:
                continue
        return ""

    async with way(tmp_path, Platform(stubborn)) as site:
        await site.reply("one")
        await site.outbox._poll()
        await asyncio.sleep(0.01)
        began = time.monotonic()
        await site.outbox.drain(0.05)
        assert time.monotonic() - began < 3
        free.set()
        await site.outbox.drain(5)


async def test_what_was_sent_but_could_not_be_recorded_is_not_sent_again(tmp_path: Path) -> None:
    platform = Platform()
    async with way(tmp_path, platform) as site:
        await site.reply("one", "two")
        _write(tmp_path, "CREATE TRIGGER broken BEFORE UPDATE ON outbox BEGIN SELECT RAISE(ABORT, 'no disk'); END")
        await site.polls(3)
        assert (platform.sent, site.logged) == (["one"], ["outbox.store_failed"] * 3)
        _write(tmp_path, "DROP TRIGGER broken")
        await site.polls(2)
        assert (platform.sent, await site.unsent()) == (["one", "two"], 0)


def _write(tmp_path: Path, statement: str) -> None:
    with closing(sqlite3.connect(tmp_path / "store.db")) as connection:
        connection.execute(statement)


async def test_a_sender_that_slept_past_its_time_asks_before_it_sends(tmp_path: Path) -> None:
    clock = Clock()
    async with way(tmp_path, None, clock=clock) as site:
        began = await _two_replies(site.pair)

        async def frozen(outgoing: Outgoing) -> str:
            clock.now += 60.0
            await site.store.delivered([began[1].id], now=clock.now)
            return ""

        platform = Platform(frozen)
        site.outbox._senders = {"shop": platform}
        site.outbox.push(began, behind=False)
        await site.outbox.drain(5)
        assert platform.tries == ["one"], "somebody else has sent the second meanwhile"


async def _two_replies(pair: Pair) -> tuple[Outgoing, ...]:
    await receive(pair, message("a"))
    committed = await finish(pair, await start(pair), replies=(Reply("one"), Reply("two")))
    return committed.ready


# --- pace ----------------------------------------------------------------------------------------------------


async def test_one_chat_is_paced_over_all_its_threads(tmp_path: Path) -> None:
    platform = Platform(capabilities=replace(BASE, chat_interval=0.1))
    async with way(tmp_path, platform, clock=time.time) as site:
        for thread in ("x", "y", "z"):
            await site.reply(thread, thread=thread)
        await site.reply("other", chat="ben")
        await site.poll()
    assert sorted(platform.sent) == ["other", "x", "y", "z"]
    at = dict(zip(platform.sent, platform.times, strict=True))
    chat = sorted(at[name] for name in "xyz")
    assert all(later - earlier > 0.09 for earlier, later in pairwise(chat))
    assert at["other"] - chat[0] < 0.09, "another chat does not wait"


async def test_the_whole_channel_is_paced(tmp_path: Path) -> None:
    platform = Platform(capabilities=replace(BASE, channel_rate=20.0))
    async with way(tmp_path, platform, clock=time.time) as site:
        for number in range(6):
            await site.reply("hi", chat=f"chat{number}")
        await site.poll()
    assert 0.2 < platform.times[-1] - platform.times[0] < 1.0


class Uneven(Platform):
    """Groups are slower than other chats."""

    def pace(self, address: Address) -> float:
        return 0.3 if address.chat == "group" else 0.0


async def test_each_chat_has_the_pace_that_the_channel_gives_it(tmp_path: Path) -> None:
    platform = Uneven()
    async with way(tmp_path, platform, clock=time.time) as site:
        for chat in ("group", "anna"):
            for thread in ("x", "y", "z"):
                await site.reply(chat, chat=chat, thread=thread)
        await site.poll()
    at = {
        chat: [at for text, at in zip(platform.sent, platform.times, strict=True) if text == chat]
        for chat in platform.sent
    }
    assert all(later - earlier > 0.29 for earlier, later in pairwise(at["group"]))
    assert max(at["anna"]) - min(at["anna"]) < 0.25


async def test_what_is_only_nice_to_have_takes_a_free_slot_and_waits_for_none(tmp_path: Path) -> None:
    platform = Uneven()
    group = Address("shop", "group")
    async with way(tmp_path, platform, clock=time.time) as site:
        await site.reply("sent", chat="group")
        await site.poll()
        assert not site.outbox.take_slot(platform, group), "a message has just gone there"
        await asyncio.sleep(0.35)
        assert site.outbox.take_slot(platform, group)
        assert not site.outbox.take_slot(platform, group)
        began = time.monotonic()
        await site.reply("after", chat="group")
        await site.poll()
    assert platform.times[1] - began > 0.2, "the shown message has taken a slot of its own"


async def test_a_busy_chat_takes_no_slot_of_the_channel_while_it_waits(tmp_path: Path) -> None:
    platform = Platform(capabilities=replace(BASE, channel_rate=100.0, chat_interval=0.4))
    async with way(tmp_path, platform, clock=time.time) as site:
        for thread in ("x", "y"):
            await site.reply("busy", thread=thread)
        for number in range(3):
            await site.reply("quick", chat=f"chat{number}")
        await site.poll()
        assert sorted(platform.sent[:-1]) == ["busy", "quick", "quick", "quick"], "the second busy one is the last"


async def test_a_clock_that_is_set_back_does_not_stop_the_channel_for_ever(tmp_path: Path) -> None:
    clock = Clock()
    platform = Platform(capabilities=replace(BASE, chat_interval=0.01))
    async with way(tmp_path, platform, clock=clock) as site:
        site.outbox._slots[("shop", "anna")] = clock.now + 1e9
        await site.outbox._slot(("shop", "ben"), 0.01)
        pause = asyncio.create_task(site.outbox._slot(("shop", "anna"), 0.01))
        await asyncio.sleep(0)
        assert site.outbox._slots[("shop", "anna")] < clock.now + 100
        pause.cancel()
        await asyncio.wait((pause,))


# --- the loop, and who waits ---------------------------------------------------------------------------------


async def test_what_was_left_from_before_a_restart_is_sent_by_the_loop(tmp_path: Path) -> None:
    platform = Platform()
    async with way(tmp_path, platform) as site:
        await site.reply("left", "behind")
    async with way(tmp_path, platform, clock=time.time) as site, running(site):
        await until(lambda: len(platform.sent) == 2)
    assert platform.sent == ["left", "behind"]


async def test_who_waits_gets_the_reply_and_nothing_is_sent(tmp_path: Path) -> None:
    platform = Platform()
    async with way(tmp_path, platform) as site:
        async with site.waits.wait_for(message("a")) as wait:
            site.outbox.push(await _two_replies(site.pair), behind=False)
            got = await wait.replies(5)
            wait.taken()
        await site.outbox.drain(5)
        assert [row.reply.text for row in got if row.reply] == ["one", "two"]
        assert (platform.sent, await site.unsent()) == ([], 0)


@pytest.mark.parametrize("way_out", ["time is up", "the caller vanished"])
async def test_who_gave_up_waiting_is_answered_by_the_channel(tmp_path: Path, way_out: str) -> None:
    platform = Platform()
    async with way(tmp_path, platform) as site:
        async with site.waits.wait_for(message("a")) as wait:
            if way_out == "time is up":
                assert await wait.replies(0.01) == ()
            site.outbox.push(await _two_replies(site.pair), behind=False)
            await asyncio.sleep(0.01)
        await site.outbox.drain(5)
        assert (platform.sent, await site.unsent()) == (["one", "two"], 0)


@pytest.mark.parametrize(
    ("first_takes", "second_takes"), [(True, True), (True, False), (False, True), (False, False)]
)
async def test_all_who_wait_for_messages_of_one_turn_get_its_reply(
    tmp_path: Path, first_takes: bool, second_takes: bool
) -> None:
    platform = Platform()
    async with way(tmp_path, platform) as site:
        async with site.waits.wait_for(message("a")) as first, site.waits.wait_for(message("b")) as second:
            await receive(site.pair, message("a"), message("b"))
            committed = await finish(site.pair, await start(site.pair), replies=(Reply("both"),))
            site.outbox.push(committed.ready, behind=False)
            for wait, takes in ((first, first_takes), (second, second_takes)):
                assert len(await wait.replies(5)) == 1
                if takes:
                    wait.taken()
        await site.outbox.drain(5)
        assert await site.unsent() == 0
    assert platform.sent == ([] if first_takes or second_takes else ["both"])
