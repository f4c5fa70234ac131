"""`supportbot demo`: the example shop with its chat and the console, or the bot in the terminal; thrown away afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from pydantic import SecretStr

from supportbot import assembly, logs
from supportbot.bot import Bot
from supportbot.cli import shop
from supportbot.cli.chat import talk
from supportbot.cli.init import copy
from supportbot.config import BotFiles, load
from supportbot.console.passwords import Passwords
from supportbot.web.server import loop_factory

HINT = (
    'Try: "where\'s my parcel" (order A-10002, postcode 10115) · "can you recommend a light for reading" · "show my '
    'orders" (jana.berger@example.org) · "how do I wash linen?" · "talk to a human". What you change here is forgotten '
    "when you leave.\nMail that the shop sends: {mail}"
)
_LOGIN = "demo"
_END_SECONDS = 5.0
_OPENED = """\
Acme Home with its chat:     {address}/
The console for your team:   {address}/console   as {login} with the password {password}

{mind}
Mail that the shop sends: {mail}
Ctrl-C ends it, and everything is forgotten then. In the terminal alone: supportbot demo --terminal
"""
_FOR_ALL = "Everybody who reaches this machine can use the shop, and sign in there as its example customer."
_OFFLINE = "The bot answers without a model: from flows and articles."
_ASKS = "The bot asks {model}."


def run(*, with_model: bool, terminal: bool, host: str, port: int) -> int:
    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, _leave)  # until the loop takes them: nothing may be left behind
    try:
        return _run(with_model=with_model, terminal=terminal, host=host, port=port)
    except KeyboardInterrupt:
        return 130


def _leave(number: int, frame: object) -> None:
    raise SystemExit(128 + number)


def _run(*, with_model: bool, terminal: bool, host: str, port: int) -> int:
    with tempfile.TemporaryDirectory(prefix="supportbot-demo-") as name:
        folder = Path(name) / "bot"
        copy(folder)
        with _carrier(folder) as address:
            files = load(folder / "config.yaml", env={**os.environ, "DELIVERY_URL": address})
            model = None if with_model else "offline"
            if not terminal:
                return _serve(files, folder, model, host, port)
            hint = HINT.format(mail=folder / "data" / "mail")
            return talk(files, store=None, name="", conversation="demo", model=model, hint=hint)


def _serve(files: BotFiles, folder: Path, model: str | None, host: str, port: int) -> int:
    logs.setup("warning", "text", secrets=assembly.secrets(files))
    secret = secrets.token_hex(32)
    identity = files.config.identity.model_copy(update={"secrets": (SecretStr(secret),)})
    files = replace(files, config=files.config.model_copy(update={"identity": identity}))
    bot = Bot(files, model=model, routes=shop.routes(folder, secret))
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_open(bot, folder, host, port))
    return 0


async def _open(bot: Bot, folder: Path, host: str, port: int) -> None:
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    password = secrets.token_urlsafe(12)
    mind = _ASKS.format(model=bot.files.config.model.name) if bot.has_model else _OFFLINE

    def started(host: str, port: int) -> None:
        address = f"http://{'127.0.0.1' if host in ('', '0.0.0.0') else host}:{port}"  # noqa: S104 - only shown
        mail = folder / "data" / "mail"
        if host not in ("127.0.0.1", "localhost", "::1"):
            print(_FOR_ALL, flush=True)
        print(_OPENED.format(address=address, login=_LOGIN, password=password, mind=mind, mail=mail), flush=True)

    async with bot:
        digest = await Passwords().hash(password)
        await bot.store.console.create(_LOGIN, name="Robin", role="admin", password=digest, now=bot.now())
        await bot.serve(host, port or _free(host), stop=stop, started=started)


def _free(host: str) -> int:
    """8080 if nobody has it, else any."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, 8080))
        except OSError:
            return 0
    return 8080


@contextlib.contextmanager
def _carrier(folder: Path) -> Iterator[str]:
    """The example's delivery service on a free port of this machine; its address."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = (sys.executable, str(folder / "tools" / "delivery_service.py"), "--port", str(port))
    quiet = subprocess.DEVNULL
    service = subprocess.Popen(command, cwd=folder, stdin=quiet, stdout=quiet, stderr=quiet)  # noqa: S603 - our own file
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        service.terminate()
        try:
            service.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            service.kill()
            service.wait()
