"""What a check of the files found although they load."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from supportbot.errors import Problem


@dataclass(frozen=True, slots=True)
class Finding:
    """An error: something will fail when it is used. A warning: it will work, but not as well as it could."""

    level: Literal["error", "warning"]
    problem: Problem

    def __str__(self) -> str:
        return f"{self.problem} ({self.level})"
