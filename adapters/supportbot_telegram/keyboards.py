"""Buttons as Telegram has them: under the message, or in the place of the keyboard when they ask for something. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from supportbot import Button
from supportbot_telegram.entities import linkable, utf16
from supportbot_telegram.inbound import callback_data

BUTTON_LIMIT = 100
LABEL_LIMIT = 64
_WIDEST = {2: 18, 3: 10}
"""The longest label that can be read with so many buttons in a row on a phone."""

_ASKS = {"phone": "request_contact", "location": "request_location"}


@dataclass(frozen=True, slots=True)
class Keyboard:
    """`markup` is the request's reply_markup, None if there are no buttons; `lines` are those that have to be text."""

    markup: dict[str, Any] | None = None
    lines: tuple[str, ...] = ()


def keyboard(
    buttons: Sequence[Button], *, private: bool, user: str, thread: int, origin: int = 0, key: bytes = b""
) -> Keyboard:
    """The buttons for one chat. Only a private chat can be asked for a phone number or place: elsewhere such a button
    is left out, and the text asks for it. `origin` is the group whose conversation goes on in the private chat; `key` signs it."""
    asking = any(button.asks for button in buttons)
    links = [button for button in buttons if button.url and (not linkable(button.url) or (asking and private))]
    lines = tuple(f"{_label(button)}: {button.url}" for button in links)
    shown = [button for button in buttons if button not in links][:BUTTON_LIMIT]
    if asking and private:
        return Keyboard(_reply_keyboard(shown), lines)
    shown = [button for button in shown if not button.asks]
    if not shown:
        return Keyboard(None, lines)

    def inline(button: Button) -> dict[str, Any]:
        return _inline(button, user="" if private else user, thread=thread, origin=origin, key=key)

    return Keyboard({"inline_keyboard": _rows(shown, inline)}, lines)


def _reply_keyboard(buttons: Sequence[Button]) -> dict[str, Any]:
    return {"keyboard": _rows(buttons, _reply), "one_time_keyboard": True, "resize_keyboard": True}


def _reply(button: Button) -> dict[str, Any]:
    return {"text": _label(button), **({_ASKS[button.asks]: True} if button.asks else {})}


def _inline(button: Button, *, user: str, thread: int, origin: int, key: bytes) -> dict[str, Any]:
    """A button without `press` is one in a preview."""
    look = {"style": button.style} if button.style else {}
    if button.url:
        return {"text": _label(button), "url": button.url, **look}
    data = callback_data(button.press or button.id, user=user, thread=thread, origin=origin, key=key)
    return {"text": _label(button), "callback_data": data, **look}


def _label(button: Button) -> str:
    return button.label.strip() or button.id or "…"


def _rows(buttons: Sequence[Button], shape: Callable[[Button], dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """One to three in a row, by how long their labels are."""
    rows: list[list[Button]] = []
    for button in buttons:
        row = [*rows[-1], button] if rows else []
        if row and max(utf16(_label(one)) for one in row) <= _WIDEST.get(len(row), 0):
            rows[-1] = row
        else:
            rows.append([button])
    return [[shape(button) for button in row] for row in rows]
