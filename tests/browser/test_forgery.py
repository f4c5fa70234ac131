"""Pages of other origins, planted sessions, guessed passwords and stolen tokens, in real browsers."""

from __future__ import annotations

import re
import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import BrowserContext, Frame, Page, expect

from tests.browser.conftest import Opens
from tests.browser.others import FETCH, Others, fetched, others, parrot, told
from tests.browser.people import Agent, Customer
from tests.browser.planting import Bed, from_address
from tests.browser.stage import PASSWORD, Stage, stage
from tests.browser.watching import Watch, watched

pytestmark = pytest.mark.browser

SECRET = "The code of my safe is 4711."


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
            assert set(statuses) == ({403} if origin == them.neighbour else {303}), statuses
            page = await them.page(watch, origin)
            sent = [[address, {**_SENT, **more}] for address in addresses(forms) for more in _WAYS]
            read = [[f"{here.bot}/console/queue", {"credentials": "include"}]]
            answers = await page.evaluate(f"all => Promise.all(all.map({FETCH}))", sent + read)
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
        for _ in range(100):  # the browser's own page of the error may come a little after the load
            if all(frame.url for frame in page.frames[1:]):
                break
            await page.wait_for_timeout(50)
        assert [frame.url for frame in page.frames[1:]] == ["chrome-error://chromewebdata/"] * 3
        async with watch.context.expect_page() as opening:
            await page.evaluate("address => { window.other = window.open(address); }", f"{here.bot}/console/queue")
        other = await opening.value
        await expect(other.get_by_role("heading", name="Queue")).to_be_visible()
        assert await other.evaluate("window.opener") is None
        assert await page.evaluate("window.other.closed"), "the opener has lost it"
        await other.close()


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
                answer = await fetched(page, address, **options)
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


async def test_who_signs_in_on_the_page_never_sees_what_another_customer_said_also_while_the_server_is_away(
    tmp_path: Path, opens: Opens
) -> None:
    async with stage(tmp_path, parrot()) as here:
        customer = await Customer(await (await opens()).new_page(), here).comes()
        page, signs_in = customer.page, "proof => supportbot.identify(proof)"
        identified = "Object.values(localStorage).some(one => JSON.parse(one).identified)"
        await page.evaluate(signs_in, here.signed("ada", "Ada"))
        await page.wait_for_function(identified)
        await customer.says(SECRET)
        await customer.sees(f"You said: {SECRET}")
        here.cable.sever()
        await page.evaluate(signs_in, here.signed("bob", "Bob"))
        await expect(page.locator("[part=entry]")).to_have_count(0, timeout=2_000)
        here.cable.mend()
        await page.wait_for_function(identified, timeout=20_000)
        await customer.says("It is Bob")
        await customer.sees("You said: It is Bob")
        assert await customer.texts() == ["It is Bob", "You said: It is Bob"]
        await page.evaluate(signs_in, here.signed("ada", "Ada"))
        await customer.sees(f"You said: {SECRET}")


async def stored_token(page: Page) -> str:
    found = "Object.values(localStorage).map(one => JSON.parse(one).token).find(Boolean)"
    return str(await page.evaluate(found))
