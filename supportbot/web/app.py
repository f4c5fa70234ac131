"""The one HTTP application: every channel's routes, two health checks, and errors that are one sentence of JSON.

Rules: an error never shows a trace, a path or a value; every answer carries the security headers unless its route
set its own; a body is never read past `body_limit`, whoever reads it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

Ready = Callable[[], Awaitable[Mapping[str, str]]]
"""Each check by its name: "ok", or one sentence that says what is wrong."""

BODY_SECONDS, SLOWEST = 30.0, 50_000
"""A body has so many seconds, and one more for each so many bytes that it may have."""

ErrorPage = Callable[[Request, int, str], Response]
"""Makes the page for (request, status, sentence)."""

SECURITY_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)
_NAMES = frozenset(name for name, _ in SECURITY_HEADERS)

_SENTENCES: Mapping[int, str] = {
    404: "There is nothing at this address.",
    405: "This address does not take this method.",
    408: "The body did not arrive in time.",
    413: "The body is too large.",
    500: "Something went wrong here; it has been logged.",
}


def build(
    routes: Sequence[BaseRoute],
    *,
    ready: Ready,
    body_limit: int,
    larger: Mapping[str, int] = MappingProxyType({}),
    pages: Mapping[str, ErrorPage] = MappingProxyType({}),
) -> Starlette:
    """The application for the one port.

    `body_limit` in bytes holds for every route; a route may set a smaller one. `larger` has the beginnings of paths for
    which another limit holds, `pages` those whose errors are pages for people.
    """

    async def readyz(request: Request) -> Response:
        checks = await _checks(ready)
        good = all(state == "ok" for state in checks.values())
        return answer(200 if good else 503, {"ready": good, "checks": dict(checks)})

    return Starlette(
        routes=[Route("/healthz", _healthz), Route("/readyz", readyz), *routes],
        middleware=[Middleware(_Shell, body_limit=body_limit, larger=dict(larger))],
        exception_handlers={HTTPException: _Errors(pages).http, Exception: _Errors(pages).unexpected},
    )


def answer(status: int, payload: Mapping[str, object], headers: Mapping[str, str] | None = None) -> Response:
    """A JSON response."""
    body = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    return Response(body, status, headers, "application/json")


async def _healthz(request: Request) -> Response:
    return answer(200, {"alive": True})


async def _checks(ready: Ready) -> Mapping[str, str]:
    try:
        return await ready()
    except Exception as error:  # noqa: BLE001 - HTTP route: a check that fails is an answer, not a crash
        return {"ready": f"The check itself failed ({type(error).__name__})."}


class _Errors:
    """One sentence of JSON, or a page where people look."""

    def __init__(self, pages: Mapping[str, ErrorPage]) -> None:
        self._pages = pages

    async def http(self, request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
        sentence = _SENTENCES.get(status, "The request could not be served.")
        if page := self._page(request):
            return page(request, status, sentence)
        return answer(status, {"error": sentence}, headers)

    async def unexpected(self, request: Request, error: Exception) -> Response:
        if page := self._page(request):
            return page(request, 500, _SENTENCES[500])
        # Starlette answers this outside of every other layer, so the headers are added here.
        headers = {name.decode(): value.decode() for name, value in SECURITY_HEADERS}
        return answer(500, {"error": _SENTENCES[500]}, headers)

    def _page(self, request: Request) -> ErrorPage | None:
        path = request.url.path
        return next(
            (page for start, page in self._pages.items() if path == start or path.startswith(f"{start}/")), None
        )


class _Shell:
    """The outermost of ours: caps bodies and adds the security headers."""

    def __init__(self, app: ASGIApp, body_limit: int, larger: Mapping[str, int]) -> None:
        self._app = app
        self._limit = body_limit
        self._larger = larger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [*message["headers"], *_missing(message["headers"])]
            await send(message)

        try:
            await self._app(scope, _capped(receive, self._limit_of(scope["path"])), send_with_headers)
        except ClientDisconnect:
            return
        except (_TooLarge, _TooSlow) as error:
            if started:
                raise
            sentence = _SENTENCES[error.status_code]
            await answer(error.status_code, {"error": sentence})(scope, receive, send_with_headers)

    def _limit_of(self, path: str) -> int:
        return next((limit for start, limit in self._larger.items() if path.startswith(start)), self._limit)


def _missing(headers: Iterable[tuple[bytes, bytes]]) -> Sequence[tuple[bytes, bytes]]:
    own = _NAMES.intersection(name for name, _ in headers)
    return [header for header in SECURITY_HEADERS if header[0] not in own] if own else SECURITY_HEADERS


class _TooLarge(HTTPException):
    """Raised to a route that reads past the limit; handled as any HTTP error if the route lets it pass."""

    def __init__(self) -> None:
        super().__init__(413)


class _TooSlow(HTTPException):
    """Raised to a route whose caller does not finish the body."""

    def __init__(self) -> None:
        super().__init__(408, headers={"connection": "close"})


def _capped(receive: Receive, limit: int) -> Receive:
    """Bounds the body in size and time; what comes behind it (that the caller left) may take as long as it likes."""
    size, whole = 0, False
    latest = asyncio.get_running_loop().time() + BODY_SECONDS + limit / SLOWEST

    async def receive_up_to_limit() -> Message:
        nonlocal size, whole
        if whole:
            return await receive()
        try:
            async with asyncio.timeout_at(latest):
                message = await receive()
        except TimeoutError:
            raise _TooSlow from None
        size += len(message.get("body", b""))
        whole = not message.get("more_body", False)
        if size > limit:
            raise _TooLarge
        return message

    return receive_up_to_limit
