"""The channel's options, and what an operator is told who got one wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest

from supportbot.errors import UsageError
from supportbot_telegram import TelegramAdapter

TOKEN = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"
WEBHOOK = {"bot_token": TOKEN, "mode": "webhook", "webhook_secret": "s3cret", "public_url": "https://bot.example"}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "channels.shop.bot_token is missing and the environment has no TELEGRAM_BOT_TOKEN: what @BotFather"),
        ({"bot_token": "AAHdq"}, "channels.shop.bot_token is not right: it must be what @BotFather gives you"),
        ({"bot_token": f"bot{TOKEN}"}, "channels.shop.bot_token is not right"),
        ({"bot_token": f"{TOKEN} "}, "channels.shop.bot_token is not right"),
        ({"bot_token": 110201543}, "channels.shop.bot_token is not right"),
        ({"bot_token": TOKEN, "mode": "push"}, "channels.shop.mode must be polling or webhook"),
        ({**WEBHOOK, "webhook_secret": None}, "channels.shop.webhook_secret is missing"),
        ({**WEBHOOK, "webhook_secret": "not allowed!"}, "channels.shop.webhook_secret is not right"),
        ({**WEBHOOK, "webhook_secret": "a" * 257}, "channels.shop.webhook_secret is not right"),
        ({**WEBHOOK, "public_url": "bot.example"}, "channels.shop.public_url must be a complete address"),
        ({"bot_token": TOKEN, "api_url": "ftp://x"}, "channels.shop.api_url must be a complete address"),
        ({"bot_token": TOKEN, "stream": "yes"}, "channels.shop.stream must be true or false"),
        ({"bot_token": TOKEN, "body_limit": 0}, "channels.shop.body_limit must be a whole number"),
        ({"bot_token": TOKEN, "token": TOKEN}, "channels.shop.token is not known"),
    ],
)
def test_a_wrong_option_is_named_and_its_value_is_not_shown(options: Mapping[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=re.escape(sentence)) as raised:
        TelegramAdapter("shop", options)
    assert "AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw" not in str(raised.value).replace(f"as {TOKEN}", "")
    assert "not allowed!" not in str(raised.value)


def test_a_webhook_needs_an_https_address_except_on_this_machine() -> None:
    def settings(**more: Any) -> Any:
        return TelegramAdapter("shop", {**WEBHOOK, **more}).settings

    assert settings().webhook_url("https://other.example") == "https://bot.example/telegram/shop/webhook"
    assert settings(public_url=None).webhook_url("https://h.example/") == "https://h.example/telegram/shop/webhook"
    local = settings(public_url="http://127.0.0.1:8080", api_url="http://127.0.0.1:8081")
    assert local.webhook_url("") == "http://127.0.0.1:8080/telegram/shop/webhook"
    with pytest.raises(UsageError, match="public_url must begin with https://"):
        settings(public_url="http://bot.example").webhook_url("")
    with pytest.raises(UsageError, match="public_url is missing"):
        settings(public_url=None).webhook_url("")


def test_a_channel_called_telegram_has_the_short_path() -> None:
    adapter = TelegramAdapter("telegram", WEBHOOK)
    assert [route.path for route in adapter.routes()] == ["/telegram/webhook"]
    assert TelegramAdapter("telegram", {"bot_token": TOKEN}).routes() == ()


def test_the_secrets_come_from_the_environment() -> None:
    assert TelegramAdapter.environment["bot_token"] == "TELEGRAM_BOT_TOKEN"
    assert TelegramAdapter.environment["webhook_secret"] == "TELEGRAM_WEBHOOK_SECRET"
    assert TelegramAdapter.environment["api_url"] == "TELEGRAM_API_URL"
