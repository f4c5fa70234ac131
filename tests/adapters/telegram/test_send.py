"""What a customer sees: texts, buttons, files, groups, and how Telegram's refusals are taken."""

from __future__ import annotations

import asyncio

import pytest

from supportbot.errors import ChannelBusy, ChannelGone, ChannelRefused
from supportbot.testing.telegram import updates
from supportbot.testing.telegram.parts import ANNA, GROUP, SMALL_GROUP
from supportbot.testing.telegram.server import (
    BAD_GATEWAY,
    HANG,
    RESET,
    RESET_AFTER_ACCEPTING,
    Fault,
    Sent,
)
from supportbot.types import Address, Attachment, Button, User
from supportbot_telegram import TelegramAdapter

from .conftest import YES_NO, Shop, outgoing

PHONE = Button("phone", "Share my number", asks="phone")
SHOP = Button("shop", "Open the shop", url="https://shop.example/a?b=1&c=2")


def bad(description: str) -> Fault:
    return Fault("error", 400, f"Bad Request: {description}")


def last(shop: Shop) -> Sent:
    return shop.fake.sent[-1]


@pytest.fixture
async def shop(polling: Shop) -> Shop:
    """Anna and her group are known."""
    polling.fake.chat(ANNA)
    polling.fake.chat(GROUP, "supergroup", "Customers")
    return polling


# --- texts ---------------------------------------------------------------------------------------------------


async def test_formatting_goes_out_as_entities_and_links_have_no_preview(shop: Shop) -> None:
    handle = await shop.adapter.send(outgoing("**Shipped** 🙂, see [here](https://shop.example/17)."))
    sent = last(shop)
    assert handle == f"{ANNA}.{sent.message_id}"
    assert (sent.text, sent.raw, sent.parse_mode) == ("Shipped 🙂, see here.",) * 2 + ("",)
    assert [(e["type"], e["offset"], e["length"]) for e in sent.entities] == [("bold", 0, 7), ("text_link", 16, 4)]
    assert shop.called("sendMessage")[-1]["link_preview_options"] == {"is_disabled": True}


async def test_text_whose_formatting_is_refused_goes_out_plain(shop: Shop) -> None:
    shop.fake.next("sendMessage", bad("can't parse entities: unsupported"))
    await shop.adapter.send(outgoing("**Shipped**"))
    assert (last(shop).text, last(shop).entities) == ("Shipped", [])
    assert shop.logged("telegram.simplified")


async def test_an_empty_reply_is_refused_and_buttons_alone_are_not(shop: Shop) -> None:
    with pytest.raises(ChannelRefused, match="neither text nor buttons"):
        await shop.adapter.send(outgoing(" \n"))
    await shop.adapter.send(outgoing("", buttons=YES_NO))
    assert last(shop).text == "…"


async def test_a_text_of_exactly_the_limit_goes_out(shop: Shop) -> None:
    text = "🙂" * 2048
    assert shop.adapter.capabilities.measure(text) == shop.adapter.capabilities.text_limit == 4096
    await shop.adapter.send(outgoing(text))
    assert last(shop).text == text


# --- buttons -------------------------------------------------------------------------------------------------


async def test_buttons_stand_under_the_message_and_carry_the_press(shop: Shop) -> None:
    await shop.adapter.send(outgoing("Well?", buttons=(*YES_NO, SHOP)))
    assert last(shop).reply_markup == {
        "inline_keyboard": [
            [{"text": "Yes", "callback_data": "r1.1"}, {"text": "No", "callback_data": "r1.2"}],
            [{"text": "Open the shop", "url": "https://shop.example/a?b=1&c=2"}],
        ]
    }


async def test_in_a_group_buttons_are_for_one_customer(shop: Shop) -> None:
    shop.fake.chat(GROUP, "supergroup", is_forum=True, topics=[7])
    await shop.adapter.send(outgoing("Well?", buttons=YES_NO, address=Address("shop", str(GROUP), "7")))
    assert last(shop).thread == 7
    (row,) = last(shop).reply_markup["inline_keyboard"]  # type: ignore[index]
    assert [button["callback_data"] for button in row] == [f"r1.1|{ANNA}|7", f"r1.2|{ANNA}|7"]


async def test_a_link_that_is_no_button_for_telegram_is_text(shop: Shop) -> None:
    mail = Button("mail", "Write to us", url="mailto:help@shop.example")
    await shop.adapter.send(outgoing("Well?", buttons=(mail, *YES_NO)))
    assert last(shop).text == "Well?\n\nWrite to us: mailto:help@shop.example"
    assert len(last(shop).reply_markup["inline_keyboard"][0]) == 2  # type: ignore[index]


async def test_asking_for_a_phone_number_takes_the_place_of_the_keyboard_once(shop: Shop) -> None:
    await shop.adapter.send(outgoing("Your number?", buttons=(PHONE, Button("skip", "Skip", press="r.1"), SHOP)))
    assert last(shop).reply_markup == {
        "keyboard": [[{"text": "Share my number", "request_contact": True}, {"text": "Skip"}]],
        "one_time_keyboard": True,
        "resize_keyboard": True,
    }
    assert "Open the shop: https://shop.example/a?b=1&c=2" in last(shop).text
    await shop.adapter.send(outgoing("Thank you.", id="o-2"))
    assert last(shop).reply_markup == {"remove_keyboard": True}
    await shop.adapter.send(outgoing("Anything else?", id="o-3"))
    assert last(shop).reply_markup is None


async def test_a_group_is_asked_for_a_phone_number_in_words_only(shop: Shop) -> None:
    await shop.adapter.send(outgoing("Your number?", GROUP, buttons=(PHONE,)))
    assert (last(shop).text, last(shop).reply_markup) == ("Your number?", None)
    await shop.adapter.send(outgoing("Your number?", GROUP, id="o-2", buttons=(PHONE, *YES_NO)))
    assert len(last(shop).reply_markup["inline_keyboard"]) == 1  # type: ignore[index]


async def test_buttons_that_are_refused_become_lines(shop: Shop) -> None:
    shop.fake.next("sendMessage", bad("BUTTON_URL_INVALID"))
    await shop.adapter.send(outgoing("Well?", buttons=(*YES_NO, SHOP)))
    assert last(shop).text == "Well?\n\n• Yes\n• No\nOpen the shop: https://shop.example/a?b=1&c=2"
    assert last(shop).reply_markup is None


# --- files ---------------------------------------------------------------------------------------------------


async def test_a_picture_goes_out_with_the_text_under_it(shop: Shop) -> None:
    digest = shop.files.add(b"\x89PNG picture")
    picture = Attachment("lamp.png", "image/png", 12, digest=digest)
    await shop.adapter.send(outgoing("**Your** lamp", files=(picture,), buttons=YES_NO))
    (sent,) = shop.fake.sent
    assert (sent.method, sent.text, sent.file_name, sent.file_digest) == (
        "sendPhoto",
        "Your lamp",
        "lamp.png",
        digest,
    )
    assert sent.entities[0]["type"] == "bold" and sent.reply_markup is not None


async def test_other_files_are_documents_and_a_long_text_comes_first(shop: Shop) -> None:
    digest = shop.files.add(b"%PDF")
    invoice = Attachment("invoice.pdf", "application/pdf", 4, digest=digest)
    online = Attachment("terms.pdf", "application/pdf", url="https://shop.example/terms.pdf")
    await shop.adapter.send(outgoing("long " * 300, files=(invoice, online), buttons=YES_NO))
    assert [(one.method, one.file_name) for one in shop.fake.sent] == [
        ("sendMessage", ""),
        ("sendDocument", "invoice.pdf"),
        ("sendDocument", "terms.pdf"),
    ]
    assert [one.reply_markup is not None for one in shop.fake.sent] == [False, False, True]


async def test_a_picture_that_is_refused_goes_out_as_a_document(shop: Shop) -> None:
    picture = Attachment("lamp.png", "image/png", 12, digest=shop.files.add(b"\x89PNG picture"))
    shop.fake.next("sendPhoto", bad("PHOTO_INVALID_DIMENSIONS"))
    await shop.adapter.send(outgoing("Your lamp", files=(picture,)))
    assert [(one.method, one.text) for one in shop.fake.sent] == [("sendDocument", "Your lamp")]


async def test_a_file_that_telegram_cannot_get_goes_out_as_a_link(shop: Shop) -> None:
    online = Attachment("terms.pdf", "application/pdf", url="https://shop.example/terms.pdf")
    shop.fake.next("sendDocument", bad("failed to get HTTP URL content"))
    await shop.adapter.send(outgoing("The terms", files=(online,)))
    assert shop.fake.texts() == ["The terms\n\nterms.pdf: https://shop.example/terms.pdf"]


async def test_a_file_that_is_gone_is_told_by_its_link_or_refused(shop: Shop) -> None:
    gone = Attachment("a.pdf", "application/pdf", 4, digest="0" * 64, url="https://shop.example/a.pdf")
    await shop.adapter.send(outgoing("Here", files=(gone,)))
    assert last(shop).file_name == "a.pdf"
    with pytest.raises(ChannelRefused, match="not kept"):
        await shop.adapter.send(outgoing("Here", files=(Attachment("b.pdf", digest="0" * 64),)))


async def test_a_reply_that_failed_in_the_middle_goes_on_there(shop: Shop) -> None:
    files = tuple(Attachment(f"{n}.pdf", digest=shop.files.add(b"%d" % n)) for n in range(3))
    row = outgoing("long " * 300, files=files)
    shop.fake.next("sendDocument", None, RESET)
    with pytest.raises(ChannelBusy):
        await shop.adapter.send(row)
    assert len(shop.fake.sent) == 2
    await shop.adapter.send(row)
    assert [one.file_name for one in shop.fake.sent] == ["", "0.pdf", "1.pdf", "2.pdf"]


# --- groups --------------------------------------------------------------------------------------------------


async def test_in_a_group_the_reply_answers_the_message(shop: Shop) -> None:
    update = updates.mention()
    number = update["message"]["message_id"]
    shop.fake.add(update)
    await shop.adapter.send(outgoing("We are open.", GROUP, in_reply_to=(f"{GROUP}.5", f"{GROUP}.{number}")))
    assert last(shop).reply_to == number
    await shop.adapter.send(outgoing("Part two.", GROUP, in_reply_to=(f"{GROUP}.{number}",), part=2, parts=2))
    assert last(shop).reply_to is None


async def test_a_message_that_was_deleted_meanwhile_is_answered_all_the_same(shop: Shop) -> None:
    await shop.adapter.send(outgoing("We are open.", GROUP, in_reply_to=(f"{GROUP}.999",)))
    assert (last(shop).text, last(shop).reply_to) == ("We are open.", None)


async def test_a_topic_that_was_deleted_meanwhile_is_answered_beside_it(shop: Shop) -> None:
    shop.fake.chat(GROUP, "supergroup", is_forum=True, topics=[7])
    await shop.adapter.send(outgoing("We are open.", address=Address("shop", str(GROUP), "8")))
    assert (last(shop).text, last(shop).thread) == ("We are open.", None)


async def test_a_group_that_became_a_supergroup_is_written_to_there(shop: Shop) -> None:
    new = -1001600000009
    shop.fake.chat(SMALL_GROUP, "group")
    shop.fake.migrate(SMALL_GROUP, new)
    await shop.adapter.send(outgoing("We are open.", SMALL_GROUP, in_reply_to=(f"{SMALL_GROUP}.5",)))
    await shop.adapter.send(outgoing("Until six.", SMALL_GROUP, id="o-2"))
    assert shop.fake.texts(new) == ["We are open.", "Until six."]
    assert len(shop.called("sendMessage")) == 3


async def test_a_private_answer_leaves_the_group(shop: Shop) -> None:
    await shop.adapter.send(outgoing("Your code is 1234.", GROUP, private=True))
    assert (shop.fake.texts(ANNA), shop.fake.texts(GROUP)) == (["Your code is 1234."], [])


@pytest.mark.parametrize("known", [True, False])
async def test_a_private_answer_is_never_told_to_the_group(shop: Shop, known: bool) -> None:
    if known:
        shop.fake.chat(5, wrote=False)
    for part in (1, 2):
        row = outgoing(f"Secret {part}", GROUP, id=f"o-{part}", private=True, user=User("5"), part=part, parts=2)
        await shop.adapter.send(row)
    (sent,) = shop.fake.sent
    assert sent.chat_id == GROUP and "Secret" not in sent.text
    (((button,),),) = (sent.reply_markup["inline_keyboard"],)  # type: ignore[index]
    assert button["url"] == f"https://t.me/{shop.fake.username}?start=personal"


async def test_the_hint_is_in_the_customers_language(shop: Shop) -> None:
    german = updates.user(5, "Fritz", language_code="de")
    assert await shop.fake.delivered(shop.fake.add(updates.command("/code", updates.group(), german)))
    await shop.adapter.send(outgoing("Secret", GROUP, private=True, user=User("5")))
    assert last(shop).text.startswith("Meine Antwort ist nur für Sie.")


# --- failures ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "expected", "sentence"),
    [
        (Fault("rate limit", retry_after=9), ChannelBusy, "Telegram asks to wait 9 seconds."),
        (BAD_GATEWAY, ChannelBusy, "an error of its own"),
        (RESET, ChannelBusy, "Telegram cannot be reached (ReadError)"),
        (RESET_AFTER_ACCEPTING, ChannelBusy, "Telegram cannot be reached"),
        (Fault(), ChannelBusy, "an error of its own"),
        (Fault("error", 401, "Unauthorized"), ChannelBusy, "does not accept the bot token"),
        (Fault("error", 409, "Conflict: other"), ChannelBusy, "Another process"),
        (Fault("error", 403, "Forbidden: bot was blocked by the user"), ChannelGone, "blocked by the user"),
        (Fault("error", 403, "Forbidden: user is deactivated"), ChannelGone, "deactivated"),
        (bad("chat not found"), ChannelGone, "no such chat"),
        (bad("message is too long"), ChannelRefused, "Telegram refused the message: Message is too long"),
    ],
)
async def test_each_failure_says_what_to_do(
    shop: Shop, fault: Fault, expected: type[Exception], sentence: str
) -> None:
    shop.fake.always("sendMessage", fault)
    with pytest.raises(expected) as raised:
        await shop.adapter.send(outgoing("**Hello**"))
    assert type(raised.value) is expected and sentence in str(raised.value)
    error: BaseException | None = raised.value
    assert error is not None and error.__cause__ is None and error.__suppress_context__
    assert shop.fake.token not in str(error)
    assert getattr(error, "retry_after", None) == (9 if "9 seconds" in sentence else None)


async def test_a_telegram_that_says_nothing_is_busy(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("supportbot_telegram.api.SECONDS", 0.2)
    shop.fake.always("sendMessage", HANG)
    sending = shop.adapter._open().api.call("sendMessage", {"chat_id": ANNA, "text": "x"}, seconds=0.2)
    with pytest.raises(Exception, match="Timed out"):
        await sending


async def test_an_answer_that_cannot_be_read_is_no_second_copy(shop: Shop) -> None:
    """The library would fail on a message without a date, and the house would send it again."""
    api = shop.adapter._open().api
    result = await api.call("sendMessage", {"chat_id": ANNA, "text": "once"})
    assert isinstance(result, dict) and result["message_id"]
    assert shop.fake.texts() == ["once"]


@pytest.mark.parametrize("chat", ["c-1", "", "1.5"])
async def test_an_address_that_is_no_chat_is_refused(shop: Shop, chat: str) -> None:
    with pytest.raises(ChannelRefused, match="no id of a Telegram chat"):
        await shop.adapter.send(outgoing("x", address=Address("shop", chat)))


async def test_many_replies_at_once_are_all_delivered(shop: Shop) -> None:
    rows = [outgoing(f"reply {n}", id=f"o-{n}") for n in range(300)]
    await asyncio.gather(*(shop.adapter.send(row) for row in rows))
    assert sorted(shop.fake.texts()) == sorted(f"reply {n}" for n in range(300))


def test_groups_are_written_to_more_slowly() -> None:
    adapter = TelegramAdapter("shop", {"bot_token": "123456:abcdef"})
    assert adapter.pace(Address("shop", str(ANNA))) == 1.0
    assert adapter.pace(Address("shop", str(GROUP), "7")) > 3.0
    assert adapter.capabilities.channel_rate < 30
