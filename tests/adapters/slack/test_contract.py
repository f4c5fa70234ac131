"""The Slack adapter passes the suite that every adapter passes, over HTTP and over Socket Mode."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode

from supportbot.errors import ChannelBusy, ChannelError, ChannelGone, ChannelRefused
from supportbot.testing.adapter_contract import AdapterContract, Failure, Stage, Wire
from supportbot.testing.slack import events
from supportbot.testing.slack.delivery import encoded, signed
from supportbot.testing.slack.server import FakeSlack, Fault
from supportbot.types import Address, Button, User
from supportbot_slack import SlackAdapter

SECRET = FakeSlack.signing_secret
FORM = "application/x-www-form-urlencoded"
FAULTS: Mapping[Failure, Fault] = {
    "down": Fault("http"),
    "busy": Fault("ratelimited", seconds=7),
    "refused": Fault("error", error="msg_too_long"),
    "gone": Fault("error", error="is_archived"),
}


def _stamp(id: str) -> str:
    return f"1690000000.{sum(map(ord, id)):06d}"


def _signed(body: bytes, kind: str = "application/json", *, secret: str = SECRET, at: float | None = None) -> Wire:
    return Wire("/slack/contract/events", body, signed(secret, body, at=at, content_type=kind))


def _wire(payload: Mapping[str, Any]) -> Wire:
    return _signed(*encoded(payload))


def _said(id: str, text: str, **others: Any) -> dict[str, Any]:
    """The text as Slack sends it."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return events.message(escaped, ts=_stamp(id), **others)


class TestSlackOverHttp(AdapterContract):
    mode = "http"
    secrets = (FakeSlack.bot_token, FakeSlack.app_token, SECRET)
    busy_seconds = 7.0
    failures: Mapping[Failure, type[ChannelError]] = {
        "down": ChannelBusy,
        "busy": ChannelBusy,
        "refused": ChannelRefused,
        "gone": ChannelGone,
    }

    def platform(self) -> FakeSlack:
        return FakeSlack(pace=0, tiers={})

    def adapter(self, platform: FakeSlack) -> SlackAdapter:
        tokens = {"bot_token": platform.bot_token, "app_token": platform.app_token, "signing_secret": SECRET}
        return SlackAdapter("contract", {**tokens, "api_url": platform.url, "mode": self.mode})

    def address(self) -> Address:
        return Address("contract", f"{events.TEAM}/{events.CUSTOMER}")

    def user(self) -> User:
        return User(events.CUSTOMER)

    def wire(self, id: str, text: str) -> Wire:
        return _wire(events.event_callback(_said(id, text), event_id=f"Ev{id}"))

    def repeats(self, id: str, text: str) -> Sequence[Wire]:
        said = _said(id, text)
        again = _wire(events.event_callback(said, event_id="Ev0OTHER"))
        number = {"X-Slack-Retry-Num": "1", "X-Slack-Retry-Reason": "http_timeout"}
        return (self.wire(id, text), again, Wire(again.path, again.body, {**again.headers, **number}))

    def edit(self, id: str, text: str) -> Wire:
        return _wire(
            events.event_callback(events.edited(_said(id, "good"), text) | {"event_ts": "1690000009.000000"})
        )

    def press(self, platform: Any, button: Button) -> Wire:
        posted = {"ts": "1690000001.000000", "text": "Well?", "blocks": []}
        action = events.button("choice:0:0", button.press, button.label, block_id=f"for:{events.CUSTOMER}:::0")
        return _wire(events.block_actions(action, posted))

    def echoes(self) -> Sequence[Wire]:
        others = (
            events.own_message(),
            events.bot_message(channel=events.DM),
            events.channel_join(),
            events.message("talk among ourselves", channel=events.CHANNEL),
            events.unfurled(_said("m-0", "x")),
            events.app_uninstalled(),
            events.tokens_revoked(),
        )
        return tuple(_wire(events.event_callback(event)) for event in others)

    def unknown(self) -> Sequence[Wire]:
        shortcut = {"type": "shortcut", "callback_id": "c", "user": {"id": events.CUSTOMER}, "trigger_id": "1.1.x"}
        strange = [{"type": "message", "subtype": "telepathy", "channel": "D0", "user": "U0", "ts": "1.1"}]
        return (
            *(_wire(events.event_callback(event)) for event in (events.unknown_event(), *strange)),
            _wire(shortcut),
            _wire({"type": "invented", "what": []}),
        )

    def unreadable(self) -> Sequence[Wire]:
        lacking = [events.message("x") | {"user": ["U0"]}, events.message("x") | {"ts": "soon"}]
        odd = events.event_callback(events.message("x")) | {"authorizations": [7]}
        return (*(_wire(events.event_callback(event)) for event in lacking), _wire(odd))

    def unauthentic(self) -> Sequence[Wire]:
        body = self.wire("m-9", "evil").body
        good = self.wire("m-9", "evil").headers
        stamps = ("", "abc", "1e9", "-1", "٣", "9" * 400, "NaN")
        return (
            Wire(self.wire("m-9", "evil").path, body, {"Content-Type": "application/json"}),
            _signed(body, secret="x" * 32),
            _signed(body, at=time.time() - 3600),
            _signed(body, at=time.time() + 3600),
            Wire(self.wire("m-9", "evil").path, body + b" ", good),
            Wire(self.wire("m-9", "evil").path, body, {**good, "X-Slack-Signature": "v0="}),
            *(
                Wire(
                    self.wire("m-9", "evil").path,
                    body,
                    {name: value for name, value in good.items() if "Timestamp" not in name}
                    | {"X-Slack-Request-Timestamp": stamp.encode().decode("latin-1")},
                )
                for stamp in stamps
            ),
        )

    def malformed(self) -> Sequence[Wire]:
        bodies = (
            b"",
            b"{",
            b"[]",
            b"null",
            b'"hello"',
            b"{}",
            b'{"type": 7}',
            b'{"type": "event_callback"}',
            b'{"type": "event_callback", "event": []}',
            b'{"type": "event_callback", "event": {}}',
            b'{"type": "event_callback", "event": {"type": {}}}',
            b'{"type": "event_callback", "event": {"type": "message"}}',
            b'{"type": "block_actions"}',
            b'{"type": "block_actions", "actions": 7, "user": 7, "team": 7, "channel": 7}',
            b'{"type": "url_verification"}',
            b'{"type": "x", "n": NaN}',
            b'{"type": "x", "user": 5, "enterprise": 5, "response_urls": 5}',
            b'{"a":' * 100_000,
            b'{"type": "x", "n": ' + b"9" * 5_000 + b"}",
            "{}".encode("utf-16"),
            b"\xff\xfe\x00",
        )
        forms = (b"", b"payload=", b"payload=%5B%5D", b"payload=%FF", b"a=1", b"command=/x&command=/y", b"&" * 500)
        half = urlencode({"payload": json.dumps({"type": "block_actions", "actions": [{}]})}).encode()
        command = urlencode({"command": "/support", "user_id": "U 0", "trigger_id": ""}).encode()
        return (
            *(_signed(body) for body in bodies),
            *(_signed(body, FORM) for body in (*forms, half, command)),
        )

    def oversize(self) -> Wire:
        return _signed(b'{"type": "x", "n": "' + b"x" * 1_100_000 + b'"}')

    def fail(self, platform: FakeSlack, failure: Failure) -> None:
        for method in ("chat.postMessage", "conversations.open"):
            platform.always(method, FAULTS[failure])

    def sent(self, platform: FakeSlack) -> Sequence[str]:
        return platform.texts()


class TestSlackOverASocket(TestSlackOverHttp):
    mode = "socket"
    test_a_body_that_is_too_large_is_turned_away = None  # type: ignore[assignment]  # Slack itself makes the envelopes
    test_malformed_payloads_never_cause_a_server_error = None  # type: ignore[assignment]
    test_what_is_not_authentic_is_turned_away = None  # type: ignore[assignment]

    async def deliver(self, stage: Stage, wire: Wire) -> int:
        """Pushes what is in the request as an envelope."""
        payload = _payload(wire)
        kind = {"event_callback": "events_api", "": "slash_commands"}.get(payload.get("type", ""), "interactive")
        if not await stage.platform.connected_within(0.1):
            return 503
        envelope = await stage.platform.push(payload, kind)
        return 200 if await stage.platform.acked_within(envelope, 0.4) else 500


def _payload(wire: Wire) -> dict[str, Any]:
    if wire.headers["Content-Type"] != FORM:
        return dict(json.loads(wire.body))
    return dict(json.loads(dict(parse_qsl(wire.body.decode()))["payload"]))
