"""What travels between the house and the channels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Address:
    """Where a conversation is: a channel's configured name, a chat on it, and a thread in that chat ("" if none).

    In a direct message `chat` names the customer, so that no two customers share an address.
    """

    channel: str
    chat: str
    thread: str = ""


@dataclass(frozen=True, slots=True)
class User:
    """Who wrote: the platform's stable id, and a name to show (untrusted text)."""

    id: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Action:
    """A pressed button: its id and value."""

    id: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened without words, such as `conversation.started`, or a timer that fired."""

    name: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that came with a message; `size` in bytes, -1 if the platform does not say."""

    name: str
    media_type: str = "application/octet-stream"
    size: int = -1
    url: str = ""


MessageKind = Literal[
    "message",
    "action",
    "event",
    "human.message",
    "handoff.claimed",
    "handoff.resolved",
    "handoff.returned",
    "timer",
]


@dataclass(frozen=True, slots=True)
class Message:
    """One thing that arrived for a conversation. (channel, id) is its dedupe key.

    `digest` tells a repeat (same bytes) from a forgery or a client's bug (other bytes); "" means never compare.
    `kind` "human.message" and "handoff.*" come from a human agent, "timer" from the house itself.
    """

    address: Address
    id: str
    user: User
    text: str = ""
    kind: MessageKind = "message"
    action: Action | None = None
    event: Event | None = None
    attachments: tuple[Attachment, ...] = ()
    locale: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Inbound:
    """A stored message: `position` grows in order of acceptance, `received_at` is the stored receipt."""

    position: int
    message: Message
    received_at: float


@dataclass(frozen=True, slots=True)
class Receipt:
    """What `Store.receive` answers: the row is committed. `fresh` is False for a repeat."""

    conversation: str
    position: int
    fresh: bool
    done: bool = False
    """A repeat whose turn is over: its replies, if any, are there."""


@dataclass(frozen=True, slots=True)
class Button:
    """One choice the customer can press; `value` comes back in the Action ("" means the label)."""

    id: str
    label: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """One portable message to the customer: Markdown text and buttons. Channels degrade what they lack by rule."""

    text: str
    buttons: tuple[Button, ...] = ()


OutgoingKind = Literal[
    "message.reply",
    "handoff.requested",
    "handoff.claimed",
    "handoff.resolved",
    "handoff.returned",
    "conversation.closed",
]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One outbox row on its way to a channel (or to `handoff.notify_url`, whose channel is "@notify").

    `id` is stable over retries. Rows of one `lane` are sent in order, one at a time.
    `in_reply_to` are the platform's ids of the messages answered; `part`/`parts` count the turn's messages from 1.
    `attempt` counts earlier tries; `preview` is the handle of a streamed message to be finished, "" if none.
    """

    id: str
    conversation: str
    address: Address
    lane: str
    kind: OutgoingKind
    user: User
    in_reply_to: tuple[str, ...]
    part: int
    parts: int
    created_at: float
    reply: Reply | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    attempt: int = 0
    preview: str = ""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a channel can do and how fast; the outbox paces, retries and splits by this, nothing else does.

    `text_limit` in characters, 0 for none. `chat_interval` seconds between two messages in one chat,
    `channel_rate` messages per second over all chats (0 = no limit). `retry_delays` in seconds: after the last
    one fails the message is a dead letter. `send_timeout` in seconds. `events` means the channel wants `handoff.*`
    and `conversation.closed` too. `burst_wait` is the default delay in seconds before a turn starts.
    """

    buttons: bool = False
    streaming: bool = False
    events: bool = False
    text_limit: int = 0
    chat_interval: float = 0.0
    channel_rate: float = 0.0
    burst_wait: float = 0.8
    send_timeout: float = 15.0
    retry_delays: tuple[float, ...] = (0.0, 2.0, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0)
