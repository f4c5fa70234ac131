"""A handoff's first message at a desk in Slack: always how it stands now. Pure.

It is drawn from what every row has, so that it can be drawn again without asking Slack what it says. What only the
first row has is in the brief, the first message of its thread.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from supportbot.types import HANDOFF_REASONS
from supportbot_slack.blocks import context, plain_text, section
from supportbot_slack.mrkdwn import literal

Json = dict[str, Any]
Data = Mapping[str, Any]

BLOCK = "desk"
"""With what the block ids and action ids of a desk begin."""
SUMMARY = 2_400
NOTICE = 300
_NAME, _FIELD = 150, 400
_USER = re.compile(r"[UW][A-Z0-9]{5,20}\Z")
_HINT = "Answer in this thread: the customer gets what you write. What begins with `note:` or `//` is for colleagues only."
_BUTTONS = {
    "claim": ("Claim", "primary"),
    "release": ("Release", ""),
    "return": ("Return to the bot", ""),
    "resolve": ("Resolve", ""),
}
_OFFERED: Mapping[str, Sequence[str]] = {
    "waiting": ("claim", "return", "resolve"),
    "claimed": ("release", "return", "resolve"),
}
_ENDED = {
    "resolved": "Resolved",
    "returned": "Returned to the bot",
    "cancelled": "Ended by the customer",
    "expired": "Taken back by the bot, as nobody was free",
}


@dataclass(frozen=True, slots=True)
class Card:
    """A message: its blocks, and the same as a line for notifications."""

    text: str
    blocks: tuple[Json, ...]


def card(data: Data, *, at: float, to: str = "") -> Card:
    """How the handoff stands; `at` is when it came to that (0 if it is not known), `to` another desk that has it now."""
    title = f"*{name(data)}* needs a human"
    status = "" if to else _word(data, "status")
    lines = [title, *([why] if (why := reason(data)) else [])]
    fields = [section_field(label, value) for label, value in _fields(data, at, to) if value]
    summary = literal(_word(data, "summary"), SUMMARY)
    shown = [
        section("\n".join(lines)),
        {"type": "section", "fields": fields},
        *([section(f"*In short*\n{summary}")] if summary else []),
        *_actions(_word(data, "handoff"), _OFFERED.get(status, ())),
        *([context(_HINT)] if status in _OFFERED else []),
    ]
    return Card(notice(f"{name(data)} needs a human: {why or summary or '…'}"), tuple(shown))


def closed_elsewhere(data: Data, here: str) -> str:
    """The desk that a transfer went to, "" if it stays here: with `here`, the desk's name, or one of its agents."""
    to, inside = who_id(data.get("to")), (here, _word(data, "assignee"), _word(data, "agent"), "")
    return "" if to in inside or _USER.match(to) else to


def _fields(data: Data, at: float, to: str) -> Iterator[tuple[str, str]]:
    """At most ten, as Slack shows no more."""
    yield "State", _state(data, at, to)
    if data.get("assignee"):
        yield "For", who(data["assignee"])
    if (priority := _word(data, "priority")) not in ("", "normal"):
        yield "Priority", literal(priority, _FIELD)
    yield "Waiting since", date(data.get("requested_at"))
    if _word(data, "status") == "waiting" and not to:
        yield "Answer by", date(data.get("deadline"))
    yield "Channel", literal(_word(data, "channel"), _FIELD)
    yield "Language", literal(_word(data, "locale"), _FIELD)
    tags = data.get("tags")
    if isinstance(tags, Sequence) and not isinstance(tags, str):
        yield "Tags", literal(", ".join(str(tag) for tag in tags), _FIELD)


def _state(data: Data, at: float, to: str) -> str:
    status, agent = _word(data, "status"), who(data.get("agent"))
    since = f", since {date(at)}" if at else ""
    if to:
        return f"➡️ Transferred to {literal(to, _NAME)}"
    if status == "claimed":
        return f"🔵 {agent or 'Somebody'} has it{since}"
    if status in _ENDED:
        return f"✅ {_ENDED[status]}{f' by {agent}' if agent and status in ('resolved', 'returned') else ''}"
    return "🟠 Waiting"


def _actions(handoff: str, kinds: Sequence[str]) -> Iterator[Json]:
    elements = [button(kind, handoff) for kind in kinds]
    if elements and handoff:
        yield {"type": "actions", "block_id": f"{BLOCK}:{handoff[:200]}", "elements": elements}


def button(kind: str, value: str, label: str = "") -> Json:
    """The button for what an agent can do."""
    text, style = _BUTTONS.get(kind, (label, ""))
    found: Json = {
        "type": "button",
        "action_id": f"{BLOCK}:{kind}",
        "text": plain_text(label or text),
        "value": value,
    }
    return found | ({"style": style} if style else {})


# --- words ---------------------------------------------------------------------------------------------------


def section_field(label: str, value: str) -> Json:
    """One cell of a section with two columns."""
    return {"type": "mrkdwn", "text": f"*{label}*\n{value}", "verbatim": True}


def name(data: Data) -> str:
    """The customer's name or id, as mrkdwn."""
    found = data.get("customer")
    about: Data = found if isinstance(found, Mapping) else {}
    return literal(str(about.get("name") or about.get("id") or ""), _NAME) or "A customer"


def reason(data: Data) -> str:
    """Why there is a handoff, as mrkdwn."""
    word = _word(data, "reason")
    return literal(_word(data, "detail") or HANDOFF_REASONS.get(word, word), _FIELD)


def who(value: object) -> str:
    """An agent as mrkdwn: mentioned if it is one of Slack's users. Takes a name, an id, or {id, name}."""
    id = who_id(value)
    if _USER.match(id):
        return f"<@{id}>"
    shown = value.get("name") if isinstance(value, Mapping) else value
    return literal(str(shown or id or ""), _NAME)


def who_id(value: object) -> str:
    """An agent's id, if it is one, else the name."""
    found = value.get("id") if isinstance(value, Mapping) else value
    return found if isinstance(found, str) else ""


def slack_user(value: object) -> str:
    """The id of an agent who is one of Slack's users, else ""."""
    id = who_id(value)
    return id if _USER.match(id) else ""


def date(at: object) -> str:
    """A time as mrkdwn, which each reader sees in their own zone; "" if it is none."""
    try:
        moment = datetime.fromtimestamp(float(str(at)), UTC)
    except (ValueError, OverflowError, OSError):
        return ""
    if moment.year < 2000:
        return ""
    return f"<!date^{int(moment.timestamp())}^{{date_short_pretty}}, {{time}}|{moment:%Y-%m-%d %H:%M} UTC>"


def notice(text: str) -> str:
    """What a notification says, of mrkdwn."""
    return text if len(text) <= NOTICE else literal_cut(text)


def literal_cut(text: str) -> str:
    """The beginning of mrkdwn, not cut inside an entity or a mention."""
    cut = text[:NOTICE]
    for opener, closer in (("<", ">"), ("&", ";")):
        at = cut.rfind(opener)
        if at >= 0 and closer not in cut[at:]:
            cut = cut[:at]
    return f"{cut}…"


def _word(data: Data, key: str) -> str:
    found = data.get(key)
    return found if isinstance(found, str) else ""
