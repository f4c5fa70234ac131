"""Who a page is: tokens, origins, customers on several devices, and what ends a session."""

from __future__ import annotations

import asyncio
import hashlib

import pytest

from supportbot.testing.fake_inbox import FakeShelf
from supportbot.types import Identity
from supportbot_web.sessions import SIGNED_LASTS, Session, Sessions

from .conftest import OTHER, SHOP, Chat, Clock, signed

DAY = 86_400.0
KEEP = 30 * DAY


async def test_a_token_is_random_and_its_hash_is_all_that_is_kept(chat: Chat) -> None:
    pages = [await chat.visitor() for _ in range(5)]
    tokens = {page.token for page in pages}
    assert len(tokens) == 5 and all(len(token) >= 43 for token in tokens)
    kept = repr(chat.shelf.values)
    assert not any(token in kept for token in tokens)
    assert all(hashlib.sha256(token.encode()).hexdigest() in kept for token in tokens)
    assert len({await chat.chat_of(page) for page in pages}) == 5


async def test_no_cookie_is_set(chat: Chat) -> None:
    made = await chat.page().ask("POST", "/sessions", json={})
    assert "set-cookie" not in made.headers
    assert made.headers["cache-control"] == "no-store"
    assert made.json().keys() == {"token", "expires_at", "identified", "name"}


async def test_a_token_works_only_for_the_origin_that_it_was_given_to(chat: Chat) -> None:
    page = await chat.visitor()
    await page.say("mine")
    for origin in (OTHER, chat.url):
        stolen = chat.page(origin, page.token)
        for method, path in (
            ("GET", "/entries"),
            ("GET", "/events"),
            ("POST", "/messages"),
            ("DELETE", "/sessions"),
        ):
            refused = await stolen.ask(method, path, json={"id": "0123456789abcdef", "text": "x"})
            assert (refused.status_code, list(refused.json())) == (401, ["error"]), (origin, path)
    assert await page.texts() == ["mine"]


async def test_a_signed_token_of_the_site_makes_the_customer_known(chat: Chat) -> None:
    made = await chat.page().start(signed("u-1", name="Ada 🙂"))
    assert (made["identified"], made["name"]) == (True, "Ada 🙂")
    assert abs(made["expires_at"] - chat.clock() - SIGNED_LASTS) < 5


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "a.b.c",
        signed("u-1", lasts=-60),
        signed("u-1", secret="another secret, which is as long as that of the shop"),
        signed(""),
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1LTEiLCJleHAiOjk5OTk5OTk5OTl9.",
    ],
)
async def test_a_user_token_that_does_not_hold_opens_no_session(chat: Chat, token: str) -> None:
    refused = await chat.page().ask("POST", "/sessions", json={"user_token": token})
    assert refused.status_code == 401 and "token" not in refused.json()
    assert chat.shelf.values == {}
    assert chat.logged and token not in repr(chat.logged)


@pytest.mark.parametrize(("token", "status"), [(5, 400), (["x"], 400), ({}, 400), (None, 400), ("x" * 8_001, 413)])
async def test_what_is_no_user_token_is_refused(chat: Chat, token: object, status: int) -> None:
    assert (await chat.page().ask("POST", "/sessions", json={"user_token": token})).status_code == status


async def test_a_customer_has_one_chat_on_two_devices(chat: Chat) -> None:
    phone, laptop = await chat.visitor(signed("u-1")), await chat.visitor(signed("u-1", name="Ada"), origin=OTHER)
    assert phone.token != laptop.token
    async with laptop.events() as stream:
        await stream.ready()
        await phone.say("from the phone")
        await stream.until(lambda stream: stream.texts == ["from the phone"])
    assert await laptop.texts() == ["from the phone"]
    stranger = await chat.visitor(signed("u-2"))
    assert await stranger.texts() == []


async def test_a_customer_who_signs_in_on_many_devices_at_once_has_one_chat(chat: Chat) -> None:
    pages = await asyncio.gather(*(chat.visitor(signed("u-1")) for _ in range(20)))
    assert len({await chat.chat_of(page) for page in pages}) == 1


async def test_the_anonymous_chat_is_taken_along_and_its_old_token_is_dead(chat: Chat) -> None:
    page = await chat.visitor()
    await page.say("before")
    old = chat.page(token=page.token)
    async with old.events() as stream:
        await stream.ready()
        await page.start(signed("u-1"))
        await stream.until(lambda stream: stream.over)
        assert stream.of("over") == [{}]
    assert await page.texts() == ["before"]
    assert (await old.ask("GET", "/entries")).status_code == 401
    assert (await old.say("as the old one")).status_code == 401


async def test_a_second_anonymous_chat_is_not_mixed_in_and_its_token_dies_too(chat: Chat) -> None:
    first = await chat.visitor(signed("u-1"))
    await first.say("known")
    page = await chat.visitor()
    await page.say("anonymous on another device")
    old = page.token
    await page.start(signed("u-1"))
    assert await page.texts() == ["known"]
    assert (await chat.page(token=old).ask("GET", "/entries")).status_code == 401


async def test_two_customers_who_sign_in_with_one_anonymous_page_do_not_share_a_chat(chat: Chat) -> None:
    anonymous = await chat.visitor()
    await anonymous.say("whose is it?")
    pages = [chat.page(token=anonymous.token) for _ in range(8)]
    await asyncio.gather(*(page.start(signed(f"u-{number}")) for number, page in enumerate(pages)))
    assert len({await chat.chat_of(page) for page in pages}) == 8
    assert sum([await page.texts() == ["whose is it?"] for page in pages]) == 1


async def test_another_customers_page_does_not_take_the_chat_of_the_one_before(chat: Chat) -> None:
    page = await chat.visitor(signed("u-1"))
    await page.say("of the first")
    old = page.token
    await page.start(signed("u-2"))
    assert await page.texts() == []
    assert (await chat.page(token=old).ask("GET", "/entries")).status_code == 401


async def test_an_anonymous_chat_of_another_origin_is_not_taken_along(chat: Chat) -> None:
    page = await chat.visitor(origin=SHOP)
    await page.say("at the shop")
    thief = chat.page(OTHER, page.token)
    await thief.start(signed("u-1"))
    assert await thief.texts() == []
    assert await page.texts() == ["at the shop"]


async def test_a_session_that_was_ended_is_over_also_for_its_open_pages(chat: Chat) -> None:
    page = await chat.visitor()
    async with page.events() as stream:
        await stream.ready()
        assert (await page.ask("DELETE", "/sessions")).status_code == 204
        await stream.until(lambda stream: stream.over)
        assert stream.of("over") == [{}]
    assert (await page.ask("GET", "/entries")).status_code == 401
    assert (await page.ask("DELETE", "/sessions")).status_code == 401


@pytest.mark.parametrize("chat", [{"keep": 2}, {"keep": 1}, {"keep": 180}], indirect=True)
async def test_an_anonymous_chat_lasts_as_long_as_somebody_comes(chat: Chat) -> None:
    days = chat.adapter.settings.keep / DAY
    page = await chat.visitor()
    await page.say("hello")
    for _ in range(6):
        chat.clock.pass_by(0.55 * days * DAY)
        assert await page.texts() == ["hello"]
    chat.clock.pass_by((days + 0.1) * DAY)
    assert (await page.ask("GET", "/entries")).status_code == 401


async def test_a_known_customers_session_ends_after_a_day_whatever_they_do(chat: Chat) -> None:
    page = await chat.visitor(signed("u-1"))
    for _ in range(7):
        chat.clock.pass_by(3.4 * 3600)
        assert await page.texts() == []
    chat.clock.pass_by(0.3 * 3600)
    assert (await page.ask("GET", "/entries")).status_code == 401


class Slow(FakeShelf):
    """Every step lets others go first, as a database does."""

    async def get(self, key: str) -> object:  # type: ignore[override]
        await asyncio.sleep(0)
        return await super().get(key)

    async def put(self, key: str, value: object, *, until: float | None = None) -> None:
        await asyncio.sleep(0)
        await super().put(key, value, until=until)  # type: ignore[arg-type]

    async def remove(self, key: str) -> None:
        await asyncio.sleep(0)
        await super().remove(key)


@pytest.mark.parametrize("steps", range(6))
async def test_a_session_that_is_prolonged_while_it_is_ended_stays_ended(steps: int) -> None:
    clock = Clock()
    sessions = Sessions(Slow(clock), KEEP, clock)
    token, session = await sessions.open("self", None, None)
    clock.pass_by(5 * DAY)
    visit = asyncio.create_task(sessions.find(token, "self"))
    for _ in range(steps):
        await asyncio.sleep(0)
    await sessions.end(session)
    await visit
    assert await sessions.find(token, "self") is None


async def test_a_session_found_says_how_long_it_lasts_now() -> None:
    clock = Clock()
    sessions = Sessions(FakeShelf(clock), KEEP, clock)
    token, first = await sessions.open(SHOP, None, None)
    clock.pass_by(2 * DAY)
    again = await sessions.find(token, SHOP)
    assert again is not None and again.until - first.until > 1.9 * DAY
    assert await sessions.find(token, OTHER) is None
    assert await sessions.find("", SHOP) is None
    assert await sessions.find("\ud800", SHOP) is None
    assert await sessions.find("x" * 1_000_000, SHOP) is None


async def test_signing_in_again_after_a_crash_in_the_middle_ends_the_anonymous_token() -> None:
    clock, shelf = Clock(), FakeShelf()
    sessions = Sessions(shelf, KEEP, clock)
    token, anonymous = await sessions.open(SHOP, None, None)
    ada = Identity("ada", "Ada", "signed", 0.0, 9e9)
    _, known = await sessions.open(SHOP, ada, anonymous)
    assert known.chat == anonymous.chat
    # as if the process had died before the anonymous session was removed
    await shelf.put(
        anonymous.key, {"chat": anonymous.chat, "origin": SHOP, "customer": "", "name": "", "until": 9e9}
    )
    before = await sessions.find(token, SHOP)
    _, again = await sessions.open(SHOP, ada, before)
    assert again.chat == known.chat
    assert await sessions.find(token, SHOP) is None


def test_what_a_session_is_tells_no_token() -> None:
    session = Session("session:ab", "v_1", SHOP, "u", "Ada", 1.0)
    assert session.identified and "token" not in repr(session)
