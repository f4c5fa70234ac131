"""Finds adapters: entry points of the group `supportbot.adapters`, or `module:attribute` in the config."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

from supportbot.errors import UsageError
from supportbot.protocols import Adapter

GROUP = "supportbot.adapters"
_EXTRAS = {"slack_bolt": "slack", "slack_sdk": "slack", "telegram": "telegram", "aiohttp": "slack"}


def known() -> tuple[str, ...]:
    """Names that `type:` may have."""
    return tuple(sorted({entry.name for entry in entry_points(group=GROUP)}))


def environment(kind: str, folder: Path | None = None) -> Mapping[str, str]:
    """The options that a channel's type takes from the environment; {} for a type that cannot be loaded."""
    try:
        return load(kind, folder).environment
    except UsageError:
        return {}


def load(kind: str, folder: Path | None = None) -> type[Adapter]:
    """The adapter class for a channel's `type`; `module:attribute` may be a file in the bot's `folder`.

    UsageError says what to install or which name was meant.
    """
    try:
        found = _find(kind, folder)
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


def _find(kind: str, folder: Path | None) -> object:
    if ":" in kind:
        module, _, attribute = kind.partition(":")
        try:
            return getattr(_module(module, folder), attribute)
        except AttributeError as error:
            raise UsageError(f"channel type {kind!r}: {module} has no {attribute}") from error
    for entry in entry_points(group=GROUP):
        if entry.name == kind:
            loaded: object = entry.load()
            return loaded
    raise UsageError(f"there is no channel type {kind!r}; known are: {', '.join(known())}")


def _module(name: str, folder: Path | None) -> ModuleType:
    """An installed module, else the file of that name in the bot's folder."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        file = folder / f"{name}.py" if folder is not None else None
        if error.name != name or file is None or not file.is_file():
            raise
        spec = importlib.util.spec_from_file_location(name, file)
        assert spec is not None and spec.loader is not None
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
        return module
