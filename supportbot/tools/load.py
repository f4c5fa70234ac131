"""Imports the operator's tool modules from the bot's folder.

Rules:
1. A module runs afresh on every load, under a name of its own; nothing is written beside it.
2. While it runs it may import its neighbours in the folder; afterwards the folder is not on `sys.path` any more.
3. Whatever a module raises is the operator's to mend: a ConfigError with the file and line in their code.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

from supportbot.errors import ConfigError, Problem
from supportbot.protocols import Tool

_IMPORTING = threading.Lock()


class _Fresh(SourceFileLoader):
    """Compiles the source each time: a cached bytecode file could be older than an edit within the same second."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


def load_modules(paths: Sequence[Path], folder: Path) -> Mapping[str, Tool]:
    """The tools in these files (relative to `folder`) by name: Tool objects at module level, or in a list TOOLS.

    Raises ConfigError with every problem found: a file that is missing or fails, has no tool, or a tool's name that
    is taken already.
    """
    problems: list[Problem] = []
    found: dict[str, tuple[Tool, Path]] = {}
    folder = folder.resolve()
    with _IMPORTING, _importable(folder):
        for path in dict.fromkeys((folder / path).resolve() for path in paths):
            module = _module(path, folder, problems)
            if module is not None:
                _take(_tools(module, path, problems), path, found, problems)
    if problems:  # a module that fails is told once, however many of its neighbours import it
        raise ConfigError(list(dict.fromkeys(problems)))
    return {
        name: replace(tool, source=tool.source or _within(path, folder)) for name, (tool, path) in found.items()
    }


def _within(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.name


def _take(tools: Sequence[Tool], path: Path, found: dict[str, tuple[Tool, Path]], problems: list[Problem]) -> None:
    """Adds a file's tools to those found so far; a name that another tool has already is a problem."""
    for tool in tools:
        first, origin = found.setdefault(tool.name, (tool, path))
        if first is not tool:
            where = f"{path.name} defines the tool {tool.name!r}, which {origin.name} defines too"
            problems.append(Problem(str(path), 0, 0, f"{where}: give one of them another name"))


def _tools(module: ModuleType, path: Path, problems: list[Problem]) -> list[Tool]:
    """The module's tools in the order of their definition, each object once."""
    listed = vars(module).get("TOOLS", ())
    if not isinstance(listed, list | tuple) or not all(isinstance(entry, Tool) for entry in listed):
        problems.append(Problem(str(path), 0, 0, "TOOLS has to be a list of tools"))
        return []
    found = [value for value in (*vars(module).values(), *listed) if isinstance(value, Tool)]
    if not found and "TOOLS" not in vars(module):
        problems.append(Problem(str(path), 0, 0, "no tool in this file: put @tool above a function"))
    return list({id(tool): tool for tool in found}.values())


def _module(path: Path, folder: Path, problems: list[Problem]) -> ModuleType | None:
    """The file as a module, run once for this load; None and a problem if it cannot be."""
    neighbour = sys.modules.get(path.stem)
    if neighbour is not None and getattr(neighbour, "__file__", None) == str(path):
        return neighbour
    if not path.is_file():
        problems.append(Problem(str(path), 0, 0, "no such file (tools.modules)"))
        return None
    digest = hashlib.sha256(str(path).encode("utf-8", "surrogateescape")).hexdigest()[:12]
    name = f"supportbot_tools_{digest}_{path.stem}"
    spec = ModuleSpec(name, _Fresh(name, str(path)), origin=str(path))
    spec.has_location = True
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    alone = path.stem not in sys.modules
    if alone:
        sys.modules[path.stem] = module  # so that a neighbour that imports it gets the same tools
    try:
        _Fresh(name, str(path)).exec_module(module)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the operator's code may raise anything
        problems.append(_problem(error, path, folder))
        sys.modules.pop(name, None)
        if alone:
            sys.modules.pop(path.stem, None)
        return None
    return module


def _problem(error: BaseException, path: Path, folder: Path) -> Problem:
    """The exception with the innermost place in the operator's own files."""
    text = f"{type(error).__name__}: {str(error) or 'no message'}"
    if isinstance(error, SyntaxError) and error.filename:
        return Problem(
            error.filename, error.lineno or 0, error.offset or 1, f"{type(error).__name__}: {error.msg}"
        )
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(folder) or frame.filename == str(path)]
    place = own[-1] if own else None
    if place is None:
        return Problem(str(path), 0, 0, text)
    return Problem(place.filename, place.lineno or 0, (place.colno or 0) + 1, text)


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Lets modules in the folder be imported by name; forgets them and the folder again."""
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None)
            if file and _is_neighbour(name, Path(file), folder):
                del sys.modules[name]


def _is_neighbour(name: str, file: Path, folder: Path) -> bool:
    """Whether a module is the operator's own, not a package of an environment that lies in their folder."""
    inside = file.is_relative_to(folder) and "site-packages" not in file.parts
    return inside and not name.startswith("supportbot_tools_")
