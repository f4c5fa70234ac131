"""What a person typed in Telegram as the house's Markdown: the words as they are, marks where they chose a style. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import telegram

from supportbot_telegram.entities import linkable, render

_MARKS = {"bold": "**", "italic": "*", "strikethrough": "~~"}
_STYLES = (*_MARKS, "code", "pre", "text_link")
_TICKS = re.compile(r"`+")


@dataclass(frozen=True, slots=True)
class _Span:
    start: int
    end: int
    entity: telegram.MessageEntity


def markdown(text: str, entities: Sequence[telegram.MessageEntity]) -> str:
    """The text with marks for its entities; without them where the words would then read differently."""
    spans = _spans(text, entities)
    if not spans:
        return text
    marked = _marked(text, spans, 0, len(text))
    return marked if _words(marked) == _words(text) else text


def _words(text: str) -> list[str]:
    return render(text).text.split()


def _spans(text: str, entities: Sequence[telegram.MessageEntity]) -> list[_Span]:
    """Those that can be marked, outer before inner; Telegram counts in UTF-16 units."""
    places = {0: 0}
    units = 0
    for at, letter in enumerate(text, 1):
        units += 1 + (letter > "\uffff")
        places[units] = at
    found = []
    for entity in entities:
        start, end = places.get(entity.offset), places.get(entity.offset + entity.length)
        if entity.type in _STYLES and start is not None and end is not None and start < end:
            found.append(_Span(start, end, entity))
    return sorted(found, key=lambda span: (span.start, -span.end))


def _marked(text: str, spans: Sequence[_Span], start: int, end: int) -> str:
    parts = []
    at = start
    left = list(spans)
    while left:
        span = left.pop(0)
        if span.start < at or span.end > end:
            continue  # torn by another: left without a mark
        inner = [one for one in left if one.end <= span.end]
        left = [one for one in left if one.start >= span.end]
        parts.append(text[at : span.start])
        parts.append(_styled(text, span, inner))
        at = span.end
    return "".join((*parts, text[at:end]))


def _styled(text: str, span: _Span, inner: Sequence[_Span]) -> str:
    kind, raw = span.entity.type, text[span.start : span.end]
    if kind == "code":
        fence = "`" * (1 + max(map(len, _TICKS.findall(raw)), default=0))
        pad = " " if len(fence) > 1 else ""
        return f"{fence}{pad}{raw}{pad}{fence}"
    if kind == "pre":
        fence = "`" * max(3, 1 + max(map(len, _TICKS.findall(raw)), default=0))
        return f"\n{fence}{span.entity.language or ''}\n{raw}\n{fence}\n"
    shown = _marked(text, inner, span.start, span.end)
    lead, tail = shown[: len(shown) - len(shown.lstrip())], shown[len(shown.rstrip()) :]
    words = shown.strip()
    if not words:
        return shown
    if kind == "text_link":
        url = span.entity.url or ""
        fits = url.startswith(("https://", "http://")) and linkable(url) and not re.search(r"[<>\s]", url)
        return f"{lead}[{words}](<{url}>){tail}" if fits else shown
    return f"{lead}{_MARKS[kind]}{words}{_MARKS[kind]}{tail}"
