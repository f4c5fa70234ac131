"""Carries out the requests that show a reply.

1. What Telegram refuses for its looks goes out simpler: the words matter more than the formatting.
2. A reply of several requests that fails in the middle goes on there at the next try.
3. A group that became a supergroup is written to under its new id.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import telegram
from telegram.error import BadRequest, ChatMigrated, Forbidden, TelegramError

from supportbot import Address, ChannelGone, ChannelRefused, Files, NotFound, Outgoing, Reply
from supportbot_telegram.api import Api, failure
from supportbot_telegram.compose import Place, Request, notice, requests, simpler
from supportbot_telegram.intake import Intake

_ANSWERED = re.compile(r"(-?\d+)\.(\d+)(?:\.edit\.\d+)?\Z")
_REMEMBERED = 1_000
_CHAT_INTERVAL, _GROUP_INTERVAL = 1.0, 3.1


@dataclass(slots=True)
class Sender:
    """The way out of one channel. `keyboards` are the chats in which a keyboard of ours took the place of the phone's
    own, `begun` are the replies that failed in the middle: {id: (requests that are done, the message's id)}."""

    api: Api
    intake: Intake
    files: Files
    locale: str
    keyboards: set[int] = field(default_factory=set)
    begun: dict[str, tuple[int, str]] = field(default_factory=dict)

    async def send(self, outgoing: Outgoing) -> str:
        """Shows the reply and returns the id of its last message. Raises ChannelError."""
        if outgoing.reply is None:
            return ""
        try:
            if outgoing.reply.private and (own := personal(outgoing, self.intake.me.key)):
                return await self._whispered(outgoing, outgoing.reply, own)
            return await self._shown(outgoing.id, outgoing.reply, place_of(outgoing))
        except TelegramError as error:
            raise failure(error) from None

    async def _whispered(self, outgoing: Outgoing, reply: Reply, own: Place) -> str:
        """The reply in the customer's own chat, or a hint in the group if that is not open."""
        try:
            return await self._shown(outgoing.id, reply, own)
        except (Forbidden, BadRequest) as error:
            if not isinstance(failure(error), ChannelGone):
                raise
        if outgoing.part > 1:
            return ""
        locale = self.intake.locales.get(outgoing.user.id, self.locale)
        return await self._call(notice(place_of(outgoing), self.intake.me.username, locale))

    async def _shown(self, id: str, reply: Reply, place: Place) -> str:
        done, handle = self.begun.pop(id, (0, ""))
        steps = requests(reply, place, remove_keyboard=place.chat in self.keyboards)
        if not steps:
            raise ChannelRefused(
                "The reply has neither text nor buttons nor files, and Telegram takes no empty one."
            )
        for number, request in enumerate(steps[done:]):
            if number:
                await asyncio.sleep(pace(place.chat))
            try:
                handle = await self._call(request)
            except BaseException:  # a send that takes too long is cancelled
                if done:
                    self._remember(id, done, handle)
                raise
            done += 1
        return handle

    def _remember(self, id: str, done: int, handle: str) -> None:
        while len(self.begun) >= _REMEMBERED:
            self.begun.pop(next(iter(self.begun)))
        self.begun[id] = (done, handle)

    async def _call(self, request: Request) -> str:
        """Sends one message, simpler if need be, and returns its id."""
        while True:
            try:
                sent = await self.api.call(request.method, await self.filled(request))
            except ChatMigrated as error:
                chat = int(request.fields["chat_id"])
                if chat in self.intake.moved.values():
                    raise
                self.intake.moved[chat] = error.new_chat_id
                request = replace(request, fields=_elsewhere(request.fields, error.new_chat_id))
            except BadRequest as error:
                lesser = simpler(request, error.message)
                if lesser is None:
                    raise
                self.intake.log("telegram.simplified", channel=self.intake.channel, error=error.message[:200])
                request = lesser
            else:
                self._note_keyboard(request)
                return f"{request.fields['chat_id']}.{sent['message_id']}" if _numbered(sent) else ""

    async def filled(self, request: Request) -> Mapping[str, Any]:
        """The request's fields, with the content or address of its file. Raises ChannelRefused if that is lost."""
        fields = dict(request.fields)
        if (new := self.intake.moved.get(fields["chat_id"])) is not None:
            fields = _elsewhere(fields, new)
        file = request.file
        if file is None:
            return fields
        fields[request.slot] = file.url
        if request.content:
            fields[request.slot] = telegram.InputFile(request.content, filename=file.name)
        elif file.digest:
            try:
                content = await self.files.read(file.digest)
                fields[request.slot] = telegram.InputFile(content, filename=file.name)
            except NotFound:
                if not file.url:
                    raise ChannelRefused(f"The file {file.name} is not kept any more.") from None
        return fields

    def _note_keyboard(self, request: Request) -> None:
        markup = request.fields.get("reply_markup", {})
        if "keyboard" in markup:
            self.keyboards.add(request.fields["chat_id"])
        elif "remove_keyboard" in markup:
            self.keyboards.discard(request.fields["chat_id"])


def pace(chat: int) -> float:
    """Seconds between two messages in a chat: Telegram takes one a second from a person's, twenty a minute in a group."""
    return _GROUP_INTERVAL if chat < 0 else _CHAT_INTERVAL


def place_of(outgoing: Outgoing) -> Place:
    """Where the reply goes; in a group it answers the customer's message."""
    place = place_at(outgoing.address)
    answered = _ANSWERED.match(outgoing.in_reply_to[-1]) if outgoing.in_reply_to else None
    to = int(answered[2]) if answered and int(answered[1]) == place.chat < 0 and outgoing.part == 1 else 0
    return replace(place, reply_to=to, user=outgoing.user.id)


def place_at(address: Address) -> Place:
    """The chat, and the topic if there is one."""
    thread = _number(address.thread) if address.thread else 0
    return Place(_number(address.chat), thread, 0, "")


def personal(outgoing: Outgoing, key: bytes) -> Place | None:
    """The customer's own chat, if the reply goes to a group."""
    group = _number(outgoing.address.chat)
    if group > 0:
        return None
    if not outgoing.user.id.isdigit():
        raise ChannelRefused("The reply is for one customer alone, and nobody knows who that is.")
    topic = _number(outgoing.address.thread) if outgoing.address.thread else 0
    return Place(int(outgoing.user.id), user=outgoing.user.id, origin=group, topic=topic, key=key)


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ChannelRefused(f"{text[:40]!r} is no id of a Telegram chat or topic.") from None


def _elsewhere(fields: Mapping[str, Any], chat: int) -> dict[str, Any]:
    """The same for the group's new id; message ids of the old group mean nothing there."""
    return {**{name: value for name, value in fields.items() if name != "reply_parameters"}, "chat_id": chat}


def _numbered(sent: object) -> bool:
    return isinstance(sent, dict) and "message_id" in sent
