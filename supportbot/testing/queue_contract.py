"""What every `supportbot.protocols.TurnQueue` must do beside its store. Subclass it like `StoreContract`."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from supportbot.errors import StaleLease
from supportbot.testing.pairs import (
    NOW,
    Pair,
    Pairs,
    finish,
    message,
    nothing_to_claim,
    positions,
    receive,
    soon,
    start,
    wall,
)
from supportbot.types import Lease, Outcome


class QueueContract:
    """Holds for every queue. The fixture `pairs` opens the same database each time it is called."""

    @pytest.fixture
    def pairs(self) -> Pairs:
        raise NotImplementedError("a subclass says how to open its store and queue")

    async def test_a_conversation_is_leased_to_one_worker_at_a_time(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            await receive(pair, message("m1"))
            begun = await start(pair)
            await receive(pair, message("m2"))
            assert await nothing_to_claim(pair.queue)
            await finish(pair, begun)
            again = await start(pair)
            assert [row.message.id for row in again.pending] == ["m2"]
            assert again.lease.sequence == begun.lease.sequence + 1

    async def test_conversations_come_in_the_order_of_their_readiness(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            for chat, ready_at in (("c", NOW + 3), ("a", NOW + 1), ("b", NOW + 2)):
                await receive(pair, message(chat, chat=chat), ready_at=ready_at)
            assert [(await start(pair)).conversation.address.chat for _ in range(3)] == ["a", "b", "c"]

    async def test_a_turn_does_not_start_before_it_is_ready(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            ready_at = wall() + 0.4
            await receive(pair, message("m1"), ready_at=ready_at)
            await start(pair)
            assert wall() >= ready_at - 0.01

    async def test_a_later_message_does_not_postpone_a_waiting_turn(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            soonest = wall() + 0.3
            await receive(pair, message("m1"), ready_at=soonest)
            await receive(pair, message("m2"), ready_at=soonest + 60)
            begun = await start(pair)
            assert len(begun.pending) == 2 and wall() < soonest + 10

    async def test_a_waiting_claimer_is_woken_by_the_next_message(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            claimer = asyncio.create_task(pair.queue.claim())
            await asyncio.sleep(0.05)
            (receipt,) = await receive(pair, message("m1"))
            assert (await soon(claimer)).conversation == receipt.conversation

    async def test_a_lease_that_ran_out_is_claimed_again_as_the_next_attempt(self, pairs: Pairs) -> None:
        async with pairs(lease_seconds=0.2) as pair:
            await receive(pair, message("m1"))
            frozen = await start(pair)
            lease = await soon(pair.queue.claim())
            assert (lease.sequence, lease.attempt) == (frozen.lease.sequence, frozen.lease.attempt + 1)
            begun = await pair.store.begin(lease, now=NOW)
            assert begun is not None and begun.pending == frozen.pending
            with pytest.raises(StaleLease):
                await pair.store.commit(frozen.lease, Outcome(positions(frozen)), now=NOW)
            with pytest.raises(StaleLease):
                await pair.queue.extend(frozen.lease, until=wall() + 60)

    async def test_an_overtaken_worker_cannot_give_back_the_new_lease(self, pairs: Pairs) -> None:
        async with pairs(lease_seconds=0.5) as pair:
            await receive(pair, message("m1"))
            frozen = await start(pair)
            lease = await soon(pair.queue.claim())
            await pair.queue.extend(lease, until=wall() + 60)
            await pair.queue.release(frozen.lease, again_at=NOW)
            assert await nothing_to_claim(pair.queue)

    async def test_an_extended_lease_is_kept(self, pairs: Pairs) -> None:
        async with pairs(lease_seconds=0.3) as pair:
            await receive(pair, message("m1"))
            begun = await start(pair)
            await pair.queue.extend(begun.lease, until=wall() + 60)
            assert await nothing_to_claim(pair.queue, 0.6)
            assert await pair.store.holds(begun.lease)

    async def test_a_turn_given_back_unfinished_comes_again_at_its_time(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            await receive(pair, message("m1"))
            begun = await start(pair)
            again_at = wall() + 0.3
            await pair.queue.release(begun.lease, again_at=again_at)
            again = await start(pair)
            assert again.lease.attempt > begun.lease.attempt and wall() >= again_at - 0.01

    async def test_what_a_turn_took_in_on_its_way_is_not_claimed_again(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            await receive(pair, message("m1"))
            begun = await start(pair)
            (late,) = await receive(pair, message("m2"))
            committed = await finish(pair, begun, consumed=(*positions(begun), late.position))
            assert not committed.more
            assert await nothing_to_claim(pair.queue)

    async def test_what_arrives_between_commit_and_release_is_claimed(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            await receive(pair, message("m1"))
            begun = await start(pair)
            await pair.store.commit(begun.lease, Outcome(positions(begun)), now=NOW)
            await receive(pair, message("m2"))
            await pair.queue.release(begun.lease, again_at=None)
            assert [row.message.id for row in (await start(pair)).pending] == ["m2"]

    async def test_a_cancelled_claim_loses_no_turn(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            for round in range(30):
                claimers = [asyncio.create_task(pair.queue.claim()) for _ in range(3)]
                await asyncio.sleep(0)
                arriving = asyncio.create_task(pair.store.receive(message(f"m{round}"), now=NOW, ready_at=NOW))
                for _ in range(round):
                    await asyncio.sleep(0)
                claimers[0].cancel()
                await arriving
                begun = await pair.store.begin(await self.only_lease(claimers), now=NOW)
                assert begun is not None
                await finish(pair, begun)

    async def only_lease(self, claimers: list[asyncio.Task[Lease]]) -> Lease:
        leases: list[Lease] = []
        for _ in range(1000):
            leases = [c.result() for c in claimers if c.done() and not c.cancelled()]
            if leases:
                break
            await asyncio.sleep(0.01)
        for claimer in claimers:
            claimer.cancel()
        await asyncio.gather(*claimers, return_exceptions=True)
        (lease,) = leases
        return lease

    async def test_many_workers_run_every_conversation_once_and_never_two_turns_of_one(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            sent = [message(f"{chat}-{n}", chat=f"chat{chat}") for n in range(3) for chat in range(60)]
            running: set[str] = set()
            seen: list[str] = []
            workers = [asyncio.create_task(self.work(pair, running, seen)) for _ in range(16)]
            await asyncio.gather(*(pair.store.receive(one, now=NOW, ready_at=NOW) for one in sent))
            await self.until_idle(pair)
            for worker in workers:
                worker.cancel()
            ended = await asyncio.gather(*workers, return_exceptions=True)
            assert all(isinstance(end, asyncio.CancelledError) for end in ended), ended
            assert Counter(seen) == Counter(one.id for one in sent)
            for chat in range(60):
                assert [id for id in seen if id.startswith(f"{chat}-")] == [f"{chat}-{n}" for n in range(3)]

    async def work(self, pair: Pair, running: set[str], seen: list[str]) -> None:
        while True:
            begun = await start(pair)
            assert begun.conversation.id not in running, "two turns of one conversation at once"
            running.add(begun.conversation.id)
            await asyncio.sleep(0.001)
            seen += [row.message.id for row in begun.pending]
            running.remove(begun.conversation.id)
            await finish(pair, begun)

    async def until_idle(self, pair: Pair) -> None:
        for _ in range(1500):
            if not await pair.store.pending():
                return
            await asyncio.sleep(0.02)
        raise AssertionError("messages were still pending after half a minute")

    async def test_a_restart_claims_what_was_pending_and_counts_its_attempts_on(self, pairs: Pairs) -> None:
        attempts = []
        async with pairs() as pair:
            await receive(pair, message("m1"))
        for _ in range(3):
            async with pairs() as pair:
                attempts.append((await start(pair)).lease.attempt)
        assert attempts == [1, 2, 3]
