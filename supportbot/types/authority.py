"""Who a customer has proven to be, and what may be done in their name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Identity:
    """Who an author has proven to be, in one conversation, until `expires_at`.

    `customer` is the id in the company's own systems, "" while nothing is proven. `method` says how it was proven: a
    one-time code, or an identity that the company's site has signed. `claims` are what came with it.
    """

    customer: str = ""
    name: str = ""
    method: Literal["", "code", "signed"] = ""
    at: float = 0.0
    expires_at: float = 0.0
    claims: Mapping[str, Any] = field(default_factory=dict)

    def holds(self, now: float) -> bool:
        return bool(self.customer) and now < self.expires_at


UNPROVEN = Identity()
"""Nobody in particular."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """A one-time code under way: the digest of the code and whom it proves. `tries` are those left."""

    digest: str
    customer: str
    name: str
    expires_at: float
    tries: int


@dataclass(frozen=True, slots=True)
class Limit:
    """How often, or for how much money, a tool may act within `every` seconds (0 = ever).

    `per` is "customer", "tool" (all customers together) or the name of an argument: calls that have the same value
    there count together. `money` is in the unit of the argument `of`.
    """

    times: int | None = None
    money: float | None = None
    of: str = ""
    per: str = "customer"
    every: float = 86_400.0


@dataclass(frozen=True, slots=True)
class Consent:
    """Somebody's yes to one call: `digest` binds it to the tool and its exact arguments."""

    kind: Literal["customer", "human"]
    digest: str
    by: str
    expires_at: float


CallWaits = Literal["customer", "human", "identity", "tool"]
CallStatus = Literal["waiting", "ended", "done", "declined", "denied", "expired", "dropped"]


@dataclass(frozen=True, slots=True)
class WaitingCall:
    """A call that the turn could not finish: it waits for a customer's yes, a human's, a proof of identity, or its own end.

    `id` is random and the call's idempotency key. `arguments` is JSON text, exactly what will be called. `consents` are
    those given so far, each bound to `digest`. `by` is "model" or "flow": who is told of the end. `shared`: others read
    along where it was asked. `question` is what the customer was asked, `identity` and `slots` what a long call runs
    with. `asked_at` 0 becomes the time of the commit: a yes that came before it answers something else. "ended" with an
    `answer` {content, value, error} waits for its flow to take it.
    """

    id: str
    tool: str
    arguments: str
    author: str
    waits_for: CallWaits
    by: Literal["model", "flow"]
    asked_at: float
    expires_at: float
    author_name: str = ""
    question: str = ""
    digest: str = ""
    shared: bool = False
    identity: Identity = UNPROVEN
    slots: Mapping[str, Any] = field(default_factory=dict)
    consents: tuple[Consent, ...] = ()
    answer: Mapping[str, Any] = field(default_factory=dict)
    status: CallStatus = "waiting"
    decided_by: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Counted:
    """What a call counts for under one of its tool's limits: calls with the same `scope` count together.

    `amount` is in millionths of the limit's unit.
    """

    scope: str
    limit: Limit
    amount: int = 0


ChargeOutcome = Literal["started", "done", "failed", "unknown"]


@dataclass(frozen=True, slots=True)
class Charge:
    """A call with effects on its way into the ledger. `consents` are sentences: who said yes to it, and how."""

    key: str
    tool: str
    conversation: str
    customer: str
    arguments: str
    at: float
    counted: tuple[Counted, ...] = ()
    consents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a charge was not taken: a limit is reached, or there was a call with this key before."""

    limit: Limit | None = None
    earlier: ChargeOutcome | None = None


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One call with effects as it is kept: what was done, for whom, with whose consent, and what it came to."""

    charge: Charge
    outcome: ChargeOutcome
    finished_at: float | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What holds for one author in one conversation beside the flows."""

    identity: Identity = UNPROVEN
    challenge: Challenge | None = None
