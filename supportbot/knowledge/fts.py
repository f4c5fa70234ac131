"""Finds passages with SQLite's full-text search, in memory, without embeddings.

How a passage is scored:

1. Each informative word of the question is looked up on its own. What bm25() gives for one word is its frequency and
   field weight times SQLite's idf; that idf is replaced by one that stays sensible in a handful of articles.
2. The sum over the words is divided by the most that a perfect passage could reach, where words that no article has
   count too. So a score is in 0..1 and says how much of the question is covered, by fields that matter.
3. Three such scores are mixed: the whole article, its title and headings alone, and the passage.
"""

from __future__ import annotations

import asyncio
import difflib
import itertools
import math
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from supportbot.knowledge.articles import Article
from supportbot.knowledge.markdown import Passage
from supportbot.knowledge.words import LIGHT, informative, words
from supportbot.types import Hit

MAX_QUERY = 2_000
MAX_WORDS = 32
HIT_TEXT = 1_600
UNSEEN = 200  # pretended further articles: in a handful of real ones no word would be rare
LIGHT_WEIGHT = 0.6
GUESS_WEIGHT = 0.7
SHARES = {"article": 0.3, "title": 0.3, "passage": 0.4}
SATURATION = 2.2  # bm25's k1 + 1: what a word's frequency can reach
COMPANION = 0.6

_SCHEMA = """
create virtual table article using fts5(title, headings, body, tokenize="porter unicode61 remove_diacritics 2");
create virtual table passage using fts5(title, headings, body, tokenize="porter unicode61 remove_diacritics 2");
"""
_IN_ARTICLES = (
    "select rowid, -bm25(article, 8, 3, 1), -bm25(article, 1, 0.5, 0) from article where article match ?"
)
_IN_PASSAGES = "select rowid, -bm25(passage, 6, 4, 1) from passage where passage match ?"


@dataclass(slots=True)
class _Scores:
    """Sums over the question's words so far, by article or passage number."""

    best: float = 0.0
    article: dict[int, float] = field(default_factory=dict)
    title: dict[int, float] = field(default_factory=dict)
    passage: dict[int, float] = field(default_factory=dict)


class ArticleIndex:
    """An index over articles, safe to search from several tasks at once. Implements `protocols.Knowledge`."""

    def __init__(self, articles: Sequence[Article]) -> None:
        self._articles = tuple(articles)
        self._passages = [
            (number, passage) for number, article in enumerate(self._articles) for passage in article.sections
        ]
        self._of: dict[int, list[int]] = {}
        for row, (number, _) in enumerate(self._passages):
            self._of.setdefault(number, []).append(row)
        self._lock = threading.Lock()
        self._db = sqlite3.connect(":memory:", check_same_thread=False)
        self._fill()
        self._vocabulary = _vocabulary(self._articles)

    def __len__(self) -> int:
        """How many articles it holds."""
        return len(self._articles)

    async def search(self, query: str, *, limit: int) -> tuple[Hit, ...]:
        """The best passages, one hit for each article, best first; () if no article has a word of the query."""
        return await asyncio.to_thread(self.find, query, limit=limit)

    def find(self, query: str, *, limit: int) -> tuple[Hit, ...]:
        """`search` for callers without an event loop."""
        with self._lock:
            scores = self._scores(query[:MAX_QUERY])
        if not scores.best:
            return ()
        ranked = sorted(((self._score(scores, number), -number) for number in scores.article), reverse=True)
        return tuple(self._hit(scores, -number, score) for score, number in ranked[: max(limit, 0)])

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def _fill(self) -> None:
        self._db.executescript(_SCHEMA)
        self._db.executemany(
            "insert into article(rowid, title, headings, body) values (?, ?, ?, ?)",
            ((number, *_article_row(article)) for number, article in enumerate(self._articles)),
        )
        self._db.executemany(
            "insert into passage(rowid, title, headings, body) values (?, ?, ?, ?)",
            (
                (row, self._articles[number].title, " ".join(passage.path), passage.text)
                for row, (number, passage) in enumerate(self._passages)
            ),
        )

    def _scores(self, query: str) -> _Scores:
        scores = _Scores()
        asked = informative(query)[:MAX_WORDS]
        pairs = dict(itertools.pairwise(asked))
        for word in asked:
            weight = LIGHT_WEIGHT if word in LIGHT else 1.0
            rows = self._rows(_IN_ARTICLES, word)
            scores.best += weight * _idf(len(rows), len(self._articles))
            if rows:
                self._add(scores, word, rows, weight)
                continue
            for guess in self._guesses(word, pairs.get(word, "")):
                self._add(scores, guess, self._rows(_IN_ARTICLES, guess), weight * GUESS_WEIGHT)
        return scores

    def _add(self, scores: _Scores, word: str, rows: Sequence[tuple[int, ...]], weight: float) -> None:
        """Adds what one word is worth wherever it occurs."""
        count = len(self._articles)
        worth = weight * _idf(len(rows), count) / _sqlite_idf(len(rows), count) / SATURATION
        for number, article, title in rows:
            scores.article[number] = scores.article.get(number, 0.0) + worth * article
            scores.title[number] = scores.title.get(number, 0.0) + worth * title
        found = self._rows(_IN_PASSAGES, word)
        worth = weight * _idf(len(rows), count) / _sqlite_idf(len(found), len(self._passages)) / SATURATION
        for row, passage in found:
            scores.passage[row] = scores.passage.get(row, 0.0) + worth * passage

    def _rows(self, sql: str, word: str) -> list[tuple[int, ...]]:
        return self._db.execute(sql, ('"' + word.replace('"', '""') + '"',)).fetchall()

    def _guesses(self, word: str, following: str) -> Iterator[str]:
        """What an unknown word may stand for: half of a word written apart, or a word misspelt."""
        if word + following in self._vocabulary.get(word[:1], ()):
            yield word + following
        elif len(word) >= 5 and not any(letter.isdigit() for letter in word):
            near = [known for known in self._vocabulary.get(word[0], ()) if abs(len(known) - len(word)) <= 2]
            yield from difflib.get_close_matches(word, near, n=1, cutoff=0.82)

    def _score(self, scores: _Scores, number: int) -> float:
        passage = max((scores.passage.get(row, 0.0) for row in self._of[number]), default=0.0)
        mixed = (
            SHARES["article"] * scores.article[number]
            + SHARES["title"] * scores.title[number]
            + SHARES["passage"] * passage
        )
        return min(mixed / scores.best, 1.0)

    def _hit(self, scores: _Scores, number: int, score: float) -> Hit:
        """The article's best passage, with others that fit nearly as well while there is room, in their order."""
        rows = sorted(self._of[number], key=lambda row: -scores.passage.get(row, 0.0))
        floor = COMPANION * scores.passage.get(rows[0], 0.0)
        chosen, room = [rows[0]], HIT_TEXT - len(self._passages[rows[0]][1].text)
        for row in rows[1:]:
            room -= len(self._passages[row][1].text)
            if room < 0 or scores.passage.get(row, 0.0) < floor:
                break
            chosen.append(row)
        article = self._articles[number]
        return Hit(
            article.source, article.title, _shown([self._passages[row][1] for row in sorted(chosen)]), score
        )


def _shown(chosen: Sequence[Passage]) -> str:
    """Passages as one text, each under its heading unless that stands above already."""
    parts: list[str] = []
    path: tuple[str, ...] = ()
    for passage in chosen:
        if passage.path and passage.path != path:
            parts.append(f"## {' – '.join(passage.path)}")
        path = passage.path
        parts.append(passage.text)
    return "\n\n".join(parts)


def _article_row(article: Article) -> tuple[str, str, str]:
    headings = dict.fromkeys(heading for section in article.sections for heading in section.path)
    return article.title, " ".join(headings), "\n".join(section.text for section in article.sections)


def _vocabulary(articles: Sequence[Article]) -> dict[str, tuple[str, ...]]:
    """The articles' words by first letter."""
    by_letter: dict[str, set[str]] = {}
    for article in articles:
        for word in words("\n".join(_article_row(article))):
            by_letter.setdefault(word[0], set()).add(word)
    return {letter: tuple(sorted(known)) for letter, known in by_letter.items()}


def _idf(containing: int, total: int) -> float:
    """How much a word says that stands in so many of all articles; never negative."""
    return math.log1p((total + UNSEEN - containing + 0.5) / (containing + 0.5))


def _sqlite_idf(containing: int, total: int) -> float:
    """The idf that is inside SQLite's bm25()."""
    idf = math.log((total - containing + 0.5) / (containing + 0.5)) if containing <= total else 0.0
    return idf if idf > 0 else 1e-6
