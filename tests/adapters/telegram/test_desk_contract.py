"""A group with topics passes the suite that every desk passes."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import pytest

from supportbot.errors import ChannelBusy, ChannelRefused
from supportbot.testing.adapter_stage import Failure, Wire
from supportbot.testing.desk_contract import DeskContract
from supportbot.testing.telegram import updates
from supportbot.testing.telegram.server import RESET, RESET_AFTER_ACCEPTING, FakeTelegram, Fault, Sent
from supportbot.types import ActKind, User
from supportbot_telegram import TelegramAdapter
from supportbot_telegram.desk_inbound import press_data

from .conftest import SECRET

DESK, OTHER = -1001700000001, -1001700000002
HEADER = "x-telegram-bot-api-secret-token"
TOKEN = FakeTelegram().token
ANA, BEN = User("81001", "Ana Lima"), User("81002", "Ben Okri")
OURS = ("bold", "italic", "blockquote", "expandable_blockquote", "pre")


class Offices(FakeTelegram):
    """Two forum groups in which the bot manages topics."""

    async def __aenter__(self) -> Self:
        for id in (DESK, OTHER):
            self.forum(id)
        return await super().__aenter__()

    def group_of(self, place: str) -> int:
        """Topics of both groups are counted from different numbers, so that a place says where it is."""
        return next(id for id in (DESK, OTHER) if int(place) in self._book.chats[id].topics)

    def at(self, place: str) -> list[Sent]:
        return [one for one in self.sent if str(one.thread) == place and one.chat_id == self.group_of(place)]


def wire(update: Mapping[str, Any]) -> Wire:
    number = zlib.crc32(json.dumps(update, sort_keys=True).encode())
    return Wire(
        "/telegram/contract/webhook", json.dumps({"update_id": number, **update}).encode(), {HEADER: SECRET}
    )


class TestTelegramDesk(DeskContract):
    agents = (ANA, BEN)
    kinds = ("claim", "release", "message", "note", "transfer", "return", "resolve")
    secrets = (SECRET, TOKEN, TOKEN.partition(":")[2])
    failures: ClassVar = {"down": ChannelBusy, "busy": ChannelBusy, "refused": ChannelRefused}
    busy_seconds = 7.0
    finds_again = False
    transfer_to = "billing"
    closing_words = True

    @pytest.fixture(autouse=True)
    def quick(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nothing paces these rows but the desk itself."""
        monkeypatch.setattr("supportbot_telegram.desk.WINDOW", 0.01)

    def platform(self) -> Offices:
        return Offices(limits=False)

    def adapter(self, platform: Offices) -> TelegramAdapter:
        platform._book.chats[OTHER].last_id = max(platform._book.chats[OTHER].last_id, 500_000)
        options = {
            "bot_token": platform.token,
            "api_url": platform.url,
            "mode": "webhook",
            "webhook_secret": SECRET,
            "public_url": "http://127.0.0.1:9",
        }
        return TelegramAdapter("contract", options)

    def desk_options(self, platform: Offices) -> Mapping[str, Any]:
        return {"place": DESK}

    def other_options(self, platform: Offices) -> Mapping[str, Any]:
        return {"place": str(OTHER)}

    def act_wire(self, platform: Offices, kind: ActKind, place: str, id: str, text: str, agent: User) -> Wire:
        if kind in ("claim", "release") or (kind in ("return", "resolve") and not text):
            update = updates.callback("", chat=self._chat(platform, place), sender=self._person(agent))
            query = update["callback_query"]
            query |= {"id": str(zlib.crc32(id.encode())), "data": press_data(kind, int(place))}  # type: ignore[arg-type]
            query["message"] |= {"message_id": 7, "date": 1_790_000_000}
            return wire(update)
        said = {
            "message": text,
            "note": f"// {text}",
            "transfer": f"/transfer {self.transfer_to}",
        }.get(kind, f"/{kind} {text}")
        return wire(self._written(platform, place, id, agent, said))

    def _written(
        self, platform: Offices, place: str, id: str, agent: User, said: str = "", **more: Any
    ) -> Mapping[str, Any]:
        chat = self._chat(platform, place)
        update = updates.topic_message(said, int(place), chat=chat, sender=self._person(agent), **more)
        update["message"] |= {"message_id": zlib.crc32(id.encode()), "date": 1_790_000_000}
        return update

    def _chat(self, platform: Offices, place: str) -> dict[str, Any]:
        return updates.group(platform.group_of(place), "Agents", is_forum=True)

    def _person(self, agent: User) -> dict[str, Any]:
        first, _, last = agent.name.partition(" ")
        return updates.user(int(agent.id), first, last_name=last)

    def file_wire(self, platform: Offices, place: str, id: str, agent: User, name: str, content: bytes) -> Wire:
        file = platform.file("from-ana", content, "application/pdf", name)
        about = {"file_id": file.id, "file_unique_id": "u", "file_size": file.size, "file_name": name}
        return wire(self._written(platform, place, id, agent, document=about))

    def places(self, platform: Offices) -> Sequence[str]:
        return [str(id) for chat in (DESK, OTHER) for id in sorted(platform._book.chats[chat].forum)]

    def shown(self, platform: Offices, place: str) -> Sequence[str]:
        found = []
        for one in platform.at(place):
            if one.method == "sendDocument" and one.file_name.endswith(".txt"):
                found.append(platform.content(one.file_digest).decode())
            else:
                found.append(one.text or one.file_name)
        return found

    def looks(self, platform: Offices, place: str) -> object:
        topic = platform._book.chats[platform.group_of(place)].forum[int(place)]
        sent = [(one.text, one.file_name, one.reply_markup) for one in platform.at(place)]
        return (topic.name, topic.closed, sent)

    def live(self, platform: Offices, place: str) -> Sequence[str]:
        found = [
            str(entity) for one in platform.at(place) for entity in one.entities if entity["type"] not in OURS
        ]
        return [*found, *(one.parse_mode for one in platform.at(place) if one.parse_mode)]

    def files_at(self, platform: Offices, place: str) -> Sequence[tuple[str, bytes]]:
        return [
            (one.file_name, platform.content(one.file_digest))
            for one in platform.at(place)
            if one.file_name and not one.file_name.endswith(".txt")
        ]

    def echoes(self, platform: Offices, place: str) -> Sequence[Wire]:
        chat, topic = self._chat(platform, place), int(place)
        robot = updates.user(81009, "Helper", is_bot=True, username="helper_bot")
        events = [updates.topic_event(kind, topic, chat, updates.bot()) for kind in ("created", "edited")]
        return [
            *map(wire, events),
            wire(self._written(platform, place, "e-1", ANA, "by a bot", **{"from": robot})),
            wire(self._written(platform, place, "e-2", ANA, "through a bot", via_bot=robot)),
            wire(self._written(platform, place, "e-3", ANA, "as the group", sender_chat=chat)),
            wire(self._written(platform, place, "e-4", ANA, pinned_message=updates.message(chat, text="x"))),
            wire(self._written(platform, place, "e-5", ANA, "/weather@helper_bot")),
            wire(updates.joined(chat=chat)),
            wire(updates.bot_added(chat)),
            wire(updates.text("@support_bot in General", chat)),
        ]

    def unknown_place_wire(self, platform: Offices) -> Wire:
        chat = updates.group(DESK, "Agents", is_forum=True)
        return wire(updates.topic("@support_bot who has lunch?", 99_999, chat))

    def customer_wire(self, platform: Offices) -> Wire:
        return wire(updates.text("Hello, where is my parcel?"))

    def unauthentic(self, platform: Offices, place: str) -> Sequence[Wire]:
        good = wire(self._written(platform, place, "a-1", ANA, "hello"))
        return [Wire(good.path, good.body, headers) for headers in ({}, {HEADER: ""}, {HEADER: SECRET[:-1]})]

    def fail(self, platform: Offices, failure: Failure) -> None:
        how = {
            "down": RESET,
            "busy": Fault("rate limit", retry_after=7),
            "refused": Fault("error", 400, "Bad Request: message is too strange"),
        }
        for method in ("createForumTopic", "sendMessage"):
            platform.always(method, how[failure])

    def lose_answer(self, platform: Offices) -> bool:
        platform.next("sendMessage" if self.places(platform) else "createForumTopic", RESET_AFTER_ACCEPTING)
        return True

    def remove(self, platform: Offices, place: str) -> bool:
        platform._book.chats[platform.group_of(place)].delete_topic(int(place))
        return True
