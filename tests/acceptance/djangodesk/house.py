"""The bot over a folder of its own, as a process that can be killed and started again, beside a `Helpdesk`."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from commands import Server, serving

from djangodesk.helpdesk import Helpdesk
from supportbot.stores.sqlite import SqliteStore
from supportbot.types import ChatMessage

MAPPING = Path(__file__).parent / "mapping.yaml"
SECRET = "a-secret-that-only-the-hook-of-this-test-knows"
ARTICLE = "# Returns\n\n## How long do I have to return a lamp?\nYou have 45 days to return a lamp.\n"
SOON = 20.0


class House:
    """A bot's folder and its process, which can be killed and started again at the same address."""

    def __init__(self, folder: Path, desk: Helpdesk, stack: ExitStack, **environment: str) -> None:
        self.folder = folder
        self.desk = desk
        self._stack = stack
        self._environment = {"HELPDESK_SECRET": SECRET, "HELPDESK_TOKEN": desk.made["token"], **environment}
        self._server: Server | None = None
        self._port = 0
        self.hook = ""

    def start(self) -> None:
        """Returns once it takes connections; what it talks to while starting must not live in this thread's loop."""
        arguments = ("--port", str(self._port)) if self._port else ()
        self._server = self._stack.enter_context(serving(self.folder, *arguments, **self._environment))
        self._port = self._server.port
        self.hook = f"{self._server.url}/webhook/support?token={SECRET}"
        self.desk.posts_to(self.hook)

    def kill(self) -> None:
        assert self._server is not None
        self._server.stop(signal.SIGKILL)

    @property
    def log(self) -> str:
        return "" if self._server is None else "".join(self._server.log)

    @property
    def runs(self) -> bool:
        return self._server is not None and self._server.process.poll() is None

    async def states(self, chat: int | str) -> list[str]:
        """How the handoffs of the conversation in this chat stand, ended ones too."""
        async with self._store() as store:
            ids = await _ids(store, chat)
            return [one.status for one in await store.handoffs(open_only=False) if one.conversation in ids]

    async def stands(self, chat: int | str, *states: str) -> bool:
        return await self.states(chat) == list(states)

    async def history(self, chat: int | str) -> list[ChatMessage]:
        """All that the bot knows of the conversation in this chat."""
        async with self._store() as store:
            turns = [turn for id in await _ids(store, chat) for turn in await store.transcript(id)]
        return [message for turn in turns for message in turn.messages]

    async def remembers(self, chat: int | str, count: int) -> bool:
        """Whether it has so many messages in its history."""
        return len(await self.history(chat)) == count

    async def heard_last(self, chat: int | str, words: str) -> bool:
        return [one.content.strip() for one in (await self.history(chat))[-1:]] == [words]

    @asynccontextmanager
    async def _store(self) -> AsyncIterator[SqliteStore]:
        store = SqliteStore.read_only(self.folder / "data" / "supportbot.db")
        await store.open()
        try:
            yield store
        finally:
            await store.close()


async def _ids(store: SqliteStore, chat: int | str) -> list[str]:
    return [one.id for one in await store.conversations() if one.address.chat == str(chat)]


def write(folder: Path, desk: Helpdesk, more: Mapping[str, Any]) -> Path:
    """A bot that knows one article, on the helpdesk and on what `more` says."""
    (folder / "knowledge").mkdir(parents=True)
    for name in ("prompts", "flows"):
        (folder / name).mkdir()
    (folder / "knowledge" / "returns.md").write_text(ARTICLE, "utf-8")
    (folder / "prompts" / "persona.yaml").write_text("name: Mia\nrole: support\nlanguages: [en]\n", "utf-8")
    shutil.copy(MAPPING, folder / "mapping.yaml")
    support = {
        "type": "helpdesk",
        "mapping": "mapping.yaml",
        "burst_wait": "0s",
        "url": desk.url,
        "secrets": ["${HELPDESK_SECRET}"],
        "token": "${HELPDESK_TOKEN}",
        "bot": desk.bot,
        "queue": desk.made["queue"],
        "allow_private": True,
    }
    config = {
        "bot": {"name": "Acme", "persona": "prompts/persona.yaml"},
        "knowledge": {"paths": ["knowledge"]},
        **more,
        "channels": {"support": support, **more.get("channels", {})},
    }
    (folder / "config.yaml").write_text(json.dumps(config), "utf-8")
    return folder


async def until(condition: Callable[[], bool | Awaitable[bool]], house: House) -> None:
    """Waits until it holds; the bot's log and the tickets' follow-ups if it never does."""
    for _ in range(int(SOON / 0.1)):
        found = await asyncio.to_thread(condition)
        if found is True or (found is not False and await found):
            return
        await asyncio.sleep(0.1)
    shown = [
        [one["user"], one["public"], one["comment"]] for t in house.desk.tickets() for one in t["followup_set"]
    ]
    raise AssertionError(f"{json.dumps(shown, indent=1)}\n{house.log}")
