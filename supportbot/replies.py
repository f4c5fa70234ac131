"""Fits one portable Reply to what a channel can show. Nothing is dropped: what a channel lacks degrades by rule."""

from __future__ import annotations

from collections.abc import Iterator

from supportbot.types import Capabilities, Reply

_BREAKS = ("\n\n", "\n", ". ", " ")


def fit(reply: Reply, capabilities: Capabilities) -> tuple[Reply, ...]:
    """The messages to send for one reply: buttons as numbered choices where there are none, long texts in parts.

    Buttons stay on the last part.
    """
    text = reply.text
    if reply.buttons and not capabilities.buttons:
        choices = "\n".join(f"{number}. {button.label}" for number, button in enumerate(reply.buttons, 1))
        text = f"{text}\n\n{choices}"
    parts = list(split(text, capabilities.text_limit)) if capabilities.text_limit else [text]
    last = Reply(parts[-1], reply.buttons if capabilities.buttons else ())
    return (*(Reply(part) for part in parts[:-1]), last)


def split(text: str, limit: int) -> Iterator[str]:
    """Parts of at most `limit` characters, cut at a paragraph, line, sentence or word, the first that serves.

    Only blanks at a cut are lost, and no part is blank unless the whole text is.
    """
    text = text.strip() if len(text) > limit else text
    while len(text) > limit:
        cut = _cut(text, limit)
        yield text[:cut].rstrip()
        text = text[cut:].lstrip()
    yield text


def _cut(text: str, limit: int) -> int:
    for mark in _BREAKS:
        place = text.rfind(mark, limit // 4, limit - len(mark) + 1)
        if place > 0:
            return place + len(mark)
    return limit
