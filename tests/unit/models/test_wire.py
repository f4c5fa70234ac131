from __future__ import annotations

import base64
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supportbot.models.wire import Quirks, adapt, body, clean, first_quirks, refused_parameter, wire_name
from supportbot.testing.openai_rules import violation
from supportbot.types import Attachment, ChatMessage, ModelParameters, ModelRequest, ToolCall, ToolSpec

ALL = ModelParameters(temperature=0.2, max_tokens=300, top_p=0.9, stop=("a", "b", "c", "d", "e"), seed=7)
CALL = ToolCall("call_1", "order_status", '{"order": "A-1"}')
TALK = (
    ChatMessage("system", "You help."),
    ChatMessage("user", "Hi", name="Ana"),
    ChatMessage("assistant", "", tool_calls=(CALL,)),
    ChatMessage("tool", "on its way", tool_call_id="call_1"),
    ChatMessage("assistant", "It is on its way."),
)
TOOL = ToolSpec("order_status", "Looks up.", {"type": "object", "properties": {}})
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"flow": {"type": "string"}}}
NONE = Quirks()
HERE = "http://127.0.0.1:8000/v1"


def built(request: ModelRequest, quirks: Quirks = NONE, *, stream: bool = False) -> dict[str, Any]:
    return body("gpt-4.1-mini", request, quirks, stream=stream)


def test_messages_go_out_in_their_roles_with_names_and_calls() -> None:
    assert built(ModelRequest(TALK))["messages"] == [
        {"role": "system", "content": "You help."},
        {"role": "user", "content": "Hi", "name": "Ana"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "call_1",
                    "type": "function",
                    "function": {"name": "order_status", "arguments": '{"order": "A-1"}'},
                }
            ],
        },
        {"role": "tool", "content": "on its way", "tool_call_id": "call_1"},
        {"role": "assistant", "content": "It is on its way."},
    ]


def test_files_that_were_sent_without_a_word_are_named() -> None:
    files = (Attachment("bill.pdf", "application/pdf", digest="d" * 64), Attachment("map.png", "image/png"))
    said = ChatMessage("assistant", "", name="Maya", files=files), ChatMessage("assistant", "Here.", files=files)
    messages = built(ModelRequest(said))["messages"]
    assert [one["content"] for one in messages] == ["[file: bill.pdf] [file: map.png]", "Here."]


def test_parameters_left_to_the_provider_are_not_sent() -> None:
    assert built(ModelRequest(TALK)).keys() == {"model", "messages"}


def test_all_parameters_tools_and_stream_are_what_the_api_takes() -> None:
    sent = built(ModelRequest(TALK, tools=(TOOL,), parameters=ALL, schema=SCHEMA), stream=True)
    assert sent["stop"] == ["a", "b", "c", "d"]
    assert sent["stream_options"] == {"include_usage": True}
    assert sent["tools"][0]["function"]["strict"] is False
    assert sent["response_format"]["json_schema"]["schema"] == SCHEMA
    assert violation(sent) is None


@pytest.mark.parametrize(
    ("model", "url", "name"),
    [
        ("gpt-4.1-mini", "https://api.openai.com/v1", "max_completion_tokens"),
        ("gpt-4.1-mini", "https://eu.api.openai.com/v1", "max_completion_tokens"),
        ("llama3", HERE, "max_tokens"),
        ("o4-mini", HERE, "max_completion_tokens"),
        ("gpt-5-mini", HERE, "max_completion_tokens"),
        ("llama3", "https://api.openai.com.evil.example/v1", "max_tokens"),
    ],
)
def test_the_token_limit_has_the_name_that_model_and_server_know(model: str, url: str, name: str) -> None:
    sent = body(model, ModelRequest(TALK, parameters=ALL), first_quirks(model, url), stream=False)
    assert sent[name] == 300


def test_a_refused_token_limit_is_renamed_and_then_left_out() -> None:
    request = ModelRequest(TALK, parameters=ALL)
    quirks = adapt(Quirks(), "max_tokens")
    assert quirks is not None
    assert built(request, quirks)["max_completion_tokens"] == 300
    quirks = adapt(quirks, "max_completion_tokens")
    assert quirks is not None
    assert not {"max_tokens", "max_completion_tokens"} & built(request, quirks).keys()
    assert adapt(quirks, "max_tokens") is None


def test_a_refused_schema_is_asked_for_in_words() -> None:
    request = ModelRequest(TALK, schema=SCHEMA)
    quirks = adapt(Quirks(), "response_format")
    assert quirks is not None
    sent = built(request, quirks)
    assert sent["response_format"] == {"type": "json_object"}
    assert '"flow"' in sent["messages"][-1]["content"]
    assert violation(sent) is None
    quirks = adapt(quirks, "response_format")
    assert quirks is not None
    assert "response_format" not in built(request, quirks)
    assert adapt(quirks, "response_format") is None


@pytest.mark.parametrize(
    ("param", "message", "expected"),
    [
        ("temperature", "", "temperature"),
        ("", "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens'.", "max_tokens"),
        ("", "Unrecognized request argument supplied: seed", "seed"),
        ("messages[1].name", "", "name"),
        ("tools[0].function.strict", "", "strict"),
        ("response_format.json_schema", "", "response_format"),
        ("messages[0].content", "", ""),
        ("model", "unknown model", ""),
        ("", "something about your order", ""),
        ("[]", "", ""),
        ("", "Unknown stop on the way of your name", ""),
        ("", "[{'loc': ['body', 'max_tokens'], 'msg': 'Extra inputs are not permitted'}]", "max_tokens"),
    ],
)
def test_the_refused_parameter_is_found_only_among_those_sent(param: str, message: str, expected: str) -> None:
    sent = built(ModelRequest(TALK, tools=(TOOL,), parameters=ALL, schema=SCHEMA))
    assert refused_parameter(param, message, sent) == expected


def test_names_and_strict_are_left_out_once_refused() -> None:
    sent = built(ModelRequest(TALK, tools=(TOOL,)), Quirks(frozenset({"name", "strict"})))
    assert "name" not in sent["messages"][1]
    assert "strict" not in sent["tools"][0]["function"]


@pytest.mark.parametrize(
    ("name", "expected"), [("Ana", "Ana"), ("Ana María", "Ana_Maria"), ("o'Neil", "o_Neil"), ("x" * 64, "x" * 64)]
)
def test_plain_names_stay_readable(name: str, expected: str) -> None:
    assert wire_name(name) == expected


@given(st.text(min_size=1))
def test_any_name_becomes_one_that_the_api_takes(name: str) -> None:
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", wire_name(name))


def test_two_names_without_latin_letters_stay_two() -> None:
    assert wire_name("Юрий") != wire_name("Анна")


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_clean_text_can_always_be_encoded_and_stored(text: str) -> None:
    cleaned = clean(text)
    assert "\x00" not in cleaned
    assert cleaned.encode().decode() == cleaned


def test_clean_keeps_every_script_and_emoji() -> None:
    assert clean("Grüße 你好 👩‍🚀") == "Grüße 你好 👩‍🚀"


# --- pictures ------------------------------------------------------------------------------------------------

PNG, GIF = b"\x89PNG\r\n\x1a\n1", b"GIF89a2"
PICTURES = {"p": PNG, "g": GIF, "x": b"<svg/>", "d": b"%PDF-1.7"}


def seen(*messages: ChatMessage, pictures: dict[str, bytes] = PICTURES) -> list[Any]:
    """The contents on the wire."""
    sent = built(ModelRequest(messages, pictures=pictures))
    assert violation(sent) is None
    return [message["content"] for message in sent["messages"]]


def part(kind: str, content: bytes) -> dict[str, Any]:
    url = f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
    return {"type": "image_url", "image_url": {"url": url}}


def test_pictures_follow_the_words_they_came_with_in_their_order() -> None:
    first = ChatMessage("user", "both", images=("g", "p"), name="Ana")
    contents = seen(ChatMessage("system", "You help."), first, ChatMessage("user", "and?", images=("p",)))
    assert contents == [
        "You help.",
        [{"type": "text", "text": "both"}, part("gif", GIF), part("png", PNG)],
        [{"type": "text", "text": "and?"}, part("png", PNG)],
    ]


def test_only_customers_show_pictures() -> None:
    contents = seen(
        ChatMessage("system", "a", images=("p",)),
        ChatMessage("assistant", "", tool_calls=(CALL,), images=("p",)),
        ChatMessage("tool", "b", tool_call_id="call_1", images=("p",)),
        ChatMessage("assistant", "c", images=("p",)),
    )
    assert contents == ["a", None, "b", "c"]


@pytest.mark.parametrize("images", [("gone",), ("x",), ("d",), ("gone", "x", "d")])
def test_what_is_no_picture_or_not_there_any_more_leaves_plain_words(images: tuple[str, ...]) -> None:
    assert seen(ChatMessage("user", "see", images=images)) == ["see"]


def test_the_pictures_that_are_left_are_shown_without_those_that_are_gone() -> None:
    (content,) = seen(ChatMessage("user", "see\x00", images=("gone", "p", "x")))
    assert content == [{"type": "text", "text": "see"}, part("png", PNG)]
