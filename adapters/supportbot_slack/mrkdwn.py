"""The bot's Markdown as Slack's mrkdwn, in pieces that each fit a section block. Pure.

1. Nothing that the text says can become a mention, a channel call or a link: `&`, `<` and `>` are always escaped, and a
   link is only what Markdown made one, to http, https or mailto.
2. Formatting needs a boundary on both sides; where letters stand there, a space of no width makes one.
3. `*`, `_`, `~` and backticks of the text itself stay what they are: a space of no width takes their effect away.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from supportbot.markup import Block, Run, blocks, grid

SECTION = 3000
_ZERO = "\u200b"
_RULE = "———"
_FENCE = "```"
_MARKERS = "*_~"
_MARKS = re.compile(r"\*+|_+|~+")
_LINK = re.compile(r"(?:https?://|mailto:)[^\s<>]", re.IGNORECASE)
_LINK_CODES = str.maketrans({"|": "%7C", "<": "%3C", ">": "%3E", " ": "%20", "\n": "", '"': "%22"})
_MOST_LINK = 2500
"""A longer address would not fit a section beside its label; its text is shown instead."""


def escape(text: str) -> str:
    """The text without anything that Slack acts on, formatting apart."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def sections(text: str, limit: int = SECTION) -> tuple[str, ...]:
    """The mrkdwn of a Markdown text in pieces of at most `limit` characters; () if the text is blank."""
    pieces: list[str] = []
    for glue, shown in _parts(text, limit):
        if pieces and len(pieces[-1]) + len(glue) + len(shown) <= limit:
            pieces[-1] += glue + shown
        elif shown.strip():
            pieces.append(shown)
    return tuple(pieces)


def literal(text: str, limit: int = SECTION) -> str:
    """The mrkdwn that shows a text as it was written, Markdown and all; cut to at most `limit` characters."""
    shown = inline((Run(text[: limit + 1].strip()),))
    return shown if len(shown) <= limit else f"{next(_chunks(shown, limit - 1))}…"


def literals(text: str, limit: int = SECTION) -> tuple[str, ...]:
    """The same for all of the text, in pieces of at most `limit` characters; () if it is blank."""
    return tuple(part for part in _chunks(inline((Run(text.strip()),)), limit) if part.strip())


def length(text: str) -> int:
    """How many characters of mrkdwn a Markdown text becomes."""
    return sum(len(glue) + len(shown) for glue, shown in _parts(text, SECTION))


def _parts(text: str, limit: int) -> Iterator[tuple[str, str]]:
    """(what separates it from the one before, mrkdwn of at most `limit` characters)."""
    for block in blocks(text):
        glue = "\n" if block.tight else "\n\n"
        for part in _fitting(block, limit):
            yield glue, part
            glue = "\n"


# --- blocks --------------------------------------------------------------------------------------------------


def _fitting(block: Block, limit: int) -> Iterator[str]:
    if block.kind in ("code", "table"):
        content = block.text if block.kind == "code" else grid(block)
        # tripled backticks would end the fence
        safe = escape(content).replace(_FENCE, f"`{_ZERO}`{_ZERO}`")
        for part in _chunks(safe, limit - 2 * len(_FENCE) - 2):
            yield f"{_FENCE}\n{part}\n{_FENCE}"
    else:
        yield from _chunks(_shown(block), limit)


def _shown(block: Block) -> str:
    if block.kind == "rule":
        inside = _RULE
    elif block.kind == "heading":
        inside = inline(Run(run.text, True, run.italic, run.strike, run.code, run.link) for run in block.runs)
    else:
        inside = inline(block.runs)
    return "\n".join(_indented(block, inside.split("\n")))


def _indented(block: Block, lines: list[str]) -> Iterator[str]:
    quote = "> " if block.quote else ""
    indent = "    " * block.depth
    for place, line in enumerate(lines):
        if block.kind == "item" and not place:
            line = f"{indent[4:]}{block.marker} {line}".rstrip()
        elif line:
            line = indent + line
        yield quote + line


def _chunks(text: str, limit: int) -> Iterator[str]:
    """Pieces of at most `limit` characters, cut between lines, else between words, never inside an entity or link."""
    while len(text) > limit:
        cut = text.rfind("\n", 1, limit + 1)
        if cut < limit // 4:
            cut = max(text.rfind(" ", 1, limit + 1), cut)
        if cut <= 0:
            cut = limit
        cut = _outside(text, cut)
        yield text[:cut]
        text = text[cut:].removeprefix("\n")
    yield text


def _outside(text: str, cut: int) -> int:
    """The same cut, or an earlier one if it falls into `<url|label>` or `&amp;`."""
    opened = text.rfind("<", 0, cut)
    if opened > 0 and ">" not in text[opened:cut]:
        return opened
    entity = text.rfind("&", max(0, cut - 4), cut)
    return entity if entity > 0 and ";" not in text[entity:cut] else cut


# --- runs ----------------------------------------------------------------------------------------------------


def inline(runs: Iterable[Run]) -> str:
    """The mrkdwn of one paragraph's runs."""
    pieces: list[tuple[str, bool]] = []
    for run in runs:
        pieces += [piece for piece in _styled(run) if piece[0]]
    whole = ""
    for place, (piece, marked) in enumerate(pieces):
        before = whole[-1:]
        if (marked and _sticks(before)) or (not marked and place and pieces[place - 1][1] and _sticks(piece[:1])):
            whole += _ZERO
        whole += piece
    return "\n".join(f"{_ZERO}{line}" if line.startswith("&gt;") else line for line in whole.split("\n"))


def _sticks(letter: str) -> bool:
    """Whether formatting next to this letter would not be seen as such."""
    return bool(letter) and (letter.isalnum() or letter in f"{_MARKERS}`")


def _styled(run: Run) -> Iterator[tuple[str, bool]]:
    """(mrkdwn, whether it is formatted), line by line, as no formatting reaches over a line's end."""
    for place, line in enumerate(run.text.split("\n")):
        if place:
            yield "\n", False
        core = line.strip()
        if not core:
            yield line, False
            continue
        start = line.index(core)
        yield line[:start], False
        yield _marked(run, core)
        yield line[start + len(core) :], False


def _marked(run: Run, core: str) -> tuple[str, bool]:
    code = run.code and "`" not in core
    if run.link.startswith("tel:") and run.link[4:] not in core:
        core = f"{core} ({run.link[4:]})"
    shown = f"`{escape(core)}`" if code else _literal(core)
    link = address(run.link)
    if link:
        same = core in (run.link, run.link.removeprefix("mailto:"))
        shown = f"<{link}>" if same else f"<{link}|{shown}>"
    marks = "".join(mark for mark, on in zip(_MARKERS, (run.bold, run.italic, run.strike), strict=True) if on)
    return f"{marks}{shown}{marks[::-1]}", bool(marks) or (code and not link)


def address(link: str) -> str:
    """The link as it stands between `<` and `|` or `>`, "" if it is none that we show."""
    if not _LINK.match(link) or len(link) > _MOST_LINK:
        return ""
    return link.translate(_LINK_CODES).replace("&", "&amp;")


def _literal(text: str) -> str:
    """The text with its own markers made harmless where they could format anything."""
    text = _MARKS.sub(_harmless, escape(text))
    return text.replace("`", "\u02cb") if text.count("`") > 1 else text


def _harmless(match: re.Match[str]) -> str:
    """Between two letters or two blanks a marker formats nothing; elsewhere it loses its grip on what it touches."""
    text, start, end = match.string, match.start(), match.end()
    before, after = text[max(start - 1, 0) : start], text[end : end + 1]
    if (before.isalnum() and after.isalnum()) or (before.isspace() and after.isspace()):
        return match[0]
    return _ZERO + _ZERO.join(match[0]) + _ZERO
