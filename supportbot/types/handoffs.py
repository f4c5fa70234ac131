"""Conversations that humans own, and the desks at which they stand in line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from supportbot.types.messages import Address, OutgoingKind, Reply, User

NOBODY = User("")
HandoffStatus = Literal["waiting", "claimed", "resolved", "returned", "cancelled", "expired"]
Priority = Literal["normal", "high", "urgent"]
PRIORITIES: tuple[Priority, ...] = ("normal", "high", "urgent")
HANDOFF_REASONS: Mapping[str, str] = {
    "requested": "The customer asked for a human.",
    "flow": "A flow's step hands over.",
    "model": "The model decided to hand over.",
    "model_failed": "The model failed and nothing else could answer.",
    "no_answer": "Neither a flow nor an article had an answer.",
    "tool_failed": "A tool failed in a way the bot cannot mend.",
    "unknown_outcome": "An action was started and it is not known whether it took effect.",
    "approval": "Nobody decided in time whether an action may be done.",
    "deadline": "No answer was ready in time.",
    "error": "The bot failed.",
    "human": "A human stepped in.",
    "rule": "A rule of the bot's owner calls a human.",
}


@dataclass(frozen=True, slots=True)
class Handoff:
    """A conversation owned by humans, or that was.

    `deadline` is when the customer gets one more notice if nobody has claimed it, `ceiling` when the bot resumes.
    `notes` are what the humans wrote to the customer, in order. Ended means status resolved, returned (both by a human),
    cancelled (by the customer) or expired. `agent` is the shown name of who has it, `agent_id` their id at the desk.
    `cause` explains the decision: plain facts, with the rule's name if one made it.
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
    user: User = NOBODY
    desk: str = ""
    """Where it stands, "" if the channel has humans of its own or there is no desk."""
    assignee: str = ""
    """The id of the agent whom it was offered to, while it waits."""
    priority: Priority = "normal"
    tags: tuple[str, ...] = ()
    cause: Mapping[str, Any] = field(default_factory=dict)
    agent_id: str = ""
    desks: tuple[str, ...] = ()
    """Where it has been, in order, the present desk last."""
    slots: Mapping[str, Any] = field(default_factory=dict)
    """What was gathered, before and while it waited."""
    internal: tuple[str, ...] = ()
    """Colleagues' notes; never shown to the customer or a model."""
    answered_at: float | None = None
    """When a human first wrote to the customer."""
    reopened: int = 0
    waits_since: float | None = None
    """Since when the customer waits for a word of whoever has claimed it; None while they do not."""
    late: bool = False
    """The desk has been reminded that the customer waits for an answer."""
    rating: int = 0
    """1 to 5 as the customer gave it, 0 for none."""
    suggestion: str = ""
    """What the human could begin with, "" for nothing."""

    @property
    def open(self) -> bool:
        return self.status in ("waiting", "claimed")

    @property
    def why(self) -> str:
        """The decision in one sentence or two, for people."""
        house = HANDOFF_REASONS.get(self.reason, self.reason)
        return house if self.detail in ("", house) else f"{house} {self.detail}"


@dataclass(frozen=True, slots=True)
class Post:
    """A row on its way to a desk; `reply` has the words and files of a "handoff.message"."""

    desk: str
    kind: OutgoingKind
    data: Mapping[str, Any]
    reply: Reply | None = None


@dataclass(frozen=True, slots=True)
class TakePlace:
    """Stands the conversation in line at a desk, or seats it with an agent.

    `agents` are (id, how many handoffs they may have at once, 0 for any number). "claim" seats it with the one agent
    named, "round_robin" with who was given one longest ago, "least_busy" with who has the fewest; nobody who is full.
    """

    desk: str
    since: float
    priority: int = 0
    agents: tuple[tuple[str, int], ...] = ()
    order: Literal["claim", "round_robin", "least_busy"] = "least_busy"


@dataclass(frozen=True, slots=True)
class Place:
    """How many stand before it, who got it ("" for nobody), and the (request, claim) times of the desk's last handoffs."""

    ahead: int = 0
    agent: str = ""
    waits: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Placed:
    """The handoff that stands at a place, where its customer is, and who that is."""

    handoff: str
    address: Address
    customer: User


@dataclass(frozen=True, slots=True)
class LookBack:
    """Asks for the customer's earlier conversations, and what the bot did in this one.

    They are those of the same user on the same channel, and, if `customer` is a proven identity, of that customer on
    all channels.
    """

    user: str
    customer: str = ""


@dataclass(frozen=True, slots=True)
class Earlier:
    """One earlier conversation: when it last changed, its channel, what it was about and how it ended."""

    at: float
    channel: str
    summary: str
    outcome: str


@dataclass(frozen=True, slots=True)
class LookedBack:
    """`earlier` newest first; `steps` are the traces of this conversation's last turns, oldest first."""

    earlier: tuple[Earlier, ...] = ()
    steps: tuple[Mapping[str, Any], ...] = ()
