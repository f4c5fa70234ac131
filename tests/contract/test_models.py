"""Every model passes the same suite."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Literal

import pytest

from supportbot.errors import ModelUnavailable
from supportbot.models import Line, OpenAIModel, ResilientModel, RetryPolicy, ScriptedModel
from supportbot.protocols import Model
from supportbot.testing.model_contract import ORDER_TOOL, Case, ModelContract
from supportbot.testing.openai_server import FakeOpenAI, Fault, Say
from supportbot.types import ModelAnswer, ModelRequest, ToolCall

OnText = Callable[[str], Awaitable[None]]
CALL = ToolCall("call_1", ORDER_TOOL.name, '{"order": "A-1001"}')


def _answer(case: Case, body: Mapping[str, Any]) -> Say | Fault:
    if case == "tool":
        return Say(tool_calls=(CALL,))
    if case == "hang":
        return Fault("hang")
    if case == "fail":
        return Fault("server_error")
    if case == "many":
        return Say(f"You said {body['messages'][-1]['content']} just now", delay=0.05)
    return Say("It is on its way.")


class TestOpenAIModel(ModelContract):
    transport: Literal["aiohttp", "httpx2"] = "aiohttp"

    @asynccontextmanager
    async def model(self, case: Case) -> AsyncIterator[Model]:
        async with FakeOpenAI(lambda body: _answer(case, body)) as server:
            model = OpenAIModel("gpt-4.1-mini", key=server.key, base_url=server.base_url, transport=self.transport)
            try:
                yield self.wrapped(model)
            finally:
                await model.close()
            assert server.refused == []

    def wrapped(self, model: Model) -> Model:
        return model


class TestOpenAIModelOverHttpx2(TestOpenAIModel):
    transport = "httpx2"


class TestResilientModel(TestOpenAIModel):
    def wrapped(self, model: Model) -> Model:
        return ResilientModel([("gpt-4.1-mini", model)], policy=RetryPolicy(retries=1, first=0.01))


class TestScriptedModel(ModelContract):
    @asynccontextmanager
    async def model(self, case: Case) -> AsyncIterator[Model]:
        yield ScriptedModel(lambda request: _line(case, request))


def _line(case: Case, request: ModelRequest) -> Line | str | ToolCall | ModelUnavailable:
    if case == "tool":
        return CALL
    if case == "hang":
        return Line(pieces=("late",), delay=90)
    if case == "fail":
        return ModelUnavailable("the scripted server failed (500)")
    return f"You said {request.messages[-1].content} just now"


class _Liar:
    """Streams something else than it answers."""

    async def complete(
        self, request: ModelRequest, *, seconds: float, on_text: OnText | None = None
    ) -> ModelAnswer:
        if on_text is not None:
            await on_text("one thing")
        return ModelAnswer("another thing", model="liar")

    async def close(self) -> None:
        pass


class _LiarContract(ModelContract):
    @asynccontextmanager
    async def model(self, case: Case) -> AsyncIterator[Model]:
        yield _Liar()


async def test_a_model_that_streams_something_else_fails_the_suite() -> None:
    with pytest.raises(AssertionError):
        await _LiarContract().test_streamed_pieces_join_to_the_text()


async def test_a_model_that_ignores_the_deadline_fails_the_suite() -> None:
    with pytest.raises(pytest.fail.Exception):
        await _LiarContract().test_the_deadline_is_kept_and_named()
