"""A started Slack adapter before Slack on loopback and a fake inbox."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from supportbot.testing.adapter_contract import context, served
from supportbot.testing.fake_inbox import FakeDesks, FakeFiles, FakeInbox
from supportbot.testing.slack import events
from supportbot.testing.slack.server import FakeSlack
from supportbot.types import Address, Outgoing, Reply, User
from supportbot_slack import SlackAdapter
from supportbot_slack.desk import SlackDesk

PAYLOADS = Path(__file__).parent / "payloads"
DM = Address("slack", f"{events.TEAM}/{events.CUSTOMER}")


def payload(name: str) -> dict[str, Any]:
    """A payload kept as a file, without the note that says where its fields are described."""
    found = json.loads((PAYLOADS / f"{name}.json").read_text())
    del found["source"]
    return dict(found)


def outgoing(reply: Reply | str = "Hello!", *, id: str = "o-1", address: Address = DM, **more: Any) -> Outgoing:
    """A row of the outbox for the customer."""
    fields: dict[str, Any] = {
        "user": User(events.CUSTOMER),
        "in_reply_to": ("m-1",),
        "created_at": time.time(),
        "reply": Reply(reply) if isinstance(reply, str) else reply,
        **more,
    }
    return Outgoing(
        id=id, conversation="c", address=address, lane="l", kind="message.reply", part=1, parts=1, **fields
    )


def channel(thread: str) -> Address:
    """A thread of the support channel."""
    return Address("slack", f"{events.TEAM}/{events.CHANNEL}", thread)


@dataclass(slots=True)
class Shop:
    """The adapter and everything around it."""

    adapter: SlackAdapter
    inbox: FakeInbox
    slack: FakeSlack
    files: FakeFiles
    url: str = ""
    logged: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    house: FakeDesks = field(default_factory=FakeDesks)
    desks: dict[str, SlackDesk] = field(default_factory=dict)

    async def told(self, event: Mapping[str, Any], **others: Any) -> int:
        """The final status for an event that Slack delivers over HTTP, or for an interaction or command."""
        whole = event if "command" in event or event["type"] == "block_actions" else events.event_callback(event)
        return (await self.slack.deliver(self.url, whole, **others))[-1]

    async def settled(self) -> None:
        """Waits for what the adapter does in the background."""
        assert self.adapter._running is not None
        await self.adapter._running.tasks.settle()

    def calls(self, method: str) -> list[Mapping[str, Any]]:
        """The parameters of all calls of a method."""
        return [call.params for call in self.slack.calls if call.method == method]

    def said(self, event: str) -> list[dict[str, Any]]:
        """What was logged under a name."""
        return [facts for name, facts in self.logged if name == event]


Opening = Callable[..., Any]


@asynccontextmanager
async def shop(
    *,
    slack: FakeSlack | None = None,
    more: Mapping[str, Any] | None = None,
    desks: Mapping[str, str] | None = None,
    **options: Any,
) -> AsyncIterator[Shop]:
    """A started adapter; `options` change the channel's, `more` the context's, `desks` are places by name."""
    async with slack or FakeSlack(pace=0, tiers={}) as fake:
        chosen = {
            "bot_token": fake.bot_token,
            "signing_secret": fake.signing_secret,
            "app_token": fake.app_token,
            "api_url": fake.url,
            **options,
        }
        adapter, inbox, files, house = SlackAdapter("slack", chosen), FakeInbox(), FakeFiles(), FakeDesks()
        made = {name: adapter.desk(name, {"place": place}) for name, place in (desks or {}).items()}
        logged: list[tuple[str, dict[str, Any]]] = []
        fields = {
            "files": files,
            "desks": house,
            "log": lambda event, **facts: logged.append((event, facts)),
            **(more or {}),
        }
        await adapter.start(context(inbox, **fields))
        try:
            async with served(adapter, body_limit=20_000_000) as url:
                yield Shop(adapter, inbox, fake, files, url, logged, house, made)
        finally:
            await adapter.stop()


@pytest.fixture
async def desk(request: pytest.FixtureRequest) -> AsyncIterator[Shop]:
    """Over HTTP; `@pytest.mark.parametrize("desk", [{…}], indirect=True)` changes options."""
    async with shop(**getattr(request, "param", {})) as one:
        yield one


async def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)
