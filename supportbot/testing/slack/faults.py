"""What goes wrong between a client and Slack on purpose, and how fast Slack lets anyone go. No I/O."""

from __future__ import annotations

import math
import random
import time
from collections import Counter, defaultdict, deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

HTML = "<!doctype html><html><body><h1>Something has gone wrong</h1></body></html>"
# A client that keeps 1 message a second may come this much early, because schedulers are not exact.
_EARLY = 0.2

# Calls a minute: docs.slack.dev/apis/web-api/rate-limits and the page of each method.
TIERS: Mapping[str, float] = {
    "chat.update": 50,
    "chat.delete": 50,
    "chat.startStream": 20,
    "chat.stopStream": 20,
    "chat.appendStream": 100,
    "chat.postEphemeral": 100,
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One bad answer. `accepted`: the call takes effect first, and only its answer is lost.

    `kind`: "http" answers `status` with `body` as HTML; "error" answers ok:false with `error`; "ratelimited" answers
    429 with Retry-After `seconds`; "hang" never answers; "reset" ends the connection with a TCP reset.
    """

    kind: Literal["http", "error", "ratelimited", "hang", "reset"]
    status: int = 503
    body: str = HTML
    error: str = "internal_error"
    seconds: int = 1
    accepted: bool = False


HANG = Fault("hang")
RESET = Fault("reset")
RESET_AFTER_ACCEPTING = Fault("reset", accepted=True)
CHAOS = (RESET, RESET_AFTER_ACCEPTING, Fault("http"), Fault("error"), Fault("ratelimited"))


class Faults:
    """The faults to come. What `next` asks for goes first, then chaos, then `always`; "*" means any method."""

    def __init__(self) -> None:
        self._always: dict[str, Fault] = {}
        self._next: defaultdict[str, deque[Fault | None]] = defaultdict(deque)
        self._share = 0.0
        self._random = random.Random(0)  # noqa: S311 - repeatable on purpose
        self._kinds: Sequence[Fault] = ()
        self._methods: Collection[str] = ()
        self.ledger: list[tuple[float, str, Fault]] = []

    def always(self, method: str, fault: Fault | None) -> None:
        """Every call of the method ends like this from now on; None ends that."""
        if fault is None:
            self._always.pop(method, None)
        else:
            self._always[method] = fault

    def next(self, method: str, *faults: Fault | None) -> None:
        """The method's next calls end like this; None lets one pass."""
        self._next[method].extend(faults)

    def chaos(
        self, share: float, seed: int, kinds: Sequence[Fault] = CHAOS, methods: Collection[str] = ("*",)
    ) -> None:
        """A share of the calls ends in one of the kinds, the same ones for the same seed; 0 ends that."""
        self._share, self._kinds, self._methods = share, tuple(kinds), methods
        self._random = random.Random(seed)  # noqa: S311

    def take(self, method: str) -> Fault | None:
        """How this call ends, None for well."""
        fault = self._next_for(method)
        if fault is not None:
            self.ledger.append((time.monotonic(), method, fault))
        return fault

    def _next_for(self, method: str) -> Fault | None:
        for name in (method, "*"):
            if self._next[name]:
                return self._next[name].popleft()
        wild = self._kinds and ("*" in self._methods or method in self._methods)
        if wild and self._random.random() < self._share:
            return self._random.choice(self._kinds)
        return self._always.get(method, self._always.get("*"))


class Pace:
    """Slack's rate limits: messages per channel, calls per method. `refused` counts by method."""

    def __init__(self, *, burst: int, seconds: float, tiers: Mapping[str, float]) -> None:
        self._burst, self._seconds, self._tiers = burst, seconds, tiers
        self._due: dict[str, float] = {}
        self.refused: Counter[str] = Counter()

    def message(self, method: str, channel: str, now: float) -> int:
        """0 if a message may go into the channel now, else the whole seconds to wait."""
        return self._admit(f"message:{channel}", method, now, self._seconds, self._burst)

    def call(self, method: str, now: float) -> int:
        """0 if the method may be called now, else the whole seconds to wait. A minute's worth may come at once."""
        tier = self._tiers.get(method)
        return 0 if tier is None else self._admit(method, method, now, 60 / tier, max(1, int(tier)))

    def _admit(self, key: str, method: str, now: float, seconds: float, burst: int) -> int:
        due = max(now, self._due.get(key, now))
        wait = due - (burst - 1) * seconds - now
        if seconds and wait > _EARLY * min(1.0, seconds):
            self.refused[method] += 1
            return max(1, math.ceil(wait))
        self._due[key] = due + seconds
        return 0
