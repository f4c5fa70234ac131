"""The example's catalogue, its recommendations, and the code that proves who a customer is."""

from __future__ import annotations

import csv
import json
import logging
import re
import sqlite3
import sys
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx2
import pytest

from supportbot import ChannelRefused, Tool, ToolContext, ToolError
from supportbot.config.bundled import bundled
from supportbot.tools import load_modules
from supportbot.types import Identity, User

ROOT = Path(__file__).parents[2]
ROWS = list(csv.DictReader((ROOT / "tools" / "catalogue.csv").read_text("utf-8").splitlines()))
HEADER = "sku,name,price,url\n"
LAMP = "X-1,Lava lamp,19.90,https://shop.example/x-1\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SHOP_DB", str(tmp_path / "shop.db"))
    monkeypatch.delenv("CATALOGUE", raising=False)
    return tmp_path


@pytest.fixture
def tools() -> dict[str, Tool]:
    """The tools, freshly loaded as the bot loads them."""
    return dict(load_modules([Path("tools/catalogue.py"), Path("tools/identity.py")], ROOT))


def context(locale: str = "en", customer: str = "", http: httpx2.AsyncClient | None = None) -> ToolContext:
    identity = Identity(customer, "", "code") if customer else Identity()
    return ToolContext("c1", User("u1"), "chat", locale, "k1", identity=identity, http=http)


async def recommend(
    tools: dict[str, Tool], needs: str, locale: str = "en", customer: str = "", **more: Any
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = await tools["recommend"].call(
        {"needs": needs, **more}, context(locale, customer)
    )
    return found


async def search(tools: dict[str, Tool], words: str, **more: Any) -> list[str]:
    http = more.pop("http", None)
    found = await tools["search_catalogue"].call({"words": words, **more}, context(http=http))
    return [hit["sku"] for hit in found]


def test_the_catalogue_has_what_the_shop_sells() -> None:
    with closing(sqlite3.connect(":memory:")) as shop:
        shop.executescript(bundled("shop.sql").read_text("utf-8"))
        sold = shop.execute("SELECT sku, name, name_de, cents FROM products ORDER BY sku").fetchall()
    told = [(row["sku"], row["name"], row["name_de"], int(Decimal(row["price"]) * 100)) for row in ROWS]
    assert sorted(told) == sold
    assert all(row["url"] == f"https://shop.acme.example/p/{row['sku']}" for row in ROWS)
    assert all(row[column] for row in ROWS for column in ("category", "for", "description", "description_de"))


NEEDS = [
    ("en", "a light for reading in bed", "L-101"),
    ("en", "something warm for cold evenings on the sofa", "T-303"),
    ("en", "I need a lamp for my home office", "L-104"),
    ("en", "a gift for someone who loves coffee", "K-203"),
    ("en", "what do I take for a good steak?", "K-205"),
    ("en", "I want to store my books on the wall", "F-402"),
    ("en", "where can I put the shoes in the hall", "F-404"),
    ("en", "towels for the sauna", "T-304"),
    ("en", "replace a broken bulb", "L-105"),
    ("en", "cover for the big table, we have guests for dinner", "T-302"),
    ("en", "light above the dining table", "L-103"),
    ("en", "my daughter cannot reach the sink", "F-403"),
    ("en", "something to cut vegetables on", "K-202"),
    ("en", "a pot for soup, we have an induction hob", "K-201"),
    ("en", "a bit of colour for my grey couch", "T-305"),
    ("en", "somewhere to hang jackets", "F-405"),
    ("en", "shelve for plants", "F-402"),
    ("en", "taller lamp for a dark corner", "L-102"),
    ("en", "small wooden table next to the couch", "F-401"),
    ("en", "cool sheets for hot summer nights", "T-301"),
    ("de", "Schreibtischlampe", "L-104"),
    ("de", "Ich suche eine Lampe für die Hausaufgaben meiner Tochter", "L-104"),
    ("de", "Leselampe fürs Sofa", "L-102"),
    ("de", "Kuscheldecke für den Winter", "T-303"),
    ("de", "Bettwäsche für heiße Nächte", "T-301"),
    ("de", "Küchenbrett aus Holz", "K-202"),
    ("de", "Hängelampe über dem Esstisch", "L-103"),
    ("de", "Bratpfanne für den Induktionsherd", "K-205"),
    ("de", "Nachttischlampe", "L-101"),
    ("de", "Geschenk zum Einzug", "K-203"),
    ("de", "Wohin mit den Schuhen im Flur?", "F-404"),
    ("de", "Handtuecher", "T-304"),
    ("de", "ein Couchtisch aus Eiche", "F-401"),
    ("de", "Gewürzmühle", "K-204"),
    ("de", "Bücherregal", "F-402"),
    ("de", "Stehlampe aus Holz", "L-102"),
    ("de", "Kaffeetassen", "K-203"),
    ("de", "Kissen fürs Wohnzimmer", "T-305"),
    ("de", "dimmbare Glühbirnen", "L-105"),
    ("de", "Tischdeke für eine Feier", "T-302"),
    ("de", "Ich komme nicht an die hohen Schränke", "F-403"),
    ("de", "großer Topf für Eintopf", "K-201"),
    ("de", "Platz für Mäntel am Eingang", "F-405"),
]


@pytest.mark.parametrize(("locale", "needs", "expected"), NEEDS)
async def test_what_is_needed_is_among_the_first_three(
    locale: str, needs: str, expected: str, tools: dict[str, Tool]
) -> None:
    found = await recommend(tools, needs, locale)
    assert expected in [hit["sku"] for hit in found[:3]], found
    assert len(found) <= 5
    assert all(hit["why"] and hit["source"].endswith(hit["sku"]) for hit in found)


async def test_most_needs_are_met_by_the_very_first(tools: dict[str, Tool]) -> None:
    firsts = [(await recommend(tools, needs, locale))[0]["sku"] == sku for locale, needs, sku in NEEDS]
    assert sum(firsts) >= 0.9 * len(NEEDS)


@pytest.mark.parametrize("needs", ["a helicopter", "ein Hubschrauber", "???", "for me", ""])
async def test_what_is_not_sold_is_not_invented(needs: str, tools: dict[str, Tool]) -> None:
    assert await recommend(tools, needs) == []


async def test_reasons_names_and_prices_are_in_the_customers_language(tools: dict[str, Tool]) -> None:
    (hit, *_) = await recommend(tools, "Stehlampe aus Holz", "de-AT")
    assert (hit["name"], hit["price"], hit["why"]) == ("Stehleuchte Birke", "129,00 €", ["aus Holz"])
    (hit, *_) = await recommend(tools, "a wooden floor lamp", "fr")
    assert (hit["name"], hit["price"]) == ("Floor lamp Birch", "€129.00")


@pytest.mark.parametrize(("most", "skus"), [(59.9, ["L-104"]), (59.89, []), (8.9, [])])
async def test_nothing_costs_more_than_was_said(most: float, skus: list[str], tools: dict[str, Tool]) -> None:
    found = await recommend(tools, "a desk lamp for homework", max_price=most)
    assert [hit["sku"] for hit in found if hit["sku"] != "L-105"] == skus


async def test_the_room_counts(tools: dict[str, Tool]) -> None:
    for room in ("kitchen", "Küche"):
        (first, *_) = await recommend(tools, "lamp", room=room)
        assert first["sku"] == "L-103"
    assert await recommend(tools, "lamp", room="spaceship") == await recommend(tools, "lamp")


async def test_what_is_sold_out_says_so_and_stands_behind(tools: dict[str, Tool], folder: Path) -> None:
    (first, *_) = await recommend(tools, "wood lamp")
    assert (first["sku"], first["in_stock"]) == ("L-102", True)
    with closing(sqlite3.connect(folder / "shop.db")) as shop, shop:
        shop.execute("UPDATE products SET stock = 0 WHERE sku = 'L-102'")
    found = {hit["sku"]: hit for hit in await recommend(tools, "wood lamp")}
    assert found["L-102"]["in_stock"] is False
    assert found["L-102"]["why"][-1] == "sold out at the moment"


# Customer 1 has L-101, L-105, T-301, K-202 and T-304; customer 12 has L-102 and F-401.
PERSONAL = re.compile("goes with your|passt zu Ihrem Kauf|bought it before|schon einmal gekauft")


@pytest.mark.parametrize("needs", ["a lamp", "linen", "something for the living room", "bulbs", "wood"])
async def test_past_orders_show_only_to_who_has_proven_who_they_are(needs: str, tools: dict[str, Tool]) -> None:
    unknown = await recommend(tools, needs)
    assert PERSONAL.search(str(unknown)) is None
    assert PERSONAL.search(str(await recommend(tools, needs, customer="1"))) is not None
    assert await recommend(tools, needs, customer="4711") == unknown
    assert await recommend(tools, needs, customer="1 OR 1=1") == unknown


async def test_reasons_name_what_it_goes_with(tools: dict[str, Tool]) -> None:
    found = {hit["sku"]: hit["why"] for hit in await recommend(tools, "a lamp for reading", customer="12")}
    assert "goes with your Floor lamp Birch" in found["L-101"]
    german = {hit["sku"]: hit["why"] for hit in await recommend(tools, "Leinen", "de", "1")}
    assert "passt zu Ihrem Kauf: Leinenbettwäsche, sand" in german["T-302"]


async def test_what_one_has_is_left_out_unless_one_buys_it_again(tools: dict[str, Tool]) -> None:
    assert "L-101" in [hit["sku"] for hit in await recommend(tools, "a table lamp with opal glass")]
    assert "L-101" not in [
        hit["sku"] for hit in await recommend(tools, "a table lamp with opal glass", customer="1")
    ]
    (bulb, *_) = await recommend(tools, "bulbs", customer="1")
    assert (bulb["sku"], bulb["why"][-1]) == ("L-105", "you have bought it before")


async def test_what_went_back_is_not_taken_for_a_liking(tools: dict[str, Tool]) -> None:
    # Customer 7 sent the wool throw back, customer 8's orders were refunded and cancelled.
    assert PERSONAL.search(str(await recommend(tools, "a throw of wool", customer="8"))) is None
    assert (await recommend(tools, "a throw of wool", customer="7"))[0]["sku"] == "T-303"


async def test_needs_count_more_than_past_orders(tools: dict[str, Tool]) -> None:
    for locale, needs, sku in NEEDS:
        found = [hit["sku"] for hit in await recommend(tools, needs, locale, "2")]  # mugs, a mill, cushion covers
        assert sku in found[:3] or sku in ("K-203", "K-204")


async def test_without_a_need_it_is_what_goes_with_what_one_has(tools: dict[str, Tool]) -> None:
    assert await recommend(tools, "something nice") == []
    found = await recommend(tools, "something nice", customer="12")
    assert found
    assert all(PERSONAL.search(str(hit["why"])) for hit in found)


async def test_the_catalogue_is_searched_by_words_kind_and_price(tools: dict[str, Tool]) -> None:
    assert (await search(tools, "linen tablecloth"))[0] == "T-302"
    assert await search(tools, "oak", category="furniture") == ["F-401", "F-405"]
    assert await search(tools, "oak", category="Möbel", max_price=50) == ["F-405"]
    assert await search(tools, "submarine") == []


def test_only_what_tells_nothing_of_anybody_is_public(tools: dict[str, Tool]) -> None:
    assert {name for name, tool in tools.items() if tool.public} == {"search_catalogue"}
    assert {name for name, tool in tools.items() if tool.private and tool.effects} == {"send_code"}


# --- catalogues of one's own ------------------------------------------------------------------------------------


async def test_lines_with_mistakes_are_left_out_and_reported(
    tools: dict[str, Tool], folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = ",No sku,1,https://a.example\nX-2,No price,,https://a.example\nX-3,Bad price,cheap,https://a.example\n"
    wrong += "X-4,Script,1,javascript:alert(1)\nX-5,Endless,inf,https://a.example\n" + LAMP + "X-6\n"
    (folder / "own.csv").write_text(HEADER + LAMP + wrong, "utf-8")
    monkeypatch.setenv("CATALOGUE", str(folder / "own.csv"))
    with caplog.at_level(logging.WARNING):
        (hit,) = await tools["search_catalogue"].call({"words": "lamp"}, context())
    assert (hit["sku"], hit["in_stock"], hit["source"]) == ("X-1", None, "https://shop.example/x-1")
    assert [record.getMessage().partition(" of ")[0] for record in caplog.records] == [
        f"product {number}" for number in range(2, 9)
    ]


async def test_a_changed_file_is_read_again_and_a_broken_one_is_not_used(
    tools: dict[str, Tool], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = folder / "own.csv"
    monkeypatch.setenv("CATALOGUE", str(own))
    with pytest.raises(ToolError, match="catalogue"):
        await search(tools, "lamp")
    own.write_text(HEADER + LAMP, "utf-8")
    assert await search(tools, "lamp") == ["X-1"]
    own.write_text(HEADER + LAMP.replace("X-1", "X-77"), "utf-8")
    assert await search(tools, "lamp") == ["X-77"]
    own.write_bytes(b"\xff\xfe broken")
    assert await search(tools, "lamp") == ["X-77"]


async def test_a_catalogue_may_be_json(
    tools: dict[str, Tool], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {
        "sku": "X-1",
        "name": "Lava lamp",
        "price": 19.9,
        "url": "https://shop.example/x",
        "for": ["parties/Feste"],
    }
    (folder / "own.json").write_text(json.dumps([row, 1, None, {}]), "utf-8")
    monkeypatch.setenv("CATALOGUE", str(folder / "own.json"))
    (hit,) = await recommend(tools, "Fest", "de")
    assert (hit["price"], hit["why"]) == ("19,90 €", ["gut für: Feste"])


@pytest.mark.parametrize("content", ["", HEADER, "[]", "{}", "[" * 100_000, HEADER + LAMP + "x" * 5_000_001])
async def test_what_is_no_catalogue_is_refused(
    content: str, tools: dict[str, Tool], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "own.csv").write_text(content, "utf-8")
    monkeypatch.setenv("CATALOGUE", str(folder / "own.csv"))
    with pytest.raises(ToolError):
        await search(tools, "lamp")


class Shelf:
    """A web server with a catalogue; `asked` are the requests it got."""

    def __init__(self) -> None:
        self.asked: list[httpx2.Request] = []
        self.answer: Any = lambda request: httpx2.Response(200, text=HEADER + LAMP, headers={"ETag": '"1"'})

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request)
        answer: httpx2.Response = self.answer(request)
        return answer


def loaded() -> ModuleType:
    """The module that the tools come from; other copies of the example may be loaded beside it."""
    own = str((ROOT / "tools" / "catalogue.py").resolve())
    named = (module for name, module in sys.modules.items() if name.startswith("supportbot_tools_"))
    return next(module for module in named if module.__file__ == own)


def forbidden(request: httpx2.Request) -> httpx2.Response:
    raise ChannelRefused("that address is private")


def down(request: httpx2.Request) -> httpx2.Response:
    raise httpx2.ConnectError("nobody is there", request=request)


@pytest.mark.parametrize(
    "later",
    [
        lambda request: httpx2.Response(304),
        lambda request: httpx2.Response(503),
        lambda request: httpx2.Response(200, text="<html>maintenance</html>"),
        lambda request: httpx2.Response(200, text=HEADER + LAMP + "x" * 5_000_001),
        lambda request: httpx2.Response(302, headers={"Location": "http://169.254.169.254/"}),
        forbidden,
        down,
    ],
)
async def test_a_catalogue_from_an_address_is_kept_until_there_is_a_newer_one(
    later: Any, tools: dict[str, Tool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CATALOGUE", "https://shop.example/catalogue.csv")
    monkeypatch.setattr(loaded(), "MAX_AGE", 0.0)
    shelf = Shelf()
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(shelf)) as http:
        assert await search(tools, "lamp", http=http) == ["X-1"]
        shelf.answer = later
        assert await search(tools, "lamp", http=http) == ["X-1"]
        assert shelf.asked[1].headers["If-None-Match"] == '"1"'


async def test_an_address_is_not_asked_again_and_again(
    tools: dict[str, Tool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CATALOGUE", "https://shop.example/catalogue.csv")
    shelf = Shelf()
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(shelf)) as http:
        for _ in range(3):
            assert await search(tools, "lamp", http=http) == ["X-1"]
    assert len(shelf.asked) == 1


async def test_an_address_that_is_down_is_left_alone_for_a_while(
    tools: dict[str, Tool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CATALOGUE", "https://shop.example/catalogue.csv")
    monkeypatch.setattr(loaded(), "MAX_AGE", 0.0)
    shelf = Shelf()
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(shelf)) as http:
        await search(tools, "lamp", http=http)
        shelf.answer = down
        for _ in range(3):
            assert await search(tools, "lamp", http=http) == ["X-1"]
        assert len(shelf.asked) == 2


async def test_an_address_that_never_answered_is_an_honest_sentence(
    tools: dict[str, Tool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CATALOGUE", "https://shop.example/catalogue.csv")
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(down)) as http:
        with pytest.raises(ToolError, match="cannot look into our catalogue"):
            await search(tools, "lamp", http=http)
    with pytest.raises(ToolError, match="cannot look into our catalogue"):
        await search(tools, "lamp")


# --- the code ---------------------------------------------------------------------------------------------------


def send(tools: dict[str, Tool], contact: str, locale: str = "en") -> Any:
    return tools["send_code"].call({"contact": contact, "code": "483920"}, context(locale))


@pytest.mark.parametrize(
    ("locale", "subject", "warning"),
    [("en", "Your code", "Never tell it to anyone"), ("de-AT", "Ihr Code", "Nennen Sie ihn niemandem")],
)
def test_the_code_goes_to_the_customers_own_address(
    locale: str, subject: str, warning: str, tools: dict[str, Tool], folder: Path
) -> None:
    assert send(tools, "  Jana.Berger@Example.org ", locale) == {"customer": "1", "name": "Jana Berger"}
    (mail,) = (folder / "mail").iterdir()
    assert re.fullmatch(r"\d{8}T\d{6}\.\d{6}Z-jana\.berger@example\.org\.txt", mail.name)
    text = mail.read_text("utf-8")
    assert text.startswith("To: Jana Berger <jana.berger@example.org>\nSubject: ")
    assert all(part in text for part in (subject, warning, "483920", "10 "))
    assert mail.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "contact", ["eve@example.org", "", "10115", "%", "../../x", "jana.berger@example.org\nBcc: x"]
)
def test_nobody_is_written_to_whom_the_shop_does_not_know(
    contact: str, tools: dict[str, Tool], folder: Path
) -> None:
    assert send(tools, contact) is None
    assert not (folder / "mail").exists()
