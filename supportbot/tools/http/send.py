"""Sends HTTP requests to one service, again where that is safe.

1. A request that changes something is sent again only if it certainly never arrived, or if the other side does what
   has the same key only once.
2. All tries together end before the tool's time does, so that what is known can still be told.
3. No cookie is kept: the next request is another customer's.
"""

from __future__ import annotations

import asyncio
import base64
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx2

from supportbot.errors import ChannelRefused
from supportbot.toolfiles import Auth
from supportbot.tools.http.answer import Answer, Silence, host, is_unclear
from supportbot.tools.http.request import Endpoint, Written, encoded, written

MOST = 2_000_000
"""Bytes of an answer."""
LONGEST_WAIT = 5.0
"""Seconds: if a service asks for more, the request is not sent again."""

_BUSY = (408, 425, 429)
_NEVER_ARRIVED = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)


@dataclass(frozen=True, slots=True)
class Credentials:
    """How the other side knows us; never shown."""

    headers: Mapping[str, str] = field(repr=False)
    query: Mapping[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)

    @classmethod
    def of(cls, auth: Auth) -> Credentials:
        headers = {name: secret.get_secret_value() for name, secret in auth.header.items()}
        secrets = [*headers.values()]
        if auth.bearer is not None:
            secrets.append(auth.bearer.get_secret_value())
            headers["Authorization"] = f"Bearer {secrets[-1]}"
        if auth.user is not None:
            password = auth.password.get_secret_value() if auth.password else ""
            pair = base64.b64encode(f"{auth.user}:{password}".encode()).decode()
            headers["Authorization"] = f"Basic {pair}"
            secrets += [pair, password]
        query = {name: secret.get_secret_value() for name, secret in auth.query.items()}
        secrets += [*query.values(), *(encoded([("", value)])[1:] for value in query.values())]
        return cls(headers, query, tuple(sorted(filter(None, secrets), key=len, reverse=True)))

    def hide(self, told: str) -> str:
        """The text without our secrets."""
        for secret in self.secrets:
            told = told.replace(secret, "***")
        return told

    def hidden(self, content: bytes) -> bytes:
        """The same for what came as bytes."""
        for secret in self.secrets:
            content = content.replace(secret.encode(), b"***")
        return content


@dataclass(frozen=True, slots=True)
class Plan:
    """How a request is sent: at most `seconds` in all. `effects`: with a key. `repeatable`: a second time does no harm."""

    seconds: float
    effects: bool
    repeatable: bool


class Line:
    """The way to one service; `open` it before the first request."""

    def __init__(
        self,
        credentials: Credentials,
        *,
        headers: Mapping[str, str],
        key_header: str,
        timeout: float,
        retries: int,
    ) -> None:
        self.credentials = credentials
        self._clients: Mapping[bool, httpx2.AsyncClient] = {}
        self._headers = headers
        self._key_header = key_header
        self._timeout = timeout
        self._retries = retries

    def open(self, client: Callable[..., httpx2.AsyncClient]) -> None:
        """Makes the HTTP clients; what changes something gets a connection of its own each time."""
        self._clients = {effects: client(True, most=MOST, keep=not effects) for effects in (False, True)}
        for one in self._clients.values():
            one.cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))

    async def close(self) -> None:
        for one in self._clients.values():
            await one.aclose()

    async def send(
        self, endpoint: Endpoint, arguments: Mapping[str, Any], key: str, plan: Plan
    ) -> tuple[Answer | Silence, bool]:
        """What the last try came to, and whether an earlier one may have been carried out. Raises ToolError for
        arguments that cannot be sent."""
        wire = written(endpoint, arguments, reserved=self.credentials.query)
        own = {self._key_header: key} if plan.effects and key else {}
        ends, doubt = time.monotonic() + plan.seconds, False
        for tried in range(self._retries + 1):
            left = min(self._timeout, ends - time.monotonic())
            came = await self._try(self._clients[plan.effects], endpoint.method, wire, own, left)
            wait = _wait(came, plan, tried)
            last = tried == self._retries or wait is None
            if wait is None or last or time.monotonic() + wait + 0.1 >= ends:
                break
            doubt = doubt or _may_be_done(came)
            await asyncio.sleep(wait)
        return came, doubt

    async def _try(
        self, client: httpx2.AsyncClient, method: str, wire: Written, own: Mapping[str, str], seconds: float
    ) -> Answer | Silence:
        try:
            request = self._request(client, method, wire, own, seconds)
            async with asyncio.timeout(seconds):
                return _answer(await client.send(request), self.credentials)
        except _NEVER_ARRIVED as error:
            return Silence(f"no connection ({type(error).__name__}: {error})", arrived=False)
        except (TimeoutError, httpx2.TimeoutException):
            return Silence(f"no answer within {seconds:.1f} s")
        except ChannelRefused as error:
            return Silence(str(error), final=True)
        except httpx2.RequestError as error:
            return Silence(f"the connection broke off ({type(error).__name__})")

    def _request(
        self, client: httpx2.AsyncClient, method: str, wire: Written, own: Mapping[str, str], seconds: float
    ) -> httpx2.Request:
        """Ours wins over what a tool writes into the same header. As bytes: httpx2 takes texts only if they are ASCII."""
        usual = {"accept": "application/json, */*;q=0.5"} | ({"content-type": wire.media} if wire.media else {})
        merged: dict[str, tuple[str, str]] = {}
        for layer in (usual, self._headers, wire.headers, own, self.credentials.headers):
            merged |= {name.lower(): (name, value) for name, value in layer.items()}
        headers = [(name.encode(), value.encode()) for name, value in merged.values()]
        secret = encoded(list(self.credentials.query.items()))
        url = wire.url + (("&" if "?" in wire.url else "?") + secret if secret else "")
        timeout = httpx2.Timeout(seconds, connect=seconds / 2)
        return client.build_request(method, url, headers=headers, content=wire.content, timeout=timeout)


def _wait(came: Answer | Silence, plan: Plan, tried: int) -> float | None:
    """Seconds until the next try; None if there is to be none."""
    pause = min(0.2 * 2**tried, 2.0) * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
    if isinstance(came, Silence):
        return pause if not came.final and (plan.repeatable or not came.arrived) else None
    if not plan.repeatable or not (came.status in _BUSY or came.status >= 500):
        return None
    wanted = max(came.wait or 0.0, pause)
    return wanted if wanted <= LONGEST_WAIT else None


def _may_be_done(came: Answer | Silence) -> bool:
    return came.arrived if isinstance(came, Silence) else is_unclear(came.status)


def _answer(response: httpx2.Response, credentials: Credentials) -> Answer:
    """What came back. A service that echoes what it was sent would hand our secrets to a model: they are taken out."""
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    return Answer(
        response.status_code,
        kind,
        response.charset_encoding or "",
        credentials.hidden(response.content),
        host(response.headers["location"]) if "location" in response.headers else "",
        _retry_after(response.headers),
    )


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds of `Retry-After`, a number or a date by the server's own clock; None without a sane one."""
    wish = headers.get("retry-after", "").strip()
    try:
        if wish.isdigit():
            return float(wish[:9])
        then, now = parsedate_to_datetime(wish), parsedate_to_datetime(headers.get("date", ""))
        return max((then - now).total_seconds(), 0.0)
    except (ValueError, TypeError):
        return None
