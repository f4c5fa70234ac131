"""A page's terminal: its commands run one after the other in a real shell, on a real pseudo terminal.

A block reads like a terminal: `$ ` begins a command, `you: ` is typed to a program that waits for it, `^C` interrupts,
and everything else is output. In output `…` stands for anything in its line, a line that is only `…` for any lines, and
two blanks for two or more, as between the columns of a table. A program that goes on running (`serve`, `chat`, `demo`) keeps its terminal while other blocks
use the next one; a block that does not begin with a command goes on with the program that was begun last. A line of
output that ends with `⏎` is a question, at which Enter is pressed.
"""

from __future__ import annotations

import codecs
import os
import pty
import re
import select
import signal
import subprocess
import termios
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from pages import Block

_SECONDS = 40.0
_COLUMNS = 120
_STAYS = re.compile(r"supportbot (serve|chat|demo)\b(?!.*[|<])")
_PROMPT = "you: "
_ENTER = "⏎"
_SERVES = re.compile(r"\bsupportbot (serve|demo)$")
_UP = (_PROMPT, '"listening"', "Ctrl-C ends it")
_ERASED = re.compile(r"[^\n]*\x1b\[[JK]")
_ANY = {"…": "[^\n]*?", "  ": " {2,}"}
_WRAPPED = """\
. "$STATE/env"; cd "$(cat "$STATE/cwd")"
{}
code=$?
export -p > "$STATE/env.$$" && mv "$STATE/env.$$" "$STATE/env"; pwd > "$STATE/cwd.$$" && mv "$STATE/cwd.$$" "$STATE/cwd"
exit $code
"""
# in one step each: the shell of a server that was killed writes them while the next command reads them


class Terminal:
    """Where one page's commands run. `port` is where its server listens instead of 8080, `swaps` are other texts
    that stand for something else here."""

    def __init__(
        self, folder: Path, environment: Mapping[str, str], *, port: int, swaps: Mapping[str, str]
    ) -> None:
        self._state = folder / "state"
        self._state.mkdir()
        (self._state / "env").write_text("")
        self.home = folder / "home"
        self.home.mkdir()
        (self._state / "cwd").write_text(str(self.home))
        self._environment = {**environment, "STATE": str(self._state)}
        self._port = port
        self._swaps = {"8080": str(port), **swaps}
        self._open: list[Program] = []

    @property
    def folder(self) -> Path:
        """The current folder."""
        return Path((self._state / "cwd").read_text().strip())

    def swapped(self, text: str) -> str:
        for written, meant in self._swaps.items():
            text = text.replace(written, meant)
        return text

    def type(self, block: Block) -> None:
        """Types a block; AssertionError with the place where the terminal shows something else."""
        text = self.swapped(block.text)
        first, *commands = re.split(r"^\$ ", text, flags=re.M)
        if first.strip():
            self._go_on(block, first)
        for number, command in enumerate(commands, 1):
            self._run(block, command, last=number == len(commands))

    def python(self, text: str, place: str) -> None:
        """Runs a Python program to its end."""
        program = self._start("python - <<'END OF PROGRAM'\n" + self.swapped(text) + "\nEND OF PROGRAM")
        output = program.end()
        assert program.code == 0, f"{place}: the program failed\n{output}"

    def close(self) -> None:
        for program in self._open:
            program.kill()

    def _start(self, command: str) -> Program:
        program = Program(_WRAPPED.format(command), self._environment)
        self._open.append(program)
        return program

    def _run(self, block: Block, written: str, *, last: bool) -> None:
        head, *lines = written.splitlines()
        program = self._start(_SERVES.sub(rf"supportbot \1 --port {self._port}", head))
        program.place, program.command = block.place, head
        if "exit" not in block.marks and (_STAYS.search(head) or (last and "stays" in block.marks)):
            program.stays = True
            if lines:
                self._converse(program, lines)
            else:
                up = program.wait_until(lambda text: any(sign in text for sign in _UP))
                assert up, f"{block.place}: `{head}` did not come up\n{program.shown}"
            return
        for line in lines:
            if line.endswith(_ENTER):
                program.answer(line.removesuffix(_ENTER).rstrip())
        lines = [line.removesuffix(_ENTER) for line in lines]
        output = program.end()
        wanted = int(block.marks.get("exit", "0")) if last else 0
        assert program.code == wanted, f"{block.place}: `{head}` ended with {program.code}\n{output}"
        if lines:
            assert _pattern(lines).fullmatch(output), _differs(block.place, head, lines, output)

    def _go_on(self, block: Block, written: str) -> None:
        waiting = [program for program in self._open if program.stays and program.code is None]
        assert waiting, f"{block.place}: no program is running that could go on"
        waiting[-1].place = block.place
        self._converse(waiting[-1], written.splitlines())

    def _converse(self, program: Program, lines: list[str]) -> None:
        shown: list[str] = []
        for line in lines:
            if line.startswith(_PROMPT) or line == "^C":
                program.expect(shown, prompt=line != "^C")
                program.say(line)
                shown = []
            else:
                shown.append(line)
        if shown or lines[-1] != "^C":
            program.expect(shown)
        else:
            program.end()
            assert program.code is not None, f"{program.place}: `{program.command}` does not end"


class Program:
    """One running command."""

    def __init__(self, script: str, environment: Mapping[str, str]) -> None:
        self._inside, outside = pty.openpty()
        termios.tcsetwinsize(outside, (50, _COLUMNS))
        self._process = subprocess.Popen(
            ["bash", "-c", script],
            stdin=outside,
            stdout=outside,
            stderr=outside,
            env=dict(environment),
            start_new_session=True,
        )
        os.close(outside)
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._buffer = ""
        self._closed = False
        self.stays = False
        self.place = self.command = ""

    @property
    def shown(self) -> str:
        """What has been shown since the last time."""
        return _plain(self._buffer)

    @property
    def code(self) -> int | None:
        return self._process.poll()

    def end(self) -> str:
        """Everything that is shown until the program ends."""
        self.wait_until(lambda text: self._closed)
        self._process.wait(_SECONDS)
        return self.shown

    def expect(self, lines: list[str], *, prompt: bool = False) -> None:
        """Waits until just these lines have been shown since the last time."""
        pattern = _pattern(lines)

        def shown(text: str) -> bool:
            if prompt and not text.endswith(_PROMPT):
                return False
            return pattern.fullmatch(_plain(text.removesuffix(_PROMPT))) is not None

        if not self.wait_until(shown):
            raise AssertionError(_differs(self.place, self.command, lines, self.shown))
        self._buffer = ""

    def say(self, line: str) -> None:
        if line == "^C":
            os.killpg(self._process.pid, signal.SIGINT)
            return
        typed = line.removeprefix(_PROMPT)
        os.write(self._inside, typed.encode() + b"\n")
        self.wait_until(lambda text: "\n" in text)
        self._buffer = self._buffer.partition("\n")[2]

    def answer(self, question: str) -> None:
        """Presses Enter once the question stands there."""
        asked = self.wait_until(lambda text: question in text)
        assert asked, f"{self.place}: `{self.command}` does not ask {question!r}\n{self.shown}"
        os.write(self._inside, b"\n")

    def wait_until(self, enough: Callable[[str], bool]) -> bool:
        end = time.monotonic() + _SECONDS
        while time.monotonic() < end:
            if enough(self._buffer):
                return True
            if self._closed:
                return False
            self._read(0.1)
        return False

    def kill(self) -> None:
        """Ends what is still running and lets go of the terminal."""
        for number in (signal.SIGINT, signal.SIGKILL) if self.code is None else ():
            with suppress(subprocess.TimeoutExpired):
                os.killpg(self._process.pid, number)
                self._process.wait(_SECONDS)
                break
        os.close(self._inside)

    def _read(self, seconds: float) -> None:
        if not select.select([self._inside], [], [], seconds)[0]:
            return
        try:
            piece = os.read(self._inside, 65536)
        except OSError:  # the other side is closed
            piece = b""
        self._closed = not piece
        self._buffer = _ERASED.sub("", self._buffer + self._decode(piece).replace("\r", ""))


def _plain(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip("\n").splitlines())


def _pattern(lines: list[str]) -> re.Pattern[str]:
    parts: list[str] = []
    for line in _plain("\n".join(lines)).splitlines():
        if line == "…":
            parts.append(r"(?:.*(?:\n|\Z))*?")
        else:
            words = (_ANY.get(word[:2], re.escape(word)) for word in re.split("(…| {2,})", line))
            parts.append("".join(words) + r"(?:\n|\Z)")
    return re.compile("".join(parts))


def _differs(place: str, command: str, lines: list[str], output: str) -> str:
    return (
        f"{place}: `{command}` shows something else\n--- written\n" + "\n".join(lines) + f"\n--- shown\n{output}"
    )
