"""What travels between the house and the channels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from supportbot.types.authority import Identity


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
    """A pressed button: its id and value, or the `press` that `Button.press` gave the channel to hand back."""

    id: str = ""
    value: str = ""
    press: str = ""

    def key(self, user: str) -> str:
        """The id for the message that a press makes: the same for all presses of one user on one message, so that
        only the first is taken."""
        return f"press:{self.press.rpartition('.')[0]}:{user}"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened without words, such as `conversation.started`, or a timer that fired."""

    name: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that came with a message, or goes out with a reply; `size` in bytes, -1 if the platform does not say.

    `url` may be shown to anyone who sees the message; `ref` is what `Adapter.fetch` needs to get the content, without
    a secret in it; `digest` is the content's SHA-256 (hex) once the house keeps it.
    """

    name: str
    media_type: str = "application/octet-stream"
    size: int = -1
    url: str = ""
    ref: str = ""
    digest: str = ""


MessageKind = Literal[
    "message",
    "message.edited",
    "message.deleted",
    "action",
    "event",
    "human.message",
    "handoff.claimed",
    "handoff.resolved",
    "handoff.returned",
    "handoff.released",
    "handoff.transferred",
    "human.note",
    "timer",
    "call",
]


@dataclass(frozen=True, slots=True)
class Message:
    """One thing that arrived for a conversation. (channel, id) is its dedupe key.

    `digest` tells a repeat (same bytes) from a forgery or a client's bug (other bytes); "" means never compare.
    `kind` "human.*" and "handoff.*" come from a human agent (`via` is the desk they work at, "" for none; `shown`: the
    customer has seen the words already), "timer" and "call" (a call that waited is decided or
    done) from the house itself. `proof` is an identity as the company's site has signed it, which the house checks and
    replaces by `identity`. `target` is the id of
    the message that a "message.edited" or "message.deleted" is about; an edit's own id is that id, a dot and more. `shared`: other people read along where it was
    written; a button of a private reply that is pressed elsewhere keeps the place and `shared` of the conversation. The
    house mends text that a database cannot hold.
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
    target: str = ""
    shared: bool = False
    proof: str = field(default="", repr=False)
    identity: Identity | None = None
    via: str = ""
    shown: bool = False


@dataclass(frozen=True, slots=True)
class Inbound:
    """A stored message: `position` grows in order of acceptance, `received_at` is the stored receipt."""

    position: int
    message: Message
    received_at: float


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that a channel's own pages show: `position` grows in order, `key` stands once on the channel."""

    position: int
    key: str
    at: float
    body: Mapping[str, Any]


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
    """One choice the customer can press; `value` comes back in the Action ("" means the label).

    `press` is set on the way out, at most 32 ASCII characters: a channel hands it back in `Action.press`, and need
    carry nothing else. `url` makes it a link. `asks` makes it a request for the customer's own phone number or place,
    where the platform has that; what comes back is an ordinary message.
    """

    id: str
    label: str
    value: str = ""
    press: str = ""
    url: str = ""
    style: Literal["", "primary", "danger"] = ""
    asks: Literal["", "phone", "location"] = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """One portable message to the customer: Markdown text, buttons, files. Channels degrade what they lack by rule.

    `menu` shows the buttons as one list to choose from, where there is such a thing. `private`: only for the customer's
    eyes, also in a place that others read.
    """

    text: str
    buttons: tuple[Button, ...] = ()
    files: tuple[Attachment, ...] = ()
    menu: bool = False
    private: bool = False
    author: str = ""
    """The shown name of the human agent whose words these are, "" for the bot's own."""

    @property
    def choices(self) -> tuple[Button, ...]:
        """The buttons that can be chosen, by number too: neither links nor requests."""
        return tuple(button for button in self.buttons if not button.url and not button.asks)


OutgoingKind = Literal[
    "message.reply",
    "handoff.requested",
    "handoff.claimed",
    "handoff.resolved",
    "handoff.returned",
    "handoff.updated",
    "handoff.message",
    "handoff.note",
    "conversation.closed",
    "approval.requested",
]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One outbox row on its way to a channel (or to `handoff.notify_url`, whose channel is "@notify", or to the desk NAME,
    whose channel is "@desk.NAME").

    `id` is stable over retries. Rows of one `lane` are sent in order, one at a time.
    `in_reply_to` are the platform's ids of the messages answered; `part`/`parts` count the turn's messages from 1.
    `attempt` counts earlier tries; `preview` is the handle of a streamed message to be finished, "" if none.
    `place` is where the handoff stands at the desk, "" if it does not (yet).
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
    place: str = ""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a channel can do and how fast; the outbox paces, retries and splits by this, nothing else does.

    Shown by the channel itself, and put into the text where it cannot: `buttons` (at most `button_limit`, 0 for any
    number, with labels of at most `label_limit` characters), `links` (buttons with a `url`), `asks` (buttons that ask
    for a phone number or place), `files`.

    `text_limit`, 0 for none, is in what `measure` counts of the Markdown text (characters, if nothing else is said).
    `streaming`: `preview` shows a reply while it is written, at most every `preview_interval` seconds. `typing`: seconds
    after which `working` is called again, 0 for never. `chat_interval` seconds between two messages in one chat,
    `channel_rate` messages per second over all chats (0 = no limit). `retry_delays` in seconds: after the last one
    fails the message is a dead letter. `send_timeout` in seconds. `events` means the channel wants `handoff.*` and
    `conversation.closed` too; `humans` that human agents work on the channel itself, so that no desk is needed for its
    conversations. `burst_wait` is the default delay in seconds before a turn starts.
    """

    buttons: bool = False
    links: bool = False
    asks: bool = False
    files: bool = False
    streaming: bool = False
    events: bool = False
    humans: bool = False
    button_limit: int = 0
    label_limit: int = 0
    text_limit: int = 0
    measure: Callable[[str], int] = len
    chat_interval: float = 0.0
    channel_rate: float = 0.0
    preview_interval: float = 1.0
    typing: float = 0.0
    burst_wait: float = 0.8
    send_timeout: float = 15.0
    retry_delays: tuple[float, ...] = (0.0, 2.0, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0, 14400.0, 28800.0, 43200.0)


@dataclass(frozen=True, slots=True)
class Rendering:
    """A reply as one channel sends it: `requests` are the platform's own payloads in order (JSON values, each with the
    method's name under "method"), `text` is what a person reads there, `warnings` say what does not fit and why."""

    text: str
    requests: tuple[Mapping[str, Any], ...] = ()
    warnings: tuple[str, ...] = ()
