"""Replies that grow while they are written: Slack's streams in threads, messages that are edited elsewhere.

1. A handle names a message: `kind|channel|ts`. What is shown of it is known to this process alone; a message begun by
   another one is not added to, its whole text is replaced.
2. A message that was begun is finished in place; only if it is gone is another one posted.
3. Whether streams work is learnt from Slack, for direct messages and for channels each.
4. Slack allows few of these calls a minute in a workspace. A reply that would need one too many is not shown while it
   is written.
5. What is streamed is Markdown, which Slack reads itself. So that data cannot mention or call anyone there, and a link
   goes to the web or to mail only, spaces of no width are put in; the end of a piece that may still become such a thing
   is held back.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from supportbot.types import Outgoing, Reply
from supportbot_slack.blocks import Shown, shown
from supportbot_slack.budget import Budget
from supportbot_slack.cache import Cache
from supportbot_slack.faults import Refusal
from supportbot_slack.mrkdwn import length
from supportbot_slack.places import Place
from supportbot_slack.sending import Sender, metadata, posted
from supportbot_slack.web import Web

MOST = 3500
STARTS, PIECES, EDITS = 16, 80, 30
"""Calls a minute spent on showing: Slack allows 20 startStream, 100 appendStream and 50 chat.update a workspace."""
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
    """A message under way: a "stream", or an "edit"ed one."""

    kind: str
    channel: str
    ts: str

    def __str__(self) -> str:
        return f"{self.kind}|{self.channel}|{self.ts}"


def handle(written: str) -> Handle | None:
    """The handle as `str` wrote it, None if it is none."""
    parts = written.split("|")
    return Handle(*parts) if len(parts) == 3 and parts[0] in ("stream", "edit") else None


def streamed(text: str) -> str:
    """The Markdown as it is streamed."""
    return _LINK.sub(f"]{_ZERO}(", _CALL.sub(f"<{_ZERO}", text))


def so_far(text: str) -> str:
    """What can be streamed of a text that goes on."""
    return streamed(_UNSURE.sub("", text))


class Streams:
    """Shows replies in the making, and finishes them. `clock` is monotonic."""

    def __init__(
        self, web: Web, sender: Sender, log: Callable[..., None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._web = web
        self._sender = sender
        self._log = log
        self._without: set[bool] = set()
        self._shows: Cache[Handle, str] = Cache()
        self._starts, self._pieces, self._edits = (Budget(most, clock) for most in (STARTS, PIECES, EDITS))

    async def show(self, outgoing: Outgoing, text: str) -> str:
        """The handle after showing the text so far; the old one if Slack is busy. Raises Refusal."""
        if not text.strip() or length(text) > MOST:
            return outgoing.preview
        try:
            known = handle(outgoing.preview)
            if known is None:
                return str(await self._begin(outgoing, text) or "")
            await self._more(known, text)
            return str(known)
        except Refusal as refusal:
            if refusal.busy:
                return outgoing.preview
            raise

    async def _begin(self, outgoing: Outgoing, text: str) -> Handle | None:
        """The message begun, None if this one is not shown."""
        where = await self._sender.place(outgoing)
        if where.thread and where.shared not in self._without:
            begun = so_far(text)
            if not begun.strip() or not self._starts.take():
                return None
            try:
                known = await self._start(outgoing, where, begun)
                self._shows.put(known, begun)
                return known
            except Refusal as refusal:
                if refusal.temporary:
                    raise
                if refusal.code in _NO_STREAMS:
                    self._without.add(where.shared)
                self._log("slack.no_stream", error=refusal.code)
        if not self._edits.take(2):  # one for its end
            return None
        target = {"channel": where.channel, "thread_ts": where.thread or None}
        ts = await posted(self._web, "chat.postMessage", target, Reply(text), shown(Reply(text)))
        known = Handle("edit", where.channel, ts)
        self._shows.put(known, text)
        return known

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

    async def _more(self, known: Handle, text: str) -> None:
        already = self._shows.get(known)
        if already is None:
            return
        if known.kind == "edit":
            if already != text and self._edits.take():
                target = {"channel": known.channel, "ts": known.ts}
                await posted(self._web, "chat.update", target, Reply(text), shown(Reply(text)))
                self._shows.put(known, text)
            return
        now = so_far(text)
        if now == already or not now.startswith(already) or not self._pieces.take():
            return  # what was begun otherwise is put right at the end
        piece = now[len(already) :]
        self._shows.pop(known)  # until Slack says that it has the piece, nobody knows what it shows
        await self._web.call("chat.appendStream", channel=known.channel, ts=known.ts, markdown_text=piece)
        self._shows.put(known, now)

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
        already = self._shows.pop(known)
        goes_on = already is not None and whole.startswith(already)
        rest = whole[len(already) :] if already is not None and goes_on else ""
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
                if refusal.code == "ratelimited" and already is not None:
                    self._shows.put(known, already)
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
