"""The queue and a conversation in a real browser: what arrives is shown at once, and nothing that somebody types is lost.

Chromium must be installed (`CHROMIUM`, else /usr/bin/chromium); no other host is asked for anything.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from consoling import House, Person, opened

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

api = pytest.importorskip("playwright.async_api")
CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="there is no Chromium here"),
]
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
DESKS = {
    "desks": {
        "first": {"channel": "console", "agents": {"Maya Brand": {"id": "maya"}, "Jonas Weber": {"id": "jonas"}}},
        "billing": {"channel": "console"},
    }
}


@dataclass
class Desktop:
    """People with a browser each. `mistakes` is what the pages complained of; `foreign` requests to elsewhere."""

    house: House
    browser: Browser
    mistakes: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    async def page(self, person: Person, path: str, width: int = 1280) -> Page:
        context = await self.browser.new_context(viewport={"width": width, "height": 800})
        name, _, value = person.http.headers["cookie"].partition("=")
        await context.add_cookies([{"name": name, "value": value, "url": f"{self.house.url}/console"}])
        page = await context.new_page()
        page.on("pageerror", lambda error: self.mistakes.append(str(error)))
        page.on("console", lambda line: self.mistakes.append(line.text) if line.type == "error" else None)
        page.on(
            "request", lambda one: None if one.url.startswith(self.house.url) else self.foreign.append(one.url)
        )
        await page.goto(self.house.url + path)
        await until(page, "document.querySelector('#connection').dataset.state === 'ok'")
        return page


async def until(page: Page, condition: str, seconds: float = 5.0) -> None:
    """The page's policy forbids that the browser evaluates it by itself, so it is asked again and again."""
    async with asyncio.timeout(seconds):
        while not await page.evaluate(condition):
            await asyncio.sleep(0.02)


async def until_said(page: Page, place: str, text: str) -> None:
    async with asyncio.timeout(5):
        while text not in await page.inner_text(place):
            await asyncio.sleep(0.02)


@pytest.fixture
async def desktop(tmp_path: Path) -> AsyncIterator[Desktop]:
    async with opened(tmp_path, config=DESKS) as house, api.async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(QUIET))
        try:
            one = Desktop(house, browser)
            yield one
            assert (one.mistakes, one.foreign) == ([], [])
        finally:
            await browser.close()


async def test_what_the_customer_writes_is_shown_within_a_second_and_the_draft_stays(desktop: Desktop) -> None:
    house = desktop.house
    maya = await house.person()
    conversation, _ = await house.asks_for_a_human(name="Ada")
    page = await desktop.page(maya, f"/console/c/{conversation.id}")
    await page.keyboard.press("c")
    await until_said(page, "#state", "You have this conversation.")
    await page.keyboard.press("r")
    await page.keyboard.type("half a sentence, j k r n c / ?")
    began = time.monotonic()
    await house.customer("Are you there?", name="Ada")
    await until_said(page, "#turns", "Are you there?")
    assert time.monotonic() - began < 1.0
    assert await page.input_value("#reply-text") == "half a sentence, j k r n c / ?"
    assert await page.evaluate("document.activeElement.id") == "reply-text"
    await page.reload()
    assert await page.input_value("#reply-text") == "half a sentence, j k r n c / ?"
    await page.focus("#reply-text")
    await page.keyboard.press("Control+Enter")
    await house.said_to_the_customer("half a sentence, j k r n c / ?")
    await until(page, "document.querySelector('#reply-text').value === ''")
    await until_said(page, "#turns", "half a sentence")
    ids = await page.eval_on_selector_all(".turn", "turns => turns.map(turn => turn.id)")
    assert len(ids) == len(set(ids))


async def test_the_queue_is_worked_by_keys_alone_and_keeps_the_focus(desktop: Desktop) -> None:
    house = desktop.house
    maya = await house.person()
    await house.asks_for_a_human(chat="c1", name="Ada")
    page = await desktop.page(maya, "/console/queue")
    await page.keyboard.press("j")
    focused = await page.evaluate("document.activeElement.id")
    assert focused.startswith("row-")
    await house.asks_for_a_human(chat="c2", name="Björn")
    await until_said(page, "#lines", "Björn")
    assert await page.evaluate("document.activeElement.id") == focused
    await page.keyboard.press("c")
    await page.wait_for_url("**/console/c/**")
    await until_said(page, "#state", "You have this conversation.")
    await page.keyboard.press("?")
    assert await page.evaluate("document.querySelector('#help').open")
    await page.keyboard.press("Escape")
    await until(page, "!document.querySelector('#help').open")
    await page.keyboard.press("g")
    await page.keyboard.press("q")
    await page.wait_for_url("**/console/queue")


async def test_a_colleague_sees_at_once_who_has_it(desktop: Desktop) -> None:
    house = desktop.house
    maya, jonas = await house.person(), await house.person("jonas", "Jonas Weber")
    conversation, _ = await house.asks_for_a_human(name="Ada")
    mine = await desktop.page(maya, f"/console/c/{conversation.id}")
    his, line = [await desktop.page(jonas, path) for path in (f"/console/c/{conversation.id}", "/console/queue")]
    await mine.click("#do-claim")
    await until_said(his, "#state", "Maya Brand has this conversation")
    await until_said(line, "#lines", "with Maya Brand")
    assert not await his.is_visible("#reply-text")
    await mine.click("#transfer-button")
    await mine.select_option("#transfer-to", "jonas")
    await mine.click("#transfer-form .primary")
    await until_said(his, "#state", "offered to Jonas Weber")
    assert await his.is_visible("#reply-text")


async def test_a_note_a_file_and_the_reasons_are_a_click_away(desktop: Desktop) -> None:
    house = desktop.house
    maya = await house.person()
    await house.customer("How long does delivery take?")
    conversation, _ = await house.asks_for_a_human()
    page = await desktop.page(maya, f"/console/c/{conversation.id}")
    await page.click("#do-claim")
    await page.click("#tab-note")
    await page.keyboard.type("Careful, <b>third</b> time")
    await page.keyboard.press("Control+Enter")
    await until_said(page, "#side", "Careful, <b>third</b> time")
    await page.click("#tab-reply")
    await page.set_input_files(
        "input[type=file]", [{"name": "a.txt", "mimeType": "text/plain", "buffer": b"hello"}]
    )
    await page.click("#reply-form .sends .primary")
    await until_said(page, "#turns", "a.txt")
    await page.click("#why-1 summary")
    await until_said(page, "#why-1", "Searched the articles")
    typed = f"typing:{conversation.id}"
    house.bot.changes.tell(typed)
    await until_said(page, "#typing", "The customer is typing")


async def test_nothing_scrolls_sideways_on_a_small_phone_and_the_menu_opens(desktop: Desktop) -> None:
    house = desktop.house
    maya = await house.person(name="Maya-Alexandra Brandenburg-Hohenstein")
    conversation, _ = await house.asks_for_a_human(name="A" * 70)
    await house.customer("w" * 300 + "\nhttps://example.com/" + "x" * 200, name="A" * 70)
    for path in ("/console/queue", f"/console/c/{conversation.id}", f"/console/c/{conversation.id}/why/1"):
        page = await desktop.page(maya, path, width=360)
        assert await page.evaluate("document.documentElement.scrollWidth") == 360
        assert not await page.is_visible("nav[aria-label=Main]")
        await page.click("#menu-button")
        assert await page.is_visible("nav[aria-label=Main]")
        assert await page.evaluate("document.documentElement.scrollWidth") == 360


async def test_the_line_that_is_lost_is_said_in_words_and_comes_back(desktop: Desktop) -> None:
    house = desktop.house
    maya = await house.person()
    page = await desktop.page(maya, "/console/queue")
    house.bot.changes.close()
    await until_said(page, "#connection", "Reconnecting…")
    await house.asks_for_a_human(name="Ada")
    house.bot.changes._closed = False  # as if the server were back
    async with asyncio.timeout(20):
        while "Ada" not in await page.inner_text("#lines"):
            await asyncio.sleep(0.05)
    assert await page.inner_text("#connection") == "Live"


async def test_the_theme_is_chosen_and_stays(desktop: Desktop) -> None:
    page = await desktop.page(await desktop.house.person(), "/console/queue")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = await page.evaluate(ground)
    await page.click("#theme-button")
    await page.click("#theme-button")
    assert await page.inner_text("#theme-button") == "Theme: dark"
    dark = await page.evaluate(ground)
    await page.reload()
    assert await page.evaluate(ground) == dark != light
