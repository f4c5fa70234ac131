"""What arrives in Slack, how often, and what a failure is called."""

from __future__ import annotations

import time
from typing import Any

import pytest

from supportbot.errors import ChannelBusy, ChannelError, ChannelGone, ChannelRefused
from supportbot.testing.slack import events
from supportbot.testing.slack.server import HANG, RESET, RESET_AFTER_ACCEPTING, Fault
from supportbot.types import Address, Attachment, Button, Reply, User

from .conftest import DM, Shop, channel, outgoing, shop

LATE = {"attempt": 1}


async def test_a_reply_to_a_direct_message_opens_it_once(desk: Shop) -> None:
    for number in range(3):
        await desk.adapter.send(outgoing("Hello!", id=f"o-{number}"))
    assert desk.slack.texts(events.DM) == ["Hello!"] * 3
    assert len(desk.calls("conversations.open")) == 1
    (first, *_) = desk.calls("chat.postMessage")
    assert first["unfurl_links"] is False and first["unfurl_media"] is False
    assert first["metadata"] == {"event_type": "supportbot_reply", "event_payload": {"id": "o-0"}}


async def test_who_wrote_to_us_need_not_be_looked_for(desk: Shop) -> None:
    await desk.told(events.message("hello"))
    await desk.adapter.send(outgoing("Hello!"))
    assert desk.calls("conversations.open") == []


async def test_in_a_channel_the_thread_is_answered(desk: Shop) -> None:
    root = events.stamp()
    ts = await desk.adapter.send(outgoing("Hello!", address=channel(root)))
    (post,) = desk.slack.posts
    assert (post.channel, post.thread_ts, post.ts) == (events.CHANNEL, root, ts)


# --- never twice ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address", [DM, channel("1700000000.000100"), Address("slack", DM.chat, "1700000000.000100")]
)
async def test_a_message_whose_acknowledgement_was_lost_is_not_sent_again(desk: Shop, address: Address) -> None:
    desk.slack.next("chat.postMessage", RESET_AFTER_ACCEPTING)
    with pytest.raises(ChannelBusy):
        await desk.adapter.send(outgoing("Hello!", address=address))
    assert await desk.adapter.send(outgoing("Hello!", address=address, **LATE)) == desk.slack.posts[0].ts
    assert desk.slack.texts() == ["Hello!"]


async def test_a_message_from_before_a_restart_is_looked_for(desk: Shop) -> None:
    await desk.adapter.send(outgoing("Hello!"))
    await desk.adapter.send(outgoing("Hello!", created_at=time.time() - 60))
    assert desk.slack.texts() == ["Hello!"]
    (asked,) = desk.calls("conversations.history")
    assert asked["include_all_metadata"] == "true"
    assert float(asked["oldest"]) < time.time() - 60


async def test_a_fresh_message_is_not_looked_for(desk: Shop) -> None:
    await desk.adapter.send(outgoing("Hello!"))
    assert desk.calls("conversations.history") == []


async def test_another_message_is_not_taken_for_it(desk: Shop) -> None:
    await desk.adapter.send(outgoing("one", id="o-1"))
    await desk.adapter.send(outgoing("two", id="o-2", **LATE))
    assert desk.slack.texts() == ["one", "two"]


@pytest.mark.parametrize(
    "fault", [Fault("error", error="missing_scope"), Fault("ratelimited"), Fault("http"), RESET]
)
async def test_a_look_that_fails_holds_up_nothing(desk: Shop, fault: Fault) -> None:
    desk.slack.always("conversations.history", fault)
    await desk.adapter.send(outgoing("Hello!", **LATE))
    assert desk.slack.texts() == ["Hello!"]
    assert desk.said("slack.look_up_failed")


# --- failures ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "expected", "words"),
    [
        (Fault("ratelimited", seconds=30), ChannelBusy, "wait"),
        (Fault("error", error="ratelimited"), ChannelBusy, "wait"),
        (Fault("error", error="internal_error"), ChannelBusy, "internal_error"),
        (Fault("error", error="fatal_error"), ChannelBusy, "fatal_error"),
        (Fault("error", error="service_unavailable"), ChannelBusy, "service_unavailable"),
        (Fault("http", status=503), ChannelBusy, "HTTP 503"),
        (Fault("http", status=404), ChannelBusy, "api_url"),
        (Fault("http", status=200, body="{"), ChannelBusy, "chat.postMessage"),
        (RESET, ChannelBusy, "could not be reached"),
        (Fault("error", error="invalid_auth"), ChannelBusy, "SLACK_BOT_TOKEN"),
        (Fault("error", error="account_inactive"), ChannelBusy, "SLACK_BOT_TOKEN"),
        (Fault("error", error="token_revoked"), ChannelBusy, "SLACK_BOT_TOKEN"),
        (Fault("error", error="missing_scope"), ChannelBusy, "docs/slack.md"),
        (Fault("error", error="channel_not_found"), ChannelGone, "channel_not_found"),
        (Fault("error", error="is_archived"), ChannelGone, "is_archived"),
        (Fault("error", error="not_in_channel"), ChannelGone, "not_in_channel"),
        (Fault("error", error="user_not_found"), ChannelGone, "user_not_found"),
        (Fault("error", error="msg_too_long"), ChannelRefused, "msg_too_long"),
        (Fault("error", error="invented_tomorrow"), ChannelRefused, "invented_tomorrow"),
    ],
)
async def test_a_failure_is_named(desk: Shop, fault: Fault, expected: type[ChannelError], words: str) -> None:
    desk.slack.always("chat.postMessage", fault)
    with pytest.raises(ChannelError) as caught:
        await desk.adapter.send(outgoing("Hello!"))
    assert type(caught.value) is expected
    assert words in str(caught.value)
    assert desk.slack.bot_token not in str(caught.value)
    if fault.kind == "ratelimited":
        assert isinstance(caught.value, ChannelBusy) and caught.value.retry_after == 30


async def test_the_sdk_does_not_try_again_by_itself(desk: Shop) -> None:
    desk.slack.always("chat.postMessage", RESET)
    with pytest.raises(ChannelBusy):
        await desk.adapter.send(outgoing("Hello!"))
    assert len(desk.calls("chat.postMessage")) == 1


async def test_blocks_that_slack_does_not_take_are_sent_as_plain_text(desk: Shop) -> None:
    desk.slack.next("chat.postMessage", Fault("error", error="invalid_blocks"))
    await desk.adapter.send(outgoing(Reply("**Well** <!here>?", (Button("y", "Yes"),))))
    (post,) = desk.slack.posts
    assert (post.text, post.blocks) == ("Well &lt;!here&gt;?\n\n• Yes", [])


async def test_a_direct_message_that_was_closed_is_opened_anew(desk: Shop) -> None:
    await desk.adapter.send(outgoing("one"))
    desk.slack.next("chat.postMessage", Fault("error", error="channel_not_found"))
    with pytest.raises(ChannelGone):
        await desk.adapter.send(outgoing("two"))
    await desk.adapter.send(outgoing("three"))
    assert len(desk.calls("conversations.open")) == 2


# --- private replies -----------------------------------------------------------------------------------------


async def test_a_private_reply_in_a_channel_is_for_its_reader_alone(desk: Shop) -> None:
    root = events.stamp()
    await desk.adapter.send(outgoing(Reply("Your code is 1", private=True), address=channel(root)))
    (post,) = desk.slack.posts
    assert (post.channel, post.thread_ts, post.user) == (events.CHANNEL, root, events.CUSTOMER)


async def test_a_private_reply_that_cannot_be_shown_there_goes_to_direct_messages(desk: Shop) -> None:
    desk.slack.channels[events.CHANNEL].people = frozenset({"U0OTHER"})
    asked = events.app_mention()
    await desk.told(asked)
    root = asked["ts"]
    row = outgoing(
        Reply("Your code is 1", (Button("y", "Thanks", press="tok.0.0"),), private=True),
        address=channel(root),
        in_reply_to=(f"{events.TEAM}.{events.CHANNEL}.{root}",),
    )
    await desk.adapter.send(row)
    (post,) = desk.slack.posts
    assert (post.channel, post.thread_ts, post.user) == (events.DM, "", "")
    link = f"https://acme.slack.com/archives/{events.CHANNEL}/p{root.replace('.', '')}"
    assert post.blocks[0]["elements"][0]["text"] == f"About your message in <#C0SUPPORT>: <{link}>"
    assert post.blocks[-1]["block_id"] == f"for:{events.CUSTOMER}:{root}:{events.CHANNEL}:0"
    assert desk.calls("chat.getPermalink") == [{"channel": events.CHANNEL, "message_ts": root}]
    await desk.adapter.send(outgoing(row.reply or "", address=channel(root), **LATE))
    assert len(desk.slack.posts) == 1


async def test_in_a_direct_message_nothing_need_be_private(desk: Shop) -> None:
    await desk.adapter.send(outgoing(Reply("Your code is 1", private=True)))
    assert desk.calls("chat.postEphemeral") == []


# --- files ---------------------------------------------------------------------------------------------------


async def test_a_file_is_uploaded_into_the_conversation(desk: Shop) -> None:
    root = events.stamp()
    label = Attachment("label.pdf", "application/pdf", digest=desk.files.add(b"%PDF-1"))
    await desk.adapter.send(outgoing(Reply("Your label:", files=(label,)), address=channel(root)))
    text, file = desk.slack.posts
    assert (text.text, file.thread_ts) == ("Your label:", root)
    (about,) = file.files
    assert about["title"] == "label.pdf"
    assert desk.slack.files[about["id"]].content == b"%PDF-1"


@pytest.mark.parametrize("text", ["Your label:", ""])
@pytest.mark.parametrize("method", ["files.getUploadURLExternal", "files.completeUploadExternal"])
async def test_a_reply_whose_file_failed_is_completed_and_not_repeated(desk: Shop, method: str, text: str) -> None:
    label = Attachment("label.pdf", "application/pdf", digest=desk.files.add(b"%PDF-1"))
    reply = Reply(text, files=(label,))
    desk.slack.next(method, RESET_AFTER_ACCEPTING)
    with pytest.raises(ChannelBusy):
        await desk.adapter.send(outgoing(reply))
    await desk.adapter.send(outgoing(reply, **LATE))
    assert sum(bool(post.files) for post in desk.slack.posts) == 1
    assert [post.text for post in desk.slack.posts if post.text] == ([text] if text else [])


async def test_a_file_that_is_not_kept_any_more_does_not_hold_up_the_text(desk: Shop) -> None:
    gone = Attachment("label.pdf", "application/pdf", digest="0" * 64)
    await desk.adapter.send(outgoing(Reply("Your label:", files=(gone,))))
    assert desk.slack.texts() == ["Your label:"]
    assert desk.said("slack.file_missing")


async def _fetched(desk: Shop, limit: int = 1000, **about: Any) -> bytes:
    found = desk.slack.add_file(b"picture", **about)
    return await desk.adapter.fetch(Attachment("photo.png", ref=found["id"]), limit=limit)


async def test_a_customers_file_is_fetched_with_the_token(desk: Shop) -> None:
    assert await _fetched(desk) == b"picture"


async def test_a_file_is_fetched_up_to_the_limit(desk: Shop) -> None:
    with pytest.raises(ChannelRefused, match="more than 3 bytes"):
        await _fetched(desk, 3)
    with pytest.raises(ChannelRefused, match="more than 3 bytes"):
        await desk.adapter.fetch(Attachment("x", size=4, ref="F1"), limit=3)
    found = desk.slack.add_file(b"picture" * 100_000)
    found["size"] = 1
    with pytest.raises(ChannelRefused, match="more than 3 bytes"):
        await desk.adapter.fetch(Attachment("x", ref=found["id"]), limit=3)


async def test_a_file_that_is_sent_on_to_another_place_is_not_fetched(desk: Shop) -> None:
    with pytest.raises(ChannelRefused, match="login"):
        await _fetched(desk, redirect="https://evil.example/")


async def test_the_token_is_shown_to_slack_alone(desk: Shop) -> None:
    for url in (
        "http://127.0.0.1:1/x",
        "https://files.slack.com.evil.example/x",
        "file:///etc/passwd",
        "",
        "https://u@files.slack.com/x",
    ):
        found = desk.slack.add_file(b"picture")
        found |= {"url_private": url, "url_private_download": url}
        with pytest.raises(ChannelRefused, match="not kept by Slack"):
            await desk.adapter.fetch(Attachment("x", ref=found["id"]), limit=10)


async def test_a_file_that_is_gone_is_refused_and_a_busy_slack_is_busy(desk: Shop) -> None:
    with pytest.raises(ChannelRefused):
        await desk.adapter.fetch(Attachment("x", ref="F0GONE"), limit=10)
    with pytest.raises(ChannelRefused):
        await desk.adapter.fetch(Attachment("x"), limit=10)
    desk.slack.always("files.info", Fault("ratelimited"))
    with pytest.raises(ChannelBusy):
        await desk.adapter.fetch(Attachment("x", ref="F0GONE"), limit=10)


# --- at work -------------------------------------------------------------------------------------------------


async def test_a_thread_shows_that_the_bot_is_at_work(desk: Shop) -> None:
    root = events.stamp()
    await desk.adapter.working(outgoing(address=channel(root)), "looks your order up")
    await desk.adapter.working(outgoing(), "nowhere to show it")
    assert [(said.channel, said.thread_ts, said.text) for said in desk.slack.statuses] == [
        (events.CHANNEL, root, "looks your order up")
    ]


async def test_a_status_that_slack_does_not_know_is_not_tried_again(desk: Shop) -> None:
    desk.slack.always("assistant.threads.setStatus", Fault("error", error="unknown_method"))
    for _ in range(3):
        await desk.adapter.working(outgoing(address=channel(events.stamp())), "")
    assert len(desk.calls("assistant.threads.setStatus")) == 1


async def test_a_slack_that_hangs_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("supportbot_slack.web.SECONDS", 0.3)
    async with shop() as desk:
        desk.slack.always("chat.postMessage", HANG)
        with pytest.raises(ChannelBusy, match="did not answer in time"):
            await desk.adapter.send(outgoing("Hello!", user=User(events.CUSTOMER)))


async def test_a_message_that_was_sent_just_before_a_quick_restart_is_not_sent_again(desk: Shop) -> None:
    row = outgoing("Once.")
    await desk.adapter.send(row)
    async with shop(slack=None, api_url=desk.slack.url) as again:
        await again.adapter.send(row)
    assert desk.slack.texts() == ["Once."]


async def test_a_private_answer_that_comes_late_goes_to_direct_messages(desk: Shop) -> None:
    row = outgoing(Reply("Only yours.", private=True), address=channel("1700000000.000100"), attempt=1)
    await desk.adapter.send(row)
    (post,) = desk.slack.posts
    assert post.user == "" and post.channel == events.DM and "Only yours." in str(post.blocks)
