"""`supportbot db`: care for the database."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from supportbot.cli.options import AsJson, ConfigPath, StorePath, database

app = typer.Typer(help="Back up, restore, check and migrate the database.", no_args_is_help=True)


@app.command()
def backup(
    target: Annotated[Path, typer.Argument(help="A file that does not exist yet.")],
    config: ConfigPath = Path("config.yaml"),
    store: StorePath = None,
) -> None:
    """Write a complete, verified copy; the server may go on running."""
    from supportbot.stores import maintenance

    source = database(config, store)
    maintenance.backup(source, target)
    typer.echo(f"backed up {source} to {target}")


@app.command()
def restore(
    source: Annotated[Path, typer.Argument(help="A backup.")],
    config: ConfigPath = Path("config.yaml"),
    store: StorePath = None,
) -> None:
    """Put a backup in the place of the database.

    Stop the server first. The old file is kept beside the new one.
    """
    from supportbot.stores import maintenance

    target = database(config, store)
    kept = maintenance.restore(source, target)
    typer.echo(f"restored {target} from {source}" + (f"; the old database is {kept}" if kept else ""))


@app.command()
def check(config: ConfigPath = Path("config.yaml"), store: StorePath = None, as_json: AsJson = False) -> None:
    """Look for damage and stuck messages; exit 1 if any."""
    import json

    from supportbot.stores import maintenance

    findings = maintenance.check(database(config, store))
    if as_json:
        typer.echo(json.dumps([str(finding) for finding in findings]))
    else:
        for finding in findings:
            typer.echo(str(finding))
        typer.echo("no findings" if not findings else f"{len(findings)} finding(s)")
    raise typer.Exit(1 if findings else 0)


@app.command()
def aside(
    config: ConfigPath = Path("config.yaml"),
    store: StorePath = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many of the newest.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List what was sent and no channel could read."""
    from supportbot.cli.reading import set_aside

    set_aside(config, store, limit, as_json=as_json)


@app.command()
def migrate(config: ConfigPath = Path("config.yaml"), store: StorePath = None) -> None:
    """Bring the database to this version (`serve` does so by itself)."""
    from supportbot.stores import maintenance

    applied = maintenance.migrate(database(config, store))
    typer.echo("applied: " + ", ".join(applied) if applied else "nothing to do: the database is up to date")
