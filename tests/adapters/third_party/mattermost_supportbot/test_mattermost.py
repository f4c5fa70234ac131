"""The Mattermost adapter passes the suite that every adapter passes, and keeps its own promises."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest
from fake_mattermost import ADA, BOT_TOKEN, FILE, ME, OTHER_BOT, TOWN, FakeMattermost, Fault, id_of
from mattermost_supportbot import MattermostAdapter, compose, quiet, read_post

from supportbot import (
    Address,
    Attachment,
    Button,
    ChannelBusy,
    ChannelError,
    ChannelGone,
    ChannelRefused,
    Reply,
    UsageError,
    User,
)
from supportbot.testing import AdapterContract
from supportbot.testing.adapter_contract import Failure, Stage, Wire, context
from supportbot.testing.fake_inbox import FakeInbox

TOKEN = "webhook-token-of-nobody"
POSTS, PRESSES = "/mattermost/contract", "/mattermost/contract/press"
JSON = {"content-type": "application/json"}
DIRECT = f"{ADA}__{ME}"


def webhook(**fields: Any) -> dict[str, Any]:
    """What an outgoing webhook sends."""
    town = {"token": TOKEN, "team_id": id_of("team"), "channel_id": TOWN, "channel_name": "town"}
    ada = {"user_id": ADA, "user_name": "ada", "post_id": id_of("m-1"), "text": "hello", "timestamp": 1767225600}
    return {**town, **ada, "trigger_word": "", "file_ids": "", **fields}


def event(kind: str, around: Mapping[str, Any] | None = None, **post: Any) -> dict[str, Any]:
    """What the websocket says, passed on with the token."""
    fields = {"id": id_of("m-1"), "channel_id": TOWN, "user_id": ADA, "message": "hello", "type": "", "props": {}}
    data = {"post": json.dumps({**fields, **post}), "sender_name": "@ada", **(around or {})}
    return {"token": TOKEN, "event": kind, "data": data}


def wire(fields: object, path: str = POSTS) -> Wire:
    return Wire(path, json.dumps(fields).encode(), JSON)


class TestMattermost(AdapterContract):
    failures: Mapping[Failure, type[ChannelError]] = {
        "down": ChannelBusy,
        "busy": ChannelBusy,
        "refused": ChannelRefused,
        "gone": ChannelGone,
    }
    busy_seconds = 7.0
    secrets = (TOKEN, BOT_TOKEN)

    def platform(self) -> FakeMattermost:
        return FakeMattermost()

    def adapter(self, platform: FakeMattermost, **options: Any) -> MattermostAdapter:
        needed = {"url": platform.url, "bot_token": BOT_TOKEN, "webhook_tokens": ["older", TOKEN]}
        here = {"allow_private": True, "public_url": "http://bot.example"}
        return MattermostAdapter("contract", {**needed, **here, **options})

    def address(self) -> Address:
        return Address("contract", TOWN)

    def user(self) -> User:
        return User(ADA)

    def wire(self, id: str, text: str) -> Wire:
        return wire(webhook(post_id=id_of(id), text=text))

    def repeats(self, id: str, text: str) -> Sequence[Wire]:
        form = urlencode(webhook(post_id=id_of(id), text=text)).encode()
        return (
            self.wire(id, text),
            Wire(POSTS, form, {"content-type": "application/x-www-form-urlencoded"}),
            wire(webhook(post_id=id_of(id), text=f"@mia {text}", trigger_word="@mia")),
            wire(event("posted", id=id_of(id), message=text)),
        )

    def unauthentic(self) -> Sequence[Wire]:
        tokens = ("", "wrong", TOKEN[:-1], TOKEN.upper(), TOKEN + "\ud800", "é", None, 7, [TOKEN])
        without = {key: value for key, value in webhook().items() if key != "token"}
        presses = ({}, {"context": None}, {"context": {"chat": TOWN, "press": "token.0.0", "proof": "é"}})
        return [
            *(wire(webhook(token=token)) for token in tokens),
            wire(without),
            *(wire({"user_id": ADA, **press}, PRESSES) for press in presses),
        ]

    def malformed(self) -> Sequence[Wire]:
        bodies = (b"", b"\xff\xfe", b"[]", b"null", b"{", b"[" * 100_000, b'"text"', b"token=%ff", b"&" * 200)
        return [Wire(path, body, JSON) for body in bodies for path in (POSTS, PRESSES)] + [
            Wire(POSTS, body, {}) for body in bodies
        ]

    def echoes(self) -> Sequence[Wire]:
        return [
            wire(webhook(user_id=ME, user_name="mia")),
            wire(webhook(user_id=OTHER_BOT, user_name="standup")),
            wire(event("posted", user_id=OTHER_BOT)),
            wire(event("posted", props={"from_bot": "true"})),
            wire(event("posted", props={"from_webhook": "true"})),
            wire(event("posted", type="system_join_channel", message="ada joined")),
            wire(event("post_edited", edit_at=0, is_pinned=True)),
            wire(event("posted", message="", file_ids=[])),
        ]

    def unknown(self) -> Sequence[Wire]:
        return [wire({"token": TOKEN, "event": kind, "data": {}}) for kind in ("reaction_added", "of_tomorrow")]

    def unreadable(self) -> Sequence[Wire]:
        return [
            wire({"token": TOKEN}),
            wire(webhook(post_id="short")),
            wire(webhook(channel_id=None)),
            wire(webhook(user_id=["ada"])),
            wire(webhook(text=7)),
            wire({"token": TOKEN, "event": "posted", "data": "text"}),
            wire({"token": TOKEN, "event": "posted", "data": {"post": "{"}}),
            wire({"token": TOKEN, "event": ["posted"]}),
            wire(event("post_edited", edit_at="yesterday")),
            wire(event("posted", file_ids=["../users/me"])),
        ]

    def edit(self, id: str, text: str) -> Wire:
        return wire(event("post_edited", id=id_of(id), message=text, edit_at=1767225660000))

    def press(self, platform: Any, button: Button) -> Wire:
        return Wire(PRESSES, button.label.encode())

    async def deliver(self, stage: Stage, wire: Wire) -> int:
        """A press is sent with the context that the adapter gave the button: the fake server has it."""
        if wire.path == PRESSES and not wire.headers:
            wire = replace(wire, body=stage.platform.pressed(wire.body.decode()), headers=JSON)
        return await super().deliver(stage, wire)

    def oversize(self) -> Wire:
        return wire(webhook(text="x" * 1_000_001))

    def fail(self, platform: FakeMattermost, failure: Failure) -> None:
        platform.always = {
            "down": Fault(way="reset"),
            "busy": Fault(429, {"retry-after": "7"}),
            "refused": Fault(400),
            "gone": Fault(403),
        }[failure]

    def sent(self, platform: FakeMattermost) -> Sequence[str]:
        return [post["message"] for post in platform.posts]

    # --- what only this channel promises -----------------------------------------------------------------------

    def test_a_post_that_was_taken_before_the_line_broke_is_not_made_twice(self) -> None:
        async def scene(stage: Stage) -> None:
            stage.platform.next = [Fault(way="reset after taking")]
            with pytest.raises(ChannelBusy):
                await stage.adapter.send(self.outgoing("o-1", "hello"))
            handle = await stage.adapter.send(self.outgoing("o-1", "hello"))
            assert [post["id"] for post in stage.platform.posts] == [handle]

        self.play(scene)

    def test_a_shown_text_is_finished_in_its_place_or_anew_if_it_is_gone(self) -> None:
        async def scene(stage: Stage) -> None:
            row = self.outgoing("", "")
            handle = await stage.adapter.preview(row, "It is")
            assert await stage.adapter.preview(replace(row, preview=handle), "It is on") == handle
            assert (
                await stage.adapter.send(replace(self.outgoing("o-1", "It is on its way."), preview=handle))
                == handle
            )
            assert self.sent(stage.platform) == ["It is on its way."]
            stage.platform.posts.clear()
            await stage.adapter.send(replace(self.outgoing("o-2", "Again."), preview=handle))
            assert self.sent(stage.platform) == ["Again."]

        self.play(scene)

    def test_a_private_reply_goes_to_the_customer_and_its_press_comes_back_to_the_channel(self) -> None:
        async def scene(stage: Stage) -> None:
            row = self.outgoing("o-1", "Yours?", buttons=(Button("yes", "Yes", press="token.0.0"),), private=True)
            await stage.adapter.send(row)
            assert stage.platform.posts[0]["channel_id"] not in ("", TOWN)
            assert await self.deliver(stage, self.press(stage.platform, Button("yes", "Yes"))) == 200
            (pressed,) = stage.inbox.messages
            assert (pressed.address, pressed.shared) == (self.address(), True)

        self.play(scene)

    def test_a_press_with_another_proof_or_place_is_turned_away(self) -> None:
        async def scene(stage: Stage) -> None:
            await stage.adapter.send(
                self.outgoing("o-1", "Well?", buttons=(Button("y", "Yes", press="token.0.0"),))
            )
            good = json.loads(stage.platform.pressed("Yes"))
            for change in ({"press": "token.0.1"}, {"chat": id_of("elsewhere")}, {"proof": ""}):
                forged = {**good, "context": {**good["context"], **change}}
                assert await self.deliver(stage, wire(forged, PRESSES)) == 401
            assert await self.deliver(stage, wire({**good, "user_id": "nobody"}, PRESSES)) == 200
            assert len(stage.inbox.aside) == 1 and stage.inbox.messages == []

        self.play(scene)

    def test_the_first_press_is_confirmed_and_the_second_is_not(self) -> None:
        async def scene(stage: Stage) -> None:
            await stage.adapter.send(
                self.outgoing("o-1", "Well?", buttons=(Button("y", "Yes", press="token.0.0"),))
            )
            body = stage.platform.pressed("Yes")
            told = [await stage.client.post(stage.url + PRESSES, content=body) for _ in range(2)]
            assert [one.json() for one in told] == [{"ephemeral_text": "✓ Yes"}, {}]

        self.play(scene)

    def test_a_customer_is_heard_in_their_language_and_also_while_nobody_can_be_looked_up(self) -> None:
        async def scene(stage: Stage) -> None:
            await self.deliver(stage, self.wire("m-1", "hallo"))
            await self.deliver(stage, wire(webhook(post_id=id_of("m-2"), user_id=id_of("unknown"))))
            assert [message.locale for message in stage.inbox.messages] == ["de", ""]

        self.play(scene)

    def test_a_file_is_fetched_up_to_the_limit(self) -> None:
        async def scene(stage: Stage) -> None:
            file = {"id": FILE, "name": "lamp.png", "mime_type": "image/png", "size": 9}
            await self.deliver(stage, wire(event("posted", file_ids=[FILE], metadata={"files": [file]})))
            (attachment,) = stage.inbox.messages[0].attachments
            assert attachment == Attachment("lamp.png", "image/png", 9, ref=FILE)
            assert await stage.adapter.fetch(attachment, limit=9) == b"a picture"
            with pytest.raises(ChannelRefused):
                await stage.adapter.fetch(attachment, limit=8)
            with pytest.raises(ChannelGone):
                await stage.adapter.fetch(Attachment("gone", ref=id_of("gone")), limit=8)

        self.play(scene)

    def test_the_customer_sees_that_the_bot_is_at_work(self) -> None:
        async def scene(stage: Stage) -> None:
            await stage.adapter.working(self.outgoing("", ""), "Looking")
            assert stage.platform.typing == [TOWN]

        self.play(scene)

    def test_a_wrong_bot_token_gives_up_no_message(self) -> None:
        async def scene(stage: Stage) -> None:
            other = self.adapter(stage.platform, bot_token="revoked")
            await other.start(context(FakeInbox()))
            with pytest.raises(ChannelBusy, match="bot token"):
                await other.send(self.outgoing("o-1", "hello"))
            await other.stop()

        self.play(scene)

    def test_without_a_public_address_choices_are_put_into_words(self) -> None:
        async def scene(stage: Stage) -> None:
            other = self.adapter(stage.platform, public_url="")
            await other.start(context(FakeInbox()))
            await self.send_fitted(other, self.outgoing("o-1", "Well?", buttons=(Button("y", "Yes"),)))
            await other.stop()
            assert self.sent(stage.platform) == ["Well?\n\n1. Yes"]

        self.play(scene)


def test_an_answer_calls_nobody_together() -> None:
    assert quiet("@all @Here a@all @alloy") == "@\u200ball @\u200bHere a@all @alloy"
    assert "@all" not in compose(Reply("hi @all"), TOWN, "", lambda place, press: "")["message"]
    assert MattermostAdapter.capabilities.measure("@all") == 5


def test_a_direct_message_is_not_shared_and_a_channel_is() -> None:
    direct = read_post(event("posted", {"channel_name": DIRECT}), "contract")
    town = read_post(webhook(), "contract")
    assert direct is not None and town is not None
    assert (direct.shared, town.shared) == (False, True)


def test_a_deletion_names_its_post() -> None:
    gone = read_post(event("post_deleted", message="secret"), "contract")
    assert gone is not None
    assert (gone.kind, gone.target, gone.text) == ("message.deleted", id_of("m-1"), "")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"url": ""}, "channels.town.url is missing"),
        ({"url": "chat.example"}, "channels.town.url must be a complete address"),
        ({"bot_token": ""}, "channels.town.bot_token is missing and the environment has no MATTERMOST_BOT_TOKEN"),
        ({"webhook_tokens": []}, "channels.town.webhook_tokens is missing"),
        ({"tokn": "x"}, "channels.town.tokn is not known"),
    ],
)
def test_a_wrong_option_is_one_sentence_that_begins_with_its_name(options: Mapping[str, Any], said: str) -> None:
    good = {"url": "https://chat.example", "bot_token": "b", "webhook_tokens": "w"}
    with pytest.raises(UsageError) as caught:
        MattermostAdapter("town", {**good, **options})
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)
