"""What the bot's owner has settled about handoffs, compiled once per config."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from supportbot.hours import Hours
from supportbot.triggers import Rule

CONTACT = "contact"
RETURN = "return"
WAIT = "wait"


@dataclass(frozen=True, slots=True)
class AgentTerms:
    """One agent of a desk. `capacity` is how many handoffs they may have at once, 0 for any number."""

    id: str
    name: str = ""
    languages: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    capacity: int = 0


@dataclass(frozen=True, slots=True)
class DeskTerms:
    """One desk. `tags`, `languages` and `channels` say which handoffs it takes; empty means all.

    `deadline` in seconds of open time. `otherwise` is what happens when nobody has claimed one by then: "wait",
    "contact" (the customer is asked for one), "return" (the bot goes on), or another desk's name. `order` is by what
    an agent is chosen, "" if agents choose. `told` is what the customer is told, by locale, in the place of the house's
    words.
    """

    name: str
    tags: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    hours: Hours | None = None
    deadline: float = 900.0
    otherwise: str = WAIT
    order: Literal["", "round_robin", "least_busy"] = ""
    agents: tuple[AgentTerms, ...] = ()
    told: Mapping[str, str] = field(default_factory=dict)

    def agent(self, id: str) -> AgentTerms | None:
        return next((agent for agent in self.agents if agent.id == id), None)


@dataclass(frozen=True, slots=True)
class HandoffTerms:
    """Times in seconds. `answer` is how long a customer waits for a word once an agent has claimed, 0 for ever; `reopen`
    how long after a resolve the customer's words open it again, 0 for never. `contact` is the flow that takes a contact.
    `own` are the channels on which humans work themselves.
    """

    deadline: float = 900.0
    ceiling: float = 86_400.0
    answer: float = 3_600.0
    reopen: float = 0.0
    rating: bool = False
    contact: str = ""
    brief: Literal["off", "extract", "model"] = "extract"
    hours: Hours | None = None
    rules: tuple[Rule, ...] = ()
    desks: tuple[DeskTerms, ...] = ()
    own: frozenset[str] = frozenset()

    def desk(self, name: str) -> DeskTerms | None:
        return next((desk for desk in self.desks if desk.name == name), None)
