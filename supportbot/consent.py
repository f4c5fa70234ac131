"""What a yes is bound to: one tool with exactly these arguments."""

from __future__ import annotations

import hashlib
import json
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
