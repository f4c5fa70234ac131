"""A model that says what a script says: for tests, demos and examples."""

from __future__ import annotations

import asyncio
import copy
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from supportbot.errors import ModelDeadline, ModelError, ModelRefused
from supportbot.types import ModelAnswer, ModelRequest, ToolCall, Usage

OnText = Callable[[str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Line:
    """One answer of the script: text in `pieces` as they stream, tool calls, or an error, after `delay` seconds.

    With an `error` the pieces are streamed first: an answer that breaks off.
    """

    pieces: tuple[str, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    error: ModelError | None = None
    delay: float = 0.0


Says = str | ToolCall | ModelAnswer | ModelError | Line


class ScriptedModel:
    """Answers with the script's entries in order, or with what a function makes of each request.

    An entry is a text, a ToolCall, a ModelAnswer, a ModelError (raised) or a Line. After the last entry every call is
    refused, unless `repeat` is true: then the last entry stays. `requests` holds every request so far.
    """

    def __init__(
        self,
        script: Sequence[Says] | Callable[[ModelRequest], Says],
        *,
        name: str = "scripted",
        repeat: bool = False,
    ) -> None:
        self._script = script
        self._repeat = repeat
        self.name = name
        self.requests: list[ModelRequest] = []

    async def complete(
        self,
        request: ModelRequest,
        *,
        seconds: float,
        on_text: OnText | None = None,
    ) -> ModelAnswer:
        """The next entry; ModelDeadline if its delay is longer than `seconds`."""
        self.requests.append(request)
        began = time.perf_counter()
        line = self._next(request)
        answer = line if isinstance(line, ModelAnswer) else None
        line = _as_line(line)
        late = line.delay >= seconds
        await asyncio.sleep(min(line.delay, max(seconds, 0.0)))
        if late:
            raise self._spent(
                ModelDeadline(f"the turn's time was up before {self.name} had answered"), request, began
            )
        for piece in line.pieces if on_text is not None else ():
            await on_text(piece)  # type: ignore[misc]  # not None: the loop is empty otherwise
        if line.error is not None:
            raise self._spent(copy.copy(line.error), request, began)
        given = answer or ModelAnswer("".join(line.pieces), line.tool_calls)
        usage = given.usage or (self._usage(request, "ok", began, len(given.text.split())),)
        return replace(given, model=given.model or self.name, usage=usage)

    async def close(self) -> None:
        """Nothing is held open."""

    def _next(self, request: ModelRequest) -> Says:
        if callable(self._script):
            return self._script(request)
        asked = len(self.requests) - 1
        if asked < len(self._script):
            return self._script[asked]
        if self._repeat and self._script:
            return self._script[-1]
        return ModelRefused(
            f"the script of {self.name} has {len(self._script)} answers, and this was one more question"
        )

    def _spent(self, error: ModelError, request: ModelRequest, began: float) -> ModelError:
        error.usage = error.usage or (self._usage(request, error.name, began, 0),)
        return error

    def _usage(self, request: ModelRequest, outcome: str, began: float, words: int) -> Usage:
        """Words stand for tokens, and nothing is charged."""
        prompt = sum(len(message.content.split()) for message in request.messages)
        return Usage(
            model=self.name,
            purpose=request.purpose,
            prompt_tokens=prompt,
            completion_tokens=words,
            cost=0,
            outcome=outcome,
            seconds=time.perf_counter() - began,
            at=time.time(),
        )


def _as_line(says: Says) -> Line:
    if isinstance(says, Line):
        return says
    if isinstance(says, ModelError):
        return Line(error=says)
    if isinstance(says, ToolCall):
        return Line(tool_calls=(says,))
    text = says if isinstance(says, str) else says.text
    words = text.split(" ")
    pieces = [f"{word} " for word in words[:-1]] + words[-1:]
    return Line(pieces=tuple(piece for piece in pieces if piece))
