"""Callers that wait for a reply get it once, or learn that there is none."""

from __future__ import annotations

import asyncio
import time

from supportbot.types import Address, Message, Outgoing, Reply, User
from supportbot.waits import Waits

ANNA = User("anna")


def fresh() -> tuple[Waits, list[bool]]:
    """Waits, and a list for whether what was given was taken."""
    return Waits(), []


def message(id: str) -> Message:
    return Message(Address("desk", "c1"), id, ANNA, "hi")


def reply(*ids: str) -> Outgoing:
    return Outgoing(
        "msg", "c_1", Address("desk", "c1"), "lane", "message.reply", ANNA, ids, 1, 1, 0.0, Reply("Hello.")
    )


async def test_who_waits_gets_the_reply_and_says_that_it_has_it() -> None:
    waits, finished = fresh()
    async with waits.wait_for(message("a")) as wait:
        assert waits.find(reply("a")) == (wait,)
        assert waits.find(reply("b")) == ()
        wait.give((reply("a"),), finished.append)
        assert await wait.replies(5) == (reply("a"),)
        wait.taken()
        assert finished == []
    assert finished == [True]
    assert waits.find(reply("a")) == ()


async def test_who_leaves_without_taking_it_sends_it_on_its_ordinary_way() -> None:
    waits, finished = fresh()
    async with waits.wait_for(message("a")) as wait:
        wait.give((reply("a"),), finished.append)
        await wait.replies(5)
    assert finished == [False]


async def test_who_fails_while_answering_has_not_taken_it() -> None:
    waits, finished = fresh()
    try:
        async with waits.wait_for(message("a")) as wait:
            wait.give((reply("a"),), finished.append)
            raise ConnectionError
    except ConnectionError:
        assert finished == [False]


async def test_when_time_runs_out_nobody_waits_any_more() -> None:
    waits, finished = fresh()
    async with waits.wait_for(message("a")) as wait:
        assert await wait.replies(0.02) == ()
        assert waits.find(reply("a")) == ()
    wait.give((reply("a"),), finished.append)
    assert finished == [False], "what is given too late goes its ordinary way"


async def test_what_comes_in_the_last_moment_is_not_lost() -> None:
    waits, finished = fresh()
    async with waits.wait_for(message("a")) as wait:
        asyncio.get_running_loop().call_soon(wait.give, (reply("a"),), finished.append)
        got = await wait.replies(0)
        if got:
            wait.taken()
    if not finished:  # the gift came after the caller had left
        await asyncio.sleep(0)
    assert finished == [bool(got)]


async def test_a_turn_without_a_reply_releases_who_waits_at_once() -> None:
    waits = Waits()
    async with waits.wait_for(message("a")) as wait:
        began = time.monotonic()
        asyncio.get_running_loop().call_soon(waits.nothing_for, "desk", ["a", "b"])
        assert await wait.replies(10) == ()
        assert time.monotonic() - began < 1


async def test_several_may_wait_for_the_same_message() -> None:
    waits, finished = fresh()
    async with waits.wait_for(message("a")) as first:
        async with waits.wait_for(message("a")) as second:
            assert waits.find(reply("a")) == (first, second)
            assert waits.find(reply("b", "a")) == (first, second)
            second.give((reply("a"),), finished.append)
            second.taken()
        assert waits.find(reply("a")) == (first,)
        waits.nothing_for("desk", ["a"])
        assert await first.replies(5) == ()
    assert (finished, waits.find(reply("a"))) == ([True], ())


async def test_a_second_gift_to_the_same_wait_goes_its_ordinary_way() -> None:
    waits, first = fresh()
    second: list[bool] = []
    async with waits.wait_for(message("a")) as wait:
        wait.give((reply("a"),), first.append)
        wait.give((reply("a"),), second.append)
        wait.taken()
    assert (first, second) == ([True], [False])


async def test_channels_do_not_share_their_message_ids() -> None:
    waits = Waits()
    async with waits.wait_for(Message(Address("other", "c1"), "a", ANNA, "hi")):
        assert waits.find(reply("a")) == ()
