"""Showing a reply while it is written, and that somebody is at work."""

from __future__ import annotations

import pytest

from supportbot.testing.telegram.parts import ANNA, GROUP
from supportbot.testing.telegram.server import BAD_GATEWAY, Fault
from supportbot.types import Address

from .conftest import Shop, opened, outgoing


@pytest.fixture
async def shop(polling: Shop) -> Shop:
    polling.fake.chat(ANNA, topics=[9])
    polling.fake.chat(GROUP, "supergroup")
    return polling


async def test_a_draft_grows_and_the_message_takes_its_place(shop: Shop) -> None:
    handle = await shop.adapter.preview(outgoing(), "It was **ship")
    again = await shop.adapter.preview(outgoing(preview=handle), "It was **shipped** yesterday")
    assert handle == again and handle.startswith("draft|")
    assert [draft.text for draft in shop.fake.drafts] == ["It was **ship", "It was shipped yesterday"]
    assert len({draft.draft_id for draft in shop.fake.drafts}) == 1 and shop.fake.drafts[0].draft_id
    await shop.adapter.send(outgoing("It was shipped yesterday.", preview=handle))
    assert shop.fake.texts() == ["It was shipped yesterday."]


async def test_each_answer_has_its_own_draft(shop: Shop) -> None:
    handles = {await shop.adapter.preview(outgoing(), "x") for _ in range(20)}
    assert len(handles) == 20


@pytest.mark.parametrize("handle", ["", "draft|", "draft|0", "draft|x", "C1|17"])
async def test_a_handle_that_is_none_of_ours_begins_a_new_draft(shop: Shop, handle: str) -> None:
    assert (await shop.adapter.preview(outgoing(preview=handle), "x")).removeprefix("draft|").isdigit()
    assert shop.fake.drafts[0].draft_id > 0


async def test_a_draft_stays_in_its_topic(shop: Shop) -> None:
    await shop.adapter.preview(outgoing(address=Address("shop", str(ANNA), "9")), "x")
    assert shop.fake.drafts[0].thread == 9


async def test_a_group_sees_no_draft(shop: Shop) -> None:
    assert await shop.adapter.preview(outgoing("", GROUP), "x") == ""
    assert shop.fake.drafts == []


async def test_of_a_long_text_the_end_is_shown(shop: Shop) -> None:
    await shop.adapter.preview(outgoing(), "begin " + "word 🙂 " * 1500 + "end")
    assert shop.fake.drafts[0].text.startswith("…") and shop.fake.drafts[0].text.endswith("end")


async def test_nothing_to_show_is_not_shown(shop: Shop) -> None:
    assert await shop.adapter.preview(outgoing(preview="draft|7"), "  ") == "draft|7"
    assert shop.fake.drafts == []


@pytest.mark.parametrize(
    ("fault", "tries"),
    [(Fault("error", 404, "Not Found: method not found"), 1), (Fault("error", 400, "Bad Request: no"), 3)],
    ids=["where there are none", "in a chat that takes none"],
)
async def test_drafts_are_not_tried_again_where_there_are_none(shop: Shop, fault: Fault, tries: int) -> None:
    shop.fake.always("sendMessageDraft", fault)
    assert [await shop.adapter.preview(outgoing(), "x") for _ in range(3)] == ["", "", ""]
    assert len(shop.called("sendMessageDraft")) == len(shop.logged("telegram.no_previews")) == tries


async def test_a_draft_that_fails_for_now_is_tried_again(shop: Shop) -> None:
    shop.fake.next("sendMessageDraft", BAD_GATEWAY, Fault("rate limit"), None)
    handle = await shop.adapter.preview(outgoing(), "x")
    assert await shop.adapter.preview(outgoing(preview=handle), "x y") == handle
    assert await shop.adapter.preview(outgoing(preview=handle), "x y z") == handle
    assert [draft.text for draft in shop.fake.drafts] == ["x y z"]


async def test_drafts_can_be_switched_off() -> None:
    async with opened({"stream": False}) as shop:
        assert not shop.adapter.capabilities.streaming


async def test_working_shows_typing_where_the_answer_will_stand(shop: Shop) -> None:
    await shop.adapter.working(outgoing(address=Address("shop", str(ANNA), "9")), "looking up your order")
    await shop.adapter.working(outgoing("", GROUP), "")
    assert [(one.chat_id, one.thread, one.action) for one in shop.fake.actions] == [
        (ANNA, 9, "typing"),
        (GROUP, None, "typing"),
    ]


async def test_a_human_who_writes_is_seen_typing(shop: Shop) -> None:
    await shop.adapter.writing(Address("shop", str(ANNA), "9"), "Maya")
    assert [(one.chat_id, one.thread, one.action) for one in shop.fake.actions] == [(ANNA, 9, "typing")]


async def test_working_never_fails(shop: Shop) -> None:
    shop.fake.always("sendChatAction", Fault("error", 403, "Forbidden: bot was blocked by the user"))
    await shop.adapter.working(outgoing(), "")
    await shop.adapter.stop()
    await shop.adapter.working(outgoing(), "")
