"""What the Chat Completions API refuses in a request, as strictly as the API itself. Pure.

`violation` gives the first thing that is wrong, with the status, code and parameter the API answers with.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}\Z")
_REASONING = re.compile(r"(o\d|gpt-5(?!.*chat))")
_NAMES = """
messages model temperature top_p max_tokens max_completion_tokens stop seed tools tool_choice parallel_tool_calls
response_format stream stream_options n user metadata store logprobs top_logprobs logit_bias frequency_penalty
presence_penalty reasoning_effort verbosity service_tier prompt_cache_key safety_identifier prediction modalities audio
web_search_options
"""
_TOP = frozenset(_NAMES.split())
_MESSAGE_FIELDS: Mapping[str, frozenset[str]] = {
    "developer": frozenset({"role", "content", "name"}),
    "system": frozenset({"role", "content", "name"}),
    "user": frozenset({"role", "content", "name"}),
    "assistant": frozenset({"role", "content", "name", "refusal", "audio", "tool_calls", "function_call"}),
    "tool": frozenset({"role", "content", "tool_call_id"}),
}
_RANGES: Mapping[str, tuple[float, float]] = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "frequency_penalty": (-2, 2),
    "presence_penalty": (-2, 2),
}


@dataclass(frozen=True, slots=True)
class Violation:
    """One refusal; `message` is what the API would say."""

    message: str
    param: str | None = None
    code: str | None = None
    status: int = 400


def violation(body: Any) -> Violation | None:
    """The first thing the API would refuse in a request body, None if it would take it."""
    if not isinstance(body, Mapping):
        return Violation("We could not parse the JSON body of your request.")
    return next((found for rule in _RULES for found in rule(body)), None)


def _top_level(body: Mapping[str, Any]) -> Iterator[Violation]:
    for name in body:
        if name not in _TOP:
            yield Violation(f"Unrecognized request argument supplied: {name}", name, "unknown_parameter")
    if not isinstance(body.get("model"), str) or not body["model"]:
        yield Violation("you must provide a model parameter", "model")
    if not isinstance(body.get("messages"), list) or not body["messages"]:
        yield Violation("Invalid 'messages': expected a non-empty array.", "messages", "empty_array")


def _parameters(body: Mapping[str, Any]) -> Iterator[Violation]:
    for name, (least, most) in _RANGES.items():
        value = body.get(name)
        if value is not None and not (_is_number(value) and least <= value <= most):
            yield Violation(f"Invalid '{name}': out of range.", name, "invalid_value")
    for name in ("max_tokens", "max_completion_tokens"):
        if body.get(name) is not None and not (isinstance(body[name], int) and body[name] >= 1):
            yield Violation(f"Invalid '{name}': expected a positive integer.", name, "integer_below_min_value")
    if "stream_options" in body and not body.get("stream"):
        yield Violation("'stream_options' is only allowed when 'stream' is true.", "stream_options")
    stop = body.get("stop")
    if isinstance(stop, list) and not 1 <= len(stop) <= 4:
        yield Violation("Invalid 'stop': expected 1 to 4 sequences.", "stop", "array_above_max_length")


def _reasoning(body: Mapping[str, Any]) -> Iterator[Violation]:
    if not _REASONING.match(str(body.get("model"))):
        return
    if "max_tokens" in body:
        said = "'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
        yield Violation(f"Unsupported parameter: {said}", "max_tokens", "unsupported_parameter")
    for name in ("temperature", "top_p"):
        if body.get(name) not in (None, 1, 1.0):
            said = f"Unsupported value: '{name}' does not support {body[name]} with this model."
            yield Violation(said, name, "unsupported_value")
    if body.get("stop") is not None:
        yield Violation("Unsupported parameter: 'stop' is not supported.", "stop", "unsupported_parameter")


def _messages(body: Mapping[str, Any]) -> Iterator[Violation]:
    for at, message in enumerate(body["messages"]):
        where = f"messages[{at}]"
        role = message.get("role") if isinstance(message, Mapping) else None
        if not isinstance(role, str) or role not in _MESSAGE_FIELDS:
            yield Violation(f"Invalid value for '{where}.role'.", f"{where}.role", "invalid_value")
            return
        for name in message:
            if name not in _MESSAGE_FIELDS[role]:
                yield Violation(f"Unknown parameter: '{where}.{name}'.", f"{where}.{name}", "unknown_parameter")
        yield from _message(message, role, where)


def _message(message: Mapping[str, Any], role: str, where: str) -> Iterator[Violation]:
    name = message.get("name")
    if name is not None and not (isinstance(name, str) and _NAME.match(name)):
        yield Violation(
            f"Invalid '{where}.name': string does not match pattern.", f"{where}.name", "invalid_value"
        )
    content = message.get("content")
    may_lack = role == "assistant" and bool(message.get("tool_calls"))
    if not isinstance(content, str | list) and not (content is None and may_lack):
        yield Violation(f"Invalid value for 'content': got {content!r}.", f"{where}.content", "invalid_type")
    for at, call in enumerate(message.get("tool_calls") or ()):
        function = call.get("function") if isinstance(call, Mapping) else None
        if (
            not isinstance(function, Mapping)
            or not _is_name(function.get("name"))
            or call.get("type") != "function"
            or not isinstance(call.get("id"), str)
        ):
            param = f"{where}.tool_calls[{at}]"
            yield Violation(f"Invalid '{param}'.", param, "invalid_value")
        elif not isinstance(function.get("arguments"), str):
            param = f"{where}.tool_calls[{at}].function.arguments"
            yield Violation(f"Invalid type for '{param}': expected a string.", param, "invalid_type")


def _tool_messages(body: Mapping[str, Any]) -> Iterator[Violation]:
    """Every call of an assistant message is followed by exactly one tool message, before anything else."""
    waiting: set[str] = set()
    for at, message in enumerate(body["messages"]):
        where = f"messages[{at}]"
        if message["role"] == "tool":
            if message.get("tool_call_id") not in waiting:
                said = "messages with role 'tool' must be a response to a preceding message with 'tool_calls'."
                yield Violation(f"Invalid parameter: {said}", f"{where}.role")
                return
            waiting.discard(message["tool_call_id"])
            continue
        if waiting:
            break
        waiting = {call["id"] for call in message.get("tool_calls") or ()}
    if waiting:
        said = "An assistant message with 'tool_calls' must be followed by tool messages responding to each id."
        yield Violation(said, "messages")


def _tools(body: Mapping[str, Any]) -> Iterator[Violation]:
    tools = body.get("tools")
    if tools is not None and (not isinstance(tools, list) or not tools):
        yield Violation("Invalid 'tools': expected a non-empty array.", "tools", "empty_array")
        return
    for at, tool in enumerate(tools or ()):
        function = tool.get("function") if isinstance(tool, Mapping) else None
        if not isinstance(function, Mapping) or tool.get("type") != "function":
            yield Violation(f"Invalid 'tools[{at}]'.", f"tools[{at}]", "invalid_value")
        elif not _is_name(function.get("name")):
            yield Violation(f"Invalid 'tools[{at}].function.name'.", f"tools[{at}].function.name", "invalid_value")
        elif function.get("parameters", {"type": "object"}).get("type") != "object":
            said = f"Invalid schema for function '{function['name']}': schema must be of type object."
            yield Violation(said, f"tools[{at}].function.parameters", "invalid_function_parameters")


def _response_format(body: Mapping[str, Any]) -> Iterator[Violation]:
    wanted = body.get("response_format")
    if wanted is None:
        return
    kind = wanted.get("type") if isinstance(wanted, Mapping) else None
    if kind not in ("text", "json_object", "json_schema"):
        yield Violation("Invalid value for 'response_format.type'.", "response_format.type", "invalid_value")
    elif kind == "json_object" and "json" not in str(body["messages"]).lower():
        yield Violation("'messages' must contain the word 'json' in some form.", "messages")
    elif kind == "json_schema":
        shape = wanted.get("json_schema")
        if not isinstance(shape, Mapping) or not _is_name(shape.get("name")) or "schema" not in shape:
            yield Violation(
                "Invalid 'response_format.json_schema'.", "response_format.json_schema", "invalid_value"
            )


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and _NAME.match(value) is not None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_RULES: Sequence[Callable[[Mapping[str, Any]], Iterator[Violation]]] = (
    _top_level,
    _parameters,
    _reasoning,
    _messages,
    _tool_messages,
    _tools,
    _response_format,
)
