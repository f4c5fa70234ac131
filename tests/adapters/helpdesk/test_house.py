"""A whole bot with a helpdesk: as the first line in it, and with its agents at a desk for customers of another channel."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from supportbot.testing.helpdesk import (
    FakeChatwoot,
    FakeFreshdesk,
    FakeHelpdesk,
    FakeIntercom,
    FakeZammad,
    FakeZendesk,
)
from supportbot.testing.helpdesk.core import BOT, Fault
from supportbot.testing.site import Site, serving

FIVE = pytest.mark.parametrize(
    "kind", (FakeChatwoot, FakeZendesk, FakeIntercom, FakeZammad, FakeFreshdesk), ids=lambda kind: kind.preset
)


@asynccontextmanager
async def whole(kind: type[FakeHelpdesk], folder: Path) -> AsyncIterator[tuple[FakeHelpdesk, Site]]:
    async with kind() as fake:
        options = {"type": "helpdesk", "burst_wait": "0s", **fake.options}
        config = {"channels": {"help": options}, "desks": {"tickets": {"channel": "help"}}}
        async with serving(folder, config=config) as site:
            fake.hook = f"{site.url}/webhook/help"
            yield fake, site
            await fake.settle()


async def until(holds: Callable[[], object], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.02)


@FIVE
async def test_first_line_and_people_in_one_helpdesk(kind: type[FakeHelpdesk], tmp_path: Path) -> None:
    async with whole(kind, tmp_path) as (fake, _):
        ticket = await fake.customer_writes("I want to talk to a human")
        await until(lambda: fake.texts(ticket, public=False) and fake.texts(ticket, by=BOT))
        await until(lambda: fake.tickets[ticket].status == "open")
        assert len(fake.tickets) == 1, "its own conversation was sent to a desk"
        said, noted = len(fake.texts(ticket, by=BOT)), len(fake.texts(ticket, public=False))

        await fake.agent_takes(ticket)
        await fake.agent_replies(ticket, "Grace here, I am looking.")
        await fake.customer_writes("Thank you, it is order 17", ticket)
        await fake.settle()
        await asyncio.sleep(0.5)
        assert len(fake.texts(ticket, by=BOT)) == said, "the bot spoke while a human has the conversation"
        assert fake.texts(ticket).count("Grace here, I am looking.") == 1
        assert len(fake.texts(ticket, public=False)) == noted

        await fake.agent_returns(ticket)
        await until(lambda: len(fake.texts(ticket, by=BOT)) > said)
        assert all(delivery.status == 200 for delivery in fake.deliveries)


@FIVE
async def test_a_customer_of_another_channel_is_helped_from_a_ticket(
    kind: type[FakeHelpdesk], tmp_path: Path
) -> None:
    async with whole(kind, tmp_path) as (fake, site):
        fake.always(Fault(503))
        await site.post("I want to talk to a human", conversation="c1")
        await site.replies(1)
        await until(lambda: fake.journal)
        fake.always(None)
        await until(lambda: fake.tickets, seconds=20)
        (ticket,) = fake.tickets
        await until(lambda: any("talk to a human" in text for text in fake.texts(ticket, public=False)))

        await site.post("It is order 17", conversation="c1")
        await until(lambda: any("It is order 17" in text for text in fake.texts(ticket, public=False)))
        await fake.settle()
        await fake.agent_takes(ticket)
        await fake.agent_replies(ticket, "A new lamp is on its way.")
        await until(lambda: any("A new lamp" in one.payload.get("text", "") for one in site.receiver.accepted))
        noted = len(fake.texts(ticket, public=False))
        await fake.agent_solves(ticket)
        await until(lambda: any(one.payload["type"] == "handoff.resolved" for one in site.receiver.accepted))
        await fake.settle()
        await asyncio.sleep(0.5)
        assert [
            one.payload["text"] for one in site.receiver.accepted if "new lamp" in one.payload.get("text", "")
        ] == ["A new lamp is on its way."]
        assert len(fake.tickets) == 1 and fake.texts(ticket, by=BOT) == []
        assert len(fake.texts(ticket, public=False)) == noted, "the helpdesk was told what it knows"
        assert all(delivery.status == 200 for delivery in fake.deliveries)


@pytest.mark.parametrize("place", ["channel", "desk"])
async def test_an_answer_that_comes_after_its_solving_opens_nothing_again(place: str, tmp_path: Path) -> None:
    """Zendesk tells of both in deliveries of their own and promises no order."""
    async with whole(FakeZendesk, tmp_path) as (fake, site):
        if place == "desk":
            await site.post("I want to talk to a human", conversation="c1")
            await until(lambda: fake.tickets and fake.texts(next(iter(fake.tickets)), public=False))
            (ticket,) = fake.tickets
            await asyncio.sleep(0.3)  # its place is stored
        else:
            ticket = await fake.customer_writes("I want to talk to a human")
            await until(lambda: fake.texts(ticket, public=False) and fake.texts(ticket, by=BOT))
        await fake.settle()
        await fake.agent_takes(ticket)
        fake.paused = True
        await fake.agent_replies(ticket, "A new lamp is on its way.")
        await fake.agent_solves(ticket)
        fake.paused = False
        comment, status = fake.waiting
        detail = json.loads(comment.body)
        detail["detail"]["status"] = "SOLVED"  # one update of the ticket: both deliveries have what it is after it
        content = json.dumps(detail).encode()
        for delivery in (status, replace(comment, body=content, headers=fake.signed(content))):
            assert await fake.deliver(delivery) == 200
            await asyncio.sleep(0.3)
        said = len(fake.texts(ticket, by=BOT))
        if place == "desk":
            heard = len(site.receiver.accepted)
            await site.post("Where is my order?", conversation="c1")
            await until(lambda: "message.reply" in [one.payload["type"] for one in site.receiver.accepted[heard:]])
        else:
            await fake.customer_writes("Where is my order?", ticket)
            await until(lambda: len(fake.texts(ticket, by=BOT)) > said)
