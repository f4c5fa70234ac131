"""Tokens are counted as the model counts them, offline."""

from __future__ import annotations

import pytest

from supportbot.tokens import count, encoding_name


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("", 0), ("hello world", 2), ("Where is my order?", 5), ("Straße", 2), ("<|endoftext|>", 7)],
)
def test_known_texts_have_known_counts(text: str, tokens: int) -> None:
    assert count(text, "gpt-4.1-mini") == tokens


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("gpt-4.1-mini", "o200k_base"),
        ("gpt-4", "cl100k_base"),
        ("ft:gpt-4:acme::x", "cl100k_base"),
        ("my-own-model", "o200k_base"),
        ("ft:", "o200k_base"),
        ("", "o200k_base"),
    ],
)
def test_unknown_models_count_as_the_newest_encoding(model: str, name: str) -> None:
    assert encoding_name(model) == name


def test_a_text_beyond_the_tokenizers_limit_is_counted_in_slices() -> None:
    text = "word " * 250_000
    assert abs(count(text) - 250_000) < 30


def test_a_lone_surrogate_is_counted_and_raises_nothing() -> None:
    assert count("\ud800 x") >= 1
