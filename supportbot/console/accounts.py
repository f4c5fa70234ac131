"""`/console/accounts` for admins, and `/console/account`, everybody's own.

1. A password that an admin makes for somebody is shown once, on the page that answers, and must be changed at the first
   sign-in; nobody can read a password, or choose one for somebody else.
2. A new password, a reset and a disabled account end every session there was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from supportbot.console.access import HOME, PASSWORD, Access, client_address
from supportbot.console.limits import sentence
from supportbot.console.passwords import PasswordsBusy, generated, problem
from supportbot.console.people import is_role, login_of, login_problem, name_problem
from supportbot.console.signing_in import BUSY
from supportbot.console.views import render
from supportbot.errors import Conflict, NotFound
from supportbot.types.console import ROLES, Account, AuditRow, Visit

if TYPE_CHECKING:
    from supportbot.console.room import Room

ALL = "/console/accounts"
OWN = "/console/account"
_LARGEST_ID = 2**62
_YEAR = 365 * 86_400
_THEMES = ("", "light", "dark")


def routes(room: Room, access: Access) -> list[BaseRoute]:
    theirs, own = _Theirs(room, access), _Own(room, access)
    one = ALL + "/{id:int}"
    return [
        Route(ALL, access.page(theirs.all, "admin"), methods=["GET"]),
        Route(ALL, access.act(theirs.create, "admin"), methods=["POST"]),
        Route(one, access.page(theirs.one, "admin"), methods=["GET"]),
        Route(one, access.act(theirs.change, "admin"), methods=["POST"]),
        Route(one + "/disable", access.act(theirs.disable, "admin"), methods=["POST"]),
        Route(one + "/enable", access.act(theirs.enable, "admin"), methods=["POST"]),
        Route(one + "/password", access.act(theirs.reset, "admin"), methods=["POST"]),
        Route(one + "/sessions", access.act(theirs.end_sessions, "admin"), methods=["POST"]),
        Route(OWN, access.page(own.show), methods=["GET"]),
        Route(OWN, access.act(own.rename), methods=["POST"]),
        Route(OWN + "/theme", access.act(own.theme), methods=["POST"]),
        Route(OWN + "/sessions", access.act(own.end_sessions), methods=["POST"]),
        Route(PASSWORD, access.page(own.password_form, first=True), methods=["GET"]),
        Route(PASSWORD, access.act(own.password, first=True), methods=["POST"]),
    ]


async def _field(request: Request, name: str) -> str:
    value = (await request.form()).get(name, "")
    return value if isinstance(value, str) else ""


class _Theirs:
    """What admins do with accounts."""

    def __init__(self, room: Room, access: Access) -> None:
        self._room, self._access, self._store = room, access, room.store.console

    async def all(self, request: Request, visit: Visit) -> Response:
        return await self._list(request, visit)

    async def create(self, request: Request, visit: Visit) -> Response:
        login, name = login_of(await _field(request, "login")), (await _field(request, "name")).strip()
        role = await _field(request, "role")
        error = login_problem(login) or name_problem(name) or ("" if is_role(role) else "There is no such role.")
        if error or not is_role(role):
            return await self._list(request, visit, 400, error, login, name)
        password = generated()
        row = self._access.row(request, visit.account.login, "account.create", f"account:{login}", role)
        try:
            hash = await self._access.passwords.hash(password)
            account = await self._store.create(
                login, name=name, role=role, password=hash, must_change=True, now=self._room.clock(), audit=row
            )
        except Conflict as error_:
            return await self._list(request, visit, 409, str(error_), login, name)
        except PasswordsBusy:
            return await self._list(request, visit, 503, BUSY, login, name)
        return self._made(request, visit, account, password)

    async def one(self, request: Request, visit: Visit) -> Response:
        return await self._one(request, visit, await self._asked(request))

    async def change(self, request: Request, visit: Visit) -> Response:
        account = await self._asked(request)
        name, role = (await _field(request, "name")).strip(), await _field(request, "role")
        error = name_problem(name) or ("" if is_role(role) else "There is no such role.")
        if error or not is_role(role):
            return await self._one(request, visit, account, 400, error)
        try:
            if role != account.role:
                row = self._row(request, visit, account, "account.role", f"{account.role} to {role}")
                await self._store.set_role(account.id, role, audit=row)
            if name and name != account.name:
                row = self._row(request, visit, account, "account.name")
                await self._store.rename(account.id, name, audit=row)
        except Conflict as conflict:
            return await self._one(request, visit, account, 409, str(conflict))
        return self._back(account)

    async def disable(self, request: Request, visit: Visit) -> Response:
        return await self._set_disabled(request, visit, True)

    async def enable(self, request: Request, visit: Visit) -> Response:
        return await self._set_disabled(request, visit, False)

    async def _set_disabled(self, request: Request, visit: Visit, disabled: bool) -> Response:
        account = await self._asked(request)
        row = self._row(request, visit, account, "account.disable" if disabled else "account.enable")
        try:
            await self._store.set_disabled(account.id, disabled, audit=row)
        except Conflict as conflict:
            return await self._one(request, visit, account, 409, str(conflict))
        return self._back(account)

    async def reset(self, request: Request, visit: Visit) -> Response:
        account = await self._asked(request)
        if account.subject and not account.own_password:
            return await self._one(request, visit, account, 409, "This account signs in by single sign-on only.")
        password = generated()
        try:
            hash = await self._access.passwords.hash(password)
        except PasswordsBusy:
            return await self._one(request, visit, account, 503, BUSY)
        row = self._row(request, visit, account, "account.password")
        await self._store.set_password(account.id, hash, must_change=True, audit=row)
        return self._made(request, visit, account, password)

    async def end_sessions(self, request: Request, visit: Visit) -> Response:
        account = await self._asked(request)
        row = self._row(request, visit, account, "account.sessions")
        await self._store.end_sessions(account.id, audit=row)
        return self._back(account)

    def _row(self, request: Request, visit: Visit, account: Account, action: str, detail: str = "") -> AuditRow:
        return self._access.row(request, visit.account.login, action, f"account:{account.login}", detail)

    async def _asked(self, request: Request) -> Account:
        id = request.path_params["id"]
        try:
            return await self._store.account(min(id, _LARGEST_ID))
        except NotFound:
            raise HTTPException(404) from None

    async def _list(
        self, request: Request, visit: Visit, status: int = 200, error: str = "", login: str = "", name: str = ""
    ) -> Response:
        accounts = await self._store.accounts()
        return render(
            request,
            "accounts.html",
            visit,
            status,
            accounts=accounts,
            roles=ROLES,
            error=error,
            login=login,
            name=name,
        )

    async def _one(
        self, request: Request, visit: Visit, account: Account, status: int = 200, error: str = ""
    ) -> Response:
        now, idle = self._room.clock(), self._room.config.console.idle
        sessions = await self._store.sessions(account.id, now=now, idle=idle)
        return render(
            request, "account_of.html", visit, status, account=account, roles=ROLES, sessions=sessions, error=error
        )

    def _made(self, request: Request, visit: Visit, account: Account, password: str) -> Response:
        return render(request, "one_time_password.html", visit, account=account, password=password)

    def _back(self, account: Account) -> Response:
        return RedirectResponse(f"{ALL}/{account.id}", 303)


class _Own:
    """What everybody does with their own account."""

    def __init__(self, room: Room, access: Access) -> None:
        self._room, self._access, self._store = room, access, room.store.console

    async def show(self, request: Request, visit: Visit) -> Response:
        return await self._page(request, visit)

    async def rename(self, request: Request, visit: Visit) -> Response:
        name = (await _field(request, "name")).strip()
        error = name_problem(name) or ("" if name else "A name is needed: customers may see it.")
        if error:
            return await self._page(request, visit, 400, error)
        row = self._access.row(request, visit.account.login, "account.name", f"account:{visit.account.login}")
        await self._store.rename(visit.account.id, name, audit=row)
        return RedirectResponse(OWN, 303)

    async def theme(self, request: Request, visit: Visit) -> Response:
        chosen = await _field(request, "theme")
        response = RedirectResponse(OWN, 303)
        # read by the page's script too: it is no secret
        response.set_cookie(
            "supportbot_theme",
            chosen if chosen in _THEMES else "",
            max_age=_YEAR,
            path=HOME,
            samesite="lax",
        )
        return response

    async def end_sessions(self, request: Request, visit: Visit) -> Response:
        row = self._access.row(request, visit.account.login, "account.sessions", f"account:{visit.account.login}")
        await self._store.end_sessions(visit.account.id, keep=visit.session.digest, audit=row)
        return RedirectResponse(OWN, 303)

    async def password_form(self, request: Request, visit: Visit) -> Response:
        return self._password_page(request, visit)

    async def password(self, request: Request, visit: Visit) -> Response:
        current, new, again = [await _field(request, name) for name in ("current", "new", "again")]
        account, passwords = visit.account, self._access.passwords
        if not account.own_password:
            return self._password_page(request, visit, 409, "You sign in by single sign-on: there is no password.")
        error = problem(new, account.login) or ("" if new == again else "The two new passwords are not the same.")
        if error or new == current:
            return self._password_page(request, visit, 400, error or "The new password is the old one.")
        # whoever sits down at somebody else's browser shall not guess either
        tried = self._access.limits.enter(
            account.login, client_address(request), device=f"session {visit.session.digest}"
        )
        if isinstance(tried, float):
            return self._password_page(request, visit, 429, sentence(tried))
        try:
            old = await self._store.password(account.id)
            if not await passwords.check(current, old):
                row = self._access.row(
                    request, account.login, "account.password.failed", f"account:{account.login}"
                )
                await self._store.record(row)
                return self._password_page(request, visit, 403, "The current password is wrong.")
            hash = await passwords.hash(new)
        except PasswordsBusy:
            self._access.limits.withdrawn(tried)
            return self._password_page(request, visit, 503, BUSY)
        self._access.limits.succeeded(tried)
        row = self._access.row(request, account.login, "account.password", f"account:{account.login}")
        try:
            await self._store.set_password(account.id, hash, instead_of=old, audit=row)
        except Conflict as conflict:
            return self._password_page(request, visit, 409, str(conflict))
        response = RedirectResponse(HOME if account.must_change else OWN, 303)
        await self._access.open(request, response, account, None)
        return response

    def _password_page(self, request: Request, visit: Visit, status: int = 200, error: str = "") -> Response:
        return render(request, "password.html", visit, status, error=error)

    async def _page(self, request: Request, visit: Visit, status: int = 200, error: str = "") -> Response:
        now, idle = self._room.clock(), self._room.config.console.idle
        sessions = await self._store.sessions(visit.account.id, now=now, idle=idle)
        chosen = request.cookies.get("supportbot_theme", "")
        return render(
            request,
            "account.html",
            visit,
            status,
            sessions=sessions,
            chosen=chosen if chosen in _THEMES else "",
            error=error,
        )
