"""Freshdesk: tickets and their conversations; automation rules that call an address with a secret in a header."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from supportbot.testing.helpdesk.core import BOT, Change, FakeHelpdesk, Post, Refused, Request, Status, Ticket

_SPELLED: dict[Status, int] = {"open": 2, "pending": 3, "solved": 4}
_READ = {spelled: status for status, spelled in _SPELLED.items()}
_NAMED: dict[Status, str] = {"open": "Open", "pending": "Pending", "solved": "Resolved"}


class FakeFreshdesk(FakeHelpdesk):
    preset = "freshdesk"
    first_is_no_post = True
    routes = (
        ("POST", r"/api/v2/tickets/([^/]+)/reply", "reply"),
        ("POST", r"/api/v2/tickets/([^/]+)/notes", "note"),
        ("PUT", r"/api/v2/tickets/([^/]+)", "update"),
        ("GET", r"/api/v2/tickets/([^/]+)/conversations", "conversations"),
        ("GET", r"/api/v2/tickets/([^/]+)", "ticket"),
        ("GET", r"/api/v2/tickets", "listed"),
        ("POST", r"/api/v2/tickets", "create"),
        ("GET", r"/api/v2/agents/([^/]+)", "agent"),
    )

    @property
    def options(self) -> dict[str, Any]:
        own = {"token": self.token, "bot": BOT, "group": 21}
        return {"preset": self.preset, "url": self.url, "secrets": [self.secret], "allow_private": True, **own}

    def signed(self, body: bytes, *, at: float | None = None, secret: str = "") -> dict[str, str]:
        return {"X-Supportbot-Secret": secret or self.secret}

    def known(self, request: Request) -> bool:
        pair = base64.b64encode(f"{self.token}:X".encode()).decode()
        return request.headers.get("authorization") == f"Basic {pair}"

    def error(self, status: int, reason: str) -> Any:
        if status == 401:
            return {"code": "invalid_credentials", "message": "You have to be logged in to perform this action."}
        if status == 404:
            return None
        if status == 429:
            return {"message": "You have exceeded the limit of requests per hour"}
        return {
            "description": "Validation failed",
            "errors": [{"field": "", "message": reason, "code": "invalid_value"}],
        }

    # --- the API ----------------------------------------------------------------------------------------------

    async def reply(self, request: Request, id: str) -> tuple[int, Any]:
        return await self._post(request, id, public=True)

    async def note(self, request: Request, id: str) -> tuple[int, Any]:
        if not request.flag("private"):
            raise Refused(400, "a note of the bot is private")
        return await self._post(request, id, public=False)

    async def _post(self, request: Request, id: str, *, public: bool) -> tuple[int, Any]:
        ticket = self.found(id)
        post = self.posted(ticket, request.text("body"), BOT, public=public, html=True)
        await self.changed(Change("post", ticket, BOT, post))
        return 201, self._entry(post, ticket)

    async def update(self, request: Request, id: str) -> tuple[int, Any]:
        ticket = self.found(id)
        if request.get("status") is not None:
            status = request.number("status")
            if status not in _READ:
                raise Refused(400, "It should be one of these values: '2,3,4,5'")
            await self.set_status(ticket, _READ[status], BOT)
        if "responder_id" in request.body:
            whom = request.get("responder_id")
            await self.set_assignee(ticket, whom and request.number("responder_id"), BOT)
        if request.get("group_id") is not None:
            ticket.team = request.number("group_id")
        return 200, self._whole(ticket)

    async def conversations(self, request: Request, id: str) -> tuple[int, Any]:
        ticket, page = self.found(id), int(request.query.get("per_page", "30"))
        return 200, [self._entry(post, ticket) for post in ticket.posts[:page]]

    async def ticket(self, request: Request, id: str) -> tuple[int, Any]:
        return 200, self._whole(self.found(id))

    async def listed(self, request: Request) -> tuple[int, Any]:
        wanted = self.person(request.query["unique_external_id"], "")
        mine = [one for one in self.tickets.values() if one.customer == wanted]
        return 200, [
            {"id": one.id, "subject": one.title, "status": _SPELLED[one.status]} for one in reversed(mine)
        ]

    async def create(self, request: Request) -> tuple[int, Any]:
        subject, described = request.text("subject"), request.text("description")
        if (
            len(subject) > 255
            or request.number("status") not in _READ
            or request.number("priority") not in range(1, 5)
        ):
            raise Refused(400, "one of the fields is not valid")
        whom = self.person(request.text("unique_external_id"), request.text("name"))
        made = Ticket(self.next_id(), whom, title=subject, tags=list(request.get("tags") or ()), first=described)
        self.tickets[made.id] = made
        await self.changed(Change("created", made, BOT))
        return 201, self._whole(made)

    async def agent(self, request: Request, id: str) -> tuple[int, Any]:
        return 200, {"id": int(id), "contact": {"name": self.staff(id), "email": "a@acme.example"}}

    # --- deliveries -------------------------------------------------------------------------------------------

    def deliveries_of(self, change: Change) -> Iterator[tuple[Any, str]]:
        ticket, post = change.ticket, change.post
        told: dict[str, Any] = {
            "ticket_id": ticket.id,
            "ticket_subject": ticket.title,
            "ticket_requester_name": self.name_of(ticket.customer),
            "ticket_agent_name": self.name_of(change.by),
            "ticket_status": _NAMED[ticket.status],
        }
        if post is not None and post.public:
            told["ticket_latest_public_comment"] = f"{self.name_of(post.by)} : {post.text}"
            query = "?event=reply&from=customer" if post.customer else "?event=reply"
        elif post is not None:
            told["ticket_latest_private_comment"] = f"{self.name_of(post.by)} : {post.text}"
            query = "?event=note"
        elif change.kind == "created":
            query = "?event=created"
        elif change.kind == "status":
            query = "?event=status"
        elif change.kind == "assignee" and ticket.assignee == BOT:
            query = "?event=agent&to=bot"
        elif change.kind == "assignee" and ticket.assignee:
            query = "?event=agent"
        else:
            return
        yield {"freshdesk_webhook": told}, query

    def opened(self, ticket: Ticket) -> None:
        ticket.status = "open"

    def _whole(self, ticket: Ticket) -> dict[str, Any]:
        return {
            "id": ticket.id,
            "subject": ticket.title,
            "description": f"<div>{ticket.first}</div>",
            "description_text": ticket.first,
            "requester_id": ticket.customer,
            "responder_id": ticket.assignee,
            "group_id": ticket.team,
            "status": _SPELLED[ticket.status],
            "tags": ticket.tags,
            "updated_at": ticket.updated_at,
            "attachments": [],
        }

    def _entry(self, post: Post, ticket: Ticket) -> dict[str, Any]:
        return {
            "id": post.id,
            "ticket_id": ticket.id,
            "body": post.text,
            "body_text": post.text,
            "incoming": post.customer,
            "private": not post.public,
            "user_id": post.by,
            "attachments": [dict(file) for file in post.files],
        }
