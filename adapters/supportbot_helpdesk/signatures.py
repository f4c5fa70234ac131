"""Whether a delivery comes from the helpdesk: five families, raw bytes, constant time.

1. The body is verified as the bytes that arrived, before anything reads them.
2. Every secret is tried, in constant time, so that one can be changed while deliveries come in.
3. Whatever is wrong, the answer is the same: nobody learns what was expected.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from supportbot.webhooks import Unsigned
from supportbot.webhooks import verify as verify_standard
from supportbot_helpdesk.mapping import Signature

SENTENCE = "The request is not authentic."


def verify(
    signature: Signature,
    secrets: Sequence[str],
    headers: Mapping[str, str],
    query: Mapping[str, str],
    body: bytes,
    *,
    now: float,
) -> None:
    """Returns if the delivery is authentic; raises Unsigned. Header names are in small letters, `now` in seconds."""
    if signature.family == "standard":
        try:
            verify_standard(secrets, headers, body)
        except Unsigned:
            raise Unsigned(SENTENCE) from None
        return
    given = _given(signature, headers, query)
    fresh = _fresh(signature, headers, now)
    fits = [hmac.compare_digest(given.encode(), _wanted(signature, secret, headers, body)) for secret in secrets]
    if not given or not fresh or not any(fits):
        raise Unsigned(SENTENCE)


def _given(signature: Signature, headers: Mapping[str, str], query: Mapping[str, str]) -> str:
    if signature.family == "query":
        return query.get(signature.query or "", "")
    found = headers.get((signature.header or "").lower(), "").strip()
    if not found.startswith(signature.prefix):
        return ""
    found = found.removeprefix(signature.prefix)
    return found.lower() if signature.family == "hmac" and signature.encoding == "hex" else found


def _wanted(signature: Signature, secret: str, headers: Mapping[str, str], body: bytes) -> bytes:
    if signature.family != "hmac":
        return secret.encode()
    stamp = headers.get((signature.timestamp or "").lower(), "")
    before, _, after = signature.signed.partition("{body}")
    content = b"".join(
        (_filled(before, stamp), body, _filled(after, stamp)),
    )
    digest = hmac.new(secret.encode(), content, getattr(hashlib, signature.algorithm))
    return (
        digest.hexdigest() if signature.encoding == "hex" else base64.b64encode(digest.digest()).decode()
    ).encode()


def _filled(text: str, stamp: str) -> bytes:
    return text.replace("{timestamp}", stamp).encode("latin-1", "replace")


def _fresh(signature: Signature, headers: Mapping[str, str], now: float) -> bool:
    if signature.timestamp is None:
        return True
    moment = moment_of(headers.get(signature.timestamp.lower(), ""))
    return moment is not None and abs(now - moment) <= signature.tolerance


def moment_of(text: str) -> float | None:
    """Seconds since 1970 of seconds, milliseconds or an ISO 8601 time; None if it is none of them."""
    text = text.strip()
    if text.isascii() and text.isdigit() and len(text) <= 13:
        return int(text) / (1000 if len(text) == 13 else 1)
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
