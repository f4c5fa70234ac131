"""Regular expressions that cannot take for ever."""

from __future__ import annotations

import time

import pytest

from supportbot.dialogue.patterns import PatternError, compile_pattern


@pytest.mark.parametrize(
    "text",
    [
        "(a+)+",
        "(ab?)+$",
        "(a|aa)+",
        "(.*)*x",
        "x([a-z]+)*",
        r"(\w+\s?)+",
        ".*.*.*.*.*.*.*.*x",
        "(a?){60}b",
        "(?:(?:a{1,9}){1,9}){1,9}",
    ],
)
def test_patterns_that_could_take_for_ever_are_refused(text: str) -> None:
    with pytest.raises(PatternError, match="for ever"):
        compile_pattern(text)


@pytest.mark.parametrize(
    ("text", "words"), [("(", "not a valid"), ("x*", "empty text"), ("a" * 501, "longer than")]
)
def test_unusable_patterns_are_refused(text: str, words: str) -> None:
    with pytest.raises(PatternError, match=words):
        compile_pattern(text)


@pytest.mark.parametrize(
    "text", [r"\d*\d*\d*x", r".*.*.*.*x", r"\w+@\w+\.\w+", r"(?:\s?\d){5,10}", r"(?:ab|ac|b)\w+x", r"A-\d{5}"]
)
def test_accepted_patterns_are_quick_on_bad_texts(text: str) -> None:
    pattern = compile_pattern(text)
    start = time.process_time()
    for bad in ("1" * 1000, "a" * 1000, "ab " * 300, " 1" * 400):
        pattern.find(bad)
        pattern.fullmatch(bad)
    assert time.process_time() - start < 5


def test_a_match_is_not_taken_from_inside_a_word_or_at_the_cut() -> None:
    pattern = compile_pattern(r"\d{4,5}")
    assert pattern.find("123456") is None
    assert pattern.find("order 12345!") is not None
    end = compile_pattern(r"^\W*thanks\W*$")
    assert end.find("thanks!") is not None
    assert end.find("thanks" + " " * end.limit + "where is it") is None
