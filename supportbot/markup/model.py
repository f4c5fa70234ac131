"""What a reply consists of: blocks of runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["paragraph", "heading", "item", "code", "table", "rule"]
Align = Literal["left", "right", "center"]


@dataclass(frozen=True, slots=True)
class Run:
    """Text in one formatting, without control characters other than line breaks.

    `link` is an http, https, mailto or tel URL, or "".
    """

    text: str
    bold: bool = False
    italic: bool = False
    strike: bool = False
    code: bool = False
    link: str = ""


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, heading, list item, code, table or rule.

    `quote` and `depth` count the quotes and the lists around it: an item of a plain list has depth 1, as has what
    follows inside that item. `tight` says that no blank line stands before it. The first of `rows` is the header.
    """

    kind: Kind
    runs: tuple[Run, ...] = ()
    quote: int = 0
    depth: int = 0
    tight: bool = False
    level: int = 0
    """Of a heading: 1 to 6."""
    marker: str = ""
    """Of an item: "•" or "3."."""
    text: str = ""
    """Of code, without the last line break."""
    language: str = ""
    """Of code; one word."""
    rows: tuple[tuple[tuple[Run, ...], ...], ...] = ()
    aligns: tuple[Align, ...] = ()
    """Of a table: one for each column of the header."""
