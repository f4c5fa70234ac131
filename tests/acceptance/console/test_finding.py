"""The search over conversations, on the served console."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urljoin

from searching import ANSWERED, fields, links, said, searched, words

from supportbot.testing.site import Site
from supportbot.types import Address, Message, User

PAGE = "/console/conversations"
HOSTILE = '<img src=x onerror=alert(1)> "><script>alert(2)</script> zebra {{ 7*7 }} \u202egnorw'


async def test_conversations_stand_there_newest_first_with_what_the_customer_said_last(tmp_path: Path) -> None:
    async with searched(tmp_path) as (site, agent):
        first = await said(site, "My parcel is lost.", conversation="c1", name="Ada Lovelace")
        second = await said(site, "Do you sell lamps?", conversation="c2", name="Grace Hopper")
        page = await agent.get(PAGE)
        assert links(page) == [f"/console/c/{second}", f"/console/c/{first}"]
        assert "Grace Hopper" in words(page) and "My parcel is lost." in words(page)
        await said(site, "Hello again?", conversation="c1", name="Ada Lovelace")
        page = await agent.get(PAGE)
        assert links(page) == [f"/console/c/{first}", f"/console/c/{second}"]
        assert "Hello again?" in words(page) and "My parcel is lost." not in words(page)


async def test_words_are_found_and_marked_and_the_form_keeps_them(tmp_path: Path) -> None:
    async with searched(tmp_path) as (site, agent):
        lost = await said(site, "My parcel with the blue lamp is lost.", conversation="c1")
        await said(site, "Do you sell lamps?", conversation="c2")
        page = await agent.get(PAGE, q='"blue lamp" par')
        assert links(page) == [f"/console/c/{lost}"]
        assert re.findall("<mark>(.*?)</mark>", page) == ["parcel", "blue lamp"]
        assert fields(page)["q"] == '"blue lamp" par'
        assert links(await agent.get(PAGE, q="lamp blue")) == [f"/console/c/{lost}"]
        assert "Nothing fits." in words(await agent.get(PAGE, q='"lamp blue"'))


async def test_what_a_customer_took_back_is_found_no_more(tmp_path: Path) -> None:
    async with searched(tmp_path) as (site, agent):
        kept = await said(site, "My number is quagga four.", conversation="c1")
        await said(site, "I have a quagga too.", conversation="c2")
        taken = site.ids[-1]
        assert len(links(await agent.get(PAGE, q="quagga"))) == 2
        who = User("u-c2", "Ada")
        gone = Message(Address("desk", "c2"), f"{taken}.gone", who, kind="message.deleted", target=taken)
        await site.bot.receive(gone)
        await said(site, "Anything else?", conversation="c2")
        assert links(await agent.get(PAGE, q="quagga")) == [f"/console/c/{kept}"]
        assert "I have a quagga too" not in await agent.get(PAGE)


async def test_a_customer_is_found_by_name_and_by_id_and_leads_to_their_page(tmp_path: Path) -> None:
    async with searched(tmp_path) as (site, agent):
        id = await said(site, "Hello", conversation="c1", name="José Müller", user="cust-77")
        await said(site, "Hello", conversation="c2", name="Anna", user="cust-8")
        for typed in ("müller", "MÜLLER", "josé", "cust-77"):
            assert links(await agent.get(PAGE, q=typed)) == [f"/console/c/{id}/customer"], typed
        assert links(await agent.get(PAGE, q="%")) == links(await agent.get(PAGE, q="___")) == []


async def test_a_conversation_is_found_by_the_beginning_of_its_id_or_its_handoffs(tmp_path: Path) -> None:
    async with searched(tmp_path) as (site, agent):
        await said(site, ANSWERED, conversation="c2")
        id = await said(site, "/human", conversation="c1")
        (handoff,) = await site.bot.store.handoffs()
        for typed in (id, id[:8], handoff.id, handoff.id[:9]):
            assert links(await agent.get(PAGE, q=typed)) == [f"/console/c/{id}"], typed


async def test_filters_leave_what_fits_and_come_back_in_the_form(tmp_path: Path) -> None:
    async with searched(tmp_path) as (site, agent):
        plain = await said(site, ANSWERED, conversation="c1")
        handed = await said(site, "/human", conversation="c2")
        for query, expected in (
            ({"handoff": "open"}, [handed]),
            ({"handoff": "any"}, [handed]),
            ({"handoff": "none"}, [plain]),
            ({"channel": "shop"}, []),
            ({"channel": "desk", "handoff": "none"}, [plain]),
            ({"reason": "requested"}, [handed]),
            ({"agent": "nobody"}, []),
            ({"rating": "5"}, []),
            ({"since": "2020-01-01"}, [handed, plain]),
            ({"until": "2020-01-01"}, []),
            ({"q": "delivery", "handoff": "open"}, []),
            ({"q": "delivery", "handoff": "none"}, [plain]),
        ):
            page = await agent.get(PAGE, **query)
            assert links(page) == [f"/console/c/{id}" for id in expected], query
            assert "<details open>" in page
        assert '<option value="none" selected>' in await agent.get(PAGE, handoff="none")


async def test_what_cannot_be_asked_is_one_sentence_and_the_form_stays(tmp_path: Path) -> None:
    async with searched(tmp_path) as (_, agent):
        for query, sentence in (
            ({"since": "31.5.2026"}, "A day is written as year-month-day, such as 2026-05-31."),
            ({"until": "2026-02-30"}, "A day is written as year-month-day, such as 2026-05-31."),
            ({"since": "2026-05-02", "until": "2026-05-01"}, "The first day comes after the last one: nothing"),
            ({"handoff": "'; DROP TABLE"}, "Choose one of the listed states of a handoff."),
            ({"rating": "9"}, "A rating is a number from 1 to 5."),
            ({"handoff": "none", "agent": "Ana"}, "Conversations without a handoff have no agent"),
            ({"after": "c1~x"}, "This page of the list cannot be found any more: begin the search again."),
            ({"after": "w12", "q": ""}, "This page of the list cannot be found any more: begin the search again."),
        ):
            answer = await agent.http.get(PAGE, params={"agent": "kept", **query})
            assert answer.status_code == 400, query
            assert sentence in words(answer.text), query
            assert fields(answer.text)["agent"] == query.get("agent", "kept")


async def test_pages_go_on_until_every_conversation_was_shown_once(tmp_path: Path) -> None:
    async with searched(tmp_path) as (site, agent):
        expected = [f"/console/c/{id}" for id in await _many(site, 60)]
        for query in ({}, {"q": "walrus"}, {"channel": "desk"}):
            seen: list[str] = []
            address = f"{PAGE}?" + "&".join(f"{name}={value}" for name, value in query.items())
            for _ in range(4):
                page = await agent.get(address)
                seen += links(page)
                older = re.search(r'href="([^"]+)" rel="next"', page)
                if older is None:
                    break
                address = urljoin(address, older[1].replace("&amp;", "&"))
            assert seen == expected[::-1], query


async def _many(site: Site, count: int) -> list[str]:
    return [
        await said(site, f"walrus number {number}, the walrus", conversation=f"c{number}")
        for number in range(count)
    ]


async def test_hostile_words_and_names_stand_there_as_words(tmp_path: Path) -> None:
    async with searched(tmp_path) as (site, agent):
        await said(site, HOSTILE, conversation="c1", name=HOSTILE)
        for query in ({}, {"q": "zebra"}, {"q": HOSTILE}, {"q": "alert", "agent": HOSTILE, "reason": HOSTILE}):
            page = await agent.get(PAGE, **query)
            assert "<img src=x" not in page and "<script>alert" not in page and " 49 " not in page
        page = await agent.get(PAGE, q="zebra")
        assert "<img src=x onerror=alert(1)>" in words(page) and "{{ 7*7 }}" in words(page)


async def test_whoever_is_not_signed_in_finds_nothing(tmp_path: Path) -> None:
    async with searched(tmp_path) as (site, _):
        id = await said(site, "secret quagga")
        for path in (PAGE, f"{PAGE}?q=quagga", f"/console/c/{id}/customer", "/console/replies"):
            answer = await site.http.get(site.url + path)
            assert answer.status_code == 303 and "quagga" not in answer.text.replace(path, "")
