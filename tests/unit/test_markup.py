"""Replies are read as CommonMark with tables, and no word of them is ever lost."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from supportbot.markup import Block, Run, blocks, flat, grid, plain

_MARKS = "ab é*_~`>#-|+=!&;:\\<()\n\t 😀"
markdown = st.text(st.sampled_from(_MARKS), max_size=120) | st.lists(
    st.sampled_from(
        [
            "word",
            "**",
            "*",
            "~~",
            "`",
            "\n",
            "\n\n",
            "> ",
            "- ",
            "   ",
            "\n|a|b|\n|-|-|\n",
            "|c|d|e|",
            "# ",
            "<b>",
            " ",
        ]
    ),
    max_size=40,
).map("".join)
anything = (
    st.text(st.characters(), max_size=200)
    | markdown
    | st.text(st.sampled_from("[]()<>!\\htps:/w.a \n&#10;x\ud800"), max_size=80)
)


def shapes(text: str) -> list[tuple[str, str, int, int]]:
    return [
        (block.kind, f"{block.marker} {flat(block.runs)}".strip(), block.quote, block.depth)
        for block in blocks(text)
    ]


def letters(text: str) -> str:
    return "".join(letter for letter in text if letter.isalpha() or letter == "😀")


def all_runs(found: tuple[Block, ...]) -> list[Run]:
    cells = [run for block in found for row in block.rows for cell in row for run in cell]
    return [run for block in found for run in (*block.runs, Run(block.text))] + cells


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        ("a **b** c", (Run("a "), Run("b", bold=True), Run(" c"))),
        ("*a **b***", (Run("a ", italic=True), Run("b", bold=True, italic=True))),
        ("~~a~~", (Run("a", strike=True),)),
        ("`a *b*`", (Run("a *b*", code=True),)),
        ("a\nb  \nc\\\nd", (Run("a\nb\nc\nd"),)),
        (r"\*a\* &lt;", (Run("*a* <"),)),
        ("2 * 3 * 4, snake_case_name", (Run("2 * 3 * 4, snake_case_name"),)),
        ("<b>x</b> <!channel> <@U1>", (Run("<b>x</b> <!channel> <@U1>"),)),
        (
            "[**a** b](https://x.example)",
            (Run("a", bold=True, link="https://x.example"), Run(" b", link="https://x.example")),
        ),
        ("[a](MAILTO:b@x.example)", (Run("a", link="MAILTO:b@x.example"),)),
        ("[call](tel:+49123)", (Run("call", link="tel:+49123"),)),
        ("[a](www.x.example)", (Run("a", link="https://www.x.example"),)),
        ("[a](https://x.example 'b')", (Run("a", link="https://x.example"), Run(" (b)"))),
        ("[](https://x.example)", (Run("https://x.example", link="https://x.example"),)),
        ("[a](javascript:b)", (Run("a (javascript:b)"),)),
        ("[a](data:image/png;base64,b)", (Run("a (data:image/png;base64,b)"),)),
        ("[a](/help)", (Run("a (/help)"),)),
        ("[a](slack://x|y)", (Run("a (slack://x|y)"),)),
        ("![a](https://x.example/i.png)", (Run("a", link="https://x.example/i.png"),)),
        ("![](https://x.example/i.png)", (Run("https://x.example/i.png", link="https://x.example/i.png"),)),
        ("![a](i.png)", (Run("a (i.png)"),)),
        ("[![a](i.png)](https://x.example)", (Run("a", link="https://x.example"),)),
        ("[a]: https://x.example", (Run("[a]: "), Run("https://x.example", link="https://x.example"))),
        ("- [ ]", (Run("[ ]"),)),
    ],
)
def test_formatting_becomes_runs(text: str, runs: tuple[Run, ...]) -> None:
    assert [block.runs for block in blocks(text)] == [runs]


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("https://x.example", ["https://x.example"]),
        ("See https://x.example/a.", ["https://x.example/a"]),
        ("(https://x.example/a_(b))", ["https://x.example/a_(b)"]),
        ("**https://x.example/a**", ["https://x.example/a"]),
        ("https://x.example/_a_/b__c__?d=1&amp=2", ["https://x.example/_a_/b__c__?d=1&amp=2"]),
        ("<https://x.example/a>", ["https://x.example/a"]),
        ("请看https://x.example/a。谢谢", ["https://x.example/a"]),
        ("www.x.example/a, http://y.example", ["https://www.x.example/a", "http://y.example"]),
        ("`https://x.example` xhttps://x.example ftp://x.example https:// http://!", []),
    ],
)
def test_a_bare_url_is_a_link_without_the_punctuation_around_it(text: str, links: list[str]) -> None:
    assert [run.link for run in all_runs(blocks(text)) if run.link] == links


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \n\t", []),
        ("# a\nb", [("heading", "a", 0, 0), ("paragraph", "b", 0, 0)]),
        ("a\n===", [("heading", "a", 0, 0)]),
        ("- a\n- b", [("item", "• a", 0, 1), ("item", "• b", 0, 1)]),
        ("- a\n\n  b\n- c", [("item", "• a", 0, 1), ("paragraph", "b", 0, 1), ("item", "• c", 0, 1)]),
        ("- a\n  - b\n- c", [("item", "• a", 0, 1), ("item", "• b", 0, 2), ("item", "• c", 0, 1)]),
        ("- - a", [("item", "•", 0, 1), ("item", "• a", 0, 2)]),
        ("-\n- a", [("item", "•", 0, 1), ("item", "• a", 0, 1)]),
        ("- # a", [("item", "• a", 0, 1)]),
        ("1. a\n1. b\n1. c", [("item", "1. a", 0, 1), ("item", "2. b", 0, 1), ("item", "3. c", 0, 1)]),
        ("2) a\n5) b\n5) c", [("item", "2) a", 0, 1), ("item", "5) b", 0, 1), ("item", "6) c", 0, 1)]),
        ("- [x] a", [("item", "• [x] a", 0, 1)]),
        ("> a\n>\n> b\n\nc", [("paragraph", "a", 1, 0), ("paragraph", "b", 1, 0), ("paragraph", "c", 0, 0)]),
        ("> - a\n>   > b", [("item", "• a", 1, 1), ("paragraph", "b", 2, 1)]),
        ("- > a", [("item", "• a", 1, 1)]),
        ("a\n\n---\n", [("paragraph", "a", 0, 0), ("rule", "", 0, 0)]),
        ("[]()", [("paragraph", "[]()", 0, 0)]),
        ("#", [("paragraph", "#", 0, 0)]),
    ],
)
def test_blocks_know_their_quotes_and_lists(text: str, expected: list[tuple[str, str, int, int]]) -> None:
    assert shapes(text) == expected


@pytest.mark.parametrize(
    ("text", "code", "language"),
    [
        ("```py\na\n\n  b\n```", "a\n\n  b", "py"),
        ("~~~\n\ta\n~~~", "    a", ""),
        ("```\nnever closed", "never closed", ""),
        ("```my order is late\na\n```", "my order is late\na", ""),
        ("- x\n  ```\n  a\n  ```", "a", ""),
        ("> ```c++\n> a\n> ```", "a", "c++"),
        ("    a\n     b", "a\n b", ""),
    ],
)
def test_code_is_kept_as_it_is(text: str, code: str, language: str) -> None:
    assert [(block.text, block.language) for block in blocks(text) if block.kind == "code"] == [(code, language)]


def test_a_block_is_tight_where_no_blank_line_stands_before_it() -> None:
    found = blocks("# a\nb:\n- c\n- d\n\n- e\n\n  f\n  ```\n  g\n  ```\nh")
    assert [block.tight for block in found] == [False, True, True, True, False, False, True, True]


def test_a_table_has_every_cell_and_the_columns_alignment() -> None:
    (table,) = blocks("|a|b|c|\n|:-|-:|:-:|\n|**1**|2|3|4 `x`|\n|5|\n")
    assert table.aligns == ("left", "right", "center")
    assert [[flat(cell) for cell in row] for row in table.rows] == [
        ["a", "b", "c"],
        ["1", "2", "3", "4 x"],
        ["5", "", ""],
    ]
    assert table.rows[1][0] == (Run("1", bold=True),)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "|Name|Price|\n|-|-:|\n|Tea|3.50|\n|Coffee|12|",
            "Name    Price\n------  -----\nTea      3.50\nCoffee     12",
        ),
        ("|a|b|\n|:-:|-|\n|日本語|x|", "  a     b\n------  -\n日本語  x"),
        ("|a|\n|-|\n|b|c|", "a\n-\nb  c"),
        (f"|a|b|\n|-|-|\n|{'x' * 70}|c|", f"a{' ' * 59}  b\n{'-' * 60}  -\n{'x' * 70}  c"),
    ],
)
def test_a_grid_is_aligned_by_what_letters_take_on_a_screen(text: str, expected: str) -> None:
    assert grid(blocks(text)[0]) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("**Hi** _you_ ~~no~~ `x`", "Hi you no x"),
        ("[shop](https://x.example)", "shop (https://x.example)"),
        ("[**sh**op](https://x.example)", "shop (https://x.example)"),
        (
            "<https://x.example> <a@x.example> [a@x.example](mailto:a@x.example)",
            "https://x.example a@x.example a@x.example",
        ),
        ("# Title\n\n1. a\n1. b\n   - c\n\n     d\n\nend", "Title\n\n1. a\n2. b\n  • c\n\n    d\n\nend"),
        ("- a\n  b", "• a\n  b"),
        ("> a\n> b", "> a\n> b"),
        ("a\n\n```py\n  x\n\ny\n```", "a\n\n  x\n\ny"),
        ("a\n\n***\n\nb", "a\n\n———\n\nb"),
        ("|a|b|\n|-|-|\n|1|2|", "a  b\n-  -\n1  2"),
    ],
)
def test_plain_text_reads_without_markup(text: str, expected: str) -> None:
    assert plain(text) == expected


@pytest.mark.parametrize(
    "deep", ["> " * 40 + "kept", "".join("  " * n + "- kept\n" for n in range(40)), "[" * 40 + "kept"]
)
def test_what_is_nested_too_deep_stays_literal(deep: str) -> None:
    assert letters(plain(deep)) == letters(deep)
    assert plain("> " * 40 + "kept") == "> " * 40 + "kept"


@settings(deadline=None)
@given(markdown)
@example("|a|b|\n|-|-|\n|c|d|e|\n|f|g|h|i|")
@example("- > # a\n- ```b c\n  d")
def test_no_letter_is_lost(text: str) -> None:
    found = blocks(text)
    shown = "".join(block.language for block in found) + "".join(run.text for run in all_runs(found))
    assert sorted(letters(shown)) == sorted(letters(text))


@settings(deadline=None)
@given(anything)
@example("&#10;&#9;&#x85;`\x0b`")
@example("|a|\n|-|\n|&#10;b|")
@example("[a](\ud800 '\x00')")
@example("<http://[>")
def test_any_text_at_all_is_read_into_clean_runs(text: str) -> None:
    found = blocks(text)
    for run in all_runs(found):
        assert not [
            letter for letter in run.text if unicodedata.category(letter) in ("Cc", "Cs") and letter != "\n"
        ]
        assert not run.link or run.link.lower().startswith(("http://", "https://", "mailto:", "tel:"))
        assert not set(run.link) & set(' \n\t<>"')
    assert not any("\n" in run.text for block in found for row in block.rows for cell in row for run in cell)
    assert all(block.runs for block in found if block.kind == "paragraph")
    plain(text).encode()


@pytest.mark.parametrize(
    "piece",
    [
        "[",
        "![",
        "*",
        "**a",
        "_a ",
        "~~a",
        ">",
        "> ",
        "`",
        "`a``",
        "- ",
        "|",
        "[a](",
        "<",
        "&",
        "a://",
        "https://",
        "www.",
        "(",
        "\\",
    ],
)
def test_a_hostile_text_is_read_in_good_time(piece: str) -> None:
    text = (piece * 100_000)[:100_000]
    start = time.process_time()
    plain(text)
    assert time.process_time() - start < 3  # well under one second where nothing else runs


@settings(max_examples=20, deadline=None)
@given(st.text(st.sampled_from("ab *[\n"), min_size=1))
def test_a_huge_text_is_one_plain_paragraph(text: str) -> None:
    huge = "x" * 100_000 + text
    assert blocks(huge) == (Block("paragraph", (Run(huge.strip()),)),)
