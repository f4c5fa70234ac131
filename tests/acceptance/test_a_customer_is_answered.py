"""A message in, a reply out, over real HTTP and a real database."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from supportbot.errors import ModelBilling, ModelUnavailable
from supportbot.models import Line, ScriptedModel
from supportbot.testing.site import serving
from supportbot.types import ToolCall

DELIVERY = "# Delivery\n\n## How long it takes\n\nDelivery within Germany takes two to four working days.\n"


async def test_a_webhook_is_answered_by_a_signed_callback(tmp_path: Path) -> None:
    async with serving(tmp_path, model=ScriptedModel(["Hello, I am Mia."])) as site:
        accepted = await site.post("hi", id="first")
        assert (accepted.status_code, accepted.json()) == (202, {"accepted": True, "id": "first"})
        (reply,) = await site.replies(1)
        assert (reply["text"], reply["in_reply_to"], reply["conversation"]) == (
            "Hello, I am Mia.",
            ["first"],
            "c1",
        )
        assert all(delivery.genuine for delivery in site.receiver.ledger)


async def test_who_waits_gets_the_answer_at_once_and_no_callback(tmp_path: Path) -> None:
    async with serving(tmp_path, model=ScriptedModel(["At once."])) as site:
        assert await site.say("hi") == ["At once."]
        await asyncio.sleep(0.2)
        assert site.receiver.accepted == ()


async def test_a_repeat_is_acknowledged_and_answered_once(tmp_path: Path) -> None:
    async with serving(tmp_path, model=ScriptedModel(["Once."])) as site:
        for _ in range(3):
            assert (await site.post("hi", id="same")).status_code == 202
        await site.replies(1)
        await asyncio.sleep(0.2)
        assert len(site.receiver.accepted) == 1
        assert (await site.post("something else", id="same")).status_code == 409


async def test_the_second_turn_sees_the_first(tmp_path: Path) -> None:
    model = ScriptedModel(["One.", "Two."])
    async with serving(tmp_path, model=model) as site:
        await site.say("my name is Ada")
        await site.say("what is my name?")
    said = [(message.role, message.content) for message in model.requests[1].messages]
    assert ("user", "my name is Ada") in said
    assert ("assistant", "One.") in said
    assert said[-1] == ("user", "what is my name?")


async def test_conversations_never_see_each_other(tmp_path: Path) -> None:
    model = ScriptedModel(["x"], repeat=True)
    async with serving(tmp_path, model=model) as site:
        await asyncio.gather(*(site.say(f"secret-{n}", conversation=f"c{n}") for n in range(20)))
        await asyncio.gather(*(site.say("again", conversation=f"c{n}") for n in range(20)))
    for request in model.requests:
        secrets = {word for message in request.messages for word in message.content.split() if "secret-" in word}
        assert len(secrets) == 1


async def test_messages_that_arrive_while_the_model_thinks_are_seen_before_the_answer(tmp_path: Path) -> None:
    model = ScriptedModel([Line(("old",), delay=0.4), "new"])
    async with serving(tmp_path, model=model) as site:
        await site.post("first", id="a")
        await asyncio.sleep(0.1)
        await site.post("second", id="b")
        (reply,) = await site.replies(1)
        await asyncio.sleep(0.3)
        assert len(site.receiver.accepted) == 1
    assert (reply["text"], reply["in_reply_to"]) == ("new", ["a", "b"])
    assert [m.content for m in model.requests[1].messages if m.role == "user"] == ["first", "second"]


async def test_a_failing_model_is_replaced_by_an_extract_with_its_source(tmp_path: Path) -> None:
    (tmp_path / "knowledge").mkdir()
    (tmp_path / "knowledge" / "delivery.md").write_text(DELIVERY)
    async with serving(tmp_path, model=ScriptedModel([ModelUnavailable("down")])) as site:
        (text,) = await site.say("How long does delivery take?")
    assert "two to four working days" in text
    assert "knowledge/delivery.md" in text


async def test_when_nothing_can_answer_a_human_gets_the_conversation(tmp_path: Path) -> None:
    async with serving(tmp_path, model=ScriptedModel([ModelBilling("no credit")])) as site:
        (text,) = await site.say("Why is the sky blue?")
        assert "team" in text
        await site.receiver.wait_for(1)
        (request,) = [p for p in await site.payloads(1) if p["type"] == "handoff.requested"]
        assert request["reason"] == "model_failed"
        assert await site.say("hello?") == []


async def test_the_model_decides_on_a_handoff_by_a_call_and_never_by_words(tmp_path: Path) -> None:
    call = ToolCall("1", "hand_over", '{"reason": "She is upset.", "requested": false}')
    async with serving(tmp_path, model=ScriptedModel(["I hand you over to a human.", call])) as site:
        assert await site.say("hm") == ["I hand you over to a human."]
        assert await site.bot.store.handoffs() == ()
        await site.say("I am upset")
        (handoff,) = await site.bot.store.handoffs()
    assert (handoff.reason, handoff.detail, handoff.status) == ("model", "She is upset.", "waiting")


async def test_a_human_answers_hands_back_and_the_bot_goes_on(tmp_path: Path) -> None:
    model = ScriptedModel(["I am here again."])
    agent = {"id": "ana", "name": "Ana"}
    async with serving(tmp_path, model=model) as site:
        await site.say("/human")
        await site.post(type="handoff.claimed", user=agent)
        await site.post("I have refunded it.", type="human.message", user=agent)
        replies = await site.replies(1)
        assert replies[-1]["text"] == "I have refunded it."
        assert await site.say("thank you") == []
        await site.post(type="handoff.returned", user=agent)
        await site.replies(2)
        assert await site.say("one more thing") == ["I am here again."]
        assert [kind for kind in await site.kinds() if kind != "message.reply"] == [
            "handoff.requested",
            "handoff.claimed",
            "handoff.returned",
        ]
    (note,) = [m.content for m in model.requests[0].messages if "[Hand-back note]" in m.content]
    assert "Ana wrote 1 message" in note
    assert "no longer holds" in note


async def test_nobody_claims_then_the_customer_is_told_and_at_the_ceiling_the_bot_resumes(tmp_path: Path) -> None:
    config = {"handoff": {"deadline": "0.3s", "ceiling": "0.8s"}}
    async with serving(tmp_path, model=ScriptedModel(["Here I am."]), config=config) as site:
        await site.say("/human")
        await site.replies(2, seconds=5)
        (handoff,) = await site.bot.store.handoffs(open_only=False)
        assert handoff.status == "expired"
        assert await site.say("hello") == ["Here I am."]


async def test_a_slow_model_meets_the_deadline_and_the_ladder_goes_on(tmp_path: Path) -> None:
    config = {"limits": {"turn_deadline": "0.5s", "answer_deadline": "5s"}}
    async with serving(tmp_path, model=ScriptedModel([Line(("late",), delay=30)]), config=config) as site:
        (text,) = await site.say("hello?")
        (handoff,) = await site.bot.store.handoffs()
    assert "team" in text
    assert handoff.reason == "model_failed"


class Stuck:
    """A model that hangs and ignores its deadline: only the watchdog helps."""

    async def complete(self, request: object, *, seconds: float, on_text: object = None) -> object:
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                if asyncio.current_task() and asyncio.current_task().cancelling() > 1:  # type: ignore[union-attr]
                    raise

    async def close(self) -> None:
        """Nothing is held open."""


async def test_a_stuck_turn_is_ended_by_the_watchdog_with_an_honest_notice(tmp_path: Path) -> None:
    config = {"limits": {"turn_deadline": "0.5s", "answer_deadline": "1s"}}
    async with serving(tmp_path, model=Stuck(), config=config) as site:  # type: ignore[arg-type]
        await site.post("hello?")
        await site.post("anyone?")
        (reply,) = await site.replies(1, seconds=6)
        (handoff,) = await site.bot.store.handoffs()
        assert len(reply["in_reply_to"]) == 2
        assert handoff.reason == "deadline"
        for task in list(site.bot.worker._running.values()):
            task.cancel()


async def test_what_was_accepted_before_a_restart_is_answered_after_it(tmp_path: Path) -> None:
    slow = ScriptedModel([Line(("never",), delay=60)], repeat=True)
    async with serving(tmp_path, model=slow) as site:
        site.bot.drain_turns = 0.1
        await site.post("hello", id="kept")
        await asyncio.sleep(0.1)
    async with serving(tmp_path, model=ScriptedModel(["Answered."])) as site:
        (reply,) = await site.replies(1)
    assert (reply["text"], reply["in_reply_to"]) == ("Answered.", ["kept"])


@pytest.mark.parametrize("status", [500, 429, 302, 404])
async def test_a_callback_that_fails_is_retried_with_the_same_id_and_in_order(tmp_path: Path, status: int) -> None:
    from supportbot.testing.receiver import Answer

    model = ScriptedModel(["One.", "Two."])
    async with serving(tmp_path, model=model) as site:
        site.bot.adapters["desk"].capabilities = _quick(site.bot.adapters["desk"].capabilities)
        site.receiver.next(Answer(status=status))
        await site.post("a")
        await asyncio.sleep(0.1)
        await site.post("b")
        replies = await site.replies(2)
        ids = [delivery.id for delivery in site.receiver.ledger]
    assert [reply["text"] for reply in replies] == ["One.", "Two."]
    assert ids == [replies[0]["id"], replies[0]["id"], replies[1]["id"]]


def _quick(capabilities: object) -> object:
    from dataclasses import replace

    return replace(capabilities, retry_delays=(0.3, 0.3))  # type: ignore[type-var]
