"""ModelRequest -> the JSON body of a Chat Completions request. Pure.

A server that does not take a parameter says so once; `Quirks` remembers what to leave out or rename from then on.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from supportbot.mediatypes import media_type
from supportbot.types import ChatMessage, ModelRequest, ToolCall, ToolSpec

_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_-]+")
_NAMED = re.compile(r"(?:[`'\"]|supplied: )([a-z_]+)\b")
_REASONING = re.compile(r"(o\d|gpt-[5-9])")
_OPTIONAL = (
    "max_completion_tokens",
    "max_tokens",
    "temperature",
    "top_p",
    "stop",
    "seed",
    "stream_options",
    "response_format",
    "strict",
    "name",
)
_MOST_STOPS = 4
_PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp")


@dataclass(frozen=True, slots=True)
class Quirks:
    """What one model on one server has refused, by the name on the wire; `modern`: prefers `max_completion_tokens`."""

    refused: frozenset[str] = frozenset()
    modern: bool = False


def first_quirks(model: str, base_url: str) -> Quirks:
    """How to begin: OpenAI and its reasoning models want `max_completion_tokens`, other servers know `max_tokens`."""
    host = urlsplit(base_url).hostname or ""
    official = host.endswith((".openai.com", ".openai.azure.com"))
    return Quirks(modern=official or _REASONING.match(model) is not None)


def adapt(quirks: Quirks, parameter: str) -> Quirks | None:
    """The quirks after a server refused `parameter`; None if nothing is left to try."""
    if parameter == "response_format" and parameter in quirks.refused:
        parameter = "json_object"
    if parameter in quirks.refused:
        return None
    return replace(quirks, refused=quirks.refused | {parameter})


def refused_parameter(param: str, message: str, body: Mapping[str, Any]) -> str:
    """The optional parameter of `body` that an error speaks of, "" if none.

    `param` is the error's own field ("messages[0].name", "tools[0].function.strict"); the message is read only when
    that is empty.
    """
    sent = {name for name in _OPTIONAL if name in body}
    if any("name" in entry for entry in body["messages"]):
        sent.add("name")
    if body.get("tools"):
        sent.add("strict")
    words = re.findall(r"[a-z_]+", param)
    if not words:
        words = _NAMED.findall(message)
    elif words[0] in ("messages", "tools"):
        words = words[-1:]
    return next((word for word in words if word in sent), "")


def body(model: str, request: ModelRequest, quirks: Quirks, *, stream: bool) -> dict[str, Any]:
    """The whole request body; optional parameters that are None are not in it."""
    named = "name" not in quirks.refused
    built: dict[str, Any] = {
        "model": model,
        "messages": [_message(message, named, request.pictures) for message in request.messages],
    }
    built.update(_parameters(request, quirks))
    if request.tools:
        strict = "strict" not in quirks.refused
        built["tools"] = [_tool(tool, strict) for tool in request.tools]
    if request.schema is not None:
        _ask_for_schema(built, request.schema, quirks)
    if stream:
        built["stream"] = True
        if "stream_options" not in quirks.refused:
            built["stream_options"] = {"include_usage": True}
    return built


def clean(text: str) -> str:
    """The text without what UTF-8 or a database cannot hold: lone surrogates and NUL."""
    if "\x00" in text:
        text = text.replace("\x00", "")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


def wire_name(name: str) -> str:
    """A name as the API takes it (^[a-zA-Z0-9_-]{1,64}$), the same for the same name.

    A name that loses letters gets a short digest, so that two people do not become one.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    kept = _NOT_IN_NAMES.sub("_", plain).strip("_-")
    letters = sum(character.isalnum() for character in unicodedata.normalize("NFC", name))
    if kept and sum(character.isalnum() for character in kept) == letters and len(kept) <= 64:
        return kept
    digest = hashlib.blake2s(name.encode("utf-8", "replace"), digest_size=4).hexdigest()
    return f"{kept[:48] or 'user'}_{digest}"


def _message(message: ChatMessage, named: bool, pictures: Mapping[str, bytes]) -> dict[str, Any]:
    built: dict[str, Any] = {"role": message.role, "content": clean(message.content) or _names_of_files(message)}
    if message.images and message.role == "user":
        built["content"] = _with_pictures(message, pictures)
    if message.role == "tool":
        built["tool_call_id"] = message.tool_call_id
        return built
    if named and message.name.strip():
        built["name"] = wire_name(message.name)
    if message.tool_calls:
        built["content"] = built["content"] or None
        built["tool_calls"] = [_call(call) for call in message.tool_calls]
    return built


def _names_of_files(message: ChatMessage) -> str:
    """What stands for files that were sent without a word: some servers take no message without one."""
    return " ".join(f"[file: {clean(file.name)}]" for file in message.files)


def _with_pictures(message: ChatMessage, pictures: Mapping[str, bytes]) -> list[dict[str, Any]] | str:
    """The words and the pictures that are still there; a picture is what its first bytes say."""
    shown = [
        {"type": "image_url", "image_url": {"url": f"data:{kind};base64,{base64.b64encode(content).decode()}"}}
        for content in (pictures[digest] for digest in message.images if digest in pictures)
        if (kind := media_type(content)) in _PICTURES
    ]
    return [{"type": "text", "text": clean(message.content)}, *shown] if shown else clean(message.content)


def _call(call: ToolCall) -> dict[str, Any]:
    return {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": clean(call.arguments)},
    }


def _tool(tool: ToolSpec, strict: bool) -> dict[str, Any]:
    function: dict[str, Any] = {
        "name": tool.name,
        "description": tool.description,
        "parameters": dict(tool.parameters) or {"type": "object", "properties": {}},
    }
    if strict:
        function["strict"] = False
    return {"type": "function", "function": function}


def _parameters(request: ModelRequest, quirks: Quirks) -> dict[str, Any]:
    wished = request.parameters
    values: dict[str, Any] = {
        "temperature": wished.temperature,
        "top_p": wished.top_p,
        _limit_name(quirks): wished.max_tokens,
        "stop": list(wished.stop[:_MOST_STOPS]) or None,
        "seed": wished.seed,
    }
    return {name: value for name, value in values.items() if value is not None and name not in quirks.refused}


def _limit_name(quirks: Quirks) -> str:
    first, second = (
        ("max_completion_tokens", "max_tokens") if quirks.modern else ("max_tokens", "max_completion_tokens")
    )
    return first if first not in quirks.refused else second


def _ask_for_schema(built: dict[str, Any], schema: Mapping[str, Any], quirks: Quirks) -> None:
    """Asks for the schema as strongly as the server allows; the answer is checked against it in any case."""
    if "response_format" not in quirks.refused:
        shape = {"name": "answer", "schema": dict(schema), "strict": False}
        built["response_format"] = {"type": "json_schema", "json_schema": shape}
        return
    if "json_object" not in quirks.refused:
        built["response_format"] = {"type": "json_object"}
    wish = "Answer with one JSON object and nothing else. It follows this JSON Schema: "
    built["messages"].append({"role": "system", "content": wish + json.dumps(schema, ensure_ascii=False)})
