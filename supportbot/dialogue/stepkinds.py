"""The kinds of steps as they are run: frozen values, each with its `name` for `goto` ("" for none)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from supportbot.dialogue.expr import Expr
from supportbot.dialogue.slots import SlotSpec
from supportbot.dialogue.values import Value
from supportbot.dialogue.wording import Wording
from supportbot.types import Priority

Path = tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class ButtonSpec:
    """`url` is a template; `asks` and `style` are as in `supportbot.Button`."""

    id: str
    label: Wording
    value: str = ""
    url: str = ""
    asks: Literal["", "phone", "location"] = ""
    style: Literal["", "primary", "danger"] = ""


@dataclass(frozen=True, slots=True)
class FileSpec:
    """`url` is a template, `path` a file in the bot's folder."""

    url: str = ""
    path: str = ""
    name: Wording = field(default_factory=Wording)


@dataclass(frozen=True, slots=True)
class Say:
    wording: Wording
    buttons: tuple[ButtonSpec, ...] = ()
    files: tuple[FileSpec, ...] = ()
    menu: bool = False
    name: str = ""


@dataclass(frozen=True, slots=True)
class Ask:
    """`otherwise` is "handoff", "cancel", "skip", or "" when `branch` has the steps."""

    slot: str
    question: Wording
    spec: SlotSpec
    check: Expr | None = None
    invalid: Wording | None = None
    tries: int = 3
    otherwise: str = "handoff"
    branch: tuple[Step, ...] = ()
    again: bool = False
    sensitive: bool = False
    menu: bool = False
    asks: Literal["", "phone", "location"] = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Set:
    values: Mapping[str, Value]
    name: str = ""


@dataclass(frozen=True, slots=True)
class If:
    condition: Expr
    then: tuple[Step, ...]
    else_: tuple[Step, ...] = ()
    name: str = ""


@dataclass(frozen=True, slots=True)
class Switch:
    on: Expr
    cases: Mapping[str, tuple[Step, ...]]
    else_: tuple[Step, ...] = ()
    name: str = ""


@dataclass(frozen=True, slots=True)
class Generate:
    """A `model` step; with `into` its answer fills slots, else it is the reply. `branch` None: no `otherwise`."""

    instruction: str
    into: Mapping[str, SlotSpec] = field(default_factory=dict)
    branch: tuple[Step, ...] | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """`confirm` asks the customer in the step's own words, if the tool wants to be confirmed; `declined` follows a no."""

    tool: str
    arguments: Mapping[str, Value]
    into: str = ""
    branch: tuple[Step, ...] | None = None
    confirm: Wording | None = None
    declined: tuple[Step, ...] | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class SubFlow:
    flow: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class HandOver:
    """`gather` is the flow that asks for more while the customer waits."""

    reason: str
    say: Wording | None = None
    name: str = ""
    tags: tuple[str, ...] = ()
    priority: Priority = "normal"
    desk: str = ""
    gather: str = ""


@dataclass(frozen=True, slots=True)
class Goto:
    target: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class End:
    name: str = ""


Step = Say | Ask | Set | If | Switch | Generate | Call | SubFlow | HandOver | Goto | End


def filled_by(step: Step) -> frozenset[str]:
    """The slots that a step fills."""
    if isinstance(step, Ask):
        return frozenset((step.slot,))
    if isinstance(step, Set):
        return frozenset(step.values)
    if isinstance(step, Generate):
        return frozenset(step.into)
    return frozenset((step.into,)) if isinstance(step, Call) and step.into else frozenset()


def branches(step: Step) -> Iterator[tuple[Path, tuple[Step, ...]]]:
    """The step's branches by their keys, in the order of the file."""
    if isinstance(step, If):
        yield ("then",), step.then
    elif isinstance(step, Switch):
        yield from ((("cases", case), steps) for case, steps in step.cases.items())
    if isinstance(step, If | Switch):
        yield ("else",), step.else_
    elif isinstance(step, Ask | Call | Generate):
        yield ("otherwise",), step.branch or ()
        if isinstance(step, Call):
            yield ("declined",), step.declined or ()
