"""Markdown as readable text, for channels without formatting and for notifications."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter

from supportbot.markup.model import Align, Block, Run
from supportbot.markup.reading import blocks

_MAX_WIDTH = 60  # a column is padded no wider, so that one long cell does not blow up every row
_RULE = "———"


def plain(text: str) -> str:
    """The text without markup: links as "label (url)", lists with their markers, tables aligned, code as it is."""
    parts: list[str] = []
    for block in blocks(text):
        parts += ["" if not parts else "\n" if block.tight else "\n\n", _shown(block)]
    return "".join(parts)


def flat(runs: Iterable[Run]) -> str:
    """The text of the runs, each link followed by its URL unless its label says the same."""
    return "".join(
        _linked(link, "".join(run.text for run in same)) for link, same in groupby(runs, attrgetter("link"))
    )


def grid(block: Block) -> str:
    """A table's rows as aligned lines for a monospace font, the header underlined."""
    cells = [[flat(cell) for cell in row] for row in block.rows]
    widths = [0] * max(map(len, cells), default=0)
    for row in cells:
        for column, cell in enumerate(row):
            widths[column] = max(widths[column], min(_width(cell), _MAX_WIDTH))
    lines = [_line(row, widths, block.aligns) for row in cells]
    rule = "  ".join("-" * width for width in widths[: len(block.aligns)])
    return "\n".join([*lines[:1], rule, *lines[1:]])


def _shown(block: Block) -> str:
    inside = {"code": block.text, "rule": _RULE}.get(block.kind)
    if inside is None:
        inside = grid(block) if block.kind == "table" else flat(block.runs)
    return "\n".join(_indented(block, inside.split("\n")))


def _indented(block: Block, lines: Sequence[str]) -> Iterator[str]:
    quote = "> " * block.quote
    indent = "  " * block.depth
    for place, line in enumerate(lines):
        if block.kind == "item" and not place:
            line = f"{indent[2:]}{block.marker} {line}".rstrip()
        elif line:
            line = indent + line
        yield quote + line


def _linked(link: str, label: str) -> str:
    same = (link, link.removeprefix("mailto:"), link.removeprefix("tel:"), link.removeprefix("https://"))
    return label if not link or label.strip() in same else f"{label} ({link})"


def _line(row: Sequence[str], widths: Sequence[int], aligns: Sequence[Align]) -> str:
    aligned = (*aligns, *("left" for _ in row[len(aligns) :]))
    return "  ".join(map(_padded, row, widths, aligned)).rstrip()


def _padded(cell: str, width: int, align: str) -> str:
    blanks = max(0, width - _width(cell))
    before = {"left": 0, "right": blanks, "center": blanks // 2}[align]
    return " " * before + cell + " " * (blanks - before)


def _width(text: str) -> int:
    """How many columns it takes on a screen: wide letters two, joining ones none."""
    if text.isascii():
        return len(text)
    return sum(
        0
        if unicodedata.category(letter) in ("Mn", "Me", "Cf")
        else 1 + (unicodedata.east_asian_width(letter) in "WF")
        for letter in text
    )
