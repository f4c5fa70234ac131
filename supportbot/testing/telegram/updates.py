"""Updates as Telegram sends them, for `FakeTelegram.add`, which gives them their `update_id`.

    fake.add(updates.text("Where is my order?"))
    fake.add(updates.text("Hello", chat=updates.group(), sender=updates.user(72, "Carl")))

Each docstring names the object in core.telegram.org/bots/api. Ids are fresh at every call; further fields of the
message are given by name. `every()` is one of each kind.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from supportbot.testing.telegram.media import (
    animation,
    audio,
    contact,
    dice,
    document,
    location,
    photo,
    poll,
    sticker,
    venue,
    video,
    video_note,
    voice,
)
from supportbot.testing.telegram.parts import (
    ANNA,
    BEN,
    BOT_ID,
    BOT_NAME,
    CHANNEL,
    GROUP,
    SMALL_GROUP,
    Part,
    Update,
    bot,
    change,
    channel,
    entity,
    fresh,
    group,
    member,
    message,
    private,
    user,
)

__all__ = [
    "ANNA",
    "BEN",
    "BOT_ID",
    "BOT_NAME",
    "CHANNEL",
    "GROUP",
    "SMALL_GROUP",
    "Part",
    "Update",
    "animation",
    "anonymous_admin",
    "audio",
    "blocked",
    "bot",
    "bot_added",
    "bot_removed",
    "business",
    "callback",
    "callback_on_old",
    "change",
    "channel",
    "channel_post",
    "command",
    "contact",
    "dice",
    "document",
    "edited",
    "entity",
    "every",
    "from_bot",
    "future",
    "group",
    "joined",
    "left",
    "location",
    "member",
    "mention",
    "message",
    "migrated_from",
    "migrated_to",
    "photo",
    "pinned",
    "poll",
    "private",
    "private_topic",
    "reaction",
    "reply_in_group",
    "start",
    "sticker",
    "text",
    "topic",
    "topic_event",
    "topic_message",
    "unblocked",
    "unparsable",
    "user",
    "venue",
    "video",
    "video_note",
    "voice",
]


def text(text: str = "Hello", chat: Part | None = None, sender: Part | None = None, **more: Any) -> Update:
    """A text message (#message), in Anna's private chat if no other is given."""
    return {"message": message(chat, sender, text=text, **more)}


def command(said: str = "/help", chat: Part | None = None, sender: Part | None = None, **more: Any) -> Update:
    """A command with its bot_command entity (#messageentity); `/help@support_bot` names the bot."""
    return text(said, chat, sender, entities=[entity("bot_command", said, said.split()[0])], **more)


def start(payload: str = "order-42", chat: Part | None = None) -> Update:
    """What a deep link t.me/support_bot?start=payload sends (core.telegram.org/bots/features#deep-linking)."""
    return command(f"/start {payload}".strip(), chat)


def mention(said: str = f"@{BOT_NAME} help", chat: Part | None = None, sender: Part | None = None) -> Update:
    """A message in a group that mentions the bot (#messageentity, type mention)."""
    name = next(word for word in said.split() if word.startswith("@"))
    return text(said, chat or group(), sender, entities=[entity("mention", said, name)])


def reply_in_group(message_id: int, said: str = "And tomorrow?", chat: Part | None = None) -> Update:
    """A reply to the bot's message in a group (#message, reply_to_message)."""
    place = chat or group()
    answered = {**message(place, bot(), text="We are open."), "message_id": message_id}
    return text(said, place, reply_to_message=answered)


def topic(said: str = "Hello", thread: int = 7, chat: Part | None = None, sender: Part | None = None) -> Update:
    """A message in a forum topic (#message, message_thread_id and is_topic_message)."""
    place = chat or group(is_forum=True)
    return text(said, place, sender, message_thread_id=thread, is_topic_message=True)


def topic_message(
    said: str = "Hello", thread: int = 7, *, creator: Part | None = None, sender: Part | None = None, **more: Any
) -> Update:
    """A message in a topic as Telegram brings it: a reply to the topic's first message (#message,
    reply_to_message). `chat` and further fields of the message are given by name; text="" leaves the text out."""
    place = more.pop("chat", None) or group(is_forum=True)
    about: Part = {"message_thread_id": thread, "is_topic_message": True}
    first = {**message(place, creator or bot(), **about, forum_topic_created=_topic("Anna")), "message_id": thread}
    words: Part = {"text": said} if said else {}
    return {"message": message(place, sender, **{**about, "reply_to_message": first, **words, **more})}


def topic_event(
    kind: str = "closed", thread: int = 7, chat: Part | None = None, sender: Part | None = None
) -> Update:
    """A service message about a topic: it was "created", "edited", "closed" or "reopened" (#forumtopiccreated …)."""
    what = {"created": _topic("Lunch"), "edited": {"name": "Lunch at one"}}.get(kind, {})
    about: Part = {"message_thread_id": thread, "is_topic_message": True, f"forum_topic_{kind}": what}
    made = message(chat or group(is_forum=True), sender, **about)
    return {"message": {**made, "message_id": thread} if kind == "created" else made}


def _topic(name: str) -> Part:
    return {"name": name, "icon_color": 0x6FB9F0}


def private_topic(said: str = "Hello", thread: int = 9) -> Update:
    """A message in a topic of a private chat (#user, has_topics_enabled)."""
    return topic(said, thread, private(is_forum=True))


def edited(message_id: int = 1000, said: str = "Hello!", chat: Part | None = None) -> Update:
    """A message whose text the customer changed (#update, edited_message)."""
    changed = message(chat, text=said, edit_date=int(time.time()))
    return {"edited_message": {**changed, "message_id": message_id}}


def callback(
    data: str = "yes",
    message_id: int = 1000,
    chat: Part | None = None,
    sender: Part | None = None,
    thread: int | None = None,
) -> Update:
    """A press of an inline button under the bot's message (#callbackquery)."""
    place = chat or private()
    topical = {} if thread is None else {"message_thread_id": thread, "is_topic_message": True}
    under = {**message(place, bot(), text="Shall I?", **topical), "message_id": message_id}
    return _pressed(data, under, sender or user())


def callback_on_old(data: str = "yes", message_id: int = 1, chat: Part | None = None) -> Update:
    """A press under a message the bot can no longer see (#inaccessiblemessage: its date is 0)."""
    return _pressed(data, {"message_id": message_id, "chat": chat or private(), "date": 0}, user())


def blocked(id: int = ANNA) -> Update:
    """The customer blocked the bot (#chatmemberupdated, my_chat_member)."""
    return {"my_chat_member": change(private(id), user(id), bot(), "member", "kicked")}


def unblocked(id: int = ANNA) -> Update:
    """The customer unblocked the bot (#chatmemberupdated, my_chat_member)."""
    return {"my_chat_member": change(private(id), user(id), bot(), "kicked", "member")}


def bot_added(chat: Part | None = None, status: str = "member") -> Update:
    """The bot was added to a group (#chatmemberupdated, my_chat_member)."""
    return {"my_chat_member": change(chat or group(), user(), bot(), "left", status)}


def bot_removed(chat: Part | None = None) -> Update:
    """The bot was removed from a group (#chatmemberupdated, my_chat_member)."""
    return {"my_chat_member": change(chat or group(), user(), bot(), "member", "kicked")}


def migrated_to(old: int = SMALL_GROUP, new: int = GROUP) -> Update:
    """The last message of a basic group that became a supergroup (#message, migrate_to_chat_id)."""
    return {"message": message(group(old, type="group"), migrate_to_chat_id=new)}


def migrated_from(new: int = GROUP, old: int = SMALL_GROUP) -> Update:
    """The first message of a supergroup that was a basic group (#message, migrate_from_chat_id)."""
    return {"message": message(group(new), migrate_from_chat_id=old)}


def joined(*people: Part, chat: Part | None = None) -> Update:
    """New members of a group (#message, new_chat_members)."""
    return {"message": message(chat or group(), new_chat_members=list(people) or [user(BEN, "Ben")])}


def left(person: Part | None = None, chat: Part | None = None) -> Update:
    """A member left a group (#message, left_chat_member)."""
    return {"message": message(chat or group(), left_chat_member=person or user(BEN, "Ben"))}


def pinned(chat: Part | None = None) -> Update:
    """A message was pinned (#message, pinned_message)."""
    place = chat or group()
    return {"message": message(place, pinned_message=message(place, text="Read this first"))}


def from_bot(said: str = "I am a bot", chat: Part | None = None) -> Update:
    """A message of another bot (#user, is_bot)."""
    return text(said, chat or group(), user(BEN, "Helper", is_bot=True, username="helper_bot"))


def channel_post(said: str = "New in the shop", chat: Part | None = None) -> Update:
    """A post in a channel, without a sender (#update, channel_post)."""
    place = chat or channel()
    post = message(place, text=said, sender_chat=place)
    return {"channel_post": {key: value for key, value in post.items() if key != "from"}}


def anonymous_admin(said: str = "Hello from us", chat: Part | None = None) -> Update:
    """A message of an administrator who hides behind the group (#message, sender_chat)."""
    place = chat or group()
    hidden = user(1087968824, "Group", is_bot=True, username="GroupAnonymousBot")
    return text(said, place, hidden, sender_chat=place)


def business(said: str = "Hello", connection: str = "business-1") -> Update:
    """A message to a business account the bot is connected to (#update, business_message)."""
    return {"business_message": message(text=said, business_connection_id=connection)}


def reaction(emoji: str = "👍", message_id: int = 1000, chat: Part | None = None) -> Update:
    """A reaction to a message (#messagereactionupdated)."""
    place, person = chat or private(), user()
    when = {"date": int(time.time()), "old_reaction": [], "new_reaction": [{"type": "emoji", "emoji": emoji}]}
    return {"message_reaction": {"chat": place, "message_id": message_id, "user": person, **when}}


def future(kind: str = "hologram_message") -> Update:
    """An update of a kind that does not exist yet (#update: new ones are added at any time)."""
    return {kind: {"id": str(fresh()), "from": user(), "chat": private(), "payload": {"depth": 3}}}


def unparsable(said: str = "Look at this") -> Update:
    """A text message that `telegram.Update.de_json` raises on: forwarded, with an origin whose sender is missing
    (#messageoriginuser)."""
    return text(said, forward_origin={"type": "user", "date": int(time.time())})


def _pressed(data: str, under: Part, person: Part) -> Update:
    query = {"id": str(4_000_000_000_000 + fresh()), "from": person, "message": under}
    return {"callback_query": {**query, "chat_instance": "-3141592653589793", "data": data}}


def _in_group() -> Update:
    return command(f"/help@{BOT_NAME}", group())


def _reply() -> Update:
    return reply_in_group(1000)


_ALL: tuple[Callable[[], Update], ...] = (
    text,
    command,
    start,
    mention,
    _reply,
    _in_group,
    topic,
    topic_message,
    topic_event,
    private_topic,
    edited,
    callback,
    callback_on_old,
    photo,
    voice,
    audio,
    video,
    video_note,
    document,
    sticker,
    animation,
    location,
    contact,
    venue,
    poll,
    dice,
    blocked,
    unblocked,
    bot_added,
    bot_removed,
    migrated_to,
    migrated_from,
    joined,
    left,
    pinned,
    from_bot,
    channel_post,
    anonymous_admin,
    business,
    reaction,
    future,
    unparsable,
)


def every() -> dict[str, Update]:
    """One update of each kind, by the name of its builder."""
    return {build.__name__.strip("_"): build() for build in _ALL}
