"""A Slack workspace with two desks in it, and what agents do there."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from supportbot.testing.desk_stage import BRIEF, FACTS
from supportbot.testing.slack import events
from supportbot.testing.slack.server import Channel, FakeSlack, Post
from supportbot.types import Address, Outgoing, OutgoingKind, Reply, User
from supportbot_slack.desk import SlackDesk

from .conftest import Shop, shop

FRONT, BILLING = "C0FRONT", "G0BILLING"
ANA, BEN = "U0ANA1", "U0BEN1"


def row(
    kind: OutgoingKind, *, id: str = "o-1", place: str = "", reply: Reply | None = None, **more: Any
) -> Outgoing:
    """A row for the desk; `attempt` and `created_at` are the row's, everything else stands in its data."""
    fields = {name: more.pop(name) for name in ("attempt", "created_at") if name in more}
    facts = {"handoff": "h_1", "desk": "front", "requested_at": 1_790_000_000.0, "deadline": 1_790_000_900.0}
    return Outgoing(
        id=id,
        conversation="c",
        address=Address("@desk.front", "chat"),
        lane="@desk.front/h_1",
        kind=kind,
        user=User("u-7", "Ada Lovelace"),
        in_reply_to=(),
        part=1,
        parts=1,
        reply=reply,
        data={**facts, **FACTS, **more},
        place=place,
        **{"created_at": time.time(), **fields},
    )


def requested(**more: Any) -> Outgoing:
    """The row that opens a handoff, with its whole brief."""
    return row("handoff.requested", **{**BRIEF, **more})


def said(place: str, text: str = "", *, id: str = "o-2", role: str = "customer", **reply: Any) -> Outgoing:
    """A row with somebody's words."""
    by = {"role": role, "id": "u-7", "name": {"customer": "Ada", "bot": "Mia"}.get(role, "Ben")}
    return row("handoff.message", id=id, place=place, reply=Reply(text, **reply), **{"from": by})


def updated(place: str, change: str, *, id: str = "o-3", **more: Any) -> Outgoing:
    return row("handoff.updated", id=id, place=place, change=change, **more)


class Floor:
    """The shop and its desk `front`."""

    def __init__(self, opened: Shop) -> None:
        self.shop = opened
        self.slack, self.house, self.inbox, self.files = opened.slack, opened.house, opened.inbox, opened.files
        self.desk: SlackDesk = opened.desks["front"]

    async def open(self, **more: Any) -> str:
        """The place of a new handoff, which the house knows."""
        place = await self.desk.send(requested(**more))
        self.house.places.add(("front", place))
        self.house.handoffs.add("h_1")
        return place

    def standing(self, channel: str = FRONT) -> list[Post]:
        return [post for post in self.slack.posts if post.channel == channel and not (post.deleted or post.user)]

    def whispers(self) -> list[Post]:
        """What only one reader sees."""
        return [post for post in self.slack.posts if post.user]

    def roots(self) -> list[Post]:
        return [post for post in self.standing() if not post.thread_ts]

    def thread(self) -> list[Post]:
        return [post for post in self.standing() if post.thread_ts]

    def root(self) -> Post:
        (root,) = self.roots()
        return root

    def buttons(self, post: Post | None = None) -> dict[str, dict[str, Any]]:
        """The buttons of a message (the root's), by action id."""
        rows = [block for block in (post or self.root()).blocks if block["type"] == "actions"]
        return {button["action_id"]: button for block in rows for button in block["elements"]}

    def press(self, action: str, post: Post | None = None, *, user: str = ANA, at: str = "") -> dict[str, Any]:
        """The payload of a pressed button of a message (the root)."""
        there = post or self.root()
        block = next(block for block in there.blocks if block["type"] == "actions")
        pressed = events.button(action, self.buttons(there)[action]["value"], block_id=block["block_id"])
        posted = {"ts": there.ts, "text": there.text, "blocks": there.blocks}
        posted |= {"thread_ts": there.thread_ts} if there.thread_ts else {}
        action_at = {"action_ts": at} if at else {}
        return events.block_actions(pressed | action_at, posted, user=user, channel=there.channel)

    def words(self, place: str, text: str = "Hello!", *, user: str = ANA, **others: Any) -> dict[str, Any]:
        """An agent's message in a thread."""
        channel, _, ts = place.partition(":")
        fields: dict[str, Any] = {"parent_user_id": events.BOT_USER, **others}
        return events.message(text, user=user, channel=channel, thread_ts=ts, **fields)

    @property
    def acts(self) -> list[Any]:
        return [act for _, act in self.house.acts]


def workspace(**options: Any) -> FakeSlack:
    slack = FakeSlack(**{"pace": 0, "tiers": {}, **options})
    slack.users |= {ANA: "Ana Lima", BEN: "Ben Okri"}
    slack.channels |= {FRONT: Channel(FRONT, "public", "front"), BILLING: Channel(BILLING, "private", "billing")}
    return slack


@asynccontextmanager
async def floor(
    slack: FakeSlack | None = None, *, desks: Mapping[str, str] | None = None, **options: Any
) -> AsyncIterator[Floor]:
    places = {"front": FRONT, "billing": BILLING} if desks is None else desks
    async with shop(slack=slack or workspace(), desks=places, **options) as opened:
        yield Floor(opened)
