"""The stage on which an adapter's contract is played: a real HTTP server on loopback, a fake inbox, and the hooks."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx2

from supportbot.errors import ChannelBusy, ChannelError, ChannelGone
from supportbot.protocols import Adapter, ChannelContext
from supportbot.testing.fake_inbox import FakeDesks, FakeFiles, FakeInbox
from supportbot.types import Address, Button, Outgoing, Reply, User
from supportbot.web import app, egress, server

Failure = Literal["down", "busy", "refused", "gone"]


@dataclass(frozen=True, slots=True)
class Wire:
    """One request of the platform: where it goes and what is in it, signature included."""

    path: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stage:
    """What a test plays on: the started adapter, its inbox, its platform, and the bot's URL."""

    adapter: Adapter
    inbox: FakeInbox
    platform: Any
    url: str
    client: httpx2.AsyncClient


Scene = Callable[[Stage], Awaitable[None]]


BUTTONS = (Button("yes", "Yes, please", press="token.0.0"), Button("no", "No", press="token.0.1"))


class AdapterHooks:
    """How a platform talks; a contract suite is a class below it that has tests."""

    failures: Mapping[Failure, type[ChannelError]] = {
        "down": ChannelBusy,
        "busy": ChannelBusy,
        "gone": ChannelGone,
    }
    """What `send` raises for each way in which the platform can fail; leave out what your platform cannot do."""

    busy_seconds: float | None = None
    """What the platform's "busy" says to wait, in seconds."""

    secrets: Sequence[str] = ()
    """Secrets in the adapter's options, which no error may show."""

    # --- hooks -----------------------------------------------------------------------------------------------

    def platform(self) -> AbstractAsyncContextManager[Any]:
        """A stand-in for the platform's API; what the block gives is handed to the other hooks."""
        raise NotImplementedError

    def adapter(self, platform: Any) -> Adapter:
        """An adapter that talks to it, not started."""
        raise NotImplementedError

    def wire(self, id: str, text: str) -> Wire:
        """An authentic message of a customer. The same id and text give the same message."""
        raise NotImplementedError

    def unauthentic(self) -> Sequence[Wire]:
        """Requests that do not come from the platform: no signature, a wrong one, one from yesterday."""
        raise NotImplementedError

    def malformed(self) -> Sequence[Wire]:
        """Authentic requests that mean nothing to the adapter, up to bytes that are no text: turned down, or ignored."""
        raise NotImplementedError

    def repeats(self, id: str, text: str) -> Sequence[Wire]:
        """The same message in every form in which the platform may bring it again."""
        return (self.wire(id, text), self.wire(id, text))

    def echoes(self) -> Sequence[Wire]:
        """What is on the platform but not from a customer: our own messages, other bots', people joining."""
        return ()

    def unknown(self) -> Sequence[Wire]:
        """Authentic requests of kinds that the platform may invent tomorrow."""
        return ()

    def unreadable(self) -> Sequence[Wire]:
        """Authentic messages that cannot be understood: they are set aside for people to look at, and acknowledged."""
        return ()

    def edit(self, id: str, text: str) -> Wire | None:
        """The customer changes the message that `wire(id, …)` brought; None if that cannot happen here."""
        return None

    def press(self, platform: Any, button: Button) -> Wire | None:
        """The customer presses a button of the message that the platform took last; None if there are none here."""
        return None

    def oversize(self) -> Wire:
        """An authentic request that is larger than the adapter takes."""
        raise NotImplementedError

    def fail(self, platform: Any, failure: Failure) -> None:
        """Makes the platform refuse whatever is sent from now on."""
        raise NotImplementedError

    def sent(self, platform: Any) -> Sequence[str]:
        """The texts that the platform has taken, in order."""
        raise NotImplementedError

    def address(self) -> Address:
        """Where `wire` is written; its channel is the adapter's name."""
        return Address("contract", "c-1")

    def user(self) -> User:
        """Who writes `wire`."""
        return User("u-1")

    def outgoing(self, id: str, text: str, **reply: Any) -> Outgoing:
        """A reply for the chat of `wire`; `reply` are further fields of its Reply."""
        return Outgoing(
            id=id,
            conversation="conversation",
            address=self.address(),
            lane="contract",
            kind="message.reply",
            user=self.user(),
            in_reply_to=("m-1",),
            part=1,
            parts=1,
            created_at=time.time(),
            reply=Reply(text, **reply),
        )

    async def deliver(self, stage: Stage, wire: Wire) -> int:
        """The HTTP status that the platform gets for one request."""
        headers = [(name.encode(), value.encode("latin-1")) for name, value in wire.headers.items()]
        response = await stage.client.post(stage.url + wire.path, content=wire.body, headers=headers)
        return response.status_code

    # --- the stage -------------------------------------------------------------------------------------------

    def play(self, scene: Scene) -> None:
        """Runs one scene on a fresh stage, in its own event loop; fails after half a minute."""

        async def run() -> None:
            async with asyncio.timeout(30), self.platform() as platform, self.stage(platform) as stage:
                await scene(stage)

        asyncio.run(run())

    @asynccontextmanager
    async def stage(self, platform: Any) -> AsyncIterator[Stage]:
        """The adapter started behind a real HTTP server; stopped in the end (twice must be harmless)."""
        adapter, inbox = self.adapter(platform), FakeInbox()
        await adapter.start(context(inbox))
        try:
            async with served(adapter) as url, httpx2.AsyncClient(trust_env=False, timeout=20) as client:
                yield Stage(adapter, inbox, platform, url, client)
        finally:
            await adapter.stop()


def context(inbox: FakeInbox, **more: Any) -> ChannelContext:
    """What a started adapter is handed in a test; `more` replaces fields of it."""
    fields: dict[str, Any] = {
        "http": egress.client,
        "log": _silent,
        "files": FakeFiles(),
        "desks": FakeDesks(),
        "shelf": inbox.shelf,
        "identify": lambda proof: None,
        **more,
    }
    return ChannelContext(inbox, **fields)


@asynccontextmanager
async def served(adapter: Adapter, *, body_limit: int = 2_000_000) -> AsyncIterator[str]:
    """The adapter's routes on a free port of loopback; gives the URL without a path."""
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    application = app.build(adapter.routes(), ready=_ready, body_limit=body_limit, larger=adapter.body_limits)
    running = asyncio.create_task(
        server.serve(
            application, "127.0.0.1", 0, started=lambda _, number: port.set_result(number), stop=stop, grace=1
        )
    )
    try:
        yield f"http://127.0.0.1:{await port}"
    finally:
        stop.set()
        await running


def words(text: str) -> list[str]:
    return re.findall(r"[^\W_]{2,}", text)


async def _ready() -> Mapping[str, str]:
    return {"contract": "ok"}


def _silent(event: str, **details: object) -> None:
    """Takes what the adapter logs."""


def acknowledged(status: int) -> bool:
    return 200 <= status < 300


async def error_of(sending: Awaitable[str]) -> Exception | None:
    """What the call raised, None if nothing; anything may come, that is what is tested."""
    try:
        await sending
    except Exception as error:  # noqa: BLE001 - the test looks at it
        return error
    return None
