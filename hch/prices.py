"""What models cost, by the tables of the package `genai-prices`."""

from __future__ import annotations

from importlib.metadata import version

from hch.rates import Rate


def source() -> str:
    """Which prices these are, such as `genai-prices 0.2.3`; noted with every run."""
    return f"genai-prices {version('genai-prices')}"


def price_of(provider: str, model: str | None) -> Rate | None:
    """A model's price today, that of long prompts too; None where it has none.

    None too for one that is paid for by the request.
    """
    from decimal import Decimal

    from genai_prices import Usage, calc_price
    from genai_prices.types import PriceCalculation, TieredPrices

    def priced(tokens: int, *, cached: int = 0, kept: int = 0, output: int = 0) -> PriceCalculation:
        usage = Usage(
            input_tokens=tokens,
            cache_read_tokens=cached,
            cache_write_tokens=kept,
            output_tokens=output,
        )
        return calc_price(usage, model_ref=model or "", provider_id=provider)

    def rate(tokens: int, longer: tuple[tuple[int, Rate], ...] = ()) -> Rate:
        """That of a prompt of so many tokens."""
        fresh = priced(tokens).total_price
        cached = priced(tokens, cached=tokens).total_price
        kept = priced(tokens, kept=tokens).total_price
        written = priced(tokens, output=tokens).total_price - fresh
        million = Decimal(1_000_000) / tokens
        return Rate(
            input=float(fresh * million),
            output=float(written * million),
            cached=float(cached * million),
            cache_write=float(kept * million) if kept != fresh else None,
            longer=longer,
        )

    try:
        found = priced(0)
    except LookupError:
        return None
    if found.total_price:  # for a request, whatever its length
        return None
    prices = vars(found.model_price).values()
    tiered = (price for price in prices if isinstance(price, TieredPrices))
    starts = sorted({tier.start for price in tiered for tier in price.tiers})
    return rate(1, tuple((start, rate(start + 1)) for start in starts))
