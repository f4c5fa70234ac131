"""Secrets kept in files of their own: `api_key_file: secrets/openai` gives `api_key`.

A key that ends in `secrets_file`, `keys_file` or `tokens_file` gives a list, one entry per line. Paths begin at the
config's folder. A message names the file, never what is in it.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

from supportbot.config.findings import Finding
from supportbot.config.yamlfile import Document, Path, Place, decode, read_bytes
from supportbot.errors import ConfigError, Problem

MAX_BYTES = 65_536
_LISTS = ("secrets", "keys", "tokens")
_DECLARED: tuple[tuple[str, ...], ...] = (
    ("model", "api_key_file"),
    ("handoff", "notify_secret_file"),
    ("console", "oidc", "client_secret_file"),
)


@dataclass(frozen=True, slots=True)
class Filled:
    """The document with its secrets, and what was met on the way; `contents` is every file read, by its path."""

    document: Document
    problems: tuple[Problem, ...]
    findings: tuple[Finding, ...]
    contents: dict[str, bytes] = field(repr=False)


def fill(document: Document, folder: FilePath) -> Filled:
    """Reads every secret file that the document names."""
    problems: list[Problem] = []
    findings: list[Finding] = []
    contents: dict[str, bytes] = {}
    marks = dict(document.marks)
    data = document.data
    for path in _named(data):
        try:
            secret = _secret(document, path, _at(data, path), folder, contents)
        except ConfigError as error:
            problems.extend(error.problems)
            continue
        findings.extend(_readable_by_all(document, path, _resolved(folder, _at(data, path))))
        target = (*path[:-1], str(path[-1]).removesuffix("_file"))
        data = _with(data, target, secret, drop=path if path[0] == "channels" else None)
        for place in (target, *((*target, index) for index in range(len(secret)) if isinstance(secret, list))):
            marks[place] = _place(marks[path], _at(data, place))
        if path[0] == "channels":
            del marks[path]
    return Filled(Document(data, document.file, marks), tuple(problems), tuple(findings), contents)


def _named(data: Any) -> Iterator[Path]:
    """The paths of all keys that name a secret file."""
    if not isinstance(data, dict):
        return
    for path in _DECLARED:
        value: Any = data
        for step in path:
            value = value.get(step) if isinstance(value, dict) else None
        if isinstance(value, str):
            yield path
    channels = data.get("channels")
    for name, options in channels.items() if isinstance(channels, dict) else ():
        for key in options if isinstance(options, dict) else ():
            if key.endswith("_file") and key != "_file" and options[key] is not None:
                yield ("channels", name, key)


def _at(data: Any, path: Path) -> Any:
    for step in path:
        data = data[step]
    return data


def _resolved(folder: FilePath, name: str) -> FilePath:
    return folder / FilePath(name).expanduser() if name.startswith("~/") else folder / name


def _secret(
    document: Document, path: Path, name: object, folder: FilePath, contents: dict[str, bytes]
) -> str | list[str]:
    """What the file holds. Raises ConfigError at the place in the config that names it."""
    key = str(path[-1])
    target = key.removesuffix("_file")
    if not isinstance(name, str) or not name:
        raise ConfigError([document.problem(path, f"'{key}' must be the path of a file")])
    if _at(document.data, path[:-1]).get(target):
        raise ConfigError([document.problem(path, f"both '{target}' and '{key}' are set: keep one", key=True)])
    file = _resolved(folder, name)
    try:
        content = read_bytes(file, limit=MAX_BYTES)
        lines = [line.strip() for line in decode(content, str(file)).strip().splitlines() if line.strip()]
    except (ConfigError, RuntimeError) as error:
        reason = error.problems[0].message if isinstance(error, ConfigError) else "there is no such home folder"
        raise ConfigError([document.problem(path, f"the secret file '{name}': {reason}")]) from None
    if not lines:
        raise ConfigError([document.problem(path, f"the secret file '{name}' is empty")])
    contents[name] = content
    if target.endswith(_LISTS):
        return lines
    if len(lines) > 1:
        raise ConfigError(
            [document.problem(path, f"the secret file '{name}' must have one line, not {len(lines)}")]
        )
    return lines[0]


def _readable_by_all(document: Document, path: Path, file: FilePath) -> Iterator[Finding]:
    if file.stat().st_mode & stat.S_IROTH:
        message = f"every user of this machine can read the secret file: chmod 600 {file}"
        yield Finding("warning", document.problem(path, message))


def _with(data: dict[str, Any], path: Path, value: Any, *, drop: Path | None) -> dict[str, Any]:
    """A copy of the data with `value` at `path`, and without the key `drop` beside it."""
    step, rest = str(path[0]), path[1:]
    if rest:
        return {**data, step: _with(data[step], rest, value, drop=drop[1:] if drop else None)}
    kept = {key: item for key, item in data.items() if drop is None or key != drop[0]}
    return {**kept, step: value}


def _place(named: Place, secret: Any) -> Place:
    """The place of the name of the file, marked so that its content is never shown."""
    shown = (("secret file", secret),) if isinstance(secret, str) else ()
    return Place(named.value, named.key, variables=shown, source="the content of the file", filled=str(secret))


def written(document: Document) -> Iterator[Finding]:
    """A warning for each secret that stands in the config itself."""
    for path, place in document.marks.items():
        value: Any = document.data
        for step in path:
            value = value[step]
        if isinstance(value, str) and value and not place.variables and _is_secret(path):
            message = (
                f"a secret stands in this file: write ${{NAME}} here, or '{_key(path)}_file' and a file's path"
            )
            yield Finding("warning", document.problem(path, message))


def _key(path: Path) -> str:
    return str(next((step for step in reversed(path) if isinstance(step, str)), ""))


def _is_secret(path: Path) -> bool:
    if not path or path[0] not in ("model", "handoff", "channels", "console"):
        return False
    key = _key(path)
    return key.endswith(("api_key", "secret", "secrets", "token", "tokens", "password"))
