"""What each payload of Slack becomes, without anything that runs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supportbot.types import Action, Address, Attachment, Event, Message, User
from supportbot_slack import inbound, interactions
from supportbot_slack.fields import Unreadable
from supportbot_slack.inbound import Incoming, Own
from supportbot_slack.text import addressed, readable

from .conftest import PAYLOADS, payload

OWN = Own("T0ACME", "U0BOT", "B0BOT")
DM = Address("slack", "T0ACME/U0CUSTOMER")
ADA = User("U0CUSTOMER")
FIRST = "T0ACME.D0CUSTOMER.1751961600.000100"


def read(name: str, **changes: Any) -> Incoming | None:
    whole = payload(name)
    whole["event"] |= changes
    return inbound.event(whole, "slack", OWN, {"U0OTHER": "Ben"})


def thread(ts: str, channel: str = "C0SUPPORT") -> Address:
    return Address("slack", f"T0ACME/{channel}", ts)


def message(name: str, **changes: Any) -> Message:
    found = read(name, **changes)
    assert found is not None
    return found.message


def test_a_direct_message_is_the_customers_own_conversation() -> None:
    assert read("message_im") == Incoming(
        Message(DM, FIRST, ADA, "Where is my order 4711?"), "always", dm="D0CUSTOMER"
    )


def test_a_thread_in_direct_messages_is_a_conversation_of_its_own() -> None:
    assert message("message_im_thread").address == Address("slack", "T0ACME/U0CUSTOMER", "1751961600.000100")


def test_slacks_notation_becomes_readable_text() -> None:
    assert message("message_im_marked_up").text == (
        "Is this lamp (https://shop.example/lamp?a=1&b=2) <new> & in #support, @Ben? "
        "Write to ada@home.example @here @desk 8 July"
    )


def test_a_mention_and_its_message_event_are_one_message() -> None:
    said, mentioned = read("message_channel_mention"), read("app_mention")
    assert said == mentioned
    assert said is not None and said.rule == "always"
    assert said.message == Message(
        thread("1751961604.000500"),
        "T0ACME.C0SUPPORT.1751961604.000500",
        ADA,
        "my lamp is broken",
        shared=True,
    )


@pytest.mark.parametrize("name", ["message_group_mention", "message_mpim_mention"])
def test_private_channels_and_group_messages_are_like_channels(name: str) -> None:
    found = message(name)
    assert found.shared and found.address.thread == found.id.partition(".G0")[2].partition(".")[2]


def test_what_is_said_in_a_channel_without_a_mention_is_not_for_us() -> None:
    assert read("message_channel") is None


def test_a_reply_in_a_thread_is_for_us_if_it_is_the_customers_own() -> None:
    found = read("message_channel_thread")
    assert found is not None and found.rule == "customer"
    assert found.message.address == thread("1751961604.000500")


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("<@U0OTHER> can you help?", None),
        ("<@U0OTHER> ask <@U0BOT>", None),
        ("<@U0BOT> and <@U0OTHER>: help", "always"),
        ("<@U0OTHER>, <@U0BOT> help", "always"),
        ("thanks <@U0OTHER>", "customer"),
    ],
)
def test_who_begins_with_another_name_speaks_to_them(text: str, rule: str | None) -> None:
    found = read("message_channel_thread", text=text)
    assert (found.rule if found else None) == rule


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<@U0BOT> hello", "hello"),
        ("<@U0BOT>: hello", "hello"),
        ("<@U0BOT|shop bot>, hello", "hello"),
        ("hello <@U0BOT>", "hello"),
        ("hello <@U0BOT>!", "hello!"),
        ("ask <@U0BOT> please", "ask please"),
        ("<@U0BOT> <@U0BOT> hello", "hello"),
        ("<@U0BOT>\nhello\nthere", "hello\nthere"),
        ("<@U0BOT>", "/help"),
    ],
)
def test_our_own_name_is_left_out_of_the_text(text: str, shown: str) -> None:
    assert message("message_channel_mention", text=text).text == shown


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("a &lt;b&gt; &amp;amp; c", "a <b> &amp; c"),
        ("&lt;@U0BOT&gt;", "<@U0BOT>"),
        ("<@U0NOBODY>", "@U0NOBODY"),
        ("<@U0OTHER>", "@Ben"),
        ("<#C0SUPPORT>", "#C0SUPPORT"),
        ("<https://shop.example>", "https://shop.example"),
        ("<https://shop.example|shop.example>", "https://shop.example"),
        ("<http://shop.example/|http://shop.example/>", "http://shop.example/"),
        ("<tel:+441234|+441234>", "+441234"),
        ("<!channel> <!everyone|everyone>", "@channel everyone"),
        ("5 < 6 > 4", "5 < 6 > 4"),
        ("half \ud83d and nul \0", "half \ufffd and nul "),
        ("  kept  as it is\n", "  kept  as it is\n"),
    ],
)
def test_the_text_is_what_the_customer_saw(raw: str, shown: str) -> None:
    assert readable(raw, names={"U0OTHER": "Ben"}) == shown


@given(st.text(alphabet="<>@#!|&;UB0 lt\n"))
def test_any_text_can_be_read(raw: str) -> None:
    assert isinstance(readable(raw, own="U0BOT"), str)
    assert isinstance(addressed(raw), tuple)


def test_a_file_is_an_attachment_without_an_address() -> None:
    found = message("file_share")
    assert found.text == ""
    assert found.attachments == (Attachment("lamp.png", "image/png", 48213, ref="F0PHOTO"),)


def test_a_voice_message_is_taken_in() -> None:
    assert message("voice").attachments == (Attachment("audio_message.m4a", "audio/mp4", 20480, ref="F0VOICE"),)


def test_a_file_of_another_workspace_is_only_an_id() -> None:
    assert message("file_share_connect").attachments == (Attachment("file", ref="F0CONNECT"),)


def test_a_forwarded_message_brings_its_words() -> None:
    assert message("forwarded").text == "The blue lamp flickers"


def test_a_message_of_blocks_alone_is_an_attachment_and_not_dropped() -> None:
    found = message("message_im", text="")
    assert found.attachments == (Attachment("message", "application/x-slack-message"),)


def test_a_broadcast_reply_and_a_me_message_are_messages() -> None:
    assert message("thread_broadcast").address == thread("1751961604.000500")
    assert message("me_message").text == "waits for the parcel"


def test_an_edit_names_the_message_and_has_an_id_of_its_own() -> None:
    assert read("message_changed") == Incoming(
        Message(
            DM,
            f"{FIRST}.edited.1751961614.000000",
            ADA,
            "Where is my order 4712?",
            "message.edited",
            target=FIRST,
        ),
        "customer",
    )


@pytest.mark.parametrize("name", ["message_deleted", "message_deleted_tombstone"])
def test_a_deletion_names_the_message(name: str) -> None:
    found = read(name)
    assert found is not None and found.rule == "customer"
    assert (found.message.kind, found.message.target, found.message.user) == ("message.deleted", FIRST, ADA)
    assert found.message.id == f"{FIRST}.deleted"


@pytest.mark.parametrize(
    "name",
    [
        "bot_message",
        "channel_join",
        "message_changed_assistant_title",
        "message_changed_own",
        "message_changed_unfurl",
        "own_message",
        "reaction_added",
        "tokens_revoked",
    ],
)
def test_what_no_customer_said_is_nothing(name: str) -> None:
    assert read(name) is None


def test_slackbot_is_no_customer() -> None:
    assert read("message_im", user="USLACKBOT") is None


def test_opening_the_messages_starts_a_conversation_that_is_not_there_yet() -> None:
    found = read("app_home_opened")
    assert found == Incoming(
        Message(DM, "T0ACME.D0CUSTOMER.opened", ADA, kind="event", event=Event("conversation.started")),
        "unknown",
        dm="D0CUSTOMER",
    )
    assert read("app_home_opened", tab="home") is None


def test_an_assistants_thread_starts_a_conversation() -> None:
    found = read("assistant_thread_started")
    assert found is not None and found.assistant and found.rule == "always"
    assert found.message.address == Address("slack", "T0ACME/U0CUSTOMER", "1751961598.000050")
    assert found.message.event == Event("conversation.started")


def test_the_event_says_who_we_are_if_we_do_not_know_yet() -> None:
    found = inbound.event(payload("app_mention"), "slack", Own(), {})
    assert found is not None and found.message.text == "my lamp is broken"
    assert found.message.address.chat == "T0ACME/C0SUPPORT"


@pytest.mark.parametrize("lacking", ["user", "channel", "ts"])
def test_a_message_that_lacks_what_it_must_have_is_unreadable(lacking: str) -> None:
    with pytest.raises(Unreadable):
        read("message_im", **{lacking: 7})


# --- buttons and commands ------------------------------------------------------------------------------------


def test_a_pressed_button_brings_back_its_press() -> None:
    press = interactions.pressed(payload("block_actions_button"), "slack", OWN)
    assert press is not None
    action = Action(press="tok.1.0")
    assert press.incoming.message == Message(
        DM, action.key("U0CUSTOMER"), User("U0CUSTOMER", "ada"), kind="action", action=action
    )
    assert (press.addressee, press.label, press.ts) == ("U0CUSTOMER", "Yes", "1751961616.001700")


def test_a_chosen_option_is_a_press() -> None:
    press = interactions.pressed(payload("block_actions_select"), "slack", OWN)
    assert press is not None and press.label == "Blue"
    assert press.incoming.message.action == Action(press="tok.2.1")


def test_a_press_in_a_channel_belongs_to_the_thread_that_was_answered() -> None:
    whole = payload("block_actions_button")
    whole["container"]["channel_id"] = "C0SUPPORT"
    whole["actions"][0]["block_id"] = "for:U0CUSTOMER:1751961604.000500::0"
    press = interactions.pressed(whole, "slack", OWN)
    assert press is not None
    assert press.incoming.message.address == thread("1751961604.000500")
    assert press.incoming.message.shared


def test_a_press_in_private_goes_on_in_the_channel_that_was_answered() -> None:
    whole = payload("block_actions_button")
    whole["actions"][0]["block_id"] = "for:U0CUSTOMER:1751961604.000500:C0SUPPORT:0"
    press = interactions.pressed(whole, "slack", OWN)
    assert press is not None and press.channel == "D0CUSTOMER"
    assert press.incoming.message.address == thread("1751961604.000500")
    assert press.incoming.message.shared


def test_a_link_that_was_followed_is_nothing() -> None:
    assert interactions.pressed(payload("block_actions_link"), "slack", OWN) is None


def test_a_command_is_a_message_in_direct_messages() -> None:
    found = interactions.command(payload("slash_command"), "slack", OWN).message
    assert (found.address, found.text, found.shared) == (DM, "where is my order?", False)


def test_a_command_without_words_asks_for_help() -> None:
    whole = payload("slash_command") | {"text": " "}
    assert interactions.command(whole, "slack", OWN).message.text == "/help"


# --- anything ------------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.sampled_from(["D0", "U0", "1.1", "message"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
EVENTS = sorted(path.stem for path in PAYLOADS.glob("*.json") if "event" in payload(path.stem))


@settings(max_examples=300)
@given(st.sampled_from(EVENTS), st.data())
def test_any_event_is_read_or_called_unreadable(name: str, data: st.DataObject) -> None:
    whole = payload(name)
    for key in data.draw(st.lists(st.sampled_from(sorted(whole["event"])), min_size=1, max_size=3)):
        whole["event"][key] = data.draw(JSON)
    assert isinstance(inbound.lane(whole), str)
    try:
        found = inbound.event(whole, "slack", OWN, {})
    except Unreadable:
        return
    assert found is None or found.message.id.isprintable()


@settings(max_examples=200)
@given(st.data())
def test_any_press_is_read_or_called_unreadable(data: st.DataObject) -> None:
    whole = payload("block_actions_button")
    for key in data.draw(st.lists(st.sampled_from(sorted(whole)), min_size=1, max_size=3)):
        whole[key] = data.draw(JSON)
    try:
        interactions.pressed(whole, "slack", OWN)
    except Unreadable:
        return
