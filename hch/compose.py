"""The one place where parts are put together: `HCH`, for the API and for every command."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import zip_longest
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from hch import registry
from hch.blocking import completed
from hch.budget import Price, parse_budget, root_grant
from hch.caps import cap_of, check_replies, raised
from hch.casting import Casting
from hch.config import Config, Defaults
from hch.errors import ConfigError, PromptError, UsageError
from hch.events import RunStarted
from hch.examination import Entry, Examination, check_entries
from hch.forecast import Estimate, Unwritten, estimate
from hch.keeping import ReplyCache, Store
from hch.prices import source
from hch.prompts import ALWAYS, Files, Prompt, PromptSet, folder, reader, shipped
from hch.protocols import Model, Person, Strategy
from hch.rates import Rate
from hch.recording import Recording
from hch.redaction import Redaction
from hch.registry import PlayerSpec, Spec
from hch.roots import Plan, about, check_facts, instances_of, of_first, planned, questioned
from hch.rules import Limits, Lineup, Player, put_to
from hch.run import Calling, Result, Resumed, Run, Setup
from hch.settings import is_spec
from hch.sides import Side, by_level, checked_depth
from hch.steps import Instance
from hch.types import Question, Text

CHOSEN = ("seed", "fanout", "answer_tokens", "concurrency", "task", "prompts", "cache")
"""What the configuration says where this is not said."""


@dataclass(frozen=True)
class HCH:
    """HCH_depth, ready to be asked.

    `model` and `strategy` are specs (`openai:NAME`, `factored`, `direct@openai:NAME`, which brings
    its own model) or objects; with a model and no strategy it is `factored`, with neither the
    configured model, that of a key that is set, or the built-in script. `at` gives levels their own
    players (`{"1+": "script"}`), `others` say what the names of players stand for that options
    have, such as `verify,by=NAME`, and `beside` are the further lineups of a run that asks several.
    `budget` is the run's cap (`2usd,50calls`), and `each` every root's grant, else 0.9 of the cap
    in equal parts. `store` is a spec, a
    path or an object; `manual` a text for every prompt; `prompts` a folder that is looked into
    before the shipped one. `answer_tokens` bounds a reply, `fanout` a node's sub-questions,
    `concurrency` an endpoint's requests in flight, `attempts` those of a call, which lasts
    `timeout` seconds at most. What is None is as the configuration has it. `prices` go over the
    known ones and those of the configuration, by model spec; an object has its own `rate`. `person`
    plays `human`. `cache` answers equal requests of other runs from what these were replied.
    `record` is the beginning of a run that is only to be replayed: its models need no more than a
    name. Raises UsageError and ConfigError, before anything is sent.
    """

    depth: int | None = None
    model: str | Model | None = None
    strategy: str | Strategy | None = None
    at: Mapping[str, str] = field(default_factory=dict)
    others: Mapping[str, str] = field(default_factory=dict)
    beside: Sequence[Side] = ()
    task: str | None = None
    budget: str | None = None
    each: str | None = None
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
    cache: bool | None = None
    record: RunStarted | None = None
    config: Config = field(default_factory=Config.read)

    async def ask(
        self,
        question: str | Question,
        *,
        context: Sequence[str | Text] = (),
        instance: Instance | None = None,
    ) -> Result:
        """Put one question to HCH_depth, about an instance of the task where that has facts.

        Raises what stops the run; a failed root is a result.
        """
        given = () if instance is None else (instance,)
        return (await self.begin([question], context=context, instances=given).finish())[0]

    def ask_sync(
        self,
        question: str | Question,
        *,
        context: Sequence[str | Text] = (),
        instance: Instance | None = None,
    ) -> Result:
        """`ask` for code that awaits nothing; inside a running loop it works in a thread."""
        return completed(lambda: self.ask(question, context=context, instance=instance))

    def begin(
        self,
        questions: Sequence[str | Question],
        *,
        context: Sequence[str | Text] = (),
        instances: Sequence[Instance] = (),
    ) -> Run:
        """A run with these roots, ready to `finish`; every root is sent the context texts along.

        A question names the instance it is about by its digest; one that names none is about the
        first of `instances`.
        """
        roots = self._roots(of_first(questioned(questions, context), instances), instances)
        return self._begun(Plan(roots), instances)

    def examine(
        self,
        questions: Sequence[Question],
        entries: Sequence[Entry],
        examination: Examination,
        *,
        instances: Sequence[Instance] = (),
    ) -> Run:
        """A run that puts every question to each of these entries, ready to `finish`.

        An entry's lineup is this one's own (0) or that of one of `beside` (from 1).
        """
        check_entries(tuple(entries), len(self.lineups))
        roots = self._roots(questioned(questions, ()), instances)
        return self._begun(Plan(roots, tuple(entries), examination), instances)

    def _begun(self, plan: Plan, instances: Sequence[Instance]) -> Run:
        self._check_cap(plan.count)
        setup = self._setup(self._prompts(), *self.cap)
        setup = replace(setup, cache=self._cache, instances=tuple(instances))
        return Run.new(setup, self.kept_in, plan)

    async def forecast(
        self,
        question: str | Question,
        *,
        context: Sequence[str | Text] = (),
        instance: Instance | None = None,
        fanout: int | None = None,
        lineup: int = 0,
    ) -> Estimate:
        """What asking this of a lineup will cost; `fanout` is how many sub-questions nodes ask.

        Nothing is sent. Raises what `ask` raises before it sends anything.
        """
        instances = () if instance is None else (instance,)
        [root] = self._roots(of_first(questioned([question], context), instances), instances)
        self._check_cap(1)
        setup = replace(self._setup(self._prompts(), *self.cap), instances=instances)
        cap, rules = setup.cap, setup.rules(Unwritten())
        grant = setup.grant or root_grant(cap, 1)
        asked = setup.lineups[lineup]
        return await estimate(rules, asked, root, cap=cap, grant=grant, fanout=fanout)

    def _roots(
        self, questions: Sequence[Question], instances: Sequence[Instance]
    ) -> list[Question]:
        if instances:
            check_facts(self.casting.task, instances)
        asked = [self._without_keys(root) for root in questions]
        needed = self.casting.task.has_facts and any(map(_needs_facts, self.lineups))
        return about(asked, instances, self.casting.task if needed else None)

    def _without_keys(self, asked: Question) -> Question:
        """A question and its context as they may be kept: with no key in them."""

        def clean(text: Text) -> Text:
            return replace(text, body=self.redaction.text(text.body))

        return replace(asked, text=clean(asked.text), context=tuple(map(clean, asked.context)))

    def _check_cap(self, roots: int) -> None:
        cap = self.cap[0]
        thinks = bool(self._models)
        if cap.nodes < roots or (thinks and cap.calls < roots):
            raise UsageError(
                f"the budget is less than a node and a call for each of {roots} questions"
            )

    def resume(self, run: str, *, budget: str | None = None, retry_failed: bool = False) -> Run:
        """An unfinished run of this store, to go on as it was set up; `budget` raises its cap.

        With `retry_failed` calls that were given up are tried again, of a finished run too. A
        deadline in seconds is not carried over: `budget` may name a new one.
        Raises StoreError for an unknown run, UsageError for a cap that may not be, ConfigError
        where these players are not those that the run was started with.
        """
        past = Recording(partial(self.kept_in.events, run))
        started = past.started
        cap, seconds = raised(past, budget, self._models)
        setup = self.again(run, started, recorded_prompts(run, started), seconds=seconds)
        again = past.given_up if retry_failed else ()
        if again and not cap.covers(past.bill + Price(calls=1)):
            raise UsageError(
                f"run {run} has used its budget up, and nothing can be tried again: raise it by "
                "--budget"
            )
        past.leave_out(again)
        resumed = Resumed(past, cap, again)
        if not resumed.over:
            setup = replace(setup, cache=self._cache)
        return Run(run, setup, self.kept_in, planned(started), resumed=resumed)

    def again(
        self,
        run: str,
        started: RunStarted,
        prompt: Callable[[str], str],
        *,
        seconds: float | None = None,
    ) -> Setup:
        """The parts of a run that was started so, with the texts that `prompt` has by name.

        Raises ConfigError where these players are not those that the run was started with.
        """
        for now, then in zip_longest(self.specs, (started.players, *started.lineups), fillvalue=()):
            if now != then:
                raise ConfigError(
                    f"run {run} was started with other players: {by_level(then)}; "
                    f"these are {by_level(now)}"
                )
        setup = self._setup(PromptSet(prompt, self._wanted()), started.cap.price(), seconds)
        others = put_to(self.lineups)
        if others != started.others:
            told = ["; ".join(map(", ".join, found)) for found in (started.others, others)]
            raise ConfigError(
                f"run {run} was started with others beside: {told[0]}; these are {told[1]}"
            )
        instances, grant = instances_of(started, self.casting.task), started.grant.price()
        return replace(setup, instances=instances, grant=grant)

    @cached_property
    def kept_in(self) -> Store:
        """The store, opened."""
        stores = registry.names("stores")
        store = self.store or self.config.kept_in(stores)
        if not isinstance(store, str):
            return store
        spec = Spec.parse(store) if is_spec(store, stores) else Spec("sqlite", store)
        return cast(Store, registry.build("stores", spec))

    @cached_property
    def chosen(self) -> Defaults:
        """What holds of the settings that a configuration has defaults for, but for the depth.

        Raises UsageError.
        """
        defaults = self.config.file.defaults
        given = {name: getattr(self, name) for name in CHOSEN if getattr(self, name) is not None}
        if self.prompts is not None:
            given["prompts"] = str(self.prompts)
        try:
            return Defaults.model_validate({**defaults.model_dump(), **given})
        except ValidationError as error:
            wrong = error.errors()[0]
            raise UsageError(f"{wrong['loc'][0]} {wrong['input']!r}: {wrong['msg']}") from error

    @cached_property
    def levels(self) -> int:
        return checked_depth(self.config.file.defaults.depth if self.depth is None else self.depth)

    @cached_property
    def cap(self) -> tuple[Price, float | None]:
        """The run's cap and its seconds; by default one of calls and tokens where a key pays."""
        return cap_of(self.budget or self.config.file.defaults.budget, self._models)

    @cached_property
    def _each(self) -> Price | None:
        """Each root's grant, where it is said. Raises UsageError for one in seconds."""
        if self.each is None:
            return None
        grant, seconds = parse_budget(self.each)
        if seconds is not None or grant.calls < 1 or grant.nodes < 1:
            raise UsageError(f"the grant {self.each!r} is at least a call and a node, and no time")
        return grant

    @property
    def uncached(self) -> tuple[str, ...]:
        """The models whose replies the cache does not keep, where there is one."""
        passing = [m.name for m in self._models if not getattr(m, "lasting", False)]
        return tuple(passing) if self.chosen.cache else ()

    @property
    def unpriced(self) -> tuple[str, ...]:
        """The models that cost money of which nobody knows how much."""
        return tuple(dict.fromkeys(m.name for m in self._models if m.rate is None))

    @cached_property
    def casting(self) -> Casting:
        return Casting(
            self.config,
            self.model,
            self.strategy,
            self.at,
            self.chosen.task,
            self.prices,
            self.person,
            self.record,
            self._shelved,
            self.others,
        )

    def _shelved(self, name: str) -> str | None:
        """A text that the store keeps by name; the store is not opened before."""
        return self.kept_in.shelved(name)

    @cached_property
    def players(self) -> tuple[Player, ...]:
        """Who plays each level, from 0 up."""
        return self.casting.players(self.levels)

    @cached_property
    def lineups(self) -> tuple[Lineup, ...]:
        """Who plays each level, in this lineup and in those beside it."""
        return (Lineup(self.players), *(side.lineup(self.casting) for side in self.beside))

    @property
    def named(self) -> dict[str, str]:
        """What the players' names of other players stand for."""
        everyone = (player for lineup in self.lineups for player in lineup.everyone())
        return self.casting.named(everyone)

    @property
    def specs(self) -> tuple[tuple[str, ...], ...]:
        """The players of each lineup, from level 0 up."""
        return tuple(tuple(p.spec for p in lineup.players) for lineup in self.lineups)

    @cached_property
    def _models(self) -> tuple[Model, ...]:
        """Each model that plays, once."""
        models = (model for lineup in self.lineups for model in lineup.models())
        return tuple({id(model): model for model in models}.values())

    def _wanted(self) -> dict[str, frozenset[str]]:
        everyone = [player for lineup in self.lineups for player in lineup.everyone()]
        layers = [layer for player in everyone for layer in player.layers]
        return {name: more for layer in layers for name, more in layer.prompts.items()}

    def _prompts(self) -> PromptSet:
        return PromptSet(self._files, self._wanted())

    @property
    def _files(self) -> Files:
        named = self.chosen.prompts
        folders = [folder(named)] if named else []
        return reader([*folders, shipped()], self.redaction)

    @property
    def direct(self) -> Prompt:
        """The prompt that level 0 asks by, as it is now. Raises PromptError."""
        return Prompt.read(self._files, "direct", ALWAYS)

    def _setup(self, prompts: PromptSet, cap: Price, seconds: float | None) -> Setup:
        check_replies(self._models, self.chosen.answer_tokens)
        return Setup(
            lineups=self.lineups,
            prompts=prompts,
            recipe=self._recipe(),
            limits=Limits(self.chosen.fanout, self.chosen.answer_tokens),
            seed=self.chosen.seed,
            manual=Text(self.redaction.text(self.manual)) if self.manual else None,
            task=self.casting.task,
            cap=cap,
            grant=self._each,
            deadline=seconds,
            calling=Calling(self.chosen.concurrency, self.attempts, self.timeout, self.pause),
            running=self._running,
            redaction=self.redaction,
            priced_by=source(),
        )

    @cached_property
    def _cache(self) -> ReplyCache | None:
        if not self.chosen.cache or self.record is not None:
            return None
        from hch.cache import open_cache

        return open_cache(self.config)

    @cached_property
    def redaction(self) -> Redaction:
        """What keeps the keys of the environment out of everything that is kept or shown."""
        return Redaction(self.config.keys.values())

    @cached_property
    def _running(self) -> dict[str, asyncio.AbstractEventLoop]:
        return {}

    def _recipe(self) -> dict[str, Any]:
        """What this is built again from; `named` are the words that it was asked for in."""
        recipe = self.casting.recipe()
        if "objects" not in recipe:
            recipe["named"] = {
                "model": self.model,
                "strategy": self.strategy,
                "at": dict(self.at),
                "prompts": None if self.prompts is None else str(self.prompts),
            }
            if self.beside:
                recipe["named"]["beside"] = [side.named() for side in self.beside]
        if self.named:
            recipe["others"] = self.named
        if self.beside:
            recipe["beside"] = [side.recipe(self.casting) for side in self.beside]
        return {
            "depth": self.levels,
            "manual": self.manual and self.redaction.text(self.manual),
            "seed": self.chosen.seed,
            "fanout": self.chosen.fanout,
            "answer_tokens": self.chosen.answer_tokens,
            "cache": self.chosen.cache,
            **recipe,
        }


def _needs_facts(lineup: Lineup) -> bool:
    """Whether somebody plays who can do nothing without the facts of an instance."""
    specs = (PlayerSpec.parse(player.spec) for player in lineup.everyone())
    return any(spec.strategies[-1].name in {"script", "oracle"} for spec in specs)


def recorded_prompts(run: str, started: RunStarted) -> Callable[[str], str]:
    """What reads the prompts that a run was started with. It raises PromptError for any other."""

    def read(name: str) -> str:
        if name not in started.prompts:
            raise PromptError(f"run {run} has no prompt {name!r} on record")
        return started.prompts[name]

    return read
