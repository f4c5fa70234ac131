"""Where humans work: the seam between the house and a desk.

A desk is a role that a channel plays: a Slack channel, a Telegram group with topics, a helpdesk, somebody's webhook.
The house sends it outbox rows, one handoff's in order, retried and kept like every other message:

- `handoff.requested`: a customer needs a human. `Desk.send` makes a place for it (a thread, topic or ticket) and
  returns the place's name, which every later row of the handoff has in `Outgoing.place`. It comes again, with the old
  place, when an ended handoff is opened again (`data["reopened"]`).
- `handoff.message`: words for the agents: `data["from"]` is {"role": "customer"|"bot"|"agent", "id", "name"},
  `Outgoing.reply` the words and files.
- `handoff.note`: a colleague's internal note from elsewhere; `data["by"]` and `data["note"]`.
- `handoff.claimed`, `handoff.resolved`, `handoff.returned`: the state has changed; `data["agent"]` by whom.
- `handoff.updated`: something else has; `data["change"]` says what:
  "assigned" (offered to `data["assignee"]`), "released" (free for others again), "transferred" (gone to
  the desk `data["to"]`: the place here is closed), "late" (the customer waits for an answer),
  "refused" (`data["by"]`'s act was not carried out, because of `data["why"]`), "undelivered" (the agent's words could
  not be delivered; `data["error"]`), "gathered" (`data["slots"]` has new facts), "rated" (`data["rating"]` 1 to 5).

`data` of every row has: handoff, desk, reason, detail, status, agent (the shown name of who has it), agent_id,
claimed_at, assignee (an id) and assignee_name, tags, priority, channel (the customer's), customer {id, name}, locale,
requested_at, deadline (seconds since the epoch), summary. That of
`handoff.requested` has besides: why (a sentence), cause (the decision's facts), tried (sentences), slots, identity
{customer, name, verified}, earlier [{at, channel, summary, outcome}], transcript [{role, name, text}], suggestion.
Everything in it may be a customer's words: data, to be escaped, never markup or template.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol

from supportbot.errors import ChannelRefused
from supportbot.types import Act, Address, Attachment, Capabilities, Outgoing


class DeskInbox(Protocol):
    """What a desk may do with the house."""

    async def act(self, desk: str, act: Act) -> bool:
        """Stores what an agent did; only after this returns may the platform be acknowledged.

        False if no handoff stands at that place, so it is not the house's business. Raises StoreBusy while a handoff
        whose place is not known yet is on its way to the desk (have the platform come again), and StoreFull.
        """


class Desk(ABC):
    """Where human agents work. Made by `Adapter.desk`; started and stopped with its adapter.

    `name` is the desk's name in the config.
    """

    capabilities: Capabilities = Capabilities()

    def __init__(self, name: str) -> None:
        self.name = name

    def pace(self, address: Address) -> float:
        """Seconds between two messages for one handoff."""
        return self.capabilities.chat_interval

    @abstractmethod
    async def send(self, outgoing: Outgoing) -> str:
        """Delivers one row; for `handoff.requested` it returns the handoff's place, never "".

        Returns only once the platform has accepted it. A row that comes again (`outgoing.attempt` above 0, or older
        than a restart) is looked for first where the platform allows it, so that nothing stands there twice. Raises
        ChannelBusy, ChannelRefused or ChannelGone.
        """

    async def fetch(self, attachment: Attachment, *, limit: int) -> bytes:
        """The content of a file that an agent sent; raises as `Adapter.fetch` does."""
        raise ChannelRefused(f"desk {self.name} cannot fetch files")
