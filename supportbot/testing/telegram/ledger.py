"""What the stand-in for Telegram remembers: messages, calls, chats and files."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from supportbot.testing.telegram.rules import Refused

State = Literal["open", "never wrote", "blocked", "kicked", "left", "deleted"]


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of a message: what it says after it."""

    text: str
    entities: list[dict[str, Any]]
    reply_markup: dict[str, Any] | None
    at: float = field(default_factory=time.time)


@dataclass(slots=True)
class Sent:
    """One accepted message. `text` (or caption) is without markup and as it stands now; `raw` is what was first sent.

    `edits` are the changes in their order, `file_digest` the SHA-256 of an uploaded file's bytes.
    """

    method: str
    chat_id: int
    thread: int | None
    message_id: int
    text: str
    raw: str
    parse_mode: str
    entities: list[dict[str, Any]]
    reply_markup: dict[str, Any] | None
    reply_to: int | None = None
    file_name: str = ""
    file_digest: str = ""
    edits: list[Edit] = field(default_factory=list)
    deleted: bool = False
    at: float = field(default_factory=time.time)


@dataclass(frozen=True, slots=True)
class Call:
    """One request: the method, and its parameters with their JSON read."""

    method: str
    params: Mapping[str, Any]
    at: float = field(default_factory=time.time)


@dataclass(frozen=True, slots=True)
class Draft:
    """A preview of an answer that is being written."""

    chat_id: int
    thread: int | None
    draft_id: int
    text: str
    at: float = field(default_factory=time.time)


@dataclass(frozen=True, slots=True)
class Action:
    """A chat action, such as "typing"."""

    chat_id: int
    thread: int | None
    action: str
    at: float = field(default_factory=time.time)


@dataclass(frozen=True, slots=True)
class CallbackAnswer:
    """The answer to a callback query."""

    id: str
    text: str
    show_alert: bool
    url: str
    at: float = field(default_factory=time.time)


@dataclass(frozen=True, slots=True)
class File:
    """A file that `getFile` knows; `size` may be declared without the bytes being there."""

    id: str
    content: bytes
    mime: str
    name: str
    size: int

    @property
    def path(self) -> str:
        return f"documents/{self.id}/{self.name}"

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


@dataclass(slots=True)
class Topic:
    """A topic of a forum group; `creator` 0 is somebody unknown."""

    id: int
    name: str = ""
    creator: int = 0
    icon_color: int = 0
    closed: bool = False


@dataclass(slots=True)
class Chat:
    """A chat and what is known of it; `incoming` are the ids of messages that others wrote, `topics` those of topics,
    and `forum` has the topics of which more is known."""

    id: int
    type: str = "private"
    title: str = ""
    is_forum: bool = False
    username: str = ""
    state: State = "open"
    migrated_to: int | None = None
    topics: set[int] = field(default_factory=set)
    forum: dict[int, Topic] = field(default_factory=dict)
    members: dict[int, dict[str, Any]] = field(default_factory=dict)
    incoming: set[int] = field(default_factory=set)
    last_id: int = 0

    @property
    def private(self) -> bool:
        return self.type == "private"

    def next_id(self) -> int:
        self.last_id += 1
        return self.last_id

    def saw(self, message_id: int) -> None:
        """Takes note of a message somebody else wrote."""
        self.incoming.add(message_id)
        self.last_id = max(self.last_id, message_id)

    def check(self) -> None:
        """Refuses what the bot may not send here."""
        kind = {"group": "group", "channel": "channel"}.get(self.type, "supergroup")
        if self.migrated_to is not None:
            said = "group chat was upgraded to a supergroup chat"
            raise Refused(said, migrate_to_chat_id=self.migrated_to)
        if self.state == "never wrote":
            raise Refused("bot can't initiate conversation with a user", 403)
        if self.state == "blocked":
            raise Refused("bot was blocked by the user", 403)
        if self.state == "kicked":
            raise Refused(f"bot was kicked from the {kind} chat", 403)
        if self.state == "left":
            raise Refused(f"bot is not a member of the {kind} chat", 403)
        if self.state == "deleted":
            raise Refused("user is deactivated" if self.private else "the group chat was deleted", 403)

    def thread(self, given: int | None) -> int | None:
        """The topic a message goes to; a chat without topics has none. Refuses an unknown one."""
        if given is None or not (self.is_forum or self.private):
            return None
        if given not in self.topics:
            raise Refused("message thread not found")
        return given

    def delete_topic(self, id: int) -> None:
        """Somebody deletes a topic with everything in it."""
        self.topics.discard(id)
        self.forum.pop(id, None)

    def part(self) -> dict[str, Any]:
        """The chat as it stands in a message."""
        named = {"first_name" if self.private else "title": self.title or "Chat"}
        found = {"id": self.id, "type": self.type, **named}
        if self.username:
            found["username"] = self.username
        if self.is_forum:
            found["is_forum"] = True
        return found
