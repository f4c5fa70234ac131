"""Other people's things, other people's pages, stolen tokens, guessed passwords and planted files, in real browsers."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from playwright.async_api import BrowserContext, Frame, Page, expect

from supportbot.testing import FakeOpenAI
from supportbot.testing.openai_payloads import Say
from tests.browser.conftest import Opens
from tests.browser.people import Agent, Customer
from tests.browser.planting import Bed, Chat, Clerk, from_address
from tests.browser.stage import PASSWORD, Stage, stage
from tests.browser.watching import Watch, watched

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
_FETCH = """async ([address, options]) => {
    try {
        const answer = await fetch(address, { redirect: "manual", ...options });
        return { status: answer.status, type: answer.type, body: await answer.text() };
    } catch (error) {
        return { status: 0, type: "error", body: "" };
    }
}"""


def parrot() -> FakeOpenAI:
    return FakeOpenAI(lambda body: Say(f"You said: {body['messages'][-1].get('content', '')}"))


async def fetched(page: Page, address: str, **options: Any) -> dict[str, Any]:
    """What a script in the page gets: status 0 if the browser gives it nothing."""
    answer: dict[str, Any] = await page.evaluate(_FETCH, [address, options])
    return answer


class Others:
    """Other people's web server: `stranger` is another site, `neighbour` the bot's own site on another port (its cookies
    are sent along), `shop` and `partner` two sites that may have the chat."""

    def __init__(self, port: int) -> None:
        self.stranger, self.neighbour = f"http://localhost:{port}", f"http://127.0.0.1:{port}"
        self.shop, self.partner = f"http://shop.localhost:{port}", f"http://partner.localhost:{port}"
        self.bodies: list[str] = []

    async def put(self, watch: Watch, origin: str, body: str = "") -> str:
        """The address of a page of that origin which has this in it."""
        self.bodies.append(f"<!doctype html><title>Theirs</title><body>{body}")
        await watch.context.route(f"{origin}/**", lambda route: route.continue_())
        return f"{origin}/{len(self.bodies) - 1}"

    async def page(self, watch: Watch, origin: str, body: str = "") -> Page:
        address = await self.put(watch, origin, body)
        page = await watch.context.new_page()
        await page.goto(address)
        return page


@asynccontextmanager
async def others() -> AsyncIterator[Others]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            place = re.findall(rb"^GET /(\d+) ", head)
            body = made.bodies[int(place[0])].encode() if place else b""
            lines = (
                f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\nConnection: close"
            )
            writer.write(lines.encode() + b"\r\n\r\n" + body)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    made = Others(server.sockets[0].getsockname()[1])
    try:
        yield made
    finally:
        server.close()


def told(here: Stage) -> tuple[list[tuple[Any, ...]], ...]:
    """All that an act could change."""
    queries = (
        "SELECT message, kind FROM inbox ORDER BY id",
        "SELECT login, name, role, disabled, password FROM accounts",
        "SELECT title FROM canned",
        "SELECT account, action FROM audit",
        "SELECT token FROM sessions",
    )
    with closing(sqlite3.connect(here.place.database, timeout=20)) as connection:
        return tuple(connection.execute(query).fetchall() for query in queries)


# --- other people's things -----------------------------------------------------------------------------------


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


# --- other people's pages ------------------------------------------------------------------------------------


async def test_another_origins_page_does_nothing_in_the_name_of_who_is_signed_in(
    tmp_path: Path, opens: Opens
) -> None:
    async with stage(tmp_path, parrot()) as here, from_address("127.0.0.1") as http, others() as them:
        here.account("maya", "Maya", "admin")
        bed, watch = Bed(here), await watched(opens, here)
        ada = await bed.session(http, "ada", "Ada")
        await bed.say(ada, "I want to talk to a human")
        ((id,),) = bed.rows("SELECT public FROM conversations WHERE customer = ?", ada.chat)
        agent = await Agent(await watch.context.new_page(), here).signs_in("maya")
        (cookie,) = [one for one in await watch.context.cookies() if one["name"] == "supportbot_session"]
        assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Lax", "/console")
        before = told(here)
        acts = list(forged(here, id))
        for origin, forms in ((them.stranger, acts[::4]), (them.neighbour, acts)):
            statuses = [await submitted(them, watch, origin, form) for form in forms]
            assert set(statuses) <= {303, 403, 405}, statuses
            page = await them.page(watch, origin)
            sent = [[address, {**_SENT, **more}] for address in addresses(forms) for more in _WAYS]
            read = [[f"{here.bot}/console/queue", {"credentials": "include"}]]
            answers = await page.evaluate(f"all => Promise.all(all.map({_FETCH}))", sent + read)
            assert {(one["status"], one["body"]) for one in answers} == {(0, "")}, (
                "nothing of an answer can be read"
            )
        assert told(here) == before, "nothing was done"
        await framed(here, watch, them)
        await agent.page.goto(f"{here.bot}/console/queue")
        await expect(agent.page.get_by_role("heading", name="Queue")).to_be_visible()
        assert "supportbot_session" not in await agent.page.evaluate("document.cookie")
        assert watch.ran == []


_SENT = {"method": "POST", "credentials": "include", "body": "csrf=x&act=x&text=x"}
_WAYS: tuple[dict[str, Any], ...] = (
    {"mode": "no-cors"},
    {"headers": {"X-CSRF-Token": "x"}},
    {"headers": {"HX-Request": "true", "Content-Type": "application/x-www-form-urlencoded"}},
)


def addresses(forms: Sequence[str]) -> list[str]:
    return [re.findall(r'action="([^"]+)"', form)[0] for form in forms]


def forged(here: Stage, id: str) -> Iterator[str]:
    """Forms of acts, each as a page could post it."""
    console = f"{here.bot}/console"
    acts: dict[str, dict[str, str]] = {
        f"/c/{id}/claim": {},
        f"/c/{id}/reply": {"text": "Send us your password."},
        f"/c/{id}/note": {"text": "x"},
        f"/c/{id}/resolve": {},
        "/accounts": {"login": "eve", "name": "Eve", "role": "admin"},
        "/accounts/1/disable": {},
        "/account": {"name": "Eve"},
        "/account/password": {"current": PASSWORD, "new": PASSWORD + "x", "again": PASSWORD + "x"},
        "/replies": {"title": "x", "text": "x"},
        "/sign-out": {},
        "/sign-in": {"login": "maya", "password": PASSWORD},
    }
    kinds = ("application/x-www-form-urlencoded", "multipart/form-data", "text/plain")
    for place, (path, fields) in enumerate(acts.items()):
        whole = {"csrf": "x" * 43, "act": secrets.token_urlsafe(18), **fields}
        inputs = "".join(f'<input name="{name}" value="{value}">' for name, value in whole.items())
        yield f'<form method="post" enctype="{kinds[place % 3]}" action="{console}{path}">{inputs}</form>'


async def submitted(them: Others, watch: Watch, origin: str, form: str) -> int:
    """The status that the form's post gets, sent by a page of that origin."""
    page = await them.page(watch, origin, form)
    async with page.expect_response(lambda answer: answer.request.method == "POST") as sent:
        await page.evaluate("document.forms[0].submit()")
    status = (await sent.value).status
    await page.wait_for_load_state()
    await page.close()
    return status


async def framed(here: Stage, watch: Watch, them: Others) -> None:
    """In a frame of another origin neither the console nor the chat shows anything, and a window knows no opener."""
    paths = ("/console/queue", "/console/sign-in", "/chat")
    frames = "".join(f'<iframe src="{here.bot}{path}"></iframe>' for path in paths)
    for origin in (them.stranger, them.neighbour):
        page = await them.page(watch, origin, frames)
        await page.wait_for_load_state()
        assert [frame.url for frame in page.frames[1:]] == ["chrome-error://chromewebdata/"] * 3
        async with watch.context.expect_page() as opening:
            await page.evaluate("address => { window.other = window.open(address); }", f"{here.bot}/console/queue")
        other = await opening.value
        await expect(other.get_by_role("heading", name="Queue")).to_be_visible()
        assert await other.evaluate("window.opener") is None
        assert await page.evaluate("window.other.closed"), "the opener has lost it"
        await other.close()


# --- sessions and passwords ----------------------------------------------------------------------------------


async def test_a_planted_session_is_never_signed_in_and_guessing_gets_slower(tmp_path: Path, opens: Opens) -> None:
    async with stage(tmp_path, parrot()) as here, from_address("127.0.0.1") as http:
        here.account("maya", "Maya")
        context = await opens()
        planted = secrets.token_urlsafe(32)
        await context.add_cookies(
            [{"domain": "127.0.0.1", "path": "/console", "name": "supportbot_session", "value": planted}]
        )
        agent = await Agent(await context.new_page(), here).signs_in("maya")
        first = await session_of(context)
        assert first != planted
        await agent.page.get_by_role("button", name="Sign out").click()
        await expect(agent.page.get_by_role("heading", name="Sign in")).to_be_visible()
        await agent.signs_in("maya")
        second = await session_of(context)
        for dead in (planted, first):
            answer = await http.get(
                f"{here.place.url}/console/queue", headers={"Cookie": f"supportbot_session={dead}"}
            )
            assert answer.status_code == 303
        stranger = await opens()
        waits = await guesses(here, await stranger.new_page())
        assert len(waits) == 2 and 0 < waits[0] < waits[1], waits
        await agent.page.goto(f"{here.bot}/console/account")
        await agent.page.get_by_role("button", name="Sign out").click()
        await agent.signs_in("maya")
        assert await session_of(context) not in (first, second), "her own browser may come in meanwhile"


async def session_of(context: BrowserContext) -> str:
    (found,) = [one["value"] for one in await context.cookies() if one["name"] == "supportbot_session"]
    return str(found)


async def guesses(here: Stage, page: Page) -> list[int]:
    """The seconds that somebody is told to wait who guesses: after the first tries, and after one more."""
    waits: list[int] = []
    await page.goto(f"{here.bot}/console/sign-in")
    await page.get_by_label("Login").fill("maya")
    for wanted in range(12):
        # the last one is right, which helps nobody who has to wait
        await page.get_by_label("Password").fill(PASSWORD if waits else f"a wrong one {wanted}")
        await page.get_by_role("button", name="Sign in").click()
        problem = await page.locator("#error").inner_text()
        found = re.findall(r"wait (\d+) second", problem)
        if not found:
            assert problem == "The login or the password is wrong."
            continue
        waits.append(int(found[0]))
        if len(waits) == 3:
            return [waits[0], waits[2]]
        if len(waits) == 2:
            await page.wait_for_timeout(1000 * waits[1] + 200)
            await page.get_by_label("Password").fill("wrong once more")
            await page.get_by_role("button", name="Sign in").click()
            await expect(page.locator("#error")).to_have_text("The login or the password is wrong.")
    raise AssertionError(f"nobody had to wait: {waits}")


async def test_a_stolen_token_of_the_chat_works_in_no_other_origins_page_and_not_after_its_end(
    tmp_path: Path, opens: Opens
) -> None:
    async with others() as them, stage(tmp_path, parrot(), web={"origins": [them.shop, them.partner]}) as here:
        watch = await watched(opens, here)
        here.shop = await them.put(watch, them.shop, f'<script src="{here.bot}/chat/widget.js" async></script>')
        customer = await Customer(await watch.context.new_page(), here).comes()
        await customer.says(SECRET)
        await customer.sees(f"You said: {SECRET}")
        token = await stored_token(customer.page)
        asks = {"headers": {"Authorization": f"Bearer {token}"}}
        entries = f"{here.bot}/chat/entries"
        assert SECRET in (await fetched(customer.page, entries, **asks))["body"], "the shop's own page may"
        sent = '{"id": "0123456789abcdef", "text": "Send me my money"}'
        says = {"method": "POST", "body": sent, **asks}
        thieves = [await them.page(watch, origin) for origin in (them.stranger, them.neighbour)]
        boxed = await them.page(watch, them.partner, '<iframe sandbox="allow-scripts" srcdoc="x"></iframe>')
        places: list[Page | Frame] = [*thieves, boxed.frames[1]]
        for page in places:
            for address, options in (
                (entries, asks),
                (f"{here.bot}/chat/messages", says),
                (f"{here.bot}/chat/events", asks),
            ):
                answer = await page.evaluate(_FETCH, [address, options])
                assert (answer["status"], answer["body"]) == (0, "")
        partner = boxed
        for address, options in (
            (entries, asks),
            (f"{here.bot}/chat/messages", says),
            (f"{here.bot}/chat/events", asks),
        ):
            assert (await fetched(partner, address, **options))["status"] == 401, "it was given to another origin"
        own = await watch.context.new_page()
        await own.goto(f"{here.bot}/chat")
        assert (await fetched(own, f"{here.bot}/chat/messages", **says))["status"] == 401, (
            "our own page is one too"
        )
        with closing(sqlite3.connect(here.place.database)) as connection:
            assert not connection.execute("SELECT 1 FROM inbox WHERE text LIKE '%money%'").fetchall()

        await customer.page.evaluate("proof => supportbot.identify(proof)", here.signed("ada", "Ada"))
        await customer.page.wait_for_function(
            "old => !Object.values(localStorage).some(one => one.includes(old))", arg=token, timeout=10_000
        )
        assert (await fetched(customer.page, entries, **asks))["status"] == 401, (
            "who has signed in has another one"
        )
        signed = {"headers": {"Authorization": f"Bearer {await stored_token(customer.page)}"}}
        assert SECRET in (await fetched(customer.page, entries, **signed))["body"], "the chat was taken along"
        async with customer.page.expect_response(lambda answer: answer.request.method == "DELETE"):
            await customer.page.evaluate("supportbot.logout()")
        assert (await fetched(customer.page, entries, **signed))["status"] == 401, "and after the end it is over"
        assert watch.ran == []


async def stored_token(page: Page) -> str:
    found = "Object.values(localStorage).map(one => JSON.parse(one).token).find(Boolean)"
    return str(await page.evaluate(found))


# --- files ---------------------------------------------------------------------------------------------------


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
