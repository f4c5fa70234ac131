"""How the stand-in for Telegram fails on demand: for the next calls, for every call, or for a share of them."""

from __future__ import annotations

import random
import time
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

FaultKind = Literal[
    "error",
    "rate limit",
    "bad gateway",
    "hang",
    "reset",
    "hang after accepting",
    "reset after accepting",
]


@dataclass(frozen=True, slots=True)
class Fault:
    """One failure. "error" answers `error_code`, `description` and `parameters`; "rate limit" 429 with `retry_after`.

    "bad gateway" is an HTML page with 502. "hang" says nothing for `seconds` and "reset" breaks the connection, both
    before the call takes effect; "… after accepting" after it took effect, so that it stands in the ledger.
    """

    kind: FaultKind = "error"
    error_code: int = 500
    description: str = "Internal Server Error"
    parameters: Mapping[str, int] = field(default_factory=dict)
    retry_after: int = 1
    seconds: float = 3600.0

    @property
    def accepts(self) -> bool:
        """Whether the call takes effect all the same."""
        return self.kind.endswith("after accepting")


BAD_GATEWAY = Fault("bad gateway")
HANG = Fault("hang")
RESET = Fault("reset")
HANG_AFTER_ACCEPTING = Fault("hang after accepting")
RESET_AFTER_ACCEPTING = Fault("reset after accepting")
_CHAOS = (Fault("rate limit"), BAD_GATEWAY, RESET, RESET_AFTER_ACCEPTING)


class Faults:
    """The failures that are ordered. "*" stands for any method, "file" for a download."""

    def __init__(self) -> None:
        self._always: dict[str, Fault] = {}
        self._next: defaultdict[str, deque[Fault | None]] = defaultdict(deque)
        self._share = 0.0
        self._dice = random.Random(0)  # noqa: S311 - repeatable, not secret
        self._kinds: Sequence[Fault] = _CHAOS
        self._methods: frozenset[str] = frozenset()
        self.ledger: list[tuple[float, str, Fault]] = []

    def always(self, method: str, fault: Fault | None) -> None:
        """Every call of the method fails like this from now on; None ends it."""
        if fault is None:
            self._always.pop(method.lower(), None)
        else:
            self._always[method.lower()] = fault

    def next(self, method: str, *faults: Fault | None) -> None:
        """The next calls of the method fail like this, one after the other; None lets one pass."""
        self._next[method.lower()].extend(faults)

    def chaos(self, share: float, seed: int, kinds: Sequence[Fault], methods: Sequence[str]) -> None:
        """A share of the calls fails, the same ones for the same seed."""
        self._share, self._dice = share, random.Random(seed)  # noqa: S311
        self._kinds = kinds or _CHAOS
        self._methods = frozenset(method.lower() for method in methods)

    def take(self, method: str) -> Fault | None:
        """The fault of this call, None if it goes well."""
        fault = self._next_for(method)
        if fault is not None:
            self.ledger.append((time.time(), method, fault))
        return fault

    def _next_for(self, method: str) -> Fault | None:
        for name in (method.lower(), "*"):
            if self._next[name]:
                return self._next[name].popleft()
        for name in (method.lower(), "*"):
            if name in self._always:
                return self._always[name]
        if not self._share or (self._methods and method.lower() not in self._methods):
            return None
        return self._dice.choice(self._kinds) if self._dice.random() < self._share else None
