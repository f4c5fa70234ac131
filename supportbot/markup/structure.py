"""Where the source of a Markdown text may be cut, and what is better kept whole."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from supportbot.markup.spans import Span, inline_spans

_LINE = re.compile(r"((?:[ \t]*+>)*+)([ \t]*+)((?:(?:[-*+]|\d{1,9}[.)])(?:[ \t]+|(?=\r?$)))*)(.*)")
_FENCE = re.compile(r"(`{3,})([^`\r]*)\r?$|(~{3,})([^\r]*)\r?$")
_HEADING = re.compile(r"#{1,6}(?:\s|$)")
_DELIMITERS = re.compile(r"\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?\s*$")
_LANGUAGE = re.compile(r"[\w+#.-]{1,30}")


@dataclass(frozen=True, slots=True)
class Fence:
    """A fenced code block: its text lies in body..last, `start` is its first letter and `end` follows its last line."""

    start: int
    body: int
    last: int
    end: int
    quote: str
    indent: int
    mark: str
    language: str

    @property
    def opening(self) -> str:
        """The line that opens it anew."""
        return f"{self.quote}{self.mark}{self.language}\n"

    def closing(self, anew: bool) -> str:
        """The line that closes what began here, or was opened anew."""
        return f"\n{self.quote}{'' if anew else ' ' * self.indent}{self.mark}"


@dataclass(frozen=True, slots=True)
class Structure:
    """The places of a text, in order: where lines and blocks begin, its fences, and the spans better kept whole."""

    lines: tuple[int, ...]
    blocks: tuple[int, ...]
    fences: tuple[Fence, ...]
    spans: tuple[Span, ...]


@dataclass(slots=True)
class _Scan:
    lines: list[int] = field(default_factory=list)
    blocks: list[int] = field(default_factory=list)
    fences: list[Fence] = field(default_factory=list)
    texts: list[tuple[int, int]] = field(default_factory=list)
    tables: list[tuple[int, int]] = field(default_factory=list)
    floor: int = 0
    """The column at which the text of the list item around begins."""
    quotes: int = 0
    apart: bool = True
    """Whether a blank line or a fence came before."""
    headed: bool = False
    """Whether a heading came before: what follows stays with it."""
    rows: int = 0
    """How many lines of a table came before, the first being its header."""


def structure(text: str) -> Structure:
    """How the text is built, read line by line."""
    scan = _Scan()
    place = 0
    while place < len(text):
        end = text.find("\n", place) + 1 or len(text)
        place = _line(scan, text, place, end)
    spans = [Span(*table) for table in scan.tables]
    spans += [Span(fence.start, fence.end) for fence in scan.fences]
    for start, end in scan.texts:
        spans += inline_spans(text, start, end)
    return Structure(tuple(scan.lines), tuple(scan.blocks), tuple(scan.fences), tuple(sorted(spans)))


def _line(scan: _Scan, text: str, start: int, end: int) -> int:
    """Takes the line in, or the whole fence that it opens; returns where the next line begins."""
    found = _LINE.match(text, start, end)
    quote, indent, marks, content = found.groups() if found else ("", "", "", "")
    scan.lines.append(start)
    if not marks and not content.strip():
        scan.apart, scan.rows = True, 0
        return end
    quotes = quote.count(">")
    column = len(indent) + len(marks)
    if marks or column < scan.floor or quotes != scan.quotes:
        scan.floor = column if marks or column < scan.floor else 0
    opens = content[:3] in ("```", "~~~") and (marks or column < scan.floor + 4) and _FENCE.match(content)
    table = _in_table(scan, text, content, start)
    heading = bool(_HEADING.match(content))
    fresh = bool(scan.apart or marks or heading or opens or quotes > scan.quotes or scan.rows > 2)
    if fresh and not scan.headed:
        scan.blocks.append(start)
    scan.apart, scan.headed, scan.quotes = False, heading, quotes
    if opens:
        fence = _fence(scan, text, (start, end), quote, column, opens[1] or opens[3], opens[2] or opens[4] or "")
        scan.fences.append(fence)
        scan.apart = True
        return fence.end
    if fresh or table or not scan.texts:
        scan.texts.append((start, end))
    else:
        scan.texts[-1] = (scan.texts[-1][0], end)
    return end


def _in_table(scan: _Scan, text: str, content: str, start: int) -> bool:
    """Whether the line is a row; counts the rows, and notes the table from its second line on."""
    if "|" not in content or scan.apart:
        scan.rows = int("|" in content)
    elif scan.rows == 1 and not _DELIMITERS.match(content):
        pass
    elif scan.rows:
        end = text.find("\n", start) + 1 or len(text)
        first = scan.lines[-2] if scan.rows == 1 else scan.tables.pop()[0]
        scan.tables.append((first, end))
        scan.rows += 1
    else:
        scan.rows = 1
    return scan.rows > 0


def _fence(scan: _Scan, text: str, line: tuple[int, int], quote: str, indent: int, mark: str, info: str) -> Fence:
    """The fence opened in the line. It ends with its closing line, its quote or list item, or the text."""
    start, body = line
    start += len(text[start:body]) - len(text[start:body].lstrip())
    quotes = quote.count(">")
    inside = re.compile(rf"(?:[ \t]*+>){{{quotes}}}([ \t]*+)(.*)")
    closing = re.compile(rf"{mark[0]}{{{len(mark)},}}\s*$")
    place = body
    while place < len(text):
        end = text.find("\n", place) + 1 or len(text)
        found = inside.match(text, place, end)
        if not found or (found[2].strip() and len(found[1]) < scan.floor):
            end = place
            break
        if closing.match(found[2]) and len(found[1]) < indent + 4:
            break
        scan.lines.append(place)
        place = end
    else:
        end = place
    language = info.strip() if _LANGUAGE.fullmatch(info.strip()) else ""
    if quote:
        quote, indent = quote.strip() + " ", max(0, indent - 1)
    return Fence(start, body, place, end, quote, indent, mark, language)
