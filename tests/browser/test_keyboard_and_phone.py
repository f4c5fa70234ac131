"""Without a mouse, on a small screen, with large letters, without motion, colours or scripts: everything can still be done."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from supportbot.testing import FakeOpenAI
from tests.browser import scenes
from tests.browser.conftest import Opens
from tests.browser.keys import focused, tab_to
from tests.browser.people import Agent, Customer
from tests.browser.scenes import NOTE, PICTURE
from tests.browser.stage import PASSWORD, Stage, stage

pytestmark = pytest.mark.browser


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Stage]:
    scenes.write_flows(tmp_path)
    async with stage(tmp_path, FakeOpenAI(scenes.model), **scenes.CONFIG) as made:
        yield made


# --- without a mouse ---


async def test_a_customer_opens_writes_chooses_attaches_and_leaves_by_keyboard_alone(
    house: Stage, opens: Opens
) -> None:
    page = await (await opens()).new_page()
    customer = Customer(page, house)
    await page.goto(house.shop)
    await expect(page.locator("[part=launcher]")).to_be_visible()
    await tab_to(page, part="launcher")
    await page.keyboard.press("Enter")
    assert (await focused(page))["part"] == "input"
    await page.keyboard.type("give me choices")
    await page.keyboard.press("Shift+Enter")
    await page.keyboard.type("please")
    await page.keyboard.press("Enter")
    await customer.sees("What would you like to do?")
    await tab_to(page, key="Shift+Tab", name="Choose a colour")
    await page.keyboard.press("Enter")
    await customer.sees("Which colour shall it be?")
    assert (await focused(page))["part"] == "input", "the button that was pressed is gone, and one can go on"
    await tab_to(page, key="Shift+Tab", part="menu")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowDown")
    await tab_to(page, part="pick")
    await page.keyboard.press("Enter")
    await customer.sees("Grey linen")
    await _attaches_by_keyboard(page, customer)
    await page.keyboard.press("Escape")
    await expect(page.locator("[part=panel]")).to_be_hidden()
    assert (await focused(page))["part"] == "launcher"


async def _attaches_by_keyboard(page: Page, customer: Customer) -> None:
    await tab_to(page, key="Shift+Tab", name="Attach")
    async with page.expect_file_chooser() as chosen:
        await page.keyboard.press("Enter")
    await (await chosen.value).set_files([PICTURE, NOTE])
    await expect(page.locator("[part=upload]")).to_have_count(2)
    await tab_to(page, key="Shift+Tab", name=f"Remove {NOTE['name']}")
    await page.keyboard.press("Enter")
    await expect(page.locator("[part=upload]")).to_have_count(1)
    await tab_to(page, part="input")
    await page.keyboard.press("Enter")
    await expect(page.locator("[part=picture]")).to_be_visible()
    await customer.sees(scenes.PLAIN)
    assert (await focused(page))["part"] == "input"


async def test_focus_goes_back_to_what_on_the_page_opened_the_chat(house: Stage, opens: Opens) -> None:
    page = await (await opens()).new_page()
    await page.goto(house.shop)
    await expect(page.locator("[part=launcher]")).to_be_visible()
    await page.evaluate("document.querySelector('a').addEventListener('click', () => supportbot.open())")
    await tab_to(page, name="A link of its own")
    await page.keyboard.press("Enter")
    await expect(page.locator("[part=panel]")).to_be_visible()
    assert (await focused(page))["part"] == "input"
    await page.keyboard.press("Escape")
    assert (await focused(page))["name"] == "A link of its own"


async def test_an_agent_works_by_keyboard_alone(house: Stage, opens: Opens) -> None:
    house.account("maya", "Maya Brand")
    await scenes.asks(house, "c1", "Ada Lovelace", "My cup is chipped, talk to a human")
    await scenes.asks(house, "c2", "Alan Turing", "talk to a human")
    page = await (await opens()).new_page()
    await page.goto(f"{house.bot}/console")
    assert (await focused(page))["id"] == "login"
    await page.keyboard.type("maya")
    await page.keyboard.press("Tab")
    await page.keyboard.type(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Queue")).to_be_visible()
    names = []
    for key in "jjk":
        await page.keyboard.press(key)
        names.append((await focused(page))["name"])
    assert names == ["Ada Lovelace", "Alan Turing", "Ada Lovelace"]
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Ada Lovelace")).to_be_visible()
    await page.keyboard.press("c")
    await expect(page.locator("#state")).to_contain_text("You have this conversation")
    await _writes_by_keyboard(page)
    await _asks_for_help_and_searches(page)


async def _writes_by_keyboard(page: Page) -> None:
    await page.keyboard.press("r")
    assert (await focused(page))["id"] == "reply-text"
    await page.keyboard.type("jkrnc/?gq and so on")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator("#turns")).to_contain_text("jkrnc/?gq and so on")
    await expect(page.locator("#reply-text")).to_have_value("")
    assert (await focused(page))["id"] == "reply-text"
    await page.keyboard.press("Shift+Tab")
    await page.keyboard.press("n")
    assert (await focused(page))["id"] == "note-text"
    await page.keyboard.type("She is right: jkrnc/?gq")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator("#side")).to_contain_text("She is right: jkrnc/?gq")
    assert (await focused(page))["id"] == "note-text"
    await tab_to(page, key="Shift+Tab", id="tab-note")
    await page.keyboard.press("ArrowLeft")
    assert (await focused(page))["id"] == "tab-reply"
    await tab_to(page, name="Return to the bot")
    await page.keyboard.press("Enter")
    await expect(page.locator("#state")).to_contain_text("The bot has this conversation")
    await focused(page)


async def _asks_for_help_and_searches(page: Page) -> None:
    await tab_to(page, key="Shift+Tab", id="tab-reply")
    await page.keyboard.press("?")
    await expect(page.locator("#help")).to_be_visible()
    await page.keyboard.press("j")
    await page.keyboard.press("Escape")
    await expect(page.locator("#help")).to_be_hidden()
    assert (await focused(page))["id"] == "tab-reply"
    await page.keyboard.press("/")
    await expect(page.get_by_role("heading", name="Conversations", exact=True)).to_be_visible()
    assert (await focused(page))["id"] == "q"
    await page.keyboard.type("c?j/gq")
    assert await page.locator("#q").input_value() == "c?j/gq"
    await page.locator("#q").fill("")
    await page.keyboard.type("chipped")
    await page.keyboard.press("Enter")
    await expect(page.locator("mark")).to_have_text("chipped")
    await page.evaluate("document.activeElement.blur()")
    await page.keyboard.press("j")
    assert (await focused(page))["name"] == "Ada Lovelace"
    await page.keyboard.press("g")
    await page.keyboard.press("q")
    await expect(page.get_by_role("heading", name="Queue")).to_be_visible()


async def test_dialogs_give_the_focus_back_and_acts_never_lose_it(house: Stage, opens: Opens) -> None:
    house.account("maya", "Maya Brand")
    await scenes.asks(house, "c1", "Ada Lovelace", "talk to a human")
    agent = await Agent(await (await opens()).new_page(), house).signs_in("maya")
    page = agent.page
    await agent.opens("Ada")
    await page.locator("#do-claim").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#state")).to_contain_text("You have this conversation")
    assert (await focused(page))["id"] == "state"
    await tab_to(page, id="do-release")
    for opener, dialog in (("transfer-button", "transfer"), ("Canned", "canned")):
        await tab_to(page, **({"id": opener} if opener.islower() else {"name": opener}))
        await page.keyboard.press("Enter")
        await expect(page.locator(f"#{dialog}")).to_be_visible()
        inside = await tab_to(page, name="Cancel" if dialog == "transfer" else "Close")
        assert inside["tag"] == "button"
        await page.keyboard.press("Enter")
        await expect(page.locator(f"#{dialog}")).to_be_hidden()
        assert opener in (await focused(page))["id"] + (await focused(page))["name"]
    await page.locator("#reply-text").fill("**Hello**")
    await tab_to(page, name="Preview")
    await page.keyboard.press("Enter")
    await expect(page.locator("#preview strong")).to_have_text("Hello")
    assert (await focused(page))["name"] == "Preview"


async def test_a_draft_its_caret_the_place_of_reading_and_the_focus_stay_while_messages_arrive(
    house: Stage, opens: Opens
) -> None:
    house.account("maya", "Maya Brand")
    await scenes.asks(
        house, "c1", "Ada Lovelace", *(f"Tell me everything, {n}" for n in range(3)), "talk to a human"
    )
    agent = await Agent(await (await opens()).new_page(), house).signs_in("maya")
    page = agent.page
    await agent.opens("Ada")
    await agent.claims()
    area = page.locator("#reply-text")
    await area.fill("a reply that is half written")
    await area.evaluate("area => area.setSelectionRange(8, 12)")
    await page.locator("#transcript").evaluate("box => { box.scrollTop = 40; }")
    await page.wait_for_timeout(50)
    await scenes.asks(house, "c1", "Ada Lovelace", "One more thing")
    await expect(page.locator("#turns")).to_contain_text("One more thing")
    selection = await area.evaluate("area => [area.value, area.selectionStart, area.selectionEnd]")
    assert selection == ["a reply that is half written", 8, 12]
    assert (await focused(page))["id"] == "reply-text"
    assert await page.locator("#transcript").evaluate("box => box.scrollTop") == 40
    for at, id in enumerate(("do-release", "transfer-button", "side-cause-summary", "side-customer", "tab-note")):
        if not await page.locator(f"#{id}").count():
            continue
        await page.locator(f"#{id}").focus()
        await scenes.asks(house, "c1", "Ada Lovelace", f"And {at}")
        await expect(page.locator("#turns")).to_contain_text(f"And {at}")
        assert (await focused(page))["id"] == id
