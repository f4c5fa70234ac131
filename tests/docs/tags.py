"""HTML as tags, read strictly: what is opened is closed, in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html.parser import HTMLParser

_VOID = {"br", "hr", "img", "input", "link", "meta"}


@dataclass(frozen=True, slots=True)
class Tag:
    name: str
    attributes: Mapping[str, str]


class _Reader(HTMLParser):
    def __init__(self, place: str) -> None:
        super().__init__()
        self.place = place
        self.found: list[Tag] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"{self.place}: <{tag}> has an attribute twice"
        self.found.append(Tag(tag, {name: value or "" for name, value in attrs}))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, f"{self.place}: </{tag}> closes nothing"


def read(text: str, place: str) -> list[Tag]:
    """The tags in order; AssertionError with the place if one is not closed."""
    reader = _Reader(place)
    reader.feed(text)
    reader.close()
    assert reader.open == [], f"{place}: {reader.open} is not closed"
    assert reader.found, f"{place}: there is no tag"
    return reader.found
