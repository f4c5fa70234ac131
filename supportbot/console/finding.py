"""`/console/conversations`: the search over all conversations.

1. A search is an address: it can be kept, sent to a colleague and gone back to, and needs no script.
2. What was typed wrong is said in one sentence above the list; nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from supportbot.console.views import render
from supportbot.console.words import reason, reason_meant
from supportbot.errors import UsageError
from supportbot.stores.finding import SqliteFinding
from supportbot.stores.typed import LONGEST
from supportbot.types.finding import HANDOFF_FILTERS, FoundPage, Wanted

if TYPE_CHECKING:
    from supportbot.console.access import Access
    from supportbot.console.room import Room
    from supportbot.types.console import Visit

PAGE = "/console/conversations"
FIELDS = ("q", "channel", "handoff", "agent", "reason", "rating", "since", "until")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}\Z", re.ASCII)
_LONGEST_CHOICE = 200


def routes(room: Room, access: Access) -> list[BaseRoute]:
    finding = SqliteFinding(room.store.read)

    async def conversations(request: Request, visit: Visit) -> Response:
        fields = fields_of(request.query_params)
        page, problem, choices = FoundPage(), "", await finding.choices()
        try:
            page = await finding.search(wanted(fields, after=request.query_params.get("after", "")))
        except UsageError as error:
            problem = str(error)
        return render(
            request,
            "conversations.html",
            visit,
            400 if problem else 200,
            problem=problem,
            fields=fields,
            filtered=any(value for name, value in fields.items() if name != "q"),
            asked=any(fields.values()),
            choices=replace(choices, reasons=tuple(sorted(map(reason, choices.reasons)))),
            page=page,
            first=not request.query_params.get("after"),
            next=address(fields, page.next) if page.next else "",
            longest=LONGEST,
        )

    return [Route(PAGE, access.page(conversations), methods=["GET"])]


def fields_of(query: Mapping[str, str]) -> dict[str, str]:
    """The form's fields as they were sent, cut to what they can hold."""
    return {name: query.get(name, "").strip()[: LONGEST if name == "q" else _LONGEST_CHOICE] for name in FIELDS}


def address(fields: Mapping[str, str], after: str) -> str:
    """The address of the search's page after that one."""
    kept = {name: value for name, value in fields.items() if value} | {"after": after}
    return f"{PAGE}?{urlencode(kept, errors='replace')}"


def wanted(fields: Mapping[str, str], *, after: str = "") -> Wanted:
    """What the form asks for. UsageError for what cannot be asked."""
    handoff = next((one for one in HANDOFF_FILTERS if one == fields["handoff"]), None)
    if handoff is None:
        raise UsageError("Choose one of the listed states of a handoff.")
    if fields["rating"] not in ("", "1", "2", "3", "4", "5"):
        raise UsageError("A rating is a number from 1 to 5.")
    since, until = _day(fields["since"]), _day(fields["until"])
    if since is not None and until is not None and since > until:
        raise UsageError("The first day comes after the last one: nothing can lie between them.")
    if handoff == "none" and (fields["agent"] or fields["reason"] or fields["rating"]):
        raise UsageError("Conversations without a handoff have no agent, reason or rating: leave those open.")
    return Wanted(
        text=fields["q"],
        channel=fields["channel"],
        handoff=handoff,
        agent=fields["agent"],
        reason=reason_meant(fields["reason"]),
        rating=int(fields["rating"] or 0),
        since=_start(since),
        until=_start(until + timedelta(days=1)) if until is not None else None,
        after=after[:60],
    )


def _day(text: str) -> date | None:
    if not text:
        return None
    try:
        if _DAY.match(text) and (found := date.fromisoformat(text)).year in range(1970, 9000):
            return found
    except ValueError:
        pass
    raise UsageError("A day is written as year-month-day, such as 2026-05-31.")


def _start(day: date | None) -> float | None:
    """Midnight in UTC, in seconds since the epoch."""
    return None if day is None else datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
