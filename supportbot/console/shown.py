"""A conversation as its page shows it: who said what, and what went on inside.

1. What the customer saw stands in the open; notes to the model and tool calls are folded away, never mixed up with it.
2. Nothing is decided by what a text says, but for the choices, which the house itself writes behind a reply.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from supportbot.types import Attachment, ChatMessage, Inbound
from supportbot.types.lines import Delivery, Talk

_CHOICES = re.compile(r"(?:\A|\n)\[choices: ([^\n]*)\]\Z")
_LONGEST_INSIDE = 4_000


@dataclass(frozen=True, slots=True)
class Said:
    """One message that the customer wrote or saw. `trouble` says that it has not reached them."""

    who: Literal["customer", "bot", "agent"]
    name: str
    text: str
    choices: tuple[str, ...] = ()
    files: tuple[Attachment, ...] = ()
    private: bool = False
    trouble: str = ""
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Inside:
    """Something that only the bot saw; `label` names its kind."""

    label: str
    text: str


@dataclass(frozen=True, slots=True)
class ShownTurn:
    sequence: int
    at: float | None
    said: tuple[Said, ...]
    inside: tuple[Inside, ...]

    @property
    def answered(self) -> bool:
        """Whether the bot said something in it."""
        return any(one.who == "bot" for one in self.said)

    @property
    def troubled(self) -> bool:
        return any(one.trouble for one in self.said)

    @property
    def customer_last(self) -> bool:
        return not self.said or self.said[-1].who == "customer"


def turns(talk: Talk) -> tuple[ShownTurn, ...]:
    customer = talk.conversation.customer.name
    return tuple(
        ShownTurn(
            turn.sequence,
            talk.times.get(turn.sequence),
            _delivered(turn.messages, customer, _of_turn(talk.deliveries, turn.sequence)),
            tuple(_inside(turn.messages)),
        )
        for turn in talk.turns
    )


def pending(rows: Sequence[Inbound]) -> tuple[Said, ...]:
    """What has arrived and is not in a turn yet."""
    return tuple(_arrived(row) for row in rows)


def _of_turn(deliveries: Sequence[Delivery], turn: int) -> list[Delivery]:
    return [one for one in deliveries if one.turn == turn]


def _delivered(messages: Sequence[ChatMessage], customer: str, deliveries: list[Delivery]) -> tuple[Said, ...]:
    """What was said; trouble with a message that a channel got in other words or in parts stands at the last one."""
    said = list(_said(messages, customer, deliveries))
    ours = [at for at, one in enumerate(said) if one.who != "customer"]
    if deliveries and ours:
        worst = next((one for one in deliveries if one.state == "failed"), deliveries[0])
        said[ours[-1]] = replace(said[ours[-1]], trouble=_trouble(worst), failed=worst.state == "failed")
    return tuple(said)


def _trouble(late: Delivery) -> str:
    yet = "" if late.state == "failed" else " yet"
    return f"Not delivered{yet}: {late.error or 'the channel did not take it'}"


def _said(messages: Sequence[ChatMessage], customer: str, deliveries: list[Delivery]) -> Iterator[Said]:
    for message in messages:
        if message.role == "user":
            yield Said(
                "customer",
                message.name or customer or "Customer",
                _without_names(message),
                files=_files(message),
                private=bool(message.only),
            )
        elif message.role == "assistant" and (message.content or message.files):
            yield _reply(message, deliveries)


def _reply(message: ChatMessage, deliveries: list[Delivery]) -> Said:
    text, choices = _choices(message.content)
    late = next((one for one in deliveries if one.text == text), None)
    if late is not None:
        deliveries.remove(late)
    return Said(
        "agent" if message.name else "bot",
        message.name or "Bot",
        text,
        choices,
        _files(message),
        bool(message.only),
        _trouble(late) if late is not None else "",
        late is not None and late.state == "failed",
    )


def _without_names(message: ChatMessage) -> str:
    """The customer's words without the marks that tell the model of files, which are shown themselves."""
    marks = " ".join(f"[file: {file.name}]" for file in message.files)
    return message.content.removesuffix(marks).rstrip() if marks else message.content


def _choices(content: str) -> tuple[str, tuple[str, ...]]:
    found = _CHOICES.search(content)
    if found is None:
        return content, ()
    return content[: found.start()], tuple(found[1].split(" | "))


def _files(message: ChatMessage) -> tuple[Attachment, ...]:
    """The files, with the pictures that older turns have by their digest only."""
    known = {file.digest for file in message.files}
    pictures = (Attachment("picture", "image/*", digest=one) for one in message.images if one not in known)
    return (*message.files, *pictures)


def _inside(messages: Sequence[ChatMessage]) -> Iterator[Inside]:
    for message in messages:
        if message.role == "system":
            yield Inside("Note to the bot", _short(message.content))
        for call in message.tool_calls:
            yield Inside(f"Called {call.name}", _short(_pretty(call.arguments)))
        if message.role == "tool":
            yield Inside("The tool said", _short(_pretty(message.content)))


def _pretty(text: str) -> str:
    try:
        return json.dumps(json.loads(text), ensure_ascii=False, indent=2)
    except ValueError:
        return text


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_INSIDE else text[:_LONGEST_INSIDE] + " …"


def _arrived(row: Inbound) -> Said:
    message = row.message
    pressed = message.action.value or message.action.id if message.action is not None else ""
    agent = message.kind == "human.message"
    name = message.user.name or ("Agent" if agent else "Customer")
    return Said("agent" if agent else "customer", name, message.text or pressed, files=message.attachments)
