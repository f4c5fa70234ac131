"""Reads what an HTTP request came to: a result, or the error that says whose fault it is.

1. What changes something and may have arrived is never a plain failure: without a clear answer it is OutcomeUnknown.
2. The other side's words reach the model in a ToolError, as a quotation of at most 300 characters.
3. What only the operator can mend is an HttpTrouble: it goes to the log, and the customer reads of a technical problem.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from jmespath.exceptions import JMESPathError
from jmespath.parser import ParsedResult

from supportbot.errors import ToolError
from supportbot.protocols import NotDone, OutcomeUnknown

QUOTED = 300
"""Characters of the other side's own words."""

_DEFINITE = (501, 505)
"""Server errors that say that nothing was done."""
_UNSETTLED = (401, 403, 407, 408, 409, 425, 429)
"""Refusals that come before a server looks whether it has done this already."""
_SENTENCES = {
    400: "The service did not accept the request.",
    404: "The service knows no such thing.",
    409: "This does not go together with how things stand at the service.",
    410: "The service knows no such thing any more.",
    413: "The request is too large for the service.",
    422: "The service did not accept the request.",
    429: "The service is busy: it may work a little later.",
}
_REASONS = ("detail", "message", "error_description", "error", "msg", "title", "errors")


class HttpTrouble(RuntimeError):
    """Why a request failed, in words for the log."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that was read to its end; `kind` is its content type in small letters, `location` the host it points to."""

    status: int
    kind: str = ""
    charset: str = ""
    body: bytes = field(default=b"", repr=False)
    location: str = ""
    wait: float | None = None


@dataclass(frozen=True, slots=True)
class Silence:
    """No complete answer. `arrived`: the request may have. `final`: another try would end in the same way."""

    reason: str
    arrived: bool = True
    final: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """How the answers to one tool's requests are read; `what` names the request in the log, `hide` masks secrets."""

    what: str
    effects: bool = False
    errors: Mapping[int, str] = field(default_factory=dict)
    result: ParsedResult | None = None
    hide: Callable[[str], str] = str

    def value(self, came: Answer | Silence, *, doubt: bool = False) -> Any:
        """The result. `doubt`: an earlier try may have been carried out.

        Raises ToolError, OutcomeUnknown or HttpTrouble.
        """
        if isinstance(came, Silence):
            raise self._silent(came, doubt)
        if 200 <= came.status < 300:
            return self._result(came)
        raise self._refused(came, doubt)

    def found(self, came: Answer | Silence) -> Any:
        """What an interrupted call came to, by the answer to the question for it. Raises NotDone, or HttpTrouble."""
        if isinstance(came, Silence):
            raise HttpTrouble(f"{self.what}: {came.reason}")
        if came.status == 404:
            raise NotDone
        if 200 <= came.status < 300:
            return self._result(came)
        raise HttpTrouble(f"{self.what} answered {came.status}")

    def repeated(self, came: Answer | Silence) -> Any:
        """The same, by the answer to the request itself, sent again. Raises OutcomeUnknown."""
        if isinstance(came, Answer) and 200 <= came.status < 300:
            return self._result(came)
        raise OutcomeUnknown(f"{self.what}, sent again: {_told(came)}")

    def _silent(self, silence: Silence, doubt: bool) -> Exception:
        told = f"{self.what}: {self.hide(silence.reason)}"
        return OutcomeUnknown(told) if self.effects and (silence.arrived or doubt) else HttpTrouble(told)

    def _refused(self, answer: Answer, doubt: bool) -> Exception:
        status, told = answer.status, f"{self.what} answered {answer.status}"
        if self.effects and (is_unclear(status) or (doubt and status in _UNSETTLED)):
            return OutcomeUnknown(told)
        if status in self.errors:
            return ToolError(self.errors[status])
        if status in (401, 403, 407):
            return HttpTrouble(f"{told}: the service does not accept the credentials under `auth`")
        if status < 400:
            return HttpTrouble(f"{told}{_pointed(answer)}: redirects are not followed, so write the right `base`")
        if status >= 500:
            return HttpTrouble(f"{told}{self._said(answer)}")
        return ToolError(_SENTENCES.get(status, "The service refused this.") + self._said(answer))

    def _said(self, answer: Answer) -> str:
        words = _reason(_parsed(answer)) if _is_json(answer) else ""
        words = self.hide(" ".join(words.split()))
        return f' It says: "{words if len(words) <= QUOTED else words[: QUOTED - 1] + "…"}"' if words else ""

    def _result(self, answer: Answer) -> Any:
        if not answer.body:
            return {"ok": True}
        parsed = _parsed(answer) if _is_json(answer) or self.result is not None else None
        if self.result is None:
            return _text(answer) if parsed is None else parsed.content
        if parsed is None:
            raise self._unreadable(f"{self.what} answered {answer.status} with something that is not JSON")
        try:
            return self.result.search(parsed.content)
        except JMESPathError as error:
            told = f"{self.what} answered {answer.status}, but `result` does not fit: {type(error).__name__}"
            raise self._unreadable(told) from None

    def _unreadable(self, told: str) -> Exception:
        return OutcomeUnknown(told) if self.effects else HttpTrouble(told)


def is_unclear(status: int) -> bool:
    """Whether a status leaves it open if the request was carried out.

    A redirect may be the thanks for it, except for those that say: send it there again.
    """
    return (status >= 500 and status not in _DEFINITE) or (300 <= status < 400 and status not in (307, 308))


@dataclass(frozen=True, slots=True)
class _Parsed:
    """JSON content, so that null is not nothing."""

    content: Any


def _parsed(answer: Answer) -> _Parsed | None:
    try:
        return _Parsed(json.loads(answer.body, parse_float=_finite, parse_constant=lambda _: None))
    except (ValueError, RecursionError):
        return None


def _finite(number: str) -> float | None:
    found = float(number)
    return found if math.isfinite(found) else None


def _is_json(answer: Answer) -> bool:
    return answer.kind in ("application/json", "text/json") or answer.kind.endswith("+json")


def _text(answer: Answer) -> Any:
    """The content as text; of pictures and other files only what they are."""
    kind, main = answer.kind, answer.kind.partition("/")[0]
    if kind and main != "text" and not _is_json(answer) and not kind.endswith(("xml", "yaml", "urlencoded")):
        return {"ok": True, "content_type": kind, "bytes": len(answer.body)}
    try:
        return answer.body.decode(answer.charset or "utf-8", "replace")
    except (LookupError, ValueError):
        return answer.body.decode("utf-8", "replace")


def _reason(parsed: _Parsed | None) -> str:
    return _words(parsed.content, 4) if parsed is not None else ""


def _words(value: Any, depth: int) -> str:
    """The first text in a problem that reads like its reason."""
    if isinstance(value, str) or not depth:
        return value if isinstance(value, str) else ""
    if isinstance(value, list):
        return _words(value[0], depth - 1) if value else ""
    if not isinstance(value, dict):
        return ""
    return next(filter(None, (_words(value[key], depth - 1) for key in _REASONS if key in value)), "")


def _pointed(answer: Answer) -> str:
    return f" and points to {answer.location}" if answer.location else ""


def _told(came: Answer | Silence) -> str:
    return came.reason if isinstance(came, Silence) else f"answered {came.status}"


def host(url: str) -> str:
    """Scheme and host of an address; what follows may have secrets."""
    try:
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.hostname}" if parts.hostname else "another path"
    except ValueError:
        return "another address"
