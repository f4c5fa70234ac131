"""A running bot with a channel of the tests' own and the console on a port of loopback, and people signed in to it."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import re
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx2

from supportbot.bot import Bot
from supportbot.config import load
from supportbot.files import FileStore
from supportbot.protocols import Adapter, Model
from supportbot.stores.lines import SqliteLines
from supportbot.testing.site import write_bot
from supportbot.types import Address, Attachment, Capabilities, Conversation, Handoff, Message, Outgoing, User
from supportbot.types.console import ConsoleSession, Role

T = TypeVar("T")
DELIVERY = "# Delivery\n\n## How long it takes\n\nDelivery within Germany takes two to four working days.\n"
_numbers = itertools.count(1)


class PageChannel(Adapter):
    """A channel that takes everything and remembers it."""

    capabilities = Capabilities(buttons=True, links=True, files=True, burst_wait=0.0, retry_delays=(0.0,))

    def __init__(self, name: str = "page") -> None:
        super().__init__(name, {})
        self.sent: list[Outgoing] = []
        self.writers: list[tuple[str, str]] = []
        """(chat, name) of agents who were seen writing."""

    async def send(self, outgoing: Outgoing) -> str:
        self.sent.append(outgoing)
        return f"sent-{len(self.sent)}"

    async def writing(self, address: Address, name: str) -> None:
        self.writers.append((address.chat, name))

    @property
    def texts(self) -> list[str]:
        return [one.reply.text for one in self.sent if one.reply is not None]


@dataclass
class Person:
    """Somebody signed in, with a browser's manners."""

    http: httpx2.AsyncClient
    csrf: str
    login: str

    async def get(self, path: str, **headers: str) -> httpx2.Response:
        return await self.http.get(path, headers=headers)

    async def part(self, path: str) -> httpx2.Response:
        return await self.http.get(path, headers={"HX-Request": "true"})

    async def do(
        self, path: str, *, files: Sequence[tuple[str, bytes, str]] = (), whole: bool = False, **fields: str
    ) -> httpx2.Response:
        """Sends one form as the page does: `act` is its random id."""
        data = {"csrf": self.csrf, "act": f"form-of-the-tests-{next(_numbers):06}", **fields}
        headers = {"Sec-Fetch-Site": "same-origin", **({} if whole else {"HX-Request": "true"})}
        parts = [("files", file) for file in files] or None
        return await self.http.post(path, data=data, files=parts, headers=headers)


@dataclass
class House:
    """The running console. `customer` says something in a chat and waits until the bot is done with it."""

    bot: Bot
    channel: PageChannel
    url: str
    people: list[Person] = field(default_factory=list)

    @property
    def files(self) -> FileStore:
        return FileStore(self.bot.database.with_name("files"))

    async def customer(
        self, text: str, *, chat: str = "c1", name: str = "Ada", files: Sequence[Attachment] = (), id: str = ""
    ) -> Conversation:
        address = Address("page", chat)
        message = Message(
            address, id or f"m{next(_numbers)}", User(f"u-{chat}", name), text, attachments=tuple(files)
        )
        receipt = await self.bot.receive(message)
        await eventually(lambda: self._done(receipt.conversation, message.id))
        return await self.bot.store.conversation(receipt.conversation)

    async def _done(self, conversation: str, id: str) -> bool:
        return (await SqliteLines(self.bot.store.read).taken(conversation, "page", id)).turn is not None

    async def asks_for_a_human(self, **who: str) -> tuple[Conversation, Handoff]:
        conversation = await self.customer("/human", **who)
        return conversation, await self.handoff(conversation.id)

    async def handoff(self, conversation: str) -> Handoff:
        """The newest one of the conversation."""
        found = await self.bot.store.handoffs(open_only=False)
        return next(one for one in found if one.conversation == conversation)

    async def person(self, login: str = "maya", name: str = "Maya Brand", role: Role = "agent") -> Person:
        account = await self.bot.store.console.create(login, name=name, role=role, now=time.time())
        token, now = secrets.token_urlsafe(32), time.time()
        digest = hashlib.sha256(token.encode()).hexdigest()
        session = ConsoleSession(digest, account.id, secrets.token_urlsafe(32), now, now, now + 3600)
        await self.bot.store.console.open_session(session, replaces="")
        cookie = f"supportbot_session={token}"
        http = httpx2.AsyncClient(base_url=self.url, headers={"cookie": cookie}, trust_env=False, timeout=20)
        page = await http.get("/console/queue")
        csrf = re.search(r'name="csrf" value="([^"]+)"', page.text)
        assert csrf is not None, page.text
        person = Person(http, csrf[1], login)
        self.people.append(person)
        return person

    async def said_to_the_customer(self, text: str) -> None:
        await eventually(lambda: _now(text in self.channel.texts))


async def _now(value: T) -> T:
    return value


async def eventually(condition: Callable[[], Any], seconds: float = 5.0) -> Any:
    """What the condition comes to once it is true."""
    async with asyncio.timeout(seconds):
        while not (found := await condition()):
            await asyncio.sleep(0.01)
        return found


@contextlib.asynccontextmanager
async def opened(
    folder: Path, *, model: Model | str = "offline", config: Mapping[str, Any] | None = None
) -> AsyncIterator[House]:
    (folder / "knowledge").mkdir(exist_ok=True)
    (folder / "knowledge" / "delivery.md").write_text(DELIVERY, "utf-8")
    path = write_bot(folder, callback_url="http://127.0.0.1:9/none", config=config)
    channel = PageChannel()
    bot = Bot(load(path, env={}), model=model, channels={"page": channel})
    stop, up = asyncio.Event(), asyncio.get_running_loop().create_future()
    async with bot:
        running = asyncio.create_task(
            bot.serve("127.0.0.1", 0, stop=stop, started=lambda host, port: up.set_result(port))
        )
        await asyncio.wait((running, up), return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
        house = House(bot, channel, f"http://127.0.0.1:{up.result()}")
        try:
            yield house
        finally:
            for person in house.people:
                await person.http.aclose()
            stop.set()
            await running
