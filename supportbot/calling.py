"""Carries out the tool calls of one attempt: permitted, entered into the ledger, run, and written down.

1. A call with effects is entered as started before its own code runs, and with what it came to after it, each together
   with the journal in one transaction.
2. One that was started and not finished is asked for at its source. If the source knows, that is the result; if it knows
   that nothing was done, the call runs now, under the same key; else the outcome is unknown, and it never runs again.
3. Calls without effects may run again after a crash, and async ones asked for at once run side by side.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace

from supportbot.house import House
from supportbot.journal import UNKNOWN, Journal
from supportbot.protocols import NotDone, ToolContext
from supportbot.tools import authority
from supportbot.tools.authority import Permit
from supportbot.tools.toolbox import is_async
from supportbot.types import (
    CallTool,
    CallTools,
    ChargeOutcome,
    Limit,
    Refused,
    ToolResult,
    ToolResults,
    TurnInput,
)

_ALREADY = "This was asked for before and is over; it is not done a second time."
_TOO_LATE = ToolResult("There was no time left to begin this action: it was not done.", error="timeout")


class Calls:
    """The calls of one attempt. `left` gives the turn's remaining seconds, `show` shows the customer a line."""

    def __init__(
        self,
        house: House,
        start: TurnInput,
        journal: Journal,
        *,
        left: Callable[[], float],
        show: Callable[[str], None],
    ) -> None:
        self._house = house
        self._start = start
        self._journal = journal
        self._left = left
        self._show = show

    async def one(self, effect: CallTool, *, started: bool = False) -> ToolResult:
        """The call's result. `started`: the journal says that it was begun before an interruption."""
        permit = self._permit(effect, f"{self._journal.position}")
        if isinstance(permit, ToolResult):
            return UNKNOWN if started else self._noted(effect, permit)
        self._tell(permit, effect.locale)
        if started:
            return await self._finished(effect, permit, await self._found_out(permit))
        if permit.tool.long:
            return self._noted(effect, ToolResult("", {"arguments": permit.given}, "long"))
        if permit.tool.effects:
            return await self._act(effect, permit)
        await self._journal.before(effect)
        result = await self._read(permit)
        await self._journal.after(effect, result)
        return result

    async def many(self, effect: CallTools) -> ToolResults:
        """The results in the order of the calls, all of which are without effects."""
        await self._journal.before(effect)
        one_by_one = asyncio.Lock()
        running = [
            self._side_by_side(call, f"{self._journal.position}-{at}", one_by_one)
            for at, call in enumerate(effect.calls)
        ]
        results = ToolResults(tuple(await asyncio.gather(*running)))
        await self._journal.after(effect, results)
        return results

    async def _side_by_side(self, effect: CallTool, place: str, one_by_one: asyncio.Lock) -> ToolResult:
        """One of the results. Functions that run in threads take turns, in order: side by side they would fight for the
        interpreter, and whoever wrote them expects no two at once."""
        permit = self._permit(effect, place)
        if isinstance(permit, ToolResult):
            return permit
        if permit.tool.long or permit.tool.effects:  # the tools were exchanged meanwhile
            return ToolResult(f"{effect.name} could not be called just now.", error="failed")
        self._tell(permit, effect.locale)
        if is_async(permit.tool.call):
            return await self._read(permit)
        async with one_by_one:
            return await self._read(permit)

    def _noted(self, effect: CallTool, result: ToolResult) -> ToolResult:
        self._journal.note(effect, result)
        return result

    def _permit(self, effect: CallTool, place: str) -> Permit | ToolResult:
        context = context_of(self._house, self._start, effect, place, show=self._show)
        now = self._house.clock()
        return self._house.tools.permit(
            effect.name, effect.arguments, context, consents=effect.consents, sealed=effect.sealed, now=now
        )

    def _tell(self, permit: Permit, locale: str) -> None:
        text = in_locale(permit.tool.progress, locale or self._house.script.locale)
        if text:
            self._show(text)

    async def _read(self, permit: Permit) -> ToolResult:
        return await read(self._house, permit, max(self._left(), 1.0))

    async def _act(self, effect: CallTool, permit: Permit) -> ToolResult:
        if self._left() <= 0:
            return self._noted(effect, _TOO_LATE)
        refused = await self._journal.before(effect, authority.charge(permit, self._house.clock()))
        if refused is not None:
            return self._noted(effect, refusal(permit, refused))
        result = await self._house.tools.run(permit, seconds=max(self._left(), 1.0))
        return await self._finished(effect, permit, result)

    async def _found_out(self, permit: Permit) -> ToolResult:
        seconds = max(self._left(), 1.0)
        try:
            return await self._house.tools.recover(permit, seconds=seconds) or UNKNOWN
        except NotDone:
            return await self._house.tools.run(permit, seconds=seconds)

    async def _finished(self, effect: CallTool, permit: Permit, result: ToolResult) -> ToolResult:
        settled = (permit.context.key, outcome_of(result), self._house.clock())
        await self._journal.after(effect, result, settled)
        return result


async def read(house: House, permit: Permit, seconds: float) -> ToolResult:
    """The result of a call without effects. Its limits count it under a key of its own, once however often it is run."""
    if not permit.tool.limits:
        return await house.tools.run(permit, seconds=seconds)
    charge = authority.charge(permit, house.clock())
    charge = replace(charge, key=f"read.{charge.key}.{authority.bound_to(permit)}")
    refused = await house.store.charge(charge)
    if refused is not None and refused.limit is not None:
        return refusal(permit, refused)
    result = await house.tools.run(permit, seconds=seconds)
    await house.store.settle(charge.key, outcome_of(result), now=house.clock())
    return result


def context_of(
    house: House, start: TurnInput, effect: CallTool, place: str, *, show: Callable[[str], None]
) -> ToolContext:
    """What the server binds for this call; its key is that of a call that waited, else the place in the turn."""
    loop = asyncio.get_running_loop()
    return ToolContext(
        conversation=start.conversation.id,
        customer=effect.user,
        channel=start.conversation.address.channel,
        locale=effect.locale or house.script.locale,
        key=effect.key or f"{start.conversation.id}.{start.lease.sequence}.{place}",
        slots=effect.slots,
        identity=effect.identity,
        progress=lambda text: _from_any_thread(loop, show, text),
    )


def _from_any_thread(loop: asyncio.AbstractEventLoop, show: Callable[[str], None], text: str) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(show, str(text)[:200])


def in_locale(text: str | Mapping[str, str], locale: str) -> str:
    """One text for all, or the one in the locale's language, else any."""
    if isinstance(text, str):
        return text
    language = locale.partition("-")[0]
    return text.get(locale) or text.get(language) or next(iter(text.values()), "")


def refusal(permit: Permit, refused: Refused) -> ToolResult:
    """What the model or a flow is told of a charge that was not taken."""
    prefix = "Error: " if permit.by_model else ""
    if refused.limit is not None:
        return ToolResult(f"{prefix}{_limit_reached(permit.tool.name, refused.limit)}", error="limit")
    if refused.earlier in ("started", "unknown"):
        return UNKNOWN
    return ToolResult(f"{prefix}{_ALREADY}", error="failed")


def _limit_reached(tool: str, limit: Limit) -> str:
    much = f"{limit.times} time(s)" if limit.times is not None else f"{limit.money:g} in all"
    whose = {"customer": "for one customer", "tool": "for all customers"}.get(limit.per, f"for one {limit.per}")
    return f"{tool} was not done: its limit is reached ({much} {whose} within {_span(limit.every)})."


def _span(seconds: float) -> str:
    if not seconds:
        return "all time"
    for size, name in ((86_400.0, "day(s)"), (3_600.0, "hour(s)"), (60.0, "minute(s)")):
        if seconds >= size:
            return f"{seconds / size:g} {name}"
    return f"{seconds:g} second(s)"


def outcome_of(result: ToolResult) -> ChargeOutcome:
    if result.error in ("unknown_outcome", "started"):
        return "unknown"
    return "failed" if result.error else "done"
