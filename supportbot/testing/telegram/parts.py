"""What Telegram's updates are made of: users, chats and messages, as core.telegram.org/bots/api describes them."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping
from typing import Any

from supportbot.testing.telegram.rules import utf16_length

Update = dict[str, Any]
Part = dict[str, Any]

BOT_ID = 123456789
BOT_NAME = "support_bot"
ANNA = 71001
BEN = 71002
GROUP = -1001000000001
SMALL_GROUP = -1000001
CHANNEL = -1001000000002

_ids = itertools.count(1001)


def fresh() -> int:
    """An id that no other part has."""
    return next(_ids)


def user(id: int = ANNA, name: str = "Anna", **more: Any) -> Part:
    """A person (#user); `is_bot=True` makes it a bot."""
    return {"id": id, "is_bot": False, "first_name": name, "language_code": "en", **more}


def bot() -> Part:
    """The bot itself (#user)."""
    return {"id": BOT_ID, "is_bot": True, "first_name": "Support", "username": BOT_NAME}


def private(id: int = ANNA, name: str = "Anna", **more: Any) -> Part:
    """A private chat (#chat); its id is the person's."""
    return {"id": id, "type": "private", "first_name": name, **more}


def group(id: int = GROUP, title: str = "Shop talk", **more: Any) -> Part:
    """A supergroup (#chat); `is_forum=True` gives it topics, `type="group"` makes it a basic group."""
    return {"id": id, "type": "supergroup", "title": title, **more}


def channel(id: int = CHANNEL, title: str = "Shop news", **more: Any) -> Part:
    """A channel (#chat)."""
    return {"id": id, "type": "channel", "title": title, **more}


def message(chat: Part | None = None, sender: Part | None = None, **more: Any) -> Part:
    """A message of a person (#message), in a private chat if no other is given."""
    place = chat or private()
    author = sender or user(place["id"] if place["type"] == "private" else ANNA)
    return {"message_id": fresh(), "from": author, "chat": place, "date": int(time.time()), **more}


def entity(kind: str, text: str, part: str, **more: Any) -> Part:
    """The entity (#messageentity) of the first occurrence of `part` in the text."""
    offset = utf16_length(text[: text.index(part)])
    return {"type": kind, "offset": offset, "length": utf16_length(part), **more}


def member(person: Part, status: str) -> Part:
    """A member of a chat (#chatmember) with all the fields its status has."""
    found: Part = {"status": status, "user": person}
    if status == "creator":
        found["is_anonymous"] = False
    if status == "administrator":
        found |= {"can_be_edited": False, "is_anonymous": False}
        found |= dict.fromkeys((f"can_{right}" for right in _ADMIN_RIGHTS), True)
    if status == "restricted":
        found |= {"is_member": True, "until_date": 0}
        found |= dict.fromkeys((f"can_{right}" for right in _MEMBER_RIGHTS), False)
    if status == "kicked":
        found["until_date"] = 0
    return found


def change(chat: Part, person: Part, whose: Part, before: str, after: str) -> Part:
    """A change of a member's status (#chatmemberupdated)."""
    statuses: Mapping[str, Part] = {
        "old_chat_member": member(whose, before),
        "new_chat_member": member(whose, after),
    }
    return {"chat": chat, "from": person, "date": int(time.time()), **statuses}


_ADMIN_RIGHTS = [
    "manage_chat",
    "delete_messages",
    "manage_video_chats",
    "restrict_members",
    "promote_members",
    "change_info",
    "invite_users",
    "post_stories",
    "edit_stories",
    "delete_stories",
    "pin_messages",
    "manage_topics",
]
_MEMBER_RIGHTS = [
    "send_messages",
    "send_audios",
    "send_documents",
    "send_photos",
    "send_videos",
    "send_video_notes",
    "send_voice_notes",
    "send_polls",
    "send_other_messages",
    "add_web_page_previews",
    "change_info",
    "invite_users",
    "pin_messages",
    "manage_topics",
    "edit_tag",
]
