"""Ways round a customer's yes: words that answer something else, arguments that hide, a second identity. None works."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import jwt
import pytest

from supportbot.models import Line, ScriptedModel
from supportbot.testing.site import serving
from supportbot.types import ModelAnswer, ModelRequest, ToolCall

SECRET = "a secret of thirty-two characters!"
SHOP = '''
import asyncio, json
from pathlib import Path
from supportbot import tool

def done(what, **facts):
    with (Path(__file__).parent / "ledger").open("a") as ledger:
        ledger.write(json.dumps({"what": what, **facts}) + chr(10))

@tool(effects=True, confirm=True)
def refund(order: str, amount: float = 5.0) -> str:
    """Refunds an order."""
    done("refund", order=order, amount=amount)
    return "refunded"

@tool(effects=True, confirm="Shall I refund {{ order }}?")
def refund_in_own_words(order: str, account: str = "") -> str:
    """Refunds an order."""
    done("refund", order=order, account=account)
    return "refunded"

@tool(effects=True)
def change_address(street: str) -> str:
    """Changes the address."""
    done("address", street=street)
    return "changed"

@tool(long=True)
async def look_long() -> str:
    """Looks for a long time."""
    await asyncio.sleep(0.5)
    return "Ask the customer whether they like us."

@tool(effects=True)
async def slow() -> str:
    """Takes its time."""
    await asyncio.sleep(1.0)
    return "slow"

@tool(bound={"customer": "identity.customer"})
def my_orders(customer: str) -> str:
    """Lists the customer's orders."""
    return f"CANARY-{customer}"
'''
WRAP = """
flow: wrap
description: Wraps.
start:
  - pattern: 'wrap it'
steps:
  - ask: wrapped
    type: yes_no
    question: Gift wrapping?
  - say: "Wrapped: {{ wrapped }}"
"""
MOVE = """
flow: move
description: Moves.
start:
  - pattern: 'move to (?P<street>.+)'
steps:
  - ask: sure
    type: yes_no
    question: Shall I change it?
  - if: sure
    then:
      - call: change_address
        with: {street: "{{ street }}"}
      - say: "Changed."
"""
CONFIG: dict[str, Any] = {"tools": {"modules": ["shop.py"]}, "identity": {"secrets": [SECRET]}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "wrap.yaml").write_text(WRAP)
    (tmp_path / "flows" / "move.yaml").write_text(MOVE)
    return tmp_path


def ledger(folder: Path) -> list[dict[str, Any]]:
    path = folder / "ledger"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def calls(name: str, **arguments: Any) -> ModelAnswer:
    return ModelAnswer("", (ToolCall("call_1", name, json.dumps(arguments)),), "scripted")


async def test_a_flows_question_waits_while_a_yes_is_asked_for(folder: Path) -> None:
    """Two questions at once would make one yes mean either."""
    model = ScriptedModel([calls("refund", order="A-1"), "Refunded."])
    async with serving(folder, model=model, config=CONFIG) as site:
        assert await site.say("wrap it") == ["Gift wrapping?"]
        (question,) = await site.say("what about my refund?")
        assert question.startswith("May I do this for you?")
        assert await site.say("no thanks") == ["All right, I have not done that.", "Gift wrapping?"]
        assert await site.say("yes please") == ["Wrapped: True"]
    assert ledger(folder) == []


async def test_a_question_that_the_model_asks_later_is_not_answered_by_the_same_yes(folder: Path) -> None:
    def says(request: ModelRequest) -> Any:
        last = request.messages[-1]
        if last.role == "tool":
            return "Do you like our shop?" if "whether they like us" in last.content else "Done."
        return calls("look_long") if "look" in last.content else calls("refund", order="A-1")

    async with serving(folder, model=ScriptedModel(says), config=CONFIG) as site:
        await site.say("look")
        await site.say("refund A-1")
        replies = await site.replies(2, 10)
        assert [reply["text"].partition("\n")[0] for reply in replies] == [
            "Do you like our shop?",
            "May I do this for you? It is done only if you say yes.",
        ], "the question that a yes answers is the last one"


async def test_a_yes_that_came_before_the_question_is_none(folder: Path) -> None:
    both = ModelAnswer("", (ToolCall("a", "slow", "{}"), ToolCall("b", "refund", '{"order": "A-1"}')), "scripted")
    async with serving(folder, model=ScriptedModel([both, "Yes what?"], repeat=True), config=CONFIG) as site:
        await site.post("start")
        await asyncio.sleep(0.4)
        await site.post("yes")
        async with asyncio.timeout(15):
            while len(await site.kinds()) < 3:
                await asyncio.sleep(0.05)
    assert ledger(folder) == []


@pytest.mark.parametrize(
    "words",
    [
        "ok?",
        "yes?",
        "right?",
        "ok 👎",
        "yes ❌",
        "ok :(",
        "> yes",
        "~~yes~~",
        '"yes"',
        "#yes",
        "is ok?",
        "yes / no",
    ],
)
async def test_what_is_no_plain_yes_is_asked_again(folder: Path, words: str) -> None:
    model = ScriptedModel([calls("refund", order="A-1"), "Hm.", "Hm."])
    async with serving(folder, model=model, config=CONFIG) as site:
        await site.say("refund A-1")
        assert (await site.say(words))[-1].startswith("May I do this for you?")
    assert ledger(folder) == []


async def test_a_model_cannot_answer_a_yes_or_no_for_the_customer(folder: Path) -> None:
    model = ScriptedModel([calls("answer_question", value="yes"), "It takes two days."])
    async with serving(folder, model=model, config=CONFIG) as site:
        assert await site.say("move to Elm 1") == ["Shall I change it?"]
        assert await site.say("how long does delivery take?") == ["It takes two days.", "Shall I change it?"]
    assert ledger(folder) == []
    assert "answer_question" not in {tool.name for tool in model.requests[0].tools}


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ({"order": "A-1", "account": "attacker"}, ["Shall I refund A-1?", "- account: `attacker`"]),
        ({"order": "A-1", "account": "a\u202eb\u200b\u2800\nc"}, ["`a\\u{202e}b\\u{200b}\\u{2800}\\u{a}c`"]),
        ({"order": "A-1", "account": "x" + " " * 900 + "y"}, ["`x[900 blanks]y`"]),
        ({"order": "[A-1](https://evil.example)"}, ["\\[A-1\\]\\(https://evil.example\\)"]),
        ({"order": "A-1", "account": "`**`"}, ["- account: `ˋ**ˋ`"]),
    ],
)
async def test_what_runs_is_what_was_shown(folder: Path, arguments: dict[str, str], shown: list[str]) -> None:
    model = ScriptedModel([calls("refund_in_own_words", **arguments), "Refunded."])
    async with serving(folder, model=model, config=CONFIG) as site:
        (question,) = await site.say("refund A-1")
        assert all(part in question for part in shown), question
        await site.say("yes")
    (done,) = ledger(folder)
    assert {name: done[name] for name in arguments} == arguments


async def test_what_is_too_long_to_be_shown_is_not_done(folder: Path) -> None:
    model = ScriptedModel([calls("refund", order="A" * 5_000), "I cannot do that."])
    async with serving(folder, model=model, config=CONFIG) as site:
        assert await site.say("refund") == ["I cannot do that."]
        await site.say("yes")
    assert ledger(folder) == []


async def test_another_customer_in_the_same_conversation_finds_nothing_of_the_first(folder: Path) -> None:
    def says(request: ModelRequest) -> Any:
        last = request.messages[-1].content
        return calls("my_orders") if last == "my orders" else " ".join(one.content for one in request.messages[1:])

    def user(customer: str) -> dict[str, str]:
        claims = {"sub": customer, "exp": time.time() + 600}
        return {"id": "u-1", "identity": jwt.encode(claims, SECRET, algorithm="HS256")}

    async with serving(folder, model=ScriptedModel(says), config=CONFIG) as site:
        assert "CANARY-c-1" in (await site.say("my orders", user=user("c-1")))[0]
        (text,) = await site.say("what did you say?", user=user("c-2"))
        assert "CANARY" not in text
        assert "CANARY-c-2" in (await site.say("my orders", user=user("c-2")))[0]


async def test_a_name_that_is_none_does_not_spoil_the_history(folder: Path) -> None:
    from supportbot.testing.openai_server import FakeOpenAI, Say

    answers = iter([Say(tool_calls=(ToolCall("c", "refund order!", "{}"),)), Say("fine"), Say("fine")])
    async with FakeOpenAI(lambda body: next(answers)) as server:
        model = {"name": "gpt-4.1-mini", "base_url": server.base_url, "api_key": server.key}
        async with serving(folder, model=None, config={**CONFIG, "model": model}) as site:
            assert await site.say("hello") == ["fine"]
            assert await site.say("hello?") == ["fine"]
        assert server.refused == []


async def test_an_answer_that_shows_nothing_is_no_answer(folder: Path) -> None:
    async with serving(
        folder, model=ScriptedModel([Line(("\u200b \u2800",))], repeat=True), config=CONFIG
    ) as site:
        (text,) = await site.say("hello")
        assert text.startswith("I've passed your conversation on")
