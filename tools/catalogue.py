"""The shop's catalogue: finds products by words, and recommends some by what a customer says they need.

Four rules:
- What a customer bought is used only when they have proven who they are, and told only to them.
- A recommendation says why, and names the product's page as its source. What is not in the catalogue is not invented.
- A line with a mistake is left out and reported in the log; the others stay.
- A catalogue that cannot be read now is used as it was read last.

The catalogue is CATALOGUE, a file or an address (https://…) of CSV or JSON, else `catalogue.csv` beside this module.
Its columns: sku, name, name_de, price (79.90), category, rooms, materials, colours, styles, for (what one needs it for),
description, description_de, url, again (yes: bought again and again). In the middle ones several values stand between
`;`, and each may have a German and further words after `/`: "oak/Eiche; wood/Holz".
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import logging
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import httpx2

from shop_tools import language, money, open_shop
from supportbot import SupportbotError, ToolContext, ToolError, tool
from tools.ranking import WEIGHTS, Fit, Product, Ranking, best

BOT = Path(__file__).resolve().parents[1]
MAX_BYTES = 5_000_000
MAX_AGE = 300.0  # seconds after which an address is asked again
RETRY = 30.0  # and after which, when it did not answer
MOST_HITS = 5
SOLD_OUT = 0.6  # what the score is multiplied by for what is sold out
OTHER_ROOM = 0.5  # and for what is for another room
MOST_AFFINITY = 0.25  # past orders raise a score by a quarter at most: needs come first
WORTH_SAYING = 0.7  # how much alike two products must be for "goes with your …"
ALIKE = {"materials": 3.0, "styles": 2.0, "colours": 1.0, "category": 1.0}

COLUMNS = tuple(column for column in WEIGHTS if column != "name")
OURS = ("placed", "packed", "shipped", "delivered")  # orders whose goods the customer has or will have

TEXTS = {
    "category": ("one of our {}", "gehört zu: {}"),
    "for": ("good for {}", "gut für: {}"),
    "materials": ("made of {}", "aus {}"),
    "colours": ("colour: {}", "Farbe: {}"),
    "styles": ("style: {}", "Stil: {}"),
    "rooms": ("for the {}", "Raum: {}"),
    "goes_with": ("goes with your {}", "passt zu Ihrem Kauf: {}"),
    "again": ("you have bought it before", "haben Sie schon einmal gekauft"),
    "described": ("its description fits", "nach der Beschreibung passend"),
    "sold_out": ("sold out at the moment", "zurzeit ausverkauft"),
    "unreadable": (
        "I cannot look into our catalogue just now.",
        "Ich kann gerade nicht in unseren Katalog sehen.",
    ),
}

UNREADABLE = (OSError, ValueError, csv.Error, RecursionError, httpx2.HTTPError, httpx2.InvalidURL, SupportbotError)

log = logging.getLogger("tools.catalogue")

# --- reading the catalogue --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Copy:
    """The catalogue as it was read last. `mark` tells whether it has changed since, `fresh_until` when to ask."""

    ranking: Ranking
    mark: Mapping[str, str]
    fresh_until: float = 0.0


_copies: dict[str, Copy] = {}


async def catalogue(context: ToolContext) -> Ranking:
    """The catalogue, as new as it can be had."""
    source = os.environ.get("CATALOGUE") or str(BOT / "tools" / "catalogue.csv")
    last, now = _copies.get(source), time.monotonic()
    if last is not None and now < last.fresh_until:
        return last.ranking
    try:
        if source.startswith(("https://", "http://")):
            _copies[source] = replace(await _from_address(source, last, context), fresh_until=now + MAX_AGE)
        else:
            _copies[source] = await asyncio.to_thread(_from_file, BOT / source, last)
    except UNREADABLE as error:
        log.warning("the catalogue cannot be read: %s: %s", type(error).__name__, error)
        if last is None:
            raise ToolError(_said("unreadable", context)) from error
        _copies[source] = replace(last, fresh_until=now + RETRY)
    return _copies[source].ranking


def _from_file(path: Path, last: Copy | None) -> Copy:
    stat = path.stat()
    mark = {"changed": f"{stat.st_mtime_ns} {stat.st_size}"}
    if last is not None and last.mark == mark:
        return last
    with path.open("rb") as file:
        return Copy(_read(file.read(MAX_BYTES + 1)), mark)


async def _from_address(url: str, last: Copy | None, context: ToolContext) -> Copy:
    if context.http is None:
        raise ValueError("there is no connection to the outside")
    conditions = last.mark if last is not None else {}
    async with context.http.stream("GET", url, headers=dict(conditions), timeout=5) as answer:
        if answer.status_code == 304 and last is not None:
            return last
        if answer.status_code != 200:
            raise ValueError(f"the answer is {answer.status_code}")
        body = b""
        async for piece in answer.aiter_bytes():
            body += piece
            if len(body) > MAX_BYTES:
                break
        given = {"If-None-Match": "ETag", "If-Modified-Since": "Last-Modified"}
        mark = {ask: answer.headers[name] for ask, name in given.items() if name in answer.headers}
    return Copy(await asyncio.to_thread(_read, body), mark)


def _read(content: bytes) -> Ranking:
    """The products in CSV or JSON (a list of objects). ValueError if it is too large, or not one line is right."""
    if len(content) > MAX_BYTES:
        raise ValueError(f"it is larger than {MAX_BYTES} bytes")
    text = content.decode("utf-8-sig")
    rows = json.loads(text) if text.lstrip().startswith("[") else csv.DictReader(io.StringIO(text))
    products = list(_products(rows))
    if not products:
        raise ValueError("it has no product")
    return Ranking(products)


def _products(rows: Iterable[Any]) -> Iterator[Product]:
    """The rows that are right; the others are reported."""
    seen: set[str] = set()
    for number, row in enumerate(rows, 1):
        try:
            product = _product(row)
            if product.sku in seen:
                raise ValueError(f"the sku {product.sku} stands twice")
        except ValueError as error:
            log.warning("product %s of the catalogue is left out: %s", number, error)
            continue
        seen.add(product.sku)
        yield product


def _product(row: Any) -> Product:
    """Raises ValueError with what is wrong."""
    if not isinstance(row, dict):
        raise ValueError("it is not an object")
    cell = {str(column): str(value or "").strip() for column, value in row.items() if not isinstance(value, list)}
    for column in ("sku", "name", "price", "url"):
        if not cell.get(column):
            raise ValueError(f"{column} is missing")
    try:
        price = Decimal(cell["price"])
    except InvalidOperation:
        price = Decimal("NaN")
    if not price.is_finite() or price < 0:
        raise ValueError("price must be a number such as 79.90")
    if not cell["url"].startswith(("https://", "http://")):
        raise ValueError("url must begin with https://")
    texts = {name: cell.get(name, "") for name in ("description", "description_de")}
    values = {column: _values(row.get(column)) for column in COLUMNS}
    name_de, again = cell.get("name_de") or cell["name"], cell.get("again") in ("yes", "True")
    return Product(cell["sku"], cell["name"], name_de, price, cell["url"], again=again, values=values, **texts)


def _values(cell: Any) -> tuple[tuple[str, ...], ...]:
    """ "oak/Eiche; wood/Holz", or a list of such, as (("oak", "Eiche"), ("wood", "Holz"))."""
    texts = cell if isinstance(cell, list) else str(cell or "").split(";")
    words = (tuple(word.strip() for word in str(text).split("/") if word.strip()) for text in texts)
    return tuple(value for value in words if value)


# --- what the shop knows ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Shop:
    """How many pieces there are by sku, and the skus that the customer bought, newest first."""

    stock: Mapping[str, int]
    bought: tuple[str, ...] = ()


def _shop(customer: str, locale: str) -> Shop:
    """The stock, and the past orders of a customer who has proven who they are ("": nobody has)."""
    marks = ", ".join("?" for _ in OURS)
    sql = f"SELECT sku FROM lines JOIN orders USING (number) WHERE customer = ? AND status IN ({marks})"  # noqa: S608
    with open_shop(locale) as shop:
        stock = dict(tuple(row) for row in shop.execute("SELECT sku, stock FROM products"))
        past = shop.execute(f"{sql} ORDER BY placed_on DESC", (customer, *OURS)).fetchall() if customer else []
    return Shop(stock, tuple(dict.fromkeys(row["sku"] for row in past)))


# --- choosing ---------------------------------------------------------------------------------------------------


def _alike(product: Product, other: Product, ranking: Ranking) -> float:
    """How much two products have in common, where what is rare counts more; 0 if only their category is the same."""
    score = dict.fromkeys(ALIKE, 0.0)
    for column, weight in ALIKE.items():
        for value in {one[0] for one in product.values[column]} & {one[0] for one in other.values[column]}:
            score[column] += weight / ranking.shared(column, value)
    return sum(score.values()) if sum(score.values()) > score["category"] else 0.0


def _from_past_orders(
    product: Product, shop: Shop, ranking: Ranking, context: ToolContext
) -> tuple[float, list[str]]:
    """What the score is multiplied by for what the customer bought before, 1 to 1.25, and the reasons."""
    if product.sku in shop.bought:
        return 1 + MOST_AFFINITY, [_said("again", context)]
    others = [one for one in ranking.products if one.sku in shop.bought]
    alike = {one.sku: _alike(product, one, ranking) for one in others}
    closest = max(others, key=lambda one: alike[one.sku], default=None)
    why = []
    if closest is not None and alike[closest.sku] >= WORTH_SAYING:
        why.append(_said("goes_with", context, _name(closest, context)))
    return 1 + min(MOST_AFFINITY, sum(alike.values()) / 8), why


def _affordable(product: Product, max_price: float | None) -> bool:
    return max_price is None or float(product.price) <= max_price


def _name(product: Product, context: ToolContext) -> str:
    return product.name_de if language(context.locale) == "de" else product.name


def _said(key: str, context: ToolContext, *words: str) -> str:
    return TEXTS[key][language(context.locale) == "de"].format(*words)


def _reasons(fit: Fit, context: ToolContext) -> list[str]:
    """Why it was found: the values that were asked for, at most three."""
    german = language(context.locale) == "de"
    named = [(column, value[min(german, len(value) - 1)]) for column, value in fit.values]
    special = [(column, word) for column, word in named if column != "category"] or named[:1]
    told = sorted(special, key=lambda one: -WEIGHTS[one[0]])[:3]
    return [_said(column, context, word) for column, word in told] or [_said("described", context)]


def _hit(product: Product, shop: Shop, context: ToolContext) -> dict[str, Any]:
    """What is told of a product. `in_stock` is None for one that the shop's own file does not know."""
    pieces = shop.stock.get(product.sku)
    return {
        "sku": product.sku,
        "name": _name(product, context),
        "price": money(int(product.price * 100), context.locale),
        "in_stock": None if pieces is None else pieces > 0,
        "source": product.url,
    }


# --- the tools --------------------------------------------------------------------------------------------------


@tool(public=True)
async def search_catalogue(
    words: str, context: ToolContext, category: str = "", max_price: float | None = None
) -> list[dict[str, Any]]:
    """Finds products of the shop by words, best first, with price, stock and page. Cite the page as the source.

    Args:
        words: What to look for, such as linen tablecloth. English or German.
        category: Only this kind of product, such as lamps, kitchenware, textiles or furniture.
        max_price: At most this price, in euros.
    """
    ranking = await catalogue(context)
    shop = await asyncio.to_thread(_shop, "", context.locale)
    fits = [fit for fit in ranking.search(words) if _affordable(fit.product, max_price)]
    if category:
        kind = ranking.having("category", category)
        fits = [fit for fit in fits if fit.product.sku in kind]
    return [_hit(fit.product, shop, context) for fit in best(fits, MOST_HITS)]


@tool
async def recommend(
    needs: str, context: ToolContext, max_price: float | None = None, room: str = ""
) -> list[dict[str, Any]]:
    """Recommends products for what the customer needs, best first, with the reasons why. Cite `source` for each.

    Args:
        needs: What the customer needs, in their own words, such as a light for reading in bed.
        max_price: At most this price, in euros.
        room: The room it is for, such as kitchen.
    """
    ranking = await catalogue(context)
    shop = await asyncio.to_thread(_shop, context.identity.customer, context.locale)
    in_room = ranking.having("rooms", room)
    asked_for = ranking.search(f"{needs} {room}")
    fits: list[Fit] = []
    why: dict[str, list[str]] = {}
    # Without a word that we know ("something nice"), what goes with what the customer has.
    for fit in asked_for or [Fit(product, 1.0) for product in ranking.products]:
        product = fit.product
        if not _affordable(product, max_price) or (product.sku in shop.bought and not product.again):
            continue
        liking, personal = _from_past_orders(product, shop, ranking, context)
        why[product.sku] = (_reasons(fit, context) if asked_for else []) + personal
        sold_out = shop.stock.get(product.sku) == 0
        factor = (OTHER_ROOM if in_room and product.sku not in in_room else 1.0) * (SOLD_OUT if sold_out else 1.0)
        if why[product.sku]:
            fits.append(replace(fit, score=fit.score * liking * factor))
        if sold_out:
            why[product.sku].append(_said("sold_out", context))
    fits.sort(key=lambda fit: -fit.score)
    return [{**_hit(fit.product, shop, context), "why": why[fit.product.sku]} for fit in best(fits, MOST_HITS)]
