"""How Slack calls an app over HTTP: signed, in three formats, with three repeats: docs.slack.dev/apis/events-api."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import aiohttp

_FORM = "application/x-www-form-urlencoded"
_INTERACTIONS = frozenset(
    {"block_actions", "block_suggestion", "message_action", "shortcut", "view_submission", "view_closed"}
)


def signed(
    secret: str, body: bytes, *, at: float | None = None, content_type: str = "application/json"
) -> dict[str, str]:
    """The headers of a request that Slack signs: docs.slack.dev/authentication/verifying-requests-from-slack."""
    stamp = str(int(time.time() if at is None else at))
    mac = hmac.new(secret.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256)
    return {
        "Content-Type": content_type,
        "X-Slack-Request-Timestamp": stamp,
        "X-Slack-Signature": "v0=" + mac.hexdigest(),
        "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
    }


def encoded(payload: Mapping[str, Any]) -> tuple[bytes, str]:
    """The body and content type in which Slack sends a payload: an event, an interaction, or a command."""
    if "command" in payload:
        return urlencode(payload).encode(), _FORM
    if payload.get("type") in _INTERACTIONS:
        return urlencode({"payload": json.dumps(payload)}).encode(), _FORM
    return json.dumps(payload).encode(), "application/json"


@dataclass(slots=True)
class Sender:
    """Delivers payloads. `answers` are the bodies that came back, `delays` the waits before each repeat."""

    secret: str
    delays: Sequence[float]
    within: float
    answers: list[bytes] = field(default_factory=list)

    async def deliver(self, url: str, payload: Mapping[str, Any], *, fresh_ids: bool = False) -> list[int]:
        """The status of every attempt, 0 for no answer. Only events are repeated."""
        repeats = self.delays if payload.get("type") == "event_callback" else ()
        statuses: list[int] = []
        reason = ""
        limit = aiohttp.ClientTimeout(total=self.within)
        async with aiohttp.ClientSession(timeout=limit) as session:
            for number, delay in enumerate((0.0, *repeats)):
                await asyncio.sleep(delay)
                if number and fresh_ids:
                    payload = {**payload, "event_id": f"{payload['event_id']}R{number}"}
                body, kind = encoded(payload)
                headers = signed(self.secret, body, content_type=kind)
                if number:
                    headers |= {"X-Slack-Retry-Num": str(number), "X-Slack-Retry-Reason": reason}
                status, reason, no_more = await self._once(session, url, body, headers)
                statuses.append(status)
                if 200 <= status < 300 or no_more:
                    break
        return statuses

    async def _once(
        self, session: aiohttp.ClientSession, url: str, body: bytes, headers: Mapping[str, str]
    ) -> tuple[int, str, bool]:
        try:
            async with session.post(url, data=body, headers=headers, max_redirects=2) as answer:
                self.answers.append(await answer.read())
                return answer.status, "http_error", answer.headers.get("X-Slack-No-Retry") == "1"
        except aiohttp.TooManyRedirects:
            return 0, "too_many_redirects", False
        except TimeoutError:
            return 0, "http_timeout", False
        except (aiohttp.ClientError, ConnectionError):
            return 0, "connection_failed", False
