"""Takes an update in: read it, store it, and only then let Telegram forget it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import telegram

from supportbot import Inbox
from supportbot_telegram import presses
from supportbot_telegram.api import Api
from supportbot_telegram.desk_inbound import Seen, seen
from supportbot_telegram.inbound import NOTHING, Me, Reading, Unready, read
from supportbot_telegram.tasks import Log, Tasks

_KEPT = 64_000
_REMEMBERED = 10_000


class DeskDoor(Protocol):
    """The way in of one desk, whose group is `chat`."""

    chat: int

    async def take(self, what: Seen, raw: Mapping[str, Any]) -> None:
        """Returns once it may be forgotten; `raw` is its JSON. Raises StoreError."""


@dataclass(slots=True)
class Intake:
    """The way in of one channel. `moved` knows the groups that have become supergroups: {old chat: new chat},
    `locales` the languages of those who wrote last: {user: locale}. A group that is one of the `desks` is never a
    customer's place."""

    channel: str
    inbox: Inbox
    api: Api
    tasks: Tasks
    log: Log
    me: Me
    desks: Sequence[DeskDoor] = ()
    moved: dict[int, int] = field(default_factory=dict)
    locales: dict[str, str] = field(default_factory=dict)

    async def take(self, raw: Mapping[str, Any]) -> None:
        """Returns once the update may be forgotten. Raises StoreError, and Unready (see `inbound`)."""
        try:
            update = telegram.Update.de_json(dict(raw))
            desk = self._desk(update)
            what = seen(update, self.me) if desk is not None else None
            reading = read(update, self.channel, self.me) if what is None else NOTHING
        except Unready:
            raise
        except Exception as error:  # noqa: BLE001 - named boundary: an update that cannot be read is kept as it is
            self.log("telegram.unreadable", channel=self.channel, id=_name(raw), error=type(error).__name__)
            reason = f"Telegram's update could not be read: {type(error).__name__}: {str(error)[:200]}"
            await self.set_aside(raw, reason)
            return
        if desk is not None and what is not None:
            await desk.take(what, raw)
            return
        receipt = await self.inbox.receive(reading.message) if reading.message is not None else None
        if reading.message is not None and reading.message.locale:
            self._remember(reading.message.user.id, reading.message.locale)
        self._follow(reading, fresh=receipt is not None and receipt.fresh)

    def _desk(self, update: telegram.Update) -> DeskDoor | None:
        """The desk whose group it is about; that a group moves is for everybody to know."""
        chat, message = update.effective_chat, update.message
        if chat is None or (message is not None and message.migrate_to_chat_id):
            return None
        found = (desk for desk in self.desks if chat.id in (desk.chat, self.moved.get(desk.chat)))
        return next(found, None)

    def _remember(self, user: str, locale: str) -> None:
        self.locales.pop(user, None)
        while len(self.locales) >= _REMEMBERED:
            self.locales.pop(next(iter(self.locales)))
        self.locales[user] = locale

    def _follow(self, reading: Reading, *, fresh: bool) -> None:
        if reading.press is not None:
            self.tasks.start(presses.answer(self.api, reading.press, fresh=fresh), "press")
        if reading.moved is not None:
            self.moved[reading.moved[0]] = reading.moved[1]
        if reading.note:
            self.log(reading.note, channel=self.channel, chat=reading.chat)

    async def set_aside(self, raw: Mapping[str, Any], reason: str) -> None:
        """Keeps the update for people to look at. Raises StoreError."""
        await self.inbox.set_aside(self.channel, _name(raw), json.dumps(raw, default=str)[:_KEPT], reason)


def _name(raw: Mapping[str, Any]) -> str:
    id = raw.get("update_id")
    if isinstance(id, int):
        return f"update.{id}"
    return f"update.{hashlib.sha256(json.dumps(raw, default=str)[:_KEPT].encode()).hexdigest()}"
