"""YAML files: values, places and mistakes."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supportbot.config.yamlfile import MAX_BYTES, parse, read
from supportbot.errors import ConfigError


def problem(text: str | bytes) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(text.encode() if isinstance(text, str) else text, "f")
    assert len(caught.value.problems) == 1
    return str(caught.value)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("Off", "Off"),
        ("y", "y"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("12:30", "12:30"),
        ("1:30:15", "1:30:15"),
        ("010", "010"),
        ("0o17", "0o17"),
        ("0x1F", "0x1F"),
        ("0049301234", "0049301234"),
        ("+49301234", "+49301234"),
        ("1_000", "1_000"),
        ("1e3", "1e3"),
        ("12e05", "12e05"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("1.0e999", "1.0e999"),
        ("2026-03-31", "2026-03-31"),
        ("1234567890123456789", "1234567890123456789"),
        ("9" * 5000, "9" * 5000),
        ("0", 0),
        ("-7", -7),
        ("8080", 8080),
        ("0.5", 0.5),
        ("-.5", -0.5),
        ("1.5e3", 1500.0),
        ("'8080'", "8080"),
        ('"true"', "true"),
        ("A-10002", "A-10002"),
        ("|\n  one\n  two", "one\ntwo\n"),
    ],
)
def test_a_value_is_what_its_writer_sees(written: str, value: object) -> None:
    found = parse(f"key: {written}\n".encode(), "f").data["key"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{en: Where is it?, de: Wo ist es?}", {"en": "Where is it?", "de": "Wo ist es?"}),
        ("[What?, How? Why, a?b]", ["What?", "How? Why", "a?b"]),
        ("{ok?: 1}", {"ok?": 1}),
        ("{a: , b: x}", {"a": None, "b": "x"}),
        ('{"a":1}', {"a": 1}),
    ],
)
def test_questions_may_stand_in_brackets(text: str, value: object) -> None:
    assert parse(f"a: {text}".encode(), "f").data["a"] == value


def test_keys_are_text_as_written() -> None:
    data = parse(b"no: Norwegian\n1: one\ntrue: yes\n1.0: x\n", "f").data
    assert data == {"no": "Norwegian", "1": "one", "true": "yes", "1.0": "x"}


def test_every_key_and_value_has_a_place() -> None:
    document = parse(b"\xef\xbb\xbfbot:\n  name: Acme\n  list:\n  - a\n  - {b: c}\n", "f")
    assert document.mark(()) == (1, 1)
    assert document.mark(("bot",), key=True) == (1, 1)
    assert document.mark(("bot",)) == (2, 3)
    assert document.mark(("bot", "name"), key=True) == (2, 3)
    assert document.mark(("bot", "name")) == (2, 9)
    assert document.mark(("bot", "list", 0)) == (4, 5)
    assert document.mark(("bot", "list", 1, "b"), key=True) == (5, 6)
    assert document.mark(("bot", "list", 1, "b")) == (5, 9)


def test_the_place_of_what_is_not_there_is_the_nearest_above() -> None:
    document = parse(b"bot:\n  name: Acme\n", "f")
    assert document.mark(("bot", "locale", 3)) == (2, 3)
    assert document.mark(("other",)) == (1, 1)


def test_columns_count_characters_not_bytes() -> None:
    assert parse("{ä: 🙂, b: c}".encode(), "f").mark(("b",), key=True) == (1, 8)


def test_an_alias_stands_where_it_is_used_and_its_inside_where_it_was_written() -> None:
    document = parse(b"a: &x\n  k: 1\nb: *x\n", "f")
    assert document.data == {"a": {"k": 1}, "b": {"k": 1}}
    assert document.mark(("b",)) == (3, 4)
    assert document.mark(("b", "k")) == (2, 6)


def test_what_an_alias_stands_for_is_a_copy() -> None:
    data = parse(b"a: &x [1]\nb: *x\n", "f").data
    data["b"].append(2)
    assert data["a"] == [1]


def test_a_file_with_nothing_in_it_is_nothing() -> None:
    assert parse(b"", "f").data is None
    assert parse(b"# only a comment\n", "f").data is None


DEEPER = "this line is indented deeper than the one above it, which has a value already: begin both in one column"
INDENT = "the indentation of this line does not fit the lines above: keys of one mapping begin in the same column"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: b: c", "f:1:5: this text has a colon followed by a space in it: put the whole text in quotes"),
        ("a:\n  b: 1\n   c: 2\n", f"f:3:4: {DEEPER}"),
        ("a:\n  b: |\n    x\n   c: 2\n", f"f:4:4: {INDENT}"),
        ("a b\nc: d\n", "f:1:1: 'a b' is no 'key: value': the colon after the key is missing"),
        ("a:\n  b c  # d: e\n\n  f: g\n", "f:2:3: 'b c' is no 'key: value': the colon after the key is missing"),
        (
            "say: one text\n  that goes on\n  and on: here",
            "f:3:9: this text has a colon followed by a space in it: put the whole text in quotes",
        ),
        (
            'a: "x\nb: y\nc: "z"\n',
            "f:1:4: the quote that opens here is closed only in line 3: one is missing between",
        ),
        ("a:\n  b: 1\n c: 2\n", f"f:3:2: {INDENT}"),
        ("a: 1\n  b: 2\n", f"f:2:3: {DEEPER}"),
        ("a:\n\tb: 1\n", "f:2:1: a tab stands here: use spaces"),
        ("a: \tb", "f:1:4: a tab stands here: use spaces"),
        ("a:b\nc: d\n", "f:1:1: a space is missing after the colon in 'a:'"),
        ("c: d\na:b\ne: f\n", "f:2:1: a space is missing after the colon in 'a:'"),
        ("a: 1\njust words\n", "f:2:1: 'just words' is no 'key: value': the colon after the key is missing"),
        ("say: {{ name }}", 'f:1:6: a text that begins with {{ must stand in quotes, such as "{{ name }}"'),
        (
            "? [a]\n: b",
            "f:1:3: a key must be a plain word: a text that begins with { or [ must stand in quotes",
        ),
        ("a: [1, 2\n", "f:1:4: the '[' that opens here is never closed"),
        ("a: {b: 1\nc: 2\n", "f:2:2: a comma or '}' is missing before this: the '{' opened in line 1"),
        ("a: [${B}]", "f:1:5: inside [ ] or { } a ${NAME} must stand in quotes"),
        ("a: 'x", "f:1:4: the quote that opens here is never closed"),
        ('a: "x', "f:1:4: the quote that opens here is never closed"),
        (
            "a: 'it's'",
            "f:1:8: the text ended before this: inside single quotes write an apostrophe twice ('')",
        ),
        (
            'a: "Hello" there',
            "f:1:12: nothing may follow the closing quote: put the whole text in one pair of quotes",
        ),
        (
            "a: [b] c",
            "f:1:8: nothing may follow the closing bracket: a text that begins with { or [ must stand in quotes",
        ),
        (
            'a: "\\d"',
            "f:1:5: '\\d' means nothing in double quotes: use single quotes, or write \\\\ for a backslash",
        ),
        (
            'a: "\\u12"',
            "f:1:7: an escape is not complete here: write it as \\x41, \\u00e4 or \\U0001f642",
        ),
        ("a: @x", "f:1:4: a text that begins with @ must stand in quotes"),
        ("a: `x`", "f:1:4: a text that begins with ` must stand in quotes"),
        ("a: %x", "f:1:4: a text that begins with % must stand in quotes"),
        ("a: *bold* words", "f:1:4: a text that begins with * must stand in quotes"),
        ("a: *b", "f:1:4: '*b' refers to nothing: a text that begins with * must stand in quotes"),
        ("a: & b", "f:1:4: a text that begins with & must stand in quotes"),
        ("a: !x y", "f:1:4: the tag '!x' is not known: a text that begins with ! must stand in quotes"),
        (
            "a: !!python/name:os.system",
            "f:1:4: the tag '!!python/name:os.system' is not known: a text that begins with ! must stand in quotes",
        ),
        ("a: 1\nb: 2\na: 3\n", "f:3:1: the key 'a' stands here twice, first in line 1: keep one of them"),
        ("a: {1: x, '1': y}", "f:1:11: the key '1' stands here twice, first in line 1: keep one of them"),
        ("a: b\n- c\n", "f:2:1: a list item (-) stands here, where a key was expected: check the indentation"),
        ("a: - b", "f:1:4: a list item (-) must begin on a line of its own"),
        ("a: | x\n  y", "f:1:6: after | or > the text begins on the next line, indented"),
        (
            "a: {en: Hello, there, de: x}",
            "f:1:16: 'there' has no value: inside { } a text with a comma must stand in quotes",
        ),
        ("a: 1\n---\nb: 2", "f:2:1: '---' begins a second document: a file holds one, so remove this line"),
        ("a: 1\x00", "f:1:5: the character U+0000 cannot stand in a text file: remove it"),
        ("a: &x [*x]", "f:1:8: '*x' contains itself"),
        ("a: &x 1\nb: &x 2", "f:2:4: the anchor '&x' is used twice"),
        ("<<: {a: 1}", "f:1:1: '<<' is not supported here: write the keys out"),
        ("&a b: c", "f:1:1: a key cannot have an anchor (&)"),
        ("a: &x b\n*x : c", "f:2:1: '*x' cannot be a key"),
        ("a: [\n", "f:2:1: the file ends here, but a '[' or '{' above is never closed"),
        ("a: ]", "f:1:4: a value is missing before this"),
        (
            'a: "\\ud800"',
            "f:1:4: this text has half a character in it (\\ud800 to \\udfff): write the character",
        ),
        ('a: "\\UFFFFFFFF"', "f:1:1: an escape (\\U…) or a %YAML line in this file is not valid"),
        (b"a: ok\nb: caf\xe9\n", "f:2:7: the file is not UTF-8 text: save it with the encoding UTF-8"),
        ("a: 1\n".encode("utf-16"), "f:1:1: the file is not UTF-8 text: save it with the encoding UTF-8"),
        ("[" * 60, "f:1:52: this is nested deeper than 50 levels"),
        ("- " * 60 + "a", "f:1:103: this is nested deeper than 50 levels"),
    ],
)
def test_a_mistake_has_its_place_and_one_sentence(text: str | bytes, expected: str) -> None:
    assert problem(text) == expected


def test_aliases_that_multiply_are_refused_at_once() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    started = time.process_time()
    assert "more than 50,000 values (aliases counted in full)" in problem("\n".join(lines))
    assert time.process_time() - started < 1


def test_deep_brackets_in_a_large_file_are_refused_at_once() -> None:
    started = time.process_time()
    assert "nested deeper than 50 levels" in problem("[" * 900_000)
    assert time.process_time() - started < 5


def test_files_that_cannot_be_read_say_so(tmp_path: Path) -> None:
    (tmp_path / "big.yaml").write_bytes(b"#" * (MAX_BYTES + 1))
    for name, sentence in (
        ("none.yaml", "there is no such file"),
        ("big.yaml", "the file is larger than 1,000,000 bytes"),
        (".", "this is not a file"),
        ("big.yaml/below", "there is no such file"),
        ("a\0b", "the file cannot be read (its name is not a valid path)"),
    ):
        with pytest.raises(ConfigError) as caught:
            read(tmp_path / name)
        assert caught.value.problems[0].message == sentence


def test_a_file_at_the_limit_is_read(tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_bytes(b"a: 1\n" + b"#" * (MAX_BYTES - 5))
    assert read(file).data == {"a": 1}


_SIGNS = [
    "a",
    ": ",
    ":",
    "- ",
    "\n",
    "  ",
    "\t",
    "[",
    "]",
    "{",
    "}",
    ",",
    "&x ",
    "*x",
    "!t ",
    "|",
    ">",
    "'",
    '"',
    "\\",
]
_ODD = [
    "#",
    "%",
    "---\n",
    "...\n",
    "? ",
    "${",
    "<<",
    "\r\n",
    "\x85",
    "\u2028",
    "\ufeff",
    "ä",
    "%YAML 1.",
    "1",
    "\\u",
]
_PIECES = st.sampled_from([*_SIGNS, *_ODD])


def _is_read_or_refused(content: bytes) -> None:
    try:
        document = parse(content, "f")
    except ConfigError as error:
        (found,) = error.problems
        assert found.line >= 1 and found.column >= 1
        assert found.message and "\n" not in found.message
    else:
        assert () in document.marks


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused_with_one_problem(content: bytes) -> None:
    _is_read_or_refused(content)


@settings(max_examples=400, deadline=None)
@given(st.lists(_PIECES, max_size=40).map("".join))
def test_any_text_is_read_or_refused_with_one_problem(text: str) -> None:
    _is_read_or_refused(text.encode())


_PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**17), 10**17)
    | st.text(st.characters(codec="utf-8", categories=["L", "N", "P"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcxyz_", min_size=1), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=100, deadline=None)
@given(_PLAIN)
def test_json_is_read_as_json_and_every_value_has_a_place(value: object) -> None:
    document = parse(json.dumps(value).encode(), "f")
    assert document.data == value
    _every_value_has_a_place(document.data, (), set(document.marks))


def _every_value_has_a_place(
    value: object, path: tuple[str | int, ...], marks: set[tuple[str | int, ...]]
) -> None:
    assert path in marks
    if isinstance(value, dict):
        for key, item in value.items():
            _every_value_has_a_place(item, (*path, key), marks)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _every_value_has_a_place(item, (*path, index), marks)
