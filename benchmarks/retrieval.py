"""How well articles are found, and questions refused that no article answers: `retrieval.py --data FOLDER`.

FOLDER holds `kb_stackfaq/{corpus,queries}.jsonl` ({id, title, text}, {id, text, gold}) and, for the refusals,
`intent_banking77/oos_dev.csv` and `test.csv` (column `text`). The baseline is plain FTS5 with porter stemming.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import re
import sqlite3
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from supportbot.errors import NoAnswer
from supportbot.knowledge.articles import parse
from supportbot.knowledge.fts import ArticleIndex
from supportbot.models.offline import OfflineModel
from supportbot.types import ModelRequest

DEPTHS = (1, 3, 5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    data = parser.parse_args().data
    corpus, queries = _lines(data / "kb_stackfaq/corpus.jsonl"), _lines(data / "kb_stackfaq/queries.jsonl")
    articles = [parse(f"# {row['title']}\n\n{row['text']}", row["id"]) for row in corpus]
    _row("baseline FTS5 porter", _hits(_baseline(corpus, [query["text"] for query in queries]), queries))
    index = ArticleIndex(articles)
    started = time.perf_counter()
    found = [index.find(query["text"], limit=5) for query in queries]
    seconds = time.perf_counter() - started
    _row("ArticleIndex", _hits([[hit.source for hit in hits] for hits in found], queries))
    print(f"{len(articles)} articles, {seconds / len(queries) * 1000:.2f} ms a search")
    _refusals(index, [query["text"] for query in queries], data / "intent_banking77")
    _offline(found, queries)


def _refusals(index: ArticleIndex, inside: Sequence[str], folder: Path) -> None:
    """Shows how many foreign questions fall below the scores that keep 95, 90, … % of the article questions."""
    kept = sorted(_top(index, inside))
    strangers = {
        "out of scope": _texts(folder / "oos_dev.csv"),
        "another business": _texts(folder / "test.csv")[::10],
    }
    for name, questions in strangers.items():
        scores = _top(index, questions)
        auc = sum(sum(score < other for score in scores) for other in kept) / len(kept) / len(scores)
        print(f"{name}: {len(scores)} questions, AUC {auc:.3f}")
        for share in (95, 90, 85, 80):
            limit = kept[len(kept) * (100 - share) // 100]
            refused = 100 * sum(score < limit for score in scores) / len(scores)
            print(f"  keeps {share} % at {limit:.3f}: refuses {refused:.1f} %")


def _offline(found: Sequence[Any], queries: Sequence[Any]) -> None:
    """The offline model on the same questions: how many it answers, and from the right article."""
    print("offline model, by threshold: answered, of these from the right article")
    for threshold in (0.12, 0.15, 0.18, 0.2, 0.22, 0.25, 0.3):
        answers = asyncio.run(_answers(OfflineModel(threshold=threshold), found, queries))
        right = sum(source in query["gold"] for source, query in zip(answers, queries, strict=True) if source)
        given = sum(map(bool, answers))
        print(f"  {threshold:.2f}: {100 * given / len(queries):.1f} %, {100 * right / max(given, 1):.1f} %")


async def _answers(model: OfflineModel, found: Sequence[Any], queries: Sequence[Any]) -> list[str]:
    sources = []
    for hits, query in zip(found, queries, strict=True):
        try:
            answer = await model.complete(ModelRequest((), hits=hits, question=query["text"]), seconds=1)
            sources.append(answer.sources[0])
        except NoAnswer:
            sources.append("")
    return sources


def _baseline(corpus: Sequence[Any], questions: Iterable[str]) -> list[list[str]]:
    database = sqlite3.connect(":memory:")
    database.execute("create virtual table doc using fts5(title, text, tokenize='porter unicode61')")
    database.executemany("insert into doc values (?, ?)", [(row["title"], row["text"]) for row in corpus])
    sql = "select rowid from doc where doc match ? order by rank limit 5"
    found = []
    for question in questions:
        match = " OR ".join(f'"{word}"' for word in dict.fromkeys(re.findall(r"\w+", question.lower())))
        found.append([corpus[row - 1]["id"] for (row,) in database.execute(sql, (match,))])
    database.close()
    return found


def _hits(found: Sequence[Sequence[str]], queries: Sequence[Any]) -> list[float]:
    pairs = list(zip(found, queries, strict=True))
    return [
        100 * sum(bool(set(ids[:depth]) & set(query["gold"])) for ids, query in pairs) / len(pairs)
        for depth in DEPTHS
    ]


def _row(name: str, shares: Sequence[float]) -> None:
    print(f"{name}: hit@1/3/5 {' / '.join(f'{share:.1f}' for share in shares)} %")


def _top(index: ArticleIndex, questions: Iterable[str]) -> list[float]:
    return [hits[0].score if (hits := index.find(question, limit=1)) else 0.0 for question in questions]


def _lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def _texts(path: Path) -> list[str]:
    with path.open(encoding="utf-8", newline="") as file:
        return [row["text"] for row in csv.DictReader(file)]


if __name__ == "__main__":
    main()
