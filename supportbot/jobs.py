"""Long calls: they run outside of turns, and their end is a row in the inbox of their conversation.

1. A turn leaves a call that waits for its own end; here it is found, also after a restart, and run.
2. Its end is stored before the ledger says that it is over: so a call that the ledger calls started has no end yet, or
   one that is reported a second time and changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from supportbot import callrows
from supportbot.calling import outcome_of, read, refusal
from supportbot.errors import StoreError
from supportbot.house import House
from supportbot.journal import UNKNOWN
from supportbot.protocols import NotDone, ToolContext
from supportbot.tools import authority
from supportbot.tools.authority import Permit
from supportbot.types import Conversation, Message, Receipt, ToolResult, User, WaitingCall

_LOOK_EVERY = 30.0
_AGAIN = 1.0
_MOST = 1000


class Jobs:
    """Runs what waits for its own end. `receive` stores a row for the conversation."""

    def __init__(self, house: House, receive: Callable[[Message], Awaitable[Receipt]]) -> None:
        self._house = house
        self._receive = receive
        self._wanted = asyncio.Event()
        self._running: dict[str, asyncio.Task[None]] = {}
        self._over: set[str] = set()
        house.jobs_set = self._wanted.set

    async def run(self) -> None:
        """Looks for long calls and starts them, until cancelled."""
        while True:
            self._wanted.clear()
            try:
                await self._begin()
            except Exception as error:  # noqa: BLE001 - named boundary: tool call
                self._house.log("jobs.failed", error=str(error) or type(error).__name__)
            try:
                async with asyncio.timeout(_LOOK_EVERY):
                    await self._wanted.wait()
            except TimeoutError:
                pass

    async def drain(self, seconds: float) -> None:
        """Waits for what runs; what does not end in time is found again after the restart."""
        tasks = list(self._running.values())
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=seconds)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=1.0)

    async def _begin(self) -> None:
        waiting = await self._house.store.calls("tool", limit=_MOST)
        self._over &= {call.id for _, call in waiting}
        for conversation, call in waiting:
            if call.id not in self._running and call.id not in self._over:
                task = asyncio.create_task(self._job(conversation, call), name=f"job {call.id}")
                self._running[call.id] = task
                task.add_done_callback(lambda _, id=call.id: self._running.pop(id, None))  # type: ignore[misc]

    async def _job(self, conversation: str, call: WaitingCall) -> None:
        try:
            await self._carry_out(await self._house.store.conversation(conversation), call)
            self._over.add(call.id)
        except Exception as error:  # noqa: BLE001 - named boundary: tool call
            self._house.log("job.failed", call=call.id, error=type(error).__name__, exc_info=True)

    async def _carry_out(self, owner: Conversation, call: WaitingCall) -> None:
        house = self._house
        arguments = authority.arguments_of(call)
        permit = house.tools.permit(
            call.tool, arguments, _context(house, owner, call), consents=call.consents, now=house.clock()
        )
        if isinstance(permit, ToolResult):
            begun = await house.store.earlier(call.id) is not None
            ended: ToolResult | None = UNKNOWN if begun else permit
        elif permit.tool.effects:
            ended = await self._act(permit)
        else:
            ended = await read(house, permit, permit.tool.timeout)
        if ended is not None:
            await self._report(callrows.finished(owner.address, call, ended))
            await house.store.settle(call.id, outcome_of(ended), now=house.clock())

    async def _report(self, end: Message) -> None:
        """Stores the end, however long the store needs to take it: it is known only here."""
        while True:
            try:
                await self._receive(end)
                return
            except StoreError as error:
                self._house.log("jobs.store_failed", error=str(error))
                await asyncio.sleep(_AGAIN)

    async def _act(self, permit: Permit) -> ToolResult | None:
        """What the action came to; None if that was reported before."""
        house = self._house
        refused = await house.store.charge(authority.charge(permit, house.clock()))
        if refused is None:
            return await house.tools.run(permit, seconds=permit.tool.timeout)
        if refused.earlier in ("done", "failed", "unknown"):
            return None
        if refused.earlier is None:
            return refusal(permit, refused)
        try:
            return await house.tools.recover(permit, seconds=permit.tool.timeout) or UNKNOWN
        except NotDone:
            return await house.tools.run(permit, seconds=permit.tool.timeout)


def _context(house: House, owner: Conversation, call: WaitingCall) -> ToolContext:
    return ToolContext(
        conversation=owner.id,
        customer=User(call.author, call.author_name),
        channel=owner.address.channel,
        locale=owner.locale or house.script.locale,
        key=call.id,
        identity=call.identity,
        slots=call.slots,
    )
