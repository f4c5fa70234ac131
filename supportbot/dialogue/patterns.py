"""Regular expressions written by an operator and run on a customer's text: bounded before they are run.

A pattern's cost is the number of ways in which it can divide a text among its parts; this is counted from the
parsed pattern. Each pattern gets the longest text for which the count stays within `BUDGET`; a pattern that
stays within it for no useful length, such as `(a+)+`, is refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

MAX_PATTERN = 500
BUDGET = 10_000_000
LIMITS = (500, 300, 200, 120, 60, 30)
_ENDLESS = math.inf
# The parse tree of `re` is the only exact reading of a pattern; it is the same in every supported Python.
_PARSER: Any = vars(re)["_parser"]


class PatternError(ValueError):
    """A pattern that cannot be read, or could take for ever on some text."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern (case does not matter) and the number of characters it is tried on."""

    text: str
    regex: re.Pattern[str]
    limit: int

    def fullmatch(self, text: str) -> re.Match[str] | None:
        """The match of the whole text, None also if it is too long."""
        return self.regex.fullmatch(text) if len(text) <= self.limit else None

    def find(self, text: str) -> re.Match[str] | None:
        """The first match, in the first `limit` characters, that does not begin or end inside a word or number."""
        short = text[: self.limit]
        # What ends where the text was cut may go on behind it.
        last = len(text) if len(text) <= self.limit else self.limit - 1
        found = (match for match in self.regex.finditer(short) if match.end() <= last)
        return next((match for match in found if _stands_alone(match, short)), None)

    @property
    def groups(self) -> tuple[str, ...]:
        return tuple(self.regex.groupindex)


def compile_pattern(text: str) -> Pattern:
    """The pattern; raises PatternError in words for somebody who did not write the library."""
    if len(text) > MAX_PATTERN:
        raise PatternError(f"the pattern is longer than {MAX_PATTERN} characters")
    try:
        regex = re.compile(text, re.IGNORECASE)
        tree = _PARSER.parse(text, re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as error:
        raise PatternError(f"the pattern is not a valid regular expression: {error}") from error
    if regex.fullmatch("") is not None:
        raise PatternError("the pattern also matches an empty text; it must ask for at least one character")
    for limit in LIMITS:
        ways = _ways(tree, limit) * limit / math.factorial(_open_ends(tree) + 1)
        if ways <= BUDGET:
            return Pattern(text, regex, limit)
    raise PatternError(
        "the pattern could take for ever on some texts: a part that repeats without a limit must not contain "
        "another repetition or alternative; give repetitions a limit such as {1,10}"
    )


def _stands_alone(match: re.Match[str], text: str) -> bool:
    start, end = match.span()
    if start == end:
        return False
    opens = start == 0 or not (text[start - 1].isalnum() and text[start].isalnum())
    closes = end == len(text) or not (text[end - 1].isalnum() and text[end].isalnum())
    return opens and closes


def _ways(items: Iterable[tuple[Any, Any]], limit: int) -> float:
    ways = 1.0
    for operation, detail in items:
        ways = min(ways * _ways_of(str(operation), detail, limit), _ENDLESS)
    return ways


def _ways_of(operation: str, detail: Any, limit: int) -> float:
    if operation in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        low, high, body = detail
        return _repeated(_ways(body, limit), int(low), min(int(high), limit))
    if operation == "BRANCH":
        return _alternatives([(_first(branch), _ways(branch, limit)) for branch in detail[1]])
    return math.prod(_ways(part, limit) for part in _inner(operation, detail))


def _alternatives(branches: list[tuple[str, float]]) -> float:
    """Alternatives that begin with different letters exclude each other; of the others all may come to pass."""
    by_letter: dict[str, float] = {}
    for letter, ways in branches:
        by_letter[letter] = by_letter.get(letter, 0.0) + ways
    unclear = by_letter.pop("", 0.0)
    return unclear + max(by_letter.values(), default=0.0)


def _first(branch: Iterable[tuple[Any, Any]]) -> str:
    """The letter that a branch begins with, "" if it is not a certain one."""
    operation, detail = next(iter(branch), ("", 0))
    return chr(detail).casefold() if str(operation) == "LITERAL" else ""


def _repeated(ways: float, low: int, high: int) -> float:
    if ways > 1 and high * math.log2(ways) > 60:
        return _ENDLESS
    return float(ways**high) * max(high - low + 1, 1)


def _inner(operation: str, detail: Any) -> tuple[Any, ...]:
    """The parts inside a group, look-around or condition."""
    if operation == "SUBPATTERN":
        return (detail[3],)
    if operation in ("ASSERT", "ASSERT_NOT"):
        return (detail[1],)
    if operation == "ATOMIC_GROUP":
        return (detail,)
    if operation == "GROUPREF_EXISTS":
        return tuple(part for part in detail[1:] if part is not None)
    return ()


def _open_ends(items: Iterable[tuple[Any, Any]]) -> int:
    return sum(1 for high in _highs(items) if high > LIMITS[0])


def _highs(items: Iterable[tuple[Any, Any]]) -> Iterator[int]:
    for operation, detail in items:
        if str(operation).endswith("_REPEAT"):
            yield int(detail[1])
            yield from _highs(detail[2])
        elif str(operation) == "BRANCH":
            yield from (high for branch in detail[1] for high in _highs(branch))
        for part in _inner(str(operation), detail):
            yield from _highs(part)
