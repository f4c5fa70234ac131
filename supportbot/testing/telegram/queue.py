"""The updates a bot has not taken yet, and the two ways it takes them: long polls and a webhook."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import aiohttp

from supportbot.testing.telegram.rules import Refused, allowed

SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - a name
_OTHER_POLL = "terminated by other getUpdates request; make sure that only one bot instance is running"
_WEBHOOK = "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt to bring an update to the webhook; `status` is None if there was no answer."""

    update_id: int
    status: int | None
    at: float = field(default_factory=time.time)


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook that is set."""

    url: str
    secret: str = ""
    connections: int | None = None

    def headers(self) -> dict[str, str]:
        """What a genuine delivery carries."""
        secret = {SECRET_HEADER: self.secret} if self.secret else {}
        return {"content-type": "application/json", **secret}


class Bell:
    """Wakes everybody who waits, each time it rings."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        self._event.set()
        self._event = asyncio.Event()

    def wait(self) -> Coroutine[Any, Any, object]:
        """Ends with the first ring after this call, however late it is awaited."""
        return self._event.wait()


class UpdateQueue:
    """Pending updates in order. `done` are those the bot has taken, `deliveries` the attempts of the webhook."""

    def __init__(self, repeat_after: float, answer_within: float) -> None:
        self.pending: dict[int, dict[str, Any]] = {}
        self.done: set[int] = set()
        self.deliveries: list[Delivery] = []
        self.webhook: Webhook | None = None
        self.types: Sequence[str] = ()
        self.last_error: tuple[float, str] | None = None
        self.bell = Bell()
        self._repeat_after = repeat_after
        self._timeout = aiohttp.ClientTimeout(total=answer_within)
        self._next_id = 100_000_001
        self._poll: asyncio.Future[str] | None = None
        self._worker: asyncio.Task[None] | None = None

    def add(self, update: Mapping[str, Any]) -> int:
        """Queues an update if its kind is wanted; gives its id, the one it brings or the next."""
        update_id = int(update.get("update_id", self._next_id))
        self._next_id = update_id + 1
        kind = next((key for key in update if key != "update_id"), "")
        if allowed(kind, self.types):
            self.pending[update_id] = {"update_id": update_id, **update}
            self.bell.ring()
        return update_id

    def forget(self, *update_ids: int) -> None:
        """Drops updates that the bot has not taken."""
        for update_id in update_ids:
            self.pending.pop(update_id, None)
        self.bell.ring()

    def _taken(self, update_ids: Sequence[int]) -> None:
        for update_id in update_ids:
            if self.pending.pop(update_id, None) is not None:
                self.done.add(update_id)
        self.bell.ring()

    async def poll(self, offset: int, limit: int, seconds: float) -> list[dict[str, Any]]:
        """The updates from the offset on, as soon as there are any; raises `Refused` if another poll takes over."""
        if self.webhook is not None:
            raise Refused(_WEBHOOK, 409)
        if offset > 0:
            self._taken([update_id for update_id in self.pending if update_id < offset])
        elif offset < 0:
            self.forget(*list(self.pending)[:offset])
        self._interrupt(_OTHER_POLL)
        mine = self._poll = asyncio.get_running_loop().create_future()
        until = time.monotonic() + seconds
        try:
            while not self.pending and (left := until - time.monotonic()) > 0:
                rung = asyncio.ensure_future(self.bell.wait())
                await asyncio.wait((rung, mine), timeout=left, return_when=asyncio.FIRST_COMPLETED)
                rung.cancel()
                if mine.done():
                    raise Refused(mine.result(), 409)
        finally:
            if self._poll is mine:
                self._poll = None
        return list(self.pending.values())[:limit]

    def _interrupt(self, reason: str) -> None:
        if self._poll is not None and not self._poll.done():
            self._poll.set_result(reason)
        self._poll = None

    async def set_webhook(self, webhook: Webhook | None) -> None:
        """Delivers to the webhook from now on; None stops that."""
        await self.stop()
        self.webhook, self.last_error = webhook, None
        if webhook is not None:
            self._interrupt("terminated by setWebhook request")
            self._worker = asyncio.create_task(self._deliver(webhook))

    async def stop(self) -> None:
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)
            self._worker = None

    async def wait_done(self, update_id: int, seconds: float) -> bool:
        """Whether the bot takes the update in time."""
        try:
            async with asyncio.timeout(seconds):
                while update_id not in self.done:
                    await self.bell.wait()
        except TimeoutError:
            return False
        return True

    async def _deliver(self, webhook: Webhook) -> None:
        busy: dict[Hashable, asyncio.Task[None]] = {}
        most = webhook.connections or 1
        async with aiohttp.ClientSession(timeout=self._timeout) as session:
            try:
                while True:
                    for key, update in self._heads(most).items():
                        if key not in busy and len(busy) < most:
                            task = asyncio.create_task(self._bring(session, webhook, update))
                            busy[key] = task
                            task.add_done_callback(partial(self._brought, busy, key))
                    await self.bell.wait()
            finally:
                tasks = tuple(busy.values())
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    def _brought(self, busy: dict[Hashable, asyncio.Task[None]], key: Hashable, _: asyncio.Task[None]) -> None:
        del busy[key]
        self.bell.ring()

    def _heads(self, most: int) -> dict[Hashable, dict[str, Any]]:
        """The first pending update of each chat, oldest first, enough to keep `most` connections busy."""
        heads: dict[Hashable, dict[str, Any]] = {}
        for update_id, update in self.pending.items():
            heads.setdefault(_chat_of(update) or update_id, update)
            if len(heads) == 2 * most:
                break
        return heads

    async def _bring(self, session: aiohttp.ClientSession, webhook: Webhook, update: dict[str, Any]) -> None:
        """Brings an update until it is taken or dropped."""
        update_id = update["update_id"]
        while update_id in self.pending:
            status, said = await self._post(session, webhook, update)
            self.deliveries.append(Delivery(update_id, status))
            if status is not None and 200 <= status < 300:
                return self._taken([update_id])
            self.last_error = (time.time(), said)
            await asyncio.sleep(self._repeat_after)

    async def _post(
        self, session: aiohttp.ClientSession, webhook: Webhook, update: dict[str, Any]
    ) -> tuple[int | None, str]:
        try:
            async with session.post(
                webhook.url, json=update, headers=webhook.headers(), allow_redirects=False
            ) as answer:
                await answer.read()
                return answer.status, f"Wrong response from the webhook: {answer.status} {answer.reason}"
        except TimeoutError:
            return None, "Read timeout expired"
        except (aiohttp.ClientError, OSError) as error:
            return None, "Connection refused" if isinstance(error, aiohttp.ClientConnectorError) else "Closed"


def _chat_of(update: Mapping[str, Any]) -> Hashable:
    for part in update.values():
        if isinstance(part, Mapping):
            chat = part.get("chat") or (part.get("message") or {}).get("chat")
            if isinstance(chat, Mapping):
                return ("chat", chat.get("id"))
    return None
