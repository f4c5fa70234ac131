"""The chats, people, files and callback queries that the stand-in for Telegram knows."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from supportbot.testing.telegram.ledger import Chat, File, Topic
from supportbot.testing.telegram.parts import member
from supportbot.testing.telegram.rules import DOWNLOAD_LIMIT, Refused

_MESSAGES = ("message", "edited_message", "channel_post", "edited_channel_post")
_LOST: Mapping[str, str] = {"kicked": "kicked", "left": "left"}


class Book:
    """Learns from every update what Telegram would know: who wrote, which topics there are, who blocked the bot."""

    def __init__(self, bot: dict[str, Any], callback_seconds: float) -> None:
        self.bot = bot
        self.chats: dict[int, Chat] = {}
        self.users: dict[int, dict[str, Any]] = {}
        self.files: dict[str, File] = {}
        self._queries: dict[str, float] = {}
        self._callback_seconds = callback_seconds

    def learn(self, update: Mapping[str, Any]) -> None:
        for kind in _MESSAGES:
            if isinstance(update.get(kind), Mapping):
                self._message(update[kind])
        query = update.get("callback_query")
        if isinstance(query, Mapping):
            self._queries[str(query["id"])] = time.monotonic()
            self._person(query.get("from"))
            self._chat((query.get("message") or {}).get("chat"))
        change = update.get("my_chat_member")
        if isinstance(change, Mapping):
            chat = self._chat(change["chat"])
            status = change["new_chat_member"]["status"]
            if chat is not None:
                lost: Any = "blocked" if chat.private and status == "kicked" else _LOST.get(status, "open")
                chat.state = lost

    def _message(self, message: Mapping[str, Any]) -> None:
        self._person(message.get("from"))
        chat = self._chat(message.get("chat"))
        if chat is None:
            return
        if chat.state == "never wrote":
            chat.state = "open"
        chat.saw(int(message.get("message_id", 0)))
        if message.get("is_topic_message"):
            self._topic(chat, message)
        if message.get("migrate_to_chat_id"):
            chat.migrated_to = int(message["migrate_to_chat_id"])
            self.chats.setdefault(chat.migrated_to, Chat(chat.migrated_to, "supergroup", chat.title))

    def _topic(self, chat: Chat, message: Mapping[str, Any]) -> None:
        id = int(message["message_thread_id"])
        chat.topics.add(id)
        made = message.get("forum_topic_created") or message.get("forum_topic_edited")
        if made:
            topic = chat.forum.setdefault(id, Topic(id, creator=int(message["from"]["id"])))
            topic.name = str(made.get("name") or topic.name)
        if "forum_topic_closed" in message or "forum_topic_reopened" in message:
            chat.forum.setdefault(id, Topic(id)).closed = "forum_topic_closed" in message

    def _person(self, person: Any) -> None:
        if isinstance(person, Mapping):
            self.users[int(person["id"])] = dict(person)

    def _chat(self, part: Any) -> Chat | None:
        if not isinstance(part, Mapping):
            return None
        id = int(part["id"])
        if id not in self.chats:
            title = str(part.get("title") or part.get("first_name") or "")
            self.chats[id] = Chat(id, str(part["type"]), title, bool(part.get("is_forum")))
        return self.chats[id]

    def chat(self, given: str) -> Chat:
        """The chat of an id or @username; raises `Refused`."""
        if not given:
            raise Refused("chat_id is empty")
        if given.lstrip("-").isdecimal() and int(given) in self.chats:
            return self.chats[int(given)]
        for chat in self.chats.values():
            if chat.username and given == f"@{chat.username}":
                return chat
        raise Refused("chat not found")

    def manages_topics(self, chat: Chat) -> bool:
        """Whether the bot is an administrator with that right."""
        me = self.member(chat, self.bot["id"])
        return me["status"] == "administrator" and bool(me.get("can_manage_topics"))

    def writes_into(self, chat: Chat, thread: int | None) -> None:
        """Refuses a topic that is closed, except to who manages topics."""
        topic = chat.forum.get(thread or 0)
        if topic is not None and topic.closed and not self.manages_topics(chat):
            raise Refused("TOPIC_CLOSED")

    def member(self, chat: Chat, user_id: int) -> dict[str, Any]:
        """A member of the chat (#chatmember); raises `Refused`."""
        if user_id == self.bot["id"]:
            lost = chat.state in ("kicked", "left")
            return chat.members.get(user_id) or member(self.bot, chat.state if lost else "member")
        if user_id in chat.members:
            return chat.members[user_id]
        if user_id not in self.users:
            raise Refused("user not found")
        return member(self.users[user_id], "member")

    def file(self, id: str) -> File:
        """A file that may be downloaded; raises `Refused`."""
        if id not in self.files:
            raise Refused("invalid file_id")
        if self.files[id].size > DOWNLOAD_LIMIT:
            raise Refused("file is too big")
        return self.files[id]

    def query(self, id: str) -> None:
        """Refuses the id of a callback query that is unknown or too old."""
        if time.monotonic() - self._queries.get(id, float("-inf")) > self._callback_seconds:
            raise Refused("query is too old and response timeout expired or query ID is invalid")
