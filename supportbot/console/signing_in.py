"""`/console/sign-in` and `/console/sign-out`.

1. Whoever fails hears one sentence, whatever was wrong, after the same time.
2. A browser that has signed in holds a token that says so, made with the hash of the password: it dies with the password,
   and lets its owner try while others are made to wait (see `limits`).
3. What was typed as a login is written down only if there is such an account: it may be a password in the wrong field.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import math
import secrets
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from supportbot.console.access import PASSWORD, SIGN_IN, Access, client_address, own_path
from supportbot.console.limits import sentence
from supportbot.console.passwords import LONGEST, PasswordsBusy
from supportbot.console.people import login_of
from supportbot.console.views import render
from supportbot.doors import BODY_SECONDS
from supportbot.types.console import Account, Visit

if TYPE_CHECKING:
    from supportbot.console.room import Room

WRONG = "The login or the password is wrong."
BUSY = "Too many people are signing in at this moment: try again in a few seconds."
_DEVICE_LASTS = 90 * 86_400.0


def routes(room: Room, access: Access) -> list[BaseRoute]:
    pages = _Pages(room, access)
    return [
        Route(SIGN_IN, pages.form, methods=["GET"]),
        Route(SIGN_IN, pages.sign_in, methods=["POST"]),
        Route("/console/sign-out", access.act(pages.sign_out, first=True), methods=["POST"]),
    ]


class _Pages:
    def __init__(self, room: Room, access: Access) -> None:
        self._room = room
        self._access = access
        self._store = room.store.console

    async def form(self, request: Request) -> Response:
        wanted = own_path(request.query_params.get("next", ""))
        if await self._access.visit(request) is not None:
            return RedirectResponse(wanted, 303)
        return await self._page(request, wanted)

    async def sign_in(self, request: Request) -> Response:
        if not self._access.from_here(request):
            return self._access.refused(request)
        try:
            async with asyncio.timeout(BODY_SECONDS):
                form = await request.form(max_fields=10, max_files=0, max_part_size=4_000)
        except TimeoutError:
            raise HTTPException(408, headers={"Connection": "close"}) from None
        login, password, wanted = (
            value if isinstance(value := form.get(name, ""), str) else "" for name in ("login", "password", "next")
        )
        return await self._try(request, login_of(login), password[: LONGEST + 1], own_path(wanted))

    async def _try(self, request: Request, login: str, password: str, wanted: str) -> Response:
        account, hash = await self._store.by_login(login) or (None, "")
        limits, passwords = self._access.limits, self._access.passwords
        tried = limits.enter(login, client_address(request), device=self._device(request, account, hash))
        if isinstance(tried, float):
            return await self._page(request, wanted, 429, sentence(tried), login, wait=tried)
        try:
            right = await passwords.check(password, hash)
            if right and passwords.outdated(hash) and account is not None:
                old, hash = hash, await passwords.hash(password)
                await self._store.rehash(account.id, old, hash)
        except PasswordsBusy:
            limits.withdrawn(tried)
            return await self._page(request, wanted, 503, BUSY, login, wait=5)
        if account is None or not right or account.disabled:
            await self._failed(request, account, right)
            return await self._page(request, wanted, 403, WRONG, login)
        limits.succeeded(tried)
        return await self._in(request, account, hash, wanted)

    async def _in(self, request: Request, account: Account, hash: str, wanted: str) -> Response:
        response = RedirectResponse(PASSWORD if account.must_change else wanted, 303)
        row = self._access.row(request, account.login, "sign-in", f"account:{account.login}")
        await self._access.open(request, response, account, row)
        nonce = secrets.token_urlsafe(16)
        name = self._access.cookie_name("device")
        self._access.set_cookie(response, name, f"{nonce}.{_device_mac(hash, account.id, nonce)}", _DEVICE_LASTS)
        self._room.log("console.signed_in", login=account.login)
        return response

    async def _failed(self, request: Request, account: Account | None, right: bool) -> None:
        self._room.log("console.sign_in_failed", login=account.login if account is not None else "")
        if account is not None:
            detail = "disabled" if right else ""
            row = self._access.row(request, account.login, "sign-in.failed", f"account:{account.login}", detail)
            await self._store.record(row)

    def _device(self, request: Request, account: Account | None, hash: str) -> str:
        """The id of this browser if it has signed in as this account before, "" otherwise."""
        nonce, _, given = request.cookies.get(self._access.cookie_name("device"), "").partition(".")
        if account is None or not hash or not 16 <= len(nonce) <= 40:
            return ""
        right = hmac.compare_digest(given.encode(), _device_mac(hash, account.id, nonce).encode())
        return nonce if right else ""

    async def sign_out(self, request: Request, visit: Visit) -> Response:
        response = RedirectResponse(SIGN_IN, 303)
        await self._access.close(request, response, visit)
        return response

    async def _page(
        self,
        request: Request,
        wanted: str,
        status: int = 200,
        error: str = "",
        login: str = "",
        *,
        wait: float = 0,
    ) -> Response:
        response = render(
            request,
            "sign_in.html",
            status=status,
            error=error,
            login=login,
            next=wanted,
            nobody=not await self._store.any_account(),
            single_sign_on=self._room.config.console.oidc is not None,
        )
        if wait:
            response.headers["Retry-After"] = str(math.ceil(wait))
        return response


def _device_mac(hash: str, account: int, nonce: str) -> str:
    key = hashlib.sha256(b"supportbot device " + hash.encode()).digest()
    return hmac.new(key, f"{account}:{nonce}".encode(), hashlib.sha256).hexdigest()
