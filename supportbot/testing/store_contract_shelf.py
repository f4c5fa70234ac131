"""The part of `StoreContract` about what channels keep that are their own platform: values, and the feed of each chat."""

from __future__ import annotations

import asyncio

import pytest

from supportbot.errors import Conflict, StoreError
from supportbot.protocols import Shelf
from supportbot.testing.pairs import NOW, Pair, Pairs, finish, message, start
from supportbot.types import Attachment, ChatMessage, Reply


def shelf(pair: Pair, channel: str = "shop", now: float = NOW) -> Shelf:
    return pair.store.shelf(channel, clock=lambda: now)


class ShelfContract:
    """Part of `StoreContract`."""

    async def test_a_value_is_kept_until_its_time_is_over_or_it_is_removed(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            own = shelf(pair)
            assert await own.get("a") is None
            await own.put("a", {"n": 1, "text": "ä\ud800"}, until=NOW + 5)
            await own.put("b", {"n": 2})
            assert await own.get("a") == {"n": 1, "text": "ä\ufffd"}
            await own.put("a", {"n": 3}, until=NOW + 5)
            assert await own.get("a") == {"n": 3}
            later = shelf(pair, now=NOW + 5)
            assert (await later.get("a"), await later.get("b")) == (None, {"n": 2})
            await own.remove("b")
            assert await own.get("b") is None
        async with pairs() as pair:
            assert await shelf(pair).get("a") == {"n": 3}

    async def test_a_channel_sees_its_own_things_only(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            await shelf(pair).put("a", {})
            entry = await shelf(pair).append("chat", "k", {"n": 1})
            other = shelf(pair, "other")
            assert await other.get("a") is None and await other.entries("chat") == ()
            assert await other.entry("chat", entry.position) is None
            assert (await other.append("chat", "k", {"n": 2})).body == {"n": 2}, "keys are the channel's own too"

    async def test_what_is_no_json_is_refused(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            with pytest.raises(StoreError):
                await shelf(pair).put("a", {"n": object()})

    async def test_a_feed_is_read_in_order_from_either_end_and_a_key_stands_once(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            own = shelf(pair)
            places = [(await own.append("chat", f"k{n}", {"n": n})).position for n in range(5)]
            await own.append("elsewhere", "x", {"n": 99})
            again = await own.append("chat", "k1", {"n": 100})
            assert (again.position, again.body, again.at) == (places[1], {"n": 1}, NOW)
            assert sorted(places) == places

            async def read(**which: int) -> list[int]:
                return [entry.body["n"] for entry in await own.entries("chat", **which)]

            assert await read() == [0, 1, 2, 3, 4]
            assert await read(limit=2) == [3, 4]
            assert await read(before=places[3], limit=2) == [1, 2]
            assert await read(after=0, limit=2) == [0, 1]
            assert await read(after=places[3]) == [4]
            assert await read(after=places[4]) == []
            found = await own.entry("chat", places[2])
            assert found is not None and (found.key, found.body) == ("k2", {"n": 2})
            assert await own.entry("elsewhere", places[2]) is None

    async def test_many_who_append_one_key_at_once_get_one_entry(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            own = shelf(pair)
            entries = await asyncio.gather(*(own.append("chat", "k", {"n": n}) for n in range(20)))
            assert len({entry.position for entry in entries}) == 1
            assert len(await own.entries("chat")) == 1

    async def test_a_message_stands_in_the_feed_with_its_receipt_and_once(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            sent = message("m1", "hello")
            for n in range(3):
                await pair.store.receive(sent, now=NOW, ready_at=NOW, entry={"n": n})
            (entry,) = await shelf(pair).entries(sent.address.chat)
            assert (entry.key, entry.body, entry.at) == ("m1", {"n": 0}, NOW)
            assert await shelf(pair, "other").entries(sent.address.chat) == ()
            await pair.store.receive(message("m2"), now=NOW, ready_at=NOW)
            assert len(await shelf(pair).entries(sent.address.chat)) == 1

    async def test_a_message_that_is_refused_leaves_no_entry(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            await pair.store.receive(message("m1", digest="a"), now=NOW, ready_at=NOW)
            with pytest.raises(Conflict):
                await pair.store.receive(message("m1", digest="b"), now=NOW, ready_at=NOW, entry={})
            assert await shelf(pair).entries(message("m1").address.chat) == ()

    async def test_the_sweep_takes_values_whose_time_is_long_over(self, pairs: Pairs) -> None:
        async with pairs() as pair:
            await shelf(pair).put("old", {}, until=NOW - 100)
            await shelf(pair).put("new", {}, until=NOW)
            await pair.store.sweep(now=NOW, keep=50)
            long_ago = shelf(pair, now=NOW - 1_000)
            assert (await long_ago.get("old"), await long_ago.get("new")) == (None, {})

    async def test_files_and_authors_are_kept_with_what_was_said(self, pairs: Pairs) -> None:
        photo = Attachment("p.png", "image/png", 3, digest="d" * 64)
        async with pairs() as pair:
            await pair.store.receive(message("m1"), now=NOW, ready_at=NOW)
            said = (
                ChatMessage("user", "see", 1, source="m1", files=(photo,)),
                ChatMessage("assistant", "Nice", 1, name="Maya"),
            )
            reply = Reply("Nice", files=(photo,), author="Maya")
            await finish(pair, await start(pair), turn=said, replies=(reply,))
            (stored,) = await pair.store.transcript((await pair.store.conversations())[0].id)
            assert stored.messages == said
            (row,) = await pair.store.due(now=NOW, limit=9, busy=())
            assert row.reply == reply
