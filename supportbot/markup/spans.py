"""The inline constructs of a text, which are better not torn: emphasis, code, links and URLs."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from typing import NamedTuple

_TOKEN = re.compile(
    r"\\[^\w\s]|(?P<code>`+)|(?P<mark>\*+|_+|~~+)|(?P<open>!?\[)|(?P<close>\])|(?P<url>https?://[^\s<>()\[\]*`，。、）]+)"
)
_TARGET = re.compile(
    r"\]\([^\S\n]*+(?:<[^<>\n]*+>|[^\s()<]*+(?:\([^\s()]*+\)[^\s()]*+)*+)"
    r"(?:\s++(?:\"[^\"]*+\"|'[^']*+'))?\s*+\)"
)


class Span(NamedTuple):
    """start..end; a `hard` one may not be torn even where it is longer than a part."""

    start: int
    end: int
    hard: bool = False


def inline_spans(text: str, start: int, end: int) -> Iterator[Span]:
    """The constructs in one paragraph, near enough to what the parser will find."""
    ticks: dict[int, list[int]] | None = None
    opened: dict[str, int] = {}
    brackets: list[int] = []
    place = start
    while found := _TOKEN.search(text, place, end):
        first, place = found.span()
        if found["code"]:
            ticks = _ticks(text, first, end) if ticks is None else ticks
            closing = ticks[place - first]
            after = bisect_left(closing, place)
            if after < len(closing):
                place = closing[after] + place - first
                yield Span(first, place)
        elif found["mark"]:
            yield from _emphasis(text, first, found["mark"], opened)
        elif found["open"]:
            brackets.append(first)
        elif found["close"] and brackets:
            opening = brackets.pop()
            target = _TARGET.match(text, first, end)
            if target:
                place = target.end()
                yield Span(opening, place)
        elif found["url"]:
            yield Span(first, place)


def _ticks(text: str, start: int, end: int) -> dict[int, list[int]]:
    """Length -> where the backtick runs of that length begin."""
    runs: dict[int, list[int]] = {}
    for run in re.compile("`+").finditer(text, start, end):
        runs.setdefault(len(run[0]), []).append(run.start())
    return runs


def _emphasis(text: str, first: int, mark: str, opened: dict[str, int]) -> Iterator[Span]:
    after = first + len(mark)
    before, behind = text[first - 1 : first], text[after : after + 1]
    if mark[0] == "_" and before.isalnum() and behind.isalnum():
        return
    closed = False
    if before and not before.isspace():
        for key in dict.fromkeys((mark, mark[0] * 3, mark[0] * 2, mark[0])):
            if key in opened:
                yield Span(opened.pop(key), after)
                closed = True
    if not closed and behind and not behind.isspace():
        opened[mark] = first
