"""The fields of what Slack sends; what must be there and is not is Unreadable."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from supportbot.types import Attachment
from supportbot_slack.text import clean

Json = Mapping[str, Any]

ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
STAMP = re.compile(r"\d{1,16}(\.\d{1,9})?\Z")
NAME = 500
_FILES, _KIND = 20, 100


class Unreadable(Exception):
    """It is authentic, of a kind that we take in, and yet it lacks what it must have."""


def files(said: Json) -> tuple[Attachment, ...]:
    listed = said.get("files")
    found = (
        tuple(_file(one) for one in listed[:_FILES] if isinstance(one, Mapping))
        if isinstance(listed, list)
        else ()
    )
    if found or raw(said).strip() or forwarded(said).strip():
        return found
    rich = isinstance(said.get("attachments"), list) or isinstance(said.get("blocks"), list)
    return (Attachment("message", "application/x-slack-message"),) if rich else ()


def _file(one: Json) -> Attachment:
    size = one.get("size")
    id = or_empty(one.get("id"))
    return Attachment(
        name=clean(or_empty(one.get("name")) or or_empty(one.get("title")) or "file")[:NAME],
        media_type=clean(or_empty(one.get("mimetype")))[:_KIND] or "application/octet-stream",
        size=size if isinstance(size, int) and not isinstance(size, bool) and size >= 0 else -1,
        ref=id if ID.match(id) else "",
    )


def forwarded(said: Json) -> str:
    """The words of messages that were shared, which Slack puts beside an empty text."""
    listed = said.get("attachments")
    words = [
        or_empty(one.get("text")) or or_empty(one.get("fallback"))
        for one in (listed if isinstance(listed, list) else ())
        if isinstance(one, Mapping)
    ]
    return "\n\n".join(word for word in words if word)


def raw(said: Json) -> str:
    return or_empty(said.get("text"))


def or_empty(value: object) -> str:
    return value if isinstance(value, str) else ""


def object_of(owner: Json, name: str) -> Json:
    found = owner.get(name)
    if not isinstance(found, Mapping):
        raise Unreadable(f"{name} is missing")
    return found


def id_of(owner: Json, name: str) -> str:
    found = owner.get(name)
    if not isinstance(found, str) or not ID.match(found):
        raise Unreadable(f"{name} is missing or no id")
    return found


def stamp_of(owner: Json, name: str) -> str:
    found = owner.get(name)
    if not isinstance(found, str) or not STAMP.match(found):
        raise Unreadable(f"{name} is missing or no timestamp")
    return found
