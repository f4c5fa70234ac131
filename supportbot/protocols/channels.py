"""What stands between the house and a channel."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from supportbot.errors import ChannelRefused, UsageError
from supportbot.protocols.desks import Desk, DeskInbox
from supportbot.protocols.shelf import Shelf
from supportbot.types import (
    Address,
    Attachment,
    Capabilities,
    Identity,
    Message,
    Outgoing,
    Receipt,
    Rendering,
    Reply,
)

if TYPE_CHECKING:
    import httpx2
    from starlette.routing import BaseRoute


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

    async def receive(self, message: Message, *, entry: Mapping[str, Any] | None = None) -> Receipt:
        """Stores the message; only after this returns may the platform be acknowledged.

        `entry` is what the channel's own pages show of it, which goes into the feed of the message's chat with it, under
        the message's id.

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

    async def keep(self, content: bytes) -> str:
        """The digest of the content, once it is safely on the disk. Raises StoreFull."""

    async def read(self, digest: str) -> bytes:
        """NotFound if it is not kept (any more)."""


@dataclass(frozen=True, slots=True)
class Menu:
    """What the bot offers of itself, for the platform's own menus: (name, {locale: text}).

    `commands` are those that start flows, without the slash; `prompts` the flows with a button.
    """

    commands: tuple[tuple[str, Mapping[str, str]], ...] = ()
    prompts: tuple[tuple[str, Mapping[str, str]], ...] = ()


async def _nobody_looks(address: Address) -> None:
    """Where there is no console."""


@dataclass(frozen=True, slots=True)
class ChannelContext:
    """What a started adapter is handed.

    `http(allow_private, most=1_000_000, hosts=())` makes a client that refuses private addresses unless told otherwise
    (`hosts` are those that it may reach all the same, as http://name:port), reads answers of at most `most` bytes, follows no redirect, uses no proxy and logs no URL; close it in `stop`. `public_url` is how the bot is reached from outside, "" if nobody said.
    """

    inbox: Inbox
    http: Callable[..., httpx2.AsyncClient]
    log: Callable[..., None]
    files: Files
    desks: DeskInbox
    shelf: Callable[[str], Shelf]
    """The shelf of a channel by its name."""
    identify: Callable[[str], Identity | None]
    """Who a signed identity (`Message.proof`) proves, None if it does not hold."""
    typing: Callable[[Address], Awaitable[None]] = _nobody_looks
    """Tells colleagues who look at the conversation at this address that its customer is writing."""
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
    body_limits: Mapping[str, int] = MappingProxyType({})
    """Paths (their beginnings) of this channel whose bodies may be larger than `web.body_limit`, and how many bytes."""
    paths: ClassVar[Sequence[str]] = ()
    """Options that name files in the bot's folder; they arrive as whole paths."""

    def __init__(self, name: str, options: Mapping[str, Any]) -> None:
        self.name = name
        self.options = options

    def routes(self) -> Sequence[BaseRoute]:
        """HTTP routes of this channel on the one port; none by default."""
        return ()

    def check(self) -> Sequence[str]:
        """What `supportbot check` should say of this channel: mistakes that show only when something is tried, one
        sentence each. Called instead of `start`; opens no connection."""
        return ()

    def desk(self, name: str, options: Mapping[str, Any]) -> Desk:
        """A desk on this channel, where human agents work: `desks.NAME` in the config, without the house's own keys.

        Called before `start`, once for each. Raises UsageError that begins with the option's name, also if the channel
        cannot be one.
        """
        raise UsageError("channel: a channel of this type cannot be a desk")

    async def start(self, context: ChannelContext) -> None:  # noqa: B027 - optional
        """Opens connections; called once, before the first `send`.

        What it raises keeps the whole bot from starting: raise UsageError for what the operator must mend, such as a
        wrong token, and for a platform that is only down start a task that keeps trying.
        """

    def closing(self) -> None:  # noqa: B027 - optional
        """The server is about to stop: ends answers that would never end by themselves, such as open streams."""

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

    async def writing(self, address: Address, name: str) -> None:  # noqa: B027 - optional
        """Shows that a human agent is writing, for a few seconds; `name` is how the customer knows them."""

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
