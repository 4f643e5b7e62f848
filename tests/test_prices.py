"""What models cost, by whose table, and what a user's own row changes."""

from __future__ import annotations

from math import ceil

import pytest
from genai_prices import Usage as Counted
from genai_prices import calc_price

from hch.prices import price_of
from hch.types import Usage


def test_the_price_of_a_known_model_is_in_dollars_a_million_tokens() -> None:
    rate = price_of("openai", "gpt-5.4-mini")
    assert rate is not None
    assert 0 < rate.input < rate.output < 1000
    assert rate.cached is not None
    assert 0 < rate.cached < rate.input
    assert rate.cost(Usage(1_000_000, 0)) == round(rate.input * 1_000_000)


@pytest.mark.parametrize("tokens", [1, 1000, 272_000, 272_001, 1_000_000])
@pytest.mark.parametrize("model", ["gpt-5.4", "gpt-5.4-mini"])
def test_a_call_costs_what_the_table_says_whatever_its_length(model: str, tokens: int) -> None:
    rate = price_of("openai", model)
    assert rate is not None
    for cached, output in ((0, 0), (0, 1000), (tokens // 2, 7)):
        usage = Counted(input_tokens=tokens, cache_read_tokens=cached, output_tokens=output)
        told = calc_price(usage, model_ref=model, provider_id="openai").total_price
        assert rate.cost(Usage(tokens, output, cached)) == ceil(told * 1_000_000)
        assert rate.worst(tokens, output) >= rate.cost(Usage(tokens, output, cached))
        assert rate.worst(2_000_000, output) >= rate.worst(tokens, output)


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "no-such-model"),
        ("scripted", "x.toml"),
        ("openai", None),
        ("perplexity", "sonar"),  # a fee by the request, which tokens do not tell
        ("", ""),
        ("vllm", "a/b"),
    ],
)
def test_an_unknown_model_has_no_price(provider: str, model: str | None) -> None:
    assert price_of(provider, model) is None
