"""A circuit breaker: after enough failures in a row a model is left alone for a while, then tried by one call. Pure.

closed --failures reach the threshold--> open --cool-down is over--> half-open --probe worked--> closed
                                           ^------------------------- probe failed --------'
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

State = Literal["closed", "open", "half-open"]


class Breaker:
    """Counts failures in a row. `threshold` 0 never opens. `cooldown` in seconds of `clock`."""

    def __init__(self, *, threshold: int, cooldown: float, clock: Callable[[], float]) -> None:
        self._threshold = threshold
        self._cooldown = cooldown
        self._clock = clock
        self._failures = 0
        self._opened_at: float | None = None
        self._probing = False

    @property
    def state(self) -> State:
        if self._opened_at is None:
            return "closed"
        return "open" if self.wait > 0 else "half-open"

    @property
    def wait(self) -> float:
        """Seconds until the next probe may go out; 0 if a call may go out now."""
        if self._opened_at is None:
            return 0.0
        return max(0.0, self._opened_at + self._cooldown - self._clock())

    def enter(self) -> bool:
        """Whether a call may go out; in the half-open state only one may until it is reported."""
        if self.state == "open" or (self.state == "half-open" and self._probing):
            return False
        self._probing = self.state == "half-open"
        return True

    def worked(self) -> bool:
        """The server answered, even if with a refusal. True if this closed the breaker."""
        closed = self._opened_at is not None
        self._failures, self._opened_at, self._probing = 0, None, False
        return closed

    def failed(self) -> bool:
        """The server was not available. True if this opened the breaker (again)."""
        self._failures += 1
        again = self._probing or (self._opened_at is None and 0 < self._threshold <= self._failures)
        self._probing = False
        if again:
            self._opened_at = self._clock()
        return again

    def left(self) -> None:
        """The call ended without telling anything about the server, such as by cancellation."""
        self._probing = False
