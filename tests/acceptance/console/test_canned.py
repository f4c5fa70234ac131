"""Canned replies, on the served console: who may do what, and what a reply may be."""

from __future__ import annotations

from pathlib import Path

from searching import searched, signed, words

from supportbot.testing.site import Site

PAGE = "/console/replies"


async def canned(site: Site) -> list[tuple[str, str, str, str]]:
    return [(one.title, one.text, one.locale, one.by) for one in await site.bot.store.console.canned()]


async def test_a_lead_writes_changes_and_deletes_a_reply_and_the_log_says_so(tmp_path: Path) -> None:
    async with searched(tmp_path) as (site, agent), signed(site, "lead", "lea") as lead:
        made = await lead.post(
            PAGE, title=" Greeting ", text="Hello **{customer}**,\r\nI am {agent}.", locale="en"
        )
        assert (made.status_code, made.headers["location"]) == (303, PAGE)
        assert await canned(site) == [("Greeting", "Hello **{customer}**,\nI am {agent}.", "en", "lea")]
        page = await agent.get(PAGE)
        assert "<strong>{customer}</strong>" in page and "Greeting" in words(page)
        (reply,) = await site.bot.store.console.canned()
        one = f"{PAGE}/{reply.id}"
        assert "Hello **{customer}**" in await lead.get(one)
        await lead.post(one, title="Hello", text="Hi {customer}!", locale="")
        assert await canned(site) == [("Hello", "Hi {customer}!", "", "lea")]
        assert (await lead.post(f"{one}/delete")).status_code == 303
        assert await canned(site) == []
        rows = await site.bot.store.console.audit(action="reply.")
        assert [(row.action, row.detail, row.account) for row in rows] == [
            ("reply.delete", "Hello", "lea"),
            ("reply.change", "Hello", "lea"),
            ("reply.create", "Greeting", "lea"),
        ]


async def test_an_agent_reads_them_and_changes_nothing(tmp_path: Path) -> None:
    async with searched(tmp_path) as (site, agent), signed(site, "lead", "lea") as lead:
        await lead.post(PAGE, title="Greeting", text="Hello", locale="")
        (reply,) = await site.bot.store.console.canned()
        page = await agent.get(PAGE)
        assert "Greeting" in words(page) and "New reply" not in page and "Edit" not in words(page)
        one = f"{PAGE}/{reply.id}"
        assert (await agent.http.get(one)).status_code == 404
        for path in (PAGE, one, f"{one}/delete"):
            assert (await agent.post(path, title="X", text="Y", locale="")).status_code == 404
        assert [title for title, *_ in await canned(site)] == ["Greeting"]


async def test_nothing_is_changed_without_the_sessions_token_or_from_elsewhere(tmp_path: Path) -> None:
    async with searched(tmp_path) as (site, agent), signed(site, "admin", "root") as admin:
        fields = {"title": "Greeting", "text": "Hello", "locale": ""}
        for csrf in ("", agent.csrf, admin.csrf + "x"):
            assert (await admin.post(PAGE, **{**fields, "csrf": csrf})).status_code == 403
        foreign = await admin.http.post(
            PAGE, data={**fields, "csrf": admin.csrf}, headers={"Sec-Fetch-Site": "cross-site"}
        )
        assert foreign.status_code == 403
        assert await canned(site) == []


async def test_what_cannot_be_a_reply_is_said_at_its_field_and_the_words_stay(tmp_path: Path) -> None:
    async with searched(tmp_path) as (site, _), signed(site, "lead", "lea") as lead:
        await lead.post(PAGE, title="Taken", text="Hello", locale="")
        good = {"title": "Kept title", "text": "Kept <words>", "locale": "de"}
        for wrong, sentence in (
            ({"title": ""}, "A title has 1 to 100 characters."),
            ({"title": "x" * 101}, "A title has 1 to 100 characters."),
            ({"title": "bell \x07"}, "The title has characters in it that cannot be shown."),
            ({"title": "Taken"}, "There is a reply 'Taken' already: choose another title."),
            ({"text": " \n "}, "A reply has 1 to 8,000 characters."),
            ({"text": "x" * 8_001}, "A reply has 1 to 8,000 characters."),
            ({"text": "Dear {name}"}, "Nothing is known for {name}: there are {customer} and {agent}."),
            ({"locale": "German"}, "A language is a code such as en, de or pt-BR, or is left empty."),
        ):
            answer = await lead.post(PAGE, **{**good, **wrong})
            assert answer.status_code == 400 and sentence in words(answer.text), wrong
            assert 'aria-invalid="true"' in answer.text
            kept = {**good, **wrong}
            assert kept["locale"] in answer.text and ("text" in wrong or "Kept &lt;words&gt;" in answer.text)
        assert [title for title, *_ in await canned(site)] == ["Taken"]


async def test_replies_are_searched_by_all_words_and_shown_as_words(tmp_path: Path) -> None:
    async with searched(tmp_path) as (site, agent), signed(site, "lead", "lea") as lead:
        await lead.post(
            PAGE, title="<script>alert(1)</script>", text="<img src=x onerror=alert(2)> lamp", locale=""
        )
        await lead.post(PAGE, title="Lamps", text="We sell blue lamps. [x](javascript:alert(3))", locale="")
        page = await agent.get(PAGE)
        assert "<script>alert" not in page and "<img src=x" not in page and 'href="javascript' not in page
        page = await agent.get(PAGE, q="LAMP blue")
        assert "Lamps" in words(page) and "onerror" not in page
        assert "Nothing fits." in words(await agent.get(PAGE, q="walrus"))


async def test_a_reply_that_is_gone_is_404(tmp_path: Path) -> None:
    async with searched(tmp_path) as (site, _), signed(site, "lead", "lea") as lead:
        for path in (f"{PAGE}/7", f"{PAGE}/{10**30}", f"{PAGE}/0"):
            assert (await lead.http.get(path)).status_code == 404
            assert (await lead.post(path, title="A", text="B", locale="")).status_code == 404
            assert (await lead.post(f"{path}/delete")).status_code == 404
