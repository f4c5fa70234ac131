"""The Telegram adapter passes the suite that every adapter passes."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from typing import Any, ClassVar, Self

from supportbot.errors import ChannelBusy, ChannelGone, ChannelRefused
from supportbot.testing.adapter_contract import AdapterContract, Failure, Wire
from supportbot.testing.telegram import updates
from supportbot.testing.telegram.server import RESET, FakeTelegram, Fault
from supportbot.types import Address, Button, User
from supportbot_telegram import TelegramAdapter

from .conftest import PAYLOADS, SECRET, payload

PATH = "/telegram/contract/webhook"
HEADER = "x-telegram-bot-api-secret-token"
TOKEN = FakeTelegram().token


def signed(body: bytes) -> Wire:
    return Wire(PATH, body, {HEADER: SECRET})


def update(**fields: Any) -> Wire:
    number = zlib.crc32(json.dumps(fields, sort_keys=True).encode())
    return signed(json.dumps({"update_id": number, **fields}).encode())


class TestTelegram(AdapterContract):
    secrets = (SECRET, TOKEN, TOKEN.partition(":")[2])
    failures: ClassVar = {
        "down": ChannelBusy,
        "busy": ChannelBusy,
        "refused": ChannelRefused,
        "gone": ChannelGone,
    }
    busy_seconds = 7.0

    def platform(self) -> FakeTelegram:
        return _Open(limits=False)

    def adapter(self, platform: FakeTelegram) -> TelegramAdapter:
        options = {
            "bot_token": platform.token,
            "api_url": platform.url,
            "mode": "webhook",
            "webhook_secret": SECRET,
            "public_url": "http://127.0.0.1:9",
        }
        return TelegramAdapter("contract", options)

    def address(self) -> Address:
        return Address("contract", str(updates.ANNA))

    def user(self) -> User:
        return User(str(updates.ANNA))

    def wire(self, id: str, text: str) -> Wire:
        return update(message=self._message(id, text))

    def edit(self, id: str, text: str) -> Wire:
        return update(edited_message={**self._message(id, text), "edit_date": 1767225660})

    def press(self, platform: Any, button: Button) -> Wire:
        return update(**updates.callback(button.press))

    def _message(self, id: str, text: str) -> dict[str, Any]:
        return {**updates.message(text=text), "message_id": zlib.crc32(id.encode()), "date": 1767225600}

    def echoes(self) -> Sequence[Wire]:
        names = ("from_another_bot", "from_a_hidden_admin", "from_a_channel_in_the_group", "channel_post")
        others = ("joined", "pinned", "title_changed", "migrated_to", "migrated_from", "blocked", "added_to_group")
        return [signed(json.dumps(payload(name)).encode()) for name in (*names, *others)]

    def unknown(self) -> Sequence[Wire]:
        names = ("update_to_come", "business_message", "reaction")
        return [signed(json.dumps(payload(name)).encode()) for name in names]

    def unreadable(self) -> Sequence[Wire]:
        names = [path.stem for path in sorted(PAYLOADS.glob("unreadable_*"))]
        return [signed(json.dumps(payload(name)).encode()) for name in names]

    def unauthentic(self) -> Sequence[Wire]:
        good = self.wire("m-1", "hello").body
        wrong = ("", "a", SECRET[:-1], SECRET + "a", SECRET.upper(), "é" * 30)
        return [Wire(PATH, good, {}), *(Wire(PATH, good, {HEADER: secret}) for secret in wrong)]

    def malformed(self) -> Sequence[Wire]:
        return [signed(path.read_bytes()) for path in sorted(PAYLOADS.glob("bad_*"))]

    def oversize(self) -> Wire:
        return signed(json.dumps({"update_id": 1, "text": "x" * 1_000_001}).encode())

    def fail(self, platform: FakeTelegram, failure: Failure) -> None:
        how = {
            "down": RESET,
            "busy": Fault("rate limit", retry_after=7),
            "refused": Fault("error", 400, "Bad Request: message is too strange"),
            "gone": Fault("error", 403, "Forbidden: bot was blocked by the user"),
        }
        platform.always("sendMessage", how[failure])

    def sent(self, platform: FakeTelegram) -> Sequence[str]:
        """With what the entities say besides the text: a link's target, a code's language."""
        return [
            " ".join([one.text, *(str(e.get("url") or e.get("language") or "") for e in one.entities)]).strip()
            for one in platform.sent
        ]


class _Open(FakeTelegram):
    """Anna has written before."""

    async def __aenter__(self) -> Self:
        self.chat(updates.ANNA)
        return await super().__aenter__()


def test_the_payloads_for_malformed_requests_are_there() -> None:
    assert len(list(PAYLOADS.glob("bad_*"))) >= 20
    assert len(list(PAYLOADS.glob("unreadable_*"))) >= 5
