"""The one retry policy: retries, fallback models and circuit breakers, inside the turn's deadline.

| error                          | same model again                      | fallback models |
|--------------------------------|---------------------------------------|-----------------|
| unavailable                    | up to `retries` times, with backoff   | then            |
| empty, malformed, cut stream   | once                                  | then            |
| truncated by the token limit, filtered, refused, billing | no          | at once         |
| deadline                       | no                                    | no              |

After the first streamed piece nothing is tried again. While a fallback is left, the same model is not waited for longer
than `patience` seconds: its failed call's own time and the wait before the next one count together.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from supportbot.errors import (
    ModelDeadline,
    ModelEmpty,
    ModelError,
    ModelMalformed,
    ModelUnavailable,
)
from supportbot.models.breaker import Breaker, State
from supportbot.models.failures import StreamCut
from supportbot.protocols import Model
from supportbot.types import ModelAnswer, ModelRequest, Usage

OnText = Callable[[str], Awaitable[None]]
_ONCE_MORE = (ModelEmpty, ModelMalformed, StreamCut)
_GRACE = 0.25
_LEAST = 0.05


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Times in seconds. The n-th wait is drawn evenly from 0 to `first` * 2**n, at most `longest`."""

    retries: int = 2
    first: float = 0.5
    longest: float = 8.0
    patience: float = 5.0

    def wait(self, attempt: int, retry_after: float | None, jitter: float) -> float:
        """Seconds before the retry after failed `attempt` (from 0); never less than the server asked for."""
        drawn = jitter * min(self.longest, self.first * 2.0**attempt)
        return drawn if retry_after is None else retry_after + drawn

    def allows(self, error: ModelError, attempt: int) -> bool:
        """Whether the same model may be asked again after this error in `attempt` (from 0)."""
        if isinstance(error, ModelUnavailable):
            return attempt < self.retries
        return isinstance(error, _ONCE_MORE) and attempt < min(self.retries, 1)


@dataclass(slots=True)
class _Round:
    """One `complete`: until when, what it has spent, and whether the customer has seen text already."""

    request: ModelRequest
    until: float
    on_text: OnText | None
    spent: list[Usage] = field(default_factory=list)
    seen: bool = False

    async def show(self, piece: str) -> None:
        assert self.on_text is not None
        self.seen = True
        await self.on_text(piece)


class ResilientModel:
    """Asks `models` in order until one gives an answer.

    `retries` per model; `policy` refines it. A breaker per model opens after `threshold` unavailable calls in a row and
    lets one call through after `cooldown` seconds. `notice` is told in a sentence when one opens or closes. `clock`
    (seconds, any origin), `sleep` and `jitter` (0..1) are handed in by tests.
    """

    def __init__(
        self,
        models: Sequence[tuple[str, Model]],
        *,
        retries: int = 2,
        policy: RetryPolicy | None = None,
        threshold: int = 5,
        cooldown: float = 30.0,
        notice: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        if not models:
            raise ValueError("ResilientModel needs at least one model")
        self._models = tuple(models)
        self._policy = policy or RetryPolicy(retries=retries)
        self._breakers = [Breaker(threshold=threshold, cooldown=cooldown, clock=clock) for _ in self._models]
        self._notice = notice
        self._clock = clock
        self._sleep = sleep
        self._jitter = jitter

    @property
    def states(self) -> Mapping[str, State]:
        """Each model's breaker: closed (works), open (left alone) or half-open (about to be tried)."""
        return {name: breaker.state for (name, _), breaker in zip(self._models, self._breakers, strict=True)}

    async def complete(
        self,
        request: ModelRequest,
        *,
        seconds: float,
        on_text: OnText | None = None,
    ) -> ModelAnswer:
        """See `supportbot.protocols.Model`; the error is the last model's, with every attempt's usage."""
        turn = _Round(request, self._clock() + seconds, on_text)
        failed: ModelError | None = None
        for place in range(len(self._models)):
            outcome = await self._persist(turn, place)
            if isinstance(outcome, ModelAnswer):
                return _with_usage(outcome, turn.spent)
            failed = outcome or failed
            if turn.seen or isinstance(failed, ModelDeadline):
                break
        error = failed or self._all_resting()
        error.usage = tuple(turn.spent)
        raise error

    async def close(self) -> None:
        """Closes every model, also when one of them fails to."""
        results = await asyncio.gather(*(model.close() for _, model in self._models), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _persist(self, turn: _Round, place: int) -> ModelAnswer | ModelError | None:
        """One model, with its retries; None if its breaker lets nothing through."""
        breaker = self._breakers[place]
        last: ModelError | None = None
        for attempt in range(self._policy.retries + 1):
            if not breaker.enter():
                return last
            began = self._clock()
            outcome = await self._attempt(turn, place)
            if isinstance(outcome, ModelAnswer) or turn.seen or not self._policy.allows(outcome, attempt):
                return outcome
            last = outcome
            if not await self._rested(turn, place, attempt, last, took=self._clock() - began):
                return last
        return last

    async def _rested(self, turn: _Round, place: int, attempt: int, error: ModelError, *, took: float) -> bool:
        """Waits before the next attempt; False, without waiting, if that would cost too much time or is in vain."""
        if self._breakers[place].wait > 0:
            return False
        retry_after = error.retry_after if isinstance(error, ModelUnavailable) else None
        wait = self._policy.wait(attempt, retry_after, self._jitter())
        more = any(breaker.wait == 0 for breaker in self._breakers[place + 1 :])
        if self._clock() + wait >= turn.until or (more and took + wait > self._policy.patience):
            return False
        await self._sleep(wait)
        return True

    async def _attempt(self, turn: _Round, place: int) -> ModelAnswer | ModelError:
        """One call, reported to the breaker and to the round's usage."""
        name, model = self._models[place]
        breaker = self._breakers[place]
        try:
            answer = await self._bounded(turn, name, model)
        except ModelError as error:
            turn.spent.extend(error.usage)
            self._report(name, breaker, error)
            return error
        finally:
            breaker.left()
        turn.spent.extend(answer.usage)
        self._report(name, breaker, None)
        return answer

    async def _bounded(self, turn: _Round, name: str, model: Model) -> ModelAnswer:
        """The model's answer; models keep the time themselves, and one that does not is cut off a little later."""
        left = turn.until - self._clock()
        if left < _LEAST:
            raise ModelDeadline("the turn's time was up before a model had answered")
        began = self._clock()
        on_text = None if turn.on_text is None else turn.show
        try:
            async with asyncio.timeout(left + _GRACE) as timer:
                return await model.complete(turn.request, seconds=left, on_text=on_text)
        except TimeoutError:
            if not timer.expired():
                raise
        error = ModelDeadline(f"the turn's time was up before {name} had answered")
        error.usage = (Usage(name, turn.request.purpose, outcome=error.name, seconds=self._clock() - began),)
        raise error

    def _report(self, name: str, breaker: Breaker, error: ModelError | None) -> None:
        if isinstance(error, ModelDeadline):
            return
        if isinstance(error, ModelUnavailable):
            if breaker.failed():
                self._tell(f"{name} is left alone for {breaker.wait:.0f} s after repeated failures: {error}")
        elif breaker.worked():
            self._tell(f"{name} answers again")

    def _tell(self, sentence: str) -> None:
        if self._notice is not None:
            self._notice(sentence)

    def _all_resting(self) -> ModelUnavailable:
        wait = min(breaker.wait for breaker in self._breakers)
        return ModelUnavailable(
            f"every model is left alone after repeated failures; the next try is in {wait:.0f} s", retry_after=wait
        )


def _with_usage(answer: ModelAnswer, spent: Sequence[Usage]) -> ModelAnswer:
    return answer if len(spent) == len(answer.usage) else replace(answer, usage=tuple(spent))
