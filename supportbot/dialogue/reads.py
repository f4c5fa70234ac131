"""Which slots, texts and templates a step reads, and under which keys of the file."""

from __future__ import annotations

from collections.abc import Iterator

from supportbot.dialogue.expr import Expr
from supportbot.dialogue.flow import Ask, Call, Generate, HandOver, If, Path, Say, Set, Step, Switch
from supportbot.dialogue.templates import template_names
from supportbot.dialogue.values import Template, parts_of
from supportbot.dialogue.wording import Wording

Read = tuple[Path, str, bool]


def reads_of(step: Step) -> Iterator[Read]:
    """(keys, name, strict) of each name that is read; strict means it must have a value."""
    for keys, part in _expressions(step):
        yield from ((keys, name, False) for name in sorted(part.names))
    for keys, text in _templates(step):
        yield from ((keys, name, True) for name in sorted(_names(text)))
    for keys, part in _typed(step):
        yield from ((keys, name, True) for name in sorted(part.names))


def template_mistakes(step: Step) -> Iterator[tuple[Path, str]]:
    """Templates that cannot be read, with the reason."""
    for keys, text in _templates(step):
        try:
            template_names(text)
        except ValueError as error:
            yield keys, str(error)


def wordings_of(step: Step) -> Iterator[tuple[Path, Wording]]:
    """Each text that a customer sees."""
    if isinstance(step, Say):
        yield ("say",), step.wording
        for index, button in enumerate(step.buttons):
            yield ("say", "buttons", index, "label"), button.label
        for index, file in enumerate(step.files):
            yield ("say", "files", index, "name"), file.name
    elif isinstance(step, Ask):
        yield ("question",), step.question
        if step.invalid is not None:
            yield ("invalid",), step.invalid
        for index, choice in enumerate(step.spec.choices):
            yield ("choices", index), choice.label
    elif isinstance(step, HandOver) and step.say is not None:
        yield ("handoff", "say"), step.say
    elif isinstance(step, Call) and step.confirm is not None:
        yield ("confirm",), step.confirm


def _names(text: str) -> frozenset[str]:
    try:
        return template_names(text)
    except ValueError:
        return frozenset()


def _expressions(step: Step) -> Iterator[tuple[Path, Expr]]:
    if isinstance(step, If):
        yield ("if",), step.condition
    elif isinstance(step, Switch):
        yield ("switch",), step.on
    elif isinstance(step, Ask) and step.check is not None:
        yield ("check",), step.check


def _templates(step: Step) -> Iterator[tuple[Path, str]]:
    for keys, wording in wordings_of(step):
        yield from ((keys, text) for text in wording.every())
    if isinstance(step, Say):
        for index, button in enumerate(step.buttons):
            yield ("say", "buttons", index, "url"), button.url
        for index, file in enumerate(step.files):
            yield ("say", "files", index, "url"), file.url
    elif isinstance(step, Generate):
        yield ("model",), step.instruction
    elif isinstance(step, HandOver):
        yield ("handoff",), step.reason
    for keys, part in _values(step):
        if not isinstance(part, Expr):
            yield keys, part.text


def _typed(step: Step) -> Iterator[tuple[Path, Expr]]:
    yield from ((keys, part) for keys, part in _values(step) if isinstance(part, Expr))


def _values(step: Step) -> Iterator[tuple[Path, Template | Expr]]:
    if isinstance(step, Set | Call):
        key, values = ("set", step.values) if isinstance(step, Set) else ("with", step.arguments)
        for name, value in values.items():
            yield from (((key, name), part) for part in parts_of(value))
