"""Runs tools: checks the arguments and what the call needs, keeps the time, and turns whatever happens into a ToolResult.

Rules:
1. `call` never raises because of a tool or its arguments; only a cancellation of the caller comes through.
2. The customer's side sees sentences; what really went wrong in a tool goes to `log` and nowhere else.
3. After its time a call is over: what it still gives is dropped. If it had effects, its outcome is unknown, unless it
   certainly never began.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
import time
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from supportbot.consent import canonical
from supportbot.errors import ToolError, UsageError
from supportbot.protocols import NotDone, OutcomeUnknown, Secrets, Tool, ToolContext
from supportbot.tools import arguments as checking
from supportbot.tools import authority, results
from supportbot.tools.authority import Permit
from supportbot.tools.rules import filled, offered
from supportbot.types import Consent, ToolResult, ToolSpec, ToolTerms

if TYPE_CHECKING:
    import httpx2

MAX_CHARS = 50_000
THREADS = 16
_RECOVERY = 10.0
"""Seconds for finding out what an interrupted call came to."""
_LACKING = {
    "unverified": "The customer has not proven who they are, so this was not done.",
    "unconfirmed": "The customer has not said yes to exactly this, so it was not done.",
    "unapproved": "No colleague has allowed exactly this, so it was not done.",
}


@dataclass(slots=True)
class _Outcome:
    """What a call came to: a value or an error; `began` once the tool's own code may have run."""

    began: bool = False
    value: Any = None
    error: BaseException | None = None


def _silent(event: str, **details: Any) -> None:
    """The default log: nobody listens."""


class Toolbox:
    """The bot's tools, ready to be called. `max_chars` bounds a result's text, `threads` the sync tools at a time.

    `offered` are the names, or patterns of names, of the tools that the model may use (None: all that are not private);
    `secrets` and `http` stand in every call's context. `log(event, **details)` hears what is wrong inside tools. Raises UsageError if two tools share a name or a tool's
    parameters are no JSON Schema.
    """

    def __init__(
        self,
        tools: Mapping[str, Tool] | Iterable[Tool],
        *,
        max_chars: int = MAX_CHARS,
        threads: int = THREADS,
        log: Callable[..., None] = _silent,
        offered: tuple[str, ...] | None = None,
        secrets: Mapping[str, str] | None = None,
        http: httpx2.AsyncClient | None = None,
    ) -> None:
        self._max_chars = max(max_chars, results.LEAST)
        self._threads = asyncio.Semaphore(threads)
        self._log = log
        self._offered = offered
        self._secrets = Secrets(secrets)
        self._http = http
        self._running: set[asyncio.Task[None]] = set()
        self.exchange(tools.values() if isinstance(tools, Mapping) else tools)

    def exchange(self, tools: Iterable[Tool]) -> None:
        """These are the tools from now on."""
        listed = tuple(tools)
        found = {tool.name: tool for tool in listed}
        if len(found) < len(listed):
            names = sorted({tool.name for tool in listed if found[tool.name] is not tool})
            raise UsageError(f"More than one tool is named {', '.join(names)}: give each a name of its own.")
        self._validators = {tool.name: checking.validator(tool.name, offered(tool)) for tool in listed}
        self.tools: Mapping[str, Tool] = found

    async def close(self) -> None:
        if self._http is not None:
            await self._http.aclose()

    def specs(self, include_private: bool = False) -> tuple[ToolSpec, ...]:
        """What the model is told, in the tools' order; with the private ones, what flows may call too."""
        return tuple(
            ToolSpec(tool.name, tool.description, offered(tool))
            for tool in self.tools.values()
            if include_private or self._is_offered(tool)
        )

    def terms(self) -> Mapping[str, ToolTerms]:
        """What the engine must know of each tool."""
        return {name: _terms(tool) for name, tool in self.tools.items()}

    async def call(
        self,
        name: str,
        arguments: str | Mapping[str, Any],
        context: ToolContext,
        *,
        seconds: float,
        consents: tuple[Consent, ...] = (),
        now: float | None = None,
    ) -> ToolResult:
        """`permit` and `run` in one, for whom keeps no ledger."""
        permit = self.permit(name, arguments, context, consents=consents, now=time.time() if now is None else now)
        return permit if isinstance(permit, ToolResult) else await self.run(permit, seconds=seconds)

    def permit(
        self,
        name: str,
        arguments: str | Mapping[str, Any],
        context: ToolContext,
        *,
        consents: tuple[Consent, ...] = (),
        sealed: Mapping[str, str] | None = None,
        now: float,
    ) -> Permit | ToolResult:
        """The call if it may run now, else why not.

        `arguments` is JSON text from a model, or a mapping from a flow; only a flow reaches private tools. A failure's
        content is one sentence, for a model with `Error: ` before it. `sealed` arguments stand in no record.
        """
        found = self._permit(name, arguments, context, consents, sealed or {}, now)
        return _told(found, isinstance(arguments, str)) if isinstance(found, ToolResult) else found

    def _permit(
        self,
        name: str,
        arguments: str | Mapping[str, Any],
        context: ToolContext,
        consents: tuple[Consent, ...],
        sealed: Mapping[str, str],
        now: float,
    ) -> Permit | ToolResult:
        by_model = isinstance(arguments, str)
        tool = self.tools.get(name)
        if tool is None or (by_model and not self._is_offered(tool)):
            return results.failure("unknown_tool", f"There is no tool named {name[:64]!r}.")
        try:
            given = checking.parsed(arguments)
            checking.check_free(given, tool.bound)
            checking.check(self._validators[name], {**given, **sealed})
        except checking.Unusable as problem:
            return results.failure(problem.error, str(problem))
        context = replace(context, secrets=self._secrets, http=self._http)
        asked = canonical(given)
        if authority.unproven(tool, context, now):
            return ToolResult(_LACKING["unverified"], {"arguments": asked}, "unverified")
        try:
            permit = Permit(tool, filled(tool, {**given, **sealed}, context), asked, context, consents, by_model)
        except LookupError as error:
            self._log("tool.unbound", tool=name, missing=str(error))
            return results.failure("failed", f"{name} cannot be used here: something that it needs is not known.")
        lacking = authority.lacking(permit, now)
        if lacking:
            value = {"arguments": asked, "given": given, "digest": authority.bound_to(permit)}
            return ToolResult(_LACKING[lacking], value, lacking)
        return permit

    def _is_offered(self, tool: Tool) -> bool:
        named = self._offered is None or any(fnmatchcase(tool.name, pattern) for pattern in self._offered)
        return named and not tool.private

    async def run(self, permit: Permit, *, seconds: float) -> ToolResult:
        """Calls the tool for at most `seconds`, or its own timeout if that is shorter."""
        outcome = _Outcome()
        tool, limit = permit.tool, min(seconds, permit.tool.timeout)
        begun = time.monotonic()
        if await self._in_time(self._run(tool.call, permit, outcome), limit):
            result = self._result(tool, outcome)
        else:
            result = self._late(tool, outcome)
        if result.error == "unknown_outcome":
            left = max(seconds - (time.monotonic() - begun), _RECOVERY)
            result = await self._found_out(permit, left) or result
        return _told(result, permit.by_model)

    async def recover(self, permit: Permit, *, seconds: float) -> ToolResult | None:
        """What an interrupted call came to; None if that cannot be known. Raises NotDone if it did not take effect."""
        if permit.tool.recover is None:
            return None
        outcome = _Outcome()
        if not await self._in_time(self._run(permit.tool.recover, permit, outcome), min(seconds, _RECOVERY)):
            return None
        if isinstance(outcome.error, NotDone):
            raise outcome.error
        if outcome.error is not None and not isinstance(outcome.error, ToolError):
            self._log("tool.not_recovered", tool=permit.tool.name, **_details(outcome.error))
            return None
        return _told(self._result(permit.tool, outcome), permit.by_model)

    async def _found_out(self, permit: Permit, seconds: float) -> ToolResult | None:
        try:
            return await self.recover(permit, seconds=seconds)
        except NotDone:
            return results.failure("failed", f"{permit.tool.name} did not take effect. Nothing was changed.")

    async def _in_time(self, work: Coroutine[Any, Any, None], seconds: float) -> bool:
        """Whether the work was done in time; if not it is cancelled and no longer waited for."""
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        try:
            done, _ = await asyncio.wait({task}, timeout=max(seconds, 0.0))
        finally:
            task.cancel()
        return bool(done)

    async def _run(self, function: Callable[..., Any], permit: Permit, outcome: _Outcome) -> None:
        """Fills `outcome`; a cancellation that the tool itself causes counts as its error."""
        given, context = permit.arguments, permit.context
        try:
            if is_async(function):
                outcome.began = True
                outcome.value = await function(given, context)
                return
            value = await self._in_thread(lambda: function(given, context), outcome)
            outcome.value = await value if isinstance(value, Awaitable) else value
        except (Exception, SystemExit, asyncio.CancelledError) as error:  # noqa: BLE001 - the boundary of a tool call
            outcome.error = error

    async def _in_thread(self, function: Callable[[], Any], outcome: _Outcome) -> Any:
        """Runs a sync function in a daemon thread of its own, so that one that hangs cannot keep the process alive.

        The thread's slot is free again only when the function really ends.
        """
        await self._threads.acquire()
        loop, waiting = asyncio.get_running_loop(), asyncio.get_running_loop().create_future()

        def deliver(value: Any, error: BaseException | None) -> None:
            self._threads.release()
            if not waiting.done():
                waiting.set_result((value, error))

        def run() -> None:
            try:
                ended: tuple[Any, BaseException | None] = function(), None
            except BaseException as error:  # noqa: BLE001 - carried to the caller's task
                ended = None, error
            if not loop.is_closed():
                loop.call_soon_threadsafe(deliver, *ended)

        outcome.began = True
        threading.Thread(target=contextvars.copy_context().run, args=(run,), daemon=True, name="tool").start()
        value, error = await waiting
        if error is not None:
            raise error
        return value

    def _late(self, tool: Tool, outcome: _Outcome) -> ToolResult:
        self._log("tool.timeout", tool=tool.name, began=outcome.began)
        if tool.effects and outcome.began:
            return _unknown(tool)
        return results.failure("timeout", f"{tool.name} did not answer in time.")

    def _result(self, tool: Tool, outcome: _Outcome) -> ToolResult:
        if isinstance(outcome.error, ToolError):
            return results.failure("failed", str(outcome.error) or f"{tool.name} failed.")
        if isinstance(outcome.error, OutcomeUnknown):
            self._log("tool.unknown", tool=tool.name, error=str(outcome.error)[:500])
            return _unknown(tool)
        if outcome.error is not None:
            self._log("tool.failed", tool=tool.name, **_details(outcome.error))
            return results.failure("failed", f"{tool.name} failed because of a technical problem.")
        try:
            return results.success(outcome.value, self._max_chars)
        except (ValueError, TypeError, RecursionError) as error:
            self._log("tool.unserialisable", tool=tool.name, **_details(error))
            if tool.effects:
                return ToolResult("It was done. What it gave cannot be shown.")
            return results.failure("failed", f"{tool.name} gave a result that cannot be written as JSON.")


def _unknown(tool: Tool) -> ToolResult:
    sentence = f"{tool.name} did not finish in time, so it is not known whether it took effect. Do not repeat it."
    return results.failure("unknown_outcome", sentence)


def _told(result: ToolResult, by_model: bool) -> ToolResult:
    """The result as the model or a flow is told it."""
    if not by_model or not result.error or result.content.startswith("Error: "):
        return result
    return replace(result, content=f"Error: {result.content}")


def _terms(tool: Tool) -> ToolTerms:
    return ToolTerms(tool.effects, tool.public, tool.confirm, tool.progress, tool.description)


def is_async(call: Callable[..., Any]) -> bool:
    """Whether the function runs in the event loop; others run in a thread."""
    return inspect.iscoroutinefunction(call) or inspect.iscoroutinefunction(getattr(call, "__call__", None))  # noqa: B004 - the method itself is wanted


def _details(error: BaseException) -> dict[str, str]:
    frames = traceback.extract_tb(error.__traceback__)
    where = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return {"error": f"{type(error).__name__}: {error}"[:500], "where": where}
