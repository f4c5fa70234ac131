"""Remembers for a while what we changed at the helpdesk and what came from there, so that nothing goes round.

A help beside the mapping's `ours`, not instead of it: it is lost in a restart. What it forgets makes a note or a
status that changes nothing.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

MOST = 10_000
SOON = 60.0
"""Seconds in which the delivery about our own change is expected."""
LATER = 3600.0


class Remembered:
    """A bounded set whose members fade."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._until: OrderedDict[Any, float] = OrderedDict()

    def add(self, one: Any) -> None:
        self._until[one] = self._clock() + self._seconds
        self._until.move_to_end(one)
        while len(self._until) > MOST:
            self._until.popitem(last=False)

    def take(self, one: Any) -> bool:
        """Whether it is remembered; it is not from now on."""
        return self._clock() < self._until.pop(one, float("-inf"))

    def __contains__(self, one: Any) -> bool:
        return self._clock() < self._until.get(one, float("-inf"))


class Tickets:
    """The handoffs whose tickets we have made or found, by desk and ticket. The house knows a ticket only once its row
    is done, and until then agents write there already."""

    def __init__(self) -> None:
        self._handoffs: OrderedDict[tuple[str, str], str] = OrderedDict()

    def add(self, desk: str, ticket: str, handoff: str) -> None:
        self._handoffs[desk, ticket] = handoff
        while len(self._handoffs) > MOST:
            self._handoffs.popitem(last=False)

    def handoff(self, desk: str, ticket: str) -> str:
        """The handoff's id, "" if it is none of ours."""
        return self._handoffs.get((desk, ticket), "")


class Echoes:
    """`posted`: (ticket, message id) of ours. `expected`: (ticket, word) that our own change will bring. `theirs`:
    (ticket, status, agent's id) that has happened at the helpdesk, so that it need not be told of it."""

    def __init__(self) -> None:
        self.posted = Remembered(LATER)
        self.expected = Remembered(SOON)
        self.theirs = Remembered(LATER)
