"""What is inside a paragraph: formatting, links and bare URLs as runs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from markdown_it.common.normalize_url import normalizeLink, normalizeLinkText
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

from supportbot.markup.model import Run

_SCHEME = re.compile(r"(?<![A-Za-z0-9.+-])https?$", re.IGNORECASE)
_ALLOWED = re.compile(r"(?:https?://|mailto:|tel:)[^\s<>]", re.IGNORECASE)
_URL = r"[^\s/?#<>\[\]()\"`*|，。、；：！？（）「」『』【】《》“”]+[^\s<>\[\]\"`*|，。、；：！？（）「」『』【】《》“”]*"
_REST = re.compile("://" + _URL)
_WWW = re.compile(r"(?<![\w./@:-])(www\.[a-z0-9]" + _URL + ")", re.IGNORECASE)
_TRAILING = "?!.,:;*_~'&"

_UNSEEN: dict[int, str | None] = dict.fromkeys((*range(32), *range(127, 160)))
_UNSEEN |= dict.fromkeys((0x09, 0x0B, 0x0C, 0x1C, 0x1D, 0x1E, 0x1F, 0x85), " ")
_UNSEEN |= dict.fromkeys((0x0A, 0x2028, 0x2029), "\n")
_IN_SOURCE = _UNSEEN | {0x09: "\t"}
_SURROGATES = re.compile("[\ud800-\udfff]")


def clean(source: str) -> str:
    """The source without control characters other than tabs and line breaks, and fit for UTF-8."""
    if _SURROGATES.search(source):
        source = source.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return source.replace("\r\n", "\n").replace("\r", "\n").translate(_IN_SOURCE)


def visible(text: str) -> str:
    """The text without control characters other than line breaks."""
    return text.translate(_UNSEEN)


def bare_url(state: StateInline, silent: bool) -> bool:
    """The parser's rule for a URL that stands in the text as it is; it comes before emphasis, as URLs hold "_"."""
    if silent or state.linkLevel or not state.src.startswith("://", state.pos):
        return False
    scheme = _SCHEME.search(state.src, max(0, state.pos - 5), state.pos)
    if not scheme or not state.pending.endswith(scheme[0]):
        return False
    rest = _REST.match(state.src, state.pos, state.posMax)
    if not rest:
        return False
    url = scheme[0] + _trimmed(rest[0])
    if not _ALLOWED.match(url):
        return False
    state.pending = state.pending[: -len(scheme[0])]
    state.push("link_open", "a", 1).attrs = {"href": normalizeLink(url)}
    state.push("text", "", 0).content = url
    state.push("link_close", "a", -1)
    state.pos += len(url) - len(scheme[0])
    return True


def runs(tokens: Iterable[Token]) -> tuple[Run, ...]:
    """The runs of one paragraph, heading or cell; neighbours in the same formatting are one."""
    return tuple(
        Run("".join(text for text, _ in same), *style)
        for style, same in groupby(_spelled(tokens), key=itemgetter(1))
    )


class _Style(NamedTuple):
    """A run without its text."""

    bold: bool = False
    italic: bool = False
    strike: bool = False
    code: bool = False
    link: str = ""


_Piece = tuple[str, _Style]
_PLAIN = _Style()


def _spelled(tokens: Iterable[Token]) -> Iterator[_Piece]:
    link, title, label = "", "", ""
    style = _PLAIN
    depth = {"strong": 0, "em": 0, "s": 0}
    for token in tokens:
        name, _, side = token.type.rpartition("_")
        if name in depth:
            depth[name] += 1 if side == "open" else -1
            style = _Style(depth["strong"] > 0, depth["em"] > 0, depth["s"] > 0)
        elif token.type == "link_open":
            link, title, label = str(token.attrs["href"]), str(token.attrs.get("title", "")), ""
        elif token.type == "link_close":
            yield from _after_label(style, label, link, title)
            link = ""
        else:
            for piece in _leaf(token, style, link):
                label += piece[0] if link else ""
                if piece[0]:
                    yield piece


def _leaf(token: Token, style: _Style, link: str) -> Iterator[_Piece]:
    linked = style._replace(link=_target(link)) if link else style
    if token.type == "image":
        yield from _image(token, linked, link)
    elif token.type in ("softbreak", "hardbreak"):
        yield "\n", linked
    elif token.type == "code_inline":
        yield visible(token.content).replace("\n", " "), linked._replace(code=True)
    elif link:
        yield visible(token.content), linked
    else:
        yield from _with_hosts(visible(token.content), style)


def _with_hosts(text: str, style: _Style) -> Iterator[_Piece]:
    """The text with each "www.example.com" as a link."""
    for place, piece in enumerate(_WWW.split(text)):
        host = _trimmed(piece) if place % 2 else ""
        if host:
            yield host, style._replace(link=normalizeLink("https://" + host))
        yield piece[len(host) :], style


def _after_label(style: _Style, label: str, link: str, title: str) -> Iterator[_Piece]:
    """What is still to be said of a link: a target that is no link, and a title."""
    target = _target(link)
    if not target or not label.strip():
        shown = target or visible(normalizeLinkText(link))
        if shown and shown != label.strip():
            yield f" ({shown})" if label.strip() else shown, style._replace(link=target)
    if title.strip():
        yield f" ({visible(title)})", style


def _image(token: Token, style: _Style, around: str) -> Iterator[_Piece]:
    source = str(token.attrs["src"])
    alt = visible(_alt(token.children or ()))
    yield alt, style._replace(link=style.link or _target(source))
    if not around or not alt.strip():
        yield from _after_label(style._replace(link=""), alt, around or source, str(token.attrs.get("title", "")))


def _alt(tokens: Sequence[Token]) -> str:
    return "".join(
        "\n"
        if token.type in ("softbreak", "hardbreak")
        else _alt(token.children)
        if token.children
        else token.content
        for token in tokens
    )


def _target(link: str) -> str:
    if link[:4].lower() == "www.":
        link = "https://" + link
    return link if _ALLOWED.match(link) else ""


def _trimmed(url: str) -> str:
    """Without the punctuation of the sentence around it; a closing parenthesis belongs if its opening one does."""
    deep = 0
    for place, letter in enumerate(url):
        deep += (letter == "(") - (letter == ")")
        if deep < 0 or (letter == "~" and url.startswith("~~", place)):
            url = url[:place]
            break
    return url.rstrip(_TRAILING)
