"""What agents do in their group: what becomes an act, what does not, and when Telegram may forget it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from supportbot.errors import ChannelBusy, FileTooLarge, StoreBusy, StoreFull
from supportbot.testing.telegram import updates
from supportbot.testing.telegram.parts import entity
from supportbot.testing.telegram.server import RESET_AFTER_ACCEPTING, Fault
from supportbot.types import Act, Attachment, User
from supportbot_telegram.tasks import Tasks

from .conftest import SECRET, Shop, opened
from .deskwork import (
    BEN,
    GROUP,
    SECOND,
    agent,
    forum,
    in_topic,
    opened_handoff,
    press,
    requested,
    said,
    written,
)

AGENT = User(str(BEN), "Ben")


@pytest.fixture
async def shop(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shop]:
    monkeypatch.setattr("supportbot_telegram.desk.WINDOW", 0.01)
    monkeypatch.setattr("supportbot_telegram.tasks._FIRST_WAIT", 0.01)
    monkeypatch.setattr("supportbot_telegram.tasks._LONGEST_WAIT", 0.05)
    async with opened({}, desks={"front": GROUP, "second": SECOND}) as one:
        await one.until(lambda: one.called("getUpdates"))
        yield one


async def taken(shop: Shop, *brought: dict[str, Any]) -> list[tuple[str, Act]]:
    """The acts that came of these updates, once Telegram may forget them."""
    before = len(shop.house.acts)
    for update in brought:
        assert await shop.fake.delivered(shop.fake.add(update))
    assert shop.inbox.messages == [], "nothing in a desk's group is a customer's"
    return shop.house.acts[before:]


async def quiet(shop: Shop) -> None:
    """Whatever was started in the background has ended."""
    running = shop.adapter._running
    assert running is not None and isinstance(running.tasks, Tasks)
    await shop.until(lambda: not [task for task in running.tasks._running if task.get_name().endswith(": hint")])


# --- the whole way -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["polling", "webhook"])
async def test_a_handoff_from_the_request_to_its_end(mode: str) -> None:
    more = {"mode": "webhook", "webhook_secret": SECRET} if mode == "webhook" else {}
    async with opened(more, desks={"front": GROUP}) as shop:
        await shop.until(lambda: shop.logged("telegram.ready"))
        place = await opened_handoff(shop)
        brief = in_topic(shop, place)[0]
        await shop.desks["front"].send(said("Hello?", place))
        acts = await taken(
            shop,
            press("claim", place, brief.message_id),
            written("On its way!", place),
            written("// angry, be nice", place),
            press("resolve", place, brief.message_id),
        )
        assert [(desk, act.kind, act.text, act.handoff, act.agent) for desk, act in acts] == [
            ("front", "claim", "", "h_3f9c2a77", AGENT),
            ("front", "message", "On its way!", "h_3f9c2a77", AGENT),
            ("front", "note", "angry, be nice", "h_3f9c2a77", AGENT),
            ("front", "resolve", "", "h_3f9c2a77", AGENT),
        ]
        await shop.until(lambda: len(shop.fake.answers) == 2)
        assert [one.text for one in shop.fake.answers] == ["Claiming…", "Resolving…"]


async def test_each_group_is_its_own_desk(shop: Shop) -> None:
    one, two = await opened_handoff(shop, "front"), await opened_handoff(shop, "second", id="o-9", handoff="h_two")
    acts = await taken(shop, written("here", one), written("there", two, SECOND))
    assert [(desk, act.text, act.handoff) for desk, act in acts] == [
        ("front", "here", "h_3f9c2a77"),
        ("second", "there", "h_two"),
    ]
    assert {sent.chat_id for sent in shop.fake.sent} == {GROUP, SECOND}


# --- acts ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kind", "words", "to"),
    [
        ("Hello *you* <b>", "message", "Hello *you* <b>", ""),
        ("/etc/hosts is broken", "message", "/etc/hosts is broken", ""),
        ("see https://shop.example//a", "message", "see https://shop.example//a", ""),
        ("//check the stock", "note", "check the stock", ""),
        ("  // check", "note", "check", ""),
        ("Note: check", "note", "check", ""),
        ("note：check", "note", "check", ""),
        ("ｎｏｔｅ：check", "note", "check", ""),
        ("／／check", "note", "check", ""),
        ("*note:* check", "note", "check", ""),
        ("__Note__: check", "note", "check", ""),
        ("`//` check", "note", "check", ""),
        ("> note: check", "note", "check", ""),
        ("• note: check", "note", "check", ""),
        ("1. // check", "note", "check", ""),
        ("🔒 note: check", "note", "check", ""),
        ("@ana note: check", "note", "check", ""),
        ("\u200bnote: check", "note", "check", ""),
        ("\ufeff\u2060/\u200b/ check", "note", "check", ""),
        ("\u200b/note check", "note", "check", ""),
        ("/note: check", "note", "check", ""),
        ("note - check", "note", "check", ""),
        ("notes: none", "message", "notes: none", ""),
        ("note-taking is on", "message", "note-taking is on", ""),
        ("please note: closed", "message", "please note: closed", ""),
        ("/note check", "note", "check", ""),
        ("/claim", "claim", "", ""),
        ("/release@support_bot", "release", "", ""),
        ("/return It goes on with the bot", "return", "It goes on with the bot", ""),
        ("/resolve", "resolve", "", ""),
        ("/Resolve Done!\nBye", "resolve", "Done!\nBye", ""),
        ("/transfer billing", "transfer", "", "billing"),
    ],
)
async def test_what_is_typed_in_a_topic(shop: Shop, text: str, kind: str, words: str, to: str) -> None:
    place = await opened_handoff(shop)
    ((_, act),) = await taken(shop, written(text, place))
    assert (act.kind, act.text, act.to, act.handoff) == (kind, words, to, "h_3f9c2a77")


async def test_a_note_may_begin_with_a_colleague_who_has_no_username(shop: Shop) -> None:
    place, text = await opened_handoff(shop), "🙂 Ana note: check"
    called = {**entity("text_mention", text, "🙂 Ana"), "user": agent()}
    ((_, act),) = await taken(shop, written(text, place, entities=[called]))
    assert (act.kind, act.text) == ("note", "check")


async def test_formatting_that_an_agent_chose_is_kept(shop: Shop) -> None:
    place = await opened_handoff(shop)
    text = "🙂 It is on its way"
    ((_, act),) = await taken(shop, written(text, place, entities=[entity("bold", text, "on its way")]))
    assert act.text == "🙂 It is **on its way**"


async def test_files_can_be_fetched_and_their_captions_are_words(shop: Shop) -> None:
    place, desk = await opened_handoff(shop), shop.desks["front"]
    content = b"%PDF" * 100
    shop.fake.file("document-1", content, "application/pdf", "invoice.pdf")
    in_place = {"chat": forum(), "message_thread_id": int(place), "is_topic_message": True, "from": agent()}
    acts = await taken(
        shop,
        updates.document(caption="The bill", **in_place),
        updates.photo(caption="// damaged", **in_place),
        updates.voice(**in_place),
    )
    assert [(act.kind, act.text) for _, act in acts] == [
        ("message", "The bill"),
        ("note", "damaged"),
        ("message", ""),
    ]
    files = [act.attachments[0] for _, act in acts]
    assert [file.name for file in files] == ["invoice.pdf", "photo.jpg", "voice.ogg"]
    assert await desk.fetch(Attachment("invoice.pdf", size=-1, ref=files[0].ref), limit=400) == content
    with pytest.raises(FileTooLarge):
        await desk.fetch(Attachment("invoice.pdf", size=-1, ref=files[0].ref), limit=399)


async def test_acts_have_the_same_ids_when_telegram_brings_them_again(shop: Shop) -> None:
    place = await opened_handoff(shop)
    message, pressed = written("Hello", place), press("claim", place)
    acts = await taken(shop, message, message, pressed, pressed)
    number = message["message"]["message_id"]
    assert [act.id for _, act in acts] == [f"{GROUP}.{number}", f"press.{pressed['callback_query']['id']}"]
    assert shop.house.asked == 4


async def test_a_press_on_a_message_too_old_to_be_seen_counts(shop: Shop) -> None:
    place = await opened_handoff(shop)
    old = updates.callback_on_old(f"|return|{place}", 5, forum())
    ((_, act),) = await taken(shop, old)
    assert (act.kind, act.handoff) == ("return", "h_3f9c2a77")


# --- before the house knows the place -------------------------------------------------------------------------


async def test_words_in_a_topic_whose_brief_is_not_out_are_the_handoffs(shop: Shop) -> None:
    shop.fake.always("sendMessage", Fault())
    shop.house.handoffs.add("h_3f9c2a77")  # the house knows it, but not where it stands
    with pytest.raises(ChannelBusy):
        await shop.desks["front"].send(requested())
    (place,) = shop.fake._book.chats[GROUP].forum
    acts = await taken(shop, written("I am here", str(place)), press("claim", str(place)))
    assert [(act.kind, act.text, act.handoff, act.place) for _, act in acts] == [
        ("message", "I am here", "h_3f9c2a77", ""),
        ("claim", "", "h_3f9c2a77", ""),
    ]


async def test_words_in_a_topic_whose_answer_was_lost_are_the_handoffs(shop: Shop) -> None:
    shop.house.handoffs.add("h_3f9c2a77")
    shop.fake.next("createForumTopic", RESET_AFTER_ACCEPTING)
    with pytest.raises(ChannelBusy):
        await shop.desks["front"].send(requested())
    (place,) = shop.fake._book.chats[GROUP].forum
    ((_, act),) = await taken(shop, written("I am here", str(place)))
    assert (act.text, act.handoff) == ("I am here", "h_3f9c2a77")


# --- no acts -------------------------------------------------------------------------------------------------


async def test_what_no_agent_said_is_no_act(shop: Shop) -> None:
    place = await opened_handoff(shop)
    robot = updates.user(81009, "Helper", is_bot=True)
    silent = [
        written("by a bot", place, sender=robot),
        written("through a bot", place, via_bot=robot),
        written("/weather@helper_bot", place),
        written("", place, pinned_message=updates.message(forum(), text="x")),
        *(updates.topic_event(kind, int(place), forum(), updates.bot()) for kind in ("created", "edited")),
        *(updates.topic_event(kind, int(place), forum()) for kind in ("closed", "reopened")),
        updates.text("in General", forum(), agent()),
        updates.mention("@support_bot in General", forum(), agent()),
        updates.command("/help@support_bot", forum(), agent()),
        updates.reply_in_group(3, "to the bot", forum()),
        updates.joined(chat=forum()),
        updates.bot_added(forum()),
    ]
    before = len(shop.fake.sent)
    assert await taken(shop, *silent) == [] and shop.house.asked == 0
    await quiet(shop)
    assert len(shop.fake.sent) == before and shop.inbox.log == []


async def test_the_bots_own_topics_and_changes_come_back_and_are_no_acts(shop: Shop) -> None:
    place = await opened_handoff(shop)
    await shop.until(lambda: not shop.fake.pending)
    assert shop.house.asked == 0 and shop.inbox.log == [] and place


async def test_a_topic_of_the_agents_own_is_never_asked_about(shop: Shop) -> None:
    """The house would say "come again" while a handoff is on its way, and hold up everybody else's updates."""
    shop.house.error = StoreBusy("a handoff is on its way")
    created = updates.topic_event("created", 900, forum(), agent())
    in_it = written("pizza?", "900", creator=agent())
    answered = written("pasta!", "900", reply_to_message=updates.message(forum(), agent(), text="pizza?"))
    assert await taken(shop, in_it, created, answered) == []
    assert shop.house.asked == 0
    hidden = updates.topic_event("created", 901, forum(), updates.user(1087968824, "Group", is_bot=True))
    hidden["message"]["sender_chat"] = forum()
    assert await taken(shop, hidden, updates.topic("more pizza", 901, forum(), agent())) == []


async def test_a_topic_that_may_be_anybodys_holds_up_the_others_only_for_a_moment(shop: Shop) -> None:
    shop.house.error = StoreBusy("a handoff is on its way")
    answer = {"reply_to_message": updates.message(forum(), agent(), text="pizza?")}
    assert await taken(shop, written("pasta!", "900", **answer)) == []
    assert shop.house.asked == 6 and shop.logged("telegram.desk_unknown_topic")
    assert await taken(shop, written("and cake!", "900", **answer)) == []
    assert shop.house.asked == 7, "the next words in that topic hold up nobody"
    assert [json.loads(content)["message"]["text"] for _, content, _ in shop.inbox.aside] == [
        "pasta!",
        "and cake!",
    ]
    number = shop.fake.add(written("to the customer", await shop.desks["front"].send(requested())))
    await shop.until(lambda: shop.house.asked >= 16)
    assert number in shop.fake.pending, "in a topic of ours an act is never given up"


async def test_words_in_a_topic_left_by_a_kill_are_set_aside_and_their_writer_is_told(shop: Shop) -> None:
    """The process ended between the topic and its brief: nobody knows whose the topic was."""
    place = await shop.desks["front"].send(requested())
    front = shop.desks["front"]
    front._handoffs.clear(), front._ours.clear(), front._made.clear()
    shop.house.error = StoreBusy("a handoff is on its way")
    first, second = (
        shop.fake.add(written(text, place, creator=updates.bot())) for text in ("Hello", "Are you there?")
    )
    behind = shop.fake.add(updates.text("Where is my parcel?"))
    assert await shop.fake.delivered(behind)
    assert [id for id, _, _ in shop.inbox.aside] == [f"update.{first}", f"update.{second}"]
    assert "not known for half a minute" in shop.inbox.aside[0][2] and shop.house.asked == 7
    assert [message.text for message in shop.inbox.messages] == ["Where is my parcel?"]
    await shop.until(lambda: in_topic(shop, place)[-1].text == "Not sent: no handoff stands in this topic.")


async def test_a_full_store_sets_nothing_aside(shop: Shop) -> None:
    shop.house.error = shop.inbox.error = StoreBusy("the disk does not answer")
    number = shop.fake.add(written("Hello", "900", creator=updates.bot()))
    await shop.until(lambda: shop.house.asked >= 10)
    assert number in shop.fake.pending and shop.inbox.aside == []


async def test_an_unknown_topic_is_nobodys_and_changes_nothing(shop: Shop) -> None:
    before = len(shop.fake.sent)
    assert await taken(shop, updates.topic("who has lunch? @support_bot", 55_555, forum(), agent())) == []
    assert await taken(shop, press("claim", "55555")) == []
    await shop.until(lambda: shop.fake.answers)
    assert shop.fake.answers[0].text == "There is no such handoff any more."
    await quiet(shop)
    assert len(shop.fake.sent) == before


# --- what a writer is told -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "more", "told"),
    [
        ("/start", {}, "Not sent: what begins with a command"),
        ("/transfer", {}, "Not sent: what begins with a command"),
        ("", {"poll": updates.poll()["message"]["poll"]}, "Not sent: this cannot be passed on"),
        (
            "Hi",
            {"sender": updates.user(1087968824, "Group", is_bot=True), "sender_chat": forum()},
            "Not sent: who writes",
        ),
    ],
)
async def test_who_reaches_nobody_is_told(shop: Shop, text: str, more: dict[str, Any], told: str) -> None:
    place = await opened_handoff(shop)
    update = written(text, place, **more)
    assert await taken(shop, update) == []
    await shop.until(lambda: in_topic(shop, place)[-1].text.startswith(told))
    assert in_topic(shop, place)[-1].reply_to == update["message"]["message_id"]


async def test_an_edit_is_told_once_to_its_writer_and_is_no_act(shop: Shop) -> None:
    place = await opened_handoff(shop)
    first, note = written("It is 5 euros", place), written("• note: secret", place)
    await taken(shop, first, note)

    def edited(update: dict[str, Any], text: str) -> dict[str, Any]:
        return {"edited_message": {**update["message"], "text": text, "edit_date": 1_790_000_000}}

    again = (edited(first, "It is 6 euros"), edited(first, "It is 7 euros"), edited(note, "// more secret"))
    before = len(in_topic(shop, place))
    assert await taken(shop, *again, edited(written("lunch", "900", creator=agent()), "dinner")) == []
    await shop.until(lambda: len(in_topic(shop, place)) > before)
    await quiet(shop)
    (told,) = in_topic(shop, place)[before:]
    assert told.text.startswith("The customer has the first version")
    assert told.reply_to == first["message"]["message_id"]


# --- the store -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [StoreFull("the disk is full"), StoreBusy("its place is not known yet")])
async def test_in_polling_what_cannot_be_stored_keeps_the_offset_and_comes_again(
    shop: Shop, error: StoreFull | StoreBusy
) -> None:
    place = await opened_handoff(shop)
    await shop.until(lambda: not shop.fake.pending)
    shop.house.error = error
    numbers = [shop.fake.add(one) for one in (written("keep this", place), press("claim", place))]
    await shop.until(lambda: len(shop.logged("telegram.not_stored")) >= 3)
    assert shop.fake.pending == numbers
    assert shop.fake.answers == [], "a press is answered once it is stored"
    assert shop.house.asked <= len(shop.logged("telegram.not_stored")) + 1, "it rests between two tries"
    shop.house.error = None
    assert await shop.fake.delivered(numbers[-1])
    assert [(act.kind, act.text) for _, act in shop.house.acts] == [("message", "keep this"), ("claim", "")]


@pytest.mark.parametrize("error", [StoreFull("the disk is full"), StoreBusy("its place is not known yet")])
async def test_by_webhook_what_cannot_be_stored_is_answered_503(error: StoreFull | StoreBusy) -> None:
    async with opened({"mode": "webhook", "webhook_secret": SECRET}, desks={"front": GROUP}) as shop:
        await shop.until(lambda: shop.logged("telegram.ready"))
        place = await opened_handoff(shop)
        shop.house.error = error
        for update in (written("keep this", place), press("claim", place)):
            assert await shop.post(json.dumps({"update_id": 5, **update}).encode()) == 503
        assert shop.fake.answers == []
        shop.house.error = None
        assert await shop.post(json.dumps({"update_id": 5, **written("keep this", place)}).encode()) == 200
        assert [act.text for _, act in shop.house.acts] == ["keep this"]


async def test_what_cannot_be_read_in_a_desks_group_is_set_aside(shop: Shop) -> None:
    place = await opened_handoff(shop)
    strange = written("hello", place)
    strange["message"]["text"] = "half a letter \ud83d"
    number = shop.fake.add(strange)
    assert await shop.fake.delivered(number)
    assert [id for id, _, _ in shop.inbox.aside] == [f"update.{number}"] and shop.house.acts == []


async def test_customers_of_the_same_bot_are_customers_still(shop: Shop) -> None:
    await opened_handoff(shop)
    group = updates.group(-1001999, is_forum=True)
    for update in (updates.text("Where is it?"), updates.mention("@support_bot help", group, agent())):
        assert await shop.fake.delivered(shop.fake.add(update))
    assert [message.text for message in shop.inbox.messages] == ["Where is it?", "help"]
    assert shop.house.asked == 0
