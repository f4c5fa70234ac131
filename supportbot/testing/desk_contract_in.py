"""What agents do: it comes to the house once, as what it is, before the platform hears that it was taken."""

from __future__ import annotations

import asyncio

import pytest

from supportbot.errors import ChannelRefused, FileTooLarge, StoreBusy, StoreFull
from supportbot.testing.adapter_stage import acknowledged
from supportbot.testing.desk_stage import DeskHooks, DeskStage
from supportbot.types import ActKind, Attachment, User

WORDS = ("one", "zwei äöü", "三 🙂", "<b>four</b> & 'five' <!channel> *six*", "seven\neight")


class Acts(DeskHooks):
    """Tests of what comes from the desk."""

    def test_what_an_agent_does_arrives_as_what_it_is(self) -> None:
        async def scene(stage: DeskStage) -> None:
            for count, kind in enumerate(self.kinds, 1):
                handoff, text = f"h_{kind}", self._words(kind)
                place = await self.opened(stage, handoff)
                await self._done(stage, kind, place, f"a-{kind}")
                assert len(stage.desks.acts) == count, f"{kind} came as {stage.desks.acts}"
                desk, act = stage.desks.acts[-1]
                assert (desk, act.kind) == (self.name, kind)
                assert act.handoff == handoff or (act.handoff == "" and act.place == place)
                assert (act.agent.id, act.agent.name) == (self.agents[0].id, self.agents[0].name)
                assert act.text == text
                assert act.to == (self.transfer_to if kind == "transfer" else "")
                assert act.id and not act.shown
            assert stage.inbox.messages == [], "what an agent did was taken for a customer's message"

        self.play(scene)

    def test_agents_words_arrive_in_order_with_their_text_intact(self) -> None:
        async def scene(stage: DeskStage) -> None:
            place = await self.opened(stage)
            for at, text in enumerate(WORDS):
                assert acknowledged(await self.perform(stage, "message", place, id=f"a-{at}", text=text))
            assert [act.text for _, act in stage.desks.acts] == list(WORDS)
            assert len({act.id for _, act in stage.desks.acts}) == len(WORDS)

        if "message" in self.kinds:
            self.play(scene)

    def test_each_agent_is_told_from_the_other(self) -> None:
        async def scene(stage: DeskStage) -> None:
            place = await self.opened(stage)
            for at, agent in enumerate(self.agents):
                await self._done(stage, self.kinds[0], place, f"a-{at}", agent)
            assert [(act.agent.id, act.agent.name) for _, act in stage.desks.acts] == [
                (agent.id, agent.name) for agent in self.agents
            ]

        self.play(scene)

    def test_a_repeat_is_acknowledged_and_has_the_same_id(self) -> None:
        async def scene(stage: DeskStage) -> None:
            for count, kind in enumerate(self.kinds, 1):
                place = await self.opened(stage, f"h_{kind}")
                for _ in range(3):
                    await self._done(stage, kind, place, f"a-{kind}")
                assert len(stage.desks.acts) == count, f"a repeated {kind} came with another id"

        self.play(scene)

    def test_acts_at_two_places_are_about_two_handoffs(self) -> None:
        async def scene(stage: DeskStage) -> None:
            places = [await self.opened(stage, handoff) for handoff in ("h_one", "h_two")]
            for at, place in enumerate(places):
                await self._done(stage, self.kinds[0], place, f"a-{at}")
            about = [act.handoff or act.place for _, act in stage.desks.acts]
            assert about in (places, ["h_one", "h_two"])

        self.play(scene)

    def test_an_act_at_the_other_desk_of_the_channel_is_that_desks(self) -> None:
        async def scene(stage: DeskStage) -> None:
            if stage.other is None:
                return
            here = await self.opened(stage, "h_one")
            there = await self.opened_at(stage, stage.other, "h_two")
            for at, place in enumerate((there, here)):
                await self._done(stage, self.kinds[0], place, f"a-{at}")
            assert [desk for desk, _ in stage.desks.acts] == [stage.other.name, self.name]

        self.play(scene)

    def test_an_act_is_acknowledged_only_after_it_is_stored(self) -> None:
        async def scene(stage: DeskStage) -> None:
            place, kind = await self.opened(stage), self.kinds[0]
            stage.desks.hold()
            acting = asyncio.create_task(self.perform(stage, kind, place, id="a-1", text=self._words(kind)))
            async with asyncio.timeout(5):
                await stage.desks.arrived.wait()
            await asyncio.sleep(0.1)
            assert not acting.done(), "acknowledged while act() was still running"
            stage.desks.release()
            assert acknowledged(await acting)
            assert len(stage.desks.acts) == 1

        self.play(scene)

    def test_an_act_that_cannot_be_stored_is_not_acknowledged_and_comes_again(self) -> None:
        async def scene(stage: DeskStage) -> None:
            for count, kind in enumerate(self.kinds, 1):
                place = await self.opened(stage, f"h_{kind}")
                for error in (StoreFull("the disk is full"), StoreBusy("its place is not known yet")):
                    stage.desks.error = error
                    status = await self.perform(stage, kind, place, id=f"a-{kind}", text=self._words(kind))
                    assert not acknowledged(status), f"{status} for {kind} although {error!r}"
                stage.desks.error = None
                await self._done(stage, kind, place, f"a-{kind}")
                assert len(stage.desks.acts) == count

        self.play(scene)

    def test_what_no_agent_did_is_acknowledged_and_no_act(self) -> None:
        async def scene(stage: DeskStage) -> None:
            place = await self.opened(stage)
            await stage.desk.send(self.said("o-2", "h_one", place, "Are you there?"))
            for wire in self.echoes(stage.platform, place):
                status = await self.deliver(stage, wire)
                assert acknowledged(status), f"{status} for {wire.body[:200]!r}"
            assert stage.desks.acts == [] and stage.inbox.messages == []
            await self._done(stage, self.kinds[0], place, "a-1")
            assert len(stage.desks.acts) == 1

        self.play(scene)

    def test_where_no_handoff_stands_nothing_happens(self) -> None:
        async def scene(stage: DeskStage) -> None:
            place = await self.opened(stage)
            wire = self.unknown_place_wire(stage.platform)
            if wire is not None:
                status = await self.deliver(stage, wire)
                assert status in self.unknown_answer, f"{status} at an unknown place"
            assert stage.desks.acts == [] and stage.inbox.messages == []
            await self._done(stage, self.kinds[0], place, "a-1")

        self.play(scene)

    def test_customers_of_the_same_channel_are_still_heard_as_customers(self) -> None:
        async def scene(stage: DeskStage) -> None:
            await self.opened(stage)
            wire = self.customer_wire(stage.platform)
            if wire is not None:
                assert acknowledged(await self.deliver(stage, wire))
                assert [message.kind for message in stage.inbox.messages] == ["message"]
            assert stage.desks.acts == []

        self.play(scene)

    def test_what_is_not_authentic_is_turned_away(self) -> None:
        async def scene(stage: DeskStage) -> None:
            place = await self.opened(stage)
            for wire in self.unauthentic(stage.platform, place):
                status = await self.deliver(stage, wire)
                assert status in (401, 403), f"{status} for {wire}"
            assert stage.desks.asked == 0 and stage.inbox.log == []

        self.play(scene)

    def test_an_agents_file_can_be_fetched_up_to_the_limit(self) -> None:
        content = bytes(range(256)) * 40

        async def scene(stage: DeskStage) -> None:
            place = await self.opened(stage)
            wire = self.file_wire(stage.platform, place, "a-1", self.agents[0], "label.pdf", content)
            if wire is None:
                return
            assert acknowledged(await self.deliver(stage, wire))
            ((_, act),) = stage.desks.acts
            (file,) = act.attachments
            assert (act.kind, file.name) == ("message", "label.pdf")
            assert file.size in (-1, len(content))
            assert not any(secret in repr(file) for secret in self.secrets)
            assert await stage.desk.fetch(file, limit=len(content)) == content
            with pytest.raises(FileTooLarge):
                await stage.desk.fetch(file, limit=len(content) - 1)

        self.play(scene)

    def test_a_file_that_cannot_be_had_is_refused_in_a_sentence(self) -> None:
        async def scene(stage: DeskStage) -> None:
            with pytest.raises(ChannelRefused) as caught:
                await stage.desk.fetch(Attachment("nothing.pdf"), limit=10_000)
            assert not any(secret in str(caught.value) for secret in self.secrets)

        self.play(scene)

    async def _done(self, stage: DeskStage, kind: ActKind, place: str, id: str, agent: User | None = None) -> None:
        status = await self.perform(stage, kind, place, id=id, text=self._words(kind), agent=agent)
        assert acknowledged(status), f"{status} for {kind}"

    def _words(self, kind: ActKind) -> str:
        closing = self.closing_words and kind in ("return", "resolve")
        return f"words to {kind}" if kind in ("message", "note") or closing else ""
