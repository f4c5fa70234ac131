"""What agents do in a desk's channel, as acts of the house. Pure.

1. Only what a human writes in a thread that we began is an act; its id is the message's, the same for every repeat.
2. A pressed button is an act of its own each time; Slack's repeat of one press is the same act.
3. What is between the threads is talk among colleagues: nothing of it is an act, or a customer's message.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from supportbot import notes
from supportbot.types import Act, ActKind, User
from supportbot_slack.card import BLOCK
from supportbot_slack.fields import (
    ID,
    NAME,
    STAMP,
    Json,
    Unreadable,
    files,
    forwarded,
    id_of,
    object_of,
    or_empty,
    raw,
    stamp_of,
)
from supportbot_slack.inbound import SAID, Own, by_person, installed, team
from supportbot_slack.text import clean, readable

_KINDS: Mapping[str, ActKind] = {
    "claim": "claim",
    "release": "release",
    "return": "return",
    "resolve": "resolve",
    "suggestion": "message",
}
_NOTED = notes.reader(
    r"<[@#!][^<>]*>",  # somebody is called, as Slack writes it
    rf"@(?!{notes.NOTE}\b)[\w.-]+",
    r"&(?:amp|lt|gt);",
    rf":(?!{notes.NOTE}:)[a-z0-9_+'-]+:",  # an emoji
)
_HANDOFF = re.compile(r"[A-Za-z0-9_-]{1,200}\Z")


@dataclass(frozen=True, slots=True)
class TakenBack:
    """An agent changed or deleted words that the customer has already."""

    user: str
    channel: str
    thread: str
    ts: str


@dataclass(frozen=True, slots=True)
class Pressed:
    """A button and the message it stands in; `suggested`: it was the one that sends the suggested answer."""

    act: Act
    channel: str
    ts: str
    suggested: bool = False
    text: str = ""
    blocks: tuple[Json, ...] = field(default=())


def channel_of(payload: Json) -> str:
    """The channel in which something happened, "" if none. Takes anything."""
    event, container = payload.get("event"), payload.get("container")
    if isinstance(event, Mapping):
        return or_empty(event.get("channel"))
    return or_empty(container.get("channel_id")) if isinstance(container, Mapping) else ""


def said(payload: Json, own: Own, names: Mapping[str, str]) -> Act | TakenBack | None:
    """What an event in a desk's channel brings, None if no agent did anything. Raises Unreadable."""
    event = object_of(payload, "event")
    own = installed(payload, own)
    if event.get("type") not in ("message", "app_mention"):
        return None
    subtype = event.get("subtype")
    if subtype in ("message_changed", "message_deleted"):
        return _taken_back(event, own)
    if subtype not in SAID or not by_person(event, own):
        return None
    user, channel, ts = id_of(event, "user"), id_of(event, "channel"), stamp_of(event, "ts")
    if event.get("thread_ts") in (None, ts) or not _ours(event, own):
        return None
    thread = stamp_of(event, "thread_ts")
    sent = raw(event) if readable(raw(event), own=own.user).strip() else forwarded(event)
    note = _NOTED(sent)
    text = readable(sent if note is None else note, own=own.user, names=names)
    attached = tuple(file for file in files(event) if file.ref)
    if not text.strip() and not attached:
        return None
    return Act(
        id=f"{team(payload, own)}.{channel}.{ts}",
        agent=User(user),
        kind="message" if note is None else "note",
        place=f"{channel}:{thread}",
        text=text,
        attachments=attached,
    )


def _ours(said: Json, own: Own) -> bool:
    """Whether the thread can be a handoff's: we began it, as far as Slack says who did."""
    parent = or_empty(said.get("parent_user_id"))
    return not parent or not own.user or parent == own.user


def _taken_back(event: Json, own: Own) -> TakenBack | None:
    before, now = event.get("previous_message"), event.get("message")
    if not isinstance(before, Mapping) or before.get("subtype") not in SAID or not by_person(before, own):
        return None
    thread, ts, channel = before.get("thread_ts"), or_empty(before.get("ts")), or_empty(event.get("channel"))
    if thread in (None, ts) or _NOTED(raw(before)) is not None or not _ours(before, own):
        return None
    gone = not isinstance(now, Mapping) or now.get("subtype") == "tombstone"
    if not gone and isinstance(now, Mapping) and raw(now) == raw(before):
        return None
    if not (STAMP.match(or_empty(thread)) and STAMP.match(ts) and ID.match(or_empty(before.get("user")))):
        raise Unreadable("the changed message has no thread, timestamp or user")
    return TakenBack(or_empty(before.get("user")), channel, or_empty(thread), ts)


def pressed(payload: Json, own: Own) -> Pressed | None:
    """What a button in a desk's channel brings, None if it is none of a desk's. Raises Unreadable."""
    listed = payload.get("actions")
    action = listed[0] if isinstance(listed, list) and listed else None
    if not isinstance(action, Mapping):
        raise Unreadable("the action is missing")
    space, _, name = or_empty(action.get("action_id")).partition(":")
    handoff, value = or_empty(action.get("block_id")).partition(":")[2], or_empty(action.get("value"))
    kind = _KINDS.get(name)
    if space != BLOCK or kind is None or not _HANDOFF.match(handoff) or not value:
        return None
    user, place = object_of(payload, "user"), object_of(payload, "container")
    who, channel, ts = id_of(user, "id"), id_of(place, "channel_id"), stamp_of(place, "message_ts")
    thread = stamp_of(place, "thread_ts") if place.get("thread_ts") is not None else ts
    suggested = name == "suggestion"
    # the answer is sent once, however often it is pressed
    once = "" if suggested else f".{stamp_of(action, 'action_ts')}"
    posted = payload.get("message")
    shown: Json = posted if isinstance(posted, Mapping) else {}
    blocks = shown.get("blocks")
    act = Act(
        id=f"{team(payload, own)}.{handoff}.{name}.{ts}.{who}{once}",
        agent=User(who, clean(or_empty(user.get("name")))[:NAME]),
        kind=kind,
        place=f"{channel}:{thread}",
        # Slack sends no press again, so it must not have to wait until the place is known
        handoff=handoff,
        text=value if suggested else "",
    )
    return Pressed(
        act,
        channel,
        ts,
        suggested,
        text=or_empty(shown.get("text")),
        blocks=tuple(one for one in blocks if isinstance(one, Mapping)) if isinstance(blocks, list) else (),
    )


def settled(press: Pressed) -> list[dict[str, object]]:
    """The brief's blocks once its suggested answer was taken: who did in the place of the button."""
    line = {"type": "mrkdwn", "text": f"✓ Chosen by <@{press.act.agent.id}>", "verbatim": True}
    return [
        {"type": "context", "elements": [line]} if block.get("type") == "actions" else dict(block)
        for block in press.blocks
    ]
