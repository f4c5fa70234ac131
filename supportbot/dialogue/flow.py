"""Flows as they are run: frozen values, compiled once from the files.

A step's place is its path in the file: (2, "then", 0) is the first step of the third step's `then`. The keys of a
place between two numbers name a branch: ("then",), ("else",), ("otherwise",) or ("cases", "shipped").
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from supportbot.dialogue import grammar
from supportbot.dialogue.expr import compile_expr
from supportbot.dialogue.patterns import Pattern, compile_pattern
from supportbot.dialogue.slots import Choice, SlotSpec
from supportbot.dialogue.stepkinds import (
    Ask,
    ButtonSpec,
    Call,
    End,
    FileSpec,
    Generate,
    Goto,
    HandOver,
    If,
    Path,
    Say,
    Set,
    Step,
    SubFlow,
    Switch,
    branches,
    filled_by,
)
from supportbot.dialogue.values import compile_value
from supportbot.dialogue.wording import Wording
from supportbot.errors import OperatorError


class FlowError(OperatorError, ValueError):
    """Flow files that do not go together; `file` and `path` say where."""

    def __init__(self, message: str, *, file: str, path: Path) -> None:
        super().__init__(message)
        self.file = file
        self.path = path


@dataclass(frozen=True, slots=True)
class Trigger:
    """One way to start a flow; `kind` is phrases, keywords, pattern, command, button or event."""

    kind: str
    words: Wording = field(default_factory=Wording)
    pattern: Pattern | None = None


@dataclass(frozen=True, slots=True)
class Flow:
    """One flow. `places` has every step by its path in the order of the file, `names` the targets of `goto`."""

    name: str
    description: str
    triggers: tuple[Trigger, ...]
    steps: tuple[Step, ...]
    digest: str
    file: str
    offered: bool
    heading: Wording
    places: Mapping[Path, Step]
    names: Mapping[str, Path]

    @property
    def button(self) -> str:
        """The id of the first button that starts it, "" if none does."""
        return next(
            (text for trigger in self.triggers if trigger.kind == "button" for text in trigger.words.every()), ""
        )

    def title(self, locale: str) -> str:
        """What to write on a button that starts it."""
        return self.heading.pick(locale, "", 0)

    @property
    def titles(self) -> Mapping[str, str]:
        """The title in each of its languages; "" stands for all."""
        return {locale: variants[0] for locale, variants in self.heading.by_locale.items()}

    @property
    def sends(self) -> Iterator[tuple[Path, str]]:
        """(place in the file, path) of each file that it sends from the bot's folder."""
        for place, step in self.places.items():
            for index, file in enumerate(step.files if isinstance(step, Say) else ()):
                if file.path:
                    yield ("steps", *place, "say", "files", index, "path"), file.path

    @property
    def asks(self) -> Mapping[str, Ask]:
        """The first question for each slot."""
        steps = [step for step in self.places.values() if isinstance(step, Ask)]
        return {step.slot: step for step in reversed(steps)}

    @property
    def fills(self) -> frozenset[str]:
        """The slots that some step of it fills."""
        return frozenset(slot for step in self.places.values() for slot in filled_by(step))

    @property
    def captures(self) -> frozenset[str]:
        """The slots that its start patterns fill, and `payload` if an event starts it."""
        patterns = [trigger.pattern for trigger in self.triggers if trigger.pattern]
        found = frozenset(name for pattern in patterns for name in pattern.groups)
        return found | {"payload"} if any(trigger.kind == "event" for trigger in self.triggers) else found


@dataclass(frozen=True, slots=True)
class FlowBook:
    """All flows by name."""

    flows: Mapping[str, Flow] = field(default_factory=dict)

    def offered(self) -> tuple[tuple[str, str], ...]:
        """Name and description of the flows that a model may start, in the order of their names."""
        return tuple((name, flow.description) for name, flow in sorted(self.flows.items()) if flow.offered)

    def reach(self, name: str) -> tuple[Flow, ...]:
        """The flow and all that it runs, directly or not."""
        found: dict[str, Flow] = {}
        waiting = [name]
        while waiting:
            flow = self.flows.get(waiting.pop())
            if flow is not None and flow.name not in found:
                found[flow.name] = flow
                waiting += [step.flow for step in flow.places.values() if isinstance(step, SubFlow)]
        return tuple(found.values())

    def ask_for(self, name: str, slot: str) -> Ask | None:
        """The question for a slot in a flow or in what it runs."""
        return next((flow.asks[slot] for flow in self.reach(name) if slot in flow.asks), None)

    @property
    def sensitive(self) -> frozenset[str]:
        """The slots that must not be shown in logs and traces."""
        steps = (step for flow in self.flows.values() for step in flow.places.values())
        return frozenset(step.slot for step in steps if isinstance(step, Ask) and step.sensitive)


def build(files: Mapping[str, grammar.FlowFile]) -> FlowBook:
    """The book of the files (by file name); raises FlowError if two files have a flow of the same name."""
    flows: dict[str, Flow] = {}
    for file, written in files.items():
        if written.flow in flows:
            other = flows[written.flow].file
            message = f"the flow {written.flow} is also in {other}; rename one of them"
            raise FlowError(f"{file}: {message}", file=file, path=("flow",))
        flows[written.flow] = _flow(file, written)
    return FlowBook(flows)


def _flow(file: str, written: grammar.FlowFile) -> Flow:
    steps = _steps(written.steps)
    places = dict(_places(steps, ()))
    return Flow(
        name=written.flow,
        description=" ".join(written.description.split()),
        triggers=tuple(_trigger(trigger) for trigger in written.start),
        steps=steps,
        digest=_digest(written),
        file=file,
        offered=written.model,
        heading=Wording(written.title or {"": (written.flow.replace("_", " ").capitalize(),)}),
        places=places,
        names={step.name: path for path, step in reversed(places.items()) if step.name},
    )


def _digest(written: grammar.FlowFile) -> str:
    """Changes with the steps, not with what starts or describes the flow."""
    plain = json.dumps(_as_written(written.steps), sort_keys=True, default=str)
    return hashlib.sha256(plain.encode()).hexdigest()[:16]


def _as_written(part: Any) -> Any:
    """Plain data, without the keys that were left out: a new key of the grammar is no edit."""
    if isinstance(part, BaseModel):
        return {key: _as_written(getattr(part, key)) for key in part.model_fields_set}
    if isinstance(part, Mapping):
        return {str(key): _as_written(value) for key, value in part.items()}
    return [_as_written(value) for value in part] if isinstance(part, list | tuple) else part


def _places(steps: tuple[Step, ...], above: Path) -> Iterator[tuple[Path, Step]]:
    for index, step in enumerate(steps):
        path = (*above, index)
        yield path, step
        for keys, inner in branches(step):
            yield from _places(inner, (*path, *keys))


def _trigger(written: grammar.Trigger) -> Trigger:
    kind = next(iter(written.model_fields_set))
    value = getattr(written, kind)
    if kind == "pattern":
        return Trigger(kind, pattern=compile_pattern(value))
    return Trigger(kind, Wording({"": (value,)} if isinstance(value, str) else value))


# --- steps ---------------------------------------------------------------------------------------------------


def _steps(written: tuple[Any, ...]) -> tuple[Step, ...]:
    return tuple(_COMPILERS[type(step)](step) for step in written)


def _branch(written: tuple[Any, ...] | None) -> tuple[Step, ...] | None:
    return None if written is None else _steps(written)


def _wording(written: Mapping[str, tuple[str, ...]] | None) -> Wording | None:
    return None if written is None else Wording(written)


def spec_of(slot: str, written: grammar.Answer) -> SlotSpec:
    """What the slot takes."""
    return SlotSpec(
        slot=slot,
        type=written.type,
        pattern=compile_pattern(written.pattern) if written.pattern else None,
        choices=tuple(_choice(choice) for choice in written.choices or ()),
        min=_bound(written.min),
        max=_bound(written.max),
    )


def _choice(written: Any) -> Choice:
    return Choice(written.value, Wording(written.label or {"": (written.value,)}))


def _bound(written: Any) -> float | str | None:
    return written if written is None or isinstance(written, int | float) else str(written)


def _say(step: grammar.SayStep) -> Say:
    body: Any = step.say
    buttons = tuple(_button(button) for button in body.buttons)
    files = tuple(FileSpec(file.url or "", file.path or "", Wording(file.name or {})) for file in body.files)
    return Say(Wording(body.text), buttons, files, body.menu, step.name or "")


def _button(written: grammar.ButtonPart) -> ButtonSpec:
    return ButtonSpec(
        id=written.id or written.asks or "link",
        label=Wording(written.label),
        value=written.value,
        url=written.url or "",
        asks=written.asks or "",
        style=written.style or "",
    )


def _ask(step: grammar.AskStep) -> Ask:
    word = step.otherwise if isinstance(step.otherwise, str) else ""
    return Ask(
        slot=step.ask,
        question=Wording(step.question),
        spec=spec_of(step.ask, step),
        check=compile_expr(step.check) if step.check else None,
        invalid=_wording(step.invalid),
        tries=step.tries,
        otherwise=word,
        branch=() if isinstance(step.otherwise, str) else _steps(step.otherwise),
        again=step.again,
        sensitive=step.sensitive,
        menu=step.menu,
        asks=step.asks or "",
        name=step.name or "",
    )


def _set(step: grammar.SetStep) -> Set:
    return Set({slot: compile_value(value) for slot, value in step.set.items()}, step.name or "")


def _if(step: grammar.IfStep) -> If:
    return If(compile_expr(step.if_), _steps(step.then), _steps(step.else_), step.name or "")


def _switch(step: grammar.SwitchStep) -> Switch:
    cases = {case: _steps(steps) for case, steps in step.cases.items()}
    return Switch(compile_expr(step.switch), cases, _steps(step.else_), step.name or "")


def _model(step: grammar.ModelStep) -> Generate:
    body: Any = step.model
    into = {slot: spec_of(slot, answer) for slot, answer in (body.into or {}).items()}
    return Generate(body.instruction, into, _branch(body.otherwise), step.name or "")


def _call(step: grammar.CallStep) -> Call:
    arguments = {name: compile_value(value) for name, value in step.with_.items()}
    return Call(
        step.call,
        arguments,
        step.into or "",
        _branch(step.otherwise),
        _wording(step.confirm),
        _branch(step.declined),
        step.name or "",
    )


def _handoff(step: grammar.HandoffStep) -> HandOver:
    body: Any = step.handoff
    return HandOver(
        body.reason,
        _wording(body.say),
        step.name or "",
        body.tags,
        body.priority,
        body.desk or "",
        body.gather or "",
    )


_COMPILERS: Mapping[type, Callable[[Any], Step]] = {
    grammar.SayStep: _say,
    grammar.AskStep: _ask,
    grammar.SetStep: _set,
    grammar.IfStep: _if,
    grammar.SwitchStep: _switch,
    grammar.ModelStep: _model,
    grammar.CallStep: _call,
    grammar.FlowStep: lambda step: SubFlow(step.flow, step.name or ""),
    grammar.HandoffStep: _handoff,
    grammar.GotoStep: lambda step: Goto(step.goto, step.name or ""),
    grammar.EndStep: lambda step: End(step.name or ""),
}

__all__ = [
    "Ask",
    "ButtonSpec",
    "Call",
    "End",
    "FileSpec",
    "Flow",
    "FlowBook",
    "FlowError",
    "Generate",
    "Goto",
    "HandOver",
    "If",
    "Path",
    "Say",
    "Set",
    "Step",
    "SubFlow",
    "Switch",
    "Trigger",
    "branches",
    "build",
    "filled_by",
]
