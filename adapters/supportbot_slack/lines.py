"""What is said in a handoff's thread, line by line, as mrkdwn. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from supportbot_slack.brief import facts
from supportbot_slack.card import Data, name, slack_user, who
from supportbot_slack.mrkdwn import literal

_LINE, _NAME = 1_500, 150
_AGAIN = "Who answers here opens it again, and the customer gets what they write."
_ENDINGS = {
    "cancelled": "The customer needs nobody any more.",
    "expired": "Nobody was free in time, and the bot has taken it back.",
}
_ROLES = {"customer": "customer", "bot": "bot", "agent": "colleague"}


@dataclass(frozen=True, slots=True)
class Author:
    """Who said something: the role as it is, the rest as mrkdwn."""

    name: str
    role: str
    line: str


def author(data: Data) -> Author:
    """Who said what a `handoff.message` row brings."""
    found = data.get("from")
    about: Data = found if isinstance(found, Mapping) else {}
    role = str(about.get("role") or "customer")
    shown = literal(str(about.get("name") or ""), _NAME) or {"bot": "Bot", "agent": "A colleague"}.get(
        role, name(data)
    )
    return Author(shown, role, f"*{shown}* ({_ROLES.get(role, literal(role, _NAME))})")


def note(data: Data) -> str:
    """What stands above a colleague's internal note."""
    by = who(data.get("by"))
    return f"🔒 Internal note{f' by {by}' if by else ''}: the customer does not see it"


def ending(data: Data) -> str:
    """That the handoff is over."""
    agent = who(data.get("agent"))
    by = f" by {agent}" if agent else ""
    status = str(data.get("status") or "")
    said = _ENDINGS.get(status) or (f"Returned to the bot{by}." if status == "returned" else f"Resolved{by}.")
    return f"{said} {_AGAIN}"


def line(data: Data, away: str = "") -> str:
    """What a `handoff.updated` row says in the thread; `away` is another desk that has it now."""
    match data.get("change"):
        case "assigned":
            return f"Offered to {who(data.get('assignee')) or 'nobody in particular'}."
        case "released":
            by = who(data.get("by"))
            return f"Free for others again{f', says {by}' if by else ''}."
        case "transferred" if away:
            return f"Transferred to {literal(away, _NAME)}: it goes on there, and not in this thread."
        case "transferred":
            return f"Transferred to {who(data.get('to')) or 'anybody here'}."
        case "late":
            return f"{_called(data)}The customer waits for an answer."
        case "refused":
            by = who(data.get("by"))
            return f"{f'{by}: not' if by else 'Not'} done. {literal(str(data.get('why') or ''), _LINE)}"
        case "undelivered":
            why = literal(str(data.get("error") or ""), _LINE) or "the reason is not known"
            return f"⚠️ {_called(data)}This could not be delivered to the customer: {why}"
        case "gathered":
            return "\n".join(("*New facts*", *facts(data.get("slots"))))
        case "rated":
            return f"The customer rated this {literal(str(data.get('rating')), 20)} of 5."
    return ""


def _called(data: Data) -> str:
    """A mention of whom it is about, if Slack knows them."""
    user = slack_user(data.get("agent")) or slack_user(data.get("assignee"))
    return f"<@{user}>: " if user else ""
