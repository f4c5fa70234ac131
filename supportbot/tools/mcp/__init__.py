"""Tools of MCP servers. Nothing of the SDK is imported here: only `connection` and `transport` speak to it."""

from supportbot.tools.mcp.listing import fitting
from supportbot.tools.mcp.room import MISSING, McpRoom

__all__ = ["MISSING", "McpRoom", "fitting"]
