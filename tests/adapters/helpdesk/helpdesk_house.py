"""A started helpdesk adapter behind a real HTTP server, a fake helpdesk that calls it, and a fake house."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from supportbot.errors import StoreBusy
from supportbot.protocols import Desk
from supportbot.testing.adapter_stage import context, served
from supportbot.testing.fake_inbox import FakeDesks, FakeInbox
from supportbot.testing.helpdesk import (
    FakeChatwoot,
    FakeFreshdesk,
    FakeHelpdesk,
    FakeIntercom,
    FakeZammad,
    FakeZendesk,
)
from supportbot.types import Act, Address, Outgoing, Reply, User
from supportbot_helpdesk import HelpdeskAdapter

FIVE = (FakeChatwoot, FakeZendesk, FakeIntercom, FakeZammad, FakeFreshdesk)

FACTS: Mapping[str, Any] = {
    "handoff": "h_1x2y3z",
    "desk": "tickets",
    "reason": "requested",
    "detail": "The customer asked for a human.",
    "status": "waiting",
    "agent": "",
    "assignee": "",
    "tags": [],
    "priority": "normal",
    "channel": "slack",
    "customer": {"id": "U7", "name": "Ada <b>Byron</b>"},
    "locale": "en",
    "requested_at": 1_795_221_111.0,
    "deadline": 1_795_222_011.0,
    "summary": "The lamp of order 17 came broken.",
}
BRIEF: Mapping[str, Any] = {
    "why": "Ada asked for a human.",
    "cause": {},
    "tried": ["Offered a replacement"],
    "slots": {"order": "17"},
    "identity": {"customer": "c-9", "name": "Ada", "verified": True},
    "earlier": [],
    "transcript": [{"role": "user", "name": "Ada", "text": "It is <broken> & *cold*"}],
    "suggestion": "Send a new one.",
}


def row(kind: Any, chat: str, *, id: str = "", place: str = "", text: str | None = None, **more: Any) -> Outgoing:
    """An outbox row; `more` are further data."""
    return Outgoing(
        id=id or f"o-{kind}-{chat}",
        conversation="c_house",
        address=Address("help", chat),
        lane="l",
        kind=kind,
        user=User("U7", "Ada"),
        in_reply_to=(),
        part=1,
        parts=1,
        created_at=time.time() + 1,
        reply=None if text is None else Reply(text),
        data={**FACTS, **more},
        place=place,
    )


def reply(chat: str, text: str, *, id: str = "o-1", attempt: int = 0) -> Outgoing:
    made = row("message.reply", chat, id=id, text=text)
    return replace(made, data={}, attempt=attempt)


class BusyDesks(FakeDesks):
    """As the store does it: at a desk in `busy` a place that is not known may be that of a handoff on its way."""

    def __init__(self) -> None:
        super().__init__()
        self.busy: set[str] = set()

    async def act(self, desk: str, act: Act) -> bool:
        known = await super().act(desk, act)
        if not known and desk in self.busy:
            raise StoreBusy("a handoff is on its way")
        return known


@dataclass(slots=True)
class House:
    """Everything of one scene; `logged` is what the adapter logged."""

    fake: FakeHelpdesk
    adapter: HelpdeskAdapter
    desk: Desk
    inbox: FakeInbox
    desks: BusyDesks
    url: str
    logged: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    @property
    def said(self) -> list[tuple[str, str]]:
        """(kind, text) of what came into the inbox."""
        return [(message.kind, message.text) for message in self.inbox.messages]

    @property
    def acts(self) -> list[tuple[str, str, str]]:
        """(kind, agent, text) of what came to the desk."""
        return [(act.kind, act.agent.id, act.text) for _, act in self.desks.acts]

    async def settle(self) -> None:
        await self.fake.settle()
        assert all(one.status == 200 for one in self.fake.deliveries), [one.status for one in self.fake.deliveries]


Open = Callable[..., AbstractAsyncContextManager[House]]


@asynccontextmanager
async def opened(fake: FakeHelpdesk, **options: Any) -> AsyncIterator[House]:
    async with fake:
        adapter = HelpdeskAdapter("help", {**fake.options, **options})
        desk = adapter.desk("tickets", {})
        inbox, desks = FakeInbox(), BusyDesks()
        logged: list[tuple[str, dict[str, Any]]] = []
        await adapter.start(context(inbox, desks=desks, log=lambda event, **more: logged.append((event, more))))
        async with served(adapter) as url:
            fake.hook = f"{url}/webhook/help"
            yield House(fake, adapter, desk, inbox, desks, url, logged)
            await fake.settle()
        await adapter.stop()


@pytest.fixture(params=FIVE, ids=lambda kind: kind.preset)
async def house(request: pytest.FixtureRequest) -> AsyncIterator[House]:
    """One for each of the five helpdesks."""
    async with opened(request.param()) as one:
        yield one
