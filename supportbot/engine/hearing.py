"""What customers sent, as words in the turn and in history."""

from __future__ import annotations

from supportbot.engine.draft import EDITED, Draft
from supportbot.types import Message


def hear(draft: Draft) -> None:
    """Puts what the customers sent into the turn; an event has no words."""
    for inbound in draft.batch:
        message = inbound.message
        if message.kind == "message.deleted":
            draft.withdrawn.append(message.target)
        elif message.kind != "event":
            draft.hear(message, heard(message), images(message))


def withdraw(draft: Draft) -> None:
    """Customers took back what they wrote: nothing is answered, and earlier words leave the history."""
    hear(draft)
    draft.trace("silent", reason="the customer deleted the message, or changed nothing of it")


def heard(message: Message) -> str:
    """The words that stand in history for what the customer sent."""
    if message.action is not None:
        return message.action.value or message.action.id or "[pressed a button that is no longer open]"
    files = " ".join(f"[file: {attachment.name}]" for attachment in message.attachments)
    edited = EDITED if message.kind == "message.edited" else ""
    return " ".join(part for part in (edited, message.text, files) if part)


def images(message: Message) -> tuple[str, ...]:
    """The digests of the pictures that came with it and were kept."""
    return tuple(
        file.digest for file in message.attachments if file.digest and file.media_type.startswith("image/")
    )
