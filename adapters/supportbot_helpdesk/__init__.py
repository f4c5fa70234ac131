"""A helpdesk as a channel and as a desk, by a mapping in YAML. See docs/helpdesks.md.

A delivery's way: cap the size, verify the raw bytes, parse, ask for what it leaves out, store, and only then say 200.
What happened in a ticket that stands at a desk is that handoff's; everything else belongs to a conversation that lives
at the helpdesk itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, ClassVar

import httpx2
from starlette.routing import BaseRoute, Route

from supportbot import (
    Adapter,
    Attachment,
    Capabilities,
    ChannelBusy,
    ChannelContext,
    ChannelRefused,
    Desk,
    FileTooLarge,
    Outgoing,
    Rendering,
    Reply,
    UsageError,
)
from supportbot_helpdesk.checking import findings
from supportbot_helpdesk.door import HelpdeskDoor
from supportbot_helpdesk.echoes import Echoes
from supportbot_helpdesk.outbound import Outbound, blank
from supportbot_helpdesk.requests import Api
from supportbot_helpdesk.settings import Settings, desk_options, lacking, settings
from supportbot_helpdesk.words import rendered, written_limit

__all__ = ["HelpdeskAdapter"]

REDIRECTS = 3
MOST = 1 << 40
"""Bytes of a file that its reader's own limit leaves far below."""
RETRY_DELAYS = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 14400.0, 28800.0, 43200.0, 86400.0)
_CAPABILITIES = Capabilities(
    events=True, humans=True, burst_wait=0.8, send_timeout=40.0, retry_delays=RETRY_DELAYS
)


class HelpdeskAdapter(Adapter):
    """One `POST /webhook/{name}`, and the helpdesk's API. Options: see docs/helpdesks.md."""

    capabilities = _CAPABILITIES
    paths: ClassVar[Sequence[str]] = ("mapping",)
    """Options that are paths of files in the bot's folder."""
    patience = 2.5
    """Seconds that a delivery waits for a ticket's place to be known; helpdesks wait about five for us."""

    def __init__(self, name: str, options: Mapping[str, Any]) -> None:
        super().__init__(name, options)
        self.settings: Settings = settings(name, options)
        mapping = self.settings.mapping
        self.capabilities = replace(
            _CAPABILITIES,
            text_limit=written_limit(mapping.markup, mapping.text_limit),
            burst_wait=self.settings.burst_wait,
        )
        self.echoes = Echoes()
        self.outbound = Outbound(mapping, self.echoes)
        self.desks: list[HelpdeskDesk] = []
        self.names: dict[str, str] = {}
        self.context: ChannelContext | None = None
        self._client: httpx2.AsyncClient | None = None
        self._files: httpx2.AsyncClient | None = None

    def check(self) -> Sequence[str]:
        """What is wrong with the mapping, found by trying it on its samples; nothing is sent."""
        return findings(self.settings.mapping)

    def routes(self) -> Sequence[BaseRoute]:
        return (Route(f"/webhook/{self.name}", HelpdeskDoor(self), methods=["POST"], name=f"webhook:{self.name}"),)

    def desk(self, name: str, options: Mapping[str, Any]) -> Desk:
        missing = [word for word in ("create", "note") if getattr(self.settings.mapping.requests, word) is None]
        if missing:
            raise UsageError(
                f"channel: the mapping of channels.{self.name} has no request `{missing[0]}`, which a desk needs"
            )
        own = desk_options(self.settings, options)
        for option in lacking(self.settings.mapping, own):
            about = self.settings.mapping.options[option].about
            raise UsageError(
                f"channel: a desk needs channels.{self.name}.{option}, which is missing{f': {about}' if about else '.'}"
            )
        self.desks.append(HelpdeskDesk(name, self, own))
        return self.desks[-1]

    async def start(self, context: ChannelContext) -> None:
        own = self.settings
        self._client = context.http(own.allow_private, most=own.body_limit * 5)
        self._files = context.http(False, most=MOST, hosts=(own.url,) if own.allow_private else ())
        for client in (self._client, self._files):
            client.cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))  # a session is nobody's here
        self.outbound.open(
            Api(self.name, own.url, own.mapping, self._client, files=self._files, hidden=own.hidden)
        )
        self.context = context

    async def stop(self) -> None:
        self.context = None
        self.outbound.close()
        for client in filter(None, (self._client, self._files)):
            await client.aclose()
        self._client = self._files = None

    @classmethod
    def render(cls, reply: Reply) -> Rendering:
        return Rendering(rendered(reply.text, "plain"))

    async def send(self, outgoing: Outgoing) -> str:
        """Posts a reply, or tells the agents what has changed."""
        if outgoing.kind == "message.reply" and self.settings.mapping.requests.reply is None:
            raise ChannelRefused(f"the mapping of channels.{self.name} has no request `reply`")
        return await self.outbound.own(outgoing, self.settings.options)

    async def fetch(self, attachment: Attachment, *, limit: int) -> bytes:
        """A file that came from the helpdesk; redirects are followed without our credentials."""
        if not attachment.ref:
            raise ChannelRefused(f"the file {attachment.name!r} has no address")
        url, values = attachment.ref, blank() | {"options": dict(self.settings.options)}
        for _ in range(REDIRECTS + 1):
            status, content, pointed = await self.outbound.api.content(url, values, limit)
            if len(content) > limit:
                raise FileTooLarge(f"the file {attachment.name!r} has more than {limit:,} bytes")
            if 200 <= status < 300:
                return content
            if not pointed:
                break
            url = pointed
        told = f"the file {attachment.name!r} could not be read (the helpdesk answered {status})"
        raise ChannelRefused(told) if status in (400, 404, 410) or status < 400 else ChannelBusy(told)


class HelpdeskDesk(Desk):
    """Agents who work in the helpdesk on what comes from other channels; a handoff's place is its ticket's id."""

    def __init__(self, name: str, adapter: HelpdeskAdapter, options: Mapping[str, str]) -> None:
        super().__init__(name)
        self.capabilities = adapter.capabilities
        self._adapter = adapter
        self._options = options

    async def send(self, outgoing: Outgoing) -> str:
        return await self._adapter.outbound.desk(self.name, outgoing, self._options)

    async def fetch(self, attachment: Attachment, *, limit: int) -> bytes:
        return await self._adapter.fetch(attachment, limit=limit)
