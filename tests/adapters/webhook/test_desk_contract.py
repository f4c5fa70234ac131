"""The webhook passes the suite that every desk passes."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from supportbot.errors import ChannelBusy, ChannelError, ChannelGone
from supportbot.testing.adapter_stage import Failure, Wire
from supportbot.testing.desk_contract import DeskContract
from supportbot.testing.receiver import RESET, RESET_AFTER_ACCEPTING, Answer, signed_headers
from supportbot.types import ActKind, User
from supportbot_webhook import WebhookAdapter

from .conftest import OTHER, SECRET
from .helpdesk import Helpdesk, leaves

PATH = "/webhook/contract"
TYPES: Mapping[ActKind, str] = {
    "claim": "handoff.claimed",
    "release": "handoff.released",
    "message": "human.message",
    "note": "human.note",
    "transfer": "handoff.transferred",
    "return": "handoff.returned",
    "resolve": "handoff.resolved",
}


def signed(fields: Mapping[str, Any]) -> Wire:
    body = json.dumps(fields).encode()
    return Wire(PATH, body, signed_headers(SECRET, "w-1", body))


class TestWebhookDesk(DeskContract):
    failures: Mapping[Failure, type[ChannelError]] = {
        "down": ChannelBusy,
        "busy": ChannelBusy,
        "gone": ChannelGone,
    }
    busy_seconds = 7.0
    secrets = (SECRET, SECRET.removeprefix("whsec_"))
    transfer_to = "billing"
    closing_words = True
    unknown_answer = (404,)

    def platform(self) -> Helpdesk:
        return Helpdesk(SECRET)

    def adapter(self, platform: Helpdesk) -> WebhookAdapter:
        options = {"secrets": [SECRET], "callback_url": platform.url, "allow_private": True}
        return WebhookAdapter("contract", options)

    def other_options(self, platform: Helpdesk) -> Mapping[str, Any]:
        return {}

    def act_wire(
        self, platform: Helpdesk, kind: ActKind, place: str, id: str, text: str, agent: User, **more: Any
    ) -> Wire:
        who = {"id": agent.id, "name": agent.name}
        to = {"to": self.transfer_to} if kind == "transfer" else {}
        return signed({"type": TYPES[kind], "id": id, "handoff": place, "user": who, "text": text} | to | more)

    def file_wire(self, platform: Helpdesk, place: str, id: str, agent: User, name: str, content: bytes) -> Wire:
        file = {"name": name, "media_type": "application/pdf", "url": platform.keep(name, content)}
        return self.act_wire(platform, "message", place, id, "", agent, attachments=[file])

    def places(self, platform: Helpdesk) -> Sequence[str]:
        return list(platform.tickets)

    def shown(self, platform: Helpdesk, place: str) -> Sequence[str]:
        return ["\n".join(leaves(payload)) for payload in platform.tickets[place]]

    def files_at(self, platform: Helpdesk, place: str) -> Sequence[tuple[str, bytes]]:
        return platform.files_of(place)

    def unknown_place_wire(self, platform: Helpdesk) -> Wire:
        return self.act_wire(platform, "message", "h_nobody", "a-1", "hello", self.agents[0])

    def customer_wire(self, platform: Helpdesk) -> Wire:
        return signed({"id": "m-1", "conversation": "c-1", "user": {"id": "u-1"}, "text": "hello"})

    def unauthentic(self, platform: Helpdesk, place: str) -> Sequence[Wire]:
        good = self.act_wire(platform, "message", place, "a-1", "hello", self.agents[0])
        return [
            Wire(PATH, good.body, {}),
            Wire(PATH, good.body + b" ", good.headers),
            Wire(PATH, good.body, signed_headers(OTHER, "w-1", good.body)),
            Wire(PATH, good.body, signed_headers(SECRET, "w-1", good.body, at=time.time() - 301)),
        ]

    def fail(self, platform: Helpdesk, failure: Failure) -> None:
        how = {"busy": Answer(429, {"retry-after": "7"}), "gone": Answer(410), "down": RESET}
        platform.always(how[failure])

    def lose_answer(self, platform: Helpdesk) -> bool:
        platform.next(RESET_AFTER_ACCEPTING)
        return True
