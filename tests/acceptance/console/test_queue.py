"""The queue as agents see it over HTTP: sections, filters, pages, and the stream that says when to look again."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import time
from pathlib import Path

import httpx2
import pytest
from consoling import House, eventually, opened

from supportbot.stores import lines
from supportbot.types.lines import QueueAsked

DESKS = {
    "desks": {
        "first": {"channel": "console", "agents": {"Maya Brand": {"id": "maya"}, "Jonas Weber": {"id": "jonas"}}},
        "billing": {"channel": "console", "tags": ["refund"]},
    }
}


def section(html: str, title: str) -> str:
    """The HTML of one section of the queue."""
    found = re.search(rf"<h2[^>]*>{title} .*?</section>", html, re.DOTALL)
    assert found is not None, html
    return found[0]


async def test_the_front_door_leads_to_the_queue(house: House) -> None:
    person = await house.person()
    answer = await person.get("/console")
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/queue")


async def test_who_is_not_signed_in_sees_nothing(house: House) -> None:
    conversation, _ = await house.asks_for_a_human(name="Ada")
    async with httpx2.AsyncClient(base_url=house.url, trust_env=False) as stranger:
        for path in ("", "/queue", "/queue/lines", f"/c/{conversation.id}", f"/c/{conversation.id}/newer"):
            answer = await stranger.get(f"/console{path}")
            assert answer.status_code == 303
            assert answer.headers["location"].startswith("/console/sign-in")
            assert "Ada" not in answer.text


async def test_the_queue_shows_who_waits_who_is_mine_and_who_is_with_others(house: House) -> None:
    maya, jonas = await house.person(), await house.person("jonas", "Jonas Weber")
    for chat, name in (("c1", "Ada"), ("c2", "Björn"), ("c3", "Chloé")):
        await house.customer(f"I am {name}, hello", chat=chat, name=name)
        await house.asks_for_a_human(chat=chat, name=name)
    await house.customer("Where is my parcel?", chat="c3", name="Chloé")
    first, second = [await house.bot.store.find("page", chat) for chat in ("c1", "c2")]
    assert first is not None and second is not None
    await maya.do(f"/console/c/{first.id}/claim")
    await jonas.do(f"/console/c/{second.id}/claim")
    html = (await maya.get("/console/queue")).text
    assert "Ada" in section(html, "Mine") and "Björn" not in section(html, "Mine")
    assert "Chloé" in section(html, "Waiting") and "Where is my parcel?" in section(html, "Waiting")
    assert "Björn" in section(html, "With others") and "Jonas Weber" in section(html, "With others")


async def test_urgent_ones_stand_first_then_who_waits_longest(house: House) -> None:
    maya = await house.person()
    ids = [(await house.asks_for_a_human(chat=f"c{n}", name=f"Customer {n}"))[1].id for n in range(3)]
    await house.bot.store.write(
        lambda connection: connection.execute("UPDATE handoffs SET priority = 2 WHERE public = ?", (ids[2],))
    )
    html = section((await maya.get("/console/queue")).text, "Waiting")
    assert re.findall(r"Customer \d</a>", html) == ["Customer 2</a>", "Customer 0</a>", "Customer 1</a>"]
    assert "urgent" in html


async def test_the_queue_is_filtered_by_desk_and_tag(tmp_path: Path) -> None:
    async with opened(tmp_path, config=DESKS) as house:
        maya = await house.person()
        (_, one), (_, two) = [await house.asks_for_a_human(chat=chat, name=chat) for chat in ("north", "south")]
        await house.bot.store.write(
            lambda connection: connection.execute(
                "UPDATE handoffs SET desk = 'billing', more = json_set(more, '$.tags', json('[\"vip\"]')) "
                "WHERE public = ?",
                (two.id,),
            )
        )
        shown = (await maya.get("/console/queue?desk=first")).text
        assert one.conversation in shown and two.conversation not in shown
        shown = (await maya.get("/console/queue?tag=vip")).text
        assert two.conversation in shown and one.conversation not in shown
        shown = (await maya.get("/console/queue?desk=first&tag=vip")).text
        assert one.conversation not in shown and two.conversation not in shown


async def test_what_ended_lately_has_a_tab_of_its_own(house: House) -> None:
    maya = await house.person()
    conversation, handoff = await house.asks_for_a_human(name="Ada")
    await maya.do(f"/console/c/{conversation.id}/claim", handoff=handoff.id)
    await maya.do(f"/console/c/{conversation.id}/resolve", handoff=handoff.id)
    assert "Ada" not in (await maya.get("/console/queue")).text
    ended = (await maya.get("/console/queue?tab=ended")).text
    assert "Ada" in ended and "resolved" in ended


@pytest.mark.parametrize("query", ["tab=nonsense", "page=-1", "page=99999999999999", "page=²", "desk=%00&tag=%F0"])
async def test_a_nonsense_address_is_an_ordinary_page(house: House, query: str) -> None:
    assert (await (await house.person()).get(f"/console/queue?{query}")).status_code == 200


async def test_names_tags_and_words_with_markup_are_escaped(tmp_path: Path) -> None:
    evil = "<img src=x onerror=alert(1)>"
    async with opened(tmp_path, config=DESKS) as house:
        maya = await house.person(name=f"Maya {evil}")
        conversation, handoff = await house.asks_for_a_human(name=f"Ada {evil}")
        await house.customer(f"Help {evil}", name=f"Ada {evil}")
        await house.bot.store.write(
            lambda connection: connection.execute(
                "UPDATE handoffs SET more = json_set(more, '$.tags', json_array(?)), assignee = ?", (evil, evil)
            )
        )
        await maya.do(f"/console/c/{conversation.id}/claim", handoff=handoff.id)
        for path in ("/console/queue", f"/console/queue?tag={evil}", f"/console/c/{conversation.id}"):
            html = (await maya.get(path)).text
            assert "&lt;img src=x onerror=alert(1)&gt;" in html
            assert "<img src=x" not in html


async def test_pages_have_headers_that_let_nothing_foreign_in(house: House) -> None:
    answer = await (await house.person()).get("/console/queue")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "script-src 'self'" in policy and "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy and "base-uri 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert not re.search(r"\son\w+=|\sstyle=|<script(?![^>]* src=)|<style", answer.text)


async def test_static_files_are_kept_for_ever_under_their_contents_name(house: House) -> None:
    person = await house.person()
    page = (await person.get("/console/queue")).text
    address = re.search(r'href="(/console/static/console\.css\?v=\w+)"', page)
    assert address is not None
    found = await person.get(address[1])
    assert found.headers["content-type"].startswith("text/css")
    assert "immutable" in found.headers["cache-control"]
    assert (await person.get("/console/static/console.css")).headers["cache-control"] == "public, max-age=300"
    for name in ("nothing.css", "..%2fviews.py", "%2e%2e/views.py"):
        assert (await person.get(f"/console/static/{name}")).status_code == 404


# --- live ---------------------------------------------------------------------------------------------------


async def test_open_pages_are_told_when_the_queue_changes(house: House) -> None:
    maya = await house.person()
    async with maya.http.stream("GET", "/console/events?topics=queue") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        heard = stream.aiter_lines()
        assert await anext(heard) == "retry: 2000"
        began = time.monotonic()
        await house.asks_for_a_human()
        async with asyncio.timeout(5):
            while await anext(heard) != "event: queue":
                pass
        assert time.monotonic() - began < 2


async def test_many_changes_at_once_are_told_once_or_twice(house: House) -> None:
    maya = await house.person()
    async with maya.http.stream("GET", "/console/events?topics=queue") as stream:
        heard = stream.aiter_lines()
        await anext(heard)
        for _ in range(200):
            house.bot.changes.tell("queue")
            await asyncio.sleep(0.003)
        house.bot.changes.close()
        assert 1 <= [line async for line in heard].count("event: queue") <= 4


async def test_the_stream_ends_when_the_house_closes(house: House) -> None:
    maya = await house.person()
    async with maya.http.stream("GET", "/console/events?topics=queue") as stream:
        house.bot.changes.close()
        async with asyncio.timeout(3):
            assert "event: over" not in [line async for line in stream.aiter_lines()]


async def test_a_stream_ends_with_its_session(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("supportbot.console.live.BEAT", 0.2)
    monkeypatch.setattr("supportbot.console.live.PAUSE", 0.01)
    maya = await house.person()
    async with maya.http.stream("GET", "/console/events?topics=queue") as stream:
        heard = stream.aiter_lines()
        async with asyncio.timeout(5):
            while await anext(heard) != "event: beat":
                pass
            account = await house.bot.store.console.by_login("maya")
            assert account is not None
            await house.bot.store.console.end_sessions(account[0].id)
            rest = [line async for line in heard]
    assert "event: over" in rest
    await eventually(lambda: _nobody_watches(house))


async def _nobody_watches(house: House) -> bool:
    return house.bot.changes.watchers == 0


@pytest.mark.parametrize(
    "topics", ["", "everything", "c:", "c:a/b", "queue\nevent: x", ",".join(f"c:{n}" for n in range(9))]
)
async def test_there_is_no_stream_of_anything_else(house: House, topics: str) -> None:
    maya = await house.person()
    answer = await maya.http.get("/console/events", params={"topics": topics})
    assert answer.status_code == 404


# --- many ---------------------------------------------------------------------------------------------------


def _fill(connection: sqlite3.Connection, count: int) -> None:
    """So many open handoffs, each with a conversation and a last word."""
    now = time.time()
    numbers = range(1_000, 1_000 + count)
    connection.executemany(
        """INSERT INTO conversations (id, public, channel, chat, thread, customer, customer_name, created_at, updated_at)
        VALUES (?, 'c_' || ?, 'page', 'x' || ?, '', 'u', 'Customer ' || ?, ?, ?)""",
        ((n, n, n, n, now, now) for n in numbers),
    )
    connection.executemany(
        "INSERT INTO messages (conversation, turn, role, tokens, content) VALUES (?, 1, 1, 2, 'Help me')",
        ((n,) for n in numbers),
    )
    connection.executemany(
        """INSERT INTO handoffs (public, conversation, reason, detail, summary, requested_at, deadline, ceiling, status,
        agent, noticed, notes, user, user_name, priority) VALUES ('h_' || ?, ?, 'requested', '', '', ?, ?, ?,
        'waiting', '', 0, '[]', 'u', 'Customer', ?)""",
        ((n, n, now - n, now + 900, now + 86_400, n % 3) for n in numbers),
    )


async def test_ten_thousand_that_wait_make_bounded_pages(house: House) -> None:
    maya = await house.person()
    await house.bot.store.write(lambda connection: _fill(connection, 10_000))
    first = (await maya.get("/console/queue")).text
    assert "10,000" in first
    assert first.count("data-row") <= 100
    page = (await maya.get("/console/queue?tab=waiting&page=200")).text
    assert page.count("data-row") == 50 and "Page 200 of 200" in page
    began = time.perf_counter()
    for _ in range(5):
        await maya.part("/console/queue/lines")
    assert (time.perf_counter() - began) / 5 < 0.2


async def test_a_page_of_the_queue_reads_no_table_from_end_to_end(house: House) -> None:
    statement = lines.QUEUE_PAGES["others", "waiting"]
    values = {**lines._values(QueueAsked()), "limit": 50, "offset": 0}
    plan = await house.bot.store.read(
        lambda connection: [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
    )
    assert not [
        step for step in plan if step.startswith("SCAN") and "json_each" not in step and "value" not in step
    ]
