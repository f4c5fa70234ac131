"""The half of `StoreContract` about what a turn leaves behind: handoffs, outgoing messages, timers, reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from supportbot.errors import NotFound
from supportbot.protocols import Store
from supportbot.testing.pairs import ANNA, BEN, NOW, Pairs, finish, message, receive, start, turn
from supportbot.types import (
    Button,
    ChatMessage,
    Event,
    Handoff,
    OutgoingKind,
    Reply,
    Timer,
    ToolCall,
    Trace,
    Usage,
)

SAID = (
    ChatMessage("user", "Where is it?\x00 👟", 7, "Anna"),
    ChatMessage("assistant", "", 3, tool_calls=(ToolCall("call_1", "find", '{"a": "ü"}'),)),
    ChatMessage("tool", "{}", 1, tool_call_id="call_1"),
    ChatMessage("assistant", "On its way.", 4),
)


def handoff(conversation: str, **changes: Any) -> Handoff:
    first = Handoff("h_1", conversation, "requested", "d", "s", NOW, NOW + 900, NOW + 86400, user=ANNA)
    return replace(first, **changes)


class EffectsContract:
    """Part of `StoreContract`."""

    async def due(self, store: Store, *, now: float = NOW, busy: tuple[str, ...] = ()) -> Any:
        return await store.due(now=now, limit=50, busy=busy)

    # --- handoffs ---

    async def test_an_open_handoff_is_part_of_the_turn_until_it_ends(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            (receipt,) = await receive(pair, message("m1"))
            asked = handoff(receipt.conversation, notes=("a", "b"))
            await finish(pair, await start(pair), handoff=asked)
            begun = await turn(pair, message("m2"), handoff=replace(asked, status="resolved", ended_at=NOW + 5.5))
            assert begun.handoff == asked
            assert (await turn(pair, message("m3"))).handoff is None
            assert await pair.store.handoffs() == ()
            (ended,) = await pair.store.handoffs(open_only=False)
            assert ended == await pair.store.handoff("h_1") and ended.ended_at == NOW + 5.5

    async def test_a_handoff_of_another_conversation_is_not_changed(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            (receipt,) = await receive(pair, message("m1"))
            await finish(pair, await start(pair), handoff=handoff(receipt.conversation))
            await turn(pair, message("m2", chat="ben", user=BEN), handoff=handoff("c_other", detail="stolen"))
            assert (await pair.store.handoff("h_1")).detail == "d"

    async def test_what_does_not_exist_is_not_found(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            for read in (pair.store.conversation("c_0"), pair.store.handoff("h_0"), pair.store.transcript("c_0")):
                with pytest.raises(NotFound):
                    await read
            assert await pair.store.find("shop", "nobody") is None

    # --- the way out ---

    async def test_a_lane_goes_in_order_and_one_at_a_time(self, pairs: Pairs) -> None:
        replies = (Reply("one", (Button("b", "B", "v"),)), Reply("two"), Reply("three"))
        async with pairs() as pair:
            await receive(pair, message("m1"))
            committed = await finish(pair, await start(pair), replies=replies, preview="p")
            assert [row.reply for row in committed.ready] == list(replies)
            seen = []
            while rows := await self.due(pair.store):
                seen += rows
                await pair.store.delivered([rows[0].id], handle="x", now=NOW)
            assert tuple(seen) == committed.ready
            assert [(row.part, row.parts, row.preview) for row in seen] == [(1, 3, "p"), (2, 3, ""), (3, 3, "")]

    async def test_lanes_do_not_wait_for_each_other_and_busy_ones_are_left_out(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            for chat in ("a", "b", "c"):
                await turn(pair, message(chat, chat=chat), replies=(Reply(chat),))
            rows = await self.due(pair.store)
            assert [row.reply.text for row in rows] == ["a", "b", "c"]
            rest = await self.due(pair.store, busy=(rows[0].lane, rows[2].lane))
            assert [row.reply.text for row in rest] == ["b"]
            assert len(await pair.store.due(now=NOW, limit=2, busy=())) == 2

    async def test_a_postponed_row_keeps_its_lane_until_its_time(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            await turn(pair, message("m1"), replies=(Reply("one"),))
            (first,) = await self.due(pair.store)
            await pair.store.postpone(first.id, until=NOW + 5, error="down")
            await receive(pair, message("m2"))
            assert (await finish(pair, await start(pair), replies=(Reply("two"),))).ready == ()
            assert await self.due(pair.store, now=NOW + 4) == ()
            assert await self.due(pair.store, now=NOW + 5) == (replace(first, attempt=1),)

    async def test_a_dead_letter_is_kept_with_its_error_and_frees_its_lane(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            await turn(pair, message("m1"), replies=(Reply("one"), Reply("two")))
            (first,) = await self.due(pair.store)
            assert await pair.store.unsent(first.id)
            await pair.store.bury(first.id, error="refused", now=NOW)
            assert not await pair.store.unsent(first.id)
            assert [row.reply.text for row in await self.due(pair.store)] == ["two"]
            await pair.store.sweep(now=NOW + 100, keep=0)
            assert [(row.id, error) for row, error in await pair.store.dead_letters()] == [(first.id, "refused")]

    async def test_replies_name_what_they_answer_and_whom(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            await receive(
                pair, message("m0", user=BEN, kind="human.message"), message("m1"), message("m2", user=BEN)
            )
            await finish(pair, await start(pair), replies=(Reply("one"), Reply("two")))
            (first,) = await self.due(pair.store)
            assert (first.in_reply_to, first.user) == (("m1", "m2"), ANNA)
            await pair.store.delivered([first.id], now=NOW)
            for id in ("m1", "m2"):
                assert [r.reply for r in await pair.store.replies_to("shop", id)] == [Reply("one"), Reply("two")]
            assert await pair.store.replies_to("chat", "m1") == ()

    async def test_events_go_where_they_are_wanted(self, pairs: Pairs) -> None:
        events: tuple[tuple[OutgoingKind, Mapping[str, Any]], ...] = (
            ("handoff.requested", {"reason": "requested"}),
            ("conversation.closed", {}),
        )
        async with pairs(events={"shop"}, notify=True) as pair:
            await turn(pair, message("m1"), replies=(Reply("bye"),), events=events)
            await turn(pair, message("m2", channel="chat"), events=events)
            seen = []
            while rows := await self.due(pair.store):
                seen += [(row.address.channel, row.kind, dict(row.data)) for row in rows]
                await pair.store.delivered([row.id for row in rows], now=NOW)
        requested = ("handoff.requested", {"reason": "requested"})
        shop = [row for row in seen if row[0] == "shop"]
        assert [row[1] for row in shop] == ["message.reply", "handoff.requested", "conversation.closed"]
        assert [row for row in seen if row[0] == "@notify"] == [("@notify", *requested)] * 2
        assert not [row for row in seen if row[0] == "chat"]

    # --- time ---

    async def test_a_due_timer_becomes_a_message_of_the_house_once(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            first = (Timer("idle", NOW + 5), Timer("gone", NOW + 1), Timer("late", NOW + 50))
            await turn(pair, message("m1"), timers=first)
            await turn(pair, message("m2"), timers=(Timer("idle", NOW + 9, {"n": 1}),), stop_timers=("gone",))
            assert await pair.store.next_timer() == NOW + 9
            assert [await pair.store.fire_timers(now=NOW + at) for at in (8, 9, 10)] == [0, 1, 0]
            (row,) = (await start(pair)).pending
            assert (row.message.kind, row.message.user) == ("timer", ANNA)
            assert row.message.event == Event("idle", {"n": 1})

    async def test_only_messages_from_outside_become_overdue(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            a, *_ = await receive(pair, message("m1", chat="a"), message("m2", chat="b", kind="human.message"))
            await receive(pair, message("m3", chat="a"), now=NOW + 5)
            assert await pair.store.overdue(before=NOW) == ()
            assert await pair.store.overdue(before=NOW + 1) == ((a.conversation, NOW),)
            assert {job.conversation: job.ready_at for job in await pair.store.pending()}[a.conversation] == NOW

    async def test_sweeping_removes_what_is_finished_and_nothing_else(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            begun = await turn(pair, message("m1"), turn=SAID, replies=(Reply("one"), Reply("two")))
            (first,) = await self.due(pair.store)
            await pair.store.delivered([first.id], now=NOW)
            await receive(pair, message("m2"))
            assert await pair.store.sweep(now=NOW + 10, keep=10) == 0
            assert await pair.store.sweep(now=NOW + 11, keep=10) == 2
            counts = await pair.store.counts()
            assert (counts["inbox_pending"], counts["outbox_pending"]) == (1, 1)
            assert len(await pair.store.transcript(begun.conversation.id)) == 1

    async def test_a_position_is_never_given_twice(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            begun = await turn(pair, message("m1"))
            await pair.store.sweep(now=NOW + 1, keep=0)
            assert (await pair.store.counts())["inbox"] == 0
            (later,) = await receive(pair, message("m2"))
            assert later.position > begun.pending[0].position

    # --- reading ---

    async def test_traces_and_usage_tell_what_a_turn_did_and_cost(self, pairs: Pairs) -> None:
        spent = Usage("gpt-4.1-mini", "reply", 10, 5, 3, 12, "ok", 0.5, NOW)
        unpriced = replace(spent, cost=None, outcome="unavailable", at=NOW - 1)
        trace = Trace(({"step": "flow", "why": "ü" * 200},), "v1")
        async with pairs() as pair:
            begun = await turn(pair, message("m1"), usage=(spent, unpriced), trace=trace)
            await turn(pair, message("m2"), trace=Trace(({"step": "x"},), "v2"))
            id = begun.conversation.id
            newest, first = await pair.store.traces(id, limit=5)
            assert (newest["sequence"], newest["config"], newest["usage"]) == (2, "v2", ())
            assert (first["steps"], first["at"], first["usage"]) == (trace.steps, NOW, (spent, unpriced))
            assert await pair.store.usage(since=NOW) == ((id, "shop", spent),)

    async def test_conversations_are_listed_by_their_last_change(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            for n, chat in enumerate(("a", "b", "c")):
                await receive(pair, message(chat, chat=chat))
                await finish(pair, await start(pair), now=NOW + n)
            newest = await pair.store.conversations(limit=2)
            assert [c.address.chat for c in newest] == ["c", "b"]
            older = await pair.store.conversations(before=newest[-1].updated_at)
            assert [c.address.chat for c in older] == ["a"]
            assert await pair.store.find("shop", "a") == older[0]
