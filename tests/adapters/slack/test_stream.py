"""Replies that grow while they are written, and how they end when something goes wrong on the way."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from supportbot.errors import ChannelBusy
from supportbot.testing.slack import events
from supportbot.testing.slack.server import RESET, RESET_AFTER_ACCEPTING, FakeSlack, Fault
from supportbot.types import Address, Button, Outgoing, Reply

from .conftest import DM, Shop, channel, outgoing, shop

ROOT = "1700000000.000100"
THREAD = channel(ROOT)
YES = (Button("y", "Yes", press="tok.0.0"),)


async def grown(desk: Shop, *texts: str, address: Address = THREAD) -> str:
    """The handle after the reply was shown in these states."""
    handle = ""
    for text in texts:
        row = outgoing(text, id="", address=address, created_at=0.0, preview=handle)
        handle = await desk.adapter.preview(row, text)
    return handle


async def grown_on(desk: Shop, handle: str, text: str, address: Address) -> str:
    return await desk.adapter.preview(outgoing(text, id="", address=address, created_at=0.0, preview=handle), text)


def end(
    handle: str, text: str, *, address: Address = THREAD, buttons: tuple[Button, ...] = (), **more: Any
) -> Outgoing:
    return outgoing(Reply(text, buttons), address=address, preview=handle, **more)


@pytest.mark.parametrize("address", [channel(ROOT), replace(DM, thread=ROOT)])
async def test_in_a_thread_a_reply_is_streamed_and_ends_with_its_buttons(desk: Shop, address: Address) -> None:
    handle = await grown(desk, "It was", "It was shipped", "It was shipped", address=address)
    ts = await desk.adapter.send(end(handle, "It was shipped yesterday. More?", buttons=YES, address=address))
    (post,) = desk.slack.posts
    assert (post.ts, post.thread_ts, post.streaming) == (ts, ROOT, False)
    assert post.pieces == ["It was", " shipped", " yesterday. More?"]
    assert [block["type"] for block in post.blocks] == ["actions"]
    assert post.metadata["event_payload"] == {"id": "o-1"}
    assert desk.calls("chat.postMessage") == []


async def test_in_a_channel_slack_is_told_whom_it_is_for(desk: Shop) -> None:
    await grown(desk, "It")
    (started,) = desk.calls("chat.startStream")
    assert (started["recipient_team_id"], started["recipient_user_id"]) == (events.TEAM, events.CUSTOMER)


async def test_without_a_thread_a_message_is_posted_and_edited(desk: Shop) -> None:
    handle = await grown(desk, "It was", "It was shipped", address=DM)
    await desk.adapter.send(end(handle, "It was **shipped** yesterday.", buttons=YES, address=DM))
    (post,) = desk.slack.posts
    assert post.text == "It was shipped yesterday."
    assert post.edits == ["It was", "It was shipped"]
    assert [block["type"] for block in post.blocks] == ["section", "actions"]
    assert desk.calls("chat.startStream") == []


@pytest.mark.parametrize(
    "code", ["unknown_method", "not_allowed_token_type", "missing_scope", "channel_type_not_supported"]
)
async def test_where_streams_do_not_work_messages_are_edited_from_then_on(desk: Shop, code: str) -> None:
    desk.slack.always("chat.startStream", Fault("error", error=code))
    for number in range(2):
        handle = await grown(desk, "It was", "It was shipped")
        await desk.adapter.send(end(handle, f"It was shipped {number}.", id=f"o-{number}"))
    assert desk.slack.texts() == ["It was shipped 0.", "It was shipped 1."]
    assert len(desk.calls("chat.startStream")) == 1


async def test_another_text_than_was_streamed_takes_its_place(desk: Shop) -> None:
    handle = await grown(desk, "I think it was")
    await desk.adapter.send(end(handle, "A human will answer.", buttons=YES))
    (post,) = desk.slack.posts
    assert post.text == "A human will answer." and not post.streaming
    assert [block["type"] for block in post.blocks] == ["section", "actions"]


async def test_a_text_that_begins_anew_is_put_right_at_the_end(desk: Shop) -> None:
    handle = await grown(desk, "I think", "Let me see")
    assert desk.slack.posts[0].pieces == ["I think"]
    await desk.adapter.send(end(handle, "Let me see. Yes."))
    assert desk.slack.texts() == ["Let me see. Yes."]


async def test_a_stream_that_has_ended_by_itself_is_edited() -> None:
    async with shop(slack=FakeSlack(pace=0, tiers={}, stream_seconds=0)) as desk:
        handle = await grown(desk, "It was")
        await desk.adapter.send(end(handle, "It was shipped."))
        (post,) = desk.slack.posts
        assert post.text == "It was shipped." and post.metadata["event_payload"] == {"id": "o-1"}


async def test_a_message_that_is_gone_is_posted_anew(desk: Shop) -> None:
    handle = await grown(desk, "It was")
    desk.slack.posts[0].deleted = True
    await desk.adapter.send(end(handle, "It was shipped."))
    assert desk.slack.texts() == ["It was shipped."]


@pytest.mark.parametrize("address", [THREAD, DM])
async def test_the_handle_outlives_a_restart_and_nothing_is_said_twice(desk: Shop, address: Address) -> None:
    handle = await grown(desk, "It was", address=address)
    assert await grown_on(desk, handle, "It was shipped", address) == handle
    async with shop(slack=None, api_url=desk.slack.url) as again:
        await again.adapter.send(end(handle, "It was shipped.", address=address))
    assert desk.slack.texts() == ["It was shipped."]


async def test_a_reply_is_not_shown_while_it_is_written_when_slack_would_have_to_refuse() -> None:
    async with shop(slack=FakeSlack(pace=0)) as desk:
        for number in range(40):
            for address in (THREAD, DM):
                handle = await grown(desk, "It was", "It was shipped", address=address)
                await desk.adapter.send(
                    end(handle, f"It was shipped {number}.", address=address, id=f"o-{number}")
                )
        assert not desk.slack.rate_limited
        assert len(desk.calls("chat.startStream")) == 16
        assert desk.slack.texts() == [f"It was shipped {number // 2}." for number in range(80)]


@pytest.mark.parametrize(
    "fault", [RESET, RESET_AFTER_ACCEPTING, Fault("ratelimited"), Fault("http"), Fault("error")]
)
@pytest.mark.parametrize("text", ["It was shipped.", "Something else."])
async def test_an_end_that_fails_is_finished_at_the_next_try_and_not_doubled(
    desk: Shop, fault: Fault, text: str
) -> None:
    handle = await grown(desk, "It was")
    desk.slack.next("chat.stopStream", fault)
    row = end(handle, text)
    with pytest.raises(ChannelBusy):
        await desk.adapter.send(row)
    await desk.adapter.send(replace(row, attempt=1))
    assert desk.slack.texts() == [text]
    assert not desk.slack.posts[0].streaming


async def test_an_edit_that_fails_is_finished_at_the_next_try(desk: Shop) -> None:
    handle = await grown(desk, "It was", address=DM)
    desk.slack.next("chat.update", RESET_AFTER_ACCEPTING)
    row = end(handle, "It was shipped.", address=DM)
    with pytest.raises(ChannelBusy):
        await desk.adapter.send(row)
    await desk.adapter.send(replace(row, attempt=1))
    assert desk.slack.texts() == ["It was shipped."]


async def test_a_busy_slack_only_delays_the_preview(desk: Shop) -> None:
    desk.slack.next("chat.startStream", Fault("ratelimited"))
    assert await grown(desk, "It") == ""
    handle = await grown(desk, "It was")
    desk.slack.next("chat.appendStream", Fault("ratelimited"))
    row = outgoing("x", id="", address=channel(ROOT), preview=handle)
    assert await desk.adapter.preview(row, "It was shipped") == handle
    await desk.adapter.send(end(handle, "It was shipped."))
    assert desk.slack.texts() == ["It was shipped."]


async def test_blocks_that_are_not_taken_at_the_end_do_not_lose_the_reply(desk: Shop) -> None:
    handle = await grown(desk, "It was")
    desk.slack.next("chat.stopStream", Fault("error", error="invalid_blocks"))
    desk.slack.next("chat.update", Fault("error", error="invalid_blocks"))
    await desk.adapter.send(end(handle, "It was shipped.", buttons=YES))
    assert desk.slack.texts() == ["It was shipped.\n\n• Yes"]


async def test_what_no_message_can_hold_is_not_shown_further(desk: Shop) -> None:
    handle = await grown(desk, "It was", "It was " + "very " * 1000)
    assert desk.slack.posts[0].pieces == ["It was"]
    await desk.adapter.send(end(handle, "It was very long."))
    assert desk.slack.texts() == ["It was very long."]


async def test_a_private_end_takes_the_shown_beginning_back(desk: Shop) -> None:
    handle = await grown(desk, "Your code")
    row = outgoing(Reply("Your code is 1", private=True), address=channel(ROOT), preview=handle)
    await desk.adapter.send(row)
    begun, told = desk.slack.posts
    assert begun.deleted and told.user == events.CUSTOMER
    assert await desk.adapter.preview(replace(row, preview=""), "Your code") == ""


async def test_streams_mention_nobody(desk: Shop) -> None:
    handle = await grown(desk, "Hi <", "Hi <!channel", "Hi <!channel> [x]", "Hi <!channel> [x](java")
    await desk.adapter.send(end(handle, "Hi <!channel> [x](javascript:alert)"))
    (post,) = desk.slack.posts
    assert post.markdown == "Hi <\u200b!channel> [x]\u200b(javascript:alert)"
    assert desk.calls("chat.update") == []


@pytest.mark.parametrize("desk", [{"stream": False}], indirect=True)
async def test_streaming_can_be_switched_off(desk: Shop) -> None:
    assert desk.adapter.capabilities.streaming is False
    assert await grown(desk, "It") == ""
    assert desk.slack.posts == []
