"""Those who sit in front of the browser: a customer on the shop's page, an agent in the console."""

from __future__ import annotations

from typing import Self

from playwright.async_api import Locator, Page, expect

from tests.browser.stage import PASSWORD, Stage

_SEEN = """all => all.map(body => {
    const seen = body.cloneNode(true);
    seen.querySelectorAll(".hidden").forEach(one => one.remove());
    return seen.textContent.trim();
})"""
"""Without the words that only a screen reader says."""


class Customer:
    """A visitor of the shop, with the chat open."""

    def __init__(self, page: Page, stage: Stage) -> None:
        self.page = page
        self.stage = stage

    async def comes(self) -> Self:
        """Opens the page and the chat."""
        await self.page.goto(self.stage.shop)
        await self.page.locator("[part=launcher]").click()
        await expect(self.page.locator("[part=panel]")).to_be_visible()
        return self

    async def comes_again(self) -> Self:
        await self.page.reload()
        await self.page.locator("[part=launcher]").click()
        return self

    @property
    def log(self) -> Locator:
        return self.page.locator("[part=log]")

    @property
    def input(self) -> Locator:
        return self.page.locator("[part=input]")

    async def says(self, text: str) -> None:
        await self.input.fill(text)
        await self.input.press("Enter")

    async def sees(self, text: str, *, seconds: float = 15.0) -> None:
        """A message with this text, once."""
        await expect(self.message(text)).to_have_count(1, timeout=seconds * 1000)

    def message(self, text: str) -> Locator:
        return self.page.locator("[part=entry]", has_text=text)

    async def presses(self, label: str) -> None:
        await self.page.locator("[part=choice]", has_text=label).last.click()

    async def texts(self) -> list[str]:
        """What every message on the page says, in order."""
        bodies = self.page.locator("[part=entry] [part=body]")
        texts: list[str] = await bodies.evaluate_all(_SEEN)
        return texts

    async def keys(self) -> list[str]:
        """Each message's own key."""
        found: list[str] = await self.page.locator("[part=entry]").evaluate_all(
            "all => all.map(one => one.dataset.key)"
        )
        return found


class Agent:
    """Somebody signed in to the console."""

    def __init__(self, page: Page, stage: Stage) -> None:
        self.page = page
        self.stage = stage

    async def signs_in(self, login: str, password: str = PASSWORD) -> Self:
        await self.page.goto(self.stage.bot + "/console")
        await self.page.get_by_label("Login").fill(login)
        await self.page.get_by_label("Password").fill(password)
        await self.page.get_by_role("button", name="Sign in").click()
        await expect(self.page.get_by_role("heading", name="Queue")).to_be_visible()
        return self

    async def opens(self, customer: str) -> None:
        """Opens the first conversation in the queue whose line has these words."""
        await self.page.goto(self.stage.bot + "/console/queue")
        await self.page.locator("[data-row]", has_text=customer).locator("a.line-name").first.click()
        await expect(self.page.locator("#transcript")).to_be_visible()

    async def claims(self) -> None:
        await self.page.locator("#state").get_by_role("button", name="Claim").click()
        await expect(self.page.locator("#state")).to_contain_text("You have this conversation")

    async def types(self, text: str) -> None:
        """Begins to write, without sending it."""
        await self.page.locator("#panel-reply textarea").press_sequentially(text)

    async def replies(self, text: str) -> None:
        await self.page.locator("#panel-reply textarea").fill(text)
        await self.page.locator("#panel-reply").get_by_role("button", name="Send").click()

    async def ends(self, how: str) -> None:
        """Presses a button that ends it: "Return to the bot" or "Resolve"."""
        await self.page.locator("#panel-reply").get_by_role("button", name=how).click()
