"""The way in over HTTP: cap the body, verify the raw bytes, read them strictly, and only then hand them on.

docs.slack.dev/authentication/verifying-requests-from-slack
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from slack_bolt.response import BoltResponse
from starlette.types import Receive, Scope, Send

from supportbot.doors import RETRY_AFTER, Door, Refused, answer, headers_of, read_body
from supportbot.errors import StoreError
from supportbot_slack.intake import Intake

WINDOW = 300
_SECONDS = re.compile(r"[0-9]{1,12}\Z", re.ASCII)
_FIELDS = 100
_FORM = "application/x-www-form-urlencoded"


class SlackDoor(Door):
    """The one route for events, interactions and commands; `intake` gives what takes them in, None if stopped."""

    def __init__(self, secret: str, limit: int, intake: Callable[[], Intake | None]) -> None:
        super().__init__(self._take)
        self._secret = secret
        self._limit = limit
        self._intake = intake

    async def _take(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = headers_of(scope)
        body = await read_body(headers.get("content-length", "0"), receive, self._limit)
        if not verified(self._secret, headers, body, time.time()):
            raise Refused(401, "The request is not signed by Slack with this app's signing secret, or is too old.")
        payload = parsed(body, headers.get("content-type", ""))
        intake = self._intake()
        if intake is None:
            raise Refused(503, "This channel is not running; try again later.", RETRY_AFTER)
        if "ssl_check" in payload and "type" not in payload:
            await answer(send, 200, "")
            return
        try:
            response = await intake.take(payload)
        except StoreError:
            raise Refused(503, "The message could not be stored; send it again later.", RETRY_AFTER) from None
        await _relay(send, response)


def verified(secret: str, headers: Mapping[str, str], body: bytes, now: float) -> bool:
    """Whether Slack signed these bytes with the secret, within five minutes of `now`."""
    stamp, given = headers.get("x-slack-request-timestamp", ""), headers.get("x-slack-signature", "")
    if not _SECONDS.match(stamp) or abs(now - int(stamp)) > WINDOW:
        return False
    expected = hmac.new(secret.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(f"v0={expected}".encode(), given.encode("utf-8", "replace"))


def parsed(body: bytes, kind: str) -> dict[str, Any]:
    """The JSON object of an event or interaction, or the fields of a command. Raises Refused."""
    try:
        text = body.decode("utf-8")
        if kind.partition(";")[0].strip().lower() != _FORM:
            return _object(text)
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_FIELDS, errors="strict")
    except UnicodeDecodeError:
        raise Refused(400, "The body is not UTF-8.") from None
    except ValueError:
        raise Refused(400, "The body is no form that Slack sends.") from None
    fields: dict[str, Any] = dict(pairs)
    if len(fields) != len(pairs):
        raise Refused(400, "A field stands twice in the form.")
    if "payload" in fields:
        return _object(fields["payload"])
    if "command" not in fields and "ssl_check" not in fields:
        raise Refused(400, "The form is neither an interaction nor a command.")
    return fields


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        raise Refused(400, "The JSON is nested too deeply.") from None
    except ValueError:
        raise Refused(400, "The body is not valid JSON.") from None
    if not isinstance(found, dict) or not isinstance(found.get("type"), str):
        raise Refused(400, "The body must be a JSON object with a type.")
    if found["type"] == "event_callback" and not isinstance(found.get("event"), dict):
        raise Refused(400, "The event is missing.")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


async def _relay(send: Send, response: BoltResponse) -> None:
    """Bolt's answer over the wire."""
    headers = [
        (name.lower().encode("latin-1"), value.encode("latin-1"))
        for name, values in response.headers.items()
        for value in values
        if name.lower() != "content-length"
    ]
    body = (response.body or "").encode("utf-8", "replace")
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
