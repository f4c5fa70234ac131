"""What a customer wrote, from Slack's notation into readable text: docs.slack.dev/messaging/formatting-message-text."""

from __future__ import annotations

import re
from collections.abc import Mapping

_TOKEN = re.compile(r"<([^<>\n]*)>")
_MENTION = re.compile(r"<@([A-Z0-9]+)(?:\|[^<>]*)?>")
_HALF = re.compile("[\ud800-\udfff]")
_ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))


def clean(text: str) -> str:
    """The text fit for UTF-8 and a database: half characters replaced, no NUL."""
    if _HALF.search(text):
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text.replace("\0", "")


def mentions(text: str, user: str) -> bool:
    """Whether the user is mentioned in the text as Slack sends it."""
    return bool(user) and any(found == user for found in _MENTION.findall(text))


def addressed(text: str) -> tuple[str, ...]:
    """The ids of the users with whose mentions the text begins."""
    found: list[str] = []
    rest = text.lstrip()
    while match := _MENTION.match(rest):
        found.append(match[1])
        rest = rest[match.end() :].lstrip(" \t,:;&")
    return tuple(found)


def mentioned(text: str) -> frozenset[str]:
    """The ids of all users that are mentioned without their name."""
    return frozenset(_MENTION.findall(text))


def readable(text: str, *, own: str = "", names: Mapping[str, str] | None = None) -> str:
    """The text as a person reads it, without mentions of the bot itself (`own`); `names` has other users' by id."""
    without = _without(text, own) if own else text
    pieces: list[str] = []
    end = 0
    for match in _TOKEN.finditer(without):
        pieces += [_plain(without[end : match.start()]), _shown(match[1], names or {})]
        end = match.end()
    whole = clean("".join([*pieces, _plain(without[end:])]))
    return whole.strip() if without != text else whole


def _without(text: str, own: str) -> str:
    mention = rf"<@{re.escape(own)}(?:\|[^<>]*)?>"
    text = re.sub(rf"\A\s*(?:{mention}[\s,:;]*)+", "", text)
    return re.sub(rf"[ \t]?{mention}", "", text)


def _plain(text: str) -> str:
    for entity, letter in _ENTITIES:
        text = text.replace(entity, letter)
    return text


def _shown(inside: str, names: Mapping[str, str]) -> str:
    target, _, label = inside.partition("|")
    target, label = _plain(target), _plain(label)
    match target[:1]:
        case "@":
            return "@" + (label or names.get(target[1:], "") or target[1:])
        case "#":
            return "#" + (label or target[1:])
        case "!":
            return _special(target[1:], label)
    if not re.match(r"[a-z][a-z0-9+.-]*:", target, re.IGNORECASE):
        return f"<{_plain(inside)}>"
    short = re.sub(r"\A(?:https?://|mailto:|tel:)", "", target)
    if not label or label in (target, short, short.rstrip("/")):
        return target if target.startswith("http") else short
    return f"{label} ({target})"


def _special(target: str, label: str) -> str:
    """Of a command such as `!here`, `!subteam^S1` or `!date^…`, whose label is what is shown."""
    if label:
        return label
    word = target.partition("^")[0]
    return f"@{word}" if word else ""
