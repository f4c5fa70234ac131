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
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import httpx2

from supportbot.errors import ChannelBusy, ChannelError, ChannelGone, StoreBusy, StoreFull
from supportbot.protocols import Adapter, ChannelContext
from supportbot.replies import fit
from supportbot.testing.fake_inbox import FakeFiles, FakeInbox
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
AWKWARD = (
    "*not closed, _neither_ this ~nor that`",
    "<b>tags</b> & entities <!channel> <@U0BODY> <https://evil.example|click>",
    "1. one\n2. two\n   - nested\n\n> quoted\n> twice\n\n# Heading\n\n---\n\nend",
    "```python\nif a < b and c > d: print('x')\n```\nafter the code",
    "| name | price |\n|---|---|\n| lamp | 12 |",
    "[label](https://shop.example/a_b(c)) and [bad](javascript:alert) and https://shop.example/x_y_z",
    "**bold _both_** ~~gone~~ `code with ` tick`` and \\*escaped\\*",
    "schöne Grüße, 你好世界, مرحبا, 👩‍👩‍👧 family, \u200bzero",
    "a_b_c snake_case 2*3*4 C:\\temp\\new",
    "{{ braces }} ${NAME} %s {0}",
)


class AdapterContract:
    """Subclass it, name the subclass Test…, and fill in the hooks."""

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
        """Authentic requests that mean nothing to the adapter, up to bytes that are no text."""
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

    def press(self, button: Button) -> Wire | None:
        """The customer presses a button that was sent; None if there are none here."""
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
            for wire in (*self.repeats("m-1", "hello"), *self.repeats("m-1", "hello")):
                assert _acknowledged(await self.deliver(stage, wire))
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

    def test_the_address_and_author_of_a_message_are_those_that_are_answered(self) -> None:
        async def scene(stage: Stage) -> None:
            await self.deliver(stage, self.wire("m-1", "hello"))
            (message,) = stage.inbox.messages
            assert (message.address, message.user.id) == (self.address(), self.user().id)

        self.play(scene)

    def test_what_no_customer_wrote_is_acknowledged_and_not_taken(self) -> None:
        async def scene(stage: Stage) -> None:
            for wire in (*self.echoes(), *self.unknown()):
                status = await self.deliver(stage, wire)
                assert _acknowledged(status), f"{status} for {wire.body[:200]!r}"
            assert stage.inbox.messages == []
            assert _acknowledged(await self.deliver(stage, self.wire("m-1", "still alive")))
            assert len(stage.inbox.messages) == 1

        self.play(scene)

    def test_what_cannot_be_understood_is_set_aside_and_holds_up_nothing(self) -> None:
        async def scene(stage: Stage) -> None:
            for count, wire in enumerate(self.unreadable(), 1):
                status = await self.deliver(stage, wire)
                assert _acknowledged(status), f"{status} for {wire.body[:200]!r}"
                assert len(stage.inbox.aside) == count, f"not set aside: {wire.body[:200]!r}"
            assert all(id and content and reason for id, content, reason in stage.inbox.aside)
            assert not any(secret in str(stage.inbox.aside) for secret in self.secrets)
            assert _acknowledged(await self.deliver(stage, self.wire("m-1", "still alive")))
            assert [message.text for message in stage.inbox.messages] == ["still alive"]

        self.play(scene)

    def test_what_cannot_be_set_aside_is_not_acknowledged(self) -> None:
        async def scene(stage: Stage) -> None:
            stage.inbox.error = StoreFull("the disk is full")
            for wire in self.unreadable():
                assert not _acknowledged(await self.deliver(stage, wire))

        self.play(scene)

    def test_an_edit_names_the_message_that_it_changes(self) -> None:
        change = self.edit("m-1", "better")

        async def scene(stage: Stage) -> None:
            await self.deliver(stage, self.wire("m-1", "good"))
            assert change is not None
            for _ in range(2):
                assert _acknowledged(await self.deliver(stage, change))
            original, edited = stage.inbox.messages
            assert (edited.kind, edited.target, edited.text) == ("message.edited", original.id, "better")
            assert (edited.address, edited.user.id) == (original.address, original.user.id)

        if change is not None:
            self.play(scene)

    def test_a_press_comes_back_once_whatever_is_pressed(self) -> None:
        yes, no = BUTTONS
        presses = self.press(yes), self.press(no)

        async def scene(stage: Stage) -> None:
            await stage.adapter.send(self.outgoing("o-1", "Well?", buttons=BUTTONS))
            for wire in (*presses, *presses):
                assert wire is not None
                assert _acknowledged(await self.deliver(stage, wire))
            pressed = [message for message in stage.inbox.messages if message.kind == "action"]
            first = pressed[0]
            assert first.action is not None
            assert yes.press == first.action.press or yes.id == first.action.id
            assert (first.address, first.user.id) == (self.address(), self.user().id)
            if first.action.press:
                assert len(pressed) == 1, "two buttons of one message were pressed"

        if None not in presses:
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

    def test_any_text_can_be_sent_and_arrives_with_all_its_words(self) -> None:
        async def scene(stage: Stage) -> None:
            for number, text in enumerate(AWKWARD):
                before = len(self.sent(stage.platform))
                await self.send_fitted(stage.adapter, self.outgoing(f"o-{number}", text))
                arrived = "".join(self.sent(stage.platform)[before:])
                missing = [word for word in _words(text) if word not in _words(arrived)]
                assert not missing, f"{missing[:5]} of {text[:80]!r} did not arrive: {arrived[:200]!r}"

        self.play(scene)

    def test_a_long_reply_arrives_whole_and_in_order(self) -> None:
        text = "\n\n".join(f"word{number} " + "lorem ipsum 🙂 " * 40 for number in range(60))

        async def scene(stage: Stage) -> None:
            await self.send_fitted(stage.adapter, self.outgoing("o-1", text))
            marks = [
                word for part in self.sent(stage.platform) for word in _words(part) if word.startswith("word")
            ]
            assert marks == [f"word{number}" for number in range(60)]

        self.play(scene)

    def test_what_a_channel_lacks_is_put_into_words(self) -> None:
        many = tuple(Button(f"b{at}", f"Choice {at}", press=f"token.0.{at}") for at in range(120))
        long = (Button("l", "A label " + "that goes on " * 12, press="token.0.0"), *BUTTONS)
        link = Button("more", "Read more", url="https://shop.example/returns?a=1&b=2")
        phone = Button("phone", "Share my number", asks="phone")

        async def scene(stage: Stage) -> None:
            for number, buttons in enumerate((many, long, (link, *BUTTONS), (phone,), (link,))):
                await self.send_fitted(stage.adapter, self.outgoing(f"o-{number}", "Choose:", buttons=buttons))
                await self.send_fitted(
                    stage.adapter, self.outgoing(f"m-{number}", "Choose:", buttons=buttons, menu=True)
                )
            assert len([text for text in self.sent(stage.platform) if "Choose:" in text]) == 10

        self.play(scene)

    def test_a_message_received_before_a_restart_is_answered_after_it(self) -> None:
        async def scene(stage: Stage) -> None:
            await self.deliver(stage, self.wire("m-1", "hello"))
            (message,) = stage.inbox.messages
            await stage.adapter.stop()
            again = self.adapter(stage.platform)
            await again.start(context(FakeInbox()))
            try:
                row = self.outgoing("o-1", "answered")
                await again.send(
                    replace(row, address=message.address, user=message.user, in_reply_to=(message.id,))
                )
            finally:
                await again.stop()
            assert list(self.sent(stage.platform)) == ["answered"]

        self.play(scene)

    def test_how_a_reply_looks_can_be_told_without_sending_it(self) -> None:
        async def scene(stage: Stage) -> None:
            kind = type(stage.adapter)
            shown = kind.render(Reply("Well, **yes**?", BUTTONS))
            assert {"Well", "yes"} <= set(_words(shown.text)) and shown.warnings == ()
            assert list(self.sent(stage.platform)) == []

        self.play(scene)

    async def send_fitted(self, adapter: Adapter, row: Outgoing) -> None:
        """Sends the reply as the house would: fitted to the channel's capabilities, part by part."""
        assert row.reply is not None
        parts = fit(row.reply, adapter.capabilities)
        for number, part in enumerate(parts, 1):
            await adapter.send(replace(row, id=f"{row.id}.{number}", reply=part, part=number, parts=len(parts)))

    def test_send_says_how_the_platform_failed_and_shows_no_secret(self) -> None:
        for failure, expected in self.failures.items():
            self.play(self._failing(failure, expected))

    def _failing(self, failure: Failure, expected: type[ChannelError]) -> Scene:
        async def scene(stage: Stage) -> None:
            self.fail(stage.platform, failure)
            error = await _error_of(stage.adapter.send(self.outgoing("o-1", "hello")))
            assert type(error) is expected, f"{failure}: {error!r}"
            if isinstance(error, ChannelBusy) and failure == "busy":
                assert error.retry_after == self.busy_seconds
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


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]{2,}", text)


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
