"""Options are checked with one sentence each that never shows a secret, and the app's manifest is one that Slack takes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from supportbot.errors import UsageError
from supportbot_slack import SlackAdapter, app_manifest, manifest

GOOD = {"bot_token": "xoxb-1-a", "signing_secret": "0" * 32, "app_token": "xapp-1-a"}
SOURCE = Path(app_manifest.__file__).parent


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"bot_token": ""}, "channels.slack.bot_token is missing and the environment has no SLACK_BOT_TOKEN"),
        (
            {"bot_token": "xapp-1-secret"},
            "bot_token is an app-level token: it must be the bot token, which begins with xoxb-",
        ),
        ({"bot_token": "xoxp-1-secret"}, "bot_token is a user token"),
        ({"bot_token": "xoxe.xoxb-1-secret"}, "bot_token is a token that expires"),
        ({"bot_token": "secret"}, "bot_token is no token that Slack gives"),
        ({"bot_token": "xoxb-"}, "bot_token is not complete"),
        ({"signing_secret": ""}, "signing_secret is missing and the environment has no SLACK_SIGNING_SECRET"),
        ({"signing_secret": "xoxb-secret"}, "signing_secret is a token"),
        ({"mode": "socket", "app_token": ""}, "app_token is missing and the environment has no SLACK_APP_TOKEN"),
        (
            {"mode": "socket", "app_token": "xoxb-1-secret"},
            "app_token is a bot token: it must be the app-level token",
        ),
        ({"mode": "rtm"}, "channels.slack.mode must be http or socket"),
        ({"api_url": "slack.com"}, "channels.slack.api_url must be a complete address"),
        ({"command": "support"}, "channels.slack.command is not right"),
        ({"stream": "yes"}, "channels.slack.stream must be true or false"),
        ({"tokn": "secret"}, "channels.slack.tokn is not known"),
    ],
)
def test_a_wrong_option_is_one_sentence(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=re.escape(sentence)) as caught:
        SlackAdapter("slack", {**GOOD, **options})
    assert "secret" not in str(caught.value).replace("signing_secret", "").replace("signing secret", "")


def test_each_mode_needs_its_own_secret_only() -> None:
    SlackAdapter("slack", {"bot_token": "xoxb-1-a", "signing_secret": "0" * 32})
    adapter = SlackAdapter("slack", {"bot_token": "xoxb-1-a", "app_token": "xapp-1-a", "mode": "socket"})
    assert adapter.routes() == ()


def test_secrets_are_not_in_the_settings_repr() -> None:
    assert "xoxb" not in repr(SlackAdapter("slack", GOOD).settings)


# --- the manifest: docs.slack.dev/reference/app-manifest ------------------------------------------------------

FIELDS: dict[str, Any] = {
    "_metadata": {"major_version": int, "minor_version": int},
    "display_information": {"name": str, "description": str},
    "features": {
        "bot_user": {"display_name": str, "always_online": bool},
        "app_home": {
            "home_tab_enabled": bool,
            "messages_tab_enabled": bool,
            "messages_tab_read_only_enabled": bool,
        },
        "agent_view": {"agent_description": str, "suggested_prompts": list},
        "slash_commands": list,
    },
    "oauth_config": {"scopes": {"bot": list}},
    "settings": {
        "event_subscriptions": {"request_url": str, "bot_events": list},
        "interactivity": {"is_enabled": bool, "request_url": str},
        "org_deploy_enabled": bool,
        "socket_mode_enabled": bool,
        "token_rotation_enabled": bool,
    },
}


def check(found: dict[str, Any], known: dict[str, Any]) -> None:
    for name, value in found.items():
        assert name in known, name
        if isinstance(known[name], dict):
            check(value, known[name])
        else:
            assert type(value) is known[name], name


@pytest.mark.parametrize("mode", ["http", "socket"])
def test_the_manifest_has_documented_fields_only(mode: str) -> None:
    found = manifest("Shop bot", mode=mode, url="https://bot.example/slack/events", command="/shop")
    check(found, FIELDS)
    (command,) = found["features"]["slash_commands"]
    assert command["command"] == "/shop"
    assert found["settings"]["socket_mode_enabled"] is (mode == "socket")
    assert found["settings"]["token_rotation_enabled"] is False
    assert found["features"]["app_home"]["messages_tab_read_only_enabled"] is False
    addresses = {found["settings"]["interactivity"].get("request_url"), command.get("url")}
    assert addresses == ({"https://bot.example/slack/events"} if mode == "http" else {None})


def test_the_manifest_keeps_slacks_lengths() -> None:
    found = manifest("B" * 300, mode="http", url="https://bot.example/x", command="/support")
    assert len(found["display_information"]["name"]) <= 35
    assert len(found["display_information"]["description"]) <= 140
    assert len(found["features"]["bot_user"]["display_name"]) <= 80
    assert len(found["features"]["agent_view"]["agent_description"]) <= 300


def test_the_channels_own_manifest_has_its_address_and_mode() -> None:
    made = SlackAdapter.manifest("vip", {"command": "/vip"}, bot_name="Mia", public_url="https://bot.example")
    assert made is not None
    assert made["settings"]["event_subscriptions"]["request_url"] == "https://bot.example/slack/vip/events"
    assert made["features"]["slash_commands"][0]["command"] == "/vip"
    quiet = SlackAdapter.manifest("slack", {}, bot_name="Mia", public_url="")
    assert quiet is not None and quiet["settings"]["socket_mode_enabled"] is True
    with pytest.raises(UsageError, match=r"web\.public_url is not set"):
        SlackAdapter.manifest("slack", {"mode": "http"}, bot_name="Mia", public_url="")


def test_the_scopes_are_those_of_what_is_called_and_heard() -> None:
    called = set(
        re.findall(r'"((?:[a-z]+\.)+[a-zA-Z]+)"', "".join(path.read_text() for path in SOURCE.glob("*.py")))
    )
    methods = {
        name
        for name in called
        if name.partition(".")[0] in {"auth", "assistant", "chat", "conversations", "files", "users"}
    }
    assert methods == set(app_manifest.METHODS)
    needed = {
        scope for scopes in (*app_manifest.METHODS.values(), *app_manifest.EVENTS.values()) for scope in scopes
    }
    assert needed | {"commands"} == set(app_manifest.SCOPES)
