"""Customer turns to send: real dialogues and questions from a data folder given by path, or a small built-in set."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Customer:
    """One conversation: what its customer writes, in order."""

    conversation: str
    texts: tuple[str, ...]


def customers(data: Path | None, messages: int) -> list[Customer]:
    """Enough conversations for `messages` messages; the dialogues come first."""
    found: list[Customer] = []
    total = 0
    for customer in _read(data) if data else _built_in():
        found.append(customer)
        total += len(customer.texts)
        if total >= messages:
            break
    return found


def _read(data: Path) -> Iterator[Customer]:
    with (data / "conv_sgd" / "dialogues.jsonl").open(encoding="utf-8") as file:
        for line in file:
            dialogue = json.loads(line)
            texts = tuple(turn["content"] for turn in dialogue["turns"] if turn["role"] == "user")
            yield Customer(f"sgd-{dialogue['id']}", texts)
    with (data / "intent_banking77" / "test.csv").open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.DictReader(file)):
            yield Customer(f"bank-{number}", (row["text"],))
    with (data / "kb_stackfaq" / "queries.jsonl").open(encoding="utf-8") as file:
        for number, line in enumerate(islice(file, 100_000)):
            yield Customer(f"faq-{number}", (json.loads(line)["text"],))


def _built_in() -> Iterator[Customer]:
    texts = ("hello", "where is my parcel?", "it should have come on Monday", "thank you", "one more thing", "bye")
    for number in range(100_000):
        yield Customer(f"built-in-{number}", texts[: 1 + number % len(texts)])
