"""The way out: one reply of the house as a message of Slack, once.

1. Every message carries the outbox row's id. Before a row is tried again, or sent late, Slack is asked whether it has
   it already; if Slack does not say, it is sent.
2. What Slack's formatting refuses is sent as plain text rather than not at all.
3. A private reply to a shared place is seen by its reader alone: there, or else in direct messages.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from supportbot.errors import NotFound
from supportbot.protocols import Files
from supportbot.types import Attachment, Outgoing, Reply
from supportbot_slack.blocks import Shown, shown, without_blocks
from supportbot_slack.cache import Cache
from supportbot_slack.faults import Refusal
from supportbot_slack.fields import or_empty
from supportbot_slack.files import upload
from supportbot_slack.mrkdwn import escape
from supportbot_slack.places import Place, direct, place
from supportbot_slack.web import Web
from supportbot_slack.words import say

EVENT = "supportbot_reply"
LATE = 10.0
_THERE = 60.0
"""Seconds after which nobody may be looking any more: what only shows to who is there goes to direct messages."""
_BEFORE = 60.0
_PAGES, _PAGE = 3, 100
NO_BLOCKS = frozenset(["invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_blocks_too_many"])
_PLAIN: Mapping[str, Mapping[str, Any]] = {"chat.update": {"blocks": []}, "chat.postMessage": {"mrkdwn": False}}
"""What each method is told beside a text without blocks."""
_NOT_THERE = frozenset(
    [
        "user_not_in_channel",
        "not_in_channel",
        "channel_not_found",
        "is_archived",
        "restricted_action",
        "user_not_found",
    ]
)


@dataclass(frozen=True, slots=True)
class Found:
    """A message that Slack has already, and the names of the files that were shared there since."""

    ts: str
    files: frozenset[str]


def metadata(outgoing: Outgoing) -> dict[str, Any]:
    """By what a message is found again."""
    return {"event_type": EVENT, "event_payload": {"id": outgoing.id}}


class Sender:
    """Posts. `dms` has the channels of direct messages by user, `own` the bot's user id ("" if unknown)."""

    def __init__(
        self,
        web: Web,
        files: Files,
        dms: Cache[str, str],
        own: Callable[[], str],
        locale: Callable[[str], str],
        log: Callable[..., None],
    ) -> None:
        self._web = web
        self._files = files
        self.dms = dms
        self._since = time.time()
        self._own = own
        self._locale = locale
        self._log = log

    async def place(self, outgoing: Outgoing) -> Place:
        """Where the row goes. Raises Refusal."""
        return await place(self._web, outgoing.address, self.dms)

    def is_new(self, outgoing: Outgoing) -> bool:
        """Whether nobody can have tried to send it before."""
        fresh = time.time() - outgoing.created_at <= LATE and outgoing.created_at >= self._since
        return not outgoing.attempt and fresh

    async def before(self, outgoing: Outgoing, where: Place) -> Found | None:
        """The row's message if Slack has it already; asked only if it may have."""
        if self.is_new(outgoing):
            return None
        try:
            return await self.find(outgoing, where)
        except Refusal as refusal:
            self._log("slack.look_up_failed", error=refusal.code)
            return None

    async def post(self, outgoing: Outgoing, reply: Reply, where: Place) -> str:
        """Posts a reply and returns its ts. Raises Refusal."""
        if reply.private and where.shared:
            return await self._post_privately(outgoing, reply, where)
        view = shown(reply, user=outgoing.user.id, thread=outgoing.address.thread)
        ts = await self._message(outgoing, reply, view, where)
        await self.share(view.uploads, where)
        return ts

    async def share(
        self, uploads: tuple[Attachment, ...], where: Place, *, but: frozenset[str] = frozenset()
    ) -> None:
        """Uploads files into the conversation, apart from those whose names are in `but`. Raises Refusal."""
        ready: list[dict[str, str]] = []
        for file in uploads:
            if file.name in but:
                continue
            try:
                content = await self._files.read(file.digest)
            except NotFound:
                self._log("slack.file_missing", file=file.name)
                continue
            if content:
                ready.append({"id": await upload(self._web, file, content), "title": file.name})
        if ready:
            await self._web.call(
                "files.completeUploadExternal",
                files=ready,
                channel_id=where.channel,
                thread_ts=where.thread or None,
            )

    async def _message(self, outgoing: Outgoing, reply: Reply, view: Shown, where: Place) -> str:
        if not view.whole:
            return ""
        target = {"channel": where.channel, "thread_ts": where.thread or None, "metadata": metadata(outgoing)}
        return await posted(self._web, "chat.postMessage", target, reply, view)

    async def _post_privately(self, outgoing: Outgoing, reply: Reply, where: Place) -> str:
        user = outgoing.user.id
        view = shown(reply, user=user, thread=outgoing.address.thread)
        now = not outgoing.attempt and time.time() - outgoing.created_at <= _THERE
        if view.whole and not view.uploads and now:
            target = {"channel": where.channel, "user": user, "thread_ts": where.thread or None}
            try:
                ts = await posted(self._web, "chat.postEphemeral", target, reply, view)
            except Refusal as refusal:
                if refusal.code not in _NOT_THERE:
                    raise
            else:
                await self._still(where)
                return ts
        first = await self._about(outgoing, where)
        aside = Place(await direct(self._web, user, self.dms), "", where.team, shared=False)
        found = await self.before(outgoing, aside)
        view = shown(reply, user=user, thread=outgoing.address.thread, origin=where.channel, first=first)
        ts = found.ts if found else await self._message(outgoing, reply, view, aside)
        await self.share(view.uploads, aside, but=found.files if found else frozenset())
        return ts

    async def _still(self, where: Place) -> None:
        """An ephemeral message does not end the status that says we are at work."""
        if where.thread:
            try:
                await self._web.call(
                    "assistant.threads.setStatus", channel_id=where.channel, thread_ts=where.thread, status=""
                )
            except Refusal as refusal:
                self._log("slack.status_failed", error=refusal.code)

    async def _about(self, outgoing: Outgoing, where: Place) -> str:
        """A line that says which question is answered, with a link to it if Slack gives one."""
        name = f"<#{where.channel}>" if where.channel.isalnum() else "…"
        line = say("about", self._locale(outgoing.user.id), place=name)
        asked = outgoing.in_reply_to[-1].rpartition(f"{where.channel}.")[2] if outgoing.in_reply_to else ""
        if not asked.replace(".", "").isdigit():
            return line
        try:
            found = await self._web.call("chat.getPermalink", channel=where.channel, message_ts=asked)
        except Refusal:
            return line
        link = or_empty(found.get("permalink"))
        return f"{line} <{escape(link)}>" if link.startswith("https://") and "|" not in link else line

    # --- what Slack has already ------------------------------------------------------------------------------

    async def find(self, outgoing: Outgoing, where: Place, pages: int = _PAGES) -> Found | None:
        """The row's message if it is among those since the row was written, as far as `pages` reach. Raises Refusal."""
        sent: list[tuple[str, list[str]]] = []
        ts, cursor = "", ""
        view = shown(outgoing.reply or Reply(""))
        alone = frozenset(file.name for file in view.uploads) if not view.whole else frozenset()
        for _ in range(pages):
            answer = await self._web.call(
                "conversations.replies" if where.thread else "conversations.history",
                channel=where.channel,
                ts=where.thread or None,
                oldest=f"{max(outgoing.created_at - _BEFORE, 0):.6f}",
                include_all_metadata=True,
                limit=_PAGE,
                cursor=cursor or None,
            )
            for message in answer.get("messages") or ():
                if isinstance(message, Mapping) and self._is_own(message):
                    at, names = or_empty(message.get("ts")), _file_names(message)
                    sent.append((at, names))
                    # a row of files alone is known by their names, and only if it was tried before
                    alike = bool(outgoing.attempt and alone) and alone <= frozenset(names)
                    is_it = _id(message) == outgoing.id or alike
                    ts = ts or (at if is_it else "")
            cursor = or_empty((answer.get("response_metadata") or {}).get("next_cursor"))
            if not cursor or ts:
                break
        files = frozenset(name for at, names in sent if at >= ts for name in names)
        return Found(ts, files) if ts else None

    def _is_own(self, message: Mapping[str, Any]) -> bool:
        return bool(message.get("bot_id")) and self._own() in ("", message.get("user"))


async def posted(web: Web, method: str, target: Mapping[str, Any], reply: Reply, view: Shown) -> str:
    """Posts or updates and returns the ts; without blocks if Slack does not take them. Raises Refusal."""
    quiet = {"unfurl_links": False, "unfurl_media": False} if method == "chat.postMessage" else {}
    try:
        answer = await web.call(method, **target, **quiet, text=view.text, blocks=list(view.whole))
    except Refusal as refusal:
        if refusal.code not in NO_BLOCKS:
            raise
        empty = _PLAIN.get(method, {})
        answer = await web.call(method, **target, **quiet, **empty, text=without_blocks(reply))
    return or_empty(answer.get("ts")) or or_empty(answer.get("message_ts"))


def _id(message: Mapping[str, Any]) -> str:
    found = message.get("metadata")
    inner = found.get("event_payload") if isinstance(found, Mapping) and found.get("event_type") == EVENT else None
    return or_empty(inner.get("id")) if isinstance(inner, Mapping) else ""


def _file_names(message: Mapping[str, Any]) -> list[str]:
    listed = message.get("files")
    files = [one for one in listed if isinstance(one, Mapping)] if isinstance(listed, list) else []
    return [or_empty(one.get("title")) or or_empty(one.get("name")) for one in files]
