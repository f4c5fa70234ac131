"""What happens in a group that is a desk: from an update of Telegram to what an agent did. Pure.

1. Only a person's words in a topic, and presses under our own messages, are acts. General, bots, channels, people who
   hide behind the group and service messages are not.
2. A topic that a person made is no handoff's.
3. Words are for the customer, unless `//` or `note:` stands before them; a command is never for the customer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import telegram

from supportbot import Act, Attachment, notes
from supportbot_telegram.content import content
from supportbot_telegram.inbound import COMMAND, Me, id_of, text_of, user_of, whole
from supportbot_telegram.markdown import markdown

PressKind = Literal["claim", "release", "return", "resolve"]
COMMANDS = {
    "claim": "Take this handoff",
    "release": "Put it back for others",
    "return": "Give it back to the bot; words after it go to the customer",
    "resolve": "Done; words after it go to the customer",
    "transfer": "Pass it on: /transfer DESK or AGENT",
    "note": "A note that only colleagues see",
}
"""What can be typed in a topic, for Telegram's menu."""

_PRESS = re.compile(rf"\|({'|'.join(get_args(PressKind))})\|(\d{{1,15}})\Z")

Hint = Literal["", "command", "hidden", "unusable", "edited", "nowhere"]
Event = Literal["", "made", "closed", "reopened"]

_NOTED = notes.reader(rf"@(?!{notes.NOTE}\b)\w+")


@dataclass(frozen=True, slots=True)
class Seen:
    """What an update in the group means. `topic` is 0 in General and outside of topics.

    `maker` is who made the topic: 0 if the update does not say, -1 for a person. `event` is what happened to the topic
    itself, `title` its name when it was made. `query` is a press to be answered, `keyboard` the message under which it
    was. `hint` is what the writer of `message` should know: nothing of it has reached the customer, or not the change.
    """

    topic: int = 0
    act: Act | None = None
    maker: int = 0
    event: Event = ""
    title: str = ""
    query: str = ""
    keyboard: int = 0
    message: int = 0
    hint: Hint = ""


NOTHING = Seen()


def press_data(kind: PressKind, topic: int) -> str:
    """What a desk's button carries; a customer's never begins with this line."""
    return f"|{kind}|{topic}"


def seen(update: telegram.Update, me: Me) -> Seen:
    """What the update means. Raises Unreadable and whatever else says that it is malformed."""
    if update.callback_query is not None:
        return _pressed(update.callback_query)
    if update.message is not None:
        return _written(update.message, me)
    if update.edited_message is not None:
        return _edited(update.edited_message)
    return NOTHING


def _pressed(query: telegram.CallbackQuery) -> Seen:
    match = _PRESS.match(query.data or "")
    under = query.message
    if match is None or under is None or query.from_user.is_bot:
        return Seen(query=text_of(query.id))
    topic = int(match[2])
    act = Act(f"press.{text_of(query.id)}", user_of(query.from_user), _press_kind(match[1]), str(topic))
    return Seen(topic, act, query=text_of(query.id), keyboard=whole(under.message_id))


def _press_kind(name: str) -> PressKind:
    return next(kind for kind in get_args(PressKind) if kind == name)


# --- messages ------------------------------------------------------------------------------------------------


def _written(message: telegram.Message, me: Me) -> Seen:
    topic = _topic(message)
    if not topic:
        return NOTHING
    event = _event(message)
    if event:
        made = message.forum_topic_created
        return Seen(topic, maker=_maker(message) if made else 0, event=event, title=made.name if made else "")
    maker = _maker_of(message)
    found = content(message)
    if found is None or maker == -1:
        return Seen(topic, maker=maker)
    if not _of_a_person(message):
        hidden = message.sender_chat is not None and message.sender_chat.id == message.chat.id
        return Seen(topic, maker=maker, message=message.message_id, hint="hidden" if hidden else "")
    text, attachments = found
    return _said(message, me, topic, maker, text, tuple(file for file in attachments if file.ref))


def _said(
    message: telegram.Message, me: Me, topic: int, maker: int, text: str, files: tuple[Attachment, ...]
) -> Seen:
    sender = message.from_user
    assert sender is not None  # `_of_a_person` has seen to it
    command = COMMAND.match(text) if text in (message.text, message.caption) else None
    if command and command[2] and command[2].lower() != me.username.lower():
        return Seen(topic, maker=maker)  # it is for another bot
    name = command[1].lower() if command else ""
    rest = text[command.end() :].strip() if command else ""
    if command and (name not in COMMANDS or (name in ("transfer", "note") and not rest)):
        return Seen(topic, maker=maker, message=message.message_id, hint="command")

    def act(kind: str, text: str, *, to: str = "") -> Seen:
        done = Act(
            id=id_of(message),
            agent=user_of(sender),
            kind=kind,  # type: ignore[arg-type]  # one of COMMANDS, or written out below
            place=str(topic),
            text=text_of(text),
            attachments=files,
            to=to,
        )
        return Seen(topic, done, maker, message=message.message_id)

    if name == "transfer":
        return act("transfer", "", to=text_of(rest))
    if command:
        return act(name, "" if name in ("claim", "release") else rest)
    note = _note(message, text)
    words = _styled(message, text) if note is None else note
    if not words.strip() and not files:
        unusable = note is None and _brings_more(message)
        return Seen(topic, maker=maker, message=message.message_id, hint="unusable" if unusable else "")
    return act("message" if note is None else "note", words)


def _note(message: telegram.Message, text: str) -> str | None:
    """The words of a note without its mark, None if it is none; a colleague without a username may be called first."""
    for entity in _entities(message, text):
        if entity.type == telegram.MessageEntity.TEXT_MENTION and entity.offset == 0:
            text = text.encode("utf-16-le")[2 * entity.length :].decode("utf-16-le", "replace")
    return _NOTED(text)


def _brings_more(message: telegram.Message) -> bool:
    """Whether it brings something that is neither words nor a file, such as a poll."""
    found = content(message)
    return found is not None and bool(found[1])


def _edited(message: telegram.Message) -> Seen:
    """A changed text; the customer keeps what they were sent. A changed note concerns nobody else."""
    text = message.text if message.text is not None else message.caption
    topic = _topic(message)
    if not topic or text is None or not _of_a_person(message) or COMMAND.match(text):
        return NOTHING
    if _note(message, text) is not None:
        return NOTHING
    return Seen(topic, maker=_maker_of(message), message=message.message_id, hint="edited")


# --- the parts -----------------------------------------------------------------------------------------------


def _topic(message: telegram.Message) -> int:
    return whole(message.message_thread_id) if message.is_topic_message else 0


def _of_a_person(message: telegram.Message) -> bool:
    sender = message.from_user
    return sender is not None and not sender.is_bot and message.sender_chat is None and message.via_bot is None


def _event(message: telegram.Message) -> Event:
    if message.forum_topic_created is not None:
        return "made"
    if message.forum_topic_closed is not None:
        return "closed"
    return "reopened" if message.forum_topic_reopened is not None else ""


def _maker_of(message: telegram.Message) -> int:
    """Telegram makes every message of a topic a reply to its first, unless it answers another."""
    above = message.reply_to_message
    return _maker(above) if above is not None and above.forum_topic_created is not None else 0


def _maker(first: telegram.Message) -> int:
    sender = first.from_user
    if first.sender_chat is not None or (sender is not None and not sender.is_bot):
        return -1
    return sender.id if sender is not None else 0


def _styled(message: telegram.Message, text: str) -> str:
    return markdown(text, _entities(message, text))


def _entities(message: telegram.Message, text: str) -> Sequence[telegram.MessageEntity]:
    """Those of the text, () if it is not as it was typed."""
    if text == message.text:
        return message.entities
    return message.caption_entities if text == message.caption else ()
