"""Reads a YAML file into plain values, and remembers where each of them stands.

The rules, chosen so that nobody who edits these files is surprised:
- One document, UTF-8, at most 1 MB, 50 levels and 50,000 values (an alias counts as all that it stands for).
- Keys are text as written and never repeat. Values without quotes are `true`, `false`, `null` (also `~` or
  nothing), plain numbers such as 8, -2 and 0.5, and otherwise text: `yes`, `no`, `on`, `off`, `12:30`, `0049`,
  `+49`, `1_000`, `1e3` and dates stay text.
- No tags, no `<<`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

import yaml
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.scanner import Scanner

from supportbot.config import yamlerrors
from supportbot.errors import ConfigError, Problem

MAX_BYTES = 1_000_000
MAX_DEPTH = 50
MAX_VALUES = 50_000

Path = tuple[str | int, ...]
Position = tuple[int, int]
Scalar = str | int | float | bool | None

_WORDS: Mapping[str, bool | None] = {
    "": None,
    "~": None,
    **dict.fromkeys(("null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_SURROGATE = re.compile("[\ud800-\udfff]")
_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,17})\Z")
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)?\.[0-9]+([eE][-+]?[0-9]+)?\Z")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands, and its key if it has one. `plain` is True for text without quotes.

    `variables` are the (name, value) pairs from the environment that went into it, `source` is the text as written
    and `filled` the text with the variables in it.
    """

    value: Position
    key: Position | None = None
    plain: bool = False
    variables: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    source: str = field(default="", repr=False)
    filled: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Document:
    """A file's values (dict, list, str, int, float, bool, None) and their places by path."""

    data: Any = field(repr=False)
    file: str
    marks: Mapping[Path, Place] = field(repr=False)

    def mark(self, path: Path, key: bool = False) -> Position:
        """(line, column), from 1, of the value at `path`, or of its key; the nearest one above if it is not there."""
        while path and path not in self.marks:
            path = path[:-1]
        place = self.marks.get(path)
        if place is None:
            return (1, 1)
        return place.key if key and place.key else place.value

    def problem(self, path: Path, message: str, *, key: bool = False) -> Problem:
        """The message, with the place of `path` before it."""
        line, column = self.mark(path, key)
        return Problem(self.file, line, column, message)


def scalar(text: str) -> Scalar:
    """The value of a text that stands in the file without quotes."""
    if text in _WORDS:
        return _WORDS[text]
    if _WHOLE.match(text):
        return int(text)
    if _DECIMAL.match(text):
        number = float(text)
        return number if math.isfinite(number) else text
    return text


def read(path: FilePath) -> Document:
    """The file's values and places. Raises ConfigError, with one problem, for whatever is wrong with it."""
    return parse(read_bytes(path), str(path))


def read_bytes(path: FilePath, *, limit: int = MAX_BYTES) -> bytes:
    """A regular file's content. Raises ConfigError if it is missing, unreadable or larger than `limit` bytes."""
    try:
        if path.exists() and not path.is_file():
            raise ConfigError([Problem(str(path), 0, 0, "this is not a file")])
        with path.open("rb") as stream:
            content = stream.read(limit + 1)
    except (OSError, ValueError) as error:
        raise ConfigError([Problem(str(path), 0, 0, _unreadable(error))]) from None
    if len(content) > limit:
        raise ConfigError([Problem(str(path), 0, 0, f"the file is larger than {limit:,} bytes")])
    return content


def _unreadable(error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return "there is no such file"
    if isinstance(error, PermissionError):
        return "the file may not be read: give this user the permission to read it"
    reason = error.strerror if isinstance(error, OSError) else None
    return f"the file cannot be read ({reason or 'its name is not a valid path'})"


def decode(content: bytes, file: str) -> str:
    """The text of a UTF-8 file, without byte order mark. Raises ConfigError with the place of the first bad byte."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8", "replace").removeprefix("\ufeff")
        line, column = yamlerrors.position(before)
        message = "the file is not UTF-8 text: save it with the encoding UTF-8"
        raise ConfigError([Problem(file, line, column, message)]) from None


def parse(content: bytes, file: str) -> Document:
    """The values and places of a YAML text; like `read`, for a file that was read already."""
    text = decode(content, file)
    events = None
    try:
        events = _Events(text)
        return _Composer(events, text, file).document()
    except (ValueError, OverflowError):  # the scanner's own, on absurd escapes and version numbers
        message = "an escape (\\U…) or a %YAML line in this file is not valid"
        raise ConfigError([Problem(file, 1, 1, message)]) from None
    except yaml.YAMLError as error:
        line, column, message = yamlerrors.explain(error, text, events.long_quote if events else None)
        raise ConfigError([Problem(file, line, column, message)]) from None


class _Events(Reader, Scanner, Parser):
    """The parser's events. Unlike PyYAML alone it takes a question mark inside `[ ]` and `{ }`, as YAML 1.2 says."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        self._in_text = False
        self.long_quote: tuple[Any, Any] | None = None

    def scan_flow_scalar(self, style: str) -> Any:
        token = Scanner.scan_flow_scalar(self, style)
        if token.end_mark.line > token.start_mark.line:
            self.long_quote = (token.start_mark, token.end_mark)
        return token

    def peek(self, index: int = 0) -> str:
        found: str = Reader.peek(self, index)
        return "x" if self._in_text and found == "?" else found

    def scan_plain(self) -> Any:
        # The scanner decides by `peek` where a text ends, and takes the text itself by `prefix`.
        self._in_text = bool(self.flow_level)
        try:
            return Scanner.scan_plain(self)
        finally:
            self._in_text = False


@dataclass(slots=True)
class _Node:
    """`size` counts this value and all in it; `children` are (path step, key's place, node)."""

    value: Any
    position: Position
    size: int = 1
    plain: bool = False
    open: bool = False
    children: list[tuple[str | int, Position | None, _Node]] = field(default_factory=list)


class _Composer:
    """One use: `document()`."""

    def __init__(self, events: _Events, text: str, file: str) -> None:
        self._events = events
        self._source = text
        self._file = file
        self._anchors: dict[str, _Node] = {}
        self._size = 0

    def document(self) -> Document:
        self._next()  # the stream's start
        if isinstance(self._peek(), yaml.StreamEndEvent):
            return Document(None, self._file, {(): Place((1, 1), plain=True)})
        self._next()  # the document's start
        root = self._node(0)
        self._next()  # the document's end
        following = self._peek()
        if not isinstance(following, yaml.StreamEndEvent):
            self._refuse(
                following.start_mark, "'---' begins a second document: a file holds one, so remove this line"
            )
        return Document(_value(root), self._file, dict(_places((), None, root)))

    def _peek(self) -> Any:
        return self._events.peek_event()  # type: ignore[no-untyped-call]  # the stubs leave it open

    def _next(self) -> Any:
        return self._events.get_event()  # type: ignore[no-untyped-call]  # the stubs leave it open

    def _refuse(self, mark: Any, message: str) -> None:
        raise ConfigError([Problem(self._file, mark.line + 1, mark.column + 1, message)])

    def _node(self, depth: int) -> _Node:
        event = self._next()
        if depth > MAX_DEPTH:
            self._refuse(event.start_mark, f"this is nested deeper than {MAX_DEPTH} levels")
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        self._check_tag(event)
        node = _Node(None, _position(event), open=True)
        if event.anchor is not None:
            self._name(event, node)
        self._count(event, 1)
        if isinstance(event, yaml.ScalarEvent):
            node.plain = event.style is None
            text = self._text(event)
            node.value = scalar(text) if node.plain else text
        elif isinstance(event, yaml.SequenceStartEvent):
            self._sequence(node, depth)
        else:
            self._mapping(node, depth)
        node.open = False
        return node

    def _count(self, event: Any, size: int) -> None:
        self._size += size
        if self._size > MAX_VALUES:
            self._refuse(
                event.start_mark, f"the file has more than {MAX_VALUES:,} values (aliases counted in full)"
            )

    def _name(self, event: Any, node: _Node) -> None:
        if event.anchor in self._anchors:
            self._refuse(event.start_mark, f"the anchor '&{event.anchor}' is used twice")
        self._anchors[event.anchor] = node

    def _alias(self, event: Any) -> _Node:
        node = self._anchors.get(event.anchor)
        if node is None:
            message = f"'*{event.anchor}' refers to nothing: a text that begins with * must stand in quotes"
            self._refuse(event.start_mark, message)
        assert node is not None
        if node.open:
            self._refuse(event.start_mark, f"'*{event.anchor}' contains itself")
        self._count(event, node.size)
        return _Node(node.value, _position(event), node.size, node.plain, children=node.children)

    def _check_tag(self, event: Any) -> None:
        if event.tag is not None:
            shown = event.tag.replace("tag:yaml.org,2002:", "!!")
            message = f"the tag '{shown}' is not known: a text that begins with ! must stand in quotes"
            self._refuse(event.start_mark, message)

    def _text(self, event: Any) -> str:
        """The scalar's text; two halves of a character written as two escapes, as JSON does, become one."""
        text: str = event.value
        if _SURROGATE.search(text):
            try:
                return text.encode("utf-16", "surrogatepass").decode("utf-16")
            except UnicodeDecodeError:
                message = "this text has half a character in it (\\ud800 to \\udfff): write the character"
                self._refuse(event.start_mark, message)
        return text

    def _sequence(self, node: _Node, depth: int) -> None:
        node.value = []
        while not isinstance(self._peek(), yaml.SequenceEndEvent):
            child = self._node(depth + 1)
            node.children.append((len(node.children), None, child))
            node.size += child.size
        self._next()

    def _mapping(self, node: _Node, depth: int) -> None:
        node.value = {}
        seen: dict[str, Position] = {}
        while not isinstance(self._peek(), yaml.MappingEndEvent):
            key, position, end = self._key()
            if key in seen:
                line, _ = seen[key]
                message = f"the key '{key}' stands here twice, first in line {line}: keep one of them"
                raise ConfigError([Problem(self._file, *position, message)])
            seen[key] = position
            self._check_colon(key, position, end)
            child = self._node(depth + 1)
            node.children.append((key, position, child))
            node.size += child.size
        self._next()

    def _check_colon(self, key: str, position: Position, end: int) -> None:
        """A key without a colon is what follows a comma in a text: `{en: Hello, there}`."""
        event = self._peek()
        between = self._source[end : event.start_mark.index + 1]
        if isinstance(event, yaml.ScalarEvent) and ":" not in between:
            message = f"'{' '.join(key.split())[:40]}' has no value: inside {{ }} a text with a comma must stand in quotes"
            raise ConfigError([Problem(self._file, *position, message)])

    def _key(self) -> tuple[str, Position, int]:
        """The key, its place, and the index in the source where it ends."""
        event = self._peek()
        if isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._refuse(*yamlerrors.bracket_key(event))
        if isinstance(event, yaml.AliasEvent):
            self._refuse(event.start_mark, f"'*{event.anchor}' cannot be a key")
        self._check_tag(event)
        if event.anchor is not None:
            self._refuse(event.start_mark, "a key cannot have an anchor (&)")
        if event.value == "<<" and event.style is None:
            self._refuse(event.start_mark, "'<<' is not supported here: write the keys out")
        self._next()
        return self._text(event), _position(event), event.end_mark.index


def _position(event: Any) -> Position:
    return (event.start_mark.line + 1, event.start_mark.column + 1)


def _value(node: _Node) -> Any:
    """Plain values; an alias becomes a copy."""
    if isinstance(node.value, list):
        return [_value(child) for _, _, child in node.children]
    if isinstance(node.value, dict):
        return {step: _value(child) for step, _, child in node.children}
    return node.value


def _places(path: Path, key: Position | None, node: _Node) -> Iterator[tuple[Path, Place]]:
    yield path, Place(node.position, key, node.plain)
    for step, position, child in node.children:
        yield from _places((*path, step), position, child)
