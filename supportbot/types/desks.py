"""What human agents do where they work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from supportbot.types.messages import Attachment, User

ActKind = Literal["claim", "release", "message", "note", "transfer", "return", "resolve"]


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that an agent did at a desk.

    `id` is the platform's own id for it, unique at the desk: a repeat changes nothing. It is about the handoff that
    stands at `place` (what `Desk.send` returned for it), or whose id is `handoff` where a desk has no places.
    "claim" takes it, "release" puts it back for others, "message" is for the customer's eyes, "note" for colleagues
    only, "transfer" gives it to the desk or agent named in `to` ("" for anybody at this desk), "return" hands it to the
    bot, "resolve" ends it; the last two may carry words for the customer in `text`. `shown`: the customer has seen the
    words already, so they only go into the history.
    """

    id: str
    agent: User
    kind: ActKind
    place: str = ""
    handoff: str = ""
    text: str = ""
    attachments: tuple[Attachment, ...] = ()
    to: str = ""
    shown: bool = False
