from __future__ import annotations

from typing import Any

import pytest

from supportbot.errors import ModelMalformed, ModelTruncated
from supportbot.models.answers import read, tokens
from supportbot.models.failures import Origin
from supportbot.models.streaming import Collector
from supportbot.testing.openai_payloads import Say, chunks
from supportbot.types import ChatMessage, ModelRequest, ToolCall

ORIGIN = Origin("m", "localhost")
ASKED = ModelRequest((ChatMessage("user", "Hi"),))


def delta(finish: str | None = None, **parts: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": parts, "finish_reason": finish}]}


def collected(*parts: Any) -> tuple[str, tuple[ToolCall, ...]]:
    collector = Collector(ORIGIN)
    for part in parts:
        collector.add(part)
    return read(collector.completion(), ASKED, ORIGIN)


def piece(
    index: int | None, given: str | None = None, name: str | None = None, arguments: Any = ""
) -> dict[str, Any]:
    call: dict[str, Any] = {"function": {"name": name, "arguments": arguments}}
    if index is not None:
        call["index"] = index
    if given:
        call["id"] = given
    return delta(tool_calls=[call])


END = delta("tool_calls")


def test_a_whole_stream_gives_text_calls_and_usage() -> None:
    said = Say("Hello there", (ToolCall("c1", "f", '{"a": 1}'), ToolCall("c2", "g", "{}")), cached_tokens=8)
    collector = Collector(ORIGIN)
    shown = [collector.add(chunk) for chunk in chunks(said, model="m", number=1, with_usage=True)]
    assert "".join(shown) == "Hello there"
    whole = collector.completion()
    assert read(whole, ASKED, ORIGIN) == ("Hello there", said.tool_calls)
    assert tokens(whole).cached == 8


@pytest.mark.parametrize(
    "parts",
    [
        [piece(0, "a", "f", '{"x"'), piece(0, None, None, ":1}"), piece(1, "b", "g", "{}")],
        [piece(None, "a", "f", '{"x"'), piece(None, None, None, ":1}"), piece(None, "b", "g", "{}")],
        [piece(0, "a", "f", '{"x":1}'), piece(0, "b", "g", "{}")],
        [piece(0, "a", "f", '{"x"'), piece(1, "b", "g", "{}"), piece(0, "a", None, ":1}")],
    ],
)
def test_tool_calls_come_together_however_the_server_numbers_them(parts: list[Any]) -> None:
    _, calls = collected(*parts, END)
    assert calls == (ToolCall("a", "f", '{"x":1}'), ToolCall("b", "g", "{}"))


def test_arguments_that_stream_as_an_object_become_text() -> None:
    assert collected(piece(0, "a", "f", {"x": 1}), END)[1] == (ToolCall("a", "f", '{"x": 1}'),)


def test_a_stream_without_a_finish_reason_is_truncated() -> None:
    with pytest.raises(ModelTruncated, match="ended before"):
        collected(delta(content="Half"))


def test_odd_chunks_are_passed_over_and_alien_ones_are_malformed() -> None:
    odd = [{}, {"choices": []}, {"choices": [None]}, {"choices": [{"delta": None}]}, delta(content=None)]
    other = {"choices": [{"index": 1, "delta": {"content": "other"}}]}
    assert collected(*odd, other, delta(content="Hi"), delta("stop"))[0] == "Hi"
    with pytest.raises(ModelMalformed):
        collected("chunk")
