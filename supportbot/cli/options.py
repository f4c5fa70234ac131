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
    """A store opened for reading only, beside a running server."""
    from supportbot.stores import SqliteStore

    return SqliteStore.read_only(database(config, store))
