"""Single figures, and how they compare with the period before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from supportbot.console.tables import Unit, formatted
from supportbot.types.reports import Handoffs, Spread

Good = Literal["up", "down", ""]
"""The direction that is good news."""
_MATTERS = {"percent": 1.0, "stars": 0.1}
"""Smaller changes are neither good nor bad news; of other units, those under 5 %."""


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure of the overview. `change` compares it with the period before, in words; `mood` is good, bad or ""."""

    name: str
    value: str
    section: str
    change: str = ""
    mood: str = ""
    note: str = ""


def counted(
    name: str, section: str, now: Mapping[str, int], before: Mapping[str, int], key: str, good: Good = ""
) -> Tile:
    return compared(name, section, now[key], before[key], "count", good)


def timed(name: str, now: Spread, before: Spread) -> Tile:
    values = [one.median if one.count else None for one in (now, before)]
    return compared(name, "times", values[0], values[1], "seconds", "down")


def rated(now: Handoffs, before: Handoffs) -> Tile:
    tile = compared("Satisfaction", "satisfaction", now.average, before.average, "stars", "up")
    value = f"{tile.value} ★" if now.rated else tile.value
    return replace(tile, value=value, note="1 rating" if now.rated == 1 else f"{now.rated:,} ratings")


def compared(name: str, section: str, now: float | None, before: float | None, unit: Unit, good: Good) -> Tile:
    change, mood = _change(now, before, unit, good)
    return Tile(name, formatted(now, unit), section, change, mood)


def _change(now: float | None, before: float | None, unit: Unit, good: Good) -> tuple[str, str]:
    if now is None or before is None:
        return ("nothing to compare with", "") if now is not None else ("", "")
    difference = now - before
    if unit in ("percent", "stars"):
        size = f"{abs(difference):.1f} points" if unit == "percent" else f"{abs(difference):.2f}"
        same = abs(difference) < (0.05 if unit == "percent" else 0.005)
    elif before == 0:
        return ("the same as before", "") if not now else ("none before", "")
    else:
        size = f"{abs(difference) / before * 100:.0f} %"
        same = abs(difference) / before < 0.005
    if same:
        return "the same as before", ""
    direction = "up" if difference > 0 else "down"
    matters = abs(difference) >= _MATTERS[unit] if unit in _MATTERS else abs(difference) / before >= 0.05
    mood = ("good" if direction == good else "bad") if good and matters else ""
    return f"{'▲' if direction == 'up' else '▼'} {direction} {size}", mood
