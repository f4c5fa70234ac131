"""Runs turns: claim -> begin -> decide (the engine) -> effects -> commit -> outbox.

1. A turn's deadline counts from the stored receipt of its oldest message: after `answer_within` the model gets no
   more time and the ladder goes on; after `notice_within` the watchdog ends what is pending with a notice or handoff.
2. Messages that arrive while the model is thinking are taken in before the commit, at most twice, and only while no
   action was carried out and nothing was shown.
3. Whatever escapes from a turn is caught here, logged and tried again; a message that keeps failing goes to a human.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TypeVar

from supportbot.attempt import Attempt, overdue
from supportbot.dialogue import OWN_FILE
from supportbot.engine import batch
from supportbot.errors import (
    NotFound,
    StaleLease,
    StoreError,
)
from supportbot.house import House
from supportbot.journal import Journal
from supportbot.previews import at_work
from supportbot.replies import fit
from supportbot.types import (
    ChatMessage,
    Inbound,
    Lease,
    Outcome,
    Reply,
    TurnInput,
    Usage,
)

Said = TypeVar("Said", Reply, ChatMessage)

MAX_RESTARTS = 2
_RETRY_SECONDS = (0.2, 1.0, 3.0)
_AFTER_RESCUE = 2.0
_LEASE_MARGIN = 30.0
_LET_GO_SECONDS = 1.0


class Worker:
    """Runs up to `slots` turns at once; `stop()` lets the running ones finish."""

    def __init__(self, house: House, *, slots: int = 256) -> None:
        self._house = house
        self._slots = asyncio.Semaphore(slots)
        self._running: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Claims and runs turns until cancelled; a cancelled run leaves the turns it started running."""
        while True:
            await self._slots.acquire()
            try:
                lease = await self._house.queue.claim()
            except BaseException:
                self._slots.release()
                raise
            task = asyncio.create_task(self._claimed(lease), name=f"turn {lease.conversation}")
            self._running[lease.conversation] = task
            task.add_done_callback(lambda done, lease=lease: self._done(lease.conversation, done))  # type: ignore[misc]

    async def drain(self, seconds: float) -> None:
        """Waits for running turns; those that do not finish in time are cancelled and start anew after the restart."""
        tasks = list(self._running.values())
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=seconds)
        for task in late:
            task.cancel()
        if late:  # what ignores its cancellation is left behind: its lease is worth nothing any more
            await asyncio.wait(late, timeout=_LET_GO_SECONDS)

    async def rescue(self, conversation: str) -> None:
        """Ends what is overdue in a conversation, whoever holds its turn (the watchdog's work). Asks no model."""
        house = self._house
        try:
            lease = await house.store.seize(conversation, until=house.clock() + 30)
            task = self._running.get(conversation)
            if task is not None:
                task.cancel()
            start = await house.store.begin(lease, now=house.clock())
            if start is not None and overdue(house, start):
                await self._finish(start, await Attempt(house, _resumed(start)).outcome())
        except (StaleLease, NotFound):
            return
        except Exception as error:  # noqa: BLE001 - named boundary: turn
            house.log("turn.rescue_failed", conversation=conversation, error=type(error).__name__, exc_info=True)

    def _done(self, conversation: str, task: asyncio.Task[None]) -> None:
        self._slots.release()
        if self._running.get(conversation) is task:
            del self._running[conversation]

    async def _claimed(self, lease: Lease) -> None:
        house = self._house
        again_at: float | None = house.clock()
        try:
            again_at = await self._turn(lease)
        except asyncio.CancelledError:
            again_at = house.clock() + _AFTER_RESCUE  # whoever cancelled it ends it now
            raise
        except StaleLease:
            house.log("turn.taken_away", conversation=lease.conversation)
        except StoreError as error:
            house.log("turn.store_failed", conversation=lease.conversation, error=str(error))
            again_at = house.clock() + 1.0
        except Exception as error:  # noqa: BLE001 - named boundary: turn
            house.log(
                "turn.failed",
                conversation=lease.conversation,
                attempt=lease.attempt,
                error=type(error).__name__,
                exc_info=True,
            )
            again_at = house.clock() + _RETRY_SECONDS[min(lease.attempt, len(_RETRY_SECONDS)) - 1]
        finally:
            await house.queue.release(lease, again_at=again_at)

    async def _turn(self, lease: Lease) -> float | None:
        house = self._house
        start = await house.store.begin(lease, now=house.clock())
        if start is None:
            return None
        await self._keep(lease)
        start = _resumed(start)
        spent: tuple[Usage, ...] = ()
        for restart in range(MAX_RESTARTS + 1):
            attempt = Attempt(house, start)
            async with at_work(house, start, attempt.sign):
                outcome = await attempt.outcome()
            if restart == MAX_RESTARTS or not attempt.may_restart:
                break
            late = await house.store.arrived(lease, after=start.pending[-1].position)
            if not _belongs(start.pending, late):
                break
            spent += outcome.usage
            start = replace(start, pending=start.pending + late, journal=())
        return await self._finish(start, replace(outcome, usage=spent + outcome.usage))

    async def _keep(self, lease: Lease) -> None:
        """Makes the lease outlast the longest turn, so that no turn is taken away while it may still answer."""
        until = self._house.clock() + self._house.notice_within + _LEASE_MARGIN
        if until > lease.expires_at:
            await self._house.queue.extend(lease, until=until)

    async def _finish(self, start: TurnInput, outcome: Outcome) -> float | None:
        """Commits, hands the replies to the outbox; when there is more work, its time."""
        house = self._house
        channel = start.conversation.address.channel
        adapter = house.adapters.get(channel)
        outcome = replace(
            outcome,
            turn=tuple(_with_files(house, message) for message in outcome.turn),
            replies=tuple(_with_files(house, reply) for reply in outcome.replies),
        )
        if adapter is not None:
            parts = tuple(part for reply in outcome.replies for part in fit(reply, adapter.capabilities))
            outcome = replace(outcome, replies=parts)
        committed = await house.store.commit(start.lease, outcome, now=house.clock())
        house.outbox.push(committed.ready, behind=committed.waiting)
        if not outcome.replies:
            consumed = set(outcome.consumed)
            ids = [row.message.id for row in start.pending if row.position in consumed]
            house.waits.nothing_for(channel, ids)
        if outcome.timers or (outcome.handoff is not None and not outcome.handoff.open):
            house.timers_set()
        if any(call.waits_for == "tool" and call.status == "waiting" for call in outcome.calls):
            house.jobs_set()
        return house.clock() if committed.more else None


def _resumed(start: TurnInput) -> TurnInput:
    """A turn that was interrupted in the middle goes on with just the messages that it began with."""
    opening = Journal.opening_of(start.journal)
    if opening is None:
        return start
    known = tuple(row for row in start.pending if row.position in opening.positions)
    return replace(start, pending=known or start.pending)


def _with_files(house: House, said: Said) -> Said:
    """It with the digests of files from the bot's own folder."""
    files = tuple(
        replace(file, digest=house.own_files.get(file.ref.removeprefix(OWN_FILE), ""), ref="")
        if file.ref.startswith(OWN_FILE)
        else file
        for file in said.files
    )
    return replace(said, files=files) if files else said


def _belongs(pending: tuple[Inbound, ...], late: tuple[Inbound, ...]) -> bool:
    return bool(late) and len(batch(pending + late)) > len(batch(pending))
