"""What a yes is bound to: one tool with exactly these arguments."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

NOT_BOUND_TO = ("key",)
"""Bound arguments that differ from try to try and tell nothing of what is done."""


def canonical(arguments: str | Mapping[str, Any]) -> str:
    """The arguments as JSON text that is the same for the same values; text that is no JSON stays as it is."""
    try:
        value = json.loads(arguments or "{}") if isinstance(arguments, str) else dict(arguments)
        return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
    except (ValueError, RecursionError):
        return str(arguments)


def digest(tool: str, arguments: Mapping[str, Any]) -> str:
    """Tells one call from another; equal over processes. `arguments` are those that reach the tool."""
    return hashlib.blake2b(f"{tool} {canonical(arguments)}".encode(), digest_size=16).hexdigest()


# --- what a person sees of it --------------------------------------------------------------------------------

_HIDDEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
_BLANK = "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
"""Letters and signs by their class, that show nothing."""
_BLANKS = re.compile(r"[^\S ]| {2,}")
_MARKUP = re.compile(r"([\\`*_{}\[\]()<>#+!|~])")


def in_sight(text: str) -> str:
    """The text with every character in sight: none that hides, turns the line round, begins a new one, or pushes what
    follows out of the window."""
    shown = "".join(letter if _shows(letter) else f"\\u{{{ord(letter):x}}}" for letter in text)
    return _BLANKS.sub(lambda found: f"[{len(found[0])} blanks]", shown)


def unmarked(text: str) -> str:
    """The text as it stands, in Markdown."""
    return _MARKUP.sub(r"\\\1", text)


def is_seen(text: str) -> bool:
    """Whether there is anything in the text that a person would see."""
    return any(_shows(letter) and not letter.isspace() for letter in text)


def _shows(letter: str) -> bool:
    return unicodedata.category(letter) not in _HIDDEN and letter not in _BLANK
