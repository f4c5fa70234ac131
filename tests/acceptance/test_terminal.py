"""The chat in a terminal (a pseudo-terminal here) and over a pipe, as a newcomer meets it."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from commands import COMMAND, assert_refused, environment, run

from supportbot.testing import FakeOpenAI, Say

_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
STORE = ("--store", "data/chat.db")


@pytest.fixture
def bot(tmp_path: Path) -> Path:
    assert run(tmp_path, "init", "bot").code == 0
    return tmp_path / "bot"


@dataclass
class Terminal:
    """A command in a terminal: `type` keys, `see` what is shown."""

    process: subprocess.Popen[bytes]
    master: int
    raw: str = ""

    @property
    def shown(self) -> str:
        """All that was written, without colours and cursor movements."""
        return _ESCAPE.sub("", self.raw).replace("\r", "")

    def type(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def see(self, text: str, *, times: int = 1, seconds: float = 30) -> str:
        """Waits until the text was shown so often, and gives what came after it."""
        end = time.monotonic() + seconds
        while self.shown.count(text) < times:
            assert time.monotonic() < end, f"{text!r} was not shown {times} times:\n{self.shown}"
            self._read(0.2)
        self._read(0.3)
        return self.shown.rpartition(text)[2]

    def say(self, text: str, *, sees: str, times: int = 1) -> str:
        self.type(text + "\r")
        return self.see(sees, times=times)

    def leave(self, keys: str = "", seconds: float = 15) -> int:
        """Types the keys and gives the exit code."""
        self.type(keys)
        end = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < end, self.shown
            self._read(0.1)
        self._read(0.1)
        return self.process.returncode

    def _read(self, seconds: float) -> None:
        while select.select([self.master], [], [], seconds)[0]:
            try:
                self.raw += os.read(self.master, 65_536).decode("utf-8", "replace")
            except OSError:  # the other side is closed
                return


@contextmanager
def terminal(folder: Path, *args: str, columns: int = 100, **env: str) -> Iterator[Terminal]:
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    variables = environment(TERM="xterm-256color", LC_ALL="C.UTF-8", **env)
    for name in ("COLUMNS", "LINES"):
        variables.pop(name, None)
    process = subprocess.Popen(
        [*COMMAND, *args],
        cwd=folder,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=variables,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # so that Ctrl-C arrives
    )
    modes = termios.tcgetattr(slave)
    here = Terminal(process, master)
    try:
        yield here
        assert process.poll() is not None, "leave() the terminal"
        assert termios.tcgetattr(slave) == modes, "the terminal's modes were not restored"
        assert "Traceback" not in here.raw
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        os.close(slave)
        os.close(master)


def buttons(text: str) -> list[str]:
    return re.findall(r"^  \d+\. (.+)$", text, re.MULTILINE)


# --- a terminal ----------------------------------------------------------------------------------------------


def test_the_demo_greets_shows_numbered_buttons_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with terminal(tmp_path, "demo", "--terminal", TMPDIR=str(tmp_path)) as shell:
        shell.see("you: ")
        assert "without a model" in shell.shown and "Try: " in shell.shown
        assert len(buttons(shell.shown)) == 5
        assert "\x1b[1mMia:" in shell.raw and "\n\nMia: " in shell.shown, "a bold name after an empty line"
        after = shell.say("1", sees="order number")
        assert "A-10002" in shell.shown and after.endswith("\n\nyou: ")
        shell.say("A-10002", sees="postcode")
        shell.say("10115", sees="DHL")
        assert "**" not in shell.shown and "\x1b[1mA-10002\x1b[0m" in shell.raw
        assert shell.leave("/quit\r") == 0
    assert list(tmp_path.iterdir()) == []


def test_help_why_and_history_are_there_and_quit_leaves(bot: Path) -> None:
    with terminal(bot, "chat") as shell:
        shell.see("you: ")
        assert "/why" in shell.shown and "/history" in shell.shown and "/quit" in shell.shown
        shell.say("how do I wash linen?", sees="40 degrees")
        assert "passage" in shell.say("/why", sees="turn 2")
        assert "customer: how do I wash linen?" in shell.say("/history", sees="customer: how")[-30:] + shell.shown
        shell.say("/help", sees="Here in the terminal: ")
        assert shell.leave("/quit\r") == 0


@pytest.mark.parametrize(("keys", "code"), [("\x04", 0), ("\x03", 130), ("half a line\x03", 130)])
def test_control_d_and_control_c_leave_quietly(bot: Path, keys: str, code: int) -> None:
    with terminal(bot, "chat") as shell:
        shell.see("you: ")
        assert shell.leave(keys) == code


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP])
def test_a_closed_window_leaves_the_database_free(bot: Path, how: signal.Signals) -> None:
    with terminal(bot, "chat") as shell:
        shell.see("you: ")
        shell.process.send_signal(how)
        assert shell.leave() == 130
    assert run(bot, "ask", "hi").code == 0


def test_a_chat_that_is_opened_again_goes_on(bot: Path) -> None:
    with terminal(bot, "chat") as shell:
        shell.see("you: ")
        shell.say("where is my order?", sees="order number")
        shell.leave("/quit\r")
    with terminal(bot, "chat") as shell:
        shell.see("goes on after 2 turns")
        shell.say("A-10002", sees="postcode")
        shell.leave("/quit\r")


def test_a_second_chat_on_the_same_database_is_one_sentence(bot: Path) -> None:
    with terminal(bot, "chat") as shell:
        shell.see("you: ")
        second = run(bot, "chat", stdin=b"hi\n")
        assert_refused(second, f"the running process {shell.process.pid}")
        shell.leave("/quit\r")


@pytest.mark.parametrize("columns", [60, 100])
def test_words_are_wrapped_at_the_width_of_the_terminal(bot: Path, columns: int) -> None:
    with terminal(bot, "chat", columns=columns) as shell:
        shell.see("you: ")
        shell.say("how do I wash linen?", sees="(knowledge/care.md)")
        lines = [line for line in shell.shown.splitlines() if not line.startswith("you: ")]
        assert max(map(len, lines)) <= columns and max(map(len, lines)) > columns - 20
        assert any(line.startswith("> ") for line in lines)
        shell.leave("/quit\r")


def test_any_language_and_any_length_can_be_typed(bot: Path) -> None:
    with terminal(bot, "chat") as shell:
        shell.see("you: ")
        shell.say("Grüße aus 東京 🙂 " + "sehr lang " * 600, sees="Mia: ", times=2)
        shell.leave("/quit\r")
    (row,) = run(bot, "conversations", *STORE, "--json").rows
    shown = run(bot, "conversations", row["id"], *STORE).out
    assert "Grüße aus 東京 🙂" in shown and shown.count("sehr lang") > 590


def test_a_humans_answer_does_not_garble_the_line_that_is_being_typed(bot: Path) -> None:
    with terminal(bot, "chat", columns=60) as shell:
        shell.see("you: ")
        shell.say("/human", sees="To be that human")
        assert f"--store {bot / 'data/chat.db'}" in shell.shown.replace("\n", "")
        typed = "half of a line that is certainly longer than sixty columns"
        shell.type(typed)
        shell.see("sixty columns")
        (row,) = run(bot, "handoffs", "list", *STORE, "--json").rows
        assert run(bot, "handoffs", "reply", row["id"], "It is on its *way*.", "--as", "Ann", *STORE).err == ""
        after = shell.see("Ann: It is on its *way*.\n")
        assert after.replace("\n", "") == f"you: {typed}"
        shell.say(", which goes on", sees="the bot is silent")
        assert run(bot, "handoffs", "return", row["id"], "--as", "Ann", *STORE).code == 0
        shell.see("Mia: Our colleague has finished here")
        shell.leave("/quit\r")
    shown = run(bot, "conversations", row["conversation"], *STORE).out
    assert f"customer: {typed}, which goes on" in shown and "Ann: It is on its *way*." in shown


async def test_a_models_answer_is_shown_piece_by_piece(bot: Path) -> None:
    words = "One two three four five six seven eight nine ten, and that is all."
    async with FakeOpenAI(default=Say(words, pace=0.15)) as model:
        env = {"OPENAI_API_KEY": model.key, "OPENAI_BASE_URL": model.base_url}
        await asyncio.to_thread(see_it_grow, bot, env)


def see_it_grow(bot: Path, env: dict[str, str]) -> None:
    with terminal(bot, "chat", **env) as shell:
        shell.see("you: ")
        assert "without a model" not in shell.shown
        shell.type("tell me something about nothing in particular\r")
        shell.see("One two")
        assert "that is all" not in shell.shown
        assert shell.see("that is all.") == "\n\nyou: "
        assert shell.shown.count("One two three") == 1
        shell.leave("/quit\r")


async def test_a_slow_model_is_announced_and_does_not_hold_up_who_leaves(bot: Path) -> None:
    async with FakeOpenAI(default=Say("Too late.", delay=60)) as model:
        env = {"OPENAI_API_KEY": model.key, "OPENAI_BASE_URL": model.base_url}
        await asyncio.to_thread(leave_while_it_thinks, bot, env)


def leave_while_it_thinks(bot: Path, env: dict[str, str]) -> None:
    with terminal(bot, "chat", **env) as shell:
        shell.see("you: ")
        shell.say("tell me something about nothing in particular", sees="Mia is writing …")
        assert shell.leave("\x03", seconds=8) == 130


# --- a pipe --------------------------------------------------------------------------------------------------


def test_a_pipe_gets_plain_words_and_nothing_else(bot: Path) -> None:
    done = run(bot, "chat", stdin=b"hi\nwhere is my order?\nA-10002\n10115")
    assert (done.code, done.err) == (0, "")
    assert "\x1b" not in done.out and "**" not in done.out and "you:" not in done.out and "Mia:" not in done.out
    lines = done.out.splitlines()
    assert len(buttons(done.out)) == 5 and "" not in lines
    assert lines[-1].startswith("Order A-10002 left us"), lines


def test_a_number_on_a_pipe_presses_the_button(bot: Path) -> None:
    done = run(bot, "chat", stdin=b"hi\n1\n")
    assert "order number" in done.out.splitlines()[-1]


def test_a_pipe_may_hold_anything(bot: Path) -> None:
    done = run(bot, "chat", stdin=b"\xff\xfe\x00\n\n \n" + b"x" * 3_000_000 + b"\r\n\x1b]0;title\x07\n/history\n")
    assert done.code == 0 and "Traceback" not in done.err and "\x1b" not in done.out
    assert done.out.count("customer: ") == 3


def test_a_chat_whose_reader_is_gone_ends_without_a_word(bot: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, "chat"],
        cwd=bot,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    ) as chat:
        assert chat.stdout is not None
        chat.stdout.close()
        _, err = chat.communicate(b"hi\n", timeout=30)
    assert chat.returncode < 2 and err == b""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_chat_that_waits_for_its_pipe(bot: Path, how: signal.Signals) -> None:
    with subprocess.Popen(
        [*COMMAND, "chat"],
        cwd=bot,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    ) as chat:
        assert chat.stdin is not None and chat.stdout is not None and chat.stderr is not None
        chat.stdin.write(b"hi\n")
        chat.stdin.flush()
        assert b"Mia" in chat.stdout.readline()
        chat.send_signal(how)
        assert chat.wait(15) == 130
        assert chat.stderr.read() == b""


# --- help ----------------------------------------------------------------------------------------------------

COMMANDS = ("demo", "init", "check", "chat", "ask", "serve", "conversations", "why", "usage", "adapters")
GROUPS = {
    "handoffs": ("list", "show", "claim", "reply", "resolve", "return", "release", "transfer", "note"),
}
GROUPS["console"] = ("create-user", "users", "reset-password", "disable", "enable", "audit")
GROUPS["db"] = ("backup", "restore", "check", "migrate")
EVERY = [
    (),
    *((one,) for one in (*COMMANDS, *GROUPS)),
    *((g, one) for g, names in GROUPS.items() for one in names),
]


@pytest.mark.parametrize("command", EVERY, ids=lambda command: " ".join(command) or "supportbot")
def test_every_help_is_complete_and_fits_on_the_screen(tmp_path: Path, command: tuple[str, ...]) -> None:
    done = run(tmp_path, *command, "--help", COLUMNS="80")
    assert (done.code, done.err) == (0, "")
    assert "..." not in done.out.partition("\n")[2], "a description is cut off"
    assert max(map(len, done.out.splitlines())) <= 80


def test_help_loads_nothing_slow(tmp_path: Path) -> None:
    script = (
        "import sys; sys.argv = ['supportbot', '--help']; from supportbot.cli import main\n"
        "try: main()\nexcept SystemExit: print(*sys.modules)"
    )
    done = subprocess.run([COMMAND[0], "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    slow = {"openai", "pydantic", "yaml", "starlette", "uvicorn", "sqlite3", "asyncio", "jinja2"}
    assert "Open the example shop" in done.stdout and not slow & set(done.stdout.split())
