"""Lines of standard input, without blocking the loop and without leaving the terminal in disorder."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import sys
import termios
import threading
from collections.abc import AsyncIterator, Iterator

try:
    import readline  # makes input() editable, and its lines as long as one likes
except ImportError:
    readline = None  # type: ignore[assignment]  # a Python that was built without it

_ESCAPES = ("\001", "\002")


class Keyboard:
    """Standard input, one line after the other. `prompt` may hold escape sequences between \\001 and \\002."""

    def __init__(self, prompt: str) -> None:
        self._prompt = prompt
        self._standing = False
        self._ahead = bytearray()
        if isinstance(sys.stdin, io.TextIOWrapper):
            sys.stdin.reconfigure(errors="replace")

    def typed(self) -> str | None:
        """The prompt with what is typed so far; None while no prompt stands."""
        if not self._standing:
            return None
        shown = self._prompt
        for mark in _ESCAPES:
            shown = shown.replace(mark, "")
        return shown + (readline.get_line_buffer() if readline is not None else "")

    async def lines(self) -> AsyncIterator[str]:
        """Lines without blanks around them, until the input ends. A daemon thread reads: leaving never hangs."""
        loop = asyncio.get_running_loop()
        while True:
            self._standing = bool(self._prompt)
            line = await self._reading(loop)
            self._standing = False
            if line is None:
                return
            yield line.strip()

    def _reading(self, loop: asyncio.AbstractEventLoop) -> asyncio.Future[str | None]:
        future: asyncio.Future[str | None] = loop.create_future()

        def settle(line: str | None) -> None:
            if not future.done():
                future.set_result(line)

        def read() -> None:
            try:
                line: str | None = input(self._prompt) if self._prompt else self._piped()
            except (EOFError, OSError, ValueError):
                line = None
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(settle, line)

        threading.Thread(target=read, daemon=True).start()
        return future

    def _piped(self) -> str:
        """The next line of a pipe or file; EOFError after the last.

        Past `sys.stdin`, whose lock a thread that still reads would hold when the interpreter ends.
        """
        end = self._ahead.find(b"\n")
        while end < 0:
            start = len(self._ahead)
            more = os.read(0, 65_536)
            if not more and not start:
                raise EOFError
            self._ahead += more or b"\n"
            end = self._ahead.find(b"\n", start)
        line = self._ahead[:end].decode("utf-8", "replace")
        del self._ahead[: end + 1]
        return line


@contextlib.contextmanager
def restored() -> Iterator[None]:
    """Puts the terminal's modes back afterwards: a prompt that is left standing has changed them."""
    if not sys.stdin.isatty():
        yield
        return
    before = termios.tcgetattr(sys.stdin)
    try:
        yield
    finally:
        with contextlib.suppress(termios.error):  # the terminal is gone
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
