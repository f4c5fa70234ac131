"""The example's carrier: the running service against its own description, and the file of tools against both."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import httpx2
import jmespath
import jsonschema
import pytest
import yaml

from supportbot.config.interpolate import interpolate
from supportbot.config.validate import validate
from supportbot.config.yamlfile import read
from supportbot.toolfiles import ToolFile

ROOT = Path(__file__).parents[2]
OPENAPI = yaml.safe_load((ROOT / "tools" / "delivery-openapi.yaml").read_text("utf-8"))
TOKEN = "token-of-the-tests"
SHIPPED, LATE, DELIVERED = "DHL00340100027", "DPD00340100067", "DHL00340100017"  # A-10002, A-10006, A-10001
KEYS = count(1)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("carrier") / "new" / "delivery.db"


@pytest.fixture(scope="module")
def carrier(database: Path) -> Iterator[httpx2.Client]:
    """A client of the service, which runs as a process of its own."""
    service = subprocess.Popen(
        [sys.executable, str(ROOT / "tools" / "delivery_service.py"), "--port", "0"],
        env={**os.environ, "DELIVERY_DB": str(database), "DELIVERY_TOKEN": TOKEN},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert service.stderr is not None
        found = next(filter(None, (re.search(r"http://127\.0\.0\.1:\d+", line) for line in service.stderr)))
        with httpx2.Client(
            base_url=found[0], headers={"Authorization": f"Bearer {TOKEN}"}, trust_env=False
        ) as http:
            yield http
    finally:
        service.terminate()
        service.communicate(timeout=20)


def key() -> dict[str, str]:
    return {"Idempotency-Key": f"key-{next(KEYS)}"}


def ahead(days: int) -> str:
    return (datetime.now(UTC).date() + timedelta(days=days)).isoformat()


def slots(carrier: httpx2.Client, postcode: str = "10115", **query: Any) -> list[str]:
    answer = carrier.get(f"/slots/{postcode}", params={"limit": 20, **query})
    assert answer.status_code == 200, answer.text
    return [slot["id"] for slot in answer.json()["slots"]]


def book(carrier: httpx2.Client, tracking: str, slot: str, headers: dict[str, str] | None = None) -> Any:
    return carrier.post("/bookings", json={"tracking": tracking, "slot": slot}, headers=headers or key())


def valid(instance: Any, operation: str, status: int, kind: str) -> None:
    """Fails unless the body is as the description has it for this operation and status."""
    (found,) = [
        one for path in OPENAPI["paths"].values() for one in path.values() if one["operationId"] == operation
    ]
    answer = found["responses"][str(status)]
    if "$ref" in answer:
        answer = OPENAPI["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    schema = {**answer["content"][kind]["schema"], "components": OPENAPI["components"]}
    jsonschema.Draft202012Validator(schema, format_checker=checker).validate(instance)


GET_CASES: list[tuple[str, int, str]] = [
    ("listSlots", 200, "/slots/10115"),
    ("listSlots", 200, "/slots/5020?limit=1"),
    ("listSlots", 200, f"/slots/10115?from={ahead(14)}"),
    ("listSlots", 400, "/slots/123"),
    ("listSlots", 400, "/slots/1011x"),
    ("listSlots", 400, "/slots/10115?limit=0"),
    ("listSlots", 400, "/slots/10115?limit=21"),
    ("listSlots", 400, "/slots/10115?limit=1&limit=2"),
    ("listSlots", 400, f"/slots/10115?from={ahead(0)}"),
    ("listSlots", 400, f"/slots/10115?from={ahead(15)}"),
    ("listSlots", 400, "/slots/10115?from=tomorrow"),
    ("listSlots", 400, "/slots/10115?colour=red"),
    ("getParcel", 200, f"/parcels/{SHIPPED}"),
    ("getParcel", 200, f"/parcels/{LATE}"),
    ("getParcel", 200, f"/parcels/{DELIVERED}"),
    ("getParcel", 400, "/parcels/1"),
    ("getParcel", 400, f"/parcels/{SHIPPED}?all=1"),
    ("getParcel", 404, "/parcels/DHL00340999997"),
    ("getBookingByKey", 404, "/bookings/never-used"),
]


@pytest.mark.parametrize(("operation", "status", "path"), GET_CASES)
def test_what_is_read_is_answered_as_the_description_says(
    operation: str, status: int, path: str, carrier: httpx2.Client
) -> None:
    answer = carrier.get(path)
    assert answer.status_code == status, answer.text
    kind = "application/json" if status == 200 else "application/problem+json"
    assert answer.headers["content-type"] == kind
    valid(answer.json(), operation, status, kind)


BODY = {"tracking": SHIPPED, "slot": "SLOT"}
BOOK_CASES: list[tuple[int, dict[str, Any]]] = [
    (201, {"json": BODY}),
    (400, {"json": BODY, "headers": {}}),
    (400, {"json": BODY, "headers": {"Idempotency-Key": "with space"}}),
    (400, {"json": BODY, "headers": {"Idempotency-Key": "k" * 201}}),
    (400, {"content": b"{", "headers": {**key(), "Content-Type": "application/json"}}),
    (400, {"content": b"[" * 4000, "headers": {**key(), "Content-Type": "application/json"}}),
    (404, {"json": {**BODY, "tracking": "DHL00340999997"}}),
    (409, {"json": {**BODY, "tracking": DELIVERED}}),
    (413, {"json": {**BODY, "slot": "s" * 5000}}),
    (415, {"content": b"tracking=1", "headers": {**key(), "Content-Type": "application/x-www-form-urlencoded"}}),
    (422, {"json": {**BODY, "slot": "soon"}}),
    (422, {"json": {**BODY, "slot": "2026-02-30_10-12_10115"}}),
    (422, {"json": {**BODY, "slot": f"{ahead(1)}_09-11_10115"}}),
    (422, {"json": {**BODY, "tracking": "1"}}),
    (422, {"json": {**BODY, "tracking": LATE}}),  # it goes to another postcode
    (422, {"json": {**BODY, "note": "ring twice"}}),
    (422, {"json": {"tracking": SHIPPED}}),
    (422, {"json": [SHIPPED]}),
    (422, {"json": {**BODY, "slot": 1}}),
]


@pytest.mark.parametrize(("status", "request_"), BOOK_CASES, ids=str)
def test_a_booking_is_answered_as_the_description_says(
    status: int, request_: dict[str, Any], carrier: httpx2.Client
) -> None:
    sent = {"headers": key(), **request_}
    if isinstance(sent.get("json"), dict) and sent["json"].get("slot") == "SLOT":
        sent["json"] = {**sent["json"], "slot": slots(carrier)[0]}
    answer = carrier.post("/bookings", **sent)
    assert answer.status_code == status, answer.text
    valid(answer.json(), "bookSlot", status, "application/json" if status == 201 else "application/problem+json")


@pytest.mark.parametrize(
    ("operation", "method", "path"),
    [
        (one["operationId"], method, path)
        for path, methods in OPENAPI["paths"].items()
        for method, one in methods.items()
    ],
)
@pytest.mark.parametrize("given", ["", "Bearer wrong", f"Basic {TOKEN}", "Bearer schlüssel"])
def test_nothing_is_answered_without_the_token(
    operation: str, method: str, path: str, given: str, carrier: httpx2.Client
) -> None:
    headers = {"Authorization": given.encode()}
    answer = carrier.request(method, re.sub(r"\{.*\}", "10115", path), headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    valid(answer.json(), operation, 401, "application/problem+json")


def test_every_answer_that_is_documented_is_tested() -> None:
    tested = {(operation, status) for operation, status, _ in GET_CASES} | {
        ("bookSlot", one) for one, _ in BOOK_CASES
    }
    tested |= {(operation, 401) for operation in ("listSlots", "getParcel", "bookSlot", "getBookingByKey")}
    documented = {
        (one["operationId"], int(status))
        for path in OPENAPI["paths"].values()
        for one in path.values()
        for status in one["responses"]
    }
    assert documented - tested == {("getBookingByKey", 200)}  # that is in the next test
    assert tested <= documented


def test_the_same_key_books_once_and_is_answered_the_same(carrier: httpx2.Client) -> None:
    headers, slot = {"Idempotency-Key": "conversation.7/3"}, slots(carrier)[0]
    first = book(carrier, SHIPPED, slot, headers)
    assert book(carrier, SHIPPED, slot, headers).json() == first.json()
    assert first.headers["location"] == "/bookings/conversation.7%2F3"
    found = carrier.get(first.headers["location"])
    assert found.json() == first.json()
    valid(found.json(), "getBookingByKey", 200, "application/json")
    other = book(carrier, SHIPPED, slots(carrier)[1], headers)
    assert other.status_code == 409
    valid(other.json(), "bookSlot", 409, "application/problem+json")


def test_a_refused_booking_leaves_its_key_unused(carrier: httpx2.Client) -> None:
    headers = key()
    assert book(carrier, DELIVERED, slots(carrier)[0], headers).status_code == 409
    assert carrier.get(f"/bookings/{headers['Idempotency-Key']}").status_code == 404


def test_a_new_booking_gives_the_old_window_back(carrier: httpx2.Client, database: Path) -> None:
    first, second = slots(carrier)[:2]
    one = book(carrier, SHIPPED, first).json()
    two = book(carrier, SHIPPED, second).json()
    assert two["replaces"] == one["booking"]
    parcel = carrier.get(f"/parcels/{SHIPPED}").json()
    assert parcel["slot"]["id"] == second
    assert parcel["expected"] == second[:10]
    with closing(sqlite3.connect(database)) as carrier_file:
        current = carrier_file.execute("SELECT slot FROM bookings WHERE tracking = ? AND current", (SHIPPED,))
        assert current.fetchall() == [(second,)]


def test_many_requests_with_one_key_at_once_book_once(carrier: httpx2.Client) -> None:
    headers, slot = key(), slots(carrier)[0]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: book(carrier, SHIPPED, slot, headers).json()["booking"], range(8)))
    assert len(set(answers)) == 1


def test_windows_follow_from_the_date_and_the_postcode(carrier: httpx2.Client) -> None:
    every = slots(carrier, "80331")
    assert every == slots(carrier, "80331")
    assert [slot[:16] for slot in every] != [slot[:16] for slot in slots(carrier, "20457")]
    assert all(datetime.fromisoformat(slot[:10]).isoweekday() != 7 for slot in every)
    assert slots(carrier, "80331", **{"from": ahead(5)})[0] >= ahead(5)


def test_parcels_are_where_the_shop_says_that_they_are(carrier: httpx2.Client) -> None:
    states = {one: carrier.get(f"/parcels/{one}").json() for one in (LATE, DELIVERED)}
    assert [states[one]["status"] for one in (LATE, DELIVERED)] == ["delayed", "delivered"]
    assert states[DELIVERED]["expected"] is None
    assert states[DELIVERED]["events"][-1] == {"date": ahead(-8), "place": "Berlin", "what": "delivered"}
    assert "Lindenweg" not in str(states)


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/", 404), ("DELETE", "/bookings/1", 405)])
def test_what_there_is_not_is_a_problem_document_too(
    method: str, path: str, status: int, carrier: httpx2.Client
) -> None:
    answer = carrier.request(method, path)
    assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert answer.headers["content-type"] == "application/problem+json"


def tool_file() -> ToolFile:
    return validate(ToolFile, interpolate(read(ROOT / "tools" / "delivery.yaml"), {}))


def test_the_file_of_tools_names_operations_that_there_are() -> None:
    file = tool_file()
    assert file.base == OPENAPI["servers"][0]["url"]
    assert file.openapi is not None
    described = {one["operationId"]: one for path in OPENAPI["paths"].values() for one in path.values()}
    for name, operation in file.openapi.operations.items():
        assert {str(status) for status in operation.errors} <= described[name]["responses"].keys()
        assert isinstance(operation.progress, dict)
        assert operation.progress.keys() == {"en", "de"}
    booking = file.openapi.operations["bookSlot"]
    assert booking.effects
    assert booking.confirm
    assert booking.recover == "GET /bookings/{key}"


@pytest.mark.parametrize(
    ("operation", "path", "expected"),
    [
        ("listSlots", "/slots/80331?limit=1", [{"slot", "day", "from", "to"}]),
        ("getParcel", f"/parcels/{LATE}", {"status", "expected", "window", "last"}),
    ],
)
def test_what_the_model_gets_of_an_answer_is_there(
    operation: str, path: str, expected: Any, carrier: httpx2.Client
) -> None:
    openapi = tool_file().openapi
    assert openapi is not None
    result = jmespath.search(openapi.operations[operation].result, carrier.get(path).json())
    assert ([set(one) for one in result] if isinstance(result, list) else set(result)) == expected
