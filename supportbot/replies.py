"""Fits one portable Reply to what a channel can show. Nothing is dropped: what a channel lacks degrades by rule.

1. Buttons that a channel cannot show as they are become numbered choices, all of them; the engine takes the number.
2. A link becomes a link in the text, a file its name and address.
3. A button that asks for the customer's phone number or place is left out: the text asks, and the answer is typed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from supportbot import markup
from supportbot.types import Attachment, Button, Capabilities, Reply

_BRACKETS = re.compile(r"([\[\]\\])")


def fit(reply: Reply, capabilities: Capabilities) -> tuple[Reply, ...]:
    """The messages to send for one reply: what the channel lacks put into words, long texts in parts.

    Buttons and files stay on the last part.
    """
    buttons = tuple(_shown(reply, capabilities))
    files = reply.files if capabilities.files else ()
    text = "\n\n".join(part for part in (reply.text, *_told(reply, capabilities)) if part)
    limit, measure = capabilities.text_limit, capabilities.measure
    parts = markup.split(text, limit, measure=measure) if limit else [text]
    alone = [Reply(part, private=reply.private, author=reply.author) for part in parts[:-1]]
    return (
        *alone,
        replace(reply, text=parts[-1], buttons=buttons, files=files, menu=reply.menu and bool(buttons)),
    )


def _fits(buttons: tuple[Button, ...], capabilities: Capabilities) -> bool:
    most, longest = capabilities.button_limit, capabilities.label_limit
    few = not most or len(buttons) <= most
    return (
        capabilities.buttons and few and not (longest and any(len(button.label) > longest for button in buttons))
    )


def _shown(reply: Reply, capabilities: Capabilities) -> Iterator[Button]:
    fits = _fits(reply.choices, capabilities)
    for button in reply.buttons:
        able = capabilities.links if button.url else capabilities.asks if button.asks else fits
        if able:
            yield button


def _told(reply: Reply, capabilities: Capabilities) -> Iterator[str]:
    """The paragraphs that stand for what the channel cannot show."""
    pressable = reply.choices
    if pressable and not _fits(pressable, capabilities):
        yield "\n".join(f"{number}. {button.label}" for number, button in enumerate(pressable, 1))
    links = [button for button in reply.buttons if button.url]
    if links and not capabilities.links:
        yield "\n".join(_link(button.label, button.url) for button in links)
    if reply.files and not capabilities.files:
        yield "\n".join(_file(file) for file in reply.files)


def _file(file: Attachment) -> str:
    return _link(file.name or file.url, file.url) if file.url else f"[{file.name}]"


def _link(label: str, url: str) -> str:
    escaped = _BRACKETS.sub(r"\\\1", label)
    return f"[{escaped}]({url})" if label != url else url
