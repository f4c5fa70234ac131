"""The webhook adapter passes the suite that every adapter passes."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

from supportbot.testing.adapter_contract import AdapterContract, Failure, Wire
from supportbot.testing.receiver import RESET, Answer, Receiver, signed_headers
from supportbot_webhook import WebhookAdapter

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PATH = "/webhook/contract"
PAYLOADS = Path(__file__).parent / "payloads"


def signed(body: bytes, *, at: float | None = None) -> Wire:
    return Wire(PATH, body, signed_headers(SECRET, "w-1", body, at=at))


class TestWebhook(AdapterContract):
    busy_seconds = 7.0
    secrets = (SECRET, SECRET.removeprefix("whsec_"))

    def platform(self) -> Receiver:
        return Receiver(SECRET)

    def adapter(self, platform: Receiver) -> WebhookAdapter:
        options = {"secrets": [SECRET], "callback_url": platform.url, "allow_private": True}
        return WebhookAdapter("contract", options)

    def wire(self, id: str, text: str) -> Wire:
        fields = {"id": id, "conversation": "c-1", "user": {"id": "u-1"}, "text": text}
        return signed(json.dumps(fields).encode())

    def unauthentic(self) -> Sequence[Wire]:
        good = self.wire("m-1", "hello")
        without = [
            Wire(PATH, good.body, {k: v for k, v in good.headers.items() if k != name}) for name in good.headers
        ]
        forged = [
            Wire(PATH, good.body, {**good.headers, "webhook-signature": signature})
            for signature in ("v1,", "v1", "", "v2,AAAA", "v1,!!!", "v1,é", "v1,a,b", "v1," + "A" * 43 + "=")
        ]
        stamped = [
            Wire(PATH, good.body, {**good.headers, "webhook-timestamp": stamp})
            for stamp in ("abc", "nan", "inf", "-1", "9" * 400, str(int(time.time()) + 1))
        ]
        return [
            *without,
            *forged,
            *stamped,
            Wire(PATH, good.body + b" ", good.headers),
            signed(good.body, at=time.time() - 301),
            signed(good.body, at=time.time() + 302),
            signed(b"\xff\xfe not text"),
            Wire(PATH, b"", {}),
        ]

    def malformed(self) -> Sequence[Wire]:
        return [signed(path.read_bytes()) for path in sorted(PAYLOADS.glob("bad_*"))]

    def oversize(self) -> Wire:
        return signed(json.dumps({"text": "x" * 1_000_001}).encode())

    def fail(self, platform: Receiver, failure: Failure) -> None:
        how = {"busy": Answer(429, {"retry-after": "7"}), "gone": Answer(410), "down": RESET}
        platform.always(how[failure])

    def sent(self, platform: Receiver) -> Sequence[str]:
        return [delivery.payload["text"] for delivery in platform.accepted]


def test_the_payloads_for_malformed_requests_are_there() -> None:
    assert len(list(PAYLOADS.glob("bad_*"))) >= 15
