"""Text as the Bot API reads it: parse modes, entities, limits, all offsets in UTF-16 code units. Pure."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from supportbot.testing.telegram.markdown import parse_markdown
from supportbot.testing.telegram.rules import CAPTION_LIMIT, TEXT_LIMIT, Refused, is_link, utf16_length

Entity = dict[str, Any]
_TAGS: Mapping[str, str] = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "a": "text_link",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
    "tg-spoiler": "spoiler",
    "tg-emoji": "custom_emoji",
    "span": "spoiler",
}
_STYLES = frozenset({*_TAGS.values(), "expandable_blockquote", "text_mention", "date_time"})
_FOUND_BY_TELEGRAM = frozenset(
    ["mention", "hashtag", "cashtag", "bot_command", "url", "email", "phone_number", "bank_card_number"]
)
_REFERENCE = re.compile(r"&(?:lt|gt|amp|quot|#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6});")
_NAME = re.compile(r"[^\s>]*")
_ATTRIBUTE = re.compile(r"\s+([^\s=>]+)")
_VALUE = re.compile(r"\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>\"']+))")


@dataclass(frozen=True, slots=True)
class Formatted:
    """A text without its markup, and the entities in it."""

    text: str
    entities: list[Entity]


@dataclass(slots=True)
class _Tag:
    name: str
    at: int
    start: int
    attributes: Mapping[str, str]
    language: str = ""
    said: list[str] = field(default_factory=list)


def formatted(text: str, parse_mode: str, entities: Any, *, caption: bool = False) -> Formatted:
    """The text as it is shown, spaces at its ends gone; raises `Refused`."""
    if len(text.encode()) > 1 << 15:
        raise Refused("text is too long")
    mode = parse_mode.lower()
    if mode == "html":
        shown, found = parse_html(text)
    elif mode == "markdownv2":
        shown, found = parse_markdown(text)
    elif mode in ("", "none"):
        shown, found = text, checked_entities(text, entities)
    else:
        raise Refused("unsupported parse_mode")
    if utf16_length(shown) > (CAPTION_LIMIT if caption else TEXT_LIMIT):
        raise Refused("message caption is too long" if caption else "message is too long")
    return _trimmed(shown, found)


def message_text(text: str, parse_mode: str, entities: Any) -> Formatted:
    """The same for a message, which needs a text."""
    if not text:
        raise Refused("message text is empty")
    found = formatted(text, parse_mode, entities)
    if not found.text:
        raise Refused("text must be non-empty")
    return found


def checked_entities(text: str, entities: Any) -> list[Entity]:
    """The entities that take effect; raises `Refused` on one that does not fit the text."""
    if not isinstance(entities, list):
        return []
    end = utf16_length(text)
    kept = []
    for entity in entities:
        offset, length, kind = _fields(entity)
        if kind in _FOUND_BY_TELEGRAM:
            continue
        if kind == "text_link" and not isinstance(entity.get("url"), str):
            raise Refused("can't parse MessageEntity: Can't find field \"url\"")
        if offset < 0:
            raise Refused(f"receive an entity with incorrect offset {offset}")
        if length < 0:
            raise Refused(f"receive an entity with incorrect length {length}")
        if offset + length > end:
            said = f"entity beginning at UTF-16 offset {offset} ends after the end of the text"
            raise Refused(f"{said} at UTF-16 offset {end}")
        if length:
            kept.append(dict(entity))
    return _ordered(kept)


def _fields(entity: Any) -> tuple[int, int, str]:
    if not isinstance(entity, Mapping):
        raise Refused("can't parse MessageEntity: expected an Object")
    offset, length, kind = entity.get("offset"), entity.get("length"), entity.get("type")
    if not isinstance(offset, int) or not isinstance(length, int):
        raise Refused('can\'t parse MessageEntity: Field "offset" must be of type Number')
    if not isinstance(kind, str) or kind not in _STYLES | _FOUND_BY_TELEGRAM:
        raise Refused("can't parse MessageEntity: Unsupported type specified")
    return offset, length, kind


def parse_html(source: str) -> tuple[str, list[Entity]]:
    """Text and entities of the HTML that Telegram knows; raises `Refused` with the API's words and byte offset."""
    out: list[str] = []
    length = at = 0
    open_tags: list[_Tag] = []
    entities: list[Entity] = []
    while at < len(source):
        if source[at] == "<" and source[at + 1 : at + 2] == "/":
            at = _close(source, at, open_tags, entities, length)
            continue
        if source[at] == "<":
            tag, at = _open(source, at, length)
            open_tags.append(tag)
            continue
        reference = _REFERENCE.match(source, at)
        piece = html.unescape(reference[0]) if reference else source[at]
        at = reference.end() if reference else at + 1
        out.append(piece)
        length += utf16_length(piece)
        for tag in open_tags:
            tag.said.append(piece)
    if open_tags:
        raise _wrong(f'Can\'t find end tag corresponding to start tag "{open_tags[-1].name}"')
    return "".join(out), _ordered(entities)


def _open(source: str, at: int, length: int) -> tuple[_Tag, int]:
    found = _NAME.match(source, at + 1)
    assert found is not None
    name, end = found[0].lower(), found.end()
    attributes: dict[str, str] = {}
    if end == len(source):
        raise _wrong(f"Unclosed start tag at byte offset {_byte(source, at)}")
    if name not in _TAGS:
        raise _wrong(f'Unsupported start tag "{name}" at byte offset {_byte(source, at)}')
    while attribute := _ATTRIBUTE.match(source, end):
        key, value = attribute[1].lower(), _VALUE.match(source, attribute.end())
        if value is None and (name, key) != ("blockquote", "expandable"):
            said = f'Expected equal sign in declaration of an attribute of the tag "{name}"'
            raise _wrong(f"{said} at byte offset {_byte(source, at)}")
        attributes[key] = "" if value is None else html.unescape(value[1] or value[2] or value[3] or "")
        end = attribute.end() if value is None else value.end()
    while source[end : end + 1].isspace():
        end += 1
    if source[end : end + 1] != ">":
        raise _wrong(f"Unclosed start tag at byte offset {_byte(source, at)}")
    if name == "span" and attributes.get("class") != "tg-spoiler":
        raise _wrong(f'Tag "span" must have class "tg-spoiler" at byte offset {_byte(source, at)}')
    if name == "tg-emoji" and not attributes.get("emoji-id", "").isdigit():
        raise _wrong("Invalid custom emoji identifier specified")
    return _Tag(name, at, length, attributes), end + 1


def _close(source: str, at: int, open_tags: list[_Tag], entities: list[Entity], length: int) -> int:
    where = _byte(source, at)
    if not open_tags:
        raise _wrong(f"Unexpected end tag at byte offset {where}")
    found = _NAME.match(source, at + 2)
    assert found is not None
    name, end = found[0].lower(), found.end()
    while source[end : end + 1].isspace():
        end += 1
    if source[end : end + 1] != ">":
        raise _wrong(f"Unclosed end tag at byte offset {where}")
    tag = open_tags.pop()
    if name and name != tag.name:
        said = f'expected "</{tag.name}>", found "</{name}>"'
        raise _wrong(f"Unmatched end tag at byte offset {where}, {said}")
    if length > tag.start:
        entity = _entity(tag, open_tags, length)
        if entity is not None:
            entities.append(entity)
    return end + 1


def _entity(tag: _Tag, around: list[_Tag], length: int) -> Entity | None:
    """The entity that a closed tag makes, None if it makes none."""
    entity: Entity = {"type": _TAGS[tag.name], "offset": tag.start, "length": length - tag.start}
    if tag.name == "a":
        entity["url"] = tag.attributes.get("href") or "".join(tag.said)
        return entity if is_link(entity["url"]) or entity["url"].startswith(("tg:", "mailto:")) else None
    if tag.name == "tg-emoji":
        entity["custom_emoji_id"] = tag.attributes["emoji-id"]
    if tag.name == "blockquote" and "expandable" in tag.attributes:
        entity["type"] = "expandable_blockquote"
    if tag.name == "code" and around and around[-1].name == "pre":
        around[-1].language = tag.attributes.get("class", "").removeprefix("language-")
        return None
    if tag.name == "pre" and tag.language:
        entity["language"] = tag.language
    return entity


def _trimmed(text: str, entities: list[Entity]) -> Formatted:
    """Text and entities without the white space at both ends, as Telegram stores them."""
    shift = utf16_length(text) - utf16_length(text.lstrip())
    kept = text.strip()
    end = utf16_length(kept)
    moved = []
    for entity in entities:
        start = max(0, entity["offset"] - shift)
        stop = min(end, entity["offset"] + entity["length"] - shift)
        if stop > start:
            moved.append({**entity, "offset": start, "length": stop - start})
    return Formatted(kept, moved)


def _ordered(entities: list[Entity]) -> list[Entity]:
    return sorted(entities, key=lambda entity: (entity["offset"], -entity["length"]))


def _byte(source: str, at: int) -> int:
    return len(source[:at].encode())


def _wrong(said: str) -> Refused:
    return Refused(f"can't parse entities: {said}")
