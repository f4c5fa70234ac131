"""Where a reply goes: an address of the house as Slack's channel, thread and user."""

from __future__ import annotations

from dataclasses import dataclass

from supportbot.errors import ChannelRefused
from supportbot.types import Address
from supportbot_slack.cache import Cache
from supportbot_slack.fields import or_empty
from supportbot_slack.web import Web


@dataclass(frozen=True, slots=True)
class Place:
    """`channel` is a D… id in a direct message; `shared`: others read along."""

    channel: str
    thread: str
    team: str
    shared: bool


def is_direct(address: Address) -> bool:
    """Whether the address is of a direct message: its chat then names a user."""
    return address.chat.rpartition("/")[2][:1] in ("U", "W")


async def place(web: Web, address: Address, dms: Cache[str, str]) -> Place:
    """The address's place; `dms` remembers the channels of direct messages. Raises Refusal."""
    team, _, id = address.chat.rpartition("/")
    if not id:
        raise ChannelRefused(f"{address.chat!r} is no chat of this channel.")
    if not is_direct(address):
        return Place(id, address.thread, team, shared=True)
    return Place(await direct(web, id, dms), address.thread, team, shared=False)


async def direct(web: Web, user: str, dms: Cache[str, str]) -> str:
    """The channel of the direct messages with a user, opened if need be. Raises Refusal."""
    known = dms.get(user)
    if known:
        return known
    found = (await web.call("conversations.open", users=user)).get("channel")
    return dms.put(user, or_empty(found.get("id")) if isinstance(found, dict) else "")
