"""The seams of the house. Everything with a door outside stands behind one of these, and has a contract suite.

Rules that every implementation keeps:

1. Errors come from `supportbot.errors`; anything else that escapes is a bug of the implementation.
2. A coroutine that returned has done what it says durably; one that was cancelled or raised has done nothing.
3. Times are handed in (`now`, seconds since the epoch), never read from a clock, in `Store` and `TurnQueue.put`.
"""

from supportbot.protocols.channels import Adapter, ChannelContext, Files, Inbox, Menu, Waiting
from supportbot.protocols.desks import Desk, DeskInbox
from supportbot.protocols.shelf import Shelf
from supportbot.protocols.state import Enqueue, Store, TurnQueue
from supportbot.protocols.work import Knowledge, Model, NotDone, OutcomeUnknown, Secrets, Tool, ToolContext

__all__ = [
    "Adapter",
    "ChannelContext",
    "Desk",
    "DeskInbox",
    "Enqueue",
    "Files",
    "Inbox",
    "Knowledge",
    "Menu",
    "Model",
    "NotDone",
    "OutcomeUnknown",
    "Secrets",
    "Shelf",
    "Store",
    "Tool",
    "ToolContext",
    "TurnQueue",
    "Waiting",
]
