"""A bot in a process of its own, to be killed: `python crashing.py FOLDER WHERE`.

WHERE is "in the tool", "after the tool" or "in the model". It takes one message and dies there by SIGKILL.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from supportbot import Adapter, Address, Message, Outgoing, User
from supportbot.bot import Bot
from supportbot.models import Line, ScriptedModel
from supportbot.testing.site import write_bot
from supportbot.types import ModelRequest, ToolCall

REFUND = ToolCall("call-1", "refund", '{"order": "A-10002"}')
TOOLS = '''
import os, signal
from pathlib import Path
from supportbot import tool

HERE = Path(__file__).parent

@tool(effects=True)
def refund(order: str) -> str:
    """Refunds an order."""
    with (HERE / "ledger").open("a") as ledger:
        ledger.write(order + chr(10))
    if (HERE / "die").exists():
        os.kill(os.getpid(), signal.SIGKILL)
    return "refunded " + order

@tool
def look_up(order: str) -> str:
    """Finds an order."""
    return "found " + order
'''


class Shop(Adapter):
    """A channel in memory. `shown` are previews, `sent` what was delivered."""

    def __init__(self, name: str = "shop", options: Mapping[str, Any] | None = None) -> None:
        super().__init__(name, options or {})
        self.sent: list[Outgoing] = []
        self.shown: list[str] = []

    async def send(self, outgoing: Outgoing) -> str:
        self.sent.append(outgoing)
        return f"handle-{len(self.sent)}"


def write(folder: Path, **config: Any) -> Path:
    (folder / "shop_tools.py").write_text(TOOLS)
    config = {"tools": {"modules": ["shop_tools.py"]}, **config}
    return write_bot(folder, callback_url="http://127.0.0.1:9/", config=config)


def message(id: str, text: str = "Please refund A-10002", *, chat: str = "anna") -> Message:
    return Message(Address("shop", chat), id, User(f"u-{chat}", chat.title()), text)


def _die(request: ModelRequest) -> Line:
    os.kill(os.getpid(), signal.SIGKILL)
    return Line()


async def _main(folder: Path, where: str) -> None:
    answered = 0

    def script(request: ModelRequest) -> Any:
        nonlocal answered
        answered += 1
        return _die(request) if where == "in the model" or answered > 1 else REFUND

    if where == "in the tool":
        (folder / "die").touch()
    shop = Shop()
    bot = Bot.from_config(
        write(folder), env={}, model=ScriptedModel(script), channels={"shop": shop}, only_channels=True
    )
    async with bot:
        await bot.receive(message("m1"))
        await asyncio.sleep(30)


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1]), sys.argv[2]))
