"""A turn's way through the worker: late messages, frozen workers, the watchdog, previews."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from crashing import REFUND, Shop, message, write
from working import Clock, Model, answering, heard, ledger, quiet, running, sent

from supportbot.models import Line, ScriptedModel
from supportbot.testing.local_pair import local_pairs
from supportbot.types import Capabilities, ModelAnswer, ModelRequest, Outgoing, ToolCall

LOOK_UP = ToolCall("call-0", "look_up", '{"order": "A-10002"}')


# --- late messages -------------------------------------------------------------------------------------------


async def test_late_messages_are_taken_in_at_most_twice(tmp_path: Path) -> None:
    async def chatty(count: int, request: ModelRequest) -> ModelAnswer:
        if count <= 3:
            await bot.receive(message(f"late-{count}", f"more {count}"))
        return ModelAnswer(f"answer {count}")

    model = Model(chatty)
    async with running(tmp_path, model) as (bot, shop):
        await bot.receive(message("first", "hello"))
        assert await sent(shop, 2) == ["answer 3", "answer 4"]
    assert answering(shop) == [("first", "late-1", "late-2"), ("late-3",)]
    assert [heard(request)[-1] for request in model.requests] == ["hello", "more 1", "more 2", "more 3"]


async def test_a_late_message_waits_its_turn_once_an_action_was_carried_out(tmp_path: Path) -> None:
    async def acting(count: int, request: ModelRequest) -> ModelAnswer:
        if count == 2:
            await bot.receive(message("late", "and thanks"))
        return ModelAnswer("", (REFUND,)) if count == 1 else ModelAnswer(f"answer {count}")

    async with running(tmp_path, Model(acting)) as (bot, shop):
        await bot.receive(message("first"))
        assert await sent(shop, 2) == ["answer 2", "answer 3"]
    assert answering(shop) == [("first",), ("late",)]
    assert ledger(tmp_path) == ["A-10002"]


async def test_a_late_message_is_still_taken_in_after_a_call_that_changes_nothing(tmp_path: Path) -> None:
    async def looking(count: int, request: ModelRequest) -> ModelAnswer:
        if count == 2:
            await bot.receive(message("late", "and thanks"))
        return ModelAnswer("", (LOOK_UP,)) if count == 1 else ModelAnswer(f"answer {count}")

    async with running(tmp_path, Model(looking)) as (bot, shop):
        await bot.receive(message("first"))
        assert await sent(shop, 1) == ["answer 3"]
    assert answering(shop) == [("first", "late")]


class Streaming(Shop):
    """A channel that shows replies while they are written."""

    capabilities = Capabilities(streaming=True, preview_interval=0.0)
    trouble: BaseException | None = None

    async def preview(self, outgoing: Outgoing, text: str) -> str:
        self.shown.append(text)
        if self.trouble is not None:
            raise self.trouble
        return "shown-1"


class Writing(ScriptedModel):
    """Writes its text in words, each long enough for a channel to show it; then `after` happens."""

    after: Callable[[int], Awaitable[object]] | None = None

    async def complete(self, request: ModelRequest, *, seconds: float, on_text: Any = None) -> ModelAnswer:
        answer = await super().complete(request, seconds=seconds)
        for word in answer.text.split() if on_text else ():
            await on_text(word + " ")
            await asyncio.sleep(0.03)
        if self.after is not None:
            await self.after(len(self.requests))
        return answer


async def test_a_late_message_waits_its_turn_once_something_was_shown(tmp_path: Path) -> None:
    async def late(count: int) -> None:
        if count == 1:
            await bot.receive(message("late", "more"))

    model = Writing(["On its way.", "Second."])
    model.after = late
    async with running(tmp_path, model, shop=Streaming()) as (bot, shop):
        await bot.receive(message("first"))
        assert await sent(shop, 2) == ["On its way.", "Second."]
    assert answering(shop) == [("first",), ("late",)]
    assert shop.shown[:3] == ["On ", "On its ", "On its way. "]
    assert shop.sent[0].preview == "shown-1", "the outbox finishes the message that was shown"


@pytest.mark.parametrize("trouble", [RuntimeError("garbage"), TimeoutError(), ExceptionGroup("g", [OSError()])])
async def test_a_preview_that_fails_costs_only_the_preview(tmp_path: Path, trouble: BaseException) -> None:
    shop = Streaming()
    shop.trouble = trouble
    async with running(tmp_path, Writing(["One two three."]), shop=shop) as (bot, _):
        await bot.receive(message("first"))
        assert await sent(shop, 1) == ["One two three."]
    assert shop.shown == ["One "], "it is not tried again in the same turn"


async def test_a_channel_that_shows_slowly_does_not_slow_the_model_and_skips_to_the_newest_text(
    tmp_path: Path,
) -> None:
    class Slow(Streaming):
        async def preview(self, outgoing: Outgoing, text: str) -> str:
            await asyncio.sleep(0.2)
            return await super().preview(outgoing, text)

    words = "one two three four five six seven eight nine ten"
    async with running(tmp_path, Writing([words]), shop=Slow()) as (bot, shop):
        began = time.monotonic()
        await bot.receive(message("first"))
        assert await sent(shop, 1) == [words]
    assert time.monotonic() - began < 1.5, "ten words in turn with the channel would take two seconds"
    assert 1 <= len(shop.shown) <= 4
    assert shop.sent[0].preview == "shown-1"


async def test_the_text_before_a_call_is_not_shown_again_before_the_answer(tmp_path: Path) -> None:
    model = Writing([Line(("Let me look.",), (LOOK_UP,)), "Found it."])
    shop = Streaming()
    async with running(tmp_path, model, shop=shop) as (bot, _):
        await bot.receive(message("first"))
        assert await sent(shop, 1) == ["Found it."]
    assert shop.shown[-1] == "Found it. " and "Let me look. " in shop.shown
    assert not any("look" in text and "Found" in text for text in shop.shown)


async def test_what_was_shown_before_a_crash_is_finished_and_not_shown_anew(tmp_path: Path) -> None:
    async def never(count: int) -> None:
        await asyncio.Event().wait()

    model = Writing(["On its way."])
    model.after = never
    async with running(tmp_path, model, shop=Streaming()) as (bot, shop):
        bot.drain_turns = 0.1
        await bot.receive(message("first"))
        while len(shop.shown) < 3:
            await asyncio.sleep(0.01)
        await quiet(0.05)
    async with running(tmp_path, Writing(["Second try."]), shop=Streaming()) as (bot, again):
        assert await sent(again, 1) == ["Second try."]
    assert again.shown == [], "nothing new is shown beside the message that stands there"
    assert again.sent[0].preview == "shown-1"


# --- who holds the turn --------------------------------------------------------------------------------------


async def test_a_frozen_worker_cannot_commit_and_nothing_is_sent_twice(tmp_path: Path) -> None:
    async def frozen(count: int, request: ModelRequest) -> ModelAnswer:
        if count == 1:
            (one,) = await bot.store.conversations()
            await bot.store.seize(one.id, until=time.time() + 90)
        return ModelAnswer(f"answer {count}")

    model = Model(frozen)
    async with running(tmp_path, model) as (bot, shop):
        await bot.receive(message("first"))
        assert await sent(shop, 1) == ["answer 2"]
        await quiet()
        (conversation,) = await bot.store.conversations()
        turns = await bot.store.transcript(conversation.id)
    assert (len(shop.sent), len(turns)) == (1, 1), "what the frozen one had decided was refused"


async def test_a_frozen_worker_that_lost_its_turn_carries_out_no_action(tmp_path: Path) -> None:
    async def frozen(count: int, request: ModelRequest) -> ModelAnswer:
        if count == 1:
            (one,) = await bot.store.conversations()
            await bot.store.seize(one.id, until=time.time() + 90)
        return ModelAnswer("", (REFUND,)) if count <= 2 else ModelAnswer("Refunded.")

    async with running(tmp_path, Model(frozen)) as (bot, shop):
        await bot.receive(message("first"))
        assert await sent(shop, 1) == ["Refunded."]
    assert ledger(tmp_path) == ["A-10002"]


async def test_a_turn_that_the_config_lets_last_long_is_not_given_to_another_worker(tmp_path: Path) -> None:
    clock, go = Clock(), asyncio.Event()

    async def slow(count: int, request: ModelRequest) -> ModelAnswer:
        if heard(request)[-1] == "slow":
            await go.wait()
        return ModelAnswer(f"answer to {heard(request)[-1]}")

    model = Model(slow)
    limits = {"turn_deadline": "5m", "answer_deadline": "6m"}
    async with running(tmp_path, model, clock=clock, limits=limits) as (bot, shop):
        await bot.receive(message("a", "slow"))
        await asyncio.sleep(0.05)
        clock.ahead = 120.0
        await bot.receive(message("b", "quick", chat="ben"))
        assert await sent(shop, 1) == ["answer to quick"]
        await quiet()
        go.set()
        assert (await sent(shop, 2))[1] == "answer to slow"
    assert len(model.requests) == 2


async def test_the_watchdog_ends_what_is_overdue_and_the_late_answer_is_not_sent(tmp_path: Path) -> None:
    clock = Clock()

    async def slow(count: int, request: ModelRequest) -> ModelAnswer:
        await asyncio.sleep(1.4)
        return ModelAnswer("too late")

    async with running(tmp_path, Model(slow), clock=clock) as (bot, shop):
        await bot.receive(message("a", "hello?"))
        await bot.receive(message("b", "anyone?"))
        await asyncio.sleep(0.05)
        clock.ahead = 61.0
        (text,) = await sent(shop, 1)
        await quiet(1.6)
        (handoff,) = await bot.store.handoffs()
    assert "passed your message on" in text and handoff.reason == "deadline"
    assert answering(shop) == [("a", "b")]


async def test_a_turn_that_breaks_the_bot_is_tried_again(tmp_path: Path) -> None:
    async def broken(count: int, request: ModelRequest) -> ModelAnswer:
        if count == 1:
            raise RuntimeError("a bug")
        return ModelAnswer("All is well.")

    async with running(tmp_path, Model(broken)) as (bot, shop):
        await bot.receive(message("a", "hello"))
        assert await sent(shop, 1) == ["All is well."]


async def test_a_turn_that_keeps_breaking_the_bot_goes_to_a_human(tmp_path: Path) -> None:
    write(tmp_path)
    async with local_pairs(tmp_path / "data" / "supportbot.db")() as pair:
        receipt = await pair.store.receive(message("a", "hello"), now=time.time(), ready_at=time.time())
        for _ in range(3):
            lease = await pair.store.seize(receipt.conversation, until=time.time() + 90)
            assert await pair.store.begin(lease, now=time.time()) is not None
    model = ScriptedModel(["never asked"])
    async with running(tmp_path, model) as (bot, shop):
        await sent(shop, 1)
        (handoff,) = await bot.store.handoffs()
    assert (handoff.reason, model.requests) == ("error", [])


async def test_a_turn_that_ignores_its_cancellation_does_not_keep_the_bot_from_closing(tmp_path: Path) -> None:
    free = asyncio.Event()

    async def stubborn(count: int, request: ModelRequest) -> ModelAnswer:
        while not free.is_set():
            try:
                await free.wait()
            except asyncio.CancelledError:
                continue
        return ModelAnswer("free")

    async with running(tmp_path, Model(stubborn)) as (bot, _):
        bot.drain_turns = 0.05
        await bot.receive(message("a", "hello"))
        await asyncio.sleep(0.05)
        began = time.monotonic()
        await bot.close()
        assert time.monotonic() - began < 4
        free.set()
        await quiet(0.05)
        await bot.open()
