"""What the stand-in for Slack tells an app: deliveries over HTTP, envelopes over Socket Mode."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from slack_sdk.signature import SignatureVerifier
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient

from supportbot.testing.slack import events
from supportbot.testing.slack.server import FakeSlack

ROOM, THREAD = events.CHANNEL, "1690000000.000100"


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    async with FakeSlack() as server:
        yield server


class App:
    """An app's address: answers with the given statuses, then 200; a negative one is a wait in seconds."""

    def __init__(self, *statuses: float) -> None:
        self._statuses = list(statuses)
        self.requests: list[tuple[dict[str, str], bytes]] = []

    async def handle(self, request: web.Request) -> web.Response:
        self.requests.append((dict(request.headers), await request.read()))
        status = self._statuses.pop(0) if self._statuses else 200
        if status < 0:
            await asyncio.sleep(-status)
        return web.Response(status=int(status) if status > 0 else 200, text="taken")


@contextlib.asynccontextmanager
async def listening(app: App) -> AsyncIterator[str]:
    site = web.Application()
    site.router.add_post("/slack/events", app.handle)
    runner = web.AppRunner(site, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_an_event_is_repeated_until_it_is_answered_well() -> None:
    app = App(500, -1)
    async with FakeSlack(repeat_after=(0, 0, 0), answer_within=0.1) as slack:
        async with listening(app) as base:
            event = events.event_callback(events.message("Hi"))
            assert await slack.deliver(base, event) == [500, 0, 200]
        headers = [headers for headers, _ in app.requests]
        assert [one.get("X-Slack-Retry-Num") for one in headers] == [None, "1", "2"]
        assert [one.get("X-Slack-Retry-Reason") for one in headers] == [None, "http_error", "http_timeout"]
        verifier = SignatureVerifier(slack.signing_secret)
        assert all(verifier.is_valid_request(body, headers) for headers, body in app.requests)
        assert slack.answers == [b"taken", b"taken"]


async def test_an_event_is_given_up_after_three_repeats_and_can_change_its_id(slack: FakeSlack) -> None:
    app = App(500, 500, 500, 500, 500)
    async with listening(app) as base:
        statuses = await slack.deliver(base, events.event_callback(events.message()), fresh_ids=True)
    assert statuses == [500] * 4
    assert len({json.loads(body)["event_id"] for _, body in app.requests}) == 4


async def test_interactions_and_commands_come_as_forms_and_only_once(slack: FakeSlack) -> None:
    app = App(500, 500)
    async with listening(app) as base:
        pressed = events.block_actions(events.button("yes", "1"), {"ts": THREAD, "text": "?", "blocks": []})
        assert await slack.deliver(base, pressed) == [500]
        assert await slack.deliver(base, events.slash_command("help me")) == [500]
    (_, first), (headers, second) = app.requests
    assert first.startswith(b"payload=%7B") and b"text=help+me" in second
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert SignatureVerifier(slack.signing_secret).is_valid_request(second, headers)


def test_an_old_signature_is_signed_but_stale() -> None:
    slack = FakeSlack()
    assert not SignatureVerifier(slack.signing_secret).is_valid_request(b"{}", slack.signed(b"{}", at=1531420618))


async def test_every_builder_gives_json_with_ids_of_its_own() -> None:
    asked = events.message("Hi")
    made = [
        asked,
        events.app_mention(),
        events.message("in a thread", channel=ROOM, thread_ts=THREAD),
        events.edited(asked, "Hello"),
        events.unfurled(asked),
        events.deleted(asked),
        events.bot_message(),
        events.own_message(),
        events.file_share([events.file(), events.audio_clip(), events.snippet()]),
        events.thread_broadcast(asked),
        events.channel_join(),
        events.assistant_thread_started(),
        events.assistant_thread_context_changed(),
        events.app_home_opened(),
        events.app_uninstalled(),
        events.tokens_revoked(),
        events.unknown_event(),
    ]
    wrapped = [json.loads(json.dumps(events.event_callback(event))) for event in made]
    assert len({one["event_id"] for one in wrapped}) == len({event["event_ts"] for event in made}) == len(made)
    changed = events.edited(asked, "Hello")
    assert (changed["message"]["text"], changed["previous_message"]["text"]) == ("Hello", "Hi")
    assert changed["message"]["ts"] == asked["ts"] != changed["ts"]
    same = events.unfurled(asked)
    assert same["message"]["text"] == same["previous_message"]["text"] and "edited" not in same["message"]


@contextlib.asynccontextmanager
async def socket(
    slack: FakeSlack, *, acks: bool = True
) -> AsyncIterator[tuple[SocketModeClient, list[SocketModeRequest]]]:
    """A connected client of the SDK and what it was sent."""
    web_client = AsyncWebClient(base_url=slack.url)
    client = SocketModeClient(slack.app_token, web_client=web_client, ping_interval=0.2)
    seen: list[SocketModeRequest] = []

    async def take(_: Any, request: SocketModeRequest) -> None:
        seen.append(request)
        if acks:
            await client.send_socket_mode_response(SocketModeResponse(request.envelope_id, {"text": "ok"}))

    client.socket_mode_request_listeners.append(take)  # type: ignore[arg-type]
    await client.connect()
    try:
        yield client, seen
    finally:
        await client.close()
        await asyncio.sleep(0)


async def test_a_pushed_envelope_is_acknowledged_with_its_payload(slack: FakeSlack) -> None:
    async with socket(slack) as (_, seen):
        assert await slack.connected_within(2)
        id = await slack.push(events.slash_command(), "slash_commands")
        assert await slack.acked_within(id, 2)
    assert slack.acked == {id} and slack.acks == {id: {"text": "ok"}}
    assert seen[0].accepts_response_payload and seen[0].retry_attempt is None


async def test_an_envelope_waits_for_the_first_connection(slack: FakeSlack) -> None:
    id = await slack.push(events.event_callback(events.message()))
    assert not await slack.acked_within(id, 0.05)
    async with socket(slack) as (_, seen):
        assert await slack.acked_within(id, 2)
    assert seen[0].retry_attempt == 0


async def test_what_was_not_acknowledged_comes_again_on_the_next_connection(slack: FakeSlack) -> None:
    async with socket(slack, acks=False) as (_, first):
        id = await slack.push(events.event_callback(events.message()))
        assert not await slack.acked_within(id, 0.1)
    async with socket(slack) as (_, second):
        assert await slack.acked_within(id, 2)
    assert (first[0].envelope_id, second[0].envelope_id) == (id, id)
    assert (first[0].retry_attempt, second[0].retry_attempt, second[0].retry_reason) == (0, 1, "timeout")


@pytest.mark.parametrize(
    ("reason", "abrupt"), [("warning", False), ("refresh_requested", False), ("refresh_requested", True)]
)
async def test_a_client_comes_back_after_a_disconnection(slack: FakeSlack, reason: Any, abrupt: bool) -> None:
    async with socket(slack) as (_, seen):
        assert await slack.connected_within(2)
        await slack.disconnect_all(reason, abrupt=abrupt)
        assert await slack.connected_within(5, 2)
        id = await slack.push(events.event_callback(events.message()))
        assert await slack.acked_within(id, 5)
        assert slack.connections == 2 and [one.envelope_id for one in seen] == [id]


async def test_an_acknowledgement_that_got_lost_with_its_connection_brings_the_envelope_again(
    slack: FakeSlack,
) -> None:
    async with socket(slack, acks=False) as (_, seen):
        await slack.push(events.event_callback(events.message()))
        while not seen:
            await asyncio.sleep(0.01)
        await slack.disconnect_all(abrupt=True)
        assert await slack.connected_within(5, 2)
        while len(seen) < 2:
            await asyncio.sleep(0.01)
        assert [one.retry_attempt for one in seen] == [0, 1] and not slack.acked


async def test_what_one_client_leaves_behind_goes_to_another_that_is_connected(slack: FakeSlack) -> None:
    async with socket(slack):
        async with socket(slack, acks=False) as (_, left):
            assert await slack.connected_within(2, 2)
            ids = [await slack.push(events.event_callback(events.message())) for _ in range(2)]
            while not left:
                await asyncio.sleep(0.01)
        for id in ids:
            assert await slack.acked_within(id, 2)


async def test_pings_are_answered(slack: FakeSlack) -> None:
    async with socket(slack) as (client, _):
        await asyncio.sleep(1.2)  # six ping intervals; the SDK reconnects after four without an answer
        assert await client.is_connected() and slack.connections == 1


async def test_a_ticket_opens_one_connection_only(slack: FakeSlack) -> None:
    opened = await AsyncWebClient(base_url=slack.url).apps_connections_open(app_token=slack.app_token)
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(opened["url"]) as link:
            assert (await link.receive_json())["type"] == "hello"
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(opened["url"])
