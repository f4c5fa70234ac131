"""A completion as a server sent it -> text and tool calls, or a ModelError that names what is wrong with it. Pure,
but for random ids where the server gave none.
"""

from __future__ import annotations

import functools
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from supportbot.errors import ModelEmpty, ModelError, ModelFiltered, ModelMalformed, ModelRefused, ModelTruncated
from supportbot.models.failures import Origin, complaint, from_complaint
from supportbot.models.wire import clean
from supportbot.types import ModelRequest, ToolCall

_FENCE = re.compile(r"\A\s*```[a-zA-Z]*\n(.*)\n\s*```\s*\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the server counted; `told` is False when it said nothing."""

    prompt: int = 0
    cached: int = 0
    completion: int = 0
    told: bool = False


def parse(content: bytes, media_type: str, origin: Origin) -> Any:
    """The JSON of a 200 answer; ModelMalformed for a web page, half a document or anything else."""
    try:
        return _json(content)
    except (ValueError, RecursionError):
        pass
    if "html" in media_type or content[:200].lstrip()[:1] == b"<":
        raise ModelMalformed(
            f"{origin.server} answered with a web page instead of a completion: check model.base_url (it ends in /v1)"
        )
    if not content.strip():
        raise ModelMalformed(f"{origin.server} answered with nothing at all")
    raise ModelMalformed(f"the answer of {origin.server} breaks off or is no JSON")


def tokens(payload: Any) -> Tokens:
    """The usage part of a completion, zeros where it is missing or odd."""
    usage = payload.get("usage") if isinstance(payload, Mapping) else None
    if not isinstance(usage, Mapping):
        return Tokens()
    details = usage.get("prompt_tokens_details")
    prompt = _count(usage.get("prompt_tokens"))
    cached = _count(details.get("cached_tokens")) if isinstance(details, Mapping) else 0
    return Tokens(prompt, min(cached, prompt), _count(usage.get("completion_tokens")), told=True)


def read(payload: Any, request: ModelRequest, origin: Origin) -> tuple[str, tuple[ToolCall, ...]]:
    """Text and tool calls of a completion; one of ModelMalformed, Empty, Truncated, Filtered otherwise."""
    choice = _choice(payload, origin)
    message = choice.get("message")
    if not isinstance(message, Mapping):
        raise _malformed(origin, "it has a choice without a message")
    reason = choice.get("finish_reason")
    if reason == "content_filter":
        raise ModelFiltered(f"the content filter at {origin.server} held back the answer of {origin.model}")
    if reason == "length":
        raise ModelTruncated(
            f"{origin.model} reached its token limit before the answer was complete: raise max_tokens"
        )
    if message.get("refusal"):
        raise ModelFiltered(f"{origin.model} declined to answer")
    text = clean(_text(message.get("content"), origin))
    calls = _calls(message, origin)
    if not text.strip() and not calls:
        raise ModelEmpty(f"{origin.model} answered with neither text nor a tool call")
    if request.schema is not None and not calls:
        text = structured(text, request.schema, origin)
    return text, calls


def structured(text: str, schema: Mapping[str, Any], origin: Origin) -> str:
    """The JSON text, without a code fence around it; ModelMalformed if it is no JSON or breaks the schema."""
    fenced = _FENCE.match(text)
    bare = fenced.group(1) if fenced else text
    try:
        value = _json(bare)
    except (ValueError, RecursionError):
        value = None
        broken = True
    else:
        broken = False
    if broken:
        raise ModelMalformed(f"{origin.model} was asked for JSON and answered with something else")
    _check(value, schema, origin)
    return bare


def error_in(payload: Any, origin: Origin) -> ModelError | None:
    """The error that some servers send with status 200, or as an event inside a stream."""
    if not isinstance(payload, Mapping) or not payload.get("error") or payload.get("choices"):
        return None
    inner = payload["error"]
    code = inner.get("code") if isinstance(inner, Mapping) else None
    status = code if isinstance(code, int) and 400 <= code < 600 else 500
    return from_complaint(complaint(status, payload, {}), origin)


def _choice(payload: Any, origin: Origin) -> Mapping[str, Any]:
    if not isinstance(payload, Mapping):
        raise _malformed(origin, "it is no JSON object")
    error = error_in(payload, origin)
    if error is not None:
        raise error
    choices = payload.get("choices")
    if not isinstance(choices, list):
        raise _malformed(origin, "it has no choices")
    if not choices:
        raise ModelEmpty(f"{origin.model} answered with an empty list of choices")
    if not isinstance(choices[0], Mapping):
        raise _malformed(origin, "its choice is no object")
    return choices[0]


def _text(content: Any, origin: Origin) -> str:
    """Content as text; some servers send a list of parts."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise _malformed(origin, "its content is no text")
    parts = [part.get("text", "") for part in content if isinstance(part, Mapping)]
    return "".join(part for part in parts if isinstance(part, str))


def _calls(message: Mapping[str, Any], origin: Origin) -> tuple[ToolCall, ...]:
    """The tool calls, each with an id of its own; arguments stay text for the tool loop to judge."""
    raw = message.get("tool_calls") or []
    if not isinstance(raw, list):
        raise _malformed(origin, "its tool calls are no list")
    calls: list[ToolCall] = []
    for entry in raw:
        function = entry.get("function") if isinstance(entry, Mapping) else None
        name = function.get("name") if isinstance(function, Mapping) else None
        if not isinstance(function, Mapping) or not isinstance(name, str) or not name:
            raise _malformed(origin, "a tool call has no function name")
        taken = {call.id for call in calls}
        calls.append(ToolCall(_call_id(entry.get("id"), taken), name, _arguments(function.get("arguments"))))
    return tuple(calls)


def _call_id(given: Any, taken: set[str]) -> str:
    if isinstance(given, str) and given and given not in taken:
        return given
    return f"call_{secrets.token_hex(12)}"


def _arguments(given: Any) -> str:
    """JSON text; no arguments at all mean an empty object, and an object instead of text becomes its text."""
    if given is None or given == "":
        return "{}"
    return clean(given) if isinstance(given, str) else json.dumps(given, ensure_ascii=False)


def _check(value: Any, schema: Mapping[str, Any], origin: Origin) -> None:
    from jsonschema.exceptions import SchemaError
    from referencing.exceptions import Unresolvable

    try:
        problem = next(_validator(json.dumps(schema, sort_keys=True)).iter_errors(value), None)
    except (SchemaError, Unresolvable, re.error):
        raise ModelRefused("the JSON Schema asked for cannot be used: check the step's schema") from None
    if problem is not None:
        where = "/".join(str(part) for part in problem.absolute_schema_path)[:120]
        raise ModelMalformed(f"the structured answer of {origin.model} breaks its schema at {where}")


@functools.lru_cache(maxsize=64)
def _validator(schema: str) -> Any:
    """A validator that fetches nothing from the network."""
    from jsonschema import Draft202012Validator
    from jsonschema.validators import validator_for
    from referencing import Registry

    loaded = json.loads(schema)
    kind = validator_for(loaded, default=Draft202012Validator)
    kind.check_schema(loaded)
    return kind(loaded, registry=Registry())


def _json(text: str | bytes) -> Any:
    return json.loads(text, parse_constant=_no_constant)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _malformed(origin: Origin, why: str) -> ModelMalformed:
    return ModelMalformed(f"the answer of {origin.server} is no chat completion: {why}")


def plain_text(payload: Any) -> str:
    """The text of a completion as far as it has some, "" for anything odd; `read` says what is wrong with it."""
    choices = payload.get("choices") if isinstance(payload, Mapping) else None
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, Mapping) else None
    content = message.get("content") if isinstance(message, Mapping) else None
    return clean(content) if isinstance(content, str) else ""
