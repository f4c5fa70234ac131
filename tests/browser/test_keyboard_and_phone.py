"""Without a mouse, on a small screen, with large letters, without motion, colours or scripts: everything can still be done."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import FileChooser, Page, expect

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
    await expect(page.locator("[part=entry][data-from=customer]").last).to_contain_text("Grey linen")
    await _attaches_by_keyboard(page, customer)
    await page.keyboard.press("Escape")
    await expect(page.locator("[part=panel]")).to_be_hidden()
    assert (await focused(page))["part"] == "launcher"


async def _attaches_by_keyboard(page: Page, customer: Customer) -> None:
    chosen: asyncio.Future[FileChooser] = asyncio.get_running_loop().create_future()
    page.once("filechooser", lambda chooser: chosen.set_result(chooser))
    await tab_to(page, key="Shift+Tab", name="Attach")
    await page.keyboard.press("Enter")
    await (await asyncio.wait_for(chosen, 10)).set_files([PICTURE, NOTE])
    await expect(page.locator("[part=upload]")).to_have_count(2)
    await expect(page.locator("[part=upload] progress")).to_have_count(0)
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
    await tab_to(page, id="transfer-button")
    await page.keyboard.press("Enter")
    await expect(page.locator("#transfer-to")).to_be_visible()
    await tab_to(page, name="Cancel")
    await page.keyboard.press("Enter")
    await expect(page.locator("#transfer")).to_be_hidden()
    assert (await focused(page))["id"] == "transfer-button"
    await tab_to(page, name="Canned")
    await page.keyboard.press("Enter")
    assert (await focused(page))["id"] == "canned-search"
    await page.keyboard.press("Escape")
    await expect(page.locator("#canned")).to_be_hidden()
    assert (await focused(page))["name"].startswith("Canned")
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
    await page.keyboard.press("c")
    await expect(page.locator("#state")).to_contain_text("You have this conversation")
    area = page.locator("#reply-text")
    await area.fill("a reply that is half written")
    await area.evaluate("area => area.setSelectionRange(8, 12)")
    await page.locator("#transcript").evaluate("box => { box.scrollTop = 40; }")
    await page.wait_for_timeout(50)
    await scenes.asks(house, "c1", "Ada Lovelace", "One more thing", answered=False)
    await expect(page.locator("#turns")).to_contain_text("One more thing")
    selection = await area.evaluate("area => [area.value, area.selectionStart, area.selectionEnd]")
    assert selection == ["a reply that is half written", 8, 12]
    assert (await focused(page))["id"] == "reply-text"
    assert await page.locator("#transcript").evaluate("box => box.scrollTop") == 40
    await expect(page.locator("#side")).not_to_contain_text("UTC")
    for at, id in enumerate(("do-release", "transfer-button", "side-customer", "tab-note")):
        await page.locator(f"#{id}").focus()
        await scenes.asks(house, "c1", "Ada Lovelace", f"And {at}", answered=False)
        await expect(page.locator("#turns")).to_contain_text(f"And {at}")
        assert (await focused(page))["id"] == id


# --- small screens, large letters ---

_SIDEWAYS = "[document.documentElement.scrollWidth, innerWidth]"
_OUT_OF_REACH = """(within) => {
    const roots = [document, ...[...document.querySelectorAll("*")].map(one => one.shadowRoot).filter(Boolean)];
    const all = roots.flatMap(root => [...(root.querySelector(within) || root).querySelectorAll(
        "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']")]);
    const modal = roots.flatMap(root => [...root.querySelectorAll("dialog:modal")])[0];
    const lost = [];
    for (const one of all) {
        if (!one.checkVisibility({visibilityProperty: true}) || one.disabled || one.matches(".skip")) continue;
        if (modal && !modal.contains(one)) continue;
        one.scrollIntoView({block: "center", inline: "center"});
        const box = one.getBoundingClientRect();
        const [x, y] = [Math.min(box.left + box.width / 2, innerWidth - 2), box.top + Math.min(box.height / 2, 200)];
        const hit = one.getRootNode().elementFromPoint(x, y);
        const reached = hit && (one.contains(hit) || hit.contains(one) || one.labels?.[0]?.contains(hit));
        if (!reached || box.left < -1 || (box.right > innerWidth + 1 && box.width < innerWidth))
            lost.push(`${one.outerHTML.slice(0, 120)} at ${Math.round(x)}, ${Math.round(y)}: ${hit?.outerHTML.slice(0, 80)}`);
    }
    scrollTo(0, 0);
    return lost;
}"""
SCREENS: tuple[Mapping[str, Any], ...] = (
    {"viewport": {"width": 360, "height": 740}},
    {"viewport": {"width": 640, "height": 400}, "device_scale_factor": 2},
    {"viewport": {"width": 320, "height": 256}, "device_scale_factor": 4},
)
"""A small phone, and a screen of 1280 by 800 or 1024 at 200 % and at 400 %."""


async def fits(page: Page, within: str = "body") -> None:
    """Nothing is wider than the screen, and nothing that can be used is out of reach."""
    width, screen = await page.evaluate(_SIDEWAYS)
    assert width <= screen, f"{page.url} scrolls sideways: {width} px on {screen}"
    assert await page.evaluate(_OUT_OF_REACH, within) == [], page.url


async def test_no_page_scrolls_sideways_and_everything_can_be_reached_on_small_and_enlarged_screens(
    house: Stage, opens: Opens
) -> None:
    house.account("root", "Rosa-Alexandra Root-Brandenburg", "admin")
    long = "w" * 90 + " https://example.com/" + "x" * 120
    await scenes.asks(house, "c1", "A" * 60, "Tell me everything " + long, "talk to a human")
    page = await scenes.signed_in(await opens(), house, "root")
    id = await scenes.conversation(page, house, "everything")
    await scenes.does(page, house, id, "claim")
    state = await page.context.storage_state()
    for screen in SCREENS:
        await _console_on(house, await (await opens(**screen, storage_state=state)).new_page(), id)


async def _console_on(house: Stage, page: Page, id: str) -> None:
    paths = ("queue", f"c/{id}/customer", f"c/{id}/why/1", "conversations?q=everything&handoff=any", "audit")
    more = (
        "replies",
        "accounts",
        "accounts/1",
        "account",
        "account/password",
        "dashboard",
        "dashboard/deliveries",
    )
    for path in (*paths, *more, f"c/{id}"):
        await page.goto(f"{house.bot}/console/{path}")
        await fits(page)
    await page.goto(f"{house.bot}/console/dashboard/deliveries")
    await expect(page.locator(".dashboard-sections [aria-current]")).to_be_in_viewport(ratio=0.9)
    await page.goto(f"{house.bot}/console/c/{id}")
    await page.locator("#menu-button").click()
    await expect(page.get_by_role("navigation", name="Main")).to_be_visible()
    await fits(page, "header")
    await page.locator("#menu-button").click()
    for dialog, ready in (("transfer", "#transfer-to"), ("canned", "#canned-found p")):
        await page.locator(f"[data-dialog={dialog}]").click()
        await expect(page.locator(ready)).to_be_visible()
        await fits(page)
        await page.keyboard.press("Escape")


async def test_the_chat_can_be_used_on_small_and_enlarged_screens(house: Stage, opens: Opens) -> None:
    for screen in SCREENS:
        customer = await Customer(await (await opens(**screen)).new_page(), house).comes()
        page = customer.page
        await fits(page)
        await customer.says("Tell me everything " + "w" * 200)
        await customer.sees("That is all.")
        await customer.says("give me choices")
        await customer.sees("What would you like to do?")
        await fits(page)
        assert await page.locator("[part=log]").evaluate("log => log.scrollWidth <= log.clientWidth")
        await page.locator("[part=close]").click()
        await fits(page)


# --- without motion, colours, scripts ---

_MOVING = """() => {
    const roots = [document, ...[...document.querySelectorAll("*")].map(one => one.shadowRoot).filter(Boolean)];
    const moves = (one) => ["", "::before", "::after"].some(part => {
        const style = getComputedStyle(one, part || null);
        return style.animationName !== "none" || style.transitionDuration.split(",").some(time => parseFloat(time) > 0);
    });
    return roots.flatMap(root => [...root.querySelectorAll("*")]).filter(moves).map(one => one.outerHTML.slice(0, 80));
}"""


async def test_nothing_moves_for_those_who_asked_for_that(house: Stage, opens: Opens) -> None:
    house.account("maya", "Maya Brand")
    for wish, moves in (("reduce", False), ("no-preference", True)):
        context = await opens(reduced_motion=wish)
        customer = await Customer(await context.new_page(), house).comes()
        await customer.says("Tell me slowly")
        await expect(customer.page.locator("[part=typing]")).to_be_visible()
        agent = await Agent(await context.new_page(), house).signs_in("maya")
        for page in (customer.page, agent.page):
            assert bool(await page.evaluate(_MOVING)) == moves


_UNSEEN = """() => {
    const roots = [document, ...[...document.querySelectorAll("*")].map(one => one.shadowRoot).filter(Boolean)];
    const all = roots.flatMap(root => [...root.querySelectorAll(
        "button, select, textarea, input:not([type=file], [type=checkbox], [type=radio]), [part=badge], .badge")]);
    return all.filter(one => {
        if (!one.checkVisibility() || one.type === "hidden") return false;
        const style = getComputedStyle(one);
        const framed = [style, one.matches("textarea") ? getComputedStyle(one.parentElement) : style].some(box =>
            parseFloat(box.borderTopWidth) > 0 && box.borderTopStyle !== "none" && box.borderTopColor !== box.backgroundColor);
        const drawn = one.querySelector("svg");
        const read = (one.textContent.trim() && style.color !== style.backgroundColor) ||
            (drawn && getComputedStyle(drawn).stroke !== style.backgroundColor);
        return !framed && !(one.matches("button") && read);
    }).map(one => one.outerHTML.slice(0, 120));
}"""


async def test_in_forced_colours_every_control_and_what_is_current_can_be_seen(house: Stage, opens: Opens) -> None:
    house.account("maya", "Maya Brand", "lead")
    await scenes.asks(house, "c1", "Ada Lovelace", "I smell smoke, talk to a human")
    context = await opens(forced_colors="active")
    customer = await Customer(await context.new_page(), house).comes()
    await customer.says("give me choices")
    await customer.sees("What would you like to do?")
    assert await customer.page.evaluate(_UNSEEN) == []
    page = await scenes.signed_in(context, house, "maya")
    for path in ("queue", "dashboard", f"c/{await scenes.conversation(page, house, 'smoke')}"):
        await page.goto(f"{house.bot}/console/{path}")
        assert await page.evaluate(_UNSEEN) == []
    await page.goto(f"{house.bot}/console/queue")
    line = "one => getComputedStyle(one).borderBottomColor"
    assert await page.locator("#tab-open").evaluate(line) != await page.locator("#tab-claimed").evaluate(line)


async def test_the_console_works_without_any_script(house: Stage, opens: Opens) -> None:
    house.account("maya", "Maya Brand", "lead")
    customer = await Customer(await (await opens()).new_page(), house).comes()
    await customer.says("My cup is chipped, I want a human")
    await expect(customer.page.locator("[part=sign][data-kind=waiting]")).to_have_count(1)
    agent = await Agent(await (await opens(java_script_enabled=False)).new_page(), house).signs_in("maya")
    page = agent.page
    await page.get_by_role("button", name="Show", exact=True).click()
    await page.get_by_role("button", name="Claim Visitor").click()
    await expect(page.locator("#state")).to_contain_text("You have this conversation")
    await page.locator("#reply-text").fill("We send **a new one**.")
    await page.locator("[name=files]").set_input_files(NOTE)
    await page.get_by_role("button", name="Send").click()
    await expect(page.locator("#turns strong")).to_have_text("a new one")
    await expect(page.locator("#turns a.file")).to_contain_text(NOTE["name"])
    await customer.sees("We send a new one.")
    await page.locator("#note-text").fill("A cup, not a mug")
    await page.get_by_role("button", name="Add the note").click()
    await expect(page.locator("#side")).to_contain_text("A cup, not a mug")
    for dead in ("Preview", "Canned replies…", "Transfer…"):
        await expect(page.get_by_role("button", name=dead)).to_have_count(0)
    await page.get_by_role("link", name="Conversations").click()
    await page.locator("#q").fill("chipped")
    await page.get_by_role("button", name="Search").click()
    await expect(page.locator("mark")).to_have_text("chipped")
    await page.get_by_role("link", name="Dashboards").click()
    await expect(page.get_by_role("heading", name="Conversations by day")).to_be_visible()
    await page.get_by_role("link", name="Queue").click()
    await agent.opens("Visitor")
    await page.get_by_role("button", name="Resolve").click()
    await expect(page.locator("#state")).to_contain_text("The bot has this conversation")
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
