"""What the webhook posts to the callback, and how it reads the answers."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from supportbot.errors import ChannelBusy, ChannelGone, ChannelRefused, UsageError
from supportbot.testing.adapter_contract import context
from supportbot.testing.fake_inbox import FakeInbox
from supportbot.testing.receiver import RESET_AFTER_ACCEPTING, Answer, Receiver
from supportbot.webhooks import RETRY_DELAYS
from supportbot_webhook import WebhookAdapter

from .conftest import OTHER, SECRET, Desk, reply


async def test_a_reply_is_posted_signed_under_its_own_id(desk: Desk) -> None:
    assert await desk.adapter.send(reply("o-1", "Hëllo 🙂")) == ""
    (delivery,) = desk.receiver.ledger
    assert delivery.genuine
    assert delivery.id == "o-1" == delivery.payload["id"]
    assert delivery.payload["conversation"] == "c-1"
    assert delivery.payload["text"] == "Hëllo 🙂"
    assert delivery.headers["content-type"] == "application/json"


async def test_a_second_try_has_the_same_id_and_body_and_a_fresh_timestamp(desk: Desk) -> None:
    desk.receiver.next(Answer(500))
    with pytest.raises(ChannelBusy):
        await desk.adapter.send(reply("o-1", "again"))
    await desk.adapter.send(replace(reply("o-1", "again"), attempt=1))
    first, second = desk.receiver.ledger
    assert (first.id, first.body) == (second.id, second.body)
    assert abs(second.timestamp - time.time()) < 5


async def test_handoffs_and_closings_carry_their_data_and_the_customer(desk: Desk) -> None:
    row = replace(
        reply("o-1", ""),
        kind="handoff.requested",
        reply=None,
        data={"handoff": "h-1", "reason": "requested", "id": "x"},
    )
    await desk.adapter.send(row)
    await desk.adapter.send(replace(row, id="o-2", kind="conversation.closed", data={}))
    requested, closed = (delivery.payload for delivery in desk.receiver.ledger)
    assert requested == {
        "type": "handoff.requested",
        "id": "o-1",
        "conversation": "c-1",
        "user": {"id": "u-1", "name": ""},
        "handoff": "h-1",
        "reason": "requested",
    }
    assert (closed["type"], closed["id"]) == ("conversation.closed", "o-2")


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 404, 408, 413, 425, 429, 500, 502, 503])
async def test_every_failure_but_410_is_tried_again_and_redirects_are_not_followed(
    desk: Desk, status: int
) -> None:
    desk.receiver.always(Answer(status, {"location": desk.receiver.url}))
    with pytest.raises(ChannelBusy, match=str(status)):
        await desk.adapter.send(reply("o-1", "hello"))
    assert len(desk.receiver.ledger) == 1


@pytest.mark.parametrize(("value", "seconds"), [("7", 7), ("999999999", 86400), ("soon", None), ("-5", None)])
async def test_retry_after_is_passed_on_when_it_makes_sense(desk: Desk, value: str, seconds: float | None) -> None:
    desk.receiver.next(Answer(429, {"retry-after": value}))
    with pytest.raises(ChannelBusy) as caught:
        await desk.adapter.send(reply("o-1", "hello"))
    assert caught.value.retry_after == seconds


async def test_410_switches_the_endpoint_off_until_the_restart(desk: Desk) -> None:
    desk.receiver.next(Answer(410))
    for _ in range(2):
        with pytest.raises(ChannelGone, match="restarted"):
            await desk.adapter.send(reply("o-1", "hello"))
    assert len(desk.receiver.ledger) == 1


async def test_a_2xx_counts_even_if_the_rest_of_the_answer_breaks_off(desk: Desk) -> None:
    desk.receiver.next(Answer(202, {"content-length": "500"}, b"short"))
    desk.receiver.always(Answer(200, {"connection": "close"}))
    await desk.adapter.send(reply("o-1", "hello"))
    assert len(desk.receiver.accepted) == 1


async def test_a_reset_after_the_request_is_a_failure_that_is_tried_again(desk: Desk) -> None:
    desk.receiver.next(RESET_AFTER_ACCEPTING)
    with pytest.raises(ChannelBusy):
        await desk.adapter.send(reply("o-1", "hello"))
    await desk.adapter.send(reply("o-1", "hello"))
    assert [delivery.id for delivery in desk.receiver.accepted] == ["o-1", "o-1"]


@pytest.mark.parametrize("desk", [{"allow_private": False}], indirect=True)
async def test_a_private_callback_is_refused_and_the_error_names_the_key(desk: Desk) -> None:
    with pytest.raises(ChannelRefused, match="allow_private: true"):
        await desk.adapter.send(reply("o-1", "hello"))
    assert desk.receiver.connections == 0


@pytest.mark.parametrize("desk", [{"callback_url": None}], indirect=True)
async def test_without_a_callback_a_reply_is_a_dead_letter(desk: Desk) -> None:
    with pytest.raises(ChannelRefused, match="callback_url"):
        await desk.adapter.send(reply("o-1", "hello"))
    assert not desk.adapter.capabilities.events


async def test_the_callback_may_have_a_secret_of_its_own() -> None:
    async with Receiver(OTHER) as receiver:
        options = {
            "secrets": [SECRET],
            "callback_url": receiver.url,
            "callback_secret": OTHER,
            "allow_private": True,
        }
        adapter = WebhookAdapter("desk", options)
        await adapter.start(context(FakeInbox()))
        await adapter.send(reply("o-1", "hello"))
        await adapter.stop()
        assert receiver.ledger[0].genuine


# --- options -------------------------------------------------------------------------------------------------


def test_capabilities_follow_the_options() -> None:
    adapter = WebhookAdapter(
        "desk", {"secrets": [SECRET], "callback_url": "https://desk.example/in", "burst_wait": "800ms"}
    )
    assert adapter.capabilities.buttons and adapter.capabilities.events
    assert adapter.capabilities.retry_delays == RETRY_DELAYS
    assert adapter.capabilities.burst_wait == 0.8
    assert WebhookAdapter("desk", {"secrets": SECRET, "burst_wait": 0}).capabilities.burst_wait == 0.0
    assert WebhookAdapter("desk", {"secrets": SECRET, "body_limit": "512KB"}).body_limit == 512_000


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "openssl rand -base64 24"),
        ({"secrets": []}, "channels.desk.secrets is empty"),
        ({"secrets": None}, "channels.desk.secrets is empty"),
        ({"secrets": {"a": 1}}, "channels.desk.secrets"),
        ({"secrets": ["whsec_not base64!"]}, r"channels.desk.secrets\[0\] is not base64"),
        ({"secrets": [SECRET, "whsec_"]}, r"channels.desk.secrets\[1\] is not base64"),
        ({"secrets": [7]}, r"secrets\[0\]"),
        ({"callback_secret": "p@ssword"}, "callback_secret is not base64"),
        ({"callback_url": "ftp://desk.example"}, "callback_url must be a whole URL"),
        ({"callback_url": "desk.example/in"}, "callback_url must be a whole URL"),
        ({"callback_url": 5}, "callback_url must be a whole URL"),
        ({"callback_url": "https://u:hunter22@desk.example/"}, "user name or password"),
        ({"allow_private": "yes"}, "allow_private must be true or false"),
        ({"burst_wait": "soon"}, "burst_wait must be a time"),
        ({"burst_wait": "10h"}, "burst_wait must be a time"),
        ({"burst_wait": True}, "burst_wait must be a time"),
        ({"body_limit": 0}, "body_limit must be a whole number"),
        ({"text_limit": "many"}, "text_limit must be a whole number"),
        ({"secret": SECRET}, "channels.desk.secret is not known"),
    ],
)
def test_a_wrong_option_is_one_sentence_that_names_its_key(options: Mapping[str, Any], says: str) -> None:
    whole = options if not options or "secrets" in options else {"secrets": [SECRET], **options}
    with pytest.raises(UsageError, match=says) as caught:
        WebhookAdapter("desk", whole)
    assert not any(secret in str(caught.value) for secret in (SECRET, "hunter22", "p@ssword", "not base64!"))
