"""What is wrong with the settings in force, as far as that can be told without sending anything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import partial
from typing import Any, TypeAlias

from hch import registry
from hch.budget import parse_budget
from hch.commands._person import Nobody
from hch.commands._placeholders import ANY_TASK, uses
from hch.compose import HCH
from hch.config import Config, Look
from hch.errors import ConfigError, HchError, UsageError
from hch.models.scripted import ScriptedModel
from hch.prompts import Prompt, folder, reader
from hch.protocols import Model
from hch.registry import Spec

Check: TypeAlias = Callable[[Config, str], object]
"""Raises HchError for a spec, or an alias of one, that means nothing."""


def model_of(config: Config, spec: str) -> Model:
    """The model of that spec or alias, to be looked at. Raises UsageError, ConfigError."""
    hch = _played(config, f"direct@{spec}")
    model = hch.players[0].model
    assert model is not None, "direct thinks"
    return model


def check_model(config: Config, spec: str) -> None:
    """Raises UsageError for a model's spec that means nothing here.

    That a key or a package is missing is no fault of a setting: whoever uses it will be told.
    """
    try:
        model_of(config, spec)
    except ConfigError:
        return
    except UsageError as error:
        raise _with_alias(error, spec, config.file.models) from error


def check_player(config: Config, spec: str) -> None:
    """Raises UsageError for a player's or a strategy's spec that means nothing here."""
    try:
        _ = _played(config, spec).players
    except ConfigError:
        return
    except UsageError as error:
        raise _with_alias(error, spec, config.file.players) from error


def _played(config: Config, player: str) -> HCH:
    """One copy by that player; without prices, which each casting would read anew."""
    return HCH(
        depth=0,
        at={"0": player},
        model=ScriptedModel({}),
        task=ANY_TASK,
        person=Nobody(),
        config=config.model_copy(update={"file": config.file.model_copy(update={"prices": {}})}),
    )


def _with_alias(error: UsageError, spec: str, aliases: Mapping[str, str]) -> UsageError:
    near = () if spec in aliases or ":" in spec else get_close_matches(spec, aliases, 1)
    return UsageError(f"{error}; or is the alias {near[0]!r} meant?") if near else error


def problems(look: Look) -> list[str]:
    """Every fault, one line each, with the file and line, or the variable, at its start."""
    return [*look.problems, *look.strangers, *_in_defaults(look), *_in_tables(look)]


def check_in_force(hch: HCH) -> None:
    """Raises ConfigError, saying where it stands, for a default that `hch` takes and cannot use."""
    config = hch.config
    for name, check in _checks(config).items():
        value = getattr(config.file.defaults, name)
        if value is not None and getattr(hch, name) is None and f"defaults.{name}" in config.origin:
            key = _stands(config, name)
            for told in _told(f"{config.origin[key]}: {key}", partial(check, value)):
                raise ConfigError(told)


def _checks(config: Config) -> dict[str, Callable[[Any], object]]:
    """For each of the defaults that can be wrong, what raises an HchError where it is."""
    return {
        "model": partial(check_model, config),
        "strategy": partial(check_player, config),
        "depth": lambda depth: HCH(depth=depth, config=config).levels,
        "budget": parse_budget,
        "task": lambda spec: HCH(task=spec, config=config).casting.task,
        "prompts": folder,
        "store": lambda _: HCH(config=config).kept_in,
    }


def _stands(config: Config, name: str) -> str:
    """The dotted key under which the value of a default stands, aliases followed."""
    table = {"model": "models", "strategy": "players"}.get(name, "")
    aliases: Mapping[str, str] = getattr(config.file, table) if table else {}
    key, value = f"defaults.{name}", getattr(config.file.defaults, name)
    seen = set()
    while value in aliases and value not in seen:
        seen.add(value)
        key, value = f"{table}.{value}", aliases[value]
    return key


def _in_defaults(look: Look) -> Iterator[str]:
    config, defaults = look.config, look.config.file.defaults
    for name, check in _checks(config).items():
        key, at = f"defaults.{name}", config.origin.get(f"defaults.{name}")
        if at and _stands(config, name) == key:  # aliases are checked where they stand
            yield from _told(f"{at}: {key}", partial(check, getattr(defaults, name)))
    for told in _prompt_problems(defaults.prompts) if defaults.prompts else ():
        yield f"{config.origin['defaults.prompts']}: defaults.prompts: {told}"


def _in_tables(look: Look) -> Iterator[str]:
    """What an alias lacks; of aliases that mean the same, the first is checked for all."""
    config, file = look.config, look.config.file
    checks: tuple[tuple[str, Iterable[str], Callable[[str], str], Check], ...] = (
        ("models", file.models, config.model, check_model),
        ("players", file.players, config.player, check_player),
        ("prices", [key for key in file.prices if ":" in key], str, _check_priced),
    )
    for table, names, meant, check in checks:
        known: dict[str, str | None] = {}
        for name in names:
            if (meaning := meant(name)) not in known:
                known[meaning] = _fault(partial(check, config, name))
            if fault := known[meaning]:
                yield f"{config.origin[f'{table}.{name}']}: {table}.{name}: {fault}"


def _check_priced(_: Config, key: str) -> None:
    registry.load("models", Spec.parse(key).name)


def _told(at: str, check: Callable[[], object]) -> Iterator[str]:
    if fault := _fault(check):
        yield f"{at}: {fault}"


def _fault(check: Callable[[], object]) -> str | None:
    try:
        check()
    except HchError as error:
        return str(error)
    return None


def _prompt_problems(named: str) -> Iterator[str]:
    """What is wrong with the prompt files of a folder; what no strategy uses is let be."""
    try:
        there = folder(named)
    except UsageError:  # which is told of the setting
        return
    used, read = uses().by_prompt, reader([there])
    for path in sorted(there.rglob("*.md")):
        name = path.relative_to(there).with_suffix("").as_posix()
        if name in used:
            if fault := _fault(partial(Prompt.read, read, name, used[name].placeholders)):
                yield fault
        elif near := get_close_matches(name, used, 1, 0.8):
            yield f"{path}: no strategy has a prompt {name!r}: did you mean {near[0]!r}?"
