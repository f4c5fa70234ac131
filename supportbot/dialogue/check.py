"""What can be said about flows without running them: mistakes (errors) and what looks like one (warnings).

Each rule is a function from what it needs to findings; `check` runs them all.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from supportbot.dialogue.flow import (
    Ask,
    Call,
    End,
    Flow,
    FlowBook,
    Goto,
    HandOver,
    Path,
    Say,
    Step,
    SubFlow,
    filled_by,
)
from supportbot.dialogue.loops import calls_without_end, endless_gotos, skipped_questions
from supportbot.dialogue.reads import reads_of, template_mistakes, wordings_of
from supportbot.dialogue.slots import button_ids
from supportbot.dialogue.wording import base, words
from supportbot.types import ToolSpec

KNOWN = frozenset({"user", "bot", "persona", "channel", "locale", "today", "error", "identity"})
BUILT_IN_BUTTONS = frozenset({"cancel", "help", "human"})
BUILT_IN_COMMANDS = frozenset({"/cancel", "/help", "/human", "/bot"})
_IDLE = "nothing starts this flow"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to mend; `path` is the place in the file, such as ("steps", 2, "then", 0, "goto")."""

    file: str
    path: Path
    level: Literal["error", "warning"]
    message: str


def check(
    book: FlowBook,
    tools: Mapping[str, ToolSpec] | None = None,
    *,
    languages: Sequence[str] = (),
    started: Collection[str] = (),
) -> tuple[Finding, ...]:
    """All findings, by file. Tools are checked if they are handed in, and texts for missing `languages` too; `started`
    are flows that something outside of the flows starts."""
    found: list[Finding] = []
    for flow in book.flows.values():
        for rule in _RULES:
            found += [one for one in rule(flow, book) if one.message != _IDLE or flow.name not in started]
        found += _tools(flow, tools) if tools is not None else ()
        found += _languages(flow, languages)
    found += _duplicates(book)
    return tuple(
        dict.fromkeys(sorted(found, key=lambda one: (one.file, one.level, [str(part) for part in one.path])))
    )


def _error(flow: Flow, path: Path, message: str) -> Finding:
    return Finding(flow.file, path, "error", message)


def _warning(flow: Flow, path: Path, message: str) -> Finding:
    return replace(_error(flow, path, message), level="warning")


def at(place: Path, *keys: int | str) -> Path:
    """A step's place as a path in the file."""
    return ("steps", *place, *keys)


# --- where steps lead ----------------------------------------------------------------------------------------


def _targets(flow: Flow, book: FlowBook) -> Iterator[Finding]:
    for place, step in flow.places.items():
        if isinstance(step, Goto) and step.target not in flow.names:
            yield _error(flow, at(place, "goto"), f"no step of this flow has `name: {step.target}`")
        if isinstance(step, SubFlow) and step.flow not in book.flows:
            yield _error(flow, at(place, "flow"), f"there is no flow {step.flow}")
        if isinstance(step, HandOver) and step.gather and step.gather not in book.flows:
            yield _error(flow, at(place, "handoff", "gather"), f"there is no flow {step.gather}")
        if step.name and flow.names[step.name] != place:
            yield _error(flow, at(place, "name"), f"two steps have the name {step.name}")


def _unreachable(flow: Flow, _book: FlowBook) -> Iterator[Finding]:
    """Steps behind one that never goes on, unless something jumps to them."""
    wanted = {step.target for step in flow.places.values() if isinstance(step, Goto)}
    for place, step in flow.places.items():
        before = flow.places.get((*place[:-1], int(place[-1]) - 1))
        if isinstance(before, End | Goto | HandOver) and step.name not in wanted:
            word = {End: "end", Goto: "goto", HandOver: "handoff"}[type(before)]
            yield _warning(flow, at(place), f"this step is never reached: `{word}` stands before it")


def _circles(flow: Flow, book: FlowBook) -> Iterator[Finding]:
    for place in endless_gotos(flow):
        yield _error(
            flow, at(place, "goto"), "this goes round in circles: nothing on the way asks, decides or ends"
        )
    for place, ask in skipped_questions(flow):
        message = f"the second time round {ask.slot} is filled and is not asked; write `again: true` here"
        yield _warning(flow, at(place, "ask"), message)
    for place in calls_without_end(flow, book):
        yield _error(flow, at(place, "flow"), "this flow comes back to itself through sub-flows without a way out")


# --- what steps read -----------------------------------------------------------------------------------------


def _slots(flow: Flow, book: FlowBook) -> Iterator[Finding]:
    everywhere = {slot for other in book.flows.values() for slot in (*other.fills, *other.captures)}
    own = {slot for other in book.reach(flow.name) for slot in (*other.fills, *other.captures)}
    caller = {slot for other in _callers(flow, book) for slot in (*other.fills, *other.captures)}
    earlier = set(flow.captures | caller)
    jumps = any(isinstance(step, Goto) for step in flow.places.values())
    for place, step in flow.places.items():
        for keys, name, strict in reads_of(step):
            if name in KNOWN or name in earlier or (name == "value" and isinstance(step, Ask)):
                continue
            if name not in everywhere:
                level = _error if strict else _warning
                yield level(flow, at(place, *keys), f"nothing fills the slot {name}")
            elif strict and name not in own:
                yield _warning(flow, at(place, *keys), f"only other flows fill the slot {name}")
            elif strict and not jumps and not (isinstance(step, Ask) and name == step.slot and "invalid" in keys):
                yield _warning(flow, at(place, *keys), f"the slot {name} is filled only further down")
        earlier |= filled_by(step)
        if isinstance(step, SubFlow):
            earlier |= {slot for other in book.reach(step.flow) for slot in other.fills}


def _callers(flow: Flow, book: FlowBook) -> tuple[Flow, ...]:
    """Flows that run this one, directly or not."""
    return tuple(other for other in book.flows.values() if other != flow and flow in book.reach(other.name))


def _templates(flow: Flow, _book: FlowBook) -> Iterator[Finding]:
    for place, step in flow.places.items():
        for keys, message in template_mistakes(step):
            yield _error(flow, at(place, *keys), message)


def _buttons(flow: Flow, book: FlowBook) -> Iterator[Finding]:
    steps = [step for other in book.flows.values() for step in other.places.values()]
    known = {text for other in book.flows.values() for kind in ("button",) for text in _trigger_texts(other, kind)}
    known |= {id for step in steps if isinstance(step, Ask) for id in button_ids(step.spec)} | BUILT_IN_BUTTONS
    for place, step in flow.places.items():
        for index, button in enumerate(step.buttons if isinstance(step, Say) else ()):
            if button.id not in known and not button.url and not button.asks:
                path = at(place, "say", "buttons", index, "id")
                yield _warning(
                    flow, path, f"the button {button.id} triggers nothing; no flow has `button: {button.id}`"
                )


def _about(flow: Flow, book: FlowBook) -> Iterator[Finding]:
    if flow.offered and not flow.description:
        yield _warning(flow, ("flow",), "without a `description` the model cannot know when to start this flow")
    steps = [step for other in book.flows.values() for step in other.places.values()]
    called = {step.flow for step in steps if isinstance(step, SubFlow)}
    called |= {step.gather for step in steps if isinstance(step, HandOver)}
    if not flow.offered and not flow.triggers and flow.name not in called:
        yield _warning(flow, ("flow",), _IDLE)
    for index, trigger in enumerate(flow.triggers):
        for text in trigger.words.every() if trigger.kind == "command" else ():
            if text in BUILT_IN_COMMANDS:
                yield _error(
                    flow, ("start", index, "command"), f"the bot uses {text} itself; choose another command"
                )


# --- tools, languages, triggers ------------------------------------------------------------------------------


def _tools(flow: Flow, tools: Mapping[str, ToolSpec]) -> Iterator[Finding]:
    for place, step in flow.places.items():
        if not isinstance(step, Call):
            continue
        if step.tool not in tools:
            yield _error(flow, at(place, "call"), f"there is no tool {step.tool}")
            continue
        schema = tools[step.tool].parameters
        properties = schema.get("properties", {})
        for name in schema.get("required", ()):
            if name not in step.arguments:
                yield _error(flow, at(place, "call"), f"the tool {step.tool} needs `{name}` in `with`")
        open_ended = schema.get("additionalProperties") not in (None, False)
        for name in step.arguments:
            if name not in properties and not open_ended:
                yield _error(flow, at(place, "with", name), f"the tool {step.tool} takes no `{name}`")


def _languages(flow: Flow, languages: Sequence[str]) -> Iterator[Finding]:
    for place, step in flow.places.items():
        for keys, wording in wordings_of(step):
            missing = _missing(wording.locales, languages) if wording.locales else ()
            if missing:
                yield _warning(flow, at(place, *keys), f"there is no text for {', '.join(missing)}")


def _missing(locales: Collection[str], languages: Sequence[str]) -> tuple[str, ...]:
    if "" in locales:
        return ()
    there = {base(locale) for locale in locales}
    return tuple(language for language in languages if base(language) not in there)


def _duplicates(book: FlowBook) -> Iterator[Finding]:
    seen: dict[tuple[str, object], str] = {}
    for flow in book.flows.values():
        for index, trigger in enumerate(flow.triggers):
            texts = (trigger.pattern.text,) if trigger.pattern else trigger.words.every()
            for text in texts if trigger.kind != "event" else ():
                spoken = trigger.kind in ("phrases", "keywords")
                other = seen.setdefault((trigger.kind, words(text) if spoken else text), flow.name)
                if other != flow.name:
                    yield _warning(flow, ("start", index, trigger.kind), f"{text!r} also starts the flow {other}")


def _trigger_texts(flow: Flow, kind: str) -> Iterator[str]:
    for trigger in flow.triggers:
        if trigger.kind == kind:
            yield from trigger.words.every()


_RULES: tuple[Callable[[Flow, FlowBook], Iterator[Finding]], ...] = (
    _targets,
    _unreachable,
    _circles,
    _slots,
    _templates,
    _buttons,
    _about,
)

__all__ = ["Finding", "Step", "check"]
