"""The console's rooms over a real store, served on loopback, with a clock that can be moved; and browsers for it."""

from __future__ import annotations

import asyncio
import contextlib
import html
import re
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from supportbot.changes import Changes
from supportbot.config.settings import Config
from supportbot.config.validate import validate
from supportbot.config.yamlfile import parse
from supportbot.console import accounts, audit, oidc, signing_in, static
from supportbot.console.access import Access
from supportbot.console.passwords import hashed
from supportbot.console.room import Room
from supportbot.files import FileStore
from supportbot.stores import SqliteStore
from supportbot.types import Message, Receipt
from supportbot.types.console import Account, AuditRow, Role, Visit
from supportbot.web import egress, server
from supportbot.web.app import build

PASSWORD = "seven green lamps at noon"
_CSRF = re.compile(r'name="csrf" value="([^"]+)"')
_ERROR = re.compile(r'role="alert"[^>]*>([^<]+)<')


@dataclass
class Clock:
    """Stands still unless it is moved, so that no test depends on how busy the machine is."""

    began: float = field(default_factory=time.time)
    moved: float = 0.0

    def __call__(self) -> float:
        return self.began + self.moved


@dataclass
class House:
    """A console that is served; `log` is all that it logged."""

    url: str
    store: SqliteStore
    room: Room
    clock: Clock
    path: Path
    access: Access
    log: list[str] = field(default_factory=list)

    async def account(self, login: str, role: Role = "agent", **more: Any) -> Account:
        """A new account whose password is PASSWORD."""
        hash = await asyncio.to_thread(hashed, PASSWORD)
        return await self.store.console.create(login, role=role, password=hash, now=self.clock(), **more)

    def browser(self, address: str = "127.0.0.1") -> Browser:
        return Browser(self, address)

    async def audit(self, **wanted: Any) -> list[tuple[str, str, str]]:
        """(who, action, object), oldest first."""
        rows: tuple[AuditRow, ...] = await self.store.console.audit(**wanted)
        return [(row.account, row.action, row.object) for row in reversed(rows)]

    def kept(self) -> bytes:
        """Every byte of the database's files."""
        return b"".join(path.read_bytes() for path in sorted(self.path.parent.glob(f"{self.path.name}*")))


class Browser:
    """Keeps cookies, says where its requests come from, and reads the pages it gets."""

    def __init__(self, house: House, address: str) -> None:
        self.house = house
        transport = httpx2.AsyncHTTPTransport(local_address=address)
        self.client = httpx2.AsyncClient(base_url=house.url, transport=transport, trust_env=False, timeout=30)

    async def __aenter__(self) -> Browser:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.client.aclose()

    @property
    def token(self) -> str:
        return self.client.cookies.get("supportbot_session") or ""

    async def get(self, path: str, **headers: str) -> httpx2.Response:
        return await self.client.get(path, headers=headers)

    async def post(
        self, path: str, form: dict[str, str] | None = None, *, csrf: str | None = None, **headers: str
    ) -> httpx2.Response:
        """Sends a form as our own pages do; with `csrf` None the token of this session goes with it."""
        token = await self.csrf() if csrf is None else csrf
        data = {**(form or {}), **({"csrf": token} if token else {})}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post(path, data=data, headers={"origin": self.house.url} | named)

    async def csrf(self) -> str:
        """This session's token, "" without a session."""
        found = _CSRF.search((await self.get("/console/account/password")).text)
        return found[1] if found else ""

    async def sign_in(self, login: str, password: str = PASSWORD, **form: str) -> httpx2.Response:
        return await self.post("/console/sign-in", {"login": login, "password": password, **form}, csrf="")


def told(response: httpx2.Response) -> str:
    """The sentence that the page tells of a mistake."""
    found = _ERROR.search(response.text)
    assert found is not None, response.text
    return html.unescape(found[1]).strip()


@contextlib.asynccontextmanager
async def house(
    folder: Path,
    text: str = "",
    *,
    public_url: str = "",
    more: Callable[[Room, Access], list[BaseRoute]] = lambda room, access: [],
) -> AsyncIterator[House]:
    """`text` is the config's `console` section as YAML; `more` are further routes."""
    config = validate(Config, parse(f"bot: {{name: Acme}}\nconsole: {text or '{}'}".encode(), "config.yaml"))
    store = SqliteStore(folder / "bot.db", enqueue=lambda transaction, job: None)
    await store.open()
    clock, log = Clock(), list[str]()
    room = Room(
        store=store,
        receive=_nothing,
        files=FileStore(folder / "files"),
        config=config,
        clock=clock,
        log=lambda event, **facts: log.append(f"{event} {facts}"),
        changes=Changes(),
        adapters={},
        desks={},
        http=egress.client,
        public_url=public_url,
    )
    access = Access(room)
    parts = (signing_in, accounts, audit, oidc)
    routes = [*static.routes(), *(route for part in parts for route in part.routes(room, access))]
    app = build([*routes, *_pages(access), *more(room, access)], ready=_ready, body_limit=1_000_000)
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    serving = asyncio.create_task(
        server.serve(app, "127.0.0.1", 0, started=lambda host, number: port.set_result(number), stop=stop, grace=2)
    )
    try:
        yield House(f"http://127.0.0.1:{await port}", store, room, clock, folder / "bot.db", access, log)
    finally:
        stop.set()
        await serving
        await store.close()


def _pages(access: Access) -> list[BaseRoute]:
    """A page and an act for each role, as other modules have them."""

    async def page(request: Request, visit: Visit) -> Response:
        return PlainTextResponse(f"page of {visit.account.login}")

    async def act(request: Request, visit: Visit) -> Response:
        form = await request.form()
        await access.record(visit, request, "act", "thing", str(form.get("detail", "")))
        return PlainTextResponse(f"done by {visit.account.login}: {form.get('detail', '')}")

    roles: tuple[Role, ...] = ("agent", "lead", "admin")
    return [
        Route("/console/queue", access.page(page)),
        Route("/console/stream", access.page(page, itself=True)),
        *(Route(f"/console/for/{role}", access.page(page, role), methods=["GET"]) for role in roles),
        *(Route(f"/console/for/{role}", access.act(act, role), methods=["POST"]) for role in roles),
    ]


async def _nothing(message: Message, /) -> Receipt:
    raise AssertionError("no message is expected here")


async def _ready() -> dict[str, str]:
    return {}
