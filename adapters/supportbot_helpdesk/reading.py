"""Reads a mapping file, with the place of every mistake.

The rules of the house's YAML hold: keys are text and never repeat, values without quotes are true, false, null, plain
numbers, and otherwise text; no tags, anchors or merge keys.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from supportbot import ConfigError, Problem
from supportbot_helpdesk.mapping import HelpdeskMapping

MAX_BYTES = 1_000_000
MAX_DEPTH = 50
_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,17})\Z")
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)?\.[0-9]+\Z")
_WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}

At = tuple[str | int, ...]
Marks = dict[At, tuple[int, int]]


def presets() -> tuple[str, ...]:
    """The names of the mappings that are shipped."""
    folder = files("supportbot_helpdesk") / "presets"
    return tuple(
        sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))
    )


def preset(name: str) -> HelpdeskMapping:
    """A shipped mapping. Raises KeyError for an unknown name."""
    if name not in presets():
        raise KeyError(name)
    source = files("supportbot_helpdesk") / "presets" / f"{name}.yaml"
    return parse(source.read_bytes(), f"presets/{name}.yaml")


def read(path: Path) -> HelpdeskMapping:
    """The mapping in a file. Raises ConfigError with every mistake."""
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        reason = "there is no such file" if isinstance(error, FileNotFoundError) else error.strerror
        raise ConfigError([Problem(str(path), 0, 0, f"{reason}")]) from None
    return parse(content, str(path))


def parse(content: bytes, file: str) -> HelpdeskMapping:
    """The mapping in a YAML text; `file` names it in errors. Raises ConfigError."""
    if len(content) > MAX_BYTES:
        raise ConfigError([Problem(file, 0, 0, f"the file is larger than {MAX_BYTES:,} bytes")])
    try:
        root = yaml.compose(content.decode("utf-8-sig"), Loader=yaml.SafeLoader)
    except UnicodeDecodeError:
        raise ConfigError([Problem(file, 0, 0, "the file is not UTF-8 text")]) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        raise ConfigError(
            [Problem(file, line, column, f"this is no YAML: {error.problem or error.context}")]
        ) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError([Problem(file, 0, 0, f"this is no YAML: {type(error).__name__}")]) from None
    marks: Marks = {}
    data = _value(root, (), marks, file) if root is not None else None
    if not isinstance(data, dict):
        raise ConfigError(
            [Problem(file, 1, 1, "a mapping file has keys such as `helpdesk`, `events` and `requests`")]
        )
    try:
        return HelpdeskMapping.model_validate(data)
    except ValidationError as error:
        raise ConfigError(list(_problems(error, marks, file))) from None


def _value(node: yaml.Node, at: At, marks: Marks, file: str) -> Any:
    place = (node.start_mark.line + 1, node.start_mark.column + 1)
    if len(at) > MAX_DEPTH:
        raise ConfigError([Problem(file, *place, f"this is nested deeper than {MAX_DEPTH} levels")])
    if at in marks:
        raise ConfigError([Problem(file, *place, f"the key '{at[-1]}' stands here twice: keep one of them")])
    marks[at] = place
    if len(marks) > 50_000:
        raise ConfigError([Problem(file, *place, "the file has more than 50,000 values")])
    if isinstance(node, yaml.ScalarNode):
        return node.value if node.style else _scalar(node.value)
    if isinstance(node, yaml.SequenceNode):
        return [_value(child, (*at, index), marks, file) for index, child in enumerate(node.value)]
    found: dict[str, Any] = {}
    for key, child in node.value:
        if not isinstance(key, yaml.ScalarNode) or (key.value == "<<" and not key.style):
            line = key.start_mark.line + 1
            raise ConfigError([Problem(file, line, key.start_mark.column + 1, "a key here is plain text")])
        found[key.value] = _value(child, (*at, key.value), marks, file)
    return found


def _scalar(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if _WHOLE.match(text):
        return int(text)
    return float(text) if _DECIMAL.match(text) else text


def _problems(error: ValidationError, marks: Marks, file: str) -> Iterator[Problem]:
    told_at: set[tuple[int, int]] = set()
    for one in error.errors(include_url=False, include_context=True, include_input=False):
        at = tuple(one["loc"])
        told = str(one["msg"]).removeprefix("Value error, ")
        if one["type"] == "misplaced":
            at = (*at, one["ctx"]["at"])
        if one["type"] == "extra_forbidden":
            told = "is not known here"
        if one["type"] == "missing":
            told = "is missing"
        name = ".".join(str(step) for step in at)
        while at and at not in marks:
            at = at[:-1]
        line, column = marks.get(at, (1, 1))
        if (line, column) in told_at and one["type"] == "too_short":
            continue  # what follows from the mistake before
        told_at.add((line, column))
        yield Problem(file, line, column, f"{name}: {told}" if name else told)
