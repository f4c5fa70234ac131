"""`python -m supportbot serve` in a process of its own, to be killed, frozen and started again over the same folder."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from supportbot.testing.openai_server import FakeOpenAI
from supportbot.testing.receiver import Receiver, signed_headers
from supportbot.testing.site import SECRET, write_bot

ROOT = Path(__file__).parents[2]
_LISTENING = re.compile(r'"port": (\d+), .*"listening"|listening host=\S+ port=(\d+)')
_numbers = itertools.count(1)


@dataclass
class Place:
    """A bot's folder with what it talks to; `start` runs it, again and again."""

    folder: Path
    receiver: Receiver
    model: FakeOpenAI | None
    http: httpx2.AsyncClient
    config: Mapping[str, Any]
    environment: dict[str, str] = field(default_factory=dict)
    url: str = ""
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0

    @property
    def database(self) -> Path:
        return self.folder / "data" / "supportbot.db"

    @property
    def log(self) -> str:
        """All that any process has written."""
        return "".join(path.read_text("utf-8") for path in sorted(self.folder.glob("log-*")))

    async def start(self) -> None:
        """Returns once it takes connections."""
        self.starts += 1
        path = write_bot(self.folder, callback_url=self.receiver.url, config=self.config)
        log = self.folder / f"log-{self.starts}"
        command = [sys.executable, "-m", "supportbot", "serve", "--config", str(path), "--port", "0"]
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                command, stdout=output, stderr=output, env=self._environment(), cwd=ROOT
            )
        self.url = f"http://127.0.0.1:{await self._port(log)}"

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI_")}
        model = (
            {}
            if self.model is None
            else {"OPENAI_API_KEY": self.model.key, "OPENAI_BASE_URL": self.model.base_url}
        )
        path = f"{ROOT}{os.pathsep}{ROOT / 'adapters'}"
        return {**kept, **model, "PYTHONPATH": path, **self.environment}

    async def _port(self, log: Path) -> int:
        async with asyncio.timeout(20):
            while True:
                if found := _LISTENING.search(log.read_text("utf-8")):
                    return int(found[1] or found[2])
                assert self.process is not None and self.process.poll() is None, log.read_text("utf-8")
                await asyncio.sleep(0.02)

    def send(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    async def end(self, number: signal.Signals = signal.SIGKILL) -> int:
        """Sends the signal and waits for the end; its exit code."""
        if self.process is None:
            return 0
        self.process.send_signal(signal.SIGCONT)
        self.process.send_signal(number)
        return await asyncio.to_thread(self.process.wait, 25)

    async def post(self, text: str = "", *, conversation: str = "c1", **fields: Any) -> httpx2.Response:
        body = {"id": f"p{next(_numbers)}", "conversation": conversation, "user": {"id": f"u-{conversation}"}}
        body |= ({"text": text} if text else {}) | fields
        raw = json.dumps(body).encode()
        headers = signed_headers(SECRET, str(body["id"]), raw) | {"content-type": "application/json"}
        return await self.http.post(f"{self.url}/webhook/desk", content=raw, headers=headers)

    def replies(self) -> list[dict[str, Any]]:
        """The replies called back so far, each id once."""
        found = {one.id: one.payload for one in self.receiver.accepted if one.payload["type"] == "message.reply"}
        return list(found.values())

    async def answered(self, ids: set[str], seconds: float = 20.0) -> list[dict[str, Any]]:
        """The replies, once all these messages are answered."""
        async with asyncio.timeout(seconds):
            while not ids <= {id for reply in self.replies() for id in reply["in_reply_to"]}:
                await asyncio.sleep(0.02)
        return self.replies()


@contextlib.asynccontextmanager
async def place(folder: Path, model: FakeOpenAI | None = None, **config: Any) -> AsyncIterator[Place]:
    """A bot that is not started yet; in the end its process is killed."""
    async with contextlib.AsyncExitStack() as stack:
        taken = await stack.enter_async_context(Receiver(SECRET))
        if model is not None:
            await stack.enter_async_context(model)
        http = await stack.enter_async_context(httpx2.AsyncClient(trust_env=False, timeout=30))
        here = Place(folder, taken, model, http, {"logging": {"format": "json"}, **config})
        try:
            yield here
        finally:
            await here.end()
