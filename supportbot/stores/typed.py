"""What people type into a search, as a question to SQLite's full-text index; and where in a text the answer is.

1. Whatever is typed is a question without errors: words and phrases stand in quotes, nothing else of the query
   language is ever used.
2. All words must be there. Words between quotation marks are a phrase; the last word may be the beginning of one.
3. A beginning that is very short is taken as a whole word: it would fit half of the index.
4. Marks are positions in the text, never markup: the text is somebody's words.
"""

from __future__ import annotations

import re
import secrets
import sqlite3
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from supportbot.stores.codec import clean
from supportbot.types.finding import Hit

LONGEST = 200
"""Characters of a question; what follows is not read."""
_MOST_WORDS = 12
_SHORTEST_BEGINNING = 3
_DENSE = 0x2E80
"""From here on one character is as much as a word is elsewhere."""
_PIECE = re.compile(r'["“”„«»]([^"“”„«»]*)(?:["“”„«»]|\Z)|([^\s"“”„«»]+)')
_SHOWN, _BEFORE = 240, 80
_MAKE = """CREATE VIRTUAL TABLE said USING fts5 (content, tokenize = "unicode61 remove_diacritics 2")"""
_SNIPPET = "SELECT rowid, snippet(said, 0, ?, ?, '…', 30) FROM said WHERE said MATCH ?"


def match(text: str) -> str:
    """The question for `MATCH`, "" if no word was typed."""
    words, beginning = _words(text[:LONGEST].replace("\0", " "))
    quoted = [f'"{word}"' for word in words]
    if beginning:
        quoted[-1] += "*"
    return " ".join(quoted)


def _words(text: str) -> tuple[list[str], bool]:
    """Words and phrases, and whether the last one may be only the beginning of a word."""
    found: list[str] = []
    beginning = False
    for piece in _PIECE.finditer(clean(text)):
        phrase, word = piece.groups()
        said = word or phrase or ""
        if any(map(_is_letter, said)):
            found.append(said)
            beginning = word is not None and (
                len(word) >= _SHORTEST_BEGINNING or any(ord(sign) >= _DENSE for sign in word)
            )
        if len(found) == _MOST_WORDS:
            break
    return found, beginning


def _is_letter(sign: str) -> bool:
    kind = unicodedata.category(sign)
    return kind[0] in "LN" or kind == "Co"


@contextmanager
def scratch() -> Iterator[sqlite3.Connection]:
    """An empty index in memory that reads words as the big one does, for a look at a few texts."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        connection.execute(_MAKE)
        yield connection
    finally:
        connection.close()


def hits(question: str, texts: Iterable[tuple[int, str]]) -> dict[int, Hit]:
    """Of (number, text) those that answer the question, each cut to the place that does, with marks."""
    begin, end = (f"\x02{secrets.token_hex(8)}" for _ in range(2))  # nobody can have written these
    with scratch() as connection:
        connection.executemany("INSERT INTO said (rowid, content) VALUES (?, ?)", texts)
        rows = connection.execute(_SNIPPET, (begin, end, question)).fetchall()
    return {number: marked(shown, begin, end) for number, shown in rows}


def marked(shown: str, begin: str, end: str) -> Hit:
    """The text without the two signs, and the positions between them."""
    text, marks, start = "", [], None
    for piece in re.split(f"({re.escape(begin)}|{re.escape(end)})", shown):
        if piece == begin:
            start = len(text)
        elif piece == end:
            if start is not None and start < len(text):
                marks.append((start, len(text)))
            start = None
        else:
            text += piece
    return short(text, tuple(marks))


def short(text: str, marks: tuple[tuple[int, int], ...] = ()) -> Hit:
    """Not longer than a list can show, around the first mark."""
    start = max(0, marks[0][0] - _BEFORE) if marks and marks[0][0] > _SHOWN - _BEFORE else 0
    end = start + _SHOWN
    kept = tuple((max(a, start) - start, min(b, end) - start) for a, b in marks if a < end and b > start)
    before, after = "…" if start else "", "…" if len(text) > end else ""
    moved = tuple((a + len(before), b + len(before)) for a, b in kept)
    return Hit(before + text[start:end] + after, moved)
