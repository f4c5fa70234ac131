"""Socket Mode: acknowledged when stored, in order, through reconnections, and closed without a trace."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from supportbot.errors import StoreFull, UsageError
from supportbot.testing.slack import events
from supportbot.testing.slack.server import HANG, FakeSlack, Fault

from .conftest import Shop, outgoing, shop, until


@pytest.fixture
async def desk(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shop]:
    """Over Socket Mode, with short waits."""
    _quick(monkeypatch)
    async with shop(mode="socket") as one:
        assert await one.slack.connected_within(2)
        yield one


def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("supportbot_slack.socket.PING", 0.4)
    monkeypatch.setattr("supportbot_slack.socket.TRY", 0.35)
    monkeypatch.setattr("supportbot_slack.socket._PAUSES", (0.05,))
    monkeypatch.setattr("supportbot_slack.START_SECONDS", 0.6)


def _event(text: str, **others: Any) -> dict[str, Any]:
    return events.event_callback(events.message(text, **others))


async def test_an_envelope_is_acknowledged_once_the_message_is_stored(desk: Shop) -> None:
    desk.inbox.hold()
    envelope = await desk.slack.push(_event("hello"))
    await desk.inbox.arrived.wait()
    assert not await desk.slack.acked_within(envelope, 0.2)
    desk.inbox.release()
    assert await desk.slack.acked_within(envelope, 2)
    assert [message.text for message in desk.inbox.messages] == ["hello"]


async def test_what_could_not_be_stored_is_sent_again_on_the_next_connection(desk: Shop) -> None:
    desk.inbox.error = StoreFull("the disk is full")
    envelope = await desk.slack.push(_event("hello"))
    assert not await desk.slack.acked_within(envelope, 0.3)
    desk.inbox.error = None
    await desk.slack.disconnect_all()
    assert await desk.slack.acked_within(envelope, 5)
    assert [message.text for message in desk.inbox.messages] == ["hello"]


async def test_messages_of_one_chat_stay_in_order_and_other_chats_do_not_wait(desk: Shop) -> None:
    desk.slack.always("users.info", HANG)
    numbers = [str(number) for number in range(20)]
    pushed = [await desk.slack.push(_event(number)) for number in numbers]
    other = await desk.slack.push(_event("other", channel="D0OTHER", user="U0OTHER"))
    began = time.monotonic()
    assert all([await desk.slack.acked_within(envelope, 2) for envelope in (other, *pushed)])
    assert time.monotonic() - began < 1.5
    assert [message.text for message in desk.inbox.messages if message.text != "other"] == numbers


@pytest.mark.parametrize("abrupt", [False, True])
async def test_a_lost_connection_is_made_again_and_nothing_is_lost(desk: Shop, abrupt: bool) -> None:
    for number in range(3):
        await desk.slack.disconnect_all(abrupt=abrupt)
        envelope = await desk.slack.push(_event(f"{number}"))
        assert await desk.slack.acked_within(envelope, 8)
    assert [message.text for message in desk.inbox.messages] == ["0", "1", "2"]
    assert desk.slack.connections >= 4


async def test_slack_warns_before_it_closes_a_connection(desk: Shop) -> None:
    await desk.slack.disconnect_all("warning")
    await until(lambda: desk.slack.connections == 2)


async def test_an_outage_while_reconnecting_is_outlived(desk: Shop) -> None:
    desk.slack.always("apps.connections.open", Fault("http"))
    await desk.slack.disconnect_all(abrupt=True)
    envelope = await desk.slack.push(_event("hello"))
    await until(lambda: bool(desk.said("slack.socket_down")))
    desk.slack.always("apps.connections.open", None)
    assert await desk.slack.acked_within(envelope, 8)
    assert desk.said("slack.socket_connected")


async def test_a_button_and_a_command_come_by_the_socket_too(desk: Shop) -> None:
    action = events.button("choice:0:0", "tok.1.0", block_id=f"for:{events.CUSTOMER}:::0")
    posted = {"ts": "1700000000.000100", "text": "?", "blocks": []}
    press = await desk.slack.push(events.block_actions(action, posted), "interactive")
    command = await desk.slack.push(events.slash_command("help me"), "slash_commands")
    assert await desk.slack.acked_within(press, 2)
    assert await desk.slack.acked_within(command, 2)
    assert {message.kind for message in desk.inbox.messages} == {"action", "message"}
    assert desk.slack.acks[command]["response_type"] == "ephemeral"


async def test_what_nobody_knows_is_acknowledged(desk: Shop) -> None:
    for payload in (events.event_callback(events.unknown_event()), _event("x", channel="D 0")):
        envelope = await desk.slack.push(payload)
        assert await desk.slack.acked_within(envelope, 2)
    assert len(desk.inbox.aside) == 1


async def test_slack_may_be_down_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    _quick(monkeypatch)
    slack = FakeSlack(pace=0, tiers={})
    slack.always("*", Fault("http"))
    began = time.monotonic()
    async with shop(slack=slack, mode="socket") as desk:
        assert time.monotonic() - began < 4
        await until(lambda: bool(desk.said("slack.socket_down")))
        assert "trying again" in desk.said("slack.socket_down")[0]["error"]
        slack.always("*", None)
        envelope = await slack.push(_event("hello"))
        assert await slack.acked_within(envelope, 8)


async def test_a_slack_that_hangs_holds_up_no_start(monkeypatch: pytest.MonkeyPatch) -> None:
    _quick(monkeypatch)
    slack = FakeSlack(pace=0, tiers={})
    slack.always("*", HANG)
    began = time.monotonic()
    async with shop(slack=slack, mode="socket"):
        assert time.monotonic() - began < 4


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"app_token": "xapp-wrong"}, "Slack does not accept the app token"),
        ({"bot_token": "xoxb-wrong"}, "bot_token: Slack does not accept it"),
    ],
)
async def test_a_wrong_token_stops_the_start(options: dict[str, str], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence) as caught:
        async with shop(mode="socket", **options):
            pass
    assert "wrong" not in str(caught.value)


async def test_an_app_token_without_its_scope_stops_the_start() -> None:
    slack = FakeSlack(pace=0, tiers={})
    slack.always("apps.connections.open", Fault("error", error="missing_scope"))
    with pytest.raises(UsageError, match="connections:write"):
        async with shop(slack=slack, mode="socket"):
            pass


async def test_stopping_leaves_no_task_and_finishes_what_is_being_stored() -> None:
    before = asyncio.all_tasks()
    async with shop(mode="socket") as desk:
        assert await desk.slack.connected_within(2)
        desk.inbox.hold()
        envelope = await desk.slack.push(_event("hello"))
        await desk.inbox.arrived.wait()
        stopping = asyncio.create_task(desk.adapter.stop())
        await asyncio.sleep(0.1)
        desk.inbox.release()
        await stopping
        assert await desk.slack.acked_within(envelope, 1)
        ours = [
            task
            for task in asyncio.all_tasks() - before
            if "slack" in repr(task).lower() and "Fake" not in repr(task)
        ]
        assert [task for task in ours if "slack_sdk" in repr(task) or "supportbot_slack" in repr(task)] == []
        await desk.adapter.stop()


async def test_the_address_of_a_connection_is_never_logged(desk: Shop, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    desk.slack.always("apps.connections.open", Fault("http"))
    await desk.slack.disconnect_all(abrupt=True)
    await until(lambda: bool(desk.said("slack.socket_down")))
    desk.slack.always("apps.connections.open", None)
    await until(lambda: bool(desk.said("slack.socket_connected")), 8)
    await desk.adapter.send(outgoing("Hello!"))
    written = caplog.text + json.dumps(desk.logged, default=str)
    for secret in ("ticket=", desk.slack.bot_token, desk.slack.app_token, desk.slack.signing_secret):
        assert secret not in written
