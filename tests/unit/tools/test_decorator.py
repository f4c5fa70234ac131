from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field

from supportbot.errors import ToolError
from supportbot.protocols import Tool, ToolContext
from supportbot.tools import tool
from supportbot.types import User

CONTEXT = ToolContext("c", User("u-1", "Ann"), "web", "en", "key")


class Line(BaseModel):
    sku: str
    count: int = 1


@dataclass
class Place:
    city: str


@tool
def order_status(order_id: str, context: ToolContext, detail: Literal["short", "long"] = "short") -> str:
    """Tells where an order is,
    in a sentence.

    More that the model need not know.

    Args:
        order_id: The number on the invoice,
            such as A-12345.
        detail (str): How much to tell.

    Returns:
        order_id: not a parameter's description.
    """
    return f"{order_id} {detail} {context.customer.id}"


def test_a_plain_function_becomes_a_tool() -> None:
    assert isinstance(order_status, Tool)
    assert order_status.name == "order_status"
    assert order_status.description == "Tells where an order is, in a sentence."
    assert (order_status.effects, order_status.private, order_status.timeout) == (False, False, 15.0)
    assert order_status.parameters == {
        "type": "object",
        "properties": {
            "order_id": {"type": "string", "description": "The number on the invoice, such as A-12345."},
            "detail": {
                "type": "string",
                "enum": ["short", "long"],
                "default": "short",
                "description": "How much to tell.",
            },
        },
        "required": ["order_id"],
        "additionalProperties": False,
    }


def test_options_are_taken_over() -> None:
    @tool(name="refund-now", effects=True, private=True, timeout=3)
    def refund() -> None: ...

    assert (refund.name, refund.effects, refund.private, refund.timeout) == ("refund-now", True, True, 3)
    assert refund.description == "refund-now"
    assert refund.parameters["properties"] == {}


def test_the_context_is_bound_by_the_server_and_never_by_arguments() -> None:
    assert order_status.call({"order_id": "A-1"}, CONTEXT) == "A-1 short u-1"
    with pytest.raises(ToolError, match="context"):
        order_status.call({"order_id": "A-1", "context": {"customer": "eve"}}, CONTEXT)


def test_nested_types_dates_and_constraints_reach_the_function_as_objects() -> None:
    seen: list[object] = []

    @tool
    def book(lines: list[Line], day: date, place: Place, copy: Annotated[int, Field(ge=1)] = 1) -> None:
        seen.extend([lines, day, place, copy])

    book.call({"lines": [{"sku": "x"}], "day": "2024-02-29", "place": {"city": "Rome"}}, CONTEXT)
    assert seen == [[Line(sku="x")], date(2024, 2, 29), Place("Rome"), 1]
    assert "$defs" in book.parameters
    with pytest.raises(ToolError, match=r"lines\.0\.sku: Field required; day: .*; place\.city: Field required"):
        book.call({"lines": [{}], "day": "soon", "place": {}, "copy": 0}, CONTEXT)


async def test_an_async_function_stays_async() -> None:
    @tool
    async def later(text: str) -> str:
        return text

    assert await later.call({"text": "x"}, CONTEXT) == "x"


def _rest(*names: str) -> None: ...


def _odd(thing: Odd) -> None: ...


class Odd:
    """No JSON has one."""


@pytest.mark.parametrize(
    ("function", "told"),
    [(_rest, r"tool _rest: parameter \*names"), (_odd, r"tool _odd: no JSON Schema for its parameters: ")],
)
def test_parameters_that_no_json_can_fill_are_refused(function: Callable[..., None], told: str) -> None:
    with pytest.raises(TypeError, match=told):
        tool(function)
