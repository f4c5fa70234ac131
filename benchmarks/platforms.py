"""Slack and Telegram as the benchmark of the channels sees them: chats that write, and a ledger of what came back."""

from __future__ import annotations

import asyncio
import random
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

from supportbot.testing.slack import events as slack_events
from supportbot.testing.slack.server import CHAOS, Channel, FakeSlack
from supportbot.testing.telegram import parts as telegram_parts
from supportbot.testing.telegram import updates as telegram_updates
from supportbot.testing.telegram.server import BAD_GATEWAY, RESET, RESET_AFTER_ACCEPTING, FakeTelegram, Fault

SECONDS_PER_TRY = 20.0


@dataclass
class Chat:
    """One customer's conversation: its place on the platform and what of it was acknowledged, in that order."""

    name: str
    shared: bool
    place: Any = None
    accepted: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Answer:
    """One message that the platform took from the bot."""

    chat: str
    text: str
    at: float


class Platform(ABC):
    """`fake` is the stand-in; `share` of its sending calls fail."""

    fake: Any
    environment: dict[str, str]
    options: dict[str, Any]

    @abstractmethod
    def chat(self, number: int, rng: random.Random) -> Chat: ...

    @abstractmethod
    def message(self, chat: Chat, text: str) -> Any:
        """What the platform tells the bot; delivered again it is a repeat."""

    @abstractmethod
    async def deliver(self, url: str, payload: Any) -> float | None:
        """Seconds until the bot acknowledged it, None if it did not (now)."""

    @abstractmethod
    def answers(self) -> list[Answer]: ...

    @abstractmethod
    def lost_answers(self) -> list[float]:
        """When a message was taken and the bot never heard of it, by the clock of `Answer.at`."""

    @abstractmethod
    def too_fast(self) -> int: ...


class Slack(Platform):
    clock = staticmethod(time.monotonic)
    sends = ("chat.postMessage", "chat.startStream", "chat.appendStream", "chat.stopStream", "chat.update")

    def __init__(self, mode: str, share: float, seed: int) -> None:
        self.mode = mode
        self.fake = FakeSlack(repeat_after=(0.1,))
        self.fake.chaos(share, seed, CHAOS, self.sends)

    def ready(self) -> None:
        self.environment = {
            "SLACK_BOT_TOKEN": self.fake.bot_token,
            "SLACK_SIGNING_SECRET": self.fake.signing_secret,
            "SLACK_APP_TOKEN": self.fake.app_token,
            "SLACK_API_URL": self.fake.url,
        }
        self.options = {"type": "slack", "mode": self.mode, "burst_wait": "0s"}

    def chat(self, number: int, rng: random.Random) -> Chat:
        shared = rng.random() < 0.2
        channel, user = f"{'C' if shared else 'D'}0BENCH{number}", f"U0BENCH{number}"
        self.fake.users[user] = f"Customer {number}"
        self.fake.channels[channel] = Channel(channel, "public" if shared else "im", user="" if shared else user)
        root = slack_events.stamp() if shared else ""
        return Chat(channel, shared, (channel, user, root))

    def message(self, chat: Chat, text: str) -> Any:
        channel, user, root = chat.place
        if not chat.shared:
            return slack_events.event_callback(slack_events.message(text, user=user, channel=channel))
        mention = f"<@{self.fake.bot_user}> {text}"
        event = slack_events.app_mention(mention, user=user, channel=channel, thread_ts=root)
        return slack_events.event_callback(event)

    async def deliver(self, url: str, payload: Any) -> float | None:
        began = time.perf_counter()
        if self.mode == "socket":
            envelope = await self.fake.push(payload)
            return time.perf_counter() - began if await self.fake.acked_within(envelope, SECONDS_PER_TRY) else None
        statuses = await self.fake.deliver(url, payload)
        return time.perf_counter() - began if statuses[-1] == 200 else None

    def answers(self) -> list[Answer]:
        return [Answer(post.channel, post.shown, post.at) for post in self.fake.posts if not post.deleted]

    def lost_answers(self) -> list[float]:
        return [at for at, _, fault in self.fake.faults if fault.accepted]

    def too_fast(self) -> int:
        return int(sum(self.fake.rate_limited.values()))


class Telegram(Platform):
    clock = staticmethod(time.time)

    def __init__(self, mode: str, share: float, seed: int) -> None:
        self.mode = mode
        self.fake = FakeTelegram()
        kinds = (Fault(), Fault("rate limit"), BAD_GATEWAY, RESET, RESET_AFTER_ACCEPTING)
        self.fake.chaos(share, seed, kinds, ("sendMessage", "sendMessageDraft"))

    def ready(self) -> None:
        self.environment = {
            "TELEGRAM_BOT_TOKEN": self.fake.token,
            "TELEGRAM_WEBHOOK_SECRET": "a-secret-of-the-benchmark",
            "TELEGRAM_API_URL": self.fake.url,
        }
        self.options = {"type": "telegram", "mode": self.mode, "burst_wait": "0s"}

    def chat(self, number: int, rng: random.Random) -> Chat:
        shared = rng.random() < 0.15
        id = -1_002_000_000_000 - number if shared else 50_000 + number
        place = telegram_parts.group(id) if shared else telegram_parts.private(id, f"Customer {number}")
        sender = telegram_parts.user(50_000 + number, f"Customer {number}")
        return Chat(str(id), shared, (place, sender))

    def message(self, chat: Chat, text: str) -> Any:
        place, sender = chat.place
        if chat.shared:
            return telegram_updates.mention(f"@{self.fake.username} {text}", place, sender)
        return telegram_updates.text(text, place, sender)

    async def deliver(self, url: str, payload: Any) -> float | None:
        began = time.perf_counter()
        update = self.fake.add(payload)
        return time.perf_counter() - began if await self.fake.delivered(update, SECONDS_PER_TRY) else None

    def answers(self) -> list[Answer]:
        return [Answer(str(sent.chat_id), sent.text, sent.at) for sent in self.fake.sent if not sent.deleted]

    def lost_answers(self) -> list[float]:
        return [at for at, _, fault in self.fake.faults if fault.accepts]

    def too_fast(self) -> int:
        return int(self.fake.rate_limited)


def platform(name: str, share: float, seed: int) -> Any:
    """One of slack-http, slack-socket, telegram-webhook, telegram-polling."""
    kind, _, mode = name.partition("-")
    return Slack(mode, share, seed) if kind == "slack" else Telegram(mode, share, seed)


async def sleep_a_little(rng: random.Random) -> None:
    await asyncio.sleep(rng.choice((0.0, 0.05, 0.5, 1.5)))
