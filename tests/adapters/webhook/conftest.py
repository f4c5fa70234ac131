"""A started webhook adapter behind a real HTTP server, a callback receiver, and a fake inbox."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from supportbot.testing.adapter_contract import context, served
from supportbot.testing.fake_inbox import FakeInbox
from supportbot.testing.receiver import Receiver, signed_headers
from supportbot.types import Address, Button, Outgoing, Reply, User
from supportbot_webhook import WebhookAdapter

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + "A" * 32


def body(id: str = "m-1", text: str = "hello", **more: Any) -> bytes:
    fields = {"id": id, "conversation": "c-1", "user": {"id": "u-1", "name": "Ada"}, "text": text}
    return json.dumps(fields | more).encode()


def reply(id: str, text: str, to: str = "m-1", **more: Any) -> Outgoing:
    return Outgoing(
        id=id,
        conversation="our-own-id",
        address=Address("desk", "c-1"),
        lane="l",
        kind="message.reply",
        user=User("u-1"),
        in_reply_to=(to,),
        part=1,
        parts=1,
        created_at=time.time(),
        reply=Reply(text, (Button("yes", "Yes"),)),
        **more,
    )


@dataclass(slots=True)
class Desk:
    """The adapter and everything around it."""

    adapter: WebhookAdapter
    inbox: FakeInbox
    receiver: Receiver
    url: str
    client: httpx2.AsyncClient

    @property
    def port(self) -> int:
        return httpx2.URL(self.url).port or 0

    async def post(
        self, content: bytes, *, secret: str = SECRET, query: str = "", headers: Mapping[str, str] | None = None
    ) -> httpx2.Response:
        signed = signed_headers(secret, "w-1", content) if headers is None else headers
        return await self.client.post(f"{self.url}/webhook/desk{query}", content=content, headers=signed)

    def raw(self, content: bytes, *, query: str = "", extra: str = "", length: int | None = None) -> bytes:
        """The same request as bytes for a raw socket."""
        signed = signed_headers(SECRET, "w-1", content)
        lines = [f"POST /webhook/desk{query} HTTP/1.1", "host: desk", *(f"{k}: {v}" for k, v in signed.items())]
        lines.append(extra or f"content-length: {len(content) if length is None else length}")
        return "\r\n".join([*lines, "", ""]).encode() + content

    async def left_or_taken(self, seconds: float = 3.0) -> tuple[str, str]:
        """How the last wait ended."""
        async with asyncio.timeout(seconds):
            while not self.inbox.log or self.inbox.log[-1][0] not in ("left", "taken"):
                await asyncio.sleep(0.01)
        return self.inbox.log[-1]


async def _desk(options: Mapping[str, Any]) -> AsyncIterator[Desk]:
    async with Receiver(SECRET) as receiver:
        chosen = {"secrets": [SECRET], "callback_url": receiver.url, "allow_private": True, **options}
        adapter = WebhookAdapter("desk", {key: value for key, value in chosen.items() if value is not None})
        inbox = FakeInbox()
        await adapter.start(context(inbox))
        async with served(adapter, body_limit=20_000_000) as url, httpx2.AsyncClient(trust_env=False) as client:
            yield Desk(adapter, inbox, receiver, url, client)
        await adapter.stop()


@pytest.fixture
async def desk(request: pytest.FixtureRequest) -> AsyncIterator[Desk]:
    """With a callback; `@pytest.mark.parametrize("desk", [{…}], indirect=True)` changes options."""
    async for one in _desk(getattr(request, "param", {})):
        yield one
