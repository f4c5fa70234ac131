"""From the bytes of a signed request to a Message or an agent's Act, or one sentence that names the field at fault.

Strict on purpose: two readers of one body must never understand different things, so a key that stands twice, a
number that is no number, half a character and nesting without end are refused. Keys that are not known are ignored.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NoReturn

from supportbot import Act, Action, Address, Attachment, Event, Message, User

ID_LIMIT = 255
NAME_LIMIT = 500
ATTACHMENT_LIMIT = 20
URL_LIMIT = 4_000
DATA_LIMIT = 32_000
PROOF_LIMIT = 8_000

_DECISIONS = {"approval.granted": "approved", "approval.denied": "denied"}
_ACTS: Mapping[str, Any] = {
    "human.message": "message",
    "human.note": "note",
    "handoff.claimed": "claim",
    "handoff.released": "release",
    "handoff.transferred": "transfer",
    "handoff.returned": "return",
    "handoff.resolved": "resolve",
}
_FROM_HUMANS = (*_ACTS, *_DECISIONS)
_NEEDS_WORDS = ("message", "human.message", "human.note")
KINDS = ("message", "action", "event", *_FROM_HUMANS)
_LOCALE = re.compile(r"[A-Za-z]{2,8}([_-][A-Za-z0-9]{1,8}){0,4}\Z")
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Malformed(Exception):
    """The body cannot be used; `str()` is the sentence for the sender, `status` the HTTP status."""

    def __init__(self, sentence: str, status: int = 400) -> None:
        super().__init__(sentence)
        self.status = status


def parse(body: bytes, channel: str, *, text_limit: int) -> Message | Act:
    """What is in `body`: an Act if it names a handoff in the place of a conversation. Raises Malformed."""
    fields = _Fields(read_object(body))
    kind = fields.kind()
    received = (
        fields.act(kind, text_limit) if fields.is_of_a_desk() else _message(fields, kind, channel, text_limit)
    )
    if kind in _NEEDS_WORDS and not received.text and not received.attachments:
        raise Malformed(f"text is missing or empty: a {kind} needs text or attachments.")
    return received if isinstance(received, Act) else replace(received, digest=hashlib.sha256(body).hexdigest())


def _message(fields: _Fields, kind: Any, channel: str, text_limit: int) -> Message:
    human = kind in _FROM_HUMANS
    return Message(
        address=Address(channel, fields.name("conversation")),
        id=fields.name("id"),
        user=fields.user(needed=not human),
        text=fields.text(text_limit),
        kind="call" if kind in _DECISIONS else kind,
        action=fields.action() if kind == "action" else None,
        event=fields.happened(kind),
        attachments=fields.attachments(),
        locale=fields.locale(),
        proof="" if human else fields.proof(),
        shown=human and fields.shown(),
    )


# --- JSON ----------------------------------------------------------------------------------------------------


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`; raises Malformed."""
    try:
        value = _DECODER.decode(body.decode("utf-8"))
        if b"\\u" in body:  # only an escape can bring half a character
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("The body is not UTF-8.") from None
    except UnicodeEncodeError:
        raise Malformed("The body contains half of a surrogate pair (\\ud800 to \\udfff alone).") from None
    except RecursionError:
        raise Malformed("The body is nested too deeply.") from None
    except ValueError:
        raise Malformed("The body is not valid JSON.") from None
    if not isinstance(value, dict):
        raise Malformed("The body must be a JSON object.")
    return value


def _no_constant(name: str) -> NoReturn:
    raise Malformed(f"The body contains {name}, which is not JSON.")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise Malformed("The body contains a number too large to be read.")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Malformed("The body contains an object in which a key stands twice.")
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite)


# --- fields --------------------------------------------------------------------------------------------------


class _Fields:
    """The body's fields; each method gives one of them or says what is wrong with it."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self._fields = fields

    def kind(self) -> Any:  # one of KINDS; all but _DECISIONS are of MessageKind
        kind = self._fields.get("type", "message")
        if kind not in KINDS:
            raise Malformed(f"type must be one of {', '.join(KINDS)}.")
        return kind

    def is_of_a_desk(self) -> bool:
        """Whether it is about a handoff, by the handoff's own name."""
        return self._fields.get("conversation") is None and self._fields.get("handoff") is not None

    def act(self, kind: str, text_limit: int) -> Act:
        """What an agent did at a desk."""
        if kind not in _ACTS:
            raise Malformed(
                f"type must be one of {', '.join(_ACTS)} where a handoff is named, or name a conversation."
            )
        return Act(
            id=self.name("id"),
            agent=self.user(needed=True),
            kind=_ACTS[kind],
            handoff=self.name("handoff"),
            text=self.text(text_limit),
            attachments=self.attachments(),
            to=self.to() if kind == "handoff.transferred" else "",
            shown=self.shown(),
        )

    def name(self, field: str) -> str:
        return _name(self._fields, field, field)

    def to(self) -> str:
        """The desk or agent that a handoff is given to, "" for anybody."""
        return self.name("to") if self._fields.get("to") else ""

    def shown(self) -> bool:
        found = self._fields.get("shown", False)
        if not isinstance(found, bool):
            raise Malformed("shown must be true or false.")
        return found

    def text(self, limit: int) -> str:
        text = _string(self._fields, "text", "text")
        if len(text) > limit:
            raise Malformed(f"text is longer than {limit:,} characters.", 413)
        return text.replace("\0", "")

    def user(self, *, needed: bool) -> User:
        if "user" not in self._fields and not needed:
            return User("")
        user = _object(self._fields, "user")
        name = _string(user, "name", "user.name")
        if len(name) > NAME_LIMIT:
            raise Malformed(f"user.name is longer than {NAME_LIMIT} characters.")
        return User(_name(user, "id", "user.id"), _CONTROL.sub(" ", name).strip())

    def proof(self) -> str:
        """The customer's identity as the company's site has signed it."""
        user = self._fields.get("user")
        proof = _string(user, "identity", "user.identity") if isinstance(user, dict) else ""
        if len(proof) > PROOF_LIMIT:
            raise Malformed(f"user.identity is longer than {PROOF_LIMIT:,} characters.")
        return proof

    def happened(self, kind: str) -> Event | None:
        """What came without words: an event, a transfer or a decision."""
        if kind == "handoff.transferred":
            return Event("transfer", {"to": self.to()})
        if kind in _DECISIONS:
            return self.decision()
        return self.event() if kind == "event" else None

    def decision(self) -> Event:
        """A colleague's decision on a call that waits for one."""
        note = _string(self._fields, "text", "text")
        by = self.user(needed=False)
        data = {"call": self.name("call"), "by": by.name or by.id or "a colleague", "note": note[:NAME_LIMIT]}
        return Event(_DECISIONS[self.kind()], data)

    def action(self) -> Action:
        action = _object(self._fields, "action")
        value = _string(action, "value", "action.value")
        if len(value) > DATA_LIMIT:
            raise Malformed(f"action.value is longer than {DATA_LIMIT:,} characters.")
        return Action(_name(action, "id", "action.id"), value.replace("\0", ""))

    def event(self) -> Event:
        event = _object(self._fields, "event")
        data = event.get("data", {})
        if not isinstance(data, dict):
            raise Malformed("event.data must be an object.")
        written = json.dumps(data)
        if len(written) > DATA_LIMIT:
            raise Malformed(f"event.data is longer than {DATA_LIMIT:,} characters.")
        if _NUL.search(written):
            raise Malformed("event.data contains a NUL character.")
        return Event(_name(event, "name", "event.name"), data)

    def attachments(self) -> tuple[Attachment, ...]:
        found = self._fields.get("attachments")
        if found is None:
            return ()
        if not isinstance(found, list):
            raise Malformed("attachments must be a list.")
        if len(found) > ATTACHMENT_LIMIT:
            raise Malformed(f"attachments has more than {ATTACHMENT_LIMIT} entries.")
        return tuple(_attachment(entry, f"attachments[{at}]") for at, entry in enumerate(found))

    def locale(self) -> str:
        locale = _string(self._fields, "locale", "locale")
        if locale and not _LOCALE.match(locale):
            raise Malformed('locale must be a language code such as "en" or "pt-BR".')
        return locale


def _attachment(entry: object, place: str) -> Attachment:
    if not isinstance(entry, dict):
        raise Malformed(f"{place} must be an object.")
    url = _string(entry, "url", f"{place}.url")
    if url and (len(url) > URL_LIMIT or _CONTROL.search(url) or not url.startswith(("https://", "http://"))):
        raise Malformed(f"{place}.url must start with https:// and have at most {URL_LIMIT:,} characters.")
    size = entry.get("size", -1)
    if not isinstance(size, int) or isinstance(size, bool) or not -1 <= size < 2**53:
        raise Malformed(f"{place}.size must be a whole number of bytes.")
    name = _string(entry, "name", f"{place}.name")[:NAME_LIMIT]
    media_type = _string(entry, "media_type", f"{place}.media_type")[:NAME_LIMIT]
    return Attachment(
        _CONTROL.sub(" ", name), _CONTROL.sub(" ", media_type) or "application/octet-stream", size, url
    )


def _object(fields: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    found = fields.get(field)
    if not isinstance(found, dict):
        raise Malformed(f"{field} is missing." if found is None else f"{field} must be an object.")
    return found


def _string(fields: Mapping[str, Any], field: str, place: str) -> str:
    """Text, "" if the field is missing or null."""
    found = fields.get(field)
    if found is None:
        return ""
    if not isinstance(found, str):
        raise Malformed(f"{place} must be text.")
    return found


def _name(fields: Mapping[str, Any], field: str, place: str) -> str:
    """An identifier: text that is there, short, and without control characters."""
    found = _string(fields, field, place)
    if not found:
        raise Malformed(f"{place} is missing or empty.")
    if len(found) > ID_LIMIT or _CONTROL.search(found):
        raise Malformed(f"{place} must have at most {ID_LIMIT} characters and no control characters.")
    return found
