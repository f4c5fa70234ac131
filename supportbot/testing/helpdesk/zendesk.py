"""Zendesk: tickets with comments, users, audits; deliveries signed over timestamp and body, in base64."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from supportbot.testing.helpdesk.core import BOT, NOW, Change, FakeHelpdesk, Post, Refused, Request, Ticket

_STATUSES = ("open", "pending", "solved")


class FakeZendesk(FakeHelpdesk):
    preset = "zendesk"
    routes = (
        ("PUT", r"/api/v2/tickets/([^/]+)\.json", "update"),
        ("POST", r"/api/v2/tickets\.json", "create"),
        ("GET", r"/api/v2/tickets\.json", "listed"),
        ("GET", r"/api/v2/tickets/([^/]+)/audits\.json", "audits"),
        ("POST", r"/api/v2/users/create_or_update\.json", "user"),
        ("GET", r"/api/v2/users/([^/]+)\.json", "whose"),
    )

    def __init__(self) -> None:
        super().__init__()
        self._made: dict[str, tuple[Any, int]] = {}
        self.closed: set[int] = set()
        """Tickets that are closed for good."""

    @property
    def options(self) -> dict[str, Any]:
        own = {"email": "bot@acme.example", "token": self.token, "bot": BOT, "group": 36}
        return {"preset": self.preset, "url": self.url, "secrets": [self.secret], "allow_private": True, **own}

    def signed(self, body: bytes, *, at: float | None = None, secret: str = "") -> dict[str, str]:
        moment = datetime.fromtimestamp(time.time() if at is None else at, UTC)
        stamp = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
        mac = hmac.new((secret or self.secret).encode(), stamp.encode() + body, hashlib.sha256)
        return {
            "X-Zendesk-Webhook-Signature": base64.b64encode(mac.digest()).decode(),
            "X-Zendesk-Webhook-Signature-Timestamp": stamp,
            "X-Zendesk-Webhook-Id": "01WEBHOOK",
            "X-Zendesk-Webhook-Invocation-Id": uuid.uuid4().hex,
        }

    def known(self, request: Request) -> bool:
        pair = base64.b64encode(f"bot@acme.example/token:{self.token}".encode()).decode()
        return request.headers.get("authorization") == f"Basic {pair}"

    def error(self, status: int, reason: str) -> Any:
        if status == 401:
            return {"error": "Couldn't authenticate you"}
        if status == 404:
            return {"error": "RecordNotFound", "description": "Not found"}
        if status == 429:
            return {
                "error": "APIRateLimitExceeded",
                "description": "Number of allowed API requests per minute exceeded",
            }
        return {
            "error": "RecordInvalid",
            "description": "Record validation errors",
            "details": {"base": [{"description": reason}]},
        }

    # --- the API ----------------------------------------------------------------------------------------------

    async def update(self, request: Request, id: str) -> tuple[int, Any]:
        ticket = self.found(id)
        if ticket.id in self.closed:
            raise Refused(422, "Status: closed prevents ticket update")
        events: list[dict[str, Any]] = []
        if request.get("ticket", "comment") is not None:
            post = self._comment(ticket, request)
            events.append({"id": post.id, "type": "Comment", "public": post.public, "html_body": post.text})
            await self.changed(Change("post", ticket, BOT, post))
        if (status := request.get("ticket", "status")) is not None:
            if status not in _STATUSES:
                raise Refused(422, f"Status: {status} is not valid")
            await self.set_status(ticket, status, BOT)
        if "assignee_id" in request.body["ticket"]:
            await self.set_assignee(ticket, request.get("ticket", "assignee_id"), BOT)
        if request.get("ticket", "group_id") is not None:
            ticket.team = request.number("ticket", "group_id")
        if not request.body["ticket"]:
            raise Refused(422, "nothing is updated")
        return 200, {
            "ticket": {"id": ticket.id, "status": ticket.status},
            "audit": {"id": self.next_id(), "events": events},
        }

    def _comment(self, ticket: Ticket, request: Request) -> Post:
        body = request.text("ticket", "comment", "html_body")
        if len(body) > 65_536:
            raise Refused(422, "Comment: is too long (maximum is 65536 characters)")
        key = str(request.get("ticket", "metadata", "supportbot") or "")
        public = request.flag("ticket", "comment", "public")
        return self.posted(ticket, body, BOT, public=public, html=True, key=key)

    async def create(self, request: Request) -> tuple[int, Any]:
        key = request.headers.get("idempotency-key", "")
        if key in self._made:
            body, id = self._made[key]
            if body != request.body:
                raise Refused(400, "IdempotentRequestError")
            return 201, {"ticket": {"id": id}}
        requester = request.number("ticket", "requester_id")
        if requester not in self.people:
            raise Refused(422, "Requester: is not known")
        if request.number("ticket", "submitter_id") != BOT:
            raise Refused(422, "Submitter: has to be an agent")
        title = request.text("ticket", "subject")
        if len(title) > 255:
            raise Refused(422, "Subject: is too long")
        reference = request.text("ticket", "external_id")
        ticket = self.ticketed(requester, title=title, reference=reference)
        post = self._comment(ticket, request)
        if key:
            self._made[key] = (request.body, ticket.id)
        await self.changed(Change("created", ticket, BOT))
        await self.changed(Change("post", ticket, BOT, post))
        return 201, {"ticket": {"id": ticket.id, "external_id": ticket.reference}}

    async def listed(self, request: Request) -> tuple[int, Any]:
        wanted = request.query["external_id"]
        mine = [one for one in self.tickets.values() if one.reference == wanted]
        return 200, {"tickets": [{"id": one.id, "external_id": one.reference} for one in mine], "count": len(mine)}

    async def audits(self, request: Request, id: str) -> tuple[int, Any]:
        posts = reversed(self.found(id).posts)
        return 200, {
            "audits": [
                {
                    "id": post.id + 100_000,
                    "metadata": {"custom": {"supportbot": post.key} if post.key else {}},
                    "events": [{"id": post.id, "type": "Comment"}],
                }
                for post in posts
            ]
        }

    async def user(self, request: Request) -> tuple[int, Any]:
        id = self.person(request.text("user", "external_id"), request.text("user", "name"))
        return 200, {"user": {"id": id, "external_id": request.text("user", "external_id")}}

    async def whose(self, request: Request, id: str) -> tuple[int, Any]:
        return 200, {"user": {"id": int(id), "name": self.staff(id)}}

    # --- deliveries -------------------------------------------------------------------------------------------

    def deliveries_of(self, change: Change) -> Iterator[tuple[Any, str]]:
        ticket, post = change.ticket, change.post
        event: dict[str, Any]
        if post is not None:
            author = {"id": str(post.by), "is_staff": not post.customer, "name": self.name_of(post.by)}
            comment = {"id": str(post.id), "body": post.text, "is_public": post.public, "author": author}
            yield self._event("comment_added", ticket, change.by, {"comment": comment}), ""
        elif change.kind == "created":
            yield self._event("created", ticket, change.by, {}), ""
        elif change.kind == "status":
            event = {"previous": str(change.before).upper(), "current": ticket.status.upper()}
            yield self._event("status_changed", ticket, change.by, event), ""
        elif change.kind == "assignee":
            event = {"previous": _id(change.before), "current": _id(ticket.assignee)}
            yield self._event("agent_assignment_changed", ticket, change.by, event), ""
        elif change.kind == "tag":
            event = {"tags_added": ticket.tags[-1:], "tags_removed": []}
            yield self._event("tags_changed", ticket, change.by, event), ""

    async def agent_returns(self, ticket: int, by: int = 12) -> None:
        found = self.tickets[ticket]
        found.tags.append("to_bot")
        await self.changed(Change("tag", found, by))

    def _event(self, kind: str, ticket: Ticket, by: int, event: Any) -> dict[str, Any]:
        return {
            "type": f"zen:event-type:ticket.{kind}",
            "account_id": 88,
            "id": uuid.uuid4().hex,
            "time": NOW,
            "zendesk_event_version": "2022-11-06",
            "subject": f"zen:ticket:{ticket.id}",
            "event": {**event, "meta": {"version": 1, "occurred_at": NOW}},
            "detail": {
                "id": str(ticket.id),
                "actor_id": str(by),
                "assignee_id": _id(ticket.assignee),
                "requester_id": str(ticket.customer),
                "external_id": ticket.reference or None,
                "status": ticket.status.upper(),
                "subject": ticket.title,
                "tags": ticket.tags,
                "updated_at": ticket.updated_at,
            },
        }


def _id(id: Any) -> str | None:
    return str(id) if id else None
