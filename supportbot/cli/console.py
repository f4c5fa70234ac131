"""`supportbot console`: the accounts of the pages where agents work."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from supportbot.cli.options import AsJson, ConfigPath, StorePath, database

if TYPE_CHECKING:
    from typing import Literal

    from supportbot.types.console import Account, Role

app = typer.Typer(help="Make and change the console's accounts.", no_args_is_help=True)
Login = Annotated[str, typer.Argument(help="What they sign in with.")]
FromStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]


@app.command()
def create_user(
    login: Login,
    name: Annotated[str, typer.Option(help="As customers see it; the login if left out.")] = "",
    role: Annotated[str, typer.Option(help="agent, lead or admin; admin for the first account, else agent.")] = "",
    password_stdin: FromStdin = False,
    config: ConfigPath = Path("config.yaml"),
    store: StorePath = None,
) -> None:
    """Make an account.

    Asks for the password; without a terminal one is made, printed, and changed at the first sign-in.
    """
    from supportbot.console.people import is_role, name_problem
    from supportbot.errors import UsageError

    if role and not is_role(role):
        raise UsageError(f"There is no role {role!r}: write agent, lead or admin.")
    if problem := name_problem(name.strip()):
        raise UsageError(problem)
    path = database(config, store)
    known, made = _password(_login(login), from_stdin=password_stdin)
    wanted: Role | None = role if is_role(role) else None
    account = _change(path, "create", login, name=name.strip(), role=wanted, password=known, made=made)
    typer.echo(f"created {account.login} ({account.role})")
    _print_made(made)


@app.command()
def users(config: ConfigPath = Path("config.yaml"), store: StorePath = None, as_json: AsJson = False) -> None:
    """List the accounts."""
    from supportbot.cli.reading import account_list

    account_list(config, store, as_json=as_json)


@app.command()
def reset_password(
    login: Login,
    password_stdin: FromStdin = False,
    config: ConfigPath = Path("config.yaml"),
    store: StorePath = None,
) -> None:
    """Give an account another password; ends its sessions."""
    path = database(config, store)
    known, made = _password(_login(login), from_stdin=password_stdin)
    account = _change(path, "password", login, password=known, made=made)
    typer.echo(f"{account.login} has another password, and is signed out everywhere")
    _print_made(made)


@app.command()
def disable(login: Login, config: ConfigPath = Path("config.yaml"), store: StorePath = None) -> None:
    """Let somebody in no longer; ends their sessions."""
    typer.echo(f"{_change(database(config, store), 'disable', login).login} is disabled")


@app.command()
def enable(login: Login, config: ConfigPath = Path("config.yaml"), store: StorePath = None) -> None:
    """Let somebody in again."""
    typer.echo(f"{_change(database(config, store), 'enable', login).login} is enabled")


@app.command()
def audit(
    config: ConfigPath = Path("config.yaml"),
    store: StorePath = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many of the newest.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List what was done in the console, the newest first."""
    from supportbot.cli.reading import audit_list

    audit_list(config, store, limit, as_json=as_json)


def _login(text: str) -> str:
    from supportbot.console.people import login_of, login_problem
    from supportbot.errors import UsageError

    login = login_of(text)
    if problem := login_problem(login):
        raise UsageError(problem)
    return login


def _password(login: str, *, from_stdin: bool) -> tuple[str, str]:
    """The password to set, and the same again if it was made here. Raises UsageError for one that is too easy."""
    from supportbot.console.passwords import generated, problem
    from supportbot.errors import UsageError

    try:
        password = _read(from_stdin)
    except (EOFError, UnicodeDecodeError):
        raise UsageError("No password was given.") from None
    if not password and not from_stdin:
        password = generated()
        return password, password
    if sentence := problem(password, login):
        raise UsageError(sentence)
    return password, ""


def _read(from_stdin: bool) -> str:
    """What stands on standard input, or is typed twice; "" for none. Raises EOFError, UnicodeDecodeError, UsageError."""
    from supportbot.errors import UsageError

    if from_stdin:
        return sys.stdin.buffer.readline(4_000).decode().rstrip("\r\n")
    if not sys.stdin.isatty():
        return ""
    password = getpass.getpass("Password (empty to have one made): ")
    if password and getpass.getpass("Again: ") != password:
        raise UsageError("The two passwords are not the same.")
    return password


def _change(
    path: Path,
    kind: Literal["create", "password", "disable", "enable"],
    login: str,
    *,
    name: str = "",
    role: Role | None = None,
    password: str = "",
    made: str = "",
) -> Account:
    import asyncio

    from supportbot.cli.acting import change_account
    from supportbot.console.passwords import hashed
    from supportbot.types.console import AccountChange

    change = AccountChange(
        kind,
        _login(login),
        by=f"shell:{getpass.getuser()}",
        name=name,
        role=role,
        password=hashed(password) if password else "",
        must_change=bool(made),
    )
    return asyncio.run(change_account(path, change))


def _print_made(password: str) -> None:
    if password:
        typer.echo(f"password: {password}")
        typer.echo("It is shown this once, and has to be changed at the first sign-in.", err=True)
