"""Replies that grow while they are written: Slack's streams in threads, messages that are edited elsewhere.

1. A handle says all that is needed to go on after a crash: `kind|channel|ts|length|digest` of what is shown.
2. A message that was begun is finished in place; only if it is gone is another one posted.
3. Whether streams work is learnt from Slack, for direct messages and for channels each.
4. What is streamed is Markdown, which Slack reads itself. So that data cannot mention or call anyone there, and a link
   goes to the web or to mail only, spaces of no width are put in; the end of a piece that may still become such a thing
   is held back.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from supportbot.types import Outgoing, Reply
from supportbot_slack.blocks import Shown, shown
from supportbot_slack.faults import Refusal
from supportbot_slack.mrkdwn import length
from supportbot_slack.places import Place
from supportbot_slack.sending import Sender, metadata, posted
from supportbot_slack.web import Web

MOST = 3500
_ZERO = "\u200b"
_CALL = re.compile(r"<(?=[@#!A-Za-z])")
_LINK = re.compile(r"\]\((?!https?://|mailto:)")
_UNSURE = re.compile(r"(?:<|\](?:\([^\s)]{0,8})?)\Z")
_ENDED = frozenset(["message_not_in_streaming_state", "stopped_by_user", "streaming_state_conflict"])
_NO_STREAMS = frozenset(
    [
        "unknown_method",
        "method_deprecated",
        "feature_not_enabled",
        "missing_scope",
        "not_allowed",
        "not_allowed_token_type",
        "not_subscribed_to_message_stream_stopped",
        "channel_type_not_supported",
    ]
)
_LOST = frozenset(
    ["message_not_found", "cant_update_message", "edit_window_closed", "message_not_owned_by_app", "is_inactive"]
)


@dataclass(frozen=True, slots=True)
class Handle:
    """A message under way: a "stream", or an "edit"ed one, with what is shown of it so far."""

    kind: str
    channel: str
    ts: str
    length: int = 0
    digest: str = ""

    def __str__(self) -> str:
        return f"{self.kind}|{self.channel}|{self.ts}|{self.length}|{self.digest}"

    def showing(self, text: str) -> Handle:
        return replace(self, length=len(text), digest=_digest(text))

    def begins(self, text: str) -> bool:
        """Whether the text goes on from what is shown."""
        return _digest(text[: self.length]) == self.digest


def handle(written: str) -> Handle | None:
    """The handle as `str` wrote it, None if it is none."""
    parts = written.split("|")
    if len(parts) != 5 or parts[0] not in ("stream", "edit") or not parts[3].isdigit():
        return None
    return Handle(parts[0], parts[1], parts[2], int(parts[3]), parts[4])


def streamed(text: str) -> str:
    """The Markdown as it is streamed."""
    return _LINK.sub(f"]{_ZERO}(", _CALL.sub(f"<{_ZERO}", text))


def so_far(text: str) -> str:
    """What can be streamed of a text that goes on."""
    return streamed(_UNSURE.sub("", text))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:12]


class Streams:
    """Shows replies in the making, and finishes them."""

    def __init__(self, web: Web, sender: Sender, log: Callable[..., None]) -> None:
        self._web = web
        self._sender = sender
        self._log = log
        self._without: set[bool] = set()

    async def show(self, outgoing: Outgoing, text: str) -> str:
        """The handle after showing the text so far; the old one if Slack is busy. Raises Refusal."""
        if not text.strip() or length(text) > MOST:
            return outgoing.preview
        try:
            known = handle(outgoing.preview)
            return str(await (self._more(known, text) if known else self._begin(outgoing, text)))
        except Refusal as refusal:
            if refusal.busy:
                return outgoing.preview
            raise

    async def _begin(self, outgoing: Outgoing, text: str) -> Handle | str:
        where = await self._sender.place(outgoing)
        if where.thread and where.shared not in self._without:
            begun = so_far(text)
            try:
                return (await self._start(outgoing, where, begun)).showing(begun) if begun.strip() else ""
            except Refusal as refusal:
                if refusal.temporary:
                    raise
                if refusal.code in _NO_STREAMS:
                    self._without.add(where.shared)
                self._log("slack.no_stream", error=refusal.code)
        target = {"channel": where.channel, "thread_ts": where.thread or None}
        ts = await posted(self._web, "chat.postMessage", target, Reply(text), shown(Reply(text)))
        return Handle("edit", where.channel, ts).showing(text)

    async def _start(self, outgoing: Outgoing, where: Place, text: str) -> Handle:
        answer = await self._web.call(
            "chat.startStream",
            channel=where.channel,
            thread_ts=where.thread,
            markdown_text=text,
            recipient_team_id=where.team if where.shared else None,
            recipient_user_id=outgoing.user.id if where.shared else None,
        )
        return Handle("stream", where.channel, str(answer.get("ts") or ""))

    async def _more(self, known: Handle, text: str) -> Handle:
        if known.kind == "edit":
            if known.begins(text) and known.length == len(text):
                return known
            view = shown(Reply(text))
            await posted(self._web, "chat.update", {"channel": known.channel, "ts": known.ts}, Reply(text), view)
            return known.showing(text)
        now = so_far(text)
        if not known.begins(now) or len(now) <= known.length:
            return known  # what was begun otherwise is put right at the end
        await self._web.call(
            "chat.appendStream", channel=known.channel, ts=known.ts, markdown_text=now[known.length :]
        )
        return known.showing(now)

    async def finish(self, outgoing: Outgoing, reply: Reply, known: Handle, where: Place) -> str:
        """Finishes the message in place and returns its ts, "" if it is gone. Raises Refusal."""
        view = shown(reply, user=outgoing.user.id, thread=outgoing.address.thread)
        if known.kind == "stream" and not await self._stop(outgoing, reply, known, view):
            known = replace(known, kind="edit")
        if known.kind == "edit":
            target = {"channel": known.channel, "ts": known.ts, "metadata": metadata(outgoing)}
            try:
                await posted(self._web, "chat.update", target, reply, view)
            except Refusal as refusal:
                if refusal.code in _LOST:
                    return ""
                raise
        await self._sender.share(view.uploads, where)
        return known.ts

    async def _stop(self, outgoing: Outgoing, reply: Reply, known: Handle, view: Shown) -> bool:
        """Ends the stream; whether the message then says all that it should."""
        whole = streamed(reply.text)
        goes_on = known.begins(whole)
        rest = whole[known.length :] if goes_on else ""
        try:
            await self._web.call(
                "chat.stopStream",
                channel=known.channel,
                ts=known.ts,
                markdown_text=rest or None,
                blocks=(list(view.below) or None) if goes_on else None,
                metadata=metadata(outgoing) if goes_on else None,
            )
        except Refusal as refusal:
            if refusal.busy:
                raise
            if refusal.code not in _ENDED | _LOST:
                await self._abandon(known)
            return False
        return goes_on

    async def _abandon(self, known: Handle) -> None:
        """Ends a stream whose end Slack refused, so that the message can be edited."""
        try:
            await self._web.call("chat.stopStream", channel=known.channel, ts=known.ts)
        except Refusal as refusal:
            if refusal.busy:
                raise
            self._log("slack.stream_not_ended", error=refusal.code)

    async def withdraw(self, known: Handle) -> None:
        """Takes a begun message back, as its end is not for all eyes. Raises Refusal."""
        if known.kind == "stream":
            await self._abandon(known)
        try:
            await self._web.call("chat.delete", channel=known.channel, ts=known.ts)
        except Refusal as refusal:
            if refusal.code not in _LOST:
                raise
