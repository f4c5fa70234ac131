"""The page of one conversation: what was said, what the handoff carries, its files, and why the bot said what it said."""

from __future__ import annotations

import re
import zlib
from pathlib import Path

import pytest
from consoling import House, PageChannel, eventually, opened

from supportbot.errors import ChannelRefused
from supportbot.models import ScriptedModel
from supportbot.types import Attachment, Capabilities

EVIL = "<img src=x onerror=alert(1)>"
HTML = b"<html><script>alert(document.cookie)</script>"
PDF = b"%PDF-1.7 nothing more"


def png(width: int = 1) -> bytes:
    """A picture; the content differs with the width."""
    return b"\x89PNG\r\n\x1a\n" + zlib.crc32(bytes([width])).to_bytes(4, "big")


async def kept(house: House, content: bytes, name: str, media_type: str) -> Attachment:
    digest = await house.files.keep(content)
    return Attachment(name, media_type, len(content), digest=digest)


def words(html: str) -> str:
    """What a person reads there, spaces made one."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


# --- what was said ------------------------------------------------------------------------------------------


async def test_the_page_shows_who_said_what_and_when(house: House) -> None:
    maya = await house.person()
    conversation = await house.customer("How long does delivery take?", name="Ada")
    answer = await maya.get(f"/console/c/{conversation.id}")
    shown = words(answer.text)
    assert answer.status_code == 200
    assert "How long does delivery take?" in shown and "two to four working days" in shown
    assert "The bot has this conversation." in shown
    assert re.search(r'id="turn-1".*?<time datetime="\d{4}-\d\d-\d\dT', answer.text, re.DOTALL)


async def test_a_handoff_carries_why_summary_and_what_was_tried(house: House) -> None:
    maya = await house.person()
    await house.customer("How long does delivery take?")
    conversation, _ = await house.asks_for_a_human()
    shown = words((await maya.get(f"/console/c/{conversation.id}")).text)
    assert "The customer asked for a human." in shown
    assert "Found the article “Delivery”." in shown
    assert "Customer: How long does delivery take?" in shown
    assert "not verified" in shown


async def test_the_same_is_shown_once_what_went_to_the_desk_is_swept_away(tmp_path: Path) -> None:
    desks = {"desks": {"first": {"channel": "console"}}}
    async with opened(tmp_path, config=desks) as house:
        maya = await house.person()
        await house.customer("How long does delivery take?")
        conversation, _ = await house.asks_for_a_human()
        before = words((await maya.part(f"/console/c/{conversation.id}/newer?after=99")).text)
        gone = await house.bot.store.write(
            lambda connection: connection.execute("DELETE FROM outbox WHERE kind = 'handoff.requested'").rowcount
        )
        after = words((await maya.part(f"/console/c/{conversation.id}/newer?after=99")).text)
    assert gone == 1
    for fact in (
        "The customer asked for a human.",
        "Found the article “Delivery”.",
        "Answered from the articles.",
    ):
        assert fact in before and fact in after


async def test_a_suggested_reply_can_be_taken_over_until_somebody_has_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PageChannel, "capabilities", Capabilities(events=True, buttons=True, burst_wait=0.0))
    model = ScriptedModel(['{"summary": "Ada wants her parcel.", "reply": "Dear Ada, \\"soon\\"."}'], repeat=True)
    async with opened(tmp_path, model=model, config={"handoff": {"brief": "model"}}) as house:
        maya = await house.person()
        conversation, handoff = await house.asks_for_a_human(name="Ada")
        html = (await maya.get(f"/console/c/{conversation.id}")).text
        assert 'data-insert="Dear Ada, &#34;soon&#34;."' in html
        assert "Ada wants her parcel." in html
        await maya.do(f"/console/c/{conversation.id}/reply", handoff=handoff.id, text="Dear Ada")
        assert "data-insert" not in (await maya.get(f"/console/c/{conversation.id}")).text


async def test_choices_are_chips_and_no_part_of_the_words(house: House) -> None:
    maya = await house.person()
    conversation, _ = await house.asks_for_a_human()
    html = (await maya.get(f"/console/c/{conversation.id}")).text
    assert '<li class="chip" dir="auto">Back to the assistant</li>' in html
    assert "[choices:" not in html


async def test_notes_to_the_bot_are_folded_away(house: House) -> None:
    maya = await house.person()
    conversation, handoff = await house.asks_for_a_human()
    await maya.do(f"/console/c/{conversation.id}/return", handoff=handoff.id)
    html = (await maya.get(f"/console/c/{conversation.id}")).text
    inside = re.findall(r'<details class="inside".*?</details>', html, re.DOTALL)
    assert len(inside) == 1 and "Hand-back note" in inside[0] and " open" not in inside[0].partition(">")[0]
    assert "Hand-back note" not in html.replace(inside[0], "")


async def test_whatever_people_wrote_is_shown_as_text(house: House) -> None:
    maya = await house.person(name=f"Maya {EVIL}")
    conversation, handoff = await house.asks_for_a_human(name=f"Ada {EVIL}")
    await house.customer(f"{EVIL} [x](javascript:alert(1))", name=f"Ada {EVIL}")
    at = f"/console/c/{conversation.id}"
    await maya.do(f"{at}/reply", handoff=handoff.id, text=f"{EVIL} [x](javascript:alert(1)) **b**")
    await maya.do(f"{at}/note", handoff=handoff.id, text=f"note {EVIL}")
    await house.bot.store.write(
        lambda connection: connection.execute(
            """UPDATE handoffs SET detail = ?1, summary = ?1, desk = ?1,
            more = json_set(more, '$.slots', json_object(?1, ?1), '$.cause', json_object(?1, ?1, 'b', 'c'))""",
            (EVIL,),
        )
    )
    for html in ((await maya.get(at)).text, (await maya.part(f"{at}/newer?after=0")).text):
        assert "<img src=x" not in html and "javascript:alert" in html
        assert 'href="javascript' not in html
        assert html.count("&lt;img src=x onerror=alert(1)&gt;") > 8


async def test_what_has_arrived_and_waits_for_its_turn_is_shown_already(tmp_path: Path) -> None:
    # the bot thinks for as long as the test looks
    async with opened(tmp_path, model=ScriptedModel([])) as house:
        maya = await house.person()
        conversation = await house.customer("/human")
        await house.bot.store.write(
            lambda connection: connection.execute(
                """INSERT INTO inbox (conversation, channel, message, kind, digest, user, user_name, text, received_at,
                ready_at) SELECT id, channel, 'later', 'message', '', 'u', 'Ada', 'Just a moment', 1, 1e12
                FROM conversations"""
            )
        )
        part = (await maya.part(f"/console/c/{conversation.id}/newer?after=99")).text
        pending = re.search(r'<div id="pending".*?<div id="state"', part, re.DOTALL)
        assert pending is not None and "Just a moment" in pending[0]


async def test_older_turns_come_in_pages_and_newer_ones_once(house: House) -> None:
    maya = await house.person()
    conversation = await house.customer("/human")
    for number in range(2, 52):
        await house.customer(f"word {number:03}")
    at = f"/console/c/{conversation.id}"
    page = (await maya.get(at)).text
    assert [int(one) for one in re.findall(r'id="turn-(\d+)"', page)] == list(range(12, 52))
    older = (await maya.part(f"{at}/older?before=12")).text
    assert [int(one) for one in re.findall(r'id="turn-(\d+)"', older)] == list(range(1, 12))
    assert "Earlier messages" in page and "Earlier messages" not in older
    newer = (await maya.part(f"{at}/newer?after=49")).text
    assert re.findall(r'id="turn-(\d+)"', newer) == ["50", "51"]
    assert 'name="after" value="51"' in newer
    assert not re.findall(r'id="turn-', (await maya.part(f"{at}/newer?after=51")).text)


async def test_what_could_not_be_delivered_is_said_at_the_message_on_open_pages_too(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(self: PageChannel, outgoing: object) -> str:
        raise ChannelRefused("the customer has blocked us")

    maya = await house.person()
    conversation, handoff = await house.asks_for_a_human()
    at = f"/console/c/{conversation.id}"
    monkeypatch.setattr(PageChannel, "send", refuse)
    await maya.do(f"{at}/reply", handoff=handoff.id, text="Hello?")

    async def told() -> bool:
        return "Not delivered: the customer has blocked us" in (await maya.get(at)).text

    await eventually(told)
    seen = (await house.bot.store.conversation(conversation.id)).turn
    part = (await maya.part(f"{at}/newer?after={seen}")).text
    again = re.findall(r'<div class="turn" id="turn-(\d+)" hx-swap-oob="outerHTML">', part)
    assert len(again) == 1 and "Not delivered: the customer has blocked us" in part
    part = (await maya.part(f"{at}/newer?after={seen}&troubled={again[0]}")).text
    assert 'hx-swap-oob="outerHTML"' not in part
    await house.bot.store.write(
        lambda connection: connection.execute("UPDATE outbox SET dead = 0, finished_at = 1")
    )
    part = (await maya.part(f"{at}/newer?after={seen}&troubled={again[0]}")).text
    assert 'hx-swap-oob="outerHTML"' in part and "Not delivered" not in part


async def test_a_long_reply_that_a_channel_got_in_parts_says_so_too_when_it_failed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(self: PageChannel, outgoing: object) -> str:
        raise ChannelRefused("the customer has blocked us")

    maya = await house.person()
    conversation, handoff = await house.asks_for_a_human()
    at = f"/console/c/{conversation.id}"
    monkeypatch.setattr(PageChannel, "send", refuse)
    monkeypatch.setattr(PageChannel, "capabilities", Capabilities(text_limit=40, burst_wait=0.0))
    await maya.do(f"{at}/reply", handoff=handoff.id, text="One sentence is here. " * 5)

    async def told() -> bool:
        return "Not delivered: the customer has blocked us" in (await maya.get(at)).text

    await eventually(told)


async def test_files_are_not_taken_for_a_channel_that_shows_none(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    maya = await house.person()
    conversation, handoff = await house.asks_for_a_human()
    at = f"/console/c/{conversation.id}"
    assert 'type="file"' in (await maya.get(at)).text
    monkeypatch.setattr(PageChannel, "capabilities", Capabilities(burst_wait=0.0))
    assert 'type="file"' not in (await maya.get(at)).text
    form = {"csrf": maya.csrf, "act": "a-form-with-a-file-in-it", "handoff": handoff.id, "text": "See"}
    files = {"files": ("a.pdf", b"%PDF-1.7 x", "application/pdf")}
    headers = {"HX-Request": "true", "Sec-Fetch-Site": "same-origin"}
    answer = await maya.http.post(f"{at}/reply", data=form, files=files, headers=headers)
    assert answer.status_code == 422 and "takes no files" in answer.text
    assert (await house.handoff(conversation.id)).status == "waiting"


# --- why ----------------------------------------------------------------------------------------------------


async def test_each_reply_of_the_bot_says_why(house: House) -> None:
    maya = await house.person()
    conversation = await house.customer("How long does delivery take?")
    at = f"/console/c/{conversation.id}"
    assert f'hx-get="{at}/why/1"' in (await maya.get(at)).text
    part, page = await maya.part(f"{at}/why/1"), await maya.get(f"{at}/why/1")
    for shown in (words(part.text), words(page.text)):
        assert "Searched the articles" in shown and "knowledge/delivery.md" in shown and "config" in shown
    assert "<html" not in part.text and "<html" in page.text


async def test_the_models_calls_are_told_with_tokens_and_cost(tmp_path: Path) -> None:
    async with opened(tmp_path, model=ScriptedModel(["Hello, I am Mia."])) as house:
        maya = await house.person()
        conversation = await house.customer("hi")
        shown = words((await maya.part(f"/console/c/{conversation.id}/why/1")).text)
    assert "Asked the model" in shown and "1 call" in shown and "tokens in" in shown


# --- files --------------------------------------------------------------------------------------------------


async def test_a_picture_is_shown_and_other_files_are_downloaded(house: House) -> None:
    maya = await house.person()
    picture = await kept(house, png(), "label.png", "image/png")
    paper = await kept(house, PDF, "bill.pdf", "application/pdf")
    conversation = await house.customer("see", files=[picture, paper])
    at = f"/console/c/{conversation.id}/files"
    html = (await maya.get(f"/console/c/{conversation.id}")).text
    assert f'<img src="{at}/{picture.digest}"' in html and f'<img src="{at}/{paper.digest}"' not in html
    shown = await maya.get(f"{at}/{picture.digest}")
    assert (shown.content, shown.headers["content-type"]) == (png(), "image/png")
    assert shown.headers["content-disposition"].startswith('inline; filename="label.png"')
    downloaded = await maya.get(f"{at}/{paper.digest}")
    assert (downloaded.content, downloaded.headers["content-type"]) == (PDF, "application/octet-stream")
    assert downloaded.headers["content-disposition"].startswith('attachment; filename="bill.pdf"')
    for answer in (shown, downloaded):
        assert "sandbox" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("called", ["image/png", "image/svg+xml", "text/html"])
async def test_a_page_that_calls_itself_a_picture_is_a_download(house: House, called: str) -> None:
    maya = await house.person()
    conversation = await house.customer("see", files=[await kept(house, HTML, 'a"; x=\r\n.html', called)])
    digest = await house.files.keep(HTML)
    answer = await maya.get(f"/console/c/{conversation.id}/files/{digest}")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith('attachment; filename="a__ x=__.html"')


async def test_a_file_is_found_in_its_own_conversation_only(house: House) -> None:
    maya = await house.person()
    file = await kept(house, PDF, "bill.pdf", "application/pdf")
    own = await house.customer("see", chat="c1", files=[file])
    other = await house.customer("hello", chat="c2")
    unsent = await kept(house, b"%PDF-2", "secret.pdf", "application/pdf")
    assert (await maya.get(f"/console/c/{own.id}/files/{file.digest}")).status_code == 200
    for path in (
        f"/console/c/{other.id}/files/{file.digest}",
        f"/console/c/{own.id}/files/{unsent.digest}",
        f"/console/c/{own.id}/files/{file.digest[:63]}",
        f"/console/c/{own.id}/files/{'%25' * 20}",
        f"/console/c/{own.id}/files/..%2f..%2fconfig.yaml",
        f"/console/c/c_none/files/{file.digest}",
    ):
        assert (await maya.get(path)).status_code == 404


async def test_a_file_that_is_not_kept_any_more_is_not_there(house: House) -> None:
    maya = await house.person()
    file = await kept(house, PDF, "bill.pdf", "application/pdf")
    conversation = await house.customer("see", files=[file])
    (house.files.folder / file.digest[:2] / file.digest).unlink()
    assert (await maya.get(f"/console/c/{conversation.id}/files/{file.digest}")).status_code == 404


@pytest.mark.parametrize("path", ["", "/older", "/newer", "/why/1", "/files/" + "a" * 64, "/canned"])
async def test_an_unknown_conversation_is_not_there(house: House, path: str) -> None:
    maya = await house.person()
    for id in ("c_none", "1", "'%20or%201=1", "%2e%2e"):
        assert (await maya.get(f"/console/c/{id}{path}")).status_code == 404


async def test_an_unknown_turn_is_not_there(house: House) -> None:
    maya = await house.person()
    conversation = await house.customer("hi")
    for turn in ("2", "0", "x", "9" * 20, "9" * 5_000):
        assert (await maya.get(f"/console/c/{conversation.id}/why/{turn}")).status_code == 404
