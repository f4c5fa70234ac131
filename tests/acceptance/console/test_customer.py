"""A customer's page, on the served console: what is theirs, and nothing of anybody else."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from searching import ANSWERED, links, said, searched, signed, words

from supportbot.models import ScriptedModel
from supportbot.stores import authority, codec, queries
from supportbot.testing.site import Site, serving
from supportbot.types import Address, Attachment, FlowState, Identity, Message, Standing, Usage, User

_PIN = """flow: pin
start: [{phrases: {en: [check my pin please]}}]
steps:
- {ask: pin, question: "Your secret word?", type: text, sensitive: true}
- {ask: city, question: "Your city?", type: text}
- {ask: street, question: "Your street?", type: text}
"""


async def proves(site: Site, conversation: str, author: str, customer: str) -> None:
    """What a turn leaves behind in which this author proved to be that customer."""
    standing = Standing(Identity(customer, f"Name of {customer}", "signed", 1.0, 2.0))

    def write(db: sqlite3.Connection) -> None:
        (key,) = db.execute("SELECT id FROM conversations WHERE public = ?", (conversation,)).fetchone()
        db.execute(queries.SET_STANDING, (key, author, authority.standing_body(standing)))

    await site.bot.store.write(write)


def shown(page: str) -> set[str]:
    """The conversations on the page."""
    return {link.removeprefix("/console/c/") for link in links(page)}


async def test_the_page_has_all_conversations_of_the_user_and_none_of_others(tmp_path: Path) -> None:
    async with searched(tmp_path) as (site, agent):
        mine = [await said(site, ANSWERED, conversation=f"c{n}", user="u-ada", name="Ada") for n in range(3)]
        await said(site, "My quagga is ill.", conversation="c9", user="u-bob", name="Bob Quagga")
        page = await agent.get(f"/console/c/{mine[1]}/customer")
        assert shown(page) == set(mine)
        assert "u-ada" in words(page) and "quagga" not in page.lower() and "u-bob" not in page


async def test_a_proven_identity_brings_the_conversations_of_other_channels(tmp_path: Path) -> None:
    async with searched(tmp_path) as (site, agent):
        here = await said(site, ANSWERED, conversation="c1", user="u-ada")
        there = await _on_shop(site, "s1", "shop-7")
        other = await _on_shop(site, "s2", "shop-8")
        assert shown(await agent.get(f"/console/c/{here}/customer")) == {here}
        await proves(site, here, "u-ada", "cust-31")
        await proves(site, there, "shop-7", "cust-31")
        await proves(site, other, "shop-8", "cust-32")
        page = await agent.get(f"/console/c/{here}/customer")
        assert shown(page) == {here, there}
        assert "cust-31" in words(page) and "Name of cust-31" in words(page) and "cust-32" not in page
        assert shown(await agent.get(f"/console/c/{there}/customer")) == {here, there}
        assert shown(await agent.get(f"/console/c/{other}/customer")) == {other}


async def test_what_another_person_proved_in_a_shared_place_counts_for_that_person_only(tmp_path: Path) -> None:
    async with searched(tmp_path) as (site, agent):
        shared = await said(site, ANSWERED, conversation="c1", user="u-opener")
        there = await _on_shop(site, "s1", "shop-7")
        await proves(site, shared, "u-guest", "cust-31")
        await proves(site, there, "shop-7", "cust-31")
        assert shown(await agent.get(f"/console/c/{there}/customer")) == {there}
        assert shown(await agent.get(f"/console/c/{shared}/customer")) == {shared}


async def test_two_identities_on_one_device_are_kept_apart(tmp_path: Path) -> None:
    async with searched(tmp_path) as (site, agent):
        of_ada, of_bob, open_ = [
            await said(site, ANSWERED, conversation=f"c{n}", user="u-kiosk", name="") for n in range(3)
        ]
        ada, bob = [await _on_shop(site, f"s{n}", f"shop-{n}") for n in range(2)]
        for conversation, author, customer in (
            (of_ada, "u-kiosk", "cust-ada"),
            (of_bob, "u-kiosk", "cust-bob"),
            (ada, "shop-0", "cust-ada"),
            (bob, "shop-1", "cust-bob"),
        ):
            await proves(site, conversation, author, customer)
        page = await agent.get(f"/console/c/{of_ada}/customer")
        assert shown(page) == {of_ada, open_, ada} and "cust-bob" not in page
        assert shown(await agent.get(f"/console/c/{of_bob}/customer")) == {of_bob, open_, bob}
        page = await agent.get(f"/console/c/{open_}/customer")
        assert shown(page) == {open_} and "cust-" not in page
        assert "Several people have proven who they are under this user id." in words(page)


async def test_a_customer_without_an_id_has_only_the_one_conversation(tmp_path: Path) -> None:
    async with searched(tmp_path) as (site, agent):
        ids = [await _on_shop(site, f"s{n}", "") for n in range(2)]
        for id in ids:
            assert shown(await agent.get(f"/console/c/{id}/customer")) == {id}


async def _on_shop(site: Site, chat: str, user: str) -> str:
    message = Message(Address("shop", chat), f"m-{chat}", User(user, ""), ANSWERED)
    return (await site.bot.receive(message)).conversation


async def test_what_is_gathered_sent_rated_and_spent_stands_there(tmp_path: Path) -> None:
    async with searched(tmp_path) as (site, agent):
        id = await said(site, "/human", conversation="c1", user="u-ada")
        await said(site, "/human", conversation="c2", user="u-bob")
        file = Attachment("receipt <b>.pdf", "application/pdf", 2_500, digest="d" * 64)
        await site.bot.store.write(lambda db: _fill(db, id, file))
        page = await agent.get(f"/console/c/{id}/customer")
        text = words(page)
        assert "order_number SB-1" in text and "gift yes" in text
        assert "receipt <b>.pdf" in text and "2.5 kB" in text
        assert f'href="/console/c/{id}/files/{"d" * 64}?download=1"' in page
        assert "1,500 in, 80 out" in text and "$1.25 and 1 model calls without a known price" in text
        assert "4.0 of 5 on average, 1 given" in text and page.count("Rated 4 of 5") == 2
        other = await site.bot.store.find("desk", "c2", "")
        assert other is not None
        page = await agent.get(f"/console/c/{other.id}/customer")
        assert "SB-1" not in page and "receipt" not in page and "Rated" not in page and "$0.00" in words(page)


def _fill(db: sqlite3.Connection, conversation: str, file: Attachment) -> None:
    (key,) = db.execute("SELECT id FROM conversations WHERE public = ?", (conversation,)).fetchone()
    state = codec.state_body(FlowState(slots={"order_number": "SB-1", "gift": True}))
    db.execute("INSERT OR REPLACE INTO states VALUES (?, 'u-ada', ?)", (key, state))
    packed = codec.dump([codec._file(file)])
    db.execute("UPDATE messages SET files = ? WHERE conversation = ? AND role = 1", (packed, key))
    db.execute(
        "UPDATE handoffs SET more = json_set(coalesce(more, '{}'), '$.rating', 4) WHERE conversation = ?", (key,)
    )
    for usage in (
        Usage("gpt-4.1", "answer", 1_000, 0, 50, 1_250_000, "ok", 1.0, 1.0),
        Usage("own", "answer", 500, 0, 30, None, "ok", 1.0, 1.0),
    ):
        at, *columns = codec.usage_columns(usage)
        db.execute("INSERT INTO usage VALUES (NULL, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (key, at, *columns))


async def test_the_models_calls_of_a_real_turn_are_counted(tmp_path: Path) -> None:
    async with serving(tmp_path, model=ScriptedModel(["Hello!"])) as site, signed(site) as agent:
        id = await said(site, "Hi")
        assert "Model calls 1" in words(await agent.get(f"/console/c/{id}/customer"))


async def test_pages_of_a_customer_with_many_conversations_go_on(tmp_path: Path) -> None:
    async with searched(tmp_path) as (site, agent):
        ids = [await _on_shop(site, f"s{n}", "shop-7") for n in range(45)]
        address, seen = f"/console/c/{ids[0]}/customer", list[str]()
        for _ in range(3):
            page = await agent.get(address)
            seen += [link.removeprefix("/console/c/") for link in links(page)]
            older = page.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0]
            address = f"/console/c/{ids[0]}/customer{older}"
        assert sorted(seen) == sorted(ids) and len(set(seen)) == 45
        assert "Conversations 45" in words(await agent.get(f"/console/c/{ids[0]}/customer"))


async def test_what_is_not_there_is_404(tmp_path: Path) -> None:
    async with searched(tmp_path) as (site, agent):
        id = await said(site, ANSWERED)
        for path in (
            "/console/c/c_nothing/customer",
            f"/console/c/{id}x/customer",
            f"/console/c/{id}/customer?after=x",
            f"/console/c/{id}/customer?after=1~{10**30}",
        ):
            assert (await agent.http.get(path)).status_code == 404


async def test_what_a_flow_calls_sensitive_is_not_listed(tmp_path: Path) -> None:
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "pin.yaml").write_text(_PIN, "utf-8")
    async with searched(tmp_path) as (site, agent):
        for text in ("check my pin please", "zebra-4711", "Berlin"):
            id = await said(site, text)
        page = await agent.get(f"/console/c/{id}/customer")
        assert "city Berlin" in words(page) and "zebra" not in page
