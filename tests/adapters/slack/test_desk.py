"""What stands in a desk's channel: one thread for each handoff, whatever goes wrong on the way."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from supportbot.errors import ChannelBusy, ChannelRefused, FileTooLarge, UsageError
from supportbot.testing.slack.server import RESET, RESET_AFTER_ACCEPTING, Fault
from supportbot.types import Attachment, Button
from supportbot_slack import SlackAdapter

from .floor import ANA, BILLING, FRONT, Floor, floor, requested, row, said, updated, workspace


@pytest.fixture
async def front(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Floor]:
    """Without pauses between messages."""
    monkeypatch.setattr("supportbot_slack.desk.INTERVAL", 0.0)
    async with floor() as one:
        yield one


def text_of(block: dict[str, Any]) -> str:
    return str(block["text"]["text"] if "text" in block else block["elements"][0].get("text"))


# --- a new handoff -------------------------------------------------------------------------------------------


async def test_a_handoff_is_one_message_with_what_can_be_done(front: Floor) -> None:
    place = await front.open(assignee=ANA)
    root = front.root()
    assert place == f"{FRONT}:{root.ts}"
    title, fields, summary, actions, hint = root.blocks
    assert text_of(title) == "*Ada Lovelace* needs a human\nThe customer asked for a person."
    assert [field["text"].partition("\n")[0] for field in fields["fields"]] == [
        "*State*",
        "*For*",
        "*Priority*",
        "*Waiting since*",
        "*Answer by*",
        "*Channel*",
        "*Language*",
        "*Tags*",
    ]
    assert fields["fields"][1]["text"] == f"*For*\n<@{ANA}>"
    assert fields["fields"][3]["text"].startswith("*Waiting since*\n<!date^1790000000^")
    assert text_of(summary) == "*In short*\nCustomer: my parcel never arrived."
    assert [(one["action_id"], one["value"]) for one in actions["elements"]] == [
        ("desk:claim", "h_1"),
        ("desk:return", "h_1"),
        ("desk:resolve", "h_1"),
    ]
    assert "`note:` or `//`" in text_of(hint)
    assert root.metadata["event_payload"] == {"id": "o-1"}


async def test_the_brief_is_the_first_message_of_the_thread(front: Floor) -> None:
    await front.open()
    (brief,) = front.thread()
    titles = [text_of(block).partition("\n")[0] for block in brief.blocks if block["type"] == "section"]
    assert titles == [
        "*Why*",
        "*Identity*",
        "*Decided by*",
        "*Tried already*",
        "*Known*",
        "*Earlier*",
        "*Conversation*",
        "*Suggested answer*",
    ]
    assert not brief.files
    assert front.buttons(brief)["desk:suggestion"]["value"] == "Refund the order and apologise."


async def test_a_brief_that_is_too_long_is_a_file_too(front: Floor) -> None:
    lines = [{"role": "user", "name": "Ada", "text": f"line{number} " + "x" * 300} for number in range(60)]
    slots = {f"field_{number}": f"value-{number}" for number in range(100)}
    await front.open(transcript=lines, slots=slots, summary="<&>" * 13_333)
    brief, file = front.thread()
    (about,) = file.files
    assert about["title"] == "transcript.txt"
    written = front.slack.files[about["id"]].content.decode()
    assert all(line["text"] in written for line in lines)
    assert all(f"{name}: {value}" in written for name, value in slots.items())
    assert "<&>" * 13_333 in written
    assert "line59" in str(brief.blocks) and "line1 " not in str(brief.blocks)
    assert "… and" in str(brief.blocks)


async def test_a_long_summary_without_a_brief_is_one_file(front: Floor) -> None:
    bare = dict.fromkeys(("why", "cause", "tried", "slots", "identity", "earlier", "transcript", "suggestion"))
    for attempt in (0, 1):
        await front.open(**bare, summary="word " * 1_000, attempt=attempt)
    brief, file = front.thread()
    assert "transcript.txt" in str(brief.blocks) and file.files[0]["title"] == "transcript.txt"


async def test_a_suggestion_that_no_button_can_carry_is_there_to_be_copied(front: Floor) -> None:
    await front.open(suggestion="word " * 500)
    (brief,) = front.thread()
    assert front.buttons(brief) == {}
    assert "word word" in str(brief.blocks)


async def test_nothing_that_a_customer_wrote_calls_anybody(front: Floor) -> None:
    evil = f"<!channel> <!here> <@{ANA}> <https://evil.example|click> *bold* @channel"
    place = await front.open(
        detail=evil,
        summary=evil,
        why=evil,
        tried=[evil],
        slots={evil: evil},
        customer={"id": "u", "name": evil},
        identity={"name": evil, "customer": evil},
        earlier=[{"at": 0, "channel": evil, "summary": evil, "outcome": evil}],
        transcript=[{"role": "user", "name": evil, "text": evil}],
        suggestion=evil,
        tags=[evil],
        locale=evil,
        channel=evil,
        cause={evil: evil},
    )
    await front.desk.send(said(place, evil))
    await front.desk.send(updated(place, "undelivered", error=evil))
    await front.desk.send(updated(place, "gathered", id="o-4", slots={evil: evil}))
    assert len(front.standing()) == 5
    for post in front.standing():
        shown = [block for block in post.blocks if block["type"] != "actions"]
        for token in ("<!channel", "<!here", f"<@{ANA}", "<https"):
            assert token not in str(shown) and token not in post.text


# --- once, whatever happens ----------------------------------------------------------------------------------


LONG = {"transcript": [{"role": "user", "name": "Ada", "text": f"line{number} " * 50} for number in range(60)]}
STEPS = [
    ("chat.postMessage", 0),
    ("chat.postMessage", 1),
    ("files.getUploadURLExternal", 0),
    ("files.completeUploadExternal", 0),
]


@pytest.mark.parametrize("fault", [RESET, RESET_AFTER_ACCEPTING], ids=["refused", "answer lost"])
@pytest.mark.parametrize(("method", "before"), STEPS)
async def test_a_failure_at_any_step_leaves_nothing_twice(
    front: Floor, method: str, before: int, fault: Fault
) -> None:
    front.slack.next(method, *[None] * before, fault)
    with pytest.raises(ChannelBusy):
        await front.desk.send(requested(**LONG))
    places = {await front.desk.send(requested(**LONG, attempt=number)) for number in (1, 2)}
    assert places == {f"{FRONT}:{front.root().ts}"}
    brief, file = front.thread()
    assert "line59" in str(brief.blocks) and file.files[0]["title"] == "transcript.txt"


async def test_a_process_that_was_killed_between_two_steps_is_gone_on_from(front: Floor) -> None:
    front.slack.next("chat.postMessage", None, RESET)
    sent = requested(**LONG)
    with pytest.raises(ChannelBusy):
        await front.desk.send(sent)
    async with floor(None, api_url=front.slack.url) as again:
        place = await again.desk.send(sent)
    assert place == f"{FRONT}:{front.root().ts}"
    assert len(front.thread()) == 2


async def test_many_other_handoffs_since_do_not_hide_it(front: Floor) -> None:
    sent = requested()
    place = await front.desk.send(sent)
    for number in range(130):
        front.slack.next("chat.postMessage", None, RESET)  # its first message alone
        with pytest.raises(ChannelBusy):
            await front.desk.send(requested(id=f"other-{number}"))
    assert await front.desk.send(replace(sent, attempt=1)) == place
    assert len(front.roots()) == 131


async def test_while_slack_cannot_say_whether_it_is_there_the_row_waits(front: Floor) -> None:
    await front.desk.send(requested())
    front.slack.always("conversations.history", Fault("ratelimited", seconds=9))
    with pytest.raises(ChannelBusy) as caught:
        await front.desk.send(requested(attempt=1))
    assert caught.value.retry_after == 9
    assert len(front.roots()) == 1


@pytest.mark.parametrize("role", ["customer", "agent"])
async def test_words_of_several_messages_are_completed_and_not_repeated(front: Floor, role: str) -> None:
    place = await front.open()
    long = said(place, "\n\n".join(f"mark{number} " + "x" * 700 for number in range(30)), role=role)
    front.slack.next("chat.postMessage", None, RESET_AFTER_ACCEPTING)
    with pytest.raises(ChannelBusy):
        await front.desk.send(long)
    await front.desk.send(replace(long, attempt=1))
    words = " ".join(str(post.blocks) for post in front.thread()[1:])
    assert [words.count(f"mark{number} ") for number in range(30)] == [1] * 30


async def test_a_line_of_the_thread_is_said_once(front: Floor) -> None:
    place = await front.open()
    front.slack.next("chat.postMessage", RESET_AFTER_ACCEPTING)
    with pytest.raises(ChannelBusy):
        await front.desk.send(updated(place, "late"))
    await front.desk.send(updated(place, "late", attempt=1))
    assert len(front.thread()) == 2


# --- words and files -----------------------------------------------------------------------------------------


async def test_everybodys_words_come_under_their_name(front: Floor) -> None:
    place = await front.open()
    await front.desk.send(said(place, "Is *anybody* there?", id="a"))
    buttons = (Button("yes", "Yes <!here>"), Button("no", "No"))
    await front.desk.send(said(place, "Shall I **wait**?", id="b", role="bot", buttons=buttons))
    await front.desk.send(said(place, "I am.", id="c", role="agent"))
    _, first, second, third = front.thread()
    assert [text_of(block) for block in first.blocks] == [
        "*Ada* (customer)",
        "Is \u200b*\u200banybody\u200b*\u200b there?",
    ]
    assert [text_of(block) for block in second.blocks] == [
        "*Mia* (bot)",
        "Shall I *wait*?",
        "[ Yes &lt;!here&gt; ] [ No ]",
    ]
    assert front.buttons(second) == {}
    assert text_of(third.blocks[0]) == "*Ben* (colleague)"


async def test_a_customers_file_is_uploaded_once_and_one_that_is_lost_is_named(front: Floor) -> None:
    place = await front.open()
    kept = Attachment("photo.png", "image/png", 3, digest=front.files.add(b"png"))
    lost = Attachment("lost.pdf", "application/pdf", 3, digest="0" * 64)
    linked = Attachment("map", "text/html", url="https://shop.example/map")
    sent = said(place, "Here.", files=(kept, lost, linked))
    front.slack.next("files.completeUploadExternal", RESET_AFTER_ACCEPTING)
    with pytest.raises(ChannelBusy):
        await front.desk.send(sent)
    await front.desk.send(replace(sent, attempt=1))
    _, words, file = front.thread()
    assert [front.slack.files[one["id"]].content for one in file.files] == [b"png"]
    assert [text_of(block) for block in words.blocks[2:]] == [
        "📎 photo.png",
        "📎 lost.pdf",
        "📎 map: <https://shop.example/map>",
    ]


async def test_very_long_words_are_a_file(front: Floor) -> None:
    place = await front.open()
    text = "word & " * 10_000
    words = said(place, text)
    note = row("handoff.note", id="o-9", place=place, by="Ben", note=text)
    for sent in (words, note):
        await front.desk.send(sent)
        await front.desk.send(replace(sent, attempt=1))
    _, *posts = front.thread()
    assert [front.slack.files[one["id"]].content.decode() for post in posts for one in post.files] == [text] * 2


async def test_a_colleagues_note_says_that_it_is_one(front: Floor) -> None:
    place = await front.open()
    by = {"id": "ben", "name": "Ben"}
    await front.desk.send(row("handoff.note", id="o-2", place=place, by=by, note="He <@U0ANA1> moved."))
    head, words = front.thread()[-1].blocks
    assert text_of(head) == "🔒 Internal note by Ben: the customer does not see it"
    assert text_of(words) == "He &lt;@U0ANA1&gt; moved."


# --- how it stands -------------------------------------------------------------------------------------------


async def test_the_first_message_always_shows_who_has_it_and_what_can_be_done(front: Floor) -> None:
    place = await front.open()
    at = time.time()
    claimed = {"status": "claimed", "agent": "Ana Lima"}
    await front.desk.send(row("handoff.claimed", id="a", place=place, created_at=at, **claimed))
    state = front.root().blocks[1]["fields"][0]["text"]
    assert state.startswith(f"*State*\n🔵 Ana Lima has it, since <!date^{int(at)}^")
    assert list(front.buttons()) == ["desk:release", "desk:return", "desk:resolve"]
    assert len(front.thread()) == 1
    await front.desk.send(updated(place, "released", id="b", by={"id": ANA, "name": "Ana Lima"}))
    assert list(front.buttons()) == ["desk:claim", "desk:return", "desk:resolve"]
    await front.desk.send(row("handoff.resolved", id="c", place=place, **claimed | {"status": "resolved"}))
    assert front.root().blocks[1]["fields"][0]["text"] == "*State*\n✅ Resolved by Ana Lima"
    assert front.buttons() == {}
    assert [text_of(post.blocks[0]) for post in front.thread()[1:]] == [
        f"Free for others again, says <@{ANA}>.",
        "Resolved by Ana Lima. Who answers here opens it again, and the customer gets what they write.",
    ]
    assert front.root().metadata["event_payload"] == {"id": "o-1"}


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("returned", "Returned to the bot by Ana."),
        ("cancelled", "The customer needs nobody any more."),
        ("expired", "Nobody was free in time, and the bot has taken it back."),
    ],
)
async def test_every_end_is_told(front: Floor, status: str, words: str) -> None:
    place = await front.open()
    await front.desk.send(row("handoff.returned", id="a", place=place, status=status, agent="Ana"))
    assert text_of(front.thread()[-1].blocks[0]).startswith(words)
    assert front.buttons() == {}


async def test_who_is_offered_it_is_called(front: Floor) -> None:
    place = await front.open()
    await front.desk.send(updated(place, "assigned", assignee=ANA))
    assert text_of(front.thread()[-1].blocks[0]) == f"Offered to <@{ANA}>."
    assert f"<@{ANA}>" in front.root().blocks[1]["fields"][1]["text"]


async def test_a_transfer_to_another_desk_closes_it_here_and_one_to_an_agent_does_not(front: Floor) -> None:
    place = await front.open()
    await front.desk.send(updated(place, "transferred", id="a", to=ANA, assignee=ANA))
    assert list(front.buttons())
    await front.desk.send(updated(place, "transferred", id="b", to="billing"))
    assert front.buttons() == {}
    assert "Transferred to billing" in front.root().blocks[1]["fields"][0]["text"]


async def test_lines_say_what_happened(front: Floor) -> None:
    place = await front.open()
    changes = {
        "late": {"agent": ANA},
        "undelivered": {"error": "The customer blocked the bot."},
        "gathered": {"slots": {"order": "SB-1042"}},
        "rated": {"rating": 4},
    }
    for change, data in changes.items():
        await front.desk.send(updated(place, change, id=change, **data))
    assert [text_of(post.blocks[0]) for post in front.thread()[1:]] == [
        f"<@{ANA}>: The customer waits for an answer.",
        "⚠️ This could not be delivered to the customer: The customer blocked the bot.",
        "*New facts*\n• order: SB-1042",
        "The customer rated this 4 of 5.",
    ]
    assert len(front.shop.calls("chat.update")) == 0


async def test_who_was_refused_is_told_alone(front: Floor) -> None:
    place = await front.open()
    by = {"id": ANA, "name": "Ana Lima"}
    await front.desk.send(updated(place, "refused", by=by, why="Ben has it."))
    (told,) = front.whispers()
    assert (told.user, told.thread_ts) == (ANA, front.root().ts)
    assert text_of(told.blocks[0]) == f"<@{ANA}>: not done. Ben has it."
    assert len(front.thread()) == 1


@pytest.mark.parametrize(
    "how",
    [{"attempt": 1}, {"by": {"id": "U0GONE1", "name": "Zoe"}}, {"by": "ana"}, {"created_at": 1_700_000_000.0}],
)
async def test_who_may_not_be_looking_is_told_in_the_thread(front: Floor, how: dict[str, Any]) -> None:
    place = await front.open()
    told = {"by": {"id": ANA, "name": "Ana"}, "why": "Ben has it.", **how}
    await front.desk.send(updated(place, "refused", **told))
    assert front.whispers() == []
    assert "Ben has it." in text_of(front.thread()[-1].blocks[0])


async def test_a_first_message_that_somebody_deleted_holds_up_nothing(front: Floor) -> None:
    place = await front.open()
    front.root().deleted = True
    await front.desk.send(row("handoff.claimed", id="a", place=place, status="claimed", agent="Ana"))
    await front.desk.send(said(place, "Hello?"))
    assert "Hello?" in str(front.thread()[-1].blocks)
    assert front.shop.said("slack.not_redrawn")


async def test_words_for_a_thread_that_is_gone_stand_in_the_channel_and_it_is_logged(front: Floor) -> None:
    place = await front.open()
    for post in front.standing():
        post.deleted = True
    await front.desk.send(said(place, "Hello?"))
    assert "Hello?" in str(front.root().blocks)
    assert front.shop.said("slack.thread_gone") == [{"desk": "front", "handoff": "h_1"}]


async def test_what_is_opened_again_is_told_in_the_old_thread(front: Floor) -> None:
    place = await front.open()
    await front.desk.send(row("handoff.resolved", id="a", place=place, status="resolved"))
    again = requested(id="o-7", place=place, reopened=True, summary="It broke again.")
    assert await front.desk.send(again) == place
    assert await front.desk.send(replace(again, attempt=1)) == place
    assert "It broke again." in str(front.root().blocks) and list(front.buttons())
    opened = [post for post in front.thread() if text_of(post.blocks[0]) == "Opened again"]
    assert len(opened) == 1


async def test_what_is_opened_again_after_its_thread_was_deleted_gets_a_new_one(front: Floor) -> None:
    place = await front.open()
    front.root().deleted = True
    again = await front.desk.send(requested(id="o-7", place=place, reopened=True))
    assert again == f"{FRONT}:{front.root().ts}" != place


# --- limits and failures -------------------------------------------------------------------------------------


async def test_slack_is_never_asked_to_take_more_than_a_message_a_second() -> None:
    async with floor(workspace(pace=1.0)) as front:
        began = time.monotonic()
        place = await front.open()
        await front.desk.send(said(place, "Hello?"))
        assert not front.slack.rate_limited
        assert time.monotonic() - began > 1.8


async def test_what_would_wait_too_long_for_its_turn_comes_again(
    front: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = await front.open()
    monkeypatch.setattr("supportbot_slack.desk.INTERVAL", 30.0)
    await front.desk.send(said(place, "one", id="a"))
    with pytest.raises(ChannelBusy) as caught:
        await front.desk.send(said(place, "two", id="b"))
    assert 20 < (caught.value.retry_after or 0) <= 30


def test_an_outage_of_a_day_loses_nothing_and_is_over_ten_minutes_later() -> None:
    delays = SlackAdapter("slack", {"bot_token": "xoxb-1", "signing_secret": "s"}).desk("a", {"place": FRONT})
    assert sum(delays.capabilities.retry_delays) > 86_400
    assert max(delays.capabilities.retry_delays) <= 600


@pytest.mark.parametrize("code", ["not_in_channel", "channel_not_found", "is_archived"])
async def test_a_channel_that_cannot_be_reached_waits_for_the_operator(front: Floor, code: str) -> None:
    front.slack.always("chat.postMessage", Fault("error", error=code))
    with pytest.raises(ChannelBusy, match=f"The Slack channel {FRONT} of the desk front cannot be reached"):
        await front.desk.send(requested())


async def test_blocks_that_slack_does_not_take_are_sent_as_words(front: Floor) -> None:
    front.slack.next("chat.postMessage", Fault("error", error="invalid_blocks"))
    await front.open()
    assert front.root().blocks == []
    assert "Customer: my parcel never arrived." in front.root().text and "<!channel" not in front.root().text


async def test_words_without_a_thread_are_refused_with_a_sentence(front: Floor) -> None:
    with pytest.raises(ChannelRefused, match="no thread at the desk front"):
        await front.desk.send(said("", "Hello?"))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "place is missing: the id of a Slack channel"),
        ({"place": ""}, "place is missing"),
        ({"place": "#front"}, "place is not right: it must be the id of a Slack channel"),
        ({"place": "D0CUSTOMER"}, "place is not right"),
        ({"place": 7}, "place is not right"),
        ({"place": FRONT, "agents": []}, "agents is not known"),
        ({"place": BILLING}, f"place {BILLING} is the desk billing already"),
    ],
)
def test_a_wrong_option_is_one_sentence_that_begins_with_its_name(options: dict[str, Any], sentence: str) -> None:
    adapter = SlackAdapter("slack", {"bot_token": "xoxb-1", "signing_secret": "s"})
    adapter.desk("billing", {"place": BILLING})
    with pytest.raises(UsageError) as caught:
        adapter.desk("front", options)
    assert str(caught.value).startswith(sentence)


async def test_an_agents_file_is_fetched_up_to_the_limit(front: Floor) -> None:
    about = front.slack.add_file(b"label", "label.pdf", "application/pdf")
    file = Attachment("label.pdf", ref=about["id"])
    assert await front.desk.fetch(file, limit=5) == b"label"
    with pytest.raises(FileTooLarge):
        await front.desk.fetch(file, limit=4)
    with pytest.raises(ChannelRefused):
        await front.desk.fetch(Attachment("x", ref="F0GONE"), limit=5)
    front.slack.always("files.info", Fault("http"))
    with pytest.raises(ChannelBusy):
        await front.desk.fetch(file, limit=5)


async def test_a_desk_whose_adapter_does_not_run_is_busy() -> None:
    adapter = SlackAdapter("slack", {"bot_token": "xoxb-1", "signing_secret": "s"})
    with pytest.raises(ChannelBusy, match="not running"):
        await adapter.desk("front", {"place": FRONT}).send(requested())


async def test_the_token_is_nowhere_to_be_read(front: Floor) -> None:
    front.slack.always("*", Fault("error", error="invalid_auth"))
    with pytest.raises(ChannelBusy) as caught:
        await front.desk.send(requested())
    assert front.slack.bot_token not in f"{caught.value} {front.desk._tools()!r} {front.shop.logged}"
