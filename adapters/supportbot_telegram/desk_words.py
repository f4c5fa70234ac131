"""What stands in a desk's topic: texts with entities, so that nobody's words can be markup. Pure.

Whatever customers wrote is shown as they wrote it, and calls nobody: an `@name` in it is made inert. Only the bot's and
colleagues' own Markdown is rendered.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from supportbot import Outgoing
from supportbot.markup import split
from supportbot_telegram.compose import TEXT_LIMIT
from supportbot_telegram.entities import Rendered, measure, render, utf16

TITLE_LIMIT = 128
MOST_PARTS = 5
"""Words that need more messages than this come as a file."""

_BRIEF_PARTS = 2
_CLIP, _CLIP_SUMMARY, _CLIP_SUGGESTION = 400, 1_200, 1_500
_TRANSCRIPT = 3_500
_NAME = 80
_INERT = "@\u200b"
_CALL = re.compile(r"(?<![\w.])@(?=\w)")
_BLANK = re.compile(r"[\s\x00-\x1f\x7f\u200b-\u200f\u2028-\u202f\u2060-\u2064\ufeff]+")
_CODE = re.compile(r"[^A-Za-z0-9]")
_MARKS = {"waiting": "🟠", "claimed": "🟢"}
_ENDED = "✓"
_HOW_TO = (
    "What you write here goes to the customer. // or note: before it keeps it among colleagues. "
    "/transfer NAME passes the handoff on; words after /return or /resolve go to the customer."
)


# --- small pieces --------------------------------------------------------------------------------------------


def quiet(text: str) -> str:
    """The text with every `@name` made inert; addresses such as ada@shop.example stay."""
    return _CALL.sub(_INERT, text.replace("\0", ""))


def styled(text: str, kind: str = "", **more: Any) -> Rendered:
    """Somebody's words, in one style."""
    text = quiet(text)
    shown = text.strip()
    if not kind or not shown:
        return Rendered(shown)
    return Rendered(shown, ({"type": kind, "offset": 0, "length": utf16(shown), **more},))


def joined(parts: Iterable[Rendered], between: str = "") -> Rendered:
    """The parts that have words, one after the other."""
    text, entities, units = "", [], 0
    for part in parts:
        if not part.text:
            continue
        lead = between if text else ""
        units += utf16(lead)
        entities += [{**entity, "offset": entity["offset"] + units} for entity in part.entities]
        text += lead + part.text
        units += utf16(part.text)
    return Rendered(text, tuple(entities))


def clipped(text: str, most: int) -> str:
    """At most so many units, with an ellipsis where something is missing."""
    if utf16(text) <= most:
        return text
    return _cut(text, most - 1)[0].rstrip() + "…"


def pieces(text: str, most: int = TEXT_LIMIT) -> list[str]:
    """The text in parts, cut at line breaks and blanks where there are any."""
    found = []
    while utf16(text) > most:
        head, rest = _cut(text, most)
        place = max(head.rfind("\n"), head.rfind(" "))
        if place > len(head) // 2:
            head, rest = text[:place], text[place + 1 :]
        found.append(head)
        text = rest
    return [one for one in (*found, text) if one.strip()]


def _cut(text: str, most: int) -> tuple[str, str]:
    end = min(len(text), most)
    while utf16(text[:end]) > most:
        end -= max(1, (utf16(text[:end]) - most) // 2)
    return text[:end], text[end:]


def named(person: object) -> str:
    """The name of somebody in a row's data: a name, or a mapping with one."""
    found = person.get("name") or person.get("id") if isinstance(person, Mapping) else person
    return _BLANK.sub(" ", str(found or "")).strip()


def mention(person: object, names: Mapping[str, str]) -> Rendered:
    """The agent, called by their id if it is one of Telegram's. `names` are those who have been seen: {id: name}."""
    id = str(person.get("id") or "") if isinstance(person, Mapping) else str(person or "")
    name = names.get(id) or named(person)
    if not re.fullmatch(r"\d{1,15}", id):
        return styled(clipped(name, 120), "bold")
    name = "Colleague" if name == id else name
    return styled(name, "text_mention", user={"id": int(id), "is_bot": False, "first_name": name[:64]})


# --- the topic -----------------------------------------------------------------------------------------------


def title(data: Mapping[str, Any], status: str = "") -> str:
    """The topic's name: its state, the customer, and the handoff's code."""
    customer = data.get("customer") or {}
    name = named(customer) or "Customer"
    code = _CODE.sub("", str(data.get("handoff") or "").removeprefix("h_"))[:6]
    mark = _MARKS.get(status or str(data.get("status") or ""), _ENDED)
    return f"{mark} {name[:_NAME]} · h{code}"[:TITLE_LIMIT]


def colour(data: Mapping[str, Any]) -> int:
    """The icon's colour, by priority: one of the six that Telegram has."""
    return {"urgent": 0xFB6F5F, "high": 0xFFD67E}.get(str(data.get("priority")), 0x6FB9F0)


# --- the brief -----------------------------------------------------------------------------------------------


def brief(data: Mapping[str, Any]) -> tuple[Rendered, ...]:
    """One or two messages with what an agent must know."""
    return tuple(_packed(_sections(data, whole=False)))


def transcript(data: Mapping[str, Any]) -> tuple[Rendered | None, str]:
    """What was said: as a message if it is short, else as the text of a file, which then has the whole brief too."""
    said = "\n".join(_line(one) for one in data.get("transcript") or ())
    short, whole = _sections(data, whole=False), _sections(data, whole=True)
    cut = joined(short).text != joined(whole).text or len(_packed(short, most=99)) > _BRIEF_PARTS
    if not cut and utf16(quiet(said)) <= _TRANSCRIPT:
        return (styled(said, "expandable_blockquote") if said else None), ""
    everything = joined(whole, "\n\n").text.replace(_INERT, "@")
    return None, f"{everything}\n\nTranscript\n{said}\n"


def _line(one: Mapping[str, Any]) -> str:
    who = named(one.get("name")) or ("Customer" if one.get("role") == "user" else "Bot")
    return f"{who}: {one.get('text') or ''}"


def _packed(sections: Sequence[Rendered], most: int = _BRIEF_PARTS) -> list[Rendered]:
    """The sections in as few messages as they need; what does not fit into the last is left to the file."""
    found = [Rendered("")]
    for section in sections:
        longer = joined((found[-1], section), "\n\n")
        if utf16(longer.text) <= TEXT_LIMIT:
            found[-1] = longer
        elif len(found) < most:
            found.append(section)
    return found


def _sections(data: Mapping[str, Any], *, whole: bool) -> list[Rendered]:
    def clip(text: object, most: int = _CLIP) -> str:
        shown = quiet(str(text or ""))
        return shown if whole else clipped(shown, most)

    def listed(head: str, lines: Sequence[str]) -> list[Rendered]:
        """Lists may be long: every section has to fit a message."""
        if whole:
            return [joined((styled(head, "bold"), styled("\n".join(lines))), "\n")] if lines else []
        parts = pieces(clipped("\n".join(lines), TEXT_LIMIT), TEXT_LIMIT // 2)
        return [
            joined((styled(head if not at else "", "bold"), styled(one)), "\n") for at, one in enumerate(parts)
        ]

    def block(head: str, text: str, kind: str) -> list[Rendered]:
        return [joined((styled(head, "bold"), styled(text, kind)), "\n")] if text.strip() else []

    slots = data.get("slots") or {}
    earlier = [_earlier(one, clip) for one in data.get("earlier") or ()]
    return [
        _head(data, clip),
        *block("Summary", clip(data.get("summary"), _CLIP_SUMMARY), "blockquote"),
        *block("Suggested answer", clip(data.get("suggestion"), _CLIP_SUGGESTION), "pre"),
        *listed("Facts", [f"{clip(name, 100)}: {clip(_value(value))}" for name, value in slots.items()]),
        *listed("Tried", [f"• {clip(one)}" for one in data.get("tried") or ()]),
        *listed("Earlier", earlier),
    ]


def _head(data: Mapping[str, Any], clip: Any) -> Rendered:
    customer, identity = data.get("customer") or {}, data.get("identity") or {}
    who = named(customer) or "A customer"
    again = "is back: the handoff is open again" if data.get("reopened") else "needs a colleague"
    known = clip(identity.get("name") or identity.get("customer"), 100)
    proven = "verified" if identity.get("verified") else "not verified"
    why, detail = clip(data.get("why")), clip(data.get("detail"))
    facts = (
        ("Because", why or detail),
        ("Detail", detail if why not in ("", detail) else ""),
        ("Reason", clip(data.get("reason"), 100)),
        ("Priority", clip(data.get("priority"), 100) if data.get("priority") != "normal" else ""),
        ("Tags", clip(", ".join(map(str, data.get("tags") or ())), 200)),
        ("Channel", clip(data.get("channel"), 100)),
        ("Language", clip(data.get("locale"), 100)),
        ("Customer", clip(customer.get("id"), 100)),
        ("Known as", f"{known}, {proven}" if known else ""),
        ("Answer by", _time(data.get("deadline"))),
    )
    lines = [styled(f"{name}: {text}") for name, text in facts if text]
    head = joined((styled(clip(who, 100), "bold"), Rendered(again)), " ")
    return joined((head, *lines, styled(_HOW_TO, "italic")), "\n")


def _earlier(one: Mapping[str, Any], clip: Any) -> str:
    parts = (
        _time(one.get("at")),
        str(one.get("channel") or ""),
        clip(one.get("summary")),
        clip(one.get("outcome")),
    )
    return "• " + " · ".join(part for part in parts if part)


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _time(at: object) -> str:
    if not isinstance(at, int | float) or isinstance(at, bool) or not at:
        return ""
    try:
        return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC"
    except (ValueError, OverflowError, OSError):
        return ""


# --- what comes later ----------------------------------------------------------------------------------------


def words(outgoing: Outgoing) -> tuple[tuple[Rendered, ...], str]:
    """Somebody's words under their name: messages, and the text of a file if they are too many."""
    who = outgoing.data.get("from") or {}
    text = outgoing.reply.text if outgoing.reply else ""
    role = who.get("role")
    name = named(who) or {"customer": "Customer", "bot": "Bot"}.get(str(role), "Colleague")
    shown = f"{name} (bot)" if role == "bot" else f"{name} (colleague)" if role == "agent" else name
    head = styled(clipped(shown, 120), "bold")
    room = TEXT_LIMIT - utf16(head.text) - 1
    if role == "customer":
        parts = [styled(part) for part in pieces(quiet(text), room)]
    else:
        parts = [render(part) for part in split(text, room, measure=measure)] if text.strip() else []
    whole = ""
    if len(parts) > MOST_PARTS:
        parts, whole = parts[:1], text
    if not parts:
        return (head,), whole
    return (joined((head, parts[0]), "\n"), *parts[1:]), whole


def note(data: Mapping[str, Any]) -> tuple[Rendered, ...]:
    """A colleague's internal note."""
    head = styled(f"Note by {clipped(named(data.get('by')) or 'a colleague', 120)}", "bold")
    parts = pieces(quiet(str(data.get("note") or "")), TEXT_LIMIT - 200)[:MOST_PARTS]
    return (joined((head, styled(parts[0] if parts else "")), "\n"), *(styled(one) for one in parts[1:]))


def change(outgoing: Outgoing, names: Mapping[str, str]) -> Rendered:
    """One line about what has changed."""
    data = outgoing.data
    agent = styled(clipped(named(data.get("agent")), 120), "bold")
    if outgoing.kind == "handoff.claimed":
        return joined((agent, Rendered("has taken this.")), " ")
    if outgoing.kind == "handoff.resolved":
        return joined((agent, Rendered("has resolved this." if agent.text else "This is resolved.")), " ")
    if outgoing.kind == "handoff.returned":
        return joined(
            (agent, Rendered("has given this back to the bot." if agent.text else "The bot has this again.")), " "
        )
    return _updated(data, names)


def _updated(data: Mapping[str, Any], names: Mapping[str, str]) -> Rendered:
    kind = str(data.get("change") or "")
    by = data.get("by")
    if kind == "assigned":
        return joined((mention(data.get("assignee"), names), Rendered("this is offered to you.")), ", ")
    if kind == "released":
        who = styled(clipped(named(by), 120), "bold")
        return joined(
            (who, Rendered("has put this back: free for others." if who.text else "Free for others.")), " "
        )
    if kind == "transferred":
        return joined(
            (Rendered("Passed on to"), styled(clipped(named(data.get("to")) or "anybody here", 120), "bold")), " "
        )
    if kind == "late":
        return styled("The customer waits for an answer.", "bold")
    if kind == "refused":
        why = clipped(str(data.get("why") or ""), 1_000)
        return joined((mention(by, names), styled(f"that was not carried out: {why}")), ", ")
    if kind == "undelivered":
        return styled(
            f"The last words could not be delivered: {clipped(str(data.get('error') or ''), 1_000)}", "bold"
        )
    if kind == "gathered":
        slots = data.get("slots") or {}
        lines = [f"{clipped(str(name), 100)}: {clipped(_value(value), _CLIP)}" for name, value in slots.items()]
        return joined(
            (styled("New facts", "bold"), styled(clipped(quiet("\n".join(lines)), TEXT_LIMIT - 200))), "\n"
        )
    if kind == "rated":
        return styled(f"The customer gave {clipped(str(data.get('rating') or '?'), 20)} of 5.")
    return styled(f"Changed: {clipped(kind, 100)}")
