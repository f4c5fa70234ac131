"""The warehouse of the example shop, as an MCP server: how much there is of a product, and where; and reserves pieces.

    python tools/warehouse_mcp.py                        over standard input and output, as config.yaml starts it
    python tools/warehouse_mcp.py --http --port 8098     over HTTP on this machine only: http://127.0.0.1:8098/mcp

Three rules:
- What is on the shelves comes from the table below; what is reserved is taken off for 24 hours.
- The same key (`supportbot/key` in the request's _meta) with the same arguments reserves once and is answered the same.
- A ToolError is a sentence for the one who asks.

Reservations are in WAREHOUSE_DB, else in `data/warehouse.db` in the bot's folder. It needs `pip install mcp`. Your own
server may be written in any language; the bot only speaks MCP to it.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations
from pydantic import BaseModel, Field

BOT = Path(__file__).resolve().parents[1]
HOURS = 24
MOST_PIECES = 5
MOST_FOUND = 5
KEY = "supportbot/key"

# sku: pieces in Leipzig, pieces in Hamburg, days until more arrive (None: nothing is on its way)
SHELVES: dict[str, tuple[int, int, int | None]] = {
    "L-101": (9, 5, None),
    "L-102": (4, 2, 9),
    "L-103": (0, 0, 12),
    "L-104": (15, 7, None),
    "L-105": (100, 60, None),
    "K-201": (11, 7, None),
    "K-202": (20, 11, None),
    "K-203": (25, 15, None),
    "K-204": (16, 11, None),
    "K-205": (6, 3, 6),
    "T-301": (4, 3, 15),
    "T-302": (8, 4, None),
    "T-303": (2, 3, 5),
    "T-304": (20, 13, None),
    "T-305": (30, 18, None),
    "F-401": (4, 0, 10),
    "F-402": (7, 4, None),
    "F-403": (5, 3, None),
    "F-404": (0, 0, 19),
    "F-405": (12, 7, None),
}


class Stock(BaseModel):
    """How much there is of one product. `free` is what can be reserved now, `next_arrival` a date."""

    sku: str
    name: str
    name_de: str
    leipzig: int
    hamburg: int
    free: int
    next_arrival: str | None


class Reservation(BaseModel):
    """Pieces that are put aside until a time (UTC)."""

    reservation: str
    sku: str
    name: str
    pieces: int
    until: str


server = MCPServer(
    "warehouse", instructions="The warehouses of Acme Home in Leipzig and Hamburg.", log_level="WARNING"
)

# --- what there is ----------------------------------------------------------------------------------------------


def products() -> list[dict[str, str]]:
    with (BOT / "tools" / "catalogue.csv").open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if row["sku"] in SHELVES]


def find(item: str) -> list[dict[str, str]]:
    """The product with this sku, or those that have all of these words in their name or kind."""
    rows = products()
    exact = [row for row in rows if row["sku"] == item.strip().upper()]
    words = re.findall(r"\b(\w{2,}?)(?:es|en|s|n|e)?\b", item.casefold())
    texts = [(row, f"{row['name']} {row['name_de']} {row['category']}".casefold()) for row in rows]
    return exact or [row for row, text in texts if words and all(word in text for word in words)][:MOST_FOUND]


@contextmanager
def opened() -> Iterator[sqlite3.Connection]:
    """The warehouse's file inside one write transaction: committed when the block ends, undone when it raises."""
    path = Path(os.environ.get("WAREHOUSE_DB") or BOT / "data" / "warehouse.db")
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path, timeout=10, isolation_level=None)) as warehouse, warehouse:
        warehouse.execute("BEGIN IMMEDIATE")
        warehouse.execute(
            "CREATE TABLE IF NOT EXISTS reservations"
            " (id INTEGER PRIMARY KEY, key TEXT UNIQUE, sku TEXT, pieces INTEGER, until TEXT, answer TEXT)"
        )
        yield warehouse


def free(warehouse: sqlite3.Connection, sku: str) -> int:
    """The pieces that nobody has reserved."""
    sql = "SELECT coalesce(sum(pieces), 0) FROM reservations WHERE sku = ? AND until > ?"
    taken = warehouse.execute(sql, (sku, time())).fetchone()[0]
    leipzig, hamburg, _ = SHELVES[sku]
    return max(0, leipzig + hamburg - int(taken))


def time(hours: int = 0) -> str:
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat(timespec="seconds")


# --- the tools --------------------------------------------------------------------------------------------------

Item = Annotated[
    str, Field(min_length=2, max_length=100, description="A sku such as L-101, or words such as floor lamp.")
]
Sku = Annotated[str, Field(min_length=2, max_length=20, description="The product's sku, such as L-101.")]
Pieces = Annotated[int, Field(ge=1, le=MOST_PIECES, description="How many pieces.")]


@server.tool(annotations=ToolAnnotations(title="Stock", read_only_hint=True, open_world_hint=False))
def stock(item: Item) -> list[Stock]:
    """How many pieces of a product there are in each warehouse, and when more arrive. Empty if we have no such product."""
    found = []
    with opened() as warehouse:
        for row in find(item):
            leipzig, hamburg, days = SHELVES[row["sku"]]
            arrival = None if days is None else (datetime.now(UTC).date() + timedelta(days=days)).isoformat()
            shelves = {"leipzig": leipzig, "hamburg": hamburg, "free": free(warehouse, row["sku"])}
            names = {name: row[name] for name in ("sku", "name", "name_de")}
            found.append(Stock(**names, **shelves, next_arrival=arrival))
    return found


@server.tool(
    annotations=ToolAnnotations(
        title="Reserve",
        read_only_hint=False,
        destructive_hint=False,
        idempotent_hint=False,  # two calls are two reservations, unless they have the same key
        open_world_hint=False,
    )
)
def reserve(sku: Sku, pieces: Pieces, context: Context) -> Reservation:
    """Puts up to five pieces of a product aside for 24 hours. Ask for the sku with `stock` first."""
    sku = sku.strip().upper()
    meta = context.request_context.meta or {}
    key = str(meta[KEY]) if KEY in meta else None
    with opened() as warehouse:
        made = warehouse.execute("SELECT sku, pieces, answer FROM reservations WHERE key = ?", (key,)).fetchone()
        if made is not None and made[:2] != (sku, pieces):
            raise ToolError("This key was used for another reservation.")
        if made is not None:
            return Reservation(**json.loads(made[2]))
        names = [row["name"] for row in products() if row["sku"] == sku]
        if not names:
            raise ToolError(f"There is no product {sku}.")
        if free(warehouse, sku) < pieces:
            raise ToolError(f"Of {names[0]} only {free(warehouse, sku)} can be reserved.")
        number = warehouse.execute("SELECT 50001 + count(*) FROM reservations").fetchone()[0]
        answer = Reservation(
            reservation=f"W-{number}", sku=sku, name=names[0], pieces=pieces, until=time(hours=HOURS)
        )
        row = (number, key, sku, pieces, answer.until, answer.model_dump_json())
        warehouse.execute("INSERT INTO reservations VALUES (?, ?, ?, ?, ?, ?)", row)
        return answer


def main() -> None:
    parser = argparse.ArgumentParser(description="The warehouse of the example shop, as an MCP server.")
    parser.add_argument(
        "--http", action="store_true", help="speak streamable HTTP instead of standard input and output"
    )
    parser.add_argument("--port", type=int, default=8098, help="the port for --http")
    chosen = parser.parse_args()
    if chosen.http:
        server.run("streamable-http", host="127.0.0.1", port=chosen.port)
    else:
        server.run("stdio")


if __name__ == "__main__":
    main()
