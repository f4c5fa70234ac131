"""What the house says, as requests to the helpdesk: replies, notes, statuses, tickets.

Of several requests for one row those that change nothing when repeated go first, and the one that posts words last:
a row that is tried again posts nothing twice unless its answer was lost.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from supportbot import ChannelBusy, ChannelRefused, Outgoing, Reply
from supportbot_helpdesk.echoes import Echoes, Remembered, Tickets
from supportbot_helpdesk.mapping import HelpdeskMapping
from supportbot_helpdesk.requests import Api
from supportbot_helpdesk.words import brief, fitted, rendered, said, subject


class Outbound:
    """The way out of one channel, and of the desks on it."""

    def __init__(self, mapping: HelpdeskMapping, echoes: Echoes) -> None:
        self._mapping = mapping
        self._echoes = echoes
        self._api: Api | None = None
        self._since = time.time()
        self._made: dict[str, str] = {}
        self._noted = Remembered(86400.0)
        self.tickets = Tickets()

    def open(self, api: Api) -> None:
        self._api = api
        self._since = time.time()

    def close(self) -> None:
        self._api = None

    @property
    def api(self) -> Api:
        if self._api is None:
            raise ChannelBusy("This channel is not running.")
        return self._api

    # --- a conversation of our own ----------------------------------------------------------------------------

    async def own(self, outgoing: Outgoing, options: Mapping[str, str]) -> str:
        """Delivers one row of a conversation that lives at the helpdesk."""
        ticket = outgoing.address.chat
        values = self.values(outgoing, options, ticket)
        kind = outgoing.kind
        if kind == "message.reply":
            return await self._post("reply", ticket, {**values, **self._words(outgoing.reply)})
        if kind == "handoff.requested":
            await self._status("open", ticket, values)
            async with self._expected("assign", ticket):
                await self._optional("assign", values)
            return await self._note(
                ticket, values, brief(outgoing.data, self._mapping.markup, self._mapping.text_limit)
            )
        if kind == "conversation.closed":
            await self._status("closed", ticket, values)
            return ""
        if kind == "handoff.returned" and not self._theirs(outgoing, ticket, "returned"):
            async with self._expected("unassign", ticket):
                await self._optional("unassign", values)
            await self._status("pending", ticket, values)
            return await self._told(
                ticket, values, f"{_agent(outgoing)} has given this back: the assistant answers again."
            )
        if kind == "handoff.resolved" and not self._theirs(outgoing, ticket, "resolved"):
            await self._status("solved", ticket, values)
            return await self._told(ticket, values, f"{_agent(outgoing)} has resolved this.")
        return await self._common(outgoing, ticket, values)

    # --- a desk's ticket --------------------------------------------------------------------------------------

    async def desk(self, name: str, outgoing: Outgoing, options: Mapping[str, str]) -> str:
        """Delivers one row of a handoff from another channel; for `handoff.requested` the ticket's id."""
        ticket = outgoing.place
        values = self.values(outgoing, options, ticket)
        kind = outgoing.kind
        if kind == "handoff.requested":
            return await self._requested(name, outgoing, ticket, values)
        if kind == "handoff.resolved" and not self._theirs(outgoing, ticket, "resolved"):
            await self._status("solved", ticket, values)
            return await self._told(ticket, values, f"{_agent(outgoing)} has resolved this.")
        if kind == "handoff.returned" and not self._theirs(outgoing, ticket, "returned"):
            await self._status("solved", ticket, values)
            return await self._told(
                ticket, values, f"{_agent(outgoing)} has given this back: the assistant answers again."
            )
        return await self._common(outgoing, ticket, values)

    async def _requested(self, desk: str, outgoing: Outgoing, ticket: str, values: Mapping[str, Any]) -> str:
        words = brief(outgoing.data, self._mapping.markup, self._mapping.text_limit)
        if ticket and outgoing.id not in self._made and await self._opened(ticket, values, words):
            return ticket
        values = {**values, "ticket": "", "brief": words, "text": words}
        before, ticket = ticket, self._made.get(outgoing.id, "")
        if not ticket:
            values["contact"] = await self._contact(values)
            if self._again(outgoing) and not before:  # what is found would be the ticket that is gone
                ticket = await self._optional("find", values)
            ticket = ticket or await self.api.ask("create", values, on_ticket=False)
            self._made[outgoing.id] = ticket
            self.tickets.add(desk, ticket, values["handoff"]["id"])
        if self._mapping.brief == "note" and outgoing.id not in self._noted:
            await self._note(ticket, {**values, "ticket": ticket}, words)
            self._noted.add(outgoing.id)
        self._made.pop(outgoing.id, None)
        return ticket

    async def _opened(self, ticket: str, values: Mapping[str, Any], words: str) -> bool:
        """Opens the ticket again; False if it is gone or the helpdesk lets nobody open it."""
        opens = "open" in self._mapping.statuses
        try:
            await self._status("open", ticket, values)
            if not opens:
                await self._note(ticket, values, words)
        except ChannelRefused:
            return False
        if opens:  # it is there, so what is refused now is the note
            await self._note(ticket, values, words)
        return True

    async def _contact(self, values: Mapping[str, Any]) -> str:
        contact = await self._optional("find_customer", values, on_ticket=False)
        return contact or await self._optional("customer", values, on_ticket=False)

    def _theirs(self, outgoing: Outgoing, ticket: str, status: str) -> bool:
        """Whether it came from the helpdesk. What an agent did there need not have changed anything here, so the row has
        to be about the same change by the same agent: a customer's way back to the bot is `returned` too."""
        if outgoing.data.get("status") != status:
            return False
        return self._echoes.theirs.take((ticket, status, str(outgoing.data.get("agent_id") or "")))

    # --- both -------------------------------------------------------------------------------------------------

    async def _common(self, outgoing: Outgoing, ticket: str, values: Mapping[str, Any]) -> str:
        data, markup = outgoing.data, self._mapping.markup
        limit = self._mapping.text_limit
        if outgoing.kind == "handoff.message" and outgoing.reply is not None:
            words = said(_speaker(data), _whole(outgoing.reply), markup, limit)
            return await self._note(ticket, values, words)
        if outgoing.kind == "handoff.note":
            by = _person(data.get("by")) or "A colleague"
            return await self._note(
                ticket, values, said(f"{by} (note)", str(data.get("note") or ""), markup, limit)
            )
        if outgoing.kind == "handoff.claimed" and not self._theirs(outgoing, ticket, "claimed"):
            return await self._told(ticket, values, f"{_agent(outgoing)} has taken this over.")
        if outgoing.kind == "handoff.updated":
            if data.get("change") == "transferred" and outgoing.place:
                await self._status("solved", ticket, values)
            if sentence := _change(data):
                return await self._told(ticket, values, sentence)
        if outgoing.kind == "approval.requested":
            return await self._told(
                ticket, values, f"A decision is needed: {data.get('detail') or data.get('tool') or ''}"
            )
        return ""

    async def _told(self, ticket: str, values: Mapping[str, Any], sentence: str) -> str:
        """A note in our own words; what is in it of others is escaped."""
        return await self._note(ticket, values, fitted(sentence, self._mapping.markup, self._mapping.text_limit))

    async def _note(self, ticket: str, values: Mapping[str, Any], words: str) -> str:
        if self._mapping.requests.note is None:
            return ""
        return await self._post("note", ticket, {**values, "text": words, "plain": words})

    async def _post(self, name: str, ticket: str, values: Mapping[str, Any]) -> str:
        standing = await self._optional("sent", values) if values["again"] else ""
        if standing:
            return standing
        id = await self.api.ask(name, values)
        if id:
            self._echoes.posted.add((ticket, id))
        return id

    async def _status(self, status: str, ticket: str, values: Mapping[str, Any]) -> None:
        spelled = self._mapping.statuses.get(status)  # type: ignore[call-overload]  # a literal among its keys
        if spelled is None:
            return
        async with self._expected(status, ticket):
            await self.api.ask("status", {**values, "status": spelled, "status_name": status})

    @asynccontextmanager
    async def _expected(self, change: str, ticket: str) -> AsyncIterator[None]:
        """Expects the delivery about a change of ours, unless the helpdesk does not make it."""
        word = self._mapping.echoes.get(change)  # type: ignore[call-overload]  # a literal among its keys
        if word is not None:
            self._echoes.expected.add((ticket, word))
        try:
            yield
        except BaseException:
            if word is not None:
                self._echoes.expected.take((ticket, word))
            raise

    async def _optional(self, name: str, values: Mapping[str, Any], *, on_ticket: bool = True) -> str:
        """The request, if the mapping has it."""
        if getattr(self._mapping.requests, name) is None:
            return ""
        return await self.api.ask(name, values, on_ticket=on_ticket)

    def _again(self, outgoing: Outgoing) -> bool:
        """Whether it may have been sent before."""
        return outgoing.attempt > 0 or outgoing.created_at < self._since

    def _words(self, reply: Reply | None) -> Mapping[str, str]:
        text, markup, limit = reply.text if reply else "", self._mapping.markup, self._mapping.text_limit
        made, plain = rendered(text, markup), rendered(text, "plain")
        if limit and len(made) > limit:  # the house has split it, and counts no tags
            made = fitted(plain, markup, limit)
        return {"text": made, "plain": plain, "markdown": text}

    def values(self, outgoing: Outgoing, options: Mapping[str, str], ticket: str) -> dict[str, Any]:
        """What templates see; every name is always there."""
        data = outgoing.data
        person = data.get("customer")
        customer = dict(person) if isinstance(person, Mapping) else {}
        return blank() | {
            "options": dict(options),
            "ticket": ticket,
            "key": outgoing.id,
            "again": self._again(outgoing),
            "conversation": outgoing.conversation,
            "channel": str(data.get("channel") or outgoing.address.channel),
            "customer": {
                "id": str(customer.get("id") or outgoing.user.id),
                "name": str(customer.get("name") or outgoing.user.name),
            },
            "locale": str(data.get("locale") or ""),
            "handoff": {**blank()["handoff"], **data, "id": str(data.get("handoff") or "")},
            "subject": subject(data),
            "agent": str(data.get("agent") or ""),
        }


def blank() -> dict[str, Any]:
    """Every name that a template of `requests` has, empty."""
    handoff = dict.fromkeys(
        ("id", "desk", "reason", "detail", "status", "agent", "assignee", "summary", "why", "priority"), ""
    )
    texts = "ticket key conversation channel locale subject brief text plain markdown status status_name agent contact person"
    return {
        **dict.fromkeys(texts.split(), ""),
        "again": False,
        "options": {},
        "customer": {"id": "", "name": ""},
        "handoff": {**handoff, "tags": [], "tried": [], "slots": {}},
    }


def _whole(reply: Reply) -> str:
    """The words and files of a message for the agents."""
    files = [f"[{file.name}] {file.url}".strip() for file in reply.files]
    return "\n".join(part for part in (reply.text, *files) if part)


def _person(value: Any) -> str:
    if isinstance(value, Mapping):
        return str(value.get("name") or value.get("id") or "")
    return str(value or "")


def _speaker(data: Mapping[str, Any]) -> str:
    whom = data.get("from")
    role = str(whom.get("role") or "customer") if isinstance(whom, Mapping) else "customer"
    name = _person(whom)
    return f"{name} ({role})" if name else role.capitalize()


def _agent(outgoing: Outgoing) -> str:
    return _person(outgoing.data.get("agent")) or "Nobody in particular"


def _change(data: Mapping[str, Any]) -> str:
    """A sentence about a change at the handoff; "" for one that agents need not read."""
    why, by = str(data.get("why") or ""), _person(data.get("by"))
    sentences = {
        "assigned": f"This is offered to {_person(data.get('assignee_name')) or _person(data.get('assignee')) or 'a colleague'}.",
        "released": "This is free for anybody again.",
        "transferred": f"This has gone to {_person(data.get('to')) or 'another desk'}.",
        "late": "The customer is waiting for an answer.",
        "refused": f"What {by or 'a colleague'} did here was not carried out: {why}",
        "undelivered": f"The words for the customer could not be delivered: {data.get('error') or ''}",
        "gathered": "New facts: " + ", ".join(f"{key}: {value}" for key, value in _slots(data).items()),
        "rated": f"The customer has rated this: {data.get('rating')} of 5.",
    }
    return sentences.get(str(data.get("change")), "")


def _slots(data: Mapping[str, Any]) -> Mapping[str, Any]:
    found = data.get("slots")
    return found if isinstance(found, Mapping) else {}
