"""HTML of customers made plain, in time that grows with its length alone, whatever it is.

No tag has a `<` inside it, so each is looked for once; what is no tag is text. Nothing in it is run or fetched.
"""

from __future__ import annotations

import re
from html import unescape

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
"""Elements whose words nobody reads; one that nobody has closed is as if it were not there."""

_TAG = re.compile(r"""<(/?)([A-Za-z][A-Za-z0-9:-]{0,63})((?:[\s/](?:[^<>"']++|"[^"<]*+"|'[^'<]*+')*+)?)>""")
_HREF = re.compile(r"""(?:^|\s)href\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s"'>]++))""", re.IGNORECASE)
_LONG_NUMBER = re.compile(r"&#[xX]?[0-9a-fA-F]{9,}+;?")
_SPACES = re.compile(r"[ \t\r\f\v\u00a0]+")


def from_html(text: str) -> str:
    """The words of an HTML text, in paragraphs; a link keeps its address."""
    words = _Words()
    lower = text.lower() if text.isascii() else "".join(char.lower() if char < "\x80" else char for char in text)
    missing: set[str] = set()

    def after(mark: str, start: int) -> int:
        """Behind the next `mark`, -1 if there is none; what is missing once is missing for the rest."""
        at = -1 if mark in missing else lower.find(mark, start)
        if at < 0:
            missing.add(mark)
        return at + len(mark) if at >= 0 else -1

    done = 0
    while (at := text.find("<", done)) >= 0:
        words.text(text[done:at])
        if text.startswith("<!--", at):
            done = after("-->", at + 4)
        elif text.startswith(("<!", "<?"), at):
            done = after(">", at)
        elif tag := _TAG.match(text, at):
            done, name = tag.end(), tag[2].lower()
            if tag[1]:
                words.end(name)
            elif name in _SILENT and (behind := after(f"</{name}", done)) >= 0:
                done = max(after(">", behind), behind)
            else:
                words.start(name, tag[3])
        else:
            done = -1
        if done < 0:
            words.text("<")
            done = at + 1
    words.text(text[done:])
    return words.whole()


class _Words:
    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._pre = 0
        self._link: tuple[str, int] | None = None

    def text(self, text: str) -> None:
        if text:
            text = unescape(_LONG_NUMBER.sub("\N{REPLACEMENT CHARACTER}", text))
            self._pieces.append(text if self._pre else re.sub(r"\s+", " ", text))

    def start(self, name: str, attributes: str) -> None:
        if name in _BLOCKS:
            self._pieces.append("\n\n" if name in _PARAGRAPHS else "\n")
        if name == "li":
            self._pieces.append("- ")
        if name == "pre":
            self._pre += 1
        if name in ("td", "th"):
            self._pieces.append(" ")
        if name == "a":
            self._close_link()
            found = _HREF.search(attributes)
            self._link = (unescape(next(filter(None, found.groups()), "")) if found else "", len(self._pieces))

    def end(self, name: str) -> None:
        if name == "pre":
            self._pre = max(self._pre - 1, 0)
        if name in _BLOCKS and name != "br":
            self._pieces.append("\n\n" if name in _PARAGRAPHS else "\n")
        if name == "a":
            self._close_link()

    def _close_link(self) -> None:
        if self._link is None:
            return
        (address, start), self._link = self._link, None
        label = "".join(self._pieces[start:]).strip()
        if address.startswith(("https://", "http://")) and address.rstrip("/") != label.rstrip("/"):
            self._pieces.append(f" ({address})" if label else address)

    def whole(self) -> str:
        self._close_link()
        lines = [_SPACES.sub(" ", line).strip() for line in "".join(self._pieces).split("\n")]
        return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
