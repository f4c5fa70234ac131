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

from dataclasses import replace

from supportbot.errors import ChannelBusy, ChannelError
from supportbot.protocols import Adapter
from supportbot.replies import fit
from supportbot.testing.adapter_contract_in import WayIn
from supportbot.testing.adapter_stage import (
    BUTTONS,
    Failure,
    Scene,
    Stage,
    Wire,
    acknowledged,
    context,
    error_of,
    served,
    words,
)
from supportbot.testing.fake_inbox import FakeInbox
from supportbot.types import Button, Outgoing, Reply

__all__ = ["AdapterContract", "Failure", "Stage", "Wire", "context", "served"]

AWKWARD = (
    "*not closed, _neither_ this ~nor that`",
    "<b>tags</b> & entities <!channel> <@U0BODY> <https://evil.example|click>",
    "1. one\n2. two\n   - nested\n\n> quoted\n> twice\n\n# Heading\n\n---\n\nend",
    "```\nif a < b and c > d: print('x')\n```\nafter the code",
    "| name | price |\n|---|---|\n| lamp | 12 |",
    "[label](https://shop.example/a_b(c)) and [bad](javascript:alert) and https://shop.example/x_y_z",
    "**bold _both_** ~~gone~~ `code with ` tick`` and \\*escaped\\*",
    "schöne Grüße, 你好世界, مرحبا, 👩‍👩‍👧 family, \u200bzero",
    "a_b_c snake_case 2*3*4 C:\\temp\\new",
    "{{ braces }} ${NAME} %s {0}",
)


class AdapterContract(WayIn):
    """Subclass it, name the subclass Test…, and fill in the hooks."""

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
                missing = [word for word in words(text) if word not in words(arrived)]
                assert not missing, f"{missing[:5]} of {text[:80]!r} did not arrive: {arrived[:200]!r}"

        self.play(scene)

    def test_a_long_reply_arrives_whole_and_in_order(self) -> None:
        text = "\n\n".join(f"word{number} " + "lorem ipsum 🙂 " * 40 for number in range(60))

        async def scene(stage: Stage) -> None:
            await self.send_fitted(stage.adapter, self.outgoing("o-1", text))
            marks = [word for part in self.sent(stage.platform) for word in words(part) if word.startswith("word")]
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

    def test_what_was_shown_while_it_was_written_is_finished_and_stands_there_once(self) -> None:
        async def scene(stage: Stage) -> None:
            if not stage.adapter.capabilities.streaming:
                return
            row = self.outgoing("", "One two")
            handle = await stage.adapter.preview(row, "One two")
            again = await stage.adapter.preview(replace(row, preview=handle), "One two three")
            assert again in (handle, ""), "the handle of what is shown stays the same"
            await stage.adapter.send(replace(self.outgoing("o-1", "One two three four."), preview=again))
            assert list(self.sent(stage.platform)) == ["One two three four."]

        self.play(scene)

    def test_what_was_shown_before_a_restart_is_finished_after_it(self) -> None:
        async def scene(stage: Stage) -> None:
            if not stage.adapter.capabilities.streaming:
                return
            handle = await stage.adapter.preview(self.outgoing("", "One two"), "One two")
            await stage.adapter.stop()
            again = self.adapter(stage.platform)
            await again.start(context(FakeInbox()))
            try:
                await again.send(replace(self.outgoing("o-1", "Something else."), preview=handle))
            finally:
                await again.stop()
            assert list(self.sent(stage.platform)) == ["Something else."]

        self.play(scene)

    def test_how_a_reply_looks_can_be_told_without_sending_it(self) -> None:
        async def scene(stage: Stage) -> None:
            kind = type(stage.adapter)
            shown = kind.render(Reply("Well, **yes**?", BUTTONS))
            assert {"Well", "yes"} <= set(words(shown.text)) and shown.warnings == ()
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
            error = await error_of(stage.adapter.send(self.outgoing("o-1", "hello")))
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
            assert not acknowledged(await self.deliver(stage, self.wire("m-1", "hello")))
            assert stage.inbox.messages == []
            error = await error_of(stage.adapter.send(self.outgoing("o-2", "hello")))
            assert isinstance(error, ChannelError), repr(error)

        self.play(scene)
