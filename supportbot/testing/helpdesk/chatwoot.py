"""Chatwoot: conversations, messages, contacts; deliveries signed over timestamp and body."""

from __future__ import annotations

import hashlib
import hmac
import time
import uuid
from collections.abc import Iterator
from typing import Any, ClassVar

from supportbot.testing.helpdesk.core import BOT, Change, FakeHelpdesk, Refused, Request, Status, Ticket

_SPELLED: dict[Status, str] = {"open": "open", "pending": "pending", "solved": "resolved"}
_READ = {spelled: status for status, spelled in _SPELLED.items()}
_ACCOUNT = "/api/v1/accounts/1"


class FakeChatwoot(FakeHelpdesk):
    preset = "chatwoot"
    reopens: ClassVar[Status] = "pending"  # in an inbox that has a bot
    agent_token: ClassVar[str] = "token-of-a-user"  # noqa: S105 - of a fake
    routes = (
        ("POST", rf"{_ACCOUNT}/conversations/([^/]+)/messages", "message"),
        ("POST", rf"{_ACCOUNT}/conversations/([^/]+)/toggle_status", "status"),
        ("POST", rf"{_ACCOUNT}/conversations/([^/]+)/assignments", "assign"),
        ("POST", rf"{_ACCOUNT}/conversations", "create"),
        ("GET", rf"{_ACCOUNT}/contacts/search", "search"),
        ("POST", rf"{_ACCOUNT}/contacts", "contact"),
        ("GET", rf"{_ACCOUNT}/contacts/([^/]+)/conversations", "conversations"),
    )

    @property
    def options(self) -> dict[str, Any]:
        own = {"account": 1, "inbox": 5, "team": 4, "token": self.token, "agent_token": self.agent_token}
        return {"preset": self.preset, "url": self.url, "secrets": [self.secret], "allow_private": True, **own}

    def signed(self, body: bytes, *, at: float | None = None, secret: str = "") -> dict[str, str]:
        stamp = str(int(time.time() if at is None else at))
        mac = hmac.new((secret or self.secret).encode(), f"{stamp}.".encode() + body, hashlib.sha256)
        return {
            "X-Chatwoot-Timestamp": stamp,
            "X-Chatwoot-Signature": f"sha256={mac.hexdigest()}",
            "X-Chatwoot-Delivery": str(uuid.uuid4()),
        }

    def known(self, request: Request) -> bool:
        given = request.headers.get("api_access_token", "")
        if "/contacts" in request.path:  # no agent bot may look at contacts
            return given == self.agent_token
        return given in (self.token, self.agent_token)

    def error(self, status: int, reason: str) -> Any:
        if status == 401:
            return {"error": "Invalid Access Token"}
        return {"error": "Resource could not be found"} if status == 404 else {"message": reason, "attributes": []}

    # --- the API ----------------------------------------------------------------------------------------------

    async def message(self, request: Request, id: str) -> tuple[int, Any]:
        ticket = self.found(id)
        if request.text("message_type") != "outgoing":
            raise Refused(422, "Incoming messages are only allowed in Api inboxes")
        post = self.posted(ticket, request.text("content"), BOT, public=not request.flag("private"))
        await self.changed(Change("post", ticket, BOT, post))
        return 200, {"id": post.id, "content": post.text, "message_type": 1, "private": not post.public}

    async def status(self, request: Request, id: str) -> tuple[int, Any]:
        spelled = request.text("status")
        if spelled not in _READ:
            raise Refused(422, "'%s' is not a valid status" % spelled)  # noqa: UP031 - as the product writes it
        await self.set_status(self.found(id), _READ[spelled], BOT)
        return 200, {"payload": {"success": True, "current_status": spelled, "conversation_id": int(id)}}

    async def assign(self, request: Request, id: str) -> tuple[int, Any]:
        self.found(id).team = request.number("team_id")
        return 200, {"id": request.number("team_id"), "name": "Support"}

    async def create(self, request: Request) -> tuple[int, Any]:
        contact = request.number("contact_id")
        if contact not in self.people or request.number("inbox_id") != 5:
            raise Refused(404)
        reference = str(request.get("custom_attributes", "supportbot_handoff") or "")
        ticket = self.ticketed(contact, reference=reference)
        await self.changed(Change("created", ticket, BOT))
        return 200, {"id": ticket.id, "account_id": 1, "inbox_id": 5, "status": "open"}

    async def search(self, request: Request) -> tuple[int, Any]:
        wanted = request.query["q"].lower()
        hits = [(id, one) for id, one in self.people.items() if wanted in one["external"].lower()]
        payload = [{"id": id, "identifier": one["external"], "name": one["name"]} for id, one in hits]
        return 200, {"meta": {"count": len(payload), "current_page": "1"}, "payload": payload}

    async def contact(self, request: Request) -> tuple[int, Any]:
        external = request.text("identifier")
        if any(one["external"] == external for one in self.people.values()):
            raise Refused(422, "Identifier has already been taken")
        id = self.person(external, request.text("name"))
        inbox = {"source_id": str(uuid.uuid4()), "inbox": {"id": request.number("inbox_id")}}
        return 200, {"payload": {"contact": {"id": id, "identifier": external}, "contact_inbox": inbox}}

    async def conversations(self, request: Request, id: str) -> tuple[int, Any]:
        mine = [one for one in self.tickets.values() if str(one.customer) == id]
        return 200, {"payload": [{"id": one.id, "custom_attributes": _attributes(one)} for one in mine]}

    # --- deliveries -------------------------------------------------------------------------------------------

    def deliveries_of(self, change: Change) -> Iterator[tuple[Any, str]]:
        ticket, post = change.ticket, change.post
        if post is not None:
            yield self._message(ticket, change), ""
        elif change.kind == "created":
            yield {"event": "conversation_created", **self._conversation(ticket)}, ""
        elif change.kind == "status":
            values = {"previous_value": _SPELLED[change.before], "current_value": _SPELLED[ticket.status]}
            yield (
                {
                    "event": "conversation_status_changed",
                    **self._conversation(ticket),
                    "changed_attributes": [{"status": values}],
                },
                "",
            )
            if ticket.status == "solved":  # the agent bot gets one of its own
                yield {"event": "conversation_resolved", **self._conversation(ticket)}, ""
        elif change.kind == "assignee":
            moved: dict[str, Any] = {"previous_value": change.before, "current_value": ticket.assignee}
            changed = [{"assignee_id": moved}]
            yield (
                {"event": "conversation_updated", **self._conversation(ticket), "changed_attributes": changed},
                "",
            )

    async def agent_returns(self, ticket: int, by: int = 0) -> None:
        await self.set_status(self.tickets[ticket], "pending", by)

    def _message(self, ticket: Ticket, change: Change) -> dict[str, Any]:
        post = change.post
        assert post is not None
        sender: dict[str, Any] = {"id": post.by, "name": self.name_of(post.by)}
        if not post.customer:
            sender["type"] = "agent_bot" if post.by == BOT else "user"
        return {
            "event": "message_created",
            "id": post.id,
            "content": post.text or None,
            "created_at": ticket.updated_at,
            "message_type": "incoming" if post.customer else "outgoing",
            "content_type": "text",
            "private": not post.public,
            "source_id": None,
            "sender": sender,
            "conversation": self._conversation(ticket),
            "account": {"id": 1, "name": "Acme"},
            "inbox": {"id": 5, "name": "Website"},
            **({"attachments": [dict(file) for file in post.files]} if post.files else {}),
        }

    def _conversation(self, ticket: Ticket) -> dict[str, Any]:
        whose = ticket.assignee
        assignee = {"id": whose, "name": self.name_of(whose), "type": "user"} if whose else None
        return {
            "id": ticket.id,
            "status": _SPELLED[ticket.status],
            "inbox_id": 5,
            "channel": "Channel::WebWidget",
            "additional_attributes": {"browser_language": "de"},
            "custom_attributes": _attributes(ticket),
            "meta": {"sender": {"id": ticket.customer}, "assignee": assignee},
            "updated_at": 1795221111.0 + ticket.changes,
            "timestamp": 1795221111 + ticket.changes,
        }


def _attributes(ticket: Ticket) -> dict[str, str]:
    return {"supportbot_handoff": ticket.reference} if ticket.reference else {}
