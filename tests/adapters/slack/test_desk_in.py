"""What agents do in a desk's channel, and what is none of the house's business there."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from supportbot.errors import ChannelBusy, StoreBusy, StoreFull
from supportbot.testing.adapter_contract import context
from supportbot.testing.slack import events
from supportbot.testing.slack.server import HANG, Fault
from supportbot.types import Act, User

from .conftest import until
from .floor import ANA, BEN, BILLING, FRONT, Floor, floor, requested

NAMED = User(ANA, "Ana Lima")
OURS = {"parent_user_id": events.BOT_USER}


@pytest.fixture
async def front(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Floor]:
    """Without pauses between messages."""
    monkeypatch.setattr("supportbot_slack.desk.INTERVAL", 0.0)
    async with floor() as one:
        yield one


# --- words ---------------------------------------------------------------------------------------------------


async def test_words_in_the_thread_are_for_the_customer(front: Floor) -> None:
    place = await front.open()
    written = front.words(place, "Your parcel is in <https://shop.example/x|Hamburg> &amp; on its way.")
    assert await front.shop.told(written) == 200
    assert front.acts == [
        Act(
            id=f"{events.TEAM}.{FRONT}.{written['ts']}",
            agent=NAMED,
            kind="message",
            handoff="h_1",
            text="Your parcel is in Hamburg (https://shop.example/x) & on its way.",
        )
    ]
    assert front.inbox.log == []


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("// he is angry", "note", "he is angry"),
        ("//he is angry", "note", "he is angry"),
        (" // he is angry", "note", "he is angry"),
        ("note: he is angry", "note", "he is angry"),
        ("NOTE:he is angry\ntwice", "note", "he is angry\ntwice"),
        ("*note:* he is angry", "note", "he is angry"),
        ("_note:_ he is angry", "note", "he is angry"),
        ("*Note*: he is *angry*", "note", "he is *angry*"),
        ("`//` he is angry", "note", "he is angry"),
        ("&gt; note: he is &lt;angry&gt;", "note", "he is <angry>"),
        ("• note: he is angry", "note", "he is angry"),
        ("- // he is angry", "note", "he is angry"),
        ("1. note: he is angry", "note", "he is angry"),
        ("note：he is angry", "note", "he is angry"),
        ("ｎｏｔｅ：he is angry", "note", "he is angry"),
        ("\u200bnote: he is angry", "note", "he is angry"),
        ("\ufeff\u2060/\u200b/ he is angry", "note", "he is angry"),
        ("note - he is angry", "note", "he is angry"),
        (" /note he is angry", "note", "he is angry"),
        (":lock: note: he is angry", "note", "he is angry"),
        (":note: he is angry", "note", "he is angry"),
        ("<@U0BEN1|Ben Okri> note: he is angry", "note", "he is angry"),
        ("<@U0BOT> *note:* he is angry", "note", "he is angry"),
        ("notes: none", "message", "notes: none"),
        ("note-taking is on", "message", "note-taking is on"),
        ("<https://shop.example/|note: x>", "message", "note: x (https://shop.example/)"),
        ("see https://shop.example//x", "message", "see https://shop.example//x"),
        ("please note: closed", "message", "please note: closed"),
    ],
)
async def test_a_mark_makes_words_a_note(front: Floor, text: str, kind: str, words: str) -> None:
    place = await front.open()
    await front.shop.told(front.words(place, text))
    assert [(act.kind, act.text) for act in front.acts] == [(kind, words)]


@pytest.mark.parametrize("text", ["//", "note:", "  ", f"<@{events.BOT_USER}>"])
async def test_a_mark_or_a_name_alone_is_nothing(front: Floor, text: str) -> None:
    place = await front.open()
    assert await front.shop.told(front.words(place, text)) == 200
    assert front.house.asked == 0


async def test_files_go_with_the_words(front: Floor) -> None:
    await front.open()
    about = front.slack.add_file(b"%PDF", "label.pdf", "application/pdf", user=ANA)
    shared = events.file_share([about], "Your label", user=ANA, channel=FRONT, thread_ts=front.root().ts, **OURS)
    await front.shop.told(shared)
    (act,) = front.acts
    (file,) = act.attachments
    assert (act.text, act.handoff, file.name, file.size) == ("Your label", "h_1", "label.pdf", 4)
    assert await front.desk.fetch(file, limit=10) == b"%PDF"


async def test_a_mention_of_the_bot_in_the_thread_is_the_same_act(front: Floor) -> None:
    place = await front.open()
    written = front.words(place, f"<@{events.BOT_USER}> hello")
    called = {key: value for key, value in written.items() if key != "channel_type"} | {"type": "app_mention"}
    for event in (written, called, written):
        assert await front.shop.told(event, fresh_ids=True) == 200
    assert [act.text for act in front.acts] == ["hello"]
    assert front.house.asked == 3


async def test_an_answer_that_is_shown_in_the_channel_too_is_an_answer(front: Floor) -> None:
    await front.open()
    root = {"channel": FRONT, "ts": front.root().ts}
    await front.shop.told(events.thread_broadcast(root, "For the customer", user=ANA, **OURS))
    assert [act.text for act in front.acts] == ["For the customer"]


async def test_who_nobody_knows_soon_is_named_by_their_id_alone(
    front: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("supportbot_slack.people.SECONDS", 0.05)
    front.slack.always("users.info", HANG)
    place = await front.open()
    await front.shop.told(front.words(place))
    assert front.acts[0].agent == User(ANA, "")


# --- buttons -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["claim", "return", "resolve"])
async def test_a_button_is_an_act(front: Floor, kind: str) -> None:
    await front.open()
    assert await front.shop.told(front.press(f"desk:{kind}", at="1700000009.000001")) == 200
    id = f"{events.TEAM}.h_1.{kind}.{front.root().ts}.{ANA}.1700000009.000001"
    assert front.acts == [Act(id, NAMED, kind, handoff="h_1")]  # type: ignore[arg-type]


async def test_a_press_need_not_wait_until_the_house_knows_the_place(front: Floor) -> None:
    await front.desk.send(requested())
    front.house.handoffs.add("h_1")
    assert await front.shop.told(front.press("desk:claim")) == 200
    assert [act.kind for act in front.acts] == ["claim"]


async def test_words_in_a_thread_whose_brief_is_not_out_are_the_handoffs(front: Floor) -> None:
    front.slack.next("chat.postMessage", None, Fault("http"))
    with pytest.raises(ChannelBusy):
        await front.desk.send(requested())
    front.house.handoffs.add("h_1")  # the house knows it, but not where it stands
    assert front.thread() == []
    assert await front.shop.told(front.words(f"{FRONT}:{front.root().ts}", "I am here")) == 200
    assert [(act.text, act.handoff, act.place) for act in front.acts] == [("I am here", "h_1", "")]


async def test_after_a_restart_the_place_names_the_handoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("supportbot_slack.desk.INTERVAL", 0.0)
    async with floor() as front:
        place = await front.open()
        await front.shop.adapter.stop()
        await front.shop.adapter.start(context(front.inbox, files=front.files, desks=front.house))
        assert await front.shop.told(front.words(place)) == 200
        assert [(act.handoff, act.place) for act in front.acts] == [("", place)]


async def test_a_repeat_of_a_press_is_the_same_act_and_a_second_press_another(front: Floor) -> None:
    await front.open()
    first, second = (front.press("desk:claim", at=f"170000000{at}.000001") for at in (1, 2))
    for payload in (first, first, second, front.press("desk:claim", user=BEN, at="1700000001.000001")):
        await front.shop.told(payload)
    assert [act.agent.id for act in front.acts] == [ANA, ANA, BEN]
    assert len({act.id for act in front.acts}) == 3


async def test_the_suggested_answer_is_sent_once_and_the_brief_says_who_chose_it(front: Floor) -> None:
    await front.open(suggestion="We *refund* it & <b>apologise</b>.")
    (brief,) = front.thread()
    for at in (1, 2):
        payload = front.press("desk:suggestion", brief, at=f"170000000{at}.000001")
        assert await front.shop.told(payload) == 200
        await front.shop.settled()
        if at == 1:
            assert brief.blocks[-1]["elements"][0]["text"] == f"✓ Chosen by <@{ANA}>"
            brief.blocks = payload["message"]["blocks"]  # the second press was under way already
    (act,) = front.acts
    assert (act.kind, act.handoff, act.text) == ("message", "h_1", "We *refund* it & <b>apologise</b>.")
    assert brief.metadata["event_payload"] == {"id": "o-1.brief"}


async def test_a_press_that_was_not_taken_leaves_the_button(front: Floor) -> None:
    await front.desk.send(requested())  # a handoff that the house does not know
    (brief,) = front.thread()
    assert await front.shop.told(front.press("desk:suggestion", brief)) == 200
    await front.shop.settled()
    assert front.shop.calls("chat.update") == []


@pytest.mark.parametrize(
    "change",
    [
        {"action_id": "desk:explode"},
        {"action_id": "choice:0:0"},
        {"block_id": "desk:"},
        {"block_id": "for:U0CUSTOMER:::0"},
        {"value": ""},
    ],
)
async def test_other_buttons_at_a_desk_are_acknowledged_and_nothing(front: Floor, change: dict[str, str]) -> None:
    await front.open()
    payload = front.press("desk:claim")
    payload["actions"][0] |= change
    assert await front.shop.told(payload) == 200
    assert front.house.asked == 0 and front.inbox.log == []


# --- acknowledged only once it is stored ---------------------------------------------------------------------


@pytest.mark.parametrize("error", [StoreBusy("its place is not known yet"), StoreFull("the disk is full")])
async def test_what_cannot_be_stored_is_repeated_until_it_is(front: Floor, error: StoreBusy | StoreFull) -> None:
    place = await front.open()
    front.house.error = error
    assert await front.shop.told(front.press("desk:claim")) == 503
    delivered = await front.slack.deliver(front.shop.url, events.event_callback(front.words(place)))
    assert delivered == [503] * 4
    front.house.error = None
    written = front.words(place, "Now it works.")
    assert await front.shop.told(written) == 200
    assert [act.text for act in front.acts] == ["Now it works."]
    assert front.inbox.aside == []


async def test_over_a_socket_what_cannot_be_stored_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("supportbot_slack.desk.INTERVAL", 0.0)
    async with floor(mode="socket") as front:
        assert await front.slack.connected_within(2)
        place = await front.open()
        front.house.error = StoreBusy("its place is not known yet")
        envelope = await front.slack.push(events.event_callback(front.words(place)))
        press = await front.slack.push(front.press("desk:claim"), "interactive")
        assert not await front.slack.acked_within(envelope, 0.3)
        front.house.error = None
        await front.slack.disconnect_all()
        assert await front.slack.acked_within(envelope, 8)
        assert await front.slack.acked_within(press, 8)
        assert {act.kind for act in front.acts} == {"message", "claim"}


async def test_a_thread_that_is_no_handoff_is_acknowledged(front: Floor) -> None:
    await front.open()
    assert await front.shop.told(front.words(f"{FRONT}:1700000000.999900")) == 200
    assert front.house.asked == 1 and front.acts == []
    front.house.error = StoreBusy("its place is not known yet")
    lunch = front.words(f"{FRONT}:1700000000.999900", "lunch?", parent_user_id=BEN)
    assert await front.shop.told(lunch) == 200
    assert front.house.asked == 1


async def test_who_began_a_thread_need_not_be_said(front: Floor) -> None:
    place = await front.open()
    written = front.words(place, "Hello!")
    del written["parent_user_id"]
    await front.shop.told(written)
    assert [act.text for act in front.acts] == ["Hello!"]


async def test_words_that_cannot_be_read_are_set_aside(front: Floor) -> None:
    place = await front.open()
    for odd in ({"user": ["U0"]}, {"ts": "soon"}, {"thread_ts": "x" * 40}):
        assert await front.shop.told(front.words(place) | odd) == 200
    assert len(front.inbox.aside) == 3 and front.acts == []


# --- what no agent did ---------------------------------------------------------------------------------------


async def test_a_desk_is_no_customers_place(front: Floor) -> None:
    place = await front.open()
    called = events.app_mention(f"<@{events.BOT_USER}> where is my order?", channel=FRONT, user=ANA)
    plain = events.message(f"<@{events.BOT_USER}> where is my order?", channel=FRONT, user=ANA, ts=called["ts"])
    there = {"channel": FRONT, "thread_ts": front.root().ts}
    for event in (
        called,
        plain,
        events.message("among colleagues", channel=BILLING, user=ANA),
        events.channel_join(channel=FRONT),
        events.bot_message(**there),
        events.own_message(**there),
        events.edited(plain, f"<@{events.BOT_USER}> hello?"),
        events.deleted(plain),
    ):
        assert await front.shop.told(event) == 200
    assert front.inbox.log == [] and front.house.asked == 0
    await front.shop.told(front.words(place))
    assert len(front.acts) == 1


async def test_a_command_in_a_desk_is_the_agents_own_question(front: Floor) -> None:
    await front.shop.told(events.slash_command("where is my order?", channel=FRONT, user=ANA))
    (message,) = front.inbox.messages
    assert message.address.chat == f"{events.TEAM}/{ANA}"
    assert "direct messages" in json.loads(front.slack.answers[-1])["text"]


async def test_our_own_words_are_no_act_before_slack_has_said_who_we_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("supportbot_slack.desk.INTERVAL", 0.0)
    from .floor import workspace

    slack = workspace()
    slack.always("auth.test", Fault("http"))
    async with floor(slack) as front:
        place = await front.open()
        thread = {"channel": FRONT, "thread_ts": front.root().ts}
        await front.shop.told(events.own_message(**thread))
        await front.shop.told(events.file_share([events.file()], user=events.BOT_USER, **thread))
        await front.shop.told(front.words(place))
        assert [act.agent.id for act in front.acts] == [ANA]


# --- what cannot be taken back -------------------------------------------------------------------------------


async def test_who_changes_what_the_customer_has_is_told_so_once(front: Floor) -> None:
    place = await front.open()
    written, other = front.words(place, "It costs 5."), front.words(place, "It is blue.")
    await front.shop.told(written)
    for event in (
        events.edited(written, "It costs 50."),
        events.edited(written, "It costs 500."),
        events.deleted(written),
        events.deleted(other),
    ):
        assert await front.shop.told(event) == 200
    await front.shop.settled()
    told = front.whispers()
    assert [(post.user, post.thread_ts) for post in told] == [(ANA, front.root().ts)] * 2
    assert "The customer has your message as it was" in told[0].text
    assert len(front.acts) == 1


async def test_nobody_is_told_of_a_note_a_preview_or_another_thread(front: Floor) -> None:
    place = await front.open()
    note, said = front.words(place, "• *note:* hm"), front.words(place, "Look: https://shop.example/")
    talk = front.words(f"{FRONT}:1700000000.999900", "lunch?", parent_user_id=BEN)
    for event in (
        events.edited(note, "• *note:* hmm"),
        events.unfurled(said),
        events.edited(talk, "dinner?"),
        events.deleted(talk),
    ):
        assert await front.shop.told(event) == 200
    await front.shop.settled()
    assert front.whispers() == [] and front.house.asked == 0


# --- two desks -----------------------------------------------------------------------------------------------


async def test_each_desk_of_an_app_has_its_own_acts(front: Floor) -> None:
    place = await front.open()
    there = await front.shop.desks["billing"].send(requested(id="o-9", handoff="h_2", desk="billing"))
    front.house.handoffs.add("h_2")
    await front.shop.told(front.words(there, "for billing", user=BEN))
    await front.shop.told(front.words(place, "for front"))
    assert [(desk, act.text, act.handoff) for desk, act in front.house.acts] == [
        ("billing", "for billing", "h_2"),
        ("front", "for front", "h_1"),
    ]


async def test_desks_and_customers_of_one_app_do_not_mix(front: Floor) -> None:
    place = await front.open()
    payloads: list[dict[str, Any]] = [
        events.message("Where is my order?"),
        front.words(place),
        events.app_mention("<@U0BOT> and mine?"),
    ]
    for payload in payloads:
        await front.shop.told(payload)
    await until(lambda: len(front.inbox.messages) == 2)
    assert [message.text for message in front.inbox.messages] == ["Where is my order?", "and mine?"]
    assert len(front.acts) == 1
