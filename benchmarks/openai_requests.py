"""Checks our requests, and our wire fake's answers, against OpenAI's own OpenAPI description.

    python benchmarks/openai_requests.py --spec openapi.yaml

The description is published at https://github.com/openai/openai-openapi. Every kind of request that OpenAIModel sends
is captured over HTTP on loopback and validated; so is every kind of answer of `supportbot.testing.FakeOpenAI`. Prints a
table; exits 1 if anything violates the description.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import httpx2
import yaml
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from supportbot.errors import ModelError
from supportbot.models import OpenAIModel
from supportbot.testing.openai_server import FakeOpenAI, Fault, FaultKind, Say
from supportbot.types import ChatMessage, ModelParameters, ModelRequest, ToolCall, ToolSpec

REQUEST, ANSWER, CHUNK, ERROR = (
    "CreateChatCompletionRequest",
    "CreateChatCompletionResponse",
    "CreateChatCompletionStreamResponse",
    "ErrorResponse",
)
CALL = ToolCall("call_1", "order_status", '{"order": "A-1001"}')
OTHER = ToolCall("call_2", "order_status", '{"order": "B-2002"}')
TOOL = ToolSpec("order_status", "Looks up.", {"type": "object", "properties": {"order": {"type": "string"}}})
BARE = ToolSpec("hand_over", "Hands over to a human.", {})
SCHEMA = {"type": "object", "properties": {"flow": {"type": "string"}}, "required": ["flow"]}
HI = ChatMessage("user", "Hi")
PIXEL = b"\x89PNG\r\n\x1a\n" + bytes(20)
SEEN = ChatMessage("user", "What is this? [file: lamp.png]", images=("one", "gone", "two"))
TALK = (
    ChatMessage("system", "You help."),
    ChatMessage("user", "Where are my orders?", name="Ana María Юрий"),
    ChatMessage("assistant", "", tool_calls=(CALL, OTHER)),
    ChatMessage("tool", "on its way", tool_call_id="call_1"),
    ChatMessage("tool", "", tool_call_id="call_2"),
    ChatMessage("assistant", "Both are on their way.", name="Bea, Acme"),
    ChatMessage("user", "Grüße 你好 \ud83d\x00"),
)
ALL = ModelParameters(temperature=0.2, max_tokens=300, top_p=0.9, stop=("a", "b", "c", "d", "e"), seed=7)

REQUESTS: Mapping[str, tuple[str, ModelRequest]] = {
    "one message": ("gpt-4.1-mini", ModelRequest((HI,))),
    "names, calls and results": ("gpt-4.1-mini", ModelRequest(TALK)),
    "all parameters": ("gpt-4.1-mini", ModelRequest((HI,), parameters=ALL)),
    "all parameters, reasoning model": ("o4-mini", ModelRequest((HI,), parameters=ALL)),
    "tools": ("gpt-4.1-mini", ModelRequest((HI,), tools=(TOOL, BARE))),
    "pictures": ("gpt-4.1-mini", ModelRequest((SEEN,), pictures={"one": PIXEL, "two": PIXEL})),
    "schema": ("gpt-4.1-mini", ModelRequest((HI,), schema=SCHEMA)),
    "everything": ("gpt-4.1-mini", ModelRequest(TALK, tools=(TOOL, BARE), parameters=ALL, schema=SCHEMA)),
}
ANSWERS: Mapping[str, Say] = {
    "text": Say("Hello there"),
    "tool calls": Say(tool_calls=(CALL, OTHER)),
    "text and tool call": Say("One moment.", tool_calls=(CALL,)),
    "token limit": Say("Half an", finish_reason="length"),
    "content filter": Say("", finish_reason="content_filter"),
    "refusal": Say("", refusal="I can't help with that."),
    "cached prompt": Say("Hi", prompt_tokens=2000, cached_tokens=1024),
}
ERRORS: tuple[FaultKind, ...] = (
    "wrong_key",
    "forbidden",
    "unknown_model",
    "unsupported_parameter",
    "rate_limit",
    "insufficient_quota",
    "server_error",
)


@dataclass(frozen=True, slots=True)
class Checked:
    """One kind of message: how many were looked at, and the first violations."""

    schema: str
    what: str
    count: int
    violations: tuple[str, ...]


class Description:
    """The OpenAPI document as JSON Schemas."""

    def __init__(self, path: Path) -> None:
        text = path.read_text(encoding="utf-8")
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        document = json.loads(text) if path.suffix == ".json" else yaml.load(text, loader)
        self.version = str(document["info"]["version"])
        self._schemas = document["components"]["schemas"]
        wanted = {"components": {"schemas": _plain(self._schemas)}}
        self._registry = Registry().with_resource("urn:api", DRAFT202012.create_resource(wanted))

    def check(self, schema: str, values: list[Any], what: str) -> Checked:
        validator = Draft202012Validator(
            {"$ref": f"urn:api#/components/schemas/{schema}"}, registry=self._registry
        )
        found = [problem for value in values for problem in self._problems(validator, schema, value)]
        return Checked(schema, what, len(values), tuple(found[:5]))

    def _problems(self, validator: Draft202012Validator, schema: str, value: Any) -> Iterator[str]:
        for error in validator.iter_errors(value):
            deepest = max([error, *error.context], key=lambda one: len(one.absolute_path))
            yield f"{deepest.json_path}: {deepest.message[:160]}"
        known = set(self._properties(schema))
        yield from (f"$.{name}: not in the description" for name in value if name not in known)

    def _properties(self, schema: str | Mapping[str, Any]) -> Iterator[str]:
        """Property names of an object schema, through $ref and allOf."""
        shape = self._schemas[schema] if isinstance(schema, str) else schema
        if "$ref" in shape:
            yield from self._properties(shape["$ref"].rsplit("/", 1)[1])
        yield from shape.get("properties", {})
        for part in shape.get("allOf", ()):
            yield from self._properties(part)


def _plain(node: Any) -> Any:
    """OpenAPI's `nullable` in the words of JSON Schema."""
    if isinstance(node, list):
        return [_plain(item) for item in node]
    if not isinstance(node, Mapping):
        return node
    plain = {key: _plain(value) for key, value in node.items() if key != "nullable"}
    return {"anyOf": [plain, {"type": "null"}]} if node.get("nullable") is True else plain


async def _captured(name: str, request: ModelRequest, *, stream: bool, script: list[Say | Fault]) -> list[Any]:
    """The bodies that one call sent, those included that the server refused for a parameter."""

    async def show(piece: str) -> None:
        pass

    async with FakeOpenAI(script) as server:
        model = OpenAIModel(name, key=server.key, base_url=server.base_url)
        with suppress(ModelError):
            await model.complete(request, seconds=10, on_text=show if stream else None)
        await model.close()
        return [seen.body for seen in server.requests]


async def _answered(script: Say | Fault, *, stream: bool) -> list[Any]:
    """The JSON values of one answer of the fake: one, or a stream's chunks."""
    body: dict[str, Any] = {
        "model": "gpt-4.1-mini",
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": stream,
    }
    if stream:
        body["stream_options"] = {"include_usage": True}
    async with FakeOpenAI([script]) as server, httpx2.AsyncClient(trust_env=False) as client:
        headers = {"authorization": f"Bearer {server.key}"}
        response = await client.post(f"{server.base_url}/chat/completions", json=body, headers=headers)
    if "event-stream" not in response.headers["content-type"]:
        return [response.json()]
    events = [line.removeprefix("data: ") for line in response.text.splitlines() if line.startswith("data: ")]
    assert events[-1] == "[DONE]"
    return [json.loads(event) for event in events[:-1]]


async def _checks(api: Description) -> list[Checked]:
    checked = []
    for what, (name, request) in REQUESTS.items():
        for stream in (False, True):
            label = f"{what}, streamed" if stream else what
            bodies = await _captured(name, request, stream=stream, script=[])
            checked.append(api.check(REQUEST, bodies, label))
    refused: list[Say | Fault] = [Fault("unsupported_parameter", param="response_format")] * 2
    bodies = await _captured("llama3", ModelRequest((HI,), schema=SCHEMA), stream=False, script=refused)
    checked.append(api.check(REQUEST, bodies, "schema, refused twice"))
    for what, say in ANSWERS.items():
        checked.append(api.check(ANSWER, await _answered(say, stream=False), what))
        checked.append(api.check(CHUNK, await _answered(say, stream=True), what))
    for kind in ERRORS:
        checked.append(api.check(ERROR, await _answered(Fault(kind), stream=False), kind))
    return checked


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--spec", type=Path, required=True, help="openapi.yaml or openapi.json")
    api = Description(parser.parse_args().spec)
    checked = asyncio.run(_checks(api))
    print(f"OpenAI API {api.version}")
    for one in checked:
        print(f"{'FAIL' if one.violations else 'ok':4}  {one.schema:35} {one.what:42} {one.count:3}")
        for violation in one.violations:
            print(f"      {violation}")
    bad = sum(bool(one.violations) for one in checked)
    print(f"{len(checked)} kinds, {sum(one.count for one in checked)} messages, {bad} kinds with violations")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
