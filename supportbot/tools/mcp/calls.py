"""A call of an MCP tool: what is tried twice, what an end without an answer means, what a result is."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from supportbot.errors import ToolError
from supportbot.protocols import OutcomeUnknown, Tool, ToolContext

UNREACHED = "The system behind this tool cannot be reached just now."
MAX_ERROR = 2_000
PATIENCE = 5.0
"""Seconds that a call waits for its server to come back, at most."""


class Unreached(Exception):
    """Nothing began: there is no connection, or the server certainly did not take the call."""


class Lost(Exception):
    """The call may have begun, and no answer came; `str()` says how that was."""


class Late(Lost):
    """The time was up before an answer came."""


class Refused(Exception):
    """The server answered that it does not do this; `str()` is what it said."""


class Line(Protocol):
    """A way to a server."""

    async def ask(self, there: str, arguments: dict[str, Any], context: ToolContext, seconds: float) -> Any:
        """The SDK's `CallToolResult`. Raises Unreached, Lost, Late, Refused."""

    async def back(self, seconds: float) -> bool:
        """Waits until the server has answered anew; False if it did not within `seconds`, or is down for longer."""


async def called(line: Line, tool: Tool, there: str, arguments: dict[str, Any], context: ToolContext) -> Any:
    """The result of a call. Raises ToolError, and OutcomeUnknown for a tool with effects.

    What certainly did not begin is tried a second time when the server is back, and so is what only reads.
    """
    now = asyncio.get_running_loop().time
    ends = now() + tool.timeout
    for tries_left in (1, 0):
        try:
            return result_of(await line.ask(there, arguments, context, max(ends - now(), 0.05)))
        except Refused as refused:
            raise ToolError(str(refused)[:MAX_ERROR]) from None
        except Lost as lost:
            _without_answer(tool, lost)
        except Unreached:
            pass  # nothing began
        if not (tries_left and await line.back(min(PATIENCE, ends - now()))):
            break
    raise ToolError(UNREACHED)


def _without_answer(tool: Tool, lost: Lost) -> None:
    """Returns if the call may be tried again."""
    if tool.effects:
        raise OutcomeUnknown(f"{lost}, so it is not known whether {tool.name} took effect.") from None
    if isinstance(lost, Late):
        raise ToolError(f"{tool.name} did not answer in time.") from None


def result_of(result: Any) -> Any:
    """The structured content of an SDK `CallToolResult`, or its texts; never the bytes of an attachment.

    Raises ToolError if the tool says that it failed.
    """
    if result.is_error:
        raise ToolError(_text(result)[:MAX_ERROR] or "The tool failed and did not say why.")
    return _text(result) if result.structured_content is None else result.structured_content


def _text(result: Any) -> str:
    return "\n".join(map(_block, result.content))


def _block(block: Any) -> str:
    """A block's text; of anything else what it is, in brackets."""
    inner = getattr(block, "resource", block)
    if isinstance(text := getattr(inner, "text", None), str):
        return text
    parts = (block.type, getattr(inner, "mime_type", None), getattr(inner, "uri", None))
    return f"[{' '.join(str(part)[:200] for part in parts if part)}]"
