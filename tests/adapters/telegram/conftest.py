"""A started Telegram adapter, the stand-in for the Bot API, and a fake inbox."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from supportbot.testing.adapter_contract import context, served
from supportbot.testing.fake_inbox import FakeDesks, FakeFiles, FakeInbox
from supportbot.testing.telegram.parts import ANNA
from supportbot.testing.telegram.server import FakeTelegram
from supportbot.types import Address, Button, Outgoing, Reply, User
from supportbot_telegram import TelegramAdapter
from supportbot_telegram.desk import TelegramDesk

PAYLOADS = Path(__file__).parent / "payloads"
SECRET = "a-secret_for-the-webhook"


def payload(name: str) -> dict[str, Any]:
    """The update of one payload file."""
    update: dict[str, Any] = json.loads((PAYLOADS / f"{name}.json").read_text("utf-8"))["update"]
    return update


def outgoing(text: str = "On its way.", chat: int = ANNA, *, id: str = "o-1", **more: Any) -> Outgoing:
    """A reply to Anna; `buttons`, `files` and `private` belong to the Reply, everything else to the row."""
    about = {name: more.pop(name) for name in ("buttons", "files", "private") if name in more}
    row = Outgoing(
        id=id,
        conversation="c-1",
        address=Address("shop", str(chat)),
        lane="l",
        kind="message.reply",
        user=User(str(ANNA)),
        in_reply_to=(),
        part=1,
        parts=1,
        created_at=0.0,
        reply=Reply(text, **about),
    )
    return replace(row, **more)


YES_NO = (Button("yes", "Yes", press="r1.1"), Button("no", "No", press="r1.2"))


@dataclass(slots=True)
class Shop:
    """The adapter and everything around it."""

    adapter: TelegramAdapter
    inbox: FakeInbox
    files: FakeFiles
    fake: FakeTelegram
    url: str
    client: httpx2.AsyncClient
    log: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    house: FakeDesks = field(default_factory=FakeDesks)
    desks: dict[str, TelegramDesk] = field(default_factory=dict)

    def note(self, event: str, **details: object) -> None:
        self.log.append((event, details))

    def logged(self, event: str) -> list[Mapping[str, Any]]:
        return [details for name, details in self.log if name == event]

    def called(self, method: str) -> list[Mapping[str, Any]]:
        return [call.params for call in self.fake.calls if call.method == method]

    async def until(self, true: Callable[[], Any], seconds: float = 5.0) -> None:
        async with asyncio.timeout(seconds):
            while not true():
                await asyncio.sleep(0.01)

    async def post(self, body: bytes, headers: Mapping[str, str] | None = None) -> int:
        sent = {"x-telegram-bot-api-secret-token": SECRET} if headers is None else headers
        path = self.adapter.settings.path
        return (await self.client.post(self.url + path, content=body, headers=dict(sent))).status_code


def options(fake: FakeTelegram, **more: Any) -> dict[str, Any]:
    return {"bot_token": fake.token, "api_url": fake.url, **more}


@contextlib.asynccontextmanager
async def opened(chosen: Mapping[str, Any], **about: Any) -> AsyncIterator[Shop]:
    """`chosen` are options of the channel, `about` fields of the context; `fake` has the arguments of the stand-in,
    `desks` the groups that are desks, by their names, and `ready` prepares the stand-in before the start."""
    groups, ready = about.pop("desks", {}), about.pop("ready", lambda fake: None)
    async with FakeTelegram(**{"limits": False, **about.pop("fake", {})}) as fake:
        for place in groups.values():
            fake.forum(place)
        ready(fake)
        adapter = TelegramAdapter("shop", options(fake, **chosen))
        inbox, files = FakeInbox(), FakeFiles()
        async with served(adapter) as url, httpx2.AsyncClient(trust_env=False) as client:
            shop = Shop(adapter, inbox, files, fake, url, client)
            for name, place in groups.items():
                made = adapter.desk(name, {"place": place})
                assert isinstance(made, TelegramDesk)
                shop.desks[name] = made
            about = {"files": files, "log": shop.note, "public_url": url, "desks": shop.house, **about}
            await adapter.start(context(inbox, **about))
            try:
                yield shop
            finally:
                await adapter.stop()


@pytest.fixture
async def polling() -> AsyncIterator[Shop]:
    async with opened({}) as one:
        await one.until(lambda: one.called("getUpdates"))
        yield one


@pytest.fixture
async def webhook() -> AsyncIterator[Shop]:
    async with opened({"mode": "webhook", "webhook_secret": SECRET}) as one:
        await one.until(lambda: one.logged("telegram.ready"))
        yield one
