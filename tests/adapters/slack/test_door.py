"""What Slack is answered over HTTP, and what is stored before that."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from dataclasses import replace

import pytest

from supportbot.errors import StoreFull
from supportbot.protocols import Menu
from supportbot.testing.slack import events
from supportbot.testing.slack.server import HANG, FakeSlack, Fault
from supportbot.types import Address, Button, Reply, User
from supportbot_slack.door import verified

from .conftest import DM, Shop, channel, outgoing, payload, shop, until

YES = Button("yes", "Yes", press="tok.1.0")
NO = Button("no", "No", press="tok.1.1")


def test_the_signature_is_that_of_slacks_documentation() -> None:
    secret = "8f742231b10e8888abcd99yyyzzz85a5"
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&"
        b"channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&"
        b"response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&"
        b"trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    headers = {
        "x-slack-request-timestamp": "1531420618",
        "x-slack-signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
    }
    assert verified(secret, headers, body, 1531420618.0)
    assert verified(secret, headers, body, 1531420618.0 + 300)
    assert not verified(secret, headers, body, 1531420618.0 + 301)
    assert not verified(secret, headers, body, 1531420618.0 - 301)
    assert not verified(secret, headers, body + b" ", 1531420618.0)


async def test_the_address_is_verified_for_slack(desk: Shop) -> None:
    assert await desk.slack.deliver(desk.url, payload("url_verification")) == [200]
    assert json.loads(desk.slack.answers[-1]) == {"challenge": "c0ffee-c0ffee-c0ffee"}


async def test_a_channel_of_another_name_has_a_route_of_its_own() -> None:
    from supportbot_slack import SlackAdapter

    options = {"bot_token": "xoxb-1", "signing_secret": "s"}
    assert [route.path for route in SlackAdapter("slack", options).routes()] == ["/slack/events"]  # type: ignore[attr-defined]
    assert [route.path for route in SlackAdapter("vip", options).routes()] == ["/slack/vip/events"]  # type: ignore[attr-defined]


async def test_a_message_has_its_authors_name_and_language(desk: Shop) -> None:
    desk.slack.locales[events.CUSTOMER] = "de-DE"
    assert await desk.told(events.message("Guten Tag")) == 200
    (message,) = desk.inbox.messages
    assert (message.user, message.locale) == (User(events.CUSTOMER, "Ada"), "de-DE")
    await desk.told(events.message("noch da?"))
    assert len(desk.calls("users.info")) == 1


async def test_an_event_leaves_the_bots_own_log_as_it_is(desk: Shop) -> None:
    before = logging.getLogger("supportbot").level
    assert await desk.told(events.message("hello")) == 200
    assert logging.getLogger("supportbot").level == before <= logging.INFO


async def test_a_name_that_slack_does_not_give_soon_holds_up_nothing(desk: Shop) -> None:
    desk.slack.always("users.info", HANG)
    began = time.monotonic()
    assert await desk.told(events.message("hello")) == 200
    assert time.monotonic() - began < 0.9
    assert desk.inbox.messages[0].user == User(events.CUSTOMER)


async def test_messages_of_one_chat_stay_in_order_while_a_name_is_looked_up(desk: Shop) -> None:
    desk.slack.always("users.info", HANG)
    told = [asyncio.create_task(desk.told(events.message(f"{number}"))) for number in range(3)]
    for task in told:
        assert await task == 200
    assert [message.text for message in desk.inbox.messages] == ["0", "1", "2"]


async def test_eleven_deliveries_of_one_message_are_one(desk: Shop) -> None:
    mention = events.app_mention()
    said = dict(mention) | {"type": "message", "channel_type": "channel"}
    for event in [mention, said] * 5 + [mention]:
        assert await desk.told(event) == 200
    assert len(desk.inbox.messages) == 1


async def test_a_full_disk_is_answered_with_503_and_slack_comes_again(desk: Shop) -> None:
    desk.inbox.error = StoreFull("the disk is full")
    assert await desk.slack.deliver(desk.url, events.event_callback(events.message("x"))) == [503] * 4
    assert desk.said("slack.not_stored")
    desk.inbox.error = None
    assert await desk.told(events.message("x")) == 200


async def test_a_stopped_channel_answers_503(desk: Shop) -> None:
    await desk.adapter.stop()
    assert await desk.told(events.message("x")) == 503


async def test_nothing_is_asked_of_slack_before_the_acknowledgement_but_the_name(desk: Shop) -> None:
    before = len(desk.slack.calls)
    await desk.told(events.message("x"))
    assert [call.method for call in desk.slack.calls[before:]] == ["users.info"]


async def test_a_revoked_installation_is_logged(desk: Shop) -> None:
    assert await desk.told(events.tokens_revoked()) == 200
    assert desk.said("slack.uninstalled")


# --- conversations -------------------------------------------------------------------------------------------


async def test_a_thread_goes_on_with_its_customer_and_with_whoever_mentions_the_bot(desk: Shop) -> None:
    first = events.app_mention(f"<@{events.BOT_USER}> my lamp is broken")
    root = first["ts"]
    in_thread = {"channel": events.CHANNEL, "thread_ts": root}
    for event in (
        events.message("early, not ours", **in_thread),
        first,
        events.message("It never worked", **in_thread),
        events.message("Mine works", user="U0OTHER", **in_thread),
        events.message("<@U0OTHER> really?", **in_thread),
        events.message(f"<@{events.BOT_USER}> mine too", user="U0OTHER", **in_thread),
    ):
        assert await desk.told(event) == 200
    assert [message.text for message in desk.inbox.messages] == [
        "my lamp is broken",
        "It never worked",
        "mine too",
    ]
    assert {message.address for message in desk.inbox.messages} == {channel(root)}
    assert all(message.shared for message in desk.inbox.messages)


async def test_only_the_customers_own_edits_and_deletions_count(desk: Shop) -> None:
    said = events.message("good")
    await desk.told(said)
    await desk.told(events.edited(said, "better"))
    await desk.told(events.unfurled(said))
    await desk.told(events.deleted(said))
    elsewhere = events.message("never ours", channel=events.CHANNEL)
    await desk.told(events.edited(elsewhere, "still not"))
    await desk.told(events.deleted(elsewhere))
    assert [message.kind for message in desk.inbox.messages] == ["message", "message.edited", "message.deleted"]


async def test_opening_the_messages_greets_once() -> None:
    menu = Menu(prompts=(("order", {"en": "Where is my order?", "de": "Wo ist meine Bestellung?"}),) * 6)
    async with shop(more={"menu": menu}) as desk:
        for _ in range(2):
            assert await desk.told(events.app_home_opened()) == 200
        assert await desk.told(events.app_home_opened(tab="home")) == 200
        assert [message.event.name for message in desk.inbox.messages if message.event] == ["conversation.started"]
        await desk.settled()
        (*_, last) = desk.calls("assistant.threads.setSuggestedPrompts")
        assert last["channel_id"] == events.DM and "thread_ts" not in last
        assert len(desk.slack.prompts[-1].prompts) == 4


async def test_an_assistants_thread_gets_prompts_and_a_title() -> None:
    menu = Menu(prompts=(("order", {"en": "Where is my order?"}), ("return", {"en": "Return something"})))
    async with shop(more={"menu": menu}) as desk:
        started = events.assistant_thread_started()
        ts = started["assistant_thread"]["thread_ts"]
        await desk.told(started)
        await desk.told(events.message("My lamp\nis broken", thread_ts=ts))
        await desk.told(events.message("Really", thread_ts=ts))
        await desk.settled()
        assert [prompt["message"] for prompt in desk.slack.prompts[0].prompts] == [
            "Where is my order?",
            "Return something",
        ]
        assert [(said.thread_ts, said.text) for said in desk.slack.titles] == [(ts, "My lamp is broken")]
        assert {message.address for message in desk.inbox.messages} == {replace(DM, thread=ts)}


# --- buttons -------------------------------------------------------------------------------------------------


async def _asked(desk: Shop, address: Address = DM) -> dict[str, object]:
    await desk.adapter.send(outgoing(Reply("Return it?", (YES, NO)), address=address))
    post = desk.slack.posts[-1]
    thread = {"thread_ts": post.thread_ts} if post.thread_ts else {}
    return {"ts": post.ts, "text": post.text, "blocks": post.blocks, **thread}


def _press(posted: dict[str, object], button: Button = YES, **others: object) -> dict[str, object]:
    blocks = posted["blocks"]
    assert isinstance(blocks, list)
    action = events.button("choice:0:0", button.press, button.label, block_id=blocks[-1]["block_id"])
    return events.block_actions(action, posted, **others)  # type: ignore[arg-type]


async def test_a_pressed_message_shows_the_choice(desk: Shop) -> None:
    posted = await _asked(desk)
    assert await desk.told(_press(posted)) == 200
    await desk.settled()
    (message,) = desk.inbox.messages
    assert message.action is not None and message.action.press == YES.press
    assert message.address == DM
    kinds = [block["type"] for block in desk.slack.posts[-1].blocks]
    assert kinds == ["section", "context"]
    assert desk.slack.posts[-1].blocks[-1]["elements"][0]["text"] == "✓ Yes"


async def test_a_second_press_changes_nothing(desk: Shop) -> None:
    posted = await _asked(desk)
    for button in (YES, NO):
        assert await desk.told(_press(posted, button)) == 200
    await desk.settled()
    assert len(desk.inbox.messages) == 1
    assert len(desk.calls("chat.update")) == 1


async def test_a_press_that_cannot_be_stored_is_not_acknowledged_and_shows_nothing(desk: Shop) -> None:
    posted = await _asked(desk)
    desk.inbox.error = StoreFull("the disk is full")
    assert await desk.told(_press(posted)) == 503
    await desk.settled()
    assert desk.calls("chat.update") == []


async def test_somebody_elses_press_is_not_taken_and_they_are_told(desk: Shop) -> None:
    root = events.stamp()
    posted = await _asked(desk, channel(root))
    assert await desk.told(_press(posted, user="U0OTHER", channel=events.CHANNEL)) == 200
    await desk.settled()
    assert desk.inbox.messages == []
    (told,) = desk.calls("chat.postEphemeral")
    assert (told["user"], told["thread_ts"]) == ("U0OTHER", root)
    assert desk.calls("chat.update") == []


async def test_the_links_of_a_message_stay_when_a_choice_is_made(desk: Shop) -> None:
    link = Button("shop", "Shop", url="https://shop.example/")
    await desk.adapter.send(outgoing(Reply("Return it?", (YES, link))))
    post = desk.slack.posts[-1]
    choice = next(block for block in post.blocks if block.get("block_id", "").startswith("for:"))
    action = events.button("choice:0:0", YES.press, "Yes", block_id=choice["block_id"])
    await desk.told(events.block_actions(action, {"ts": post.ts, "text": post.text, "blocks": post.blocks}))
    await desk.settled()
    assert [block["type"] for block in desk.slack.posts[-1].blocks] == ["section", "context", "actions"]


async def test_a_press_is_acknowledged_although_slack_does_not_take_the_change(desk: Shop) -> None:
    posted = await _asked(desk)
    desk.slack.always("chat.update", Fault("error", error="fatal_error"))
    assert await desk.told(_press(posted)) == 200
    await desk.settled()
    assert desk.said("slack.background_refused")
    assert len(desk.inbox.messages) == 1


# --- commands ------------------------------------------------------------------------------------------------


async def test_a_command_is_taken_in_direct_messages_and_says_so() -> None:
    slack = FakeSlack(pace=0, tiers={})
    slack.locales[events.CUSTOMER] = "de-DE"
    async with shop(slack=slack) as desk:
        assert await desk.told(events.slash_command("where is it?", channel=events.CHANNEL)) == 200
        (message,) = desk.inbox.messages
        assert (message.address, message.text, message.shared) == (DM, "where is it?", False)
        answer = json.loads(slack.answers[-1])
        assert answer["response_type"] == "ephemeral" and "Direktnachrichten" in answer["text"]


async def test_a_command_that_cannot_be_stored_is_not_acknowledged(desk: Shop) -> None:
    desk.inbox.error = StoreFull("the disk is full")
    assert await desk.told(events.slash_command("x")) == 503


# --- start ---------------------------------------------------------------------------------------------------


async def test_slack_may_be_down_at_the_start() -> None:
    slack = FakeSlack(pace=0, tiers={})
    slack.next("auth.test", Fault("http"))
    async with shop(slack=slack) as desk:
        assert "trying again" in desk.said("slack.unreachable")[0]["error"]
        assert await desk.told(events.app_mention()) == 200
        await until(lambda: len(desk.calls("auth.test")) == 2)
        assert desk.inbox.messages[0].text == "Where is my order?"


async def test_a_wrong_token_stops_the_start_with_one_sentence() -> None:
    from supportbot.errors import UsageError

    with pytest.raises(UsageError, match=r"channels\.slack\.bot_token: Slack does not accept it \(invalid_auth\)"):
        async with shop(bot_token="xoxb-wrong"):
            pass


@pytest.mark.parametrize("actions", [[], ["x"], [{}], None])
async def test_an_authentic_interaction_without_an_action_is_acknowledged(desk: Shop, actions: object) -> None:
    pressed = events.block_actions(
        events.button("choice:0:0", "tok.1.0"), {"ts": "1.1", "text": "x", "blocks": []}
    )
    assert (await desk.slack.deliver(desk.url, {**pressed, "actions": actions}))[-1] == 200
    assert desk.inbox.messages == []
