"""The command line: `supportbot` and `python -m supportbot`.

Exit codes: 0 done; 1 findings in files that load; 2 wrong usage, a file that cannot be used, or a database that
cannot be had. A person's mistake is one sentence on standard error, never a traceback.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Runs the command line and exits."""
    from supportbot.cli.app import app
    from supportbot.errors import SupportbotError

    try:
        app(prog_name="supportbot")
    except SupportbotError as error:
        print(f"supportbot: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(0) from None
