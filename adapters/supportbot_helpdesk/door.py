"""The way in: verify the raw bytes, parse, ask for what is left out, store, and only then say 200."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope, Send

from supportbot import (
    Act,
    Address,
    ChannelBusy,
    ChannelContext,
    ChannelError,
    Message,
    StoreBusy,
    StoreError,
    User,
)
from supportbot.doors import RETRY_AFTER, Door, Refused, answer, headers_of, read_body
from supportbot.webhooks import Unsigned
from supportbot_helpdesk.inbound import (
    NAME_LIMIT,
    Delivery,
    Happened,
    Unreadable,
    conversation_of,
    happened,
    holds,
    is_ours,
    opened,
)
from supportbot_helpdesk.outbound import blank
from supportbot_helpdesk.requests import QUICK
from supportbot_helpdesk.settings import Settings
from supportbot_helpdesk.signatures import verify

if TYPE_CHECKING:
    from supportbot_helpdesk import HelpdeskAdapter

NAMES = 1_000
"""Agents whose names are remembered."""

_KINDS: Mapping[str, Any] = {
    "customer.message": "message",
    "agent.message": "human.message",
    "agent.note": "human.note",
    "claimed": "handoff.claimed",
    "reopened": "handoff.claimed",
    "released": "handoff.released",
    "resolved": "handoff.resolved",
    "returned": "handoff.returned",
}
_ACTS: Mapping[str, Any] = {
    "customer.message": "note",
    "agent.message": "message",
    "agent.note": "note",
    "claimed": "claim",
    "reopened": "claim",
    "released": "release",
    "resolved": "resolve",
    "returned": "return",
}
_TOLD = {
    "claimed": "claimed",
    "reopened": "claimed",
    "agent.message": "claimed",
    "resolved": "resolved",
    "returned": "returned",
}
"""The change that the helpdesk knows of already, by what happened there."""


class HelpdeskDoor(Door):
    """The route."""

    def __init__(self, adapter: HelpdeskAdapter) -> None:
        super().__init__(self._take)
        self._adapter = adapter
        self._lanes: dict[str, tuple[asyncio.Lock, int]] = {}

    async def _take(self, scope: Scope, receive: Receive, send: Send) -> None:
        own = self._adapter.settings
        ends = time.monotonic() + self._adapter.patience
        headers = headers_of(scope)
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        body = await read_body(headers.get("content-length", "0"), receive, own.body_limit)
        try:
            verify(own.mapping.signature, own.secrets, headers, query, body, now=time.time())
        except Unsigned as error:
            raise Refused(401, str(error)) from None
        context = self._adapter.context
        if context is None:
            raise Refused(503, "This channel is not running; try again later.", RETRY_AFTER)
        try:
            delivery = opened(own.mapping, own.options, body, headers, _without_secret(own, query))
        except Unreadable as error:
            raise Refused(400, str(error)) from None
        if delivery.rule is not None:
            async with self._lane(conversation_of(own.mapping, delivery)):
                await self._receive(context, delivery, body, ends)
        await answer(send, 200, {"ok": True})

    async def _receive(self, context: ChannelContext, delivery: Delivery, body: bytes, ends: float) -> None:
        own = self._adapter.settings
        try:
            delivery = await self._looked(delivery)
            if is_ours(own.mapping, delivery.root):
                return
            for one in happened(own.mapping, delivery, text_limit=own.text_limit):
                begins = own.mapping.begins is None or holds(own.mapping.begins, delivery.root)
                await self._one(context, one, ends, begins=begins)
        except Unreadable as error:
            context.log("helpdesk.unreadable", channel=self._adapter.name, delivery=delivery.id, reason=str(error))
            await self._set_aside(context, delivery.id, body, str(error))
        except ChannelBusy as error:
            context.log("helpdesk.look_failed", channel=self._adapter.name, error=str(error))
            raise Refused(503, "The helpdesk could not be asked; send it again later.", RETRY_AFTER) from None
        except ChannelError as error:
            await self._set_aside(context, delivery.id, body, str(error))
        except StoreError:
            raise Refused(503, "It could not be stored; send it again later.", RETRY_AFTER) from None

    async def _set_aside(self, context: ChannelContext, id: str, body: bytes, reason: str) -> None:
        try:
            await context.inbox.set_aside(self._adapter.name, id, body.decode("utf-8", "replace"), reason)
        except StoreError:
            raise Refused(503, "It could not be stored; send it again later.", RETRY_AFTER) from None

    async def _looked(self, delivery: Delivery) -> Delivery:
        own = self._adapter.settings
        if delivery.rule is None or delivery.rule.look is None:
            return delivery
        values = {**blank(), **delivery.root, "ticket": conversation_of(own.mapping, delivery)}
        more = await self._adapter.outbound.api.look(delivery.rule.look, values)
        return replace(delivery, root={**delivery.root, **more})

    async def _one(self, context: ChannelContext, one: Happened, ends: float, *, begins: bool) -> None:
        echoes = self._adapter.echoes
        if (one.conversation, one.id) in echoes.posted:
            return
        if echoes.expected.take((one.conversation, one.word)):
            echoes.posted.add((one.conversation, one.id))  # it may be told of twice
            return
        if one.text == "" and not one.files and one.word in ("customer.message", "agent.message", "agent.note"):
            return
        if one.word == "reopened" and not one.agent.id:
            return
        one = await self._named(context, one)
        if not await self._at_a_desk(context, one, ends, begins=begins):
            message = message_of(one, self._adapter.name, self._agent(one))
            begins = begins and one.word == "customer.message"
            if not self._adapter.settings.first_line or not (
                begins or await context.inbox.customer(message.address)
            ):
                context.log(
                    "helpdesk.left_alone", channel=self._adapter.name, what=one.word, ticket=one.conversation
                )
                return
            await context.inbox.receive(message)
        if one.word in _TOLD:
            echoes.theirs.add((one.conversation, _TOLD[one.word], self._agent(one).id))

    async def _named(self, context: ChannelContext, one: Happened) -> Happened:
        """With the agent's name, where a delivery has only their id."""
        id, names = one.agent.id, self._adapter.names
        if not id or one.agent.name or self._adapter.settings.mapping.requests.agent is None:
            return one
        if id not in names:
            values = blank() | {"options": dict(self._adapter.settings.options), "person": id}
            try:
                found = await self._adapter.outbound.api.ask("agent", values, on_ticket=False, seconds=QUICK)
            except ChannelError as error:
                context.log("helpdesk.no_name", channel=self._adapter.name, error=str(error))
                return one
            while len(names) >= NAMES:
                del names[next(iter(names))]
            names[id] = found[:NAME_LIMIT]
        return replace(one, agent=User(id, names[id]))

    async def _at_a_desk(self, context: ChannelContext, one: Happened, ends: float, *, begins: bool) -> bool:
        """Whether the ticket stands at one of the channel's desks; then the act is stored.

        The house says StoreBusy while a ticket's place is on its way. That can only be a ticket that nobody here knows,
        and it is waited for, because not every helpdesk comes again. A customer who writes first is not sent away for
        a ticket that somebody else waits for.
        """
        act = act_of(one, one.author if one.word == "customer.message" else self._agent(one))
        address = Address(self._adapter.name, one.conversation)
        while True:
            busy: StoreBusy | None = None
            for desk in self._adapter.desks:
                made = self._adapter.outbound.tickets.handoff(desk.name, one.conversation)
                for named in (act, replace(act, handoff=made)) if made else (act,):
                    try:
                        if await context.desks.act(desk.name, named):
                            return True
                    except StoreBusy as error:
                        busy = error
            if busy is None or await context.inbox.customer(address):
                return False
            if time.monotonic() >= ends:
                if begins and one.word == "customer.message" and self._adapter.settings.first_line:
                    return False
                raise busy
            await asyncio.sleep(0.1)

    def _agent(self, one: Happened) -> User:
        return (
            one.agent if one.agent.id else User("agent", one.agent.name or self._adapter.settings.mapping.helpdesk)
        )

    @asynccontextmanager
    async def _lane(self, conversation: str) -> AsyncIterator[None]:
        """One delivery of a conversation at a time, in the order of arrival."""
        lock, waiting = self._lanes.get(conversation, (asyncio.Lock(), 0))
        self._lanes[conversation] = (lock, waiting + 1)
        try:
            async with lock:
                yield
        finally:
            lock, waiting = self._lanes[conversation]
            if waiting == 1:
                del self._lanes[conversation]
            else:
                self._lanes[conversation] = (lock, waiting - 1)


def _without_secret(own: Settings, query: Mapping[str, str]) -> Mapping[str, str]:
    name = own.mapping.signature.query
    return {key: value for key, value in query.items() if key != name}


def message_of(one: Happened, channel: str, agent: User) -> Message:
    """What happened in a conversation that lives at the helpdesk, for the inbox."""
    customer = one.word == "customer.message"
    return Message(
        Address(channel, one.conversation),
        one.id,
        one.author if customer else agent,
        one.text,
        _KINDS[one.word],
        attachments=one.files,
        locale=one.locale if customer else "",
        shown=one.word == "agent.message",
    )


def act_of(one: Happened, agent: User) -> Act:
    """What happened in a desk's ticket. A customer's own words there are a note: the conversation is elsewhere."""
    text = f"The customer wrote in the ticket: {one.text}" if one.word == "customer.message" else one.text
    return Act(one.id, agent, _ACTS[one.word], place=one.conversation, text=text, attachments=one.files)
