"""Who plays which level, out of what was said and what is configured."""

from __future__ import annotations

from pathlib import Path

import pytest

from hch import HCH
from hch.config import Config
from hch.errors import UsageError
from hch.settings import Defaults, File


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
