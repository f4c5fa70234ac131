"""A whole bot for a test: a folder of files, a real database, a real HTTP port, and a receiver for its callbacks.

async with serving(tmp_path, model=ScriptedModel(["Hello!"])) as site:
    await site.post(text="hi")
    (reply,) = await site.replies(1)
    assert reply["text"] == "Hello!"
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from supportbot.bot import Bot
from supportbot.protocols import Model
from supportbot.testing.receiver import Receiver, signed_headers

SECRET = "whsec_" + "dGhlIHNlY3JldCBvZiB0aGUgdGVzdHMgb25seQ=="
_PERSONA = "name: Mia\nrole: support at Acme\ntone: brief\nlanguages: [en, de]\n"
_numbers = itertools.count(1)


@dataclass
class Site:
    """A running bot. `post` sends a signed webhook on channel `desk`; what it calls back is in `receiver`."""

    bot: Bot
    url: str
    receiver: Receiver
    http: httpx2.AsyncClient
    ids: list[str] = field(default_factory=list)

    async def post(
        self, text: str = "", *, conversation: str = "c1", wait: float | None = None, **fields: Any
    ) -> httpx2.Response:
        """Sends one webhook; `fields` are further keys of the body, `id` among them."""
        body = {"id": f"m{next(_numbers)}", "conversation": conversation, "user": {"id": f"u-{conversation}"}}
        body |= ({"text": text} if text else {}) | fields
        self.ids.append(str(body["id"]))
        raw = json.dumps(body).encode()
        headers = signed_headers(SECRET, str(body["id"]), raw) | {"content-type": "application/json"}
        query = "" if wait is None else f"?wait={wait:g}"
        return await self.http.post(f"{self.url}/webhook/desk{query}", content=raw, headers=headers)

    async def say(self, text: str = "", **fields: Any) -> list[str]:
        """Sends one message and waits for the texts that answer it."""
        answer = await self.post(text, wait=20, **fields)
        return [reply["text"] for reply in answer.json().get("replies", [])]

    async def payloads(self, count: int, seconds: float = 10.0) -> list[dict[str, Any]]:
        """The first `count` callbacks of any kind."""
        return [delivery.payload for delivery in await self.receiver.wait_for(count, seconds)]

    async def replies(self, count: int, seconds: float = 10.0) -> list[dict[str, Any]]:
        """The first `count` replies that were called back; TimeoutError if they do not come."""
        async with asyncio.timeout(seconds):
            while True:
                found = [one.payload for one in self.receiver.accepted if one.payload["type"] == "message.reply"]
                if len(found) >= count:
                    return found
                await asyncio.sleep(0.01)

    async def kinds(self) -> list[str]:
        """The types of all callbacks so far, in order."""
        return [delivery.payload["type"] for delivery in self.receiver.accepted]


def write_bot(folder: Path, *, callback_url: str, config: Mapping[str, Any] | None = None) -> Path:
    """A small bot's files in `folder`, unless they are there; returns its config file."""
    for name in ("prompts", "flows", "knowledge"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    persona = folder / "prompts" / "persona.yaml"
    if not persona.exists():
        persona.write_text(_PERSONA, "utf-8")
    desk = {"type": "webhook", "secrets": [SECRET], "callback_url": callback_url, "allow_private": True}
    base: dict[str, Any] = {
        "bot": {"name": "Acme", "persona": "prompts/persona.yaml", "flows": "flows"},
        "knowledge": {"paths": ["knowledge"]},
        "channels": {"desk": desk},
    }
    for key, value in (config or {}).items():
        base[key] = {**base[key], **value} if key in base else value
    path = folder / "config.yaml"
    path.write_text(json.dumps(base), "utf-8")
    return path


@contextlib.asynccontextmanager
async def serving(
    folder: Path, *, model: Model | str | None = "offline", config: Mapping[str, Any] | None = None, **options: Any
) -> AsyncIterator[Site]:
    """Runs the bot in `folder` on a free port of loopback while the block lasts; closing drains it."""
    async with Receiver(SECRET) as receiver:
        path = write_bot(folder, callback_url=receiver.url, config=config)
        bot = Bot.from_config(path, env={}, model=model, **options)
        stop, up = asyncio.Event(), asyncio.get_running_loop().create_future()
        async with bot, httpx2.AsyncClient(trust_env=False, timeout=40) as http:
            running = asyncio.create_task(
                bot.serve("127.0.0.1", 0, stop=stop, started=lambda host, port: up.set_result(port))
            )
            await asyncio.wait((running, up), return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                running.result()
            try:
                yield Site(bot, f"http://127.0.0.1:{up.result()}", receiver, http)
            finally:
                stop.set()
                await running
