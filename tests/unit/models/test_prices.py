from __future__ import annotations

import pytest

from supportbot.models.prices import PRICES, Price, cost, price_of, price_table


def test_a_call_costs_its_fresh_cached_and_written_tokens() -> None:
    price = Price(input=2.0, output=8.0, cached=0.5)
    assert cost(price, prompt=1000, cached=400, completion=100) == 1200 + 200 + 800


def test_without_a_discount_cached_tokens_cost_the_full_price() -> None:
    assert cost(Price(2.0, 8.0), prompt=1000, cached=400, completion=0) == 2000


def test_an_unknown_model_has_no_cost() -> None:
    assert price_of("llama3", PRICES) is None
    assert price_of("ft:gpt-4.1-mini:acme::id", PRICES) is None
    assert cost(None, prompt=1, cached=0, completion=1) is None


@pytest.mark.parametrize(
    ("snapshot", "family"), [("gpt-4.1-mini-2025-04-14", "gpt-4.1-mini"), ("o3-2025-04-16", "o3")]
)
def test_a_snapshot_costs_what_its_family_costs(snapshot: str, family: str) -> None:
    assert price_of(snapshot, PRICES) == PRICES[family]


def test_a_snapshot_with_a_price_of_its_own_keeps_it() -> None:
    assert price_of("gpt-4o-2024-05-13", PRICES) != PRICES["gpt-4o"]


def test_the_config_overrides_and_adds_prices() -> None:
    table = price_table({"gpt-4.1": Price(1.0, 1.0), "llama3": {"input": 0.1, "output": 0.2, "cached": None}})
    assert table["gpt-4.1"] == Price(1.0, 1.0)
    assert table["llama3"] == Price(0.1, 0.2)
    assert table["gpt-4o"] == PRICES["gpt-4o"]


def test_cached_input_is_never_dearer_than_fresh_input() -> None:
    assert [name for name, price in PRICES.items() if (price.cached or 0) >= price.input] == []
