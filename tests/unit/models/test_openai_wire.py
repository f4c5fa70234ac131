"""OpenAIModel against the wire fake: real HTTP on loopback, with every fault the fake knows."""

from __future__ import annotations

import asyncio
import logging
import socket
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from supportbot.errors import (
    ModelBilling,
    ModelDeadline,
    ModelEmpty,
    ModelError,
    ModelFiltered,
    ModelMalformed,
    ModelRefused,
    ModelTruncated,
    ModelUnavailable,
    UsageError,
)
from supportbot.models import OpenAIModel, Price
from supportbot.testing.openai_server import FakeOpenAI, Fault, Say
from supportbot.types import ChatMessage, ModelAnswer, ModelParameters, ModelRequest, ToolCall, ToolSpec

SECRET = "sk-live-very-secret-0123456789"
WORDS = "my password is hunter2"
ASKED = ModelRequest((ChatMessage("system", "You help."), ChatMessage("user", WORDS)))
TOOL = ToolSpec("order_status", "Looks up.", {"type": "object", "properties": {}})
HOT = ModelParameters(temperature=0.3, max_tokens=50, top_p=0.5, stop=("END",))
TRANSPORTS = ("aiohttp", "httpx2")


@asynccontextmanager
async def served(
    *script: Say | Fault, name: str = "gpt-4.1-mini", **options: Any
) -> AsyncIterator[tuple[OpenAIModel, FakeOpenAI]]:
    async with FakeOpenAI(script, key=SECRET) as server:
        options = {"key": SECRET, "base_url": server.base_url, **options}
        model = OpenAIModel(name, **options)
        try:
            yield model, server
        finally:
            await model.close()


def listener() -> tuple[list[str], Callable[[str], Awaitable[None]]]:
    shown: list[str] = []

    async def show(piece: str) -> None:
        shown.append(piece)

    return shown, show


async def failure(model: OpenAIModel, *, seconds: float = 10, stream: bool = False) -> ModelError:
    _, show = listener()
    with pytest.raises(ModelError) as caught:
        await model.complete(ASKED, seconds=seconds, on_text=show if stream else None)
    return caught.value


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Fault("wrong_key"), ModelRefused),
        (Fault("forbidden"), ModelRefused),
        (Fault("unknown_model"), ModelRefused),
        (Fault("unsupported_parameter", param="messages"), ModelRefused),
        (Fault("rate_limit"), ModelUnavailable),
        (Fault("insufficient_quota"), ModelBilling),
        (Fault("server_error"), ModelUnavailable),
        (Fault("bad_gateway_html"), ModelUnavailable),
        (Fault("html"), ModelMalformed),
        (Fault("truncated_json"), ModelMalformed),
        (Fault("empty_body"), ModelMalformed),
        (Fault("no_choices"), ModelMalformed),
        (Fault("empty_choices"), ModelEmpty),
        (Fault("null_content"), ModelEmpty),
        (Fault("reset_before_headers"), ModelUnavailable),
        (Fault("reset_after_headers"), ModelUnavailable),
        (Say("Half an", finish_reason="length"), ModelTruncated),
        (Say("", finish_reason="content_filter"), ModelFiltered),
        (Say("", refusal="I can't."), ModelFiltered),
        (Say(""), ModelEmpty),
    ],
    ids=lambda value: getattr(value, "kind", None) or getattr(value, "__name__", None) or value.reason,
)
async def test_every_fault_has_its_error_its_usage_and_no_secret(
    answer: Say | Fault, error: type[ModelError], stream: bool, transport: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with served(answer, transport=transport) as (model, server):
        found = await failure(model, stream=stream)
        assert type(found) is error
        assert [usage.outcome for usage in found.usage] == [error.name]
        assert len(server.requests) == 1
    told = "".join(traceback.format_exception(found)) + caplog.text + repr(found) + repr(model)
    assert SECRET not in told
    assert "hunter2" not in told
    assert found.__context__ is None or isinstance(found.__context__, ModelError | ValueError)


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("stream_cut", ModelUnavailable),
        ("stream_unfinished", ModelTruncated),
        ("stream_error", ModelUnavailable),
        ("stream_garbage", ModelMalformed),
    ],
)
async def test_a_stream_that_breaks_has_shown_its_beginning(
    kind: Any, error: type[ModelError], transport: str
) -> None:
    shown, show = listener()
    async with served(Fault(kind), transport=transport) as (model, _):
        with pytest.raises(ModelError) as caught:
            await model.complete(ASKED, seconds=10, on_text=show)
    assert isinstance(caught.value, error)
    assert "".join(shown).startswith("An answer")
    assert caught.value.usage[0].cost is None


async def test_the_wait_asked_for_comes_with_the_error() -> None:
    async with served(Fault("rate_limit", retry_after=1.5)) as (model, _):
        found = await failure(model)
    assert isinstance(found, ModelUnavailable)
    assert found.retry_after == 1.5


async def test_an_answer_is_paid_for_with_its_cached_tokens() -> None:
    said = Say("Hello", prompt_tokens=2000, cached_tokens=1024, completion_tokens=100)
    async with served(said, said, now=lambda: 1234.0) as (model, _):
        _, show = listener()
        answers = [await model.complete(ASKED, seconds=10), await model.complete(ASKED, seconds=10, on_text=show)]
    for answer in answers:
        (usage,) = answer.usage
        assert (usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens) == (2000, 1024, 100)
        assert usage.cost == round(976 * 0.4 + 1024 * 0.1 + 100 * 1.6)
        assert (usage.outcome, usage.at, usage.purpose) == ("ok", 1234.0, "reply")


async def test_a_cut_off_answer_is_paid_for_too() -> None:
    prices = {"llama3": Price(1.0, 2.0)}
    said = Say("Half", finish_reason="length", prompt_tokens=100, completion_tokens=50)
    async with served(said, name="llama3", prices=prices) as (model, _):
        found = await failure(model)
    assert [(usage.outcome, usage.cost) for usage in found.usage] == [("truncated", 200)]


async def test_refused_parameters_are_left_out_once_and_for_all_and_told() -> None:
    notices: list[str] = []
    request = ModelRequest(ASKED.messages, parameters=HOT)
    async with served(name="o4-mini", notice=notices.append) as (model, server):
        answer = await model.complete(request, seconds=10)
        again = await model.complete(request, seconds=10)
        assert [usage.outcome for usage in answer.usage] == ["refused", "refused", "refused", "ok"]
        assert [usage.cost for usage in answer.usage[:3]] == [0, 0, 0]
        assert len(again.usage) == 1
        assert server.requests[-1].body.keys() == {"model", "messages", "max_completion_tokens"}
    assert [notice.split(" ")[4] for notice in notices] == ["temperature", "top_p", "stop"]


async def test_parallel_calls_learn_a_refused_parameter_together() -> None:
    notices: list[str] = []
    request = ModelRequest(ASKED.messages, parameters=ModelParameters(temperature=0.3))
    async with served(name="o4-mini", notice=notices.append) as (model, _):
        answers = await asyncio.gather(*(model.complete(request, seconds=10) for _ in range(8)))
    assert all(answer.text for answer in answers)
    assert len(notices) == 1


async def test_a_server_that_refuses_a_parameter_for_ever_is_not_asked_for_ever() -> None:
    def answer(body: Any) -> Fault:
        return Fault("unsupported_parameter", param="temperature")

    async with FakeOpenAI(answer, key=SECRET) as server:
        model = OpenAIModel("m", key=SECRET, base_url=server.base_url)
        with pytest.raises(ModelRefused):
            await model.complete(ModelRequest(ASKED.messages, parameters=HOT), seconds=10)
        await model.close()
        assert len(server.requests) == 2


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_server_that_hangs_is_unavailable_before_the_deadline(stream: bool, transport: str) -> None:
    async with served(Fault("hang"), request_timeout=0.3, transport=transport) as (model, _):
        found = await failure(model, stream=stream)
    assert type(found) is ModelUnavailable
    assert "within 0.3 s" in str(found)


async def test_a_slow_but_steady_stream_outlives_the_request_timeout() -> None:
    shown, show = listener()
    async with served(Say("one two three four five six", pace=0.1), request_timeout=0.4) as (model, _):
        answer = await model.complete(ASKED, seconds=10, on_text=show)
    assert answer.text == "".join(shown) == "one two three four five six"


async def test_a_stream_is_cut_at_the_deadline() -> None:
    _, show = listener()
    async with served(Say("one two three four five six", pace=0.2)) as (model, _):
        with pytest.raises(ModelDeadline):
            await model.complete(ASKED, seconds=0.5, on_text=show)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_nobody_at_the_address_is_said_so(transport: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        model = OpenAIModel("m", base_url=f"http://127.0.0.1:{port}/v1", transport=transport)  # type: ignore[arg-type]
        found = await failure(model)
        await model.close()
    assert type(found) is ModelUnavailable
    assert f"127.0.0.1:{port} (connection refused)" in str(found)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_an_unknown_host_is_said_so(transport: str) -> None:
    model = OpenAIModel("m", base_url="http://nobody.invalid/v1", transport=transport)  # type: ignore[arg-type]
    found = await failure(model)
    await model.close()
    assert "nobody.invalid cannot be resolved" in str(found)


async def _plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
    writer.close()


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_https_to_a_plain_server_is_said_so(transport: str) -> None:
    async with await asyncio.start_server(_plain, "127.0.0.1", 0) as server:
        address = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        model = OpenAIModel("m", base_url=address, transport=transport)  # type: ignore[arg-type]
        found = await failure(model)
        await model.close()
    assert "no TLS connection" in str(found)


async def test_no_proxy_of_the_environment_gets_the_conversation(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with served() as (model, server):
        await model.complete(ASKED, seconds=10)
        assert len(server.requests) == 1


async def test_the_operators_organisation_goes_to_no_other_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-acme")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-acme")
    async with served() as (model, server):
        await model.complete(ASKED, seconds=10)
        assert "org-acme" not in str(server.requests[0].headers)
        assert "proj-acme" not in str(server.requests[0].headers)


async def test_tool_calls_come_whole_and_streamed_alike() -> None:
    call = ToolCall("call_9", "order_status", '{"order": "A-1"}')
    request = ModelRequest(ASKED.messages, tools=(TOOL,))
    async with served(Say(tool_calls=(call,)), Say(tool_calls=(call,))) as (model, _):
        _, show = listener()
        answers: list[ModelAnswer] = [
            await model.complete(request, seconds=10),
            await model.complete(request, seconds=10, on_text=show),
        ]
    assert [answer.tool_calls for answer in answers] == [(call,), (call,)]


async def test_a_server_that_does_not_stream_shows_its_answer_in_one_piece() -> None:
    shown, show = listener()

    async with served(Fault("null_content"), Fault("truncated_json")) as (model, _):
        assert isinstance(await failure(model, stream=True), ModelEmpty)
    async with FakeOpenAI(lambda body: Fault("whole", says="All at once"), key=SECRET) as server:
        model = OpenAIModel("m", key=SECRET, base_url=server.base_url)
        answer = await model.complete(ASKED, seconds=10, on_text=show)
        await model.close()
    assert shown == [answer.text] == ["All at once"]


async def test_more_than_a_hundred_calls_run_at_the_same_time() -> None:
    async with FakeOpenAI(default=Say("Hi", delay=0.5), key=SECRET) as server:
        model = OpenAIModel("m", key=SECRET, base_url=server.base_url)
        await model.complete(ASKED, seconds=20)
        began = asyncio.get_running_loop().time()
        await asyncio.gather(*(model.complete(ASKED, seconds=20) for _ in range(150)))
        took = asyncio.get_running_loop().time() - began
        await model.close()
        assert server.connections > 140
    assert took < 5


async def test_connections_are_used_again() -> None:
    async with served() as (model, server):
        for _ in range(5):
            await model.complete(ASKED, seconds=10)
        assert server.connections == 1


async def test_text_that_utf8_cannot_hold_is_sent_cleaned() -> None:
    async with served() as (model, server):
        await model.complete(ModelRequest((ChatMessage("user", "a\ud83d\x00b 你好"),)), seconds=10)
        assert server.requests[0].body["messages"][0]["content"] == "a?b 你好"


async def test_a_schema_that_is_no_json_is_refused_in_a_sentence() -> None:
    tool = ToolSpec("f", "d", {"type": "object", "default": object()})
    async with served() as (model, _):
        with pytest.raises(ModelRefused, match="schemas of tools"):
            await model.complete(ModelRequest(ASKED.messages, tools=(tool,)), seconds=10)


async def test_a_closed_model_says_so() -> None:
    async with served() as (model, _):
        await model.close()
        with pytest.raises(ModelUnavailable, match="closed"):
            await model.complete(ASKED, seconds=10)


@pytest.mark.parametrize(
    "url", ["localhost:8000", "ftp://x/v1", "http://", "http://user:pw@host/v1", "http://h:port/v1"]
)
def test_an_address_that_cannot_be_called_is_the_operators_to_mend(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        OpenAIModel("m", base_url=url)
    assert "base_url" in str(caught.value)
    assert "pw" not in str(caught.value)


def test_a_key_with_its_line_break_is_taken_and_a_broken_one_is_not() -> None:
    assert SECRET not in repr(OpenAIModel("m", key=f" {SECRET}\n"))
    with pytest.raises(UsageError, match="OPENAI_API_KEY") as caught:
        OpenAIModel("m", key=f"{SECRET}\nexport X=1")
    assert SECRET not in str(caught.value)
