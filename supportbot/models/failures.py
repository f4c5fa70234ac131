"""Whatever a model server or the way to it does wrong -> one of our errors with one sentence. Pure.

The text of an error body can hold the customer's words or the key, so it is read for its codes and never repeated.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from supportbot.errors import (
    ModelBilling,
    ModelError,
    ModelFiltered,
    ModelRefused,
    ModelTruncated,
    ModelUnavailable,
)

_BILLING = frozenset(
    {
        "insufficient_quota",
        "credit_balance_exhausted",
        "billing_hard_limit_reached",
        "billing_not_active",
        "insufficient_balance",
    }
)
_FILTERS = frozenset({"content_filter", "content_policy_violation", "responsibleaipolicyviolation"})
_PARAMETER_CODES = frozenset({"unsupported_parameter", "unsupported_value", "unknown_parameter"})
_REFUSED_WORDS = re.compile(
    r"unsupported|unrecognized|unknown|not supported|not permitted|extra (inputs|fields)|unexpected", re.IGNORECASE
)
_CODE = re.compile(r"[a-z][a-z0-9_]{0,47}\Z")
_PARAM = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.\[\]]{0,79}\Z")
_CLOSED = ("disconnect", "reset", "remoteprotocol", "contentlength", "transferencoding", "payload")
_LONGEST_WAIT = 3600.0


class StreamCut(ModelTruncated):
    """A stream that ended without saying why: unlike a spent token limit, asking once more may help."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Whom to name in a sentence: the model, and its server as host[:port]."""

    model: str
    server: str


@dataclass(frozen=True, slots=True)
class Complaint:
    """An error answer of a server, reduced to what may be shown and to `message`, which may not."""

    status: int
    code: str = ""
    param: str = ""
    message: str = ""
    retry_after: float | None = None

    @property
    def blames_parameter(self) -> bool:
        """Whether it refuses one parameter of the request rather than the request."""
        if self.status not in (400, 422):
            return False
        return self.code in _PARAMETER_CODES or _REFUSED_WORDS.search(self.message[:500]) is not None


def complaint(status: int, body: object, headers: Mapping[str, str]) -> Complaint:
    """Reads an error body of any shape: OpenAI's, a list of them, FastAPI's `detail`, or no JSON at all."""
    found = body[0] if isinstance(body, list) and body else body
    if isinstance(found, Mapping) and isinstance(found.get("error"), Mapping | str):
        found = found["error"]
    fields: Mapping[str, Any] = found if isinstance(found, Mapping) else {"message": found}
    code = _short(fields.get("code"), _CODE) or _short(fields.get("type"), _CODE)
    message = fields.get("message", fields.get("detail", ""))
    return Complaint(
        status=status,
        code=code,
        param=_short(fields.get("param"), _PARAM),
        message=str(message)[:2000],
        retry_after=_retry_after(headers),
    )


def from_complaint(said: Complaint, origin: Origin) -> ModelError:
    """The error for an HTTP error status (or an error event in a stream, status 500)."""
    code = said.code
    if said.status == 402 or code in _BILLING or code.endswith("_spend_limit_exceeded"):
        return ModelBilling(
            f"the account at {origin.server} has no quota or credit left ({code or said.status}): "
            "check its billing and limits"
        )
    if code in _FILTERS:
        return ModelFiltered(f"the content filter at {origin.server} refused the conversation ({code})")
    if said.status in (408, 409, 425, 429) or said.status >= 500:
        return ModelUnavailable(_busy(said, origin), retry_after=said.retry_after)
    return ModelRefused(_refusal(said, origin))


def from_connection(error: BaseException, origin: Origin, *, seconds: float) -> ModelError:
    """The error for a request that got no complete HTTP answer."""
    causes = list(_causes(error))
    kinds = [type(cause).__name__.lower() for cause in causes]
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return ModelRefused(
            f"the TLS certificate of {origin.server} is not trusted: check model.base_url, or name your "
            "authority's file in SSL_CERT_FILE"
        )
    if any("unsupportedprotocol" in kind or "invalidurl" in kind for kind in kinds):
        return ModelRefused("model.base_url is no http:// or https:// address")
    return ModelUnavailable(_connection_sentence(causes, kinds, origin, seconds))


def _connection_sentence(causes: list[BaseException], kinds: list[str], origin: Origin, seconds: float) -> str:
    server = origin.server
    if any(isinstance(cause, socket.gaierror) for cause in causes) or any("dns" in kind for kind in kinds):
        return f"the name of the model server {server} cannot be resolved: check model.base_url and the network"
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return f"nothing answers at the model server {server} (connection refused): is it running?"
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return f"no TLS connection to the model server {server}: check model.base_url (http or https)"
    if any(part in kind for kind in kinds for part in _CLOSED):
        return f"the model server {server} closed the connection before its answer was complete"
    if any("timeout" in kind for kind in kinds):
        return f"the model server {server} did not answer within {seconds:g} s"
    return f"the connection to the model server {server} broke"


def _busy(said: Complaint, origin: Origin) -> str:
    if said.status == 429:
        return f"{origin.server} limits the rate of calls to {origin.model} (429)"
    if said.status == 408:
        return f"{origin.server} gave up waiting for the request (408)"
    if said.status in (409, 425):
        return f"{origin.server} could not take the request now ({said.status})"
    return f"the model server {origin.server} failed ({said.status})"


def _refusal(said: Complaint, origin: Origin) -> str:
    status, code = said.status, said.code
    shown = f"{status}, {code}" if code else f"{status}"
    if code == "context_length_exceeded":
        return f"the conversation is longer than {origin.model} takes ({shown}): lower history.max_tokens"
    if status == 401:
        return "the model server refused the key (401): check OPENAI_API_KEY"
    if status == 403:
        return f"the key may not use {origin.model} at {origin.server} ({shown}): check the project's permissions"
    if status == 404 or code == "model_not_found":
        return f"{origin.server} does not know {origin.model} ({shown}): check model.name and model.base_url"
    if status == 413:
        return f"the request is too large for {origin.server} (413): lower history.max_tokens"
    if 300 <= status < 400:
        return f"{origin.server} redirects ({status}): set model.base_url to the final address"
    named = f" because of {said.param}" if said.param else ""
    return f"{origin.server} refused the request to {origin.model} ({shown}){named}"


def _short(value: object, allowed: re.Pattern[str]) -> str:
    """A code fit to be shown, "" for anything that could be free text."""
    text = str(value) if isinstance(value, str) else ""
    lowered = text.lower() if allowed is _CODE else text
    return lowered if allowed.match(lowered) else ""


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds, 0 to 3600, from `retry-after-ms` or `retry-after` (seconds or a date); None without a sane one."""
    try:
        if "retry-after-ms" in headers:
            seconds = float(headers["retry-after-ms"]) / 1000
        else:
            seconds = float(headers["retry-after"])
    except KeyError:
        return None
    except ValueError:
        seconds = _until(headers.get("retry-after", ""), headers.get("date", ""))
    return seconds if 0 <= seconds <= _LONGEST_WAIT else None


def _until(date: str, now: str) -> float:
    """Seconds between the server's own clock and the date it names; -1 if either is missing or unreadable."""
    try:
        return (parsedate_to_datetime(date) - parsedate_to_datetime(now)).total_seconds()
    except (ValueError, TypeError):
        return -1.0


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it came from, at most ten deep."""
    current: BaseException | None = error
    for _ in range(10):
        if current is None:
            return
        yield current
        wrapped = getattr(current, "os_error", None)
        if isinstance(wrapped, BaseException):
            yield wrapped
        current = current.__cause__ or current.__context__
