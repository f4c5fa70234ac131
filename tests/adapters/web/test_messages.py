"""What a page says: stored once with its entry, pressed once, in its own chat, under its own name."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from supportbot.types import Address, Button

from .conftest import BUTTONS, SHOP, Chat, new_id, opened, signed

ID = "0123456789abcdef"


async def test_a_message_is_stored_and_shown_under_the_pages_own_id(chat: Chat) -> None:
    page = await chat.visitor()
    found = await page.say("Where is my order? 🙂", id=ID, locale="de")
    assert (found.status_code, found.json()) == (202, {"id": ID})
    (message,) = chat.inbox.messages
    where = await chat.chat_of(page)
    assert message.address == Address("web", where)
    assert (message.user.id, message.text, message.locale, message.kind) == (
        where,
        "Where is my order? 🙂",
        "de",
        "message",
    )
    assert (message.proof, message.identity) == ("", None)
    (entry,) = (await page.entries())["entries"]
    assert entry.pop("at") == pytest.approx(chat.clock(), abs=5)
    assert entry == {"n": 1, "key": ID, "from": "customer", "kind": "message", "text": "Where is my order? 🙂"}


async def test_the_same_message_three_times_is_one(chat: Chat) -> None:
    page = await chat.visitor()
    answers = await asyncio.gather(*(page.say("hello", id=ID) for _ in range(3)))
    assert [answer.status_code for answer in answers] == [202] * 3
    assert len(chat.inbox.messages) == 1
    assert await page.texts() == ["hello"]


async def test_the_same_id_with_other_words_is_a_conflict(chat: Chat) -> None:
    page = await chat.visitor()
    await page.say("hello", id=ID)
    assert (await page.say("other", id=ID)).status_code == 409
    assert await page.texts() == ["hello"]


async def test_two_visitors_may_have_the_same_id(chat: Chat) -> None:
    one, two = await chat.visitor(), await chat.visitor()
    assert [(await page.say(text, id=ID)).status_code for page, text in ((one, "a"), (two, "b"))] == [202, 202]
    assert (await one.texts(), await two.texts()) == (["a"], ["b"])


async def test_messages_stand_in_the_order_in_which_they_were_sent(chat: Chat) -> None:
    page = await chat.visitor()
    for number in range(12):
        await page.say(f"message {number}")
    assert await page.texts() == [f"message {number}" for number in range(12)]
    told = (await page.entries())["entries"]
    assert [entry["n"] for entry in told] == sorted({entry["n"] for entry in told})


@pytest.mark.parametrize(
    ("text", "arrives"),
    [
        ("a\0b", "ab"),
        ("\ud83d\ude42", "🙂"),
        ("lone \ud800 half", "lone \ufffd half"),
        ("  spaces stay  ", "  spaces stay  "),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("\u202eright to left", "\u202eright to left"),
    ],
)
async def test_text_arrives_as_it_was_written_or_as_near_as_can_be(chat: Chat, text: str, arrives: str) -> None:
    page = await chat.visitor()
    async with page.events() as stream:
        await stream.ready()
        body = json.dumps({"id": ID, "text": text})
        assert (await page.ask("POST", "/messages", content=body)).status_code == 202
        await stream.until(lambda stream: stream.texts == [arrives])
    assert chat.inbox.messages[0].text == arrives
    assert await page.texts() == [arrives]


async def test_what_the_customer_writes_is_no_markdown_and_what_the_bot_writes_is(chat: Chat) -> None:
    page = await chat.visitor()
    await page.say("**not bold**")
    await chat.answer(page, "**bold** <b>x</b> [link](javascript:alert(1)) ![img](https://evil.example/x.png)")
    customer, bot = (await page.entries())["entries"]
    assert "blocks" not in customer
    runs = [run for block in bot["blocks"] for run in block["runs"]]
    assert runs[0] == {"text": "bold", "bold": True}
    assert not any(run.get("link", "https").startswith("javascript") for run in runs)
    assert "<b>" in "".join(run["text"] for run in runs)


# --- presses -------------------------------------------------------------------------------------------------


async def test_a_press_says_which_button_of_which_entry_and_shows_no_secret(chat: Chat) -> None:
    page = await chat.visitor()
    entry = await chat.answer(page, "Well?", "o-1", *BUTTONS, Button("more", "More", url="https://shop.example"))
    (shown,) = (await page.entries())["entries"]
    assert shown["buttons"] == [
        {"label": "Yes"},
        {"label": "No"},
        {"label": "More", "url": "https://shop.example"},
    ]
    assert "tok." not in json.dumps(await page.entries())
    assert (await page.press(entry, 1, id=ID)).status_code == 202
    (message,) = chat.inbox.messages
    assert message.kind == "action" and message.action is not None and message.action.press == "tok.0.1"
    chosen = (await page.entries())["entries"][-1]
    assert (chosen["key"], chosen["text"], chosen["chosen"]) == (ID, "No", {"entry": entry, "button": 1})


async def test_a_press_that_is_repeated_is_one(chat: Chat) -> None:
    page = await chat.visitor()
    entry = await chat.answer(page, "Well?", "o-1", *BUTTONS)
    for _ in range(3):
        assert (await page.press(entry, 0, id=ID)).status_code == 202
    assert len(chat.inbox.messages) == 1
    assert len((await page.entries())["entries"]) == 2


async def test_of_two_presses_only_the_first_counts_and_the_other_page_is_told(chat: Chat) -> None:
    phone, laptop = await chat.visitor(signed("u-1")), await chat.visitor(signed("u-1"))
    entry = await chat.answer(phone, "Well?", "o-1", *BUTTONS)
    answers = await asyncio.gather(phone.press(entry, 0), laptop.press(entry, 0), laptop.press(entry, 1))
    assert sorted(answer.status_code for answer in answers) == [202, 409, 409]
    assert len(chat.inbox.messages) == 1
    first = chat.inbox.messages[0].action
    assert first is not None
    label = {"tok.0.0": "Yes", "tok.0.1": "No"}[first.press]
    assert await phone.texts() == ["Well?", label]


async def test_a_press_and_a_message_at_once_are_both_heard(chat: Chat) -> None:
    page = await chat.visitor()
    entry = await chat.answer(page, "Well?", "o-1", *BUTTONS)
    answers = await asyncio.gather(page.press(entry, 0), page.say("and something else"))
    assert [answer.status_code for answer in answers] == [202, 202]
    assert sorted(message.kind for message in chat.inbox.messages) == ["action", "message"]
    assert len((await page.entries())["entries"]) == 3


@pytest.mark.parametrize(("entry", "button"), [(1, 2), (1, 3), (1, 2**61), (2, 0), (2**61, 0), (0, 0)])
async def test_a_button_that_is_not_there_cannot_be_pressed(chat: Chat, entry: int, button: int) -> None:
    page = await chat.visitor()
    link = Button("more", "More", url="https://shop.example")
    await chat.answer(page, "Well?", "o-1", *BUTTONS, link)
    assert (await page.press(entry, button)).status_code == 404
    assert chat.inbox.messages == []


async def test_another_chats_button_is_not_there(chat: Chat) -> None:
    page, other = await chat.visitor(), await chat.visitor()
    entry = await chat.answer(page, "Well?", "o-1", *BUTTONS)
    assert (await other.press(entry, 0)).status_code == 404
    assert chat.inbox.messages == []


# --- identity ------------------------------------------------------------------------------------------------


async def test_the_customers_own_proof_goes_with_the_message(chat: Chat) -> None:
    page, proof = await chat.visitor(signed("u-1")), signed("u-1", name="Ada")
    await page.say("hello", headers={"Supportbot-User": proof})
    assert chat.inbox.messages[0].proof == proof
    assert proof not in repr(chat.shelf.feed)


async def test_somebody_elses_proof_is_refused(chat: Chat) -> None:
    page = await chat.visitor(signed("u-1"))
    assert (await page.say("hello", headers={"Supportbot-User": signed("u-2")})).status_code == 401
    assert chat.inbox.messages == []


@pytest.mark.parametrize(
    "proof", [signed("u-1", lasts=-60), "rubbish", signed("u-1", secret="x" * 40), "x" * 9_000]
)
async def test_a_proof_that_does_not_hold_proves_nothing_and_the_message_is_taken(chat: Chat, proof: str) -> None:
    page = await chat.visitor(signed("u-1"))
    assert (await page.say("hello", headers={"Supportbot-User": proof})).status_code == 202
    assert chat.inbox.messages[0].proof == ""


async def test_a_proof_in_an_anonymous_chat_proves_nothing(chat: Chat) -> None:
    page = await chat.visitor()
    assert (await page.say("hello", headers={"Supportbot-User": signed("u-1")})).status_code == 202
    assert chat.inbox.messages[0].proof == ""


# --- history and what was read -------------------------------------------------------------------------------


async def test_history_is_read_backwards_in_pieces(chat: Chat) -> None:
    page = await chat.visitor()
    for number in range(7):
        await chat.answer(page, f"n{number}")
    newest = await page.entries(limit=3)
    assert [entry["text"] for entry in newest["entries"]] == ["n4", "n5", "n6"]
    assert (newest["more"], newest["last"], newest["seen"]) == (True, 7, 0)
    before = await page.entries(limit=4, before=newest["entries"][0]["n"])
    assert [entry["text"] for entry in before["entries"]] == ["n0", "n1", "n2", "n3"]
    assert (before["more"], before["last"]) == (False, 7)
    assert (await page.entries(before=1))["entries"] == []


@pytest.mark.parametrize(
    "query", [{"before": "x"}, {"before": "-1"}, {"limit": "1e3"}, {"before": "9" * 30}, {"limit": "²"}]
)
async def test_a_place_in_the_history_is_a_whole_number(chat: Chat, query: dict[str, str]) -> None:
    page = await chat.visitor()
    assert (await page.ask("GET", "/entries", params=query)).status_code == 400


async def test_nobody_gets_more_than_a_piece_at_once(chat: Chat) -> None:
    page = await chat.visitor()
    for number in range(130):
        await chat.answer(page, f"n{number}")
    assert len((await page.entries(limit=100_000))["entries"]) == 100


async def test_what_was_read_on_one_device_is_read_on_all_and_never_less(chat: Chat) -> None:
    phone, laptop = await chat.visitor(signed("u-1")), await chat.visitor(signed("u-1"))
    for number in range(5):
        await chat.answer(phone, f"n{number}")
    async with laptop.events() as stream, phone.events() as own:
        await stream.ready()
        await own.ready()
        statuses = [await phone.ask("POST", "/seen", json={"position": at}) for at in (3, 2, 999)]
        assert [found.status_code for found in statuses] == [204] * 3
        for one in (stream, own):  # tabs of one browser have one session
            await one.until(lambda one: one.of("seen")[-1:] == [{"position": 5}])
            assert {"position": 2} not in one.of("seen")
    assert (await laptop.entries())["seen"] == 5


async def test_two_devices_that_read_at_once_leave_the_farther_place(chat: Chat) -> None:
    pages = [await chat.visitor(signed("u-1")) for _ in range(2)]
    for number in range(9):
        await chat.answer(pages[0], f"n{number}")
    await asyncio.gather(*(pages[at % 2].ask("POST", "/seen", json={"position": 9 - at}) for at in range(9)))
    assert (await pages[0].entries())["seen"] == 9


@pytest.mark.parametrize("position", [None, "1", -1, 1.5, True, 2**70, [], {}])
async def test_what_is_no_position_is_refused(chat: Chat, position: object) -> None:
    page = await chat.visitor()
    assert (await page.ask("POST", "/seen", json={"position": position})).status_code == 400


# --- anything --------------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
BODIES = st.fixed_dictionaries(
    {},
    optional={
        "id": st.just(ID) | JSON,
        "text": JSON,
        "files": JSON,
        "press": JSON | st.fixed_dictionaries({"entry": JSON, "button": JSON}),
        "locale": JSON,
        "position": JSON,
        "user_token": JSON,
    },
)


def test_no_json_of_any_kind_causes_a_server_error() -> None:
    @settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow])
    @given(
        st.lists(st.tuples(st.sampled_from(("/messages", "/seen", "/sessions", "/typing")), BODIES), max_size=8)
    )
    def tried(asked: list[tuple[str, dict[str, Any]]]) -> None:
        for path, body in asked:
            found = loop.run_until_complete(page.ask("POST", path, content=json.dumps(body)))
            assert found.status_code in (201, 202, 204, 400, 401, 404, 409, 413, 429), (path, body, found.text)
            if found.status_code >= 400:
                assert list(found.json()) == ["error"]

    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        stack = opened({"rate": 1_000_000})
        chat = runner.run(stack.__aenter__())
        chat.adapter.starts._burst = chat.adapter.asks._burst = chat.adapter.types._burst = 1e9
        page = runner.run(chat.visitor(origin=SHOP))
        assert runner.run(page.say("works", id=new_id())).status_code == 202
        try:
            tried()
        finally:
            runner.run(stack.__aexit__(None, None, None))
