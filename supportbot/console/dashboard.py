"""The dashboards: what happened in a period, for those who lead.

1. Days are those of the business hours' time zone, UTC if there are no business hours; the page says which.
2. What the address asks for and cannot be read is said in a sentence, and the usual period is shown.
3. A dead letter is sent again by a person's act only, and the audit log says whose.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from typing import TYPE_CHECKING
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from supportbot.console.access import Access
from supportbot.console.section import Asked
from supportbot.console.sections import SECTIONS
from supportbot.console.tables import cell, csv_of
from supportbot.console.views import HEADERS, render
from supportbot.handofffiles import compile_hours
from supportbot.hours import Hours
from supportbot.stores.figures import OpenSeconds
from supportbot.stores.reports import SqliteReports
from supportbot.types.console import Visit
from supportbot.types.reports import LONGEST, Period

if TYPE_CHECKING:
    from supportbot.console.room import Room

PAGE = "/console/dashboard"
USUAL, LENGTHS = 30, (7, 30, 90)


def routes(room: Room, access: Access) -> list[BaseRoute]:
    pages = _Dashboards(room, access)
    return [
        Route(PAGE, access.page(pages.show, "lead"), methods=["GET"]),
        Route(f"{PAGE}/retry", access.act(pages.retry, "lead"), methods=["POST"]),
        Route(f"{PAGE}/{{section}}.csv", access.page(pages.save, "lead"), methods=["GET"]),
        Route(f"{PAGE}/{{section}}", access.page(pages.show, "lead"), methods=["GET"]),
    ]


@dataclass(frozen=True, slots=True)
class Choice:
    """The period that the address asks for; `mistake` is a sentence if it cannot be read, `days` 0 for from–to."""

    period: Period
    days: int
    mistake: str = ""

    @property
    def query(self) -> str:
        """The same for another address of the dashboards."""
        asked: dict[str, str] = {"days": str(self.days)}
        if not self.days:
            asked = {"from": self.period.first.isoformat(), "to": self.period.last.isoformat()}
        if self.period.channel:
            asked["channel"] = self.period.channel
        return urlencode(asked)

    def of(self, days: int) -> str:
        """The query for another length that ends today."""
        channel = {"channel": self.period.channel} if self.period.channel else {}
        return urlencode({"days": str(days), **channel})


def choose(asked: Mapping[str, str], today: date, zone: str) -> Choice:
    """The period out of `days`, or `from` and `to` (YYYY-MM-DD), and `channel`."""
    channel = asked.get("channel", "")[:200]
    days, mistake = USUAL, ""
    first, last = asked.get("from", ""), asked.get("to", "")
    if first or last:
        try:
            return Choice(_between(first, last, today, zone, channel), 0)
        except ValueError as error:
            mistake = str(error)
    elif "days" in asked:
        wanted = asked["days"]
        if wanted.isascii() and wanted.isdigit() and 1 <= int(wanted[:4]) <= LONGEST:
            days = int(wanted[:4])
        else:
            mistake = f"'{wanted[:20]}' is no number of days from 1 to {LONGEST}."
    return Choice(Period(today - timedelta(days=days - 1), today, zone, channel), days, mistake)


def _between(first: str, last: str, today: date, zone: str, channel: str) -> Period:
    begins, ends = _day(first or last), _day(last) if last else today
    if ends < begins:
        raise ValueError(f"The last day, {ends}, lies before the first, {begins}.")
    if (ends - begins).days >= LONGEST:
        raise ValueError(f"A period has at most {LONGEST} days; from {begins} to {ends} there are more.")
    return Period(begins, ends, zone, channel)


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"'{text[:20]}' is no day such as 2026-03-31.") from None
    if not 1971 <= day.year <= 9000:
        raise ValueError(f"{day} lies outside of the calendar.")
    return day


def open_seconds(hours: Hours, since: float, until: float) -> OpenSeconds:
    """How much of a stretch between two moments was open, looked up in what was opened between `since` and `until`."""
    begins, ends = [], []
    reached, end = datetime.fromtimestamp(since, UTC), datetime.fromtimestamp(until, UTC)
    while reached < end:
        opens = hours.next_open(reached)
        if opens is None or opens >= end:
            break
        closes = hours.closes(opens) or end
        begins.append(opens.timestamp())
        ends.append(closes.timestamp())
        reached = closes
    sums = [0.0, *accumulate(b - a for a, b in zip(begins, ends, strict=True))]
    return lambda a, b: max(0.0, _opened(b, begins, ends, sums) - _opened(a, begins, ends, sums))


def _opened(at: float, begins: Sequence[float], ends: Sequence[float], sums: Sequence[float]) -> float:
    """Open seconds before the moment."""
    done = bisect_right(begins, at)
    return sums[done] - max(0.0, ends[done - 1] - at) if done else 0.0


class _Dashboards:
    def __init__(self, room: Room, access: Access) -> None:
        self._room, self._access = room, access
        self._reports = SqliteReports(room.store.read, room.store.write)
        settings = room.config.handoff.hours
        self._hours = compile_hours(settings) if settings is not None else None
        self.zone = self._hours.timezone if self._hours is not None else "UTC"

    async def show(self, request: Request, visit: Visit) -> Response:
        section = request.path_params.get("section", "overview")
        choice, asked = self._asked(request.query_params, section)
        title, make = SECTIONS[section]
        shown = await make(asked)
        return render(
            request,
            "dashboard.html",
            visit,
            400 if choice.mistake else 200,
            page=PAGE,
            section=section,
            title_of=title,
            sections={name: words for name, (words, _) in SECTIONS.items()},
            choice=choice,
            period=asked.period,
            lengths=LENGTHS,
            channels=await self._reports.channels(),
            shown=shown,
            cell=cell,
            retried=request.query_params.get("retried", ""),
        )

    async def save(self, request: Request, visit: Visit) -> Response:
        """One table as CSV; the section's first, or the one whose key is `table`."""
        section = request.path_params["section"]
        choice, asked = self._asked(request.query_params, section)
        if choice.mistake:
            return Response(choice.mistake, 400, HEADERS, "text/plain")
        tables = (await SECTIONS[section][1](asked)).every_table()
        wanted = request.query_params.get("table", tables[0].key)
        table = next((one for one in tables if one.key == wanted), None)
        if table is None:
            raise HTTPException(404)
        await self._access.record(visit, request, "dashboard.saved", f"table:{table.key}", choice.query)
        name = f"{table.key}-{asked.period.first}-{asked.period.last}.csv"
        headers = {**HEADERS, "Content-Disposition": f'attachment; filename="{name}"'}
        # the mark tells a spreadsheet that it is UTF-8
        return Response("\ufeff" + csv_of(table), 200, headers, "text/csv")

    async def retry(self, request: Request, visit: Visit) -> Response:
        """Puts a dead letter back into its lane."""
        form = await request.form()
        id = str(form.get("id", ""))[:100]
        done = await self._reports.retry(id, now=self._room.clock())
        if done:
            await self._access.record(visit, request, "delivery.retried", f"message:{id}")
            self._room.log("console.retried", login=visit.account.login, id=id)
        fields = {name: value for name, value in form.items() if isinstance(value, str)}
        choice = choose(fields, self._today(), self.zone)
        address = f"{PAGE}/deliveries?{choice.query}&retried={'yes' if done else 'no'}"
        return RedirectResponse(address, 303, {"Cache-Control": "no-store"})

    def _asked(self, query: Mapping[str, str], section: str) -> tuple[Choice, Asked]:
        if section not in SECTIONS:
            raise HTTPException(404)
        choice = choose(query, self._today(), self.zone)
        opened = None
        if self._hours is not None and section == "times":
            bounds = choice.period.bounds
            opened = open_seconds(self._hours, bounds[0], max(bounds[-1], self._room.clock()))
        return choice, Asked(self._reports, choice.period, opened)

    def _today(self) -> date:
        return datetime.fromtimestamp(self._room.clock(), ZoneInfo(self.zone)).date()
