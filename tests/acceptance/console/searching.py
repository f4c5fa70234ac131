"""A served bot with conversations on two channels, and people who have signed in to its console over HTTP."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

import httpx2

from supportbot.console.passwords import hashed
from supportbot.testing.site import SECRET, Site, serving
from supportbot.types.console import Role

PASSWORD = "nine quiet boats in fog"
ANSWERED = "How long does delivery take?"
"""A question that the bot answers by itself; others it hands over."""
_DELIVERY = "# Delivery\n\n## How long delivery takes\n\nDelivery takes two to four working days.\n"
_HASH = hashed(PASSWORD)
_SHOP = {"type": "webhook", "secrets": [SECRET], "callback_url": "http://127.0.0.1:9/none", "allow_private": True}


@dataclass
class Signed:
    """Somebody signed in."""

    http: httpx2.AsyncClient
    csrf: str = ""

    async def get(self, path: str, **query: str) -> str:
        """The page, which must be there."""
        answer = await self.http.get(path, params=query or None)
        assert answer.status_code == 200, (path, answer.status_code, answer.text[:500])
        return answer.text

    async def post(self, path: str, **fields: str) -> httpx2.Response:
        return await self.http.post(
            path, data={"csrf": self.csrf, **fields}, headers={"Sec-Fetch-Site": "same-origin"}
        )


@contextlib.asynccontextmanager
async def signed(site: Site, role: Role = "agent", login: str = "maya") -> AsyncIterator[Signed]:
    await site.bot.store.console.create(login, name="Maya Brand", role=role, password=_HASH, now=time.time())
    async with httpx2.AsyncClient(base_url=site.url, trust_env=False, timeout=20) as http:
        form = {"login": login, "password": PASSWORD, "next": "/console/replies"}
        done = await http.post("/console/sign-in", data=form, headers={"Sec-Fetch-Site": "same-origin"})
        assert done.status_code == 303, done.text
        person = Signed(http)
        found = re.search(r'name="csrf" value="([^"]+)"', await person.get("/console/replies"))
        assert found is not None
        person.csrf = found[1]
        yield person


@contextlib.asynccontextmanager
async def searched(folder: Path, **config: Any) -> AsyncIterator[tuple[Site, Signed]]:
    """The bot, its model offline, with a second channel `shop`; and an agent."""
    (folder / "knowledge").mkdir()
    (folder / "knowledge" / "delivery.md").write_text(_DELIVERY, "utf-8")
    channels = {"shop": _SHOP, **config.pop("channels", {})}
    async with serving(folder, config={"channels": channels, **config}) as site, signed(site) as agent:
        yield site, agent


async def said(site: Site, text: str, *, conversation: str = "c1", name: str = "Ada", user: str = "") -> str:
    """A customer says something; the conversation's id once the bot has answered."""
    await site.say(text, conversation=conversation, user={"id": user or f"u-{conversation}", "name": name})
    found = await site.bot.store.find("desk", conversation, "")
    assert found is not None
    return found.id


def words(page: str) -> str:
    """What people read of a page, in one line."""
    content = page.partition("<main")[2] or page
    text = re.sub(r"<(script|style).*?</\1>", " ", content, flags=re.DOTALL)
    text = re.sub(r"</?(mark|bdi)>", "", text)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", text)).split())


def links(page: str) -> list[str]:
    """Where the list leads, in order."""
    return [unescape(one) for one in re.findall(r'data-item href="([^"]+)"', page)]


def fields(page: str) -> Mapping[str, str]:
    """What stands in the inputs."""
    return {name: unescape(value) for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', page)}
