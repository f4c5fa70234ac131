"""OpenAIModel against an independent mock of the API, over real HTTP."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks.aimock import aimock
from benchmarks.npm import Missing
from supportbot.errors import ModelBilling, ModelError, ModelRefused, ModelUnavailable
from supportbot.models import OpenAIModel, ResilientModel, RetryPolicy
from supportbot.types import ChatMessage, ModelAnswer, ModelParameters, ModelRequest, ToolSpec

pytestmark = pytest.mark.node

KEY = "sk-aimock-test"
FLOWS = {"type": "object", "properties": {"flow": {"enum": ["refund", "order"]}}, "required": ["flow"]}
TOOL = ToolSpec(
    "order_status", "Looks up an order.", {"type": "object", "properties": {"order": {"type": "string"}}}
)


def says(text: str, **response: Any) -> dict[str, Any]:
    return {"match": {"userMessage": text}, "response": response}


def fails(text: str, status: int, code: str) -> dict[str, Any]:
    return says(text, status=status, error={"message": "Not now.", "type": code, "code": code})


FIXTURES = [
    says("hello", content="Hi there, how can I help you today?"),
    {"match": {"toolCallId": "call_order"}, "response": {"content": "Your order is on its way."}},
    says("my order", toolCalls=[{"id": "call_order", "name": "order_status", "arguments": {"order": "A-1001"}}]),
    {
        "match": {"userMessage": "which flow", "responseFormat": "json_schema"},
        "response": {"content": '{"flow": "refund"}'},
    },
    fails("too many", 429, "rate_limit_exceeded"),
    fails("no credit", 429, "insufficient_quota"),
    fails("broken", 500, "server_error"),
]


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    server = aimock(FIXTURES, key=KEY)
    try:
        address = server.__enter__()
    except Missing as missing:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(missing))
    try:
        yield address
    finally:
        server.__exit__(None, None, None)


async def ask(
    base_url: str, *messages: ChatMessage, stream: bool = False, key: str = KEY, **request: Any
) -> tuple[ModelAnswer, str]:
    """The answer, and what was shown of it while it streamed."""
    shown: list[str] = []

    async def show(piece: str) -> None:
        shown.append(piece)

    model = OpenAIModel("gpt-4.1-mini", key=key, base_url=base_url)
    try:
        asked = ModelRequest(messages, **request)
        answer = await model.complete(asked, seconds=10, on_text=show if stream else None)
    finally:
        await model.close()
    return answer, "".join(shown)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_text_answer_comes_with_its_tokens_and_price(base_url: str, stream: bool) -> None:
    parameters = ModelParameters(temperature=0.2, max_tokens=100, top_p=1.0, stop=("END",), seed=1)
    answer, shown = await ask(
        base_url, ChatMessage("user", "hello", name="Ana"), stream=stream, parameters=parameters
    )
    assert answer.text == "Hi there, how can I help you today?"
    assert shown == (answer.text if stream else "")
    (usage,) = answer.usage
    assert usage.prompt_tokens > 0
    assert usage.completion_tokens > 0
    assert usage.cost


@pytest.mark.parametrize("stream", [False, True])
async def test_a_tool_is_called_and_its_result_is_answered(base_url: str, stream: bool) -> None:
    question = ChatMessage("user", "where is my order")
    asked, _ = await ask(base_url, question, stream=stream, tools=(TOOL,))
    (call,) = asked.tool_calls
    assert (call.id, call.name, call.arguments.replace(" ", "")) == (
        "call_order",
        "order_status",
        '{"order":"A-1001"}',
    )
    talk = (
        question,
        ChatMessage("assistant", "", tool_calls=(call,)),
        ChatMessage("tool", "shipped", tool_call_id=call.id),
    )
    answer, _ = await ask(base_url, *talk, stream=stream, tools=(TOOL,))
    assert answer.text == "Your order is on its way."


@pytest.mark.parametrize("stream", [False, True])
async def test_a_structured_answer_follows_its_schema(base_url: str, stream: bool) -> None:
    answer, _ = await ask(base_url, ChatMessage("user", "which flow"), stream=stream, schema=FLOWS)
    assert answer.text == '{"flow": "refund"}'


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("text", "error"),
    [("too many", ModelUnavailable), ("no credit", ModelBilling), ("broken", ModelUnavailable)],
)
async def test_errors_have_their_names(base_url: str, text: str, error: type[ModelError], stream: bool) -> None:
    with pytest.raises(error) as caught:
        await ask(base_url, ChatMessage("user", text), stream=stream)
    assert [usage.outcome for usage in caught.value.usage] == [error.name]


async def test_a_wrong_key_is_refused_without_showing_it(base_url: str) -> None:
    with pytest.raises(ModelRefused, match="OPENAI_API_KEY") as caught:
        await ask(base_url, ChatMessage("user", "hello"), key="sk-somebody-else")
    assert "somebody" not in str(caught.value)


async def test_a_model_whose_key_is_refused_gives_way_to_its_fallback(base_url: str) -> None:
    barred = OpenAIModel("gpt-4.1", key="sk-somebody-else", base_url=base_url)
    open_to_us = OpenAIModel("gpt-4.1-mini", key=KEY, base_url=base_url)
    model = ResilientModel([("gpt-4.1", barred), ("gpt-4.1-mini", open_to_us)], policy=RetryPolicy(first=0.01))
    answer = await model.complete(ModelRequest((ChatMessage("user", "hello"),)), seconds=10)
    await model.close()
    assert answer.model == "gpt-4.1-mini"
    assert [usage.outcome for usage in answer.usage] == ["refused", "ok"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("chaos", ["--chaos-malformed", "--chaos-disconnect", "--chaos-drop", "--chaos-ratelimit"])
async def test_chaos_ends_in_a_model_error(base_url: str, chaos: str, stream: bool) -> None:
    with aimock(FIXTURES, options=[chaos, "1.0"]) as address, pytest.raises(ModelError) as caught:
        await ask(address, ChatMessage("user", "hello"), stream=stream)
    assert caught.value.usage
    assert caught.value.name in {"malformed", "unavailable", "truncated"}
