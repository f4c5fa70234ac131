"""Socket Mode: slack_sdk's client, with an envelope acknowledged only once what is in it is stored.

Two things are done otherwise than in the SDK: a link's address is never used for a second try, as its ticket is good
for one; and what goes wrong is told in our words, since the SDK's hold the ticket.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import aiohttp
from slack_bolt.response import BoltResponse
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse

from supportbot.errors import StoreError, UsageError
from supportbot_slack.faults import BAD_TOKEN, Refusal
from supportbot_slack.intake import Intake
from supportbot_slack.web import Web, proxy_for, silent

PING = 5.0
TRY = 4.0
"""Seconds for one try to connect: less than the SDK's pause, after which it would use the old address again."""
_CLOSE = 2.0
_PAUSES = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0)
_BAD = BAD_TOKEN | {"missing_scope", "no_permission", "access_denied"}


class Link(SocketModeClient):
    """The SDK's client, which connects with a fresh address at every try. Make it in a running event loop."""

    def __init__(self, web: Web, app_token: str, log: Callable[..., None]) -> None:
        super().__init__(app_token, logger=silent("socket"), web_client=web.client, ping_interval=PING)
        self.proxy = proxy_for(web.api_url)
        self._web = web
        self._log = log
        self._told = ""
        self.failed: asyncio.Future[Refusal] = asyncio.get_running_loop().create_future()

    async def issue_new_wss_url(self) -> str:
        """A fresh address; raises Refusal, which the SDK's loops outlive."""
        try:
            answer = await self._web.client.api_call(
                "apps.connections.open", headers={"Authorization": f"Bearer {self.app_token}"}
            )
            return str(answer["url"])
        except Exception as error:  # noqa: BLE001 - named boundary: whatever it is, its words may hold a secret
            refusal = _told(error)
            if not self.failed.done():
                self.failed.set_result(refusal)
            self._say(refusal)
            raise refusal from None

    async def connect(self) -> None:
        """Returns once there is a connection, however many tries it takes."""
        tries = 0
        while not self.closed:
            try:
                async with asyncio.timeout(TRY):
                    await super().connect()  # type: ignore[no-untyped-call]
                if self._told:
                    self._told = ""
                    self._log("slack.socket_connected")
                return
            except TimeoutError:
                if not self._told:
                    self._say(Refusal("apps.connections.open", "connection"))
            self.wss_uri = None
            await asyncio.sleep(_PAUSES[min(tries, len(_PAUSES) - 1)])
            tries += 1

    def _say(self, refusal: Refusal) -> None:
        """Once for each reason, not at every try."""
        if refusal.code != self._told:
            self._told = refusal.code
            self._log("slack.socket_down", error=_sentence(refusal))


class Socket:
    """The connection and what comes by it."""

    def __init__(self, web: Web, app_token: str, intake: Intake, log: Callable[..., None]) -> None:
        self._link = Link(web, app_token, log)
        self._link.socket_mode_request_listeners.append(self._take)
        self._intake = intake
        self._log = log
        self._busy: set[asyncio.Task[Any]] = set()
        self._connecting: asyncio.Task[None] | None = None

    async def start(self, seconds: float) -> None:
        """Connects; after `seconds` it goes on trying in the background. Raises UsageError for a wrong app token."""
        self._connecting = asyncio.create_task(self._link.connect(), name="slack socket")
        await asyncio.wait(
            (self._connecting, self._link.failed), timeout=seconds, return_when=asyncio.FIRST_COMPLETED
        )
        if self._link.failed.done() and self._link.failed.result().code in _BAD:
            raise UsageError(_sentence(self._link.failed.result()))

    async def stop(self) -> None:
        """Lets what is being taken in finish, and closes."""
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait((self._connecting,))
        if self._busy:
            await asyncio.wait(tuple(self._busy), timeout=_CLOSE)
        link = self._link
        link.closed = True
        with suppress(TimeoutError, aiohttp.ClientError, OSError):
            async with asyncio.timeout(_CLOSE):
                await link.close()  # type: ignore[no-untyped-call]
        await link.aiohttp_client_session.close()
        left = [
            task for task in (link.message_processor, link.current_session_monitor, link.message_receiver) if task
        ]
        for task in (*left, *self._busy):
            task.cancel()
        await asyncio.gather(*left, *self._busy, return_exceptions=True)

    async def _take(self, client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._busy.add(task)
            task.add_done_callback(self._busy.discard)
        if self._link.closed:
            return
        payload = request.payload
        if not isinstance(payload, dict):
            return
        try:
            response = await self._intake.take(payload)
        except StoreError as error:
            self._log("slack.not_stored", error=str(error))
            return
        if response.status == 200:  # any other leaves it to Slack to send it again
            await self._acknowledge(client, request, response)

    async def _acknowledge(
        self, client: AsyncBaseSocketModeClient, request: SocketModeRequest, response: BoltResponse
    ) -> None:
        payload = json.loads(response.body) if response.body and response.body.startswith("{") else None
        try:
            await client.send_socket_mode_response(SocketModeResponse(request.envelope_id, payload))
        except (aiohttp.ClientError, OSError) as error:
            # the connection is gone, and Slack repeats it on the next one
            self._log("slack.not_acknowledged", error=type(error).__name__)


def _told(error: Exception) -> Refusal:
    response = getattr(error, "response", None)
    data = getattr(response, "data", None)
    code = data.get("error") if isinstance(data, dict) else None
    if isinstance(code, str) and code:
        return Refusal("apps.connections.open", code[:100], status=getattr(response, "status_code", 200))
    return Refusal("apps.connections.open", "connection")


def _sentence(refusal: Refusal) -> str:
    if refusal.code == "missing_scope":
        return "Slack does not let the app token open a connection: give it the scope connections:write."
    if refusal.code in _BAD:
        return (
            f"Slack does not accept the app token ({refusal.code}): make one under Basic Information → App-Level "
            "Tokens with the scope connections:write, and write it as SLACK_APP_TOKEN."
        )
    return f"Slack cannot be reached by Socket Mode ({refusal.code}); trying again."
