"""One-time codes: the two tools by which a flow finds out who a customer is.

1. `request_code` makes a code and has the operator's own tool send it; the code itself stands in no record.
2. Whether the contact belongs to a customer shows neither in words nor in what follows: an unknown one gets a code that
   never fits.
3. `check_code` proves the identity, if the code fits, in time, within a few tries.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from supportbot.engine.calls import Performed
from supportbot.engine.draft import Draft
from supportbot.types import CallTool, Challenge, Identity, Standing, ToolResult, ToolSpec

_TEXT = {"type": "string", "minLength": 1, "maxLength": 200}
REQUEST_CODE = ToolSpec(
    "request_code",
    "Sends a one-time code to the customer's address or number.",
    {"type": "object", "properties": {"contact": _TEXT}, "required": ["contact"], "additionalProperties": False},
)
CHECK_CODE = ToolSpec(
    "check_code",
    "Checks the one-time code that the customer has typed.",
    {"type": "object", "properties": {"code": _TEXT}, "required": ["code"], "additionalProperties": False},
)
TOOLS = (REQUEST_CODE, CHECK_CODE)
"""What flows may call beside the operator's own tools, if `identity.send_code` is set."""
TRIES = 5
_DIGITS = 6


def perform(draft: Draft, name: str, arguments: Mapping[str, Any]) -> Performed:
    """What one of the two comes to."""
    if name == CHECK_CODE.name:
        return _check(draft, str(arguments.get("code", "")))
    return (yield from _request(draft, str(arguments.get("contact", ""))))


def _request(draft: Draft, contact: str) -> Performed:
    code = f"{int(draft.fresh('code')[5:], 16) % 10**_DIGITS:0{_DIGITS}d}"
    call = CallTool(
        draft.script.proofs.send_code,
        {"contact": contact},
        draft.author,
        locale=draft.locale,
        sealed={"code": code},
    )
    draft.personal = draft.personal or draft.shared
    result = yield call
    if not isinstance(result, ToolResult):
        raise AssertionError("a call came to something else than its result")
    draft.trace("code sent", error=result.error)
    if result.error:
        return result
    found: Mapping[str, Any] = result.value if isinstance(result.value, Mapping) else {}
    challenge = Challenge(
        digest=_digest(draft, code),
        customer=str(found.get("customer") or ""),
        name=str(found.get("name") or ""),
        expires_at=draft.moment.now + draft.script.proofs.code_lasts,
        tries=TRIES,
    )
    draft.standing = replace(draft.standing, challenge=challenge)
    return ToolResult("sent", {"contact": contact})


def _check(draft: Draft, code: str) -> ToolResult:
    draft.personal = draft.personal or draft.shared
    challenge = draft.standing.challenge
    if challenge is None or draft.moment.now >= challenge.expires_at or challenge.tries <= 0:
        draft.trace("code", accepted=False, reason="none is open")
        return ToolResult(draft.text("code_over"), error="failed")
    typed = "".join(letter for letter in code if letter.isdigit())
    fits = hmac.compare_digest(_digest(draft, typed), challenge.digest)
    if fits and challenge.customer:
        now, lasts = draft.moment.now, draft.script.proofs.lasts
        proven = Identity(challenge.customer, challenge.name, "code", now, now + lasts)
        draft.prove(Standing(proven))
        draft.trace("code", accepted=True, customer=proven.customer)
        return ToolResult("verified", {"customer": proven.customer, "name": proven.name})
    draft.standing = replace(draft.standing, challenge=replace(challenge, tries=challenge.tries - 1))
    draft.trace("code", accepted=False, left=challenge.tries - 1)
    return ToolResult(draft.text("code_wrong" if challenge.tries > 1 else "code_over"), error="failed")


def _digest(draft: Draft, code: str) -> str:
    salt = f"{draft.start.conversation.id} {draft.author.id}"
    return hashlib.blake2b(code.encode(), key=salt.encode()[:64], digest_size=16).hexdigest()
