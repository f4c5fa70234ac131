"""From the bytes of an authentic delivery to what happened, by the mapping's expressions. Nothing is asked here."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NoReturn
from urllib.parse import unquote, urlsplit

import jmespath
from jmespath.exceptions import JMESPathError

from supportbot import Attachment, SupportbotError, User
from supportbot_helpdesk.fromhtml import from_html
from supportbot_helpdesk.mapping import EventRule, Fields, HelpdeskMapping, Person, Word

ID_LIMIT = 255
NAME_LIMIT = 500
URL_LIMIT = 4_000
FILES_LIMIT = 20
HTML_TIMES = 20
"""HTML is read up to this many times as far as the words that are wanted."""
MESSAGES = ("customer.message", "agent.message", "agent.note")
"""Words that come with text; the others are changes."""

_LOCALE = re.compile(r"[A-Za-z]{2,8}([_-][A-Za-z0-9]{1,8}){0,4}\Z")
_MEDIA = re.compile(r"[\w.+-]{1,100}/[\w.+-]{1,100}\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
NOBODY = User("")


class Unreadable(SupportbotError):
    """An authentic delivery that lacks what it needs; the sentence says what."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """An authentic delivery: what expressions see, its rule if one holds, and its id."""

    root: Mapping[str, Any]
    rule: EventRule | None
    id: str


@dataclass(frozen=True, slots=True)
class Happened:
    """One thing that happened in one conversation of the helpdesk."""

    word: Word
    conversation: str
    id: str
    text: str = ""
    author: User = NOBODY
    agent: User = NOBODY
    files: tuple[Attachment, ...] = ()
    locale: str = ""


def read_json(body: bytes) -> Any:
    """The JSON value in `body`; strict, so that nobody else reads something different. Raises Unreadable."""
    try:
        value = _DECODER.decode(body.decode("utf-8"))
        if b"\\u" in body:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeError:
        raise Unreadable("The body is not whole UTF-8 text.") from None
    except (ValueError, RecursionError):
        raise Unreadable("The body is not valid JSON.") from None
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(digits)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite)


def opened(
    mapping: HelpdeskMapping,
    options: Mapping[str, str],
    body: bytes,
    headers: Mapping[str, str],
    query: Mapping[str, str],
) -> Delivery:
    """The delivery and its rule. Raises Unreadable."""
    root = {"body": read_json(body), "headers": dict(headers), "query": dict(query), "options": dict(options)}
    id = text_of(search(mapping.delivery, root)) or hashlib.sha256(body).hexdigest()
    return Delivery(root, next((rule for rule in mapping.events if holds(rule.when, root)), None), id[:ID_LIMIT])


def is_ours(mapping: HelpdeskMapping, root: Mapping[str, Any]) -> bool:
    """Whether we did it ourselves."""
    return mapping.ours is not None and holds(mapping.ours, root)


def happened(mapping: HelpdeskMapping, delivery: Delivery, *, text_limit: int) -> tuple[Happened, ...]:
    """What the delivery says has happened, () if nothing that matters. Raises Unreadable."""
    if delivery.rule is None:
        return ()
    words = [word for word in delivery.rule.is_ if word != "ignore"]
    read = _Reader(mapping.fields, delivery.rule.fields, delivery.root)
    return tuple(_happened(word, read, delivery, text_limit) for word in words)


def conversation_of(mapping: HelpdeskMapping, delivery: Delivery) -> str:
    """The conversation's id, "" if it does not say."""
    own = delivery.rule.fields if delivery.rule else Fields()
    return text_of(search(own.conversation or mapping.fields.conversation, delivery.root))


def _happened(word: Word, read: _Reader, delivery: Delivery, limit: int) -> Happened:
    conversation = read.text("conversation")
    if not conversation or len(conversation) > ID_LIMIT:
        raise Unreadable(f"The delivery is a {word}, but `fields.conversation` gives nothing usable.")
    if word not in MESSAGES:
        id = f"{word}.{read.text('id') or delivery.id}"[:ID_LIMIT]
        return Happened(word, conversation, id, read.words(limit, own=True), agent=read.person("agent"))
    id = read.text("id")
    if not id or len(id) > ID_LIMIT:
        raise Unreadable(f"The delivery is a {word}, but `fields.id` gives nothing usable.")
    author = read.person("author")
    if word == "customer.message" and not author.id:
        author = User(f"conversation-{conversation}", author.name)
    return Happened(
        word,
        conversation,
        id,
        read.words(limit),
        author,
        read.person("agent"),
        tuple(read.files()),
        read.locale(),
    )


class _Reader:
    """The parts of one delivery; the rule's own fields come before the mapping's."""

    def __init__(self, common: Fields, own: Fields, root: Mapping[str, Any]) -> None:
        self._common = common
        self._own = own
        self._root = root

    def _expression(self, name: str) -> Any:
        own = getattr(self._own, name)
        return getattr(self._common, name) if own is None else own

    def text(self, name: str) -> str:
        return text_of(search(self._expression(name), self._root))

    def words(self, limit: int, *, own: bool = False) -> str:
        """The text, made plain; `own`: only if the rule itself says where it stands."""
        expression = self._own.text if own else self._expression("text")
        found = text_of(search(expression, self._root)).replace("\0", "")
        html = self._expression("html")
        if html is True or (isinstance(html, str) and holds(html, self._root)):
            found = from_html(found[: limit * HTML_TIMES])
        return found if len(found) <= limit else found[: limit - 1] + "…"

    def person(self, name: str) -> User:
        own: Person = getattr(self._own, name)
        common: Person = getattr(self._common, name)
        id = text_of(search(own.id or common.id, self._root))[:ID_LIMIT]
        shown = text_of(search(own.name or common.name, self._root))[:NAME_LIMIT]
        return User(id, _CONTROL.sub(" ", shown).strip())

    def locale(self) -> str:
        found = self.text("locale")
        return found if _LOCALE.match(found) else ""

    def files(self) -> Sequence[Attachment]:
        rule = self._expression("files")
        listed = search(rule.list, self._root) if rule else None
        if not isinstance(listed, list):
            return ()
        found = []
        for one in listed[:FILES_LIMIT]:
            ref = text_of(search(rule.url, one))
            named = text_of(search(rule.name, one)) or unquote(_path_of(ref).rpartition("/")[2])
            name = _CONTROL.sub(" ", named)[:ID_LIMIT].strip() or "file"
            media, size = text_of(search(rule.type, one)), search(rule.size, one)
            found.append(
                Attachment(
                    name,
                    media if _MEDIA.match(media) else "application/octet-stream",
                    size if isinstance(size, int) and not isinstance(size, bool) and size >= 0 else -1,
                    ref=ref if len(ref) <= URL_LIMIT else "",
                )
            )
        return found


def _path_of(url: str) -> str:
    """The path of an address, "" if it is none."""
    try:
        return urlsplit(url).path
    except ValueError:
        return ""


# --- expressions ----------------------------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def _compiled(expression: str) -> Any:
    return jmespath.compile(expression)


def search(expression: str | None, root: Any) -> Any:
    """What the expression gives, None for one that is not there or does not fit."""
    if expression is None:
        return None
    try:
        return _compiled(expression).search(root)
    except (JMESPathError, RecursionError, TypeError, ValueError, ArithmeticError, AttributeError):
        return None


def holds(expression: str, root: Any) -> bool:
    """Whether it gives something that counts as true in JMESPath: not false, null or empty."""
    found = search(expression, root)
    return found is not None and found is not False and found not in ("", [], {})


def text_of(value: Any) -> str:
    """A value as text: nothing is empty, numbers as written, the rest as JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value, ensure_ascii=False)
