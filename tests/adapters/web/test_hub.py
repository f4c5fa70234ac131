"""The hub: pages are woken, passing things are handed over, and nothing is left behind."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from supportbot_web import hub as module
from supportbot_web.hub import Hub


def preview(handle: str, *blocks: object) -> dict[str, Any]:
    return {"handle": handle, "blocks": blocks}


async def test_a_page_sleeps_until_it_is_woken_or_its_time_is_over() -> None:
    hub, loop = Hub(), asyncio.get_running_loop()
    with hub.joined("c", "s") as page, hub.joined("other", "s") as other:
        hub.wake("c")
        await page.woken(5)
        began = loop.time()
        await other.woken(0.1)
        assert 0.05 < loop.time() - began < 2
        hub.wake("nobody is here")


def test_a_slow_page_gets_the_newest_of_each_kind_once() -> None:
    hub = Hub()
    with hub.joined("c", "s") as page:
        for number in range(100):
            hub.preview("c", "p1", preview("p1", number))
            hub.hand("c", "typing", {"name": "", "note": str(number)})
        assert page.take() == (("preview", preview("p1", 99)), ("typing", {"name": "", "note": "99"}))
        assert page.take() == ()


def test_what_is_handed_over_reaches_the_chats_own_pages_and_no_other() -> None:
    hub = Hub()
    with hub.joined("c", "one") as one, hub.joined("c", "two") as two, hub.joined("d", "three") as three:
        hub.hand("c", "seen", {"position": 5})
        told = (("seen", {"position": 5}),)
        assert [page.take() for page in (one, two, three)] == [told, told, ()]


def test_a_page_that_comes_later_sees_the_preview_that_is_under_way_and_no_finished_one() -> None:
    hub = Hub()
    hub.preview("c", "p1", preview("p1", "so far"))
    with hub.joined("c", "s") as page:
        assert page.take() == (("preview", preview("p1", "so far")),)
    hub.finished("c")
    with hub.joined("c", "s") as page:
        assert page.take() == ()
    hub.preview("c", "p2", preview("p2", "so far"))
    hub.preview("c", "p2", preview("p2"))  # taken away
    with hub.joined("c", "s") as page:
        assert page.take() == ()


def test_a_page_that_has_the_message_is_shown_no_preview_of_it() -> None:
    hub = Hub()
    with hub.joined("c", "s") as page:
        hub.preview("c", "p1", preview("p1", "so far"))
        page.has("")
        page.has("p0")
        hub.wake("c")
        page.has("p1")
        assert page.take() == ()


def test_previews_whose_message_never_comes_are_not_kept_for_ever() -> None:
    hub = Hub()
    for number in range(module._MOST_PREVIEWS + 500):
        hub.preview(f"c{number}", "p", preview("p", "x"))
    assert len(hub._previews) == module._MOST_PREVIEWS
    with hub.joined("c0", "s") as first, hub.joined(f"c{module._MOST_PREVIEWS + 499}", "s") as last:
        assert (first.take(), len(last.take())) == ((), 1)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz")), max_size=30), st.randoms())
def test_the_hub_counts_its_pages_and_is_empty_when_all_have_left(pages: list[tuple[str, str]], rng: Any) -> None:
    hub, stacks = Hub(), []
    for chat, session in pages:
        stacks.append(ExitStack())
        stacks[-1].enter_context(hub.joined(chat, session))
    assert len(hub) == len(pages)
    for chat in "abc":
        for session in "xyz":
            assert hub.of_session(chat, session) == pages.count((chat, session))
    rng.shuffle(stacks)
    for stack in stacks:
        stack.close()
    assert (len(hub), dict(hub._pages)) == (0, {})


async def test_closing_ends_every_page_and_each_that_comes_after() -> None:
    hub = Hub()
    with hub.joined("c", "s") as page:
        hub.close()
        await page.woken(5)
        assert page.ended
        with hub.joined("d", "s") as late:
            assert late.ended
    hub.open()
    with hub.joined("c", "s") as again:
        assert not again.ended


def test_a_session_that_is_over_ends_its_own_pages() -> None:
    hub = Hub()
    with hub.joined("c", "one") as one, hub.joined("c", "two") as two:
        hub.over("c", "one")
        assert (one.over, two.over) == (True, False)
