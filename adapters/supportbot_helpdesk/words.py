"""Text on its way: Markdown made what the helpdesk wants, and the brief for the agents.

What people wrote is data: it is escaped for the markup that it goes into.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from html import escape
from typing import Any, Literal

from markdown_it import MarkdownIt

from supportbot.markup import plain
from supportbot_helpdesk.fromhtml import from_html

Markup = Literal["markdown", "html", "plain"]

_MARKS = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~@:])")
_WHO = {"user": "Customer", "assistant": "Bot"}
_COMPARED = 100_000
_NAME = 200
_LINE = 10
"""Characters that the markup puts around a line."""
_FRAME = 100
"""Characters that it puts around a section, and that a cut leaves a mark in."""
_LONGEST = 4_000
"""Characters of one text in a brief."""
MOST = 60_000
"""Characters of a whole brief, if the mapping names no limit."""


def same_words(text: str) -> str:
    """The text with nothing but what is compared: HTML and white space apart."""
    return " ".join(from_html(text[:_COMPARED]).split())


@lru_cache(maxsize=1)
def _html() -> MarkdownIt:
    return (
        MarkdownIt("commonmark", {"html": False, "breaks": True})
        .enable(["table", "strikethrough"])
        .disable("image")
    )


def rendered(markdown: str, markup: Markup) -> str:
    """The bot's Markdown in the helpdesk's markup."""
    if markup == "markdown":
        return markdown
    return _html().render(markdown).strip() if markup == "html" else plain(markdown)


def escaped(text: str, markup: Markup) -> str:
    """Somebody's words, so that they stand there as they are."""
    if markup == "html":
        return escape(text).replace("\n", "<br>")
    if markup == "markdown":
        return _MARKS.sub(r"\\\1", text).replace("\n", "  \n")
    return text


def fitted(text: str, markup: Markup, limit: int) -> str:
    """`escaped`, of so much of the text that it has at most `limit` characters; 0 for no limit."""
    whole = escaped(text[: limit + 1] if limit else text, markup)
    return whole if not limit or len(whole) <= limit else escaped(_shortened(text, markup, limit - 1), markup)


def written_limit(markup: Markup, limit: int) -> int:
    """How much of the bot's Markdown fits into `limit` characters: tags and escapes make it longer."""
    return limit // 3 if markup == "html" else limit


def said(who: str, text: str, markup: Markup, limit: int = 0) -> str:
    """A line of somebody's, with their name before it; at most `limit` characters (0 for no limit)."""
    name = escaped(who[:_NAME], markup)
    after = ""
    if markup == "html":
        head, after = f"<p><b>{name}:</b> ", "</p>"
    else:
        head = f"**{name}:** " if markup == "markdown" else f"{name}: "
    room = max(limit - len(head) - len(after), 1) if limit else 0
    return head + fitted(text, markup, room) + after


def titled(title: str, lines: Sequence[str], markup: Markup) -> str:
    """A heading and what stands below it, each line somebody's words."""
    inner = [escaped(line, markup) for line in lines]
    if markup == "html":
        items = (
            f"<p>{inner[0]}</p>" if len(inner) == 1 else f"<ul>{''.join(f'<li>{one}</li>' for one in inner)}</ul>"
        )
        return f"<p><b>{escape(title)}</b></p>{items}"
    head = f"**{title}**" if markup == "markdown" else f"{title}:"
    body = inner[0] if len(inner) == 1 else "\n".join(f"- {one}" for one in inner)
    return f"{head}\n\n{body}" if markup == "markdown" else f"{head}\n{body}"


def brief(data: Mapping[str, Any], markup: Markup, limit: int = 0) -> str:
    """What an agent reads first: why, what is known, what was tried, and what was said.

    At most `limit` characters (0 for MOST), and no section more than a tenth of that; the transcript has what is left,
    its newest lines.
    """
    most = limit or MOST
    reference = titled("Reference", [str(data.get("handoff") or "-")[:_NAME]], markup)
    left = most - len(reference) - _FRAME
    parts: list[str] = []
    for title, lines in _sections(data):
        kept = _first(lines, min(most // 10, left) - _FRAME, markup)
        if kept:
            parts.append(titled(title, kept, markup))
            left -= len(parts[-1]) + 2
    if lines := _newest(_transcript(data), left - _FRAME, markup):
        parts.append(titled("Transcript", lines, markup))
    return ("" if markup == "html" else "\n\n").join([*parts, reference])


def _first(lines: Sequence[str], room: int, markup: Markup) -> list[str]:
    """As many lines as there is room for, the last one perhaps cut."""
    kept: list[str] = []
    for line in lines:
        length = len(escaped(line[: max(room, 0)], markup)) + _LINE
        if length > room or len(line) > room:
            short = _shortened(line, markup, room - _LINE)
            return [*kept, short] if short else kept
        room -= length
        kept.append(line)
    return kept


def _shortened(line: str, markup: Markup, room: int) -> str:
    """A beginning of the line that has at most `room` characters when it is escaped; "" if that is next to nothing."""
    if room < 20:
        return ""
    room -= 1  # for the mark
    most = bisect_right(range(min(len(line), room)), room, key=lambda cut: len(escaped(line[: cut + 1], markup)))
    return line[:most] + "…"


def _newest(lines: list[str], room: int, markup: Markup) -> list[str]:
    kept: list[str] = []
    for line in reversed(lines):
        room -= len(escaped(line, markup)) + _LINE
        if room < 0:
            return ["(earlier lines are left out)", *kept]
        kept.insert(0, line)
    return kept


def subject(data: Mapping[str, Any]) -> str:
    """One line that names the matter."""
    name = str(
        _mapping(data.get("customer")).get("name") or _mapping(data.get("customer")).get("id") or "A customer"
    )
    matter = " ".join(str(data.get("why") or data.get("detail") or data.get("reason") or "needs a human").split())
    return f"{name}: {matter}"[:150]


def _sections(data: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    why, detail = (str(data.get(key) or "") for key in ("why", "detail"))
    told = [why] if detail in why else [why, detail]
    yield "A customer needs a human", _lines([one for one in told if one] or data.get("reason") or "-")
    yield "Customer", [_customer(data)]
    yield "Summary", _lines(data.get("summary"))
    yield "Known", [f"{key}: {_short(value)}" for key, value in _mapping(data.get("slots")).items()]
    yield "Tried", _lines(data.get("tried"))
    yield "Suggested answer", _lines(plain(str(data.get("suggestion") or "")))
    yield (
        "Earlier",
        [
            " - ".join(str(one[key]) for key in ("channel", "summary", "outcome") if one.get(key))
            for one in data.get("earlier") or ()
            if isinstance(one, Mapping)
        ],
    )


def _said(line: Mapping[str, Any]) -> str:
    """What was said; the bot writes Markdown, a customer whatever they like."""
    text = str(line.get("text") or "")
    return text if line.get("role") == "user" or line.get("name") else plain(text)


def _transcript(data: Mapping[str, Any]) -> list[str]:
    return [
        f"{one.get('name') or _WHO.get(str(one.get('role')), '?')}: {_cut(_said(one))}"
        for one in data.get("transcript") or ()
        if isinstance(one, Mapping)
    ]


def _customer(data: Mapping[str, Any]) -> str:
    customer, identity = _mapping(data.get("customer")), _mapping(data.get("identity"))
    name, id = str(customer.get("name") or ""), str(customer.get("id") or "")
    proven = (
        f"proven: {identity.get('customer') or identity.get('name')}" if identity.get("verified") else "not proven"
    )
    on = f"on {data['channel']}" if data.get("channel") else ""
    return ", ".join(
        part for part in (name, id if id != name else "", on, str(data.get("locale") or ""), proven) if part
    )


def _lines(value: Any) -> list[str]:
    if isinstance(value, list | tuple):
        return [_cut(str(one)) for one in value if one]
    return [_cut(str(value))] if value else []


def _short(value: Any) -> str:
    return " ".join(str(value).split())[:500]


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
