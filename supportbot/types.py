"""The values that travel through the house: frozen, slotted, no behaviour beyond reading themselves.

Times are seconds since the epoch (UTC, float). Money is micro-dollars (int). Ids that leave the system are
random with at least 128 bits. `conversation` as a field is always the conversation's random id.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

# --- what comes in -------------------------------------------------------------------------------------------


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


# --- what goes out -------------------------------------------------------------------------------------------


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


# --- the dialogue --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Frame:
    """One flow in progress: where it stands. `digest` is the flow's version when the frame was entered.

    `at` is the path of the step to run next (indices and branch names, such as (2, "then", 0)).
    `asking` names the slot that was asked for, `tries` how often the answer did not fit.
    """

    flow: str
    digest: str
    at: tuple[int | str, ...] = (0,)
    asking: str = ""
    tries: int = 0


@dataclass(frozen=True, slots=True)
class FlowState:
    """One author's place in the flows: a stack of frames (last = innermost) and the slots gathered so far."""

    frames: tuple[Frame, ...] = ()
    slots: Mapping[str, Any] = field(default_factory=dict)
    offered: tuple[Button, ...] = ()
    """The buttons shown last: a typed label or number presses one, and a pressed id gets its value from here."""


@dataclass(frozen=True, slots=True)
class StartFlow:
    flow: str
    slots: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SetSlot:
    """Answers the question being asked."""

    name: str
    value: Any


@dataclass(frozen=True, slots=True)
class Correct:
    """Changes a slot that was filled before."""

    name: str
    value: Any


@dataclass(frozen=True, slots=True)
class Cancel:
    """Leaves the flow."""


@dataclass(frozen=True, slots=True)
class Help:
    """Asks what the bot can do."""


@dataclass(frozen=True, slots=True)
class HandOff:
    """Gives the conversation to a human. `reason` is one of HANDOFF_REASONS; `detail` is a sentence for the agent."""

    reason: str
    detail: str = ""
    told: bool = False
    """The customer has been told already (a flow said it in its own words)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Replies in words, outside or beside a flow."""

    text: str = ""


Command = StartFlow | SetSlot | Correct | Cancel | Help | HandOff | Answer

HANDOFF_REASONS: Mapping[str, str] = {
    "requested": "The customer asked for a human.",
    "flow": "A flow's step hands over.",
    "model": "The model decided to hand over.",
    "model_failed": "The model failed and nothing else could answer.",
    "no_answer": "Neither a flow nor an article had an answer.",
    "tool_failed": "A tool failed in a way the bot cannot mend.",
    "unknown_outcome": "An action was started and it is not known whether it took effect.",
    "deadline": "No answer was ready in time.",
    "error": "The bot failed.",
    "human": "A human stepped in.",
}


# --- history -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call asked for by the model; `arguments` is the JSON text exactly as it came."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One chat message as the model sees it and as it is stored; `tokens` is counted once, when it is made.

    `name` is the author's shown name (a customer in a shared place, a human agent), "" for the bot itself.
    """

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    tokens: int = 0
    name: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""


@dataclass(frozen=True, slots=True)
class Turn:
    """One whole turn of the past: from what the customer said to what was answered. History is cut between turns."""

    sequence: int
    messages: tuple[ChatMessage, ...]

    @property
    def tokens(self) -> int:
        return sum(message.tokens for message in self.messages)


HandoffStatus = Literal["waiting", "claimed", "resolved", "returned", "expired"]


@dataclass(frozen=True, slots=True)
class Handoff:
    """A conversation owned by humans, or that was.

    `deadline` is when the customer gets one more notice if nobody has claimed it, `ceiling` when the bot resumes.
    `notes` are what the humans wrote, in order. Ended means status resolved, returned or expired.
    """

    id: str
    conversation: str
    reason: str
    detail: str
    summary: str
    requested_at: float
    deadline: float
    ceiling: float
    status: HandoffStatus = "waiting"
    agent: str = ""
    claimed_at: float | None = None
    ended_at: float | None = None
    noticed: bool = False
    notes: tuple[str, ...] = ()
    user: User = User("")

    @property
    def open(self) -> bool:
        return self.status in ("waiting", "claimed")


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


# --- one turn ------------------------------------------------------------------------------------------------


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
    kind: Literal["model", "tool", "search", "start", "preview"]
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
    `events` are (kind, data) for channels and the notify endpoint. `timers` are set, `stop_timers` removed by name.
    """

    consumed: tuple[int, ...]
    turn: tuple[ChatMessage, ...] = ()
    replies: tuple[Reply, ...] = ()
    events: tuple[tuple[OutgoingKind, Mapping[str, Any]], ...] = ()
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


@dataclass(frozen=True, slots=True)
class Committed:
    """What `Store.commit` answers. `more`: other messages are pending. `ready`: the turn's outbox rows whose lane holds
    nothing older, which may be sent at once; the others come through `Store.due` when their lane is free.
    """

    more: bool
    ready: tuple[Outgoing, ...] = ()


# --- effects and results -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage of an article that fits a question; `source` is what to quote, `score` in 0..1, higher is better."""

    source: str
    title: str
    text: str
    score: float


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """What the model is told of a tool: JSON Schema in `parameters`."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ModelParameters:
    """Sampling as the persona or step wants it; None leaves it to the provider."""

    temperature: float | None = None
    max_tokens: int | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One question to a model. `schema` (JSON Schema) asks for a structured answer in `ModelAnswer.text`.

    `hits` and `question` are for the offline model, which reads nothing else. `locale` is the customer's.
    """

    messages: tuple[ChatMessage, ...]
    purpose: Literal["reply", "understand", "slots", "summary"] = "reply"
    tools: tuple[ToolSpec, ...] = ()
    parameters: ModelParameters = ModelParameters()
    schema: Mapping[str, Any] | None = None
    hits: tuple[Hit, ...] = ()
    question: str = ""
    locale: str = "en"


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """A usable answer: text, tool calls or both; `model` is the one that gave it (a fallback's name, or "offline")."""

    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    model: str = ""
    usage: tuple[Usage, ...] = ()
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelFailed:
    """Every model and retry failed; `name` is the last error's, `message` one sentence."""

    name: str
    message: str
    usage: tuple[Usage, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool gave: `content` as the model reads it, `value` for flows; `error` names a failure ("" = it worked).

    Errors: unknown_tool, bad_json, bad_arguments, failed, timeout, unknown_outcome.
    """

    content: str
    value: Any = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class SearchResult:
    hits: tuple[Hit, ...]


@dataclass(frozen=True, slots=True)
class AskModel:
    """`rung` "model" is the configured model with its fallbacks, "offline" the extract. `stream`: nothing can veto it."""

    request: ModelRequest
    rung: Literal["model", "offline"] = "model"
    stream: bool = False


@dataclass(frozen=True, slots=True)
class CallTool:
    """`arguments` is JSON text from the model, or a mapping from a flow. `user` is the author it is bound to."""

    name: str
    arguments: str | Mapping[str, Any]
    user: User
    call_id: str = ""


@dataclass(frozen=True, slots=True)
class Search:
    query: str
    limit: int = 4


Effect = AskModel | CallTool | Search
Result = ModelAnswer | ModelFailed | ToolResult | SearchResult
