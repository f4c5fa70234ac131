"""Slack on loopback, for tests: a Web API, file downloads, event deliveries and Socket Mode for the unpatched SDK.

    async with FakeSlack() as slack:
        client = AsyncWebClient(token=slack.bot_token, base_url=slack.url)
        await client.chat_postMessage(channel="C0SUPPORT", text="Hello!")
        assert slack.texts() == ["Hello!"]

It is as strict as the original about tokens, lengths, blocks and rates, keeps a ledger, and fails on demand. What an
app is told, it is told with `deliver` (HTTP) or `push` (Socket Mode); `events` builds the payloads.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, Self

from aiohttp import web

from supportbot.testing.slack.delivery import Sender, signed
from supportbot.testing.slack.faults import (
    CHAOS,
    HANG,
    RESET,
    RESET_AFTER_ACCEPTING,
    TIERS,
    Fault,
    Faults,
    Pace,
)
from supportbot.testing.slack.methods import answer
from supportbot.testing.slack.rules import Refusal, Slow
from supportbot.testing.slack.socket import Sockets, reset
from supportbot.testing.slack.workspace import Answer, Call, Channel, Post, Said, Workspace

__all__ = [
    "CHAOS",
    "HANG",
    "RESET",
    "RESET_AFTER_ACCEPTING",
    "TIERS",
    "Call",
    "Channel",
    "FakeSlack",
    "Fault",
    "Post",
    "Said",
]

_LARGEST = 64 * 1024 * 1024
# The SDK sends many methods' arguments in the address, so it must be as long as they are.
_LONGEST_LINE = 64 * 1024
_LOGIN = "<!DOCTYPE html><html><head><title>Slack</title></head><body>Sign in to Acme</body></html>"
_SCOPES = (
    "app_mentions:read,assistant:write,channels:history,chat:write,files:read,files:write,im:history,users:read"
)


class FakeSlack(Workspace):
    """The server. `pace` is the seconds between messages in one channel, `burst` how many may come at once.

    `tiers` limits calls a minute by method; `{}` and `pace=0` limit nothing. A stream that is `stream_seconds` old is
    over. `repeat_after` is when `deliver` repeats an event that was not answered well within `answer_within` seconds.
    """

    bot_token = "xoxb-0000000000-fake"  # noqa: S105 - opens nothing
    app_token = "xapp-1-A0BOT-fake"  # noqa: S105
    signing_secret = "8f742231b10e8888abcd99fake00000"  # noqa: S105

    def __init__(
        self,
        *,
        burst: int = 1,
        pace: float = 1.0,
        tiers: Mapping[str, float] = TIERS,
        stream_seconds: float = 300,
        repeat_after: Sequence[float] = (0.02, 0.05, 0.1),
        answer_within: float = 3.0,
    ) -> None:
        super().__init__(stream_seconds=stream_seconds)
        self._pace = Pace(burst=burst, seconds=pace, tiers=tiers)
        self._faults = Faults()
        self._sender = Sender(self.signing_secret, repeat_after, answer_within)
        self._sockets = Sockets(self.app_id)
        self._over = asyncio.Event()

    @property
    def url(self) -> str:
        """The base of the Web API, for the SDK's `base_url`."""
        return f"{self.base}/api/"

    @property
    def rate_limited(self) -> Counter[str]:
        """How often each method was refused for its rate."""
        return self._pace.refused

    @property
    def faults(self) -> list[tuple[float, str, Fault]]:
        """The faults that happened: (monotonic time, method, fault)."""
        return self._faults.ledger

    @property
    def answers(self) -> list[bytes]:
        """The bodies that `deliver` got back."""
        return self._sender.answers

    @property
    def acks(self) -> dict[str, Any]:
        """What acknowledged envelopes were answered with, None for nothing."""
        return self._sockets.acks

    @property
    def acked(self) -> set[str]:
        """The ids of all acknowledged envelopes."""
        return set(self._sockets.acks)

    @property
    def connections(self) -> int:
        """How many Socket Mode connections there have been."""
        return self._sockets.connections

    def always(self, method: str, fault: Fault | None) -> None:
        """Every call of the method ("*": any) ends like this from now on; None ends that."""
        self._faults.always(method, fault)

    def next(self, method: str, *faults: Fault | None) -> None:
        """The next calls of the method ("*": any) end like this; None lets one pass."""
        self._faults.next(method, *faults)

    def chaos(
        self, share: float, seed: int, kinds: Sequence[Fault] = CHAOS, methods: Collection[str] = ("*",)
    ) -> None:
        """A share of the calls ends in one of the kinds, the same ones for the same seed; 0 ends that."""
        self._faults.chaos(share, seed, kinds, methods)

    def signed(
        self, body: bytes, at: float | None = None, *, content_type: str = "application/json"
    ) -> dict[str, str]:
        """The headers with which Slack sends this body, now or at another time."""
        return signed(self.signing_secret, body, at=at, content_type=content_type)

    async def deliver(
        self, base_url: str, payload: Mapping[str, Any], path: str = "/slack/events", *, fresh_ids: bool = False
    ) -> list[int]:
        """Posts a payload like Slack: JSON, or a form for interactions and commands. The status of every attempt.

        An event that is not answered with 2xx in time is repeated up to three times (0 stands for no answer at all),
        with `fresh_ids` under another event_id each time.
        """
        self.hear(payload)
        return await self._sender.deliver(base_url.rstrip("/") + path, payload, fresh_ids=fresh_ids)

    async def push(
        self,
        payload: Mapping[str, Any],
        type: Literal["events_api", "interactive", "slash_commands"] = "events_api",
    ) -> str:
        """Sends an envelope to a connected client, or to the next one that connects; gives its envelope_id."""
        self.hear(payload)
        return await self._sockets.push(payload, type)

    async def acked_within(self, envelope_id: str, seconds: float) -> bool:
        """Whether the envelope is acknowledged in time."""
        return await self._sockets.acked_within(envelope_id, seconds)

    async def connected_within(self, seconds: float, count: int = 1) -> bool:
        """Whether a Socket Mode connection is open in time, and there have been so many of them."""
        return await self._sockets.connected_within(seconds, count)

    async def disconnect_all(
        self,
        reason: Literal["warning", "refresh_requested", "link_disabled"] = "refresh_requested",
        *,
        abrupt: bool = False,
    ) -> None:
        """Ends all Socket Mode connections; what they did not acknowledge goes to the next one."""
        await self._sockets.disconnect_all(reason, abrupt=abrupt)

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=_LARGEST)
        app.router.add_route("*", "/api/{method}", self._api)
        app.router.add_get("/files-pri/{file}/{rest:.*}", self._download)
        app.router.add_get("/login", self._login)
        app.router.add_post("/upload/v1/{file}", self._upload)
        app.router.add_get("/link/", self._sockets.connect)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1, max_line_size=_LONGEST_LINE)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.base = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._over.set()
        await self._sockets.close()
        await self._runner.cleanup()

    async def _api(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        given = await _params(request)
        params = {} if isinstance(given, Refusal) else given
        token = str(params.pop("token", ""))
        token = request.headers.get("Authorization", "").removeprefix("Bearer ") or token
        self.calls.append(Call(method, params, time.monotonic()))
        fault = self._faults.take(method)
        if fault is not None and not fault.accepted:
            return await self._fail(request, method, fault)
        result = given if isinstance(given, Refusal) else self._answer(method, params, token)
        if fault is not None:
            return await self._fail(request, method, fault)
        return _response(result)

    def _answer(self, method: str, params: Mapping[str, Any], token: str) -> Answer:
        if not token:
            return Refusal("not_authed")
        if token not in (self.bot_token, self.app_token):
            return Refusal("invalid_auth")
        opening = method == "apps.connections.open"
        if opening != (token == self.app_token):
            return Refusal("not_allowed_token_type")
        if opening:
            ws = self.base.replace("http", "ws", 1)
            return {"url": f"{ws}/link/?ticket={self._sockets.ticket()}&app_id={self.app_id}"}
        return answer(self, self._pace, method, params)

    async def _fail(self, request: web.Request, method: str, fault: Fault) -> web.StreamResponse:
        if fault.kind == "http":
            return web.Response(status=fault.status, text=fault.body, content_type="text/html")
        if fault.kind == "error":
            return _response(Refusal(fault.error))
        if fault.kind == "ratelimited":
            return _response(Slow(fault.seconds))
        if fault.kind == "hang":
            await self._over.wait()
        reset(request)
        return web.Response()

    async def _download(self, request: web.Request) -> web.StreamResponse:
        file = self.files.get(request.match_info["file"].removeprefix(f"{self.team}-"))
        if request.headers.get("Authorization") != f"Bearer {self.bot_token}":
            return web.Response(status=302, headers={"Location": f"{self.base}/login?redir={request.path}"})
        if file is None or not file.uploaded:
            return web.Response(status=404, text=_LOGIN, content_type="text/html")
        if file.redirect:
            return web.Response(status=302, headers={"Location": file.redirect})
        return web.Response(body=file.content, content_type=file.about["mimetype"])

    async def _login(self, request: web.Request) -> web.StreamResponse:
        return web.Response(text=_LOGIN, content_type="text/html")

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        file = self.files.get(request.match_info["file"])
        if file is None or file.uploaded:
            return web.Response(status=404, text="not found")
        content = await _uploaded(request)
        if len(content) != file.length:
            return web.Response(status=400, text=f"expected {file.length} bytes, got {len(content)}")
        file.content, file.uploaded = content, True
        file.about["size"] = len(content)
        return web.Response(text=f"OK - {len(content)}")


async def _params(request: web.Request) -> dict[str, Any] | Refusal:
    """The arguments of a call: of its address, and of its form or JSON body."""
    params: dict[str, Any] = dict(request.query)
    if request.content_type != "application/json":
        return params | dict(await request.post())
    try:
        body = json.loads(await request.read() or b"{}")
    except ValueError:
        return Refusal("invalid_json")
    return params | body if isinstance(body, dict) else Refusal("json_not_object")


async def _uploaded(request: web.Request) -> bytes:
    """The content of an upload, which may be raw or in a form."""
    if request.content_type != "multipart/form-data":
        return await request.read()
    for part in (await request.post()).values():
        if isinstance(part, web.FileField):
            return part.file.read()
    return b""


def _response(result: Answer) -> web.Response:
    """The answer as it goes over the wire."""
    if isinstance(result, Slow):
        refused = {"ok": False, "error": "ratelimited"}
        return web.json_response(refused, status=429, headers={"Retry-After": str(result.seconds)})
    if isinstance(result, Refusal):
        more = {"response_metadata": {"messages": list(result.messages)}} if result.messages else {}
        return web.json_response({"ok": False, "error": result.error} | more)
    return web.json_response({"ok": True} | result, headers={"x-oauth-scopes": _SCOPES})
