"""A channel of Slack as a desk: a thread for each handoff, whose first message always shows how it stands.

1. Each message carries an id made from its row's. Before a row is tried again, or sent late, Slack is asked whether it
   has it; if Slack cannot say just now, the row waits, since a second thread would part the colleagues.
2. The place is "CHANNEL:TS" of the thread's first message.
3. What customers wrote is shown as they wrote it, and acts on nothing.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from supportbot.errors import ChannelBusy, ChannelError, ChannelGone, ChannelRefused, UsageError
from supportbot.protocols import Desk
from supportbot.types import Address, Attachment, Capabilities, Outgoing, Reply
from supportbot_slack.blocks import context, section
from supportbot_slack.brief import FILE, brief, fallback
from supportbot_slack.cache import Cache
from supportbot_slack.card import Json, card, closed_elsewhere, notice, slack_user
from supportbot_slack.faults import Refusal
from supportbot_slack.fields import or_empty
from supportbot_slack.files import fetch, upload
from supportbot_slack.lines import author, ending, line, note
from supportbot_slack.mrkdwn import address, literal, literals, sections
from supportbot_slack.places import Place
from supportbot_slack.sending import NO_BLOCKS, Found, Sender, metadata
from supportbot_slack.web import Web

INTERVAL = 1.0
"""Seconds between two messages in the desk's channel."""
_LONGEST_WAIT = 20.0
_RETRY = (1.0, 2.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, *[600.0] * 150)
"""A day and more, and never more than ten minutes after Slack is back."""
_PAGES = 10
_SHOWN, _MOST = 3, 12
"""How many sections a message has, and how many of one text are shown; a longer one is a file."""
_LABELS, _FILES, _LINK = 500, 5, 500
_THERE = 60.0
_WHOLE = "whole-message.txt"
_UNREACHABLE = frozenset(["channel_not_found", "not_in_channel", "is_archived"])
_NOT_EDITABLE = frozenset(["message_not_found", "cant_update_message", "edit_window_closed"])
_CHANNEL = re.compile(r"[CG][A-Z0-9]{5,20}\Z")


@dataclass(frozen=True, slots=True)
class Tools:
    """What a desk works with while its adapter runs. `handoffs` has their ids by place, for the way in: agents write
    into a thread before its brief is out."""

    web: Web
    sender: Sender
    token: str = field(repr=False)
    log: Callable[..., None]
    handoffs: Cache[str, str]


def place_of(options: Mapping[str, Any], desks: Mapping[str, str]) -> str:
    """The channel of a desk; `desks` has the names of those that there are by channel. Raises UsageError."""
    if unknown := sorted(str(key) for key in options if key != "place"):
        raise UsageError(f"{unknown[0]} is not known; a desk in Slack has place.")
    found = options.get("place")
    like = "the id of a Slack channel, such as C0123456789 (open the channel's details; it stands at the end)."
    if found is None or found == "":
        raise UsageError(f"place is missing: {like}")
    if not isinstance(found, str) or not _CHANNEL.match(found):
        raise UsageError(f"place is not right: it must be {like}")
    if found in desks:
        raise UsageError(
            f"place {found} is the desk {desks[found]} already; each desk needs a channel of its own."
        )
    return found


class SlackDesk(Desk):
    """One channel of Slack. `place` is its id."""

    capabilities = Capabilities(
        buttons=True,
        links=True,
        files=True,
        channel_rate=1 / INTERVAL,
        retry_delays=_RETRY,
        send_timeout=60.0,
    )

    def __init__(self, name: str, place: str, tools: Callable[[], Tools]) -> None:
        super().__init__(name)
        self.place = place
        self._tools = tools
        self._free = 0.0

    def pace(self, address: Address) -> float:
        """None for each handoff: the channel's rate is that of all of them together."""
        return 0.0

    async def send(self, outgoing: Outgoing) -> str:
        tools = self._tools()
        try:
            if outgoing.kind == "handoff.requested":
                return await self._request(tools, outgoing)
            return await self._tell(tools, outgoing, self._thread(outgoing))
        except Refusal as refusal:
            raise self._error(refusal) from None

    async def fetch(self, attachment: Attachment, *, limit: int) -> bytes:
        tools = self._tools()
        try:
            return await fetch(tools.web, attachment, tools.token, limit)
        except Refusal as refusal:
            raise self._error(refusal) from None

    def _error(self, refusal: Refusal) -> ChannelError:
        """A channel that cannot be reached is for the operator to mend; nothing is lost meanwhile."""
        if refusal.code in _UNREACHABLE:
            return ChannelBusy(
                f"The Slack channel {self.place} of the desk {self.name} cannot be reached ({refusal.code}): "
                "invite the app to it, or write another place."
            )
        error = refusal.error()
        return ChannelRefused(str(error)) if isinstance(error, ChannelGone) else error

    # --- a new handoff ---------------------------------------------------------------------------------------

    async def _request(self, tools: Tools, outgoing: Outgoing) -> str:
        """Its first message, then the brief, then the file; each only if it is not there yet."""
        root = Place(self.place, "", "", shared=True)
        drawn = card(outgoing.data, at=outgoing.created_at)
        if outgoing.place and await self._redraw(tools, outgoing):
            place = outgoing.place
        else:
            found = await self._before(tools, outgoing, root)
            ts = found.ts if found else await self._post(tools, outgoing, root, drawn.text, drawn.blocks)
            place = f"{self.place}:{ts}"
        tools.handoffs.put(place, or_empty(outgoing.data.get("handoff")))
        await self._brief(tools, replace(outgoing, id=f"{outgoing.id}.brief", reply=None), _thread(place))
        return place

    async def _brief(self, tools: Tools, part: Outgoing, where: Place) -> None:
        told = brief(part.data)
        blocks = (*([context("Opened again")] if part.data.get("reopened") else ()), *told.blocks)
        found = await self._before(tools, part, where)
        if not found and blocks:
            await self._post(tools, part, where, told.text, blocks)
        if told.file and FILE not in (found.files if found else ()):
            await self._upload(tools, where, FILE, told.file)

    # --- what comes after ------------------------------------------------------------------------------------

    def _thread(self, outgoing: Outgoing) -> Place:
        if not outgoing.place.partition(":")[2]:
            raise ChannelRefused(f"The handoff has no thread at the desk {self.name}.")
        return _thread(outgoing.place)

    async def _tell(self, tools: Tools, outgoing: Outgoing, where: Place) -> str:
        data = outgoing.data
        match outgoing.kind:
            case "handoff.message":
                return await self._message(tools, outgoing, where)
            case "handoff.note":
                return await self._note(tools, outgoing, where)
            case "handoff.claimed":
                await self._redraw(tools, outgoing)
                return ""
            case "handoff.resolved" | "handoff.returned":
                await self._redraw(tools, outgoing)
                return await self._say(tools, outgoing, where, ending(data))
            case "handoff.updated":
                return await self._update(tools, outgoing, where)
        return ""

    async def _update(self, tools: Tools, outgoing: Outgoing, where: Place) -> str:
        change = outgoing.data.get("change")
        if change in ("assigned", "released", "transferred"):
            await self._redraw(tools, outgoing)
        words = line(outgoing.data, closed_elsewhere(outgoing.data, self.name))
        if not words:
            return ""
        if change == "refused" and await self._whisper(tools, outgoing, where, words):
            return ""
        return await self._say(tools, outgoing, where, words)

    async def _redraw(self, tools: Tools, outgoing: Outgoing) -> bool:
        """The first message as it is now; False if it is no more."""
        where = _thread(outgoing.place)
        moved = (
            outgoing.kind in ("handoff.claimed", "handoff.requested") or outgoing.data.get("change") == "assigned"
        )
        away = closed_elsewhere(outgoing.data, self.name) if outgoing.data.get("change") == "transferred" else ""
        drawn = card(outgoing.data, at=outgoing.created_at if moved else 0.0, to=away)
        try:
            await tools.web.call(
                "chat.update", channel=where.channel, ts=where.thread, text=drawn.text, blocks=list(drawn.blocks)
            )
        except Refusal as refusal:
            if refusal.code not in _NOT_EDITABLE:
                raise
            tools.log("slack.not_redrawn", desk=self.name, error=refusal.code)
            return False
        return True

    async def _whisper(self, tools: Tools, outgoing: Outgoing, where: Place, words: str) -> bool:
        """Tells the agent alone; False if they may not be looking, or are not in this channel."""
        user = slack_user(outgoing.data.get("by"))
        if not user or outgoing.attempt or time.time() - outgoing.created_at > _THERE:
            return False
        try:
            await tools.web.call(
                "chat.postEphemeral",
                channel=where.channel,
                thread_ts=where.thread,
                user=user,
                text=notice(words),
                blocks=[context(words)],
            )
        except Refusal as refusal:
            if refusal.temporary:
                raise
            return False
        return True

    async def _message(self, tools: Tools, outgoing: Outgoing, where: Place) -> str:
        reply, by = outgoing.reply or Reply(""), author(outgoing.data)
        pieces = literals(reply.text) if by.role == "customer" else sections(reply.text)
        ts, there = await self._words(tools, outgoing, where, by.line, pieces, below=tuple(_beside(reply)))
        if len(pieces) > _MOST and _WHOLE not in there:
            await self._upload(tools, where, _WHOLE, reply.text)
        await tools.sender.share(tuple(file for file in reply.files if file.digest), where, but=there)
        return ts

    async def _note(self, tools: Tools, outgoing: Outgoing, where: Place) -> str:
        text = str(outgoing.data.get("note") or "")
        pieces = literals(text)
        ts, there = await self._words(tools, outgoing, where, note(outgoing.data), pieces)
        if len(pieces) > _MOST and _WHOLE not in there:
            await self._upload(tools, where, _WHOLE, text)
        return ts

    async def _words(
        self,
        tools: Tools,
        outgoing: Outgoing,
        where: Place,
        head: str,
        pieces: Sequence[str],
        *,
        below: Sequence[Json] = (),
    ) -> tuple[str, frozenset[str]]:
        """Somebody's words in as many messages as they need; the first one's ts, and the files that followed it."""
        shown = pieces if len(pieces) <= _MOST else pieces[:1]
        groups = [shown[at : at + _SHOWN] for at in range(0, len(shown), _SHOWN)] or [()]
        first, there = "", frozenset[str]()
        for number, group in enumerate(groups):
            part = replace(outgoing, id=f"{outgoing.id}.{number}") if number else outgoing
            found = await self._before(tools, part, where)
            if found:
                first, there = first or found.ts, there | found.files
                continue
            above = [] if number else [context(head)]
            blocks = [*above, *(section(piece) for piece in group), *(below if number == len(groups) - 1 else ())]
            ts = await self._post(tools, part, where, notice(" ".join((head, *group))), blocks)
            first = first or ts
        return first, there

    # --- posting ---------------------------------------------------------------------------------------------

    async def _say(self, tools: Tools, outgoing: Outgoing, where: Place, words: str) -> str:
        return (await self._words(tools, outgoing, where, words, ()))[0]

    async def _before(self, tools: Tools, outgoing: Outgoing, where: Place) -> Found | None:
        """What Slack has of it; asked only if it may have something."""
        if tools.sender.is_new(outgoing):
            return None
        try:
            return await tools.sender.find(replace(outgoing, reply=None), where, _PAGES)
        except Refusal as refusal:
            if refusal.temporary or refusal.code in _UNREACHABLE:
                raise
            tools.log("slack.look_up_failed", desk=self.name, error=refusal.code)
            return None

    async def _post(
        self, tools: Tools, outgoing: Outgoing, where: Place, text: str, blocks: Sequence[Json]
    ) -> str:
        await self._slot()
        target = {
            "channel": where.channel,
            "thread_ts": where.thread or None,
            "metadata": metadata(outgoing),
            "unfurl_links": False,
            "unfurl_media": False,
        }
        try:
            answer = await tools.web.call("chat.postMessage", **target, text=text, blocks=list(blocks))
        except Refusal as refusal:
            if refusal.code not in NO_BLOCKS:
                raise
            answer = await tools.web.call("chat.postMessage", **target, text=fallback(blocks))
        if where.thread and not _in_thread(answer):
            # Slack puts an answer to a thread that somebody deleted into the channel, and says so only by this
            tools.log("slack.thread_gone", desk=self.name, handoff=str(outgoing.data.get("handoff")))
        return or_empty(answer.get("ts"))

    async def _slot(self) -> None:
        """Waits for this channel's next turn: a new handoff is more than one message."""
        now = time.monotonic()
        at = max(now, self._free)
        if at - now > _LONGEST_WAIT:
            raise ChannelBusy(f"The desk {self.name} has much to tell.", retry_after=at - now)
        self._free = at + INTERVAL
        await asyncio.sleep(at - now)

    async def _upload(self, tools: Tools, where: Place, title: str, text: str) -> None:
        content = text.encode("utf-8", "replace")
        id = await upload(tools.web, Attachment(title, "text/plain"), content)
        await tools.web.call(
            "files.completeUploadExternal",
            files=[{"id": id, "title": title}],
            channel_id=where.channel,
            thread_ts=where.thread,
        )


def _thread(place: str) -> Place:
    channel, _, ts = place.partition(":")
    return Place(channel, ts, "", shared=True)


def _in_thread(answer: Mapping[str, Any]) -> bool:
    message = answer.get("message")
    return not isinstance(message, Mapping) or bool(message.get("thread_ts"))


def _beside(reply: Reply) -> Iterator[Json]:
    """Choices that were offered, as words, and the files by their names, as one may not be kept any more."""
    if reply.buttons:
        yield context(literal(" ".join(f"[ {button.label} ]" for button in reply.buttons), _LABELS))
    for file in reply.files[:_FILES]:
        link = "" if file.digest else address(file.url)
        yield context(
            f"📎 {literal(file.name, 100) or 'file'}" + (f": <{link}>" if 0 < len(link) <= _LINK else "")
        )
