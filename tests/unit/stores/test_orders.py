"""Any order of messages, claims, expiries, commits and restarts keeps the promises of store and queue together."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from supportbot.errors import StaleLease
from supportbot.queues.local import LocalQueue
from supportbot.stores.sqlite import SqliteStore
from supportbot.testing.pairs import NOW, message
from supportbot.types import Job, Outcome, Reply, TurnInput

CHATS = st.sampled_from(["a", "b", "c"])
LEASE_SECONDS = 90.0


class Orders(RuleBasedStateMachine):
    """The model: per chat the ids accepted and answered, in order. Time is handed in."""

    running = Bundle("running")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.time = NOW
        self.numbers = itertools.count()
        self.accepted: dict[str, list[str]] = {}
        self.answered: dict[str, list[str]] = {}
        self.holders: dict[str, tuple[TurnInput, float]] = {}
        self.open()

    def open(self) -> None:
        self.queue = LocalQueue(lease_seconds=LEASE_SECONDS, clock=lambda: self.time)
        self.store = SqliteStore(Path(self.folder.name) / "store.db", enqueue=self.queue.enqueue)
        self.queue.attach(self.store)
        self.run(self.store.open())
        self.run(self.queue.restore(self.run(self.store.pending())))

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    @rule(chat=CHATS, wait=st.sampled_from([0.0, 5.0]))
    def receive(self, chat: str, wait: float) -> None:
        id = f"{chat}{next(self.numbers)}"
        self.run(self.store.receive(message(id, chat=chat), now=self.time, ready_at=self.time + wait))
        self.accepted.setdefault(chat, []).append(id)

    @rule(target=running)
    def claim(self) -> Any:
        lease = self.run(self.claimed())
        if lease is None:
            return multiple()
        begun = self.run(self.store.begin(lease, now=self.time))
        assert begun is not None, "a claimed conversation has work"
        chat = begun.conversation.address.chat
        holder = self.holders.get(chat)
        assert holder is None or holder[1] <= self.time, "two workers hold one conversation"
        self.holders[chat] = (begun, self.time + LEASE_SECONDS)
        assert [row.message.id for row in begun.pending] == self.waiting(chat)
        return begun

    async def claimed(self) -> Any:
        claiming = asyncio.ensure_future(self.queue.claim())
        await asyncio.sleep(0)
        if not claiming.done():
            claiming.cancel()
        return (await asyncio.gather(claiming, return_exceptions=True))[0] if not claiming.cancelling() else None

    def waiting(self, chat: str) -> list[str]:
        return self.accepted.get(chat, [])[len(self.answered.get(chat, [])) :]

    @rule(begun=consumes(running))
    def commit(self, begun: TurnInput) -> None:
        chat = begun.conversation.address.chat
        newest = self.holders.get(chat, (None, 0.0))[0] is begun
        outcome = Outcome(tuple(row.position for row in begun.pending), replies=(Reply("ok"),))
        try:
            committed = self.run(self.store.commit(begun.lease, outcome, now=self.time))
        except StaleLease:
            assert not newest, "the newest holder may commit"
            return
        assert newest, "an overtaken worker committed"
        del self.holders[chat]
        self.answered.setdefault(chat, []).extend(row.message.id for row in begun.pending)
        assert committed.more == bool(self.waiting(chat))
        self.run(self.queue.release(begun.lease, again_at=self.time if committed.more else None))

    @rule(begun=consumes(running))
    def give_back(self, begun: TurnInput) -> None:
        chat = begun.conversation.address.chat
        self.run(self.queue.release(begun.lease, again_at=self.time))
        if self.holders.get(chat, (None, 0.0))[0] is begun:
            held, _ = self.holders[chat]
            self.holders[chat] = (held, self.time)

    @rule(seconds=st.sampled_from([1.0, 5.0, LEASE_SECONDS]))
    def wait(self, seconds: float) -> None:
        self.time += seconds

    @rule()
    def restart(self) -> None:
        self.run(self.queue.close())
        self.run(self.store.close())
        self.open()
        self.holders = {chat: (begun, self.time) for chat, (begun, _) in self.holders.items()}

    @invariant()
    def pending_is_what_was_accepted_and_not_answered(self) -> None:
        jobs: tuple[Job, ...] = self.run(self.store.pending())
        assert len(jobs) == sum(bool(self.waiting(chat)) for chat in self.accepted)

    def teardown(self) -> None:
        self.time += 1000 * LEASE_SECONDS
        for _ in range(20):
            begun = self.claim()
            if not isinstance(begun, TurnInput):
                break
            self.commit(begun)
        assert self.answered == self.accepted, "every accepted message was answered once, in order"
        self.run(self.queue.close())
        self.run(self.store.close())
        self.loop.close()
        self.folder.cleanup()


Orders.TestCase.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
TestOrders = Orders.TestCase
