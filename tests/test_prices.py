"""What models cost, by whose table, and what a user's own row changes."""

from __future__ import annotations

import pytest

from hch.prices import price_of
from hch.types import Usage


def test_the_price_of_a_known_model_is_in_dollars_a_million_tokens() -> None:
    rate = price_of("openai", "gpt-5.4-mini")
    assert rate is not None
    assert 0 < rate.input < rate.output < 1000
    assert rate.cached is not None
    assert 0 < rate.cached < rate.input
    assert rate.cost(Usage(1_000_000, 0)) == round(rate.input * 1_000_000)


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "no-such-model"),
        ("scripted", "x.toml"),
        ("openai", None),
        ("", ""),
        ("vllm", "a/b"),
    ],
)
def test_an_unknown_model_has_no_price(provider: str, model: str | None) -> None:
    assert price_of(provider, model) is None
