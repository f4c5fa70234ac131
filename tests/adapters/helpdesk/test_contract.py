"""Helpdesks pass the suites that every channel and every desk passes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from supportbot.errors import ChannelBusy, ChannelError, ChannelRefused
from supportbot.testing.adapter_contract import AdapterContract, Failure, Wire
from supportbot.testing.desk_contract import DeskContract
from supportbot.testing.helpdesk import FakeChatwoot, FakeHelpdesk, FakeZendesk
from supportbot.testing.helpdesk.core import AGENT, BOT, COLLEAGUE, NAMES, Change, Fault, Post, Ticket
from supportbot.types import Address, User
from supportbot.types.desks import ActKind
from supportbot_helpdesk import HelpdeskAdapter
from supportbot_helpdesk.fromhtml import from_html

PATH = "/webhook/contract"
FAULTS: Mapping[Failure, Fault] = {
    "down": Fault(503),
    "busy": Fault(429, {"retry-after": "7"}),
    "refused": Fault(422),
    "gone": Fault(404),
}


def wire(fake: FakeHelpdesk, body: Any, query: str = "", **signing: Any) -> Wire:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Wire(PATH + query, content, {"content-type": "application/json", **fake.signed(content, **signing)})


class Prepared(FakeChatwoot):
    """With the conversation that the contract speaks in."""

    def __init__(self) -> None:
        super().__init__()
        self.tickets[208] = Ticket(208, 31)
        self.people[31] = {"external": "31", "name": "Ada"}


class TestChatwoot(AdapterContract):
    failures: Mapping[Failure, type[ChannelError]] = {
        "down": ChannelBusy,
        "busy": ChannelBusy,
        "refused": ChannelRefused,
        "gone": ChannelRefused,
    }
    busy_seconds = 7.0
    secrets = (Prepared.secret, Prepared.token, Prepared.agent_token)

    def platform(self) -> Prepared:
        return Prepared()

    def adapter(self, platform: Prepared) -> HelpdeskAdapter:
        return HelpdeskAdapter("contract", platform.options)

    def body(self, id: str, text: str, **more: Any) -> dict[str, Any]:
        number = int(re.sub(r"\D", "", id) or 0) + 100
        return {
            "event": "message_created",
            "id": number,
            "content": text,
            "message_type": "incoming",
            "private": False,
            "sender": {"id": 31, "name": "Ada"},
            "conversation": {"id": 208, "status": "pending"},
            **more,
        }

    def wire(self, id: str, text: str) -> Wire:
        return wire(Prepared(), self.body(id, text))

    def address(self) -> Address:
        return Address("contract", "208")

    def user(self) -> User:
        return User("31")

    def unauthentic(self) -> Sequence[Wire]:
        good, fake = self.body("m-1", "hello"), Prepared()
        unsigned = Wire(PATH, json.dumps(good).encode(), {})
        return [unsigned, wire(fake, good, secret="another"), wire(fake, good, at=1_700_000_000)]

    def malformed(self) -> Sequence[Wire]:
        fake = Prepared()
        return [wire(fake, one) for one in (b"", b"\xff\xfe", b"{", b'{"a":1,"a":2}', b"[1,2]", b"null", b"7")]

    def echoes(self) -> Sequence[Wire]:
        bot = {"id": 3, "name": "Acme", "type": "agent_bot"}
        posted = self.body("m-8", "hi", message_type="outgoing", sender=bot)
        return [wire(Prepared(), one) for one in (posted, {**posted, "private": True})]

    def unknown(self) -> Sequence[Wire]:
        names = ("conversation_typing_on", "contact_updated", "message_updated", "webwidget_triggered", "tomorrow")
        return [wire(Prepared(), {**self.body("m-9", "hi"), "event": name}) for name in names]

    def unreadable(self) -> Sequence[Wire]:
        whole = self.body("m-7", "hi")
        return [
            wire(Prepared(), {**whole, "conversation": {}}),
            wire(Prepared(), {**whole, "id": None}),
            wire(Prepared(), {**whole, "conversation": {"id": "x" * 300}}),
        ]

    def oversize(self) -> Wire:
        return wire(Prepared(), self.body("m-1", "x" * 1_000_001))

    def fail(self, platform: Prepared, failure: Failure) -> None:
        platform.always(FAULTS[failure])

    def sent(self, platform: Prepared) -> Sequence[str]:
        return platform.texts(208, by=BOT)


class TestZendeskAsADesk(DeskContract):
    name = "front"
    kinds = ("claim", "release", "message", "note", "return", "resolve")
    agents = (User(str(AGENT), NAMES[AGENT]), User(str(COLLEAGUE), NAMES[COLLEAGUE]))
    failures: Mapping[Failure, type[ChannelError]] = {
        "down": ChannelBusy,
        "busy": ChannelBusy,
        "refused": ChannelRefused,
    }
    busy_seconds = 7.0
    secrets = (FakeZendesk.secret, FakeZendesk.token)
    takes_files = False

    def platform(self) -> FakeZendesk:
        return FakeZendesk()

    def adapter(self, platform: FakeZendesk) -> HelpdeskAdapter:
        made = HelpdeskAdapter("contract", platform.options)
        made.patience = 0.2
        return made

    def act_wire(self, platform: Any, kind: ActKind, place: str, id: str, text: str, agent: User) -> Wire:
        ticket, by = platform.tickets[int(place)], int(agent.id)
        changes: dict[str, Change] = {
            "claim": Change("assignee", Ticket(ticket.id, ticket.customer, assignee=by), by),
            "release": Change("assignee", Ticket(ticket.id, ticket.customer), by, before=by),
            "return": Change("tag", Ticket(ticket.id, ticket.customer, tags=["to_bot"]), by),
            "resolve": Change("status", Ticket(ticket.id, ticket.customer, status="solved"), by, before="open"),
        }
        if kind in ("message", "note"):
            post = Post(sum(id.encode()) * 1000 + len(id), text, by, public=kind == "message")
            changes[kind] = Change("post", ticket, by, post)
        ((body, query),) = platform.deliveries_of(changes[kind])
        return wire(platform, {**body, "id": f"event-{id}"}, query)

    def places(self, platform: FakeZendesk) -> Sequence[str]:
        return [str(id) for id in platform.tickets]

    def shown(self, platform: FakeZendesk, place: str) -> Sequence[str]:
        return [from_html(post.text) if post.html else post.text for post in platform.tickets[int(place)].posts]

    def looks(self, platform: FakeZendesk, place: str) -> object:
        return (platform.tickets[int(place)].status, *self.shown(platform, place))

    def live(self, platform: FakeZendesk, place: str) -> Sequence[str]:
        source = " ".join(post.text for post in platform.tickets[int(place)].posts)
        tags = re.findall(r"<[^>]*>", source)
        return [tag for tag in tags if not re.fullmatch(r"</?(p|b|br|ul|li)>", tag)]

    def public(self, platform: FakeZendesk, place: str) -> Sequence[str]:
        return platform.texts(int(place))

    def echoes(self, platform: FakeZendesk, place: str) -> Sequence[Wire]:
        ticket = platform.tickets[int(place)]
        changes = [Change("post", ticket, post.by, post) for post in ticket.posts]
        changes.append(Change("status", ticket, BOT, before="solved"))
        return [
            wire(platform, body, query) for change in changes for body, query in platform.deliveries_of(change)
        ]

    def unknown_place_wire(self, platform: FakeZendesk) -> Wire | None:
        post = Post(1, "hm", AGENT, public=False)
        ((body, query),) = platform.deliveries_of(Change("post", Ticket(77, 31), AGENT, post))
        return wire(platform, body, query)

    def customer_wire(self, platform: FakeZendesk) -> Wire | None:
        post = Post(2, "hello", 31, customer=True)
        ((body, query),) = platform.deliveries_of(Change("post", Ticket(78, 31), 31, post))
        return wire(platform, body, query)

    def unauthentic(self, platform: Any, place: str) -> Sequence[Wire]:
        good = self.act_wire(platform, "message", place, "m-1", "hi", self.agents[0])
        return [
            Wire(good.path, good.body, {}),
            Wire(good.path, good.body, platform.signed(good.body, secret="another")),
            Wire(good.path, good.body, platform.signed(good.body, at=1_700_000_000)),
            Wire(good.path, good.body + b" ", good.headers),
        ]

    def fail(self, platform: FakeZendesk, failure: Failure) -> None:
        platform.always(FAULTS[failure])

    def lose_answer(self, platform: FakeZendesk) -> bool:
        """The answer to the next request that makes a ticket or a comment."""
        platform.loses_next_post = True
        return True

    def remove(self, platform: FakeZendesk, place: str) -> bool:
        del platform.tickets[int(place)]
        return True
