"""From a payload, however it came, to the inbox and to Slack's acknowledgement.

1. Both ways in go through one Bolt app whose listeners run before the acknowledgement; it is 200 only once all is
   stored, or is of no use to anyone. Bolt itself calls nothing before that: who we are is known without asking.
2. What comes from one chat is taken in order.
3. A desk's channel is no customer's place: what happens there goes to the desks, or to nobody.
4. What Slack is told besides (a choice made, prompts, titles) happens after the row is stored, and in the background.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any

from slack_bolt.async_app import AsyncApp, AsyncBoltRequest
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.response import BoltResponse

from supportbot.errors import StoreError
from supportbot.protocols import ChannelContext, Inbox
from supportbot.types import Receipt, User
from supportbot_slack import inbound, interactions
from supportbot_slack.beside import Beside
from supportbot_slack.deskdoor import DeskDoor
from supportbot_slack.fields import Unreadable
from supportbot_slack.inbound import Incoming, Own
from supportbot_slack.lanes import Lanes
from supportbot_slack.people import People
from supportbot_slack.text import mentioned
from supportbot_slack.web import silent
from supportbot_slack.words import say

RETRY_AFTER: dict[str, str | Sequence[str]] = {"retry-after": ["5"]}
_ANY = re.compile("")
_ASIDE = 64_000
_SECRET = ("token", "response_url")


def _bolt(intake: Intake) -> AsyncApp:
    """The app; its listeners are plain functions, because Bolt hands over arguments by their names, `self` too."""

    async def authorize(context: Any) -> AuthorizeResult:
        """Who we are, answered without a call; Bolt leaves our own events out by this."""
        return AuthorizeResult(
            enterprise_id=None,
            team_id=context.team_id,
            bot_user_id=intake.own.user or None,
            bot_id=intake.own.bot or None,
        )

    async def event(body: dict[str, Any]) -> None:
        await intake.on_event(body)

    async def action(ack: AsyncAck, body: dict[str, Any]) -> None:
        await intake.on_action(body)
        await ack()

    async def command(ack: AsyncAck, body: dict[str, Any]) -> None:
        await ack({"response_type": "ephemeral", "text": await intake.on_command(body)})

    async def failed(error: Exception, body: dict[str, Any]) -> BoltResponse:
        return await intake.on_error(error, body)

    app = AsyncApp(
        logger=silent("bolt"),
        name="supportbot_slack.bolt",  # Bolt silences the logger of this name
        process_before_response=True,
        authorize=authorize,
        request_verification_enabled=False,  # the door has verified the raw bytes
        ssl_check_enabled=False,
        attaching_conversation_kwargs_enabled=False,
    )
    app.event(_ANY)(event)
    app.action(_ANY)(action)
    app.command(_ANY)(command)
    app.error(failed)
    return app


class Intake:
    """The Bolt app and its listeners. `own` is set once Slack has said who we are."""

    def __init__(
        self, name: str, context: ChannelContext, people: People, beside: Beside, desks: DeskDoor
    ) -> None:
        self.own = Own()
        self._name = name
        self._inbox: Inbox = context.inbox
        self._log = context.log
        self._locale = context.locale
        self._people = people
        self._beside = beside
        self._desks = desks
        self._lanes = Lanes()
        self._app = _bolt(self)

    async def take(self, payload: dict[str, Any]) -> BoltResponse:
        """What Slack is to be answered; 200 acknowledges."""
        async with self._lanes.lane(inbound.lane(payload)):
            try:
                request = AsyncBoltRequest(body=payload, mode="socket_mode")
            except (TypeError, ValueError, AttributeError, LookupError) as error:
                return await self._aside(payload, type(error).__name__)
            try:
                response = await self._app.async_dispatch(request)
            except Exception as error:  # noqa: BLE001 - named boundary: Bolt's own handlers fail at odd payloads
                return await self._aside(payload, type(error).__name__)
        # of a kind that nobody listens to: no repeat would help
        return BoltResponse(status=200) if response.status == 404 else response

    # --- listeners -------------------------------------------------------------------------------------------

    async def on_event(self, body: Mapping[str, Any]) -> None:
        kind = body["event"].get("type")
        if kind in ("app_uninstalled", "tokens_revoked"):
            self._log("slack.uninstalled", channel=self._name, kind=kind)
            return
        names = self._names(body)
        if await self._desks.event(body, self.own, names):
            return
        incoming = inbound.event(body, self._name, self.own, names)
        if incoming is None:
            return
        if incoming.dm:
            self._beside.met(incoming.message.user.id, incoming.dm)
        if await self._is_ours(incoming):
            receipt = await self._receive(incoming)
            self._beside.after(incoming, receipt)
        elif incoming.rule == "unknown":
            self._beside.opened_again(incoming)

    async def on_action(self, body: Mapping[str, Any]) -> None:
        if await self._desks.action(body, self.own):
            return
        press = interactions.pressed(body, self._name, self.own)
        if press is None:
            return
        user = press.incoming.message.user.id
        if press.addressee not in ("", user):
            self._beside.not_yours(press, self._language(user))
        elif (await self._receive(press.incoming)).fresh:
            self._beside.chosen(press)

    async def on_command(self, body: Mapping[str, Any]) -> str:
        """What the user reads at once."""
        incoming = interactions.command(body, self._name, self.own)
        await self._receive(incoming)
        return say("see_dm", self._language(incoming.message.user.id))

    async def on_error(self, error: Exception, body: Mapping[str, Any]) -> BoltResponse:
        """Bolt's own exceptions come here too, such as for a field of the wrong type."""
        if isinstance(error, StoreError):
            self._log("slack.not_stored", channel=self._name, error=str(error))
            return BoltResponse(status=503, headers=RETRY_AFTER)
        reason = str(error) if isinstance(error, Unreadable) else type(error).__name__
        try:
            return await self._aside(body, reason)
        except StoreError:
            return BoltResponse(status=503, headers=RETRY_AFTER)

    # --- the inbox -------------------------------------------------------------------------------------------

    async def _is_ours(self, incoming: Incoming) -> bool:
        if incoming.rule == "always":
            return True
        customer = await self._inbox.customer(incoming.message.address)
        if incoming.rule == "customer":
            return customer == incoming.message.user.id
        return bool(customer) == (incoming.rule == "known")

    async def _receive(self, incoming: Incoming) -> Receipt:
        message = incoming.message
        person = await self._people.who(message.user.id)
        user = User(message.user.id, person.name or message.user.name)
        return await self._inbox.receive(replace(message, user=user, locale=person.locale))

    def _names(self, body: Mapping[str, Any]) -> Mapping[str, str]:
        """The names of those who are mentioned, as far as they are known already."""
        text = body["event"].get("text")
        found = mentioned(text) if isinstance(text, str) else ()
        people = {user: self._people.cached(user) for user in found}
        return {user: person.name for user, person in people.items() if person is not None and person.name}

    def _language(self, user: str) -> str:
        person = self._people.cached(user)
        return person.locale if person is not None and person.locale else self._locale

    async def _aside(self, payload: Mapping[str, Any], reason: str) -> BoltResponse:
        content = json.dumps({name: value for name, value in payload.items() if name not in _SECRET}, default=str)
        id = payload.get("event_id") or payload.get("trigger_id")
        known = id if isinstance(id, str) and 0 < len(id) <= 200 else sha256(content.encode()).hexdigest()
        self._log("slack.set_aside", channel=self._name, id=known, reason=reason)
        await self._inbox.set_aside(self._name, f"aside.{known}", content[:_ASIDE], reason)
        return BoltResponse(status=200)
