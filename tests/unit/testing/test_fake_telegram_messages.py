"""Texts, keyboards, files and edits at the stand-in for Telegram, by the real python-telegram-bot."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from telegram import (
    Bot,
    BotCommand,
    BotCommandScopeChat,
    ChatMemberAdministrator,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    KeyboardButton,
    MessageEntity,
    ReplyKeyboardMarkup,
)
from telegram.error import NetworkError
from telegramming import bot_for, inline, refusal

from supportbot.testing.telegram import updates
from supportbot.testing.telegram.server import FakeTelegram

ANNA, GROUP = updates.ANNA, updates.GROUP


@pytest.fixture
async def fake() -> AsyncIterator[FakeTelegram]:
    async with FakeTelegram(limits=False) as fake:
        fake.chat(ANNA, title="Anna")
        fake.chat(GROUP, "supergroup", "Shop talk")
        yield fake


@pytest.fixture
async def bot(fake: FakeTelegram) -> AsyncIterator[Bot]:
    async with bot_for(fake) as bot:
        yield bot


# Texts


async def test_the_limit_of_a_text_counts_utf_16_after_parsing(fake: FakeTelegram, bot: Bot) -> None:
    await bot.send_message(ANNA, "<b>" + "x" * 4096 + "</b>", "HTML")
    assert await refusal(bot.send_message(ANNA, "x" * 4097)) == "Message is too long"
    await bot.send_message(ANNA, "😀" * 2048)
    assert await refusal(bot.send_message(ANNA, "😀" * 2049)) == "Message is too long"
    assert [len(text) for text in fake.texts()] == [4096, 2048]


async def test_an_empty_text_is_refused_and_white_space_at_the_ends_is_dropped(
    fake: FakeTelegram, bot: Bot
) -> None:
    assert await refusal(bot.send_message(ANNA, "")) == "Message text is empty"
    assert await refusal(bot.send_message(ANNA, " \n ")) == "Text must be non-empty"
    assert await refusal(bot.send_message(ANNA, "<b> </b>", "HTML")) == "Text must be non-empty"
    message = await bot.send_message(ANNA, "  <b>x</b> y \n", "HTML")
    assert message.text == "x y"
    assert (message.entities[0].offset, message.entities[0].length) == (0, 1)


async def test_html_becomes_text_and_entities(fake: FakeTelegram, bot: Bot) -> None:
    source = (
        '😀 <b>bold <i>both</i></b> <a href="https://example.org/?a=1&amp;b=2">link</a> &lt;&#8364;&copy; '
        '<pre><code class="language-python">x = 1</code></pre><span class="tg-spoiler">s</span>'
        "<blockquote expandable>q</blockquote>"
    )
    message = await bot.send_message(ANNA, source, "HTML")
    assert message.text == "😀 bold both link <€&copy; x = 1sq"
    found = [(one.type, message.parse_entity(one)) for one in message.entities]
    assert found == [
        ("bold", "bold both"),
        ("italic", "both"),
        ("text_link", "link"),
        ("pre", "x = 1"),
        ("spoiler", "s"),
        ("expandable_blockquote", "q"),
    ]
    assert message.entities[2].url == "https://example.org/?a=1&b=2"
    assert message.entities[3].language == "python"
    assert (fake.sent[0].raw, fake.sent[0].parse_mode) == (source, "HTML")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("<h1>x</h1>", 'unsupported start tag "h1" at byte offset 0'),
        ("é < 5", 'unsupported start tag "" at byte offset 3'),
        ("<b>x", 'can\'t find end tag corresponding to start tag "b"'),
        ("x</b>", "unexpected end tag at byte offset 1"),
        ("<b><i>x</b></i>", 'unmatched end tag at byte offset 7, expected "</i>", found "</b>"'),
        ("<b", "unclosed start tag at byte offset 0"),
        ("<b>x</b", "unclosed end tag at byte offset 4"),
        ("<span>x</span>", 'tag "span" must have class "tg-spoiler" at byte offset 0'),
        ("<a href>x</a>", 'expected equal sign in declaration of an attribute of the tag "a" at byte offset 0'),
        ("<br/>", 'unsupported start tag "br/" at byte offset 0'),
    ],
)
async def test_broken_html_cannot_be_parsed(fake: FakeTelegram, bot: Bot, source: str, said: str) -> None:
    found = await refusal(bot.send_message(ANNA, source, "HTML"))
    assert found.lower() == f"can't parse entities: {said}"
    assert fake.sent == []


async def test_markdown_v2_becomes_text_and_entities(bot: Bot) -> None:
    source = "*b _i_* __u__ ~s~ ||p|| `c_d` [l](https://example.org) 1\\.5\n```py\nx=1\n```\n>quote\n>more\nend"
    message = await bot.send_message(ANNA, source, "MarkdownV2")
    assert message.text == "b i u s p c_d l 1.5\nx=1\n\nquote\nmore\nend"
    found = [(one.type, message.parse_entity(one).strip()) for one in message.entities]
    assert found == [
        ("bold", "b i"),
        ("italic", "i"),
        ("underline", "u"),
        ("strikethrough", "s"),
        ("spoiler", "p"),
        ("code", "c_d"),
        ("text_link", "l"),
        ("pre", "x=1"),
        ("blockquote", "quote\nmore"),
    ]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("1.5", "character '.' is reserved and must be escaped with the preceding '\\'"),
        ("a | b", "character '|' is reserved and must be escaped with the preceding '\\'"),
        ("*x", "can't find end of bold entity at byte offset 0"),
        ("[x](https://example.org", "can't find end of a url at byte offset 4"),
    ],
)
async def test_broken_markdown_v2_cannot_be_parsed(bot: Bot, source: str, said: str) -> None:
    found = await refusal(bot.send_message(ANNA, source, "MarkdownV2"))
    assert found.lower() == f"can't parse entities: {said}"


async def test_entities_are_checked_against_the_text_in_utf_16(fake: FakeTelegram, bot: Bot) -> None:
    def entity(kind: str, offset: int, length: int, **more: Any) -> list[MessageEntity]:
        return [MessageEntity(kind, offset, length, **more)]

    await bot.send_message(ANNA, "😀 ok", entities=entity("bold", 0, 2))
    assert fake.sent[0].entities == [{"type": "bold", "offset": 0, "length": 2}]
    too_far = await refusal(bot.send_message(ANNA, "😀 ok", entities=entity("bold", 3, 3)))
    assert too_far == "Entity beginning at utf-16 offset 3 ends after the end of the text at utf-16 offset 5"
    assert "offset -1" in await refusal(bot.send_message(ANNA, "x", entities=entity("bold", -1, 1)))
    assert "url" in await refusal(bot.send_message(ANNA, "x", entities=entity("text_link", 0, 1)))
    assert "Unsupported" not in await refusal(bot.send_message(ANNA, "x", entities=entity("sparkle", 0, 1)))
    await bot.send_message(ANNA, "@anna", entities=entity("mention", 0, 5))
    assert fake.sent[1].entities == []


# Keyboards, replies, files


@pytest.mark.parametrize(
    ("button", "said"),
    [
        ({"callback_data": "é" * 32 + "e"}, "Button_data_invalid"),
        ({"url": "nowhere"}, "Button_url_invalid"),
        ({}, "Can't parse inline keyboard button: text buttons are unallowed in the inline keyboard"),
    ],
)
async def test_an_inline_button_is_checked(bot: Bot, button: dict[str, Any], said: str) -> None:
    assert await refusal(bot.send_message(ANNA, "x", reply_markup=inline(**button))) == said


async def test_good_keyboards_pass_and_stand_in_the_ledger(fake: FakeTelegram, bot: Bot) -> None:
    await bot.send_message(ANNA, "x", reply_markup=inline(callback_data="é" * 32))
    await bot.send_message(ANNA, "x", reply_markup=inline(url="https://example.org/x"))
    ask = ReplyKeyboardMarkup([[KeyboardButton("My number", request_contact=True)]])
    await bot.send_message(ANNA, "x", reply_markup=ask)
    assert fake.sent[0].reply_markup == {"inline_keyboard": [[{"text": "Yes", "callback_data": "é" * 32}]]}
    found = await refusal(bot.send_message(GROUP, "x", reply_markup=ask))
    assert found == "Phone number can be requested in private chats only"
    nameless = InlineKeyboardMarkup([[InlineKeyboardButton(" ", callback_data="x")]])
    assert "non-empty" in await refusal(bot.send_message(ANNA, "x", reply_markup=nameless))


async def test_a_reply_needs_its_message(fake: FakeTelegram, bot: Bot) -> None:
    asked = updates.text()
    fake.add(asked)
    await bot.send_message(ANNA, "x", reply_to_message_id=asked["message"]["message_id"])
    found = await refusal(bot.send_message(ANNA, "x", reply_to_message_id=5))
    assert found == "Message to be replied not found"
    await bot.send_message(ANNA, "y", reply_to_message_id=5, allow_sending_without_reply=True)
    assert [one.reply_to for one in fake.sent] == [asked["message"]["message_id"], None]


async def test_an_upload_is_kept_by_digest_and_can_be_fetched_again(fake: FakeTelegram, bot: Bot) -> None:
    message = await bot.send_document(ANNA, b"the bytes", "<b>Here</b>", filename="bill.pdf", parse_mode="HTML")
    sent = fake.sent[0]
    assert (sent.text, sent.file_name) == ("Here", "bill.pdf")
    assert sent.file_digest == hashlib.sha256(b"the bytes").hexdigest()
    assert message.document is not None and message.document.file_name == "bill.pdf"
    file = await bot.get_file(message.document.file_id)
    assert bytes(await file.download_as_bytearray()) == b"the bytes"
    photo = await bot.send_photo(ANNA, b"picture", "Look")
    again = await bot.send_photo(ANNA, photo.photo[-1].file_id)
    assert again.photo[-1].file_id == photo.photo[-1].file_id
    assert "wrong file identifier" in (await refusal(bot.send_photo(ANNA, "unknown-id"))).lower()
    assert await refusal(bot.send_photo(ANNA, b"x", "c" * 1025)) == "Message caption is too long"


async def test_a_file_is_downloaded_refused_when_too_big_or_redirected(fake: FakeTelegram, bot: Bot) -> None:
    fake.file("voice-1", b"sound", "audio/ogg", "a.ogg")
    fake.file("film", b"", "video/mp4", "film.mp4", size=20_000_001)
    file = await bot.get_file("voice-1")
    assert bytes(await file.download_as_bytearray()) == b"sound"
    assert await refusal(bot.get_file("film")) == "File is too big"
    assert await refusal(bot.get_file("unknown")) == "Invalid file_id"
    fake.file_redirect = "http://127.0.0.1:1/elsewhere"
    assert "302" in await refusal(file.download_as_bytearray(), NetworkError)


# Changes


async def test_an_edit_changes_what_stands_there_and_the_same_again_is_refused(
    fake: FakeTelegram, bot: Bot
) -> None:
    message = await bot.send_message(ANNA, "one", reply_markup=inline(callback_data="1"))
    await bot.edit_message_text("two", ANNA, message.message_id)
    again = await refusal(bot.edit_message_text("<i></i>two", ANNA, message.message_id, parse_mode="HTML"))
    assert again.startswith("Message is not modified: specified new message content")
    await bot.edit_message_reply_markup(ANNA, message.message_id, reply_markup=inline(callback_data="2"))
    sent = fake.sent[0]
    assert (sent.text, sent.raw, [edit.text for edit in sent.edits]) == ("two", "one", ["two", "two"])
    assert sent.edits[0].reply_markup is None
    assert sent.reply_markup is not None
    assert await refusal(bot.edit_message_text("x", ANNA, 99_999)) == "Message to edit not found"
    foreign = updates.text()
    fake.add(foreign)
    theirs = foreign["message"]["message_id"]
    assert await refusal(bot.edit_message_text("x", ANNA, theirs)) == "Message can't be edited"


async def test_a_deleted_message_is_gone_but_stays_in_the_ledger(fake: FakeTelegram, bot: Bot) -> None:
    message = await bot.send_message(ANNA, "one")
    await bot.delete_message(ANNA, message.message_id)
    assert (fake.texts(), fake.sent[0].deleted) == ([], True)
    assert await refusal(bot.delete_message(ANNA, message.message_id)) == "Message to delete not found"
    assert await refusal(bot.edit_message_text("x", ANNA, message.message_id)) == "Message to edit not found"


async def test_drafts_are_for_private_chats_and_need_an_id(fake: FakeTelegram, bot: Bot) -> None:
    await bot.send_message_draft(ANNA, 7, "")
    await bot.send_message_draft(ANNA, 7, "<b>Your</b> order", parse_mode="HTML")
    assert [(draft.draft_id, draft.text) for draft in fake.drafts] == [(7, ""), (7, "Your order")]
    assert await refusal(bot.send_message_draft(GROUP, 7, "x")) == "Textdraft_peer_invalid"
    assert await refusal(bot.send_message_draft(ANNA, 0, "x")) == "Textdraft_id_invalid"
    assert fake.sent == []


async def test_actions_and_callback_answers_are_noted(fake: FakeTelegram, bot: Bot) -> None:
    pressed = updates.callback()
    fake.add(pressed)
    await bot.send_chat_action(ANNA, "typing")
    await bot.answer_callback_query(pressed["callback_query"]["id"], "Done")
    assert [action.action for action in fake.actions] == ["typing"]
    assert [answer.text for answer in fake.answers] == ["Done"]
    assert (await refusal(bot.answer_callback_query("1"))).startswith("Query is too old and response timeout")
    assert await refusal(bot.send_chat_action(ANNA, "dancing")) == "Wrong parameter action in request"


async def test_a_callback_query_gets_too_old() -> None:
    async with FakeTelegram(callback_seconds=0.0) as fake, bot_for(fake) as bot:
        pressed = updates.callback()
        fake.add(pressed)
        await asyncio.sleep(0.01)
        assert "too old" in await refusal(bot.answer_callback_query(pressed["callback_query"]["id"]))


async def test_commands_are_kept_by_scope_and_language(bot: Bot) -> None:
    help_command = [BotCommand("help", "Help")]
    await bot.set_my_commands(help_command)
    await bot.set_my_commands([BotCommand("hilfe", "Hilfe")], BotCommandScopeChat(ANNA), "de")
    assert await bot.get_my_commands() == tuple(help_command)
    assert (await bot.get_my_commands(BotCommandScopeChat(ANNA), "de"))[0].command == "hilfe"
    assert await bot.get_my_commands(BotCommandScopeChat(ANNA)) == ()
    await bot.delete_my_commands()
    assert await bot.get_my_commands() == ()
    assert await refusal(bot.set_my_commands([("Help", "Help")])) == "Bot_command_invalid"
    assert await refusal(bot.set_my_commands([("help", " ")])) == "Bot_command_description_invalid"
    many = [(f"c{number}", "x") for number in range(101)]
    assert await refusal(bot.set_my_commands(many)) == "Bot_commands_too_much"


async def test_a_chat_and_its_members_can_be_looked_up(fake: FakeTelegram, bot: Bot) -> None:
    fake.chat(-1009, "supergroup", "Team", username="team", statuses={fake.id: "administrator", 5: "creator"})
    assert (await bot.get_chat("@team")).title == "Team"
    assert isinstance(await bot.get_chat_member(-1009, fake.id), ChatMemberAdministrator)
    assert (await bot.get_chat_member(-1009, 5)).status == "creator"
    assert await refusal(bot.get_chat_member(-1009, 404)) == "User not found"
