"""Reads the file of an OpenAPI description, and finds the operations in it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from supportbot.errors import ConfigError, Problem
from supportbot.tools.http.openapi.schema import Schemas, Unsupported

MOST = 20_000_000
"""Bytes of a description."""

_VERBS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


@dataclass(frozen=True, slots=True)
class Found:
    """An operation as it stands in the description, with what it inherits from its path."""

    method: str
    path: str
    item: Mapping[str, Any] = field(repr=False)
    operation: Mapping[str, Any] = field(repr=False)


def read(path: Path) -> Mapping[str, Any]:
    """The description in a YAML or JSON file. Raises ConfigError."""
    try:
        if path.stat().st_size > MOST:
            raise ConfigError([Problem(str(path), 0, 0, f"the file is larger than {MOST:,} bytes")])
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError([Problem(str(path), 0, 0, "the file is not UTF-8 text")]) from None
    except (OSError, ValueError):
        raise ConfigError([Problem(str(path), 0, 0, "there is no such file, or it cannot be read")]) from None
    document = _parsed(text, str(path))
    version = str(document.get("openapi", "")) if isinstance(document, Mapping) else ""
    if not isinstance(document, Mapping) or not version.startswith("3."):
        has = "Swagger 2: convert it to OpenAPI 3" if _is_swagger(document) else "no OpenAPI 3 description"
        raise ConfigError([Problem(str(path), 1, 1, f"this is {has}")])
    return document


def operations(document: Mapping[str, Any]) -> Mapping[str, Found]:
    """The operations by operationId."""
    schemas = Schemas(document)
    paths = document.get("paths")
    found: dict[str, Found] = {}
    for path, item in paths.items() if isinstance(paths, Mapping) else ():
        try:
            item = schemas.resolved(item)
        except Unsupported:
            continue
        for verb in _VERBS if isinstance(item, Mapping) else ():
            operation = item.get(verb)
            if isinstance(operation, Mapping) and "operationId" in operation:
                found.setdefault(str(operation["operationId"]), Found(verb.upper(), str(path), item, operation))
    return found


def _is_swagger(document: Any) -> bool:
    return isinstance(document, Mapping) and "swagger" in document


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # the C one is ten times as fast
    """YAML 1.2: dates, `yes` and `no` are text."""

    yaml_implicit_resolvers: Mapping[str, Any] = {}


for _tag, _form, _first in (
    ("bool", r"(?:true|True|TRUE|false|False|FALSE)\Z", "tTfF"),
    ("int", r"-?(?:0|[1-9][0-9]*)\Z", "-0123456789"),
    ("float", r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?\Z", "-0123456789"),
    ("null", r"(?:~|null|Null|NULL|)\Z", ["~", "n", "N", ""]),
    ("merge", r"(?:<<)\Z", "<"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_form), list(_first))


def _parsed(text: str, file: str) -> Any:
    try:
        if text.lstrip().startswith("{"):
            return json.loads(text)
        return yaml.load(text, _Loader)  # noqa: S506 - a safe loader
    except json.JSONDecodeError as error:
        raise ConfigError([Problem(file, error.lineno, error.colno, f"this is no JSON: {error.msg}")]) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (0, 0)
        message = getattr(error, "problem", None) or "it cannot be read"
        raise ConfigError([Problem(file, line, column, f"this is no YAML: {message}")]) from None
    except (RecursionError, ValueError):
        raise ConfigError([Problem(file, 0, 0, "the file cannot be read as YAML or JSON")]) from None
