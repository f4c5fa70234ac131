"""supportbot answers a company's customers where they already write. This is the front door; its names are stable.

`Bot` and `tool` are imported when they are first used, so that a command line that needs neither stays quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from supportbot.errors import (
    ChannelBusy,
    ChannelError,
    ChannelGone,
    ChannelRefused,
    ConfigError,
    Conflict,
    FileTooLarge,
    ModelError,
    NotFound,
    OperatorError,
    Problem,
    StoreBusy,
    StoreError,
    StoreFull,
    SupportbotError,
    ToolError,
    UsageError,
)
from supportbot.protocols import (
    Adapter,
    ChannelContext,
    Desk,
    DeskInbox,
    Files,
    Inbox,
    Menu,
    NotDone,
    OutcomeUnknown,
    Shelf,
    Tool,
    ToolContext,
    Waiting,
)
from supportbot.types import (
    Act,
    Action,
    Address,
    Attachment,
    Button,
    Capabilities,
    Entry,
    Event,
    Identity,
    Limit,
    Message,
    Outgoing,
    Receipt,
    Rendering,
    Reply,
    User,
)

if TYPE_CHECKING:
    from supportbot.bot import Bot
    from supportbot.tools import tool

__version__ = "0.1.0"

__all__ = [
    "Act",
    "Action",
    "Adapter",
    "Address",
    "Attachment",
    "Bot",
    "Button",
    "Capabilities",
    "ChannelBusy",
    "ChannelContext",
    "ChannelError",
    "ChannelGone",
    "ChannelRefused",
    "ConfigError",
    "Conflict",
    "Desk",
    "DeskInbox",
    "Entry",
    "Event",
    "FileTooLarge",
    "Files",
    "Identity",
    "Inbox",
    "Limit",
    "Menu",
    "Message",
    "ModelError",
    "NotDone",
    "NotFound",
    "OperatorError",
    "OutcomeUnknown",
    "Outgoing",
    "Problem",
    "Receipt",
    "Rendering",
    "Reply",
    "Shelf",
    "StoreBusy",
    "StoreError",
    "StoreFull",
    "SupportbotError",
    "Tool",
    "ToolContext",
    "ToolError",
    "UsageError",
    "User",
    "Waiting",
    "__version__",
    "tool",
]


def __getattr__(name: str) -> Any:
    if name == "Bot":
        from supportbot.bot import Bot

        return Bot
    if name == "tool":
        from supportbot.tools import tool

        return tool
    raise AttributeError(f"module 'supportbot' has no attribute {name!r}")
