from __future__ import annotations

import asyncio
import contextvars
import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supportbot.errors import ToolError, UsageError
from supportbot.protocols import Tool, ToolContext
from supportbot.tools import Toolbox
from supportbot.types import ToolResult, User

CONTEXT = ToolContext("c", User("u"), "web", "en", "key")
ORDER = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "size": {"anyOf": [{"type": "integer"}, {"$ref": "#/$defs/word"}]}},
    "required": ["id"],
    "additionalProperties": False,
    "$defs": {"word": {"enum": ["S", "M"]}},
}


def _tool(
    call: Callable[..., Any], name: str = "t", *, parameters: Mapping[str, Any] | None = None, **more: Any
) -> Tool:
    return Tool(name, "d", parameters or {"type": "object"}, call, **more)


async def _called(call: Callable[..., Any], arguments: str | Mapping[str, Any] = "{}", **more: Any) -> ToolResult:
    return await Toolbox([_tool(call, **more)]).call("t", arguments, CONTEXT, seconds=5)


@dataclass
class Order:
    day: date
    total: Decimal


@pytest.mark.parametrize(
    ("value", "content", "kept"),
    [
        ('verbatim "{text}" ☃', 'verbatim "{text}" ☃', 'verbatim "{text}" ☃'),
        ({"b": [1, 2.5, None], "a": "é"}, '{"b": [1, 2.5, null], "a": "é"}', {"b": [1, 2.5, None], "a": "é"}),
        (None, "null", None),
        (True, "true", True),
        (Order(date(2024, 2, 29), Decimal("4.90")), '{"day": "2024-02-29", "total": "4.90"}', None),
    ],
)
async def test_a_text_is_passed_on_as_it_is_and_anything_else_as_json(value: Any, content: str, kept: Any) -> None:
    result = await _called(lambda arguments, context: value)
    assert (result.content, result.error) == (content, "")
    assert result.value == (kept if not isinstance(value, Order) else json.loads(content))


@pytest.mark.parametrize(
    ("name", "arguments", "error", "sentence"),
    [
        ("gone", "{}", "unknown_tool", "Error: There is no tool named 'gone'."),
        ("t", "{", "bad_json", "Error: The arguments are not valid JSON: "),
        ("t", '{"id": NaN}', "bad_json", "Error: The arguments have a number"),
        ("t", '{"id": "\\ud800"}', "bad_json", "Error: The arguments have a number or character"),
        ("t", "[" * 100_000, "bad_json", "Error: The arguments are nested too deeply."),
        ("t", "[]", "bad_arguments", "Error: The arguments have to be a JSON object, not a list."),
        ("t", "", "bad_arguments", "Error: The arguments do not fit: 'id' is a required property."),
        ("t", '{"id": 5}', "bad_arguments", "Error: The arguments do not fit: id: 5 is not of type 'string'."),
        ("t", '{"id": "x", "no": 1}', "bad_arguments", "Error: The arguments do not fit: Additional properties"),
        (
            "t",
            {"id": "x", "size": "XL"},
            "bad_arguments",
            "The arguments do not fit: size: 'XL' is not of type 'integer', or",
        ),
    ],
)
async def test_arguments_that_do_not_fit_are_told_and_nothing_is_called(
    name: str, arguments: str | Mapping[str, Any], error: str, sentence: str
) -> None:
    calls: list[object] = []
    box = Toolbox([_tool(lambda given, context: calls.append(given), parameters=ORDER)])
    result = await box.call(name, arguments, CONTEXT, seconds=5)
    assert result.error == error
    assert result.content.startswith(sentence)
    assert calls == []


async def test_arguments_reach_the_tool_as_they_were_meant() -> None:
    given = '{"id": "é", "size": "M"}'
    result = await _called(lambda arguments, context: [arguments, context.key], given, parameters=ORDER)
    assert result.value == [{"id": "é", "size": "M"}, "key"]


def _refuses(arguments: dict[str, Any], context: ToolContext) -> None:
    raise ToolError("Order A-1 was sent already.")


async def _fails(arguments: dict[str, Any], context: ToolContext) -> None:
    raise ConnectionError("password=hunter2 at db.internal")


def _leaves(arguments: dict[str, Any], context: ToolContext) -> None:
    raise SystemExit(1)


async def _cancels_itself(arguments: dict[str, Any], context: ToolContext) -> None:
    raise asyncio.CancelledError


def _stops(arguments: dict[str, Any], context: ToolContext) -> None:
    raise StopIteration


async def test_a_tools_own_sentence_is_told_to_model_and_flow() -> None:
    assert await _called(_refuses) == ToolResult("Error: Order A-1 was sent already.", error="failed")
    assert await _called(_refuses, {}) == ToolResult("Order A-1 was sent already.", error="failed")


@pytest.mark.parametrize("call", [_fails, _leaves, _cancels_itself, _stops, lambda: "takes no arguments"])
async def test_any_other_exception_is_neutral_outside_and_detailed_in_the_log(call: Callable[..., Any]) -> None:
    logged: list[tuple[str, dict[str, Any]]] = []
    box = Toolbox([_tool(call)], log=lambda event, **details: logged.append((event, details)))
    result = await box.call("t", "{}", CONTEXT, seconds=5)
    assert result == ToolResult("Error: t failed because of a technical problem.", error="failed")
    ((event, details),) = logged
    assert event == "tool.failed"
    assert details["tool"] == "t"
    assert details["error"]


@pytest.mark.parametrize("value", [object(), float("nan"), {"x": float("inf")}, lambda: 1])
async def test_a_result_that_is_no_json_is_a_failure(value: Any) -> None:
    result = await _called(lambda arguments, context: value)
    assert result == ToolResult("Error: t gave a result that cannot be written as JSON.", error="failed")


@pytest.mark.parametrize(("effects", "error"), [(False, "timeout"), (True, "unknown_outcome")])
@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_call_out_of_time_ends_and_with_effects_its_outcome_is_unknown(
    asynchronous: bool, effects: bool, error: str
) -> None:
    done = threading.Event()

    async def slow(arguments: dict[str, Any], context: ToolContext) -> str:
        await asyncio.sleep(5)
        return "late"

    def blocking(arguments: dict[str, Any], context: ToolContext) -> str:
        done.wait(5)
        return "late"

    box = Toolbox([_tool(slow if asynchronous else blocking, effects=effects)])
    started = time.monotonic()
    result = await box.call("t", "{}", CONTEXT, seconds=0.05)
    assert time.monotonic() - started < 2
    assert result.error == error
    done.set()
    await asyncio.sleep(0.05)
    assert "late" not in result.content


async def test_a_tools_own_timeout_counts_if_it_is_shorter() -> None:
    async def slow(arguments: dict[str, Any], context: ToolContext) -> None:
        await asyncio.sleep(5)

    result = await asyncio.wait_for(_called(slow, timeout=0.05), 2)
    assert result.error == "timeout"


async def test_a_call_that_only_waited_for_a_thread_never_runs_so_its_outcome_is_known() -> None:
    release = threading.Event()
    ran: list[str] = []

    def hold(arguments: dict[str, Any], context: ToolContext) -> None:
        release.wait(5)

    def act(arguments: dict[str, Any], context: ToolContext) -> None:
        ran.append("ran")

    box = Toolbox([_tool(hold, "hold"), _tool(act, "act", effects=True)], threads=1)
    holding = asyncio.create_task(box.call("hold", "{}", CONTEXT, seconds=5))
    await asyncio.sleep(0.05)
    assert (await box.call("act", "{}", CONTEXT, seconds=0.05)).error == "timeout"
    release.set()
    assert (await holding).error == ""
    await asyncio.sleep(0.05)
    assert ran == []
    assert (await box.call("act", "{}", CONTEXT, seconds=5)).error == ""
    assert ran == ["ran"]


async def test_a_cancelled_caller_cancels_the_call() -> None:
    ended = asyncio.Event()

    async def slow(arguments: dict[str, Any], context: ToolContext) -> None:
        try:
            await asyncio.sleep(5)
        finally:
            ended.set()

    calling = asyncio.create_task(_called(slow))
    await asyncio.sleep(0.05)
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    await asyncio.wait_for(ended.wait(), 1)


async def test_sync_tools_run_beside_the_loop_and_see_its_context_variables() -> None:
    who = contextvars.ContextVar("who", default="nobody")
    who.set("turn-7")
    result = await _called(
        lambda arguments, context: [who.get(), threading.current_thread() is threading.main_thread()]
    )
    assert result.value == ["turn-7", False]


async def test_a_sync_tool_may_hand_back_something_to_await() -> None:
    async def inner() -> str:
        return "awaited"

    assert (await _called(lambda arguments, context: inner())).content == "awaited"


async def test_private_tools_are_for_flows_only() -> None:
    box = Toolbox(
        {"t": _tool(lambda arguments, context: "x", private=True), "u": _tool(_refuses, "u", effects=True)}
    )
    assert [spec.name for spec in box.specs()] == ["u"]
    assert [spec.name for spec in box.specs(include_private=True)] == ["t", "u"]
    assert (await box.call("t", "{}", CONTEXT, seconds=5)).error == "unknown_tool"
    assert (await box.call("t", {}, CONTEXT, seconds=5)).content == "x"
    assert {name: one.effects for name, one in box.terms().items()} == {"t": False, "u": True}


def test_tools_that_cannot_work_are_refused_at_the_start() -> None:
    with pytest.raises(UsageError, match="More than one tool is named t"):
        Toolbox([_tool(_refuses), _tool(_fails)])
    with pytest.raises(UsageError, match="parameters of tool t are no JSON Schema"):
        Toolbox([_tool(_refuses, parameters={"type": "thing"})])


async def test_a_schema_that_points_elsewhere_is_never_fetched() -> None:
    result = await _called(_refuses, parameters={"$ref": "http://127.0.0.1:9/schema.json"})
    assert result == ToolResult(
        "Error: The arguments cannot be checked against the tool's parameters.", error="bad_arguments"
    )


async def test_a_long_text_keeps_its_beginning_and_end() -> None:
    box = Toolbox([_tool(lambda arguments, context: "a" * 5_000 + "z" * 5_000)], max_chars=1_000)
    result = await box.call("t", "{}", CONTEXT, seconds=5)
    assert len(result.content) <= 1_000
    assert result.content.startswith("aaa")
    assert result.content.endswith("zzz")
    head, told, tail = re.split(r"\n\[… (\d+) characters left out …\]\n", result.content)
    assert len(head) + int(told) + len(tail) == 10_000
    assert len(result.value) == 10_000


async def test_a_long_list_keeps_its_first_items_and_says_how_many_there_are() -> None:
    box = Toolbox([_tool(lambda arguments, context: [{"n": n} for n in range(1_000)])], max_chars=500)
    read = json.loads((await box.call("t", "{}", CONTEXT, seconds=5)).content)
    assert (read["truncated"], read["total"]) == (True, 1_000)
    assert read["items"] == [{"n": n} for n in range(read["shown"])]
    assert read["shown"] > 20


@given(
    st.recursive(
        st.none() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=60,
    )
)
def test_a_result_is_always_bounded_and_json_stays_json(value: Any) -> None:
    box = Toolbox([_tool(lambda arguments, context: [value, "\\\"'\n" * 80])], max_chars=200)
    content = asyncio.run(box.call("t", "{}", CONTEXT, seconds=5)).content
    assert len(content) <= 200
    assert json.loads(content)["truncated"] is True


@given(st.text())
def test_no_text_as_arguments_ever_raises(text: str) -> None:
    result = asyncio.run(Toolbox([_tool(_refuses, parameters=ORDER)]).call("t", text, CONTEXT, seconds=5))
    assert result.error in ("bad_json", "bad_arguments", "failed")
