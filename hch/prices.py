"""What models cost, by the tables of the package `genai-prices`."""

from __future__ import annotations

from importlib.metadata import version

from hch.budget import Rate

_ORDINARY = 10_000
"""Tokens of a prompt that no provider charges a higher tier for."""


def source() -> str:
    """Which prices these are, such as `genai-prices 0.2.3`; noted with every run."""
    return f"genai-prices {version('genai-prices')}"


def price_of(provider: str, model: str | None) -> Rate | None:
    """A model's price for ordinary prompts, today; None where it has none."""
    from genai_prices import Usage as Counted
    from genai_prices import calc_price

    def dollars(**tokens: int) -> float:
        price = calc_price(Counted(**tokens), model_ref=model or "", provider_id=provider)
        return float(price.total_price) * 1_000_000 / _ORDINARY

    try:
        fresh = dollars(input_tokens=_ORDINARY)
        cached = dollars(input_tokens=_ORDINARY, cache_read_tokens=_ORDINARY)
        return Rate(fresh, dollars(output_tokens=_ORDINARY), cached)
    except LookupError:
        return None
