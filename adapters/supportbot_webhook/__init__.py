"""The generic webhook: signed JSON in, signed JSON out (Standard Webhooks). See docs/webhook.md.

A request's way: cap the size, verify the raw bytes, parse, store, and only then say 202. With `?wait=S` the answer is
held back for the caller; it counts as delivered only once the bytes are with the transport and the caller is still
there, otherwise it goes to the callback.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import Mapping, MutableMapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs

import httpx2
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from supportbot import (
    Adapter,
    Capabilities,
    ChannelBusy,
    ChannelContext,
    ChannelRefused,
    Conflict,
    Inbox,
    Message,
    Outgoing,
    Receipt,
    StoreError,
    UsageError,
    Waiting,
)
from supportbot.webhooks import (
    RETRY_DELAYS,
    SignedEndpoint,
    Unsigned,
    check_secret,
    check_url,
    outgoing_object,
    verify,
)
from supportbot_webhook.inbound import Malformed, parse

__all__ = ["WebhookAdapter"]

MAX_WAIT = 30.0
BODY_SECONDS = 15.0
BODY_LIMIT = 1_000_000
TEXT_LIMIT = 20_000
RETRY_STORE = 5

_OPTIONS = (
    "secrets",
    "callback_url",
    "callback_secret",
    "allow_private",
    "burst_wait",
    "body_limit",
    "text_limit",
)
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h)?\Z")
_COUNT = re.compile(r"(\d{1,12})\s*(KB|MB|)\Z")
_SIZES = {"": 1, "KB": 1_000, "MB": 1_000_000}
_PATIENCE = 2
"""Tries after which a message that the endpoint calls wrong is a dead letter, so that it does not hold up the chat."""
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class WebhookAdapter(Adapter):
    """One `POST /webhook/{name}` and one callback. Options: see docs/webhook.md."""

    def __init__(self, name: str, options: Mapping[str, Any]) -> None:
        super().__init__(name, options)
        read = _Options(f"channels.{name}", options)
        self.secrets = read.secrets()
        self.callback_url = read.callback_url()
        self.callback_secret = read.callback_secret(self.secrets[0])
        self.allow_private = read.flag("allow_private")
        self.body_limit = read.count("body_limit", BODY_LIMIT)
        self.text_limit = read.count("text_limit", TEXT_LIMIT)
        self.capabilities = Capabilities(
            buttons=True,
            events=bool(self.callback_url),
            burst_wait=read.duration("burst_wait"),
            retry_delays=RETRY_DELAYS,
        )
        self.inbox: Inbox | None = None
        self._client: httpx2.AsyncClient | None = None
        self._endpoint: SignedEndpoint | None = None

    def routes(self) -> Sequence[BaseRoute]:
        return (Route(f"/webhook/{self.name}", _Door(self), methods=["POST"], name=f"webhook:{self.name}"),)

    async def start(self, context: ChannelContext) -> None:
        if self.callback_url:
            self._client = context.http(self.allow_private)
            self._endpoint = SignedEndpoint(self.callback_url, self.callback_secret, self._client)
        self.inbox = context.inbox

    async def stop(self) -> None:
        self.inbox = None
        self._endpoint = None
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def send(self, outgoing: Outgoing) -> str:
        """Posts to the callback; webhook-id is the message's id over all tries."""
        if self.callback_url and self._endpoint is None:
            raise ChannelBusy(f"Channel {self.name} is not running.")
        if self._endpoint is None:
            raise ChannelRefused(
                f"The caller who waited for this has gone, and channels.{self.name} has no callback_url to send it to."
            )
        patient = outgoing.attempt < _PATIENCE
        await self._endpoint.post(outgoing.id, outgoing_object(outgoing), patient=patient)
        return ""


# --- the way in ----------------------------------------------------------------------------------------------


class _No(Exception):
    """The request is turned down: status and one sentence."""

    def __init__(self, status: int, sentence: str, *headers: tuple[bytes, bytes]) -> None:
        super().__init__(sentence)
        self.status = status
        self.headers = headers


class _Left(Exception):
    """The caller hung up before the whole request was here."""


class _Door:
    """The route as a plain ASGI application, because this is the hot path."""

    def __init__(self, adapter: WebhookAdapter) -> None:
        self._adapter = adapter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._serve(scope, receive, send)
        except _No as no:
            await _answer(send, no.status, {"error": str(no)}, no.headers)
        except _Left:
            return

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        adapter = self._adapter
        headers = _headers(scope)
        body = await _body(headers, receive, adapter.body_limit)
        message = self._authentic(headers, body)
        seconds = _wait_seconds(scope["query_string"])
        inbox = adapter.inbox
        if inbox is None:
            raise _No(503, "This channel is not running; try again later.", _retry_after())
        if seconds is not None:
            async with inbox.wait_for(message) as waiting:
                await self._wait(inbox, waiting, message, seconds, receive, send)
            return
        if not adapter.callback_url:
            raise _No(
                400, "This channel has no callback_url, so ask for the reply with ?wait=30 (1 to 30 seconds)."
            )
        await _store(inbox, message)
        await _answer(send, 202, {"accepted": True, "id": message.id})

    def _authentic(self, headers: Mapping[str, str], body: bytes) -> Message:
        adapter = self._adapter
        try:
            verify(adapter.secrets, headers, body)
            return parse(body, adapter.name, text_limit=adapter.text_limit)
        except Unsigned as error:
            raise _No(401, str(error)) from None
        except Malformed as error:
            raise _No(error.status, str(error)) from None

    async def _wait(
        self, inbox: Inbox, waiting: Waiting, message: Message, seconds: float, receive: Receive, send: Send
    ) -> None:
        receipt = await _store(inbox, message)
        replies = await inbox.answers(message) if receipt.done else ()
        gone = asyncio.create_task(_gone(receive))
        try:
            if not receipt.done:
                replies = await _unless(gone, waiting, seconds)
            await _settle()
            if gone.done():
                return
            if not replies:
                await _answer(send, 202, {"accepted": True, "id": message.id})
                return
            await _answer(send, 200, {"replies": [outgoing_object(reply) for reply in replies]}, more=True)
            await _settle()
            if not gone.done():
                waiting.taken()
            await send({"type": "http.response.body", "body": b""})
        finally:
            await _end(gone)


async def _store(inbox: Inbox, message: Message) -> Receipt:
    try:
        return await inbox.receive(message)
    except Conflict:
        raise _No(
            409, f"The id {message.id!r} was used before with another body; give every message its own."
        ) from None
    except StoreError:
        raise _No(503, "The message could not be stored; send it again later.", _retry_after()) from None


async def _unless(gone: asyncio.Task[None], waiting: Waiting, seconds: float) -> tuple[Outgoing, ...]:
    """The replies, or () when time runs out or the caller is gone."""
    replies = asyncio.ensure_future(waiting.replies(seconds))
    try:
        await asyncio.wait((replies, gone), return_when=asyncio.FIRST_COMPLETED)
        return replies.result() if replies.done() else ()
    finally:
        await _end(replies)


async def _gone(receive: Receive) -> None:
    """Returns when the caller has hung up (or the response is complete)."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _end(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.wait((task,))


async def _settle() -> None:
    """Lets a hang-up that the kernel already knows of reach `_gone`: poll, connection_lost, wake-up."""
    for _ in range(4):
        await asyncio.sleep(0)


def _headers(scope: Scope) -> dict[str, str]:
    return {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in scope["headers"]
        if name.startswith(b"webhook-") or name == b"content-length"
    }


async def _body(headers: Mapping[str, str], receive: Receive, limit: int) -> bytes:
    length = headers.get("content-length", "0")
    if not length.isdigit() or len(length) > 15 or int(length) > limit:
        raise _too_large(limit)
    pieces: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                event: MutableMapping[str, Any] = await receive()
                if event["type"] == "http.disconnect":
                    raise _Left
                pieces.append(event.get("body", b""))
                size += len(pieces[-1])
                if size > limit:
                    raise _too_large(limit)
                if not event.get("more_body", False):
                    return b"".join(pieces)
    except TimeoutError:
        raise _No(
            408, f"The body did not arrive within {BODY_SECONDS:g} seconds.", (b"connection", b"close")
        ) from None


def _too_large(limit: int) -> _No:
    return _No(413, f"The body is larger than {limit:,} bytes.")


def _wait_seconds(query: bytes) -> float | None:
    """`?wait=S` in seconds, None without it."""
    if not query:
        return None
    found = parse_qs(query.decode("latin-1"), keep_blank_values=True, max_num_fields=None).get("wait")
    if found is None:
        return None
    with suppress(ValueError):
        seconds = float(found[0])
        if len(found) == 1 and math.isfinite(seconds) and 0 < seconds <= MAX_WAIT:
            return seconds
    raise _No(400, f"wait must be a number of seconds above 0 and at most {MAX_WAIT:g}.")


def _retry_after() -> tuple[bytes, bytes]:
    return (b"retry-after", str(RETRY_STORE).encode())


async def _answer(
    send: Send,
    status: int,
    payload: Mapping[str, Any],
    headers: Sequence[tuple[bytes, bytes]] = (),
    *,
    more: bool = False,
) -> None:
    """Sends a whole JSON answer; `more` leaves its end to the caller."""
    body = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    length = str(len(body)).encode()
    fixed = [(b"content-type", b"application/json"), (b"content-length", length), *headers]
    await send({"type": "http.response.start", "status": status, "headers": fixed})
    await send({"type": "http.response.body", "body": body, "more_body": more})


# --- options -------------------------------------------------------------------------------------------------


class _Options:
    """Reads the channel's options; whatever is wrong is one UsageError that names the key."""

    def __init__(self, place: str, options: Mapping[str, Any]) -> None:
        self._place = place
        self._options = options
        if unknown := sorted(str(key) for key in options if key not in _OPTIONS):
            raise UsageError(f"{place}.{unknown[0]} is not known; a webhook channel has {', '.join(_OPTIONS)}.")

    def secrets(self) -> tuple[str, ...]:
        found = self._options.get("secrets")
        listed = [found] if isinstance(found, str) else found
        if not listed or not isinstance(listed, list | tuple):
            raise UsageError(
                f"{self._place}.secrets is empty, so nobody could send it anything: make a secret with "
                "`echo whsec_$(openssl rand -base64 24)`, keep it in the environment, and write "
                "`secrets: [${WEBHOOK_SECRET}]`."
            )
        return tuple(check_secret(secret, f"{self._place}.secrets[{at}]") for at, secret in enumerate(listed))

    def callback_url(self) -> str:
        found = self._options.get("callback_url")
        return str(check_url(found, f"{self._place}.callback_url")) if found else ""

    def callback_secret(self, default: str) -> str:
        found = self._options.get("callback_secret")
        return check_secret(found, f"{self._place}.callback_secret") if found else default

    def flag(self, key: str) -> bool:
        found = self._options.get(key)
        if found is not None and not isinstance(found, bool):
            raise UsageError(f"{self._place}.{key} must be true or false.")
        return bool(found)

    def count(self, key: str, default: int) -> int:
        found = self._options.get(key)
        match = None if isinstance(found, bool) else _COUNT.match(str(default if found is None else found).strip())
        count = int(match[1]) * _SIZES[match[2]] if match else 0
        if count < 1:
            raise UsageError(f"{self._place}.{key} must be a whole number above 0, such as 20000 or 512KB.")
        return count

    def duration(self, key: str) -> float:
        found = self._options.get(key)
        if found is None:
            return 0.0
        match = None if isinstance(found, bool) else _DURATION.match(str(found).strip())
        seconds = float(match[1]) * _UNITS[match[2] or "s"] if match else -1.0
        if not 0 <= seconds <= 60:
            raise UsageError(f"{self._place}.{key} must be a time such as 0s, 800ms or 2s, at most a minute.")
        return seconds
