"""How many calls of a method may be spent on what only looks nice, so that Slack never has to refuse the rest."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

_WINDOW = 60.0


class Budget:
    """At most `most` units in any minute. Nobody waits for a unit: who gets none does without."""

    def __init__(self, most: int, clock: Callable[[], float]) -> None:
        self._most = most
        self._clock = clock
        self._spent: deque[float] = deque()

    def take(self, units: int = 1) -> bool:
        """Whether there were so many left; they are spent then."""
        now = self._clock()
        while self._spent and self._spent[0] <= now - _WINDOW:
            self._spent.popleft()
        if len(self._spent) + units > self._most:
            return False
        self._spent.extend([now] * units)
        return True
