"""The parse mode MarkdownV2 of the Bot API. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from supportbot.testing.telegram.rules import Refused, is_link, utf16_length

_RESERVED = frozenset("_*[]()~`>#+-=|{}.!")
_MARKS: Mapping[str, str] = {
    "__": "underline",
    "||": "spoiler",
    "*": "bold",
    "_": "italic",
    "~": "strikethrough",
}
_NAMES: Mapping[str, str] = {
    "bold": "Bold",
    "italic": "Italic",
    "underline": "Underline",
    "strikethrough": "Strikethrough",
    "spoiler": "Spoiler",
    "code": "Code",
    "pre": "Pre",
    "text_link": "TextUrl",
    "custom_emoji": "CustomEmoji",
    "blockquote": "BlockQuote",
}
_LANGUAGE = re.compile(r"([^\s`]+)(?=\s)")
_EMOJI = re.compile(r"tg://emoji\?id=(\d+)\Z")


@dataclass(slots=True)
class _Open:
    kind: str
    mark: str
    start: int
    at: int
    said: int
    language: str = ""


class _Reader:
    """One pass over a text: what is shown so far, the entities that are closed, and those still open."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.at = 0
        self.out: list[str] = []
        self.length = 0
        self.open: list[_Open] = []
        self.entities: list[dict[str, Any]] = []

    def run(self) -> None:
        while self.at < len(self.source):
            self._step()
        if self.open and self.open[-1].kind == "blockquote":
            self._end(self.open.pop())
        if self.open:
            raise self._unended(self.open[-1])

    def _step(self) -> None:
        source, at = self.source, self.at
        inside = self.open[-1] if self.open else None
        if source[at] == "\\" and at + 1 < len(source) and source[at + 1] <= "~":
            self._say(source[at + 1], 2)
        elif inside and inside.kind in ("code", "pre"):
            if source.startswith(inside.mark, at):
                self._close(inside.mark)
            elif source[at] == "`":
                raise _reserved("`")
            else:
                self._say(source[at])
        elif source[at] == "\n":
            self._line()
        elif source[at] == ">" and at == 0:
            self._begin("blockquote", ">")
        elif source[at] not in _RESERVED:
            self._say(source[at])
        else:
            self._mark()

    def _mark(self) -> None:
        source, at = self.source, self.at
        if source[at] == "]" and self.open and self.open[-1].kind in ("text_link", "custom_emoji"):
            self._link(self.open.pop())
        elif source.startswith("```", at):
            self._begin("pre", "```")
            language = _LANGUAGE.match(source, self.at)
            if language:
                self.open[-1].language = language[1]
                self.at = language.end()
            self.at += source.startswith("\n", self.at)
        elif source[at] == "`":
            self._begin("code", "`")
        elif source[at] == "[":
            self._begin("text_link", "[")
        elif source.startswith("![", at):
            self._begin("custom_emoji", "![")
        else:
            mark = next((mark for mark in _MARKS if source.startswith(mark, at)), None)
            if mark is None:
                raise _reserved(source[at])
            if self.open and self.open[-1].mark == mark:
                self._close(mark)
            else:
                self._begin(_MARKS[mark], mark)

    def _line(self) -> None:
        quoted = any(one.kind == "blockquote" for one in self.open)
        continues = self.source.startswith(">", self.at + 1)
        if quoted and not continues:
            if self.open[-1].kind != "blockquote":
                raise self._unended(self.open[-1])
            self._end(self.open.pop())
        self._say("\n", 1 + (continues and quoted))
        if continues and not quoted:
            self._begin("blockquote", ">")

    def _link(self, opened: _Open) -> None:
        self.at += 1
        url = "".join(self.out[opened.said :])
        if self.source.startswith("(", self.at):
            url = self._url()
        if opened.kind == "custom_emoji":
            emoji = _EMOJI.match(url)
            if emoji is None:
                raise _wrong("Custom emoji entity must contain a tg://emoji URL")
            self._end(opened, custom_emoji_id=emoji[1])
        elif is_link(url) or url.startswith(("tg:", "mailto:")):
            self._end(opened, url=url)

    def _url(self) -> str:
        begin = self.at = self.at + 1
        url = ""
        while self.at < len(self.source) and self.source[self.at] != ")":
            self.at += self.source[self.at] == "\\" and self.at + 1 < len(self.source)
            url += self.source[self.at]
            self.at += 1
        if self.at == len(self.source):
            raise _wrong(f"Can't find end of a URL at byte offset {self._byte(begin)}")
        self.at += 1
        return url

    def _begin(self, kind: str, mark: str) -> None:
        self.open.append(_Open(kind, mark, self.length, self.at, len(self.out)))
        self.at += len(mark)

    def _close(self, mark: str) -> None:
        self.at += len(mark)
        opened = self.open.pop()
        self._end(opened, **({"language": opened.language} if opened.language else {}))

    def _end(self, opened: _Open, **more: str) -> None:
        if self.length > opened.start:
            span = {"offset": opened.start, "length": self.length - opened.start}
            self.entities.append({"type": opened.kind, **span, **more})

    def _say(self, character: str, width: int = 1) -> None:
        self.out.append(character)
        self.length += utf16_length(character)
        self.at += width

    def _unended(self, opened: _Open) -> Refused:
        kind = "PreCode" if opened.language else _NAMES[opened.kind]
        return _wrong(f"Can't find end of {kind} entity at byte offset {self._byte(opened.at)}")

    def _byte(self, at: int) -> int:
        return len(self.source[:at].encode())


def parse_markdown(source: str) -> tuple[str, list[dict[str, Any]]]:
    """Text and entities of a MarkdownV2 text; raises `Refused` with the API's words."""
    reader = _Reader(source)
    reader.run()
    found = sorted(reader.entities, key=lambda entity: (entity["offset"], -entity["length"]))
    return "".join(reader.out), found


def _reserved(character: str) -> Refused:
    return _wrong(f"Character '{character}' is reserved and must be escaped with the preceding '\\'")


def _wrong(said: str) -> Refused:
    return Refused(f"can't parse entities: {said}")
