"""A whole house for a browser: the bot in a process of its own, a shop on another origin, and a cable between them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt

from supportbot.testing import FakeOpenAI
from tests.acceptance.processes import ROOT, Place, place
from tests.browser.cable import Cable, cable

PASSWORD = "an-honest-password-7"
SECRET = "the shop signs with this secret of 32 bytes"
ARTICLES = {
    "care.md": "# Care instructions\n\n## How do I wash linen?\n\nWash linen at 40 degrees with a mild detergent.\n",
    "returns.md": "# Returns\n\n## How long may I return something?\n\nYou can return everything within 30 days.\n",
}
_SHOP = """<!doctype html><html lang="{lang}" dir="{dir}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>A shop</title><style>body {{ font: 18px/1.6 system-ui, sans-serif; margin: 3rem; max-width: 34rem }}</style><link rel="icon" href="data:,">
<script src="{bot}/chat/widget.js" async {attributes}></script></head>
<body><main><h1>A shop</h1><p>Somebody else's page.</p><p><a href="#x">A link of its own</a></p></main></body></html>"""


@dataclass
class Stage:
    """`bot` is how a browser reaches the bot (by the cable), `shop` the address of a page that has the widget."""

    place: Place
    cable: Cable
    shop: str
    page: dict[str, str] = field(default_factory=lambda: {"lang": "en", "dir": "ltr", "attributes": ""})
    headers: dict[str, str] = field(default_factory=dict)
    """What the shop's server sends with the page."""

    @property
    def bot(self) -> str:
        return self.cable.url

    async def start(self) -> None:
        await self.place.start()
        self.cable.target = int(self.place.url.rpartition(":")[2])

    async def kill(self) -> None:
        await self.place.end()

    def command(self, *args: str, typed: str = "") -> str:
        """What a command on the bot prints."""
        command = [sys.executable, "-m", "supportbot", *args, "--config", str(self.place.folder / "config.yaml")]
        path = f"{ROOT}{os.pathsep}{ROOT / 'adapters'}"
        done = subprocess.run(
            command,
            input=typed,
            capture_output=True,
            text=True,
            timeout=60,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": path},
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def account(self, login: str, name: str, role: str = "agent") -> None:
        self.command(
            "console", "create-user", login, "--name", name, "--role", role, "--password-stdin", typed=PASSWORD
        )

    def signed(self, customer: str, name: str = "") -> str:
        """The token by which the shop says who its visitor is."""
        return jwt.encode({"sub": customer, "name": name, "exp": 4_000_000_000}, SECRET, "HS256")


@contextlib.asynccontextmanager
async def stage(folder: Path, model: FakeOpenAI | None = None, **config: Any) -> AsyncIterator[Stage]:
    """The bot is started; what is in `config` replaces the sections of its config."""
    async with cable() as between, _shop() as (port, answer):
        web: Mapping[str, Any] = {"type": "web", "origins": [f"http://localhost:{port}"], "burst_wait": "0s"}
        whole = {
            "channels": {"web": {**web, **config.pop("web", {})}},
            "identity": {"secrets": [SECRET]},
            **config,
        }
        (folder / "knowledge").mkdir(parents=True, exist_ok=True)
        for name, text in ARTICLES.items():
            (folder / "knowledge" / name).write_text(text, "utf-8")
        async with place(folder, model, **whole) as there:
            made = Stage(there, between, f"http://localhost:{port}/")
            answer.append(made)
            await made.start()
            yield made


@contextlib.asynccontextmanager
async def _shop() -> AsyncIterator[tuple[int, list[Stage]]]:
    """A web server that has one page, on an origin that is not the bot's."""
    stages: list[Stage] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            body = _SHOP.format(bot=stages[0].bot, **stages[0].page).encode()
            head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\n"
            head += "".join(f"{name}: {value}\r\n" for name, value in stages[0].headers.items())
            writer.write(head.encode() + b"Connection: close\r\n\r\n" + body)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], stages
    finally:
        server.close()
