"""What the chat shows: on a terminal wrapped, coloured words; on a pipe the words alone, without Markdown's stars.

What a customer, a model or a human wrote cannot steer the terminal: control characters are taken out.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.cells import cell_len

from supportbot.cli.explaining import clean

BOLD, DIM, NORMAL = "\x1b[1m", "\x1b[2m", "\x1b[0m"
_TOKENS = re.compile(r"\n|[^\S\n]+|\S+")
_OPENS = re.compile(r"([(\[\"'“„«‘]*)\*\*(?=[^\s*])")
_CLOSES = re.compile(r"(?<=[^\s*])\*\*([)\].,:;!?\"'”“»’…]*)$")
_MARKERS = re.compile(r">|[-*•]|\d{1,2}[.)]")
_NARROWEST = 20


class Screen:
    """Standard output. `interactive` is True where a person sits in front of it.

    `typed` gives what stands on the prompt's line while a prompt stands, None otherwise.
    """

    def __init__(self, out: TextIO, *, interactive: bool) -> None:
        self._out = out
        self.interactive = interactive
        self._colour = interactive and "NO_COLOR" not in os.environ and os.environ.get("TERM", "dumb") != "dumb"
        self._busy = False
        self.typed: Callable[[], str | None] = lambda: None

    def paint(self, code: str, text: str) -> str:
        """The text in bold or dim, where there are colours."""
        return f"{code}{text}{NORMAL}" if self._colour else text

    def prompt(self, text: str) -> str:
        """The prompt for `input`, which must not count what has no width; "" on a pipe."""
        if not self.interactive:
            return ""
        return f"\001{BOLD}\002{text}\001{NORMAL}\002 " if self._colour else f"{text} "

    def message(self, label: str) -> Painter:
        """Begins one message under a name; feed its text to the painter, then end it."""
        if not self.interactive:
            return Painter(self.write, width=0, bold=("", ""))
        self.write(self.paint(BOLD, f"{label}:") + " ")
        bold = (BOLD, NORMAL) if self._colour else ("", "")
        return Painter(self.write, width=self.width(), bold=bold, column=cell_len(label) + 2)

    def note(self, text: str, *, wrap: bool = True) -> None:
        """A line beside the conversation, for a person at the terminal only."""
        if self.interactive:
            self.write(DIM if self._colour else "")
            painter = Painter(self.write, width=self.width() if wrap else 0, bold=("", ""))
            painter.feed(text)
            painter.end()
            self.write(NORMAL if self._colour else "")

    def gap(self) -> None:
        """An empty line between turns."""
        if self.interactive:
            self.write("\n")

    def busy(self, text: str) -> None:
        """Shows that somebody is at work, until the next word comes."""
        if self.interactive and self._colour and not self._busy:
            self.write(self.paint(DIM, text))
            self._busy = True

    def write(self, text: str) -> None:
        if self._busy:
            self._busy = False
            self._out.write("\r\x1b[K")
        self._out.write(text)
        self._out.flush()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Takes a standing prompt away while the block writes, and puts it back with what was typed."""
        line = self.typed()
        if line is not None:
            rows = sum(cell_len(part) // self.width() for part in line.split("\n")) + line.count("\n")
            self.write((f"\x1b[{rows}A" if rows else "") + "\r\x1b[J")
        yield
        if line is not None:
            self.write(line)

    def width(self) -> int:
        """Columns of the terminal."""
        return max(shutil.get_terminal_size().columns, _NARROWEST)


class Painter:
    """Writes one message's Markdown piece by piece: words wrapped at `width` (0 = never), `**bold**` in bold."""

    def __init__(
        self, write: Callable[[str], None], *, width: int, bold: tuple[str, str], column: int = 0
    ) -> None:
        self._write = write
        self._width = max(width - 1, 0)  # a full line would leave the terminal undecided where the next word goes
        self._on, self._off = bold
        self._column = column
        self._rest = ""
        self._blank = ""
        self._indent = ""
        self._first = True
        self._is_bold = False

    def feed(self, text: str) -> None:
        """Adds text; a word is held back until it is complete."""
        tokens = _TOKENS.findall(self._rest + clean(text))
        self._rest = tokens.pop() if tokens and not tokens[-1].isspace() else ""
        for token in tokens:
            self._put(token)

    def end(self) -> None:
        """Writes what is left and ends the line."""
        if self._rest:
            self._put(self._rest)
        self._write((self._off if self._is_bold else "") + "\n")

    def _put(self, piece: str) -> None:
        if piece == "\n":
            self._write("\n")
            self._column, self._indent, self._blank, self._first = 0, "", "", True
        elif piece.isspace():
            self._blank = piece
        else:
            self._word(piece)

    def _word(self, word: str) -> None:
        shown, size = self._styled(word)
        blank = self._blank
        if self._width and self._column and self._column + len(blank) + size > self._width:
            self._write("\n" + self._indent)
            self._column, blank = len(self._indent), ""
        elif self._first and _MARKERS.fullmatch(word):
            self._indent = blank + ("> " if word == ">" else " " * (size + 1))
        self._write(blank + shown)
        self._column += len(blank) + size
        if self._width and self._column > self._width:  # the terminal breaks a word that is longer than a line
            self._column %= self._width + 1
        self._blank, self._first = "", False

    def _styled(self, word: str) -> tuple[str, int]:
        """The word without its stars, in bold where they say so, and its width in columns."""
        opened = None if self._is_bold else _OPENS.match(word)
        before = opened[1] if opened else ""
        rest = word[opened.end() :] if opened else word
        self._is_bold = self._is_bold or bool(opened)
        closed = _CLOSES.search(rest) if self._is_bold else None
        inside, after = (rest[: closed.start()], closed[1]) if closed else (rest, "")
        size = cell_len(before + inside + after)
        if not self._is_bold:
            return word, size
        self._is_bold = closed is None
        return f"{before}{self._on}{inside}{self._off}{after}", size
