"""The tools of the example bot: the orders of a small home-goods shop, in a SQLite file of their own.

Three rules:
- Nothing of an order is told or changed until the customer has named its number together with the e-mail address
  or postcode it was placed with. `find_order` records that for the conversation and its author; every other tool
  looks the record up, so neither a model nor a flow can skip it.
- A change and its audit row are one transaction, and the row's key is the call's: the same call twice changes once.
- A ToolError is a sentence the customer may read, in their language.

The file is `SHOP_DB`, else `data/shop.db` beside this module; `shop.sql` fills it with made-up orders on first use.
To use your own shop, keep TOOLS and replace what the functions do.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from babel.dates import format_skeleton
from babel.numbers import format_currency

from supportbot import NotDone, Tool, ToolContext, ToolError

RETURN_DAYS = 30
DELIVERY_DAYS = 4
MAX_WRONG_GUESSES = 6  # an hour, for one conversation and for one order
TRACKING = {"DHL": "https://dhl.example/track/", "DPD": "https://dpd.example/track/"}

TEXTS = {
    "unknown": (
        "I cannot find an order with that number and that e-mail address or postcode.",
        "Zu dieser Nummer und dieser E-Mail-Adresse oder Postleitzahl finde ich keine Bestellung.",
    ),
    "locked": (
        "That was one try too many. To protect the order, only a colleague can look it up for the next hour.",
        "Das war ein Versuch zu viel. Zum Schutz der Bestellung kann eine Stunde lang nur ein Mensch nachsehen.",
    ),
    "unverified": (
        "Please tell me the order number and its e-mail address or postcode first.",
        "Bitte nennen Sie mir zuerst die Bestellnummer und die E-Mail-Adresse oder Postleitzahl dazu.",
    ),
    "too_late": (
        "Order {number} can no longer be changed: it has left our warehouse or is closed.",
        "Bestellung {number} lässt sich nicht mehr ändern: Sie hat das Lager verlassen oder ist abgeschlossen.",
    ),
    "not_delivered": (
        "Order {number} cannot be returned: only delivered orders can, and each only once.",
        "Bestellung {number} kann nicht zurückgeschickt werden: Das geht nach der Zustellung, und nur einmal.",
    ),
    "return_over": (
        "The 30 days for returning order {number} ended on {day}.",
        "Die 30 Tage Rückgabefrist für Bestellung {number} endeten am {day}.",
    ),
    "no_such_item": (
        'I cannot find "{item}" in order {number}. It has: {contents}.',
        "In Bestellung {number} finde ich „{item}“ nicht. Sie enthält: {contents}.",
    ),
    "down": (
        "Our order system does not answer just now. Nothing was changed.",
        "Unser Bestellsystem antwortet gerade nicht. Es wurde nichts geändert.",
    ),
}

# --- the file ------------------------------------------------------------------------------------------------


def shop_file() -> Path:
    """Where the shop's file is; it may not be there yet."""
    chosen = os.environ.get("SHOP_DB")
    return Path(chosen) if chosen else Path(__file__).parent / "data" / "shop.db"


@contextmanager
def open_shop(locale: str) -> Iterator[sqlite3.Connection]:
    """The shop's file inside one write transaction: committed when the block ends, undone when it raises."""
    path = shop_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with closing(sqlite3.connect(path, timeout=10, isolation_level=None)) as shop, shop:
            shop.row_factory = sqlite3.Row
            shop.execute("BEGIN IMMEDIATE")
            if not shop.execute("PRAGMA user_version").fetchone()[0]:
                _seed(shop)
            yield shop
    except sqlite3.Error as error:
        raise _refusal("down", locale) from error


def _seed(shop: sqlite3.Connection) -> None:
    statement = ""
    for line in (Path(__file__).parent / "shop.sql").read_text("utf-8").splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            shop.execute(statement)
            statement = ""


# --- reading -------------------------------------------------------------------------------------------------


def _today() -> date:
    return datetime.now(UTC).date()


def _time(*, hours_ago: int = 0) -> str:
    return (datetime.now(UTC) - timedelta(hours=hours_ago)).isoformat(timespec="seconds")


def language(locale: str) -> str:
    """ "de" or "en_GB", whichever is nearer."""
    return "de" if locale.lower().startswith("de") else "en_GB"


def _refusal(key: str, locale: str, **values: str) -> ToolError:
    return ToolError(TEXTS[key][language(locale) == "de"].format(**values))


def _day(day: str | None, locale: str) -> str | None:
    """An ISO date as people write it: "12 March", "12. März"; None stays None."""
    if day is None:
        return None
    return str(format_skeleton("MMMMd", date.fromisoformat(day), locale=language(locale)))


def money(cents: int, locale: str) -> str:
    """An amount as people write it: "€79.90", "79,90 €"."""
    return str(format_currency(Decimal(cents) / 100, "EUR", locale=language(locale))).replace("\xa0", " ")


def _number(written: str) -> str:
    """An order number as the shop writes it: "a 10002", "#10002" and "A10002" are "A-10002"."""
    digits = re.search(r"\d{5}", written)
    return f"A-{digits.group()}" if digits else written.strip().upper()


def _later(day: str, days: int) -> str:
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()


def _lines(shop: sqlite3.Connection, number: str, locale: str) -> list[sqlite3.Row]:
    return shop.execute(
        "SELECT sku, iif(? = 'de', name_de, name) AS name, quantity, lines.cents "
        "FROM lines JOIN products USING (sku) WHERE number = ? ORDER BY lines.rowid",
        (language(locale), number),
    ).fetchall()


def _contents(lines: Sequence[sqlite3.Row]) -> str:
    return ", ".join(f"{line['quantity']} × {line['name']}" for line in lines)


def _order(shop: sqlite3.Connection, row: sqlite3.Row, locale: str) -> dict[str, Any]:
    """What a verified customer may know of an order. `…_on` are ISO dates, `…_day` the same to be read aloud."""
    lines = _lines(shop, row["number"], locale)
    total = sum(line["quantity"] * line["cents"] for line in lines)
    due = _later(row["shipped_on"], DELIVERY_DAYS) if row["shipped_on"] else None
    until = _later(row["delivered_on"], RETURN_DAYS) if row["delivered_on"] else None
    given = shop.execute("SELECT rma FROM returns WHERE number = ?", (row["number"],)).fetchone()
    days = {"placed": row["placed_on"], "shipped": row["shipped_on"], "due": due, "return_until": until}
    days |= {"delivered": row["delivered_on"], "closed": row["closed_on"]}
    told = ("number", "status", "street", "postcode", "city", "carrier", "tracking")
    return {
        **{field: row[field] for field in told},
        "contents": _contents(lines),
        "count": len(lines),
        "total": money(total, locale),
        "tracking_url": TRACKING[row["carrier"]] + row["tracking"] if row["carrier"] else None,
        "late": row["status"] == "shipped" and due is not None and due < _today().isoformat(),
        "rma": given["rma"] if given else None,
        **{f"{name}_on": day for name, day in days.items()},
        **{f"{name}_day": _day(day, locale) for name, day in days.items()},
    }


# --- who may know ----------------------------------------------------------------------------------------------


def _proven(shop: sqlite3.Connection, number: str, context: ToolContext) -> bool:
    sql = "SELECT 1 FROM checks WHERE matched AND conversation = ? AND customer = ? AND number = ? AND at > ?"
    who = (context.conversation, context.customer.id, number, _time(hours_ago=24))
    return shop.execute(sql, who).fetchone() is not None


def _wrong_guesses(shop: sqlite3.Connection, number: str, context: ToolContext) -> int:
    sql = "SELECT count(*) FROM checks WHERE NOT matched AND (conversation = ? OR number = ?) AND at > ?"
    return int(shop.execute(sql, (context.conversation, number, _time(hours_ago=1))).fetchone()[0])


def _matches(row: sqlite3.Row | None, contact: str) -> bool:
    given = re.sub(r"\s", "", contact).casefold()
    return row is not None and given in (row["email"].casefold(), row["postcode"].casefold())


def find_order(arguments: dict[str, Any], context: ToolContext) -> dict[str, Any]:
    """The order, if `contact` is its e-mail address or postcode, or was earlier in this conversation.

    A wrong number and a wrong contact give the same ToolError, so that nobody can probe for orders.
    """
    number, contact = _number(arguments["order_number"]), str(arguments.get("contact") or "")
    with open_shop(context.locale) as shop:
        row = shop.execute("SELECT * FROM orders WHERE number = ?", (number,)).fetchone()
        if row is not None and not contact and _proven(shop, number, context):
            return _order(shop, row, context.locale)
        refused = "unverified" if not contact else ""
        if not refused and _wrong_guesses(shop, number, context) >= MAX_WRONG_GUESSES:
            refused = "locked"
        if not refused:
            matched = _matches(row, contact)
            who = (context.conversation, context.customer.id, number, matched, _time())
            shop.execute("INSERT INTO checks VALUES (?, ?, ?, ?, ?)", who)
            if matched:
                return _order(shop, row, context.locale)
    # Raised out here, so that the failed guess stays counted.
    raise _refusal(refused or "unknown", context.locale)


def recent_order(arguments: dict[str, Any], context: ToolContext) -> dict[str, Any] | None:
    """The order that this customer proved last in this conversation, None if there is none: saves asking twice."""
    sql = (
        "SELECT orders.* FROM checks JOIN orders USING (number) WHERE matched AND conversation = ? "
        "AND checks.customer = ? AND at > ? ORDER BY checks.rowid DESC LIMIT 1"
    )
    with open_shop(context.locale) as shop:
        row = shop.execute(sql, (context.conversation, context.customer.id, _time(hours_ago=24))).fetchone()
        return None if row is None else _order(shop, row, context.locale)


def my_orders(arguments: dict[str, Any], context: ToolContext) -> list[dict[str, Any]]:
    """The customer's orders, the newest first: {number, status, placed_day, contents, total}.

    Who the customer is comes from the server, which knows it by a proof: the model can neither see nor choose it.
    """
    with open_shop(context.locale) as shop:
        rows = shop.execute(
            "SELECT * FROM orders WHERE customer = ? ORDER BY placed_on DESC, number DESC LIMIT 10",
            (arguments["customer_id"],),
        ).fetchall()
        orders = [_order(shop, row, context.locale) for row in rows]
    told = ("number", "status", "placed_day", "contents", "total")
    return [{field: order[field] for field in told} for order in orders]


def find_product(arguments: dict[str, Any], context: ToolContext) -> list[dict[str, Any]]:
    """Up to five products that have a word of `query` in their name or tags, best first."""
    words = re.findall(r"\b(\w{3,}?)[sn]?\b", str(arguments["query"]).casefold())
    with open_shop(context.locale) as shop:
        rows = shop.execute("SELECT * FROM products ORDER BY sku").fetchall()
    texts = {row["sku"]: f"{row['name']} {row['name_de']} {row['tags']}".casefold() for row in rows}
    fits = {sku: sum(word in text for word in words) for sku, text in texts.items()}
    name = "name_de" if language(context.locale) == "de" else "name"
    return [
        {"name": row[name], "price": money(row["cents"], context.locale), "in_stock": row["stock"] > 0}
        for row in sorted(rows, key=lambda row: -fits[row["sku"]])
        if fits[row["sku"]]
    ][:5]


# --- changing --------------------------------------------------------------------------------------------------


Act = Callable[[sqlite3.Connection], dict[str, Any]]


def _change(tool: str, arguments: Mapping[str, Any], context: ToolContext, act: Act) -> dict[str, Any]:
    """What `act` comes to, or came to in an earlier call with the same key. It and its audit row stand or fall together."""
    with open_shop(context.locale) as shop:
        done = shop.execute("SELECT result FROM audit WHERE key = ?", (context.key,)).fetchone()
        if done is not None:
            return dict(json.loads(done["result"]))
        result = act(shop)
        number = result.get("order_number")
        who = (number, context.conversation, context.customer.id, _time())
        what = (json.dumps(arguments, ensure_ascii=False), json.dumps(result, ensure_ascii=False))
        shop.execute("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (context.key, tool, *who, *what))
        return result


def done_before(arguments: dict[str, Any], context: ToolContext) -> dict[str, Any]:
    """What an interrupted call came to, by its audit row. Raises NotDone if there is none: then nothing was changed."""
    with open_shop(context.locale) as shop:
        done = shop.execute("SELECT result FROM audit WHERE key = ?", (context.key,)).fetchone()
    if done is None:
        raise NotDone
    return dict(json.loads(done["result"]))


def _proven_order(
    shop: sqlite3.Connection, written: str, context: ToolContext, open_in: Sequence[str], refusal: str
) -> sqlite3.Row:
    """The order to change; ToolError if the customer has not proven it is theirs, or its status is not in `open_in`."""
    number = _number(written)
    if not _proven(shop, number, context):
        raise _refusal("unverified", context.locale)
    row: sqlite3.Row = shop.execute("SELECT * FROM orders WHERE number = ?", (number,)).fetchone()
    if row["status"] not in open_in:
        raise _refusal(refusal, context.locale, number=number)
    return row


def cancel_order(arguments: dict[str, Any], context: ToolContext) -> dict[str, Any]:
    """Cancels an order that has not been shipped: {order_number, total}."""

    def act(shop: sqlite3.Connection) -> dict[str, Any]:
        row = _proven_order(shop, arguments["order_number"], context, ("placed", "packed"), "too_late")
        closed = (_today().isoformat(), row["number"])
        shop.execute("UPDATE orders SET status = 'cancelled', closed_on = ? WHERE number = ?", closed)
        for line in _lines(shop, row["number"], context.locale):
            shop.execute("UPDATE products SET stock = stock + ? WHERE sku = ?", (line["quantity"], line["sku"]))
        return {"order_number": row["number"], "total": _order(shop, row, context.locale)["total"]}

    return _change("cancel_order", arguments, context, act)


def change_address(arguments: dict[str, Any], context: ToolContext) -> dict[str, Any]:
    """Sends an order that has not been shipped somewhere else: {order_number, street, postcode, city}."""

    def act(shop: sqlite3.Connection) -> dict[str, Any]:
        row = _proven_order(shop, arguments["order_number"], context, ("placed", "packed"), "too_late")
        to = {field: str(arguments[field]).strip() for field in ("street", "postcode", "city")}
        shop.execute(
            "UPDATE orders SET street = :street, postcode = :postcode, city = :city WHERE number = :number",
            {**to, "number": row["number"]},
        )
        return {"order_number": row["number"], **to}

    return _change("change_address", arguments, context, act)


def start_return(arguments: dict[str, Any], context: ToolContext) -> dict[str, Any]:
    """Opens a return within 30 days of delivery: {order_number, rma, label, items}."""

    def act(shop: sqlite3.Connection) -> dict[str, Any]:
        row = _proven_order(shop, arguments["order_number"], context, ("delivered",), "not_delivered")
        until = _later(row["delivered_on"], RETURN_DAYS)
        if until < _today().isoformat():
            day = _day(until, context.locale) or until
            raise _refusal("return_over", context.locale, number=row["number"], day=day)
        items = _chosen(shop, row["number"], str(arguments.get("items") or ""), context.locale)
        rma = "R-{}".format(20001 + shop.execute("SELECT count(*) FROM returns").fetchone()[0])
        label = f"LB-{secrets.token_hex(4).upper()}"
        returned = (rma, label, row["number"], items, arguments["reason"], _today().isoformat())
        shop.execute("INSERT INTO returns VALUES (?, ?, ?, ?, ?, ?)", returned)
        shop.execute("UPDATE orders SET status = 'return_requested' WHERE number = ?", (row["number"],))
        return {"order_number": row["number"], "rma": rma, "label": label, "items": items}

    return _change("start_return", arguments, context, act)


def _chosen(shop: sqlite3.Connection, number: str, wanted: str, locale: str) -> str:
    """The order's items that the customer named, as text; all of them for "" and "all"."""
    lines = _lines(shop, number, locale)
    names = [name.strip().casefold() for name in re.split(r",|;|\band\b|\bund\b", wanted) if name.strip()]
    if not names or names[0] in ("all", "everything", "alle", "alles"):
        return _contents(lines)
    for name in names:
        if not any(_named(line, name) for line in lines):
            raise _refusal("no_such_item", locale, item=name, number=number, contents=_contents(lines))
    return _contents([line for line in lines if any(_named(line, name) for name in names)])


def _named(line: sqlite3.Row, name: str) -> bool:
    words = [word for word in re.findall(r"\w{3,}", name) if word not in ("the", "der", "die", "das", "den")]
    return bool(words) and all(word in line["name"].casefold() for word in words)


def file_complaint(arguments: dict[str, Any], context: ToolContext) -> dict[str, Any]:
    """Writes a complaint down for a human: {ticket, order_number}. The order need not be proven: nothing is told of it."""

    def act(shop: sqlite3.Connection) -> dict[str, Any]:
        written = str(arguments.get("order_number") or "")
        number = _number(written) if written else None
        row = (number, arguments.get("topic", "other"), arguments["text"], _time())
        ticket = shop.execute("INSERT INTO tickets VALUES (NULL, ?, ?, ?, ?)", row).lastrowid or 0
        return {"ticket": f"T-{30000 + ticket}", "order_number": number}

    return _change("file_complaint", arguments, context, act)


# --- what the bot is offered -------------------------------------------------------------------------------------

FIELDS: Mapping[str, Mapping[str, Any]] = {
    "order_number": {"type": "string", "maxLength": 20, "description": "A- and five digits."},
    "contact": {"type": "string", "maxLength": 100, "description": "The order's e-mail address or postcode."},
    "customer_id": {"type": "string", "description": "Put in by the server."},
    "query": {"type": "string", "maxLength": 200, "description": "What the customer is looking for."},
    "street": {"type": "string", "minLength": 3, "maxLength": 120, "description": "Street and house number."},
    "postcode": {"type": "string", "pattern": r"^\d{4,5}$", "description": "Four or five digits."},
    "city": {"type": "string", "minLength": 2, "maxLength": 80},
    "items": {"type": "string", "maxLength": 300, "description": "Names, separated by commas; empty for all."},
    "reason": {"enum": ["damaged", "wrong_item", "does_not_fit", "changed_mind", "other"]},
    "topic": {"enum": ["damaged", "late_parcel", "service", "product", "other"]},
    "text": {"type": "string", "minLength": 1, "maxLength": 2000, "description": "In the customer's words."},
}


def _tool(
    call: Callable[[dict[str, Any], ToolContext], Any],
    description: str,
    needs: str,
    *,
    effects: bool = False,
    public: bool = False,
    confirm: bool = False,
    bound: Mapping[str, str] | None = None,
) -> Tool:
    """A tool named like its function; `needs` lists its FIELDS, those with a ? may be left out.

    What changes something is private: a model starts the flow, and the flow asks for what is needed. `confirm` makes the
    customer's yes to exactly this call a condition. What is public may be shown to everybody in a channel; the rest only
    to the customer.
    """
    properties = {name.rstrip("?"): FIELDS[name.rstrip("?")] for name in needs.split()}
    required = [name for name in needs.split() if not name.endswith("?")]
    schema = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    return Tool(
        call.__name__,
        description,
        schema,
        call,
        effects=effects,
        private=effects,
        public=public,
        confirm=confirm,
        bound=bound or {},
        recover=done_before if effects else None,
    )


LOOK_UP = "Looks up an order. Ask for its number and its e-mail address or postcode; never guess them."

TOOLS = [
    _tool(find_order, LOOK_UP, "order_number contact?"),
    _tool(recent_order, "The order the customer proved last in this conversation, if any.", ""),
    _tool(
        my_orders,
        "Lists the customer's own orders. Needs no number: the customer proves who they are.",
        "customer_id",
        bound={"customer_id": "identity.customer"},
    ),
    _tool(find_product, "Finds products with price and stock, by words such as lamp.", "query", public=True),
    _tool(cancel_order, "Cancels an order that has not been shipped.", "order_number", effects=True, confirm=True),
    _tool(change_address, "Changes where to deliver.", "order_number street postcode city", effects=True),
    _tool(start_return, "Opens a return and makes a label.", "order_number items? reason", effects=True),
    _tool(file_complaint, "Writes a complaint down.", "text order_number? topic?", effects=True),
]
