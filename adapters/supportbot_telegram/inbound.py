"""From an update of Telegram to what the house is told. Pure.

1. In a private chat everything that the customer sends is for the bot.
2. In a group it is for the bot if it is a command (not another bot's), mentions it, or replies to a message of it; so
   the group's privacy mode makes no difference.
3. Other bots, channels and hidden administrators are nobody's customers.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import telegram

from supportbot import Action, Address, Attachment, Event, Message, User
from supportbot_telegram.content import content

ALLOWED_UPDATES = ("message", "edited_message", "callback_query", "my_chat_member")

COMMAND = re.compile(r"/([A-Za-z0-9_]{1,64})(?:@([A-Za-z0-9_]{1,64}))?(?=\s|\Z)")
_PAYLOAD = re.compile(r"/start\s+([A-Za-z0-9_-]{1,64})\s*\Z")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_GROUPS = ("group", "supergroup")


class Unreadable(Exception):
    """An update that lacks something it must have; `str()` says what."""


class Unready(Exception):
    """A group's update while the bot does not know its own name yet."""


@dataclass(frozen=True, slots=True)
class Me:
    """The bot itself; `username` is "" until Telegram has told it."""

    id: int
    username: str = ""
    key: bytes = field(default=b"", repr=False)
    """Signs what a button carries where it decides to which conversation a press belongs."""


@dataclass(frozen=True, slots=True)
class Press:
    """A pressed button that Telegram waits to have answered. `foreign`: by somebody it is not for.

    `under` is the message with the button as Telegram knows it, {} if the bot can no longer see it.
    """

    query: str
    locale: str = ""
    foreign: bool = False
    data: str = ""
    chat: int = 0
    message: int = 0
    under: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reading:
    """What an update means: a message to store, a press to answer, something to note in the log, or nothing.

    `moved` is (old chat, new chat) of a group that became a supergroup.
    """

    message: Message | None = None
    press: Press | None = None
    note: str = ""
    chat: str = ""
    moved: tuple[int, int] | None = None


NOTHING = Reading()


def read(update: telegram.Update, channel: str, me: Me) -> Reading:
    """What the update means. Raises Unreadable and Unready; other errors mean that it is malformed as well."""
    if update.callback_query is not None:
        return _pressed(update.callback_query, channel, me)
    if update.message is not None:
        return _written(update.message, channel, me)
    if update.edited_message is not None:
        return _edited(update.edited_message, channel, me)
    if update.my_chat_member is not None:
        return _membership(update.my_chat_member)
    return NOTHING


# --- messages ------------------------------------------------------------------------------------------------


def _written(message: telegram.Message, channel: str, me: Me) -> Reading:
    if message.migrate_to_chat_id:
        moved = (whole(message.chat.id), whole(message.migrate_to_chat_id))
        return Reading(note="telegram.group_moved", chat=str(moved[1]), moved=moved)
    found = _for_us(message, me) and content(message)
    if not found:
        return NOTHING
    text, attachments = found
    text = _to_the_point(text, message, me)
    started = _PAYLOAD.match(text)
    if started and message.text is not None:
        event = Event("start", {"payload": started[1]})
        return Reading(_message(message, channel, id=id_of(message), kind="event", event=event))
    return Reading(_message(message, channel, id=id_of(message), text=text, attachments=attachments))


def _edited(message: telegram.Message, channel: str, me: Me) -> Reading:
    """A changed text; a live location that moves is no news."""
    text = message.text if message.text is not None else message.caption
    if text is None or not _for_us(message, me):
        return NOTHING
    if message.edit_date is None:
        raise Unreadable("the edited message has no edit_date")
    # two edits within one second have the same date
    words = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:8]
    id = f"{id_of(message)}.edit.{int(message.edit_date.timestamp())}.{words}"
    text = _to_the_point(text, message, me)
    return Reading(_message(message, channel, id=id, kind="message.edited", target=id_of(message), text=text))


def _message(
    message: telegram.Message,
    channel: str,
    *,
    id: str,
    text: str = "",
    kind: Any = "message",
    event: Event | None = None,
    attachments: tuple[Attachment, ...] = (),
    target: str = "",
) -> Message:
    sender = message.from_user
    assert sender is not None  # `_for_us` has seen to it
    return Message(
        address=_address(channel, message.chat, message),
        id=id,
        user=user_of(sender),
        text=text_of(text),
        kind=kind,
        event=event,
        attachments=attachments,
        locale=_locale(sender),
        target=target,
        shared=message.chat.type in _GROUPS,
    )


def _for_us(message: telegram.Message, me: Me) -> bool:
    sender = message.from_user
    if sender is None or sender.is_bot or message.sender_chat is not None:
        return False
    if message.chat.type == "private":
        return True
    return message.chat.type in _GROUPS and _concerns(message, me)


def _concerns(message: telegram.Message, me: Me) -> bool:
    """Whether a group's message is for the bot."""
    if not me.username:
        raise Unready
    text = message.text if message.text is not None else message.caption or ""
    command = COMMAND.match(text)
    if command:
        return not command[2] or command[2].lower() == me.username.lower()
    if _mentions(message, me):
        return True
    above = message.reply_to_message
    if above is None or above.from_user is None or above.forum_topic_created is not None:
        return False  # in a topic, Telegram makes every message a reply to the topic's first
    return above.from_user.id == me.id


def _mentions(message: telegram.Message, me: Me) -> Sequence[telegram.MessageEntity]:
    """The places in the text or caption that name the bot."""
    found = message.parse_entities() if message.text is not None else message.parse_caption_entities()
    name = f"@{me.username}".lower()
    return [
        entity
        for entity, text in found.items()
        if (entity.type == "mention" and text.lower() == name)
        or (entity.type == "text_mention" and entity.user is not None and entity.user.id == me.id)
    ]


def _to_the_point(text: str, message: telegram.Message, me: Me) -> str:
    """The text without the bot's name: `/help@bot` is `/help`, and in a group `@bot hello` is `hello`."""
    command = COMMAND.match(text)
    if command and (command[2] or "").lower() == me.username.lower() and me.username:
        return f"/{command[1]}{text[command.end() :]}"
    if message.chat.type == "private" or text not in (message.text, message.caption):
        return text
    units = text.encode("utf-16-le")
    for entity in sorted(_mentions(message, me), key=lambda entity: entity.offset, reverse=True):
        units = units[: 2 * entity.offset] + units[2 * (entity.offset + entity.length) :]
    left = re.sub(r"[ \t]{2,}", " ", units.decode("utf-16-le", "replace")).strip().lstrip(",:; ")
    return left or text


# --- presses -------------------------------------------------------------------------------------------------


def _pressed(query: telegram.CallbackQuery, channel: str, me: Me) -> Reading:
    """`data` is what `callback_data` made."""
    locale = _locale(query.from_user)
    if query.message is None or not query.data or query.from_user.is_bot:
        return Reading(press=Press(text_of(query.id), locale))
    press, user, thread, _ = [*query.data.split("|"), "", "", ""][:4]
    origin = origin_of(query.data, me.key)
    under = query.message
    seen = under if isinstance(under, telegram.Message) and under.is_accessible else None
    foreign = user not in ("", str(query.from_user.id))
    answered = Press(
        query=text_of(query.id),
        locale=locale,
        foreign=foreign,
        data=query.data,
        chat=whole(under.chat.id),
        message=whole(under.message_id),
        under=seen.to_dict() if seen else {},
    )
    action = Action(press=press)
    message = Message(
        address=Address(channel, origin, thread) if origin else _address(channel, under.chat, seen, thread=thread),
        id=action.key(str(query.from_user.id)),
        user=user_of(query.from_user),
        kind="action",
        action=action,
        locale=locale,
        shared=under.chat.type in _GROUPS or bool(origin),
    )
    return Reading(None if foreign else message, answered)


def callback_data(press: str, *, user: str, thread: int, origin: int = 0, key: bytes = b"") -> str:
    """What a button carries, at most 64 bytes: the press, in a group whom it is for, the topic (of a message that may
    become too old to be seen), and the group if the button is shown in the customer's own chat.

    Anybody can make Telegram bring a press with any data, so a group in it is signed.
    """
    data = "|".join((press[:32], user, str(thread or "")))
    if not origin:
        return data.rstrip("|")
    data = f"{data}|{base36(-origin)}"
    return f"{data}|{_tag(data, key)}"


def origin_of(data: str, key: bytes) -> str:
    """The group to which a press in a private chat belongs, "" if none or if we did not write it."""
    signed, _, tag = data.rpartition("|")
    if data.count("|") != 4 or not hmac.compare_digest(_tag(signed, key), tag):
        return ""
    return str(-int(signed.rpartition("|")[2], 36))


def base36(number: int) -> str:
    """The number in digits and small letters."""
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits or "0"


def _tag(data: str, key: bytes) -> str:
    return base64.urlsafe_b64encode(hmac.new(key, data.encode(), hashlib.sha256).digest())[:8].decode()


# --- the parts -----------------------------------------------------------------------------------------------


def _membership(change: telegram.ChatMemberUpdated) -> Reading:
    if change.chat.type != "private":
        return NOTHING
    gone = change.new_chat_member.status == "kicked"
    return Reading(note="telegram.blocked" if gone else "telegram.unblocked", chat=str(change.chat.id))


def _address(channel: str, chat: telegram.Chat, message: telegram.Message | None, *, thread: str = "") -> Address:
    if message is not None:
        thread = str(whole(message.message_thread_id)) if message.is_topic_message else ""
    return Address(channel, str(whole(chat.id)), thread)


def id_of(message: telegram.Message) -> str:
    return f"{whole(message.chat.id)}.{whole(message.message_id)}"


def user_of(user: telegram.User) -> User:
    return User(str(whole(user.id)), _CONTROL.sub(" ", text_of(user.full_name)).strip())


def _locale(user: telegram.User) -> str:
    code = user.language_code
    return code if isinstance(code, str) and _LANGUAGE.match(code) else ""


def whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise Unreadable("an id is not a number")
    return value


def text_of(value: object) -> str:
    if not isinstance(value, str):
        raise Unreadable("a text is not text")
    value.encode()  # half a character cannot be stored: UnicodeEncodeError
    return value.replace("\0", "")
