"""The options of a Slack channel, checked; every mistake is one sentence that begins with the key's full name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from supportbot.errors import UsageError
from supportbot.options import Options

ENVIRONMENT = {
    "bot_token": "SLACK_BOT_TOKEN",
    "signing_secret": "SLACK_SIGNING_SECRET",
    "app_token": "SLACK_APP_TOKEN",
    "api_url": "SLACK_API_URL",
}
COMMAND = "/support"
API_URL = "https://slack.com/api"
BODY_LIMIT = 1_000_000
BURST_WAIT = 0.8

_KNOWN = ("bot_token", "signing_secret", "app_token", "api_url", "mode", "body_limit", "command", "stream")
_BOT = "the bot token, which begins with xoxb- (OAuth & Permissions → Bot User OAuth Token)."
_APP = (
    "the app-level token, which begins with xapp- (Basic Information → App-Level Tokens, scope connections:write)."
)
_SECRET = "the signing secret of 32 letters and digits (Basic Information → Signing Secret)."  # noqa: S105 - no secret
_KINDS = {
    "xoxb-": "a bot token",
    "xapp-": "an app-level token",
    "xoxp-": "a user token",
    "xoxe": "a token that expires (switch token rotation off)",
    "xoxa-": "a legacy token",
}


@dataclass(frozen=True, slots=True)
class Settings:
    """What the operator chose; the secrets are "" where the mode needs none."""

    mode: str
    api_url: str
    body_limit: int
    command: str
    stream: bool
    burst_wait: float
    bot_token: str = field(repr=False)
    signing_secret: str = field(repr=False)
    app_token: str = field(repr=False)


def settings(name: str, options: Mapping[str, Any]) -> Settings:
    """The settings in the config's mapping; raises UsageError."""
    read = Options(name, options, _KNOWN, ENVIRONMENT)
    mode = read.choice("mode", ("http", "socket"))
    return Settings(
        mode=mode,
        api_url=read.url("api_url", API_URL),
        body_limit=read.count("body_limit", BODY_LIMIT),
        command=read.text(
            "command", COMMAND, pattern=r"/[a-z0-9_-]{1,31}", like="a slash command such as /support."
        ),
        stream=read.flag("stream", True),
        burst_wait=read.duration("burst_wait", BURST_WAIT),
        bot_token=_token(read, "bot_token", "xoxb-", _BOT),
        signing_secret=_signing_secret(read) if mode == "http" else "",
        app_token=_token(read, "app_token", "xapp-", _APP) if mode == "socket" else "",
    )


def _token(read: Options, key: str, prefix: str, like: str) -> str:
    found = read.text(key, like=like).strip()
    if found.startswith(prefix) and len(found) > len(prefix) and found.isprintable() and " " not in found:
        return found
    kind = next((kind for start, kind in _KINDS.items() if found.startswith(start)), "no token that Slack gives")
    what = "not complete" if found.startswith(prefix) else kind
    raise UsageError(f"{read.place(key)} is {what}: it must be {like}")


def _signing_secret(read: Options) -> str:
    found = read.text("signing_secret", like=_SECRET).strip()
    if found.startswith(("xox", "xapp-")):
        raise UsageError(f"{read.place('signing_secret')} is a token: it must be {_SECRET}")
    return found
