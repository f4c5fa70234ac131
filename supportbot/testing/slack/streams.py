"""Messages that grow before the reader's eyes: docs.slack.dev/reference/methods/chat.startStream and its sisters."""

from __future__ import annotations

import time
from collections.abc import Mapping

from supportbot.testing.slack.faults import Pace
from supportbot.testing.slack.rules import MARKDOWN, Content, Refusal, Slow, from_json, refusal
from supportbot.testing.slack.workspace import Answer, Json, Params, Post, Workspace, bad_thread

_CHUNKS = frozenset({"markdown_text", "task_update", "plan_update", "blocks"})


def start_stream(work: Workspace, pace: Pace, params: Params) -> Answer:
    """A new message that grows."""
    channel = work.reach(params["channel"])
    if isinstance(channel, Refusal):
        return channel
    if channel.kind != "im":
        for name in ("recipient_team_id", "recipient_user_id"):
            if not params.get(name):
                return Refusal(f"missing_{name}")
        if params["recipient_user_id"] not in work.users:
            return Refusal("user_not_found")
    pieces = bad_thread(params) or _pieces(params)
    if isinstance(pieces, Refusal):
        return pieces
    seconds = pace.message("chat.startStream", channel.id, time.monotonic())
    if seconds:
        return Slow(seconds)
    post = work.post(channel.id, Content(), params)
    post.streaming = True
    _grow(post, pieces)
    return {"channel": channel.id, "ts": post.ts}


def append_stream(work: Workspace, pace: Pace, params: Params) -> Answer:
    """More of a growing message."""
    post = _streaming(work, params)
    if isinstance(post, Refusal):
        return post
    pieces = _pieces(params)
    if isinstance(pieces, Refusal):
        return pieces
    if not pieces:
        return Refusal("no_text")
    _grow(post, pieces)
    return {"channel": post.channel, "ts": post.ts}


def stop_stream(work: Workspace, pace: Pace, params: Params) -> Answer:
    """The end of a growing message, with blocks below it if there are any."""
    post = _streaming(work, params)
    if isinstance(post, Refusal):
        return post
    pieces = _pieces(params)
    blocks = from_json(params.get("blocks")) or []
    wrong = pieces if isinstance(pieces, Refusal) else refusal(blocks)
    if wrong is not None:
        return wrong
    assert not isinstance(pieces, Refusal)
    _grow(post, pieces)
    post.blocks += blocks
    post.metadata = from_json(params.get("metadata")) or post.metadata
    post.streaming = False
    return {"channel": post.channel, "ts": post.ts, "message": work.message(post)}


def _streaming(work: Workspace, params: Params) -> Post | Refusal:
    post = work.find(params["channel"], params["ts"], foreign="message_not_owned_by_app")
    if isinstance(post, Post) and not post.streaming:
        return Refusal("message_not_in_streaming_state")
    return post


def _pieces(params: Params) -> list[Json] | Refusal:
    """The chunks of a call; `markdown_text` is one of them."""
    chunks = from_json(params.get("chunks")) or []
    text = params.get("markdown_text")
    found = ([{"type": "markdown_text", "text": str(text)}] if text else []) + chunks
    for chunk in found:
        kind = chunk.get("type") if isinstance(chunk, Mapping) else None
        if kind not in _CHUNKS or (kind == "markdown_text" and not isinstance(chunk.get("text"), str)):
            return Refusal("invalid_chunks")
        if kind == "markdown_text" and len(chunk["text"]) > MARKDOWN:
            return Refusal("msg_too_long")
        wrong = refusal(chunk.get("blocks") or []) if kind == "blocks" else None
        if wrong is not None:
            return wrong
    return found


def _grow(post: Post, pieces: list[Json]) -> None:
    for piece in pieces:
        if piece["type"] == "markdown_text":
            post.pieces.append(piece["text"])
        elif piece["type"] == "blocks":
            post.blocks += piece["blocks"]
        else:
            post.chunks.append(piece)
    post.markdown = "".join(post.pieces)
