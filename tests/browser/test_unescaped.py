"""What the tests of hostile texts rest on: they see a text that is not escaped; and links, which are to be clicked."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from markupsafe import escape
from playwright.async_api import Page, Route, expect

from supportbot.testing import FakeOpenAI
from supportbot.testing.openai_payloads import Say
from tests.browser import hostile
from tests.browser.conftest import Opens
from tests.browser.hostile import shown
from tests.browser.others import parrot
from tests.browser.people import Agent, Customer
from tests.browser.stage import Stage, stage
from tests.browser.watching import Watch, texts_of, watched

pytestmark = pytest.mark.browser

BAIT = '<img src=x onerror=alert(1)><img src="//foreign.test/pixel.gif"><iframe srcdoc="<script>parent.alert(2)</script>"></iframe>'


async def test_these_tests_see_it_when_one_text_is_not_escaped(tmp_path: Path, opens: Opens) -> None:
    async with stage(tmp_path, parrot()) as here:
        here.account("maya", "Maya")
        shop = await watched(opens, here)
        await shop.context.route(
            "**/app/message.js", broken('h("p", { class: "plain" }, message.text)', _AS_MARKUP)
        )
        customer = await Customer(await shop.context.new_page(), here).comes()
        await customer.says(BAIT)
        await expect(customer.page.locator("[data-from=bot] [part=body]")).to_contain_text("onerror=alert(1)")
        await eventually(lambda: len(shop.ran) >= 2 and shop.foreign)
        await shop.look_at_widget(customer.page)
        assert any("iframe" in one for one in shop.odd)
        assert shown(BAIT) not in map(shown, await texts_of(customer.page, "[data-from=customer] [part=body]"))

        await unescaped_in_the_console(here, await watched(opens, here), policy=False)
        await unescaped_in_the_console(here, await watched(opens, here), policy=True)


async def unescaped_in_the_console(here: Stage, watch: Watch, *, policy: bool) -> None:
    """With the page's policy, and as if it had none."""
    agent = await Agent(await watch.context.new_page(), here).signs_in("maya")
    await agent.page.goto(f"{here.bot}/console/conversations")
    address = await agent.page.locator("a.who-link").first.get_attribute("href")
    await watch.context.route(f"**{address}", broken(str(escape(BAIT)), BAIT, policy=policy))
    watch.clean()
    await agent.page.goto(f"{here.bot}{address}")
    await eventually(lambda: watch.forbidden if policy else len(watch.ran) >= 2 and watch.foreign)
    await watch.look_at_console(agent.page)
    assert (watch.ran == []) == policy, "the policy holds where escaping fails"
    assert any("<img" in one for one in watch.odd)
    with pytest.raises(AssertionError, match="no page makes"):
        watch.clean()


_AS_MARKUP = 'Object.assign(h("p", { class: "plain" }), { innerHTML: message.text })'


def broken(right: str, wrong: str, *, policy: bool = True) -> Callable[[Route], Awaitable[None]]:
    """A route whose answer has the wrong in the place of the right."""

    async def serve(route: Route) -> None:
        answer = await route.fetch()
        body = await answer.text()
        assert right in body, (answer.status, body[:3000])
        headers = {name: value for name, value in answer.headers.items() if policy or "policy" not in name}
        await route.fulfill(status=answer.status, headers=headers, body=body.replace(right, wrong))

    return serve


async def eventually(holds: Callable[[], object], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.05)


async def test_links_in_texts_lead_where_they_say_in_a_window_that_knows_nothing_of_the_page(
    tmp_path: Path, opens: Opens
) -> None:
    links = [text for text in hostile.OWN if "](" in text or "://" in text or "script:" in text]
    good = "[good](https://foreign.test/good?a=1&b=2) <https://foreign.test/auto> www.foreign.test mailto:a@foreign.test"
    said = "\n\n".join([good, *links])
    async with stage(tmp_path, FakeOpenAI(lambda body: Say(said))) as here:
        here.account("maya", "Maya")
        shop, console = await watched(opens, here), await watched(opens, here)
        customer = await Customer(await shop.context.new_page(), here).comes()
        await customer.says("Which links do you have?")
        await expect(customer.page.locator("[data-from=bot] [part=body] a").first).to_be_visible(timeout=15_000)
        await follow(shop, customer.page, "[data-from=bot] [part=body] a")
        agent = await Agent(await console.context.new_page(), here).signs_in("maya")
        await agent.page.goto(f"{here.bot}/console/conversations")
        await agent.page.locator("a.who-link").first.click()
        await expect(agent.page.locator(".message.bot a").first).to_be_visible()
        await follow(console, agent.page, ".message.bot a")


async def follow(watch: Watch, page: Page, selector: str) -> None:
    """Clicks links, one of them in each way: a strange window opens, of the address that the link has, and nothing else happens."""

    async def strange(route: Route) -> None:
        watch.foreign.append(route.request.url)
        await route.fulfill(body="<title>Strange</title>", content_type="text/html")

    await watch.context.route(re.compile(r"^https?://[^/]*foreign\.test"), strange)
    at, known = page.url, len(watch.context.pages)
    links = page.locator(selector)
    addresses: list[str] = await links.evaluate_all("all => all.map(one => one.href)")
    assert len(addresses) >= 4
    assert all(re.match(r"(https?://|mailto:|tel:)", one, re.IGNORECASE) for one in addresses)
    ways: list[dict[str, Any]] = [{}, {"modifiers": ["Control"]}, {"button": "middle"}]
    clicked = [place for place, address in enumerate(addresses) if address.startswith("http")][:5]
    for place in clicked:
        address = addresses[place]
        for way in ways if place == clicked[0] else ways[:1]:
            async with watch.context.expect_page() as opening:
                await links.nth(place).click(**way)
            other = await opening.value
            await eventually(lambda address=address: address.partition("#")[0] in watch.foreign)  # type: ignore[misc]
            assert await other.evaluate("[window.opener, document.referrer]") == [None, ""]
            await other.close()
    assert page.url == at
    assert len(watch.context.pages) == known
    assert {one.partition("#")[0] for one in watch.foreign} == {addresses[at].partition("#")[0] for at in clicked}
    watch.foreign.clear()
    watch.surprises.clear()
    watch.clean()
