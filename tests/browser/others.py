"""Other people's web server, whose pages do what they can to the bot's."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from typing import Any

from playwright.async_api import Frame, Page

from supportbot.testing import FakeOpenAI
from supportbot.testing.openai_payloads import Say
from tests.browser.stage import Stage
from tests.browser.watching import Watch

FETCH = """async ([address, options]) => {
    try {
        const answer = await fetch(address, { redirect: "manual", ...options });
        return { status: answer.status, type: answer.type, body: await answer.text() };
    } catch (error) {
        return { status: 0, type: "error", body: "" };
    }
}"""


def parrot() -> FakeOpenAI:
    return FakeOpenAI(lambda body: Say(f"You said: {body['messages'][-1].get('content', '')}"))


async def fetched(page: Page | Frame, address: str, **options: Any) -> dict[str, Any]:
    """What a script in the page gets: status 0 if the browser gives it nothing."""
    answer: dict[str, Any] = await page.evaluate(FETCH, [address, options])
    return answer


class Others:
    """Other people's web server: `stranger` is another site, `neighbour` the bot's own site on another port (its cookies
    are sent along), `shop` and `partner` two sites that may have the chat."""

    def __init__(self, port: int) -> None:
        self.stranger, self.neighbour = f"http://localhost:{port}", f"http://127.0.0.1:{port}"
        self.shop, self.partner = f"http://shop.localhost:{port}", f"http://partner.localhost:{port}"
        self.bodies: list[str] = []

    async def put(self, watch: Watch, origin: str, body: str = "") -> str:
        """The address of a page of that origin which has this in it."""
        self.bodies.append(f"<!doctype html><title>Theirs</title><body>{body}")
        await watch.context.route(f"{origin}/**", lambda route: route.continue_())
        return f"{origin}/{len(self.bodies) - 1}"

    async def page(self, watch: Watch, origin: str, body: str = "") -> Page:
        address = await self.put(watch, origin, body)
        page = await watch.context.new_page()
        await page.goto(address)
        return page


@asynccontextmanager
async def others() -> AsyncIterator[Others]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            place = re.findall(rb"^GET /(\d+) ", head)
            body = made.bodies[int(place[0])].encode() if place else b""
            lines = (
                f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\nConnection: close"
            )
            writer.write(lines.encode() + b"\r\n\r\n" + body)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    made = Others(server.sockets[0].getsockname()[1])
    try:
        yield made
    finally:
        server.close()


def told(here: Stage) -> tuple[list[tuple[Any, ...]], ...]:
    """All that an act could change."""
    queries = (
        "SELECT message, kind FROM inbox ORDER BY id",
        "SELECT login, name, role, disabled, password FROM accounts",
        "SELECT title FROM canned",
        "SELECT account, action FROM audit",
        "SELECT token FROM sessions",
    )
    with closing(sqlite3.connect(here.place.database, timeout=20)) as connection:
        return tuple(connection.execute(query).fetchall() for query in queries)
