"""`supportbot chat` and `supportbot ask`: the bot in the terminal, on its own database."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import json
import os
import secrets
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from supportbot import assembly, logs
from supportbot.bot import Bot
from supportbot.cli import explaining
from supportbot.cli.terminal import NAME, TerminalAdapter
from supportbot.config import BotFiles, load
from supportbot.protocols import Model
from supportbot.types import Action, Event, Message, Outgoing, User
from supportbot.web import control

ANSWER_SECONDS = 90.0
LOCAL_COMMANDS = "/why explains the last answer, /history shows the conversation, /quit leaves"


def run(config: Path, *, store: Path | None, name: str, conversation: str, offline: bool) -> int:
    files = load(config, env=os.environ)
    return talk(files, store=store, name=name, conversation=conversation, model="offline" if offline else None)


def talk(
    files: BotFiles, *, store: Path | None, name: str, conversation: str, model: Model | str | None, hint: str = ""
) -> int:
    """Chats until the input ends."""
    terminal, bot = _open(files, store=store, name=name, conversation=conversation, model=model)
    asyncio.run(_chat(bot, terminal, hint))
    return 0


def run_once(
    text: str, config: Path, *, store: Path | None, conversation: str, offline: bool, as_json: bool
) -> int:
    files = load(config, env=os.environ)
    conversation = conversation or f"ask-{secrets.token_hex(8)}"
    terminal, bot = _open(
        files, store=store, name="", conversation=conversation, model="offline" if offline else None
    )
    terminal.muted = as_json
    rows = asyncio.run(_ask(bot, terminal, text))
    if as_json:
        print(json.dumps([_plain(row) for row in rows], ensure_ascii=False))
    else:
        for row in rows:
            terminal.show(row)
    return 0


def _open(
    files: BotFiles, *, store: Path | None, name: str, conversation: str, model: Model | str | None
) -> tuple[TerminalAdapter, Bot]:
    logs.setup("warning", "text", secrets=assembly.secrets(files))
    user = User(f"{NAME}-{getpass.getuser()}", name)
    label = f"{files.persona.name}: " if sys.stdout.isatty() else ""
    terminal = TerminalAdapter(conversation, user, label=label)
    path = store or assembly.database(files).with_name("chat.db")
    return terminal, Bot(files, model=model, database=path, channels={NAME: terminal}, only_channels=True)


async def _ask(bot: Bot, terminal: TerminalAdapter, text: str) -> tuple[Outgoing, ...]:
    async with bot:
        return await _exchange(bot, terminal, _message(terminal, text))


async def _chat(bot: Bot, terminal: TerminalAdapter, hint: str) -> None:
    interactive = sys.stdin.isatty()
    async with bot, control.listening(bot.database.with_suffix(".sock"), bot):
        if interactive:
            _welcome(bot, hint)
            terminal.prompt = "you: "
        known = await bot.store.find(NAME, terminal.address.chat)
        if known is None and interactive:
            await _show(bot, terminal, _started(terminal))
        async for line in _lines(terminal.prompt):
            if line in ("/quit", "/exit"):
                break
            if line == "/why":
                await _why(bot, terminal)
            elif line == "/history":
                await _history(bot, terminal)
            elif line:
                await _show(bot, terminal, _message(terminal, line))


def _welcome(bot: Bot, hint: str) -> None:
    print(f"{bot.files.config.bot.name} support, in the terminal. {LOCAL_COMMANDS}.")
    if not bot.has_model:
        print("No model key was found: the bot answers from its flows and articles.")
    print(hint)


async def _show(bot: Bot, terminal: TerminalAdapter, message: Message) -> None:
    for row in await _exchange(bot, terminal, message):
        terminal.show(row)


async def _exchange(bot: Bot, terminal: TerminalAdapter, message: Message) -> tuple[Outgoing, ...]:
    """Says one thing and waits for all that the bot says to it."""
    async with bot.wait_for(message) as wait:
        await bot.receive(message)
        rows = await wait.replies(ANSWER_SECONDS)
        wait.taken()
    return rows


def _message(terminal: TerminalAdapter, text: str) -> Message:
    pressed = None
    if text.isdecimal() and 0 < int(text) <= len(terminal.buttons):
        button = terminal.buttons[int(text) - 1]
        pressed = Action(button.id, button.value or button.label)
    return Message(
        address=terminal.address,
        id=secrets.token_hex(16),
        user=terminal.user,
        text="" if pressed else text,
        kind="action" if pressed else "message",
        action=pressed,
    )


def _started(terminal: TerminalAdapter) -> Message:
    event = Event("conversation.started")
    return Message(terminal.address, secrets.token_hex(16), terminal.user, kind="event", event=event)


async def _lines(prompt: str) -> AsyncIterator[str]:
    """Lines of standard input without blocking the loop; a daemon thread reads, so that leaving never hangs."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(EOFError):
        while True:
            yield (await _reading(loop, prompt)).strip()


def _reading(loop: asyncio.AbstractEventLoop, prompt: str) -> asyncio.Future[str]:
    import threading

    future: asyncio.Future[str] = loop.create_future()

    def settle(line: str | None) -> None:
        if future.done():
            return
        if line is None:
            future.set_exception(EOFError())
        else:
            future.set_result(line)

    def read() -> None:
        try:
            line: str | None = input(prompt)
        except (EOFError, KeyboardInterrupt, ValueError):
            line = None
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, line)

    threading.Thread(target=read, daemon=True).start()
    return future


async def _why(bot: Bot, terminal: TerminalAdapter) -> None:
    known = await bot.store.find(NAME, terminal.address.chat)
    traces = await bot.store.traces(known.id) if known else ()
    print(explaining.trace(traces[0]) if traces else "Nothing has been answered yet.")


async def _history(bot: Bot, terminal: TerminalAdapter) -> None:
    known = await bot.store.find(NAME, terminal.address.chat)
    turns = await bot.store.transcript(known.id) if known else ()
    print(explaining.transcript(turns) if turns else "Nothing has been said yet.")


def _plain(row: Outgoing) -> dict[str, object]:
    reply = row.reply
    buttons = [{"id": button.id, "label": button.label} for button in reply.buttons] if reply else []
    return {"text": reply.text if reply else "", "buttons": buttons}
