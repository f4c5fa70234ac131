"""What becomes of a listing: names, allow-list, first descriptions; and what a result is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from supportbot.errors import ToolError
from supportbot.protocols import Tool, ToolContext
from supportbot.toolfiles import McpServer, Rules
from supportbot.tools.mcp.calls import result_of
from supportbot.tools.mcp.listing import Listing, fitting, named


def listed(name: str, description: str | None = "d", only_reads: bool | None = None, **schema: Any) -> Any:
    hints = SimpleNamespace(read_only_hint=only_reads)
    return SimpleNamespace(name=name, description=description, input_schema=schema, annotations=hints)


async def _no_call(tool: Tool, there: str, arguments: dict[str, Any], context: ToolContext) -> Any:
    raise AssertionError


def listing(log: list[Any], **settings: Any) -> Listing:
    server = McpServer(command=("x",), **{"allow": ["a", "b"], **settings})
    names = named({"s": server}, lambda event, **details: log.append((event, details)))["s"]
    rules = {"a": Rules(private=True)}
    return Listing(
        "s", server, names, rules, call=_no_call, log=lambda event, **details: log.append((event, details))
    )


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("echo", "echo"),
        ("shop/orders.find", "shop_orders_find"),
        ("1st", "_1st"),
        ("-x", "_-x"),
        ("größe", "gr__e"),
        ("", "_"),
        ("x" * 70, "x" * 64),
    ],
)
def test_a_name_is_made_to_fit(written: str, name: str) -> None:
    assert fitting(written) == name
    Tool(fitting(written), "", {}, _no_call)


def test_of_two_tools_with_one_name_the_first_server_has_it() -> None:
    log: list[Any] = []
    servers = {
        "one": McpServer(command=("x",), allow=["find it", "find.it", "get"]),
        "two": McpServer(command=("x",), allow=["it"], prefix="find_"),
    }
    names = named(servers, lambda event, **details: log.append(details))
    assert names == {"one": {"find it": "find_it", "get": "get"}, "two": {}}
    assert [(line["server"], line["tool"], line["by"]) for line in log] == [
        ("one", "find.it", "one: find it"),
        ("two", "it", "one: find it"),
    ]


def test_tools_stand_in_the_order_of_the_allow_list_and_others_do_not() -> None:
    known = listing([])
    assert known.take([listed("b"), listed("c"), listed("a")])
    assert [tool.name for tool in known.tools] == ["a", "b"]
    assert not known.take([listed("a"), listed("b")])


def test_a_tool_acts_unless_it_says_that_it_only_reads() -> None:
    known = listing([], allow={"a": {}, "b": {}, "c": {}, "d": {"effects": False}, "e": {"effects": True}})
    known.take(
        [listed("a", None, True), listed("b", only_reads=False), listed("c"), listed("d"), listed("e", "", True)]
    )
    assert [tool.effects for tool in known.tools] == [False, True, True, False, True]
    assert known.tools[0].description == ""


def test_the_rules_of_the_whole_config_come_last() -> None:
    known = listing([], allow={"a": {"private": False, "timeout": "3s"}})
    known.take([listed("a")])
    assert (known.tools[0].private, known.tools[0].timeout) == (True, 3.0)


def test_the_first_description_and_schema_stay_even_if_the_tool_was_away() -> None:
    log: list[Any] = []
    known = listing(log, allow=["a"])
    known.take([listed("a", "good", properties={"x": {"type": "string"}})])
    first = known.tools
    assert known.take([])
    assert known.tools == ()
    assert known.take([listed("a", "good", properties={"x": {"type": "string"}, "card": {"type": "string"}})])
    assert known.tools == first
    assert [event for event, _ in log] == ["mcp.no_such_tool", "mcp.tool_changed"]


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({"type": "array"}, "its parameters are no object"),
        ({"type": ["object"]}, "its parameters are no object"),
        ({"required": "x"}, "no JSON Schema"),
        ({"title": "x" * 100_000}, "more than 100,000"),
    ],
)
def test_a_tool_without_usable_parameters_is_refused_once(schema: dict[str, Any], reason: str) -> None:
    log: list[Any] = []
    known = listing(log, allow=["a"])
    for _ in range(2):
        assert not known.take([listed("a", **schema)])
    assert [(event, reason in details["reason"]) for event, details in log] == [("mcp.tool_refused", True)]
    assert known.take([listed("a")])


def result(*blocks: Any, structured: Any = None, error: bool = False) -> Any:
    return SimpleNamespace(content=blocks, structured_content=structured, is_error=error)


def block(kind: str, **fields: Any) -> Any:
    return SimpleNamespace(type=kind, **fields)


@pytest.mark.parametrize(
    ("given", "value"),
    [
        (result(block("text", text="a"), block("text", text="b")), "a\nb"),
        (result(block("text", text="a"), structured={"n": 1}), {"n": 1}),
        (result(structured={}), {}),
        (result(), ""),
        (result(block("image", data="QUJD", mime_type="image/png")), "[image image/png]"),
        (result(block("audio", data="QUJD", mime_type="audio/wav")), "[audio audio/wav]"),
        (result(block("resource_link", uri="shop://1", mime_type=None)), "[resource_link shop://1]"),
        (result(block("resource", resource=SimpleNamespace(text="inside", uri="u"))), "inside"),
        (
            result(block("resource", resource=SimpleNamespace(blob="QUJD", uri="u:1", mime_type="a/b"))),
            "[resource a/b u:1]",
        ),
    ],
)
def test_a_result_is_its_structure_or_its_texts(given: Any, value: Any) -> None:
    assert result_of(given) == value


def test_an_error_is_told_in_the_words_of_the_tool_up_to_a_length() -> None:
    with pytest.raises(ToolError) as caught:
        result_of(result(block("text", text="x" * 5_000), structured={"n": 1}, error=True))
    assert len(str(caught.value)) == 2_000
    with pytest.raises(ToolError, match="did not say why"):
        result_of(result(error=True))
