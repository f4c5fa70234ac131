"""The stand-in for Slack, seen through the real SDK."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from supportbot.testing.slack import events
from supportbot.testing.slack.server import (
    HANG,
    RESET,
    RESET_AFTER_ACCEPTING,
    Channel,
    FakeSlack,
    Fault,
)

DM, ROOM, ADA = events.DM, events.CHANNEL, events.CUSTOMER
THREAD = "1690000000.000100"
ACTIONS = {
    "type": "actions",
    "elements": [{"type": "button", "text": {"type": "plain_text", "text": "Yes"}, "action_id": "a"}],
}


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    async with FakeSlack(pace=0, tiers={}) as server:
        yield server


@pytest.fixture
async def client(slack: FakeSlack) -> AsyncIterator[AsyncWebClient]:
    async with aiohttp.ClientSession() as session:
        yield AsyncWebClient(slack.bot_token, slack.url, session=session, retry_handlers=[])


async def refused(call: Any) -> str:
    """The error that Slack answers the call with."""
    with pytest.raises(SlackApiError) as caught:
        await call
    return str(caught.value.response["error"])


def section(text: str = "Hi", **others: Any) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}, **others}


async def test_a_post_stands_in_the_ledger_and_answers_with_its_timestamp(
    slack: FakeSlack, client: AsyncWebClient
) -> None:
    answer = await client.chat_postMessage(channel=DM, text="Hello!", thread_ts=THREAD)
    (post,) = slack.posts
    assert (post.channel, post.text, post.thread_ts, post.ts) == (DM, "Hello!", THREAD, answer["ts"])
    assert answer["message"]["bot_id"] == slack.bot_id
    assert slack.texts() == ["Hello!"] and slack.texts(ROOM) == []


async def test_timestamps_only_rise(slack: FakeSlack) -> None:
    stamps = [slack.stamp() for _ in range(1000)]
    assert stamps == sorted(set(stamps)) and stamps[0] == "1700000000.000100"


async def test_a_message_to_a_user_goes_to_the_im_with_that_user(slack: FakeSlack, client: AsyncWebClient) -> None:
    assert (await client.chat_postMessage(channel=ADA, text="a"))["channel"] == DM
    opened = (await client.conversations_open(users="U0OTHER"))["channel"]["id"]
    assert (await client.chat_postMessage(channel="U0OTHER", text="b"))["channel"] == opened != DM


async def test_tokens_are_checked_and_kept_out_of_the_ledger(slack: FakeSlack) -> None:
    def using(token: str) -> AsyncWebClient:
        return AsyncWebClient(token, slack.url, retry_handlers=[])

    assert await refused(using("").auth_test()) == "not_authed"
    assert await refused(using("xoxb-other").auth_test()) == "invalid_auth"
    assert await refused(using(slack.app_token).auth_test()) == "not_allowed_token_type"
    assert await refused(using("").apps_connections_open(app_token=slack.bot_token)) == "not_allowed_token_type"
    assert (await using(slack.bot_token).auth_test())["user_id"] == slack.bot_user
    async with aiohttp.ClientSession() as session:  # as a form, the token inside
        form = {"token": slack.bot_token, "channel": DM, "blocks": json.dumps([section()])}
        async with session.post(slack.url + "chat.postMessage", data=form) as answer:
            assert (await answer.json())["ok"]
    assert slack.posts[0].blocks == [section()]
    assert slack.bot_token not in str(slack.calls) and "xoxb-other" not in str(slack.calls)


async def test_channels_out_of_reach_are_refused(slack: FakeSlack, client: AsyncWebClient) -> None:
    slack.channels["C0MINE"] = Channel("C0MINE", "private")
    for channel, error in {
        "C0NOWHERE": "channel_not_found",
        "G0SECRET": "channel_not_found",
        "C0ELSEWHERE": "not_in_channel",
        "C0OLD": "is_archived",
    }.items():
        assert await refused(client.chat_postMessage(channel=channel, text="a")) == error
    assert await refused(client.chat_update(channel=ADA, ts=THREAD, text="a")) == "channel_not_found"
    await client.chat_postMessage(channel="C0MINE", text="a")
    assert len(slack.posts) == 1


async def test_texts_are_measured(slack: FakeSlack, client: AsyncWebClient) -> None:
    for blank in ("", " \n"):  # not through chat_postMessage, which warns
        assert await refused(client.api_call("chat.postMessage", json={"channel": DM, "text": blank})) == "no_text"
    assert await refused(client.chat_postMessage(channel=DM, markdown_text="a" * 12_001)) == "msg_too_long"
    mixed = client.chat_postMessage(channel=DM, markdown_text="a", text="a")
    assert await refused(mixed) == "markdown_text_conflict"
    assert await refused(client.chat_postMessage(channel=DM, text="a", thread_ts="None")) == "invalid_thread_ts"
    answer = await client.chat_postMessage(channel=DM, text="a" * 40_001)
    assert answer["warning"] == "message_truncated" and slack.posts[0].cut and len(slack.posts[0].text) == 40_000
    assert await refused(client.chat_update(channel=DM, ts=answer["ts"], text="a" * 4001)) == "msg_too_long"
    await client.chat_update(channel=DM, ts=answer["ts"], text="a" * 4000)
    assert len(slack.posts) == 1


async def test_refused_blocks_leave_no_post(slack: FakeSlack, client: AsyncWebClient) -> None:
    for blocks, error in (
        ([section("")], "invalid_blocks"),
        ("[{", "invalid_blocks_format"),
        ([section("a" * 3000)] * 5, "msg_blocks_too_long"),
    ):
        assert await refused(client.chat_postMessage(channel=DM, text="a", blocks=blocks)) == error
    assert slack.posts == []


async def test_an_edit_keeps_what_was_said_before_and_a_deletion_takes_it_away(
    slack: FakeSlack, client: AsyncWebClient
) -> None:
    ts = (await client.chat_postMessage(channel=DM, text="one"))["ts"]
    await client.chat_update(channel=DM, ts=ts, text="two")
    (post,) = slack.posts
    assert (post.text, post.edits) == ("two", ["one"])
    await client.chat_delete(channel=DM, ts=ts)
    assert post.deleted and slack.texts() == []
    assert await refused(client.chat_delete(channel=DM, ts=ts)) == "message_not_found"


async def test_an_ephemeral_message_needs_its_reader_in_the_channel(
    slack: FakeSlack, client: AsyncWebClient
) -> None:
    answer = await client.chat_postEphemeral(channel=ROOM, user=ADA, text="psst")
    assert slack.posts[0].user == ADA
    assert await refused(client.chat_postEphemeral(channel=DM, user="U0OTHER", text="a")) == "user_not_in_channel"
    assert (
        await refused(client.chat_update(channel=ROOM, ts=answer["message_ts"], text="a")) == "message_not_found"
    )


async def test_the_sdks_stream_grows_one_message(slack: FakeSlack, client: AsyncWebClient) -> None:
    stream = await client.chat_stream(
        channel=ROOM, thread_ts=THREAD, recipient_user_id=ADA, recipient_team_id=slack.team, buffer_size=1
    )
    await stream.append(markdown_text="Hel")
    await stream.append(markdown_text="lo!")
    (post,) = slack.posts
    assert post.streaming and post.thread_ts == THREAD and post.pieces == ["Hel", "lo!"]
    assert await refused(client.chat_update(channel=ROOM, ts=post.ts, text="a")) == "streaming_state_conflict"
    await stream.stop(markdown_text=" Bye.", blocks=[ACTIONS])
    assert not post.streaming and slack.texts() == ["Hello! Bye."] and post.blocks == [ACTIONS]
    await client.chat_update(channel=ROOM, ts=post.ts, text="Hello again")
    assert slack.texts() == ["Hello again"]


async def test_streams_are_refused_like_the_original(slack: FakeSlack, client: AsyncWebClient) -> None:
    start, append = client.chat_startStream, client.chat_appendStream
    assert await refused(start(channel=DM, thread_ts="")) == "invalid_arguments"
    assert await refused(start(channel=ROOM, thread_ts=THREAD)) == "missing_recipient_team_id"
    half = start(channel=ROOM, thread_ts=THREAD, recipient_team_id=slack.team)
    assert await refused(half) == "missing_recipient_user_id"
    ts = (await start(channel=DM, thread_ts=THREAD))["ts"]
    assert await refused(append(channel=DM, ts=ts, markdown_text="a" * 12_001)) == "msg_too_long"
    assert await refused(append(channel=DM, ts=ts, chunks=[{"type": "song"}])) == "invalid_chunks"
    assert await refused(append(channel=DM, ts=THREAD, markdown_text="a")) == "message_not_found"
    slack.hear({"event": events.message(ts=THREAD)})
    assert await refused(append(channel=DM, ts=THREAD, markdown_text="a")) == "message_not_owned_by_app"
    assert await refused(client.chat_update(channel=DM, ts=THREAD, text="a")) == "cant_update_message"
    await client.chat_stopStream(channel=DM, ts=ts)
    for call in (append(channel=DM, ts=ts, markdown_text="a"), client.chat_stopStream(channel=DM, ts=ts)):
        assert await refused(call) == "message_not_in_streaming_state"


async def test_an_old_stream_is_over_and_can_be_edited(client: AsyncWebClient, slack: FakeSlack) -> None:
    slack.stream_seconds = 0.01
    ts = (await client.chat_startStream(channel=DM, thread_ts=THREAD, markdown_text="Hel"))["ts"]
    await asyncio.sleep(0.02)
    late = client.chat_appendStream(channel=DM, ts=ts, markdown_text="lo")
    assert await refused(late) == "message_not_in_streaming_state"
    await client.chat_update(channel=DM, ts=ts, text="Hello")
    assert slack.texts() == ["Hello"]


async def test_the_assistants_thread_takes_status_title_and_prompts(
    slack: FakeSlack, client: AsyncWebClient
) -> None:
    where: dict[str, str] = {"channel_id": DM, "thread_ts": THREAD}
    await client.assistant_threads_setStatus(status="is thinking…", **where)
    await client.assistant_threads_setTitle(title="Order 7", **where)
    await client.assistant_threads_setSuggestedPrompts(prompts=[{"title": "Track", "message": "Where?"}], **where)
    assert [said.text for said in (*slack.statuses, *slack.titles)] == ["is thinking…", "Order 7"]
    assert slack.prompts[0].prompts == ({"title": "Track", "message": "Where?"},)
    bare = client.assistant_threads_setSuggestedPrompts(prompts=[{"title": "Track"}], **where)
    assert await refused(bare) == "invalid_arguments"
    nowhere = client.assistant_threads_setStatus(channel_id="C0NOWHERE", thread_ts=THREAD, status="a")
    assert await refused(nowhere) == "channel_not_found"


async def test_people_channels_and_threads_can_be_looked_up(slack: FakeSlack, client: AsyncWebClient) -> None:
    slack.locales[ADA] = "de-DE"
    assert (await client.users_info(user=ADA, include_locale=True))["user"]["locale"] == "de-DE"
    assert "locale" not in (await client.users_info(user=ADA))["user"]
    assert await refused(client.users_info(user="U0NOBODY")) == "user_not_found"
    assert (await client.conversations_info(channel=DM))["channel"]["user"] == ADA
    assert (await client.conversations_info(channel="C0ELSEWHERE"))["channel"]["is_member"] is False
    asked = events.message("Where?")
    slack.hear(events.event_callback(asked))
    mark = {"event_type": "reply", "event_payload": {"id": "r1"}}
    await client.chat_postMessage(channel=DM, text="Here.", thread_ts=asked["ts"], metadata=mark)
    thread = await client.conversations_replies(channel=DM, ts=asked["ts"], include_all_metadata=True)
    assert [message["text"] for message in thread["messages"]] == ["Where?", "Here."]
    assert thread["messages"][1]["metadata"] == mark
    assert [one["text"] for one in (await client.conversations_history(channel=DM))["messages"]] == ["Where?"]
    assert await refused(client.conversations_replies(channel=DM, ts="1.2")) == "thread_not_found"
    assert await refused(client.api_call("chat.postSong")) == "unknown_method"


async def test_an_upload_becomes_one_message_with_the_file(slack: FakeSlack, client: AsyncWebClient) -> None:
    answer = await client.files_upload_v2(
        content=b"%PDF",
        filename="bill.pdf",
        title="Bill",
        channel=DM,
        thread_ts=THREAD,
        initial_comment="Your bill",
    )
    (post,) = slack.posts
    assert (post.text, post.thread_ts, post.files[0]["title"]) == ("Your bill", THREAD, "Bill")
    stored = slack.files[answer["file"]["id"]]
    assert stored.content == b"%PDF" and stored.about["size"] == 4
    about = (await client.files_info(file=stored.about["id"]))["file"]
    assert about["shares"]["private"][DM][0]["ts"] == post.ts


async def test_an_upload_that_is_not_whole_is_not_shared(slack: FakeSlack, client: AsyncWebClient) -> None:
    asked = await client.files_getUploadURLExternal(filename="a.txt", length=5)
    async with aiohttp.ClientSession() as session, session.post(asked["upload_url"], data=b"abc") as answer:
        assert answer.status == 400
    share = client.files_completeUploadExternal(files=[{"id": asked["file_id"]}], channel_id=DM)
    assert await refused(share) == "file_not_found"
    assert slack.posts == []


async def test_a_download_needs_the_token_or_ends_at_the_login_page(slack: FakeSlack) -> None:
    about = slack.add_file(b"PNG", "photo.png")
    elsewhere = slack.add_file(b"", "moved.png", redirect="http://127.0.0.1:9/private")
    bearer = {"Authorization": f"Bearer {slack.bot_token}"}
    async with aiohttp.ClientSession() as session:
        async with session.get(about["url_private"], headers=bearer) as answer:
            assert (answer.status, await answer.read(), answer.content_type) == (200, b"PNG", "image/png")
        async with session.get(about["url_private_download"], headers=bearer) as answer:
            assert await answer.read() == b"PNG"
        async with session.get(about["url_private"]) as answer:
            assert answer.status == 200 and answer.content_type == "text/html" and len(answer.history) == 1
        async with session.get(elsewhere["url_private"], headers=bearer, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (302, "http://127.0.0.1:9/private")


async def test_a_second_message_within_the_second_is_refused_in_that_channel_only() -> None:
    async with FakeSlack() as slack:
        client = AsyncWebClient(slack.bot_token, slack.url, retry_handlers=[])
        await client.chat_postMessage(channel=DM, text="one")
        await client.chat_postMessage(channel=ROOM, text="one")
        with pytest.raises(SlackApiError) as caught:
            await client.chat_startStream(channel=DM, thread_ts=THREAD)
        assert caught.value.response.status_code == 429 and caught.value.response["error"] == "ratelimited"
        assert int(caught.value.response.headers["Retry-After"]) == 1
        assert slack.rate_limited == {"chat.startStream": 1}
        client.retry_handlers.append(AsyncRateLimitErrorRetryHandler(max_retry_count=2))
        await client.chat_postMessage(channel=DM, text="two")
        assert slack.texts(DM) == ["one", "two"] and slack.rate_limited["chat.postMessage"] == 1


async def test_faults_come_in_the_order_they_were_asked_for(slack: FakeSlack, client: AsyncWebClient) -> None:
    slack.always("chat.postMessage", Fault("error", error="account_inactive"))
    slack.next("chat.postMessage", Fault("http", status=500), None, Fault("ratelimited", seconds=7))
    statuses = []
    for _ in range(4):
        try:
            statuses.append((await client.chat_postMessage(channel=DM, text="a")).status_code)
        except SlackApiError as failed:
            statuses.append(failed.response.status_code)
    assert statuses == [500, 200, 429, 200] and len(slack.posts) == 1
    slack.always("chat.postMessage", None)
    slack.always("*", Fault("error", error="fatal_error"))
    assert await refused(client.auth_test()) == "fatal_error"


async def test_a_message_stands_after_a_reset_that_came_too_late(slack: FakeSlack, client: AsyncWebClient) -> None:
    slack.next("chat.postMessage", RESET, RESET_AFTER_ACCEPTING, Fault("http", accepted=True))
    for text in ("lost", "taken"):
        with pytest.raises((aiohttp.ClientError, ConnectionError)):
            await client.chat_postMessage(channel=DM, text=text)
    with pytest.raises(SlackApiError):
        await client.chat_postMessage(channel=DM, text="also taken")
    assert slack.texts() == ["taken", "also taken"]


async def test_the_sdks_own_retry_doubles_a_message_whose_answer_was_lost(slack: FakeSlack) -> None:
    slack.next("chat.postMessage", RESET_AFTER_ACCEPTING)
    await AsyncWebClient(slack.bot_token, slack.url).chat_postMessage(channel=DM, text="once")
    assert slack.texts() == ["once", "once"]


async def test_a_hanging_call_ends_with_the_server() -> None:
    async with FakeSlack() as slack:
        slack.next("auth.test", HANG)
        client = AsyncWebClient(slack.bot_token, slack.url, retry_handlers=[])
        call = asyncio.ensure_future(client.auth_test())
        await asyncio.sleep(0.05)
        assert not call.done()
    with pytest.raises((aiohttp.ClientError, ConnectionError)):
        await call


async def test_chaos_is_the_same_for_the_same_seed() -> None:
    async def run(seed: int) -> list[str]:
        async with FakeSlack(pace=0) as slack:
            slack.chaos(0.4, seed, [Fault("error", error="internal_error")])
            client = AsyncWebClient(slack.bot_token, slack.url)
            for number in range(20):
                with contextlib.suppress(SlackApiError):
                    await client.chat_postMessage(channel=DM, text=str(number))
            return slack.texts()

    first = await run(1)
    assert first == await run(1) != await run(2) and 4 < len(first) < 20
