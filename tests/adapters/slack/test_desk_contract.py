"""A Slack channel passes the suite that every desk passes, over HTTP and over Socket Mode."""

from __future__ import annotations

import html
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from supportbot.testing.adapter_stage import Wire
from supportbot.testing.desk_contract import DeskContract
from supportbot.testing.desk_stage import DeskStage
from supportbot.testing.slack import events
from supportbot.testing.slack.delivery import encoded, signed
from supportbot.testing.slack.server import RESET_AFTER_ACCEPTING, Channel, FakeSlack, Post
from supportbot.types import ActKind, User
from supportbot_slack import SlackAdapter

from .test_contract import FAULTS, _payload

DESK, OTHER = "C0FRONT", "G0BILLING"
TOKEN = re.compile(r"<([^<>]*)>")
SECRET = FakeSlack.signing_secret
OURS = {"parent_user_id": events.BOT_USER}


def _wire(payload: Mapping[str, Any], *, secret: str = SECRET, at: float | None = None) -> Wire:
    body, kind = encoded(payload)
    return Wire("/slack/contract/events", body, signed(secret, body, at=at, content_type=kind))


def _stamp(id: str) -> str:
    return f"1690000000.{sum(place * ord(letter) for place, letter in enumerate(id, 1)) % 1_000_000:06d}"


def _mrkdwn(value: object) -> Iterator[str]:
    """Every text in blocks that Slack reads for markup."""
    if isinstance(value, Mapping):
        if value.get("type") == "mrkdwn":
            yield str(value["text"])
        for inner in value.values():
            yield from _mrkdwn(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _mrkdwn(inner)


def _read(text: str) -> str:
    """As a person reads it."""
    without = TOKEN.sub(lambda found: found[1].rpartition("|")[2] if found[1][0] == "!" else found[1], text)
    return html.unescape(without).replace("\u02cb", "`").replace("\u200b", "")


class TestSlackDeskOverHttp(DeskContract):
    mode = "http"
    kinds = ("claim", "release", "message", "note", "return", "resolve")
    agents = (User("U0ANA1", "Ana Lima"), User("U0BEN1", "Ben Okri"))
    secrets = (FakeSlack.bot_token, FakeSlack.app_token, SECRET)
    busy_seconds = 7.0

    @pytest.fixture(autouse=True)
    def _hurry(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("supportbot_slack.desk.INTERVAL", 0.0)

    def platform(self) -> FakeSlack:
        slack = FakeSlack(pace=0, tiers={})
        slack.users |= {agent.id: agent.name for agent in self.agents}
        slack.channels |= {DESK: Channel(DESK, "public", "front"), OTHER: Channel(OTHER, "private", "billing")}
        return slack

    def adapter(self, platform: FakeSlack) -> SlackAdapter:
        tokens = {"bot_token": platform.bot_token, "app_token": platform.app_token, "signing_secret": SECRET}
        return SlackAdapter("contract", {**tokens, "api_url": platform.url, "mode": self.mode})

    def desk_options(self, platform: FakeSlack) -> Mapping[str, Any]:
        return {"place": DESK}

    def other_options(self, platform: FakeSlack) -> Mapping[str, Any]:
        return {"place": OTHER}

    def act_wire(self, platform: FakeSlack, kind: ActKind, place: str, id: str, text: str, agent: User) -> Wire:
        if kind not in ("message", "note"):
            return _wire(self._press(platform, kind, place, id, agent))
        words = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        words = f"note: {words}" if kind == "note" else words
        return _wire(events.event_callback(self._said(words, place, id, agent.id)))

    def _said(self, words: str, place: str, id: str, user: str, **others: Any) -> dict[str, Any]:
        channel, _, ts = place.partition(":")
        return events.message(words, user=user, channel=channel, ts=_stamp(id), thread_ts=ts, **{**OURS, **others})

    def _press(self, platform: FakeSlack, kind: str, place: str, id: str, agent: User) -> dict[str, Any]:
        channel, _, ts = place.partition(":")
        root = next(post for post in platform.posts if post.ts == ts)
        rows = [block for block in root.blocks if block["type"] == "actions"]
        there = {one["action_id"]: one for one in rows[0]["elements"]}
        # a release is offered once it is claimed, which the house would have said by now
        known = there.get(f"desk:{kind}") or next(iter(there.values()))
        action = events.button(f"desk:{kind}", known["value"], kind, block_id=rows[0]["block_id"])
        posted = {"ts": ts, "text": root.text, "blocks": root.blocks}
        return events.block_actions(action | {"action_ts": _stamp(id)}, posted, user=agent.id, channel=channel)

    def file_wire(self, platform: FakeSlack, place: str, id: str, agent: User, name: str, content: bytes) -> Wire:
        about = platform.add_file(content, name, "application/pdf", user=agent.id)
        channel, _, ts = place.partition(":")
        shared = events.file_share([about], user=agent.id, channel=channel, ts=_stamp(id), thread_ts=ts, **OURS)
        return _wire(events.event_callback(shared))

    def _posts(self, platform: FakeSlack, place: str) -> list[Post]:
        channel, _, ts = place.partition(":")
        standing = [post for post in platform.posts if not (post.deleted or post.user) and post.channel == channel]
        return [post for post in standing if ts in (post.ts, post.thread_ts)]

    def places(self, platform: FakeSlack) -> Sequence[str]:
        standing = [post for post in platform.posts if not (post.deleted or post.user)]
        return [f"{post.channel}:{post.ts}" for post in standing if not post.thread_ts]

    def shown(self, platform: FakeSlack, place: str) -> Sequence[str]:
        found: list[str] = []
        for post in self._posts(platform, place):
            written = [
                platform.files[one["id"]].content.decode()
                for one in post.files
                if one["title"] in ("transcript.txt", "whole-message.txt")
            ]
            names = [one["title"] for one in post.files]
            found.append("\n".join((*map(_read, _mrkdwn(post.blocks)), *names, *written)))
        return found

    def looks(self, platform: FakeSlack, place: str) -> object:
        return [(post.text, str(post.blocks), str(post.files)) for post in self._posts(platform, place)]

    def live(self, platform: FakeSlack, place: str) -> Sequence[str]:
        texts = [text for post in self._posts(platform, place) for text in (post.text, *_mrkdwn(post.blocks))]
        return [token for text in texts for token in TOKEN.findall(text) if not token.startswith("!date^")]

    def files_at(self, platform: FakeSlack, place: str) -> Sequence[tuple[str, bytes]]:
        posts = self._posts(platform, place)
        return [(one["title"], platform.files[one["id"]].content) for post in posts for one in post.files]

    def echoes(self, platform: FakeSlack, place: str) -> Sequence[Wire]:
        channel, _, ts = place.partition(":")
        there = {"channel": channel, "thread_ts": ts}
        talk = events.message("talk among ourselves", channel=channel, user=self.agents[0].id)
        mine = self._said("hello", place, "m-1", self.agents[0].id)
        others = (
            events.own_message(**there),
            events.bot_message(**there),
            events.channel_join(channel=channel),
            talk,
            events.app_mention(channel=channel, user=self.agents[0].id),
            events.edited(mine, "hallo"),
            events.deleted(mine),
            events.unfurled(mine),
            events.file_share([events.file()], user=events.BOT_USER, bot_id=events.BOT_ID, **there),
        )
        strange = events.block_actions(
            events.button("other:1", "x"), {"ts": ts, "text": "", "blocks": []}, channel=channel
        )
        return (*(_wire(events.event_callback(event)) for event in others), _wire(strange))

    def unknown_place_wire(self, platform: FakeSlack) -> Wire:
        return _wire(events.event_callback(self._said("hi", f"{DESK}:1690000000.000001", "a", self.agents[0].id)))

    def customer_wire(self, platform: FakeSlack) -> Wire:
        return _wire(events.event_callback(events.message("Where is my order?")))

    def unauthentic(self, platform: FakeSlack, place: str) -> Sequence[Wire]:
        said = events.event_callback(self._said("evil", place, "a-9", self.agents[0].id))
        good = _wire(said)
        return (
            Wire(good.path, good.body, {"Content-Type": "application/json"}),
            Wire(good.path, good.body + b" ", good.headers),
            _wire(said, secret="x" * 32),
            _wire(said, at=time.time() - 3600),
            _wire(self._press(platform, "claim", place, "a-8", self.agents[0]), secret="x" * 32),
        )

    def fail(self, platform: FakeSlack, failure: Any) -> None:
        platform.always("chat.postMessage", FAULTS[failure])

    def lose_answer(self, platform: FakeSlack) -> bool:
        platform.next("chat.postMessage", RESET_AFTER_ACCEPTING)
        return True

    def remove(self, platform: FakeSlack, place: str) -> bool:
        for post in self._posts(platform, place):
            post.deleted = True
        return True


class TestSlackDeskOverASocket(TestSlackDeskOverHttp):
    mode = "socket"
    test_what_is_not_authentic_is_turned_away = None  # type: ignore[assignment]  # Slack itself makes the envelopes

    async def deliver(self, stage: DeskStage, wire: Wire) -> int:
        """Pushes what is in the request as an envelope."""
        payload = _payload(wire)
        if not await stage.platform.connected_within(0.1):
            return 503
        kind = "events_api" if payload["type"] == "event_callback" else "interactive"
        envelope = await stage.platform.push(payload, kind)
        return 200 if await stage.platform.acked_within(envelope, 0.4) else 500
