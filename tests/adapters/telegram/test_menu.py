"""The bot's commands in Telegram's own menu, and how a reply looks there."""

from __future__ import annotations

import pytest

from supportbot.protocols import Menu
from supportbot.testing.telegram.server import Fault
from supportbot.types import Attachment, Button, Reply
from supportbot_telegram import TelegramAdapter
from supportbot_telegram.commands import lists
from supportbot_telegram.words import _WORDS, say

from .conftest import YES_NO, opened

MENU = Menu(commands=(("order", {"en": "Track an order", "de-AT": "Bestellung verfolgen"}), ("Not-Valid", {})))


def test_commands_are_set_for_everybody_and_for_each_language_there_is() -> None:
    found = dict(lists(MENU, "en"))
    assert list(found) == ["", "de", "en"]
    assert found[""] == found["en"]
    assert found["de"] == [
        {"command": "order", "description": "Bestellung verfolgen"},
        {"command": "help", "description": "Was ich kann"},
        {"command": "human", "description": "Mit einem Menschen sprechen"},
        {"command": "cancel", "description": "Abbrechen, was wir gerade tun"},
    ]


def test_a_flow_may_have_its_own_help() -> None:
    (everybody, _) = lists(Menu(commands=(("help", {"en": "Our help"}),)), "en")
    assert [one["command"] for one in everybody[1]] == ["help", "human", "cancel"]
    assert everybody[1][0]["description"] == "Our help"


def test_what_telegram_would_refuse_is_made_to_fit() -> None:
    menu = Menu(commands=tuple((f"c{n}", {"en": "x" * 300}) for n in range(150)))
    for _, commands in lists(menu, "en"):
        assert len(commands) == 100
        assert all(1 <= len(one["description"]) <= 256 for one in commands)
    assert lists(Menu(commands=(("bare", {}),)), "pt-BR")[0][1][0] == {"command": "bare", "description": "bare"}


async def test_the_commands_arrive_at_telegram() -> None:
    async with opened({}, menu=MENU, locale="de") as shop:
        await shop.until(lambda: len(shop.called("setMyCommands")) == 3)
        assert [call.get("language_code", "") for call in shop.called("setMyCommands")] == ["", "de", "en"]
        assert shop.called("setMyCommands")[0]["commands"][0]["description"] == "Bestellung verfolgen"


async def test_a_menu_that_is_refused_stops_nothing() -> None:
    async with opened({}) as shop:
        shop.fake.always("setMyCommands", Fault("error", 400, "Bad Request: BOT_COMMANDS_TOO_MUCH"))
        await shop.adapter.stop()
        from supportbot.testing.adapter_contract import context

        await shop.adapter.start(context(shop.inbox, log=shop.note))
        await shop.until(lambda: shop.logged("telegram.failed"))
        assert "BOT_COMMANDS_TOO_MUCH".lower() in str(shop.logged("telegram.failed")).lower()


@pytest.mark.parametrize("language", _WORDS)
def test_every_language_has_every_word(language: str) -> None:
    assert set(_WORDS[language]) == set(_WORDS["en"])
    assert say("help", f"{language}-XX") == _WORDS[language]["help"]
    assert say("help", "xx") == _WORDS["en"]["help"]


# --- how a reply looks ---------------------------------------------------------------------------------------


def test_a_preview_has_the_requests_and_what_a_person_reads() -> None:
    found = TelegramAdapter.render(Reply("Shall **I**?", YES_NO))
    assert found.text == "Shall I?\n\n[Yes]  [No]"
    (request,) = found.requests
    assert request["method"] == "sendMessage" and request["text"] == "Shall I?" and "chat_id" not in request
    assert found.warnings == ()


@pytest.mark.parametrize(
    ("reply", "warning"),
    [
        (
            Reply("x", tuple(Button(f"b{n}", f"{n}") for n in range(101))),
            "101 buttons: Telegram shows 100 at most.",
        ),
        (Reply("x" * 4097), "The text has 4,097 characters: it goes out in parts"),
        (Reply("x" * 1025, files=(Attachment("a.png", "image/png", url="https://a.example/a.png"),)), "before it"),
        (Reply("", YES_NO), "Buttons without a text"),
    ],
)
def test_a_preview_warns_of_what_does_not_fit(reply: Reply, warning: str) -> None:
    (said,) = TelegramAdapter.render(reply).warnings
    assert warning in said
