"""What the console's queue and conversation pages show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from supportbot.types.authority import Identity
from supportbot.types.handoffs import Handoff, HandoffStatus, LookedBack
from supportbot.types.messages import Inbound, User
from supportbot.types.turns import Conversation, Turn

ENDED: tuple[HandoffStatus, ...] = ("resolved", "returned", "cancelled", "expired")
OPEN: tuple[HandoffStatus, ...] = ("waiting", "claimed")


@dataclass(frozen=True, slots=True)
class QueueAsked:
    """Which handoffs: of these states, at a desk, with a tag ("" for any).

    `login` is an agent's id; with `whose` "mine" only what they have or were offered, with "others" only the rest.
    """

    statuses: tuple[HandoffStatus, ...] = OPEN
    desk: str = ""
    tag: str = ""
    login: str = ""
    whose: Literal["", "mine", "others"] = ""
    since: float = 0.0
    """Requested after this."""


@dataclass(frozen=True, slots=True)
class QueueRow:
    """One handoff as it stands in the queue; `last` are the customer's last words, "" if they wrote none."""

    handoff: Handoff
    channel: str
    customer: User
    locale: str
    last: str


@dataclass(frozen=True, slots=True)
class QueueCount:
    """How many are in one state at one desk, and how many of them are one agent's."""

    desk: str
    status: HandoffStatus
    count: int
    mine: int


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """How many are open."""

    every: tuple[QueueCount, ...] = ()

    @property
    def desks(self) -> frozenset[str]:
        return frozenset(one.desk for one in self.every)

    def of(self, asked: QueueAsked) -> int:
        """How many are what is asked for, whatever their tags."""
        return sum(
            {"": one.count, "mine": one.mine, "others": one.count - one.mine}[asked.whose]
            for one in self.every
            if one.status in asked.statuses and asked.desk in ("", one.desk)
        )


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message that has not reached the customer: `state` "waiting" for another try, or "failed"; with the last error."""

    turn: int
    text: str
    state: Literal["waiting", "failed"]
    error: str


@dataclass(frozen=True, slots=True)
class Talk:
    """A stretch of a conversation: whole turns with the time of each, and what is not yet taken into a turn.

    `more`: there are older turns than the first.
    """

    conversation: Conversation
    turns: tuple[Turn, ...] = ()
    times: Mapping[int, float] = field(default_factory=dict)
    deliveries: tuple[Delivery, ...] = ()
    pending: tuple[Inbound, ...] = ()
    more: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """What is known beside the words: all handoffs of the conversation, newest first, who the customer has proven to be,
    and what there was before."""

    handoffs: tuple[Handoff, ...] = ()
    identity: Identity = field(default_factory=Identity)
    back: LookedBack = field(default_factory=LookedBack)


@dataclass(frozen=True, slots=True)
class Taken:
    """What has become of an accepted message: its turn once that is over; `refused` says why an agent's act was not
    carried out, "" if it was. `known`: it was accepted at all."""

    known: bool = False
    turn: int | None = None
    refused: str = ""
