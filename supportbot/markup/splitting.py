"""Markdown in parts that a channel can take, cut where it hurts least."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from supportbot.markup.graphemes import torn
from supportbot.markup.spans import Span
from supportbot.markup.structure import Fence, Structure, structure

_SENTENCES = re.compile(r"[.!?…]+[\"'”’»)\]*_~]*(?=\s)|[。！？]+[”』」）】*_~]*")
_WORDS = re.compile(r"\S(?=\s)|[，、；：]")
_MAX_INDENT = 100
_BLANKS = re.compile(r"\s*")
_WOULD_BEGIN = re.compile(r"[^\S\n]*(?:(?:[-*+]|\d{1,9}[.)])\s|#{1,6}\s|>|```|~~~|==|--|\|)")
_MERE_MARKER = re.compile(r"[\s>]*(?:[-*+]|\d{1,9}[.)]|#{1,6})?")


@dataclass(frozen=True, slots=True)
class _Source:
    text: str
    end: int
    places: Structure
    fences: tuple[Fence, ...]
    """Those with room for a few letters between their marks."""
    spans: tuple[Span, ...]
    limit: int
    measure: Callable[[str], int]
    whole: dict[Span, bool] = field(default_factory=dict)
    """Which spans fit one part, as far as asked."""


def split(text: str, limit: int, *, measure: Callable[[str], int] = len) -> list[str]:
    """Parts of the Markdown text that measure at most `limit` each; 0 is no limit.

    Cut between blocks, else lines, sentences, words and, last, letters. Code that does not fit one part is fenced in
    each. Only blanks at a cut are lost, and no part is blank unless the whole text is.
    """
    if limit < 1 or measure(text) <= limit:
        return [text]
    source = _source(text, limit, measure)
    place = _after_blanks(text, 0)
    parts: list[str] = []
    while place < source.end:
        cut = _cut(source, place)
        parts.append(_part(source, place, cut))
        place = _resume(source, cut)
    return parts or [""]


def _source(text: str, limit: int, measure: Callable[[str], int]) -> _Source:
    places = structure(text)
    framed = tuple(
        fence
        for fence in places.fences
        if 2 * measure(text[fence.start : fence.body] + fence.closing(False)) <= limit
    )
    ends = [Span(fence.start, fence.body + 1, True) for fence in framed]  # no part has an empty fence
    ends += [Span(max(fence.body, fence.last - 2), fence.end, True) for fence in framed if fence.last < fence.end]
    spans = tuple(sorted([*places.spans, *ends]))
    return _Source(text, len(text.rstrip()), places, framed, spans, limit, measure)


# --- parts ---------------------------------------------------------------------------------------------------


def _part(source: _Source, start: int, cut: int) -> str:
    """What is sent of start..cut: within a fence, opened and closed for itself."""
    body = source.text[start:cut]
    within, cuts = _fence_at(source, start), _fence_at(source, cut)
    body = body.removesuffix("\n") + cuts.closing(cuts is within) if cuts else body.rstrip()
    line = source.places.lines[bisect_right(source.places.lines, start) - 1]
    if within:
        body = _outdented(body, within.indent, start == line)
        lead = within.quote if start > line else ""
        body = within.opening + lead + body
    elif start - line <= _MAX_INDENT and source.text[line:start].isspace():
        body = _outdented(body, start - line, False)
    return body


def _fits(source: _Source, start: int, cut: int) -> bool:
    return source.measure(_part(source, start, cut)) <= source.limit


def _resume(source: _Source, cut: int) -> int:
    if _fence_at(source, cut):
        return cut + (source.text[cut] == "\n" and source.text[cut - 1] != "\n")
    return _after_blanks(source.text, cut)


def _fence_at(source: _Source, place: int) -> Fence | None:
    """The fence whose code the place is in."""
    after = bisect_right(source.fences, place, key=lambda fence: fence.body)
    fence = source.fences[after - 1] if after else None
    return fence if fence and place < min(fence.last, source.end) else None


def _outdented(body: str, indent: int, first: bool) -> str:
    """The lines moved to the left for as long as they are indented, as their list item is in another part."""
    if not indent:
        return body
    lines = body.split("\n")
    for number, line in enumerate(lines):
        if number or first:
            blanks = len(line) - len(line.lstrip(" \t"))
            if line.strip() and blanks < indent:
                break
            lines[number] = line[min(blanks, indent) :]
    return "\n".join(lines)


def _after_blanks(text: str, place: int) -> int:
    found = _BLANKS.match(text, place)
    return found.end() if found else place


# --- where to cut --------------------------------------------------------------------------------------------


def _cut(source: _Source, start: int) -> int:
    furthest = _furthest(source, start)
    while furthest < source.end:
        cut = _best(source, start, furthest)
        if cut <= start + 1 or _fits(source, start, cut):
            return cut
        # a measure need not grow with every letter: emphasis that is cut may measure more
        furthest = max(start + 1, min(cut - 1, start + (cut - start) * 19 // 20))
    return source.end


def _furthest(source: _Source, start: int) -> int:
    """How far a part from `start` can reach, found by guessing from the sizes seen and by halving, in turn."""
    limit = step = source.limit
    low, low_size = start, 0
    while True:
        high = min(start + step, source.end)
        high_size = source.measure(_part(source, start, high))
        if high_size > limit:
            break
        if high == source.end:
            return high
        low, low_size, step = high, high_size, 2 * step
    guess = True
    while high - low > 1:
        share = (limit - low_size) * (high - low) // max(1, high_size - low_size)
        middle = low + max(1, min(share, high - low - 1)) if guess else (low + high) // 2
        size = source.measure(_part(source, start, middle))
        if size <= limit:
            low, low_size = middle, size
        else:
            high, high_size = middle, size
        guess = not guess
    return max(low, start + 1)


def _best(source: _Source, start: int, furthest: int) -> int:
    """The last place of the best kind, not in the first quarter if it can be helped."""
    for floor in (start + (furthest - start) // 4, start):
        for places in _by_kind(source, floor, furthest):
            for place in places:
                if _tears(source, start, place, furthest) is None:
                    return place
    place = furthest
    while place > start:
        before = _tears(source, start, place, furthest)
        if before is None and not torn(source.text, start, place):
            return place
        place = place - 1 if before is None else before
    return next((place for place in range(furthest, start, -1) if not torn(source.text, start, place)), furthest)


def _by_kind(source: _Source, floor: int, furthest: int) -> Iterator[Iterator[int]]:
    """Places in floor+1..furthest from the last to the first: of blocks, lines, sentences, words."""
    for starts in (source.places.blocks, source.places.lines):
        yield reversed(starts[bisect_right(starts, floor) : bisect_right(starts, furthest)])
    for pattern in (_SENTENCES, _WORDS):
        found = pattern.finditer(source.text, floor, min(furthest + 1, len(source.text)))
        ends = [match.end() for match in found if floor < match.end() <= furthest]
        yield (place for place in reversed(ends) if not _misleads(source.text, place))


def _misleads(text: str, place: int) -> bool:
    """Whether a list, heading or quote would seem to begin after the cut, or a mere marker be left before it."""
    line = text.rfind("\n", max(0, place - 16), place) + 1 or max(0, place - 16)
    return bool(_WOULD_BEGIN.match(text, place) or _MERE_MARKER.fullmatch(text, line, place))


def _tears(source: _Source, start: int, place: int, furthest: int) -> int | None:
    """Where the span begins that a cut would tear although it fits a part; None if there is none."""
    first = bisect_left(source.spans, (start,))
    for span in source.spans[first : bisect_left(source.spans, (place,))]:
        if place < span.end and not (span.start == start and span.end > furthest):
            if span not in source.whole:
                source.whole[span] = span.hard or _fits(source, span.start, span.end)
            if source.whole[span]:
                return span.start
    return None
