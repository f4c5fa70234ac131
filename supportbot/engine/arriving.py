"""What is pending becomes what was said: whose turn it is, edits folded in, presses resolved, files fetched."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import replace

from supportbot.types import (
    Action,
    Attachment,
    Effect,
    Fetch,
    Fetched,
    FlowState,
    Inbound,
    Message,
    Result,
)

OUTSIDE = ("message", "message.edited", "message.deleted", "action", "event")
"""Kinds that come from customers; what a human agent or a timer does concerns the conversation's own customer."""
CHANGES = ("message.edited", "message.deleted")
MOST_FILES = 8
"""Attachments of one turn that are fetched; more are named, not looked at."""


def batch(pending: Sequence[Inbound], *, everyone: bool = False) -> tuple[Inbound, ...]:
    """The pending rows that make one turn: the leading run of one author's messages with the changes to them, or one
    row of any other kind.

    `everyone` takes the leading run of all customers' rows, for a notice that ends them together.
    """
    first = pending[0].message
    if everyone and first.kind in OUTSIDE:
        return _leading(pending, lambda message: message.kind in OUTSIDE)
    if first.kind not in ("message", *CHANGES) or first.text.startswith("/"):
        return _with_changes((pending[0],), pending)
    leading = _leading(pending, lambda message: message.user.id == first.user.id and _is_talk(message))
    return _with_changes(leading, pending)


def _with_changes(rows: tuple[Inbound, ...], pending: Sequence[Inbound]) -> tuple[Inbound, ...]:
    """The rows with the changes to them that stand further on, behind what others wrote."""
    authors = {row.message.id: row.message.user.id for row in rows}
    changes = [
        row
        for row in pending[len(rows) :]
        if row.message.kind in CHANGES and authors.get(row.message.target) == row.message.user.id
    ]
    return (*rows, *changes)


def _is_talk(message: Message) -> bool:
    return message.kind in ("message", *CHANGES) and not message.text.startswith("/")


def _leading(pending: Sequence[Inbound], belongs: Callable[[Message], bool]) -> tuple[Inbound, ...]:
    taken = []
    for inbound in pending:
        if not belongs(inbound.message):
            break
        taken.append(inbound)
    return tuple(taken)


def folded(rows: Sequence[Inbound]) -> tuple[Inbound, ...]:
    """The rows with each edit in the place of what it edits and what was deleted left out.

    A change to a message of an earlier turn stays as it is. Only the author can change a message.
    """
    said: list[Inbound] = []
    for row in rows:
        at = _target(said, row.message)
        if at is None:
            said.append(row)
        elif row.message.kind == "message.deleted":
            del said[at]
        else:
            said[at] = replace(said[at], message=replace(said[at].message, text=row.message.text))
    return tuple(said)


def _target(said: Sequence[Inbound], change: Message) -> int | None:
    if change.kind not in CHANGES:
        return None
    for at, row in enumerate(said):
        if row.message.id == change.target and row.message.user.id == change.user.id:
            return at
    return None


def pressed(message: Message, state: FlowState) -> Message:
    """A press with the id and value of its button; both stay empty if that is not open to its author (any more)."""
    if message.action is None or not message.action.press:
        return message
    press = message.action.press
    button = next((button for button in state.offered if button.press == press), None)
    if button is None:
        return replace(message, action=Action(press=press))
    return replace(message, action=Action(button.id, button.value or button.label, press))


def fetched(
    rows: Sequence[Inbound], *, most: int = MOST_FILES
) -> Generator[Effect, Result, tuple[tuple[Inbound, ...], tuple[tuple[Attachment, str], ...]]]:
    """The rows with their files' digests, and (attachment, error) of each that could not be had."""
    failed: list[tuple[Attachment, str]] = []
    done = []
    left = most
    for row in rows:
        files = []
        for attachment in row.message.attachments:
            if attachment.ref and not attachment.digest and left:
                left -= 1
                result = yield Fetch(attachment)
                if isinstance(result, Fetched):
                    attachment = result.attachment
                    failed += [(attachment, result.error)] if result.error else []
            files.append(attachment)
        done.append(replace(row, message=replace(row.message, attachments=tuple(files))) if files else row)
    return tuple(done), tuple(failed)
