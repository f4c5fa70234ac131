"""Markdown cut into blocks and passages; no I/O.

Rules:
1. A block is never cut inside a code fence, a table or a list; only a paragraph beyond LONG is, at a sentence's end.
2. A passage stays within one section (the text under one heading) and holds about PASSAGE characters.
3. HTML comments are the author's notes: they are dropped, except inside code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

PASSAGE = 700
LONG = 2_000

Kind = Literal["heading", "code", "table", "list", "text"]

_FRONT = re.compile(r"\A---[ \t]*\n(.*?\n)?(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_FRONT_TITLE = re.compile(r"^title[ \t]*:(.*)$", re.MULTILINE)
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_ATX = re.compile(r" {0,3}(#{1,6})(?=[ \t]|\Z)")
_SETEXT = re.compile(r" {0,3}(=+|-+)[ \t]*\Z")
_RULE = re.compile(r" {0,3}(?:(?:-[ \t]*){3,}|(?:\*[ \t]*){3,}|(?:_[ \t]*){3,})\Z")
_ITEM = re.compile(r" {0,3}(?:[-*+]|\d{1,9}[.)])[ \t]+\S")
_TABLE_RULE = re.compile(r" {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)+\|?[ \t]*\Z")
_SENTENCE_END = re.compile(r"(?<=[.!?…。！？])\s+|\n")


@dataclass(frozen=True, slots=True)
class Block:
    """A heading (`level` 1..6, `text` without marks), or a piece of text that belongs together, as it was written."""

    kind: Kind
    text: str
    level: int = 0


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of one section: `path` has the headings above it, outermost first, without the article's title."""

    path: tuple[str, ...]
    text: str


def front_matter(text: str) -> tuple[str, str]:
    """The `title:` of the front matter ("" if none), and the text without its front matter."""
    match = _FRONT.match(text)
    if match is None:
        return "", text
    title = _FRONT_TITLE.search(match.group(1) or "")
    return (title.group(1).strip().strip("\"'") if title else ""), text[match.end() :]


def blocks(text: str) -> Iterator[Block]:
    """The blocks of a text in order; blank lines between them are dropped."""
    pending: list[str] = []
    lines = _without_comments(text.split("\n"))
    at = 0
    while at < len(lines):
        line = lines[at]
        end = _fence_end(lines, at) if _FENCE.match(line) else at + 1
        heading = _heading(line, pending)
        if end > at + 1 and _is_list(pending):
            pending += lines[at:end]  # code between the steps of a list belongs to the list
        elif _FENCE.match(line):
            yield from _flush(pending)
            yield Block("code", "\n".join(lines[at:end]))
        elif heading is not None:
            if _ATX.match(line):
                yield from _flush(pending)
            pending.clear()
            yield heading
        elif not line.strip() and not _list_goes_on(pending, lines[at + 1 : at + 2]):
            yield from _flush(pending)
        elif pending or not _RULE.match(line):
            pending.append(line.rstrip())
        at = end
    yield from _flush(pending)


def passages(text: str, *, title: str = "") -> tuple[str, tuple[Passage, ...]]:
    """The first level-1 heading ("" if none or if `title` is given already) and the text's passages in order."""
    found = ""
    path: list[Block] = []
    section: list[Block] = []
    result: list[Passage] = []
    for block in blocks(text):
        if block.kind != "heading":
            section.append(block)
            continue
        result += _pack(tuple(heading.text for heading in path), section)
        section.clear()
        path = [heading for heading in path if heading.level < block.level]
        if block.level == 1 and block.text == (title or found or block.text):
            found = block.text
        elif block.text:
            path.append(block)
    result += _pack(tuple(heading.text for heading in path), section)
    return found, tuple(result)


def _pack(path: tuple[str, ...], section: Sequence[Block]) -> Iterator[Passage]:
    """A section's blocks in passages of about PASSAGE characters; what a colon announces stays with it."""
    parts: list[str] = []
    for block in section:
        for piece in _cut(block):
            announced = bool(parts) and parts[-1].endswith(":") and block.kind != "text"
            if parts and not announced and sum(map(len, parts)) + len(piece) > PASSAGE:
                yield Passage(path, "\n\n".join(parts))
                parts = []
            parts.append(piece)
    if parts:
        yield Passage(path, "\n\n".join(parts))


def _cut(block: Block) -> Iterator[str]:
    """A block as it is, or a paragraph beyond LONG in pieces that end where a sentence or, failing that, a word ends."""
    rest = block.text
    while block.kind == "text" and len(rest) > LONG:
        ends = [match.end() for match in _SENTENCE_END.finditer(rest, 1, LONG)]
        end = ends[-1] if ends else max(rest.rfind(" ", 1, LONG), 0) or LONG
        yield rest[:end].strip()
        rest = rest[end:].strip()
    if rest:
        yield rest


def _flush(pending: list[str]) -> Iterator[Block]:
    """The gathered lines as one block, if there are any; empties the list."""
    text = "\n".join(pending).strip("\n")
    table = any(_TABLE_RULE.match(line) for line in pending)
    kind: Kind = "table" if table else "list" if _is_list(pending) else "text"
    pending.clear()
    if text.strip():
        yield Block(kind, text)


def _heading(line: str, pending: Sequence[str]) -> Block | None:
    """The heading that ends with this line: `# A`, or a single line underlined with = or -."""
    atx = _ATX.match(line)
    if atx:
        text = line[atx.end() :].strip()
        bare = text.rstrip("#")
        closed = bare != text and not bare.rstrip() == bare != ""
        return Block("heading", bare.strip() if closed else text, len(atx.group(1)))
    under = _SETEXT.match(line)
    if under and len(pending) == 1 and not _is_list(pending):
        return Block("heading", pending[0].strip(), 1 if "=" in under.group(1) else 2)
    return None


def _is_list(pending: Sequence[str]) -> bool:
    return any(_ITEM.match(line) for line in pending)


def _list_goes_on(pending: Sequence[str], after: Sequence[str]) -> bool:
    """Whether a blank line stands inside a list: another item or an indented line follows."""
    if not after or not _is_list(pending):
        return False
    return bool(_ITEM.match(after[0])) or after[0].startswith(("  ", "\t"))


def _fence_end(lines: Sequence[str], start: int) -> int:
    """The index after the line that closes the fence opened at `start`; the text's end if nothing does."""
    opening = _FENCE.match(lines[start])
    mark = opening.group(1) if opening else "```"
    for at in range(start + 1, len(lines)):
        closing = _FENCE.match(lines[at])
        if closing and closing.group(1).startswith(mark) and not lines[at].strip().strip(mark[0]):
            return at + 1
    return len(lines)


def _without_comments(lines: Sequence[str]) -> list[str]:
    """The lines without HTML comments; those inside code fences, and one that nothing closes, stay."""
    last = max((at for at, line in enumerate(lines) if "-->" in line), default=-1)
    kept: list[str] = []
    at, inside = 0, False
    while at < len(lines):
        if at > last and not inside:
            return [*kept, *lines[at:]]
        end = at + 1
        if not inside and _FENCE.match(lines[at]):
            end = _fence_end(lines, at)
            kept += lines[at:end]
        else:
            line, inside = _strip_comment(lines[at], inside)
            kept.append(line)
        at = end
    return kept


def _strip_comment(line: str, inside: bool) -> tuple[str, bool]:
    """A line without its parts of comments, and whether a comment goes on in the next line."""
    kept = ""
    while line:
        before, mark, line = line.partition("-->" if inside else "<!--")
        kept += "" if inside else before
        inside = inside != bool(mark)
    return kept, inside
