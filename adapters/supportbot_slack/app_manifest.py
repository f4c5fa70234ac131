"""The app as Slack is to create it: docs.slack.dev/reference/app-manifest."""

from __future__ import annotations

from typing import Any

SCOPES = {
    "app_mentions:read": "hears mentions in channels",
    "assistant:write": "suggests first questions and names conversations",
    "channels:history": "hears replies in its threads, and looks before it sends a message again",
    "chat:write": "answers, edits, streams, and shows that it is at work",
    "commands": "has the slash command",
    "files:read": "fetches files that customers send",
    "files:write": "sends files",
    "groups:history": "the same in private channels",
    "im:history": "hears direct messages",
    "im:write": "opens direct messages",
    "mpim:history": "the same in group messages",
    "users:read": "knows customers' names and languages",
}
"""Every scope and what it is for."""

METHODS = {
    "auth.test": (),
    "assistant.threads.setStatus": ("chat:write",),
    "assistant.threads.setSuggestedPrompts": ("assistant:write",),
    "assistant.threads.setTitle": ("assistant:write",),
    "chat.appendStream": ("chat:write",),
    "chat.delete": ("chat:write",),
    "chat.getPermalink": (),
    "chat.postEphemeral": ("chat:write",),
    "chat.postMessage": ("chat:write",),
    "chat.startStream": ("chat:write",),
    "chat.stopStream": ("chat:write",),
    "chat.update": ("chat:write",),
    "conversations.history": ("channels:history", "groups:history", "im:history"),
    "conversations.open": ("im:write",),
    "conversations.replies": ("channels:history", "groups:history", "im:history", "mpim:history"),
    "files.completeUploadExternal": ("files:write",),
    "files.getUploadURLExternal": ("files:write",),
    "files.info": ("files:read",),
    "users.info": ("users:read",),
}
"""Every method that the adapter calls with the bot token, and the scopes it needs."""

EVENTS = {
    "app_home_opened": (),
    "app_mention": ("app_mentions:read",),
    "app_uninstalled": (),
    "message.channels": ("channels:history",),
    "message.groups": ("groups:history",),
    "message.im": ("im:history",),
    "message.mpim": ("mpim:history",),
    "tokens_revoked": (),
}
"""Every event that the app is to be told of, and the scopes it needs."""

_PROMPT = "What can you help me with?"
_NAME, _COMMAND_NAME = 35, 32


def manifest(bot_name: str, *, mode: str = "http", url: str = "", command: str = "/support") -> dict[str, Any]:
    """The manifest, to be pasted under "Create New App → From a manifest"; `url` is where Slack posts in mode http."""
    there = {"request_url": url} if mode == "http" else {}
    slash: dict[str, Any] = {
        "command": command[:_COMMAND_NAME],
        "description": "Ask for help",
        "usage_hint": "[your question]",
        "should_escape": True,
    }
    if mode == "http":
        slash["url"] = url
    return {
        "_metadata": {"major_version": 1, "minor_version": 1},
        "display_information": {"name": bot_name[:_NAME], "description": "Answers questions and finds a human."},
        "features": {
            "bot_user": {"display_name": bot_name[:80], "always_online": True},
            "app_home": {
                "home_tab_enabled": False,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": False,
            },
            "agent_view": {
                "agent_description": f"Ask {bot_name[:_NAME]} a question; a human takes over where it matters.",
                "suggested_prompts": [{"title": _PROMPT, "message": _PROMPT}],
            },
            "slash_commands": [slash],
        },
        "oauth_config": {"scopes": {"bot": sorted(SCOPES)}},
        "settings": {
            "event_subscriptions": {**there, "bot_events": sorted(EVENTS)},
            "interactivity": {"is_enabled": True, **there},
            "org_deploy_enabled": False,
            "socket_mode_enabled": mode == "socket",
            "token_rotation_enabled": False,
        },
    }
