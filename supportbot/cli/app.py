"""The commands. Each imports what it needs when it runs, so that `--help` answers at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from supportbot.cli import adapters, console, db, handoffs, tools
from supportbot.cli.options import AsJson, ConfigPath, StorePath

app = typer.Typer(
    name="supportbot",
    help="A customer-support bot out of plain files. Start with: supportbot demo",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)
app.add_typer(handoffs.app, name="handoffs")
app.add_typer(console.app, name="console")
app.add_typer(tools.app, name="tools")
app.add_typer(db.app, name="db")
app.add_typer(adapters.app, name="adapters")


def _version(wanted: bool) -> None:
    if wanted:
        from supportbot import __version__

        typer.echo(f"supportbot {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Options of all commands."""


@app.command()
def demo(
    model: Annotated[
        bool, typer.Option("--model", help="Use the model of OPENAI_API_KEY instead of none.")
    ] = False,
    terminal: Annotated[bool, typer.Option("--terminal", help="Only the bot, in the terminal.")] = False,
    host: Annotated[str, typer.Option(help="Another address than this machine's own.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Another port than 8080; 0 takes 8080 if it is free, else any.")
    ] = 0,
) -> None:
    """Open the example shop, its chat and the console: no key."""
    from supportbot.cli.demo import run

    raise typer.Exit(run(with_model=model, terminal=terminal, host=host, port=port))


@app.command()
def init(folder: Annotated[Path, typer.Argument(help="A new or empty folder.")]) -> None:
    """Make a new bot from the example."""
    from supportbot.cli.init import run

    raise typer.Exit(run(folder))


@app.command()
def check(
    config: ConfigPath = Path("config.yaml"),
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as findings too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Read every file of the bot and say where it is wrong."""
    from supportbot.cli.check import run

    raise typer.Exit(run(config, strict=strict, as_json=as_json))


@app.command()
def chat(
    config: ConfigPath = Path("config.yaml"),
    store: StorePath = None,
    name: Annotated[str, typer.Option(help="Your name, as the bot sees it.")] = "",
    conversation: Annotated[str, typer.Option(help="Which conversation to go on with.")] = "terminal",
    offline: Annotated[bool, typer.Option("--offline", help="Without a model, even if there is a key.")] = False,
) -> None:
    """Talk to the bot here, or over a pipe (one message a line)."""
    from supportbot.cli.chat import run

    raise typer.Exit(run(config, store=store, name=name, conversation=conversation, offline=offline))


@app.command()
def ask(
    text: Annotated[str, typer.Argument(help="One message.")],
    config: ConfigPath = Path("config.yaml"),
    store: StorePath = None,
    conversation: Annotated[
        str, typer.Option(help="Which conversation to go on with; a new one if left out.")
    ] = "",
    offline: Annotated[bool, typer.Option("--offline", help="Without a model, even if there is a key.")] = False,
    as_json: AsJson = False,
) -> None:
    """Ask one thing and print the answer."""
    from supportbot.cli.chat import run_once

    raise typer.Exit(
        run_once(text, config, store=store, conversation=conversation, offline=offline, as_json=as_json)
    )


@app.command()
def serve(
    config: ConfigPath = Path("config.yaml"),
    host: Annotated[str, typer.Option(help="Instead of web.host.")] = "",
    port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="Instead of web.port; 0 takes any free one.")
    ] = None,
) -> None:
    """Answer on every configured channel until SIGTERM or Ctrl-C."""
    from supportbot.cli.serve import run

    raise typer.Exit(run(config, host=host, port=port))


@app.command()
def conversations(
    conversation: Annotated[
        str, typer.Argument(help="Show this one in full (the start of its id is enough).")
    ] = "",
    config: ConfigPath = Path("config.yaml"),
    store: StorePath = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List conversations, the newest first, or show one."""
    from supportbot.cli.reading import conversation_list, conversation_show

    if conversation:
        conversation_show(config, store, conversation, as_json=as_json)
    else:
        conversation_list(config, store, limit, as_json=as_json)


@app.command()
def why(
    conversation: Annotated[str, typer.Argument(help="A conversation (the start of its id is enough).")],
    config: ConfigPath = Path("config.yaml"),
    store: StorePath = None,
    turns: Annotated[int, typer.Option(min=1, max=100, help="How many of the newest turns.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Explain how the newest answers came about."""
    from supportbot.cli.reading import explain

    explain(config, store, conversation, turns, as_json=as_json)


@app.command()
def usage(
    config: ConfigPath = Path("config.yaml"),
    store: StorePath = None,
    days: Annotated[int, typer.Option(min=1, max=3650, help="How many days back.")] = 30,
    as_json: AsJson = False,
) -> None:
    """Show what model calls cost, by day, channel and model."""
    from supportbot.cli.reading import usage_report

    usage_report(config, store, days, as_json=as_json)


@app.command()
def preview(
    flow: Annotated[str, typer.Argument(help="The flow's name.")],
    channel: Annotated[str, typer.Option(help="A channel of the config, or a type of channel such as slack.")],
    config: ConfigPath = Path("config.yaml"),
    locale: Annotated[str, typer.Option(help="One language only, such as de.")] = "",
    as_json: AsJson = False,
) -> None:
    """Show a flow's fixed texts as a channel shows them."""
    from supportbot.cli.looks import preview as show

    raise typer.Exit(show(config, flow, channel, locale, as_json=as_json))
