"""What agents do in the console, and what comes of it for the customer, for colleagues, and when it is done twice."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path

import pytest
from consoling import House, eventually, opened

from supportbot.console import acts
from supportbot.types.console import Canned

DESKS = {
    "desks": {
        "first": {"channel": "console", "agents": {"Maya Brand": {"id": "maya"}, "Jonas Weber": {"id": "jonas"}}},
        "billing": {"channel": "console"},
    }
}
PDF = b"%PDF-1.7 nothing more"
FORM = "one-form-sent-more-than-once"


async def test_an_agent_claims_and_answers_and_the_customer_reads_it(house: House) -> None:
    maya = await house.person()
    conversation, handoff = await house.asks_for_a_human()
    at = f"/console/c/{conversation.id}"
    claimed = await maya.do(f"{at}/claim", handoff=handoff.id)
    assert claimed.status_code == 200 and "You have this conversation" in claimed.text
    now = await house.handoff(conversation.id)
    assert (now.status, now.agent, now.agent_id) == ("claimed", "Maya Brand", "maya")
    answer = await maya.do(f"{at}/reply", handoff=handoff.id, text="Hello **Ada**")
    assert answer.status_code == 200 and "Sent." in answer.text
    assert answer.headers["hx-trigger-after-swap"] == f"live:c:{conversation.id}"
    await house.said_to_the_customer("Hello **Ada**")


async def test_without_script_a_form_leads_back_to_the_page(house: House) -> None:
    maya = await house.person()
    conversation, handoff = await house.asks_for_a_human()
    answer = await maya.do(f"/console/c/{conversation.id}/claim", whole=True, handoff=handoff.id)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/console/c/{conversation.id}")
    refused = await maya.do(f"/console/c/{conversation.id}/reply", whole=True, handoff="h_other", text="my words")
    assert refused.status_code == 409
    assert "Another handoff of this conversation is open now" in refused.text
    assert ">my words</textarea>" in refused.text


async def test_a_form_sent_twice_is_one_message(house: House) -> None:
    maya = await house.person()
    conversation, handoff = await house.asks_for_a_human()
    at = f"/console/c/{conversation.id}"
    both = await asyncio.gather(
        *(maya.do(f"{at}/reply", act=FORM, handoff=handoff.id, text="Once.") for _ in range(3))
    )
    assert [answer.status_code for answer in both] == [200, 200, 200]
    await house.said_to_the_customer("Once.")
    await asyncio.sleep(0.2)
    assert house.channel.texts.count("Once.") == 1
    ended = [await maya.do(f"{at}/resolve", act=FORM + "-end", handoff=handoff.id) for _ in range(2)]
    assert [(answer.status_code, "Resolved." in answer.text) for answer in ended] == [(200, True), (200, True)]


async def test_a_form_sent_again_with_other_words_is_refused_and_nothing_is_lost(house: House) -> None:
    maya = await house.person()
    conversation, handoff = await house.asks_for_a_human()
    at = f"/console/c/{conversation.id}"
    await maya.do(f"{at}/reply", act=FORM, handoff=handoff.id, text="First.")
    answer = await maya.do(f"{at}/reply", act=FORM, whole=True, handoff=handoff.id, text="Second.")
    assert answer.status_code == 409 and ">Second.</textarea>" in answer.text
    await asyncio.sleep(0.2)
    assert "Second." not in house.channel.texts


async def test_what_a_colleague_has_is_refused_in_one_sentence(house: House) -> None:
    maya, jonas = await house.person(), await house.person("jonas", "Jonas Weber")
    conversation, handoff = await house.asks_for_a_human()
    at = f"/console/c/{conversation.id}"
    await maya.do(f"{at}/claim", handoff=handoff.id)
    for act in ("claim", "reply", "release", "resolve", "return"):
        answer = await jonas.do(f"{at}/{act}", handoff=handoff.id, text="Hello")
        assert answer.status_code == 409
        assert (
            answer.text.strip() == '<p class="notice bad">Maya Brand has this conversation: nothing was done.</p>'
        )
    assert "Hello" not in house.channel.texts
    assert (await jonas.do(f"{at}/note", handoff=handoff.id, text="I know them")).status_code == 200


async def test_a_lead_releases_what_somebody_else_has(house: House) -> None:
    maya, lead = await house.person(), await house.person("lena", "Lena", "lead")
    conversation, handoff = await house.asks_for_a_human()
    at = f"/console/c/{conversation.id}"
    await maya.do(f"{at}/claim", handoff=handoff.id)
    assert (await lead.do(f"{at}/release", handoff=handoff.id)).status_code == 200
    assert (await house.handoff(conversation.id)).status == "waiting"


async def test_of_two_who_claim_at_once_one_is_told_so(house: House) -> None:
    people = [await house.person(login, login.title()) for login in ("ann", "ben", "cem", "dora")]
    conversation, handoff = await house.asks_for_a_human()
    answers = await asyncio.gather(
        *(person.do(f"/console/c/{conversation.id}/claim", handoff=handoff.id) for person in people)
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    winner = (await house.handoff(conversation.id)).agent
    losers = [answer.text for answer in answers if answer.status_code == 409]
    assert all(f"{winner} has" in text for text in losers)


async def test_a_note_is_for_colleagues_only(house: House) -> None:
    maya, jonas = await house.person(), await house.person("jonas", "Jonas Weber")
    conversation, handoff = await house.asks_for_a_human()
    await maya.do(f"/console/c/{conversation.id}/note", handoff=handoff.id, text="Be kind to this one")
    assert (await house.handoff(conversation.id)).internal == ("Maya Brand: Be kind to this one",)
    assert "Be kind to this one" in (await jonas.get(f"/console/c/{conversation.id}")).text
    await asyncio.sleep(0.2)
    assert not [text for text in house.channel.texts if "kind" in text]


async def test_a_handoff_goes_to_another_desk_or_colleague(tmp_path: Path) -> None:
    async with opened(tmp_path, config=DESKS) as house:
        maya, jonas = await house.person(), await house.person("jonas", "Jonas Weber")
        conversation, handoff = await house.asks_for_a_human(name="Ada")
        at = f"/console/c/{conversation.id}"
        menu = re.findall(r'<option value="([^"]*)"', (await maya.part(f"{at}/transfer")).text)
        assert menu == ["billing", "maya", "jonas"]
        await maya.do(f"{at}/claim", handoff=handoff.id)
        assert (await maya.do(f"{at}/transfer", handoff=handoff.id, to="jonas")).status_code == 200
        assert (await house.handoff(conversation.id)).assignee == "jonas"
        mine = (await jonas.get("/console/queue")).text.partition("Waiting</h2>")[0]
        assert "Ada" in mine and "for <bdi>Jonas Weber</bdi>" in mine
        assert (await jonas.do(f"{at}/transfer", handoff=handoff.id, to="billing")).status_code == 200
        moved = await house.handoff(conversation.id)
        assert (moved.desk, moved.status, moved.desks) == ("billing", "waiting", ("first", "billing"))
        nowhere = await jonas.do(f"{at}/transfer", handoff=handoff.id, to="nowhere")
        assert nowhere.status_code == 422 and "Choose a desk or an agent" in nowhere.text


async def test_an_agent_pauses_the_bot_and_gives_it_back(house: House) -> None:
    maya = await house.person()
    conversation = await house.customer("How long does delivery take?")
    at = f"/console/c/{conversation.id}"
    assert (await maya.do(f"{at}/claim", handoff="")).status_code == 200
    handoff = await house.handoff(conversation.id)
    assert (handoff.reason, handoff.status, handoff.agent) == ("human", "claimed", "Maya Brand")
    said = len(house.channel.sent)
    await house.customer("How long does delivery take?")
    assert len(house.channel.sent) == said
    assert (await maya.do(f"{at}/return", handoff=handoff.id)).status_code == 200
    await house.customer("How long does delivery take?")
    await eventually(lambda: _answers(house, 2))


async def _answers(house: House, count: int) -> bool:
    return sum("two to four working days" in text for text in house.channel.texts) == count


async def test_words_into_a_conversation_of_the_bot_take_it_over(house: House) -> None:
    maya = await house.person()
    conversation = await house.customer("hello")
    await maya.do(f"/console/c/{conversation.id}/reply", handoff="", text="Let me step in.")
    await house.said_to_the_customer("Let me step in.")
    assert (await house.handoff(conversation.id)).agent_id == "maya"


async def test_last_words_go_out_before_the_end(house: House) -> None:
    maya = await house.person()
    conversation, handoff = await house.asks_for_a_human()
    at = f"/console/c/{conversation.id}"
    await maya.do(f"{at}/claim", handoff=handoff.id)
    await maya.do(f"{at}/resolve", handoff=handoff.id, text="Have a nice day!")
    await house.said_to_the_customer("Have a nice day!")
    assert (await house.handoff(conversation.id)).status == "resolved"
    late = await maya.do(f"{at}/resolve", handoff=handoff.id)
    assert late.status_code == 409 and "has ended meanwhile" in late.text


# --- words and files ----------------------------------------------------------------------------------------


async def test_files_go_to_the_customer_with_or_without_words(house: House) -> None:
    maya = await house.person()
    conversation, handoff = await house.asks_for_a_human()
    at = f"/console/c/{conversation.id}"
    answer = await maya.do(
        f"{at}/reply", files=[("C:\\bills\\bill.pdf", PDF, "application/pdf")], handoff=handoff.id, text=""
    )
    assert answer.status_code == 200
    await eventually(lambda: _sent_files(house))
    (file,) = house.channel.sent[-1].reply.files  # type: ignore[union-attr]
    assert (file.name, file.media_type, file.size) == ("bill.pdf", "application/pdf", len(PDF))
    assert (await maya.get(f"{at}/files/{file.digest}")).content == PDF


async def _sent_files(house: House) -> bool:
    reply = house.channel.sent[-1].reply
    return reply is not None and bool(reply.files)


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        (
            [("big.pdf", PDF + b"x" * 2000, "application/pdf")],
            "big.pdf is too large: a file has at most 2 kB.",
        ),
        (
            [("run.exe", b"MZ", "application/x-msdownload")],
            "files of the kind application/x-msdownload are not taken",
        ),
        ([("page.png", b"<script>", "image/png")], "files of the kind application/octet-stream are not taken"),
        ([(f"{n}.pdf", PDF, "application/pdf") for n in range(6)], "too many files: a message takes 5."),
    ],
)
async def test_a_file_that_is_not_taken_is_named_and_nothing_is_sent(
    tmp_path: Path, files: list[tuple[str, bytes, str]], sentence: str
) -> None:
    async with opened(tmp_path, config={"attachments": {"max_size": 2_000}}) as house:
        maya = await house.person()
        conversation, handoff = await house.asks_for_a_human()
        answer = await maya.do(f"/console/c/{conversation.id}/reply", files=files, handoff=handoff.id, text="see")
        assert answer.status_code == 422 and sentence in answer.text
        await asyncio.sleep(0.1)
        assert "see" not in house.channel.texts


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"text": "  \n "}, "There is nothing to say"),
        ({"text": "x" * 20_001}, "at most 20,000 characters"),
        ({"text": "hi", "act": "short"}, "The form is incomplete"),
        ({"text": "hi", "act": "../../../../etc/passwd"}, "The form is incomplete"),
    ],
)
async def test_bad_words_are_one_sentence(house: House, fields: dict[str, str], sentence: str) -> None:
    maya = await house.person()
    conversation, handoff = await house.asks_for_a_human()
    answer = await maya.do(f"/console/c/{conversation.id}/reply", handoff=handoff.id, **fields)
    assert answer.status_code == 422 and sentence in answer.text


async def test_the_preview_is_the_markdown_as_text_made_safe(house: House) -> None:
    maya = await house.person()
    conversation = await house.customer("hi")
    answer = await maya.do(f"/console/c/{conversation.id}/preview", text="**b** <script>alert(1)</script>")
    assert "<strong>b</strong> &lt;script&gt;" in answer.text


async def test_canned_replies_are_found_with_the_names_put_in(house: House) -> None:
    maya = await house.person()
    conversation = await house.customer("hi", name='Ada "<b>"')
    for title, text, locale in (
        ("Greeting", "Hello {customer}, this is {agent}.", ""),
        ("Refund", "It takes {days} days.", "de"),
    ):
        await house.bot.store.console.save_canned(Canned(0, title, text, locale, "maya", time.time()))
    at = f"/console/c/{conversation.id}/canned"
    every = (await maya.part(at)).text
    assert 'data-insert="Hello Ada &#34;&lt;b&gt;&#34;, this is Maya Brand."' in every and "{days}" in every
    found = (await maya.part(f"{at}?q=GREET")).text
    assert "Greeting" in found and "Refund" not in found


# --- who may, and what is written down ----------------------------------------------------------------------


async def test_an_act_without_the_token_or_from_elsewhere_does_nothing(house: House) -> None:
    maya = await house.person()
    conversation, handoff = await house.asks_for_a_human()
    at = f"/console/c/{conversation.id}"
    for act in ("claim", "reply", "note", "resolve", "preview"):
        stolen = await maya.do(f"{at}/{act}", csrf="x" * 43, handoff=handoff.id, text="stolen")
        assert stolen.status_code == 403
        foreign = await maya.http.post(
            f"{at}/{act}",
            data={"csrf": maya.csrf, "act": FORM, "handoff": handoff.id, "text": "stolen"},
            headers={"Sec-Fetch-Site": "cross-site"},
        )
        assert foreign.status_code == 403
        assert (await maya.get(f"{at}/{act}")).status_code == 405
    assert (await house.handoff(conversation.id)).status == "waiting"
    assert "stolen" not in house.channel.texts


async def test_every_act_stands_in_the_audit_log_without_its_words(house: House) -> None:
    maya = await house.person()
    conversation, handoff = await house.asks_for_a_human()
    at = f"/console/c/{conversation.id}"
    await maya.do(f"{at}/claim", handoff=handoff.id)
    await maya.do(f"{at}/reply", handoff=handoff.id, text="between us")
    await maya.do(f"{at}/reply", handoff="h_wrong", text="refused")
    await maya.do(f"{at}/resolve", handoff=handoff.id)
    rows = await house.bot.store.read(
        lambda connection: connection.execute(
            "SELECT account, action, object, detail FROM audit ORDER BY id"
        ).fetchall()
    )
    acts = [row for row in rows if row[1].startswith("conversation.")]
    assert [row[1] for row in acts] == ["conversation.claim", "conversation.reply", "conversation.resolve"]
    assert {row[0] for row in acts} == {"maya"}
    assert {row[2] for row in acts} == {f"conversation:{conversation.id}"}
    assert "between us" not in str(rows)


@pytest.mark.parametrize("act", ["claim", "release", "reply", "note", "transfer", "return", "resolve"])
async def test_an_act_on_an_unknown_conversation_is_not_there(house: House, act: str) -> None:
    maya = await house.person()
    assert (await maya.do(f"/console/c/c_none/{act}", text="x", to="y")).status_code == 404


async def test_a_conversation_whose_channel_is_gone_can_be_read_and_not_written_to(house: House) -> None:
    maya = await house.person()
    conversation, handoff = await house.asks_for_a_human()
    await house.bot.store.write(lambda connection: connection.execute("UPDATE conversations SET channel = 'old'"))
    at = f"/console/c/{conversation.id}"
    assert "is not in the config any more" in (await maya.get(at)).text
    answer = await maya.do(f"{at}/reply", handoff=handoff.id, text="hello")
    assert answer.status_code == 409 and "The channel old is not in the config any more" in answer.text


async def test_the_customer_sees_that_their_agent_is_writing_and_nobody_else(house: House) -> None:
    maya, jonas = await house.person(), await house.person("jonas", name="Jonas Weber")
    conversation, handoff = await house.asks_for_a_human()
    at = f"/console/c/{conversation.id}"
    assert (await maya.do(f"{at}/typing")).status_code == 204
    assert house.channel.writers == [], "nobody has the conversation yet"
    await maya.do(f"{at}/claim", handoff=handoff.id)
    for agent in (jonas, maya):
        assert (await agent.do(f"{at}/typing")).status_code == 204
    assert house.channel.writers == [(conversation.address.chat, "Maya Brand")]
    assert (await maya.do("/console/c/c_none/typing")).status_code == 404


@pytest.mark.parametrize(
    ("customer", "said"), [("Ada", "Thank you, Ada. Maya here."), ("", "Thank you. Maya here.")]
)
def test_a_customer_without_a_name_is_not_addressed_by_one(customer: str, said: str) -> None:
    assert acts._filled("Thank you, {customer}. {agent} here.", customer, "Maya") == said
