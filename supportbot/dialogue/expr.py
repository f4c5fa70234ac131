"""Expressions in flows: a small language of its own, read and computed without Python's `eval`.

Rules:

1. Nothing is called but the functions in `FUNCTIONS`, and nothing is looked into but mappings and lists.
2. Text, depth, numbers and results are bounded, so no expression can take long or grow large.
3. An unknown name is null, unless `strict`: then it is an error, as in a template.
4. Ordering two things that cannot be ordered (null and a number) is false; computing with them is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from supportbot.dialogue.compute import COMPARE, FUNCTIONS, MAX_NUMBER, ExprError, Node, names_in, value_of

MAX_LENGTH = 500
MAX_DEPTH = 30

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?)"
    r"|(?P<string>\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<sign>==|!=|<=|>=|[-+*/%<>().,\[\]]))"
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_KEYWORDS = frozenset({"and", "or", "not", "in", "is"})
_LITERALS: Mapping[str, Any] = {
    "true": True,
    "false": False,
    "null": None,
    "True": True,
    "False": False,
    "None": None,
}
_HINTS = {
    "{": "write the expression without braces",
    "=": "use == to compare",
    "&": "use `and`",
    "|": "use `or`; filters work only in templates",
    "!": "use `not`, or != to compare",
    '"': "the quotation mark is not closed",
    "'": "the quotation mark is not closed",
}


@dataclass(frozen=True, slots=True)
class Expr:
    """A readable expression; equal texts make equal expressions."""

    text: str
    root: Node

    @property
    def names(self) -> frozenset[str]:
        """The names it reads; `slots.total` counts as `total`."""
        return frozenset(names_in(self.root))

    def evaluate(self, names: Mapping[str, Any], *, strict: bool = False) -> Any:
        """The value; raises ExprError when it cannot be computed."""
        return value_of(self.root, names, strict)


def compile_expr(text: str) -> Expr:
    """The expression; raises ExprError with the column of the first mistake."""
    if len(text) > MAX_LENGTH:
        raise ExprError(f"it is longer than {MAX_LENGTH} characters", MAX_LENGTH + 1)
    reader = _Reader(tuple(_tokens(text)))
    root = _either(reader, 0)
    if reader.word != "":
        raise ExprError(f"`{reader.word}` is not expected here", reader.column)
    return Expr(text.strip(), root)


# --- reading -------------------------------------------------------------------------------------------------

_Token = tuple[str, str, int]


def _tokens(text: str) -> Iterator[_Token]:
    place = 0
    end = len(text.rstrip())
    while place < end:
        match = _TOKEN.match(text, place)
        if match is None:
            bad = text[place:].lstrip()
            column = len(text) - len(bad) + 1
            raise ExprError(_HINTS.get(bad[0], f"`{bad[0]}` is not understood"), column)
        kind = str(match.lastgroup)
        yield kind, match.group(kind), match.start(kind) + 1
        place = match.end()
    yield "end", "", end + 1


class _Reader:
    """Goes through the tokens from left to right."""

    def __init__(self, tokens: tuple[_Token, ...]) -> None:
        self.tokens = tokens
        self.place = 0

    @property
    def kind(self) -> str:
        return self.tokens[self.place][0]

    @property
    def word(self) -> str:
        """The token's text, "" at the end."""
        return self.tokens[self.place][1]

    @property
    def column(self) -> int:
        return self.tokens[self.place][2]

    def take(self) -> str:
        word = self.word
        if self.kind != "end":
            self.place += 1
        return word

    def is_sign(self, *words: str) -> bool:
        return self.kind in ("sign", "name") and self.word in words

    def expect(self, word: str) -> None:
        if not self.is_sign(word):
            found = f"`{self.word}`" if self.word else "the end"
            raise ExprError(f"`{word}` is missing before {found}", self.column)
        self.take()


def _either(reader: _Reader, depth: int) -> Node:
    if depth > MAX_DEPTH:
        raise ExprError("it is nested too deeply", reader.column)
    left = _both(reader, depth)
    while reader.is_sign("or"):
        column = reader.column
        reader.take()
        left = Node("or", column, None, (left, _both(reader, depth)))
    return left


def _both(reader: _Reader, depth: int) -> Node:
    left = _negation(reader, depth)
    while reader.is_sign("and"):
        column = reader.column
        reader.take()
        left = Node("and", column, None, (left, _negation(reader, depth)))
    return left


def _negation(reader: _Reader, depth: int) -> Node:
    if not reader.is_sign("not"):
        return _comparison(reader, depth)
    if depth > MAX_DEPTH:
        raise ExprError("it is nested too deeply", reader.column)
    column = reader.column
    reader.take()
    return Node("not", column, None, (_negation(reader, depth + 1),))


def _comparison(reader: _Reader, depth: int) -> Node:
    left = _sum(reader, depth)
    word, column = _comparing(reader)
    if not word:
        return left
    result = Node("compare", column, word, (left, _sum(reader, depth)))
    again, column = _comparing(reader)
    if again:
        raise ExprError("join two comparisons with `and`", column)
    return result


def _comparing(reader: _Reader) -> tuple[str, int]:
    column = reader.column
    if reader.is_sign("is"):
        raise ExprError("use == or !=, such as `name != null`", column)
    if reader.is_sign("not"):
        reader.take()
        reader.expect("in")
        return "not in", column
    if reader.is_sign(*COMPARE):
        return reader.take(), column
    return "", column


def _sum(reader: _Reader, depth: int) -> Node:
    left = _product(reader, depth)
    while reader.is_sign("+", "-"):
        column = reader.column
        left = Node("compute", column, reader.take(), (left, _product(reader, depth)))
    return left


def _product(reader: _Reader, depth: int) -> Node:
    left = _minus(reader, depth)
    while reader.is_sign("*", "/", "%"):
        column = reader.column
        left = Node("compute", column, reader.take(), (left, _minus(reader, depth)))
    return left


def _minus(reader: _Reader, depth: int) -> Node:
    if not reader.is_sign("-"):
        return _looked_into(reader, depth)
    if depth > MAX_DEPTH:
        raise ExprError("it is nested too deeply", reader.column)
    column = reader.column
    reader.take()
    return Node("compute", column, "-", (Node("literal", column, 0), _minus(reader, depth + 1)))


def _looked_into(reader: _Reader, depth: int) -> Node:
    node = _atom(reader, depth)
    while reader.is_sign(".", "["):
        column = reader.column
        if reader.take() == "[":
            key = _either(reader, depth + 1)
            reader.expect("]")
        else:
            key = Node("literal", reader.column, _plain_name(reader))
        node = Node("item", column, None, (node, key))
    return node


def _atom(reader: _Reader, depth: int) -> Node:
    column = reader.column
    if reader.kind == "number":
        return Node("literal", column, _number(reader.take(), column))
    if reader.kind == "string":
        return Node("literal", column, _ESCAPE.sub(_unescape, reader.take()[1:-1]))
    if reader.is_sign("("):
        reader.take()
        node = _either(reader, depth + 1)
        reader.expect(")")
        return node
    if reader.is_sign("["):
        return Node("list", column, None, _list(reader, "]", depth))
    if reader.kind == "name" and reader.word not in _KEYWORDS:
        return _named(reader, depth)
    raise ExprError("a value is missing" + (f" before `{reader.word}`" if reader.word else " at the end"), column)


def _named(reader: _Reader, depth: int) -> Node:
    column = reader.column
    if reader.word in _LITERALS:
        return Node("literal", column, _LITERALS[reader.take()])
    name = _plain_name(reader)
    if not reader.is_sign("("):
        return Node("name", column, name)
    if name not in FUNCTIONS:
        raise ExprError(f"`{name}` is not a function; there are {', '.join(FUNCTIONS)}", column)
    arguments = _list(reader, ")", depth)
    if len(arguments) != 1:
        raise ExprError(f"`{name}` takes one value in its brackets", column)
    return Node("call", column, name, arguments)


def _list(reader: _Reader, close: str, depth: int) -> tuple[Node, ...]:
    reader.take()
    parts: list[Node] = []
    while not reader.is_sign(close):
        parts.append(_either(reader, depth + 1))
        if not reader.is_sign(close):
            reader.expect(",")
    reader.take()
    return tuple(parts)


def _plain_name(reader: _Reader) -> str:
    if reader.kind != "name" or reader.word.startswith("_"):
        raise ExprError("a name that begins with a letter is missing", reader.column)
    return reader.take()


def _number(word: str, column: int) -> int | float:
    if len(word) > 16 or float(word) > MAX_NUMBER:
        raise ExprError("the number is too large", column)
    return float(word) if "." in word else int(word)


def _unescape(match: re.Match[str]) -> str:
    return {"n": "\n", "t": "\t"}.get(match.group(1), match.group(1))


__all__ = ["Expr", "ExprError", "compile_expr"]
