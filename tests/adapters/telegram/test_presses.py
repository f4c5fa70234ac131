"""What a customer sees after pressing a button."""

from __future__ import annotations

from typing import Any

import pytest

from supportbot.testing.telegram import updates
from supportbot.testing.telegram.parts import ANNA, BEN, GROUP
from supportbot.testing.telegram.server import Fault
from supportbot_telegram.entities import utf16
from supportbot_telegram.inbound import Press
from supportbot_telegram.presses import marked

from .conftest import YES_NO, Shop, outgoing

KEYBOARD = {
    "inline_keyboard": [
        [{"text": "Yes", "callback_data": "r1.1"}, {"text": "No", "callback_data": "r1.2"}],
        [{"text": "Shop", "url": "https://shop.example"}],
    ]
}


def pressed(shop: Shop, data: str, chat: int = ANNA, sender: int = ANNA) -> dict[str, Any]:
    """A press under the last message that was sent."""
    sent = shop.fake.sent[-1]
    place = updates.private(chat) if chat > 0 else updates.group(chat)
    update = updates.callback(data, sent.message_id, place, updates.user(sender))
    under = update["callback_query"]["message"]
    under |= {"text": sent.text, "entities": sent.entities, "reply_markup": sent.reply_markup}
    return update


def query(update: dict[str, Any]) -> str:
    return str(update["callback_query"]["id"])


async def test_a_press_is_answered_and_the_choice_is_shown(polling: Shop) -> None:
    polling.fake.chat(ANNA)
    await polling.adapter.send(outgoing("Shall **I**?", buttons=YES_NO))
    update = pressed(polling, "r1.2")
    assert await polling.fake.delivered(polling.fake.add(update))
    await polling.until(lambda: polling.fake.sent[-1].edits)
    (sent,) = polling.fake.sent
    assert (sent.text, sent.reply_markup) == ("Shall I?\n\n✓ No", None)
    assert [(e["type"], e["offset"]) for e in sent.entities] == [("bold", 6)]
    assert [(one.id, one.text) for one in polling.fake.answers] == [(query(update), "")]
    assert [message.kind for message in polling.inbox.messages] == ["action"]


async def test_a_second_press_is_told_and_changes_nothing(webhook: Shop) -> None:
    webhook.fake.chat(ANNA)
    await webhook.adapter.send(outgoing("Shall I?", buttons=YES_NO))
    first, second = pressed(webhook, "r1.1"), pressed(webhook, "r1.2")
    for update in (first, second):
        assert await webhook.fake.delivered(webhook.fake.add(update))
    await webhook.until(lambda: len(webhook.fake.answers) == 2 and webhook.fake.sent[-1].edits)
    assert [one.text for one in webhook.fake.answers] == ["", "You have already chosen here."]
    assert len(webhook.fake.sent[-1].edits) == 1
    assert [message.action and message.action.press for message in webhook.inbox.messages] == ["r1.1"]


async def test_somebody_elses_press_is_turned_away_and_not_stored(polling: Shop) -> None:
    polling.fake.chat(GROUP, "supergroup")
    await polling.adapter.send(outgoing("Shall I?", GROUP, buttons=YES_NO))
    assert await polling.fake.delivered(polling.fake.add(pressed(polling, f"r1.1|{ANNA}", GROUP, BEN)))
    await polling.until(lambda: polling.fake.answers)
    (answer,) = polling.fake.answers
    assert (answer.text, answer.show_alert) == ("These buttons are for somebody else.", True)
    assert polling.inbox.messages == [] and not polling.fake.sent[-1].edits
    assert await polling.fake.delivered(polling.fake.add(pressed(polling, f"r1.1|{ANNA}", GROUP, ANNA)))
    await polling.until(lambda: polling.fake.sent[-1].edits)
    assert len(polling.inbox.messages) == 1


async def test_a_press_that_cannot_be_answered_any_more_is_taken_all_the_same(polling: Shop) -> None:
    polling.fake.always("answerCallbackQuery", Fault("error", 400, "Bad Request: query is too old"))
    polling.fake.always("editMessageText", Fault("error", 400, "Bad Request: message to edit not found"))
    polling.fake.chat(ANNA)
    await polling.adapter.send(outgoing("Shall I?", buttons=YES_NO))
    assert await polling.fake.delivered(polling.fake.add(pressed(polling, "r1.1")))
    await polling.until(lambda: polling.called("editMessageText"))
    assert len(polling.inbox.messages) == 1 and not polling.logged("telegram.failed")


async def test_an_outage_while_answering_a_press_is_only_noted(polling: Shop) -> None:
    polling.fake.always("answerCallbackQuery", Fault())
    assert await polling.fake.delivered(polling.fake.add(updates.callback("r1.1")))
    await polling.until(lambda: polling.logged("telegram.failed"))
    assert len(polling.inbox.messages) == 1


async def test_the_press_is_answered_only_after_it_is_stored(polling: Shop) -> None:
    polling.inbox.hold()
    number = polling.fake.add(updates.callback("r1.1"))
    await polling.inbox.arrived.wait()
    assert not await polling.fake.delivered(number, 0.1) and not polling.fake.answers
    polling.inbox.release()
    await polling.until(lambda: polling.fake.answers)


def press(**under: Any) -> Press:
    return Press("q", data="r1.2", chat=ANNA, message=9, under=under)


def test_links_stay_when_the_choice_is_shown() -> None:
    change = marked(press(text="Shall I?", reply_markup=KEYBOARD))
    assert change is not None and change.method == "editMessageText"
    assert change.fields["reply_markup"] == {"inline_keyboard": [KEYBOARD["inline_keyboard"][1]]}


@pytest.mark.parametrize("under", [{"text": "🙂" * 2047}, {"caption": "a lamp", "photo": []}])
def test_where_there_is_no_room_the_button_shows_the_choice(under: dict[str, Any]) -> None:
    change = marked(press(**under, reply_markup=KEYBOARD))
    assert change is not None and change.method == "editMessageReplyMarkup"
    (chosen,), link = change.fields["reply_markup"]["inline_keyboard"]
    assert chosen == {"text": "✓ No", "callback_data": "r1.2"} and link[0]["text"] == "Shop"
    assert utf16(under.get("text", "")) <= 4096


@pytest.mark.parametrize("under", [{}, {"text": "x"}, {"text": "x", "reply_markup": {"inline_keyboard": []}}])
def test_a_message_that_cannot_be_seen_is_left_as_it_is(under: dict[str, Any]) -> None:
    assert marked(press(**under)) is None
