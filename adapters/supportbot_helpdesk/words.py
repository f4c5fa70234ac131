"""Text on its way: HTML made plain, Markdown made what the helpdesk wants, and the brief for the agents.

What people wrote is data: it is escaped for the markup that it goes into.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from html import escape
from html.parser import HTMLParser
from typing import Any, Literal

from markdown_it import MarkdownIt

from supportbot.markup import plain

Markup = Literal["markdown", "html", "plain"]

_BLOCKS = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "br",
        "dd",
        "div",
        "dl",
        "dt",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "li",
        "main",
        "ol",
        "p",
        "pre",
        "section",
        "table",
        "tr",
        "ul",
    ]
)
_PARAGRAPHS = frozenset(["p", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "ul", "ol", "table"])
_SILENT = frozenset(["script", "style", "head", "title", "template", "noscript"])
_MARKS = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~@:])")
_SPACES = re.compile(r"[ \t\r\f\v\u00a0]+")
_WHO = {"user": "Customer", "assistant": "Bot"}
_LONGEST = 4_000
"""Characters of one text in a brief."""
MOST = 60_000
"""Characters of a whole brief, if the mapping names no limit."""


class _Plain(HTMLParser):
    """Collects the words; a link keeps its address."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._silent: list[str] = []
        self._pre = 0
        self._links: list[tuple[str, int]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SILENT:
            self._silent.append(tag)
        if tag in _BLOCKS:
            self.pieces.append("\n\n" if tag in _PARAGRAPHS else "\n")
        if tag == "li":
            self.pieces.append("- ")
        if tag == "pre":
            self._pre += 1
        if tag in ("td", "th"):
            self.pieces.append(" ")
        if tag == "a":
            self._links.append((dict(attrs).get("href") or "", len(self.pieces)))

    def handle_endtag(self, tag: str) -> None:
        if self._silent and tag == self._silent[-1]:
            self._silent.pop()
        if tag == "pre":
            self._pre = max(self._pre - 1, 0)
        if tag in _BLOCKS and tag != "br":
            self.pieces.append("\n\n" if tag in _PARAGRAPHS else "\n")
        if tag == "a" and self._links:
            address, start = self._links.pop()
            label = "".join(self.pieces[start:]).strip()
            if address.startswith(("https://", "http://")) and address.rstrip("/") != label.rstrip("/"):
                self.pieces.append(f" ({address})" if label else address)

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.pieces.append(data if self._pre else re.sub(r"\s+", " ", data))


def from_html(text: str) -> str:
    """The words of an HTML text, in paragraphs; nothing in it is run or fetched."""
    parser = _Plain()
    parser.feed(text)
    parser.close()
    lines = [_SPACES.sub(" ", line).strip() for line in "".join(parser.pieces).split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def same_words(text: str) -> str:
    """The text with nothing but what is compared: HTML and white space apart."""
    return " ".join(from_html(text).split())


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


def said(who: str, text: str, markup: Markup) -> str:
    """A line of somebody's, with their name before it."""
    name = escaped(who, markup)
    if markup == "html":
        return f"<p><b>{name}:</b> {escaped(text, markup)}</p>"
    return f"**{name}:** {escaped(text, markup)}" if markup == "markdown" else f"{name}: {text}"


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

    At most about `limit` characters (0 for no limit): of the transcript the newest lines are kept.
    """
    parts = [titled(title, lines, markup) for title, lines in _sections(data) if lines]
    reference = titled("Reference", _lines(data.get("handoff")) or ["-"], markup)
    left = (limit or MOST) - sum(map(len, parts)) - len(reference) - 200
    if lines := _newest(_transcript(data), left, markup):
        parts.append(titled("Transcript", lines, markup))
    return ("" if markup == "html" else "\n\n").join([*parts, reference])


def _newest(lines: list[str], room: int, markup: Markup) -> list[str]:
    kept: list[str] = []
    for line in reversed(lines):
        room -= len(escaped(line, markup)) + 10
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
