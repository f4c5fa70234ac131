"""Figures about a period, for the people who run a desk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)
LONGEST = 366
"""Days that a period has at most."""


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days from `first` to `last` (both count), as the clock in `zone` shows them, on one channel or on all ("")."""

    first: date
    last: date
    zone: str = "UTC"
    channel: str = ""

    @property
    def days(self) -> tuple[date, ...]:
        return tuple(self.first + _DAY * at for at in range((self.last - self.first).days + 1))

    @property
    def bounds(self) -> tuple[float, ...]:
        """Seconds since the epoch at which each day begins, and at which the last one ends."""
        zone = ZoneInfo(self.zone)
        return tuple(datetime.combine(day, time(), zone).timestamp() for day in (*self.days, self.last + _DAY))

    @property
    def before(self) -> Period:
        """As many days right before."""
        return replace(self, first=self.first - _DAY * len(self.days), last=self.first - _DAY)


@dataclass(frozen=True, slots=True)
class Volume:
    """What happened on a channel on one day.

    `conversations` are those that began; `handed_over` says how many of them have been with a human since, on whatever
    day. `messages` are customers', `replies` the bot's, `agent_replies` humans'. `unanswered` are turns.
    """

    day: date
    channel: str
    conversations: int = 0
    messages: int = 0
    replies: int = 0
    agent_replies: int = 0
    handoffs: int = 0
    handed_over: int = 0
    unanswered: int = 0


@dataclass(frozen=True, slots=True)
class Spending:
    """What a model used on one day: tokens as its provider counted them, `cost` in micro-dollars.

    `unpriced` of the `calls` used tokens whose price is not known; they are not in `cost`.
    """

    day: date
    model: str
    calls: int = 0
    prompt: int = 0
    cached: int = 0
    completion: int = 0
    cost: int = 0
    unpriced: int = 0


@dataclass(frozen=True, slots=True)
class Spread:
    """How long something took, in seconds; `count` is how often it happened, 0 makes the others 0."""

    count: int = 0
    median: float = 0.0
    p90: float = 0.0


@dataclass(frozen=True, slots=True)
class Times:
    """`waiting`: until an agent took it, `answer`: until a human's first words, `resolution`: until a human ended it;
    `open_waiting`: the open hours of `waiting`, the same if humans are there around the clock."""

    waiting: Spread = Spread()
    open_waiting: Spread = Spread()
    answer: Spread = Spread()
    resolution: Spread = Spread()


@dataclass(frozen=True, slots=True)
class AgentFigures:
    """What one agent of a desk did with the handoffs of the period that they have, or had at the end."""

    name: str
    desk: str
    handoffs: int
    resolved: int
    answer: Spread = Spread()
    ratings: int = 0
    average: float = 0.0


@dataclass(frozen=True, slots=True)
class Handoffs:
    """The handoffs that were requested in a period.

    `by_day` counts for each day by reason, `times` are by day, `ratings` are those for 1 to 5 stars. `asked` are the
    ones that a human resolved, after which customers can rate. `waits` counts the waiting times that lie under each of
    `WAITS` and over the one before it, the rest last.
    """

    total: int
    statuses: Mapping[str, int]
    reasons: Mapping[str, int]
    desks: Mapping[str, int]
    agents: tuple[AgentFigures, ...]
    by_day: tuple[Mapping[str, int], ...]
    times: tuple[Times, ...]
    overall: Times
    waits: tuple[int, ...]
    asked: int
    ratings: tuple[int, int, int, int, int]
    average_by_day: tuple[float | None, ...]
    ratings_by_day: tuple[int, ...]

    @property
    def rated(self) -> int:
        return sum(self.ratings)

    @property
    def average(self) -> float | None:
        """The stars' average, None without a rating."""
        return (
            sum(stars * count for stars, count in enumerate(self.ratings, 1)) / self.rated if self.rated else None
        )


WAITS = (60.0, 300.0, 900.0, 3600.0, 4 * 3600.0)
"""Seconds at which the waiting times are told apart."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question that was left open: the customer's words, cut to a few hundred characters."""

    text: str
    conversation: str
    channel: str
    at: float


@dataclass(frozen=True, slots=True)
class Frequent:
    """The same question more than once, apart from case, punctuation and accents; `latest` is how it was put last."""

    latest: Question
    count: int


@dataclass(frozen=True, slots=True)
class Unanswered:
    """`newest` first; `frequent` is taken from the newest `looked_at` of `total`."""

    total: int
    newest: tuple[Question, ...]
    frequent: tuple[Frequent, ...]
    looked_at: int


@dataclass(frozen=True, slots=True)
class Failed:
    """A message that could not be delivered. `may_retry`: sending it once more makes sense."""

    id: str
    conversation: str
    channel: str
    kind: str
    error: str
    at: float
    attempts: int
    text: str
    may_retry: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """An update that was set aside because it cannot be read."""

    channel: str
    id: str
    reason: str
    at: float


@dataclass(frozen=True, slots=True)
class Deliveries:
    """What failed and still lies there, newest first, at most a few hundred of each; the counts are whole.

    `by_channel` is (channel, kind) -> how many.
    """

    dead: int
    failed: tuple[Failed, ...]
    by_channel: Mapping[tuple[str, str], int]
    set_aside: int
    refused: tuple[Refused, ...]
