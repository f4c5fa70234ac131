"""What is remembered for a while, and only so much of it."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")

MOST = 10_000


class Cache(Generic[Key, Value]):
    """A mapping that forgets what was put in longest ago."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._kept: OrderedDict[Key, Value] = OrderedDict()

    def put(self, key: Key, value: Value) -> Value:
        """The value, now remembered."""
        self._kept[key] = value
        self._kept.move_to_end(key)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return value

    def get(self, key: Key) -> Value | None:
        return self._kept.get(key)

    def pop(self, key: Key) -> Value | None:
        """The value, now forgotten."""
        return self._kept.pop(key, None)
