"""Topics at the stand-in for Telegram, by the real python-telegram-bot."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from typing import Any

import pytest
from telegram import Bot, ForumTopic, Message, Update
from telegram.error import BadRequest, Forbidden
from telegram.request import HTTPXRequest

from supportbot.testing.telegram import updates
from supportbot.testing.telegram.server import FakeTelegram

GROUP = -1001700000001


@pytest.fixture
async def fake() -> AsyncIterator[FakeTelegram]:
    async with FakeTelegram(limits=False) as fake:
        fake.forum(GROUP)
        yield fake


@pytest.fixture
async def bot(fake: FakeTelegram) -> AsyncIterator[Bot]:
    client = HTTPXRequest(connection_pool_size=8, read_timeout=5)
    other = HTTPXRequest(connection_pool_size=4, read_timeout=5)
    async with Bot(fake.token, base_url=fake.url + "/bot", request=client, get_updates_request=other) as bot:
        yield bot


async def refusal(call: Awaitable[Any], kind: type[Exception] = BadRequest) -> str:
    with pytest.raises(kind) as caught:
        await call
    return str(caught.value).lower()


async def test_a_topic_is_made_written_into_renamed_closed_and_opened(fake: FakeTelegram, bot: Bot) -> None:
    topic = await bot.create_forum_topic(GROUP, "  Anna \n Berg ", icon_color=0xFFD67E)
    assert isinstance(topic, ForumTopic) and (topic.name, topic.icon_color) == ("Anna Berg", 0xFFD67E)
    id = topic.message_thread_id
    message = await bot.send_message(GROUP, "Hello", message_thread_id=id)
    assert message.is_topic_message and message.message_thread_id == id and message.message_id > id
    document = await bot.send_document(GROUP, b"words", filename="a.txt", message_thread_id=id)
    assert document.document is not None and document.message_thread_id == id
    assert await bot.edit_forum_topic(GROUP, id, name="Anna")
    assert await bot.close_forum_topic(GROUP, id) and fake._book.chats[GROUP].forum[id].closed
    assert await bot.send_message(GROUP, "An administrator may", message_thread_id=id)
    assert await bot.reopen_forum_topic(GROUP, id) and not fake._book.chats[GROUP].forum[id].closed


async def test_the_bot_is_told_what_it_did_to_a_topic(bot: Bot) -> None:
    topic = await bot.create_forum_topic(GROUP, "Anna")
    id = topic.message_thread_id
    await bot.edit_forum_topic(GROUP, id, name="Ada")
    await bot.close_forum_topic(GROUP, id)
    await bot.reopen_forum_topic(GROUP, id)
    found = [update.message for update in await bot.get_updates()]
    assert all(isinstance(one, Message) and one.message_thread_id == id and not one.api_kwargs for one in found)
    made, edited, closed, reopened = [one for one in found if one is not None]
    assert made.forum_topic_created is not None and made.forum_topic_created.name == "Anna"
    assert made.message_id == id and made.from_user is not None and made.from_user.id == bot.id
    assert edited.forum_topic_edited is not None and edited.forum_topic_edited.name == "Ada"
    assert closed.forum_topic_closed is not None and reopened.forum_topic_reopened is not None


async def test_names_have_at_most_128_characters_and_colours_are_six(bot: Bot) -> None:
    assert len((await bot.create_forum_topic(GROUP, "x" * 200)).name) == 128
    assert await refusal(bot.create_forum_topic(GROUP, " \n")) == "title must be non-empty"
    assert await refusal(bot.create_forum_topic(GROUP, "x", icon_color=1)) == "topic_icon_color_invalid"


async def test_what_is_so_already_or_not_there_is_refused(fake: FakeTelegram, bot: Bot) -> None:
    id = (await bot.create_forum_topic(GROUP, "Anna")).message_thread_id
    assert await refusal(bot.edit_forum_topic(GROUP, id, name="Anna")) == "topic_not_modified"
    assert await refusal(bot.reopen_forum_topic(GROUP, id)) == "topic_not_modified"
    fake._book.chats[GROUP].delete_topic(id)
    assert await refusal(bot.send_message(GROUP, "x", message_thread_id=id)) == "message thread not found"
    assert await refusal(bot.send_message(GROUP, "x", message_thread_id=1)) == "message thread not found"
    assert await refusal(bot.close_forum_topic(GROUP, id)) == "topic_id_invalid"
    assert await refusal(bot.close_forum_topic(GROUP, 0)) == "invalid message thread identifier specified"


async def test_who_may_not_manage_topics_makes_none_and_writes_into_no_closed_one(
    fake: FakeTelegram, bot: Bot
) -> None:
    mine = (await bot.create_forum_topic(GROUP, "Anna")).message_thread_id
    fake.add(updates.topic_event("created", 900, updates.group(GROUP, is_forum=True)))
    fake._book.chats[GROUP].members.clear()
    assert await refusal(bot.create_forum_topic(GROUP, "Ada")) == "not enough rights to create a topic"
    assert await refusal(bot.close_forum_topic(GROUP, 900)) == "not enough rights to close or open the topic"
    assert await bot.close_forum_topic(GROUP, mine), "its own it may"
    assert await refusal(bot.send_message(GROUP, "x", message_thread_id=mine)) == "topic_closed"


async def test_only_a_forum_that_the_bot_is_in_has_topics(fake: FakeTelegram, bot: Bot) -> None:
    fake.chat(-5, "supergroup", statuses={fake.id: "administrator"})
    assert await refusal(bot.create_forum_topic(-5, "x")) == "the chat is not a forum"
    assert await refusal(bot.create_forum_topic(-6, "x")) == "chat not found"
    fake.block(GROUP)
    assert "bot was kicked" in await refusal(bot.create_forum_topic(GROUP, "x"), Forbidden)


@pytest.mark.parametrize("kind", ["created", "edited", "closed", "reopened"])
def test_the_library_knows_what_happens_to_topics(kind: str) -> None:
    message = Update.de_json({"update_id": 1, **updates.topic_event(kind)}).message
    assert message is not None and not message.api_kwargs
    assert getattr(message, f"forum_topic_{kind}") is not None and message.is_topic_message


def test_a_message_in_a_topic_answers_the_topics_first() -> None:
    message = Update.de_json({"update_id": 1, **updates.topic_message("Hi", 12)}).message
    assert message is not None and message.message_thread_id == 12 and message.reply_to_message is not None
    assert message.reply_to_message.forum_topic_created is not None and message.reply_to_message.message_id == 12
