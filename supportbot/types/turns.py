"""Conversations, history, and one turn from its start to its commit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from supportbot.types.authority import Standing, WaitingCall
from supportbot.types.dialogue import FlowState
from supportbot.types.handoffs import Handoff, Post
from supportbot.types.messages import Address, Attachment, Inbound, Outgoing, OutgoingKind, Reply, User


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call asked for by the model; `arguments` is the JSON text exactly as it came."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One chat message as the model sees it and as it is stored; `tokens` is counted once, when it is made.

    `name` is the author's shown name (a customer in a shared place, a human agent), "" for the bot itself. `images` are
    the digests of pictures that a customer sent with it, `source` is the id of the message it came with. `only` is the
    one user who may be shown it, in a place that others read; "" for everybody there.
    """

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    tokens: int = 0
    name: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    images: tuple[str, ...] = ()
    source: str = ""
    only: str = ""
    files: tuple[Attachment, ...] = ()
    """What came or went with it; for people, a model is told their names at most."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One whole turn of the past: from what the customer said to what was answered. History is cut between turns."""

    sequence: int
    messages: tuple[ChatMessage, ...]

    @property
    def tokens(self) -> int:
        return sum(message.tokens for message in self.messages)


@dataclass(frozen=True, slots=True)
class Conversation:
    """One conversation as stored. `turn` is the last committed turn's sequence (0 = none).

    History up to and including turn `cut` is gone from the model's view and lives in `summary`.
    `customer` is the opener.
    """

    id: str
    address: Address
    customer: User
    created_at: float
    updated_at: float
    turn: int = 0
    cut: int = 0
    summary: str = ""
    locale: str = ""


@dataclass(frozen=True, slots=True)
class Aside:
    """An update that is authentic and cannot be read: `content` as it came, `reason` in one sentence."""

    channel: str
    id: str
    content: str
    reason: str
    at: float


@dataclass(frozen=True, slots=True)
class Job:
    """Work for the queue: a conversation has pending messages; it may start at `ready_at`."""

    conversation: str
    ready_at: float


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to run one turn of one conversation.

    `sequence` is the turn's number and `attempt` the try at it, from 1; together they fence every commit and send.
    `expires_at`: after this another worker may take the turn.
    """

    conversation: str
    sequence: int
    attempt: int
    expires_at: float


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """What one effect of a turn came to, written before the turn goes on; replayed after a crash.

    `position` counts the turn's effects from 0. `digest` identifies the effect, so that an edited flow is noticed.
    `result` is None while a tool with effects has been started and not finished.
    """

    position: int
    kind: Literal["model", "tool", "search", "file", "place", "past", "start", "preview"]
    digest: str
    result: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class TurnInput:
    """All that one turn starts from, read in one go by `Store.begin`."""

    lease: Lease
    conversation: Conversation
    pending: tuple[Inbound, ...]
    turns: tuple[Turn, ...]
    states: Mapping[str, FlowState]
    handoff: Handoff | None
    journal: tuple[JournalEntry, ...]
    standings: Mapping[str, Standing] = field(default_factory=dict)
    """By author; empty ones are left out."""
    calls: tuple[WaitingCall, ...] = ()
    """Calls of the conversation that still wait, oldest first."""
    ended: Handoff | None = None
    """The newest handoff if none is open."""
    tries: int = 1
    """How often this turn has been begun, this time included: more than a few, and something in it breaks the bot."""


@dataclass(frozen=True, slots=True)
class Usage:
    """One model call: tokens as the provider counted them; `cost` in micro-dollars, None if the price is unknown.

    `outcome` is "ok" or the error's name.
    """

    model: str
    purpose: str
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    cost: int | None = None
    outcome: str = "ok"
    seconds: float = 0.0
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Timer:
    """Wakes a conversation with Event(name, data) at `due_at`; one per (conversation, name), a new one replaces it."""

    name: str
    due_at: float
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trace:
    """Why a turn came out as it did: one line of plain JSON per decision, in order, and the config's version."""

    steps: tuple[Mapping[str, Any], ...] = ()
    config: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a turn came to; `Store.commit` writes all of it in one transaction, or nothing.

    `consumed` are the positions of the inbox rows that this turn ends. `handoff` is new or changed, None = untouched.
    `events` are (kind, data) for channels and the notify endpoint, `posts` what goes to desks. `timers` are set, `stop_timers` removed by name.
    """

    consumed: tuple[int, ...]
    turn: tuple[ChatMessage, ...] = ()
    replies: tuple[Reply, ...] = ()
    events: tuple[tuple[OutgoingKind, Mapping[str, Any]], ...] = ()
    posts: tuple[Post, ...] = ()
    states: Mapping[str, FlowState] = field(default_factory=dict)
    reset: bool = False
    """Everyone's flows end, also of those who have nothing pending; before `states` are written."""
    handoff: Handoff | None = None
    timers: tuple[Timer, ...] = ()
    stop_timers: tuple[str, ...] = ()
    usage: tuple[Usage, ...] = ()
    trace: Trace = Trace()
    cut: int | None = None
    summary: str | None = None
    locale: str | None = None
    preview: str = ""
    standings: Mapping[str, Standing] = field(default_factory=dict)
    """New or changed ones, by author."""
    user: User | None = None
    """Whom the replies are for, if not who wrote."""
    calls: tuple[WaitingCall, ...] = ()
    """New or changed ones."""
    withdrawn: tuple[str, ...] = ()
    """Ids of earlier messages that their author deleted: their words leave the history."""
    unanswered: bool = False
    """The customer's question is still open: the bot had no answer, or one that rests on nothing."""


@dataclass(frozen=True, slots=True)
class Committed:
    """What `Store.commit` answers. `more`: other messages are pending. `ready`: the turn's outbox rows whose lane holds
    nothing older, which may be sent at once; the others (`waiting`: there are some) come through `Store.due` when their lane is free.
    """

    more: bool
    ready: tuple[Outgoing, ...] = ()
    waiting: bool = False
