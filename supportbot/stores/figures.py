"""Rows of handoffs as figures.

1. A handoff belongs to the day on which it was requested, also when it was answered or ended later.
2. Nobody waited where a human stepped in by themselves (reason "human"): such a handoff has a resolution time only.
3. What has not happened yet has no time; a handoff that was opened again counts from then on.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from supportbot.types.reports import WAITS, AgentFigures, Handoffs, Period, Spread, Times

Row = tuple[float, float | None, float | None, str, str, str, str, float | None, int | None]
"""(requested_at, claimed_at, ended_at, status, reason, desk, agent, answered_at, rating)"""
OpenSeconds = Callable[[float, float], float]
"""The open time between two moments, in seconds."""

_BY_HUMANS = ("resolved", "returned")


def spread(values: Iterable[float]) -> Spread:
    ordered = sorted(values)
    if not ordered:
        return Spread()
    return Spread(len(ordered), _quantile(ordered, 0.5), _quantile(ordered, 0.9))


def _quantile(ordered: Sequence[float], share: float) -> float:
    """Between the two values that lie around it."""
    place = (len(ordered) - 1) * share
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


@dataclass(slots=True)
class _Lengths:
    """How long it took, of one day or of all."""

    waiting: list[float] = field(default_factory=list)
    open_waiting: list[float] = field(default_factory=list)
    answer: list[float] = field(default_factory=list)
    resolution: list[float] = field(default_factory=list)

    def times(self) -> Times:
        return Times(*(spread(each) for each in (self.waiting, self.open_waiting, self.answer, self.resolution)))

    def add(self, row: Row, first: float | None, open_seconds: OpenSeconds | None) -> None:
        """`first` is when a human first answered."""
        requested, claimed, ended, status, reason, *_ = row
        if claimed is not None and reason != "human":
            self.waiting.append(claimed - requested)
            self.open_waiting.append(open_seconds(requested, claimed) if open_seconds else claimed - requested)
        if first is not None:
            self.answer.append(first - requested)
        if ended is not None and status in _BY_HUMANS:
            self.resolution.append(ended - requested)

    def take(self, other: _Lengths) -> None:
        self.waiting += other.waiting
        self.open_waiting += other.open_waiting
        self.answer += other.answer
        self.resolution += other.resolution


@dataclass(slots=True)
class _Agent:
    handoffs: int = 0
    resolved: int = 0
    answer: list[float] = field(default_factory=list)
    stars: list[int] = field(default_factory=list)

    def figures(self, name: str, desk: str) -> AgentFigures:
        average = sum(self.stars) / len(self.stars) if self.stars else 0.0
        return AgentFigures(
            name, desk, self.handoffs, self.resolved, spread(self.answer), len(self.stars), average
        )


def handoffs(rows: Iterable[Row], period: Period, open_seconds: OpenSeconds | None) -> Handoffs:
    """The figures of the rows, all of which were requested in the period."""
    bounds = period.bounds
    lengths = [_Lengths() for _ in bounds[1:]]
    reasons: list[Counter[str]] = [Counter() for _ in lengths]
    stars: list[list[int]] = [[] for _ in lengths]
    statuses: Counter[str] = Counter()
    desks: Counter[str] = Counter()
    agents: defaultdict[tuple[str, str], _Agent] = defaultdict(_Agent)
    for row in rows:
        requested, _, _, status, reason, desk, agent, answered, rating = row
        day = bisect_right(bounds, requested) - 1
        reasons[day][reason] += 1
        statuses[status] += 1
        desks[desk] += 1
        first = answered if answered is not None and answered >= requested and reason != "human" else None
        lengths[day].add(row, first, open_seconds)
        if rating:
            stars[day].append(rating)
        if agent:
            _credit(agents[agent, desk], status, None if first is None else first - requested, rating)
    overall = _Lengths()
    for each in lengths:
        overall.take(each)
    given = Counter(star for each in stars for star in each)
    return Handoffs(
        total=statuses.total(),
        statuses=dict(statuses.most_common()),
        reasons=dict(sum(reasons, Counter[str]()).most_common()),
        desks=dict(desks.most_common()),
        agents=tuple(
            one.figures(name, desk)
            for (name, desk), one in sorted(agents.items(), key=lambda item: (-item[1].handoffs, item[0]))
        ),
        by_day=tuple(dict(each) for each in reasons),
        times=tuple(each.times() for each in lengths),
        overall=overall.times(),
        waits=_told_apart(overall.waiting),
        asked=statuses["resolved"],
        ratings=(given[1], given[2], given[3], given[4], given[5]),
        average_by_day=tuple(sum(each) / len(each) if each else None for each in stars),
        ratings_by_day=tuple(len(each) for each in stars),
    )


def _credit(agent: _Agent, status: str, answer: float | None, rating: int | None) -> None:
    agent.handoffs += 1
    agent.resolved += status == "resolved"
    if answer is not None:
        agent.answer.append(answer)
    if rating:
        agent.stars.append(rating)


def _told_apart(waits: Iterable[float]) -> tuple[int, ...]:
    counts = Counter(bisect_right(WAITS, each) for each in waits)
    return tuple(counts[at] for at in range(len(WAITS) + 1))
