"""The dashboards of a running bot: the figures on the page are what happened."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import io
import re
import secrets
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import httpx2
import pytest

from supportbot.console.dashboard import PAGE, choose, open_seconds
from supportbot.console.sections import SECTIONS
from supportbot.hours import Hours, span
from supportbot.models.scripted import ScriptedModel
from supportbot.testing.site import Site, serving
from supportbot.types import ModelAnswer, ModelRequest, Usage
from supportbot.types.console import ConsoleSession, Role
from supportbot.types.reports import Period

DELIVERY = "# Delivery\n\nDelivery takes two to four working days.\n"
HOSTILE = "<script>alert(1)</script>=1+1?"


class Desk:
    """Somebody signed in to the console of a running bot."""

    def __init__(self, site: Site, http: httpx2.AsyncClient, csrf: str) -> None:
        self.site, self.http, self.csrf = site, http, csrf

    async def page(self, path: str = "", **query: str) -> str:
        answer = await self.http.get(f"{PAGE}{path}", params=query)
        assert answer.status_code == 200, answer.text
        return answer.text

    async def tiles(self, path: str = "", **query: str) -> dict[str, str]:
        """The figures of a page by their names."""
        found = re.findall(r'<li class="card tile">(.*?)</li>', await self.page(path, **query), re.DOTALL)
        words = [unescape(re.sub(r"<[^>]+>|\n", " ", one)).split("  ") for one in found]
        parts = [[word.strip() for word in one if word.strip()] for one in words]
        return {name: value for name, value, *_ in parts}

    async def saved(self, section: str, table: str, **query: str) -> list[dict[str, str]]:
        answer = await self.http.get(f"{PAGE}/{section}.csv", params={"table": table, **query})
        assert answer.status_code == 200, answer.text
        return list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))

    async def post(self, path: str, **fields: str) -> httpx2.Response:
        headers = {"Sec-Fetch-Site": "same-origin"}
        return await self.http.post(f"{PAGE}{path}", data={"csrf": self.csrf, **fields}, headers=headers)


def answer(request: ModelRequest) -> ModelAnswer:
    usage = Usage("gpt-5", "reply", 1000, 400, 20, 1_450_000, at=time.time())
    return ModelAnswer(f"You asked: {request.question}", usage=(usage,))


@asynccontextmanager
async def desk(folder: Path, role: Role = "lead", **config: Any) -> AsyncIterator[Desk]:
    (folder / "knowledge").mkdir()
    (folder / "knowledge" / "delivery.md").write_text(DELIVERY, "utf-8")
    async with serving(folder, model=ScriptedModel(answer), config=config) as site:
        account = await site.bot.store.console.create("lea", name="Lea", role=role, now=time.time())
        token, csrf, now = secrets.token_urlsafe(32), secrets.token_urlsafe(32), time.time()
        digest = hashlib.sha256(token.encode()).hexdigest()
        session = ConsoleSession(digest, account.id, csrf, now, now, now + 3600)
        await site.bot.store.console.open_session(session, replaces="")
        cookie = {"cookie": f"supportbot_session={token}"}
        async with httpx2.AsyncClient(base_url=site.url, headers=cookie, trust_env=False, timeout=20) as http:
            yield Desk(site, http, csrf)


async def settled(site: Site, count: int) -> None:
    """Waits until nothing waits for its turn and `count` replies are delivered."""
    await site.replies(count)
    async with asyncio.timeout(10):
        while (await site.bot.store.counts())["inbox_pending"]:
            await asyncio.sleep(0.01)


async def happened(site: Site) -> None:
    """Two questions, one of them open, and a handoff that a human answers, resolves, and that is rated."""
    ana = {"id": "a-ana", "name": "Ana"}
    await site.say("Do you ship to Mars?", conversation="c1")
    await site.say("How long does delivery take?", conversation="c2")
    await site.say("/human", conversation="c3")
    for number, (kind, text) in enumerate(
        [("handoff.claimed", ""), ("human.message", "Hello."), ("handoff.resolved", "")]
    ):
        await site.post(text, conversation="c3", type=kind, user=ana)
        await settled(site, number)
    await site.say(conversation="c3", type="action", action={"id": "handoff.rate.4"})


async def test_the_figures_are_what_happened(tmp_path: Path) -> None:
    async with desk(tmp_path, handoff={"rating": True}) as lead:
        await happened(lead.site)
        tiles = await lead.tiles(days="7")
        assert tiles["Conversations"] == "3" and tiles["Handoffs"] == "1"
        assert tiles["Without a human"] == "66.7 %"
        assert tiles["Spent on models"] == "$2.90"
        assert tiles["Satisfaction"] == "4.00 ★"
        assert tiles["Unanswered questions"] == "1" and tiles["Failed deliveries"] == "0"
        (model,) = await lead.saved("money", "models")
        assert model == {
            "Model": "gpt-5",
            "Calls": "2",
            "Prompt tokens": "2000",
            "of them cached": "800",
            "Completion tokens": "40",
            "Calls without a price": "0",
            "Cost (USD)": "2.9",
        }
        (channel,) = await lead.saved("volume", "channels")
        assert (channel["Channel"], channel["Customers' messages"], channel["Agents' replies"]) == (
            "desk",
            "4",
            "1",
        )
        (agent,) = await lead.saved("handoffs", "agents")
        assert (agent["Agent"], agent["Resolved"], agent["Ratings"]) == ("Ana", "1", "1")
        assert [row["Handoffs"] for row in await lead.saved("times", "times")] == ["1", "1", "1"]
        stars = await lead.saved("satisfaction", "stars")
        assert [row["Ratings"] for row in stars] == ["0", "0", "0", "1", "0"]
        (question,) = await lead.saved("unanswered", "newest")
        assert question["Question"] == "Do you ship to Mars?"
        page = await lead.page("/unanswered")
        conversation = await lead.site.bot.store.find("desk", "c1")
        assert conversation is not None and f'href="/console/c/{conversation.id}"' in page


async def test_a_restart_counts_nothing_twice(tmp_path: Path) -> None:
    async with desk(tmp_path) as lead:
        await lead.site.say("Do you ship to Mars?")
        before = await lead.site.bot.store.read(
            lambda connection: connection.execute("SELECT * FROM tallies").fetchall()
        )
    async with serving(tmp_path, model=ScriptedModel(answer)) as site:
        after = await site.bot.store.read(
            lambda connection: connection.execute("SELECT * FROM tallies").fetchall()
        )
    assert before == after


@pytest.mark.parametrize("section", list(SECTIONS))
async def test_every_section_stands_without_figures_and_obeys_the_policy(tmp_path: Path, section: str) -> None:
    async with desk(tmp_path) as lead:
        page = await lead.page("" if section == "overview" else f"/{section}")
        assert not re.search(r"<[^>]+\s(style|on\w+)=|<style|<script(?! src=\"/console/static/)|NaN|None", page)
        assert "in UTC" in page


async def test_the_days_are_those_of_the_business_hours(tmp_path: Path) -> None:
    hours = {"timezone": "Pacific/Auckland", "weekly": {"mon-sun": "09:00-17:00"}}
    async with desk(tmp_path, handoff={"hours": hours}) as lead:
        assert "days in Pacific/Auckland" in await lead.page()
        heads = await lead.saved("times", "times")
        assert [row["Time"] for row in heads][-1] == "Waiting in business hours"


async def test_what_customers_wrote_is_shown_and_saved_as_words(tmp_path: Path) -> None:
    async with desk(tmp_path) as lead:
        for chat in ("c1", "c2"):
            await lead.site.say(HOSTILE, conversation=chat)
        page = await lead.page("/unanswered")
        assert "&lt;script&gt;alert(1)" in page and "<script>alert" not in page
        await lead.site.say("=HYPERLINK(A1)?", conversation="c3")
        rows = await lead.saved("unanswered", "newest")
        assert rows[0]["Question"] == "'=HYPERLINK(A1)?"
        (frequent,) = await lead.saved("unanswered", "frequent")
        assert (frequent["Times"], frequent["Question"]) == ("2", HOSTILE)


async def test_a_channel_and_a_period_can_be_chosen(tmp_path: Path) -> None:
    async with desk(tmp_path) as lead:
        await lead.site.say("Do you ship to Mars?")
        today = datetime.now(UTC).date()
        week_ago = {"from": str(today - timedelta(days=8)), "to": str(today - timedelta(days=2))}
        assert (await lead.tiles())["Conversations"] == "1"
        assert (await lead.tiles(channel="desk"))["Conversations"] == "1"
        assert (await lead.tiles(channel="other"))["Conversations"] == "0"
        assert (await lead.tiles(**week_ago))["Conversations"] == "0"


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"days": "no"}, "'no' is no number of days from 1 to 366."),
        ({"days": "0"}, "'0' is no number of days from 1 to 366."),
        ({"days": "9" * 5000}, "is no number of days"),
        ({"from": "yesterday"}, "'yesterday' is no day such as 2026-03-31."),
        (
            {"from": "2026-03-02", "to": "2026-03-01"},
            "The last day, 2026-03-01, lies before the first, 2026-03-02.",
        ),
        ({"from": "2020-01-01", "to": "2026-03-01"}, "A period has at most 366 days"),
        ({"from": "0001-01-01", "to": "0001-01-02"}, "0001-01-01 lies outside of the calendar."),
    ],
)
async def test_what_cannot_be_read_is_said_in_a_sentence(
    tmp_path: Path, query: dict[str, str], sentence: str
) -> None:
    async with desk(tmp_path) as lead:
        page = await lead.http.get(PAGE, params=query)
        assert page.status_code == 400 and sentence in unescape(page.text)
        assert (await lead.http.get(f"{PAGE}/volume.csv", params=query)).status_code == 400


@pytest.mark.parametrize("path", ["/nothing", "/nothing.csv", "/volume.csv?table=agents", "/../accounts"])
async def test_what_is_no_dashboard_is_not_found(tmp_path: Path, path: str) -> None:
    async with desk(tmp_path) as lead:
        assert (await lead.http.get(PAGE + path)).status_code == 404


async def test_agents_find_no_dashboards(tmp_path: Path) -> None:
    async with desk(tmp_path, "agent") as agent:
        assert (await agent.http.get(PAGE)).status_code == 404
        assert (await agent.http.get(f"{PAGE}/money.csv")).status_code == 404
        assert (await agent.post("/retry", id="msg_1")).status_code == 404


def bury(connection: sqlite3.Connection) -> str:
    """A dead copy of the newest reply, with other words."""
    connection.execute(
        """INSERT INTO outbox (public, conversation, turn, channel, kind, user, user_name, in_reply_to, part, parts,
            text, preview, created_at, due_at, attempt, error, finished_at, dead)
        SELECT 'msg_dead', conversation, turn, channel, kind, user, user_name, in_reply_to, part, parts,
            'Once more.', '', created_at, due_at, 12, '<b>gone</b>', created_at, 1 FROM outbox ORDER BY id DESC LIMIT 1"""
    )
    return "msg_dead"


async def test_a_failed_delivery_is_sent_again_by_a_press_and_that_is_written_down(tmp_path: Path) -> None:
    async with desk(tmp_path) as lead:
        await lead.site.post("Do you ship to Mars?")
        await lead.site.replies(1)
        await settled(lead.site, 1)
        id = await lead.site.bot.store.write(bury)
        page = await lead.page("/deliveries")
        assert "&lt;b&gt;gone&lt;/b&gt;" in page and f'name="id" value="{id}"' in page
        foreign = await lead.http.post(f"{PAGE}/retry", data={"id": id}, headers={"Sec-Fetch-Site": "cross-site"})
        assert foreign.status_code == 403
        sent = await lead.post("/retry", id=id, days="7", channel="desk")
        assert (sent.status_code, sent.headers["location"]) == (
            303,
            f"{PAGE}/deliveries?days=7&channel=desk&retried=yes",
        )
        replies = await lead.site.replies(2)
        assert [reply["text"] for reply in replies][1] == "Once more."
        again = await lead.post("/retry", id=id)
        assert again.headers["location"].endswith("retried=no")
        assert "Everything has arrived." in await lead.page("/deliveries", retried="yes")
        rows = await lead.site.bot.store.console.audit()
        assert [(row.account, row.action, row.object) for row in rows if row.action == "delivery.retried"] == [
            ("lea", "delivery.retried", f"message:{id}")
        ]


# --- what needs no bot ---------------------------------------------------------------------------------------


def test_the_usual_period_ends_today() -> None:
    today = datetime(2026, 3, 31, tzinfo=UTC).date()
    assert choose({}, today, "UTC").period == Period(today - timedelta(days=29), today, "UTC")
    chosen = choose({"from": "2026-03-01", "to": "2026-03-02", "channel": "a&b"}, today, "UTC")
    assert (chosen.days, chosen.query) == (0, "from=2026-03-01&to=2026-03-02&channel=a%26b")


def test_open_time_is_looked_up_as_the_hours_count_it() -> None:
    hours = Hours("Europe/Berlin", (tuple(span("09:00-18:00") for _ in range(1)),) * 5 + ((), ()))
    since = datetime(2026, 3, 23, tzinfo=UTC).timestamp()
    counted = open_seconds(hours, since, since + 30 * 86_400)
    for start in range(0, 14 * 86_400, 5 * 3600):
        for length in (0, 600, 7200, 40_000, 3 * 86_400):
            a, b = since + start, since + start + length
            asked = hours.open_seconds(datetime.fromtimestamp(a, UTC), datetime.fromtimestamp(b, UTC))
            assert counted(a, b) == pytest.approx(asked)


def test_around_the_clock_everything_is_open() -> None:
    assert open_seconds(Hours.ALWAYS, 0.0, 1000.0)(10.0, 110.0) == 100.0
