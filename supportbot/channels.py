"""Finds adapters: entry points of the group `supportbot.adapters`, or `module:attribute` in the config."""

from __future__ import annotations

import importlib
from importlib.metadata import entry_points

from supportbot.errors import UsageError
from supportbot.protocols import Adapter

GROUP = "supportbot.adapters"
_EXTRAS = {"slack_bolt": "slack", "slack_sdk": "slack", "telegram": "telegram", "aiohttp": "slack"}


def known() -> tuple[str, ...]:
    """Names that `type:` may have."""
    return tuple(sorted({entry.name for entry in entry_points(group=GROUP)}))


def load(kind: str) -> type[Adapter]:
    """The adapter class for a channel's `type`. UsageError says what to install or which name was meant."""
    try:
        found = _find(kind)
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get((error.name or "").split(".")[0])
        if extra is None:
            raise UsageError(
                f"channel type {kind!r} cannot be loaded: there is no module {error.name!r}"
            ) from error
        raise UsageError(
            f"channel type {kind!r} needs a package that is not installed: "
            f"pip install 'supportbot-framework[{extra}]'"
        ) from error
    if not (isinstance(found, type) and issubclass(found, Adapter)):
        raise UsageError(f"channel type {kind!r} is not an Adapter class")
    return found


def _find(kind: str) -> object:
    if ":" in kind:
        module, _, attribute = kind.partition(":")
        try:
            return getattr(importlib.import_module(module), attribute)
        except AttributeError as error:
            raise UsageError(f"channel type {kind!r}: {module} has no {attribute}") from error
    for entry in entry_points(group=GROUP):
        if entry.name == kind:
            loaded: object = entry.load()
            return loaded
    raise UsageError(f"there is no channel type {kind!r}; known are: {', '.join(known())}")
