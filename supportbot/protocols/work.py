"""What a turn works with: a model, tools, articles."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from supportbot.types import (
    UNPROVEN,
    Hit,
    Identity,
    Limit,
    ModelAnswer,
    ModelRequest,
    User,
)

if TYPE_CHECKING:
    import httpx2


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


class Secrets(Mapping[str, str]):
    """The operator's secrets for tools, by name (`tools.secrets`); never shown by `repr`."""

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self._values = dict(values or {})

    def __getitem__(self, name: str) -> str:
        try:
            return self._values[name]
        except KeyError:
            raise KeyError(f"there is no secret {name!r}: name it under tools.secrets in the config") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Secrets({', '.join(self._values)})"


@dataclass(frozen=True, slots=True)
class ToolContext:
    """Bound by the server for each call; nothing in it comes from the model.

    `customer` is the author of the message being answered, `identity` who they have proven to be. `key` is the same
    for every try at the same call (an idempotency key for systems that take one). `http` is a client that reaches the
    public internet only, and the `tools.hosts` of the config; async tools may use it. `progress(text)` shows the
    customer what a slow tool is at.
    """

    conversation: str
    customer: User
    channel: str
    locale: str
    key: str
    slots: Mapping[str, Any] = field(default_factory=dict)
    identity: Identity = UNPROVEN
    secrets: Mapping[str, str] = field(default_factory=Secrets)
    http: httpx2.AsyncClient | None = None
    progress: Callable[[str], None] = lambda text: None


class NotDone(Exception):
    """Raised by `Tool.recover`: the interrupted call certainly did not take effect."""


class OutcomeUnknown(Exception):
    """Raised by a tool with effects that cannot know whether the call took effect; a sentence says why."""


@dataclass(frozen=True, slots=True)
class Tool:
    """Something the bot can do. `call(arguments, context)` is sync or async; sync ones run in a thread.

    A `str` result reaches the model verbatim, anything else as JSON. Raise ToolError with a sentence for the customer's
    or model's mistake. `timeout` in seconds; 0 means 15, and ten minutes for a long one.

    What it is: `effects` marks a call that changes something: it runs at most once. `private` tools are for flows only;
    the model is not offered them. `public` says that its results may be read by anyone: those of other tools are shown
    in a shared place to the customer alone. `long` ones take minutes: the turn ends without them, and the conversation
    goes on when they do. `progress` is shown while it runs: a text, or texts by locale.

    What must be so before it runs: `bound` arguments are put in by the server and are not in the model's schema, such as
    {"customer_id": "identity.customer"}. `requires` "verified": the customer has proven who they are. `confirm`: the
    customer has said yes to exactly these arguments; a text, or texts by locale, are a template of the question. `approve` "human": a person has. `limits` hold for all calls.

    `recover(arguments, context)` is asked what a call that was interrupted came to: it gives its result, raises NotDone
    if it certainly did not take effect, and anything else if that cannot be known. Without it the outcome is unknown.
    `source` is where the tool comes from, for people.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]
    call: Callable[[dict[str, Any], ToolContext], Any]
    effects: bool = False
    private: bool = False
    public: bool = False
    timeout: float = 0.0
    bound: Mapping[str, str] = field(default_factory=dict)
    requires: Literal["", "verified"] = ""
    confirm: bool | str | Mapping[str, str] = False
    approve: Literal["", "human"] = ""
    limits: tuple[Limit, ...] = ()
    long: bool = False
    progress: str | Mapping[str, str] = ""
    recover: Callable[[dict[str, Any], ToolContext], Any] | None = None
    source: str = ""

    def __post_init__(self) -> None:
        if not _TOOL_NAME.match(self.name):
            raise ValueError(f"tool name {self.name!r}: use letters, digits, _ and -, at most 64")
        if not self.timeout:
            object.__setattr__(self, "timeout", 600.0 if self.long else 15.0)


class Knowledge(Protocol):
    """Finds passages in the articles."""

    async def search(self, query: str, *, limit: int) -> tuple[Hit, ...]:
        """The best passages, best first; () if nothing fits. Never raises on odd queries."""
