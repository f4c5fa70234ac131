"""Rows for a desk, what agents send there, and a started desk of each mode."""

from __future__ import annotations

import time
from typing import Any

from supportbot.testing.telegram import updates
from supportbot.testing.telegram.server import Sent
from supportbot.types import Address, Outgoing, OutgoingKind, Reply, User
from supportbot_telegram.desk_inbound import PressKind, press_data

from .conftest import Shop

GROUP, SECOND = -1001700000001, -1001700000002
ANNA = {"id": "u-7", "name": "Anna Berg"}
BEN = 81002


def row(
    kind: OutgoingKind, place: str = "", *, id: str = "o-1", handoff: str = "h_3f9c2a77", **data: Any
) -> Outgoing:
    """A row for the desk "front"; `said` is what its Reply says, `files` are in it."""
    said, files = data.pop("said", None), data.pop("files", ())
    facts = {"handoff": handoff, "desk": "front", "status": "waiting", "priority": "normal", "customer": ANNA}
    return Outgoing(
        id=id,
        conversation="c-1",
        address=Address("@desk.front", "chat-1"),
        lane="l",
        kind=kind,
        user=User("u-7", "Anna Berg"),
        in_reply_to=(),
        part=1,
        parts=1,
        created_at=time.time(),
        reply=None if said is None else Reply(said, files=files),
        data={**facts, **data},
        place=place,
    )


def requested(*, id: str = "o-1", place: str = "", handoff: str = "h_3f9c2a77", **data: Any) -> Outgoing:
    brief = {
        "reason": "requested",
        "detail": "The customer asked for a human.",
        "summary": "Customer: the lamp is broken",
        "transcript": [{"role": "user", "name": "Anna", "text": "The lamp is broken"}],
    }
    return row("handoff.requested", place, id=id, handoff=handoff, **{**brief, **data})


def said(text: str, place: str, *, id: str = "o-2", role: str = "customer", **more: Any) -> Outgoing:
    who = {"role": role, "id": "u-7", "name": more.pop("name", "Anna Berg")}
    return row("handoff.message", place, id=id, said=text, **{"from": who}, **more)


async def opened_handoff(shop: Shop, desk: str = "front", **data: Any) -> str:
    """The place of a new handoff, which the house knows."""
    place = await shop.desks[desk].send(requested(desk=desk, **data))
    shop.house.places.add((desk, place))
    shop.house.handoffs.add(data.get("handoff", "h_3f9c2a77"))
    return place


def forum(group: int = GROUP) -> dict[str, Any]:
    return updates.group(group, "Agents", is_forum=True)


def agent(id: int = BEN, name: str = "Ben") -> dict[str, Any]:
    return updates.user(id, name)


def written(text: str, place: str, group: int = GROUP, **more: Any) -> dict[str, Any]:
    """An agent's message in a topic."""
    return updates.topic_message(text, int(place), chat=forum(group), sender=more.pop("sender", agent()), **more)


def press(kind: PressKind, place: str, message: int = 1, group: int = GROUP) -> dict[str, Any]:
    """An agent presses a button under a message of the desk."""
    return updates.callback(press_data(kind, int(place)), message, forum(group), agent(), int(place))


def in_topic(shop: Shop, place: str) -> list[Sent]:
    return [one for one in shop.fake.sent if str(one.thread) == place]


def labels(sent: Sent) -> list[str]:
    markup = sent.reply_markup or {}
    return [button["text"] for line in markup.get("inline_keyboard", ()) for button in line]
