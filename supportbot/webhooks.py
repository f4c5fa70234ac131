"""Standard Webhooks, in and out: verify what arrives, sign and post what leaves.

Rules:

1. A body is verified as the raw bytes that arrived, before anything reads them.
2. Whatever is wrong with a header, a body or a signature, it is `Unsigned`: nothing else escapes `verify`.
3. A post has succeeded only with a 2xx. A redirect is a failure and is not followed; 410 switches the endpoint off;
   everything else is tried again on the schedule, because a 4xx is often a mistake that is being mended.
4. No error names a secret, a path or a query, only the endpoint's scheme and host.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any

import httpx2
import standardwebhooks

from supportbot.errors import ChannelBusy, ChannelGone, ChannelRefused, SupportbotError, UsageError
from supportbot.types import Attachment, Outgoing

RETRY_DELAYS: tuple[float, ...] = (
    5.0,
    5 * 60.0,
    30 * 60.0,
    2 * 3600.0,
    5 * 3600.0,
    10 * 3600.0,
    14 * 3600.0,
    20 * 3600.0,
    24 * 3600.0,
)
"""Seconds to wait after each failed try; the first try is made at once."""

TOLERANCE = 300.0
"""Seconds that a timestamp may be off, either way."""

_PREFIX = "whsec_"
_READ_AT_MOST = 65_536
_MAX_RETRY_AFTER = 24 * 3600.0


class Unsigned(SupportbotError):
    """The request is not authentic: no signature, a wrong one, or one from another time."""


def check_secret(secret: object, key: str = "secret") -> str:
    """The secret itself; UsageError naming `key`, never the value, if it is no Standard Webhooks secret."""
    advice = f"make one with: python3 -c \"import base64,secrets; print('{_PREFIX}' + base64.b64encode(secrets.token_bytes(24)).decode())\""
    if not isinstance(secret, str) or not secret:
        raise UsageError(f"{key} is empty or not text; {advice}")
    encoded = secret.removeprefix(_PREFIX)
    try:
        raw = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if not raw:
        raise UsageError(f"{key} is not base64 after {_PREFIX}; {advice}")
    return secret


@lru_cache(maxsize=256)
def _webhook(secret: str) -> standardwebhooks.Webhook:
    check_secret(secret)
    return standardwebhooks.Webhook(secret)


def sign(secret: str, id: str, body: bytes, now: float) -> dict[str, str]:
    """The three headers that sign `body` (UTF-8) as message `id` at `now` (seconds since the epoch)."""
    moment = datetime.fromtimestamp(int(now), tz=UTC)
    return {
        "webhook-id": id,
        "webhook-timestamp": str(int(now)),
        "webhook-signature": _webhook(secret).sign(id, moment, body.decode()),
    }


def verify(secrets: Sequence[str], headers: Mapping[str, str], body: bytes) -> None:
    """Returns if one of the secrets signed `body` within the last five minutes; raises Unsigned otherwise.

    `headers` in any case; others than the three of Standard Webhooks are ignored.
    """
    for secret in secrets:
        try:
            _webhook(secret).verify(body, dict(headers), json_parse=False)
        except Exception:  # noqa: BLE001, S112 - the library raises ValueError and more on malformed input: all mean "not authentic"
            continue
        return
    raise Unsigned(_why_unsigned({name.lower(): value for name, value in headers.items()}, body))


def _why_unsigned(headers: Mapping[str, str], body: bytes) -> str:
    wanted = ("webhook-id", "webhook-timestamp", "webhook-signature")
    if missing := [name for name in wanted if not headers.get(name)]:
        return f"The request is not signed: the header {missing[0]} is missing."
    try:
        age = abs(time.time() - float(headers["webhook-timestamp"]))
    except ValueError:
        return "The header webhook-timestamp is not a number of seconds since 1970."
    if not age <= TOLERANCE:
        return "The header webhook-timestamp is more than 5 minutes away from this server's clock."
    return (
        "The signature does not match: check the secret, and that the body is sent byte for byte as it was signed."
    )


def outgoing_object(outgoing: Outgoing) -> dict[str, Any]:
    """What leaves for one outbox row: a `message.reply`, `handoff.*` or `conversation.closed` object.

    `conversation` is the platform's own name for it, as it came in. A row's `data` stands beside the fixed fields, and
    so do the `text` and `attachments` (name, media_type, size and url as far as known) of a row that brings words.
    """
    fixed: dict[str, Any] = {
        "type": outgoing.kind,
        "id": outgoing.id,
        "conversation": outgoing.address.chat,
    }
    if outgoing.kind != "message.reply":
        user = {"id": outgoing.user.id, "name": outgoing.user.name}
        return (
            fixed | {"user": user} | {k: v for k, v in outgoing.data.items() if k not in fixed} | _words(outgoing)
        )
    reply = outgoing.reply
    return fixed | {
        "in_reply_to": list(outgoing.in_reply_to),
        "part": outgoing.part,
        "parts": outgoing.parts,
        "text": reply.text if reply else "",
        "buttons": [{"id": button.id, "label": button.label} for button in reply.buttons] if reply else [],
    }


def _words(outgoing: Outgoing) -> dict[str, Any]:
    reply = outgoing.reply
    return {} if reply is None else {"text": reply.text, "attachments": [attachment(file) for file in reply.files]}


def attachment(file: Attachment) -> dict[str, Any]:
    """A file without its content."""
    about: dict[str, Any] = {"name": file.name, "media_type": file.media_type}
    return about | ({"size": file.size} if file.size >= 0 else {}) | ({"url": file.url} if file.url else {})


def encode(payload: Mapping[str, Any]) -> bytes:
    """Compact UTF-8 JSON; a lone surrogate becomes "?" rather than an error."""
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


CALLED_WRONG = frozenset({400, 404, 405, 406, 413, 415, 422, 501})
"""Statuses by which an endpoint says that it will not take this message; others say nothing about the message."""


class SignedEndpoint:
    """Somebody's URL that takes signed posts. The client is lent: whoever made it closes it.

    Several secrets sign each post several times, so that the receiver can change over. `timeout` in seconds bounds
    the whole post.
    """

    def __init__(
        self,
        url: str,
        secrets: str | Sequence[str],
        client: httpx2.AsyncClient,
        timeout: float = 15,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.url = check_url(url)
        self.secrets = (secrets,) if isinstance(secrets, str) else tuple(secrets)
        if not self.secrets:
            raise UsageError(f"Posts to {self.place} need a secret to be signed with.")
        for secret in self.secrets:
            check_secret(secret)
        self.timeout = timeout
        self._client = client
        self._clock = clock
        self._gone = False

    @property
    def place(self) -> str:
        """Scheme and host, for messages."""
        return f"{self.url.scheme}://{self.url.netloc.decode('ascii')}"

    async def post(self, id: str, payload: Mapping[str, Any], *, patient: bool = True) -> None:
        """Returns once the endpoint has answered 2xx. Not `patient`: an answer that calls the message wrong is final.

        Raises ChannelBusy (try again), ChannelGone (410, now or earlier), or the ChannelError of a refused address.
        """
        if self._gone:
            raise ChannelGone(self._gone_sentence())
        body = encode(payload)
        try:
            status, retry_after = await self._answer(self._headers(id, body), body)
        except (httpx2.TimeoutException, TimeoutError):
            raise ChannelBusy(f"{self.place} did not answer within {self.timeout:g} s.") from None
        except httpx2.HTTPError as error:
            reason = type(error).__name__
            raise ChannelBusy(f"{self.place} could not be reached or broke off ({reason}).") from None
        if status == 410:
            self._gone = True
            raise ChannelGone(self._gone_sentence())
        if status in CALLED_WRONG and not patient:
            raise ChannelRefused(self._sentence(status))
        if not 200 <= status < 300:
            raise ChannelBusy(self._sentence(status), retry_after=retry_after)

    def _headers(self, id: str, body: bytes) -> dict[str, str]:
        now = self._clock()
        headers = sign(self.secrets[0], id, body, now)
        others = [sign(secret, id, body, now)["webhook-signature"] for secret in self.secrets[1:]]
        headers["webhook-signature"] = " ".join([headers["webhook-signature"], *others])
        headers["content-type"] = "application/json"
        return headers

    async def _answer(self, headers: Mapping[str, str], body: bytes) -> tuple[int, float | None]:
        """The status and the wish for a later try. What follows the status may fail: the status has been said."""
        async with asyncio.timeout(self.timeout):
            request = self._client.build_request("POST", self.url, content=body, headers=dict(headers))
            response = await self._client.send(request, stream=True, follow_redirects=False)
        try:
            with suppress(httpx2.HTTPError, TimeoutError):
                async with asyncio.timeout(1.0):
                    await _read_some(response)
        finally:
            await response.aclose()
        return response.status_code, retry_after(response.headers.get("retry-after"), self._clock())

    def _gone_sentence(self) -> str:
        return f"{self.place} answered 410 Gone and gets nothing more until supportbot is restarted."

    def _sentence(self, status: int) -> str:
        if 300 <= status < 400:
            return f"{self.place} answered with a redirect ({status}), which is not followed: name the final URL."
        return f"{self.place} answered {status}."


def check_url(url: object, key: str = "callback_url") -> httpx2.URL:
    """The parsed URL; UsageError naming `key` if it is not http(s) with a host and without a user or password."""
    try:
        parsed = httpx2.URL(url) if isinstance(url, str) else httpx2.URL("")
    except httpx2.InvalidURL:
        parsed = httpx2.URL("")
    if parsed.scheme not in ("http", "https") or not parsed.host or "%" in parsed.host:
        raise UsageError(f"{key} must be a whole URL that starts with https:// (or http://).")
    if parsed.userinfo:
        raise UsageError(
            f"{key} must not contain a user name or password; posts are authenticated by their signature."
        )
    return parsed


async def _read_some(response: httpx2.Response) -> None:
    """Reads a short answer to its end, so that the connection can be used again; gives up on a long one."""
    size = 0
    async for piece in response.aiter_raw():
        size += len(piece)
        if size > _READ_AT_MOST:
            return


def retry_after(value: str | None, now: float) -> float | None:
    """Seconds from now that a Retry-After header asks for, at most a day; None if it is missing or makes no sense."""
    if value is None:
        return None
    if value.strip().isascii() and value.strip().isdigit():
        return min(float(value), _MAX_RETRY_AFTER)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max(moment.timestamp() - now, 0.0), _MAX_RETRY_AFTER)
