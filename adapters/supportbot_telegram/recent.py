"""What is remembered of late, and no more than that."""

from __future__ import annotations

from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")

_MOST = 1_000


class Recent(dict[K, V]):
    """A dictionary that forgets its oldest entries."""

    def keep(self, key: K, value: V) -> None:
        self.pop(key, None)
        while len(self) >= _MOST:
            del self[next(iter(self))]
        self[key] = value
