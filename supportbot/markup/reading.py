"""Markdown into blocks. Nothing is ever lost: HTML, references and whatever is too deep or too much stay literal text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_block.table import escapedSplit, getLine, table
from markdown_it.token import Token

from supportbot.markup.inline import bare_url, clean, runs, visible
from supportbot.markup.model import Align, Block, Run

_MAX_NESTING = 20
_MAX_LENGTH = 100_000
_MAX_BRACKETS = 10_000  # the parser looks for a link at each
_LANGUAGE = re.compile(r"[\w+#.-]{1,30}")


def blocks(text: str) -> tuple[Block, ...]:
    """The blocks of a Markdown text; () if it is blank."""
    source = clean(text)
    if len(source) > _MAX_LENGTH or source.count("[") > _MAX_BRACKETS:
        return _literal(source)
    tokens = _PARSER.parse(source)
    if any(_cuts_off(token) for token in tokens):
        return _literal(source)
    found = tuple(_blocks(tokens))
    return found if any(map(_shows, found)) else _literal(source)


def _literal(source: str) -> tuple[Block, ...]:
    source = visible(source).strip()
    return (Block("paragraph", (Run(source),)),) if source else ()


def _cuts_off(token: Token) -> bool:
    """Whether the parser skips what is inside."""
    return token.type in ("blockquote_open", "list_item_open") and token.level >= _MAX_NESTING - 1


def _shows(block: Block) -> bool:
    texts = [block.text, block.marker, *(run.text for run in block.runs)]
    texts += [run.text for row in block.rows for cell in row for run in cell]
    return block.kind == "rule" or any(text.strip() for text in texts)


# --- the parser ----------------------------------------------------------------------------------------------


def _whole_table(state: StateBlock, first: int, end: int, silent: bool) -> bool:
    """The parser's table rule, which by itself drops cells beyond the header's."""
    before = len(state.tokens)
    found = table(state, first, end, silent)
    if found and not silent:
        state.tokens[before:] = _every_cell(state, state.tokens[before:])
    return found


def _every_cell(state: StateBlock, tokens: list[Token]) -> Iterator[Token]:
    line = seen = 0
    for token in tokens:
        if token.type == "tr_open" and token.map:
            line, seen = token.map[0], 0
        elif token.type == "inline":
            seen += 1
        elif token.type == "tr_close":
            row = getLine(state, line).strip()
            if row.count("|") >= seen:
                cells = escapedSplit(row)
                cells = cells[1 if not cells[0] else 0 : -1 if not cells[-1] else None]
                for cell in cells[seen:]:
                    yield Token("inline", "", 0, content=cell.strip(), children=[])
        yield token


class _Parser(MarkdownIt):
    """Which links are followed is decided where runs are made."""

    def validateLink(self, url: str) -> bool:
        return True


def _parser() -> MarkdownIt:
    parser = _Parser("commonmark", {"html": False, "maxNesting": _MAX_NESTING})
    parser.enable(["table", "strikethrough"]).disable("reference")
    parser.block.ruler.at("table", _whole_table, {"alt": ["paragraph", "reference"]})
    parser.inline.ruler.after("text", "bare_url", bare_url)
    return parser


_PARSER = _parser()


# --- tokens into blocks --------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Place:
    """Where in the nesting the reader is. `numbers` has the last number of each open list, None for bullets."""

    quote: int = 0
    numbers: list[int | None] = field(default_factory=list)
    marker: str = ""
    line: int = -1

    def put(self, block: Block, lines: list[int] | None) -> Block:
        first, end = lines or (-1, -1)
        block = replace(block, quote=self.quote, depth=len(self.numbers), tight=first == self.line)
        self.line = end
        return block


def _blocks(tokens: list[Token]) -> Iterator[Block]:
    place = _Place()
    rest = iter(tokens)
    for token in rest:
        match token.type:
            case "blockquote_open" | "blockquote_close":
                place.quote += token.nesting
            case "bullet_list_open":
                yield from _bare_item(place, token)
                place.numbers.append(None)
            case "ordered_list_open":
                yield from _bare_item(place, token)
                place.numbers.append(-1)
            case "bullet_list_close" | "ordered_list_close":
                place.numbers.pop()
            case "list_item_open":
                place.marker = _marker(place, token)
                opened = token
            case "list_item_close":
                yield from _bare_item(place, opened)
            case "paragraph_open" | "heading_open":
                yield from _text(place, token, next(rest))
            case "fence" | "code_block":
                yield from _bare_item(place, token)
                yield place.put(_code(token), token.map)
            case "table_open":
                yield from _bare_item(place, token)
                yield place.put(_table(rest), token.map)
            case "hr":
                yield from _bare_item(place, token)
                yield place.put(Block("rule"), token.map)


def _bare_item(place: _Place, token: Token) -> Iterator[Block]:
    """The item whose marker is still to be shown, if there is one: it has no text of its own."""
    if place.marker:
        marker, place.marker = place.marker, ""
        first = token.map[0] if token.map else 0
        yield place.put(Block("item", marker=marker), [first, first])


def _marker(place: _Place, item: Token) -> str:
    """As written where the numbers rise, since texts refer to them; "1." thrice counts on."""
    last = place.numbers[-1]
    if last is None:
        return "•"
    written = int(item.info)
    place.numbers[-1] = max(written, last + 1)
    return (item.info if written > last else str(last + 1)) + item.markup


def _text(place: _Place, token: Token, inline: Token) -> Iterator[Block]:
    inside = runs(inline.children or ())
    heading = token.type == "heading_open"
    if place.marker:
        marker, place.marker = place.marker, ""
        inside = tuple(replace(run, bold=True) for run in inside) if heading else inside
        yield place.put(Block("item", inside, marker=marker), token.map)
    elif heading:
        yield place.put(Block("heading", inside, level=int(token.tag[1:])), token.map)
    elif inside:
        yield place.put(Block("paragraph", inside), token.map)


def _code(token: Token) -> Block:
    """What cannot be a language's name was meant as text."""
    info, text = visible(token.info).strip(), token.content.removesuffix("\n").expandtabs(4)
    language = info if _LANGUAGE.fullmatch(info) else ""
    return Block("code", text=visible(text if language or not info else f"{info}\n{text}"), language=language)


def _table(tokens: Iterator[Token]) -> Block:
    rows: list[tuple[tuple[Run, ...], ...]] = []
    row: list[tuple[Run, ...]] = []
    aligns: list[Align] = []
    for token in tokens:
        if token.type == "table_close":
            break
        if token.type == "th_open":
            aligns.append(_align(str(token.attrs.get("style", ""))))
        elif token.type == "inline":
            row.append(tuple(map(_on_one_line, runs(token.children or ()))))
        elif token.type == "tr_close":
            rows.append(tuple(row))
            row = []
    return Block("table", rows=tuple(rows), aligns=tuple(aligns))


def _on_one_line(run: Run) -> Run:
    return replace(run, text=run.text.replace("\n", " ")) if "\n" in run.text else run


def _align(style: str) -> Align:
    return "right" if style.endswith("right") else "center" if style.endswith("center") else "left"
