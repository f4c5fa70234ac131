"""Times, money, reasons and values as people read them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

STEPS = ((86_400, "d"), (3_600, "h"), (60, "min"))
"""Units of time above a second, in seconds."""
_REASONS: Mapping[str, str] = {
    "requested": "asked for a human",
    "flow": "a flow hands over",
    "model": "the model hands over",
    "model_failed": "the model failed",
    "no_answer": "no answer found",
    "tool_failed": "a tool failed",
    "unknown_outcome": "outcome of an action unknown",
    "approval": "nobody decided on an action",
    "deadline": "no answer in time",
    "error": "the bot failed",
    "human": "a human stepped in",
    "rule": "a rule calls a human",
}
_MEANT = {words: reason for reason, words in _REASONS.items()}


def reason(code: str) -> str:
    """A handoff's reason in a few words; the sentence to it is in HANDOFF_REASONS."""
    return _REASONS.get(code, code)


def reason_meant(text: str) -> str:
    """The reason that is said in these words; other texts stay as they are."""
    return _MEANT.get(text.casefold(), text)


def duration(seconds: float | None) -> str:
    """Roughly how long, as a clock that runs: whole ones of the largest unit, "45 s", "3 min", "2 h", "4 d"."""
    if seconds is None:
        return ""
    left = max(0.0, seconds)
    for size, unit in STEPS:
        if left >= size:
            return f"{int(left // size)} {unit}"
    return f"{int(left)} s"


def length(seconds: float) -> str:
    """How long it took, as a figure: in one or two units, "45 s", "3.5 min", "2 h 10 min", "1 d 4 h"."""
    if seconds < 59.95:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    if seconds < 600:
        return f"{seconds / 60:.1f}".removesuffix(".0") + " min"
    left, parts = round(seconds / 60) * 60, []
    for size, unit in STEPS:
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])


def dollars(amount: float) -> str:
    """With as many decimals as a small amount needs."""
    if amount == 0 or abs(amount) >= 1:
        return f"${amount:,.2f}"
    return f"${amount:.4f}" if abs(amount) >= 0.0001 else f"${amount:.6f}"


def money(micro: int) -> str:
    """Of micro-dollars."""
    return dollars(micro / 1_000_000)


def plain(value: Any) -> str:
    """What a tool or a flow has left: texts as they are, lists of them with commas, anything else as JSON."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(one, str | int | float) for one in value):
        return ", ".join(str(one) for one in value)
    return json.dumps(value, ensure_ascii=False)
