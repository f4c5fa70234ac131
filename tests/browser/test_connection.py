"""Lines that are cut, answers that are lost, a server that dies: nothing is lost on the page, and nothing stands twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from supportbot.testing import FakeOpenAI
from supportbot.testing.openai_payloads import Say
from tests.browser.conftest import Opens
from tests.browser.people import Customer
from tests.browser.stage import Stage, stage

pytestmark = pytest.mark.browser

WORDS = "Everything you send back within thirty days is refunded, whatever the reason, once it has arrived here."


def slowly(body: dict[str, Any]) -> Say:
    return Say(f"{WORDS} You asked: {body['messages'][-1]['content']}", pace=0.12)


async def customer_of(here: Stage, opens: Opens) -> Customer:
    return await Customer(await (await opens()).new_page(), here).comes()


async def stands_once(customer: Customer, *questions: str) -> None:
    """Each question and its answer stand on the page once, in order, and so they do after a reload."""
    for question in questions:
        await customer.sees(f"You asked: {question}", seconds=40)
    for reloaded in (False, True):
        if reloaded:
            await customer.comes_again()
            await customer.sees(f"You asked: {questions[-1]}")
        said = await customer.texts()
        expected = [text for question in questions for text in (question, f"{WORDS} You asked: {question}")]
        assert said == expected, f"reloaded: {reloaded}"
    await expect(customer.page.locator("[part~=preview]")).to_have_count(0)


async def test_a_line_that_is_cut_while_the_answer_is_written_goes_on_where_it_was(
    tmp_path: Path, opens: Opens
) -> None:
    async with stage(tmp_path, FakeOpenAI(slowly)) as here:
        customer = await customer_of(here, opens)
        await customer.says("Refunds?")
        await expect(customer.page.locator("[part~=preview]")).to_contain_text("Everything", timeout=10_000)
        here.cable.sever()
        await customer.page.wait_for_timeout(4_000)
        assert WORDS not in " ".join(await customer.texts())
        here.cable.mend()
        await stands_once(customer, "Refunds?")


async def test_a_line_that_drops_again_and_again_loses_and_doubles_nothing(tmp_path: Path, opens: Opens) -> None:
    async with stage(tmp_path, FakeOpenAI(slowly)) as here:
        customer = await customer_of(here, opens)
        for question in ("First?", "Second?"):
            await customer.says(question)
            for _ in range(4):
                await customer.page.wait_for_timeout(500)
                here.cable.drop()
            await customer.sees(f"You asked: {question}", seconds=40)
        await stands_once(customer, "First?", "Second?")


async def test_a_message_whose_acknowledgement_was_lost_is_sent_again_and_stands_once(
    tmp_path: Path, opens: Opens
) -> None:
    async with stage(tmp_path, FakeOpenAI(slowly)) as here:
        customer = await customer_of(here, opens)
        await customer.says("Before?")
        await customer.sees("You asked: Before?")
        here.cable.answers_lost = True
        await customer.says("Was that heard?")
        await customer.page.wait_for_timeout(3_000)
        here.cable.mend()
        await stands_once(customer, "Before?", "Was that heard?")


async def test_what_was_written_without_a_line_is_sent_when_it_is_back_also_after_a_reload(
    tmp_path: Path, opens: Opens
) -> None:
    async with stage(tmp_path, FakeOpenAI(slowly)) as here:
        customer = await customer_of(here, opens)
        await customer.says("Before?")
        await customer.sees("You asked: Before?")
        here.cable.sever()
        await customer.says("Is anybody there?")
        await customer.sees("Is anybody there?")
        await expect(customer.page.locator("[part=notice]")).to_be_visible(timeout=10_000)
        await customer.page.goto("about:blank")
        here.cable.mend()
        await customer.comes()
        await stands_once(customer, "Before?", "Is anybody there?")


@pytest.mark.parametrize("moment", ["while it is written", "before it is begun", "just after it is said"])
async def test_a_server_that_is_killed_and_started_again_answers_once(
    tmp_path: Path, opens: Opens, moment: str
) -> None:
    async with stage(tmp_path, FakeOpenAI(slowly)) as here:
        customer = await customer_of(here, opens)
        await customer.says("Before?")
        await customer.sees("You asked: Before?")
        await customer.says("And now?")
        if moment == "while it is written":
            await expect(customer.page.locator("[part~=preview]")).to_contain_text("Everything", timeout=10_000)
        elif moment == "before it is begun":
            await expect(customer.page.locator("[part=entry][data-state=sent]")).to_have_count(2, timeout=10_000)
        await here.kill()
        await customer.page.wait_for_timeout(1_500)
        await here.start()
        await stands_once(customer, "Before?", "And now?")
