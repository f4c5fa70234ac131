"""What every model must do, as tests. Subclass it, say how to build a model for each case, and run it with pytest.

    class TestMyModel(ModelContract):
        @asynccontextmanager
        async def model(self, case):
            yield MyModel(...)  # so that it behaves as `case` says

Cases: "text" answers in at least two words, "tool" calls the offered tool, "hang" takes longer than a minute, "fail"
has a server that fails, "many" echoes the last message's text in every answer. Leave out of `cases` what the model
cannot do. The tests are async: pytest-asyncio in auto mode, or anyio, runs them.
"""

from __future__ import annotations

import asyncio
import time
from abc import abstractmethod
from contextlib import AbstractAsyncContextManager
from typing import Literal

import pytest

from supportbot.errors import ModelDeadline, ModelError
from supportbot.protocols import Model
from supportbot.types import ChatMessage, ModelRequest, ToolSpec, Usage

Case = Literal["text", "tool", "hang", "fail", "many"]

ORDER_TOOL = ToolSpec(
    "order_status",
    "Looks up an order.",
    {"type": "object", "properties": {"order": {"type": "string"}}, "required": ["order"]},
)


def question(text: str = "Where is my order A-1001?", *, tools: tuple[ToolSpec, ...] = ()) -> ModelRequest:
    """A small request as the engine makes them."""
    messages = (ChatMessage("system", "You help the customers of a shop."), ChatMessage("user", text))
    return ModelRequest(messages, tools=tools, question=text)


class ModelContract:
    """The suite. `slack` in seconds is how late a deadline may be noticed on a busy machine."""

    cases: frozenset[Case] = frozenset({"text", "tool", "hang", "fail", "many"})
    slack = 1.5

    @abstractmethod
    def model(self, case: Case) -> AbstractAsyncContextManager[Model]:
        """A model that behaves as the case says, closed afterwards."""

    def needs(self, case: Case) -> None:
        if case not in self.cases:
            pytest.skip(f"this model has no case {case!r}")

    async def test_an_answer_has_text_and_says_which_model_gave_it(self) -> None:
        self.needs("text")
        async with self.model("text") as model:
            answer = await model.complete(question(), seconds=10)
        assert answer.text.strip()
        assert answer.model

    async def test_usage_tells_what_an_answer_cost(self) -> None:
        self.needs("text")
        async with self.model("text") as model:
            answer = await model.complete(question(), seconds=10)
        assert all(isinstance(usage, Usage) for usage in answer.usage)
        assert not answer.usage or answer.usage[-1].outcome == "ok"
        assert {usage.purpose for usage in answer.usage} <= {"reply"}

    async def test_a_tool_call_names_an_offered_tool_and_has_an_id(self) -> None:
        self.needs("tool")
        async with self.model("tool") as model:
            answer = await model.complete(question(tools=(ORDER_TOOL,)), seconds=10)
        assert [call.name for call in answer.tool_calls] == [ORDER_TOOL.name]
        assert all(call.id and isinstance(call.arguments, str) for call in answer.tool_calls)

    async def test_streamed_pieces_join_to_the_text(self) -> None:
        self.needs("text")
        pieces: list[str] = []

        async def show(piece: str) -> None:
            pieces.append(piece)

        async with self.model("text") as model:
            answer = await model.complete(question(), seconds=10, on_text=show)
        assert all(pieces)
        assert "".join(pieces) == answer.text

    async def test_an_error_of_the_listener_reaches_the_caller_unchanged(self) -> None:
        self.needs("text")

        async def show(piece: str) -> None:
            raise LookupError("the preview is gone")

        async with self.model("text") as model:
            with pytest.raises(LookupError, match="the preview is gone"):
                await model.complete(question(), seconds=10, on_text=show)

    async def test_the_deadline_is_kept_and_named(self) -> None:
        self.needs("hang")
        async with self.model("hang") as model:
            began = time.monotonic()
            with pytest.raises(ModelDeadline) as caught:
                await model.complete(question(), seconds=0.3)
            took = time.monotonic() - began
        assert 0.2 < took < 0.3 + self.slack
        assert [usage.outcome for usage in caught.value.usage] == ["deadline"]

    async def test_no_time_left_is_a_deadline_at_once(self) -> None:
        self.needs("hang")
        async with self.model("hang") as model:
            with pytest.raises(ModelDeadline):
                await asyncio.wait_for(model.complete(question(), seconds=0), self.slack)

    async def test_a_failure_is_a_model_error_with_a_sentence_and_its_usage(self) -> None:
        self.needs("fail")
        async with self.model("fail") as model:
            with pytest.raises(ModelError) as caught:
                await model.complete(question(), seconds=10)
        assert len(str(caught.value)) > 10
        assert caught.value.usage
        assert all(usage.outcome != "ok" for usage in caught.value.usage)

    async def test_a_cancelled_call_ends_at_once(self) -> None:
        self.needs("hang")
        async with self.model("hang") as model:
            call = asyncio.create_task(model.complete(question(), seconds=60))
            await asyncio.sleep(0.1)
            call.cancel()
            done, _ = await asyncio.wait({call}, timeout=self.slack)
            assert done == {call}
            assert call.cancelled()

    async def test_parallel_calls_do_not_mix(self) -> None:
        self.needs("many")
        words = [f"marker-{number}" for number in range(20)]
        async with self.model("many") as model:
            answers = await asyncio.gather(*(model.complete(question(word), seconds=20) for word in words))
        assert all(word in answer.text.split() for word, answer in zip(words, answers, strict=True))

    async def test_closing_twice_does_nothing(self) -> None:
        self.needs("text")
        async with self.model("text") as model:
            await model.complete(question(), seconds=10)
            await model.close()
            await model.close()
