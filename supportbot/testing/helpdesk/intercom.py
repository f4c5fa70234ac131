"""Intercom: conversations and their parts, contacts; deliveries signed with SHA-1 over the body."""

from __future__ import annotations

import hashlib
import hmac
import time
import uuid
from collections.abc import Iterator
from typing import Any

from supportbot.testing.helpdesk.core import AGENT, BOT, Change, FakeHelpdesk, Post, Refused, Request, Ticket


class FakeIntercom(FakeHelpdesk):
    preset = "intercom"
    first_is_no_post = True
    routes = (
        ("POST", r"/conversations/([^/]+)/reply", "reply"),
        ("POST", r"/conversations/([^/]+)/parts", "part"),
        ("POST", r"/conversations/search", "search"),
        ("POST", r"/conversations", "create"),
        ("POST", r"/contacts/search", "contacts"),
        ("POST", r"/contacts", "contact"),
        ("GET", r"/admins/([^/]+)", "admin"),
    )

    @property
    def options(self) -> dict[str, Any]:
        own = {"token": self.token, "bot": BOT, "team": "555"}
        return {"preset": self.preset, "url": self.url, "secrets": [self.secret], "allow_private": True, **own}

    def signed(self, body: bytes, *, at: float | None = None, secret: str = "") -> dict[str, str]:
        mac = hmac.new((secret or self.secret).encode(), body, hashlib.sha1)
        return {"X-Hub-Signature": f"sha1={mac.hexdigest()}", "User-Agent": "intercom-parrot-service-client/1.0"}

    def known(self, request: Request) -> bool:
        if "intercom-version" not in request.headers:
            raise Refused(400, "no Intercom-Version")
        return request.headers.get("authorization") == f"Bearer {self.token}"

    def error(self, status: int, reason: str) -> Any:
        code = {401: "unauthorized", 404: "not_found", 409: "conflict", 429: "rate_limit_exceeded"}.get(
            status, "parameter_invalid"
        )
        message = "Access Token Invalid" if status == 401 else reason or code
        return {
            "type": "error.list",
            "request_id": uuid.uuid4().hex,
            "errors": [{"code": code, "message": message}],
        }

    # --- the API ----------------------------------------------------------------------------------------------

    async def reply(self, request: Request, id: str) -> tuple[int, Any]:
        ticket = self.found(id)
        if request.text("type") != "admin" or request.text("admin_id") != str(BOT):
            raise Refused(404, "Admin not found")
        kind = request.text("message_type")
        if kind not in ("comment", "note"):
            raise Refused(400, "message_type is invalid")
        post = self.posted(ticket, request.text("body"), BOT, public=kind == "comment", html=True)
        await self.changed(Change("post", ticket, BOT, post))
        return 200, self._conversation(ticket, _part(self, post, kind))

    async def part(self, request: Request, id: str) -> tuple[int, Any]:
        ticket = self.found(id)
        if request.text("admin_id") != str(BOT):
            raise Refused(404, "Admin not found")
        kind = request.text("message_type")
        if kind in ("open", "close"):
            await self.set_status(ticket, "open" if kind == "open" else "solved", BOT)
        elif kind == "assignment":
            whom = request.text("assignee_id")
            if request.text("type") == "team":
                ticket.team = int(whom)
            else:
                await self.set_assignee(ticket, int(whom) or None, BOT)
        else:
            raise Refused(400, "message_type is invalid")
        return 200, self._conversation(ticket)

    async def create(self, request: Request) -> tuple[int, Any]:
        whom = request.text("from", "id")
        if request.text("from", "type") not in ("user", "lead", "contact") or int(whom) not in self.people:
            raise Refused(404, "User Not Found")
        ticket = self.ticketed(int(whom), first=request.text("body"))
        await self.changed(Change("created", ticket, BOT))
        return 200, {
            "type": "user_message",
            "id": str(ticket.id + 500_000),
            "conversation_id": str(ticket.id),
            "body": ticket.first,
        }

    async def search(self, request: Request) -> tuple[int, Any]:
        if request.text("query", "field") != "contact_ids":
            raise Refused(400, "the field cannot be searched")
        mine = [one for one in self.tickets.values() if str(one.customer) == request.text("query", "value")]
        return 200, {"type": "conversation.list", "conversations": [self._conversation(one) for one in mine]}

    async def contacts(self, request: Request) -> tuple[int, Any]:
        if request.text("query", "field") != "external_id":
            raise Refused(400, "the field cannot be searched")
        wanted = request.text("query", "value")
        data = [_contact(id, one) for id, one in self.people.items() if one["external"] == wanted]
        return 200, {"type": "list", "data": data, "total_count": len(data)}

    async def contact(self, request: Request) -> tuple[int, Any]:
        external = request.text("external_id")
        if any(one["external"] == external for one in self.people.values()):
            raise Refused(409, "A contact matching those details already exists")
        id = self.person(external, request.text("name"))
        return 200, _contact(id, self.people[id])

    async def admin(self, request: Request, id: str) -> tuple[int, Any]:
        return 200, {"type": "admin", "id": id, "name": self.staff(id), "has_inbox_seat": True}

    # --- deliveries -------------------------------------------------------------------------------------------

    def deliveries_of(self, change: Change) -> Iterator[tuple[Any, str]]:
        ticket, post = change.ticket, change.post
        if change.kind == "created":
            yield _event("conversation.user.created", self._conversation(ticket)), ""
        elif post is not None and post.customer:
            yield _event("conversation.user.replied", self._conversation(ticket, _part(self, post, "comment"))), ""
        elif post is not None:
            kind = "comment" if post.public else "note"
            topic = "conversation.admin.replied" if post.public else "conversation.admin.noted"
            yield _event(topic, self._conversation(ticket, _part(self, post, kind))), ""
        elif change.kind == "status" and change.by == ticket.customer:
            return  # there is no topic for it
        elif change.kind in ("status", "assignee"):
            kinds = {"solved": ("closed", "close"), "open": ("opened", "open"), "pending": ("snoozed", "snoozed")}
            name, kind = kinds[ticket.status] if change.kind == "status" else ("assigned", "assignment")
            part = _part(self, Post(self.next_id(), "", change.by), kind)
            yield _event(f"conversation.admin.{name}", self._conversation(ticket, part)), ""

    def opened(self, ticket: Ticket) -> None:
        ticket.status = "open"

    def _conversation(self, ticket: Ticket, *parts: dict[str, Any]) -> dict[str, Any]:
        author = {"type": "user", "id": str(ticket.customer), "name": self.name_of(ticket.customer)}
        source = {
            "type": "conversation",
            "id": str(ticket.id + 500_000),
            "body": f"<p>{ticket.first}</p>",
            "author": author,
            "attachments": [],
        }
        return {
            "type": "conversation",
            "id": str(ticket.id),
            "state": "closed" if ticket.status == "solved" else "open",
            "admin_assignee_id": ticket.assignee,
            "team_assignee_id": ticket.team,
            "source": source,
            "updated_at": int(time.time()),
            "conversation_parts": {
                "type": "conversation_part.list",
                "conversation_parts": list(parts),
                "total_count": len(parts),
            },
        }

    async def agent_drops(self, ticket: int, by: int = AGENT) -> None:
        await self.set_assignee(self.tickets[ticket], None, by)


def _part(fake: FakeIntercom, post: Post, kind: str) -> dict[str, Any]:
    author = {"type": "user" if post.customer else "admin", "id": str(post.by), "name": fake.name_of(post.by)}
    body = (post.text if post.html else f"<p>{post.text}</p>") if post.text else None
    return {
        "type": "conversation_part",
        "id": str(post.id),
        "part_type": kind,
        "body": body,
        "author": author,
        "attachments": [dict(file) for file in post.files],
    }


def _contact(id: int, one: dict[str, Any]) -> dict[str, Any]:
    return {"type": "contact", "id": str(id), "external_id": one["external"], "name": one["name"], "role": "user"}


def _event(topic: str, item: Any) -> dict[str, Any]:
    return {
        "type": "notification_event",
        "id": f"notif_{uuid.uuid4()}",
        "topic": topic,
        "app_id": "acme",
        "created_at": int(time.time()),
        "delivery_attempts": 1,
        "data": {"type": "notification_event_data", "item": item},
    }
