"""The answers of a Chat Completions server, as JSON values. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from supportbot.types import ToolCall

FaultKind = Literal[
    "wrong_key",
    "forbidden",
    "unknown_model",
    "unsupported_parameter",
    "rate_limit",
    "insufficient_quota",
    "server_error",
    "bad_gateway_html",
    "html",
    "truncated_json",
    "empty_body",
    "no_choices",
    "empty_choices",
    "null_content",
    "whole",
    "hang",
    "reset_before_headers",
    "reset_after_headers",
    "stream_cut",
    "stream_unfinished",
    "stream_error",
    "stream_garbage",
]


@dataclass(frozen=True, slots=True)
class Say:
    """A good answer, or one whose `finish_reason` or `refusal` makes it a bad one.

    `pieces` are the stream's chunks of text (the words of `text` if there are none). `delay` in seconds passes before
    the answer, `pace` between two pieces of a stream.
    """

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str = ""
    refusal: str | None = None
    pieces: tuple[str, ...] = ()
    prompt_tokens: int = 20
    cached_tokens: int = 0
    completion_tokens: int = 5
    delay: float = 0.0
    pace: float = 0.0

    @property
    def reason(self) -> str:
        return self.finish_reason or ("tool_calls" if self.tool_calls else "stop")

    @property
    def chunks(self) -> tuple[str, ...]:
        words = self.text.split(" ")
        return self.pieces or tuple(f"{word} " for word in words[:-1]) + tuple(word for word in words[-1:] if word)

    @property
    def whole(self) -> str:
        return self.text or "".join(self.pieces)


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong; `retry_after` in seconds for rate limits, `param` for a refused parameter.

    `says` is what a faulty stream begins with, `seconds` how long "hang" hangs. "whole" is a good answer in one piece,
    also when a stream was asked for.
    """

    kind: FaultKind
    retry_after: float | None = None
    param: str = "temperature"
    says: str = "An answer that breaks off"
    seconds: float = 3600.0


@dataclass(frozen=True, slots=True)
class HttpError:
    """An error answer: status, headers and body."""

    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str]


_ERRORS: Mapping[str, tuple[int, str, str | None, str]] = {
    "wrong_key": (401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided: {key}."),
    "forbidden": (403, "invalid_request_error", "unsupported_country_region_territory", "Not here."),
    "unknown_model": (404, "invalid_request_error", "model_not_found", "The model does not exist."),
    "rate_limit": (429, "tokens", "rate_limit_exceeded", "Rate limit reached."),
    "insufficient_quota": (429, "insufficient_quota", "insufficient_quota", "You exceeded your current quota."),
    "server_error": (500, "server_error", None, "The server had an error while processing your request."),
}


def http_error(fault: Fault, key: str) -> HttpError | None:
    """The error answer of a fault, None for faults of another sort. A wrong key is echoed, as the API does."""
    headers: dict[str, str] = {}
    if fault.retry_after is not None:
        headers["retry-after"] = str(int(fault.retry_after))
        headers["retry-after-ms"] = str(int(fault.retry_after * 1000))
    if fault.kind == "unsupported_parameter":
        said = f"Unsupported parameter: '{fault.param}' is not supported with this model."
        return HttpError(400, error(said, "invalid_request_error", fault.kind, fault.param), headers)
    if fault.kind not in _ERRORS:
        return None
    status, kind, code, message = _ERRORS[fault.kind]
    return HttpError(status, error(message.format(key=key), kind, code), headers)


def error(message: str, kind: str, code: str | None, param: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def completion(say: Say, *, model: str, number: int) -> dict[str, Any]:
    """A whole `chat.completion`."""
    message: dict[str, Any] = {
        "role": "assistant",
        "content": say.whole or None,
        "refusal": say.refusal,
        "annotations": [],
    }
    if say.tool_calls:
        message["tool_calls"] = [_call(call) for call in say.tool_calls]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": say.reason}
    return {**_head("chat.completion", model, number), "choices": [choice], "usage": usage(say)}


def chunks(say: Say, *, model: str, number: int, with_usage: bool) -> Iterator[dict[str, Any]]:
    """The `chat.completion.chunk`s of an answer, in order."""
    head = _head("chat.completion.chunk", model, number)
    if with_usage:
        head["usage"] = None
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": "", "refusal": None}]
    deltas += [{"content": piece} for piece in say.chunks]
    if say.refusal:
        deltas.append({"refusal": say.refusal})
    for at, call in enumerate(say.tool_calls):
        begun = {**_call(call), "index": at}
        begun["function"] = {"name": call.name, "arguments": ""}
        deltas.append({"tool_calls": [begun]})
        half = len(call.arguments) // 2
        for part in (call.arguments[:half], call.arguments[half:]):
            deltas.append({"tool_calls": [{"index": at, "function": {"arguments": part}}]})
    for delta in deltas:
        yield {**head, "choices": [_chunk_choice(delta, None)]}
    yield {**head, "choices": [_chunk_choice({}, say.reason)]}
    if with_usage:
        yield {**head, "choices": [], "usage": usage(say)}


def usage(say: Say) -> dict[str, Any]:
    return {
        "prompt_tokens": say.prompt_tokens,
        "completion_tokens": say.completion_tokens,
        "total_tokens": say.prompt_tokens + say.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": say.cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _head(kind: str, model: str, number: int) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{number:08d}",
        "object": kind,
        "created": 1_700_000_000 + number,
        "model": model,
        "service_tier": "default",
        "system_fingerprint": "fp_fake",
    }


def _call(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _chunk_choice(delta: Mapping[str, Any], reason: str | None) -> dict[str, Any]:
    return {"index": 0, "delta": dict(delta), "logprobs": None, "finish_reason": reason}
