"""Markdown as Telegram shows it: text without markup, and entities that say where it is bold. Pure.

Entities and not HTML or MarkdownV2, so that nothing has to be escaped and no character can make Telegram refuse a
message. Offsets and lengths count UTF-16 units. Code stands in no other entity but a quote, as Telegram wants it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from supportbot.markup import Block, Run, blocks, flat, grid

_RULE = "———"

Style = tuple[str, str]
"""An entity's type, and its url or language."""

_QUOTE: Style = ("blockquote", "")


@dataclass(frozen=True, slots=True)
class Rendered:
    """Text and its entities, as a request has them."""

    text: str
    entities: tuple[dict[str, Any], ...] = ()


@dataclass(slots=True)
class _Span:
    style: Style
    start: int
    end: int


class _Page:
    """The text that grows; a style that goes on where it ended is one span."""

    def __init__(self) -> None:
        self.text = ""
        self.spans: list[_Span] = []

    def add(self, text: str, styles: Iterable[Style] = ()) -> None:
        start = len(self.text)
        self.text += text
        for style in styles if text else ():
            open = next((span for span in self.spans if span.style == style and span.end == start), None)
            if open is not None:
                open.end = len(self.text)
            else:
                self.spans.append(_Span(style, start, len(self.text)))


def utf16(text: str) -> int:
    """The length as Telegram counts it."""
    return len(text) + sum(letter > "\uffff" for letter in text)


def measure(markdown: str) -> int:
    """How long the Markdown is for Telegram, of whose texts 4,096 fit into a message and 1,024 under a picture."""
    return utf16(render(markdown).text)


def render(markdown: str) -> Rendered:
    """The Markdown as text and entities."""
    page = _Page()
    quoted = False
    for block in blocks(markdown):
        if page.text:
            page.add("\n" if block.tight else "\n\n", [_QUOTE] if quoted and block.quote else [])
        quoted = bool(block.quote)
        _block(page, block, [_QUOTE] if quoted else [])
    return _finished(page)


def linkable(url: str) -> bool:
    """Whether Telegram takes the address as the target of a link or button."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "tg" or (parts.scheme in ("http", "https") and "." in host.strip(".")))


def _block(page: _Page, block: Block, around: Sequence[Style]) -> None:
    if block.kind == "code":
        page.add(block.text, [*around, ("pre", block.language)])
    elif block.kind == "table":
        page.add(grid(block), [*around, ("pre", "")])
    elif block.kind == "rule":
        page.add(_RULE, around)
    else:
        indent = "  " * block.depth
        if block.kind == "item":
            page.add(f"{indent[2:]}{block.marker} ", around)
        else:
            page.add(indent, around)
        for run in block.runs:
            _run(page, run, [*around, ("bold", "")] if block.kind == "heading" else around, indent)


def _run(page: _Page, run: Run, around: Sequence[Style], indent: str) -> None:
    text = run.text.replace("\n", "\n" + indent)
    if run.link and not linkable(run.link):
        text = flat([Run(text, link=run.link)])
    elif run.link:
        page.add(text, [*around, *_looks(run), ("text_link", run.link)])
        return
    if run.code:
        page.add(text, [*(style for style in around if style == _QUOTE), ("code", "")])
    else:
        page.add(text, [*around, *_looks(run)])


def _looks(run: Run) -> list[Style]:
    looks = (("bold", run.bold), ("italic", run.italic), ("strikethrough", run.strike))
    return [(name, "") for name, on in looks if on]


def _finished(page: _Page) -> Rendered:
    text = page.text.rstrip()
    lost = len(text) - len(text.lstrip())
    text = text[lost:]
    units = _units(text)
    found = []
    for span in page.spans:
        start, end = _trimmed(text, span, max(span.start - lost, 0), max(min(span.end - lost, len(text)), 0))
        if start < end:
            found.append(_entity(span.style, units[start], units[end] - units[start]))
    found.sort(key=lambda entity: (entity["offset"], -entity["length"]))
    return Rendered(text, tuple(found))


def _trimmed(text: str, span: _Span, start: int, end: int) -> tuple[int, int]:
    """Without the blanks at its ends; the blanks before code are its indentation."""
    while end > start and text[end - 1].isspace():
        end -= 1
    while start < end and text[start].isspace() and (span.style[0] != "pre" or text[start] == "\n"):
        start += 1
    return start, end


def _units(text: str) -> Sequence[int]:
    """For each place in the text the UTF-16 units before it."""
    if text.isascii():
        return range(len(text) + 1)
    counts = [0]
    for letter in text:
        counts.append(counts[-1] + 1 + (letter > "\uffff"))
    return counts


def _entity(style: Style, offset: int, length: int) -> dict[str, Any]:
    kind, more = style
    entity: dict[str, Any] = {"type": kind, "offset": offset, "length": length}
    if more:
        entity["url" if kind == "text_link" else "language"] = more
    return entity
