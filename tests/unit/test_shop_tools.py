"""The example's tools, against its real database in a temporary folder."""

from __future__ import annotations

import json
import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import shop_tools
from supportbot import Tool, ToolContext, ToolError
from supportbot.types import User

TOOLS = {tool.name: tool for tool in shop_tools.TOOLS}
EMAILS = {
    "A-10001": "jana.berger@example.org",
    "A-10002": "jana.berger@example.org",
    "A-10003": "tom.whitfield@example.com",
    "A-10004": "aylin.demir@example.org",
    "A-10005": "lukas.moser@example.net",
    "A-10018": "ben.okafor@example.com",
}
KEYS = count(1)


@pytest.fixture(autouse=True)
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "bot" / "shop.db"
    monkeypatch.setenv("SHOP_DB", str(path))
    return path


def context(key: str = "", *, customer: str = "u1", conversation: str = "c1", locale: str = "en") -> ToolContext:
    return ToolContext(conversation, User(customer), "chat", locale, key or f"key-{next(KEYS)}")


def call(name: str, key: str = "", *, locale: str = "en", customer: str = "u1", **arguments: Any) -> Any:
    tool = TOOLS[name]
    jsonschema.validate(arguments, dict(tool.parameters))
    return tool.call(arguments, context(key, locale=locale, customer=customer))


def prove(number: str, customer: str = "u1") -> dict[str, Any]:
    found: dict[str, Any] = call("find_order", order_number=number, contact=EMAILS[number], customer=customer)
    return found


def rows(database: Path, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(database)) as shop:
        return shop.execute(sql, values).fetchall()


def day(ago: int) -> str:
    return (datetime.now(UTC).date() - timedelta(days=ago)).isoformat()


def refused(name: str, **arguments: Any) -> str:
    with pytest.raises(ToolError) as caught:
        call(name, **arguments)
    return str(caught.value)


def test_the_first_call_fills_the_shop_with_orders_in_every_state(database: Path) -> None:
    prove("A-10001")
    states = dict(rows(database, "SELECT status, count(*) FROM orders GROUP BY status"))
    assert set(states) == {
        "placed",
        "packed",
        "shipped",
        "delivered",
        "cancelled",
        "return_requested",
        "refunded",
    }
    assert sum(states.values()) == 25
    assert rows(database, "SELECT count(*) FROM products") == [(20,)]
    assert rows(database, "SELECT count(*) FROM lines WHERE cents IS NULL") == [(0,)]
    assert rows(database, "SELECT count(*) FROM orders WHERE (status = 'shipped') AND tracking IS NULL") == [(0,)]


def test_a_second_process_finds_the_shop_as_the_first_left_it(database: Path) -> None:
    prove("A-10003")
    call("cancel_order", order_number="A-10003")
    assert prove("A-10003")["status"] == "cancelled"
    assert rows(database, "SELECT count(*) FROM orders") == [(25,)]


def test_an_order_is_found_by_number_and_email_or_postcode() -> None:
    by_email = call("find_order", order_number="A-10002", contact="  Jana.Berger@Example.org ")
    by_postcode = call("find_order", order_number="a 10002", contact="10115", customer="u2")
    assert by_email == by_postcode
    assert by_email["status"] == "shipped"
    assert by_email["contents"] == "1 × Linen bed set, sand"
    assert by_email["total"] == "€149.00"
    assert by_email["placed_on"] == day(3)
    assert by_email["due_on"] == day(-2)
    assert by_email["late"] is False
    assert by_email["tracking_url"].endswith(by_email["tracking"])


def test_a_parcel_past_its_day_is_late() -> None:
    assert call("find_order", order_number="A-10006", contact="80331")["late"] is True


def test_german_customers_read_german_names_money_and_days() -> None:
    order = call("find_order", order_number="A-10002", contact="10115", locale="de-AT")
    assert order["contents"] == "1 × Leinenbettwäsche, sand"
    assert order["total"] == "149,00 €"
    assert order["placed_day"].split(".")[0] == str(int(day(3)[-2:]))


def test_a_wrong_email_says_nothing_that_a_wrong_number_does_not_say() -> None:
    wrong_email = refused("find_order", order_number="A-10002", contact="eve@example.org")
    wrong_number = refused("find_order", order_number="A-77777", contact="jana.berger@example.org")
    assert wrong_email == wrong_number
    assert "Jana" not in wrong_email
    assert "149" not in wrong_email


def test_without_a_contact_nothing_is_told_until_the_order_was_proven() -> None:
    assert "e-mail" in refused("find_order", order_number="A-10002")
    prove("A-10002")
    assert call("find_order", order_number="A-10002")["number"] == "A-10002"


def test_a_proof_does_not_count_for_somebody_else_in_the_same_conversation() -> None:
    prove("A-10002", customer="u1")
    assert "e-mail" in refused("find_order", order_number="A-10002", customer="u2")


def test_a_proof_is_forgotten_after_a_day(database: Path) -> None:
    prove("A-10002")
    with closing(sqlite3.connect(database)) as shop, shop:
        shop.execute("UPDATE checks SET at = ?", (day(2),))
    assert "e-mail" in refused("find_order", order_number="A-10002")


def test_guessing_is_stopped_even_for_the_right_answer_and_from_another_conversation() -> None:
    for guess in range(shop_tools.MAX_WRONG_GUESSES):
        refused("find_order", order_number="A-10002", contact=f"1000{guess}")
    right = {"order_number": "A-10002", "contact": "10115"}
    assert "one try too many" in refused("find_order", **right)
    with pytest.raises(ToolError, match="Versuch zu viel"):
        TOOLS["find_order"].call(right, context(conversation="c2", customer="u2", locale="de"))


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("cancel_order", {}),
        ("change_address", {"street": "Ringstr. 1", "postcode": "10117", "city": "Berlin"}),
        ("start_return", {"reason": "damaged"}),
    ],
)
def test_nothing_changes_for_an_order_that_was_not_proven(name: str, more: dict[str, str], database: Path) -> None:
    prove("A-10001")
    before = rows(database, "SELECT * FROM orders")
    assert "e-mail" in refused(name, order_number="A-10003", **more)
    assert rows(database, "SELECT * FROM orders") == before
    assert rows(database, "SELECT * FROM audit") == []


def test_cancelling_closes_the_order_and_puts_its_goods_back(database: Path) -> None:
    prove("A-10004")
    stock = rows(database, "SELECT stock FROM products WHERE sku = 'F-402'")[0][0]
    assert call("cancel_order", order_number="A-10004") == {"order_number": "A-10004", "total": "€129.80"}
    closed = rows(database, "SELECT status, closed_on FROM orders WHERE number = 'A-10004'")
    assert closed == [("cancelled", day(0))]
    assert rows(database, "SELECT stock FROM products WHERE sku = 'F-402'") == [(stock + 2,)]


@pytest.mark.parametrize("number", ["A-10001", "A-10002"])
def test_what_has_left_the_warehouse_is_neither_cancelled_nor_redirected(number: str, database: Path) -> None:
    prove(number)
    before = rows(database, "SELECT * FROM orders")
    assert "left our warehouse" in refused("cancel_order", order_number=number)
    new = {"street": "Ringstr. 1", "postcode": "10117", "city": "Berlin"}
    assert "left our warehouse" in refused("change_address", order_number=number, **new)
    assert rows(database, "SELECT * FROM orders") == before


def test_an_address_is_changed_and_written_down(database: Path) -> None:
    prove("A-10003")
    call("change_address", "k1", order_number="A-10003", street=" Ringstraße 1 ", postcode="10117", city="Berlin")
    found = rows(database, "SELECT street, postcode, city FROM orders WHERE number = 'A-10003'")
    assert found == [("Ringstraße 1", "10117", "Berlin")]
    [(tool, number, conversation, customer, arguments)] = rows(
        database, "SELECT tool, number, conversation, customer, arguments FROM audit WHERE key = 'k1'"
    )
    assert (tool, number, conversation, customer) == ("change_address", "A-10003", "c1", "u1")
    assert json.loads(arguments)["city"] == "Berlin"


def test_a_return_makes_a_number_and_a_label(database: Path) -> None:
    prove("A-10018")
    result = call("start_return", order_number="A-10018", items="wall shelf", reason="does_not_fit")
    assert result["items"] == "1 × Wall shelf, 80 cm"
    stored = rows(
        database, "SELECT label, number, items, reason, asked_on FROM returns WHERE rma = ?", result["rma"]
    )
    assert stored == [(result["label"], "A-10018", result["items"], "does_not_fit", day(0))]
    assert prove("A-10018")["status"] == "return_requested"
    assert prove("A-10018")["rma"] == result["rma"]
    assert "only once" in refused("start_return", order_number="A-10018", reason="damaged")


@pytest.mark.parametrize("items", ["", "all", "Everything", "wall shelf, coat rack", "shelf and rack"])
def test_all_items_may_be_returned_in_many_words(items: str) -> None:
    prove("A-10018")
    result = call("start_return", order_number="A-10018", items=items, reason="other")
    assert result["items"] == "1 × Wall shelf, 80 cm, 1 × Coat rack, five hooks"


def test_an_item_that_is_not_in_the_order_is_refused_with_what_is(database: Path) -> None:
    prove("A-10018")
    sentence = refused("start_return", order_number="A-10018", items="piano", reason="other")
    assert "piano" in sentence
    assert "Wall shelf" in sentence
    assert rows(database, "SELECT status FROM orders WHERE number = 'A-10018'") == [("delivered",)]


@pytest.mark.parametrize(("ago", "works"), [(30, True), (31, False)])
def test_a_return_is_possible_up_to_the_thirtieth_day(ago: int, works: bool, database: Path) -> None:
    prove("A-10005")
    with closing(sqlite3.connect(database)) as shop, shop:
        shop.execute("UPDATE orders SET delivered_on = ? WHERE number = 'A-10005'", (day(ago),))
    if works:
        assert call("start_return", order_number="A-10005", reason="changed_mind")["rma"]
    else:
        assert "30 days" in refused("start_return", order_number="A-10005", reason="changed_mind")


def test_a_complaint_becomes_a_ticket(database: Path) -> None:
    result = call("file_complaint", text="The driver threw it.", order_number="a-10002", topic="damaged")
    assert result["order_number"] == "A-10002"
    assert result["ticket"].startswith("T-")
    assert rows(database, "SELECT number, topic, text FROM tickets") == [
        ("A-10002", "damaged", "The driver threw it.")
    ]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("cancel_order", {"order_number": "A-10003"}),
        (
            "change_address",
            {"order_number": "A-10003", "street": "Ringstr. 1", "postcode": "10117", "city": "Berlin"},
        ),
        ("start_return", {"order_number": "A-10018", "reason": "damaged"}),
        ("file_complaint", {"text": "Too loud."}),
    ],
)
def test_the_same_call_twice_changes_once_and_answers_the_same(
    name: str, arguments: dict[str, str], database: Path
) -> None:
    prove(arguments.get("order_number", "A-10001"))
    first = call(name, "same", **arguments)
    after = [rows(database, f"SELECT * FROM {table}") for table in ("orders", "products", "returns", "tickets")]
    assert call(name, "same", **arguments) == first
    assert [
        rows(database, f"SELECT * FROM {table}") for table in ("orders", "products", "returns", "tickets")
    ] == after
    assert rows(database, "SELECT count(*) FROM audit") == [(1,)]


def together(works: list[Any]) -> list[Any]:
    """Runs all at once, from one starting line; what each returned or raised."""
    line = threading.Barrier(len(works))
    results: list[Any] = [None] * len(works)

    def run(place: int) -> None:
        line.wait(10)
        try:
            results[place] = works[place]()
        except ToolError as error:
            results[place] = error

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results


def test_two_cancellations_at_once_change_once(database: Path) -> None:
    prove("A-10004")
    stock = rows(database, "SELECT stock FROM products WHERE sku = 'F-402'")[0][0]
    cancel = TOOLS["cancel_order"].call
    contexts = [context() for _ in range(6)]
    results = together([lambda ctx=ctx: cancel({"order_number": "A-10004"}, ctx) for ctx in contexts])
    assert sum(isinstance(result, dict) for result in results) == 1
    assert sum(isinstance(result, ToolError) for result in results) == 5
    assert rows(database, "SELECT stock FROM products WHERE sku = 'F-402'") == [(stock + 2,)]
    assert rows(database, "SELECT count(*) FROM audit") == [(1,)]


def test_many_first_calls_at_once_fill_the_shop_once(database: Path) -> None:
    find = TOOLS["find_order"].call
    asked = {"order_number": "A-10001", "contact": "10115"}
    results = together([lambda: find(asked, context())] * 6)
    assert [result["number"] for result in results] == ["A-10001"] * 6
    assert rows(database, "SELECT count(*) FROM orders") == [(25,)]


def test_a_shop_that_cannot_be_opened_is_an_honest_sentence(database: Path) -> None:
    database.parent.mkdir(parents=True)
    database.write_bytes(b"this is no database, but a text that somebody put here by mistake" * 40)
    assert "Nothing was changed" in refused("find_order", order_number="A-10001", contact="10115")


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("lamps", "Table lamp Fjord, opal glass"),
        ("linen tablecloth", "Linen tablecloth, white"),
        ("Leuchten", None),
    ],
)
def test_products_are_found_by_natural_words(query: str, first: str | None) -> None:
    found = call("find_product", query=query)
    assert 1 <= len(found) <= 5
    assert first is None or found[0]["name"] == first


def test_a_product_that_is_not_sold_is_not_invented() -> None:
    assert call("find_product", query="helicopter") == []


def test_what_changes_something_is_marked_so_and_kept_from_the_model() -> None:
    changing = {tool.name for tool in shop_tools.TOOLS if tool.effects}
    assert changing == {"cancel_order", "change_address", "start_return", "file_complaint"}
    assert changing == {tool.name for tool in shop_tools.TOOLS if tool.private}


@pytest.mark.parametrize("tool", shop_tools.TOOLS, ids=lambda tool: str(tool.name))
def test_every_schema_is_sound_and_closed(tool: Tool) -> None:
    jsonschema.Draft202012Validator.check_schema(dict(tool.parameters))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"surprise": 1}, dict(tool.parameters))
