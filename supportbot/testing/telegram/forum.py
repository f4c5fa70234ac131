"""The topics of a forum group at the stand-in for Telegram: made, renamed, closed and opened again.

What a bot does to a topic comes back to it as an update too, as from everybody else; its messages do not.
"""

from __future__ import annotations

import time
from typing import Any

from supportbot.testing.telegram.book import Book
from supportbot.testing.telegram.ledger import Chat, Topic
from supportbot.testing.telegram.params import Params
from supportbot.testing.telegram.queue import UpdateQueue
from supportbot.testing.telegram.rules import TOPIC_COLOURS, TOPIC_NAME_LIMIT, Refused


class Forum:
    """The methods. Each raises `Refused`, or takes effect and gives its result."""

    def __init__(self, book: Book, queue: UpdateQueue) -> None:
        self._book = book
        self._queue = queue

    def create(self, params: Params) -> dict[str, Any]:
        """createForumTopic"""
        chat = self._forum(params)
        if not self._book.manages_topics(chat):
            raise Refused("not enough rights to create a topic")
        name = _name(params)
        colour = params.number("icon_color") or 0
        if colour and colour not in TOPIC_COLOURS:
            raise Refused("TOPIC_ICON_COLOR_INVALID")
        id = chat.next_id()
        topic = chat.forum[id] = Topic(id, name, self._book.bot["id"], colour or TOPIC_COLOURS[0])
        chat.topics.add(id)
        about = {"name": name, "icon_color": topic.icon_color}
        self._tell(chat, topic, id, forum_topic_created=about)
        return {"message_thread_id": id, **about}

    def edit(self, params: Params) -> bool:
        """editForumTopic"""
        chat, topic = self._own(params, "not enough rights to edit the topic")
        if params.text("name"):
            name = _name(params)
            if name == topic.name:
                raise Refused("TOPIC_NOT_MODIFIED")
            topic.name = name
            self._tell(chat, topic, chat.next_id(), forum_topic_edited={"name": name})
        return True

    def close(self, params: Params) -> bool:
        """closeForumTopic"""
        return self._toggle(params, closed=True)

    def reopen(self, params: Params) -> bool:
        """reopenForumTopic"""
        return self._toggle(params, closed=False)

    def _toggle(self, params: Params, *, closed: bool) -> bool:
        chat, topic = self._own(params, "not enough rights to close or open the topic")
        if topic.closed == closed:
            raise Refused("TOPIC_NOT_MODIFIED")
        topic.closed = closed
        kind = "forum_topic_closed" if closed else "forum_topic_reopened"
        self._tell(chat, topic, chat.next_id(), **{kind: {}})
        return True

    def _forum(self, params: Params) -> Chat:
        chat = self._book.chat(params.text("chat_id"))
        chat.check()
        if not chat.is_forum:
            raise Refused("the chat is not a forum")
        return chat

    def _own(self, params: Params, refusal: str) -> tuple[Chat, Topic]:
        """A topic that the bot may change: any with the right to manage topics, else those that it made."""
        chat = self._forum(params)
        id = params.number("message_thread_id") or 0
        if id < 1:
            raise Refused("invalid message thread identifier specified")
        if id not in chat.topics:
            raise Refused("TOPIC_ID_INVALID")
        topic = chat.forum.setdefault(id, Topic(id))
        if topic.creator != self._book.bot["id"] and not self._book.manages_topics(chat):
            raise Refused(refusal)
        return chat, topic

    def _tell(self, chat: Chat, topic: Topic, message_id: int, **what: Any) -> None:
        """The service message."""
        about = {"message_thread_id": topic.id, "is_topic_message": True, "date": int(time.time())}
        message = {"message_id": message_id, "from": self._book.bot, "chat": chat.part(), **about, **what}
        self._queue.add({"message": message})


def _name(params: Params) -> str:
    """Telegram cuts a name that is too long."""
    name = " ".join(params.text("name").split())[:TOPIC_NAME_LIMIT]
    if not name:
        raise Refused("title must be non-empty")
    return name
