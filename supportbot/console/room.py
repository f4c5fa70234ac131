"""All that the console's pages need of the house."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from supportbot.changes import Changes
from supportbot.files import FileStore
from supportbot.protocols import Adapter, Desk
from supportbot.stores import SqliteStore
from supportbot.types import Message, Receipt

if TYPE_CHECKING:
    import httpx2

    from supportbot.config.settings import Config


MOST_FILES = 5
"""Files in one form."""


class Receive(Protocol):
    """`Bot.receive`."""

    def __call__(self, message: Message, /) -> Awaitable[Receipt]: ...


@dataclass(frozen=True, slots=True)
class Room:
    """The open rooms of the house, for the console.

    `store.read` and `store.write` run a function over the store's connection; `receive` takes what an agent does;
    `http(allow_private)` makes a client as channels get it; `public_url` is "" if nobody said.
    """

    store: SqliteStore
    receive: Receive
    files: FileStore
    config: Config
    clock: Callable[[], float]
    log: Callable[..., None]
    changes: Changes
    adapters: Mapping[str, Adapter]
    desks: Mapping[str, Desk]
    http: Callable[..., httpx2.AsyncClient]
    public_url: str = ""
    bot_name: str = ""
    sensitive: frozenset[str] = frozenset()
    """Slots whose values are shown nowhere but in what the customer wrote."""
