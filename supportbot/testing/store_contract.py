"""What every `supportbot.protocols.Store` must do. Subclass it and say how the pair is opened:

    class TestMyStore(StoreContract):
        @pytest.fixture
        def pairs(self, tmp_path: Path) -> Pairs:
            return lambda **options: my_pair(tmp_path, **options)   # an async context manager of Pair

The tests use the protocols only, and need pytest-asyncio in auto mode.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from supportbot.errors import Conflict, NotFound, StaleLease
from supportbot.protocols import Store
from supportbot.testing.pairs import (
    ANNA,
    BEN,
    NOW,
    Pairs,
    finish,
    message,
    positions,
    receive,
    start,
    turn,
)
from supportbot.testing.store_contract_channels import ChannelsContract
from supportbot.testing.store_contract_desks import DesksContract
from supportbot.testing.store_contract_effects import SAID, EffectsContract
from supportbot.testing.store_contract_shelf import ShelfContract
from supportbot.testing.store_contract_tools import ToolsContract
from supportbot.types import (
    Action,
    Attachment,
    Event,
    FlowState,
    Frame,
    JournalEntry,
    Outcome,
    Reply,
)

STATE = FlowState(
    (Frame("order_status", "d1", (2, "then", 0), "order_number", 1),), {"email": "a@example.org", "n": 3}
)


class StoreContract(EffectsContract, ChannelsContract, ToolsContract, DesksContract, ShelfContract):
    """Holds for every store. The fixture `pairs` opens the same database each time it is called."""

    @pytest.fixture
    def pairs(self) -> Pairs:
        raise NotImplementedError("a subclass says how to open its store and queue")

    # --- the way in ---

    async def test_a_repeat_gives_the_first_receipt_and_is_stored_once(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            first, again = await receive(pair, message("m1", digest="d"), message("m1", digest="d"))
            assert first.fresh and again == replace(first, fresh=False)
            assert [row.message.id for row in (await start(pair)).pending] == ["m1"]

    async def test_the_same_id_with_other_content_is_a_conflict_and_changes_nothing(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            await receive(pair, message("m1", "first", digest="d"))
            with pytest.raises(Conflict):
                await receive(pair, message("m1", "forged", chat="elsewhere", digest="e"))
            assert await pair.store.find("shop", "elsewhere") is None
            assert [row.message.text for row in (await start(pair)).pending] == ["first"]

    async def test_without_a_digest_a_repeat_is_never_compared(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            first, again, third = await receive(
                pair, message("m1", digest="d"), message("m1", "edited"), message("m1", digest="d")
            )
            assert [first.fresh, again.fresh, third.fresh] == [True, False, False]

    async def test_ids_are_compared_within_their_channel_only(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            one, two = await receive(pair, message("m1", digest="d"), message("m1", digest="e", channel="chat"))
            assert two.fresh and one.conversation != two.conversation

    async def test_chat_and_thread_make_the_conversation_and_its_opener_the_customer(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            a, b, c = await receive(
                pair, message("1", thread="t"), message("2", thread="t", user=BEN), message("3", thread="u")
            )
            assert a.conversation == b.conversation != c.conversation
            assert (await pair.store.conversation(a.conversation)).customer == ANNA
            assert len(a.conversation) >= 34

    async def test_fifty_receivers_at_once_store_each_message_once(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            sent = [message(f"m{n % 25}", chat=f"c{n % 5}") for n in range(50)]
            receipts = await asyncio.gather(*(pair.store.receive(m, now=NOW, ready_at=NOW) for m in sent))
            assert sum(receipt.fresh for receipt in receipts) == 25
            assert len({receipt.position for receipt in receipts}) == 25
            assert (await pair.store.counts())["inbox_pending"] == 25

    async def test_a_message_comes_back_exactly_as_it_was_accepted(self, pairs: Pairs) -> None:
        sent = message(
            "m1",
            "a\x00b 👟 \u202e",
            kind="action",
            action=Action("buy", "42"),
            event=Event("e", {"deep": [1, None, {"ü": True}]}),
            attachments=(Attachment("a.png", "image/png", 12, "https://example.org/a"), Attachment("b")),
            locale="de",
            digest="d",
            thread="t",
        )
        async with pairs() as pair:
            await receive(pair, sent)
            (row,) = (await start(pair)).pending
            assert row.message == sent and row.received_at == NOW

    async def test_half_a_character_is_replaced_and_loses_no_message(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            await receive(pair, message("m1", "a\ud800b", event=Event("e", {"\udfff": "\ud83d\ude00"})))
            (row,) = (await start(pair)).pending
            assert row.message.text == "a\ufffdb"
            assert row.message.event == Event("e", {"\ufffd": "😀"})

    async def test_a_restart_finds_everything_again(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            await turn(pair, message("m1"), turn=SAID, states={ANNA.id: STATE}, replies=(Reply("hi"),))
            await receive(pair, message("m2"))
        async with pairs() as pair:
            begun = await start(pair)
            assert [row.message.id for row in begun.pending] == ["m2"]
            assert begun.turns[0].messages == SAID and begun.states == {ANNA.id: STATE}
            assert [row.reply for row in await self.due(pair.store)] == [Reply("hi")]

    # --- a turn ---

    async def test_a_turn_takes_in_all_that_is_pending_in_order_of_acceptance(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            await receive(pair, *(message(f"m{n}") for n in range(5)))
            begun = await start(pair)
            assert [row.message.id for row in begun.pending] == [f"m{n}" for n in range(5)]
            assert list(positions(begun)) == sorted(positions(begun))
            assert (begun.lease.sequence, begun.lease.attempt, begun.conversation.turn) == (1, 1, 0)

    async def test_begin_gives_nothing_when_nothing_is_pending(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            begun = await turn(pair, message("m1"))
            assert await pair.store.begin(replace(begun.lease, sequence=2), now=NOW) is None

    async def test_what_arrives_during_a_turn_is_seen_and_stays_pending(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            await receive(pair, message("m1"))
            begun = await start(pair)
            await receive(pair, message("m2"))
            late = await pair.store.arrived(begun.lease, after=begun.pending[-1].position)
            assert [row.message.id for row in late] == ["m2"]
            assert (await finish(pair, begun)).more
            assert [row.message.id for row in (await start(pair)).pending] == ["m2"]

    async def test_a_turn_leaves_history_states_summary_and_locale_for_the_next(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            await turn(pair, message("m1"), turn=SAID, states={ANNA.id: STATE}, locale="de")
            await turn(pair, message("m2"), turn=SAID[:1], states={BEN.id: STATE}, summary="short", cut=1)
            await receive(pair, message("m3"))
            begun = await start(pair)
            assert [(t.sequence, t.messages) for t in begun.turns] == [(2, SAID[:1])]
            assert begun.states == {ANNA.id: STATE}, "only the states of who wrote"
            seen = begun.conversation
            assert (seen.turn, seen.cut, seen.summary, seen.locale) == (2, 1, "short", "de")
            assert [t.sequence for t in await pair.store.transcript(seen.id)] == [1, 2]
            assert [t.sequence for t in await pair.store.transcript(seen.id, limit=1)] == [2]

    async def test_an_empty_state_is_forgotten_and_an_empty_turn_still_counts(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            await turn(pair, message("m1"), states={ANNA.id: STATE})
            await turn(pair, message("m2"), states={ANNA.id: FlowState()})
            await receive(pair, message("m3"))
            begun = await start(pair)
            assert (begun.states, begun.turns, begun.lease.sequence) == ({}, (), 3)

    async def test_the_journal_passes_to_the_next_attempt_and_ends_with_the_turn(self, pairs: Pairs) -> None:
        async with pairs(lease_seconds=0.2) as pair:
            await receive(pair, message("m1"))
            lost = await start(pair)
            await pair.store.journal(lost.lease, JournalEntry(0, "model", "a", {"text": "x\x00"}))
            await pair.store.journal(lost.lease, JournalEntry(1, "tool", "b", None))
            await pair.store.journal(lost.lease, JournalEntry(0, "model", "a2", {"text": "y"}))
            begun = await start(pair)
            assert begun.journal == (
                JournalEntry(0, "model", "a2", {"text": "y"}),
                JournalEntry(1, "tool", "b", None),
            )
            await finish(pair, begun)
            await receive(pair, message("m2"))
            assert (await start(pair)).journal == ()

    # --- the fence ---

    async def test_an_overtaken_attempt_can_do_nothing_more(self, pairs: Pairs) -> None:
        async with pairs(lease_seconds=0.2) as pair:
            await receive(pair, message("m1"))
            frozen = await start(pair)
            begun = await start(pair)
            assert begun.lease.attempt > frozen.lease.attempt
            await self.refused(pair.store, frozen.lease)
            assert await pair.store.holds(begun.lease)
            await finish(pair, begun, replies=(Reply("once"),))
            assert [row.reply for row in await self.due(pair.store)] == [Reply("once")]

    async def test_a_committed_turn_cannot_be_committed_again(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            begun = await turn(pair, message("m1"), replies=(Reply("once"),))
            await self.refused(pair.store, begun.lease)
            assert (await pair.store.conversation(begun.conversation.id)).turn == 1

    async def test_a_lease_for_a_turn_to_come_is_refused(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            await receive(pair, message("m1"))
            await self.refused(pair.store, replace((await start(pair)).lease, sequence=2))

    async def test_whoever_seizes_a_turn_fences_its_holder_out(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            await receive(pair, message("m1"))
            frozen = await start(pair)
            seized = await pair.store.seize(frozen.conversation.id, until=NOW + 30)
            assert await pair.store.holds(seized) and seized.expires_at == NOW + 30
            await self.refused(pair.store, frozen.lease)
            assert await pair.store.begin(seized, now=NOW) is not None
            await pair.store.commit(seized, Outcome(positions(frozen)), now=NOW)
            with pytest.raises(NotFound):
                await pair.store.seize("c_unknown", until=NOW)

    async def refused(self, store: Store, lease: Any) -> None:
        """Every use of the lease is refused, and nothing of it is written."""
        before = await store.counts()
        assert not await store.holds(lease)
        for use in (
            store.begin(lease, now=NOW),
            store.arrived(lease, after=0),
            store.journal(lease, JournalEntry(0, "tool", "d", None)),
            store.commit(lease, Outcome((), turn=SAID, replies=(Reply("twice"),)), now=NOW),
        ):
            with pytest.raises(StaleLease):
                await use
        assert await store.counts() == before
