"""Options that several commands share, and where a command finds its database."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from supportbot.stores import SqliteStore

ConfigPath = Annotated[Path, typer.Option("--config", help="The bot's config file.")]
StorePath = Annotated[Path | None, typer.Option("--store", help="Another database file than the config's.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def database(config: Path, store: Path | None) -> Path:
    """The database a command works on: `--store`, else the config's."""
    if store is not None:
        return store
    import os

    from supportbot.assembly import database as configured
    from supportbot.config import load

    return configured(load(config, env=os.environ))


def reading(config: Path, store: Path | None) -> SqliteStore:
    """A store opened for reading only, beside a running server. UsageError if there is no such file yet."""
    from supportbot.errors import UsageError
    from supportbot.stores import SqliteStore

    path = database(config, store)
    if path.is_dir():
        raise UsageError(f"{path} is a folder: name a database file with --store.")
    chat = path.with_name("chat.db")
    if store is None and not path.exists() and chat.exists():
        raise UsageError(
            f"There is no database at {path} yet, `supportbot serve` makes it. "
            f"What was said in `supportbot chat` is read with --store {chat}"
        )
    return SqliteStore.read_only(path)
