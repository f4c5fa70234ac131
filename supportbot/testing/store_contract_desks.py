"""The part of `StoreContract` about desks: places, lines, seats with agents, and what there was before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from supportbot.errors import StaleLease
from supportbot.testing.pairs import ANNA, BEN, NOW, Pairs, finish, message, receive, start, turn
from supportbot.types import (
    Attachment,
    Event,
    Handoff,
    Identity,
    LookBack,
    Place,
    Post,
    Reply,
    Standing,
    TakePlace,
    Trace,
)

DESK = "@desk.front"


def handed(conversation: str, number: int = 1, **changes: Any) -> Handoff:
    first = Handoff(f"h_{number}", conversation, "requested", "d", f"sum {number}", NOW, NOW + 900, NOW + 86400)
    return replace(first, **{"user": ANNA, "desk": "front", **changes})


class DesksContract:
    """Part of `StoreContract`."""

    async def test_who_claims_by_writing_is_announced_before_their_words(self, pairs: Pairs) -> None:
        async with pairs(events={"shop"}) as pair:
            await receive(pair, message("m1"))
            told: tuple[tuple[Any, Any], ...] = tuple(
                (kind, {}) for kind in ("handoff.requested", "handoff.claimed", "conversation.closed")
            )
            ready = (await finish(pair, await start(pair), replies=(Reply("Hi"), Reply("Ho")), events=told)).ready
            sent = [
                "handoff.requested",
                "handoff.claimed",
                "message.reply",
                "message.reply",
                "conversation.closed",
            ]
            assert [row.kind for row in ready] == sent
            assert [row.part for row in ready if row.kind == "message.reply"] == [1, 2]

    async def test_a_handoff_keeps_all_that_is_known_of_it(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            (receipt,) = await receive(pair, message("m1"))
            known = handed(
                receipt.conversation,
                assignee="U1",
                priority="urgent",
                tags=("a", "b"),
                cause={"rule": "safety", "because": [{"found": "smoke"}]},
                agent_id="U1",
                desks=("front", "back"),
                slots={"order": "Ä-1"},
                internal=("Ana: careful",),
                answered_at=NOW + 1,
                reopened=2,
                late=True,
                rating=4,
            )
            await finish(pair, await start(pair), handoff=known)
            assert await pair.store.handoff("h_1") == known

    async def test_the_newest_handoff_that_has_ended_is_part_of_the_turn(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            (receipt,) = await receive(pair, message("m1"))
            await finish(pair, await start(pair), handoff=handed(receipt.conversation))
            ended = handed(receipt.conversation, status="resolved", ended_at=NOW + 5)
            begun = await turn(pair, message("m2"), handoff=ended)
            assert begun.ended is None
            begun = await turn(pair, message("m3"))
            assert (begun.handoff, begun.ended) == (None, ended)

    async def test_what_an_agent_did_arrives_as_it_was(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            sent = message(
                "a1", "Hello", kind="human.message", via="front", shown=True, event=Event("act", {"to": "x"})
            )
            await receive(pair, sent)
            assert (await start(pair)).pending[0].message == sent

    async def test_rows_for_a_desk_wait_for_the_place_that_the_first_one_gives(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            store = pair.store
            (receipt,) = await receive(pair, message("m1"))
            asked = handed(receipt.conversation)
            reply = Reply("It is ä.", files=(Attachment("a.png", "image/png", 3, digest="d1"),))
            words = {"handoff": "h_1", "from": {"role": "customer"}}
            posts = (
                Post("front", "handoff.requested", {"handoff": "h_1", "n": 1}),
                Post("front", "handoff.message", words, reply),
            )
            committed = await finish(pair, await start(pair), handoff=asked, posts=posts)
            (first,) = committed.ready
            assert (first.address.channel, first.kind, first.place) == (DESK, "handoff.requested", "")
            assert first.data == {"handoff": "h_1", "n": 1} and committed.waiting
            assert await store.unplaced(DESK) and await store.placed("front", place="C1/7") is None
            await store.delivered([first.id], handle="C1/7", now=NOW + 1)
            (second,) = await store.due(now=NOW + 1, limit=9, busy=())
            assert (second.place, second.reply, second.data) == ("C1/7", reply, words)
            assert not await store.unplaced(DESK)
            found = await store.placed("front", place="C1/7")
            assert found is not None
            assert (found.handoff, found.address, found.customer) == ("h_1", message("m1").address, ANNA)
            assert await store.placed("front", handoff="h_1") == found
            assert (
                await store.placed("back", place="C1/7") is None
                and await store.placed("front", place="C1") is None
            )
            await store.delivered([second.id], now=NOW + 2)
            begun = await turn(pair, message("m2"), posts=(Post("front", "handoff.updated", {"handoff": "h_1"}),))
            assert begun is not None
            (third,) = await store.due(now=NOW + 2, limit=9, busy=())
            assert third.place == "C1/7"

    async def test_who_stands_before_whom(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            places = []
            for number, (chat, priority) in enumerate((("a", 0), ("b", 0), ("c", 2), ("d", 0)), 1):
                (receipt,) = await receive(pair, message(f"m-{chat}", chat=chat))
                begun = await start(pair)
                asked = TakePlace("front", NOW + number, priority)
                places.append((await pair.store.take_place(begun.lease, asked, now=NOW + number)).ahead)
                await finish(pair, begun, handoff=handed(receipt.conversation, number, requested_at=NOW + number))
            assert places == [0, 1, 0, 3]
            (receipt,) = await receive(pair, message("m-e", chat="e"))
            begun = await start(pair)
            elsewhere = await pair.store.take_place(begun.lease, TakePlace("back", NOW + 9), now=NOW + 9)
            assert elsewhere.ahead == 0

    async def test_an_agent_gets_no_more_than_there_is_room_for(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            for order, expected in (
                ("least_busy", ["1", "2", "2", ""]),
                ("round_robin", ["1", "2", "2", ""]),
            ):
                desk = f"desk {order}"
                given = []
                for number in range(4):
                    (receipt,) = await receive(pair, message(f"{order}-{number}", chat=f"{order}{number}"))
                    begun = await start(pair)
                    asked = TakePlace(desk, NOW, 0, (("1", 1), ("2", 2)), order)  # type: ignore[arg-type]
                    given.append((await pair.store.take_place(begun.lease, asked, now=NOW + number)).agent)
                    one = handed(receipt.conversation, hash((order, number)), desk=desk, id=f"h_{order}{number}")
                    await finish(pair, begun, handoff=one)
                assert given == expected, order

    async def test_a_seat_is_free_again_when_the_handoff_ends(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            (receipt,) = await receive(pair, message("m1"))
            begun = await start(pair)
            claim = TakePlace("front", NOW, 0, (("1", 1),), "claim")
            assert (await pair.store.take_place(begun.lease, claim, now=NOW)).agent == "1"
            again = await pair.store.take_place(begun.lease, claim, now=NOW)
            assert again.agent == "1", "the same conversation takes no second seat"
            await finish(pair, begun, handoff=handed(receipt.conversation, status="claimed", claimed_at=NOW))
            (other,) = await receive(pair, message("m2", chat="ben", user=BEN))
            second = await start(pair)
            assert (await pair.store.take_place(second.lease, claim, now=NOW + 300)).agent == ""
            await finish(pair, second, handoff=handed(other.conversation, 2, user=BEN))
            ended = handed(receipt.conversation, status="resolved", ended_at=NOW + 301)
            await turn(pair, message("m3"), handoff=ended)
            await receive(pair, message("m4", chat="ben", user=BEN))
            third = await start(pair)
            assert (await pair.store.take_place(third.lease, claim, now=NOW + 302)).agent == "1"

    async def test_a_turn_that_was_taken_away_takes_no_seat(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            await receive(pair, message("m1"))
            begun = await start(pair)
            await pair.store.seize(begun.conversation.id, until=NOW + 60)
            with pytest.raises(StaleLease):
                await pair.store.take_place(begun.lease, TakePlace("front", NOW), now=NOW)

    async def test_the_last_waits_of_the_desk_are_known(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            (receipt,) = await receive(pair, message("m1"))
            done = handed(receipt.conversation, status="resolved", claimed_at=NOW + 60, ended_at=NOW + 90)
            await finish(pair, await start(pair), handoff=done)
            await receive(pair, message("m2", chat="ben", user=BEN))
            begun = await start(pair)
            found = await pair.store.take_place(begun.lease, TakePlace("front", NOW + 100), now=NOW + 100)
            assert found == Place(0, "", ((NOW, NOW + 60),))

    async def test_looking_back_shows_the_customers_own_past_and_nobody_elses(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            proven = {ANNA.id: Standing(Identity("c-17", "Anna", "code", NOW, NOW + 60))}
            (first,) = await receive(pair, message("m1", chat="one"))
            ended = handed(first.conversation, status="resolved", ended_at=NOW + 5)
            await finish(pair, await start(pair), handoff=ended, standings=proven)
            await turn(pair, message("m2", chat="ben", user=BEN))
            await turn(pair, message("m3", chat="two"), trace=Trace(({"step": "tool", "name": "find"},), "v1"))
            begun_id = (await receive(pair, message("m4", chat="two")))[0].conversation
            found = await pair.store.look_back(begun_id, LookBack(ANNA.id))
            assert [(one.summary, one.outcome) for one in found.earlier] == [("sum 1", "requested: resolved")]
            assert found.steps == ({"step": "tool", "name": "find"},)
            (other,) = await receive(pair, message("m5", chat="three", user=BEN))
            by_user = await pair.store.look_back(other.conversation, LookBack(BEN.id))
            assert all("sum 1" not in one.summary for one in by_user.earlier)
            by_proof = await pair.store.look_back(other.conversation, LookBack(BEN.id, "c-17"))
            assert any(one.summary == "sum 1" for one in by_proof.earlier)
            assert (await pair.store.look_back(other.conversation, LookBack("", ""))).earlier == ()

    async def test_words_of_an_agent_that_are_buried_wake_the_conversation(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            (receipt,) = await receive(pair, message("m1"))
            claimed = handed(receipt.conversation, status="claimed", claimed_at=NOW)
            committed = await finish(pair, await start(pair), handoff=claimed, replies=(Reply("Hi."),))
            await pair.store.bury(committed.ready[0].id, error="blocked", now=NOW + 1)
            assert await pair.store.next_timer() == NOW + 1
            await pair.store.fire_timers(now=NOW + 1)
            event = (await start(pair)).pending[0].message.event
            assert event == Event("handoff.undelivered", {"error": "blocked"})
