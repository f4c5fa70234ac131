"""Tools: made from functions, loaded from the bot's folder, and run within their time."""

from __future__ import annotations

from supportbot.tools.decorator import tool
from supportbot.tools.load import load_modules
from supportbot.tools.toolbox import Toolbox

__all__ = ["Toolbox", "load_modules", "tool"]
