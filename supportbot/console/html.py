"""Markdown and plain words as HTML for the console's pages.

1. Everything that a person or a model wrote is escaped; markup comes only from the model of `supportbot.markup`.
2. Links are http, https, mailto or tel, open in their own tab and tell nobody where they were followed.
3. Nothing is fetched: no images, no styles, no frames.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from markupsafe import Markup, escape

from supportbot.markup import Block, Run, blocks, plain

_SCHEMES = ("http://", "https://", "mailto:", "tel:")
_DEEPEST = 6


def markdown(text: str) -> Markup:
    """The HTML of the bot's and the agents' Markdown."""
    return Markup("").join(_quotes(blocks(text)))


def plain_lines(text: str) -> Markup:
    """A customer's words as they were written: escaped, with their line breaks."""
    return Markup("<br>").join(escape(line) for line in text.splitlines())


def unmarked(text: str) -> str:
    """Lines out of what the bot and others said, such as a summary has them, without the marks of Markdown."""
    return "\n".join(plain(line) for line in text.splitlines())


def _quotes(every: Iterable[Block]) -> Iterator[Markup]:
    for quote, group in groupby(every, key=lambda block: min(block.quote, _DEEPEST)):
        inner = Markup("").join(_block(block) for block in group)
        yield Markup("<blockquote>") * quote + inner + Markup("</blockquote>") * quote


def _block(block: Block) -> Markup:
    depth = min(block.depth, _DEEPEST)
    match block.kind:
        case "heading":
            # not <h*>: what was written there is no part of the page's outline
            return Markup('<p class="heading" dir="auto">{}</p>').format(_runs(block.runs))
        case "item":
            return Markup('<p class="item depth-{}" dir="auto"><span class="marker">{}</span> {}</p>').format(
                depth, block.marker, _runs(block.runs)
            )
        case "code":
            return Markup('<pre class="depth-{}" dir="ltr" tabindex="0"><code>{}</code></pre>').format(
                depth, block.text
            )
        case "table":
            return _table(block)
        case "rule":
            return Markup("<hr>")
    return Markup('<p class="depth-{}" dir="auto">{}</p>').format(depth, _runs(block.runs))


def _table(block: Block) -> Markup:
    if not block.rows:
        return Markup("")
    head, *body = block.rows
    rows = Markup("").join(Markup("<tr>{}</tr>").format(_cells("td", row, block)) for row in body)
    return Markup(
        '<div class="scroll" tabindex="0"><table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>'
    ).format(_cells("th", head, block), rows)


def _cells(tag: str, row: Sequence[tuple[Run, ...]], block: Block) -> Markup:
    aligns = (*block.aligns, *("left",) * len(row))
    return Markup("").join(
        Markup('<{0} class="{1}" dir="auto">{2}</{0}>').format(tag, align, _runs(cell))
        for align, cell in zip(aligns, row, strict=False)
    )


def _runs(runs: Iterable[Run]) -> Markup:
    return Markup("").join(_run(run) for run in runs)


def _run(run: Run) -> Markup:
    html = Markup("<br>").join(escape(line) for line in run.text.split("\n"))
    for tag, wanted in (("code", run.code), ("s", run.strike), ("em", run.italic), ("strong", run.bold)):
        if wanted:
            html = Markup("<{0}>{1}</{0}>").format(tag, html)
    if run.link.lower().startswith(_SCHEMES):
        html = Markup('<a href="{}" target="_blank" rel="noopener noreferrer nofollow">{}</a>').format(
            run.link, html
        )
    return html
