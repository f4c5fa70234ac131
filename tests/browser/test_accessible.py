"""Every page and state, in both themes: axe-core finds nothing that is wrong for people who cannot see it or use no mouse."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from supportbot.testing import FakeOpenAI
from supportbot.testing.receiver import Answer
from tests.acceptance.processes import ROOT
from tests.browser import scenes
from tests.browser.conftest import Opens
from tests.browser.looking import Inspector
from tests.browser.people import Agent, Customer
from tests.browser.scenes import NOTE, PICTURE
from tests.browser.stage import Stage, stage

pytestmark = pytest.mark.browser

PHONE = {"viewport": {"width": 375, "height": 740}, "has_touch": True, "is_mobile": True}
_LISTENING = re.compile(r"http://127\.0\.0\.1:\d+/(?=\s)")


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Stage]:
    scenes.write_flows(tmp_path)
    async with stage(tmp_path, FakeOpenAI(scenes.model), **scenes.CONFIG) as made:
        yield made


@pytest.fixture
async def look(axe: str, opens: Opens) -> AsyncIterator[Inspector]:
    inspector = Inspector(axe, opens)
    yield inspector
    assert inspector.looked_at
    assert not inspector.verdict(), f"\n{inspector.verdict()}"


# --- the widget ---


async def test_the_chat_in_every_state(house: Stage, look: Inspector) -> None:
    house.account("maya", "Maya Brand")
    await _the_bot_answers(house, look)
    await _on_a_phone(house, look)
    await _with_a_human(house, look)
    await _from_right_to_left(house, look)
    await _the_page_that_has_nothing_else(house, look)


async def _the_bot_answers(house: Stage, look: Inspector) -> None:
    page = await (await look.window()).new_page()
    customer = Customer(page, house)
    await page.goto(house.shop)
    await expect(page.locator("[part=launcher]")).to_be_visible()
    await look.at("chat, closed", page)
    await customer.comes()
    await expect(page.locator("[part=prompt]").first).to_be_visible()
    await look.at("chat, greeting and prompts", page)
    await customer.says("Tell me slowly")
    await expect(page.locator("[part=typing]")).to_be_visible()
    await look.at("chat, typing", page)
    await customer.sees(scenes.PLAIN)
    await customer.says("Tell me everything")
    await customer.sees("That is all.")
    await look.at("chat, everything that Markdown has", page)
    await customer.says("give me choices")
    await customer.sees("What would you like to do?")
    await look.at("chat, buttons", page)
    await customer.presses("Choose a colour")
    await expect(page.locator("[part=menu]")).to_be_enabled()
    await look.at("chat, a menu, and buttons of which one was pressed", page)


async def _on_a_phone(house: Stage, look: Inspector) -> None:
    context = await look.window(**PHONE)
    customer = await Customer(await context.new_page(), house).comes()
    page = customer.page
    await look.at("chat on a phone, open", page)
    await page.locator("[part=picker]").set_input_files([PICTURE, NOTE])
    await expect(page.locator("[part=upload] progress")).to_have_count(0)
    await look.at("chat on a phone, files to send", page)
    await customer.input.fill("It is broken")
    await page.locator("[part=send]").click()
    await expect(page.locator("[part=picture]")).to_be_visible()
    await customer.sees(scenes.PLAIN)
    await look.at("chat on a phone, files that were sent", page)
    house.cable.sever()
    await customer.input.fill("Is anybody there?")
    await page.locator("[part=send]").click()
    await expect(page.locator("[part=notice]")).not_to_be_empty(timeout=10_000)
    await look.at("chat on a phone, no connection", page)
    house.cable.mend()
    await page.locator("[part=close]").click()
    await look.at("chat on a phone, closed again", page)


async def _with_a_human(house: Stage, look: Inspector) -> None:
    customer = await Customer(await (await look.window()).new_page(), house).comes()
    await customer.says("I smell smoke, a human please")
    await expect(customer.page.locator("[part=sign][data-kind=waiting]")).to_have_count(1)
    agent = await Agent(await (await look.window()).new_page(), house).signs_in("maya")
    await agent.opens("smoke")
    await agent.claims()
    await agent.replies("Maya here. Are you safe?")
    await customer.sees("Maya here")
    await look.at("chat, a human in the header", customer.page)
    await customer.page.locator("[part=close]").click()
    await agent.replies("Open the window, please.")
    await expect(customer.page.locator("[part=badge]")).to_have_text("1")
    await look.at("chat, closed with something unread", customer.page)
    await agent.ends("Resolve")
    await customer.page.locator("[part=launcher]").click()
    await expect(customer.page.locator("[part=choice]").last).to_be_visible()
    await look.at("chat, stars and earlier messages", customer.page)


async def _from_right_to_left(house: Stage, look: Inspector) -> None:
    house.page = {"lang": "ar", "dir": "rtl", "attributes": ""}
    customer = await Customer(await (await look.window()).new_page(), house).comes()
    await customer.says("كيف أغسل الكتان؟ everything")
    await customer.sees("That is all.")
    await look.at("chat, Arabic", customer.page)


async def _the_page_that_has_nothing_else(house: Stage, look: Inspector) -> None:
    for name, options in (("wide", {}), ("phone", PHONE)):
        page = await (await look.window(**options)).new_page()
        await page.goto(f"{house.bot}/chat")
        await expect(page.locator("[part=prompt]").first).to_be_visible()
        await look.at(f"chat page, {name}", page)
        alone = Customer(page, house)
        await alone.input.fill("Tell me everything")
        await page.locator("[part=send]").click()
        await alone.sees("That is all.")
        await look.at(f"chat page, {name}, with history", page)


async def test_the_example_shop(look: Inspector) -> None:
    async with _demo() as address:
        page = await (await look.window()).new_page()
        await page.goto(address)
        await expect(page.locator("[part=launcher]")).to_be_visible()
        await look.at("shop", page)
        await page.get_by_role("button", name="Sign in as Jana").click()
        await page.locator("[part=launcher]").click()
        await expect(page.locator("[part=prompt]").first).to_be_visible()
        await look.at("shop, signed in, with the chat open", page)


@contextlib.asynccontextmanager
async def _demo() -> AsyncIterator[str]:
    """`supportbot demo`: its address."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI_")}
    environment["PYTHONPATH"] = f"{ROOT}{os.pathsep}{ROOT / 'adapters'}"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "supportbot", "demo"),
        cwd=ROOT,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            said = ""
            while not (found := _LISTENING.search(said)):
                line = await process.stdout.readline()
                assert line, said
                said += line.decode()
        yield found[0]
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), 20)


# --- the console ---


async def test_the_console_in_every_state(house: Stage, look: Inspector) -> None:
    await _an_empty_house(house, look)
    await _a_busy_house(house, look)


async def _an_empty_house(house: Stage, look: Inspector) -> None:
    page = await (await look.window()).new_page()
    await page.goto(f"{house.bot}/console/sign-in")
    await look.at("sign-in, without any account", page)
    house.account("root", "Rosa Root", "admin")
    await page.reload()
    await look.at("sign-in", page)
    await page.get_by_label("Login").fill("root")
    await page.get_by_label("Password").fill("not the password")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_be_visible()
    await look.at("sign-in, refused", page)
    await Agent(page, house).signs_in("root")
    for path in ("queue", "queue?tab=ended", "conversations", "replies", "audit", "nowhere", "c/nothing"):
        await page.goto(f"{house.bot}/console/{path}")
        await look.at(f"empty, {path}", page)
    await _dashboards(house, look, page, "empty")
    await _accounts(house, look, page)


async def _dashboards(house: Stage, look: Inspector, page: Page, state: str) -> None:
    await page.goto(f"{house.bot}/console/dashboard")
    addresses = await page.locator(".dashboard-sections a").evaluate_all("all => all.map(one => one.href)")
    assert len(addresses) > 5
    for address in addresses:
        await page.goto(address)
        await page.locator("details").evaluate_all("all => all.forEach(one => { one.open = true; })")
        name = address.partition("?")[0].rpartition("/")[2]
        await look.at(f"{state}, dashboard {name}", page)


async def _accounts(house: Stage, look: Inspector, page: Page) -> None:
    await page.goto(f"{house.bot}/console/accounts")
    for login in ("grace", "grace"):
        await page.get_by_label("Login").fill(login)
        await page.get_by_label("Name", exact=True).fill("Grace Hopper")
        await page.get_by_role("button", name="Create the account").click()
        await look.at(f"accounts, {await page.title()}", page)
        if await page.get_by_role("link", name="Done").is_visible():
            password = await page.get_by_label("Password").input_value()
            await page.get_by_role("link", name="Done").click()
            await look.at("accounts, one", page)
            await page.get_by_role("button", name="Disable the account").click()
            await look.at("accounts, one that is disabled", page)
            await page.get_by_role("button", name="Enable the account").click()
            await page.goto(f"{house.bot}/console/accounts")
    for path in ("account", "account/password", "audit", "audit?action=none"):
        await page.goto(f"{house.bot}/console/{path}")
        await look.at(f"accounts, {path}", page)
    await page.get_by_role("button", name="Sign out").click()
    await page.get_by_label("Login").fill("grace")
    await page.get_by_label("Password").fill(password)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("heading", name="Change the password")).to_be_visible()
    await look.at("accounts, a new password is due", page)


async def _a_busy_house(house: Stage, look: Inspector) -> None:
    house.account("maya", "Maya Brand", "lead")
    house.account("jonas", "Jonas Weber")
    visitor = await Customer(await (await look.window()).new_page(), house).comes()
    await _customers_write(house, visitor)
    maya = await scenes.signed_in(await look.window(), house, "maya")
    jonas = await scenes.signed_in(await look.window(), house, "jonas")
    lamp, cup, desk, chair = [
        await scenes.conversation(maya, house, word) for word in ("lamp", "cup", "desk", "chair")
    ]
    await _agents_act(house, maya, jonas, (lamp, cup, desk))
    for path in ("queue", "queue?tab=ended", "queue?tab=claimed&tag=billing"):
        await maya.goto(f"{house.bot}/console/{path}")
        await look.at(path, maya)
    for name, id in (("mine", lamp), ("ended", desk), ("of another", cup), ("of the bot", chair)):
        await maya.goto(f"{house.bot}/console/c/{id}")
        await look.at(f"conversation, {name}", maya)
    await _one_conversation(house, look, maya, lamp)
    await _lists(house, look, maya, lamp)
    await _dashboards(house, look, maya, "busy")


async def _customers_write(house: Stage, visitor: Customer) -> None:
    await scenes.sends_files(visitor, "How do I wash linen? My lamp is broken.", PICTURE, NOTE)
    await visitor.sees(scenes.PLAIN)
    await visitor.says("I smell smoke. A human please!")
    await expect(visitor.page.locator("[part=sign][data-kind=waiting]")).to_have_count(1)
    await scenes.asks(house, "c1", "Ada Lovelace", "My cup is chipped", "I want a refund, give me a human")
    await scenes.asks(house, "c2", "Alan Turing", "My desk is wobbly", "talk to a human")
    await scenes.asks(house, "c3", "", "Which chair is best? Tell me everything", "give me choices")
    await scenes.asks(house, "c4", "مريم", "أريد التحدث مع إنسان", "my fireworks")
    house.place.receiver.always(Answer(status=410))
    await house.place.post("Hello?", conversation="c5", id="c5-0", user={"id": "u-c5", "name": "Grace Hopper"})


async def _agents_act(house: Stage, maya: Page, jonas: Page, ids: tuple[str, str, str]) -> None:
    lamp, cup, desk = ids
    await scenes.does(maya, house, lamp, "claim")
    await scenes.does(maya, house, lamp, "note", text="She has called **before**.\nBe kind.")
    await scenes.does(maya, house, desk, "claim")
    await scenes.does(maya, house, lamp, "reply", text="We send *a new one*.", files=[PICTURE])
    await scenes.does(maya, house, desk, "resolve", text="Here is a new screw.")
    await scenes.does(jonas, house, cup, "claim")
    texts = {"title": "Thanks", "text": "Thank you, {customer}. **{agent}** is on it.", "locale": "en"}
    await maya.goto(f"{house.bot}/console/replies")
    for name, text in texts.items():
        await maya.locator(f"#{name}").fill(text)
    await maya.get_by_role("button", name="Keep it").click()


async def _one_conversation(house: Stage, look: Inspector, page: Page, id: str) -> None:
    await page.goto(f"{house.bot}/console/c/{id}")
    await page.locator("details").evaluate_all("all => all.forEach(one => { one.open = true; })")
    await expect(page.locator(".why-body .steps").last).to_be_visible()
    await look.at("conversation, everything unfolded", page)
    await page.locator("#reply-text").fill("# Hello\n\nIt is **on its way**.")
    await page.get_by_role("button", name="Preview").click()
    await expect(page.locator("#preview .bubble")).to_be_visible()
    await look.at("conversation, a reply and its preview", page)
    await page.get_by_role("button", name="Send").click()
    await expect(page.locator("#answer .notice")).to_be_visible()
    await look.at("conversation, sent", page)
    await page.get_by_role("tab", name="Note").click()
    await look.at("conversation, a note", page)
    for name, button in (("canned", "Canned replies…"), ("transfer", "Transfer…"), ("help", "Keys ?")):
        await page.get_by_role("tab", name="Reply").click()
        await page.get_by_role("button", name=button).click()
        await expect(page.locator(f"#{name}")).to_be_visible()
        await expect(page.locator(f"#{name} :is(.canned, select, .keys)")).to_have_count(1)
        await look.at(f"conversation, {name} dialog", page)
        await page.keyboard.press("Escape")
    await page.goto(f"{house.bot}/console/c/{id}/why/1")
    await look.at("why", page)


async def _lists(house: Stage, look: Inspector, page: Page, id: str) -> None:
    for path in (
        "conversations",
        "conversations?q=linen&handoff=any&since=2020-01-01",
        "conversations?q=Ada",
        "conversations?q=nothing+fits",
        "conversations?since=tomorrow",
        f"c/{id}/customer",
        "replies",
        "replies/1",
        "replies?q=nothing",
        "accounts",
        "dashboard?from=x",
    ):
        await page.goto(f"{house.bot}/console/{path}")
        await look.at(path.replace(id, "ID"), page)
    await page.goto(f"{house.bot}/console/replies/1")
    await page.locator("#text").fill("Hello {nobody}")
    await page.get_by_role("button", name="Keep the changes").click()
    await expect(page.locator("#text-error")).to_be_visible()
    await look.at("a canned reply, refused", page)
    await page.locator("[name=csrf]").evaluate_all("all => all.forEach(one => { one.value = 'another'; })")
    await page.get_by_role("button", name="Keep the changes").click()
    await expect(page.get_by_role("heading", name="That was not done")).to_be_visible()
    await look.at("refused", page)


async def test_what_is_wrong_with_a_page_is_found_in_both_themes(axe: str, opens: Opens) -> None:
    inspector = Inspector(axe, opens)
    page = await (await inspector.window()).new_page()
    style = "<style>@media (prefers-color-scheme: dark) { p { color: #222; background: #000 } }</style>"
    whole = f"<html lang=en><title>A page</title>{style}<main><h1>A page</h1><p>Words</p><img src='data:,'></main>"
    await page.set_content(whole)
    await inspector.at("a page", page)
    told = inspector.verdict()
    assert "in a page, light | a page, dark\n    image-alt: " in told
    assert "in a page, dark\n    color-contrast: " in told
