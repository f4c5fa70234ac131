"""Calls of Slack's Web API through slack_sdk: one try, one time limit, and every failure is a Refusal."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from slack_sdk.errors import SlackApiError, SlackRequestError
from slack_sdk.web.async_client import AsyncWebClient

from supportbot_slack.faults import RETRY_AFTER, Refusal

SECONDS = 10.0
_FORM = frozenset(
    [
        "auth.test",
        "chat.getPermalink",
        "conversations.history",
        "conversations.replies",
        "files.completeUploadExternal",
        "files.getUploadURLExternal",
        "files.info",
        "users.info",
    ]
)
"""Methods that take no JSON."""


def silent(name: str) -> logging.Logger:
    """A logger for the SDK that says nothing: what it says holds customers' words, and what failed is told by us."""
    for library in ("slack_bolt", "slack_sdk", "aiohttp"):
        logging.getLogger(library).setLevel(logging.WARNING)
    logger = logging.getLogger(f"supportbot_slack.{name}")
    logger.setLevel(logging.CRITICAL + 1)
    return logger


def proxy_for(url: str) -> str | None:
    """The proxy that the environment names for this address, None if it is to be reached directly."""
    parts = urlsplit(url)
    if parts.hostname is None or proxy_bypass(parts.hostname):
        return None
    return getproxies().get(parts.scheme)


class Web:
    """The Web API with one token. Open it in a running event loop; `close` ends its connections."""

    def __init__(self, api_url: str, token: str) -> None:
        self.api_url = api_url
        self.session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SECONDS))
        self.client = AsyncWebClient(
            token=token,
            base_url=f"{api_url}/",
            session=self.session,
            logger=silent("web"),
            retry_handlers=[],  # a lost answer is not a lost call: the outbox looks before it sends again
        )
        self.client.proxy = proxy_for(api_url)

    async def close(self) -> None:
        await self.session.close()

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """What Slack answered; parameters that are None are left out. Raises Refusal."""
        given = {name: value for name, value in params.items() if value is not None}
        form = method in _FORM
        try:
            answer = await self.client.api_call(method, **({"data": _form(given)} if form else {"json": given}))
        except SlackApiError as error:
            raise _refusal(method, error.response) from None
        except TimeoutError:
            raise Refusal(method, "timeout") from None
        except (aiohttp.ClientError, OSError, SlackRequestError, ValueError):
            raise Refusal(method, "connection") from None
        return answer.data if isinstance(answer.data, dict) else {}


def _form(params: Mapping[str, Any]) -> dict[str, str]:
    return {
        name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in params.items()
    }


def _refusal(method: str, response: Any) -> Refusal:
    """Of the SDK's answer object, or of aiohttp's where the body was no JSON."""
    status = int(getattr(response, "status_code", 0) or getattr(response, "status", 0) or 0)
    data = getattr(response, "data", None)
    code = data.get("error") if isinstance(data, dict) else None
    headers = getattr(response, "headers", None) or {}
    after = _seconds(headers.get("Retry-After"))
    if not isinstance(code, str) or not code:
        code = "ratelimited" if status == 429 else "http"
    if status == 429 or code in ("ratelimited", "rate_limited"):
        after = RETRY_AFTER if after is None else after
    return Refusal(method, code[:100], status=status, retry_after=after)


def _seconds(value: Any) -> float | None:
    try:
        return min(max(float(value), 0.0), 3600.0)
    except (TypeError, ValueError):
        return None
