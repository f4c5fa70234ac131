"""A whole bot over a channel in memory, with the clock and the model in a test's hands."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from crashing import Shop, write

from supportbot.bot import Bot
from supportbot.types import ModelAnswer, ModelRequest


class Clock:
    """The real time, and what a test adds to it."""

    def __init__(self, ahead: float = 0.0) -> None:
        self.ahead = ahead

    def __call__(self) -> float:
        return time.time() + self.ahead


class Model:
    """Asks a function for each answer; it may wait and do things meanwhile."""

    def __init__(self, script: Callable[[int, ModelRequest], Awaitable[ModelAnswer]]) -> None:
        self._script = script
        self.requests: list[ModelRequest] = []

    async def complete(self, request: ModelRequest, *, seconds: float, on_text: Any = None) -> ModelAnswer:
        self.requests.append(request)
        return await self._script(len(self.requests), request)

    async def close(self) -> None:
        """Nothing is held open."""


@asynccontextmanager
async def running(
    folder: Path, model: Any, *, shop: Shop | None = None, clock: Clock | None = None, **config: Any
) -> AsyncIterator[tuple[Bot, Shop]]:
    shop = shop or Shop()
    shop.capabilities = replace(shop.capabilities, burst_wait=0.0)
    path = write(folder, **config)
    bot = Bot.from_config(
        path, env={}, model=model, channels={"shop": shop}, only_channels=True, clock=clock or Clock()
    )
    async with bot:
        yield bot, shop


async def sent(shop: Shop, count: int, seconds: float = 10.0) -> list[str]:
    """The texts delivered, once there are so many."""
    async with asyncio.timeout(seconds):
        while len(shop.sent) < count:
            await asyncio.sleep(0.005)
    return [one.reply.text if one.reply else "" for one in shop.sent]


def answering(shop: Shop) -> list[tuple[str, ...]]:
    return [one.in_reply_to for one in shop.sent]


def ledger(folder: Path) -> list[str]:
    """The orders refunded so far."""
    path = folder / "ledger"
    return path.read_text().split() if path.exists() else []


def heard(request: ModelRequest) -> list[str]:
    return [one.content for one in request.messages if one.role == "user"]


async def quiet(seconds: float = 0.15) -> None:
    """Long enough for a second copy to come, if one were to come."""
    await asyncio.sleep(seconds)
