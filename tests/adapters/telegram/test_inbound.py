"""What each update of Telegram means; the payloads are retyped from the documentation of the Bot API."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
import telegram

from supportbot.testing.telegram import updates as telegram_updates
from supportbot.types import Action, Address, Attachment, Event, Message, User
from supportbot_telegram.door import parse
from supportbot_telegram.inbound import NOTHING, Me, Reading, Unready, callback_data, read

from .conftest import PAYLOADS, payload

ME = Me(987654321, "nordlicht_bot")
ANNA = User("5001001", "Anna Berg")
BEN = User("5001002", "Ben")
GROUP, FORUM, SMALL = "-1001600000001", "-1001600000002", "-4600001"


def reading(name: str, me: Me = ME) -> Reading:
    return read(telegram.Update.de_json(payload(name)), "shop", me)


def taken(name: str) -> Message:
    message = reading(name).message
    assert message is not None
    return message


def private(text: str = "", *attachments: Attachment, **more: Any) -> Message:
    address = Address("shop", "5001001")
    return replace(Message(address, "", ANNA, text, attachments=attachments, locale="de"), **more)


def group(text: str = "", *attachments: Attachment, chat: str = GROUP, thread: str = "", **more: Any) -> Message:
    return private(text, *attachments, address=Address("shop", chat, thread), shared=True, **more)


def file(name: str, media_type: str, size: int, ref: str) -> Attachment:
    return Attachment(name, media_type, size, ref=ref)


def other(kind: str) -> Attachment:
    return Attachment(kind, f"application/x-{kind}")


PHOTO = file("photo.jpg", "image/jpeg", 240000, "ph-l")

MESSAGES = {
    "text": private("Wo ist meine Bestellung? 🙂"),
    "text_of_a_nameless_language": private("Hi", user=User("5001001", "An na"), locale=""),
    "command": private("/help"),
    "command_with_my_name": private("/order 17"),
    "start": private("/start"),
    "start_with_payload": private(kind="event", event=Event("start", {"payload": "order-17_b"})),
    "a_path_is_no_command": private("/etc/hosts is broken"),
    "photo": private("Beschädigt angekommen", PHOTO),
    "photo_too_large": private("", PHOTO),
    "album_photo": private("", PHOTO),
    "voice": private("", file("voice.ogg", "audio/ogg", 9100, "vo")),
    "audio": private("", file("song.mp3", "audio/mpeg", 900100, "au")),
    "video": private("", file("video.mp4", "video/mp4", 800100, "vi")),
    "video_note": private("", file("video-note.mp4", "video/mp4", 300100, "vn")),
    "document": private("Die Rechnung", file("Rechnung 17.pdf", "application/pdf", 32100, "do")),
    "document_bare": private("", file("document", "application/octet-stream", -1, "db")),
    "animation": private("", file("wave.mp4", "video/mp4", 120100, "an")),
    "sticker": private("👍"),
    "sticker_without_emoji": private("", file("sticker", "image/webp", 20200, "sw")),
    "sticker_moving": private("", file("sticker", "application/x-tgsticker", 20300, "sm")),
    "contact_own": private("+4930123456"),
    "contact_other": private("Carl Diehl: +4930654321"),
    "location": private("52.5163, 13.3777"),
    "venue": private("52.5163, 13.3777 (Nordlicht, Pariser Platz 1)"),
    "poll": private("", other("poll")),
    "dice": private("", other("dice")),
    "story": private("", other("story")),
    "giveaway": private("", other("giveaway")),
    "of_a_kind_to_come": private("", other("message")),
    "private_topic": private("Zum Vertrag", address=Address("shop", "5001001", "44")),
    "forwarded": private("Siehe unten"),
    "through_another_bot": private("A gif"),
    "group_mention": group("when do you open?", user=BEN, locale="pt-BR"),
    "group_mention_inside": group("Wann 🙂 öffnet ihr am Montag?"),
    "group_mention_alone": group("@nordlicht_bot"),
    "group_text_mention": group("please answer"),
    "group_command": group("/hours"),
    "group_command_with_my_name": group("/hours today"),
    "group_reply_to_me": group("And on Sunday?"),
    "group_reply_thread_is_no_topic": group("And on Sunday?"),
    "group_photo": group("is this normal?", PHOTO),
    "small_group": group("help", chat=SMALL),
    "topic_mention": group("help", chat=FORUM, thread="12"),
    "edited": private("Wo ist Bestellung 18?", kind="message.edited", target="5001001.701"),
    "edited_caption": private("Ganz kaputt", kind="message.edited", target="5001001.702"),
    "edited_in_group": group("und heute?", kind="message.edited", target=f"{GROUP}.704"),
}
NOT_FOR_US = (
    *("group_text", "group_mention_of_another", "group_command_for_another", "group_reply_to_another"),
    *("group_command_for_another_as_reply", "group_photo_without_caption", "topic_text"),
    *("from_another_bot", "from_a_hidden_admin", "from_a_channel_in_the_group", "channel_post"),
    *("business_message", "reaction", "update_to_come", "joined", "pinned", "title_changed", "migrated_from"),
    *("edited_live_location", "edited_in_group_for_others", "added_to_group"),
)
PRESSES = tuple(path.stem for path in PAYLOADS.glob("press*"))


@pytest.mark.parametrize("name", MESSAGES)
def test_what_a_customer_sends_becomes_a_message(name: str) -> None:
    found = taken(name)
    assert replace(found, id="") == MESSAGES[name]


@pytest.mark.parametrize("name", [name for name in MESSAGES if not name.startswith("edited")])
def test_a_message_is_known_by_its_chat_and_number(name: str) -> None:
    message = payload(name)["message"]
    assert taken(name).id == f"{message['chat']['id']}.{message['message_id']}"


def test_each_edit_of_a_message_has_its_own_id() -> None:
    once = taken("edited").id
    assert once.startswith("5001001.701.edit.1767225660.")
    later = payload("edited")
    later["edited_message"]["text"] += "!"
    again = read(telegram.Update.de_json(later), "shop", ME).message
    assert again is not None and again.id != once, "two edits within one second are two"


@pytest.mark.parametrize("name", NOT_FOR_US)
def test_what_is_not_for_the_bot_is_ignored(name: str) -> None:
    assert reading(name) == NOTHING


def test_every_payload_is_tested() -> None:
    names = {path.stem for path in PAYLOADS.glob("*.json") if not path.stem.startswith(("bad_", "unreadable_"))}
    assert names == {*MESSAGES, *NOT_FOR_US, *PRESSES, "blocked", "unblocked", "migrated_to"}


@pytest.mark.parametrize("path", sorted(PAYLOADS.glob("unreadable_*")), ids=lambda path: path.stem)
def test_what_lacks_the_needful_is_never_half_understood(path: Any) -> None:
    with pytest.raises(Exception):  # noqa: B017 - whatever the library raises; `Intake` sets it aside
        reading(path.stem)


@pytest.mark.parametrize("path", sorted(PAYLOADS.glob("[!b]*.json")), ids=lambda path: path.stem)
def test_every_payload_says_where_it_comes_from(path: Any) -> None:
    assert json.loads(path.read_text("utf-8"))["source"].startswith("https://core.telegram.org/bots/")


@pytest.mark.parametrize("name", ["group_mention", "group_command", "group_text"])
def test_a_group_has_to_wait_until_the_bot_knows_its_name(name: str) -> None:
    with pytest.raises(Unready):
        reading(name, Me(ME.id))


def test_a_private_chat_needs_not_wait_for_the_bots_name() -> None:
    assert reading("text", Me(ME.id)).message is not None


# --- presses -------------------------------------------------------------------------------------------------


def test_a_press_brings_back_what_the_button_carried() -> None:
    found = reading("press")
    assert found.message is not None and found.message.kind == "action"
    assert found.message.action == Action(press="r1.2")
    assert found.message.id == Action(press="r1.2").key("5001001")
    assert found.message.address == Address("shop", "5001001") and not found.message.shared
    assert found.press is not None and found.press.query == "4382000000000000001"


def test_both_buttons_of_a_message_make_the_same_id() -> None:
    assert Action(press="r1.1").key("7") == Action(press="r1.2").key("7") != Action(press="r2.1").key("7")


def test_a_press_in_a_group_counts_for_the_customer_it_is_for() -> None:
    mine, another = reading("press_in_group"), reading("press_of_another")
    assert mine.message is not None and mine.message.shared and mine.message.action == Action(press="r1.1")
    assert another.message is None and another.press is not None and another.press.foreign


@pytest.mark.parametrize("name", ["press_in_topic", "press_on_old"])
def test_a_press_in_a_topic_stays_there_however_old_the_message(name: str) -> None:
    assert taken(name).address == Address("shop", FORUM, "12")


@pytest.mark.parametrize("name", ["press_without_message", "press_of_a_game"])
def test_a_press_that_means_nothing_is_still_answered(name: str) -> None:
    found = reading(name)
    assert found.message is None and found.press is not None and found.press.query


@pytest.mark.parametrize(
    ("user", "thread", "origin"), [("", 0, 0), ("7" * 16, 2**31, 0), ("", 2**31, -1_002_345_678_901)]
)
def test_what_a_button_carries_fits_into_64_bytes(user: str, thread: int, origin: int) -> None:
    data = callback_data("p" * 32, user=user, thread=thread, origin=origin, key=b"k")
    assert data.startswith("p" * 32) and len(data.encode()) <= 64
    assert [*data.split("|"), "", ""][1] == user


def test_a_press_on_a_private_answer_goes_on_in_the_group_it_came_from() -> None:
    data = callback_data("word.0.1p", user="", thread=12, origin=-1_001_234, key=b"k")
    update = {"update_id": 1, **telegram_updates.callback(data)}
    found = read(telegram.Update.de_json(update), "shop", Me(1, "support_bot", b"k")).message
    assert found is not None and found.address == Address("shop", "-1001234", "12")
    assert found.shared and found.action == Action(press="word.0.1p")


@pytest.mark.parametrize(
    "data", ["word.0.1p||12|-1001234", "word.0.1p||12|lgq", "word.0.1p||12|lgq|AAAAAAAA", "|||||"]
)
def test_nobody_can_send_a_press_into_a_group_from_outside(data: str) -> None:
    update = {"update_id": 1, **telegram_updates.callback(data)}
    found = read(telegram.Update.de_json(update), "shop", Me(1, "support_bot", b"k")).message
    assert found is None or (found.address.chat == str(telegram_updates.ANNA) and not found.shared)


# --- the rest ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["blocked", "unblocked"])
def test_a_customer_who_blocks_the_bot_is_noted(name: str) -> None:
    assert reading(name) == Reading(note=f"telegram.{name}", chat="5001001")


def test_a_group_that_moves_is_noted_with_its_new_id() -> None:
    found = reading("migrated_to")
    assert found.message is None and found.moved == (-4600001, -1001600000003)


def test_a_nul_in_a_text_is_no_more() -> None:
    update = payload("text")
    update["message"]["text"] = "a\0b"
    found = read(telegram.Update.de_json(update), "shop", ME).message
    assert found is not None and found.text == "ab"


def test_the_strict_reader_takes_what_the_library_wrote() -> None:
    update = telegram.Update.de_json(payload("text"))
    assert parse(update.to_json().encode())["update_id"] == update.update_id
