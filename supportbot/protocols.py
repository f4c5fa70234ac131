"""The seams of the house. Everything with a door outside stands behind one of these, and has a contract suite.

Rules that every implementation keeps:

1. Errors come from `supportbot.errors`; anything else that escapes is a bug of the implementation.
2. A coroutine that returned has done what it says durably; one that was cancelled or raised has done nothing.
3. Times are handed in (`now`, seconds since the epoch), never read from a clock, in `Store` and `TurnQueue.put`.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from supportbot.errors import ChannelRefused
from supportbot.types import (
    Address,
    Aside,
    Attachment,
    Capabilities,
    Committed,
    Conversation,
    Handoff,
    Hit,
    Inbound,
    Job,
    JournalEntry,
    Lease,
    Message,
    ModelAnswer,
    ModelRequest,
    Outcome,
    Outgoing,
    Receipt,
    Rendering,
    Reply,
    Turn,
    TurnInput,
    Usage,
    User,
)

if TYPE_CHECKING:
    import httpx2
    from starlette.routing import BaseRoute

# --- channels ------------------------------------------------------------------------------------------------


class Waiting(Protocol):
    """Replies held back for a caller that waits for them (`?wait=`), taken instead of being sent.

    Leave the `async with` block after `taken()` and they count as delivered; leave it without, and they are sent.
    """

    async def replies(self, seconds: float) -> tuple[Outgoing, ...]:
        """The turn's replies, () when time runs out or the turn has none."""

    def taken(self) -> None:
        """Call once the caller has them."""

    async def __aenter__(self) -> Waiting: ...

    async def __aexit__(self, *exc: object) -> None: ...


class Inbox(Protocol):
    """What an adapter may do with the house."""

    async def receive(self, message: Message) -> Receipt:
        """Stores the message; only after this returns may the platform be acknowledged.

        Raises Conflict (same id, other bytes), StoreFull, StoreBusy.
        """

    def wait_for(self, message: Message) -> Waiting:
        """Holds back what answers this message; enter it before `receive`."""

    async def answers(self, message: Message) -> tuple[Outgoing, ...]:
        """What was already answered to a message that came before (a repeat), () if nothing yet."""

    async def customer(self, address: Address) -> str:
        """The id of the customer of the conversation at this address, "" if there is none yet."""

    async def set_aside(self, channel: str, id: str, content: str, reason: str) -> None:
        """Keeps what is authentic but cannot be read, for people to look at; then acknowledge it.

        Raises StoreFull, StoreBusy. The same id is kept once.
        """


class Files(Protocol):
    """The contents of files, by their SHA-256."""

    async def read(self, digest: str) -> bytes:
        """NotFound if it is not kept (any more)."""


@dataclass(frozen=True, slots=True)
class Menu:
    """What the bot offers of itself, for the platform's own menus: (name, {locale: text}).

    `commands` are those that start flows, without the slash; `prompts` the flows with a button.
    """

    commands: tuple[tuple[str, Mapping[str, str]], ...] = ()
    prompts: tuple[tuple[str, Mapping[str, str]], ...] = ()


@dataclass(frozen=True, slots=True)
class ChannelContext:
    """What a started adapter is handed.

    `http(allow_private, most=1_000_000)` makes a client that refuses private addresses unless told otherwise, reads
    answers of at most `most` bytes, follows no redirect, uses no proxy and logs no URL; close it in `stop`. `public_url` is how the bot is reached from outside, "" if nobody said.
    """

    inbox: Inbox
    http: Callable[..., httpx2.AsyncClient]
    log: Callable[..., None]
    files: Files
    bot_name: str = ""
    locale: str = "en"
    menu: Menu = Menu()
    public_url: str = ""


class Adapter(ABC):
    """A channel. One object per configured channel; `name` is the channel's name in the config.

    `options` is the channel's mapping in the config without `type`; validate it here and raise
    `supportbot.ConfigError`/`UsageError` with one clear sentence. `capabilities` of the class are those that commands
    show; an object may have its own, set in `__init__` and not changed later.
    """

    capabilities: Capabilities = Capabilities()
    environment: ClassVar[Mapping[str, str]] = {}
    """Options that come from the environment where the config has none: {"token": "MY_TOKEN"}."""

    def __init__(self, name: str, options: Mapping[str, Any]) -> None:
        self.name = name
        self.options = options

    def routes(self) -> Sequence[BaseRoute]:
        """HTTP routes of this channel on the one port; none by default."""
        return ()

    async def start(self, context: ChannelContext) -> None:  # noqa: B027 - optional
        """Opens connections; called once, before the first `send`.

        What it raises keeps the whole bot from starting: raise UsageError for what the operator must mend, such as a
        wrong token, and for a platform that is only down start a task that keeps trying.
        """

    async def stop(self) -> None:  # noqa: B027 - optional
        """Closes them. Nothing is received or sent afterwards."""

    def pace(self, address: Address) -> float:
        """Seconds between two messages in this chat."""
        return self.capabilities.chat_interval

    @classmethod
    def render(cls, reply: Reply) -> Rendering:
        """How the reply looks here, without sending it; for `supportbot check` and `preview`."""
        return Rendering(reply.text)

    @classmethod
    def manifest(
        cls, name: str, options: Mapping[str, Any], *, bot_name: str, public_url: str
    ) -> Mapping[str, Any] | None:
        """What the platform is given to make the app for the channel `name`; None if it wants nothing."""
        return None

    async def working(self, outgoing: Outgoing, note: str) -> None:  # noqa: B027 - optional
        """Shows that the bot is at work on an answer; `note` says in the customer's language at what, or is "".

        `outgoing` is what would be sent if the turn were over now, with the id "".
        """

    async def fetch(self, attachment: Attachment, *, limit: int) -> bytes:
        """The content of an attachment that came by this channel. Raises FileTooLarge if it has more than `limit`
        bytes, ChannelRefused if it is gone, ChannelBusy if trying again may help."""
        raise ChannelRefused(f"channel {self.name} cannot fetch files")

    async def preview(self, outgoing: Outgoing, text: str) -> str:
        """Shows the reply's text so far (streaming) and returns a handle for `Outgoing.preview`; "" if it has none.

        The handle names the message and stays the same; it outlives the process. "" ends the showing. `outgoing` has
        the id "", and in `preview` the handle that was returned before.
        """
        return ""

    @abstractmethod
    async def send(self, outgoing: Outgoing) -> str:
        """Delivers one message and returns the platform's id for it ("" if it gives none).

        Returns only once the platform has accepted it. Raises ChannelBusy, ChannelRefused or ChannelGone.
        """


# --- model ---------------------------------------------------------------------------------------------------


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


# --- tools ---------------------------------------------------------------------------------------------------

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


# --- knowledge -----------------------------------------------------------------------------------------------


class Knowledge(Protocol):
    """Finds passages in the articles."""

    async def search(self, query: str, *, limit: int) -> tuple[Hit, ...]:
        """The best passages, best first; () if nothing fits. Never raises on odd queries."""


# --- store and queue -----------------------------------------------------------------------------------------


class Enqueue(Protocol):
    """The queue's side of `Store.receive`: called inside the store's own transaction.

    `transaction` is the pair's own kind of connection (sqlite3.Connection for sqlite + local). What it returns,
    if anything, is called after the transaction has committed.
    """

    def __call__(self, transaction: Any, job: Job, /) -> Callable[[], None] | None: ...


class TurnQueue(Protocol):
    """Which conversation is next. One lease per conversation at a time, in the order of readiness."""

    async def claim(self) -> Lease:
        """Waits for the next conversation with work that nobody holds, and leases it."""

    async def extend(self, lease: Lease, *, until: float) -> None:
        """Keeps a lease longer; raises StaleLease when it is gone."""

    async def release(self, lease: Lease, *, again_at: float | None) -> None:
        """Gives the lease back; `again_at` is when there is more work, None for no more."""

    async def close(self) -> None: ...


class Store(Protocol):
    """Every conversation, durably. Each method is one transaction. Written by one process (SQLite) or many."""

    async def open(self) -> None:
        """Takes ownership, checks the version, migrates. Raises StoreBusy, StoreNewer, StoreFull, StoreError."""

    async def close(self) -> None: ...

    # the way in
    async def receive(self, message: Message, *, now: float, ready_at: float) -> Receipt:
        """Stores, deduplicates and enqueues. A repeat gives the first receipt; Conflict if its digest differs."""

    async def begin(self, lease: Lease, *, now: float) -> TurnInput | None:
        """Fences out older attempts and reads the turn; None if nothing is pending. StaleLease if outdated."""

    async def arrived(self, lease: Lease, *, after: int) -> tuple[Inbound, ...]:
        """Messages accepted for the conversation after inbox position `after`. StaleLease if outdated."""

    async def journal(self, lease: Lease, entry: JournalEntry) -> None:
        """Writes, or overwrites, one journal entry of the running turn. StaleLease if outdated."""

    async def commit(self, lease: Lease, outcome: Outcome, *, now: float) -> Committed:
        """Writes the turn and ends the lease's fence. StaleLease if outdated."""

    async def seize(self, conversation: str, *, until: float) -> Lease:
        """A lease newer than anyone's, for the watchdog: whoever holds the turn can no longer commit it."""

    async def holds(self, lease: Lease) -> bool:
        """Whether the lease is still the conversation's newest."""

    # the way out
    async def due(self, *, now: float, limit: int, busy: Collection[str]) -> tuple[Outgoing, ...]:
        """The first unsent row of each lane not in `busy`, if its time has come; oldest first."""

    async def delivered(self, ids: Sequence[str], *, handle: str = "", now: float) -> None: ...

    async def postpone(self, id: str, *, until: float, error: str) -> None:
        """Counts one more attempt and keeps the row, and its lane, until then."""

    async def bury(self, id: str, *, error: str, now: float) -> None:
        """Makes the row a dead letter; its lane goes on."""

    async def unsent(self, id: str) -> bool:
        """Whether the row is still to be sent; asked again when a sender may have slept past its time."""

    async def behind(self, conversation: str, channel: str) -> bool:
        """Whether anything said earlier in the conversation is still to be sent on the channel."""

    async def replies_to(self, channel: str, message_id: str) -> tuple[Outgoing, ...]:
        """The replies that answer a message, sent or not, in order."""

    # time
    async def fire_timers(self, *, now: float) -> int:
        """Turns due timers into inbox rows (kind "timer") and enqueues them; how many."""

    async def next_timer(self) -> float | None: ...

    async def overdue(self, *, before: float) -> tuple[tuple[str, float], ...]:
        """Conversations whose oldest pending message from outside was received before then, with that time."""

    async def pending(self) -> tuple[Job, ...]:
        """Conversations with pending messages, for a queue that keeps no state of its own."""

    async def sweep(self, *, now: float, keep: float) -> int:
        """Removes inbox and outbox rows, and journals, finished before `now - keep`; how many. Dead letters stay."""

    # reading, for people and commands
    async def conversation(self, id: str) -> Conversation:
        """NotFound if there is none."""

    async def find(self, channel: str, chat: str, thread: str = "") -> Conversation | None: ...

    async def conversations(self, *, limit: int = 50, before: float | None = None) -> tuple[Conversation, ...]:
        """Newest first by last change; `before` pages on."""

    async def transcript(self, conversation: str, *, limit: int = 200) -> tuple[Turn, ...]:
        """The newest turns, oldest first, in full: trimming never deletes."""

    async def handoffs(self, *, open_only: bool = True, limit: int = 100) -> tuple[Handoff, ...]: ...

    async def handoff(self, id: str) -> Handoff:
        """NotFound if there is none."""

    async def traces(self, conversation: str, *, limit: int = 1) -> tuple[Mapping[str, Any], ...]:
        """The newest turns' traces, newest first: {sequence, at, config, steps, usage}."""

    async def usage(self, *, since: float) -> tuple[tuple[str, str, Usage], ...]:
        """(conversation, channel, usage) of each model call since then."""

    async def set_aside(self, channel: str, id: str, content: str, reason: str, *, now: float) -> None:
        """Keeps an authentic update that no adapter can read; the same (channel, id) once."""

    async def aside(self, *, limit: int = 100) -> tuple[Aside, ...]:
        """What was set aside, newest first."""

    async def dead_letters(self, *, limit: int = 100) -> tuple[tuple[Outgoing, str], ...]:
        """Messages that could not be delivered, with the last error."""

    async def counts(self) -> Mapping[str, int]:
        """How many rows each table holds, and pending inbox and outbox rows: {"inbox_pending": 0, …}."""


__all__ = [
    "Adapter",
    "ChannelContext",
    "Enqueue",
    "Files",
    "Inbox",
    "Knowledge",
    "Menu",
    "Model",
    "Store",
    "Tool",
    "ToolContext",
    "TurnQueue",
    "Waiting",
]
