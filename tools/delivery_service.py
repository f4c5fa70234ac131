"""The carrier of the example shop, as a small HTTP service: says where a parcel is, and books delivery windows.

    python tools/delivery_service.py [--port 8099]

Four rules:
- It listens on this machine only, and every request needs the token in DELIVERY_TOKEN ("demo-delivery" if unset).
- Which windows there are follows from the date and the postcode; a window is full when its places are booked.
- The same Idempotency-Key with the same body gets the same answer and books once; with another body it gets 409.
- A refusal is a problem document (RFC 9457) that says what to do.

Its file is DELIVERY_DB, else `data/delivery.db` in the bot's folder. It knows the parcels of the shop's orders.
`delivery-openapi.yaml` describes it. Your own bot talks to your real carrier and needs only `delivery.yaml`.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

BOT = Path(__file__).resolve().parents[1]
HOURS = (8, 10, 12, 14, 16, 18)  # when a window of two hours begins
MOST_PLACES = 3  # parcels in one window
BOOKABLE_DAYS = 14
DELIVERY_DAYS = 4
MAX_BODY = 4096
MAX_QUERY = 200
MAX_KEY = 200

POSTCODE = re.compile(r"[0-9]{4,5}")  # Austria has four digits, Germany five
TRACKING = re.compile(r"(DHL|DPD)[0-9]{11}")
SLOT = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})_([0-9]{2})-[0-9]{2}_([0-9]{4,5})")
DEPOTS = (
    "Leipzig",
    "Berlin",
    "Hamburg",
    "Hannover",
    "Dortmund",
    "Köln",
    "Frankfurt",
    "Stuttgart",
    "München",
    "Nürnberg",
)

TABLES = """
CREATE TABLE parcels (tracking TEXT PRIMARY KEY, carrier TEXT, postcode TEXT, city TEXT, sent_on TEXT, delivered_on TEXT);
CREATE TABLE bookings (id INTEGER PRIMARY KEY, key TEXT UNIQUE, tracking TEXT, slot TEXT, current INTEGER, answer TEXT);
PRAGMA user_version = 1;
"""


class Refused(Exception):
    """A request outside the rules: its status, and what is wrong in one sentence."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


# --- the file ------------------------------------------------------------------------------------------------


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """The carrier's file inside one write transaction: committed when the block ends, undone when it raises."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path, timeout=10, isolation_level=None)) as carrier, carrier:
        carrier.row_factory = sqlite3.Row
        carrier.execute("BEGIN IMMEDIATE")
        if not carrier.execute("PRAGMA user_version").fetchone()[0]:
            fill(carrier)
        yield carrier


def fill(carrier: sqlite3.Connection) -> None:
    """Makes the tables, with a parcel for every order that the example shop has sent."""
    for statement in TABLES.split(";"):
        carrier.execute(statement)
    with closing(sqlite3.connect(":memory:")) as shop:
        shop.executescript((BOT / "shop.sql").read_text("utf-8"))
        columns = "tracking, carrier, postcode, city, shipped_on, delivered_on"
        sent = shop.execute(f"SELECT {columns} FROM orders WHERE carrier IS NOT NULL").fetchall()  # noqa: S608
    carrier.executemany("INSERT INTO parcels VALUES (?, ?, ?, ?, ?, ?)", sent)


# --- windows --------------------------------------------------------------------------------------------------


def today() -> date:
    return datetime.now(UTC).date()


def places(postcode: str, day: date, hour: int) -> int:
    """How many parcels a window takes in all, 0 to 3: always the same for a postcode, a day and an hour."""
    if day.isoweekday() == 7:
        return 0
    return hashlib.sha256(f"{postcode} {day} {hour}".encode()).digest()[0] % (MOST_PLACES + 1)


def as_slot(postcode: str, day: date, hour: int) -> dict[str, str]:
    identifier = f"{day}_{hour:02}-{hour + 2:02}_{postcode}"
    return {"id": identifier, "date": day.isoformat(), "from": f"{hour:02}:00", "to": f"{hour + 2:02}:00"}


def free_slots(carrier: sqlite3.Connection, postcode: str, first: date, limit: int) -> list[dict[str, str]]:
    """The next windows with a free place, from the day `first` to the last one that can be booked."""
    taken = dict(carrier.execute("SELECT slot, count(*) FROM bookings WHERE current GROUP BY slot").fetchall())
    found: list[dict[str, str]] = []
    for ahead in range((today() + timedelta(days=BOOKABLE_DAYS) - first).days + 1):
        day = first + timedelta(days=ahead)
        for hour in HOURS:
            slot = as_slot(postcode, day, hour)
            if places(postcode, day, hour) > taken.get(slot["id"], 0):
                found.append(slot)
    return found[:limit]


def read_slot(written: str) -> dict[str, str]:
    """The window with this id. Refused with 422 if there is none."""
    found = SLOT.fullmatch(written)
    if found is None:
        raise Refused(422, "slot must be the id of a window, as GET /slots/{postcode} gives it")
    hour, postcode = int(found[2]), found[3]
    try:
        day = date.fromisoformat(found[1])
    except ValueError:
        raise Refused(422, "slot has a date that there is not") from None
    if hour not in HOURS or not places(postcode, day, hour):
        raise Refused(422, "there is no such window: take one that GET /slots/{postcode} gives")
    return as_slot(postcode, day, hour)


def first_day(written: str | None) -> date:
    """The day from which windows are wanted, tomorrow if nothing is said. Refused with 400."""
    earliest, latest = today() + timedelta(days=1), today() + timedelta(days=BOOKABLE_DAYS)
    try:
        day = date.fromisoformat(written) if written else earliest
    except ValueError:
        raise Refused(400, "from must be a date such as 2026-03-31") from None
    if not earliest <= day <= latest:
        raise Refused(400, f"from must be a day from {earliest} to {latest}")
    return day


# --- parcels and bookings --------------------------------------------------------------------------------------


def find_parcel(carrier: sqlite3.Connection, tracking: str) -> sqlite3.Row:
    row: sqlite3.Row | None = carrier.execute("SELECT * FROM parcels WHERE tracking = ?", (tracking,)).fetchone()
    if row is None:
        raise Refused(404, "there is no parcel with this tracking number")
    return row


def as_parcel(carrier: sqlite3.Connection, row: sqlite3.Row) -> dict[str, Any]:
    """Where a parcel is. Neither its addressee nor its street is told."""
    sent, now = date.fromisoformat(row["sent_on"]), today()
    steps = [(sent, "Berlin", "handed_in"), (sent + timedelta(days=1), DEPOTS[int(row["postcode"][0])], "sorted")]
    if row["delivered_on"]:
        steps.append((date.fromisoformat(row["delivered_on"]), row["city"], "delivered"))
    booked = carrier.execute(
        "SELECT slot FROM bookings WHERE tracking = ? AND current", (row["tracking"],)
    ).fetchone()
    slot = read_slot(booked["slot"]) if booked else None
    expected = date.fromisoformat(slot["date"]) if slot else sent + timedelta(days=DELIVERY_DAYS)
    late = "delayed" if expected < now else "in_transit"
    return {
        "tracking": row["tracking"],
        "carrier": row["carrier"],
        "status": "delivered" if row["delivered_on"] else late,
        "expected": None if row["delivered_on"] else expected.isoformat(),
        "slot": slot,
        "events": [{"date": str(day), "place": place, "what": what} for day, place, what in steps if day <= now],
    }


def book(carrier: sqlite3.Connection, key: str, tracking: str, written: str) -> dict[str, Any]:
    """Books a window; the one that the parcel had before is free again. What the key came to earlier is given again."""
    earlier = carrier.execute("SELECT * FROM bookings WHERE key = ?", (key,)).fetchone()
    if earlier is not None:
        if (earlier["tracking"], earlier["slot"]) != (tracking, written):
            raise Refused(409, "this Idempotency-Key was used for another booking: take a new one")
        return dict(json.loads(earlier["answer"]))
    row, slot = find_parcel(carrier, tracking), read_slot(written)
    if slot["id"] != written:
        raise Refused(422, "a window lasts two hours")
    if row["delivered_on"]:
        raise Refused(409, "this parcel was delivered already")
    if not written.endswith(f"_{row['postcode']}"):
        raise Refused(422, "this window is for another postcode than the parcel's")
    if slot not in free_slots(carrier, row["postcode"], first_day(None), 1000):
        raise Refused(409, "this window cannot be booked any more: take another one")
    old = carrier.execute("SELECT id FROM bookings WHERE tracking = ? AND current", (tracking,)).fetchone()
    carrier.execute("UPDATE bookings SET current = 0 WHERE tracking = ?", (tracking,))
    number = carrier.execute("SELECT 40001 + count(*) FROM bookings").fetchone()[0]
    replaced = f"B-{old['id']}" if old else None
    answer = {"booking": f"B-{number}", "tracking": tracking, "slot": slot, "replaces": replaced}
    made = (number, key, tracking, written, json.dumps(answer))
    carrier.execute("INSERT INTO bookings VALUES (?, ?, ?, ?, 1, ?)", made)
    return answer


# --- requests --------------------------------------------------------------------------------------------------


def checked(pattern: re.Pattern[str], written: str, sentence: str) -> str:
    if not pattern.fullmatch(written):
        raise Refused(400, sentence)
    return written


def query(request: Request, *known: str) -> dict[str, str]:
    """The query, in which every key is known and stands once."""
    given = request.query_params.multi_items()
    if len(request.url.query) > MAX_QUERY or len(given) > len({name for name, _ in given}.intersection(known)):
        raise Refused(400, f"the query may have, each once: {', '.join(known) or 'nothing'}")
    return dict(given)


def list_slots(request: Request) -> Response:
    postcode = checked(POSTCODE, request.path_params["postcode"], "a postcode has four or five digits")
    given = query(request, "from", "limit")
    limit = checked(re.compile("[1-9]|1[0-9]|20"), given.get("limit", "6"), "limit must be a number from 1 to 20")
    first = first_day(given.get("from"))
    with opened(request.app.state.path) as carrier:
        return JSONResponse({"postcode": postcode, "slots": free_slots(carrier, postcode, first, int(limit))})


def get_parcel(request: Request) -> Response:
    query(request)
    sentence = "a tracking number is DHL or DPD and eleven digits"
    tracking = checked(TRACKING, request.path_params["tracking"], sentence)
    with opened(request.app.state.path) as carrier:
        return JSONResponse(as_parcel(carrier, find_parcel(carrier, tracking)))


async def book_slot(request: Request) -> Response:
    query(request)
    key = checked(
        re.compile(f"[!-~]{{1,{MAX_KEY}}}"),
        request.headers.get("idempotency-key", ""),
        f"the header Idempotency-Key is needed: 1 to {MAX_KEY} characters of ASCII without spaces",
    )
    wanted = await read_body(request)

    def work() -> dict[str, Any]:
        with opened(request.app.state.path) as carrier:
            return book(carrier, key, wanted["tracking"], wanted["slot"])

    place = {"Location": f"/bookings/{quote(key, safe='')}"}
    return JSONResponse(await run_in_threadpool(work), status_code=201, headers=place)


async def read_body(request: Request) -> dict[str, str]:
    """The body of a booking. Refused with 413, 415, 400 or 422."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refused(415, "the body must be application/json")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise Refused(413, f"the body must not be longer than {MAX_BODY} bytes")
    try:
        wanted = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused(400, "the body is not valid JSON") from None
    texts = isinstance(wanted, dict) and all(isinstance(value, str) for value in wanted.values())
    if not texts or wanted.keys() != {"tracking", "slot"}:
        raise Refused(422, 'the body must be {"tracking": "…", "slot": "…"} and nothing else')
    if not TRACKING.fullmatch(wanted["tracking"]):
        raise Refused(422, "tracking must be DHL or DPD and eleven digits")
    read_slot(wanted["slot"])
    return dict(wanted)


def get_booking_by_key(request: Request) -> Response:
    query(request)
    with opened(request.app.state.path) as carrier:
        row = carrier.execute(
            "SELECT answer FROM bookings WHERE key = ?", (request.path_params["key"],)
        ).fetchone()
    if row is None:
        raise Refused(404, "nothing was booked with this key")
    return JSONResponse(json.loads(row["answer"]))


# --- the service -----------------------------------------------------------------------------------------------


def problem(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    """A refusal as RFC 9457 has it; `about:blank` says that the status is all there is to the type."""
    told = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return JSONResponse(told, status, headers, media_type="application/problem+json")


class TokenNeeded:
    """Lets requests through that have the token."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = dict(scope["headers"]).get(b"authorization", b"") if scope["type"] == "http" else self._expected
        if hmac.compare_digest(given, self._expected):
            await self._app(scope, receive, send)
        else:
            detail = "the header Authorization: Bearer … with the right token is needed"
            await problem(401, detail, {"WWW-Authenticate": "Bearer"})(scope, receive, send)


def service(path: Path, token: str) -> Starlette:
    """The service as an ASGI app that keeps its bookings in the file at `path`."""
    app = Starlette(
        routes=[
            Route("/slots/{postcode}", list_slots),
            Route("/parcels/{tracking}", get_parcel),
            Route("/bookings", book_slot, methods=["POST"]),
            Route("/bookings/{key:path}", get_booking_by_key),
        ],
        middleware=[Middleware(TokenNeeded, token=token)],
        exception_handlers={
            Refused: lambda request, error: problem(error.status, str(error)),
            HTTPException: lambda request, error: problem(error.status_code, error.detail, error.headers),
            Exception: lambda request, error: problem(500, "this service has a technical problem"),
        },
    )
    app.state.path = path
    return app


def main() -> None:
    parser = argparse.ArgumentParser(description="The carrier of the example shop, on this machine only.")
    parser.add_argument("--port", type=int, default=8099, help="0 picks a free one")
    port = parser.parse_args().port
    path = Path(os.environ.get("DELIVERY_DB") or BOT / "data" / "delivery.db")
    uvicorn.run(service(path, os.environ.get("DELIVERY_TOKEN") or "demo-delivery"), host="127.0.0.1", port=port)


if __name__ == "__main__":
    main()
