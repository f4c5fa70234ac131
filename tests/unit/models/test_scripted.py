from __future__ import annotations

import pytest

from supportbot.errors import ModelDeadline, ModelRefused, ModelUnavailable
from supportbot.models.scripted import Line, ScriptedModel
from supportbot.types import ChatMessage, ModelAnswer, ModelRequest, ToolCall

ASKED = ModelRequest((ChatMessage("user", "Hi there"),), purpose="slots")


async def test_entries_come_in_order_and_requests_are_kept() -> None:
    call = ToolCall("1", "f", "{}")
    model = ScriptedModel(["One", call, ModelAnswer("Three", model="other", sources=("faq",))])
    answers = [await model.complete(ASKED, seconds=1) for _ in range(3)]
    assert [answer.text for answer in answers] == ["One", "", "Three"]
    assert answers[1].tool_calls == (call,)
    assert (answers[2].model, answers[2].sources) == ("other", ("faq",))
    assert model.requests == [ASKED] * 3


async def test_a_function_answers_each_request() -> None:
    model = ScriptedModel(lambda request: request.messages[-1].content.upper())
    assert (await model.complete(ASKED, seconds=1)).text == "HI THERE"


async def test_one_question_too_many_is_refused() -> None:
    with pytest.raises(ModelRefused, match="one more question"):
        await ScriptedModel([]).complete(ASKED, seconds=1)


async def test_an_error_can_be_raised_twice_without_gathering_usage() -> None:
    model = ScriptedModel([ModelUnavailable("down", retry_after=3)], repeat=True)
    for _ in range(2):
        with pytest.raises(ModelUnavailable) as caught:
            await model.complete(ASKED, seconds=1)
        assert caught.value.retry_after == 3
        assert [(usage.outcome, usage.purpose) for usage in caught.value.usage] == [("unavailable", "slots")]


async def test_pieces_stream_before_the_error_that_breaks_them_off() -> None:
    shown: list[str] = []

    async def show(piece: str) -> None:
        shown.append(piece)

    with pytest.raises(ModelUnavailable):
        await ScriptedModel([Line(("a", "b"), error=ModelUnavailable("cut"))]).complete(
            ASKED, seconds=1, on_text=show
        )
    assert shown == ["a", "b"]


async def test_a_delay_beyond_the_time_is_a_deadline() -> None:
    with pytest.raises(ModelDeadline):
        await ScriptedModel([Line(("late",), delay=9)]).complete(ASKED, seconds=0.01)
