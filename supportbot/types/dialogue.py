"""Where a customer stands in the flows, and the commands that move them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from supportbot.types.handoffs import Priority
from supportbot.types.messages import Button


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
    """The buttons shown in the last turn that said something: a press gets its id and value from here."""
    typed: int = 0
    """How many of them, from the end, a typed label or number presses too: those of the last message."""
    personal: bool = False
    """In a place that others read: something was looked up for this author, so what is said to them is for them alone."""
    missed: int = 0
    """Turns in a row in which the bot did not understand them."""
    unsourced: int = 0
    """Answers in a row that rest on no article, tool or flow."""


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
    tags: tuple[str, ...] = ()
    priority: Priority = "normal"
    desk: str = ""
    """The desk that it goes to, "" to find one."""
    gather: str = ""
    """The flow that asks for more while the customer waits."""
    cause: Mapping[str, Any] = field(default_factory=dict)
    """What explains the decision, as plain facts."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Replies in words, outside or beside a flow."""

    text: str = ""


@dataclass(frozen=True, slots=True)
class Decide:
    """Says yes or no to a call that waits for the customer; `call` is its id."""

    call: str
    yes: bool


Command = StartFlow | SetSlot | Correct | Cancel | Help | HandOff | Answer | Decide
