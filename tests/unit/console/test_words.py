"""Times, money, reasons and values in words."""

from __future__ import annotations

from typing import Any

import pytest

from supportbot.console import words
from supportbot.types import HANDOFF_REASONS


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, ""),
        (0, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3_599, "59 min"),
        (7_200, "2 h"),
        (200_000, "2 d"),
        (-5, "0 s"),
    ],
)
def test_a_duration_is_said_roughly(seconds: float | None, said: str) -> None:
    assert words.duration(seconds) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (4.26, "4.3 s"),
        (59.99, "1 min"),
        (90, "1.5 min"),
        (600, "10 min"),
        (3660, "1 h 1 min"),
        (7199, "2 h"),
        (100_000, "1 d 3 h"),
    ],
)
def test_a_length_is_said_in_one_or_two_units(seconds: float, said: str) -> None:
    assert words.length(seconds) == said


def test_money_is_said_with_as_many_decimals_as_it_needs() -> None:
    assert [words.money(micro) for micro in (0, 7, 420, 1_234_567_890)] == [
        "$0.00",
        "$0.000007",
        "$0.0004",
        "$1,234.57",
    ]


def test_every_reason_of_a_handoff_has_its_own_words_and_they_are_understood() -> None:
    said = {code: words.reason(code) for code in HANDOFF_REASONS}
    assert all(code != spoken for code, spoken in said.items()) and len(set(said.values())) == len(said)
    assert [words.reason_meant(spoken.capitalize()) for spoken in said.values()] == list(said)
    assert words.reason("vip") == words.reason_meant("vip") == "vip"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (True, "yes"),
        (False, "no"),
        ("Zoë", "Zoë"),
        (7, "7"),
        (["red", 2], "red, 2"),
        ({"sku": "ä"}, '{"sku": "ä"}'),
        ([{"sku": 1}], '[{"sku": 1}]'),
    ],
)
def test_a_value_is_said_without_quotes_where_that_is_plain(value: Any, said: str) -> None:
    assert words.plain(value) == said
