"""The way in, as every adapter has it: what the platform brings is stored once, in order, before it is acknowledged."""

from __future__ import annotations

import asyncio

from supportbot.errors import StoreBusy, StoreFull
from supportbot.testing.adapter_stage import BUTTONS, AdapterHooks, Stage, acknowledged


class WayIn(AdapterHooks):
    """Tests of what arrives."""

    def test_a_message_is_acknowledged_only_after_it_is_stored(self) -> None:
        async def scene(stage: Stage) -> None:
            stage.inbox.hold()
            delivery = asyncio.create_task(self.deliver(stage, self.wire("m-1", "hello")))
            async with asyncio.timeout(5):
                await stage.inbox.arrived.wait()
            await asyncio.sleep(0.1)
            assert not delivery.done(), "acknowledged while receive() was still running"
            stage.inbox.release()
            assert acknowledged(await delivery)
            assert [message.text for message in stage.inbox.messages] == ["hello"]

        self.play(scene)

    def test_a_message_that_cannot_be_stored_is_not_acknowledged(self) -> None:
        async def scene(stage: Stage) -> None:
            for error in (StoreFull("the disk is full"), StoreBusy("another process owns it")):
                stage.inbox.error = error
                status = await self.deliver(stage, self.wire("m-1", "hello"))
                assert not acknowledged(status), f"{status} although receive() raised {type(error).__name__}"
            stage.inbox.error = None
            assert acknowledged(await self.deliver(stage, self.wire("m-1", "hello")))

        self.play(scene)

    def test_a_repeat_is_acknowledged_and_has_the_same_id(self) -> None:
        async def scene(stage: Stage) -> None:
            for wire in (*self.repeats("m-1", "hello"), *self.repeats("m-1", "hello")):
                assert acknowledged(await self.deliver(stage, wire))
            assert len(stage.inbox.messages) == 1, "a repeat came with another id"

        self.play(scene)

    def test_messages_arrive_in_order_with_their_text_intact(self) -> None:
        texts = ["one", "zwei äöü", "三 🙂", "<b>four</b> & 'five'"]

        async def scene(stage: Stage) -> None:
            for at, text in enumerate(texts):
                assert acknowledged(await self.deliver(stage, self.wire(f"m-{at}", text)))
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
                assert acknowledged(status), f"{status} for {wire.body[:200]!r}"
            assert stage.inbox.messages == []
            assert acknowledged(await self.deliver(stage, self.wire("m-1", "still alive")))
            assert len(stage.inbox.messages) == 1

        self.play(scene)

    def test_what_cannot_be_understood_is_set_aside_and_holds_up_nothing(self) -> None:
        async def scene(stage: Stage) -> None:
            for count, wire in enumerate(self.unreadable(), 1):
                status = await self.deliver(stage, wire)
                assert acknowledged(status), f"{status} for {wire.body[:200]!r}"
                assert len(stage.inbox.aside) == count, f"not set aside: {wire.body[:200]!r}"
            assert all(id and content and reason for id, content, reason in stage.inbox.aside)
            assert not any(secret in str(stage.inbox.aside) for secret in self.secrets)
            assert acknowledged(await self.deliver(stage, self.wire("m-1", "still alive")))
            assert [message.text for message in stage.inbox.messages] == ["still alive"]

        self.play(scene)

    def test_what_cannot_be_set_aside_is_not_acknowledged(self) -> None:
        async def scene(stage: Stage) -> None:
            stage.inbox.error = StoreFull("the disk is full")
            for wire in self.unreadable():
                assert not acknowledged(await self.deliver(stage, wire))

        self.play(scene)

    def test_an_edit_names_the_message_that_it_changes(self) -> None:
        change = self.edit("m-1", "better")

        async def scene(stage: Stage) -> None:
            await self.deliver(stage, self.wire("m-1", "good"))
            assert change is not None
            for _ in range(2):
                assert acknowledged(await self.deliver(stage, change))
            original, edited = stage.inbox.messages
            assert (edited.kind, edited.target, edited.text) == ("message.edited", original.id, "better")
            assert (edited.address, edited.user.id) == (original.address, original.user.id)

        if change is not None:
            self.play(scene)

    def test_a_press_comes_back_once_whatever_is_pressed(self) -> None:
        yes, _ = BUTTONS

        async def scene(stage: Stage) -> None:
            await stage.adapter.send(self.outgoing("o-1", "Well?", buttons=BUTTONS))
            presses = [wire for button in BUTTONS if (wire := self.press(stage.platform, button)) is not None]
            if len(presses) < len(BUTTONS):
                return
            for wire in (*presses, *presses):
                assert acknowledged(await self.deliver(stage, wire))
            pressed = [message for message in stage.inbox.messages if message.kind == "action"]
            first = pressed[0]
            assert first.action is not None
            assert yes.press == first.action.press or yes.id == first.action.id
            assert (first.address, first.user.id) == (self.address(), self.user().id)
            if first.action.press:
                assert len(pressed) == 1, "two buttons of one message were pressed"

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
            assert acknowledged(await self.deliver(stage, self.wire("m-1", "still alive")))

        self.play(scene)

    def test_a_body_that_is_too_large_is_turned_away(self) -> None:
        async def scene(stage: Stage) -> None:
            status = await self.deliver(stage, self.oversize())
            assert 400 <= status < 500, f"{status} for an oversize body"
            assert stage.inbox.log == []

        self.play(scene)
