"""Calls that wait, over time: under other flows, after what they waited for has changed, in places that others read."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jwt
import pytest

from supportbot.models import ScriptedModel
from supportbot.protocols import Adapter
from supportbot.testing.site import Site, serving
from supportbot.types import Address, Capabilities, Message, ModelAnswer, ModelRequest, Outgoing, ToolCall, User

SECRET = "a secret of thirty-two characters!"
SHOP = '''
import asyncio, json
from pathlib import Path
from supportbot import Limit, OutcomeUnknown, tool

def done(what, **facts):
    with (Path(__file__).parent / "ledger").open("a") as ledger:
        ledger.write(json.dumps({"what": what, **facts}) + chr(10))

@tool(effects=True, long=True)
async def rebuild(order: str) -> str:
    """Packs an order anew."""
    await asyncio.sleep(0.6)
    done("rebuild", order=order)
    if order == "A-13":
        raise OutcomeUnknown("the line broke")
    return "packed"

@tool(effects=True, confirm=True)
def refund(order: str) -> str:
    """Refunds an order."""
    done("refund", order=order)
    return "refunded"

@tool(effects=True, confirm=True, requires="verified")
def refund_known(order: str) -> str:
    """Refunds an order of somebody known."""
    done("refund", order=order)
    return "refunded"

@tool(effects=True, approve="human")
def waive(order: str) -> str:
    """Waives the fee."""
    done("waive", order=order)
    return "waived"

@tool(effects=True, bound={"street": "slots.street"})
def move(street: str) -> str:
    """Moves the customer."""
    done("move", street=street)
    return f"moved to {street}"

@tool(effects=True, limits=[Limit(times=2, every=60), Limit(times=10)])
def remind() -> str:
    """Sends a reminder."""
    done("remind")
    return "sent"

@tool(effects=True, limits=[Limit(times=1)])
def charge_card() -> object:
    """Charges the card."""
    done("charge")
    return object()

@tool(long=True)
async def my_balance() -> str:
    """Looks the balance up."""
    await asyncio.sleep(0.6)
    return "CANARY-4711"

@tool(effects=True, confirm=True)
def pay(account: str) -> str:
    """Pays."""
    return "paid"

@tool(requires="verified")
def orders() -> str:
    """Lists orders."""
    return "two orders"

@tool(requires="verified")
def points() -> str:
    """Counts points."""
    return "nine points"
'''
FLOWS = {
    "build": """
flow: build
description: Builds.
start: [{pattern: 'build (?P<order>A-\\d+)'}]
steps:
  - call: rebuild
    with: {order: "{{ order }}"}
    into: built
    declined: [{say: "They said no."}, end]
  - say: "Built: {{ built }}"
""",
    "wrap": """
flow: wrap
description: Wraps.
start: [{pattern: 'wrap it'}]
steps:
  - ask: paper
    question: Which paper?
  - say: "Wrapped in {{ paper }}."
""",
    "give_back": """
flow: give_back
description: Gives back.
start: [{pattern: 'give back (?P<order>A-\\d+)'}]
steps:
  - say: "I found {{ order }}."
  - call: refund
    with: {order: "{{ order }}"}
    declined: [{say: "Then not."}, end]
  - say: "Done."
""",
    "free": """
flow: free
description: Frees of the fee.
start: [{pattern: 'free (?P<order>A-\\d+)'}]
steps:
  - call: waive
    with: {order: "{{ order }}"}
    declined: [{say: "They said no."}, end]
  - say: "Waived."
""",
    "moving": """
flow: moving
description: Moves.
start: [{pattern: 'moving'}]
steps:
  - ask: street
    question: Which street?
  - set: {street: "{{ street }} West"}
  - call: move
    into: moved
  - say: "{{ moved }}"
""",
    "verify": """
flow: verify
description: Finds out who it is.
steps:
  - ask: address
    again: true
    question: Which address?
  - say: "I do not know {{ address }}."
""",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "flows").mkdir()
    for name, flow in FLOWS.items():
        (tmp_path / "flows" / f"{name}.yaml").write_text(flow)
    return tmp_path


def done(folder: Path) -> list[dict[str, Any]]:
    path = folder / "ledger"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def calls(name: str, **arguments: Any) -> ModelAnswer:
    return ModelAnswer("", (ToolCall("call_1", name, json.dumps(arguments)),), "scripted")


def config(**more: Any) -> dict[str, Any]:
    return {
        "tools": {"modules": ["shop.py"]},
        "identity": {"flow": "verify", "secrets": [SECRET], **more.pop("identity", {})},
        **more,
    }


def signed(customer: str) -> dict[str, str]:
    token = jwt.encode({"sub": customer, "exp": time.time() + 600}, SECRET, algorithm="HS256")
    return {"id": "u-c1", "identity": token}


@asynccontextmanager
async def opened(folder: Path, model: Any = "offline", **more: Any) -> AsyncIterator[Site]:
    async with serving(folder, model=model, config=config(**more)) as site:
        yield site


async def approval(site: Site) -> str:
    async with asyncio.timeout(10):
        while True:
            for one in site.receiver.accepted:
                if one.payload["type"] == "approval.requested":
                    return str(one.payload["call"])
            await asyncio.sleep(0.02)


# --- under another flow ----------------------------------------------------------------------------------------


async def test_what_ended_under_another_flow_is_kept_for_its_own(folder: Path) -> None:
    async with opened(folder) as site:
        assert await site.say("build A-1") == [
            "I've started that. It takes a few minutes; I'll write to you here as soon as it is done."
        ]
        assert await site.say("wrap it") == ["Which paper?"]
        await asyncio.sleep(1.2)
        assert await site.say("red") == ["Wrapped in red.", "Built: packed"]
    assert len(done(folder)) == 1


async def test_a_colleagues_no_under_another_flow_is_told_when_its_own_goes_on(folder: Path) -> None:
    async with opened(folder) as site:
        await site.say("free A-1")
        assert await site.say("wrap it") == ["Which paper?"]
        await site.post(type="approval.denied", call=await approval(site), user={"id": "ana"})
        await asyncio.sleep(0.4)
        assert await site.say("red") == ["Wrapped in red.", "They said no."]
        assert (await site.kinds()).count("approval.requested") == 1
    assert done(folder) == []


async def test_the_question_stands_behind_the_flows_own_words(folder: Path) -> None:
    async with opened(folder) as site:
        found, question = await site.say("give back A-1")
        assert (found, question.partition("?")[0]) == ("I found A-1.", "May I do this for you")
        assert await site.say("yes") == ["Done."]


async def test_an_action_that_outlives_its_flow_is_told_all_the_same(folder: Path) -> None:
    async with opened(folder) as site:
        await site.say("build A-1")
        await site.say("cancel")
        await site.say("build A-13", conversation="c2")
        await site.say("cancel", conversation="c2")
        replies = await site.replies(2)
        assert {(one["conversation"], one["text"].partition(".")[0]) for one in replies} == {
            ("c1", "That is done"),
            ("c2", "I've passed your conversation on to our team"),
        }
        (handoff,) = await site.bot.store.handoffs()
        assert handoff.reason == "unknown_outcome"


# --- bound, counted, shown ---------------------------------------------------------------------------------------


async def test_a_slot_is_bound_as_it_stands_now(folder: Path) -> None:
    async with opened(folder) as site:
        await site.say("moving")
        assert await site.say("Elm 1") == ["moved to Elm 1 West"]
    assert done(folder) == [{"what": "move", "street": "Elm 1 West"}]


async def test_two_limits_hold_beside_each_other(folder: Path) -> None:
    model = ScriptedModel(
        lambda request: request.messages[-1].content if request.messages[-1].role == "tool" else calls("remind")
    )
    async with opened(folder, model) as site:
        texts = [(await site.say("remind me"))[0] for _ in range(3)]
    assert texts[:2] == ["sent", "sent"] and "its limit is reached (2 time(s)" in texts[2]


async def test_what_was_done_is_done_also_if_it_cannot_be_shown(folder: Path) -> None:
    model = ScriptedModel(
        lambda request: (
            request.messages[-1].content if request.messages[-1].role == "tool" else calls("charge_card")
        )
    )
    async with opened(folder, model) as site:
        assert await site.say("charge it") == ["It was done. What it gave cannot be shown."]
        await site.say("again")
        assert [entry.outcome for entry in await site.bot.store.ledger()] == ["done"]
    assert len(done(folder)) == 1


async def test_words_beside_a_call_that_waits_are_neither_sent_nor_remembered(folder: Path) -> None:
    beside = ModelAnswer("It is refunded!", (ToolCall("call_1", "refund", '{"order": "A-1"}'),), "scripted")
    model = ScriptedModel([beside, "Hm."])
    async with opened(folder, model) as site:
        (question,) = await site.say("refund A-1")
        assert question.startswith("May I do this for you?")
        await site.say("why?")
    assert "It is refunded!" not in json.dumps([message.content for message in model.requests[-1].messages])


# --- what they waited for has changed ----------------------------------------------------------------------------


async def test_a_yes_after_the_proof_has_expired_asks_for_the_proof(folder: Path) -> None:
    model = ScriptedModel([calls("refund_known", order="A-1"), "Hm."])
    async with opened(folder, model, identity={"lasts": "1s"}) as site:
        await site.say("refund A-1", user=signed("c-1"))
        await asyncio.sleep(1.2)
        assert await site.say("yes") == ["For that I have to be sure who you are.", "Which address?"]
    assert done(folder) == []


async def test_all_that_waits_for_a_proof_goes_on_with_it(folder: Path) -> None:
    both = ModelAnswer("", (ToolCall("a", "orders", "{}"), ToolCall("b", "points", "{}")), "scripted")
    model = ScriptedModel([both, "Two orders and nine points."])
    async with opened(folder, model) as site:
        assert await site.say("my orders and points") == [
            "For that I have to be sure who you are.",
            "Which address?",
        ]
        replies = await site.say("x@example.org", user=signed("c-1"))
        assert replies[-1] == "Two orders and nine points."
    told = [message.content for message in model.requests[-1].messages if message.role == "tool"]
    assert told[-2:] == ["two orders", "nine points"]


async def test_a_proof_lets_one_call_run_while_another_still_wants_a_yes(folder: Path) -> None:
    both = ModelAnswer(
        "", (ToolCall("a", "orders", "{}"), ToolCall("b", "refund_known", '{"order": "A-1"}')), "scripted"
    )
    again = ModelAnswer("", (ToolCall("c", "refund_known", '{"order": "A-1"}'),), "scripted")
    model = ScriptedModel([both, again, "Refunded."])
    async with opened(folder, model) as site:
        await site.say("my orders, and refund A-1")
        replies = await site.say("x@example.org", user=signed("c-1"))
        assert "Which address?" not in replies and replies[-1].startswith("May I do this for you?")
        assert await site.say("yes") == ["Refunded."]
    assert len(done(folder)) == 1


async def test_a_yes_is_taken_although_something_else_happened_meanwhile(folder: Path) -> None:
    model = ScriptedModel(
        lambda request: "ok" if request.messages[-1].role == "tool" else calls("refund", order="A-1")
    )
    async with opened(folder, model) as site:
        await site.say("refund A-1")
        await site.post(type="event", event={"name": "page.seen"}, wait=1)
        assert await site.say("yes") == ["ok"]
    assert len(done(folder)) == 1


# --- where others read -------------------------------------------------------------------------------------------


class Group(Adapter):
    """A place that several people read."""

    capabilities = Capabilities(burst_wait=0.0, streaming=True, preview_interval=0.01)

    def __init__(self) -> None:
        super().__init__("group", {})
        self.sent: list[tuple[bool, str]] = []
        self.shown: list[str] = []
        self._ids = iter(range(1000))

    async def preview(self, outgoing: Outgoing, text: str) -> str:
        self.shown.append(text)
        return "p1"

    async def send(self, outgoing: Outgoing) -> str:
        assert outgoing.reply is not None
        self.sent.append((outgoing.reply.private, outgoing.reply.text))
        return "1"

    async def hear(self, site: Site, text: str, user: str, kind: Any = "message") -> None:
        message = Message(
            Address("group", "g1"), f"m{next(self._ids)}", User(user, user), text, kind, shared=kind == "message"
        )
        await site.bot.receive(message)
        await asyncio.sleep(0.5)


class Model(ScriptedModel):
    """Calls what is named, says what it came to, and keeps what it read when Ben asked."""

    def __init__(self) -> None:
        super().__init__(self._says)
        self.for_ben = ""

    def _says(self, request: ModelRequest) -> Any:
        last = request.messages[-1]
        if last.role == "tool":
            return f"It is {last.content}"
        if last.content == "my balance":
            return calls("my_balance")
        if last.content == "pay":
            return calls("pay", account="CANARY-DE99")
        if last.content.startswith("ben"):
            self.for_ben = " ".join(f"{one.content} {one.tool_calls}" for one in request.messages[1:])
        return "ok"


async def test_what_one_was_asked_and_told_in_a_group_stays_with_them(folder: Path) -> None:
    group, model = Group(), Model()
    async with serving(folder, model=model, config=config(), channels={"group": group}) as site:
        await group.hear(site, "pay", "anna")
        await group.hear(site, "my balance", "anna")
        await asyncio.sleep(1.0)
        assert any("It is CANARY-4711" in text for _, text in group.sent)
        await group.hear(site, "ben asks", "ben")
    assert [private for private, text in group.sent if "CANARY" in text] and all(
        private for private, text in group.sent if "CANARY" in text
    )
    assert not any("CANARY" in text for text in group.shown)
    assert model.for_ben and "CANARY" not in model.for_ben


async def test_what_ends_while_a_human_has_the_word_stays_with_its_customer(folder: Path) -> None:
    group, model = Group(), Model()
    async with serving(folder, model=model, config=config(), channels={"group": group}) as site:
        await group.hear(site, "my balance", "anna")
        await group.hear(site, "hello", "ana", "human.message")
        await asyncio.sleep(0.8)
        await group.hear(site, "", "ana", "handoff.resolved")
        await group.hear(site, "ben asks", "ben")
    assert model.for_ben and "CANARY" not in model.for_ben
