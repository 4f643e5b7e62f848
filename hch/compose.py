"""The one place where parts are put together: `HCH`, for the API and for every command."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from math import inf
from pathlib import Path
from typing import Any, cast

from hch import registry
from hch.budget import CURRENCIES, UNLIMITED, Price, Rate, parse_budget, root_grant
from hch.config import Config, Defaults
from hch.errors import ConfigError, UsageError
from hch.forecast import Estimate, Unwritten, estimate
from hch.prices import price_of, source
from hch.prompts import PromptSet, reader, shipped
from hch.protocols import Model, Person, Store, Strategy, Task
from hch.registry import PlayerSpec, Spec
from hch.rules import Limits, Player, Rules
from hch.run import Calling, Result, Run, Setup, roots_of
from hch.trace import Trace
from hch.types import Question, Text

PAID_CAP = Price(calls=200, tokens=500_000, microusd=inf, nodes=inf)
"""The cap where a model costs money and no budget is given."""

DEEPEST = 10_000

CHOSEN = ("depth", "seed", "fanout", "answer_tokens", "concurrency", "task", "prompts")
"""What the configuration says where this is not said."""

BUILT_IN = "script"


@dataclass(frozen=True)
class HCH:
    """HCH_depth, ready to be asked.

    `model` and `strategy` are specs (`openai:NAME`, `factored`) or objects; with a model and no
    strategy it is `factored`, with neither the configured model, that of a key that is set, or the
    built-in script. `at` gives levels their own players (`{"1+": "script"}`). `budget` is the
    run's cap (`2usd,50calls`). `store` is a spec, a path or an object; `manual` a text for every
    prompt; `prompts` a folder that is looked into before the shipped one. `answer_tokens` bounds
    a reply, `fanout` a node's sub-questions, `concurrency` an endpoint's requests in flight,
    `attempts` those of a call, which lasts `timeout` seconds at most. What is None is as the
    configuration has it. `prices` go over the known
    ones and those of the configuration, by model spec; `person` plays `human`. Raises UsageError
    and ConfigError, before anything is sent.
    """

    depth: int | None = None
    model: str | Model | None = None
    strategy: str | Strategy | None = None
    at: Mapping[str, str] = field(default_factory=dict)
    task: str | None = None
    budget: str | None = None
    store: str | Store | None = None
    manual: str | None = None
    prompts: str | Path | None = None
    seed: int | None = None
    fanout: int | None = None
    answer_tokens: int | None = None
    concurrency: int | None = None
    attempts: int = 6
    timeout: float = 600.0
    pause: float = 0.5
    prices: Mapping[str, Rate | None] = field(default_factory=dict)
    person: Person | None = None
    config: Config = field(default_factory=Config.read)

    async def ask(self, question: str | Question, *, context: Sequence[str | Text] = ()) -> Result:
        """Put one question to HCH_depth. Raises what stops the run; a failed root is a result."""
        return (await self.begin([question], context=context).finish())[0]

    def ask_sync(self, question: str | Question, *, context: Sequence[str | Text] = ()) -> Result:
        """`ask` for code that awaits nothing; inside a running loop it works in a thread."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(self.ask(question, context=context))
        stop: list[Callable[[], object]] = []

        async def ask() -> Result:
            task, loop = asyncio.current_task(), asyncio.get_running_loop()
            assert task is not None
            stop.append(lambda: loop.call_soon_threadsafe(task.cancel))
            return await self.ask(question, context=context)

        with ThreadPoolExecutor(1) as thread:
            answer = thread.submit(lambda: asyncio.run(ask()))
            try:
                return answer.result()
            except BaseException:
                for cancel in stop if not answer.done() else ():
                    cancel()
                raise

    def begin(
        self, questions: Sequence[str | Question], *, context: Sequence[str | Text] = ()
    ) -> Run:
        """A run with these roots, ready to `finish`; every root is sent the context texts along."""
        roots = self._roots(questions, context)
        self._check_cap(len(roots))
        return Run.new(self._setup(self._prompts(), *self.cap), self.kept_in, roots)

    async def forecast(
        self,
        question: str | Question,
        *,
        context: Sequence[str | Text] = (),
        fanout: int | None = None,
    ) -> Estimate:
        """What asking this will cost; `fanout` is how many sub-questions nodes typically ask.

        Nothing is sent. Raises what `ask` raises before it sends anything.
        """
        [root] = self._roots([question], context)
        self._check_cap(1)
        setup = self._setup(self._prompts(), *self.cap)
        rules = Rules(
            setup.players,
            setup.prompts,
            Unwritten(),
            setup.limits,
            setup.seed,
            setup.manual,
            setup.task,
        )
        cap = setup.cap
        return await estimate(rules, root, cap=cap, grant=root_grant(cap, 1), fanout=fanout)

    def _roots(
        self, questions: Sequence[str | Question], context: Sequence[str | Text]
    ) -> list[Question]:
        texts = tuple(t if isinstance(t, Text) else Text(t, "document", False) for t in context)
        roots = [q if isinstance(q, Question) else Question(Text(q), texts) for q in questions]
        if not roots or any(not root.text.body.strip() for root in roots):
            raise UsageError("the question is empty")
        return roots

    def _check_cap(self, roots: int) -> None:
        cap = self.cap[0]
        thinks = any(player.model for player in self.players)
        if cap.nodes < roots or (thinks and cap.calls < roots):
            raise UsageError(
                f"the budget is less than a node and a call for each of {roots} questions"
            )

    def resume(self, run: str, *, budget: str | None = None) -> Run:
        """An unfinished run of this store, to go on as it was set up; `budget` raises its cap.

        A deadline in seconds is not carried over: `budget` may name a new one.
        Raises StoreError for an unknown run, UsageError for a cap that may not be, ConfigError
        where these players are not those that the run was started with.
        """
        trace = Trace(self.kept_in.events(run))
        started = trace.started
        players = tuple(player.spec for player in self.players)
        if players != started.players:
            raise ConfigError(
                f"run {run} was started with other players: {_by_level(started.players)}; "
                f"these are {_by_level(players)}"
            )
        cap, seconds = _raised(trace, budget) if budget else (trace.cap, None)
        _check_patience([player.model for player in self.players if player.model], seconds)
        prompts = PromptSet(started.prompts.__getitem__, self._wanted())
        setup = self._setup(prompts, started.cap.price(), seconds)
        return Run(run, setup, self.kept_in, roots_of(started), cap=cap, resumed=True)

    @classmethod
    def recorded(cls, store: Store, run: str, *, person: Person | None = None) -> HCH:
        """The HCH that a run was started with, at its prices, from what the store says of it."""
        started = Trace(store.events(run, "RunStarted")).started
        recipe = dict(started.setup)
        prices = {name: rate and Rate(*rate) for name, rate in started.rates.items()}
        if objects := recipe.pop("objects", []):
            raise ConfigError(
                f"run {run} was made in Python with its own {' and '.join(objects)}: resume it "
                "there, by HCH(…).resume(run)"
            )
        return cls(store=store, prices=prices, person=person, **recipe)

    @cached_property
    def kept_in(self) -> Store:
        """The store, opened."""
        store = self.store or self.config.store
        if not isinstance(store, str):
            return store
        known = store.split(":")[0].split(",")[0] in registry.names("stores")
        spec = Spec.parse(store) if known else Spec("sqlite", store)
        return cast(Store, registry.build("stores", spec))

    @cached_property
    def chosen(self) -> Defaults:
        """What holds of the settings that a configuration has defaults for."""
        defaults = self.config.file.defaults
        given = {name: getattr(self, name) for name in CHOSEN}
        return defaults.model_copy(update={k: v for k, v in given.items() if v is not None})

    @cached_property
    def levels(self) -> int:
        depth = self.chosen.depth
        if not 0 <= depth <= DEEPEST:
            raise UsageError(f"depth {depth} is not between 0, which is H alone, and {DEEPEST}")
        return depth

    @cached_property
    def built_in(self) -> bool:
        """Whether nobody was named, so that the built-in script answers."""
        named = self.model or self.strategy or self.config.file.defaults.strategy
        return named is None and self.config.default_model() is None

    @cached_property
    def cap(self) -> tuple[Price, float | None]:
        """The run's cap and its seconds; by default one of calls and tokens where a key pays."""
        budget = self.budget or self.config.file.defaults.budget
        models = [player.model for player in self.players if player.model]
        if budget is None:
            return (PAID_CAP if any(map(_costs, models)) else UNLIMITED), None
        cap, seconds = parse_budget(budget)
        for model in models:
            if cap.microusd != inf and model.rate is None:
                raise ConfigError(
                    f"{model.name} has no known price, so it cannot run under a cap in dollars: "
                    "give its price under [prices] in hch.toml, or cap calls or tokens, such as "
                    "--budget 100calls,500ktokens"
                )
        _check_patience(models, seconds)
        return cap, seconds

    @property
    def unpriced(self) -> tuple[str, ...]:
        """The models that cost money of which nobody knows how much."""
        models = {player.model.name: player.model for player in self.players if player.model}
        return tuple(name for name, model in models.items() if model.rate is None)

    @cached_property
    def players(self) -> tuple[Player, ...]:
        """Who plays each level, from 0 up."""
        specs: dict[int, PlayerSpec] = {}
        for levels, spec in self.at.items():
            for level in registry.parse_levels(levels, self.levels):
                specs[level] = PlayerSpec.parse(self.config.player(spec))
        at = [specs.get(level) for level in range(self.levels + 1)]
        made = {spec: self._player(spec) for spec in set(at)}
        return tuple(made[spec] for spec in at)

    def _player(self, at: PlayerSpec | None) -> Player:
        model = self._model(at.model) if at and at.model else self._own_model
        if at is None and self.strategy is not None and not isinstance(self.strategy, str):
            layers, spec = (self.strategy,), type(self.strategy).__name__.lower()
        else:
            strategies = at.strategies if at else self._own_strategies
            spec = "/".join(map(str, strategies))
            layers = tuple(
                registry.build("strategies", s, task=self.task_in_play) for s in strategies
            )
        if not any(layer.thinks for layer in layers):
            return Player(spec, layers, None)
        if model is None:
            raise ConfigError(
                f"strategy {spec!r} thinks, and there is no model: name one by -m, such as "
                "-m openai:NAME, or set OPENAI_API_KEY"
            )
        return Player(f"{spec}@{model.name}", layers, model)

    @cached_property
    def _own_strategies(self) -> tuple[Spec, ...]:
        default = BUILT_IN if self.built_in else "factored"
        spec = self.strategy or self.config.file.defaults.strategy or default
        return PlayerSpec.parse(self.config.player(str(spec))).strategies

    @cached_property
    def _own_model(self) -> Model | None:
        model = self.model or self.config.default_model()
        if isinstance(model, str) and not self.model and self._own_strategies == (Spec(BUILT_IN),):
            return None
        return self._model(model) if isinstance(model, str) else model

    @cached_property
    def _built(self) -> dict[str, Model]:
        return {}

    def _model(self, named: str) -> Model:
        spec = Spec.parse(self.config.model(named))
        model = self._built.get(str(spec))
        if model is None:
            rate = price_of(spec.name, spec.arg)
            model = cast(
                Model,
                registry.build(
                    "models", spec, keys=self.config.keys, rate=rate, person=self.person
                ),
            )
            bare = str(Spec(spec.name, spec.arg))
            for name in (model.name, bare):
                if name in self._own_prices:
                    model.rate = self._own_prices[name]
                    break
            self._built[str(spec)] = model
        return model

    @cached_property
    def _own_prices(self) -> dict[str, Rate | None]:
        """What the user says that models cost, by spec; what this was made with goes first."""
        rows = self.config.file.prices
        configured = {
            self.config.model(name): Rate(row.input, row.output, row.cached, row.reasoning)
            for name, row in rows.items()
        }
        return {**configured, **self.prices}

    @cached_property
    def task_in_play(self) -> Task:
        """The run's task; the script plays arithmetic where none is named."""
        return cast(Task, registry.build("tasks", Spec.parse(self.chosen.task or "arithmetic")))

    def _wanted(self) -> dict[str, frozenset[str]]:
        layers = [layer for player in self.players for layer in player.layers]
        return {name: more for layer in layers for name, more in layer.prompts.items()}

    def _prompts(self) -> PromptSet:
        named = self.chosen.prompts
        folders = [Path(named)] if named else []
        if not all(map(_is_folder, folders)):
            raise UsageError(f"the prompts folder {named} is no folder")
        return PromptSet(reader([*folders, shipped()]), self._wanted())

    def _setup(self, prompts: PromptSet, cap: Price, seconds: float | None) -> Setup:
        return Setup(
            players=self.players,
            prompts=prompts,
            recipe=self._recipe(),
            limits=Limits(self.chosen.fanout, self.chosen.answer_tokens),
            seed=self.chosen.seed,
            manual=Text(self.manual) if self.manual else None,
            task=self.task_in_play,
            cap=cap,
            deadline=seconds,
            calling=Calling(self.chosen.concurrency, self.attempts, self.timeout, self.pause),
            running=self._running,
            priced_by=source(),
        )

    @cached_property
    def _running(self) -> set[str]:
        return set()

    def _resolved(self, player: str) -> str:
        """A player's spec with no alias left in it."""
        spec = PlayerSpec.parse(self.config.player(player))
        strategies = "/".join(map(str, spec.strategies))
        return f"{strategies}@{self.config.model(spec.model)}" if spec.model else strategies

    def _recipe(self) -> dict[str, Any]:
        """What `recorded` builds this again from; aliases and defaults are resolved."""
        objects = [
            name
            for name, part in (("model", self.model), ("strategy", self.strategy))
            if part is not None and not isinstance(part, str)
        ]
        recipe: dict[str, Any] = {
            "depth": self.levels,
            "model": self._own_model.name if self._own_model else None,
            "strategy": "/".join(map(str, self._own_strategies))
            if "strategy" not in objects
            else None,
            "at": {levels: self._resolved(spec) for levels, spec in self.at.items()},
            "task": self.chosen.task,
            "manual": self.manual,
            "seed": self.chosen.seed,
            "fanout": self.chosen.fanout,
            "answer_tokens": self.chosen.answer_tokens,
        }
        return {**recipe, "objects": objects} if objects else recipe


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # a name that is too long, or that none can have
        return False


def _costs(model: Model) -> bool:
    """Whether calls of a model are paid for, at a price that is known or not."""
    return model.keyed or (model.rate is not None and not model.rate.free)


def _check_patience(models: Sequence[Model], seconds: float | None) -> None:
    """Raises UsageError for a deadline that a person would have to keep."""
    if seconds is not None and any(model.by_hand for model in models):
        raise UsageError(
            "a person plays, and no deadline applies to people: leave the time out of the budget"
        )


def _by_level(players: Sequence[str]) -> str:
    return ", ".join(f"{level}={player}" for level, player in enumerate(players))


def _raised(trace: Trace, budget: str) -> tuple[Price, float | None]:
    """A resumed run's new cap, in the currencies of the old and not below what is gone already."""
    cap, seconds = parse_budget(budget)
    if cap == UNLIMITED and seconds is not None:
        return trace.cap, seconds
    for name in CURRENCIES:
        old, new, gone = (getattr(price, name) for price in (trace.cap, cap, trace.bill))
        if (old == inf) != (new == inf):
            raise UsageError(
                f"the run's cap is in other currencies: of {name} it was {_amount(old)}, "
                f"not {_amount(new)}"
            )
        if new < gone:
            raise UsageError(
                f"{gone} {name} are spent or unknown already: the new cap must not be below"
            )
    return cap, seconds


def _amount(n: float) -> str:
    return "without a cap" if n == inf else str(n)
