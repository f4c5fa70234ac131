"""A long Markdown text goes out in parts that fit, are whole in themselves, and lose nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from html import escape

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from supportbot.markup import blocks, plain, split

prose = st.text(st.sampled_from("ab é. \n\t😀*_`~[]()>#-|1。\\\u0301\u200d🇩"), max_size=250).filter(
    lambda text: "```" not in text and "~~~" not in text
)
pieces = st.lists(
    st.sampled_from(
        [
            "word ",
            "**bold text** ",
            "[a link](http://x.example/y) ",
            "\n\n",
            "\n",
            "- item ",
            "  ",
            "> quoted ",
            "1. ",
            "# Head\n",
            "|a|b|\n|-|-|\n|c|d|\n",
            "A sentence. ",
            "``x`` ",
            "好。 ",
        ]
    ),
    max_size=60,
).map("".join)
code = st.lists(
    st.text(st.sampled_from("ab =#-"), min_size=1, max_size=12).map(lambda line: "x" + line),
    min_size=1,
    max_size=30,
)


def utf16(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def escaped(text: str) -> int:
    return len(escape(text))


def shown(text: str) -> int:
    return len(escape(plain(text)))


def letters(*parts: str) -> str:
    return "".join("".join(parts).split())


@settings(deadline=None)
@given(prose | pieces, st.integers(1, 80), st.sampled_from([len, utf16, escaped, shown]))
@example("word " * 20 + " " * 50, 40, len)
@example(" " * 100, 10, len)
@example("1. a\n" * 30, 3, len)
@example("😀" * 9, 3, utf16)
def test_only_blanks_at_a_cut_are_lost(text: str, limit: int, measure: Callable[[str], int]) -> None:
    parts = split(text, limit, measure=measure)
    assert letters(*parts) == letters(text)
    assert all(measure(part) <= limit or len(part) == 1 for part in parts)
    assert all(part.strip() for part in parts) or (len(parts) == 1 and not text.strip())


@settings(deadline=None)
@given(pieces, st.integers(40, 80))
def test_no_word_is_cut_that_fits_a_part(text: str, limit: int) -> None:
    assert [word for part in split(text, limit) for word in part.split()] == text.split()


@settings(deadline=None)
@given(st.text(max_size=300), st.integers(0, 50), st.sampled_from([len, escaped]))
def test_any_text_is_split_at_any_limit(text: str, limit: int, measure: Callable[[str], int]) -> None:
    parts = split(text, limit, measure=measure)
    if "```" not in text and "~~~" not in text:
        assert letters(*parts) == letters(text)
    assert parts if limit else parts == [text]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("short", ["short"]),
        ("", [""]),
        ("  kept as it is ", ["  kept as it is "]),
        ("First part.\n\nSecond part.", ["First part.", "Second part."]),
        ("One. Two\n\n- three\n- four four", ["One. Two\n\n- three", "- four four"]),
        ("One line here\nanother line", ["One line here", "another line"]),
        ("A sentence. And another", ["A sentence.", "And another"]),
        ("一二三四五六。七八九十一二三四五。六七八九", ["一二三四五六。七八九十一二三四五。", "六七八九"]),
        ("一二三四五六，七八九十一二三四五，六七八九", ["一二三四五六，七八九十一二三四五，", "六七八九"]),
        ("several words without end", ["several words", "without end"]),
        ("x" * 45, ["x" * 20, "x" * 20, "x" * 5]),
        ("intro words here\n\n# Title\n\ntext", ["intro words here", "# Title\n\ntext"]),
        ("it costs twelve eur - 3 more", ["it costs twelve", "eur - 3 more"]),
        ("at first\n1. in all the shop", ["at first", "1. in all the shop"]),
        ("words of **bold text** end", ["words of", "**bold text** end"]),
        ("words of *slanted text* end", ["words of", "*slanted text* end"]),
        ("words of `some code x` end", ["words of", "`some code x` end"]),
        ("see [a label](http://x)", ["see", "[a label](http://x)"]),
        ("**bold that is longer than a part**", ["**bold that is", "longer than a part**"]),
        ("go to (http://x.example/a)", ["go to", "(http://x.example/a)"]),
        ("1. one\n\n   two\n\n   three four", ["1. one\n\n   two", "three four"]),
        ("- a b c d e f g\n    - h\n    - i", ["- a b c d e f g", "- h\n- i"]),
    ],
)
def test_a_text_is_cut_at_the_best_place(text: str, parts: list[str]) -> None:
    assert split(text, 20) == parts


@pytest.mark.parametrize("letter", ["e\u0301", "👍🏽", "👩\u200d👩\u200d👧", "🇩🇪", "❤\ufe0f", "\\*", "각"])
@pytest.mark.parametrize("offset", range(8))
def test_a_letter_of_several_characters_is_not_cut(letter: str, offset: int) -> None:
    parts = split("x" * offset + letter * 10, 9)
    assert all(part.lstrip("x").replace(letter, "") == "" for part in parts)


def test_a_table_is_kept_whole_or_cut_between_its_rows() -> None:
    table = "|a|b|\n|-|-|\n|1|2|\n|3|4|"
    assert split(f"some words before\n{table}", 30) == ["some words before", table]
    assert split(table, 20) == ["|a|b|\n|-|-|\n|1|2|", "|3|4|"]
    assert split(table, 13) == ["|a|b|\n|-|-|", "|1|2|\n|3|4|"]


@pytest.mark.parametrize(
    ("text", "limit", "parts"),
    [
        (
            "Try this now:\n```py\na = 1\nb = 2\n```\nDone.",
            30,
            ["Try this now:", "```py\na = 1\nb = 2\n```\nDone."],
        ),
        ("```py\na = 1\nb = 2\n\nc = 3\n```", 24, ["```py\na = 1\nb = 2\n\n```", "```py\nc = 3\n```"]),
        ("~~~~\n```\nfirst\n```\nsecond\n~~~~", 24, ["~~~~\n```\nfirst\n```\n~~~~", "~~~~\nsecond\n~~~~"]),
        ("```\none two three four five six\n```", 24, ["```\none two three\n```", "```\n four five six\n```"]),
        ("```\nfirst line\nnever closed", 20, ["```\nfirst line\n```", "```\nnever closed"]),
        ("> ```\n> first\n> second\n> ```", 24, ["> ```\n> first\n> ```", "> ```\n> second\n> ```"]),
        (
            "1. do\n   ```sh\n   first\n     then\n   ```\n   and so on",
            34,
            ["1. do", "```sh\nfirst\n  then\n```\nand so on"],
        ),
        (
            "- a b c d e f g h i j k l m\n    - x\n\n      ```\n      first one\n      second one\n      third one\n      ```",
            32,
            ["- a b c d e f g h i j k l m", "- x\n\n  ```\n  first one\n  ```", "```\nsecond one\nthird one\n```"],
        ),
        (
            "- ```sh\n  first one\n  second one\n  ```\n- next",
            28,
            ["- ```sh\n  first one\n  ```", "```sh\nsecond one\n```\n- next"],
        ),
    ],
)
def test_code_stays_whole_or_is_fenced_in_every_part(text: str, limit: int, parts: list[str]) -> None:
    assert split(text, limit) == parts


@settings(deadline=None)
@given(code, st.sampled_from(["", "py", "c++"]), st.integers(30, 90), st.sampled_from(["", "Some words.\n\n"]))
def test_every_line_of_code_is_there_in_order(lines: list[str], language: str, limit: int, before: str) -> None:
    fenced = f"```{language}\n" + "\n".join(lines) + "\n```"
    parts = split(f"{before}{fenced}\nafter", limit)
    found = [block for part in parts for block in blocks(part)]
    assert [line for block in found if block.kind == "code" for line in block.text.split("\n")] == lines
    assert {block.language for block in found if block.kind == "code"} == {language}
    assert all(len(part) <= limit for part in parts)
    assert (fenced in "\n".join(parts)) == any(fenced in part for part in parts) == (len(fenced) <= limit)


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(["```\n", "x\n", "\n", "> ", "- ", "~~~a\n", "   ", "word "]), max_size=40).map(
        "".join
    ),
    st.integers(1, 60),
)
def test_fences_in_any_order_lose_no_word_and_fit(text: str, limit: int) -> None:
    def words(*parts: str) -> str:
        return "".join(letter for letter in "".join(parts) if letter in "worxd")

    parts = split(text, limit)
    assert words(*parts) == words(text)
    assert all(len(part) <= limit for part in parts)


@pytest.mark.parametrize("measure", [len, utf16, escaped])
def test_a_part_is_as_full_as_the_measure_allows(measure: Callable[[str], int]) -> None:
    parts = split("<😀> & " * 200, 100, measure=measure)
    assert all(70 < measure(part) <= 100 for part in parts[:-1])


@pytest.mark.parametrize(
    "piece",
    [
        "word ",
        "a\n\n",
        "- *a b* `c`\n",
        "[",
        "*a ",
        "`",
        "`a``",
        "> ",
        "|a\n",
        "```\na\n```\n",
        "x",
        "\u0301",
        "](",
        " ",
    ],
)
def test_a_huge_text_is_split_in_good_time(piece: str) -> None:
    text = (piece * 100_000)[:100_000]
    start = time.process_time()
    split(text, 3_000)
    assert time.process_time() - start < 2  # well under half a second where nothing else runs
