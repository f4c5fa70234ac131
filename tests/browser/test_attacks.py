"""Hostile texts, wherever words can come in, in real pages: they are shown as words, and nothing else happens.

By default our own list is planted; with SUPPORTBOT_CORPORA=/path others' whole lists too, which takes many minutes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from markupsafe import escape
from playwright.async_api import Page, expect

from supportbot.testing import FakeOpenAI
from supportbot.testing.openai_payloads import Say
from tests.browser import hostile
from tests.browser.conftest import Opens
from tests.browser.hostile import CORPORA, shown
from tests.browser.people import Agent, Customer
from tests.browser.planting import CHUNK, Bed, sown, whole
from tests.browser.watching import Watch, texts_of, watched

pytestmark = pytest.mark.browser

FEW = 120 if CORPORA else 6
"""So many single pages of one kind are opened at most, of all lists evenly."""
PATIENCE = 90_000 if CORPORA else 15_000
"""Milliseconds: with many conversations the browser is made to wait for its sessions."""
STREAMED = "\n\n".join(hostile.OWN[:12])
WIDGET = {
    "customer": "[data-from=customer] [part=body]",
    "model": "[data-from=bot] [part=body]",
    "flow": "[data-from=bot] [part=body]",
    "agent": "[data-from=agent] [part=body]",
    "agent's name": "[data-from=agent] [part=author]",
    "agent's file": "[data-from=agent] [part=file] .name",
    "customer's file": "[data-from=customer] [part=file] .name",
    "button": "[part=choice], a[part=link]",
    "button by hand": "[part=choice], [part=menu] option, [part=file] .name",
}
TALK = {
    "customer": ".message.customer .bubble",
    "model": ".message.bot .bubble",
    "flow": ".message.bot .bubble",
    "agent": ".message.agent .bubble",
    "agent's name": ".message.agent .author bdi",
    "agent's file": ".message.agent .file bdi",
    "customer's file": ".message.customer .file bdi",
    "choice": ".chip",
    "note": "#side .bullets li",
    "slot": "#side dd bdi",
    "tag": "#side .badge.accent",
}


_OF_THE_SHOP = """async () => {
    const names = (page) => [...page.querySelectorAll("*")].map((one) => one.localName);
    const sent = await (await fetch(location.href)).text();
    return [names(document), names(new DOMParser().parseFromString(sent, "text/html"))];
}"""
"""What stands in the shop's page, and what stood in it when it was sent."""


def answer(body: Mapping[str, Any]) -> Say:
    """The model says what the customer said."""
    said = str(body["messages"][-1].get("content", ""))
    if said == "Stream.":
        return Say(STREAMED, pieces=tuple(re.findall(r"[\s\S]{1,9}", STREAMED)), pace=0.01)
    return Say(said, pieces=(said,))


@dataclass
class Seen:
    """What was read off the pages, by place."""

    found: dict[str, set[str]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    async def read(self, page: Page, where: str, places: dict[str, str]) -> None:
        for place, selector in places.items():
            texts = await texts_of(page, selector)
            self.found.setdefault(f"{where}: {place}", set()).update(map(shown, texts))

    def all(self, bed: Bed, where: str, places: Iterable[str]) -> int:
        """How much of what was planted there was seen; `wrong` says what was not. Of others' lists a few may be lost: the
        bot has words of its own for some, such as "help"."""
        count = 0
        for place in places:
            wanted = {text for text in bed.planted[place] if text}
            assert wanted, place
            lost = wanted - self.found[f"{where}: {place}"]
            count += len(wanted) - len(lost)
            if len(lost) > (len(wanted) // 200 if CORPORA else 0):
                self.wrong.append(
                    f"{where}, {place}: {len(lost)} of {len(wanted)} lost, such as {sorted(lost)[:10]}"
                )
        return count


def some_of(texts: list[str], most: int = FEW) -> list[str]:
    return texts[:: max(1, len(texts) // most)]


async def test_hostile_texts_are_words_wherever_they_are_shown(tmp_path: Path, opens: Opens) -> None:
    texts = hostile.texts()
    async with sown(tmp_path, texts, FakeOpenAI(answer)) as bed:
        assert CORPORA or bed.missed == []
        seen = Seen()
        shop = await watched(opens, bed.here)
        await in_the_widget(bed, shop, seen)
        shop.clean()
        console = await watched(opens, bed.here)
        agent = await Agent(await console.context.new_page(), bed.here).signs_in("maya")
        await in_conversations(bed, console, agent, seen)
        await in_lists(bed, console, agent.page, seen)
        await asked_for(bed, console, agent.page, texts)
        console.clean()
        shown_as_words = (
            seen.all(bed, "widget", WIDGET)
            + seen.all(bed, "conversation", TALK)
            + seen.all(bed, "lists", ["customer's name", "canned title", "canned"])
        )
        print(
            f"{len(texts)} texts, seen as words in {shown_as_words} places, {shop.elements + console.elements} elements"
            f" looked at; {len(bed.missed)} not planted"
        )
        assert not seen.wrong, "\n".join(seen.wrong)


async def in_the_widget(bed: Bed, watch: Watch, seen: Seen) -> None:
    """Every long conversation, on the shop's page and on the chat's own."""
    page = await watch.context.new_page()
    customer = await Customer(page, bed.here).comes()
    await own_words(bed, watch, page)
    for number in bed.long:
        await page.evaluate("token => supportbot.identify(token)", bed.here.signed(f"long-{number}"))
        await whole_history(page, f"By hand in {number}.")
        await seen.read(page, "widget", WIDGET)
        await watch.look_at_widget(page)
    now, before = await page.evaluate(_OF_THE_SHOP)
    assert now == [*before, "supportbot-chat"], "nothing came into the shop's own page"
    await page.evaluate("token => supportbot.identify(token)", bed.here.signed("somebody-else"))
    await expect(page.locator("[part=prompt]").first).to_be_attached(timeout=10_000)
    await customer.says("Stream.")
    preview = page.locator("[part~=preview]")
    await expect(preview).to_be_visible(timeout=10_000)
    looks = 0
    while await preview.count():
        await watch.look_at_widget(page)
        looks += 1
    assert looks > 3, "it was looked at while it was written"
    await alone(bed, watch)


async def own_words(bed: Bed, watch: Watch, page: Page) -> None:
    """The words that the site chose for the widget, in the bot's config and in the tag."""
    config = bed.here.place.config["channels"]["web"]
    given = {"[part=title]": [config["title"]], "[part=launcher] .label": [config["launcher"]]}
    given |= {"[part=body]": [config["greeting"]], "[part=prompt]": config["prompts"]}
    await expect(page.locator("[part=prompt]").first).to_be_attached()
    for selector, words in given.items():
        found = [shown(text) for text in await texts_of(page, selector)]
        assert found == [shown(text.replace("$${", "${")) for text in words], selector
    await watch.look_at_widget(page)
    bait = escape(" ".join(hostile.OWN[:8]))
    names = ("title", "launcher", "accent", "theme", "position", "locale")
    bed.here.page["attributes"] = " ".join(f'data-{name}="{bait}"' for name in names)
    await page.reload()
    await expect(page.locator("[part=title]")).to_contain_text("<script>alert(1)</script>")
    await watch.look_at_widget(page)
    bed.here.page["attributes"] = ""
    await page.reload()
    await page.locator("[part=launcher]").click()


async def whole_history(page: Page, last: str) -> None:
    """Waits for the conversation, and loads it from its beginning."""
    await expect(page.locator("[part=entry]", has_text=last).last).to_be_attached(timeout=PATIENCE)
    older = page.locator("[part=older]")
    for _ in range(200):
        if await older.is_hidden():
            return
        await older.dispatch_event("click")
        await page.wait_for_timeout(50)
    raise AssertionError("the history does not end")


async def alone(bed: Bed, watch: Watch) -> None:
    """The page of the bot that has nothing but the chat, under its policy."""
    page = await watch.context.new_page()
    await page.goto(f"{bed.here.bot}/chat")
    await expect(page.locator("[part=panel]")).to_be_visible()
    await page.evaluate("token => supportbot.identify(token)", bed.here.signed("long-1"))
    await whole_history(page, "By hand in 1.")
    assert await page.locator("[part=entry]").count() > CHUNK
    await watch.look_at_widget(page)


async def in_conversations(bed: Bed, watch: Watch, agent: Agent, seen: Seen) -> None:
    """The long conversations with all that is in them, and of the short ones what stands beside the transcript."""
    page, console = agent.page, f"{bed.here.bot}/console"
    for id, _ in bed.long.values():
        await page.goto(f"{console}/c/{id}")
        older = page.locator("#older a")
        for _ in range(20):
            if not await older.count():
                break
            turns = await page.locator(".turn").count()
            await older.click()
            await expect(page.locator(".turn").nth(turns)).to_be_attached()
        await page.locator("#side details, .inside").evaluate_all(
            "all => all.forEach(one => { one.open = true; })"
        )
        for at in range(3):
            await page.locator(".why summary").nth(at).click()
            await expect(page.locator(".why-body").nth(at)).to_contain_text("Turn ")
        await seen.read(page, "conversation", TALK)
        await watch.look_at_console(page)
    await written_by_hand(watch, page)
    for text in some_of(list(bed.named), FEW):
        for path in (f"/c/{bed.named[text]}", f"/c/{bed.named[text]}/customer"):
            await page.goto(console + path)
            await watch.look_at_console(page)
            said = "".join(map(shown, await texts_of(page, "#content")))
            assert shown(text)[:150] in said, path


async def written_by_hand(watch: Watch, page: Page) -> None:
    """What the page fetches while somebody works in it: a preview, canned replies, news."""
    await page.locator("#reply-text").fill("\n\n".join(hostile.OWN))
    await page.get_by_role("button", name="Preview").click()
    await expect(page.locator("#preview")).to_contain_text("<script>alert(1)</script>")
    await watch.look_at_console(page)
    await page.locator("#reply-text").fill("")
    await page.get_by_role("button", name="Canned replies").click()
    first = page.locator("#canned-found .canned").first
    await expect(first).to_be_visible()
    await watch.look_at_console(page)
    words = (await texts_of(page, "#canned-found .canned >> nth=0 >> .clipped"))[0]
    await first.click()
    assert shown(await page.locator("#reply-text").input_value()) == shown(words)
    await page.get_by_role("button", name="Send").click()
    await expect(page.locator("#answer")).to_contain_text("Sent.")
    await watch.look_at_console(page)


async def in_lists(bed: Bed, watch: Watch, page: Page, seen: Seen) -> None:
    """Queue, search, canned replies, audit log, accounts, dashboards: every page of each."""
    console = f"{bed.here.bot}/console"
    lists: dict[str, dict[str, str]] = {
        "/queue?tab=waiting": {"customer's name": "a.line-name"},
        "/conversations?q=hostile": {"customer's name": ".who-link", "snippet": ".said"},
        "/replies": {"canned title": "h2[dir]", "canned": ".prose"},
        "/audit": {"detail": "td.long"},
        "/accounts": {},
        "/account": {},
        "/replies/1": {},
        "/dashboard/unanswered": {"question": "td.written"},
        **{f"/dashboard{part}": {} for part in ("", "/volume", "/handoffs", "/times", "/money")},
    }
    for path, places in lists.items():
        await page.goto(console + path)
        for _ in range(200):
            await watch.look_at_console(page)
            await seen.read(page, "lists", places)
            onward = page.locator("a[rel=next]").or_(page.get_by_role("link", name="Older", exact=True)).first
            if not await onward.count():
                break
            await page.goto(f"{bed.here.bot}{await onward.evaluate('one => one.pathname + one.search')}")
    short = {shown(f"hostile {text}") for text in bed.named if len(text) < 60}
    assert len(short - seen.found["lists: snippet"]) <= len(short) // 200, short - seen.found["lists: snippet"]
    assert len(seen.found["lists: question"] & set(bed.planted["customer"])) > CHUNK
    assert set(bed.planted["canned title"]) <= seen.found["lists: detail"], "the audit log names them"


async def asked_for(bed: Bed, watch: Watch, page: Page, texts: list[str]) -> None:
    """Addresses that have texts in them, and pages that say them again; as many at once as a field takes."""
    console = f"{bed.here.bot}/console"
    lines = together([whole(text) for text in texts], 190)
    for at in range(0, len(lines), 3):
        one, two, three = (lines * 3)[at : at + 3]
        await page.goto(f"{console}/conversations?{urlencode({'q': one, 'agent': two, 'reason': three})}")
        await watch.look_at_console(page)
        values = [(await texts_of(page, field))[0] for field in ("#q", "#agent", "#reason")]
        assert list(map(shown, values)) == list(map(shown, (one, two, three)))
    for one in some_of(lines, FEW // 2):
        given = quote(one, safe="")
        for path in (
            f"audit?account={given}&action={given}&object={given}",
            f"replies?q={given}",
            f"queue?tag={given}&desk={given}&tab={given}",
            f"dashboard?from={given}&to={given}&channel={given}",
            f"c/{given}",
            given,
        ):
            await page.goto(f"{console}/{path}")
            await watch.look_at_console(page)


def together(texts: list[str], longest: int) -> list[str]:
    """The texts in fewer lines, of at most so many characters each; longer ones are cut."""
    lines = [""]
    for text in texts:
        if len(lines[-1]) + len(text) > longest:
            lines.append("")
        lines[-1] = f"{lines[-1]} {text[: longest - 1]}".strip()
    return lines
