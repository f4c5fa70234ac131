"""A customer whom the company's site vouches for is the same one in the web chat and in a helpdesk."""

from __future__ import annotations

import secrets
import time
from pathlib import Path

import httpx2
import jwt
from searching import ANSWERED, links, searched, words

from supportbot.testing.site import Site

SECRET = "the shop signs with this secret of 32 bytes"
CONFIG = {
    "identity": {"secrets": [SECRET]},
    "channels": {"web": {"type": "web", "burst_wait": "0s"}},
}


def token(customer: str, name: str) -> str:
    return jwt.encode({"sub": customer, "name": name, "exp": time.time() + 600}, SECRET, "HS256")


class Visitor:
    """Somebody in the web chat whom the site has signed."""

    def __init__(self, site: Site, customer: str, name: str) -> None:
        self._http, self._base = site.http, f"{site.url}/chat"
        self._proof = token(customer, name)
        self._headers: dict[str, str] = {}

    async def comes(self) -> None:
        made = await self._http.post(f"{self._base}/sessions", json={"user_token": self._proof})
        assert made.status_code == 201 and made.json()["identified"]
        self._headers = {"authorization": f"Bearer {made.json()['token']}", "supportbot-user": self._proof}

    async def says(self, text: str) -> httpx2.Response:
        body = {"id": secrets.token_hex(16), "text": text}
        return await self._http.post(f"{self._base}/messages", json=body, headers=self._headers)


async def conversation_on(site: Site, channel: str, turns: int = 1) -> str:
    """The only conversation of a channel, once it has had so many turns."""
    for _ in range(200):
        found = [one for one in await site.bot.store.conversations() if one.address.channel == channel]
        if found and found[0].turn >= turns:
            return found[0].id
        await site.bot.store.next_timer()
    raise AssertionError(f"nobody was answered on {channel}")


async def test_what_was_said_in_the_helpdesk_stands_beside_the_web_chat_of_the_same_customer(
    tmp_path: Path,
) -> None:
    async with searched(tmp_path, **CONFIG) as (site, agent):
        user = {"id": "ticket-7", "name": "Ada L.", "identity": token("cust-31", "Ada Lovelace")}
        await site.say(f"{ANSWERED} It is for my quagga.", conversation="t1", user=user)
        other = {"id": "ticket-8", "name": "Bob", "identity": token("cust-32", "Bob")}
        await site.say(f"{ANSWERED} It is for my zebra.", conversation="t2", user=other)
        visitor = Visitor(site, "cust-31", "Ada Lovelace")
        await visitor.comes()
        assert (await visitor.says("I want to talk to a human")).status_code == 202
        here = await conversation_on(site, "web")
        page = await agent.get(f"/console/c/{here}")
        assert "Ada Lovelace" in words(page) and "cust-31" in words(page), "they are known by name, and proven"
        earlier = words(page).partition("Earlier")[2]
        assert "quagga" in earlier and "zebra" not in page
        there = {
            link
            for link in links(await agent.get(f"/console/c/{here}/customer"))
            if link.startswith("/console/c/")
        }
        assert len(there) == 2 and f"/console/c/{here}" in there
