"""The queue: who waits for a human, who has whom, and what ended lately.

Open handoffs stand by priority, then by age. A page shows a bounded number of them, however many there are.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from supportbot.console.views import render
from supportbot.stores.lines import SqliteLines
from supportbot.types import HandoffStatus
from supportbot.types.lines import ENDED, OPEN, QueueAsked, QueueCounts, QueueRow

if TYPE_CHECKING:
    from supportbot.console.access import Access
    from supportbot.console.room import Room
    from supportbot.types.console import Visit

PAGE = 50
FIRST = 25
"""Rows of one section where there are several."""
LATELY = 14 * 86_400.0
_TABS: Mapping[str, tuple[str, tuple[HandoffStatus, ...]]] = {
    "open": ("Open", OPEN),
    "waiting": ("Waiting", ("waiting",)),
    "claimed": ("Claimed", ("claimed",)),
    "ended": ("Ended lately", ENDED),
}
_LONGEST = 100
_LAST_PAGE = 10_000


@dataclass(frozen=True, slots=True)
class Section:
    """Some handoffs under one heading; `total` is how many there are, `more` the address of all of them."""

    title: str
    rows: tuple[QueueRow, ...]
    total: int
    more: str = ""
    empty: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the address asks for."""

    tab: str = "open"
    desk: str = ""
    tag: str = ""
    page: int = 1

    def address(self, start: str = "/console/queue", **changed: Any) -> str:
        """The address of this, or of something like it."""
        other = replace(self, **{"page": 1, **changed})
        given = {"tab": other.tab, "desk": other.desk, "tag": other.tag, "page": other.page}
        plain = {name: value for name, value in given.items() if value not in ("", "open", 1)}
        return f"{start}?{urlencode(plain)}" if plain else start


def routes(room: Room, access: Access) -> list[BaseRoute]:
    lines = SqliteLines(room.store.read)

    async def home(request: Request, visit: Visit) -> Response:
        return RedirectResponse("/console/queue", 303)

    async def queue(request: Request, visit: Visit) -> Response:
        return await _page(room, lines, request, visit, "queue.html", tags=await lines.tags())

    async def part(request: Request, visit: Visit) -> Response:
        return await _page(room, lines, request, visit, "queue_lines.html")

    return [
        Route("/console", access.page(home)),
        Route("/console/", access.page(home)),
        Route("/console/queue", access.page(queue)),
        Route("/console/queue/lines", access.page(part, itself=True)),
    ]


async def _page(
    room: Room, lines: SqliteLines, request: Request, visit: Visit, template: str, **more: Any
) -> Response:
    wanted = _wanted(request)
    counts = await lines.counts(visit.account.login)
    sections = await _sections(lines, wanted, visit.account.login, room.clock(), counts)
    return render(
        request,
        template,
        visit,
        wanted=wanted,
        tabs=[(name, label, _count(counts, name)) for name, (label, _) in _TABS.items()],
        sections=sections,
        counts=counts,
        desks=sorted({*room.config.desks, *counts.desks} - {""}),
        **more,
        now=room.clock(),
        names=agent_names(room),
        act=lambda: secrets.token_urlsafe(18),
        page_count=max(1, -(-sections[0].total // PAGE)) if wanted.tab != "open" else 1,
    )


def _wanted(request: Request) -> Wanted:
    query = request.query_params
    tab, page = query.get("tab", "open"), query.get("page", "1")
    number = int(page) if page.isascii() and page.isdigit() and len(page) < 6 else 1
    return Wanted(
        tab if tab in _TABS else "open",
        query.get("desk", "")[:_LONGEST],
        query.get("tag", "")[:_LONGEST],
        min(max(number, 1), _LAST_PAGE),
    )


def _count(counts: QueueCounts, tab: str) -> int | None:
    return None if tab == "ended" else counts.of(QueueAsked(_TABS[tab][1]))


async def _sections(
    lines: SqliteLines, wanted: Wanted, login: str, now: float, counts: QueueCounts
) -> list[Section]:
    statuses = _TABS[wanted.tab][1]
    asked = QueueAsked(statuses, wanted.desk, wanted.tag, login)
    if wanted.tab != "open":
        asked = replace(asked, since=now - LATELY if wanted.tab == "ended" else 0.0)
        title = _TABS[wanted.tab][0]
        start = (wanted.page - 1) * PAGE
        return [await _section(lines, title, asked, counts, PAGE, start, empty="Nothing here.")]
    mine = replace(asked, whose="mine")
    waiting = replace(asked, whose="others", statuses=("waiting",))
    others = replace(asked, whose="others", statuses=("claimed",))
    all_waiting, all_claimed = wanted.address(tab="waiting"), wanted.address(tab="claimed")
    return [
        await _section(lines, "Mine", mine, counts, PAGE, empty="You have no conversation. Claim one below."),
        await _section(lines, "Waiting", waiting, counts, FIRST, more=all_waiting, empty="Nobody waits."),
        await _section(lines, "With others", others, counts, FIRST, more=all_claimed),
    ]


async def _section(
    lines: SqliteLines,
    title: str,
    asked: QueueAsked,
    counts: QueueCounts,
    limit: int,
    offset: int = 0,
    *,
    more: str = "",
    empty: str = "",
) -> Section:
    rows = await lines.page(asked, limit=limit, offset=offset)
    total = len(rows)
    if offset or total == limit:
        known = not asked.tag and not asked.since
        total = counts.of(asked) if known else await lines.total(asked)
    return Section(title, rows, total, more if total > len(rows) else "", empty)


def agent_names(room: Room) -> Mapping[str, str]:
    """The shown names of the desks' agents by their ids."""
    return {agent.id: name for desk in room.config.desks.values() for name, agent in desk.agents.items()}
