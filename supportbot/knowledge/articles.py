"""Reads the help articles: Markdown and text files, cut into passages."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from supportbot.errors import ConfigError, Problem
from supportbot.knowledge import markdown
from supportbot.knowledge.markdown import Passage

SUFFIXES = (".md", ".markdown", ".txt")
MAX_FILE = 1024 * 1024
MAX_TOTAL = 64 * 1024 * 1024
MAX_FILES = 20_000


@dataclass(frozen=True, slots=True)
class Article:
    """One file: `source` is its path below the bot's folder, with `/`; `sections` are its passages in order."""

    source: str
    title: str
    sections: tuple[Passage, ...]


def load(paths: Sequence[Path], folder: Path) -> tuple[Article, ...]:
    """The articles in these files and folders (relative to `folder`), in the order of their paths.

    Folders are searched recursively for .md, .markdown and .txt; hidden files and folders and files without text are
    left out. Raises ConfigError naming every file that is missing, unreadable, not UTF-8 or too large.
    """
    problems: list[Problem] = []
    files: dict[Path, str] = {}
    for path in paths:
        for file in _files(folder / path, problems):
            files.setdefault(file.resolve(), _source(file, folder))
    found = _read_all(files, problems)
    if problems:
        raise ConfigError(problems)
    return found


def parse(text: str, source: str) -> Article:
    """One article from its text. The title is the front matter's, else the first `# heading`, else the file's name."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    title, body = ("", text) if source.endswith(".txt") else markdown.front_matter(text)
    heading, sections = markdown.passages(body, title=title)
    return Article(source, title or heading or _spoken(source), sections)


def _read_all(files: dict[Path, str], problems: list[Problem]) -> tuple[Article, ...]:
    if len(files) > MAX_FILES:
        problems.append(Problem(os.path.commonpath(files), 0, 0, f"more than {MAX_FILES} articles"))
        return ()
    articles, total = [], 0
    for file, source in sorted(files.items(), key=lambda item: item[1]):
        text = _read(file, source, problems)
        total += len(text)
        if total > MAX_TOTAL:
            problems.append(Problem(source, 0, 0, f"the articles together are larger than {MAX_TOTAL >> 20} MiB"))
            break
        article = parse(text, source)
        if article.sections:
            articles.append(article)
    return tuple(articles)


def _files(path: Path, problems: list[Problem]) -> Iterator[Path]:
    """The article files at or below a path, without hidden ones."""
    if path.is_file():
        if path.suffix.lower() in SUFFIXES:
            yield path
        else:
            problems.append(Problem(str(path), 0, 0, f"not an article: use {', '.join(SUFFIXES)}"))
        return
    if not path.is_dir():
        problems.append(Problem(str(path), 0, 0, "no such file or folder of articles (knowledge.paths)"))
        return

    def unreadable(error: OSError) -> None:
        problems.append(Problem(str(error.filename), 0, 0, f"cannot be read: {error.strerror}"))

    for root, folders, names in os.walk(path, onerror=unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES:
                yield Path(root) / name


def _read(file: Path, source: str, problems: list[Problem]) -> str:
    """The file's text, or "" and a problem."""
    try:
        size = file.stat().st_size
        data = file.read_bytes() if size <= MAX_FILE else b""
    except OSError as error:
        problems.append(Problem(source, 0, 0, f"cannot be read: {error.strerror}"))
        return ""
    if size > MAX_FILE:
        problems.append(Problem(source, 0, 0, f"larger than {MAX_FILE >> 20} MiB: split it into several articles"))
        return ""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        problems.append(Problem(source, line, column, "not UTF-8 text: save the file with UTF-8 encoding"))
        return ""


def _source(file: Path, folder: Path) -> str:
    """The path to quote: below the bot's folder if it is there, else the file's name."""
    try:
        return file.absolute().relative_to(folder.absolute()).as_posix()
    except ValueError:
        return file.name


def _spoken(source: str) -> str:
    """A title from a file's name: `delivery-times.md` is "Delivery times"."""
    words = Path(source).stem.replace("-", " ").replace("_", " ").strip()
    return words[:1].upper() + words[1:]
