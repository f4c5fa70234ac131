"""Puts the environment into a document: `${NAME}`, `${NAME:-default}`, and `$${` for a literal `${`.

Only values are looked at, never keys. The default is taken when the variable is unset or empty. A text that stood
in the file without quotes is read again afterwards, so that `${PORT}` can be a number; one in quotes stays text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from supportbot.config.yamlfile import Document, Path, Place, scalar
from supportbot.errors import ConfigError, Problem

_MARKER = re.compile(
    r"\$(?:(?P<literal>\$\{)|\{(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}|(?P<wrong>)))"
)


def interpolate(document: Document, env: Mapping[str, str]) -> Document:
    """The document with its variables filled in. Raises ConfigError naming every variable that is missing.

    What came from the environment is noted in the places, so that no message shows it.
    """
    filling = _Filling(document, env)
    data = filling.value(document.data, ())
    if filling.problems:
        raise ConfigError(filling.problems)
    return Document(data, document.file, {**document.marks, **filling.marks})


class _Filling:
    """One pass over one document."""

    def __init__(self, document: Document, env: Mapping[str, str]) -> None:
        self._document = document
        self._env = env
        self.marks: dict[Path, Place] = {}
        self.problems: list[Problem] = []

    def value(self, value: Any, path: Path) -> Any:
        if isinstance(value, dict):
            return {key: self.value(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self.value(item, (*path, index)) for index, item in enumerate(value)]
        if isinstance(value, str) and "${" in value:
            return self._text(value, path)
        return value

    def _text(self, text: str, path: Path) -> Any:
        used: list[tuple[str, str]] = []
        filled = _MARKER.sub(lambda marker: self._marker(marker, path, used), text)
        place = self._document.marks[path]
        self.marks[path] = replace(place, variables=tuple(used), source=text, filled=filled)
        return scalar(filled) if place.plain else filled

    def _marker(self, marker: re.Match[str], path: Path, used: list[tuple[str, str]]) -> str:
        if marker["literal"]:
            return "${"
        name, default = marker["name"], marker["default"]
        if name is None:
            self._problem(path, "this ${ is not closed or has no name: write ${NAME}, or $${ for a literal ${")
            return ""
        found = self._env.get(name, "")
        if found:
            used.append((name, found))
            return found
        if default is None and name not in self._env:
            self._problem(
                path, f"the environment variable {name} is not set: set it, or write ${{{name}:-default}}"
            )
        return default or ""

    def _problem(self, path: Path, message: str) -> None:
        self.problems.append(self._document.problem(path, message))
