"""`supportbot serve`: opens the bot, serves, drains on SIGTERM."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
from pathlib import Path

from supportbot import assembly, logs
from supportbot.bot import Bot
from supportbot.config import load
from supportbot.stores import library_warning
from supportbot.web.server import loop_factory

_DESCRIPTORS = 65_536


def run(config: Path, *, host: str, port: int | None) -> int:
    files = load(config, env=os.environ)
    settings = files.config.logging
    logs.setup(settings.level, settings.format, secrets=assembly.secrets(files))
    log = logs.get("serve")
    _allow_descriptors()
    bot = Bot(files)
    for finding in files.findings:
        log.warning("config", finding=str(finding.problem))
    if library_warning():
        log.warning("sqlite", notice=library_warning())
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_serve(bot, host or files.config.web.host, files.config.web.port if port is None else port))
    log.info("stopped")
    return 0


def _allow_descriptors() -> None:
    """Every open page holds one, and the usual limit (1,024) is far below what the system would give."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(_DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def _serve(bot: Bot, host: str, port: int) -> None:
    log = logs.get("serve")
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    if not bot.has_model:
        log.warning("offline", notice="no model key was found: answering from flows and articles only")
    async with bot:
        await bot.serve(
            host,
            port,
            stop=stop,
            started=lambda host, port: log.info("listening", host=host, port=port, pid=os.getpid()),
        )
        log.info("draining")
