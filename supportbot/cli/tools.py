"""`supportbot tools`: what the bot can do, tried by hand; what waits for a colleague; and what was done."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated

import typer

from supportbot.cli.options import AsJson, ConfigPath, StorePath

app = typer.Typer(help="List and try tools; allow the calls that wait.", no_args_is_help=True)
Id = Annotated[str, typer.Argument(help="The call's id; its start is enough.")]
By = Annotated[str, typer.Option("--as", help="Your name.")]
Note = Annotated[str, typer.Option(help="Why, for the records.")]


@app.command("list")
def listed(config: ConfigPath = Path("config.yaml"), as_json: AsJson = False) -> None:
    """List the tools and what must be so before they run."""
    from supportbot.cli.trying import show

    show(config, as_json=as_json)


@app.command()
def call(
    name: Annotated[str, typer.Argument(help="The tool's name.")],
    arguments: Annotated[list[str] | None, typer.Argument(help="NAME=VALUE, or one JSON object.")] = None,
    config: ConfigPath = Path("config.yaml"),
    customer: Annotated[str, typer.Option(help="The customer's id in your systems: as if proven.")] = "",
    locale: Annotated[str, typer.Option(help="The customer's language.")] = "",
    really: Annotated[bool, typer.Option("--yes", help="Do it, if it changes something.")] = False,
    as_json: AsJson = False,
) -> None:
    """Call a tool as a flow would, and print its result."""
    from supportbot.cli.trying import attempt

    raise typer.Exit(
        attempt(name, arguments or [], config, customer=customer, locale=locale, really=really, as_json=as_json)
    )


@app.command()
def waiting(config: ConfigPath = Path("config.yaml"), store: StorePath = None, as_json: AsJson = False) -> None:
    """List the calls that wait for a colleague to allow them."""
    from supportbot.cli.reading import calls_waiting

    calls_waiting(config, store, as_json=as_json)


@app.command()
def approve(
    id: Id, config: ConfigPath = Path("config.yaml"), store: StorePath = None, by: By = "", note: Note = ""
) -> None:
    """Allow a call that waits."""
    _decide(id, config, store, by, note, approved=True)


@app.command()
def deny(
    id: Id, config: ConfigPath = Path("config.yaml"), store: StorePath = None, by: By = "", note: Note = ""
) -> None:
    """Refuse a call that waits; the customer is told."""
    _decide(id, config, store, by, note, approved=False)


@app.command()
def log(
    config: ConfigPath = Path("config.yaml"),
    store: StorePath = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show what was done: the newest calls that changed something."""
    from supportbot.cli.reading import calls_done

    calls_done(config, store, limit, as_json=as_json)


def _decide(id: str, config: Path, store: Path | None, by: str, note: str, *, approved: bool) -> None:
    import asyncio

    from supportbot import callrows
    from supportbot.cli.acting import address_of, deliver
    from supportbot.cli.options import database
    from supportbot.cli.reading import find_waiting

    async def run() -> tuple[str, str, bool]:
        conversation, found = await find_waiting(path, id)
        where = await address_of(path, conversation)
        row = callrows.decided(where, found, approved=approved, by=by or getpass.getuser(), note=note)
        return found.id, found.tool, await deliver(path, row)

    path = database(config, store)
    call, tool, running = asyncio.run(run())
    typer.echo(f"{call} {'allowed' if approved else 'refused'}: {tool}")
    if not running:
        typer.echo("No server runs on this database: it takes effect when `supportbot serve` runs next.", err=True)
