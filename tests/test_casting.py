"""Who plays which level, out of what was said and what is configured."""

from __future__ import annotations

from pathlib import Path

import pytest

from hch import HCH
from hch.config import Config
from hch.errors import UsageError
from hch.rates import Rate
from hch.settings import Defaults, File, PriceRow


@pytest.fixture
def models(home: Path) -> list[str]:
    """Two models, by their specs."""
    made = []
    for name in ("a", "b"):
        file = home / f"{name}.toml"
        file.write_text(f'[[rule]]\nmatch = "."\nreply = "{name}"\n', "utf-8")
        made.append(f"scripted:{file}")
    return made


def said(**options: object) -> str | None:
    return HCH(depth=0, store="memory", **options).ask_sync("Why?").text  # type: ignore[arg-type]


def test_a_strategy_brings_its_own_model(models: list[str]) -> None:
    assert said(strategy=f"direct@{models[1]}") == "b"
    assert said(strategy="direct", model=models[0]) == "a"
    assert said(strategy="direct", model=models[0], at={"0": f"direct@{models[1]}"}) == "b"


def test_a_configured_player_brings_its_own_model_too(models: list[str]) -> None:
    file = File(models={"small": models[1]}, players={"checker": "direct@small"})
    config = Config(store="memory", file=file)
    assert said(config=config, strategy="checker") == "b"
    usual = file.model_copy(update={"defaults": Defaults(strategy="checker", model=models[0])})
    config = Config(store="memory", file=usual)
    assert said(config=config) == "b"
    assert said(config=config, model=models[0]) == "a"  # what is said goes before


def test_two_models_for_one_player_are_one_too_many(models: list[str]) -> None:
    with pytest.raises(UsageError, match="another model is named beside it"):
        said(strategy=f"direct@{models[1]}", model=models[0])


@pytest.mark.parametrize(
    "spelt",
    [
        "openai:m,base_url={url}",
        "openai:m,base_url={url}/",
        "openai:m, base_url={url}",
        "openai:m,temperature=0.0,base_url={url}",
        "openai:m,base_url=HTTP://127.0.0.1:1/v1",
    ],
)
def test_a_price_of_an_alias_holds_however_its_model_is_spelt(home: Path, spelt: str) -> None:
    spec = spelt.format(url="http://127.0.0.1:1/v1")
    file = File(models={"local": spec}, prices={"local": PriceRow(input=2, output=3)})
    hch = HCH(depth=0, model="local", config=Config(store="memory", file=file))
    [player] = hch.players
    assert player.model is not None
    assert player.model.rate == Rate(2, 3)


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        ({"model": "gpt-5.4-mini"}, "did you mean 'openai:gpt-5.4-mini'"),
        ({"strategy": "human"}, r"'human' is a model: write STRATEGY@human"),
        ({"model": "nothing-of-the-kind"}, "there are .*scripted"),
    ],
)
def test_a_model_and_a_strategy_are_told_apart(options: dict[str, str], hint: str) -> None:
    with pytest.raises(UsageError, match=hint):
        said(**options)
