"""Chat Completions at OpenAI, or any server that speaks them, through the `openai` package.

Three rules:

1. The package retries nothing (`max_retries=0`): every retry is `ResilientModel`'s, inside the turn's deadline. The one
   exception is a server that names a parameter it does not take: the request goes out again without it, once per
   parameter for the life of the model.
2. The body is built and the answer read here, and the package only carries them (`client.post`): its typed `create()`
   walks every message and costs 20 times as much processor time at 100 messages.
3. Nothing of the package's errors gets out: they hold the request with its key, and the customer's words.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from supportbot.errors import ModelDeadline, ModelError, ModelMalformed, ModelRefused, ModelUnavailable, UsageError
from supportbot.models import answers, wire
from supportbot.models.failures import Complaint, Origin, complaint, from_complaint, from_connection
from supportbot.models.prices import Price, cost, price_of, price_table
from supportbot.models.streaming import Collector
from supportbot.types import ModelAnswer, ModelRequest, Usage

if TYPE_CHECKING:
    import httpx2
    import openai

OPENAI_URL = "https://api.openai.com/v1"
OnText = Callable[[str], Awaitable[None]]
_MOST_ADAPTIONS = 12
_CONNECTIONS = 1000


@dataclass(slots=True)
class _Call:
    """One request on its way: what is known of it when it ends, well or badly."""

    body: Mapping[str, Any]
    quirks: wire.Quirks
    until: float
    payload: Any = None
    said: Complaint | None = None


class OpenAIModel:
    """One model on one server.

    `key` is "" for servers that want none. `request_timeout` in seconds bounds one request, and in a stream the wait
    for each next piece. `prices` are added to the built-in table. `notice` is called with a sentence when the server
    turns out not to take a parameter. `proxy` is an http:// address; proxies, netrc and redirects from the environment
    are not followed.
    """

    def __init__(
        self,
        name: str,
        *,
        key: str = "",
        base_url: str | None = None,
        request_timeout: float = 20.0,
        prices: Mapping[str, Price | Mapping[str, float | None]] | None = None,
        notice: Callable[[str], None] | None = None,
        proxy: str | None = None,
        transport: Literal["auto", "aiohttp", "httpx2"] = "auto",
        now: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self._base_url = base_url or OPENAI_URL
        self._origin = Origin(name, _server(self._base_url))
        self._key = _checked_key(key)
        self._request_timeout = request_timeout
        self._prices = price_table(prices or {})
        self._notice = notice
        self._proxy = proxy
        self._transport = transport
        self._now = now
        self._quirks = wire.first_quirks(name, self._base_url)
        self._opening = asyncio.Lock()
        self._opened: openai.AsyncOpenAI | None = None
        self._closed = False

    def __repr__(self) -> str:
        return f"OpenAIModel({self.name!r}, server={self._origin.server!r})"

    async def complete(
        self,
        request: ModelRequest,
        *,
        seconds: float,
        on_text: OnText | None = None,
    ) -> ModelAnswer:
        """See `supportbot.protocols.Model`; a request that hangs for `request_timeout` is a ModelUnavailable."""
        until = asyncio.get_running_loop().time() + seconds
        spent: list[Usage] = []
        for _ in range(_MOST_ADAPTIONS):
            quirks = self._quirks
            body = wire.body(self.name, request, quirks, stream=on_text is not None)
            call = _Call(body, quirks, until)
            started = time.perf_counter()
            outcome = await self._ask(call, request, on_text)
            spent.append(self._usage(request, call, outcome, time.perf_counter() - started))
            if isinstance(outcome, ModelAnswer):
                return replace(outcome, usage=tuple(spent))
            if not self._adapted(call):
                break
        assert isinstance(outcome, ModelError)
        outcome.usage = tuple(spent)
        raise outcome

    async def close(self) -> None:
        """Closes the connections; a second time does nothing."""
        self._closed = True
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened.close()

    async def _ask(self, call: _Call, request: ModelRequest, on_text: OnText | None) -> ModelAnswer | ModelError:
        """One request. Errors are returned, not raised, so that none carries the package's own as its context."""
        try:
            async with asyncio.timeout_at(self._patience(call)) as timer:
                if on_text is None:
                    call.payload = await self._whole(call)
                else:
                    await self._streamed(call, on_text, timer)
            text, calls = answers.read(call.payload, request, self._origin)
        except ModelError as error:
            return error
        except TimeoutError:
            if not timer.expired():
                raise
            return self._late(call)
        return ModelAnswer(text, calls, model=self.name)

    async def _whole(self, call: _Call) -> Any:
        import httpx2

        response = await self._send(
            call, lambda c: c.post("/chat/completions", cast_to=httpx2.Response, body=call.body)
        )
        return answers.parse(response.content, _media_type(response), self._origin)

    async def _streamed(self, call: _Call, on_text: OnText, timer: asyncio.Timeout) -> None:
        """Fills `call.payload`, handing out each piece of text as it comes."""
        import openai

        kind = openai.AsyncStream[object]
        stream: openai.AsyncStream[object] = await self._send(
            call,
            lambda c: c.post("/chat/completions", cast_to=object, body=call.body, stream=True, stream_cls=kind),
        )
        async with contextlib.aclosing(stream):
            if _is_whole(stream.response):
                await self._unstreamed(call, stream.response, on_text)
                return
            collector = Collector(self._origin)
            async with contextlib.aclosing(self._chunks(call, stream)) as chunks:
                async for chunk in chunks:
                    piece = wire.clean(collector.add(chunk))
                    call.payload = collector.usage
                    if piece:
                        await on_text(piece)
                    timer.reschedule(self._patience(call))
        call.payload = collector.completion()

    async def _unstreamed(self, call: _Call, response: httpx2.Response, on_text: OnText) -> None:
        """A server that answers in one piece although a stream was asked for."""
        content = await self._guarded(call, response.aread())
        call.payload = answers.parse(content, _media_type(response), self._origin)
        piece = answers.plain_text(call.payload)
        if piece:
            await on_text(piece)

    async def _chunks(self, call: _Call, stream: openai.AsyncStream[object]) -> AsyncGenerator[object]:
        while True:
            try:
                chunk = await self._guarded(call, stream.__anext__())
            except StopAsyncIteration:
                return
            yield chunk

    async def _send(self, call: _Call, post: Callable[[openai.AsyncOpenAI], Awaitable[Any]]) -> Any:
        return await self._guarded(call, post(await self._client()))

    async def _guarded(self, call: _Call, awaited: Awaitable[Any]) -> Any:
        """What the package gives, with whatever it raises turned into one of our errors."""
        import openai

        failed: ModelError
        try:
            return await awaited
        except StopAsyncIteration:
            raise
        except openai.APIStatusError as error:
            call.said = complaint(error.status_code, error.body, error.response.headers)
            failed = from_complaint(call.said, self._origin)
        except openai.APIConnectionError as error:
            failed = from_connection(error, self._origin, seconds=self._request_timeout)
        except openai.APIError as error:
            failed = from_complaint(complaint(_event_status(error.code), error.body, {}), self._origin)
        except TypeError:
            failed = ModelRefused("the request cannot be written as JSON: check the schemas of tools and steps")
        except ValueError:
            failed = ModelMalformed(f"{self._origin.server} sent something that is no JSON")
        except Exception as error:  # noqa: BLE001 - the package's door: transports raise errors of their own
            failed = from_connection(error, self._origin, seconds=self._request_timeout)
        raise failed

    async def _client(self) -> openai.AsyncOpenAI:
        """The package's client, imported and built on first use in a thread: the import alone takes half a second."""
        if self._closed:
            raise ModelUnavailable(f"{self.name} is closed")
        if self._opened is None:
            async with self._opening:
                if self._opened is None:
                    self._opened = await asyncio.to_thread(self._build)
        return self._opened

    def _build(self) -> openai.AsyncOpenAI:
        import httpx2
        import openai

        aiohttp = self._transport == "aiohttp" or (
            self._transport == "auto" and importlib.util.find_spec("aiohttp") is not None
        )
        kind = openai.DefaultAioHttpClient if aiohttp else httpx2.AsyncClient
        timeout = httpx2.Timeout(self._request_timeout + 5, connect=min(5.0, self._request_timeout))
        http = kind(
            verify=httpx2.create_ssl_context(trust_env=True),
            trust_env=False,
            proxy=self._proxy,
            follow_redirects=False,
            timeout=timeout,
            limits=httpx2.Limits(
                max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS, keepalive_expiry=30.0
            ),
        )
        key = self._key or "none"
        client = openai.AsyncOpenAI(
            api_key=key, base_url=self._base_url, max_retries=0, timeout=timeout, http_client=http
        )
        if not self._origin.server.endswith(".openai.com"):
            client.organization = client.project = None
        return client

    def _adapted(self, call: _Call) -> bool:
        """Whether asking again makes sense, because a refused parameter is now left out or sent otherwise."""
        if call.said is None or not call.said.blames_parameter:
            return False
        parameter = wire.refused_parameter(call.said.param, call.said.message, call.body)
        if not parameter:
            return False
        if self._quirks != call.quirks:
            return True  # another call learned something meanwhile
        learned = wire.adapt(self._quirks, parameter)
        if learned is None:
            return False
        self._quirks = learned
        if self._notice is not None:
            self._notice(
                f"{self._origin.server} does not take {parameter} for {self.name}: it is sent without from now on"
            )
        return True

    def _patience(self, call: _Call) -> float:
        return min(call.until, asyncio.get_running_loop().time() + self._request_timeout)

    def _late(self, call: _Call) -> ModelError:
        if asyncio.get_running_loop().time() >= call.until:
            return ModelDeadline(f"the turn's time was up before {self.name} had answered")
        return ModelUnavailable(
            f"the model server {self._origin.server} did not answer within {self._request_timeout:g} s"
        )

    def _usage(
        self, request: ModelRequest, call: _Call, outcome: ModelAnswer | ModelError, seconds: float
    ) -> Usage:
        """A refused call is free; one whose tokens the server did not tell has an unknown cost."""
        counted = answers.tokens(call.payload)
        spent = 0 if call.said is not None else None
        if counted.told:
            price = price_of(self.name, self._prices)
            spent = cost(price, prompt=counted.prompt, cached=counted.cached, completion=counted.completion)
        return Usage(
            model=self.name,
            purpose=request.purpose,
            prompt_tokens=counted.prompt,
            cached_tokens=counted.cached,
            completion_tokens=counted.completion,
            cost=spent,
            outcome=outcome.name if isinstance(outcome, ModelError) else "ok",
            seconds=round(seconds, 4),
            at=self._now(),
        )


def _server(base_url: str) -> str:
    """host[:port] of an address; UsageError if it is none that can be called."""
    try:
        parts = urlsplit(base_url)
        host, port = parts.hostname, parts.port
    except ValueError:
        parts, host, port = urlsplit(""), None, None
    if parts.scheme not in ("http", "https") or not host:
        raise UsageError("model.base_url (or OPENAI_BASE_URL) is no http:// or https:// address")
    if parts.username or parts.password:
        raise UsageError("model.base_url holds a user or password: put the key into OPENAI_API_KEY instead")
    return f"{host}:{port}" if port else host


def _checked_key(key: str) -> str:
    stripped = key.strip()
    if not all("!" <= character <= "~" for character in stripped):
        raise UsageError("the model's key (OPENAI_API_KEY) has a space, line break or letter that no key has")
    return stripped


def _media_type(response: httpx2.Response) -> str:
    return response.headers.get("content-type", "").lower()


def _is_whole(response: httpx2.Response) -> bool:
    return any(kind in _media_type(response) for kind in ("json", "html"))


def _event_status(code: object) -> int:
    """Servers put the HTTP status into `code` of an error event, or a word."""
    number = int(code) if isinstance(code, str) and code.isdigit() else 500
    return number if 400 <= number < 600 else 500
