"""What a call costs: dollars per million tokens, which is the same as micro-dollars per token.

The table is OpenAI's list price for the standard tier and short prompts, compiled in October 2026 from
https://developers.openai.com/api/docs/pricing. It leaves out surcharges for cache writes, very long prompts, regions
and faster tiers: good for budgets and comparison, not for checking an invoice. `model.prices` in the config overrides
it. A model that is in neither has no cost (None), never a guessed one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_SNAPSHOT = re.compile(r"-\d{4}-\d{2}-\d{2}\Z")


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars per million tokens; `cached` is the discounted part of the prompt, None if there is no discount."""

    input: float
    output: float
    cached: float | None = None


PRICES: Mapping[str, Price] = {
    "gpt-6-astra": Price(10.0, 50.0, 1.0),
    "gpt-6.1-sol": Price(2.0, 10.0, 0.1),
    "gpt-6.1-terra": Price(1.0, 5.0, 0.05),
    "gpt-6-luna": Price(0.1, 0.5, 0.01),
    "gpt-5.6-sol": Price(4.0, 20.0, 0.4),
    "gpt-5.6-terra": Price(2.0, 12.0, 0.2),
    "gpt-5.6-luna": Price(0.2, 1.2, 0.02),
    "gpt-5.5": Price(5.0, 30.0, 0.5),
    "gpt-5.4": Price(2.5, 15.0, 0.25),
    "gpt-5.4-mini": Price(0.75, 4.5, 0.075),
    "gpt-5.4-nano": Price(0.2, 1.25, 0.02),
    "gpt-5.2": Price(1.75, 14.0, 0.175),
    "gpt-5.2-chat-latest": Price(1.75, 14.0, 0.175),
    "gpt-5.1": Price(1.25, 10.0, 0.125),
    "gpt-5.1-chat-latest": Price(1.25, 10.0, 0.125),
    "gpt-5": Price(1.25, 10.0, 0.125),
    "gpt-5-chat-latest": Price(1.25, 10.0, 0.125),
    "gpt-5-mini": Price(0.25, 2.0, 0.025),
    "gpt-5-nano": Price(0.05, 0.4, 0.005),
    "gpt-4.1": Price(2.0, 8.0, 0.5),
    "gpt-4.1-mini": Price(0.4, 1.6, 0.1),
    "gpt-4.1-nano": Price(0.1, 0.4, 0.025),
    "gpt-4o": Price(2.5, 10.0, 1.25),
    "gpt-4o-2024-05-13": Price(5.0, 15.0),
    "gpt-4o-mini": Price(0.15, 0.6, 0.075),
    "o4-mini": Price(1.1, 4.4, 0.275),
    "o3": Price(2.0, 8.0, 0.5),
    "o3-mini": Price(1.1, 4.4, 0.55),
    "o1": Price(15.0, 60.0, 7.5),
    "gpt-4-turbo": Price(10.0, 30.0),
    "gpt-4": Price(30.0, 60.0),
    "gpt-3.5-turbo": Price(0.5, 1.5),
}


def price_table(overrides: Mapping[str, Price | Mapping[str, float | None]]) -> dict[str, Price]:
    """The built-in table with the config's prices over it; a mapping has the keys input, output and cached."""
    given = {
        name: price if isinstance(price, Price) else Price(**price)  # type: ignore[arg-type]  # checked by the config
        for name, price in overrides.items()
    }
    return {**PRICES, **given}


def price_of(model: str, prices: Mapping[str, Price]) -> Price | None:
    """The model's price; a dated snapshot costs what its family costs unless it is listed; None if unknown."""
    return prices.get(model) or prices.get(_SNAPSHOT.sub("", model))


def cost(price: Price | None, *, prompt: int, cached: int, completion: int) -> int | None:
    """Micro-dollars for so many tokens (`cached` is a part of `prompt`); None without a price."""
    if price is None:
        return None
    cached_price = price.input if price.cached is None else price.cached
    fresh = max(prompt - cached, 0)
    return round(fresh * price.input + cached * cached_price + completion * price.output)
