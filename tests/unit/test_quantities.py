"""Times and sizes as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supportbot.quantities import seconds, size


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("15m", 900.0),
        ("20s", 20.0),
        ("0.8s", 0.8),
        ("24h", 86400.0),
        ("7d", 604800.0),
        ("2w", 1209600.0),
        ("500ms", 0.5),
        ("1h30m", 5400.0),
        ("1h 30m", 5400.0),
        (" 20 S ", 20.0),
        ("0s", 0.0),
        ("0", 0.0),
        (0, 0.0),
    ],
)
def test_a_duration_becomes_seconds(text: object, value: float) -> None:
    assert seconds(text) == pytest.approx(value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (20, "must have a unit: 20s are seconds, 20m minutes, 20h hours"),
        (0.5, "must have a unit: 0.5s are seconds, 0.5m minutes, 0.5h hours"),
        ("20", "must be a duration such as 20s, 15m, 24h or 7d, not '20'"),
        ("soon", "must be a duration such as 20s, 15m, 24h or 7d, not 'soon'"),
        ("-5s", "must be a duration such as 20s, 15m, 24h or 7d, not '-5s'"),
        ("15 min", "must be a duration such as 20s, 15m, 24h or 7d, not '15 min'"),
        ("", "must be a duration such as 20s, 15m, 24h or 7d, not ''"),
        (True, "must be a duration such as 20s, 15m, 24h or 7d"),
        (["1s"], "must be a duration such as 20s, 15m, 24h or 7d"),
        ("9999w", "must be 10 years or less"),
    ],
)
def test_what_is_no_duration_is_refused(value: object, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        seconds(value)
    assert str(caught.value) == message


@given(st.integers(0, 10_000), st.sampled_from("smh"))
def test_a_whole_number_with_a_unit_is_that_many_units(number: int, unit: str) -> None:
    assert seconds(f"{number}{unit}") == number * {"s": 1, "m": 60, "h": 3600}[unit]


@pytest.mark.parametrize(
    ("value", "expected"),
    [("1MB", 1_000_000), ("512 kb", 512_000), ("2MiB", 2_097_152), (4096, 4096), ("4096", 4096)],
)
def test_a_size_becomes_bytes(value: object, expected: int) -> None:
    assert size(value) == expected


@pytest.mark.parametrize("value", ["big", "1GB", "-1", True, None, 1.5, ""])
def test_what_is_no_size_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="must be a size such as 512KB, 1MB or a number of bytes"):
        size(value)
