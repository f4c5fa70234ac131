"""`supportbot handoffs`: what humans own, and what they do about it."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from supportbot.cli.options import AsJson, ConfigPath, StorePath, database

if TYPE_CHECKING:
    from supportbot.types import Handoff, MessageKind

app = typer.Typer(help="List, show, claim, answer and end handoffs.", no_args_is_help=True)
Id = Annotated[str, typer.Argument(help="The handoff's id; its start is enough.")]
Agent = Annotated[str, typer.Option("--as", help="Your name, as the customer sees it.")]


@app.command("list")
def list_handoffs(
    config: ConfigPath = Path("config.yaml"),
    store: StorePath = None,
    everything: Annotated[bool, typer.Option("--all", help="Ended ones too.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the open handoffs, the oldest first."""
    from supportbot.cli.reading import handoff_list

    handoff_list(config, store, everything, as_json=as_json)


@app.command()
def show(
    id: Id, config: ConfigPath = Path("config.yaml"), store: StorePath = None, as_json: AsJson = False
) -> None:
    """Show one handoff: why, the summary, and the conversation."""
    from supportbot.cli.reading import handoff_show

    handoff_show(config, store, id, as_json=as_json)


@app.command()
def claim(id: Id, config: ConfigPath = Path("config.yaml"), store: StorePath = None, agent: Agent = "") -> None:
    """Take a handoff over."""
    _act("handoff.claimed", id, "", config, store, agent)


@app.command()
def reply(
    id: Id,
    text: Annotated[str, typer.Argument(help="What to say to the customer.")],
    config: ConfigPath = Path("config.yaml"),
    store: StorePath = None,
    agent: Agent = "",
) -> None:
    """Write to the customer (claims the handoff if nobody has)."""
    _act("human.message", id, text, config, store, agent)


@app.command()
def resolve(
    id: Id,
    text: Annotated[str, typer.Argument(help="A last message to the customer.")] = "",
    config: ConfigPath = Path("config.yaml"),
    store: StorePath = None,
    agent: Agent = "",
) -> None:
    """End a handoff: the matter is done."""
    _act("handoff.resolved", id, text, config, store, agent)


@app.command("return")
def give_back(
    id: Id,
    text: Annotated[str, typer.Argument(help="A last message to the customer.")] = "",
    config: ConfigPath = Path("config.yaml"),
    store: StorePath = None,
    agent: Agent = "",
) -> None:
    """Hand the conversation back to the bot."""
    _act("handoff.returned", id, text, config, store, agent)


@app.command()
def release(id: Id, config: ConfigPath = Path("config.yaml"), store: StorePath = None, agent: Agent = "") -> None:
    """Put a claimed handoff back for others."""
    _act("handoff.released", id, "", config, store, agent)


@app.command()
def transfer(
    id: Id,
    to: Annotated[str, typer.Argument(help="A desk, or an agent of the desk where it stands.")],
    config: ConfigPath = Path("config.yaml"),
    store: StorePath = None,
    agent: Agent = "",
) -> None:
    """Give a handoff to another desk or agent."""
    _act("handoff.transferred", id, "", config, store, agent, to=to)


@app.command()
def note(
    id: Id,
    text: Annotated[str, typer.Argument(help="What colleagues should know; the customer never sees it.")],
    config: ConfigPath = Path("config.yaml"),
    store: StorePath = None,
    agent: Agent = "",
) -> None:
    """Leave a note for colleagues."""
    _act("human.note", id, text, config, store, agent)


_DONE = {
    "handoff.claimed": "claimed",
    "human.message": "answered",
    "handoff.resolved": "resolved",
    "handoff.returned": "returned to the bot",
    "handoff.released": "released",
    "handoff.transferred": "transferred",
    "human.note": "noted",
}


def _act(
    kind: MessageKind, id: str, text: str, config: Path, store: Path | None, agent: str, *, to: str = ""
) -> None:
    import asyncio

    from supportbot.errors import UsageError

    if kind in ("human.message", "human.note") and not text.strip():
        raise UsageError("There is nothing to say: the text is empty.")
    path = database(config, store)
    handoff = asyncio.run(_find(path, id))
    if not handoff.open:
        raise UsageError(f"{handoff.id} has ended ({handoff.status}): its conversation is the bot's again.")
    agent = agent or getpass.getuser()
    if kind == "handoff.claimed" and handoff.status == "claimed" and handoff.agent != agent:
        raise UsageError(
            f"{handoff.agent} has {handoff.id}: ask for a release, or use `supportbot handoffs release`."
        )
    if kind == "handoff.transferred":
        _known(handoff, to, config)
    running = asyncio.run(_send(path, handoff, kind, text, agent, to))
    typer.echo(f"{handoff.id} {_DONE[kind]}")
    if not running:
        typer.echo("No server runs on this database: it takes effect when `supportbot serve` runs next.", err=True)


def _known(handoff: Handoff, to: str, config: Path) -> None:
    """Raises UsageError if there is no such desk, or agent at the desk where it stands."""
    import os

    from supportbot.config import load
    from supportbot.errors import UsageError

    desks = load(config, env=os.environ).config.desks
    here = desks[handoff.desk].agents if handoff.desk in desks else {}
    if to not in {*desks, *here, *(agent.id for agent in here.values())}:
        there = ", ".join((*desks, *here)) or "none: write `desks` in the config"
        raise UsageError(f"There is no desk or agent {to!r} to transfer it to; there are {there}.")


async def _find(path: Path, id: str) -> Handoff:
    from supportbot.cli.reading import find_handoff
    from supportbot.stores import SqliteStore

    store = SqliteStore.read_only(path)
    await store.open()
    try:
        return await find_handoff(store, id)
    finally:
        await store.close()


async def _send(path: Path, handoff: Handoff, kind: MessageKind, text: str, agent: str, to: str) -> bool:
    import secrets

    from supportbot.cli.acting import address_of, deliver
    from supportbot.types import Event, Message, User

    message = Message(
        address=await address_of(path, handoff.conversation),
        id=f"cli-{secrets.token_hex(16)}",
        user=User(agent, agent),
        text=text,
        kind=kind,
        event=Event("act", {"handoff": handoff.id, **({"to": to} if to else {})}),
    )
    return await deliver(path, message)
