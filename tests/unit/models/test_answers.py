from __future__ import annotations

import json
from typing import Any

import pytest

from supportbot.errors import (
    ModelEmpty,
    ModelError,
    ModelFiltered,
    ModelMalformed,
    ModelRefused,
    ModelTruncated,
    ModelUnavailable,
)
from supportbot.models.answers import Tokens, parse, plain_text, read, tokens
from supportbot.models.failures import Origin
from supportbot.types import ChatMessage, ModelRequest

ORIGIN = Origin("gpt-4.1-mini", "api.openai.com")
ASKED = ModelRequest((ChatMessage("user", "Hi"),))
FLOW = {"type": "object", "properties": {"flow": {"enum": ["a", "b"]}}, "required": ["flow"]}
STRUCTURED = ModelRequest((ChatMessage("user", "Hi"),), schema=FLOW)


def payload(reason: str = "stop", **message: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": reason}]}


def calls(*entries: dict[str, Any]) -> dict[str, Any]:
    return payload("tool_calls", content=None, tool_calls=list(entries))


def test_text_is_read_as_it_is() -> None:
    assert read(payload(content="Hello"), ASKED, ORIGIN) == ("Hello", ())


def test_content_in_parts_is_joined() -> None:
    parts = [{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo"}, {"type": "odd"}, 3]
    assert read(payload(content=parts), ASKED, ORIGIN)[0] == "Hello"


def test_what_no_database_holds_is_taken_out() -> None:
    assert read(payload(content="a\x00b\ud83d"), ASKED, ORIGIN)[0] == "ab?"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ([], ModelMalformed),
        ("text", ModelMalformed),
        ({}, ModelMalformed),
        ({"choices": None}, ModelMalformed),
        ({"choices": [3]}, ModelMalformed),
        ({"choices": [{"finish_reason": "stop"}]}, ModelMalformed),
        (payload(content=3), ModelMalformed),
        (payload(tool_calls="x"), ModelMalformed),
        (calls({"id": "1"}), ModelMalformed),
        (calls({"id": "1", "function": {"name": ""}}), ModelMalformed),
        ({"choices": []}, ModelEmpty),
        (payload(content=None), ModelEmpty),
        (payload(content="  \n"), ModelEmpty),
        (payload("length", content="Half an"), ModelTruncated),
        (payload("length", content=None), ModelTruncated),
        (payload("content_filter", content=""), ModelFiltered),
        (payload(content=None, refusal="I can't help with that."), ModelFiltered),
        ({"error": {"message": "x", "code": 502}}, ModelUnavailable),
        ({"error": {"message": "x", "code": 401}}, ModelRefused),
        ({"error": "overloaded"}, ModelUnavailable),
    ],
)
def test_every_unusable_answer_has_its_error(answer: Any, error: type[ModelError]) -> None:
    with pytest.raises(error) as caught:
        read(answer, ASKED, ORIGIN)
    assert "I can't help" not in str(caught.value)


def test_tool_calls_keep_their_arguments_even_when_they_are_no_json() -> None:
    _, (call,) = read(calls({"id": "1", "function": {"name": "f", "arguments": '{"a": '}}), ASKED, ORIGIN)
    assert (call.id, call.name, call.arguments) == ("1", "f", '{"a": ')


def test_arguments_that_came_as_an_object_or_not_at_all_become_text() -> None:
    _, found = read(
        calls(
            {"id": "1", "function": {"name": "f", "arguments": {"a": 1}}},
            {"id": "2", "function": {"name": "g"}},
        ),
        ASKED,
        ORIGIN,
    )
    assert [call.arguments for call in found] == ['{"a": 1}', "{}"]


def test_missing_and_repeated_ids_are_replaced_by_fresh_ones() -> None:
    entries = [{"id": given, "function": {"name": "f", "arguments": "{}"}} for given in ("x", "x", None, "")]
    _, found = read(calls(*entries), ASKED, ORIGIN)
    assert found[0].id == "x"
    assert len({call.id for call in found}) == 4
    assert all(call.id for call in found)


@pytest.mark.parametrize("text", ['{"flow": "a"}', '```json\n{"flow": "a"}\n```', '```\n{"flow": "a"}\n```\n'])
def test_a_structured_answer_is_bare_json(text: str) -> None:
    found, _ = read(payload(content=text), STRUCTURED, ORIGIN)
    assert json.loads(found) == {"flow": "a"}


@pytest.mark.parametrize("text", ["Sure!", '{"flow": "c"}', "{}", '{"flow": NaN}', "[" * 100_000, '{"flow": "a"'])
def test_a_structured_answer_that_breaks_its_schema_is_malformed_and_not_repeated(text: str) -> None:
    with pytest.raises(ModelMalformed) as caught:
        read(payload(content=text), STRUCTURED, ORIGIN)
    assert len(str(caught.value)) < 250
    assert "Sure" not in str(caught.value)


def test_a_schema_that_cannot_be_used_is_refused_without_a_look_at_the_network() -> None:
    for schema in ({"type": "nonsense"}, {"$ref": "http://127.0.0.1:1/schema.json"}):
        with pytest.raises(ModelRefused, match="schema"):
            read(payload(content="{}"), ModelRequest(ASKED.messages, schema=schema), ORIGIN)


@pytest.mark.parametrize(
    ("content", "kind", "says"),
    [
        (b"<html>", "text/html", "web page"),
        (b"  <!doctype html>", "application/json", "web page"),
        (b"", "application/json", "nothing"),
        (b'{"choices": [', "application/json", "breaks off"),
        (b"\xff\xfe\xfa", "application/json", "breaks off"),
        (b'{"a": Infinity}', "application/json", "breaks off"),
    ],
)
def test_an_answer_that_is_no_json_is_malformed(content: bytes, kind: str, says: str) -> None:
    with pytest.raises(ModelMalformed, match=says):
        parse(content, kind, ORIGIN)


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (
            {"prompt_tokens": 9, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 4}},
            Tokens(9, 4, 3, told=True),
        ),
        ({"prompt_tokens": 9, "prompt_tokens_details": None}, Tokens(9, 0, 0, told=True)),
        ({"prompt_tokens": 2, "prompt_tokens_details": {"cached_tokens": 5}}, Tokens(2, 2, 0, told=True)),
        ({"prompt_tokens": "9", "completion_tokens": -1}, Tokens(told=True)),
        (None, Tokens()),
        ([], Tokens()),
    ],
)
def test_usage_is_read_from_any_shape(usage: Any, expected: Tokens) -> None:
    assert tokens({"usage": usage}) == expected


def test_the_plain_text_of_anything_odd_is_empty() -> None:
    for odd in (None, [], {}, {"choices": [None]}, {"choices": [{"message": None}]}):
        assert plain_text(odd) == ""
    assert plain_text(payload(content="Hi")) == "Hi"
