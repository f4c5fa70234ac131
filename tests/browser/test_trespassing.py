"""Other people's things: their messages and files, asked for by those who have no business with them, in real pages."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Opens
from tests.browser.others import fetched, parrot, told
from tests.browser.people import Agent, Customer
from tests.browser.planting import Bed, Chat, Clerk, from_address
from tests.browser.stage import Stage, stage
from tests.browser.watching import watched

pytestmark = pytest.mark.browser

SECRET = "The code of my safe is 4711."
SCRIPT = b"<!doctype html><script>alert(1)</script><img src=x onerror=alert(2)>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(3)"><script>alert(4)</script></svg>'
FILES = {
    "page.html": ("text/html", SCRIPT),
    "page.svg": ("image/svg+xml", SVG),
    "page.xhtml": (
        "application/xhtml+xml",
        b'<html xmlns="http://www.w3.org/1999/xhtml"><script>alert(5)</script></html>',
    ),
    "page.txt": ("text/plain", SCRIPT),
    "page.png": ("image/png", SCRIPT),
    "page.gif": ("image/gif", b"GIF89a=1;alert(6)//<script>alert(7)</script>"),
    "page.pdf": ("application/pdf", b"%PDF-1.4 <script>alert(8)</script>"),
    "page.js": ("text/javascript", b"alert(9)"),
    "page": ("application/octet-stream", SCRIPT),
}


async def test_nobody_gets_at_what_is_somebody_elses(tmp_path: Path, opens: Opens) -> None:
    async with stage(tmp_path, parrot()) as here, from_address("127.0.0.1") as http:
        here.account("maya", "Maya")
        bed, shop = Bed(here), await watched(opens, here)
        ada = await bed.session(http, "ada", "Ada")
        sent = await http.post(
            f"{ada.base}/files?name=safe.txt",
            content=b"4711",
            headers={**ada.headers, "Content-Type": "text/plain"},
        )
        await bed.say(ada, SECRET, [sent.json()["id"]])
        await bed.say(ada, "I want to talk to a human")
        page = (await Customer(await shop.context.new_page(), here).comes()).page
        await asks_of_the_chat(here, page, ada, sent.json()["id"])
        await asks_of_the_console_as_a_customer(here, http, ada)
        await asks_of_the_console_as_an_agent(here, opens, bed, ada, http)


async def asks_of_the_chat(here: Stage, page: Page, ada: Chat, file: str) -> None:
    """Bob, in the shop's page, by his own token and by none."""
    base = f"{here.bot}/chat"
    proof = json.dumps({"user_token": here.signed("bob")})
    made = json.loads((await fetched(page, f"{base}/sessions", method="POST", body=proof))["body"])
    bob = {"Authorization": f"Bearer {made['token']}"}
    theirs = await ada.http.get(f"{ada.base}/entries", headers=ada.headers)
    entry = next(one for one in theirs.json()["entries"] if one.get("buttons"))
    own = await fetched(page, f"{base}/entries?before={2**40}", headers=bob)
    assert (own["status"], '"entries":[]' in own["body"]) == (200, True)
    for id in (
        file,
        f"..%2Ffiles%2F{file}",
        "%2e%2e/entries",
        f"{file}%00",
        "..",
        "f_" + "0" * 40,
        "%F0%9F%98%80",
    ):
        answer = await fetched(page, f"{base}/files/{id}", headers=bob)
        assert (
            answer["status"] in (0, 200, 404) and "4711" not in answer["body"] and SECRET not in answer["body"]
        ), id
        assert answer["status"] != 200 or '"entries":[]' in answer["body"], (
            "a browser has made another address of it"
        )
    wrong: list[dict[str, Any]] = [
        {"text": "mine now", "files": [file]},
        {"press": {"entry": entry["n"], "button": 0}},
        {"press": {"entry": entry["n"], "button": 2**40}},
    ]
    for body in wrong:
        sent = {"id": secrets.token_hex(12), **body}
        answer = await fetched(page, f"{base}/messages", method="POST", headers=bob, body=json.dumps(sent))
        assert answer["status"] == 404, (body, answer)
    strangers: list[dict[str, str]] = [{}, {"Authorization": "Bearer x"}, {"Authorization": f"Basic {ada.token}"}]
    for headers in strangers:
        for path in ("/entries", "/events", f"/files/{file}", f"/entries?token={ada.token}"):
            assert (await fetched(page, base + path, headers=headers))["status"] == 401, (path, headers)


async def asks_of_the_console_as_a_customer(here: Stage, http: httpx2.AsyncClient, ada: Chat) -> None:
    """A customer's token opens nothing there, wherever it is put."""
    places: list[dict[str, str]] = [
        {"Authorization": f"Bearer {ada.token}"},
        {"Cookie": f"supportbot_session={ada.token}"},
        {"X-CSRF-Token": ada.token, "Sec-Fetch-Site": "same-origin"},
    ]
    for path in ("/queue", "/conversations?q=safe", "/accounts", "/audit", "/events?topics=queue", "/dashboard"):
        for headers in places:
            answer = await http.get(f"{here.place.url}/console{path}", headers=headers)
            assert answer.status_code == 303 and "/console/sign-in" in answer.headers["location"], path
            assert SECRET not in answer.text
    for path in ("/c/x/reply", "/accounts", "/replies", "/account/password", "/sign-out"):
        answer = await http.post(f"{here.place.url}/console{path}", headers=places[2], data={"csrf": ada.token})
        assert answer.status_code == 303 and "/console/sign-in" in answer.headers["location"], path


async def asks_of_the_console_as_an_agent(
    here: Stage, opens: Opens, bed: Bed, ada: Chat, http: httpx2.AsyncClient
) -> None:
    """An agent finds a file in its own conversation only, and nothing that is for leads and admins."""
    eve = await bed.session(http, "eve", "Eve")
    await bed.say(eve, "Hello")
    id_of = "SELECT public FROM conversations WHERE customer = ?"
    ((of_ada,),), ((of_eve,),) = bed.rows(id_of, ada.chat), bed.rows(id_of, eve.chat)
    ((digest,),) = bed.rows("SELECT json_extract(value, '$.digest') FROM shelf WHERE key LIKE 'file:%'")
    watch = await watched(opens, here)
    agent = await Agent(await watch.context.new_page(), here).signs_in("maya")
    found = {
        f"/c/{of_ada}/files/{digest}": 200,
        f"/c/{of_eve}/files/{digest}": 404,
        f"/c/{of_ada}/files/{digest[:-1]}": 404,
        f"/c/{of_ada}/files/..%2F..%2F..%2Fsupportbot.db": 404,
        f"/c/{of_ada}/files/%2Fetc%2Fpasswd": 404,
        "/c/c_" + "0" * 32: 404,
        "/c/..%2Faccounts": 404,
        "/c/%2e%2e%2faccounts": 404,
        "/c/%00": 404,
        f"/c/{of_eve}/why/999": 404,
        f"/c/{of_eve}/why/-1": 404,
        f"/c/{of_eve}/why/{'9' * 40}": 404,
        "/static/..%2F..%2Faccess.py": 404,
        "/static/%2e%2e/access.py": 404,
        "/replies/1": 404,
        "/accounts": 404,
        "/accounts/1": 404,
        "/audit": 404,
        "/dashboard": 404,
        "/dashboard/unanswered.csv": 404,
    }
    for path, status in found.items():
        answer = await fetched(agent.page, f"{here.bot}/console{path}")
        assert answer["status"] == status, path
        assert "def routes" not in answer["body"] and "SQLite format" not in answer["body"], path
    clerk = Clerk(here, http)
    await clerk.sign_in("maya")
    ((handoff,),) = bed.rows("SELECT public FROM handoffs")
    before = len(told(here)[0])
    refused = await clerk.post(f"/c/{of_eve}/resolve", act=secrets.token_urlsafe(18), handoff=handoff)
    assert refused.status_code == 409, "of another conversation"
    for path in ("/accounts", "/accounts/1", "/accounts/1/password", "/replies", "/dashboard/retry"):
        assert (
            await clerk.post(path, login="x", name="x", role="admin", title="x", text="x", id="1")
        ).status_code == 404
    assert len(told(here)[0]) == before
    watch.clean()


async def test_no_file_of_a_customer_is_ever_a_page_of_the_bots(tmp_path: Path, opens: Opens) -> None:
    kinds = sorted({kind for kind, _ in FILES.values()})
    async with (
        stage(tmp_path, parrot(), web={"upload_types": kinds}, attachments={"types": kinds}) as here,
        from_address("127.0.0.1") as http,
    ):
        here.account("maya", "Maya")
        bed, watch = Bed(here), await watched(opens, here)
        ada = await bed.session(http, "ada", "Ada")
        ids = []
        for name, (kind, content) in FILES.items():
            made = await http.post(
                f"{ada.base}/files?name={name}", content=content, headers={**ada.headers, "Content-Type": kind}
            )
            assert made.status_code == 201, (name, made.text)
            ids.append(made.json()["id"])
        await bed.say(ada, "My files", ids)
        ((id,),) = bed.rows("SELECT public FROM conversations WHERE customer = ?", ada.chat)
        agent = await Agent(await watch.context.new_page(), here).signs_in("maya")
        page = agent.page
        await page.goto(f"{here.bot}/console/c/{id}")
        await expect(page.locator(".file")).to_have_count(len(FILES))
        await watch.look_at_console(page)
        addresses = await page.locator("a.file, a.picture").evaluate_all("all => all.map(one => one.href)")
        cookies = "; ".join(f"{one['name']}={one['value']}" for one in await watch.context.cookies())
        for address in sorted({one.partition("?")[0] for one in addresses}):
            await never_a_page(here, http, page, address, cookies)
        for file in ids:
            answer = await http.get(f"{ada.base}/files/{file}", headers=ada.headers)
            harmless(answer)
            assert answer.headers["content-disposition"].startswith("attachment")
            assert (await http.get(f"{ada.base}/files/{file}")).status_code == 401
        assert watch.ran == []


async def never_a_page(here: Stage, http: httpx2.AsyncClient, page: Page, address: str, cookies: str) -> None:
    """Opened, embedded and loaded as a script, nothing of it runs."""
    answer = await http.get(here.place.url + urlsplit(address).path, headers={"Cookie": cookies})
    harmless(answer)
    inline = answer.headers["content-disposition"].startswith("inline")
    assert not inline or answer.headers["content-type"] in ("image/gif", "image/png")
    other = await page.context.new_page()
    if inline:
        await other.goto(address)
        assert await other.evaluate("[document.scripts.length, document.images.length]") == [0, 1], "a picture"
    else:
        async with other.expect_download():
            await other.evaluate("address => { location.href = address; }", address)
    await other.close()
    loaded = """address => new Promise((done) => {
        const script = document.createElement("script");
        script.onload = () => done("loaded");
        script.onerror = () => done("refused");
        script.src = address;
        document.head.append(script);
    })"""
    assert await page.evaluate(loaded, address) == "refused", address


def harmless(answer: httpx2.Response) -> None:
    """It says to every browser that it is no page."""
    assert answer.status_code == 200
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    kind = answer.headers["content-type"].partition(";")[0]
    assert kind in ("application/octet-stream", "image/gif", "image/png", "application/pdf", "text/plain"), kind
