"""Finds the example bot: inside the installed package, or at the top of a checkout."""

from __future__ import annotations

from pathlib import Path

from supportbot.errors import UsageError

KINDS = ("flows", "prompts", "knowledge", "tools", "config.example.yaml", "shop_tools.py", "shop.sql")


def bundled(kind: str) -> Path:
    """The file or folder of the example bot that is called `kind`. Raises UsageError if the installation lacks it."""
    if kind not in KINDS:
        raise UsageError(f"there is no bundled {kind!r}; there are: {', '.join(KINDS)}")
    package = Path(__file__).resolve().parent.parent
    for home in (package / "_bundled", package.parent):
        if (home / kind).exists():
            return home / kind
    raise UsageError(f"this installation lacks the example's {kind}: install supportbot-framework again")
