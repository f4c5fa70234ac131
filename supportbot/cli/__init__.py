"""The command line: `supportbot` and `python -m supportbot`.

Exit codes: 0 done; 1 findings in files that load, or no answer; 2 wrong usage, a file that cannot be used, or a
database that cannot be had. A person's mistake is one sentence on standard error, never a traceback.
"""

from __future__ import annotations

import io
import os
import sys


def main() -> None:
    """Runs the command line and exits."""
    from supportbot.cli.app import app
    from supportbot.errors import SupportbotError

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that lacks a letter shows "?" for it
    try:
        try:
            app(prog_name="supportbot")
        finally:
            sys.stdout.flush()
    except SupportbotError as error:
        print(f"supportbot: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except BrokenPipeError:
        _forget_output()
        raise SystemExit(0) from None
    except OSError as error:
        _forget_output()
        place = f"{error.filename}: " if error.filename else ""
        print(f"supportbot: {place}{error.strerror or type(error).__name__}.", file=sys.stderr)
        raise SystemExit(2) from None


def _forget_output() -> None:
    """Whoever read the output is gone, or its disk is full: the interpreter shall not try again at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
