"""`supportbot adapters`: the types of channels, and what a platform wants to be told of the bot."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from supportbot.cli.options import AsJson, ConfigPath

app = typer.Typer(help="List the channel types that can be configured here.", invoke_without_command=True)


@app.callback()
def listed(context: typer.Context, as_json: AsJson = False) -> None:
    """List the channel types that can be configured here."""
    if context.invoked_subcommand is not None:
        return
    from supportbot import channels

    names = channels.known()
    typer.echo(json.dumps(names) if as_json else "\n".join(names))


@app.command()
def manifest(
    channel: Annotated[str, typer.Argument(help="A channel of the config, or a type of channel: slack.")],
    config: ConfigPath = Path("config.yaml"),
) -> None:
    """Print what a platform needs to make the app.

    It is JSON; paste it there.
    """
    from supportbot import channels
    from supportbot.config import load
    from supportbot.errors import UsageError

    files = load(config, env=os.environ)
    settings = files.config.channels.get(channel)
    kind = channels.load(settings.type if settings is not None else channel)
    made = kind.manifest(
        channel,
        settings.options if settings is not None else {},
        bot_name=files.config.bot.name,
        public_url=(files.config.web.public_url or "").rstrip("/"),
    )
    if made is None:
        raise UsageError(f"the channel {channel} needs no manifest: see its page in the docs")
    typer.echo(json.dumps(made, indent=2, ensure_ascii=False))
