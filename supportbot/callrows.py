"""What the house itself writes into the inbox about calls that wait: that one was decided, and that one is done."""

from __future__ import annotations

from typing import Any

from supportbot.types import Address, Event, Message, ToolResult, User, WaitingCall


def decided(address: Address, call: WaitingCall, *, approved: bool, by: str, note: str = "") -> Message:
    """A human's decision; the first one on what was asked counts, a second is a repeat."""
    name = "approved" if approved else "denied"
    data = {"call": call.id, "by": by, "note": note}
    return Message(
        address, f"{call.id}.{call.digest[:12]}.decided", User(by, by), kind="call", event=Event(name, data)
    )


def finished(address: Address, call: WaitingCall, result: ToolResult) -> Message:
    """The end of a long call; there is one, however often it is reported."""
    data: dict[str, Any] = {
        "call": call.id,
        "content": result.content,
        "value": result.value,
        "error": result.error,
    }
    user = User(call.author, call.author_name)
    return Message(address, f"{call.id}.finished", user, kind="call", event=Event("finished", data))
