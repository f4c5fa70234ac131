"""The promises, each broken on purpose over real HTTP: killed and frozen processes, failing channels, echoing servers."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from processes import Place, place

from supportbot.models import Line, ScriptedModel
from supportbot.stores.sqlite import SqliteStore
from supportbot.testing.openai_server import FakeOpenAI, Fault, Say
from supportbot.testing.receiver import RESET_AFTER_ACCEPTING, Answer, Receiver
from supportbot.testing.site import Site, serving
from supportbot.types import Capabilities, ModelAnswer, ModelRequest, ToolCall

NOTIFY_SECRET = "whsec_" + "bm90aWZ5IHNlY3JldCBvZiB0aGUgdGVzdHM="
AGENT = {"id": "ana", "name": "Ana"}
TOOLS = '''
import os, signal
from pathlib import Path
from supportbot import tool

@tool(effects=True)
def refund(order: str) -> str:
    """Refunds an order."""
    with (Path(__file__).parent / "ledger").open("a") as ledger:
        ledger.write(order + chr(10))
    os.kill(os.getpid(), signal.SIGKILL)
'''


def said(body: Mapping[str, Any]) -> str:
    """What the customer said last, as the model server reads it."""
    return str([one["content"] for one in body["messages"] if one["role"] == "user"][-1])


def echo(body: Mapping[str, Any]) -> Say:
    return Say(f"You said {said(body)}.", delay=0.05)


def once_each(replies: list[dict[str, Any]]) -> bool:
    """Whether no message was answered by two different replies."""
    counted = Counter(id for reply in replies for id in reply["in_reply_to"])
    return bool(counted) and set(counted.values()) == {1}


# --- I1 and I2 -----------------------------------------------------------------------------------------------


async def test_every_acknowledged_message_is_answered_over_kill_minus_nine_and_once(tmp_path: Path) -> None:
    async with place(tmp_path, FakeOpenAI(echo)) as bot:
        acknowledged: set[str] = set()

        async def post(number: int) -> None:
            response = await bot.post(f"hello {number}", id=f"k{number}", conversation=f"c{number % 20}")
            if response.status_code == 202:
                acknowledged.add(f"k{number}")

        for round in range(2):
            await bot.start()
            posts = [asyncio.create_task(post(number)) for number in range(round * 60, round * 60 + 60)]
            await asyncio.sleep(0.15)
            await bot.end(signal.SIGKILL)
            await asyncio.gather(*posts, return_exceptions=True)
        await bot.start()
        assert acknowledged
        replies = await bot.answered(acknowledged)
    assert once_each(replies)


async def test_a_terminated_process_loses_nothing_and_ends_well(tmp_path: Path) -> None:
    async with place(tmp_path, FakeOpenAI(lambda body: Say("Late but here.", delay=0.5))) as bot:
        await bot.start()
        for number in range(10):
            assert (await bot.post("hi", id=f"t{number}", conversation=f"c{number}")).status_code == 202
        assert await bot.end(signal.SIGTERM) == 0
        await bot.start()
        replies = await bot.answered({f"t{number}" for number in range(10)})
        assert once_each(replies) and len(replies) == 10


async def test_a_platform_that_breaks_off_after_accepting_gets_the_same_id_again(tmp_path: Path) -> None:
    async with serving(tmp_path, model=ScriptedModel(["One.", "Two."])) as site:
        _hasten(site)
        site.receiver.next(RESET_AFTER_ACCEPTING)
        await site.post("a")
        await site.receiver.wait_for(2)
        await site.post("b")
        taken = await site.receiver.wait_for(3)
        assert [one.payload["text"] for one in taken] == ["One.", "One.", "Two."]
        assert taken[0].id == taken[1].id != taken[2].id


async def test_who_gives_up_waiting_or_vanishes_is_called_back_and_who_waited_is_not(tmp_path: Path) -> None:
    model = ScriptedModel([Line(("Slow one.",), delay=0.4), Line(("Slow two.",), delay=0.4), "Quick."])
    async with serving(tmp_path, model=model) as site:
        assert (await site.post("a", id="gave-up", wait=0.1)).status_code == 202
        await site.replies(1)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await site.post("b", id="vanished", wait=20)
        replies = await site.replies(2)
        assert await site.say("c") == ["Quick."]
        await asyncio.sleep(0.2)
        assert len(site.receiver.accepted) == 2
    assert [reply["in_reply_to"] for reply in replies] == [["gave-up"], ["vanished"]]


def _hasten(site: Site) -> None:
    desk = site.bot.adapters["desk"]
    desk.capabilities = Capabilities(buttons=True, events=True, burst_wait=0.0, retry_delays=(0.1, 0.1, 0.1, 0.1))


# --- I3 ------------------------------------------------------------------------------------------------------


async def test_turns_of_a_conversation_never_overlap_and_keep_their_order(tmp_path: Path) -> None:
    model = Watching()
    async with serving(tmp_path, model=model) as site:
        await asyncio.gather(*(_in_order(site, f"c{number}") for number in range(8)))
        replies = await site.replies(8 * 3)
    assert model.overlapped == []
    for number in range(8):
        mine = [reply["text"] for reply in replies if reply["conversation"] == f"c{number}"]
        assert mine == [f"answer to c{number} {n}" for n in range(3)]


async def _in_order(site: Site, conversation: str) -> None:
    for number in range(3):
        # a pressed button is a turn of its own
        action = {"id": "x", "value": f"{conversation} {number}"}
        await site.post(conversation=conversation, type="action", action=action)


class Watching:
    """A model that notices when it is asked twice at a time for one conversation."""

    def __init__(self) -> None:
        self.busy: set[str] = set()
        self.overlapped: list[str] = []

    async def complete(self, request: ModelRequest, *, seconds: float, on_text: object = None) -> ModelAnswer:
        users = [one.content for one in request.messages if one.role == "user"]
        who = users[-1].partition(" ")[0]
        self.overlapped += [who] if who in self.busy else []
        self.busy.add(who)
        await asyncio.sleep(0.02)
        self.busy.discard(who)
        return ModelAnswer(f"answer to {users[-1]}")

    async def close(self) -> None:
        """Nothing is held open."""


async def test_a_process_frozen_past_its_time_answers_each_message_in_one_way(tmp_path: Path) -> None:
    limits = {"turn_deadline": "1s", "answer_deadline": "2s"}
    async with place(tmp_path, FakeOpenAI(lambda body: Say("In time?", delay=0.4)), limits=limits) as bot:
        await bot.start()
        for number in range(5):
            await bot.post("hi", id=f"f{number}", conversation=f"c{number}")
        await asyncio.sleep(0.1)
        bot.send(signal.SIGSTOP)
        await asyncio.sleep(2.5)
        bot.send(signal.SIGCONT)
        replies = await bot.answered({f"f{number}" for number in range(5)})
        await asyncio.sleep(0.5)
        assert once_each(bot.replies()) and len(bot.receiver.accepted) == len(
            {one.id for one in bot.receiver.accepted}
        )
        assert len(replies) == 5


# --- I4 ------------------------------------------------------------------------------------------------------


async def test_every_message_has_its_ending_in_time_also_while_it_is_queued(tmp_path: Path) -> None:
    config = {"limits": {"turn_deadline": "0.6s", "answer_deadline": "1.2s", "workers": 1}}
    async with serving(
        tmp_path, model=ScriptedModel([Line(("late",), delay=60)], repeat=True), config=config
    ) as site:
        began = time.monotonic()
        for number in range(6):
            await site.post("hello?", id=f"q{number}", conversation=f"c{number}")
        replies = await site.replies(6, seconds=8)
        assert time.monotonic() - began < 5
        assert once_each(replies)
        assert {handoff.reason for handoff in await site.bot.store.handoffs()} <= {"model_failed", "deadline"}


async def test_after_a_downtime_what_is_overdue_gets_the_honest_words_first(tmp_path: Path) -> None:
    limits = {"turn_deadline": "0.5s", "answer_deadline": "1s"}
    async with place(tmp_path, FakeOpenAI(lambda body: Say("x", delay=30)), limits=limits) as bot:
        await bot.start()
        assert (await bot.post("hello?", id="old")).status_code == 202
        await bot.end(signal.SIGKILL)
        await asyncio.sleep(1.2)
        asked = len(bot.model.requests) if bot.model else 0
        await bot.start()
        (reply,) = await bot.answered({"old"})
        assert "could not answer you in time" in reply["text"]
        assert bot.model is not None and len(bot.model.requests) == asked


# --- I5 and I8 -----------------------------------------------------------------------------------------------


async def test_nothing_of_one_customer_reaches_another(tmp_path: Path) -> None:
    words = {number: f"Zebra{number:03}Xylo" for number in range(50)}
    async with place(tmp_path, FakeOpenAI(echo)) as bot:
        await bot.start()
        for round in range(2):
            posts = (
                bot.post(f"I am {word} round {round}", id=f"z{number}-{round}", conversation=f"c{number}")
                for number, word in words.items()
            )
            await asyncio.gather(*posts)
            await bot.answered({f"z{number}-{round}" for number in words})
        await bot.post("/human", id="last", conversation="c7")
        await bot.answered({"last"})
        replies, log = bot.replies(), bot.log
        assert bot.model is not None
        for request in bot.model.requests:
            assert len(_secrets_in(json.dumps(request.body))) == 1
        for reply in replies:
            assert _secrets_in(reply["text"]) <= {words[int(reply["conversation"][1:])]}
        for event in (one.payload for one in bot.receiver.accepted if one.payload["type"] == "handoff.requested"):
            assert _secrets_in(json.dumps(event)) == {words[7]}
        assert _secrets_in(log) == set(), "customers' words do not belong in the log"
        await _traces_are_apart(bot, words)


def _secrets_in(text: str) -> set[str]:
    return set(re.findall(r"Zebra\d{3}Xylo", text))


async def _traces_are_apart(bot: Place, words: Mapping[int, str]) -> None:
    store = SqliteStore.read_only(bot.database)
    await store.open()
    try:
        for conversation in await store.conversations(limit=100):
            own = {words[int(conversation.address.chat[1:])]}
            assert _secrets_in(str(await store.traces(conversation.id, limit=10))) <= own
            assert _secrets_in(str(await store.transcript(conversation.id))) == own
    finally:
        await store.close()


async def test_no_secret_is_written_anywhere(tmp_path: Path) -> None:
    key, file_key = "sk-proj-AbCdEf0123456789GhIjKl", "whsec_" + "ZmlsZSBzZWNyZXQgb2YgdGhlIHRlc3Rz"
    (tmp_path / "notify.key").write_text(file_key)
    async with Receiver(file_key) as notify:
        handoff = {"notify_url": notify.url, "notify_secret_file": "notify.key", "allow_private": True}
        model = FakeOpenAI(lambda body: Fault(said(body)) if said(body) != "hi" else Say("ok"), key=key)  # type: ignore[arg-type]
        async with place(tmp_path, model, handoff=handoff, logging={"format": "text", "level": "debug"}) as bot:
            await _through_every_failure(bot)
            await notify.wait_for(2)
            secrets = [key, file_key, bot.environment["DESK_SECRET"], file_key[6:], key[8:]]
            places = {
                "the log": bot.log.encode(),
                **{path.name: path.read_bytes() for path in bot.database.parent.iterdir() if path.is_file()},
                "callbacks": b"".join(_whole(one) for one in bot.receiver.ledger),
                "notices": b"".join(_whole(one) for one in notify.ledger),
            }
    assert b"wrong_key" in places["supportbot.db"] + places.get("supportbot.db-wal", b""), "the messages did come"
    leaks = {name for name, written in places.items() for secret in secrets if secret.encode() in written}
    assert leaks == set()


async def _through_every_failure(bot: Place) -> None:
    """Every kind of error, the wrong key that the server echoes among them; a kill and a restart in between."""
    bot.environment["DESK_SECRET"] = SECRET_OF_THE_DESK
    await bot.start()
    faults = ["wrong_key", "insufficient_quota", "server_error", "html", "truncated_json", "reset_before_headers"]
    for number, kind in enumerate(faults):
        await bot.post(kind, id=f"s{number}", conversation=f"c{number}")
    await bot.http.post(f"{bot.url}/webhook/desk", content=b"{}", headers={"webhook-signature": "v1,forged"})
    await bot.answered({"s0", "s1"}, seconds=30)
    await bot.end(signal.SIGKILL)
    await bot.start()
    await bot.post("hi", id="well", conversation="c99")
    await bot.answered({"well", *(f"s{number}" for number in range(len(faults)))}, seconds=30)
    await bot.end(signal.SIGTERM)


SECRET_OF_THE_DESK = "whsec_" + "dGhlIHNlY3JldCBvZiB0aGUgdGVzdHMgb25seQ=="


def _whole(delivery: Any) -> bytes:
    headers = {name: value for name, value in delivery.headers.items() if name != "webhook-signature"}
    return json.dumps(headers).encode() + bytes(delivery.body)


# --- I6 ------------------------------------------------------------------------------------------------------


async def test_an_action_runs_once_and_its_unknown_outcome_reaches_a_human(tmp_path: Path) -> None:
    (tmp_path / "shop_tools.py").write_text(TOOLS)
    call = Say(tool_calls=(ToolCall("call-1", "refund", '{"order": "A-10002"}'),))
    async with Receiver(NOTIFY_SECRET) as notify:
        handoff = {"notify_url": notify.url, "notify_secret": NOTIFY_SECRET, "allow_private": True}
        config: dict[str, Any] = {"handoff": handoff, "tools": {"modules": ["shop_tools.py"]}}
        async with place(tmp_path, FakeOpenAI(lambda body: call), **config) as bot:
            await bot.start()
            await bot.post("refund A-10002", id="r1")
            assert bot.process is not None
            assert await asyncio.to_thread(bot.process.wait, 20) == -signal.SIGKILL
            await bot.start()
            (reply,) = await bot.answered({"r1"})
            (notice,) = await notify.wait_for(1)
            assert (tmp_path / "ledger").read_text() == "A-10002\n"
    assert "passed your conversation on" in reply["text"]
    assert notice.genuine and notice.payload["reason"] == "unknown_outcome"


# --- I7 ------------------------------------------------------------------------------------------------------


async def test_a_handoff_is_told_to_who_must_know_signed_and_until_it_is_taken(tmp_path: Path) -> None:
    async with Receiver(NOTIFY_SECRET) as notify:
        notify.next(Answer(status=500), Answer(status=503))
        handoff = {"notify_url": notify.url, "notify_secret": NOTIFY_SECRET, "allow_private": True}
        async with serving(tmp_path, model=ScriptedModel(["Back."]), config={"handoff": handoff}) as site:
            _hasten_notices(site)
            await site.say("my name is Zoe")
            await site.say("/human")
            (first,) = await notify.wait_for(1)
            await site.post(type="handoff.claimed", user=AGENT)
            await site.post("I am Ana.", type="human.message", user=AGENT)
            assert await site.say("are you there?") == [], "the bot is silent while a human owns the conversation"
            await site.post(type="handoff.returned", user=AGENT)
            told = await notify.wait_for(3)
            assert await site.say("and now?") != []
    tries = [one for one in notify.ledger if one.id == first.id]
    assert [one.accepted for one in tries] == [False, False, True] and all(one.genuine for one in notify.ledger)
    kinds = ["handoff.requested", "handoff.claimed", "handoff.returned"]
    assert [one.payload["type"] for one in told] == kinds
    transcript = [line["text"] for line in first.payload["transcript"]]
    assert "my name is Zoe" in transcript and first.payload["reason"] == "requested"


def _hasten_notices(site: Site) -> None:
    notifier = site.bot._notifier
    assert notifier is not None
    notifier.capabilities = Capabilities(events=True, retry_delays=(0.1, 0.1, 0.1))
