"""A real MCP server for tests: `mcp_server.py [--http PORT] [--old] [--paged]`, else over standard input and output.

`--old` knows the handshake of 2025 only, `--paged` lists its tools on three pages. What it did is appended to the file
LEDGER, one line each.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import mcp_types as types
import uvicorn
from mcp import MCPError
from mcp.server.lowlevel import Server
from mcp.server.mcpserver import Context, Image, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.stdio import stdio_server

READS = types.ToolAnnotations(read_only_hint=True)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)


def note(line: str) -> int:
    """Writes into the ledger; returns how many lines it has now."""
    ledger = Path(os.environ["LEDGER"])
    with ledger.open("a") as file:
        file.write(f"{line}\n")
    return len(ledger.read_text().splitlines())


def _server(old: bool) -> MCPServer[Any]:
    server: MCPServer[Any] = MCPServer("shop", log_level="ERROR", middleware=[_old_fashioned] if old else [])

    @server.tool(annotations=READS, structured_output=False)
    def echo(text: str) -> str:
        """Says it again."""
        return text

    @server.tool(annotations=READS)
    def add(a: int, b: int) -> int:
        """Adds."""
        return a + b

    @server.tool(annotations=READS)
    def about() -> dict[str, Any]:
        """What it was started with."""
        print("a line on standard error", file=sys.stderr)
        return {"environment": dict(os.environ), "pid": os.getpid(), "folder": str(Path.cwd())}

    @server.tool(structured_output=False)
    def refund(amount: int, ctx: Context) -> str:
        """Pays back."""
        key = (ctx.request_context.meta or {}).get("supportbot/key")
        note(f"refund {amount} {key}")
        return f"{amount} paid back"

    @server.tool(annotations=READS, structured_output=False)
    async def slow(seconds: float, ctx: Context) -> str:
        """Takes its time."""
        await ctx.report_progress(1, 4)
        await ctx.report_progress(2, 4, "half of it")
        await asyncio.sleep(seconds)
        return "done"

    @server.tool(structured_output=False)
    async def slow_refund(seconds: float) -> str:
        """Pays back, and takes its time."""
        note("slow_refund")
        await asyncio.sleep(seconds)
        return "paid back"

    @server.tool(structured_output=False)
    def failing() -> str:
        """Fails."""
        raise ToolError("The card has expired.")

    @server.tool(structured_output=False)
    def crash() -> str:
        """Pays back, and falls over."""
        note("crash")
        os._exit(3)

    @server.tool(annotations=READS, structured_output=False)
    def crash_once() -> str:
        """Falls over the first time."""
        if note("crash_once") == 1:
            os._exit(3)
        return "alive"

    @server.tool(annotations=READS, structured_output=False)
    def picture() -> list[Any]:
        """A picture."""
        return ["Here:", Image(data=PNG, format="png")]

    @server.tool(annotations=READS, structured_output=False)
    def request_headers(ctx: Context) -> str:
        """The header that it was asked with."""
        return (ctx.headers or {}).get("x-shop", "")

    @server.tool(structured_output=False)
    async def rename(text: str, ctx: Context) -> str:
        """Gives `echo` another description."""
        server.remove_tool("echo")
        server.add_tool(echo, description=text, annotations=READS, structured_output=False)
        await _tell(ctx)
        return "renamed"

    @server.tool(structured_output=False)
    async def grow(ctx: Context) -> str:
        """Adds the tool `extra`, or takes it away."""

        def extra() -> str:
            """One more."""
            return "extra"

        if any(tool.name == "extra" for tool in await server.list_tools()):
            server.remove_tool("extra")
        else:
            server.add_tool(extra, annotations=READS, structured_output=False)
        await _tell(ctx)
        return "changed"

    return server


async def _tell(ctx: Context) -> None:
    await ctx.notify_tools_changed()
    await ctx.request_context.session.send_tool_list_changed()


async def _old_fashioned(ctx: Any, call_next: Any) -> Any:
    if ctx.method == "server/discover":
        raise MCPError(code=types.METHOD_NOT_FOUND, message="Method not found")
    return await call_next(ctx)


def _paged() -> Server[Any]:
    names = ["one", "two", "huge", "odd", "list", "six"]
    schemas: dict[str, dict[str, Any]] = {
        "huge": {"type": "object", "description": "x" * 200_000},
        "odd": {"type": "object", "properties": {"a": {"type": "no such type"}}},
    }

    async def listed(ctx: Any, params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        start = int((params and params.cursor) or 0)
        tools = [
            types.Tool(name=name, description="d" * 3000, input_schema=schemas.get(name, {"type": "object"}))
            for name in names[start : start + 2]
        ]
        following = str(start + 2) if start + 2 < len(names) else None
        return types.ListToolsResult(tools=tools, next_cursor=following)

    async def called(ctx: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        if params.name == "one":
            raise MCPError(code=types.INVALID_PARAMS, message="no such order")
        if params.name == "two":
            raise ValueError("inside")
        return types.CallToolResult(content=[], structured_content={"odd": True})

    return Server("paged", on_list_tools=listed, on_call_tool=called)


async def _over_stdio(server: Server[Any]) -> None:
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--http", type=int)
    parser.add_argument("--old", action="store_true")
    parser.add_argument("--paged", action="store_true")
    parser.add_argument("--fail", action="store_true")
    chosen = parser.parse_args()
    if chosen.fail:
        sys.exit("the shop is closed")
    if chosen.paged:
        asyncio.run(_over_stdio(_paged()))
    elif chosen.http is not None:
        uvicorn.run(_server(chosen.old).streamable_http_app(), port=chosen.http, log_level="error")
    else:
        _server(chosen.old).run()


if __name__ == "__main__":
    main()
