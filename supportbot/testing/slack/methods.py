"""The methods of Slack's Web API that a support bot calls, on a workspace in memory: docs.slack.dev/reference/methods."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from supportbot.testing.slack.faults import Pace
from supportbot.testing.slack.rules import POST_TEXT, UPDATE_TEXT, Content, Refusal, Slow, content, from_json
from supportbot.testing.slack.streams import append_stream, start_stream, stop_stream
from supportbot.testing.slack.workspace import (
    Answer,
    Channel,
    Json,
    Params,
    Said,
    StoredFile,
    Workspace,
    bad_thread,
)

_TRUNCATED = {"warning": "message_truncated", "response_metadata": {"warnings": ["message_truncated"]}}


def answer(work: Workspace, pace: Pace, method: str, params: Params) -> Answer:
    """What Slack answers to a call with a good token, after doing what it asks for."""
    do = _METHODS.get(method)
    if do is None:
        return Refusal("unknown_method")
    lacking = [name for name in _NEEDS.get(method, "").split() if params.get(name) in (None, "")]
    if lacking:
        return Refusal("invalid_arguments", tuple(f"[ERROR] missing required field: {name}" for name in lacking))
    seconds = pace.call(method, time.monotonic())
    return Slow(seconds) if seconds else do(work, pace, params)


def _auth_test(work: Workspace, pace: Pace, params: Params) -> Answer:
    ids = {"team_id": work.team, "user_id": work.bot_user, "bot_id": work.bot_id}
    return {"url": "https://acme.slack.com/", "team": "Acme", "user": "bot", "is_enterprise_install": False} | ids


def _post_message(work: Workspace, pace: Pace, params: Params) -> Answer:
    channel = work.reach(params["channel"], users=True)
    if isinstance(channel, Refusal):
        return channel
    said = bad_thread(params) or content(params, longest=POST_TEXT, cuts=True)
    if isinstance(said, Refusal):
        return said
    seconds = pace.message("chat.postMessage", channel.id, time.monotonic())
    if seconds:
        return Slow(seconds)
    post = work.post(channel.id, said, work.threaded(channel.id, params))
    post.metadata = from_json(params.get("metadata")) or {}
    standing = {"channel": channel.id, "ts": post.ts, "message": work.message(post)}
    return standing | (_TRUNCATED if post.cut else {})


def _post_ephemeral(work: Workspace, pace: Pace, params: Params) -> Answer:
    channel = work.reach(params["channel"])
    if isinstance(channel, Refusal):
        return channel
    if params["user"] not in work.users or not channel.has(str(params["user"])):
        return Refusal("user_not_in_channel")
    said = bad_thread(params) or content(params)
    if isinstance(said, Refusal):
        return said
    return {"message_ts": work.post(channel.id, said, params, user=str(params["user"])).ts}


def _update(work: Workspace, pace: Pace, params: Params) -> Answer:
    post = work.find(params["channel"], params["ts"], foreign="cant_update_message")
    if isinstance(post, Refusal):
        return post
    if post.streaming:
        return Refusal("streaming_state_conflict")
    said = content(params, longest=UPDATE_TEXT)
    if isinstance(said, Refusal):
        return said
    post.edits.append(post.shown)
    post.text, post.blocks, post.markdown = said.text, list(said.blocks), said.markdown
    post.metadata = from_json(params["metadata"]) if "metadata" in params else post.metadata
    return {"channel": post.channel, "ts": post.ts, "text": post.shown, "message": work.message(post)}


def _delete(work: Workspace, pace: Pace, params: Params) -> Answer:
    post = work.find(params["channel"], params["ts"], foreign="cant_delete_message")
    if isinstance(post, Refusal):
        return post
    post.deleted = True
    return {"channel": post.channel, "ts": post.ts}


def _permalink(work: Workspace, pace: Pace, params: Params) -> Answer:
    channel = work.reach(params["channel"])
    if isinstance(channel, Refusal):
        return channel
    there = any(message["ts"] == params["message_ts"] for message in work.messages(channel.id))
    mark = str(params["message_ts"]).replace(".", "")
    link = f"https://acme.slack.com/archives/{channel.id}/p{mark}"
    return {"channel": channel.id, "permalink": link} if there else Refusal("message_not_found")


def _set_status(work: Workspace, pace: Pace, params: Params) -> Answer:
    if len(from_json(params.get("loading_messages")) or ()) > 10:
        return Refusal("invalid_arguments", ("[ERROR] no more than 10 items allowed: loading_messages",))
    return _say(work, work.statuses, params, str(params.get("status") or ""))


def _set_title(work: Workspace, pace: Pace, params: Params) -> Answer:
    return _say(work, work.titles, params, str(params["title"]))


def _set_prompts(work: Workspace, pace: Pace, params: Params) -> Answer:
    prompts = from_json(params["prompts"])
    for prompt in prompts if isinstance(prompts, list) else [None]:
        if not (isinstance(prompt, Mapping) and prompt.get("title") and prompt.get("message")):
            return Refusal("invalid_arguments", ("[ERROR] a prompt needs a title and a message",))
    return _say(work, work.prompts, params, str(params.get("title") or ""), tuple(prompts))


def _say(
    work: Workspace, where: list[Said], params: Params, text: str, prompts: tuple[Mapping[str, str], ...] = ()
) -> Answer:
    channel = work.reach(params["channel_id"])
    wrong = channel if isinstance(channel, Refusal) else bad_thread(params)
    if wrong is not None:
        return wrong
    where.append(Said(str(params["channel_id"]), str(params.get("thread_ts") or ""), text, prompts))
    return {}


def _conversations_open(work: Workspace, pace: Pace, params: Params) -> Answer:
    users = str(params.get("users") or "")
    if params.get("channel"):
        found = work.reach(params["channel"])
    elif "," in users:
        return Refusal("method_not_supported_for_channel_type")
    else:
        found = work.im(users) if users in work.users else Refusal("user_not_found")
    return found if isinstance(found, Refusal) else {"channel": {"id": found.id}}


def _conversations_info(work: Workspace, pace: Pace, params: Params) -> Answer:
    channel = work.channels.get(str(params["channel"]))
    if channel is None or (channel.kind == "private" and not channel.member):
        return Refusal("channel_not_found")
    about: Json = {"id": channel.id, "is_im": channel.kind == "im", "is_archived": channel.archived}
    if channel.kind == "im":
        return {"channel": about | {"user": channel.user, "is_open": True}}
    kind = {"is_channel": True, "is_private": channel.kind == "private", "is_member": channel.member}
    return {"channel": about | kind | {"name": channel.name, "is_mpim": False}}


def _replies(work: Workspace, pace: Pace, params: Params) -> Answer:
    channel = _readable(work, params)
    if isinstance(channel, Refusal):
        return channel
    root, metadata = params["ts"], _is_true(params.get("include_all_metadata"))
    whole = [message for message in work.messages(channel.id, metadata=metadata) if _in_thread(message, root)]
    if not whole:
        return Refusal("thread_not_found")
    lately = work.messages(channel.id, metadata=metadata, since=_seconds(params))
    replies = [message for message in lately if _in_thread(message, root) and message["ts"] != root]
    return _page([message for message in whole if message["ts"] == root] + replies, params)


def _history(work: Workspace, pace: Pace, params: Params) -> Answer:
    channel = _readable(work, params)
    if isinstance(channel, Refusal):
        return channel
    metadata = _is_true(params.get("include_all_metadata"))
    messages = work.messages(channel.id, metadata=metadata, since=_seconds(params))
    found = [message for message in messages if message.get("thread_ts") in (None, message["ts"])]
    return _page(found[::-1], params)


def _in_thread(message: Json, root: str) -> bool:
    return root in (message["ts"], message.get("thread_ts"))


def _seconds(params: Params) -> float:
    return float(params.get("oldest") or 0)


def _page(messages: list[Json], params: Params) -> Answer:
    """So many of the messages as were asked for; the cursor says where the next ones begin."""
    limit, cursor = str(params.get("limit") or 100), str(params.get("cursor") or "0")
    if not limit.isdigit() or not 0 < int(limit) < 1000:
        return Refusal("invalid_limit")
    if not cursor.isdigit():
        return Refusal("invalid_cursor")
    end = int(cursor) + int(limit)
    more = end < len(messages)
    found: Json = {"messages": messages[int(cursor) : end], "has_more": more}
    return found | ({"response_metadata": {"next_cursor": str(end)}} if more else {})


def _readable(work: Workspace, params: Params) -> Channel | Refusal:
    channel = work.reach(params["channel"])
    old = work.channels.get(str(params["channel"]))
    return old if channel == Refusal("is_archived") and old is not None else channel


def _users_info(work: Workspace, pace: Pace, params: Params) -> Answer:
    id = str(params["user"])
    if id not in work.users:
        return Refusal("user_not_found")
    name = work.users[id]
    profile = {"display_name": name, "real_name": name, "team": work.team}
    about: Json = {"id": id, "team_id": work.team, "name": name.lower(), "real_name": name, "profile": profile}
    about |= {"deleted": False, "is_bot": False, "tz": "Europe/London", "tz_offset": 0}
    return {
        "user": about
        | ({"locale": work.locales.get(id, "en-US")} if _is_true(params.get("include_locale")) else {})
    }


def _files_info(work: Workspace, pace: Pace, params: Params) -> Answer:
    found = work.files.get(str(params["file"]))
    return {"file": found.about} if found is not None and found.uploaded else Refusal("file_not_found")


def _upload_url(work: Workspace, pace: Pace, params: Params) -> Answer:
    length = str(params["length"])
    if not length.isdigit() or length == "0":
        return Refusal("invalid_arguments", ("[ERROR] length must be more than 0",))
    extra = {"alt_txt": params["alt_txt"]} if params.get("alt_txt") else {}
    about = work.add_file(b"", str(params["filename"]), "application/octet-stream", user=work.bot_user, **extra)
    work.files[about["id"]] = StoredFile(about, length=int(length), uploaded=False)
    return {"upload_url": f"{work.base}/upload/v1/{about['id']}", "file_id": about["id"]}


def _complete_upload(work: Workspace, pace: Pace, params: Params) -> Answer:
    wanted = from_json(params["files"])
    if not isinstance(wanted, list) or not all(isinstance(one, Mapping) for one in wanted):
        return Refusal("invalid_arguments", ("[ERROR] files must be an array",))
    files = [work.files.get(str(one.get("id"))) for one in wanted]
    whole = [file for file in files if file is not None and file.uploaded]
    if len(whole) < len(files) or not files:
        return Refusal("file_not_found")
    ids = str(params.get("channel_id") or params.get("channels") or "")
    targets = [work.reach(id, users=not params.get("channel_id")) for id in ids.split(",") if id]
    wrong = bad_thread(params) or next((one for one in targets if isinstance(one, Refusal)), None)
    if wrong is not None:
        return wrong
    for file, one in zip(whole, wanted, strict=True):
        file.about["title"] = one.get("title") or file.about["name"]
    for channel in targets:
        assert isinstance(channel, Channel)
        post = work.post(channel.id, Content(str(params.get("initial_comment") or "")), params)
        post.files = [file.about for file in whole]
        for file in whole:
            shares = file.about.setdefault("shares", {}).setdefault(_visibility(channel), {})
            shares[channel.id] = [{"ts": post.ts} | ({"thread_ts": post.thread_ts} if post.thread_ts else {})]
    return {"files": [dict(file.about) for file in whole]}


def _visibility(channel: Channel) -> str:
    return "public" if channel.kind == "public" else "private"


def _is_true(value: Any) -> bool:
    return str(value).lower() in ("1", "true")


_METHODS: Mapping[str, Callable[[Workspace, Pace, Params], Answer]] = {
    "auth.test": _auth_test,
    "chat.postMessage": _post_message,
    "chat.postEphemeral": _post_ephemeral,
    "chat.update": _update,
    "chat.delete": _delete,
    "chat.getPermalink": _permalink,
    "chat.startStream": start_stream,
    "chat.appendStream": append_stream,
    "chat.stopStream": stop_stream,
    "assistant.threads.setStatus": _set_status,
    "assistant.threads.setTitle": _set_title,
    "assistant.threads.setSuggestedPrompts": _set_prompts,
    "conversations.open": _conversations_open,
    "conversations.info": _conversations_info,
    "conversations.replies": _replies,
    "conversations.history": _history,
    "users.info": _users_info,
    "files.info": _files_info,
    "files.getUploadURLExternal": _upload_url,
    "files.completeUploadExternal": _complete_upload,
}
_NEEDS: Mapping[str, str] = {
    "chat.postMessage": "channel",
    "chat.postEphemeral": "channel user",
    "chat.update": "channel ts",
    "chat.delete": "channel ts",
    "chat.getPermalink": "channel message_ts",
    "chat.startStream": "channel thread_ts",
    "chat.appendStream": "channel ts",
    "chat.stopStream": "channel ts",
    "assistant.threads.setStatus": "channel_id thread_ts",
    "assistant.threads.setTitle": "channel_id thread_ts title",
    "assistant.threads.setSuggestedPrompts": "channel_id prompts",
    "conversations.info": "channel",
    "conversations.replies": "channel ts",
    "conversations.history": "channel",
    "users.info": "user",
    "files.info": "file",
    "files.getUploadURLExternal": "filename length",
    "files.completeUploadExternal": "files",
}
