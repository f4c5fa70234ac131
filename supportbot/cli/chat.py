"""`supportbot chat` and `supportbot ask`: the bot in the terminal, on its own database."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import json
import os
import secrets
import shlex
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from supportbot import assembly, logs
from supportbot.bot import Bot
from supportbot.cli import explaining
from supportbot.cli.keyboard import Keyboard, restored
from supportbot.cli.screen import BOLD, Screen
from supportbot.cli.terminal import NAME, TerminalAdapter
from supportbot.config import BotFiles, load
from supportbot.errors import UsageError
from supportbot.protocols import Model
from supportbot.types import Action, Event, Message, Outgoing, User
from supportbot.web import control

ANSWER_SECONDS = 90.0
LEAVE_SECONDS = 1.0
"""How long a running turn may still take when the chat is left; it goes on when the chat is opened again."""
_BUSY_AFTER = 0.8
COMMANDS = "/help   /human   /why explains the last answer   /history   /quit   (a number presses a button)"


def run(config: Path, *, store: Path | None, name: str, conversation: str, offline: bool) -> int:
    files = load(config, env=os.environ)
    return talk(files, store=store, name=name, conversation=conversation, model="offline" if offline else None)


def talk(
    files: BotFiles, *, store: Path | None, name: str, conversation: str, model: Model | str | None, hint: str = ""
) -> int:
    """Chats until the input ends."""
    interactive = sys.stdin.isatty() and sys.stdout.isatty()
    terminal, bot = _open(
        files, store=store, name=name, conversation=conversation, model=model, interactive=interactive
    )
    try:
        with restored():
            asyncio.run(_chat(bot, terminal, hint))
    except (KeyboardInterrupt, asyncio.CancelledError):
        terminal.screen.gap()
        return 130
    return 0


def run_once(
    text: str, config: Path, *, store: Path | None, conversation: str, offline: bool, as_json: bool
) -> int:
    if not text.strip():
        raise UsageError('There is nothing to ask: write the message behind it, as in supportbot ask "Hello".')
    files = load(config, env=os.environ)
    conversation = conversation or f"ask-{secrets.token_hex(8)}"
    model = "offline" if offline else None
    terminal, bot = _open(files, store=store, name="", conversation=conversation, model=model, interactive=False)
    rows, human = asyncio.run(_ask(bot, terminal, text))
    if as_json:
        print(json.dumps([_plain(row) for row in rows], ensure_ascii=False))
    for row in () if as_json else rows:
        terminal.show(row)
    if not rows and not human:
        print(f"supportbot: no answer came within {ANSWER_SECONDS:g} seconds.", file=sys.stderr)
    elif not rows:
        print(f"A human has this conversation, the bot is silent: handoff {human}.", file=sys.stderr)
    return 0 if rows or human else 1


def _open(
    files: BotFiles,
    *,
    store: Path | None,
    name: str,
    conversation: str,
    model: Model | str | None,
    interactive: bool,
) -> tuple[TerminalAdapter, Bot]:
    logs.setup("warning", "text", secrets=assembly.secrets(files))
    user = User(f"{NAME}-{getpass.getuser()}", name)
    screen = Screen(sys.stdout, interactive=interactive)
    terminal = TerminalAdapter(conversation, user, screen, label=files.persona.name)
    path = store or assembly.database(files).with_name("chat.db")
    bot = Bot(files, model=model, database=path, channels={NAME: terminal}, only_channels=True)
    bot.drain_turns = LEAVE_SECONDS
    return terminal, bot


async def _ask(bot: Bot, terminal: TerminalAdapter, text: str) -> tuple[tuple[Outgoing, ...], str]:
    async with bot:
        rows = await _exchange(bot, terminal, _message(terminal, text))
        return rows, "" if rows else await _human(bot, terminal)


async def _chat(bot: Bot, terminal: TerminalAdapter, hint: str) -> None:
    screen = terminal.screen
    keyboard = Keyboard(screen.prompt("you:"))
    screen.typed = keyboard.typed
    terminal.speaker = lambda outgoing: _speaker(bot, outgoing)
    terminal.happened = lambda outgoing: _happened(bot, terminal, outgoing)
    async with bot, control.listening(bot.database.with_suffix(".sock"), bot):
        _ends_with_the_terminal()
        await _begin(bot, terminal, hint)
        async for line in keyboard.lines():
            if line in ("/quit", "/exit"):
                break
            screen.gap()
            await _take(bot, terminal, line)
        else:
            screen.gap()


def _ends_with_the_terminal() -> None:
    """Leaves in order, the terminal's modes restored, when the process is told to end or its window is closed."""
    task = asyncio.current_task()
    assert task is not None
    for name in (signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(name, task.cancel)


async def _begin(bot: Bot, terminal: TerminalAdapter, hint: str) -> None:
    screen = terminal.screen
    known = await bot.store.find(NAME, terminal.address.chat)
    if not screen.interactive:
        return
    screen.write(screen.paint(BOLD, f"{bot.files.config.bot.name}: support in your terminal") + "\n")
    for line in _notes(bot, hint):
        screen.note(line)
    screen.gap()
    if known is None:
        await _say(bot, terminal, _started(terminal))
        return
    screen.note(f"Your conversation goes on after {known.turn} turns; --conversation NAME begins another.")
    if human := await _human(bot, terminal):
        _tell_how_to_be_the_human(bot, screen, human)
    screen.gap()


def _notes(bot: Bot, hint: str) -> tuple[str, ...]:
    offline = f"{bot.files.persona.name} answers without a model: from flows and articles."
    return tuple(line for line in ("" if bot.has_model else offline, COMMANDS, hint) if line)


async def _take(bot: Bot, terminal: TerminalAdapter, line: str) -> None:
    """Does what a line of input says."""
    screen = terminal.screen
    if line in ("/why", "/history"):
        screen.write((await (_why if line == "/why" else _history)(bot, terminal)) + "\n")
        screen.gap()
    elif line:
        await _say(bot, terminal, _message(terminal, line))
    if line == "/help":
        screen.note(f"Here in the terminal: {COMMANDS}")
        screen.gap()


async def _say(bot: Bot, terminal: TerminalAdapter, message: Message) -> None:
    rows = await _exchange(bot, terminal, message)
    for row in rows:
        terminal.show(row)
    if rows:
        return
    silent = "A human has this conversation; the bot is silent until it is handed back."
    late = "No answer yet. It will be shown here when it comes."
    note = silent if await _human(bot, terminal) else late
    if terminal.screen.interactive:
        terminal.screen.note(note)
        terminal.screen.gap()
    else:
        print(note, file=sys.stderr)


async def _exchange(bot: Bot, terminal: TerminalAdapter, message: Message) -> tuple[Outgoing, ...]:
    """Says one thing and waits for all that the bot says to it."""
    async with bot.wait_for(message) as wait, _waiting(terminal):
        await bot.receive(message)
        rows = await wait.replies(ANSWER_SECONDS)
        wait.taken()
    return rows


@contextlib.asynccontextmanager
async def _waiting(terminal: TerminalAdapter) -> AsyncIterator[None]:
    """Shows after a moment that the bot is at work."""
    loop = asyncio.get_running_loop()
    timer = loop.call_later(_BUSY_AFTER, terminal.at_work)
    terminal.waiting = True
    try:
        yield
    finally:
        terminal.waiting = False
        timer.cancel()


def _message(terminal: TerminalAdapter, text: str) -> Message:
    pressed = None
    if text.isdecimal() and 0 < int(text[:9]) <= len(terminal.buttons):
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


# --- humans and history --------------------------------------------------------------------------------------


async def _human(bot: Bot, terminal: TerminalAdapter) -> str:
    """The id of the open handoff of this conversation, "" if the bot has it."""
    known = await bot.store.find(NAME, terminal.address.chat)
    opened = await bot.store.handoffs(open_only=True)
    return next((one.id for one in opened if known is not None and one.conversation == known.id), "")


async def _speaker(bot: Bot, outgoing: Outgoing) -> str:
    """Which human wrote this; "" for the bot."""
    turns = await bot.store.transcript(outgoing.conversation)
    said = [message for turn in turns for message in turn.messages if message.role == "assistant"]
    text = outgoing.reply.text if outgoing.reply else ""
    return next((message.name for message in reversed(said) if message.content == text), "")


def _happened(bot: Bot, terminal: TerminalAdapter, outgoing: Outgoing) -> None:
    if outgoing.kind == "handoff.requested" and terminal.screen.interactive:
        with terminal.screen.aside():
            _tell_how_to_be_the_human(bot, terminal.screen, str(outgoing.data.get("handoff", "")))
            terminal.screen.gap()


def _tell_how_to_be_the_human(bot: Bot, screen: Screen, handoff: str) -> None:
    screen.note("A human has this conversation now. To be that human (show, reply, return, resolve):")
    command = f'supportbot handoffs reply {handoff[:14]} "Hello, …" --as Ann'
    screen.note(f"  {command} --store {shlex.quote(str(bot.database.absolute()))}", wrap=False)


async def _why(bot: Bot, terminal: TerminalAdapter) -> str:
    known = await bot.store.find(NAME, terminal.address.chat)
    traces = await bot.store.traces(known.id) if known else ()
    return explaining.trace(traces[0]) if traces else "Nothing has been answered yet."


async def _history(bot: Bot, terminal: TerminalAdapter) -> str:
    known = await bot.store.find(NAME, terminal.address.chat)
    turns = await bot.store.transcript(known.id) if known else ()
    return explaining.transcript(turns) if turns else "Nothing has been said yet."


def _plain(row: Outgoing) -> dict[str, object]:
    reply = row.reply
    buttons = [{"id": button.id, "label": button.label} for button in reply.buttons] if reply else []
    return {"text": reply.text if reply else "", "buttons": buttons}
