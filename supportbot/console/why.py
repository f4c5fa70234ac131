"""Why a turn came out as it did, in plain words: what was decided, in order, with sources, tools and money."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from supportbot.console.words import money, plain
from supportbot.types import Usage

_SENTENCES: Mapping[str, str] = {
    "understood": "Understood the message",
    "search": "Searched the articles",
    "extract": "Looked for an answer in the articles",
    "tool": "Called a tool",
    "call": "Called a tool",
    "model": "Asked the model",
    "model failed": "The model failed",
    "no answer": "Asked, and did not understand the answer",
    "handoff": "Handed over to a human",
    "desk": "Chose a desk",
    "assigned": "Offered it to an agent",
    "claimed": "An agent took it",
    "released": "Free for others again",
    "transferred": "Given to somebody else",
    "refused": "Not carried out",
    "note": "A note for colleagues",
    "resolved": "A human resolved it",
    "returned": "Back with the bot",
    "cancelled": "The customer went back to the bot",
    "expired": "The time was up",
    "reopened": "Opened again",
    "rated": "The customer gave a rating",
    "brief": "Summed it up for the human",
    "silent": "Said nothing",
    "notice": "Told the customer",
    "trimmed": "Left old turns out of the model's view",
    "late": "The agent was reminded",
    "corrected": "The customer corrected an answer",
    "waits": "A call waits",
    "approved": "A call was approved",
    "dropped": "A call was dropped",
    "code sent": "Sent a one-time code",
    "code": "Checked a one-time code",
    "undelivered": "A message was not delivered",
    "unplaced": "The desk could not be reached",
    "rule failed": "A rule could not be tried",
    "empty reply": "A reply came out empty",
    "forgotten": "Forgot what belonged to somebody else",
}


@dataclass(frozen=True, slots=True)
class Source:
    title: str
    place: str
    score: float


@dataclass(frozen=True, slots=True)
class Step:
    """One decision: a sentence, its facts as (name, value), and the passages it found."""

    sentence: str
    facts: tuple[tuple[str, str], ...]
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class Spent:
    """What the turn's model calls cost together; `dollars` is "" while a price is unknown."""

    calls: int
    tokens_in: int
    tokens_out: int
    dollars: str


def steps(found: Sequence[Mapping[str, Any]]) -> tuple[Step, ...]:
    return tuple(_step(one) for one in found)


def _step(step: Mapping[str, Any]) -> Step:
    name = str(step.get("step", ""))
    facts = tuple(
        (key.replace("_", " "), plain(value))
        for key, value in step.items()
        if key not in ("step", "hits") and value not in ("", None, [], {})
    )
    return Step(_SENTENCES.get(name, name.capitalize()), facts, _sources(step.get("hits")))


def _sources(hits: Any) -> tuple[Source, ...]:
    if not isinstance(hits, list):
        return ()
    return tuple(
        Source(str(hit.get("title", "")), str(hit.get("source", "")), float(hit.get("score", 0.0)))
        for hit in hits
        if isinstance(hit, Mapping)
    )


def spent(usage: Sequence[Usage]) -> Spent:
    known = [one.cost for one in usage if one.cost is not None]
    complete = len(known) == len(usage)
    return Spent(
        len(usage),
        sum(one.prompt_tokens for one in usage),
        sum(one.completion_tokens for one in usage),
        money(sum(known)) if complete else "",
    )
