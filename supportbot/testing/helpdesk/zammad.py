"""Zammad: tickets, articles, users; three triggers with a webhook each, signed with SHA-1 over the body."""

from __future__ import annotations

import hashlib
import hmac
import uuid
from collections.abc import Iterator
from typing import Any

from supportbot.testing.helpdesk.core import BOT, Change, FakeHelpdesk, Post, Refused, Request, Status, Ticket

_SPELLED: dict[Status, str] = {"open": "open", "pending": "open", "solved": "closed"}
_NOBODY = 1


class FakeZammad(FakeHelpdesk):
    preset = "zammad"
    routes = (
        ("POST", r"/api/v1/ticket_articles", "article"),
        ("PUT", r"/api/v1/tickets/([^/]+)", "update"),
        ("POST", r"/api/v1/tickets", "create"),
        ("GET", r"/api/v1/tickets/search", "search"),
        ("GET", r"/api/v1/users/search", "users"),
        ("POST", r"/api/v1/users", "user"),
    )

    @property
    def options(self) -> dict[str, Any]:
        own = {"token": self.token, "bot": BOT}
        return {"preset": self.preset, "url": self.url, "secrets": [self.secret], "allow_private": True, **own}

    def signed(self, body: bytes, *, at: float | None = None, secret: str = "") -> dict[str, str]:
        mac = hmac.new((secret or self.secret).encode(), body, hashlib.sha1)
        return {
            "X-Hub-Signature": f"sha1={mac.hexdigest()}",
            "X-Zammad-Trigger": "supportbot",
            "X-Zammad-Delivery": str(uuid.uuid4()),
            "User-Agent": "Zammad User Agent",
        }

    def known(self, request: Request) -> bool:
        return request.headers.get("authorization") == f"Token token={self.token}"

    def error(self, status: int, reason: str) -> Any:
        if status == 401:
            return {"error": "Authentication required"}
        told = "Couldn't find Ticket" if status == 404 else reason
        return {"error": told, "error_human": told}

    # --- the API ----------------------------------------------------------------------------------------------

    async def article(self, request: Request) -> tuple[int, Any]:
        ticket = self.found(str(request.number("ticket_id")))
        post = self._article(ticket, request)
        await self.changed(Change("post", ticket, BOT, post))
        return 201, {"id": post.id, "ticket_id": ticket.id, "internal": not post.public}

    def _article(self, ticket: Ticket, request: Request, *at: str) -> Post:
        kind = request.text(*at, "type")
        if kind not in ("note", "web", "phone"):
            raise Refused(422, f"the article type {kind} needs a recipient")
        if request.text(*at, "content_type") not in ("text/html", "text/plain"):
            raise Refused(422, "content_type is not valid")
        if request.text(*at, "sender") != "Agent":
            raise Refused(422, "the sender has to be Agent")
        return self.posted(
            ticket, request.text(*at, "body"), BOT, public=not request.flag(*at, "internal"), html=True
        )

    async def update(self, request: Request, id: str) -> tuple[int, Any]:
        ticket = self.found(id)
        if (state := request.get("state")) is not None:
            if state not in ("open", "closed", "new", "pending reminder"):
                raise Refused(422, f"No lookup value found for 'state': {state!r}")
            await self.set_status(ticket, "solved" if state == "closed" else "open", BOT)
        if request.get("owner_id") is not None:
            owner = request.number("owner_id")
            await self.set_assignee(ticket, None if owner == _NOBODY else owner, BOT)
        return 200, {"id": ticket.id, "state": _SPELLED[ticket.status]}

    async def create(self, request: Request) -> tuple[int, Any]:
        if request.text("group") != "Users":
            raise Refused(422, f"No lookup value found for 'group': {request.get('group')!r}")
        customer, title = request.number("customer_id"), request.text("title")
        if customer not in self.people:
            raise Refused(422, "No lookup value found for 'customer'")
        note = request.text("note")
        if len(note) > 250:
            raise Refused(422, "note is too long")
        ticket = self.ticketed(customer, title=title, reference=note)
        post = self._article(ticket, request, "article")
        await self.changed(Change("post", ticket, BOT, post))
        return 201, {"id": ticket.id, "title": ticket.title, "number": f"10{ticket.id}"}

    async def search(self, request: Request) -> tuple[int, Any]:
        wanted = request.query["query"].strip('"')
        mine = [one for one in self.tickets.values() if wanted in one.reference or wanted in one.title]
        return 200, [{"id": one.id, "title": one.title, "note": one.reference} for one in mine]

    async def users(self, request: Request) -> tuple[int, Any]:
        wanted = request.query["query"].removeprefix("login:").strip('"')
        hits = [(id, one) for id, one in self.people.items() if wanted in one["external"]]
        return 200, [{"id": id, "login": one["external"], "firstname": one["name"]} for id, one in hits]

    async def user(self, request: Request) -> tuple[int, Any]:
        login = request.text("login").lower()
        if any(one["external"] == login for one in self.people.values()):
            raise Refused(422, "This login is already used by another user")
        if request.get("roles") != ["Customer"]:
            raise Refused(422, "roles have to be lists of names")
        return 201, {"id": self.person(login, request.text("firstname")), "login": login}

    # --- deliveries -------------------------------------------------------------------------------------------

    def deliveries_of(self, change: Change) -> Iterator[tuple[Any, str]]:
        if change.post is not None:
            yield (
                {"ticket": self._ticket(change), "article": self._written(change.post, change.ticket)},
                "?event=article",
            )
        elif change.kind == "status":
            yield {"ticket": self._ticket(change), "article": {}}, "?event=state"
        elif change.kind == "assignee":
            yield {"ticket": self._ticket(change), "article": {}}, "?event=owner"

    def _ticket(self, change: Change) -> dict[str, Any]:
        ticket = change.ticket
        return {
            "id": ticket.id,
            "number": f"10{ticket.id}",
            "title": ticket.title,
            "state": _SPELLED[ticket.status],
            "owner_id": ticket.assignee or _NOBODY,
            "owner": self._user(ticket.assignee),
            "customer_id": ticket.customer,
            "customer": self._user(ticket.customer),
            "updated_by_id": change.by,
            "updated_by": self._user(change.by),
            "updated_at": ticket.updated_at,
        }

    def _written(self, post: Post, ticket: Ticket) -> dict[str, Any]:
        return {
            "id": post.id,
            "ticket_id": ticket.id,
            "body": post.text,
            "content_type": "text/html" if post.html else "text/plain",
            "sender": "Customer" if post.customer else "Agent",
            "type": "web" if post.customer else "note",
            "internal": not post.public,
            "created_by_id": post.by,
            "created_by": self._user(post.by),
            "attachments": [dict(file) for file in post.files],
        }

    def _user(self, id: int | None) -> dict[str, Any]:
        first, _, last = self.name_of(id).partition(" ")
        return {"id": id or _NOBODY, "firstname": first or "-", "lastname": last}
