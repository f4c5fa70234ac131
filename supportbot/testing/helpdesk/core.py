"""What the five have in common: tickets, people, an HTTP server with faults, and signed deliveries for every change.

1. Every change makes its deliveries, also a change of our own: a bot that does not know its own words echoes.
2. A delivery goes out after the API's answer, or before it (`early`), or when the test says (`paused`).
3. Whatever the API refuses changes nothing.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal, Self
from urllib.parse import parse_qs, unquote

import httpx2
from starlette.types import Receive, Scope, Send

from supportbot.web import server

BOT, AGENT, COLLEAGUE = 9000, 12, 13
NAMES = {BOT: "Acme", AGENT: "Grace Hopper", COLLEAGUE: "Ben Okri"}
NOW = "2026-03-04T10:30:00Z"

Status = Literal["open", "pending", "solved"]


@dataclass(slots=True)
class Post:
    """Something that was written on a ticket; `by` is the author's id, `key` what a caller attached to it."""

    id: int
    text: str
    by: int
    public: bool = True
    customer: bool = False
    html: bool = False
    key: str = ""
    files: tuple[Mapping[str, Any], ...] = ()


@dataclass(slots=True)
class Ticket:
    """A ticket or conversation; `reference` is what the caller stored to find it again."""

    id: int
    customer: int
    status: Status = "open"
    posts: list[Post] = field(default_factory=list)
    assignee: int | None = None
    team: int | None = None
    title: str = ""
    reference: str = ""
    tags: list[str] = field(default_factory=list)
    changes: int = 0
    first: str = ""
    """What the ticket itself says, where that is no post."""

    @property
    def updated_at(self) -> str:
        return f"2026-03-04T{10 + self.changes // 3600:02}:{self.changes // 60 % 60:02}:{self.changes % 60:02}Z"


@dataclass(frozen=True, slots=True)
class Change:
    """What has happened to a ticket; `by` is who did it, `before` the value before it."""

    kind: Literal["created", "post", "status", "assignee", "tag"]
    ticket: Ticket
    by: int
    post: Post | None = None
    before: Any = None


@dataclass(slots=True)
class Delivery:
    """A request to the bot; `status` is its answer, 0 while it has none."""

    body: bytes
    headers: Mapping[str, str]
    query: str = ""
    status: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Request:
    """A request to the API."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any

    def text(self, *names: str) -> str:
        """A text in the body; Refused if it is missing or something else."""
        return str(self._typed(names, str))

    def number(self, *names: str) -> int:
        return int(self._typed(names, int))

    def flag(self, *names: str) -> bool:
        return bool(self._typed(names, bool))

    def get(self, *names: str) -> Any:
        found = self.body
        for name in names:
            found = found.get(name) if isinstance(found, dict) else None
        return found

    def _typed(self, names: tuple[str, ...], kind: type) -> Any:
        found = self.get(*names)
        if type(found) is not kind or found == "":
            raise Refused(422, f"{'.'.join(names)} has to be a {kind.__name__}, and is {found!r}")
        return found


class Refused(Exception):
    """The API says no."""

    def __init__(self, status: int, reason: str = "") -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Fault:
    """How the API fails: with a status, or by breaking off, before or after it has done what was asked."""

    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    way: Literal["answer", "break", "do and break"] = "answer"


Handler = Callable[..., tuple[int, Any]]


class FakeHelpdesk(ABC):
    """A helpdesk on a free port. Set `hook` to the bot's address before anything happens."""

    secret: ClassVar[str] = "a-secret-of-sixteen-bytes"  # noqa: S105 - of a fake
    token: ClassVar[str] = "token-of-the-bot"  # noqa: S105 - of a fake
    preset: ClassVar[str]
    routes: ClassVar[Sequence[tuple[str, str, str]]]
    """(method, pattern of the path with groups for its parts, name of the method that handles it)."""

    def __init__(self) -> None:
        self.hook = ""
        self.tickets: dict[int, Ticket] = {}
        self.people: dict[int, dict[str, Any]] = {}
        self.journal: list[tuple[str, str, int]] = []
        self.requests: list[Request] = []
        self.deliveries: list[Delivery] = []
        self.waiting: list[Delivery] = []
        self.early = False
        self.paused = False
        self.loses_next_post = False
        """The next ticket or post is taken, and the answer is lost."""
        self._faults: list[Fault | None] = []
        self._always: Fault | None = None
        self._last = 4000
        self._tasks: set[asyncio.Task[None]] = set()
        self.url = ""

    # --- what a product says ----------------------------------------------------------------------------------

    @property
    @abstractmethod
    def options(self) -> dict[str, Any]:
        """The channel's options for this helpdesk."""

    @abstractmethod
    def deliveries_of(self, change: Change) -> Iterator[tuple[Any, str]]:
        """(body, query) of each delivery that a change makes."""

    @abstractmethod
    def signed(self, body: bytes, *, at: float | None = None, secret: str = "") -> dict[str, str]:
        """The headers of a delivery, with its signature and a new id."""

    @abstractmethod
    def known(self, request: Request) -> bool:
        """Whether a request has our credentials."""

    @abstractmethod
    def error(self, status: int, reason: str) -> Any:
        """The body of an error."""

    too_many: ClassVar[Mapping[str, str]] = {"retry-after": "7"}
    """Headers with a 429."""

    # --- what people do ---------------------------------------------------------------------------------------

    async def customer_writes(self, text: str, ticket: int | None = None, **post: Any) -> int:
        """A customer opens a ticket with the text, or writes in theirs; the ticket's id."""
        found = self.tickets.get(ticket) if ticket is not None else None
        if found is None:
            person = self.person(f"customer-{len(self.people)}", "Ada Byron")
            found = self.ticketed(person, status="pending", title=text[:40])
            self.opened(found)
            if self.first_is_no_post:
                found.first = text
                await self.changed(Change("created", found, person))
                return found.id
        made = self.posted(found, text, found.customer, customer=True, **post)
        await self.changed(Change("post", found, found.customer, made))
        if found.status == "solved":
            await self.set_status(found, self.reopens, found.customer)
        return found.id

    first_is_no_post: ClassVar[bool] = False
    reopens: ClassVar[Status] = "open"
    """What a solved ticket becomes when its customer writes."""

    def opened(self, ticket: Ticket) -> None:  # noqa: B027 - optional
        """What a product does with a new ticket of a customer."""

    async def agent_replies(self, ticket: int, text: str, by: int = AGENT) -> int:
        """An agent answers the customer; the post's id."""
        return await self._agent_posts(ticket, text, by, public=True)

    async def agent_notes(self, ticket: int, text: str, by: int = AGENT) -> int:
        """An agent leaves a note; the post's id."""
        return await self._agent_posts(ticket, text, by, public=False)

    async def agent_solves(self, ticket: int, by: int = AGENT) -> None:
        await self.set_status(self.tickets[ticket], "solved", by)

    async def agent_takes(self, ticket: int, by: int = AGENT) -> None:
        await self.set_assignee(self.tickets[ticket], by, by)

    async def agent_drops(self, ticket: int, by: int = AGENT) -> None:
        await self.set_assignee(self.tickets[ticket], None, by)

    async def agent_returns(self, ticket: int, by: int = AGENT) -> None:
        """An agent gives it to the bot."""
        await self.set_assignee(self.tickets[ticket], BOT, by)

    async def _agent_posts(self, ticket: int, text: str, by: int, *, public: bool) -> int:
        found = self.tickets[ticket]
        made = self.posted(found, text, by, public=public)
        await self.changed(Change("post", found, by, made))
        return made.id

    async def set_status(self, ticket: Ticket, status: Status, by: int) -> None:
        before, ticket.status = ticket.status, status
        if before != status:
            ticket.changes += 1
            await self.changed(Change("status", ticket, by, before=before))

    async def set_assignee(self, ticket: Ticket, assignee: int | None, by: int) -> None:
        before, ticket.assignee = ticket.assignee, assignee
        if before != assignee:
            ticket.changes += 1
            await self.changed(Change("assignee", ticket, by, before=before))

    # --- what stands there ------------------------------------------------------------------------------------

    def texts(self, ticket: int, *, public: bool = True, by: int | None = None) -> list[str]:
        """What was written, public or not, by anybody or one author."""
        posts = self.tickets[ticket].posts
        return [post.text for post in posts if post.public == public and by in (None, post.by)]

    def next_id(self) -> int:
        self._last += 1
        return self._last

    def ticketed(self, customer: int, **more: Any) -> Ticket:
        """A new ticket of that customer."""
        made = Ticket(self.next_id(), customer, **more)
        self.tickets[made.id] = made
        return made

    def posted(self, ticket: Ticket, text: str, by: int, **more: Any) -> Post:
        ticket.posts.append(Post(self.next_id(), text, by, **more))
        ticket.changes += 1
        return ticket.posts[-1]

    def person(self, external: str, name: str) -> int:
        """The id of the customer with that id elsewhere, made if there is none."""
        for id, one in self.people.items():
            if one["external"] == external:
                return id
        made = self.next_id()
        self.people[made] = {"external": external, "name": name}
        return made

    def found(self, id: str) -> Ticket:
        ticket = self.tickets.get(int(id)) if id.isdigit() else None
        if ticket is None:
            raise Refused(404, "there is no such ticket")
        return ticket

    def staff(self, id: str) -> str:
        """The name of an agent; Refused if there is none of that id."""
        name = NAMES.get(int(id)) if id.isdigit() else None
        if name is None:
            raise Refused(404, "there is no such agent")
        return name

    def name_of(self, id: int | None) -> str:
        return NAMES.get(id or 0) or str(self.people.get(id or 0, {}).get("name", ""))

    # --- faults -----------------------------------------------------------------------------------------------

    def fails(self, *faults: Fault | None) -> None:
        """The next requests fail like this; None lets one pass."""
        self._faults.extend(faults)

    def always(self, fault: Fault | None) -> None:
        """Every request fails like this from now on, or none."""
        self._always = fault

    # --- deliveries -------------------------------------------------------------------------------------------

    async def changed(self, change: Change) -> None:
        """Sends what the change makes."""
        for body, query in self.deliveries_of(change):
            content = json.dumps(body, ensure_ascii=False).encode()
            delivery = Delivery(content, self.signed(content), query)
            if self.paused:
                self.waiting.append(delivery)
            elif change.by == BOT and not self.early:
                task = asyncio.create_task(self._later(delivery))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            else:
                await self.deliver(delivery)

    async def deliver(self, delivery: Delivery) -> int:
        """Sends it (again); the bot's status, 0 if there is no bot."""
        if not self.hook:
            return 0
        began = time.monotonic()
        headers = {"content-type": "application/json", **delivery.headers}
        async with httpx2.AsyncClient(trust_env=False, timeout=10) as client:
            response = await client.post(self.hook + delivery.query, content=delivery.body, headers=headers)
        delivery.status, delivery.seconds = response.status_code, time.monotonic() - began
        self.deliveries.append(delivery)
        return delivery.status

    async def _later(self, delivery: Delivery) -> None:
        await asyncio.sleep(0.02)  # until the answer is out
        await self.deliver(delivery)

    async def settle(self) -> None:
        """Returns once everything that was on its way has been delivered."""
        while self._tasks:
            await asyncio.gather(*tuple(self._tasks))

    def again(self, delivery: Delivery) -> Delivery:
        """The same content as another delivery."""
        return replace(delivery, headers=self.signed(delivery.body), status=0)

    # --- the server -------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._stop = asyncio.Event()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await self._serve(scope, receive, send)

        self._running = asyncio.create_task(
            server.serve(
                app,
                "127.0.0.1",
                0,
                started=lambda _, number: port.set_result(number),
                stop=self._stop,
                grace=1,
            )
        )
        self.url = f"http://127.0.0.1:{await port}"
        return self

    async def __aexit__(self, *exc: object) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._stop.set()
        await self._running

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        content = b""
        while True:
            event = await receive()
            content += event.get("body", b"")
            if not event.get("more_body", False):
                break
        request = _request(scope, content)
        fault = self._faults.pop(0) if self._faults else self._always
        if self.loses_next_post and request.method != "GET" and "users" not in request.path:
            self.loses_next_post, fault = False, Fault(way="do and break")
        status, body = await self._answer(request, fault)
        self.journal.append((request.method, request.path, status))
        if fault is not None and fault.way != "answer":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1000")]})
            return  # the server breaks the connection off
        out = b"" if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json", "content-length": str(len(out))}
        headers |= dict(fault.headers) if fault is not None else {}
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": out})

    async def _answer(self, request: Request, fault: Fault | None) -> tuple[int, Any]:
        if fault is not None and fault.way != "do and break":
            return (fault.status, self.error(fault.status, "")) if fault.way == "answer" else (0, None)
        try:
            if not self.known(request):
                raise Refused(401)
            self.requests.append(request)
            for method, pattern, name in self.routes:
                match = re.fullmatch(pattern, request.path)
                if match and method == request.method:
                    answer: tuple[int, Any] = await getattr(self, name)(request, *match.groups())
                    return answer
            raise Refused(404, "there is no such path")
        except Refused as refused:
            return refused.status, self.error(refused.status, refused.reason)


def _request(scope: Scope, content: bytes) -> Request:
    headers = {name.decode().lower(): value.decode("latin-1") for name, value in scope["headers"]}
    query = {key: values[-1] for key, values in parse_qs(scope["query_string"].decode()).items()}
    body: Any = None
    if content and headers.get("content-type", "").startswith("application/json"):
        body = json.loads(content)
    return Request(scope["method"], unquote(scope["raw_path"].decode().partition("?")[0]), query, headers, body)
