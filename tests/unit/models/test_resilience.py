"""Retries, fallbacks and breakers, on a clock of the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from supportbot.errors import (
    ModelBilling,
    ModelDeadline,
    ModelEmpty,
    ModelError,
    ModelFiltered,
    ModelMalformed,
    ModelRefused,
    ModelTruncated,
    ModelUnavailable,
)
from supportbot.models.failures import StreamCut
from supportbot.models.resilience import ResilientModel, RetryPolicy
from supportbot.models.scripted import Line, Says, ScriptedModel
from supportbot.types import ChatMessage, ModelAnswer, ModelRequest

ASKED = ModelRequest((ChatMessage("user", "Hi"),))
DOWN = ModelUnavailable("the model server failed (500)")
OnText = Callable[[str], Awaitable[None]]


class Time:
    """A clock that moves only when somebody sleeps on it."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class Slow(ScriptedModel):
    """Every call takes `seconds` of the test's time."""

    def __init__(self, script: list[Says], time: Time, seconds: float) -> None:
        super().__init__(script, repeat=True)
        self._time = time
        self._seconds = seconds

    async def complete(
        self, request: ModelRequest, *, seconds: float, on_text: OnText | None = None
    ) -> ModelAnswer:
        self._time.now += self._seconds
        return await super().complete(request, seconds=seconds, on_text=on_text)


def resilient(
    time: Time, *models: ScriptedModel, threshold: int = 5, notices: list[str] | None = None
) -> ResilientModel:
    return ResilientModel(
        [(f"model-{number}", model) for number, model in enumerate(models)],
        policy=RetryPolicy(retries=2, first=1.0, longest=8.0, patience=5.0),
        threshold=threshold,
        cooldown=30.0,
        notice=None if notices is None else notices.append,
        clock=time.clock,
        sleep=time.sleep,
        jitter=lambda: 0.5,
    )


async def failure(model: ResilientModel, seconds: float = 40) -> ModelError:
    with pytest.raises(ModelError) as caught:
        await model.complete(ASKED, seconds=seconds)
    return caught.value


async def test_a_server_that_comes_back_is_asked_again_after_a_growing_wait() -> None:
    time, model = Time(), ScriptedModel([DOWN, DOWN, "Hello"])
    answer = await resilient(time, model).complete(ASKED, seconds=40)
    assert answer.text == "Hello"
    assert time.slept == [0.5, 1.0]
    assert [usage.outcome for usage in answer.usage] == ["unavailable", "unavailable", "ok"]


async def test_after_the_last_retry_the_fallback_answers() -> None:
    first, second = ScriptedModel([DOWN] * 3), ScriptedModel(["Hello"], name="spare")
    answer = await resilient(Time(), first, second).complete(ASKED, seconds=40)
    assert (answer.text, answer.model) == ("Hello", "spare")
    assert len(first.requests) == 3
    assert len(answer.usage) == 4


@pytest.mark.parametrize(
    "error",
    [ModelBilling("no credit"), ModelRefused("wrong key"), ModelFiltered("filter"), ModelTruncated("limit")],
)
async def test_what_a_retry_does_not_mend_goes_straight_to_the_fallback(error: ModelError) -> None:
    time, first, second = Time(), ScriptedModel([error]), ScriptedModel(["Hello"])
    assert (await resilient(time, first, second).complete(ASKED, seconds=40)).text == "Hello"
    assert len(first.requests) == 1
    assert time.slept == []


@pytest.mark.parametrize("error", [ModelEmpty("empty"), ModelMalformed("odd"), StreamCut("cut")])
async def test_an_odd_answer_is_asked_for_once_more(error: ModelError) -> None:
    model = ScriptedModel([error, error, "never"])
    assert (await failure(resilient(Time(), model))).name == error.name
    assert len(model.requests) == 2


async def test_without_fallback_the_last_error_is_raised_with_all_usage() -> None:
    error = await failure(resilient(Time(), ScriptedModel([DOWN, DOWN, ModelBilling("no credit")])))
    assert isinstance(error, ModelBilling)
    assert [usage.outcome for usage in error.usage] == ["unavailable", "unavailable", "billing"]


async def test_the_servers_wish_for_a_wait_is_honoured() -> None:
    time = Time()
    model = ScriptedModel([ModelUnavailable("limited", retry_after=12.0), "Hello"])
    assert (await resilient(time, model).complete(ASKED, seconds=40)).text == "Hello"
    assert time.slept == [12.5]


async def test_a_wait_that_does_not_fit_into_the_deadline_is_not_begun() -> None:
    time = Time()
    error = await failure(resilient(time, ScriptedModel([ModelUnavailable("limited", retry_after=60.0)])))
    assert error.name == "unavailable"
    assert time.slept == []


async def test_a_long_wait_goes_to_the_fallback_instead() -> None:
    time, first = Time(), ScriptedModel([ModelUnavailable("limited", retry_after=12.0)])
    answer = await resilient(time, first, ScriptedModel(["Hello"])).complete(ASKED, seconds=40)
    assert (answer.text, time.slept) == ("Hello", [])


async def test_a_model_that_hung_leaves_the_rest_of_the_time_to_the_fallback() -> None:
    time = Time()
    first = Slow([ModelUnavailable("did not answer within 20 s")], time, 20.0)
    answer = await resilient(time, first, ScriptedModel(["Hello"])).complete(ASKED, seconds=45)
    assert answer.text == "Hello"
    assert len(first.requests) == 1


async def test_when_the_time_is_up_it_is_a_deadline() -> None:
    time = Time()
    model = Slow([ModelRefused("no")], time, 50.0)
    error = await failure(resilient(time, model, ScriptedModel(["too late"])))
    assert isinstance(error, ModelDeadline)
    assert [usage.outcome for usage in error.usage] == ["refused"]


async def test_a_deadline_of_the_model_ends_the_round() -> None:
    second = ScriptedModel(["never"])
    error = await failure(resilient(Time(), ScriptedModel([Line(("late",), delay=5)]), second), seconds=0.1)
    assert isinstance(error, ModelDeadline)
    assert second.requests == []


async def test_a_model_that_ignores_its_deadline_is_cut_off() -> None:
    class Deaf(ScriptedModel):
        async def complete(
            self, request: ModelRequest, *, seconds: float, on_text: OnText | None = None
        ) -> ModelAnswer:
            await asyncio.sleep(30)
            raise AssertionError("never")

    error = await failure(ResilientModel([("deaf", Deaf([]))]), seconds=0.1)
    assert isinstance(error, ModelDeadline)
    assert [(usage.model, usage.outcome) for usage in error.usage] == [("deaf", "deadline")]


async def test_after_the_first_streamed_piece_nothing_is_tried_again() -> None:
    first = ScriptedModel([Line(("Half an ",), error=DOWN), "never"])
    second = ScriptedModel(["never"])
    shown: list[str] = []

    async def show(piece: str) -> None:
        shown.append(piece)

    with pytest.raises(ModelUnavailable):
        await resilient(Time(), first, second).complete(ASKED, seconds=40, on_text=show)
    assert (shown, len(first.requests), len(second.requests)) == (["Half an "], 1, 0)


async def test_a_stream_that_breaks_before_its_first_piece_is_tried_again() -> None:
    shown: list[str] = []

    async def show(piece: str) -> None:
        shown.append(piece)

    model = resilient(Time(), ScriptedModel([DOWN, "Hello you"]))
    assert (await model.complete(ASKED, seconds=40, on_text=show)).text == "Hello you"
    assert "".join(shown) == "Hello you"


async def test_the_breaker_opens_rests_probes_and_closes() -> None:
    time, notices = Time(), list[str]()
    first = ScriptedModel([DOWN] * 6 + ["Back"])
    model = resilient(time, first, ScriptedModel(["Spare"], repeat=True), threshold=5, notices=notices)
    for _ in range(4):
        assert (await model.complete(ASKED, seconds=40)).text == "Spare"
    assert len(first.requests) == 5
    assert model.states == {"model-0": "open", "model-1": "closed"}
    time.now += 31
    assert model.states["model-0"] == "half-open"
    assert (await model.complete(ASKED, seconds=40)).text == "Spare"
    assert (len(first.requests), model.states["model-0"]) == (6, "open")
    time.now += 31
    assert (await model.complete(ASKED, seconds=40)).text == "Back"
    assert model.states["model-0"] == "closed"
    assert [notice.split(" ")[1] for notice in notices] == ["is", "is", "answers"]


async def test_when_every_model_rests_the_error_says_until_when() -> None:
    model = resilient(Time(), ScriptedModel([DOWN], repeat=True), threshold=1)
    await failure(model)
    error = await failure(model)
    assert isinstance(error, ModelUnavailable)
    assert error.retry_after == 30.0
    assert error.usage == ()


async def test_refusals_do_not_open_the_breaker() -> None:
    model = resilient(Time(), ScriptedModel([ModelRefused("no")], repeat=True), threshold=2)
    for _ in range(5):
        await failure(model)
    assert model.states == {"model-0": "closed"}


async def test_only_one_call_probes_a_resting_model() -> None:
    time = Time()
    first = ScriptedModel([DOWN, Line(("Back",), delay=0.1)], repeat=True)
    model = resilient(time, first, ScriptedModel(["Spare"], repeat=True), threshold=1)
    await model.complete(ASKED, seconds=40)
    time.now += 31
    answers = await asyncio.gather(*(model.complete(ASKED, seconds=40) for _ in range(5)))
    assert sorted(answer.text for answer in answers) == ["Back", "Spare", "Spare", "Spare", "Spare"]


async def test_a_cancelled_probe_lets_the_next_one_through() -> None:
    time = Time()
    first = ScriptedModel([DOWN, Line(("late",), delay=30), "Back"])
    model = resilient(time, first, threshold=1)
    await failure(model)
    time.now += 31
    probe = asyncio.create_task(model.complete(ASKED, seconds=40))
    await asyncio.sleep(0.01)
    probe.cancel()
    await asyncio.wait({probe})
    assert (await model.complete(ASKED, seconds=40)).text == "Back"


def test_waits_are_drawn_from_a_doubling_range_that_ends() -> None:
    policy = RetryPolicy(first=0.5, longest=8.0)
    assert [policy.wait(attempt, None, 1.0) for attempt in range(6)] == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0]
    assert policy.wait(3, None, 0.0) == 0.0
    assert policy.wait(0, 3.0, 0.0) == 3.0
