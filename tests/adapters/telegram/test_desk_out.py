"""What agents see in their group: topics, briefs, words, states, and how Telegram's refusals are taken."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import telegram

from supportbot.errors import ChannelBusy, ChannelError, ChannelGone, ChannelRefused, UsageError
from supportbot.testing.telegram import updates
from supportbot.testing.telegram.parts import SMALL_GROUP
from supportbot.testing.telegram.server import HANG, RESET, RESET_AFTER_ACCEPTING, Fault
from supportbot.types import Attachment
from supportbot_telegram import TelegramAdapter
from supportbot_telegram.desk import Pace
from supportbot_telegram.desk_inbound import Seen, seen
from supportbot_telegram.entities import utf16
from supportbot_telegram.inbound import Me, callback_data

from .conftest import Shop, opened
from .deskwork import (
    BEN,
    GROUP,
    SECOND,
    forum,
    in_topic,
    labels,
    opened_handoff,
    press,
    requested,
    row,
    said,
    written,
)

TOKEN = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"


def bad(description: str) -> Fault:
    return Fault("error", 400, f"Bad Request: {description}")


@pytest.fixture
async def shop(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shop]:
    monkeypatch.setattr("supportbot_telegram.desk.WINDOW", 0.01)
    async with opened({}, desks={"front": GROUP, "second": SECOND}) as one:
        await one.until(lambda: one.called("getUpdates"))
        yield one


def topic_of(shop: Shop, place: str, group: int = GROUP) -> Any:
    return shop.fake._book.chats[group].forum[int(place)]


# --- options -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [None, "", 0, 71001, "-", "@agents", "-12x", True, -1.5, [-1001], "-1001 "])
def test_a_place_that_is_no_groups_id_is_one_sentence(place: object) -> None:
    adapter = TelegramAdapter("shop", {"bot_token": TOKEN})
    with pytest.raises(UsageError, match=r"^place must be the chat id of the agents' group, a negative number"):
        adapter.desk("front", {"place": place})


def test_a_group_is_one_desk_only() -> None:
    adapter = TelegramAdapter("shop", {"bot_token": TOKEN})
    adapter.desk("front", {"place": -1001})
    adapter.desk("back", {"place": "-1002"})
    with pytest.raises(UsageError, match=r"^place is the group of the desk front already"):
        adapter.desk("third", {"place": "-1001"})


# --- the brief -----------------------------------------------------------------------------------------------


async def test_a_handoff_gets_a_topic_with_its_brief_buttons_and_transcript(shop: Shop) -> None:
    data = {"tags": ["billing", "vip"], "locale": "de", "channel": "web", "tried": ["Looked it up."]}
    place = await opened_handoff(shop, priority="urgent", slots={"order": "17"}, suggestion="Refund *it*", **data)
    topic = topic_of(shop, place)
    assert topic.name == "🟠 Anna Berg · h3f9c2a" and topic.icon_color == 0xFB6F5F
    brief, transcript = in_topic(shop, place)
    for line in (
        "Anna Berg needs a colleague",
        "Because: The customer asked for a human.",
        "Priority: urgent",
        "Tags: billing, vip",
        "Language: de",
        "Summary\nCustomer: the lamp is broken",
        "Suggested answer\nRefund *it*",
        "Facts\norder: 17",
        "Tried\n• Looked it up.",
    ):
        assert line in brief.text
    assert labels(brief) == ["Claim", "Return to the bot", "Resolve"]
    assert transcript.text == "Anna: The lamp is broken"
    assert [entity["type"] for entity in transcript.entities] == ["expandable_blockquote"]


async def test_what_the_buttons_carry_fits_and_is_nothing_a_customers_button_can_carry(shop: Shop) -> None:
    place = await opened_handoff(shop)
    markup = telegram.InlineKeyboardMarkup.de_json(in_topic(shop, place)[0].reply_markup, None)
    data = [button.callback_data for line in markup.inline_keyboard for button in line]
    assert data == [f"|claim|{place}", f"|return|{place}", f"|resolve|{place}"]
    assert all(len(one.encode()) <= 64 for one in data if isinstance(one, str))
    for user, thread, origin in (("", 0, 0), ("81002", int(place), 0), ("", 12, -GROUP)):
        theirs = callback_data("r1.0", user=user, thread=thread, origin=-origin, key=b"k")
        assert not theirs.startswith("|") and seen_press(theirs).act is None


def seen_press(data: str) -> Seen:
    return seen(telegram.Update.de_json({"update_id": 1, **updates.callback(data, chat=forum())}), Me(1))


async def test_customers_words_are_no_markup_and_call_nobody(shop: Shop) -> None:
    attack = '<a href="tg://user?id=81002">x</a> @ben_agent **bold** [l](https://evil.example) ada@shop.example'
    place = await opened_handoff(
        shop,
        customer={"id": "u-7", "name": attack},
        summary=attack,
        slots={attack: attack},
        tried=[attack],
        suggestion=attack,
        transcript=[{"role": "user", "name": attack, "text": attack}],
    )
    await shop.desks["front"].send(said(attack, place, name=attack))
    await shop.desks["front"].send(row("handoff.note", place, id="o-3", by=attack, note=attack))
    kinds = {entity["type"] for one in in_topic(shop, place) for entity in one.entities}
    assert kinds <= {"bold", "italic", "blockquote", "expandable_blockquote", "pre"}
    everything = "\n".join(one.text for one in in_topic(shop, place))
    assert (
        '<a href="tg://user?id=81002">x</a>' in everything and "**bold** [l](https://evil.example)" in everything
    )
    assert "@ben_agent" not in everything and "@\u200bben_agent" in everything
    assert "ada@shop.example" in everything, "an address stays one that can be copied"


async def test_everything_long_fits_and_the_whole_is_in_a_file(shop: Shop) -> None:
    place = await opened_handoff(
        shop,
        customer={"id": "u-7", "name": "🙂" * 5_000 + "\n\tx"},
        slots={f"slot {at} {'n' * 500}": f"value{at} " + "@v 🙂 " * 500 for at in range(100)},
        summary="@s " * 20_000,
        tags=["@t " * 100] * 50,
        transcript=[{"role": "user", "name": "", "text": f"line{at} " + "word " * 200} for at in range(60)],
    )
    assert len(topic_of(shop, place).name) <= 128 and "\n" not in topic_of(shop, place).name
    *brief, file = in_topic(shop, place)
    assert len(brief) == 2 and all(utf16(one.text) <= 4096 for one in brief)
    assert labels(brief[0]) == [] and labels(brief[1]) == ["Claim", "Return to the bot", "Resolve"]
    content = shop.fake.content(file.file_digest).decode()
    assert file.file_name == "transcript.txt" and "line59" in content and "value99" in content
    assert "\u200b" not in content, "in a file nobody is called"


async def test_a_long_message_of_a_customer_comes_in_parts_and_a_longer_one_as_a_file(shop: Shop) -> None:
    place = await opened_handoff(shop)
    before = len(in_topic(shop, place))
    await shop.desks["front"].send(said("\n".join(f"line{at} " + "🙂" * 60 for at in range(90)), place))
    parts = in_topic(shop, place)[before:]
    assert len(parts) == 3 and "".join(one.text for one in parts).count("line") == 90
    await shop.desks["front"].send(said("x" * 50_000, place, id="o-3"))
    first, file = in_topic(shop, place)[before + 3 :]
    assert first.text.startswith("Anna Berg\nxxx")
    assert shop.fake.content(file.file_digest) == b"x" * 50_000


async def test_the_bots_and_colleagues_markdown_is_shown_as_such(shop: Shop) -> None:
    place = await opened_handoff(shop)
    await shop.desks["front"].send(said("It is **on** its way", place, role="bot", name="Mia"))
    sent = in_topic(shop, place)[-1]
    assert sent.text == "Mia (bot)\nIt is on its way"
    assert [(entity["type"], entity["offset"]) for entity in sent.entities] == [("bold", 0), ("bold", 16)]


async def test_files_come_with_their_content_or_are_named(shop: Shop) -> None:
    place = await opened_handoff(shop)
    kept = shop.files.add(b"%PDF")
    files = (
        Attachment("bill.pdf", "application/pdf", 4, digest=kept),
        Attachment("lost.pdf", "application/pdf", 4, digest="0" * 64),
        Attachment("huge.mp4", "video/mp4", 60_000_000, digest=kept),
        Attachment("poll", "application/x-poll"),
        Attachment("odd.jpg", "image/jpeg", 4, digest=kept),
    )
    shop.fake.next("sendPhoto", bad("IMAGE_PROCESS_FAILED"))
    shop.fake.next("sendDocument", None, bad("the file is odd"))
    await shop.desks["front"].send(said("Here", place, files=files))
    words, bill, *named = in_topic(shop, place)[-6:]
    assert words.text == "Anna Berg\nHere" and shop.fake.content(bill.file_digest) == b"%PDF"
    assert [one.text.rpartition(" ")[2] for one in named] == ["lost.pdf", "huge.mp4", "poll", "odd.jpg"]


# --- states --------------------------------------------------------------------------------------------------


async def test_buttons_name_and_topic_follow_the_state(shop: Shop) -> None:
    desk = shop.desks["front"]
    place = await opened_handoff(shop)
    brief, topic = in_topic(shop, place)[0], topic_of(shop, place)
    await desk.send(row("handoff.claimed", place, id="o-2", status="claimed", agent="Ben"))
    assert labels(brief) == ["Put back", "Return to the bot", "Resolve"] and topic.name.startswith("🟢 Anna")
    await desk.send(row("handoff.updated", place, id="o-3", change="released", by="Ben"))
    assert labels(brief)[0] == "Claim" and topic.name.startswith("🟠 Anna")
    await desk.send(row("handoff.resolved", place, id="o-4", status="resolved", agent="Ben"))
    assert labels(brief) == [] and topic.name.startswith("✓ Anna") and topic.closed
    assert [one.text for one in in_topic(shop, place)[2:]] == [
        "Ben has taken this.",
        "Ben has put this back: free for others.",
        "Ben has resolved this.",
    ]
    again = await desk.send(requested(id="o-5", place=place, reopened=True))
    assert again == place and not topic.closed and topic.name.startswith("🟠 Anna")
    newer = next(one for one in reversed(in_topic(shop, place)) if labels(one))
    assert newer is not brief and "is back: the handoff is open again" in newer.text


async def test_new_words_open_a_closed_topic(shop: Shop) -> None:
    desk = shop.desks["front"]
    place = await opened_handoff(shop)
    await desk.send(row("handoff.returned", place, id="o-2", status="returned", agent=""))
    assert topic_of(shop, place).closed
    await desk.send(said("One more thing", place, id="o-3", status="returned"))
    assert not topic_of(shop, place).closed and in_topic(shop, place)[-1].text.endswith("One more thing")


async def test_words_for_a_topic_that_an_agent_closed_open_it(shop: Shop) -> None:
    place = await opened_handoff(shop)
    shop.fake.add(updates.topic_event("closed", int(place), forum()))
    await shop.until(lambda: int(place) in shop.desks["front"]._closed)
    await shop.desks["front"].send(said("Hello?", place))
    assert not topic_of(shop, place).closed


async def test_a_bot_that_may_not_write_into_a_closed_topic_opens_it_first(shop: Shop) -> None:
    place = await opened_handoff(shop)
    chat = shop.fake._book.chats[GROUP]
    chat.members.clear()  # no administrator any more; it may still change the topics that it made
    topic_of(shop, place).closed = True
    await shop.desks["front"].send(said("Hello?", place))
    assert not topic_of(shop, place).closed and in_topic(shop, place)[-1].text == "Anna Berg\nHello?"


async def test_a_handoff_that_goes_to_another_desk_is_closed_here(shop: Shop) -> None:
    place = await opened_handoff(shop)
    await shop.desks["front"].send(row("handoff.updated", place, id="o-2", change="assigned", assignee="42"))
    assert not topic_of(shop, place).closed
    gone = row("handoff.updated", place, id="o-3", change="transferred", to="second")
    await shop.desks["front"].send(gone)
    assert topic_of(shop, place).closed and in_topic(shop, place)[-1].text == "Passed on to second"


async def test_after_a_restart_the_next_change_has_buttons_of_its_own(shop: Shop) -> None:
    place = await opened_handoff(shop)
    desk = shop.desks["front"]
    desk._boards.clear()  # as after a restart
    await desk.send(row("handoff.claimed", place, id="o-2", status="claimed", agent="Ben"))
    line = in_topic(shop, place)[-1]
    assert labels(line) == ["Put back", "Return to the bot", "Resolve"]
    desk._boards.clear()
    assert await shop.fake.delivered(shop.fake.add(press("release", place, line.message_id)))
    await desk.send(row("handoff.updated", place, id="o-3", change="released", by="Ben"))
    assert labels(line)[0] == "Claim", "a press tells where the buttons are"


async def test_an_agent_is_called_by_their_id(shop: Shop) -> None:
    place = await opened_handoff(shop)
    assert await shop.fake.delivered(shop.fake.add(press("claim", place)))
    for at, data in enumerate(
        (
            {"change": "assigned", "assignee": str(BEN)},
            {"change": "refused", "by": {"id": str(BEN), "name": "Ben"}, "why": "Ana has it."},
        )
    ):
        await shop.desks["front"].send(row("handoff.updated", place, id=f"u-{at}", **data))
    assigned, refused = in_topic(shop, place)[-2:]
    assert assigned.text == "Ben, this is offered to you."
    assert refused.text == "Ben, that was not carried out: Ana has it."
    for one in (assigned, refused):
        (entity,) = (telegram.MessageEntity.de_json(entity, None) for entity in one.entities)
        assert entity.type == "text_mention" and entity.user is not None and entity.user.id == BEN


# --- failures ------------------------------------------------------------------------------------------------


async def test_a_brief_that_fails_is_tried_again_in_the_same_topic(shop: Shop) -> None:
    shop.fake.next("sendMessage", None, RESET)
    with pytest.raises(ChannelBusy):
        await shop.desks["front"].send(requested())
    place = await shop.desks["front"].send(replace(requested(), attempt=1))
    assert len(shop.called("createForumTopic")) == 1
    assert [one.text.partition("\n")[0] for one in in_topic(shop, place)] == [
        "Anna Berg needs a colleague",
        "Anna: The lamp is broken",
    ]
    assert await shop.desks["front"].send(replace(requested(), attempt=2)) == place
    assert len(in_topic(shop, place)) == 2, "a row that is done is done"


async def test_a_send_that_is_cancelled_goes_on_where_it_was(shop: Shop) -> None:
    shop.fake.next("sendMessage", None, HANG)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await shop.desks["front"].send(requested())
    place = await shop.desks["front"].send(replace(requested(), attempt=1))
    assert len(shop.called("createForumTopic")) == 1 and len(in_topic(shop, place)) == 2


async def test_a_topic_whose_answer_was_lost_is_found_again(shop: Shop) -> None:
    shop.fake.next("createForumTopic", RESET_AFTER_ACCEPTING)
    with pytest.raises(ChannelBusy):
        await shop.desks["front"].send(requested())
    await shop.until(lambda: shop.desks["front"]._made)
    place = await shop.desks["front"].send(replace(requested(), attempt=1))
    assert len(shop.called("createForumTopic")) == 1 and len(shop.fake._book.chats[GROUP].forum) == 1
    assert len(in_topic(shop, place)) == 2


async def test_what_agents_need_is_not_held_up_by_looks(shop: Shop) -> None:
    place = await opened_handoff(shop)
    for method in ("editForumTopic", "editMessageReplyMarkup"):
        shop.fake.always(method, Fault())
    await shop.desks["front"].send(row("handoff.resolved", place, id="o-2", status="resolved", agent="Ben"))
    assert topic_of(shop, place).closed
    await shop.desks["front"].send(row("handoff.resolved", place, id="o-3", status="resolved", agent="Ben"))


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (bad("not enough rights to create a topic"), "may not manage topics"),
        (bad("CHAT_ADMIN_REQUIRED"), "may not manage topics"),
        (bad("the chat is not a forum"), "There are no topics"),
        (bad("chat not found"), "correct desks.front.place"),
        (Fault("error", 403, "Forbidden: bot was kicked from the supergroup chat"), "The bot is not in the group"),
    ],
)
async def test_what_an_operator_can_mend_is_said_once_and_loses_nothing(
    shop: Shop, fault: Fault, sentence: str
) -> None:
    shop.fake.next("createForumTopic", fault, fault)
    for attempt in range(2):
        with pytest.raises(ChannelBusy, match=sentence) as caught:
            await shop.desks["front"].send(replace(requested(), attempt=attempt))
        assert caught.value.retry_after == 60
    (said_once,) = shop.logged("telegram.desk")
    assert sentence in said_once["error"] and said_once["desk"] == "front"
    assert await shop.desks["front"].send(replace(requested(), attempt=2))


async def test_rights_that_are_missing_are_really_refused_and_given(shop: Shop) -> None:
    chat = shop.fake._book.chats[GROUP]
    members, chat.members = chat.members, {}
    with pytest.raises(ChannelBusy, match="may not manage topics"):
        await shop.desks["front"].send(requested())
    chat.members = members
    assert await shop.desks["front"].send(replace(requested(), attempt=1))


@pytest.mark.parametrize(
    ("fault", "kind", "after"),
    [
        (Fault("rate limit", retry_after=17), ChannelBusy, 17),
        (RESET, ChannelBusy, None),
        (Fault(), ChannelBusy, None),
        (bad("message is too strange"), ChannelRefused, None),
        (bad("message thread not found"), ChannelGone, None),
        (bad("TOPIC_DELETED"), ChannelGone, None),
    ],
)
async def test_other_failures_are_what_they_are(
    shop: Shop, fault: Fault, kind: type[ChannelError], after: float | None
) -> None:
    place = await opened_handoff(shop)
    shop.fake.next("sendMessage", fault)
    with pytest.raises(ChannelError) as caught:
        await shop.desks["front"].send(said("Hello", place))
    assert type(caught.value) is kind and shop.fake.token not in str(caught.value)
    assert getattr(caught.value, "retry_after", None) == after


async def test_words_for_a_deleted_topic_never_go_to_general(shop: Shop) -> None:
    place = await opened_handoff(shop)
    before = len(shop.fake.sent)
    shop.fake._book.chats[GROUP].delete_topic(int(place))
    with pytest.raises(ChannelGone, match="somebody deleted it"):
        await shop.desks["front"].send(said("A secret", place))
    assert len(shop.fake.sent) == before
    again = await shop.desks["front"].send(requested(id="o-3", place=place, reopened=True))
    assert again != place and in_topic(shop, again)


async def test_a_group_that_has_moved_is_written_to_and_heard_under_its_new_id() -> None:
    def moved(fake: Any) -> None:
        fake.chat(SMALL_GROUP, "group", "Agents")
        fake.migrate(SMALL_GROUP, GROUP)
        fake.forum(GROUP)

    async with opened({}, desks={"front": SMALL_GROUP}, ready=moved) as shop:
        await shop.until(lambda: shop.called("getUpdates"))
        (told,) = shop.logged("telegram.desk")
        assert told["error"] == f"The group's chat id is {GROUP} now: write it into desks.front.place."
        place = await opened_handoff(shop)
        assert {one.chat_id for one in in_topic(shop, place)} == {GROUP}
        assert await shop.fake.delivered(shop.fake.add(written("Hello", place)))
        assert [act.text for _, act in shop.house.acts] == ["Hello"] and shop.inbox.messages == []


async def test_the_start_says_what_the_group_lacks() -> None:
    for ready, sentence in (
        (lambda fake: fake.forum(GROUP, status="member"), "may not manage topics"),
        (lambda fake: fake.chat(GROUP, "supergroup", statuses={fake.id: "administrator"}), "There are no topics"),
        (lambda fake: fake._book.chats.pop(GROUP), "knows no group"),
    ):
        async with opened({}, desks={"front": GROUP}, ready=ready) as shop:
            await shop.until(lambda shop=shop: shop.called("getUpdates"))
            assert sentence in shop.logged("telegram.desk")[0]["error"]


async def test_the_group_has_the_desks_commands_in_its_menu(shop: Shop) -> None:
    await shop.until(lambda: len(shop.fake._methods.commands) >= 3)
    for group in (GROUP, SECOND):
        listed = shop.fake._methods.commands["chat", str(group), "", ""]
        assert [one["command"] for one in listed] == ["claim", "release", "return", "resolve", "transfer", "note"]


async def test_a_desk_of_a_channel_that_does_not_run_is_busy() -> None:
    desk = TelegramAdapter("shop", {"bot_token": TOKEN}).desk("front", {"place": GROUP})
    with pytest.raises(ChannelBusy, match="not running"):
        await desk.send(requested())


# --- the pace ------------------------------------------------------------------------------------------------


async def test_twenty_messages_go_at_once_and_the_next_waits_for_its_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("supportbot_telegram.desk.WINDOW", 0.2)
    pace, loop = Pace(), asyncio.get_running_loop()
    began = loop.time()
    for _ in range(20):
        await pace.turn()
    assert loop.time() - began < 0.15
    await pace.turn()
    assert loop.time() - began >= 0.19


async def test_messages_that_belong_together_find_room_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("supportbot_telegram.desk.WINDOW", 0.2)
    pace, loop = Pace(), asyncio.get_running_loop()
    began = loop.time()
    await pace.turn(18)
    await pace.turn(2)
    assert loop.time() - began < 0.15
    await pace.turn(3)
    assert loop.time() - began >= 0.19
    await pace.turn(17)
    assert loop.time() - began < 0.35, "there is room for seventeen beside the three"


async def test_a_topic_is_made_only_when_its_brief_has_room(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("supportbot_telegram.desk.WINDOW", 60.0)
    desk = shop.desks["front"]
    await desk._pace.turn(19)
    with pytest.raises(ChannelBusy) as caught:
        await desk.send(requested())
    assert caught.value.retry_after and caught.value.retry_after > 30
    assert shop.called("createForumTopic") == []
    desk._pace._times.clear()
    await desk._pace.turn(18)
    place = await desk.send(replace(requested(), attempt=1))
    assert len(in_topic(shop, place)) == 2, "the brief has its two turns"
    with pytest.raises(ChannelBusy):
        await desk.send(said("Hello", place))


async def test_a_burst_of_handoffs_stays_within_what_the_group_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened({}, desks={"front": GROUP}, fake={"limits": True}) as shop:
        desk = shop.desks["front"]
        sends = [desk.send(requested(id=f"o-{at}", handoff=f"h_{at:06}")) for at in range(15)]
        results = await asyncio.gather(*sends, return_exceptions=True)
        busy = [one for one in results if isinstance(one, ChannelBusy)]
        assert len(shop.fake.sent) == 20 and shop.fake.rate_limited == 0
        assert busy and all(one.retry_after and 30 < one.retry_after <= 60 for one in busy)
        assert desk.capabilities.channel_rate == pytest.approx(1 / 3)


def test_an_outage_of_days_loses_nothing() -> None:
    desk = TelegramAdapter("shop", {"bot_token": TOKEN}).desk("front", {"place": GROUP})
    assert sum(desk.capabilities.retry_delays) > 6 * 86_400
    assert max(desk.capabilities.retry_delays) <= 1_800, "what was mended is noticed within half an hour"
