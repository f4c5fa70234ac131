"""Reads a channel's options; whatever is wrong is one UsageError that begins with the key's full name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from supportbot.errors import UsageError

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h)?\Z")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_COUNT = re.compile(r"(\d{1,12})\s*(KB|MB|)\Z")
_SIZES = {"": 1, "KB": 1_000, "MB": 1_000_000}


class Options:
    """The options of the channel `name`, of which `known` exist; `burst_wait` is always known, the house reads it.

    `environment` says which variable an option is taken from when the config has none, for the messages.
    """

    def __init__(
        self,
        name: str,
        options: Mapping[str, Any],
        known: Sequence[str],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._name = name
        self._options = options
        self._environment = environment or {}
        allowed = (*known, "burst_wait")
        if unknown := sorted(str(key) for key in options if key not in allowed):
            raise UsageError(f"{self.place(unknown[0])} is not known; this channel has {', '.join(allowed)}.")

    def place(self, key: str) -> str:
        """The key's full name, with which every message about it begins."""
        return f"channels.{self._name}.{key}"

    def get(self, key: str) -> Any:
        """As written, None if it is not there or empty."""
        return self._options.get(key)

    def text(self, key: str, default: str | None = None, *, pattern: str = "", like: str = "") -> str:
        """Text that fits `pattern`, of which `like` is an example or description; needed if there is no default.

        A message never shows the value, which may be a secret.
        """
        found = self._options.get(key)
        if found is None or found == "":
            if default is None:
                raise UsageError(f"{self.place(key)} is missing{self._where(key)}{f': {like}' if like else '.'}")
            return default
        if not isinstance(found, str) or (pattern and not re.fullmatch(pattern, found)):
            raise UsageError(f"{self.place(key)} is not right: it must be {like or 'text'}")
        return found

    def _where(self, key: str) -> str:
        variable = self._environment.get(key)
        return f" and the environment has no {variable}" if variable else ""

    def url(self, key: str, default: str | None = None) -> str:
        """A complete http or https address without a slash at its end; needed if there is no default."""
        found = self.text(key, default)
        try:
            parts = urlsplit(found)
            right = (
                parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port)
            )
        except ValueError:
            right = False
        if found and (not right or re.search(r"\s", found)):
            raise UsageError(f"{self.place(key)} must be a complete address that begins with https:// or http://.")
        return found.rstrip("/")

    def choice(self, key: str, allowed: Sequence[str]) -> str:
        """One of the words; the first if nothing is written."""
        found = self._options.get(key)
        if found is None:
            return allowed[0]
        if found not in allowed:
            raise UsageError(f"{self.place(key)} must be {' or '.join(allowed)}.")
        return str(found)

    def flag(self, key: str, default: bool = False) -> bool:
        found = self._options.get(key)
        if found is None:
            return default
        if not isinstance(found, bool):
            raise UsageError(f"{self.place(key)} must be true or false.")
        return found

    def words(self, key: str, *, needed: bool = False) -> tuple[str, ...]:
        """A list of texts; one text alone is a list too."""
        found = self._options.get(key)
        listed = [found] if isinstance(found, str) else found
        if not listed and needed:
            raise UsageError(f"{self.place(key)} is missing{self._where(key)}.")
        if listed is None:
            return ()
        if not isinstance(listed, list | tuple) or not all(isinstance(word, str) and word for word in listed):
            raise UsageError(f"{self.place(key)} must be a list of texts.")
        return tuple(listed)

    def count(self, key: str, default: int) -> int:
        """A whole number above 0, such as 20000 or 512KB."""
        found = self._options.get(key)
        match = None if isinstance(found, bool) else _COUNT.match(str(default if found is None else found).strip())
        count = int(match[1]) * _SIZES[match[2]] if match else 0
        if count < 1:
            raise UsageError(f"{self.place(key)} must be a whole number above 0, such as 20000 or 512KB.")
        return count

    def duration(self, key: str, default: float, *, most: float = 60.0) -> float:
        """Seconds, of a time such as 800ms or 2s."""
        found = self._options.get(key)
        if found is None:
            return default
        match = None if isinstance(found, bool) else _DURATION.match(str(found).strip())
        seconds = float(match[1]) * _SECONDS[match[2] or "s"] if match else -1.0
        if not 0 <= seconds <= most:
            raise UsageError(f"{self.place(key)} must be a time such as 0s, 800ms or 2s, at most {most:g} s.")
        return seconds
