"""The documentation as data: pages, their fenced blocks with the comments before them, their headings and links.

An HTML comment right before a block says how to try it:

- `<!-- file: NAME -->`    the block is a file in the page's current folder; later commands use it
- `<!-- merge: NAME -->`   the block's keys go into that YAML file
- `<!-- edit: NAME: OLD -> NEW -->`  the edit that the words before the block ask for
- `<!-- exit: N -->`       the block's last command ends with this exit code (0 if nothing is said)
- `<!-- stays -->`         the block's last command goes on running while the rest of the page is tried
- `<!-- not run: WHY -->`  the block cannot be tried here
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"^(`{3,})(\w*)\n(.*?)^\1$", re.M | re.S)
_COMMENT = re.compile(r"<!-- ([a-z ]+)(?:: (.*?))? -->")
_MARKS = {"file", "merge", "edit", "exit", "stays", "not run"}


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block. `marks` is what the comment before it says, `place` is `file:line` of its first line."""

    place: str
    language: str
    text: str
    marks: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Page:
    name: str
    text: str

    @property
    def blocks(self) -> Iterator[Block]:
        for found in _FENCE.finditer(self.text):
            line = self.text.count("\n", 0, found.start()) + 2
            place = f"{self.name}:{line}"
            yield Block(place, found[2], found[3], _marks(self.text[: found.start()], place))

    @property
    def prose(self) -> str:
        """The text without its blocks, line for line."""
        return _FENCE.sub(lambda found: "\n" * found[0].count("\n"), self.text)

    @property
    def anchors(self) -> set[str]:
        heads = re.findall(r"^#+ (.*)$", self.prose, re.M)
        return {re.sub(r"[^\w -]", "", head).strip().lower().replace(" ", "-") for head in heads}

    @property
    def links(self) -> list[str]:
        return re.findall(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)", self.prose)

    @property
    def pictures(self) -> list[tuple[str, str]]:
        """(the words beside it, the path)"""
        return re.findall(r"!\[([^\]]*)\]\(([^)\s]+)\)", self.prose)


def pages() -> list[Page]:
    """README.md and every page below docs/."""
    files = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [Page(str(file.relative_to(ROOT)), file.read_text(encoding="utf-8")) for file in files]


def _marks(before: str, place: str) -> Mapping[str, str]:
    lines = before.rstrip("\n").rsplit("\n", 1)
    marks = dict(_COMMENT.findall(lines[-1])) if lines[-1].startswith("<!--") else {}
    unknown = set(marks) - _MARKS
    assert not unknown, f"{place}: there is no mark {unknown}; there are {sorted(_MARKS)}"
    return marks
