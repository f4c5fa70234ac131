"""What the console's search is asked and answers, and what is known of one customer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from supportbot.types.handoffs import HandoffStatus
from supportbot.types.messages import Attachment, User

HandoffFilter = Literal["", "any", "open", "none"]
HANDOFF_FILTERS: tuple[HandoffFilter, ...] = ("", "any", "open", "none")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which conversations are looked for; what is left empty does not matter.

    `text` is what somebody typed. `since` and `until` are seconds since the epoch, the second one not included, and
    about when the conversation last changed. `after` is the `next` of the page before, "" for the first page.
    """

    text: str = ""
    channel: str = ""
    handoff: HandoffFilter = ""
    agent: str = ""
    reason: str = ""
    rating: int = 0
    since: float | None = None
    until: float | None = None
    after: str = ""
    limit: int = 25

    @property
    def of_handoffs(self) -> bool:
        """Whether only conversations with a certain handoff are looked for."""
        return self.handoff in ("any", "open") or bool(self.agent or self.reason or self.rating)


@dataclass(frozen=True, slots=True)
class Hit:
    """Words that were said, cut to the place that was found; `marks` are the (start, end) of what fits in `text`."""

    text: str
    marks: tuple[tuple[int, int], ...] = ()
    role: Literal["user", "assistant"] = "user"

    @property
    def pieces(self) -> tuple[tuple[str, bool], ...]:
        """The whole text in pieces, each with whether it is marked."""
        found, at = [], 0
        for start, end in self.marks:
            found += [(self.text[at:start], False), (self.text[start:end], True)]
            at = end
        return tuple(piece for piece in (*found, (self.text[at:], False)) if piece[0])


@dataclass(frozen=True, slots=True)
class FoundHandoff:
    """A handoff in a list; `rating` 1 to 5, 0 for none."""

    id: str
    conversation: str
    status: HandoffStatus
    reason: str
    agent: str
    requested_at: float
    ended_at: float | None = None
    rating: int = 0
    summary: str = ""

    @property
    def open(self) -> bool:
        return self.status in ("waiting", "claimed")


@dataclass(frozen=True, slots=True)
class Found:
    """One conversation in a list: the words that were found, or else the customer's last ones; its newest handoff."""

    conversation: str
    channel: str
    customer: User
    created_at: float
    updated_at: float
    said: Hit | None = None
    handoff: FoundHandoff | None = None


@dataclass(frozen=True, slots=True)
class FoundPage:
    """Newest first. `next` is "" at the end; `partly` says that only a part was looked through, and that more may be
    found from there on. `people` and `direct` (of the first page only) are those whose name or id was typed, each by
    their last conversation, and the conversations whose own id or handoff's id was."""

    rows: tuple[Found, ...] = ()
    next: str = ""
    partly: bool = False
    people: tuple[Found, ...] = ()
    direct: tuple[Found, ...] = ()


@dataclass(frozen=True, slots=True)
class Choices:
    """What the search's filters offer."""

    channels: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Spent:
    """What answering cost: model calls, tokens, micro-dollars; `unpriced` calls have no known price."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: int = 0
    unpriced: int = 0


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file that the customer sent, and where."""

    file: Attachment
    conversation: str


@dataclass(frozen=True, slots=True)
class Customer:
    """What is known of the person on the other side of one conversation.

    They are the same user id on the same channel and, if they have proven who they are (`identity`, the id in the
    company's own systems), that customer on all channels. `several`: more than one identity was proven by this user id,
    so nothing of other channels is told. `counted` conversations stand behind the sums and the lists; of more there is
    only `rows`, page by page.
    """

    conversation: str
    channel: str
    user: User
    locale: str
    first_seen: float
    last_seen: float
    identity: str = ""
    identity_name: str = ""
    several: bool = False
    counted: int = 0
    more: bool = False
    rows: tuple[Found, ...] = ()
    next: str = ""
    handoffs: tuple[FoundHandoff, ...] = ()
    slots: Mapping[str, Any] = field(default_factory=dict)
    spent: Spent = Spent()
    files: tuple[SentFile, ...] = ()

    @property
    def ratings(self) -> tuple[int, ...]:
        return tuple(handoff.rating for handoff in self.handoffs if handoff.rating)
