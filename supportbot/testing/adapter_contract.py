"""The suite that every adapter passes, ours and yours.

    class TestMyAdapter(AdapterContract):
        def platform(self): return MyFakePlatform()          # async with; stands in for the platform's API
        def adapter(self, platform): return MyAdapter("mine", {"token": "…", "api": platform.url})
        def wire(self, id, text): …                          # a customer's message as the platform sends it
        …

Each test starts the adapter on a real HTTP server on loopback and a `FakeInbox`; the hooks below say how your
platform talks. An adapter without HTTP (a socket, polling) overrides `deliver`: it hands over one wire and returns
200 if the platform would count it as acknowledged, else 500.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx2

from supportbot.errors import ChannelBusy, ChannelError, ChannelGone, StoreBusy, StoreFull
from supportbot.protocols import Adapter, ChannelContext
from supportbot.testing.fake_inbox import FakeFiles, FakeInbox
from supportbot.types import Address, Outgoing, Reply, User
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


class AdapterContract:
    """Subclass it, name the subclass Test…, and fill in the hooks."""

    failures: Mapping[Failure, type[ChannelError]] = {
        "down": ChannelBusy,
        "busy": ChannelBusy,
        "gone": ChannelGone,
    }
    """What `send` raises for each way in which the platform can fail; leave out what your platform cannot do."""

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
        """Authentic requests that mean nothing to the adapter, up to bytes that are no text."""
        raise NotImplementedError

    def oversize(self) -> Wire:
        """An authentic request that is larger than the adapter takes."""
        raise NotImplementedError

    def fail(self, platform: Any, failure: Failure) -> None:
        """Makes the platform refuse whatever is sent from now on."""
        raise NotImplementedError

    def sent(self, platform: Any) -> Sequence[str]:
        """The texts that the platform has taken, in order."""
        raise NotImplementedError

    def outgoing(self, id: str, text: str) -> Outgoing:
        """A reply for the chat of `wire`; override it if the address must look different."""
        return Outgoing(
            id=id,
            conversation="conversation",
            address=Address("contract", "c-1"),
            lane="contract",
            kind="message.reply",
            user=User("u-1"),
            in_reply_to=("m-1",),
            part=1,
            parts=1,
            created_at=time.time(),
            reply=Reply(text),
        )

    async def deliver(self, stage: Stage, wire: Wire) -> int:
        """The HTTP status that the platform gets for one request."""
        headers = [(name.encode(), value.encode("latin-1")) for name, value in wire.headers.items()]
        response = await stage.client.post(stage.url + wire.path, content=wire.body, headers=headers)
        return response.status_code

    # --- the way in ------------------------------------------------------------------------------------------

    def test_a_message_is_acknowledged_only_after_it_is_stored(self) -> None:
        async def scene(stage: Stage) -> None:
            stage.inbox.hold()
            delivery = asyncio.create_task(self.deliver(stage, self.wire("m-1", "hello")))
            async with asyncio.timeout(5):
                await stage.inbox.arrived.wait()
            await asyncio.sleep(0.1)
            assert not delivery.done(), "acknowledged while receive() was still running"
            stage.inbox.release()
            assert _acknowledged(await delivery)
            assert [message.text for message in stage.inbox.messages] == ["hello"]

        self.play(scene)

    def test_a_message_that_cannot_be_stored_is_not_acknowledged(self) -> None:
        async def scene(stage: Stage) -> None:
            for error in (StoreFull("the disk is full"), StoreBusy("another process owns it")):
                stage.inbox.error = error
                status = await self.deliver(stage, self.wire("m-1", "hello"))
                assert not _acknowledged(status), f"{status} although receive() raised {type(error).__name__}"
            stage.inbox.error = None
            assert _acknowledged(await self.deliver(stage, self.wire("m-1", "hello")))

        self.play(scene)

    def test_a_repeat_is_acknowledged_and_has_the_same_id(self) -> None:
        async def scene(stage: Stage) -> None:
            for _ in range(3):
                assert _acknowledged(await self.deliver(stage, self.wire("m-1", "hello")))
            assert len(stage.inbox.messages) == 1, "a repeat came with another id"

        self.play(scene)

    def test_messages_arrive_in_order_with_their_text_intact(self) -> None:
        texts = ["one", "zwei äöü", "三 🙂", "<b>four</b> & 'five'"]

        async def scene(stage: Stage) -> None:
            for at, text in enumerate(texts):
                assert _acknowledged(await self.deliver(stage, self.wire(f"m-{at}", text)))
            assert [message.text for message in stage.inbox.messages] == texts
            assert {message.address for message in stage.inbox.messages} == {stage.inbox.messages[0].address}
            assert all(message.address.channel == stage.adapter.name for message in stage.inbox.messages)

        self.play(scene)

    def test_what_is_not_authentic_is_turned_away(self) -> None:
        async def scene(stage: Stage) -> None:
            for wire in self.unauthentic():
                status = await self.deliver(stage, wire)
                assert status in (400, 401, 403, 404), f"{status} for {wire}"
            assert stage.inbox.log == []

        self.play(scene)

    def test_malformed_payloads_never_cause_a_server_error(self) -> None:
        async def scene(stage: Stage) -> None:
            for wire in self.malformed():
                status = await self.deliver(stage, wire)
                assert status < 500, f"{status} for {wire.body[:200]!r}"
            assert stage.inbox.messages == []
            assert _acknowledged(await self.deliver(stage, self.wire("m-1", "still alive")))

        self.play(scene)

    def test_a_body_that_is_too_large_is_turned_away(self) -> None:
        async def scene(stage: Stage) -> None:
            status = await self.deliver(stage, self.oversize())
            assert 400 <= status < 500, f"{status} for an oversize body"
            assert stage.inbox.log == []

        self.play(scene)

    # --- the way out -----------------------------------------------------------------------------------------

    def test_send_returns_once_the_platform_has_the_message(self) -> None:
        async def scene(stage: Stage) -> None:
            for at, text in enumerate(("first", "second 🙂", "third")):
                handle = await stage.adapter.send(self.outgoing(f"o-{at}", text))
                assert isinstance(handle, str)
                assert len(self.sent(stage.platform)) == at + 1
            assert list(self.sent(stage.platform)) == ["first", "second 🙂", "third"]

        self.play(scene)

    def test_send_says_how_the_platform_failed_and_shows_no_secret(self) -> None:
        for failure, expected in self.failures.items():
            self.play(self._failing(failure, expected))

    def _failing(self, failure: Failure, expected: type[ChannelError]) -> Scene:
        async def scene(stage: Stage) -> None:
            self.fail(stage.platform, failure)
            error = await _error_of(stage.adapter.send(self.outgoing("o-1", "hello")))
            assert type(error) is expected, f"{failure}: {error!r}"
            assert not any(secret in str(error) for secret in self.secrets)
            assert list(self.sent(stage.platform)) == []

        return scene

    def test_after_stop_nothing_is_received_or_sent(self) -> None:
        async def scene(stage: Stage) -> None:
            await stage.adapter.send(self.outgoing("o-1", "hello"))
            await stage.adapter.stop()
            assert not _acknowledged(await self.deliver(stage, self.wire("m-1", "hello")))
            assert stage.inbox.messages == []
            error = await _error_of(stage.adapter.send(self.outgoing("o-2", "hello")))
            assert isinstance(error, ChannelError), repr(error)

        self.play(scene)

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
    fields: dict[str, Any] = {"http": egress.client, "log": _silent, "files": FakeFiles(), **more}
    return ChannelContext(inbox, **fields)


@asynccontextmanager
async def served(adapter: Adapter, *, body_limit: int = 2_000_000) -> AsyncIterator[str]:
    """The adapter's routes on a free port of loopback; gives the URL without a path."""
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    application = app.build(adapter.routes(), ready=_ready, body_limit=body_limit)
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


async def _ready() -> Mapping[str, str]:
    return {"contract": "ok"}


def _silent(event: str, **details: object) -> None:
    """Takes what the adapter logs."""


def _acknowledged(status: int) -> bool:
    return 200 <= status < 300


async def _error_of(sending: Awaitable[str]) -> Exception | None:
    """What the call raised, None if nothing; anything may come, that is what is tested."""
    try:
        await sending
    except Exception as error:  # noqa: BLE001 - the test looks at it
        return error
    return None
