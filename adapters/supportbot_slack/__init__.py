"""Slack: direct messages, mentions in channels, assistant threads, buttons and commands. See docs/slack.md."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from starlette.routing import BaseRoute, Route

from supportbot import (
    Adapter,
    Address,
    Attachment,
    Capabilities,
    ChannelBusy,
    ChannelContext,
    ChannelRefused,
    Outgoing,
    Rendering,
    Reply,
    UsageError,
)
from supportbot_slack.app_manifest import manifest
from supportbot_slack.beside import Beside
from supportbot_slack.blocks import LABEL, OPTIONS, preview, shown
from supportbot_slack.cache import Cache
from supportbot_slack.desk import SlackDesk, Tools, place_of
from supportbot_slack.deskdoor import DeskDoor
from supportbot_slack.door import SlackDoor
from supportbot_slack.faults import BAD_TOKEN, Refusal
from supportbot_slack.files import fetch
from supportbot_slack.inbound import Own
from supportbot_slack.intake import Intake
from supportbot_slack.mrkdwn import length
from supportbot_slack.people import People
from supportbot_slack.places import is_direct
from supportbot_slack.sending import Sender
from supportbot_slack.settings import COMMAND, ENVIRONMENT, settings
from supportbot_slack.socket import Socket
from supportbot_slack.streaming import MOST, Streams, handle
from supportbot_slack.tasks import Tasks
from supportbot_slack.web import Web
from supportbot_slack.words import say

__all__ = ["SlackAdapter", "manifest"]

START_SECONDS = 5.0
_PAUSES = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)


@dataclass(frozen=True, slots=True)
class _Running:
    """What a started adapter works with."""

    web: Web
    people: People
    tasks: Tasks
    intake: Intake
    sender: Sender
    streams: Streams
    socket: Socket | None
    tools: Tools


def path(name: str) -> str:
    """Where Slack posts for the channel of this name."""
    return "/slack/events" if name == "slack" else f"/slack/{name}/events"


class SlackAdapter(Adapter):
    """One Slack app in one workspace. Options: see docs/slack.md."""

    environment = ENVIRONMENT

    capabilities = Capabilities(
        buttons=True,
        links=True,
        files=True,
        streaming=True,
        button_limit=OPTIONS,
        label_limit=LABEL,
        text_limit=MOST,
        measure=length,
        chat_interval=1.0,
        preview_interval=1.0,
        typing=10.0,
        send_timeout=40.0,
    )

    def __init__(self, name: str, options: Mapping[str, Any]) -> None:
        super().__init__(name, options)
        self.settings = settings(name, options)
        self.capabilities = replace(
            self.capabilities, streaming=self.settings.stream, burst_wait=self.settings.burst_wait
        )
        self._running: _Running | None = None
        self._context: ChannelContext | None = None
        self._no_status: set[bool] = set()
        self._desks: dict[str, str] = {}

    def routes(self) -> Sequence[BaseRoute]:
        if self.settings.mode != "http":
            return ()
        door = SlackDoor(self.settings.signing_secret, self.settings.body_limit, self._intake)
        return (Route(path(self.name), door, methods=["POST"], name=f"slack:{self.name}"),)

    def desk(self, name: str, options: Mapping[str, Any]) -> SlackDesk:
        """One channel in which agents work. Options: `place`, its id."""
        place = place_of(options, self._desks)
        self._desks[place] = name
        return SlackDesk(name, place, lambda: self._started().tools)

    @classmethod
    def manifest(
        cls, name: str, options: Mapping[str, Any], *, bot_name: str, public_url: str
    ) -> Mapping[str, Any] | None:
        """The app's manifest; without a mode in the options, Socket Mode is meant where there is no public address."""
        mode = str(options.get("mode") or ("http" if public_url else "socket"))
        if mode == "http" and not public_url:
            raise UsageError(
                f"channels.{name}.mode is http, and web.public_url is not set: write the address under which Slack "
                "reaches the bot, or mode: socket."
            )
        command = str(options.get("command") or COMMAND)
        return manifest(bot_name, mode=mode, url=public_url + path(name), command=command)

    @classmethod
    def render(cls, reply: Reply) -> Rendering:
        return preview(reply)

    # --- start and stop --------------------------------------------------------------------------------------

    async def start(self, context: ChannelContext) -> None:
        self._context = context
        running = self._running = self._make(context)
        try:
            if not await self._introduced(running, START_SECONDS):
                running.tasks.run("identity", self._keep_asking(running), endless=True)
            if running.socket is not None:
                await running.socket.start(START_SECONDS)
        except BaseException:
            await self.stop()
            raise

    def _make(self, context: ChannelContext) -> _Running:
        chosen = self.settings
        web = Web(chosen.api_url, chosen.bot_token)
        people, tasks = People(web), Tasks(context.log)
        beside = Beside(web, tasks, context.menu, self._language)
        handoffs: Cache[str, str] = Cache()
        desks = DeskDoor(self._desks, context, web, people, tasks, handoffs=handoffs)
        intake = Intake(self.name, context, people, beside, desks)
        sender = Sender(web, context.files, beside.dms, lambda: intake.own.user, self._language, context.log)
        socket = Socket(web, chosen.app_token, intake, context.log) if chosen.mode == "socket" else None
        streams = Streams(web, sender, context.log)
        tools = Tools(web, sender, chosen.bot_token, context.log, handoffs)
        return _Running(web, people, tasks, intake, sender, streams, socket, tools)

    async def stop(self) -> None:
        running, self._running = self._running, None
        if running is None:
            return
        if running.socket is not None:
            await running.socket.stop()
        await running.tasks.stop()
        await running.people.stop()
        await running.web.close()

    async def _introduced(self, running: _Running, seconds: float) -> bool:
        """Whether Slack has said who we are. Raises UsageError for a token that it does not accept."""
        try:
            async with asyncio.timeout(seconds):
                found = await running.web.call("auth.test")
        except TimeoutError:
            return self._not_yet("timeout")
        except Refusal as refusal:
            if refusal.code in BAD_TOKEN:
                raise UsageError(
                    f"channels.{self.name}.bot_token: Slack does not accept it ({refusal.code}); copy the Bot User "
                    "OAuth Token of an installed app from OAuth & Permissions."
                ) from None
            return self._not_yet(refusal.code)
        team = "" if found.get("is_enterprise_install") is True else str(found.get("team_id") or "")
        running.intake.own = Own(team, str(found.get("user_id") or ""), str(found.get("bot_id") or ""))
        return True

    def _not_yet(self, code: str) -> bool:
        if self._context is not None:
            self._context.log(
                "slack.unreachable", channel=self.name, error=f"Slack cannot be reached ({code}); trying again."
            )
        return False

    async def _keep_asking(self, running: _Running) -> None:
        for number in range(1_000_000):
            await asyncio.sleep(_PAUSES[min(number, len(_PAUSES) - 1)])
            try:
                if await self._introduced(running, START_SECONDS):
                    return
            except UsageError as error:
                self._not_yet(str(error))

    # --- the way in ------------------------------------------------------------------------------------------

    def _intake(self) -> Intake | None:
        return self._running.intake if self._running is not None else None

    def _language(self, user: str) -> str:
        person = self._running.people.cached(user) if self._running is not None else None
        default = self._context.locale if self._context is not None else "en"
        return person.locale if person is not None and person.locale else default

    async def fetch(self, attachment: Attachment, *, limit: int) -> bytes:
        running = self._started()
        try:
            return await fetch(running.web, attachment, self.settings.bot_token, limit)
        except Refusal as refusal:
            error = refusal.error()
            raise error if isinstance(error, ChannelBusy) else ChannelRefused(str(error)) from None

    # --- the way out -----------------------------------------------------------------------------------------

    def _started(self) -> _Running:
        if self._running is None:
            raise ChannelBusy(f"Channel {self.name} is not running.")
        return self._running

    async def send(self, outgoing: Outgoing) -> str:
        running = self._started()
        if outgoing.reply is None:
            return ""
        try:
            return await self._send(running, outgoing, outgoing.reply)
        except Refusal as refusal:
            self._forget(running, outgoing.address, refusal)
            raise refusal.error() from None

    async def _send(self, running: _Running, outgoing: Outgoing, reply: Reply) -> str:
        where = await running.sender.place(outgoing)
        begun = handle(outgoing.preview)
        secret = reply.private and where.shared
        if begun is not None and secret:
            await running.streams.withdraw(begun)
        found = None if secret else await running.sender.before(outgoing, where)
        if found is not None:
            await running.sender.share(shown(reply).uploads, where, but=found.files)
            return found.ts
        if begun is not None and not secret:
            ts = await running.streams.finish(outgoing, reply, begun, where)
            if ts:
                return ts
        return await running.sender.post(outgoing, reply, where)

    def _forget(self, running: _Running, address: Address, refusal: Refusal) -> None:
        """A direct message's channel that is no more is opened anew at the next try."""
        if refusal.code == "channel_not_found" and is_direct(address):
            running.sender.dms.pop(address.chat.rpartition("/")[2])

    async def preview(self, outgoing: Outgoing, text: str) -> str:
        running = self._started()
        private = outgoing.reply is not None and outgoing.reply.private
        if not self.settings.stream or (private and not is_direct(outgoing.address)):
            return ""
        try:
            return await running.streams.show(outgoing, text)
        except Refusal as refusal:
            raise refusal.error() from None

    async def working(self, outgoing: Outgoing, note: str) -> None:
        """A status in the thread; elsewhere Slack has none."""
        running, shared = self._started(), not is_direct(outgoing.address)
        if not outgoing.address.thread or outgoing.preview or shared in self._no_status:
            return
        try:
            where = await running.sender.place(outgoing)
            status = note or say("working", self._language(outgoing.user.id))
            await running.web.call(
                "assistant.threads.setStatus",
                channel_id=where.channel,
                thread_ts=where.thread,
                status=status[:100],
            )
        except Refusal as refusal:
            if refusal.code in ("unknown_method", "missing_scope", "not_agent_app", "channel_type_not_supported"):
                self._no_status.add(shared)
