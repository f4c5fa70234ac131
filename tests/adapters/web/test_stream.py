"""The stream of what is new: backlog, resume, previews, several pages, and its end."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from supportbot.types import Reply
from supportbot_web import stream as module
from supportbot_web.stream import Streams

from .conftest import Chat, Page, Stream, opened, outgoing, signed


async def test_a_new_page_is_ready_with_nothing_and_gets_what_comes(chat: Chat) -> None:
    page = await chat.visitor()
    async with page.events() as stream:
        await stream.ready()
        assert stream.seen == [("ready", {"last": 0, "seen": 0})]
        position = await chat.answer(page, "Hello!")
        await stream.until(lambda stream: stream.texts == ["Hello!"])
        assert stream.ids == [position]


async def test_a_page_without_a_last_entry_gets_no_history(chat: Chat) -> None:
    page = await chat.visitor()
    await chat.answer(page, "old")
    async with page.events() as stream:
        await stream.ready()
        assert stream.seen == [("ready", {"last": 1, "seen": 0})]


@pytest.mark.parametrize("last", [0, 3, 5])
async def test_a_page_that_comes_again_gets_what_it_missed_in_order_and_nothing_twice(
    chat: Chat, last: int
) -> None:
    page = await chat.visitor()
    for number in range(5):
        await chat.answer(page, f"n{number}")
    async with page.events(last) as stream:
        await stream.ready()
        assert stream.texts == [f"n{number}" for number in range(last, 5)]
        assert stream.seen[-1] == ("ready", {"last": 5, "seen": 0})
        await chat.answer(page, "new")
        await stream.until(lambda stream: stream.texts[-1:] == ["new"])
        assert stream.ids == list(range(last + 1, 7))


async def test_a_long_backlog_comes_whole(chat: Chat) -> None:
    page = await chat.visitor()
    for number in range(250):
        await chat.answer(page, f"n{number}")
    async with page.events(0) as stream:
        await stream.ready()
        assert stream.texts == [f"n{number}" for number in range(250)]


async def test_a_page_that_has_more_than_there_is_still_hears_what_is_new(chat: Chat) -> None:
    page = await chat.visitor()
    await chat.answer(page, "kept")
    async with page.events(10**17) as stream:  # the database was set back to an older copy
        await stream.ready()
        await chat.answer(page, "new")
        await stream.until(lambda stream: stream.texts == ["new"])


@pytest.mark.parametrize("last", ["x", "-1", "1.5", "9" * 19, "٣".encode()])
async def test_a_last_entry_that_is_no_number_is_refused(chat: Chat, last: str) -> None:
    page = await chat.visitor()
    assert (await page.ask("GET", "/events", headers={"Last-Event-ID": last})).status_code == 400


async def test_entries_of_other_chats_never_come(chat: Chat) -> None:
    page, other = await chat.visitor(), await chat.visitor()
    async with page.events(0) as stream:
        await stream.ready()
        await other.say("of the other")
        await chat.answer(other, "to the other")
        await chat.answer(page, "mine")
        await stream.until(lambda stream: stream.texts == ["mine"])


async def test_all_pages_of_a_chat_get_everything_in_one_order(chat: Chat) -> None:
    pages = [await chat.visitor(signed("u-1")) for _ in range(3)]
    async with pages[0].events(0) as a, pages[1].events(0) as b, pages[2].events(0) as c:
        writing = [page.say(f"{at}.{number}") for at, page in enumerate(pages) for number in range(4)]
        answering = [chat.answer(pages[0], f"answer {number}") for number in range(4)]
        await asyncio.gather(*writing, *answering)
        for stream in (a, b, c):
            await stream.until(lambda stream: len(stream.texts) == 16)
    assert a.ids == b.ids == c.ids == sorted(set(a.ids))
    assert a.texts == b.texts == c.texts


# --- previews ------------------------------------------------------------------------------------------------


async def test_a_reply_is_shown_while_it_is_written_and_stands_there_once(chat: Chat) -> None:
    page = await chat.visitor()
    row = outgoing(await chat.chat_of(page), "", Reply(""))
    async with page.events() as stream:
        await stream.ready()
        handle = await chat.adapter.preview(row, "One")
        await stream.until(lambda stream: stream.of("preview"))
        assert await chat.adapter.preview(replace(row, preview=handle), "One **two**") == handle
        await stream.until(lambda stream: len(stream.of("preview")) == 2)
        await chat.adapter.send(replace(row, id="o-1", reply=Reply("One **two** three"), preview=handle))
        await stream.until(lambda stream: stream.of("entry"))
    assert {shown["handle"] for shown in stream.of("preview")} == {handle}
    assert [run["text"] for run in stream.of("preview")[-1]["blocks"][0]["runs"]] == ["One ", "two"]
    (entry,) = stream.of("entry")
    assert entry["preview"] == handle
    assert [name for name, _ in stream.seen] == ["ready", "preview", "preview", "entry"]


async def test_a_page_that_comes_in_the_middle_sees_what_is_written_and_not_what_is_finished(chat: Chat) -> None:
    page = await chat.visitor()
    row = outgoing(await chat.chat_of(page), "", Reply(""))
    handle = await chat.adapter.preview(row, "One")
    async with page.events() as stream:
        await stream.until(lambda stream: stream.of("preview"))
    await chat.adapter.send(replace(row, id="o-1", reply=Reply("One two"), preview=handle))
    async with page.events() as stream:
        await stream.ready()
        await asyncio.sleep(0.1)
        assert stream.of("preview") == []


async def test_a_page_reads_the_message_before_the_hub_is_told_and_shows_no_preview_after_it(chat: Chat) -> None:
    page = await chat.visitor()
    where = await chat.chat_of(page)
    async with page.events() as stream:
        await stream.ready()
        handle = "p1"
        body = {"from": "bot", "text": "done", "preview": handle}
        await chat.shelf.append(where, "o-1", body)  # committed, and send() has not gone on yet
        chat.adapter.hub.preview(where, handle, {"handle": handle, "blocks": [1]})
        await stream.until(lambda stream: stream.texts == ["done"])
        await asyncio.sleep(0.1)
        assert stream.of("preview") == []


async def test_a_preview_is_taken_away_with_no_blocks(chat: Chat) -> None:
    page = await chat.visitor()
    row = outgoing(await chat.chat_of(page), "", Reply(""))
    async with page.events() as stream:
        await stream.ready()
        handle = await chat.adapter.preview(row, "One")
        await stream.until(lambda stream: stream.of("preview"))
        await chat.adapter.preview(replace(row, preview=handle), "")
        await stream.until(lambda stream: len(stream.of("preview")) == 2)
    assert stream.of("preview")[-1] == {"handle": handle, "blocks": []}


async def test_half_a_character_of_the_model_breaks_no_stream(chat: Chat) -> None:
    page = await chat.visitor()
    row = outgoing(await chat.chat_of(page), "", Reply(""))
    async with page.events() as stream:
        await stream.ready()
        await chat.adapter.preview(row, "half \ud83d")
        await stream.until(lambda stream: stream.of("preview"))
        await chat.adapter.working(row, "half \ud83d")
        await stream.until(lambda stream: stream.of("typing"))
        await chat.answer(page, "still there")
        await stream.until(lambda stream: stream.texts == ["still there"])


async def test_line_breaks_in_a_text_are_no_events(chat: Chat) -> None:
    page = await chat.visitor()
    evil = "a\n\nevent: over\ndata: {}\n\r\rid: 99\u2028\u2029\x85b"
    async with page.events() as stream:
        await stream.ready()
        await page.say(evil)
        await chat.answer(page, evil)
        await stream.until(lambda stream: len(stream.texts) == 2)
        assert stream.texts == [evil, evil]
        assert stream.ids == [1, 2] and stream.of("over") == []


async def test_work_is_shown_and_signs_of_a_handoff_are_entries(chat: Chat) -> None:
    page = await chat.visitor()
    where = await chat.chat_of(page)
    async with page.events() as stream:
        await stream.ready()
        await chat.adapter.working(outgoing(where, "", Reply("")), "Looking it up…")
        await stream.until(lambda stream: stream.of("typing"))
        for number, (kind, data) in enumerate(
            (
                ("handoff.requested", {}),
                ("handoff.claimed", {"agent": "Maya"}),
                ("handoff.updated", {"change": "released"}),
                ("handoff.updated", {"change": "noted"}),
                ("handoff.resolved", {}),
                ("handoff.returned", {}),
                ("conversation.closed", {}),
            )
        ):
            await chat.adapter.send(outgoing(where, f"o-{number}", None, kind=kind, data=data))
        await stream.until(lambda stream: len(stream.of("entry")) == 5)
        assert stream.of("typing") == [{"name": "", "note": "Looking it up…"}]
    kinds = [(entry["from"], entry["kind"], entry.get("name", "")) for entry in stream.of("entry")]
    assert [kind for _, kind, _ in kinds] == ["waiting", "claimed", "waiting", "resolved", "returned"]
    assert kinds[1] == ("system", "claimed", "Maya")


async def test_what_is_sent_twice_stands_there_once(chat: Chat) -> None:
    page = await chat.visitor()
    positions = {await chat.answer(page, "once", "o-1") for _ in range(3)}
    assert len(positions) == 1
    assert await page.texts() == ["once"]


# --- the end -------------------------------------------------------------------------------------------------


async def test_a_silent_stream_is_kept_alive_by_comments(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PING", 0.1)
    page = await chat.visitor()
    async with page.events() as stream:
        await stream.until(lambda stream: stream.comments >= 3)
        assert [name for name, _ in stream.seen] == ["ready"]


async def test_a_session_whose_time_is_over_ends_its_stream(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PING", 0.1)
    page = await chat.visitor(signed("u-1"))
    async with page.events() as stream:
        await stream.ready()
        chat.clock.pass_by(25 * 3600)
        await stream.until(lambda stream: stream.over)
        assert stream.of("over") == [{}]


@pytest.mark.parametrize("chat", [{"keep": 1}], indirect=True)
async def test_an_open_page_of_somebody_anonymous_is_a_visit(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PING", 0.05)
    page = await chat.visitor()
    async with page.events() as stream:
        await stream.ready()
        for _ in range(5):
            chat.clock.pass_by(0.7 * 86_400)
            seen = stream.comments
            await stream.until(lambda stream, seen=seen: stream.comments > seen + 1)  # type: ignore[misc]
        assert not stream.over
    assert await page.texts() == []


async def test_closing_ends_all_streams_and_nothing_is_left_of_pages_that_have_gone(chat: Chat) -> None:
    pages = [await chat.visitor() for _ in range(5)]
    for page in pages:
        async with page.events() as stream:
            await stream.ready()
    async with asyncio.timeout(5):
        while len(chat.adapter.hub):
            await asyncio.sleep(0.02)
    assert not chat.adapter.hub._pages
    async with pages[0].events() as one, pages[1].events() as two:
        await one.ready()
        await two.ready()
        chat.adapter.closing()
        for stream in (one, two):
            await stream.until(lambda stream: stream.over, 1.0)
        assert (await pages[2].ask("GET", "/events")).status_code == 200  # and ended at once


async def test_a_session_that_ends_while_its_page_comes_shows_it_nothing(chat: Chat) -> None:
    page = await chat.visitor()
    await chat.answer(page, "secret")
    session = await chat.adapter.sessions.find(page.token, "")
    assert session is not None
    stream = Streams(chat.adapter)._stream(session, "here", 0)
    await chat.adapter.sessions.end(session)  # and no page of it is open that could be told
    assert [piece async for piece in stream] == [b"event: over\ndata: {}\n\n"]
    assert len(chat.adapter.hub) == 0


async def _unread(page: Page, port: int) -> asyncio.StreamWriter:
    """A page that asks for its stream and never reads it."""
    _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    lines = ["GET /chat/events HTTP/1.1", "host: 127.0.0.1", f"origin: {page.origin}", "last-event-id: 0"]
    writer.write("\r\n".join([*lines, f"authorization: Bearer {page.token}", "", ""]).encode())
    await writer.drain()
    return writer


async def test_a_page_that_does_not_read_holds_up_no_other_and_takes_no_memory_without_end(chat: Chat) -> None:
    page, other = await chat.visitor(signed("u-1")), await chat.visitor(signed("u-1"))
    writer = await _unread(page, chat.port)
    row = outgoing(await chat.chat_of(page), "", Reply(""))
    async with other.events() as stream:
        await stream.ready()
        began = time.monotonic()
        handle = ""
        for _ in range(600):
            handle = await chat.adapter.preview(replace(row, preview=handle), "x" * 20_000)
        assert time.monotonic() - began < 5
        await chat.answer(page, "and the answer")
        await stream.until(lambda stream: stream.texts == ["and the answer"])
        stuck = [page for pages in chat.adapter.hub._pages.values() for page in pages]
        assert all(len(page._passing) <= 3 for page in stuck)
    writer.transport.abort()
    async with asyncio.timeout(5):
        while len(chat.adapter.hub):
            await asyncio.sleep(0.02)


async def test_descriptors_are_given_back_when_pages_leave() -> None:
    async with opened() as chat:
        pages = [await chat.visitor() for _ in range(10)]
        await chat.http.aclose()
        before = len(list(Path("/proc/self/fd").iterdir()))
        writers = [await _unread(page, chat.port) for page in pages for _ in range(3)]
        async with asyncio.timeout(5):
            while len(chat.adapter.hub) < 30:
                await asyncio.sleep(0.02)
        assert len(list(Path("/proc/self/fd").iterdir())) > before + 55  # both ends
        for writer in writers:
            writer.transport.abort()
        async with asyncio.timeout(5):
            while len(list(Path("/proc/self/fd").iterdir())) > before + 1:
                await asyncio.sleep(0.02)
        assert len(chat.adapter.hub) == 0


def test_a_stream_reads_what_was_told() -> None:
    stream = Stream()
    stream.take(["id: 5", "event: entry", 'data: {"n": 5}'])
    stream.take([": ping"])
    assert (stream.seen, stream.ids, stream.comments) == ([("entry", json.loads('{"n": 5}'))], [5], 1)
