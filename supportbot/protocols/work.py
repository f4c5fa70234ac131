"""What a turn works with: a model, tools, articles."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from supportbot.types import (
    Hit,
    ModelAnswer,
    ModelRequest,
    User,
)


class Model(Protocol):
    """Answers chat requests."""

    async def complete(
        self,
        request: ModelRequest,
        *,
        seconds: float,
        on_text: Callable[[str], Awaitable[None]] | None = None,
    ) -> ModelAnswer:
        """A usable answer within `seconds`, or a ModelError whose `usage` tells what was spent.

        `on_text` is awaited with each piece of text as it streams. After the first piece nothing is retried.
        """

    async def close(self) -> None: ...


_TOOL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}\Z")


@dataclass(frozen=True, slots=True)
class ToolContext:
    """Bound by the server for each call; nothing in it comes from the model.

    `customer` is the author of the message being answered. `key` is the same for every try at the same call
    (an idempotency key for systems that take one).
    """

    conversation: str
    customer: User
    channel: str
    locale: str
    key: str
    slots: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tool:
    """Something the bot can do. `call(arguments, context)` is sync or async; sync ones run in a thread.

    A `str` result reaches the model verbatim, anything else as JSON. `effects` marks a call that changes
    something: it runs at most once. Raise ToolError with a sentence for the customer's or model's mistake.
    `private` tools are for flows only; the model is not offered them. `public` says that its results may be read by
    anyone: those of other tools are shown in a shared place to the customer alone. `timeout` in seconds.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]
    call: Callable[[dict[str, Any], ToolContext], Any]
    effects: bool = False
    private: bool = False
    public: bool = False
    timeout: float = 15.0

    def __post_init__(self) -> None:
        if not _TOOL_NAME.match(self.name):
            raise ValueError(f"tool name {self.name!r}: use letters, digits, _ and -, at most 64")


class Knowledge(Protocol):
    """Finds passages in the articles."""

    async def search(self, query: str, *, limit: int) -> tuple[Hit, ...]:
        """The best passages, best first; () if nothing fits. Never raises on odd queries."""
