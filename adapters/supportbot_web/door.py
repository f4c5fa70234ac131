"""The HTTP side of the web chat: who may ask, what is read of a request, what is answered.

1. Only the pages of allowed origins, and our own, are answered; a token works only for the origin that it was given to.
   What has no Origin header is no page of another site: browsers send one with all that such a page may do here.
2. A page is our own if its origin is `web.public_url`, or the request's Host where that is an address or localhost: any
   other name may be a stranger's that was pointed at this machine.
3. No cookie is set or read: a request that a page did not mean to make carries no token.
4. A body is capped before it is read, and read before anything is believed of it.
5. 202 says that the message is stored, with the entry that shows it.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from supportbot import ChannelBusy, Conflict, Receipt, StoreError
from supportbot.doors import CallerLeft, Refused, read_body
from supportbot_web.sessions import Session
from supportbot_web.settings import origin_of

if TYPE_CHECKING:
    from supportbot_web import WebAdapter

SELF = "self"
"""The origin of the bot's own pages."""
_BODY_LIMIT = 16_000
_BYTES = 6
"""Of one character in JSON, at most: a control character is written as \\u0001."""
_SECONDS = 15.0
_SLOWEST = 50_000
"""Bytes a second; a body may take as long as that, for there are customers in trains."""
ANSWERED = "This was answered, or the id was used, before."
_BEHIND = (b"retry-after", b"2")
_LOCAL = re.compile(r"(?:(?:[a-z0-9-]+\.)*localhost|\d+\.\d+\.\d+\.\d+|\[[0-9a-f:.]+\])(?::\d+)?\Z", re.IGNORECASE)
_HEADERS = ("Authorization", "Content-Type", "Last-Event-ID", "Supportbot-User")
Handler = Callable[[Request, Session], Awaitable[Response]]
Plain = Callable[[Request], Awaitable[Response]]


class Door:
    """Makes the routes of one web chat."""

    def __init__(self, adapter: WebAdapter) -> None:
        self._adapter = adapter
        self._cors = Middleware(
            CORSMiddleware,
            allow_origins=adapter.settings.origins,
            allow_methods=("GET", "POST", "DELETE"),
            allow_headers=_HEADERS,
            expose_headers=("Retry-After",),
            max_age=600,
        )

    def route(self, path: str, **handlers: Plain) -> Route:
        """A route with one handler for each method."""
        allow = (b"allow", ", ".join(handlers).encode())

        def chosen(request: Request) -> Plain:
            if request.method not in handlers:
                raise Refused(405, "This address does not take this method.", allow)
            return handlers[request.method]

        async def serve(request: Request) -> Response:
            try:
                self.origin(request)
                return await chosen(request)(request)
            except Refused as refused:
                return refusal(refused)
            except CallerLeft:
                return Response(status_code=408)  # nobody is there to read it
            except StoreError:
                return refusal(Refused(503, "It could not be stored; try again in a moment.", _BEHIND))
            except ChannelBusy:
                return refusal(Refused(503, "The chat is closed just now; try again in a moment.", _BEHIND))
            except HTTPException:
                raise  # the application's own answer
            except Exception as error:  # noqa: BLE001 - HTTP route: answered here, so that pages of other origins may read it
                self._adapter.context.log("web.failed", path=path, error=type(error).__name__, exc_info=True)
                return refusal(Refused(500, "Something went wrong here; it has been logged."))

        methods = (*handlers, "OPTIONS")
        return Route(self._adapter.base + path, serve, methods=list(methods), middleware=[self._cors])

    def known(self, handler: Handler) -> Plain:
        """A handler for a page that has a session."""

        async def serve(request: Request) -> Response:
            session = await self.session(request)
            if session is None:
                raise Refused(401, "This chat session is over; start a new one.")
            return await handler(request, session)

        return serve

    def origin(self, request: Request) -> str:
        """Which site's page the request comes from: SELF, an allowed origin, "" if it is no other site's. Raises
        Refused."""
        named = request.headers.get("origin")
        if named is None and request.headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none"):
            return ""
        if named is not None and self._own(named, request.headers.get("host", "")):
            return SELF
        if named is not None and named in self._adapter.settings.origins:
            return named
        raise Refused(
            403,
            "Pages of this origin may not use the chat: it is neither among the channel's `origins` nor `web.public_url`.",
        )

    def _own(self, named: str, host: str) -> bool:
        """Whether the origin is that of our own pages."""
        if named and named == origin_of(self._adapter.context.public_url):
            return True
        return bool(_LOCAL.match(host)) and named in (f"http://{host}", f"https://{host}")

    async def session(self, request: Request) -> Session | None:
        """Whose the request is, None if its token opens nothing (any more)."""
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer":
            return None
        return await self._adapter.sessions.find(token.strip(), self.origin(request))


def refusal(refused: Refused) -> Response:
    headers = {name.decode(): value.decode() for name, value in refused.headers}
    return JSONResponse({"error": str(refused)}, refused.status, headers)


def visitor(request: Request) -> str:
    """Whom limits by address are for: an IPv4 address, or the network of 2^64 addresses that an IPv6 one is in."""
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host[:100]
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped or ipaddress.ip_network((int(address) >> 64 << 64, 64)))
    return str(address)


async def content(request: Request, limit: int) -> bytes:
    """The body, of at most `limit` bytes."""
    length = request.headers.get("content-length", "0")
    return await read_body(length, request.receive, limit, seconds=_SECONDS + limit / _SLOWEST)


async def fields(request: Request, characters: int = 0) -> Mapping[str, Any]:
    """The body as a JSON object, in which a text of so many characters has room."""
    body = await content(request, _BODY_LIMIT + _BYTES * characters)
    try:
        found = json.loads(body or b"{}", parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise Refused(400, "The body is not JSON.") from None
    if not isinstance(found, dict):
        raise Refused(400, "The body must be a JSON object.")
    return found


def text(found: Mapping[str, Any], key: str, most: int) -> str:
    """Text, "" if it is not there."""
    value = found.get(key, "")
    if not isinstance(value, str):
        raise Refused(400, f"{key} must be text.")
    if len(value) > most:
        raise Refused(413, f"{key} is longer than {most:,} characters.")
    return value.replace("\0", "").encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def whole(value: object, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**62:
        raise Refused(400, f"{name} must be a whole number.")
    return value


def position_of(value: str | None, name: str) -> int | None:
    """A whole number of a header or query, None if it is not there."""
    if not value:
        return None
    if not value.isascii() or not value.isdigit() or len(value) > 18:
        raise Refused(400, f"{name} must be a whole number.")
    return int(value)


def within(wait: float, refused: Callable[[], None] = lambda: None) -> None:
    """Raises Refused if somebody has to wait, and calls `refused` then."""
    if wait:
        refused()
        seconds = str(int(wait) + 1).encode()
        raise Refused(429, "That was too much in too short a time; wait a moment.", (b"retry-after", seconds))


def _no_number(text: str) -> float:
    raise ValueError(text)


async def stored(storing: Awaitable[Receipt]) -> Receipt:
    """Waits until it is stored. Raises Refused for another message under the same id."""
    try:
        return await storing
    except Conflict:
        raise Refused(409, ANSWERED) from None
