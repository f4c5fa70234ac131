"""Runs tools: checks the arguments, keeps the time, and turns whatever happens into a ToolResult.

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
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from supportbot.errors import ToolError, UsageError
from supportbot.protocols import Tool, ToolContext
from supportbot.tools import arguments as checking
from supportbot.tools import results
from supportbot.types import ToolResult, ToolSpec

MAX_CHARS = 50_000
THREADS = 16


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

    `log(event, **details)` hears what is wrong inside tools. Raises UsageError if two tools share a name or a tool's
    parameters are no JSON Schema.
    """

    def __init__(
        self,
        tools: Mapping[str, Tool] | Iterable[Tool],
        *,
        max_chars: int = MAX_CHARS,
        threads: int = THREADS,
        log: Callable[..., None] = _silent,
    ) -> None:
        listed = tuple(tools.values() if isinstance(tools, Mapping) else tools)
        self.tools: Mapping[str, Tool] = {tool.name: tool for tool in listed}
        if len(self.tools) < len(listed):
            names = sorted({tool.name for tool in listed if self.tools[tool.name] is not tool})
            raise UsageError(f"More than one tool is named {', '.join(names)}: give each a name of its own.")
        self._validators = {tool.name: checking.validator(tool.name, tool.parameters) for tool in listed}
        self._max_chars = max(max_chars, results.LEAST)
        self._threads = asyncio.Semaphore(threads)
        self._log = log
        self._running: set[asyncio.Task[None]] = set()

    def specs(self, include_private: bool = False) -> tuple[ToolSpec, ...]:
        """What the model is told, in the tools' order."""
        return tuple(
            ToolSpec(tool.name, tool.description, tool.parameters)
            for tool in self.tools.values()
            if include_private or not tool.private
        )

    def public(self) -> frozenset[str]:
        """The names of the tools whose results anyone may read."""
        return frozenset(tool.name for tool in self.tools.values() if tool.public)

    def acts(self, name: str) -> bool:
        """Whether a call of this tool has effects; False for a name that no tool has."""
        return name in self.tools and self.tools[name].effects

    async def call(
        self, name: str, arguments: str | Mapping[str, Any], context: ToolContext, *, seconds: float
    ) -> ToolResult:
        """Calls a tool for at most `seconds`, or its own timeout if that is shorter.

        `arguments` is JSON text from a model, or a mapping from a flow; only a flow reaches private tools. A failure's
        content is one sentence, for a model with `Error: ` before it.
        """
        result = await self._call(name, arguments, context, seconds)
        if result.error and isinstance(arguments, str):
            return replace(result, content=f"Error: {result.content}")
        return result

    async def _call(
        self, name: str, arguments: str | Mapping[str, Any], context: ToolContext, seconds: float
    ) -> ToolResult:
        tool = self.tools.get(name)
        if tool is None or (tool.private and isinstance(arguments, str)):
            return results.failure("unknown_tool", f"There is no tool named {name[:64]!r}.")
        try:
            given = checking.parsed(arguments)
            checking.check(self._validators[name], given)
        except checking.Unusable as problem:
            return results.failure(problem.error, str(problem))
        outcome = _Outcome()
        if not await self._in_time(self._run(tool, given, context, outcome), min(seconds, tool.timeout)):
            return self._late(tool, outcome)
        return self._result(tool, outcome)

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

    async def _run(self, tool: Tool, given: dict[str, Any], context: ToolContext, outcome: _Outcome) -> None:
        """Fills `outcome`; a cancellation that the tool itself causes counts as its error."""
        try:
            if _is_async(tool.call):
                outcome.began = True
                outcome.value = await tool.call(given, context)
                return
            value = await self._in_thread(lambda: tool.call(given, context), outcome)
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
            sentence = (
                f"{tool.name} did not finish in time, so it is not known whether it took effect. Do not repeat it."
            )
            return results.failure("unknown_outcome", sentence)
        return results.failure("timeout", f"{tool.name} did not answer in time.")

    def _result(self, tool: Tool, outcome: _Outcome) -> ToolResult:
        if isinstance(outcome.error, ToolError):
            return results.failure("failed", str(outcome.error) or f"{tool.name} failed.")
        if outcome.error is not None:
            self._log("tool.failed", tool=tool.name, **_details(outcome.error))
            return results.failure("failed", f"{tool.name} failed because of a technical problem.")
        try:
            return results.success(outcome.value, self._max_chars)
        except (ValueError, TypeError, RecursionError) as error:
            self._log("tool.unserialisable", tool=tool.name, **_details(error))
            return results.failure("failed", f"{tool.name} gave a result that cannot be written as JSON.")


def _is_async(call: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(call) or inspect.iscoroutinefunction(getattr(call, "__call__", None))  # noqa: B004 - the method itself is wanted


def _details(error: BaseException) -> dict[str, str]:
    frames = traceback.extract_tb(error.__traceback__)
    where = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return {"error": f"{type(error).__name__}: {error}"[:500], "where": where}
