"""The channel's options, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from supportbot import UsageError
from supportbot.options import Options

API_URL = "https://api.telegram.org"
BODY_LIMIT = 1_000_000
BURST_WAIT = 0.8
ENVIRONMENT = {
    "bot_token": "TELEGRAM_BOT_TOKEN",
    "webhook_secret": "TELEGRAM_WEBHOOK_SECRET",
    "api_url": "TELEGRAM_API_URL",
}
_KNOWN = ("bot_token", "mode", "webhook_secret", "public_url", "api_url", "stream", "body_limit")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_SHAPE = r"[0-9]{1,20}:[A-Za-z0-9_-]{3,200}"
_FROM_BOTFATHER = "what @BotFather gives you, such as 110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw."
_LETTERS = "1 to 256 of A-Z, a-z, 0-9, _ and -; make one with `openssl rand -hex 32`."


@dataclass(frozen=True, slots=True)
class Settings:
    """What the config says. `secret` is "" when polling."""

    name: str
    token: str = field(repr=False)
    api_url: str
    webhook: bool
    secret: str = field(repr=False)
    public_url: str
    body_limit: int
    stream: bool
    burst_wait: float

    @property
    def path(self) -> str:
        """Where Telegram delivers updates."""
        return "/telegram/webhook" if self.name == "telegram" else f"/telegram/{self.name}/webhook"

    def webhook_url(self, house: str) -> str:
        """The whole address for Telegram; `house` is the bot's own public_url. UsageError if there is none."""
        base = (self.public_url or house).rstrip("/")
        place = f"channels.{self.name}"
        if not base:
            raise UsageError(
                f"{place}.public_url is missing: Telegram must know the https address under which it reaches this "
                "bot; write it there or in web.public_url, or use `mode: polling`, which needs none."
            )
        if urlsplit(base).scheme != "https" and urlsplit(self.api_url).hostname not in _LOOPBACK:
            raise UsageError(f"{place}.public_url must begin with https://, Telegram delivers to nothing else.")
        return base + self.path


def read(name: str, options: Mapping[str, Any]) -> Settings:
    """The settings; UsageError says which option is wrong."""
    given = Options(name, options, _KNOWN, ENVIRONMENT)
    webhook = given.choice("mode", ("polling", "webhook")) == "webhook"
    secret = ""
    if webhook:
        secret = given.text("webhook_secret", pattern=r"[A-Za-z0-9_-]{1,256}", like=_LETTERS)
    return Settings(
        name=name,
        token=given.text("bot_token", pattern=_SHAPE, like=_FROM_BOTFATHER),
        api_url=given.url("api_url", API_URL),
        webhook=webhook,
        secret=secret,
        public_url=given.url("public_url", ""),
        body_limit=given.count("body_limit", BODY_LIMIT),
        stream=given.flag("stream", True),
        burst_wait=given.duration("burst_wait", BURST_WAIT),
    )
