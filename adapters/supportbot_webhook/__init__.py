"""The generic webhook: signed JSON in, signed JSON out (Standard Webhooks). See docs/webhook.md.

A request's way: cap the size, verify the raw bytes, parse, store, and only then say 202. With `?wait=S` the answer is
held back for the caller; it counts as delivered only once the bytes are with the transport and the caller is still
there, otherwise it goes to the callback. What names a handoff in the place of a conversation is what an agent did at a
desk of this channel.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs

from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from supportbot import (
    Act,
    Adapter,
    Capabilities,
    ChannelContext,
    Conflict,
    Desk,
    DeskInbox,
    Inbox,
    Message,
    Outgoing,
    Receipt,
    StoreBusy,
    StoreError,
    UsageError,
    Waiting,
)
from supportbot.doors import RETRY_AFTER, Door, Refused, answer, read_body
from supportbot.options import Options
from supportbot.webhooks import (
    RETRY_DELAYS,
    Unsigned,
    check_secret,
    check_url,
    outgoing_object,
    verify,
)
from supportbot_webhook.callback import Callback
from supportbot_webhook.desk import WebhookDesk
from supportbot_webhook.inbound import Malformed, parse

__all__ = ["WebhookAdapter"]

MAX_WAIT = 30.0
BODY_LIMIT = 1_000_000
TEXT_LIMIT = 20_000

_OPTIONS = (
    "secrets",
    "callback_url",
    "callback_secret",
    "allow_private",
    "body_limit",
    "text_limit",
)


class WebhookAdapter(Adapter):
    """One `POST /webhook/{name}` and one callback. Options: see docs/webhook.md."""

    def __init__(self, name: str, options: Mapping[str, Any]) -> None:
        super().__init__(name, options)
        read = Options(name, options, _OPTIONS)
        self.secrets = _secrets(read)
        url, secret = read.get("callback_url"), read.get("callback_secret")
        self.callback = Callback(
            name,
            str(check_url(url, read.place("callback_url"))) if url else "",
            check_secret(secret, read.place("callback_secret")) if secret else self.secrets[0],
            read.flag("allow_private"),
        )
        self.body_limit = read.count("body_limit", BODY_LIMIT)
        self.text_limit = read.count("text_limit", TEXT_LIMIT)
        self.capabilities = Capabilities(
            buttons=True,
            events=bool(self.callback.url),
            burst_wait=read.duration("burst_wait", 0.0),
            retry_delays=RETRY_DELAYS,
        )
        self.desks: list[str] = []
        self.context: ChannelContext | None = None

    def routes(self) -> Sequence[BaseRoute]:
        return (Route(f"/webhook/{self.name}", _Door(self), methods=["POST"], name=f"webhook:{self.name}"),)

    def desk(self, name: str, options: Mapping[str, Any]) -> Desk:
        """Any number of desks share the callback; what agents do names the handoff, so each finds its own."""
        if unknown := sorted(str(key) for key in options):
            raise UsageError(f"{unknown[0]} is not known; a desk on a webhook has no options of its own.")
        if not self.callback.url:
            raise UsageError(f"channel: channels.{self.name} needs a callback_url, to which a desk's handoffs go.")
        self.desks.append(name)
        return WebhookDesk(name, self.callback)

    async def start(self, context: ChannelContext) -> None:
        self.callback.open(context)
        self.context = context

    async def stop(self) -> None:
        self.context = None
        await self.callback.close()

    async def send(self, outgoing: Outgoing) -> str:
        """Posts to the callback; webhook-id is the message's id over all tries."""
        await self.callback.post(outgoing, outgoing_object(outgoing))
        return ""


# --- the way in ----------------------------------------------------------------------------------------------


class _Door(Door):
    """The route."""

    def __init__(self, adapter: WebhookAdapter) -> None:
        super().__init__(self._take)
        self._adapter = adapter

    async def _take(self, scope: Scope, receive: Receive, send: Send) -> None:
        adapter = self._adapter
        headers = _headers(scope)
        body = await read_body(headers.get("content-length", "0"), receive, adapter.body_limit)
        message = self._authentic(headers, body)
        seconds = _wait_seconds(scope["query_string"])
        context = adapter.context
        if context is None:
            raise Refused(503, "This channel is not running; try again later.", RETRY_AFTER)
        if isinstance(message, Act):
            await _store_act(context.desks, adapter.desks, message)
            await answer(send, 202, {"accepted": True, "id": message.id})
            return
        inbox = context.inbox
        if seconds is not None:
            async with inbox.wait_for(message) as waiting:
                await self._wait(inbox, waiting, message, seconds, receive, send)
            return
        if not adapter.callback.url:
            raise Refused(
                400, "This channel has no callback_url, so ask for the reply with ?wait=30 (1 to 30 seconds)."
            )
        await _store(inbox, message)
        await answer(send, 202, {"accepted": True, "id": message.id})

    def _authentic(self, headers: Mapping[str, str], body: bytes) -> Message | Act:
        adapter = self._adapter
        try:
            verify(adapter.secrets, headers, body)
            return parse(body, adapter.name, text_limit=adapter.text_limit)
        except Unsigned as error:
            raise Refused(401, str(error)) from None
        except Malformed as error:
            raise Refused(error.status, str(error)) from None

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
                await answer(send, 202, {"accepted": True, "id": message.id})
                return
            await answer(send, 200, {"replies": [outgoing_object(reply) for reply in replies]}, more=True)
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
        raise Refused(
            409, f"The id {message.id!r} was used before with another body; give every message its own."
        ) from None
    except StoreError:
        raise _not_stored() from None


async def _store_act(inbox: DeskInbox, desks: Sequence[str], act: Act) -> None:
    """Stores it for the one desk of this channel at which the handoff stands."""
    busy = False
    for desk in desks:
        try:
            if await inbox.act(desk, act):
                return
        except StoreBusy:  # a handoff is on its way to this desk, perhaps this one
            busy = True
        except StoreError:
            raise _not_stored() from None
    if busy:
        raise _not_stored()
    raise Refused(404, f"There is no handoff {act.handoff!r} at a desk of this channel.")


def _not_stored() -> Refused:
    return Refused(503, "The message could not be stored; send it again later.", RETRY_AFTER)


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
    raise Refused(400, f"wait must be a number of seconds above 0 and at most {MAX_WAIT:g}.")


def _secrets(read: Options) -> tuple[str, ...]:
    found = read.get("secrets")
    listed = [found] if isinstance(found, str) else found
    if not listed or not isinstance(listed, list | tuple):
        raise UsageError(
            f"{read.place('secrets')} is empty, so nobody could send it anything: make a secret with "
            "`echo whsec_$(openssl rand -base64 24)`, keep it in the environment, and write "
            "`secrets: [${WEBHOOK_SECRET}]`."
        )
    return tuple(check_secret(secret, f"{read.place('secrets')}[{at}]") for at, secret in enumerate(listed))
