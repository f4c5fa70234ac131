"""The example's warehouse, through the client of the official SDK: over standard input and output, as the bot has it."""

from __future__ import annotations

import csv
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from supportbot.config.bundled import bundled

mcp = pytest.importorskip("mcp")

ROOT = Path(__file__).parents[2]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "new" / "warehouse.db"


def client(database: Path) -> Any:
    arguments = [str(ROOT / "tools" / "warehouse_mcp.py")]
    environment = {"WAREHOUSE_DB": str(database)}
    return mcp.Client(mcp.StdioServerParameters(command=sys.executable, args=arguments, env=environment))


async def stock(warehouse: Any, item: str) -> list[dict[str, Any]]:
    answer = await warehouse.call_tool("stock", {"item": item})
    assert not answer.is_error, answer.content
    found: list[dict[str, Any]] = answer.structured_content["result"]
    return found


async def reserve(warehouse: Any, sku: str, pieces: int, key: str | None = None) -> Any:
    meta = {"supportbot/key": key} if key else None
    return await warehouse.call_tool("reserve", {"sku": sku, "pieces": pieces}, meta=meta)


async def test_its_tools_say_what_they_do(database: Path) -> None:
    async with client(database) as warehouse:
        tools = {tool.name: tool for tool in (await warehouse.list_tools()).tools}
    assert tools.keys() == {"stock", "reserve"}
    assert tools["stock"].annotations.read_only_hint
    assert tools["reserve"].annotations.read_only_hint is False
    assert tools["reserve"].annotations.destructive_hint is False
    assert all(tool.description and tool.output_schema for tool in tools.values())


@pytest.mark.parametrize(
    ("item", "skus"),
    [
        ("L-102", ["L-102"]),
        ("l-102", ["L-102"]),
        ("floor lamps", ["L-102"]),
        ("Stehleuchten", ["L-102"]),
        ("oak tables", ["F-401"]),
        ("helicopter", []),
        ("??", []),
    ],
)
async def test_products_are_found_by_sku_or_words(item: str, skus: list[str], database: Path) -> None:
    async with client(database) as warehouse:
        assert [row["sku"] for row in await stock(warehouse, item)] == skus


async def test_the_shelves_hold_what_the_shop_says_at_first(database: Path) -> None:
    with closing(sqlite3.connect(":memory:")) as shop:
        shop.executescript(bundled("shop.sql").read_text("utf-8"))
        expected = dict(shop.execute("SELECT sku, stock FROM products"))
    with (ROOT / "tools" / "catalogue.csv").open(encoding="utf-8") as file:
        skus = [row["sku"] for row in csv.DictReader(file)]
    async with client(database) as warehouse:
        found = {sku: (await stock(warehouse, sku))[0] for sku in skus}
    assert {sku: row["leipzig"] + row["hamburg"] for sku, row in found.items()} == expected
    assert all(row["next_arrival"] for row in found.values() if not row["free"])


async def test_what_is_reserved_is_not_free_any_more(database: Path) -> None:
    async with client(database) as warehouse:
        answer = await reserve(warehouse, "f-403", 5)
        assert answer.structured_content["pieces"] == 5
        assert (await stock(warehouse, "F-403"))[0]["free"] == 3
        refused = await reserve(warehouse, "F-403", 4)
        assert refused.is_error
        assert "only 3 can be reserved" in refused.content[0].text


async def test_the_same_key_reserves_once_also_after_a_restart(database: Path) -> None:
    async with client(database) as warehouse:
        first = await reserve(warehouse, "L-101", 2, "call-1")
    async with client(database) as warehouse:
        again = await reserve(warehouse, "L-101", 2, "call-1")
        assert again.structured_content == first.structured_content
        assert (await stock(warehouse, "L-101"))[0]["free"] == 12
        assert (await reserve(warehouse, "L-101", 1, "call-1")).is_error
        assert not (await reserve(warehouse, "L-101", 2, "call-2")).is_error
        assert (await stock(warehouse, "L-101"))[0]["free"] == 10


async def test_a_reservation_ends_after_a_day(database: Path) -> None:
    async with client(database) as warehouse:
        await reserve(warehouse, "L-101", 2)
        with closing(sqlite3.connect(database)) as file, file:
            file.execute("UPDATE reservations SET until = datetime('now', '-1 minute')")
        assert (await stock(warehouse, "L-101"))[0]["free"] == 14


@pytest.mark.parametrize(("sku", "pieces"), [("L-101", 0), ("L-101", 6), ("L-999", 1), ("L-103", 1), ("", 1)])
async def test_what_cannot_be_reserved_is_refused(sku: str, pieces: int, database: Path) -> None:
    async with client(database) as warehouse:
        assert (await reserve(warehouse, sku, pieces)).is_error
