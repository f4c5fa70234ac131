"""The open rooms that a turn goes through, in one value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from supportbot.engine import Script
from supportbot.files import FileStore
from supportbot.outbox import Outbox
from supportbot.protocols import Adapter, Desk, Knowledge, Model, Store, ToolContext, TurnQueue
from supportbot.tools.authority import Permit
from supportbot.types import Consent, ToolResult
from supportbot.waits import Waits


class Tools(Protocol):
    """What the worker needs of the tools room."""

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
        """The call if it may run now, else why not."""

    async def run(self, permit: Permit, *, seconds: float) -> ToolResult:
        """Calls the tool; never raises because of it."""

    async def recover(self, permit: Permit, *, seconds: float) -> ToolResult | None:
        """What an interrupted call came to; None if nobody knows. Raises NotDone if it did not take effect."""


@dataclass(slots=True)
class House:
    """The open rooms that a turn goes through. `script` is exchanged whole when the config is reloaded."""

    store: Store
    queue: TurnQueue
    outbox: Outbox
    waits: Waits
    adapters: Mapping[str, Adapter]
    desks: Mapping[str, Desk]
    model: Model
    offline: Model
    knowledge: Knowledge
    tools: Tools
    files: FileStore
    script: Script
    own_files: Mapping[str, str]
    """Path in the bot's folder -> digest, of the files that flows send."""
    clock: Callable[[], float]
    log: Callable[..., None]
    file_size: int = 10_000_000
    file_types: tuple[str, ...] = ("image/*",)
    answer_within: float = 45.0
    notice_within: float = 60.0
    timers_set: Callable[[], None] = lambda: None
    jobs_set: Callable[[], None] = lambda: None
