"""The chat on somebody else's page: strict policies, no storage, several tabs and devices, languages and colours."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import BrowserContext, Page, Request, expect

from supportbot.testing import FakeOpenAI
from tests.browser import scenes
from tests.browser.conftest import Opens
from tests.browser.people import Agent, Customer
from tests.browser.scenes import PICTURE
from tests.browser.stage import Stage, stage

pytestmark = pytest.mark.browser

_NOTHING_KEPT = """for (const name of ["localStorage", "sessionStorage", "indexedDB", "caches"])
    Object.defineProperty(window, name, {get() { throw new DOMException("Access is denied.", "SecurityError"); }});
Object.defineProperty(Document.prototype, "cookie", {
    get() { throw new DOMException("Access is denied.", "SecurityError"); },
    set() { throw new DOMException("Access is denied.", "SecurityError"); }});"""
_VIOLATIONS = """window.violations = [];
document.addEventListener("securitypolicyviolation", ({violatedDirective, blockedURI, sourceFile}) =>
    violations.push(`${violatedDirective} ${blockedURI} ${sourceFile}`));"""


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Stage]:
    scenes.write_flows(tmp_path)
    async with stage(tmp_path, FakeOpenAI(scenes.model), **scenes.CONFIG) as made:
        yield made


async def visitor(house: Stage, context: BrowserContext) -> Customer:
    return await Customer(await context.new_page(), house).comes()


async def ready(page: Page, house: Stage) -> Page:
    await page.goto(house.shop)
    await expect(page.locator("[part=launcher]")).to_be_visible()
    return page


# --- what browsers and pages forbid ---


async def test_without_cookies_and_without_any_storage_the_chat_works_as_long_as_the_page_stays(
    house: Stage, opens: Opens
) -> None:
    context = await opens()
    await context.add_init_script(_NOTHING_KEPT)
    customer = await visitor(house, context)
    await customer.says("give me choices")
    await customer.sees("What would you like to do?")
    await customer.presses("Choose a colour")
    await customer.sees("Which colour shall it be?")
    await scenes.sends_files(customer, "Like this one", PICTURE)
    await expect(customer.page.locator("[part=picture]")).to_be_visible()
    await customer.sees(scenes.PLAIN)
    assert await context.cookies() == []
    await customer.comes_again()
    await expect(customer.page.locator("[part=prompt]").first).to_be_visible()
    await customer.says("How do I wash linen?")
    await customer.sees(scenes.PLAIN)


async def test_no_cookie_is_set_and_none_is_sent_even_where_the_browser_would(house: Stage, opens: Opens) -> None:
    context = await opens()
    await context.add_cookies([{"name": "session", "value": "of-the-console", "url": house.bot}])
    asked: list[Request] = []
    context.on("response", lambda response: asked.append(response.request))
    customer = Customer(await context.new_page(), house)
    await customer.page.goto(f"{house.bot}/chat")
    await customer.says("How do I wash linen?")
    await customer.sees(scenes.PLAIN)
    assert [cookie["name"] for cookie in await context.cookies()] == ["session"]
    sent = {urlsplit(one.url).path: "cookie" in await one.all_headers() for one in list(asked)}
    assert sent["/chat"], "a page's own address gets its cookies, so they would be seen"
    assert [sent[f"/chat/{name}"] for name in ("config", "sessions", "entries", "messages")] == [False] * 4


async def test_a_strict_policy_of_the_page_is_met_by_what_the_documentation_says(
    house: Stage, opens: Opens
) -> None:
    policy = (
        f"default-src 'none'; script-src {house.bot}; connect-src {house.bot}; img-src blob:; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )

    house.headers = {"Content-Security-Policy": policy}
    context = await opens()
    await context.add_init_script(_VIOLATIONS)
    customer = await visitor(house, context)
    await scenes.sends_files(customer, "Tell me everything", PICTURE)
    await customer.sees("That is all.")
    await expect(customer.page.locator("[part=picture]")).to_be_visible()
    await customer.says("give me choices")
    await customer.presses("Choose a colour")
    await customer.sees("Which colour shall it be?")
    shops_own = {f"style-src-elem inline {house.shop}", f"img-src data {house.shop}"}
    assert set(await customer.page.evaluate("violations")) == shops_own, "its own style and icon, and nothing else"
    launcher = customer.page.locator("[part=launcher]")
    assert await launcher.evaluate("one => getComputedStyle(one).backgroundColor") == "rgb(11, 87, 208)"


# --- tabs, visits, devices ---


async def test_two_tabs_are_one_chat_and_what_is_unread_is_counted_in_both(house: Stage, opens: Opens) -> None:
    house.account("maya", "Maya Brand")
    context = await opens()
    first = await visitor(house, context)
    await first.says("I smell smoke, a human please")
    await expect(first.page.locator("[part=sign][data-kind=waiting]")).to_have_count(1)
    second = await ready(await context.new_page(), house)
    agent = await Agent(await (await opens()).new_page(), house).signs_in("maya")
    await agent.opens("smoke")
    await agent.claims()
    await first.page.locator("[part=close]").click()
    await agent.replies("Maya here.")
    for page in (first.page, second):
        await expect(page.locator("[part=badge]")).to_have_text("1", timeout=10_000)
        await expect(page.locator("[part=launcher]")).to_have_accessible_name("Chat, unread messages: 1")
    await second.bring_to_front()
    await second.locator("[part=launcher]").click()
    await expect(second.locator("[part=log]")).to_contain_text("Maya here.")
    for page in (first.page, second):
        await expect(page.locator("[part=badge]")).to_be_hidden()
        await expect(page.locator("[part=launcher]")).to_have_accessible_name("Chat")
    other = Customer(second, house)
    await other.says("Thank you, Maya")
    await first.page.bring_to_front()
    await first.page.locator("[part=launcher]").click()
    await first.sees("Thank you, Maya")
    assert await first.texts() == await other.texts()


async def test_the_chat_is_there_again_at_the_next_visit_and_not_in_another_browser(
    house: Stage, opens: Opens
) -> None:
    context = await opens()
    customer = await visitor(house, context)
    await customer.says("How do I wash linen?")
    await customer.sees(scenes.PLAIN)
    said = await customer.texts()
    await customer.page.close()
    again = await visitor(house, context)
    await again.sees(scenes.PLAIN)
    assert await again.texts() == said
    stranger = await visitor(house, await opens())
    await expect(stranger.page.locator("[part=prompt]").first).to_be_visible()
    assert len(await stranger.texts()) == 1


async def test_who_is_signed_in_has_one_chat_on_all_devices_and_takes_it_away_at_sign_out(
    house: Stage, opens: Opens
) -> None:
    token = house.signed("cust-31", "Ada Lovelace")
    phone, desktop = await visitor(house, await opens()), await visitor(house, await opens())
    await phone.says("How do I wash linen?")
    await phone.sees(scenes.PLAIN)
    await phone.page.evaluate("token => supportbot.identify(token)", token)
    await phone.says("give me choices")
    await phone.sees("What would you like to do?")
    await desktop.page.evaluate("token => supportbot.identify(token)", token)
    await desktop.sees("What would you like to do?")
    assert await desktop.texts() == await phone.texts(), "the chat from before the sign-in was taken along"
    await desktop.presses("Choose a colour")
    await phone.sees("Which colour shall it be?")
    await desktop.page.evaluate("supportbot.logout()")
    await expect(desktop.page.locator("[part=panel]")).to_be_hidden()
    kept = await desktop.page.evaluate("Object.values(localStorage).join()")
    assert "linen" not in kept and "token" not in kept
    await desktop.page.locator("[part=launcher]").click()
    await expect(desktop.page.locator("[part=prompt]").first).to_be_visible()
    assert len(await desktop.texts()) == 1
    await phone.says("Still here")
    await expect(phone.log).to_contain_text("Still here")


# --- languages and colours ---


async def test_the_chat_speaks_the_language_of_the_tag(house: Stage, opens: Opens) -> None:
    house.page = {"lang": "en", "dir": "ltr", "attributes": 'data-locale="de"'}
    customer = await visitor(house, await opens(locale="en-GB"))
    page = customer.page
    await expect(customer.input).to_have_attribute("placeholder", "Nachricht schreiben…")
    await expect(page.locator("[part=close]")).to_have_accessible_name("Chat schließen")
    await expect(page.locator("[part=log]")).to_contain_text("Hallo, hier ist Acme.")
    await expect(page.locator("[part=root]")).to_have_attribute("lang", "de")
    await page.get_by_role("button", name="Wie wasche ich Leinen?").click()
    await customer.sees(scenes.PLAIN)
    await expect(page.locator("[part=day]")).to_have_text("Heute")


async def test_arabic_runs_from_right_to_left_and_other_words_in_it_as_they_should(
    house: Stage, opens: Opens
) -> None:
    house.page = {"lang": "ar", "dir": "rtl", "attributes": ""}
    customer = await visitor(house, await opens())
    page = customer.page
    await expect(page.locator("[part=root]")).to_have_attribute("dir", "rtl")
    await customer.says("كيف أغسل الكتان؟")
    await customer.sees(scenes.PLAIN)
    left = {name: await _left(page, f"[part={name}]") for name in ("send", "input", "attach", "close", "title")}
    assert left["send"] < left["input"] < left["attach"] and left["close"] < left["title"]
    own, answer = [f"[part=entry][data-from={who}] >> nth=-1" for who in ("customer", "bot")]
    log = await page.locator("[part=log]").bounding_box()
    assert log is not None
    assert await _left(page, own) - log["x"] < 30 < await _left(page, answer) - log["x"]
    direction = "one => getComputedStyle(one).direction"
    assert await page.locator(f"{own} >> [part=body]").evaluate(direction) == "rtl"
    assert await page.locator(f"{answer} >> [part=body]").evaluate(direction) == "ltr"


async def _left(page: Page, selector: str) -> float:
    box = await page.locator(selector).first.bounding_box()
    assert box is not None
    return box["x"]


async def test_the_chat_turns_dark_with_the_device_or_as_the_tag_says(house: Stage, opens: Opens) -> None:
    page = await ready(await (await opens(color_scheme="dark")).new_page(), house)
    await page.locator("[part=launcher]").click()
    paper = "one => getComputedStyle(one).backgroundColor"
    panel = page.locator("[part=panel]")
    dark = await panel.evaluate(paper)
    await page.emulate_media(color_scheme="light")
    light = await panel.evaluate(paper)
    assert dark == "rgb(23, 25, 30)" and light == "rgb(255, 255, 255)"
    for theme, scheme, expected in (("dark", "light", dark), ("light", "dark", light)):
        house.page = {"lang": "en", "dir": "ltr", "attributes": f'data-theme="{theme}"'}
        page = await ready(await (await opens(color_scheme=scheme)).new_page(), house)
        await page.locator("[part=launcher]").click()
        assert await page.locator("[part=panel]").evaluate(paper) == expected
