"""Who may see and do what: sessions, roles, and proof that an act comes from the console's own pages.

1. A session's token is 256 random bits in a cookie that no script reads; the store has its SHA-256. A new one is made
   at every sign-in, so none that somebody else put there is ever signed in.
2. A session ends after `console.session`, after `console.idle` without a request by a person, and with its account.
3. An act needs a session, its CSRF token, and a browser that says it comes from here (Sec-Fetch-Site, else Origin).
4. A page above one's role is no page at all: 404.
5. Who must change their password gets nothing else before.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from supportbot.console.limits import Limits
from supportbot.console.passwords import Passwords
from supportbot.console.views import render
from supportbot.errors import StoreError
from supportbot.types.console import Account, AuditRow, ConsoleSession, Role, Visit

if TYPE_CHECKING:
    from supportbot.console.room import Room

HOME = "/console"
SIGN_IN = "/console/sign-in"
PASSWORD = "/console/account/password"  # noqa: S105 - an address
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}\Z")
_TOUCH = 60.0
_MOST_FIELDS, _MOST_FILES, _LARGEST_FIELD = 200, 10, 200_000
_FOREIGN = (
    "This did not come from the console's own pages: nothing was done. Load the page again and try once more."
)
_UNNAMED = (
    "This did not come from the console's own pages, or the console does not know its own address: "
    "set web.public_url to the address in the browser."
)


Handler = Callable[[Request, Visit], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]


class Access:
    """Lets people in by their sessions."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._store = room.store.console
        self.passwords, self.limits = Passwords(), Limits(room.clock)
        self._secure = room.public_url.lower().startswith("https://")
        self._session_lasts, self._idle = room.config.console.session, room.config.console.idle

    # --- what may be seen and done ---

    def page(
        self, handler: Handler, role: Role = "agent", *, first: bool = False, itself: bool = False
    ) -> Endpoint:
        """A signed-in GET. `first`: open to those too who must change their password first. `itself`: the page asks
        by itself (a stream, a poll), which keeps no idle session alive."""

        async def endpoint(request: Request) -> Response:
            visit = await self.visit(request, touch=not itself)
            if visit is None:
                return _go(request, sign_in_at(request))
            if visit.account.must_change and not first:
                return _go(request, PASSWORD)
            if not visit.account.may(role):
                raise HTTPException(404)
            return await handler(request, visit)

        return endpoint

    def act(self, handler: Handler, role: Role = "agent", *, first: bool = False) -> Endpoint:
        """A signed-in POST with the session's CSRF token (field `csrf` or header `X-CSRF-Token`), from here."""

        async def endpoint(request: Request) -> Response:
            visit = await self.visit(request)
            if visit is None:
                return _go(request, SIGN_IN)
            if not visit.account.may(role):
                raise HTTPException(404)
            if visit.account.must_change and not first:
                return _go(request, PASSWORD)
            try:
                if not self.from_here(request) or not await _has_token(request, visit.csrf):
                    self._room.log("console.refused", reason="foreign", login=visit.account.login)
                    return self.refused(request, visit)
                return await handler(request, visit)
            finally:
                await request.close()

        return endpoint

    def refused(self, request: Request, visit: Visit | None = None) -> Response:
        """What an act gets that does not come from here (403)."""
        named = "sec-fetch-site" in request.headers or bool(self._room.public_url) or self.from_here(request)
        sentence = _FOREIGN if named else _UNNAMED
        if _by_script(request):
            return PlainTextResponse(sentence, 403)
        return render(request, "refused.html", visit, 403, sentence=sentence)

    def from_here(self, request: Request) -> bool:
        """Whether the browser says that one of our own pages sends this."""
        said = request.headers.get("sec-fetch-site")
        if said is not None:
            return said == "same-origin"
        origin = request.headers.get("origin", "")
        own = {_origin(self._room.public_url), _origin(str(request.base_url))} - {""}
        return _origin(origin) in own

    # --- sessions ---

    async def visit(self, request: Request, *, touch: bool = True) -> Visit | None:
        """The visit that the request's cookie stands for."""
        digest = self._digest(request)
        if digest is None:
            return None
        now = self._room.clock()
        found = await self._store.session(digest, now=now, idle=self._idle)
        if found is None:
            return None
        session, account = found
        if touch and now - session.seen_at >= _TOUCH:
            with suppress(StoreError):  # a full disk takes no page away from those who can still read
                await self._store.touch(session, now=now)
        return Visit(account, session)

    async def holds(self, visit: Visit) -> bool:
        """Whether it is still signed in and has the same role; a stream that stays open asks now and then."""
        found = await self._store.session(visit.session.digest, now=self._room.clock(), idle=self._idle)
        return found is not None and found[1].role == visit.account.role

    async def open(self, request: Request, response: Response, account: Account, audit: AuditRow | None) -> None:
        """Signs the account in: a new session in the place of the browser's old one, its cookie on the response."""
        token = secrets.token_urlsafe(32)
        now = self._room.clock()
        session = ConsoleSession(
            _sha256(token), account.id, secrets.token_urlsafe(32), now, now, now + self._session_lasts
        )
        await self._store.open_session(session, replaces=self._digest(request) or "", audit=audit)
        self.set_cookie(response, self.cookie, token, self._session_lasts)

    async def close(self, request: Request, response: Response, visit: Visit) -> None:
        """Signs out."""
        row = self.row(request, visit.account.login, "sign-out", f"account:{visit.account.login}")
        await self._store.end_session(visit.session.digest, audit=row)
        response.delete_cookie(
            self.cookie, path=self.cookie_path, secure=self._secure, httponly=True, samesite="lax"
        )

    @property
    def cookie(self) -> str:
        return self.cookie_name("session")

    def cookie_name(self, what: str) -> str:
        """With `__Host-` the browser takes it from this very host only, and over https only."""
        return f"{'__Host-' if self._secure else ''}supportbot_{what}"

    @property
    def cookie_path(self) -> str:
        return "/" if self._secure else HOME

    def set_cookie(self, response: Response, name: str, value: str, lasts: float) -> None:
        response.set_cookie(
            name,
            value,
            max_age=int(lasts),
            path=self.cookie_path,
            secure=self._secure,
            httponly=True,
            samesite="lax",
        )

    def _digest(self, request: Request) -> str | None:
        token = request.cookies.get(self.cookie, "")
        return _sha256(token) if _TOKEN.match(token) else None

    # --- the audit log ---

    async def record(
        self, visit: Visit, request: Request, action: str, object: str = "", detail: str = ""
    ) -> None:
        """Writes down what the visitor did."""
        await self._store.record(self.row(request, visit.account.login, action, object, detail))

    def row(self, request: Request, login: str, action: str, object: str = "", detail: str = "") -> AuditRow:
        """The row for the audit log, for a store method that writes it with its change."""
        return AuditRow(0, self._room.clock(), login, action, object, detail[:500], client_address(request))


def client_address(request: Request) -> str:
    """The address that the connection comes from."""
    return request.client.host if request.client is not None else ""


def own_path(text: str) -> str:
    """`text` if it is the address of one of the console's pages, else the console's own."""
    if len(text) > 1000 or not text.isprintable() or "\\" in text:
        return HOME
    parts = urlsplit(text) if text.startswith(HOME) else None
    if parts is None or parts.scheme or parts.netloc or ".." in unquote(unquote(parts.path)).split("/"):
        return HOME
    within = parts.path == HOME or parts.path.startswith(HOME + "/")
    return text if within and not parts.path.startswith((SIGN_IN, "/console/sign-out", "/console/oidc")) else HOME


def sign_in_at(request: Request) -> str:
    """The sign-in page that leads back to where the request goes; a part of a page leads to the page."""
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if _by_script(request):
        shown = urlsplit(request.headers.get("hx-current-url", ""))
        wanted = shown.path + (f"?{shown.query}" if shown.query else "")
    wanted = own_path(wanted)
    return SIGN_IN if wanted == HOME else f"{SIGN_IN}?next={quote(wanted, safe='/')}"


def _go(request: Request, address: str) -> Response:
    if _by_script(request):
        return PlainTextResponse("Please sign in.", 401, {"HX-Redirect": address})
    return RedirectResponse(address, 303, {"Cache-Control": "no-store"})


def _by_script(request: Request) -> bool:
    """Whether a script asks, which wants no whole page."""
    return "hx-request" in request.headers or request.headers.get("accept", "").startswith("text/event-stream")


async def _has_token(request: Request, csrf: str) -> bool:
    given: object = request.headers.get("x-csrf-token")
    if given is None:
        form = await request.form(max_fields=_MOST_FIELDS, max_files=_MOST_FILES, max_part_size=_LARGEST_FIELD)
        given = form.get("csrf")
    return isinstance(given, str) and hmac.compare_digest(given.encode("utf-8", "replace"), csrf.encode())


def _origin(url: str) -> str:
    """scheme://host:port of a web address, "" for anything else."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return ""
    return f"{parts.scheme}://{parts.hostname}:{port}"


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
