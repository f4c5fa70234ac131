"""The web chat: a widget on the company's own pages, and its API. See docs/web-chat.md.

1. The house's feed is the platform: a message is sent once it stands there, under its id, so it stands there once.
2. A page is told of what is new by its stream, and reads what it missed by position; what is only nice to see (a reply
   while it is written, typing) passes by and is not kept.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.routing import BaseRoute

from supportbot import (
    Adapter,
    Address,
    Attachment,
    Capabilities,
    ChannelBusy,
    ChannelContext,
    ChannelRefused,
    FileTooLarge,
    NotFound,
    Outgoing,
    Rendering,
    Reply,
    Shelf,
    StoreError,
)
from supportbot.markup import plain
from supportbot_web import entries, settings
from supportbot_web.assets import assets
from supportbot_web.door import Door
from supportbot_web.hub import Hub
from supportbot_web.limits import Buckets, Places
from supportbot_web.pages import Pages
from supportbot_web.sessions import Sessions
from supportbot_web.stream import Streams

__all__ = ["WebAdapter"]

_STARTS = 30
"""New sessions a minute from one address."""
_FLOOD = 10
"""How many times one visitor's messages may come from one address, of all who are anonymous there."""
_TYPES = 30
_ASKS = 240
"""What a chat's pages read in a minute: history, files, streams."""
_GIVES = 12
"""Files a minute in one chat, after the first ones."""
_AT_ONCE, _OF_ONE = 16, 4
"""Files that are being taken, of all and of one visitor: each stands in memory until it is whole."""


class WebAdapter(Adapter):
    """A chat at `/chat`, or `/chat/NAME` for a channel that is not called `web`."""

    capabilities = Capabilities(
        buttons=True,
        links=True,
        files=True,
        streaming=True,
        events=True,
        preview_interval=0.15,
        typing=4.0,
        burst_wait=0.5,
    )

    def __init__(self, name: str, options: Mapping[str, Any]) -> None:
        super().__init__(name, options)
        self.settings = settings.read(name, options)
        self.base = "/chat" if name == "web" else f"/chat/{name}"
        self.body_limits = {f"{self.base}/files": self.settings.max_upload + 1_000}
        self.hub = Hub()
        self.starts = Buckets(_STARTS, _STARTS)
        self.says = Buckets(self.settings.rate, max(self.settings.rate // 2, 1))
        self.floods = Buckets(_FLOOD * self.settings.rate, _FLOOD * self.settings.rate // 2)
        self.types = Buckets(_TYPES, _TYPES)
        self.asks = Buckets(_ASKS, _ASKS // 2)
        self.gives = Buckets(_GIVES, 2 * _GIVES)
        self.bodies = Places(_AT_ONCE, _OF_ONE)
        self._context: ChannelContext | None = None
        self._sessions: Sessions | None = None

    def routes(self) -> Sequence[BaseRoute]:
        door = Door(self)
        page, streams, known = Pages(self, door), Streams(self), door.known
        return (
            door.route("/config", GET=page.config),
            door.route("/sessions", POST=page.start, DELETE=known(page.end)),
            door.route("/entries", GET=known(page.history)),
            door.route("/events", GET=known(streams.open)),
            door.route("/messages", POST=known(page.say)),
            door.route("/seen", POST=known(page.seen)),
            door.route("/typing", POST=known(page.typing)),
            door.route("/files", POST=known(page.upload)),
            door.route("/files/{id}", GET=known(page.download)),
            *assets(self.base),
        )

    # --- what the pages need ---

    @property
    def context(self) -> ChannelContext:
        if self._context is None:
            raise ChannelBusy(f"Channel {self.name} is not running.")
        return self._context

    @property
    def shelf(self) -> Shelf:
        return self.context.shelf(self.name)

    @property
    def sessions(self) -> Sessions:
        if self._sessions is None:
            raise ChannelBusy(f"Channel {self.name} is not running.")
        return self._sessions

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    async def customer_types(self, chat: str) -> None:
        """The customer is writing: pages of the console that show the conversation are told."""
        await self.context.typing(Address(self.name, chat))

    # --- what the house needs ---

    async def start(self, context: ChannelContext) -> None:
        self._context = context
        self._sessions = Sessions(context.shelf(self.name), self.settings.keep, self.now)
        self.hub.open()

    def closing(self) -> None:
        self.hub.close()

    async def stop(self) -> None:
        self.hub.close()
        self._context = self._sessions = None

    async def send(self, outgoing: Outgoing) -> str:
        """Puts it into the chat's feed, once, and wakes the pages that are open."""
        chat = outgoing.address.chat
        try:
            body = await entries.of_outgoing(outgoing, self.shelf)
            entry = await self.shelf.append(chat, outgoing.id, body) if body is not None else None
        except StoreError as error:
            raise ChannelBusy(f"The feed could not be written: {error}") from None
        if entry is None:
            return ""
        self.hub.finished(chat)
        return str(entry.position)

    async def preview(self, outgoing: Outgoing, text: str) -> str:
        handle = outgoing.preview or "p" + secrets.token_hex(8)
        blocks = entries.as_blocks(text) if text else ()
        self.hub.preview(outgoing.address.chat, handle, {"handle": handle, "blocks": blocks})
        return handle

    async def working(self, outgoing: Outgoing, note: str) -> None:
        self.hub.hand(outgoing.address.chat, "typing", {"name": "", "note": note})

    async def writing(self, address: Address, name: str) -> None:
        self.hub.hand(address.chat, "typing", {"name": name, "note": ""})

    async def fetch(self, attachment: Attachment, *, limit: int) -> bytes:
        if attachment.size > limit:
            raise FileTooLarge(f"The file has more than {limit:,} bytes.")
        try:
            return await self.context.files.read(attachment.ref)
        except NotFound:
            raise ChannelRefused(f"The file {attachment.name} is not kept any more.") from None

    @classmethod
    def render(cls, reply: Reply) -> Rendering:
        buttons = [{"label": button.label, "url": button.url} for button in reply.buttons]
        entry = {"from": "bot", "blocks": list(entries.as_blocks(reply.text)), "buttons": buttons}
        return Rendering(plain(reply.text), ({"method": "entry", **entry},))
