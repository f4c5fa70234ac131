"""The stage on which a desk's contract is played: an adapter on a real HTTP server, its desk, and the house's side."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2

from supportbot.errors import ChannelBusy, ChannelError, ChannelRefused
from supportbot.protocols import Adapter, Desk
from supportbot.testing.adapter_stage import Failure, Wire, context, served, words
from supportbot.testing.fake_inbox import FakeDesks, FakeFiles, FakeInbox
from supportbot.types import Act, ActKind, Address, Outgoing, OutgoingKind, Reply, User

CUSTOMER = {"id": "u-7", "name": "Ada Lovelace"}
FACTS: Mapping[str, Any] = {
    "reason": "requested",
    "detail": "The customer asked for a person.",
    "status": "waiting",
    "agent": "",
    "assignee": "",
    "tags": ["vip"],
    "priority": "high",
    "channel": "shop",
    "customer": CUSTOMER,
    "locale": "en",
    "summary": "Customer: my parcel never arrived.",
}
"""What `data` of every row has, beside handoff, desk, requested_at and deadline."""

BRIEF: Mapping[str, Any] = {
    "why": "Nobody but a colleague can refund this.",
    "cause": {"rule": "refunds-above-100"},
    "tried": ["Looked up the parcel with the carrier.", "Offered a voucher."],
    "slots": {"order_number": "SB-1042", "damaged": True, "amount": 129.5},
    "identity": {"customer": "cust-31", "name": "Ada Lovelace", "verified": True},
    "earlier": [
        {"at": 1_790_000_000.0, "channel": "shop", "summary": "Asked about opening hours.", "outcome": "answered"}
    ],
    "transcript": [
        {"role": "user", "name": "Ada Lovelace", "text": "Where is my parcel?"},
        {"role": "assistant", "name": "", "text": "It left on Monday."},
        {"role": "user", "name": "Ada Lovelace", "text": "Then get me somebody."},
    ],
    "suggestion": "Refund the order and apologise.",
}
"""What `handoff.requested` has besides."""

STATES: Mapping[str, tuple[OutgoingKind, Mapping[str, Any], str]] = {
    "claimed": ("handoff.claimed", {"status": "claimed", "agent": "Grace Hopper"}, "Grace Hopper"),
    "resolved": ("handoff.resolved", {"status": "resolved", "agent": "Grace Hopper"}, "Grace Hopper"),
    "returned": ("handoff.returned", {"status": "returned", "agent": "Grace Hopper"}, "Grace Hopper"),
    "assigned": ("handoff.updated", {"assignee": "Grace Hopper"}, "Grace Hopper"),
    "released": ("handoff.updated", {"by": "Grace Hopper"}, ""),
    "transferred": ("handoff.updated", {"to": "billing"}, "billing"),
    "late": ("handoff.updated", {}, ""),
    "refused": ("handoff.updated", {"by": "Grace Hopper", "why": "Somebody else has it."}, "Somebody else has it"),
    "undelivered": ("handoff.updated", {"error": "The customer blocked the bot."}, "customer blocked the bot"),
    "gathered": ("handoff.updated", {"slots": {"colour_wanted": "teal"}}, "teal"),
    "rated": ("handoff.updated", {"rating": 4}, ""),
}
"""Each change of state: its row's kind, what its data has, and the words of it that must show at the place."""


class HeldDesks(FakeDesks):
    """A DeskInbox that can be slow: after `hold()` every act stops before it is stored, until `release()`.

    `at` says at which desk a handoff stands, {handoff: desk}; one that is not in it stands at every desk.
    """

    def __init__(self) -> None:
        super().__init__()
        self.at: dict[str, str] = {}
        self.arrived = asyncio.Event()
        self._open = asyncio.Event()
        self._open.set()

    def hold(self) -> None:
        self._open.clear()

    def release(self) -> None:
        self._open.set()

    async def act(self, desk: str, act: Act) -> bool:
        assert act.id and (act.place or act.handoff), f"{act} names no handoff"
        self.arrived.set()
        await self._open.wait()
        if self.error is None and self.at.get(act.handoff, desk) != desk:
            return False
        return await super().act(desk, act)


@dataclass(frozen=True, slots=True)
class DeskStage:
    """What a test plays on: the desk on its started adapter, the house's side of it, its platform, the bot's URL.

    `other` is a second desk on the same adapter, None if the platform has room for one only. `logged` is what the
    adapter logged.
    """

    adapter: Adapter
    desk: Desk
    other: Desk | None
    desks: HeldDesks
    inbox: FakeInbox
    files: FakeFiles
    platform: Any
    url: str
    client: httpx2.AsyncClient
    logged: list[str]


DeskScene = Callable[[DeskStage], Awaitable[None]]


class DeskHooks:
    """How a platform talks where it is a desk; the contract suite is a class below it that has tests."""

    name = "front"
    """The desk's name in the config."""

    kinds: Sequence[ActKind] = ("claim", "release", "message", "note", "transfer", "return", "resolve")
    """What agents can do there."""

    agents: Sequence[User] = (User("ana", "Ana Lima"), User("ben", "Ben Okri"))
    """Two agents whom the platform knows, with the names by which it shows them."""

    failures: Mapping[Failure, type[ChannelError]] = {
        "down": ChannelBusy,
        "busy": ChannelBusy,
        "refused": ChannelRefused,
    }
    """What `send` raises for each way in which the platform can fail; leave out what your platform cannot do."""

    busy_seconds: float | None = None
    """What the platform's "busy" says to wait, in seconds."""

    secrets: Sequence[str] = ()
    """Secrets in the options, which no error and no log may show."""

    finds_again = True
    """Whether the platform can be asked what stands there already; if not, a lost answer may leave a second copy."""

    takes_files = True
    """Whether customers' files stand at the place with their content."""

    transfer_to = ""
    """Where `act_wire("transfer", …)` gives it, as `Act.to` must name it."""

    closing_words = False
    """Whether `act_wire` can put its text into "return" and "resolve"."""

    unknown_answer: Sequence[int] = range(200, 300)
    """Statuses that say at an unknown place: nothing to do here, do not come again."""

    # --- hooks -----------------------------------------------------------------------------------------------

    def platform(self) -> AbstractAsyncContextManager[Any]:
        """A stand-in for the platform's API; what the block gives is handed to the other hooks."""
        raise NotImplementedError

    def adapter(self, platform: Any) -> Adapter:
        """An adapter that talks to it, not started."""
        raise NotImplementedError

    def desk_options(self, platform: Any) -> Mapping[str, Any]:
        """The desk's options in the config, without `channel`."""
        return {}

    def other_options(self, platform: Any) -> Mapping[str, Any] | None:
        """Those of a second desk on the same adapter; None if there is room for one only."""
        return None

    def act_wire(self, platform: Any, kind: ActKind, place: str, id: str, text: str, agent: User) -> Wire:
        """What the platform sends when an agent does one of `kinds` at a place.

        The same `id` gives the same act; `text` is "" where an act needs no words.
        """
        raise NotImplementedError

    def file_wire(self, platform: Any, place: str, id: str, agent: User, name: str, content: bytes) -> Wire | None:
        """An agent sends the customer a file, without words; None if that cannot be done here."""
        return None

    def places(self, platform: Any) -> Sequence[str]:
        """Every handoff's place that the platform has, oldest first, named as `Desk.send` names it."""
        raise NotImplementedError

    def shown(self, platform: Any, place: str) -> Sequence[str]:
        """The texts that stand at a place, in order, as people read them: what the platform takes for markup undone."""
        raise NotImplementedError

    def looks(self, platform: Any, place: str) -> object:
        """Everything that people see of a place: texts, title, buttons, status, as something that can be compared."""
        return tuple(self.shown(platform, place))

    def live(self, platform: Any, place: str) -> Sequence[str]:
        """What of a customer's words the platform takes for more than words there: calls to people, tags, links with
        another label, fields of a form."""
        return ()

    def public(self, platform: Any, place: str) -> Sequence[str]:
        """The texts at a place that the platform itself shows to the customer (a helpdesk's public replies)."""
        return ()

    def files_at(self, platform: Any, place: str) -> Sequence[tuple[str, bytes]]:
        """(name, content) of the files that stand at a place, in order."""
        return ()

    def echoes(self, platform: Any, place: str) -> Sequence[Wire]:
        """What the platform brings at a place that no agent did: our own posts, other bots', people joining."""
        return ()

    def unknown_place_wire(self, platform: Any) -> Wire | None:
        """An agent writes where the platform would have a handoff, but none stands; None if that cannot happen."""
        return None

    def customer_wire(self, platform: Any) -> Wire | None:
        """A customer writes to the bot on the same channel; None if it has no customers."""
        return None

    def unauthentic(self, platform: Any, place: str) -> Sequence[Wire]:
        """An agent's words at a place, in requests that do not come from the platform."""
        raise NotImplementedError

    def fail(self, platform: Any, failure: Failure) -> None:
        """Makes the platform refuse whatever is sent from now on."""
        raise NotImplementedError

    def lose_answer(self, platform: Any) -> bool:
        """Makes the platform take the next post and break off without an answer; False if that cannot be played."""
        return False

    def remove(self, platform: Any, place: str) -> bool:
        """Somebody deletes the place on the platform; False if that cannot happen."""
        return False

    async def perform(
        self, stage: DeskStage, kind: ActKind, place: str, *, id: str, text: str = "", agent: User | None = None
    ) -> int:
        """An agent (the first, if nobody is named) does something; the HTTP status of it.

        Override it where it takes several requests, such as a form that is opened and sent.
        """
        wire = self.act_wire(stage.platform, kind, place, id, text, agent or self.agents[0])
        return await self.deliver(stage, wire)

    async def deliver(self, stage: DeskStage, wire: Wire) -> int:
        """The HTTP status for one request. A desk without HTTP returns 200 if the platform would count it as
        acknowledged, else 500."""
        headers = [(name.encode(), value.encode("latin-1")) for name, value in wire.headers.items()]
        response = await stage.client.post(stage.url + wire.path, content=wire.body, headers=headers)
        return response.status_code

    # --- rows ------------------------------------------------------------------------------------------------

    def row(
        self,
        id: str,
        kind: OutgoingKind,
        handoff: str,
        place: str = "",
        *,
        reply: Reply | None = None,
        **data: Any,
    ) -> Outgoing:
        """A row as the house has it for this desk; `data` stands beside what every row has."""
        now = time.time()
        facts = {"handoff": handoff, "desk": self.name, "requested_at": now, "deadline": now + 900, **FACTS}
        return Outgoing(
            id=id,
            conversation=f"conversation-of-{handoff}",
            address=Address(f"@desk.{self.name}", f"chat-of-{handoff}"),
            lane=f"@desk.{self.name}/{handoff}",
            kind=kind,
            user=User(CUSTOMER["id"], CUSTOMER["name"]),
            in_reply_to=(),
            part=1,
            parts=1,
            created_at=now,
            reply=reply,
            data={**facts, **data},
            place=place,
        )

    def requested(self, handoff: str, **data: Any) -> Outgoing:
        """The row that opens a handoff, with its whole brief."""
        return self.row(f"o-{handoff}", "handoff.requested", handoff, **{**BRIEF, **data})

    def said(
        self, id: str, handoff: str, place: str, text: str, *, role: str = "customer", name: str = "", **reply: Any
    ) -> Outgoing:
        """A row that brings the agents somebody's words; `reply` are further fields of its Reply."""
        who = {"role": role, "id": CUSTOMER["id"], "name": name or CUSTOMER["name"]}
        return self.row(id, "handoff.message", handoff, place, reply=Reply(text, **reply), **{"from": who})

    async def opened(self, stage: DeskStage, handoff: str = "h_one", **data: Any) -> str:
        """The place of a new handoff, which the house knows from now on."""
        return await self.opened_at(stage, stage.desk, handoff, **data)

    async def opened_at(self, stage: DeskStage, desk: Desk, handoff: str, **data: Any) -> str:
        """The same at any desk of the stage."""
        place = await desk.send(self.requested(handoff, **{"desk": desk.name, **data}))
        assert isinstance(place, str) and place, f"{place!r} names no place"
        stage.desks.places.add((desk.name, place))
        stage.desks.handoffs.add(handoff)
        stage.desks.at[handoff] = desk.name
        return place

    def missing(self, platform: Any, place: str, *wanted: str) -> list[str]:
        """The words of `wanted` that do not stand at the place."""
        there = {word.casefold() for text in self.shown(platform, place) for word in words(text)}
        return [word for text in wanted for word in words(text) if word.casefold() not in there]

    # --- the stage -------------------------------------------------------------------------------------------

    def play(self, scene: DeskScene, seconds: float = 30) -> None:
        """Runs one scene on a fresh stage, in its own event loop; fails after so many seconds."""

        async def run() -> None:
            async with asyncio.timeout(seconds), self.platform() as platform, self.stage(platform) as stage:
                await scene(stage)
                logged = " ".join(stage.logged)
                assert not any(secret in logged for secret in self.secrets), "a secret was logged"

        asyncio.run(run())

    @asynccontextmanager
    async def stage(self, platform: Any) -> AsyncIterator[DeskStage]:
        """The adapter with its desks, started behind a real HTTP server; stopped in the end."""
        adapter = self.adapter(platform)
        desk = adapter.desk(self.name, self.desk_options(platform))
        more = self.other_options(platform)
        other = None if more is None else adapter.desk("other", more)
        desks, inbox, files, logged = HeldDesks(), FakeInbox(), FakeFiles(), list[str]()

        def log(event: str, **details: object) -> None:
            logged.append(f"{event} {details}")

        await adapter.start(context(inbox, desks=desks, files=files, log=log))
        try:
            async with served(adapter) as url, httpx2.AsyncClient(trust_env=False, timeout=20) as client:
                yield DeskStage(adapter, desk, other, desks, inbox, files, platform, url, client, logged)
        finally:
            await adapter.stop()

    @asynccontextmanager
    async def restarted(self, stage: DeskStage) -> AsyncIterator[Desk]:
        """The same desk of another process: it has the platform in common, and nothing else."""
        await stage.adapter.stop()
        adapter = self.adapter(stage.platform)
        desk = adapter.desk(self.name, self.desk_options(stage.platform))
        await adapter.start(context(FakeInbox(), desks=stage.desks, files=stage.files))
        try:
            yield desk
        finally:
            await adapter.stop()
