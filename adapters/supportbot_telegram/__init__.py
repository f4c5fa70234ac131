"""Telegram, by webhook or long polling. See docs/telegram.md.

An update's way: fetched or delivered, checked, read (`inbound`), stored, and only then confirmed (`intake`). A reply's
way: composed into requests (`compose`), carried out (`sending`). A group may be a desk for human agents (`desk`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from starlette.routing import BaseRoute, Route
from telegram.error import InvalidToken, TelegramError

from supportbot import (
    Adapter,
    Address,
    Attachment,
    Capabilities,
    ChannelBusy,
    ChannelContext,
    Desk,
    Outgoing,
    Rendering,
    Reply,
    UsageError,
)
from supportbot_telegram import commands, compose, files, polling, settings
from supportbot_telegram.api import Api, reason, silence
from supportbot_telegram.desk import Room, TelegramDesk
from supportbot_telegram.door import WebhookDoor
from supportbot_telegram.drafts import Drafts
from supportbot_telegram.entities import measure
from supportbot_telegram.inbound import ALLOWED_UPDATES, Me
from supportbot_telegram.intake import Intake
from supportbot_telegram.keyboards import BUTTON_LIMIT, LABEL_LIMIT
from supportbot_telegram.sending import Sender, pace, place_at, place_of
from supportbot_telegram.tasks import Tasks, until_done

__all__ = ["TelegramAdapter"]

CHANNEL_RATE = 25.0
MAX_CONNECTIONS = 40
_FIRST_SECONDS = 6.0


@dataclass(frozen=True, slots=True)
class _Running:
    """What a started channel has open."""

    api: Api
    context: ChannelContext
    tasks: Tasks
    intake: Intake
    sender: Sender
    drafts: Drafts


class TelegramAdapter(Adapter):
    """One bot. Options: see docs/telegram.md."""

    environment = settings.ENVIRONMENT
    capabilities = Capabilities(
        buttons=True,
        links=True,
        asks=True,
        files=True,
        streaming=True,
        button_limit=BUTTON_LIMIT,
        label_limit=LABEL_LIMIT,
        text_limit=compose.TEXT_LIMIT,
        measure=measure,
        chat_interval=pace(1),
        channel_rate=CHANNEL_RATE,
        typing=4.0,
        send_timeout=60.0,
    )

    def __init__(self, name: str, options: Mapping[str, Any]) -> None:
        super().__init__(name, options)
        silence()
        self.settings = settings.read(name, options)
        self.capabilities = replace(
            self.capabilities, streaming=self.settings.stream, burst_wait=self.settings.burst_wait
        )
        self._running: _Running | None = None
        self._desks: list[TelegramDesk] = []

    def desk(self, name: str, options: Mapping[str, Any]) -> Desk:
        """A forum group in which agents work; see docs/telegram.md."""
        made = TelegramDesk(name, options)
        if other := next((one.name for one in self._desks if one.chat == made.chat), ""):
            raise UsageError(f"place is the group of the desk {other} already; each desk needs its own.")
        self._desks.append(made)
        return made

    def routes(self) -> Sequence[BaseRoute]:
        if not self.settings.webhook:
            return ()
        door = WebhookDoor(self.settings.secret, self.settings.body_limit, self._intake)
        return (Route(self.settings.path, door, methods=["POST"], name=f"telegram:{self.name}"),)

    async def start(self, context: ChannelContext) -> None:
        """Checks the token, and goes on in the background; an unreachable Telegram does not keep the bot from starting."""
        url = self.settings.webhook_url(context.public_url) if self.settings.webhook else ""
        api = Api(self.settings.token, self.settings.api_url)
        tasks = Tasks(self.name, context.log)
        key = self.settings.token.encode()
        me = Me(int(self.settings.token.partition(":")[0]), key=key)
        intake = Intake(self.name, context.inbox, api, tasks, context.log, me, self._desks)
        sender = Sender(api, intake, context.files, context.locale)
        try:
            async with asyncio.timeout(_FIRST_SECONDS):
                intake.me = replace(await _identity(api), key=key)
        except InvalidToken:
            await api.close()
            raise UsageError(
                f"channels.{self.name}.bot_token is not accepted by {self.settings.api_url}: take the current one "
                "from @BotFather and put it into TELEGRAM_BOT_TOKEN."
            ) from None
        except (TelegramError, TimeoutError) as error:
            words = reason(error) if isinstance(error, TelegramError) else "Telegram did not answer in time."
            context.log("telegram.unreachable", channel=self.name, error=words)
        except BaseException:
            await api.close()
            raise
        running = _Running(api, context, tasks, intake, sender, Drafts(api, self.name, context.log))
        self._running = running
        for desk in self._desks:
            desk.open(Room(api, intake, sender, tasks, context))
        tasks.start(self._run(running, url), "updates")

    async def stop(self) -> None:
        running, self._running = self._running, None
        for desk in self._desks:
            desk.close()
        if running is not None:
            await running.tasks.close()
            await running.api.close()

    def pace(self, address: Address) -> float:
        return pace(-1 if address.chat.startswith("-") else 1)

    @classmethod
    def render(cls, reply: Reply) -> Rendering:
        return compose.rendering(reply)

    async def send(self, outgoing: Outgoing) -> str:
        return await self._open().sender.send(outgoing)

    async def preview(self, outgoing: Outgoing, text: str) -> str:
        return await self._open().drafts.show(outgoing, text)

    async def working(self, outgoing: Outgoing, note: str) -> None:
        """Shows "typing…" for about five seconds."""
        await self._type(place_of(outgoing))

    async def writing(self, address: Address, name: str) -> None:
        await self._type(place_at(address))

    async def _type(self, place: compose.Place) -> None:
        running = self._running
        if running is None:
            return
        fields = {**place.fields(), "action": "typing"}
        fields["chat_id"] = running.intake.moved.get(fields["chat_id"], fields["chat_id"])
        try:
            await running.api.call("sendChatAction", fields)
        except TelegramError:
            return  # the reply itself will say what is wrong

    async def fetch(self, attachment: Attachment, *, limit: int) -> bytes:
        return await files.fetch(self._open().api, attachment, limit)

    def _open(self) -> _Running:
        if self._running is None:
            raise ChannelBusy(f"Channel {self.name} is not running.")
        return self._running

    def _intake(self) -> Intake | None:
        return self._running.intake if self._running else None

    async def _run(self, running: _Running, url: str) -> None:
        """Makes the bot known to Telegram, as often as it takes, and then polls if there is no webhook."""
        api, intake = running.api, running.intake

        def failed(words: str) -> None:
            intake.log("telegram.not_started", channel=self.name, error=words)

        async def receive() -> None:
            await api.call(*(_webhook(url, self.settings.secret) if url else _NO_WEBHOOK))

        if not intake.me.username:
            intake.me = replace(await until_done(lambda: _identity(api), failed), key=intake.me.key)
        for desk in self._desks:
            await desk.check()
        await until_done(receive, failed)
        intake.log(
            "telegram.ready", channel=self.name, bot=intake.me.username, mode="webhook" if url else "polling"
        )
        running.tasks.start(_set_commands(running), "commands")
        if not url:
            await polling.poll(api, intake)


# Updates that wait are never dropped: they are customers' messages.
_NO_WEBHOOK: tuple[str, Mapping[str, Any]] = ("deleteWebhook", {"drop_pending_updates": False})


def _webhook(url: str, secret: str) -> tuple[str, Mapping[str, Any]]:
    fields = {
        "url": url,
        "secret_token": secret,
        "allowed_updates": list(ALLOWED_UPDATES),
        "max_connections": MAX_CONNECTIONS,
        "drop_pending_updates": False,
    }
    return "setWebhook", fields


async def _identity(api: Api) -> Me:
    found = await api.call("getMe", {}, seconds=_FIRST_SECONDS)
    if not isinstance(found, dict) or not isinstance(found.get("id"), int) or not found.get("username"):
        raise TelegramError("this is no bot")
    return Me(found["id"], str(found["username"]))


async def _set_commands(running: _Running) -> None:
    for language, listed in commands.lists(running.context.menu, running.context.locale):
        fields: dict[str, Any] = {"commands": listed, **({"language_code": language} if language else {})}
        await running.api.call("setMyCommands", fields)
