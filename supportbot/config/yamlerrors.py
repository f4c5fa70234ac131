"""Says in one plain sentence what a YAML parser's complaint means for somebody who edits the file."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import yaml
from yaml.reader import ReaderError

Explained = tuple[int, int, str]

INDENT = "the indentation of this line does not fit the lines above: keys of one mapping begin in the same column"
DEEPER = "this line is indented deeper than the one above it, which has a value already: begin both in one column"
_GLUED = re.compile(r" *(?:- )?([\w-]+):[^\s:/]")
_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")


def position(before: str) -> tuple[int, int]:
    """(line, column), from 1, of what follows the text `before`."""
    breaks = list(_BREAK.finditer(before))
    start = breaks[-1].end() if breaks else 0
    return len(breaks) + 1, len(before) - start + 1


def explain(error: yaml.YAMLError, text: str, quote: tuple[Any, Any] | None = None) -> Explained:
    """Line, column (from 1) and a sentence for an error of the parser in `text`.

    `quote` are the marks of the last quoted text that goes over several lines.
    """
    if isinstance(error, ReaderError):
        message = f"the character U+{ord(text[error.position]):04X} cannot stand in a text file: remove it"
        return (*position(text[: error.position]), message)
    if not isinstance(error, yaml.MarkedYAMLError):
        return 1, 1, f"this is not valid YAML ({error})"
    problem, context = error.problem or "", error.context or ""
    at: Any = error.problem_mark
    if quote is not None and at is not None and at.line == quote[1].line and at.index >= quote[1].index:
        return _at(
            quote[0], f"the quote that opens here is closed only in line {at.line + 1}: one is missing between"
        )
    for part, sentence in _SENTENCES:
        if part in problem or part in context:
            found = sentence(error, text)
            if found is not None:
                return found
    return _at(error.problem_mark or error.context_mark, f"this is not valid YAML ({problem or context})")


def bracket_key(event: Any) -> tuple[Any, str]:
    """The place and the sentence for a `{` or `[` where a key was expected, most often a template without quotes."""
    mark = event.start_mark
    before = mark.buffer[max(mark.pointer - 1, 0) : mark.pointer + 1]
    if before != "{{":
        return mark, "a key must be a plain word: a text that begins with { or [ must stand in quotes"
    return _Shifted(mark.line, mark.column - 1), (
        'a text that begins with {{ must stand in quotes, such as "{{ name }}"'
    )


class _Shifted:
    __slots__ = ("column", "line")

    def __init__(self, line: int, column: int) -> None:
        self.line = line
        self.column = column


def _at(mark: Any, message: str) -> Explained:
    if mark is None:
        return 1, 1, message
    return mark.line + 1, mark.column + 1, message


def _line_of(mark: Any, text: str) -> str:
    """The source line up to the mark."""
    start = max(text.rfind("\n", 0, mark.index), text.rfind("\r", 0, mark.index)) + 1
    return text[start : mark.index]


def _here(message: str) -> Callable[[yaml.MarkedYAMLError, str], Explained]:
    return lambda error, _text: _at(error.problem_mark, message)


def _opening(message: str) -> Callable[[yaml.MarkedYAMLError, str], Explained]:
    return lambda error, _text: _at(error.context_mark or error.problem_mark, message)


def _token(error: yaml.MarkedYAMLError, text: str) -> Explained:
    mark: Any = error.problem_mark
    found = text[mark.index : mark.index + 1]
    if found == "\t":
        return _at(mark, "a tab stands here: use spaces")
    return _at(mark, f"a text that begins with {found} must stand in quotes")


def _colon(error: yaml.MarkedYAMLError, text: str) -> Explained:
    mark: Any = error.problem_mark
    before = _line_of(mark, text)
    in_text = _at(mark, "this text has a colon followed by a space in it: put the whole text in quotes")
    if re.search(r":\s", before):
        return in_text
    above, lines = _above(text, mark.index), _lines_above(text, mark.index)
    if above is None and lines and ":" not in lines[-1][1]:
        return in_text
    return above or (mark.line + 1, _indent(before) + 1, INDENT)


def _block_end(error: yaml.MarkedYAMLError, text: str) -> Explained:
    mark: Any = error.problem_mark
    before = _line_of(mark, text).rstrip()
    if before.endswith("'") and text[mark.index - 1] == "'":
        return _at(mark, "the text ended before this: inside single quotes write an apostrophe twice ('')")
    if "'<scalar>'" in (error.problem or "") and before.endswith(("'", '"')):
        return _at(mark, "nothing may follow the closing quote: put the whole text in one pair of quotes")
    if before.endswith(("]", "}")):
        return _at(
            mark, "nothing may follow the closing bracket: a text that begins with { or [ must stand in quotes"
        )
    if text[mark.index : mark.index + 2] in ("- ", "-\n", "-"):
        return _at(mark, "a list item (-) stands here, where a key was expected: check the indentation")
    return (None if before else _above(text, mark.index)) or _at(mark, INDENT)


def _above(text: str, index: int) -> Explained | None:
    """What is wrong with the line above the one at `index`, if the mistake stands there; None if it looks right."""
    lines = _lines_above(text, index)
    if not lines:
        return None
    number, line = lines[-1]
    indent = _indent(line)
    glued = _GLUED.match(line)
    if glued is not None:
        return number, indent + 1, f"a space is missing after the colon in '{glued[1]}:'"
    if re.search(r":(\s|$)", line):
        own = _indent(text[text.rfind("\n", 0, index) + 1 :])
        deeper = own > indent and re.search(r":\s+[^|>&\s]", line)
        return (position(text[:index])[0], own + 1, DEEPER) if deeper else None
    goes_on = len(lines) > 1 and indent > _indent(lines[-2][1]) and not lines[-2][1].endswith(":")
    if goes_on or line.lstrip()[:1] in "-[]{}\"'|>&*!":
        return None
    return number, indent + 1, _missing_colon(line)


def _lines_above(text: str, index: int) -> list[tuple[int, str]]:
    """The last two lines before the line at `index` that say something, with their numbers and without comments."""
    before = _BREAK.split(text[:index])[:-1]
    lines = ((number, re.sub(r"(^|\s)#.*", "", line).rstrip()) for number, line in enumerate(before, start=1))
    return [(number, line) for number, line in lines if line and not line.startswith(("---", "%"))][-2:]


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _missing_colon(line: str) -> str:
    line = line.strip()
    shown = line if len(line) <= 40 else line[:39] + "…"
    return f"'{shown}' is no 'key: value': the colon after the key is missing"


def _no_colon(error: yaml.MarkedYAMLError, text: str) -> Explained:
    mark: Any = error.context_mark
    line = _BREAK.split(text[mark.index :], maxsplit=1)[0]
    glued = _GLUED.match(line)
    return _at(mark, f"a space is missing after the colon in '{glued[1]}:'" if glued else _missing_colon(line))


def _quote(error: yaml.MarkedYAMLError, text: str) -> Explained | None:
    if "quoted scalar" not in (error.context or ""):
        return None
    return _at(error.context_mark, "the quote that opens here is never closed")


def _bracket(error: yaml.MarkedYAMLError, text: str) -> Explained:
    mark: Any = error.problem_mark
    if text[mark.index - 1 : mark.index + 1] == "${":
        return mark.line + 1, mark.column, "inside [ ] or { } a ${NAME} must stand in quotes"
    opening = "[" if "']'" in (error.problem or "") else "{"
    closing = {"[": "]", "{": "}"}[opening]
    if "stream end" in (error.problem or ""):
        return _at(error.context_mark, f"the '{opening}' that opens here is never closed")
    start: Any = error.context_mark
    message = f"a comma or '{closing}' is missing before this: the '{opening}' opened in line {start.line + 1}"
    return _at(mark, message)


def _escape(error: yaml.MarkedYAMLError, text: str) -> Explained:
    mark: Any = error.problem_mark
    shown = text[mark.index - 1 : mark.index + 1].strip()
    return (
        mark.line + 1,
        mark.column,
        (f"'{shown}' means nothing in double quotes: use single quotes, or write \\\\ for a backslash"),
    )


def _begins(error: yaml.MarkedYAMLError, text: str) -> Explained:
    mark: Any = error.context_mark or error.problem_mark
    found = text[mark.index : mark.index + 1]
    return _at(mark, f"a text that begins with {found} must stand in quotes")


def _no_value(error: yaml.MarkedYAMLError, text: str) -> Explained:
    mark: Any = error.problem_mark
    if not text[mark.index :].strip():
        return _at(mark, "the file ends here, but a '[' or '{' above is never closed")
    return _at(mark, "a value is missing before this")


_SENTENCES: tuple[tuple[str, Callable[[yaml.MarkedYAMLError, str], Explained | None]], ...] = (
    ("cannot start any token", _token),
    ("mapping values are not allowed here", _colon),
    ("mapping keys are not allowed here", _begins),
    ("sequence entries are not allowed here", _here("a list item (-) must begin on a line of its own")),
    ("found unexpected end of stream", _quote),
    ("found unexpected document separator", _quote),
    ("found unknown escape character", _escape),
    (
        "expected escape sequence of",
        _here("an escape is not complete here: write it as \\x41, \\u00e4 or \\U0001f642"),
    ),
    ("could not find expected ':'", _no_colon),
    ("expected ',' or", _bracket),
    ("invalid indentation or unclosed", _here("this is indented wrongly, or a '[' or '{' above is never closed")),
    ("while scanning a block scalar", _here("after | or > the text begins on the next line, indented")),
    ("while scanning a directive", _begins),
    ("YAML document (version", _begins),
    ("YAML directive", _begins),
    ("tag handle", _begins),
    ("while scanning a tag", _begins),
    ("while parsing a tag", _begins),
    ("while scanning an a", _begins),  # an alias, an anchor
    ("expected <block end>", _block_end),
    ("'<document start>'", _block_end),
    ("expected the node content", _no_value),
)
