"""What Slack sends to an app, as its reference pages describe it: events, interactions, commands.

Each function gives one fresh dict. Timestamps and ids are new at every call unless they are given.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

TEAM, APP, BOT_USER, BOT_ID = "T0ACME", "A0BOT", "U0BOT", "B0BOT"
CUSTOMER, DM, CHANNEL = "U0CUSTOMER", "D0CUSTOMER", "C0SUPPORT"
_numbers = itertools.count(1)
_KINDS = {"D": "im", "C": "channel", "G": "group"}
Json = dict[str, Any]


def stamp() -> str:
    """A message timestamp that no earlier call gave."""
    number = next(_numbers)
    return f"{1_690_000_000 + number}.{number % 10_000 * 100:06d}"


def event_callback(event: Mapping[str, Any], event_id: str = "", team: str = TEAM, **others: Any) -> Json:
    """The envelope around every event: docs.slack.dev/apis/events-api#callback-field."""
    number = next(_numbers)
    return {
        "token": "verification-token",
        "team_id": team,
        "api_app_id": APP,
        "event": dict(event),
        "type": "event_callback",
        "event_id": event_id or f"Ev{number:09d}",
        "event_time": int(float(event.get("event_ts") or 1_690_000_000)),
        "authorizations": [
            {
                "enterprise_id": None,
                "team_id": team,
                "user_id": BOT_USER,
                "is_bot": True,
                "is_enterprise_install": False,
            }
        ],
        "is_ext_shared_channel": False,
        "event_context": f"4-{number}",
        **others,
    }


def message(
    text: str = "Where is my order?",
    *,
    user: str = CUSTOMER,
    channel: str = DM,
    ts: str = "",
    thread_ts: str = "",
    team: str = TEAM,
    **others: Any,
) -> Json:
    """A message in an IM, a channel, or (with `thread_ts`) a thread: docs.slack.dev/reference/events/message."""
    ts = ts or stamp()
    rich = {"type": "rich_text_section", "elements": [{"type": "text", "text": text}]}
    return {
        "user": user,
        "type": "message",
        "ts": ts,
        "client_msg_id": f"00000000-0000-4000-8000-{next(_numbers):012d}",
        "text": text,
        "team": team,
        "blocks": [{"type": "rich_text", "block_id": "b1", "elements": [rich]}],
        "channel": channel,
        "event_ts": ts,
        "channel_type": _KINDS.get(channel[:1], "channel"),
        **({"thread_ts": thread_ts, "parent_user_id": user} if thread_ts else {}),
        **others,
    }


def app_mention(text: str = f"<@{BOT_USER}> Where is my order?", *, channel: str = CHANNEL, **others: Any) -> Json:
    """A mention of the bot: docs.slack.dev/reference/events/app_mention. It has no channel_type.

    An app with the message scopes gets the same message, with the same ts, as a message event too.
    """
    found = message(text, channel=channel, **others)
    del found["channel_type"]
    return found | {"type": "app_mention"}


def edited(original: Mapping[str, Any], text: str, **others: Any) -> Json:
    """An edit of a message: docs.slack.dev/reference/events/message/message_changed."""
    at = stamp()
    fresh = _inner(original) | {"text": text, "edited": {"user": original["user"], "ts": at}}
    return _hidden(original, "message_changed", at) | {
        "message": fresh,
        "previous_message": _inner(original),
        **others,
    }


def unfurled(original: Mapping[str, Any], **others: Any) -> Json:
    """A message_changed whose text is the same: Slack added a link's preview. The page is that of `edited`."""
    preview = {"id": 1, "from_url": "https://shop.example/", "title": "Shop", "fallback": "Shop"}
    return _hidden(original, "message_changed", stamp()) | {
        "message": _inner(original) | {"attachments": [preview]},
        "previous_message": _inner(original),
        **others,
    }


def deleted(original: Mapping[str, Any], **others: Any) -> Json:
    """A deletion: docs.slack.dev/reference/events/message/message_deleted."""
    gone = {"deleted_ts": original["ts"], "previous_message": _inner(original)}
    return _hidden(original, "message_deleted", stamp()) | gone | others


def bot_message(
    text: str = "Build passed", *, bot_id: str = "B0OTHER", channel: str = CHANNEL, **others: Any
) -> Json:
    """A message of an integration, without a user: docs.slack.dev/reference/events/message/bot_message."""
    found = message(text, channel=channel, subtype="bot_message", bot_id=bot_id, username="ci", **others)
    del found["user"], found["client_msg_id"]
    return found


def own_message(text: str = "Hello!", *, channel: str = DM, **others: Any) -> Json:
    """What a modern bot's own post comes back as: no subtype, a bot_id and the bot's user. The page of `message`."""
    found = message(text, user=BOT_USER, channel=channel, bot_id=BOT_ID, app_id=APP, **others)
    del found["client_msg_id"]
    return found


def file_share(files: Sequence[Mapping[str, Any]], text: str = "", **others: Any) -> Json:
    """A message with files: docs.slack.dev/reference/events/message/file_share."""
    found = message(text, files=[dict(one) for one in files], upload=False, subtype="file_share", **others)
    if not text:
        del found["blocks"]
    return found


def file(
    id: str = "F0PHOTO",
    name: str = "photo.png",
    mimetype: str = "image/png",
    *,
    size: int = 3,
    url: str = "https://files.slack.com",
    user: str = CUSTOMER,
    **others: Any,
) -> Json:
    """A file object: docs.slack.dev/reference/objects/file-object. `url` is where it can be had."""
    suffix = name.rpartition(".")[2]
    where = f"{url}/files-pri/{TEAM}-{id}"
    return {
        "id": id,
        "created": 1_690_000_000,
        "timestamp": 1_690_000_000,
        "name": name,
        "title": name,
        "mimetype": mimetype,
        "filetype": suffix,
        "pretty_type": suffix.upper(),
        "user": user,
        "user_team": TEAM,
        "editable": False,
        "size": size,
        "mode": "hosted",
        "is_external": False,
        "external_type": "",
        "is_public": False,
        "public_url_shared": False,
        "display_as_bot": False,
        "username": "",
        "url_private": f"{where}/{name}",
        "url_private_download": f"{where}/download/{name}",
        "permalink": f"https://acme.slack.com/files/{user}/{id}/{name}",
        "file_access": "visible",
        **others,
    }


def audio_clip(id: str = "F0CLIP", **others: Any) -> Json:
    """A clip recorded in Slack: a file object with subtype slack_audio, its transcription still under way."""
    clip: Json = {
        "subtype": "slack_audio",
        "media_display_type": "audio",
        "duration_ms": 2_300,
        "transcription": {"status": "processing"},
    }
    return file(id, "audio_message.m4a", "audio/mp4", **(clip | others))


def snippet(id: str = "F0SNIPPET", text: str = "print(1)\n", **others: Any) -> Json:
    """A text snippet: a file object with mode snippet, its beginning in `preview`."""
    extra: Json = {
        "mode": "snippet",
        "editable": True,
        "preview": text,
        "lines": text.count("\n"),
        "lines_more": 0,
    }
    return file(id, "snippet.py", "text/plain", **({"size": len(text)} | extra | others))


def thread_broadcast(root: Mapping[str, Any], text: str = "For everyone", **others: Any) -> Json:
    """A reply that is shown in the channel too: docs.slack.dev/reference/events/message/thread_broadcast."""
    replying = {"channel": root["channel"], "thread_ts": root["ts"], "root": _inner(root)}
    return message(text, subtype="thread_broadcast", **(replying | others))


def channel_join(*, user: str = CUSTOMER, channel: str = CHANNEL, **others: Any) -> Json:
    """Someone joined: docs.slack.dev/reference/events/message/channel_join."""
    found = message(
        f"<@{user}> has joined the channel", user=user, channel=channel, subtype="channel_join", **others
    )
    del found["client_msg_id"], found["blocks"]
    return found


def assistant_thread_started(*, user: str = CUSTOMER, channel: str = DM, thread_ts: str = "") -> Json:
    """The assistant was opened: docs.slack.dev/reference/events/assistant_thread_started."""
    return _assistant("assistant_thread_started", user, channel, thread_ts)


def assistant_thread_context_changed(*, user: str = CUSTOMER, channel: str = DM, thread_ts: str = "") -> Json:
    """Another channel came into view: docs.slack.dev/reference/events/assistant_thread_context_changed."""
    return _assistant("assistant_thread_context_changed", user, channel, thread_ts)


def app_home_opened(*, user: str = CUSTOMER, channel: str = DM, tab: str = "messages") -> Json:
    """The app's home was opened: docs.slack.dev/reference/events/app_home_opened."""
    return {"type": "app_home_opened", "user": user, "channel": channel, "event_ts": stamp(), "tab": tab}


def app_uninstalled() -> Json:
    """The app was removed: docs.slack.dev/reference/events/app_uninstalled. Its order with tokens_revoked varies."""
    return {"type": "app_uninstalled", "event_ts": stamp()}


def tokens_revoked(*, bots: Iterable[str] = (BOT_USER,), users: Iterable[str] = ()) -> Json:
    """Tokens are no good any more: docs.slack.dev/reference/events/tokens_revoked. It names users, not tokens."""
    tokens = {"oauth": list(users), "bot": list(bots)}
    return {"type": "tokens_revoked", "tokens": tokens, "event_ts": stamp()}


def unknown_event() -> Json:
    """An event of a type that nobody knows yet."""
    return {"type": "telepathy_received", "thought": "hm", "user": CUSTOMER, "event_ts": stamp()}


def url_verification(challenge: str = "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P") -> Json:
    """The question that an address must answer: docs.slack.dev/reference/events/url_verification."""
    return {"token": "verification-token", "challenge": challenge, "type": "url_verification"}


def button(action_id: str, value: str = "", text: str = "Yes", **others: Any) -> Json:
    """The action of a pressed button, for `block_actions`: docs.slack.dev/reference/block-kit/block-elements."""
    said = {"type": "plain_text", "text": text, "emoji": True}
    pressed = {"type": "button", "action_id": action_id, "block_id": "b1", "text": said, "action_ts": stamp()}
    return pressed | ({"value": value} if value else {}) | others


def link_button(action_id: str, url: str = "https://shop.example/", **others: Any) -> Json:
    """A pressed button with a url: the browser opens it, and the app is told all the same and must acknowledge."""
    return button(action_id, url=url, **others)


def chosen(action_id: str, value: str, text: str = "One", **others: Any) -> Json:
    """The action of a chosen option of a static_select, for `block_actions`."""
    option = {"text": {"type": "plain_text", "text": text, "emoji": True}, "value": value}
    menu = {"type": "static_select", "action_id": action_id, "block_id": "b1", "action_ts": stamp()}
    return menu | {"selected_option": option} | others


def block_actions(
    action: Mapping[str, Any],
    posted: Mapping[str, Any],
    *,
    user: str = CUSTOMER,
    channel: str = DM,
    response_url: str = "https://hooks.slack.com/actions/T0ACME/1/x",
    **others: Any,
) -> Json:
    """A use of an element: docs.slack.dev/reference/interaction-payloads/block_actions-payload.

    `posted` is the message that holds the element: at least its ts, text and blocks.
    """
    number = next(_numbers)
    container = {"type": "message", "message_ts": posted["ts"], "channel_id": channel, "is_ephemeral": False}
    if "thread_ts" in posted:
        container["thread_ts"] = posted["thread_ts"]
    bot = {"type": "message", "user": BOT_USER, "bot_id": BOT_ID, "app_id": APP, "team": TEAM}
    return {
        "type": "block_actions",
        "user": {"id": user, "username": "customer", "name": "customer", "team_id": TEAM},
        "api_app_id": APP,
        "token": "verification-token",
        "container": container,
        "trigger_id": f"{number}.{number}.x",
        "team": {"id": TEAM, "domain": "acme"},
        "enterprise": None,
        "is_enterprise_install": False,
        "channel": {"id": channel, "name": "directmessage" if channel.startswith("D") else "support"},
        "message": bot | dict(posted),
        "state": {"values": {}},
        "response_url": response_url,
        "actions": [dict(action)],
        **others,
    }


def slash_command(
    text: str = "", *, command: str = "/support", user: str = CUSTOMER, channel: str = DM, **others: str
) -> dict[str, str]:
    """The form of a slash command: docs.slack.dev/interactivity/implementing-slash-commands."""
    number = next(_numbers)
    return {
        "token": "verification-token",
        "team_id": TEAM,
        "team_domain": "acme",
        "channel_id": channel,
        "channel_name": "directmessage" if channel.startswith("D") else "support",
        "user_id": user,
        "user_name": "customer",
        "command": command,
        "text": text,
        "api_app_id": APP,
        "is_enterprise_install": "false",
        "response_url": "https://hooks.slack.com/commands/T0ACME/1/x",
        "trigger_id": f"{number}.{number}.x",
        **others,
    }


def _inner(event: Mapping[str, Any]) -> Json:
    """A message as it stands inside another event: without what belongs to the event."""
    return {name: value for name, value in event.items() if name not in ("channel", "channel_type", "event_ts")}


def _hidden(original: Mapping[str, Any], subtype: str, at: str) -> Json:
    channel = original["channel"]
    kind = original.get("channel_type") or _KINDS.get(channel[:1], "channel")
    found = {"type": "message", "subtype": subtype, "hidden": True, "channel": channel, "channel_type": kind}
    return found | {"ts": at, "event_ts": at}


def _assistant(type: str, user: str, channel: str, thread_ts: str) -> Json:
    thread = {
        "user_id": user,
        "context": {"channel_id": CHANNEL, "team_id": TEAM, "enterprise_id": None},
        "channel_id": channel,
        "thread_ts": thread_ts or stamp(),
    }
    return {"type": type, "assistant_thread": thread, "event_ts": stamp()}
