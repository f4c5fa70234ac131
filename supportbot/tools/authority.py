"""Whether a call may run now: the last word before a tool's own code, for the model, flows and waiting calls alike.

1. Who the customer is, what they and a human have said yes to, and the limits are checked here and nowhere else.
2. A yes counts for one tool with exactly these arguments, until it expires. Nobody but the engine hands one in, and it
   makes them from a pressed button or a customer's own word, never from what a model says.
3. A refusal names what is missing; who is to be asked is the engine's business.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from supportbot.consent import NOT_BOUND_TO, canonical, digest
from supportbot.protocols import Tool, ToolContext
from supportbot.types import Charge, Consent, Counted, Limit, WaitingCall

_MILLION = 1_000_000
_TOO_MUCH = 10**15
_BETWEEN = "\x1f"
_DASH = "-"


@dataclass(frozen=True, slots=True)
class Permit:
    """A call that may run: `arguments` are those that reach the tool, `given` those that were asked for."""

    tool: Tool
    arguments: dict[str, Any]
    given: str
    context: ToolContext
    consents: tuple[Consent, ...] = ()
    by_model: bool = False


def arguments_of(call: WaitingCall) -> str | dict[str, Any]:
    """A waiting call's arguments in the form in which its author hands them in: a model text, a flow a mapping."""
    arguments: dict[str, Any] = json.loads(call.arguments)
    return call.arguments if call.by == "model" else arguments


def needs_proof(tool: Tool) -> bool:
    """Whether the tool must know who the customer is."""
    return bool(tool.requires) or any(path.startswith("identity.") for path in tool.bound.values())


def unproven(tool: Tool, context: ToolContext, now: float) -> bool:
    """Whether the call needs to know who the customer is, and does not."""
    return needs_proof(tool) and not context.identity.holds(now)


def lacking(permit: Permit, now: float) -> str:
    """What the call still needs: "unconfirmed", "unapproved", or "" if it may run."""
    tool = permit.tool
    if tool.confirm and not _said_yes(permit, "customer", now):
        return "unconfirmed"
    if tool.approve and not _said_yes(permit, "human", now):
        return "unapproved"
    return ""


def bound_to(permit: Permit) -> str:
    """The digest that a yes to this call must have."""
    passing = [
        name for name, path in permit.tool.bound.items() if path in NOT_BOUND_TO or path.startswith("secrets.")
    ]
    return digest(permit.tool.name, {k: v for k, v in permit.arguments.items() if k not in passing})


def _said_yes(permit: Permit, kind: str, now: float) -> bool:
    wanted = bound_to(permit)
    return any(one.kind == kind and one.digest == wanted and now < one.expires_at for one in permit.consents)


def charge(permit: Permit, now: float) -> Charge:
    """The call's entry in the ledger."""
    context = permit.context
    return Charge(
        key=context.key,
        tool=permit.tool.name,
        conversation=context.conversation,
        customer=_customer(context),
        arguments=permit.given,
        at=now,
        counted=tuple(one for limit in permit.tool.limits for one in _counted(permit, limit)),
        consents=tuple(f"{one.kind}: {one.by}" for one in permit.consents),
    )


def _customer(context: ToolContext) -> str:
    """Whose limits these are: the proven customer's, wherever they write; else the channel's user."""
    if context.identity.customer:
        return context.identity.customer
    return f"{context.channel}:{context.customer.id}"


def _counted(permit: Permit, limit: Limit) -> Iterator[Counted]:
    """What the call counts for. Who has proven who they are counts as that customer and as the channel's user: else
    a proof would double what they may."""
    context, values = permit.context, [""]
    if limit.per == "customer":
        values = list(dict.fromkeys((_customer(context), f"{context.channel}:{context.customer.id}")))
    elif limit.per != "tool":
        values = [_plain(permit.arguments.get(limit.per))]
    for value in values:
        scope = _BETWEEN.join((permit.tool.name, limit.per, value, limit.of))
        yield Counted(scope, limit, _amount(permit.arguments, limit))


def _plain(value: Any) -> str:
    """The value as limits see it: no other way of writing makes another one of it."""
    if isinstance(value, str):
        letters = unicodedata.normalize("NFKC", value).casefold()
        return "".join(_DASH if unicodedata.category(one) == "Pd" else one for one in letters if _counts(one))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{Decimal(str(value)).normalize():f}"
    return canonical({"": value})


def _counts(letter: str) -> bool:
    return not letter.isspace() and unicodedata.category(letter)[0] not in ("C", "Z")


def _amount(arguments: Mapping[str, Any], limit: Limit) -> int:
    """What the call costs, in millionths; an amount that cannot be read is more than any limit."""
    if limit.money is None:
        return 0
    try:
        amount = Decimal(str(arguments[limit.of]))
    except (KeyError, ArithmeticError):
        return _TOO_MUCH
    if not amount.is_finite() or not 0 <= amount <= _TOO_MUCH // _MILLION:
        return _TOO_MUCH
    return round(amount * _MILLION)
