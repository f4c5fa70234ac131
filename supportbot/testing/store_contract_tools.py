"""The part of `StoreContract` about what may be done: standings, waiting calls, and the ledger with its limits."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from supportbot.errors import NotFound, StaleLease
from supportbot.testing.pairs import ANNA, BEN, NOW, Pairs, finish, message, receive, start, turn
from supportbot.types import (
    Challenge,
    Charge,
    Consent,
    Counted,
    Identity,
    JournalEntry,
    Limit,
    Refused,
    Standing,
    User,
    WaitingCall,
)

DAY = 86_400.0
IDENTITY = Identity("c-17", "Ànna\x00", "code", NOW, NOW + 60, {"tier": "gold", "n": 3})
STARTED = JournalEntry(1, "tool", "d", None)


def charge(key: str, *, scope: str = "s", at: float = NOW, amount: int = 0, **limit: Any) -> Charge:
    counted = (Counted(scope, Limit(**limit), amount),) if limit else ()
    return Charge(key, "refund", "c_1", "u-anna", '{"order":"A-1"}', at, counted, ("customer: u-anna",))


def waiting(id: str, **changes: Any) -> WaitingCall:
    consent = Consent("customer", "d1", ANNA.id, NOW + 60)
    first = WaitingCall(
        id=id,
        tool="refund",
        arguments='{"order":"Ä-1"}',
        author=ANNA.id,
        author_name=ANNA.name,
        question="May I?",
        digest="d1",
        shared=True,
        identity=IDENTITY,
        slots={"order": "Ä-1", "n": [1, None]},
        answer={"content": "packed", "value": {"a": 1}, "error": ""},
        waits_for="human",
        by="model",
        asked_at=NOW,
        expires_at=NOW + 900,
        consents=(consent,),
        note="n",
    )
    return replace(first, **changes)


class ToolsContract:
    """Part of `StoreContract`."""

    # --- the ledger ---

    async def test_a_charge_and_its_journal_entry_stand_or_fall_together(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            await receive(pair, message("m1"))
            begun = await start(pair)
            first = charge("k1", times=1)
            assert await pair.store.journal(begun.lease, STARTED, first) is None
            second = await pair.store.journal(begun.lease, replace(STARTED, position=2), charge("k2", times=1))
            assert second == Refused(limit=Limit(times=1))
            again = await pair.store.begin(begun.lease, now=NOW)
            assert again is not None and [entry.position for entry in again.journal] == [1]
            assert [entry.charge.key for entry in await pair.store.ledger()] == ["k1"]

    async def test_what_a_call_came_to_is_kept(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            await receive(pair, message("m1"))
            begun = await start(pair)
            await pair.store.journal(begun.lease, STARTED, charge("k1"))
            (entry,) = await pair.store.ledger()
            assert (entry.charge, entry.outcome, entry.finished_at) == (charge("k1"), "started", None)
            finished = JournalEntry(1, "tool", "d", {"ok": True})
            assert await pair.store.journal(begun.lease, finished, ("k1", "done", NOW + 2)) is None
            (entry,) = await pair.store.ledger()
            assert (entry.outcome, entry.finished_at) == ("done", NOW + 2)

    async def test_a_turn_that_gets_on_is_counted_from_the_beginning(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            (receipt,) = await receive(pair, message("m1"))
            tries = []
            for round in range(4):
                lease = await pair.store.seize(receipt.conversation, until=NOW + 90)
                begun = await pair.store.begin(lease, now=NOW)
                assert begun is not None
                tries.append(begun.tries)
                entry = JournalEntry(1, "tool", "d", {"ok": True} if round == 1 else None)
                await pair.store.journal(lease, entry)
            assert tries == [1, 2, 1, 2]

    async def test_a_key_is_charged_once_whoever_comes_with_it(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            assert await pair.store.charge(charge("k1")) is None
            assert await pair.store.charge(charge("k1")) == Refused(earlier="started")
            await pair.store.settle("k1", "done", now=NOW)
            assert await pair.store.charge(charge("k1", at=NOW + 10 * DAY)) == Refused(earlier="done")
            assert (await pair.store.earlier("k1"), await pair.store.earlier("k2")) == ("done", None)

    async def test_who_lost_the_turn_charges_nothing(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            (receipt,) = await receive(pair, message("m1"))
            begun = await start(pair)
            taken = await pair.store.seize(receipt.conversation, until=NOW + 90)
            await pair.store.begin(taken, now=NOW)
            with pytest.raises(StaleLease):
                await pair.store.journal(begun.lease, STARTED, charge("k1"))
            assert await pair.store.ledger() == ()

    @pytest.mark.parametrize(("outcome", "free"), [("done", False), ("unknown", False), ("failed", True)])
    async def test_only_a_call_that_failed_counts_for_nothing(
        self, pairs: Pairs, outcome: Any, free: bool
    ) -> None:
        async with pairs() as pair:
            await pair.store.charge(charge("k1", times=1))
            await pair.store.settle("k1", outcome, now=NOW)
            assert (await pair.store.charge(charge("k2", times=1)) is None) == free

    async def test_a_limit_counts_within_its_time_and_scope(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            assert await pair.store.charge(charge("k1", times=1)) is None
            assert await pair.store.charge(charge("k2", times=1, at=NOW + DAY - 1)) is not None
            assert await pair.store.charge(charge("k3", times=1, scope="other")) is None
            assert await pair.store.charge(charge("k4", times=1, at=NOW + DAY + 1)) is None
            assert await pair.store.charge(charge("k5", times=1, at=NOW + 900 * DAY, every=0.0)) is not None

    async def test_two_limits_may_count_the_same(self, pairs: Pairs) -> None:
        counted = (Counted("s", Limit(times=3, every=60.0)), Counted("s", Limit(times=2)))
        async with pairs() as pair:
            for key in ("k1", "k2"):
                assert await pair.store.charge(replace(charge(key), counted=counted)) is None
            assert await pair.store.charge(replace(charge("k3"), counted=counted)) == Refused(limit=Limit(times=2))

    async def test_money_is_summed_exactly(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            for number in range(10):
                assert await pair.store.charge(charge(f"k{number}", money=1, of="amount", amount=100_000)) is None
            assert await pair.store.charge(charge("k10", money=1, of="amount", amount=1)) is not None

    async def test_charges_at_the_same_time_do_not_pass_a_limit_together(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            taken = await asyncio.gather(*(pair.store.charge(charge(f"k{n}", times=3)) for n in range(100)))
            assert sum(refused is None for refused in taken) == 3

    async def test_the_ledger_outlives_a_restart(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            await pair.store.charge(charge("k1", times=1))
        async with pairs() as pair:
            assert await pair.store.charge(charge("k1")) == Refused(earlier="started")
            assert await pair.store.charge(charge("k2", times=1)) is not None

    # --- waiting calls ---

    async def test_a_waiting_call_is_part_of_every_turn_until_it_is_over(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            (receipt,) = await receive(pair, message("m1"))
            await finish(pair, await start(pair), calls=(waiting("t_1"), waiting("t_2")))
        async with pairs() as pair:
            done = waiting("t_1", status="done", decided_by="Ana", consents=())
            begun = await turn(pair, message("m2"), calls=(done,))
            assert begun.calls == (waiting("t_1"), waiting("t_2"))
            assert (await turn(pair, message("m3"))).calls == (waiting("t_2"),)
            assert await pair.store.call("t_1") == (receipt.conversation, done)
            assert await pair.store.calls("human") == ((receipt.conversation, waiting("t_2")),)
            assert await pair.store.calls("customer") == ()
            with pytest.raises(NotFound):
                await pair.store.call("t_0")

    async def test_what_a_flow_has_not_taken_yet_is_read_too_and_what_is_asked_now_is_asked_at_the_commit(
        self, pairs: Pairs
    ) -> None:
        async with pairs() as pair:
            await receive(pair, message("m1"))
            asked = waiting("t_2", waits_for="customer", asked_at=0.0)
            calls = (waiting("t_1", status="ended"), asked, waiting("t_3", status="declined"))
            await finish(pair, await start(pair), now=NOW + 7, calls=calls)
            begun = await turn(pair, message("m2"))
            assert begun.calls == (waiting("t_1", status="ended"), replace(asked, asked_at=NOW + 7))

    async def test_a_call_of_another_conversation_is_not_changed(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            await turn(pair, message("m1"), calls=(waiting("t_1"),))
            await turn(pair, message("m2", chat="ben", user=BEN), calls=(waiting("t_1", status="done"),))
            assert (await pair.store.call("t_1"))[1].status == "waiting"

    async def test_the_state_of_whose_call_waits_is_read_too(self, pairs: Pairs) -> None:
        from supportbot.types import FlowState, Frame

        state = FlowState((Frame("order", "d"),), {"n": 1})
        async with pairs() as pair:
            await turn(pair, message("m1"), calls=(waiting("t_1"),), states={ANNA.id: state})
            begun = await turn(pair, message("m2", user=BEN))
            assert begun.states == {ANNA.id: state}

    async def test_a_row_of_the_house_is_answered_to_whom_the_turn_says(self, pairs: Pairs) -> None:
        from supportbot.types import Reply

        async with pairs() as pair:
            await turn(pair, message("m1", user=BEN))
            await receive(pair, message("m2", "", kind="call", user=User("agent")))
            committed = await finish(pair, await start(pair), replies=(Reply("Done."),), user=ANNA)
            (sent,) = committed.ready
            assert (sent.user, sent.in_reply_to) == (ANNA, ())

    # --- standings ---

    async def test_a_standing_is_kept_for_its_author_in_its_conversation(self, pairs: Pairs) -> None:
        standing = Standing(IDENTITY, Challenge("d", "c-17", "Anna", NOW + 60, 4))
        async with pairs() as pair:
            await turn(pair, message("m1"), standings={ANNA.id: standing})
        async with pairs() as pair:
            assert (await turn(pair, message("m2"))).standings == {ANNA.id: standing}
            assert (await turn(pair, message("m3", chat="other"))).standings == {}
            await turn(pair, message("m4"), standings={ANNA.id: Standing()})
            assert (await turn(pair, message("m5"))).standings == {ANNA.id: Standing()}
