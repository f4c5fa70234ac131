"""From a customer's question to their stars, in two real browser windows. The docs' pictures are made here."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from supportbot.testing import FakeOpenAI
from supportbot.testing.openai_payloads import Fault, Say
from tests.browser.conftest import Opens
from tests.browser.people import Agent, Customer
from tests.browser.stage import stage

pytestmark = pytest.mark.browser

PICTURES = os.environ.get("SUPPORTBOT_PICTURES", "")
"""A folder for the docs' pictures, such as docs/images."""
WORDS = "Linen is washed at 40 degrees, with a mild detergent and half a drum, and dried on the line."


def answer(body: dict[str, Any]) -> Say | Fault:
    """A model that knows about linen, is lost at glitter, and breaks at fireworks."""
    said = str(body["messages"][-1].get("content", "")).lower()
    if "firework" in said:
        return Fault("server_error")
    if "linen" in said:
        return Say(WORDS, pace=0.08)
    if "again" in said:
        return Say("Yes, I am with you again.")
    return Say("I am not sure I understand.")


async def picture(page: Page, name: str) -> None:
    if PICTURES:
        await page.screenshot(path=Path(PICTURES) / f"{name}.png")


async def test_a_customer_is_answered_handed_over_answered_by_a_human_given_back_and_asked_for_stars(
    tmp_path: Path, opens: Opens
) -> None:
    model = FakeOpenAI(answer)
    async with stage(tmp_path, model, handoff={"rating": True}) as here:
        here.account("maya", "Maya", "lead")
        customer = await Customer(await (await opens()).new_page(), here).comes()
        agent = await Agent(await (await opens()).new_page(), here).signs_in("maya")

        await customer.says("How do I wash linen?")
        preview = customer.page.locator("[part~=preview]")
        await expect(preview).to_contain_text("Linen is washed", timeout=10_000)
        assert WORDS not in await preview.inner_text(), "it is shown while it is written"
        await customer.sees(WORDS)
        await picture(customer.page, "web-chat")

        await customer.says("And my fireworks? It is urgent!")
        await expect(customer.page.locator("[part=sign][data-kind=waiting]")).to_have_count(1, timeout=20_000)
        await expect(agent.page.locator("a[href*='/console/c/']").first).to_be_visible(timeout=5_000)
        await picture(agent.page, "console-queue")

        await agent.opens("fireworks")
        await expect(agent.page.locator("#transcript")).to_contain_text("And my fireworks?")
        await agent.claims()
        await expect(customer.page.locator("[part=sign][data-kind=claimed]")).to_contain_text("Maya")
        await agent.types("Hello, Ma")
        await expect(customer.page.locator("[part=typing]")).to_contain_text("Maya", timeout=3_000)
        began = time.monotonic()
        await agent.replies("Hello, Maya here. **Fireworks** are sold in December only.")
        await customer.sees("Maya here. Fireworks are sold", seconds=5)
        took = time.monotonic() - began
        assert took < 1.0, f"the customer saw it after {took:.2f} s"
        await customer.says("Oh, thank you")
        await expect(agent.page.locator("#transcript")).to_contain_text("Oh, thank you", timeout=3_000)
        await picture(agent.page, "console-conversation")
        await picture(customer.page, "web-chat-human")

        await agent.ends("Return to the bot")
        await expect(customer.page.locator("[part=sign][data-kind=returned]")).to_have_count(1)
        await customer.says("Are you there again?")
        await customer.sees("Yes, I am with you again.")

        await customer.says("One more thing about fireworks")
        await expect(customer.page.locator("[part=sign][data-kind=waiting]")).to_have_count(2, timeout=20_000)
        await agent.opens("fireworks")
        await agent.claims()
        await agent.ends("Resolve")
        await customer.presses("★★★★★")
        stars = customer.page.locator("[part=entry]", has=customer.page.get_by_text("★★★★★", exact=True)).first
        await expect(stars.locator("[part=choice]:not([disabled])")).to_have_count(0)
        await expect(customer.message("★★★★★").last).to_be_visible()
        await agent.page.goto(here.bot + "/console/dashboard")
        await expect(agent.page.get_by_role("heading", name="Dashboards")).to_be_visible()
        await picture(agent.page, "console-dashboard")

        said = await customer.texts()
        await customer.comes_again()
        await customer.sees(WORDS)
        assert await customer.texts() == said, "the same stands there after a reload"
        keys = await customer.keys()
        assert len(keys) == len(set(keys)) == len(said), "nothing stands there twice"
