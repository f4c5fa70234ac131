"""Turns a document into a pydantic model, and each of pydantic's complaints into a place and a plain sentence.

Pydantic names a place by steps, and some of these stand in no file: the alternative of a union that was tried.
The steps are followed through the document's values; what cannot be followed is such an alternative. Where every
alternative of a union failed, the one that came nearest speaks for all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from supportbot.config import schema, sentences
from supportbot.config.yamlfile import Document, Path
from supportbot.errors import ConfigError, Problem

M = TypeVar("M", bound=BaseModel)
_TRIES = 300  # readings of one place that are compared; a limit for files nested on purpose
_MOST = 100  # problems reported from one file


def validate(model: type[M], document: Document) -> M:
    """The document as a `model`. Raises ConfigError with one problem per mistake, in the order of the file."""
    if document.data is None:
        raise ConfigError([Problem(document.file, 1, 1, "the file is empty")])
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        first = _errors(error, document.data)
    data = _digits_as_text(document, first)
    if data is None:
        raise ConfigError(_problems(model, document, first))
    try:
        return model.model_validate(data)
    except ValidationError as error:
        again = Document(data, document.file, document.marks)
        raise ConfigError(_problems(model, again, _errors(error, data))) from None


@dataclass(frozen=True, slots=True)
class _Error:
    """One complaint: `steps` are (step, whether it is one of the file's), `path` only the file's.

    `siblings` counts the keys of the mapping in which an unknown key stands.
    """

    raw: Mapping[str, Any]
    steps: tuple[tuple[str | int, bool], ...]
    siblings: int = 0

    @property
    def path(self) -> Path:
        return tuple(step for step, real in self.steps if real)

    @property
    def kind(self) -> str:
        return str(self.raw["type"])


@dataclass(slots=True)
class _Branch:
    """The complaints below one step, in order."""

    own: list[_Error] = field(default_factory=list)
    below: dict[tuple[str | int, bool], _Branch] = field(default_factory=dict)


def _errors(error: ValidationError, data: Any) -> list[_Error]:
    return [_follow(raw, data) for raw in error.errors(include_url=False)]


def _follow(raw: Mapping[str, Any], data: Any) -> _Error:
    """The complaint with its steps told apart; the first reading that ends at the value complained of wins."""
    loc = tuple(raw["loc"])
    if raw["type"] == "missing" or loc[-1:] == ("[key]",):
        loc = loc[:-1]
    best = None
    for count, (steps, value) in enumerate(_readings(loc, data)):
        best = best or steps
        if value is raw["input"] or (raw["type"] != "missing" and value == raw["input"]):
            return _Error(raw, steps, _siblings(raw, steps, data))
        if count >= _TRIES:
            break
    steps = best or ()
    return _Error(raw, steps[:-1] if steps and not steps[-1][1] and _about_key(raw) else steps)


def _siblings(raw: Mapping[str, Any], steps: tuple[tuple[str | int, bool], ...], data: Any) -> int:
    if raw["type"] != "extra_forbidden":
        return 0
    for step, real in steps[:-1]:
        data = data[step] if real else data
    return len(data)


def _about_key(raw: Mapping[str, Any]) -> bool:
    """Whether a model's own message speaks of the key that its place ends with, and not of a value."""
    return bool(raw["loc"]) and sentences.is_own(raw) and f"the key `{raw['loc'][-1]}` " in str(raw["msg"])


def _readings(loc: tuple[Any, ...], value: Any) -> Iterator[tuple[tuple[tuple[str | int, bool], ...], Any]]:
    if not loc:
        yield (), value
        return
    step, rest = loc[0], loc[1:]
    inside = isinstance(value, list) and isinstance(step, int) and 0 <= step < len(value)
    if inside or (isinstance(value, dict) and step in value):
        for steps, end in _readings(rest, value[step]):
            yield ((step, True), *steps), end
    if not inside:
        for steps, end in _readings(rest, value):
            yield ((step, False), *steps), end


def _digits_as_text(document: Document, errors: Sequence[_Error]) -> Any:
    """The data with variables that turned into numbers made text again where text is wanted; None if there are none."""
    paths = {error.path for error in errors if error.kind == "string_type"}
    paths = {path for path in paths if path in document.marks and document.marks[path].variables}
    return _replaced(document, document.data, (), paths) if paths else None


def _replaced(document: Document, value: Any, path: Path, paths: set[Path]) -> Any:
    if path in paths and not isinstance(value, dict | list):
        return document.marks[path].filled
    if isinstance(value, dict):
        return {key: _replaced(document, item, (*path, key), paths) for key, item in value.items()}
    if isinstance(value, list):
        return [_replaced(document, item, (*path, index), paths) for index, item in enumerate(value)]
    return value


def _problems(model: type[BaseModel], document: Document, errors: Sequence[_Error]) -> list[Problem]:
    root = _Branch()
    paths = {error.path[:size] for error in errors for size in range(len(error.path))}
    for error in errors:
        if error.kind == "too_short" and error.path in paths:
            continue  # it only counts the entries that are right, and what is wrong with the others is told
        branch = root
        for step in error.steps:
            branch = branch.below.setdefault(step, _Branch())
        branch.own.append(error)
    teller = _Teller(model, document)
    found = [teller.problem(error) for error in _told(root)]
    problems = dict.fromkeys(problem for problem in found if problem is not None)
    return sorted(problems, key=lambda problem: (problem.line, problem.column))[:_MOST]


def _told(branch: _Branch) -> list[_Error]:
    """The complaints worth telling: of a union's alternatives only the nearest."""
    told = list(branch.own)
    alternatives = []
    for (_, real), below in branch.below.items():
        if real:
            told.extend(_told(below))
        else:
            alternatives.append(_told(below))
    return told + _nearest(alternatives)


def _nearest(alternatives: list[list[_Error]]) -> list[_Error]:
    if len(alternatives) < 2:
        return [error for errors in alternatives for error in errors]
    level = min(len(error.path) for errors in alternatives for error in errors)
    near = [errors for errors in alternatives if not all(_is_other_kind(error, level) for error in errors)]
    if near:
        return min(near, key=_distance)
    everything = [error for errors in alternatives for error in errors]
    return [_merged(everything)]


def _is_other_kind(error: _Error, level: int) -> bool:
    simple = error.kind in sentences.KINDS or error.kind in ("literal_error", "enum", "either")
    return simple and len(error.path) == level


def _distance(errors: Sequence[_Error]) -> tuple[bool, int, bool, int]:
    """How far an alternative is from what was written: it knows no key of it, fails early, has other keys at all."""
    unknown = [error for error in errors if error.kind == "extra_forbidden"]
    strange = bool(unknown) and len(unknown) >= unknown[0].siblings
    depth = max(len(error.path) + (error.kind == "missing") for error in errors)
    return strange, -depth, not unknown, len(errors)


def _merged(errors: Sequence[_Error]) -> _Error:
    """One complaint that names every kind that would be right."""
    first = errors[0]
    if len(errors) == 1:
        return first
    kinds: list[str] = []
    for error in errors:
        kinds.extend(error.raw.get("kinds") or [_expected(error)])
    return _Error({**first.raw, "type": "either", "kinds": kinds}, first.steps)


def _expected(error: _Error) -> str:
    return sentences.KINDS.get(error.kind) or str(error.raw["ctx"]["expected"])


class _Teller:
    """Writes the problems of one document."""

    def __init__(self, model: type[BaseModel], document: Document) -> None:
        self._model = model
        self._document = document

    def problem(self, error: _Error) -> Problem | None:
        if error.kind == "extra_forbidden":
            return self._unknown(error.path)
        if error.kind == "missing":
            return self._lacking(error)
        path = error.path
        at = (error.raw.get("ctx") or {}).get("at")
        if at is not None and (*path, at) in self._document.marks:
            path = (*path, at)
        key = error.raw["loc"][-1:] == ("[key]",) or _about_key(error.raw)
        return self._document.problem(path, self._sentence(error, path), key=key)

    def _sentence(self, error: _Error, path: Path) -> str:
        place = self._document.marks.get(path)
        source = place.source if place and place.variables else ""
        if error.kind == "either":
            return sentences.either(error.raw["kinds"], path, error.raw["input"], source)
        if sentences.is_own(error.raw):
            return self._without_environment(sentences.own(error.raw, path), path)
        return sentences.sentence(error.raw, path, source)

    def _without_environment(self, message: str, path: Path) -> str:
        """The message with `${NAME}` for what came from the environment, however it was written into it."""
        for where, place in self._document.marks.items():
            related = where[: len(path)] == path or path[: len(where)] == where
            for name, value in place.variables:
                for form in sorted(
                    {value, value.strip(), value.lower(), repr(value)[1:-1]}, key=len, reverse=True
                ):
                    if form and (related or len(form) > 3):
                        message = message.replace(form, f"${{{name}}}")
        return message

    def _known(self, path: Path) -> tuple[str, ...]:
        return schema.known_keys(self._model, self._document.data, path)

    def _unknown(self, path: Path) -> Problem:
        key = str(path[-1])
        section = schema.section_of(self._model, key, top=len(path) == 1)
        message = sentences.unknown_key(key, self._known(path[:-1]), section)
        return self._document.problem(path, message, key=True)

    def _lacking(self, error: _Error) -> Problem | None:
        """None if a key that looks like a misspelling of the missing one stands in its place."""
        wanted, path = str(error.raw["loc"][-1]), error.path
        present = error.raw["input"] if isinstance(error.raw["input"], dict) else {}
        known = self._known(path)
        if any(key not in known and sentences.meant(str(key), known) == wanted for key in present):
            return None
        owner = f" in {sentences.name(path)}" if path else ""
        return self._document.problem(path, f"the key '{wanted}' is missing{owner}", key=True)
