"""Pressed buttons, chosen options and slash commands, as messages of the house. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from supportbot.types import Action, Address, Message, User
from supportbot_slack.fields import NAME, Json, Unreadable, id_of, object_of, or_empty, stamp_of
from supportbot_slack.inbound import Incoming, Own, team
from supportbot_slack.text import clean, readable


@dataclass(frozen=True, slots=True)
class Press:
    """A pressed button or chosen option. `addressee` is the user whom the question was for, "" for anyone."""

    incoming: Incoming
    addressee: str
    label: str
    channel: str
    ts: str
    thread: str
    text: str = ""
    blocks: tuple[Json, ...] = field(default=())


def pressed(payload: Json, channel: str, own: Own) -> Press | None:
    """What a block_actions payload brings; None for links and for what is not ours. Raises Unreadable."""
    listed = payload.get("actions")
    action = listed[0] if isinstance(listed, list) and listed else None
    if not isinstance(action, Mapping):
        raise Unreadable("the action is missing")
    block = or_empty(action.get("block_id")).split(":")
    if len(block) != 5 or block[0] != "for":
        return None
    option = action.get("selected_option")
    chosen = option if isinstance(option, Mapping) else action
    press = Action(press=or_empty(chosen.get("value")))
    if not press.press or len(press.press) > 2000:
        return None
    user, place = object_of(payload, "user"), object_of(payload, "container")
    who, where = id_of(user, "id"), id_of(place, "channel_id")
    _, addressee, thread, origin, _ = block
    whole = team(payload, own)
    direct = where.startswith("D")
    chat = origin or (who if direct else where)
    message = Message(
        Address(channel, f"{whole}/{chat}", thread),
        press.key(who),
        User(who, clean(or_empty(user.get("name")))[:NAME]),
        kind="action",
        action=press,
        shared=chat != who,
    )
    posted = payload.get("message")
    shown: Json = posted if isinstance(posted, Mapping) and place.get("is_ephemeral") is not True else {}
    blocks = shown.get("blocks")
    return Press(
        Incoming(message, dm=where if direct else ""),
        addressee=addressee,
        label=_label(chosen),
        channel=where,
        ts=stamp_of(place, "message_ts"),
        thread=thread,
        text=or_empty(shown.get("text")),
        blocks=tuple(one for one in blocks if isinstance(one, Mapping)) if isinstance(blocks, list) else (),
    )


def command(payload: Json, channel: str, own: Own) -> Incoming:
    """What a slash command brings: a message in the user's direct conversation. Raises Unreadable."""
    user, trigger = id_of(payload, "user_id"), or_empty(payload.get("trigger_id"))
    if not trigger or len(trigger) > 200:
        raise Unreadable("trigger_id is missing")
    text = readable(or_empty(payload.get("text")), own=own.user).strip()
    whole = team(payload, own)
    address = Address(channel, f"{whole}/{user}")
    return Incoming(Message(address, f"{whole}.command.{trigger}", User(user), text or "/help"))


def _label(chosen: Json) -> str:
    text = chosen.get("text")
    return clean(or_empty(text.get("text")))[:200] if isinstance(text, Mapping) else ""
