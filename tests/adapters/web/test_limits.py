"""Buckets and places: what they allow, when they are full, and that they stay small; and the limits over HTTP."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supportbot_web import limits
from supportbot_web.limits import Buckets, Places

from .conftest import SHOP, Chat, Page, new_id, opened, signed


@given(st.lists(st.floats(0, 30), max_size=80), st.integers(1, 60), st.integers(1, 10))
def test_no_bucket_gives_more_than_its_burst_and_its_rate(steps: list[float], rate: int, burst: int) -> None:
    now = [0.0]
    bucket, given_away = Buckets(rate, burst, lambda: now[0]), 0
    for step in steps:
        now[0] += step
        wait = bucket.take("a")
        given_away += wait == 0
        assert wait <= 60 / rate + 1e-6
        assert given_away <= burst + now[0] * rate / 60 + 1e-6


@given(st.integers(1, 60), st.integers(1, 10))
def test_after_the_time_that_it_says_it_gives_again(rate: int, burst: int) -> None:
    now = [0.0]
    bucket = Buckets(rate, burst, lambda: now[0])
    assert [bucket.take("a") for _ in range(burst)] == [0.0] * burst
    now[0] += bucket.take("a") + 1e-6
    assert bucket.take("a") == 0
    assert bucket.take("another") == 0


def test_keys_without_number_take_no_memory_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_MOST", 100)
    bucket = Buckets(1, 1)
    for number in range(1_000):
        bucket.take(str(number))
    assert len(bucket._left) == 100


def test_places_are_for_all_and_for_each_and_are_given_back() -> None:
    places = Places(3, 2)
    with places.one("a") as first, places.one("a") as second, places.one("a") as third, places.one("b") as other:
        assert (first, second, third, other) == (True, True, False, True)
        with places.one("c") as last:
            assert not last
    with places.one("a") as again:
        assert again
    assert not places._taken


def test_a_place_is_given_back_by_one_who_fails() -> None:
    places = Places(1, 1)
    with pytest.raises(OSError), places.one("a"):
        raise OSError
    with places.one("b") as free:
        assert free


@pytest.mark.parametrize("chat", [{"rate": 10}], indirect=True)
async def test_a_visitor_who_writes_too_much_is_told_how_long_to_wait(chat: Chat) -> None:
    page, other = await chat.visitor(), await chat.visitor()
    answers = [await page.say(f"message {number}") for number in range(8)]
    assert [answer.status_code for answer in answers] == [202] * 5 + [429] * 3
    refused = answers[-1]
    assert 1 <= int(refused.headers["retry-after"]) <= 7
    assert refused.headers["access-control-allow-origin"] == SHOP
    assert refused.headers["access-control-expose-headers"] == "Retry-After"
    assert list(refused.json()) == ["error"]
    assert (await other.say("I am somebody else")).status_code == 202
    assert len(chat.inbox.messages) == 6


async def test_new_sessions_are_limited_by_address(chat: Chat) -> None:
    answers = [await chat.page().ask("POST", "/sessions", json={}) for _ in range(32)]
    assert [answer.status_code for answer in answers] == [201] * 30 + [429] * 2
    assert int(answers[-1].headers["retry-after"]) >= 1


async def test_who_reads_too_much_waits_too(chat: Chat) -> None:
    page = await chat.visitor()
    statuses = [(await page.ask("GET", "/entries")).status_code for _ in range(125)]
    assert statuses[:120] == [200] * 120 and 429 in statuses[120:]
    assert (await page.say("still heard")).status_code == 202


async def test_typing_is_told_at_most_now_and_then(chat: Chat) -> None:
    page = await chat.visitor()
    statuses = [(await page.ask("POST", "/typing", json={})).status_code for _ in range(35)]
    assert statuses.count(204) == 30 == len(chat.typed)
    assert set(statuses[30:]) == {429}


@pytest.mark.parametrize("chat", [{"streams": 3}], indirect=True)
async def test_there_are_only_so_many_streams(chat: Chat) -> None:
    pages = [await chat.visitor() for _ in range(4)]
    async with pages[0].events() as a, pages[1].events() as b, pages[2].events() as c:
        for stream in (a, b, c):
            await stream.ready()
        refused = await pages[3].ask("GET", "/events")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "10")
    async with pages[3].events() as stream:
        await stream.ready()


async def _hold(page: Page, seconds: float, streams: list[int]) -> None:
    async with page.http.stream("GET", f"{page.base}/events", headers=page.headers()) as response:
        if response.status_code == 200:
            async for line in response.aiter_lines():
                if line == "event: ready":
                    streams.append(1)
                    await asyncio.sleep(seconds)
                    return


async def test_one_session_has_only_so_many_streams_also_if_all_come_at_once(chat: Chat) -> None:
    page, open_ = await chat.visitor(), []
    holding = [asyncio.create_task(_hold(page, 1.0, open_)) for _ in range(20)]
    await asyncio.sleep(0.7)
    assert len(open_) == 8
    assert len(chat.adapter.hub) == 8
    await asyncio.gather(*holding)


async def test_a_press_and_a_message_count_alike() -> None:
    async with opened({"rate": 2}) as chat:
        page = await chat.visitor()
        assert (await page.press(1, 0)).status_code == 404
        assert (await page.say("hello", id=new_id())).status_code == 429


@pytest.mark.parametrize("chat", [{"rate": 2}], indirect=True)
async def test_a_new_session_for_each_message_does_not_go_round_the_limit(chat: Chat) -> None:
    statuses = [(await (await chat.visitor()).say("spam")).status_code for _ in range(14)]
    assert statuses == [202] * 10 + [429] * 4
    known = await chat.visitor(signed("u-1"))
    assert (await known.say("I am known, and count for myself")).status_code == 202


@pytest.mark.parametrize("chat", [{"streams": 20}], indirect=True)
async def test_one_address_does_not_take_all_streams(chat: Chat) -> None:
    pages = [await chat.visitor() for _ in range(12)]
    async with AsyncExitStack() as stack:
        for page in pages[:10]:
            await (await stack.enter_async_context(page.events())).ready()
        assert (await pages[10].ask("GET", "/events")).status_code == 429
    async with pages[10].events() as stream:
        await stream.ready()


async def test_that_a_proxy_makes_many_callers_one_is_told_once(chat: Chat) -> None:
    for _ in range(35):
        await chat.page().ask("POST", "/sessions", json={}, headers={"X-Forwarded-For": "203.0.113.7"})
    ((event, facts),) = chat.logged
    assert (event, facts["address"]) == ("web.proxy_unknown", "127.0.0.1")
    assert "web.proxies" in facts["notice"]
