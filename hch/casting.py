"""Who plays each level: the models, strategies and the task that specs name, each built once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import takewhile
from typing import Any, cast

from hch import registry
from hch.config import Config
from hch.errors import ConfigError, HchError, UsageError
from hch.events import RunStarted
from hch.prices import price_of
from hch.protocols import Model, Person, Putting, Strategy, Task
from hch.rates import Rate
from hch.redaction import Redaction
from hch.registry import PlayerSpec, Spec
from hch.replay import Mute
from hch.rules import Player

BUILT_IN = "script"
"""Who plays where nobody is named and no key is set."""


@dataclass(frozen=True)
class Casting:
    """What was asked for, under a configuration; the fields are those of `hch.compose.HCH`.

    `shelf` reads what a store keeps by name.
    `others` go over the aliases of the configuration for players that options of strategies name.
    Everything raises UsageError or ConfigError for what cannot be built.
    """

    config: Config
    model: str | Model | None
    strategy: str | Strategy | None
    at: Mapping[str, str]
    task_named: str | None
    prices: Mapping[str, Rate | None]
    person: Person | None
    record: RunStarted | None = None
    shelf: Callable[[str], str | None] = lambda _: None
    others: Mapping[str, str] = field(default_factory=dict)
    _built: dict[str, Model] = field(default_factory=dict)

    @cached_property
    def built_in(self) -> bool:
        """Whether nobody was named, so that the built-in script answers."""
        named = self.model or self.strategy or self.config.file.defaults.strategy
        return named is None and self.config.default_model() is None

    @property
    def by_key(self) -> tuple[str, str] | None:
        """The key that chose the model, and that model, where nobody named one and it thinks."""
        named = self.model or self._own.model or self.config.file.defaults.model
        chosen = self.config.by_key()
        return None if named or self._model is None or not chosen else chosen[0]

    @cached_property
    def task(self) -> Task:
        """The run's task; the script plays arithmetic where none is named."""
        return cast(Task, registry.build("tasks", Spec.parse(self.task_named or "arithmetic")))

    def players(self, depth: int) -> tuple[Player, ...]:
        """Who plays each level, from 0 up."""
        at = self._by_level(depth)
        scripted = sum(1 for _ in takewhile(self._is_scripted, at))
        reach = scripted - 1 if scripted else None
        made = {spec: self._player(spec, reach) for spec in set(at)}
        return tuple(made[spec] for spec in at)

    def _by_level(self, depth: int) -> list[PlayerSpec | None]:
        """Whom `at` names for each level, from 0 up; None where that is nobody."""
        specs: dict[int, PlayerSpec] = {}
        for levels, spec in self.at.items():
            for level in registry.parse_levels(levels, depth):
                specs[level] = PlayerSpec.parse(self.config.player(spec))
        return [specs.get(level) for level in range(depth + 1)]

    def recipe(self) -> dict[str, Any]:
        """What another casting is built from, aliases and defaults resolved.

        `objects` names the parts that were objects, where some were: no spec tells of them.
        """
        parts = (("model", self.model), ("strategy", self.strategy))
        objects = [name for name, part in parts if part is not None and not isinstance(part, str)]
        own = None if "strategy" in objects else "/".join(map(str, self._own.strategies))
        recipe: dict[str, Any] = {
            "model": self._model.name if self._model else None,
            "strategy": own,
            "at": {levels: self._resolved(spec) for levels, spec in self.at.items()},
            "task": self.task_named,
        }
        return {**recipe, "objects": objects} if objects else recipe

    def _resolved(self, player: str) -> str:
        """A player's spec with no alias left in it, its model by its own name."""
        spec = PlayerSpec.parse(self.config.player(player))
        strategies = "/".join(map(str, spec.strategies))
        return f"{strategies}@{self._build(spec.model).name}" if spec.model else strategies

    def named(self, players: Iterable[Player]) -> dict[str, str]:
        """What the names of other players stand for here, aliases resolved."""
        found: dict[str, str] = {}
        for player in players:
            for name in player.others:
                spec = self.others.get(name) or self.config.player(name)
                if spec != name:
                    found[name] = self._resolved(spec)
        return found

    def _is_scripted(self, at: PlayerSpec | None) -> bool:
        """Whether a level's own moves are a script's."""
        strategies = (at or self._own).strategies
        return bool(strategies) and strategies[-1].name == BUILT_IN

    def _player(self, at: PlayerSpec | None, reach: int | None) -> Player:
        model = self._build(at.model) if at and at.model else self._model
        layers: tuple[Strategy, ...]
        if at is None and self.strategy is not None and not isinstance(self.strategy, str):
            layers, spec = (self.strategy,), type(self.strategy).__name__.lower()
        else:
            strategies = at.strategies if at else self._own.strategies
            spec = "/".join(map(str, strategies))
            layers = tuple(self._layer(layer, reach) for layer in strategies)
            if strategies and hasattr(registry.load("strategies", strategies[-1].name), "WRAPS"):
                raise UsageError(f"{spec!r} tries another strategy: write it as {spec}/factored")
        others = self._others(spec, layers, at.model if at else None)
        if not any(layer.thinks for layer in layers):
            return Player(spec, layers, None, others)
        if model is None:
            raise ConfigError(
                f"strategy {spec!r} thinks, and there is no model: name one by -m, such as "
                "-m anthropic:NAME or -m openai:NAME, or set ANTHROPIC_API_KEY or OPENAI_API_KEY"
            )
        return Player(f"{spec}@{model.name}", layers, model, others)

    def _others(
        self, spec: str, layers: Sequence[Strategy], model: str | None
    ) -> dict[str, Player]:
        """The players that these strategies put questions to, thinking with the same model.

        Raises UsageError where one could put questions back: it must have fewer wrappers than are
        left further in.
        """
        found: dict[str, Player] = {}
        for place, layer in enumerate(layers):
            for name in layer.others if isinstance(layer, Putting) else ():
                other = PlayerSpec.parse(self.others.get(name) or self.config.player(name))
                left = len(layers) - 1 - place
                if not left:
                    raise UsageError(
                        f"{spec!r} tries another strategy: write it as {spec}/factored"
                    )
                if len(other.strategies) - 1 >= left:
                    raise UsageError(
                        f"{spec!r} puts questions to {name!r}, which has "
                        f"{len(other.strategies) - 1} wrappers, and {left} are left from there on: "
                        "it must have fewer, or questions could go in a circle"
                    )
                found[name] = self._player(replace(other, model=other.model or model), None)
        return found

    def _layer(self, spec: Spec, reach: int | None) -> Strategy:
        if spec.name in registry.names("models") and spec.name not in registry.names("strategies"):
            raise UsageError(f"{spec.name!r} is a model: write STRATEGY@{spec}")
        return cast(Strategy, registry.build("strategies", spec, task=self.task, reach=reach))

    @cached_property
    def _own(self) -> PlayerSpec:
        """Who plays where `at` names nobody; no strategies where that is an object."""
        default = BUILT_IN if self.built_in else "factored"
        spec = self.strategy or self.config.file.defaults.strategy or default
        if not isinstance(spec, str):
            return PlayerSpec(())
        own = PlayerSpec.parse(self.config.player(spec))
        if own.model and self.model and self.strategy:
            raise UsageError(
                f"strategy {self.strategy!r} thinks with {own.model!r}, and another model is "
                "named beside it: name one"
            )
        return own

    @cached_property
    def _model(self) -> Model | None:
        """What `_own` thinks with: as it was said, as `_own` says, else the default."""
        if self.model is not None and not isinstance(self.model, str):
            return self.model
        own = self.model or self._own.model
        if not own and self._own.strategies == (Spec(BUILT_IN),):
            return None
        named = own or self.config.default_model()
        return self._build(named) if named else None

    def _build(self, named: str) -> Model:
        spec = Spec.parse(self.config.model(named))
        model = self._built.get(str(spec))
        if model is None:
            self._built[str(spec)] = model = self._unpriced(spec)
            for name in (model.name, str(Spec(spec.name, spec.arg))):
                if name in self._own_prices:
                    model.rate = self._own_prices[name]
                    break
        return model

    def _unpriced(self, spec: Spec) -> Model:
        """A model at the price that everybody pays."""
        if self.record is not None:
            return Mute(str(spec), None, str(spec) in self.record.by_hand)
        if Redaction(self.config.keys.values()).shows(str(spec)):
            raise UsageError(
                "the spec of a model has a key in it: keys stand in the environment only, and "
                "api_key_env=NAME_API_KEY says which"
            )
        _check_provider(spec)
        rate = price_of(spec.name, spec.arg)
        parts = {"keys": self.config.keys, "rate": rate, "person": self.person}
        return cast(Model, registry.build("models", spec, shelf=self.shelf, **parts))

    @cached_property
    def _own_prices(self) -> dict[str, Rate | None]:
        """What the user says that models cost, by canonical spec; what is said later goes first."""
        rows = self.config.file.prices
        configured = {self._canonical(name): Rate(**row.model_dump()) for name, row in rows.items()}
        return configured | {self._canonical(name): rate for name, rate in self.prices.items()}

    def _canonical(self, priced: str) -> str:
        """What a model is called in its own spelling, where it can be built at all."""
        spec = Spec.parse(self.config.model(priced))
        if not spec.options:
            return str(spec)
        try:
            return self._unpriced(spec).name
        except HchError:  # no key for it: it is not the one that plays
            return str(spec)


def _check_provider(spec: Spec) -> None:
    """Raises UsageError for a model's name without its provider, where that can be told."""
    known = registry.names("models")
    if spec.name in known:
        return
    for provider in known:
        if price_of(provider, spec.name) is not None:
            raise UsageError(f"no model {spec.name!r}: did you mean '{provider}:{spec}'?")
