"""A started web chat behind a real HTTP server, pages that talk to it as the widget does, and a fake house."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import jwt
import pytest

from supportbot.config.settings import IdentitySettings
from supportbot.identity import Proofs
from supportbot.testing.adapter_contract import context, served
from supportbot.testing.fake_inbox import FakeFiles, FakeInbox, FakeShelf
from supportbot.types import Address, Button, Outgoing, Reply, User
from supportbot_web import WebAdapter

sys.path.insert(0, str(Path(__file__).parents[2] / "acceptance"))  # its processes

SHOP = "https://www.shop.example"
OTHER = "https://other.example"
SECRET = "the shop's own secret, of thirty-two bytes and more"
BUTTONS = (Button("yes", "Yes", press="tok.0.0"), Button("no", "No", press="tok.0.1"))


def signed(customer: str, *, lasts: float = 600.0, secret: str = SECRET, **claims: Any) -> str:
    """What the shop's site signs for a customer who is logged in there."""
    return jwt.encode({"sub": customer, "exp": time.time() + lasts, **claims}, secret, "HS256")


def new_id() -> str:
    return secrets.token_hex(16)


@dataclass
class Clock:
    """The adapter's and the shelf's time; `pass_by` moves it."""

    ahead: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead

    def pass_by(self, seconds: float) -> None:
        self.ahead += seconds


@dataclass
class Stream:
    """A page's open stream: (event, data) as they came, and the ids of entries."""

    seen: list[tuple[str, Any]] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)
    comments: int = 0
    over: bool = False
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, lines: list[str]) -> None:
        fields = dict(line.split(": ", 1) for line in lines if not line.startswith(":"))
        self.comments += any(line.startswith(":") for line in lines)
        if "data" in fields:
            self.seen.append((fields["event"], json.loads(fields["data"])))
        if "id" in fields:
            self.ids.append(int(fields["id"]))
        self._news.set()

    def end(self) -> None:
        self.over = True
        self._news.set()

    def of(self, event: str) -> list[Any]:
        return [data for name, data in self.seen if name == event]

    @property
    def texts(self) -> list[str]:
        return [entry.get("text", "") for entry in self.of("entry")]

    async def until(self, holds: Callable[[Stream], object], seconds: float = 8.0) -> Stream:
        """Waits until it holds; AssertionError with what came instead."""
        try:
            async with asyncio.timeout(seconds):
                while not holds(self):
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"it did not come; what came: {self.seen} over={self.over}") from None
        return self

    async def ready(self) -> Stream:
        return await self.until(lambda stream: stream.of("ready"))


@dataclass
class Page:
    """A browser's page with the widget: its origin, and the token of its session."""

    http: httpx2.AsyncClient
    base: str
    origin: str = SHOP
    token: str = ""

    def headers(self, **more: str) -> dict[str, str]:
        found = {"Origin": self.origin} if self.origin else {}
        found |= {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return found | more

    async def ask(self, method: str, path: str, **more: Any) -> httpx2.Response:
        headers = self.headers() | more.pop("headers", {})
        return await self.http.request(method, self.base + path, headers=headers, **more)

    async def start(self, user_token: str = "") -> dict[str, Any]:
        """Gets a session, of the customer whom the token is about or of somebody anonymous."""
        made = await self.ask("POST", "/sessions", json={"user_token": user_token} if user_token else {})
        assert made.status_code == 201, made.text
        self.token = made.json()["token"]
        found: dict[str, Any] = made.json()
        return found

    async def say(self, text: str = "", **more: Any) -> httpx2.Response:
        headers = more.pop("headers", {})
        body = {"id": more.pop("id", None) or new_id(), **({"text": text} if text else {}), **more}
        return await self.ask("POST", "/messages", json=body, headers=headers)

    async def press(self, entry: int, button: int, **more: Any) -> httpx2.Response:
        return await self.say(press={"entry": entry, "button": button}, **more)

    async def upload(
        self, content: bytes = b"hello", name: str = "a.txt", kind: str = "text/plain"
    ) -> httpx2.Response:
        return await self.ask(
            "POST", "/files", params={"name": name}, content=content, headers={"Content-Type": kind}
        )

    async def entries(self, **query: Any) -> dict[str, Any]:
        found = await self.ask("GET", "/entries", params=query)
        assert found.status_code == 200, found.text
        told: dict[str, Any] = found.json()
        return told

    async def texts(self) -> list[str]:
        return [entry.get("text", "") for entry in (await self.entries())["entries"]]

    @asynccontextmanager
    async def events(self, last: int | None = None) -> AsyncIterator[Stream]:
        """The stream while the block runs; `last` is the newest entry that the page has."""
        headers = self.headers(**({} if last is None else {"Last-Event-ID": str(last)}))
        stream = Stream()
        async with self.http.stream("GET", f"{self.base}/events", headers=headers) as response:
            assert response.status_code == 200, (await response.aread(), response.status_code)
            assert response.headers["content-type"].startswith("text/event-stream")
            reading = asyncio.create_task(_read(response, stream))
            try:
                yield stream
            finally:
                reading.cancel()
                await asyncio.wait((reading,))


async def _read(response: httpx2.Response, stream: Stream) -> None:
    rest = ""
    with contextlib.suppress(httpx2.HTTPError):  # the server was killed
        async for piece in response.aiter_text():
            *events, rest = (rest + piece).split("\n\n")
            for event in events:
                stream.take(event.split("\n"))
    stream.end()


@dataclass
class Chat:
    """The adapter and everything around it."""

    adapter: WebAdapter
    inbox: FakeInbox
    shelf: FakeShelf
    files: FakeFiles
    url: str
    http: httpx2.AsyncClient
    clock: Clock
    typed: list[Address]
    logged: list[tuple[str, Mapping[str, Any]]]

    @property
    def base(self) -> str:
        return self.url + self.adapter.base

    @property
    def port(self) -> int:
        return httpx2.URL(self.url).port or 0

    def page(self, origin: str = SHOP, token: str = "") -> Page:
        """A page without a session."""
        return Page(self.http, self.base, origin, token)

    async def visitor(self, user_token: str = "", origin: str = SHOP) -> Page:
        """A page with a session."""
        page = self.page(origin)
        await page.start(user_token)
        return page

    async def chat_of(self, page: Page) -> str:
        session = await self.adapter.sessions.find(page.token, "")
        assert session is not None
        return session.chat

    async def answer(self, page: Page, text: str, id: str = "", *buttons: Button, **more: Any) -> int:
        """The house sends a reply to the page's chat; the entry's position."""
        fields = {name: more.pop(name) for name in ("files", "author", "menu") if name in more}
        row = outgoing(await self.chat_of(page), id or new_id(), Reply(text, buttons, **fields), **more)
        return int(await self.adapter.send(row))


def outgoing(chat: str, id: str, reply: Reply | None, **more: Any) -> Outgoing:
    fields: dict[str, Any] = {"kind": "message.reply", "in_reply_to": ("m-1",), "lane": "l", **more}
    return Outgoing(
        id=id,
        conversation="c-1",
        address=Address("web", chat),
        user=User(chat),
        part=1,
        parts=1,
        created_at=time.time(),
        reply=reply,
        **fields,
    )


@asynccontextmanager
async def opened(options: Mapping[str, Any] | None = None, **more: Any) -> AsyncIterator[Chat]:
    """A running web chat of the shop."""
    clock, inbox, files = Clock(), FakeInbox(), FakeFiles()
    shelf = inbox._shelves["web"] = FakeShelf(clock)
    proofs = Proofs(IdentitySettings.model_validate({"secrets": [SECRET]}))
    typed: list[Address] = []
    logged: list[tuple[str, Mapping[str, Any]]] = []

    def log(event: str, **facts: Any) -> None:
        logged.append((event, facts))

    async def typing(address: Address) -> None:
        typed.append(address)

    adapter = WebAdapter("web", {"origins": [SHOP, OTHER], **(options or {})})
    adapter.now = clock  # type: ignore[method-assign]
    around = {
        "log": log,
        "files": files,
        "typing": typing,
        "identify": lambda proof: proofs.identity(proof, now=clock(), log=log),
        "bot_name": "Acme",
        "shelf": lambda name: shelf,
        **more,
    }
    await adapter.start(context(inbox, **around))
    try:
        async with served(adapter) as url, httpx2.AsyncClient(trust_env=False, verify=False, timeout=20) as http:
            yield Chat(adapter, inbox, shelf, files, url, http, clock, typed, logged)
            adapter.closing()
    finally:
        await adapter.stop()


@pytest.fixture
async def chat(request: pytest.FixtureRequest) -> AsyncIterator[Chat]:
    """`@pytest.mark.parametrize("chat", [{…}], indirect=True)` changes options."""
    async with opened(getattr(request, "param", None)) as one:
        yield one
