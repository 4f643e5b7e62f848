"""A run of a store taken up again: to go on with it, or to play it once more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import zip_longest
from pathlib import Path
from typing import Any

from hch import __version__
from hch.compose import HCH, recorded_prompts
from hch.config import Config, Defaults, File, look
from hch.errors import ConfigError, HchError, PromptError, UsageError
from hch.events import RunStarted
from hch.keeping import Store
from hch.prompts import Files, folder, reader, shipped
from hch.protocols import Person
from hch.recording import Recording
from hch.replay import Replay
from hch.roots import planned
from hch.rules import put_to
from hch.run import Run
from hch.safe_text import one_line
from hch.sides import Side, by_level
from hch.trace import Trace


@dataclass(frozen=True)
class Past:
    """What a run was started with, as its store tells. Raises StoreError for an unknown run."""

    store: Store
    run: str

    @cached_property
    def started(self) -> RunStarted:
        return Trace(self.store.events(self.run, "RunStarted")).started

    def hch(
        self, *, person: Person | None = None, cache: bool | None = None, sends: bool = True
    ) -> HCH:
        """The HCH that the run was started with, at its prices, ready to `resume` it.

        `cache` says whether it goes by the cache; None is as at the start. Without `sends` it can
        only be read, for which no key is needed and no model is built. Of the configuration hold
        the keys, how many requests may be in flight, and the cache's limits. Raises ConfigError
        where it was made of objects.
        """
        recipe = self._recipe()
        if objects := recipe.pop("objects", []):
            raise ConfigError(
                f"run {self.run} was made in Python with its own {' and '.join(objects)}: resume "
                "it there, by HCH(…).resume(run)"
            )
        if cache is not None:
            recipe["cache"] = cache
        record = None if sends else self.started
        return HCH(**recipe, **self._kept, person=person, record=record, config=_sending())

    def replay(self, *, prompts: str | Path | None = None, hch: HCH | None = None) -> Replay:
        """The run, to be played once more out of its record; no key is needed, no model is built.

        `prompts` is a folder of prompts to take in the place of the run's own. `hch` is what the
        run was made with, where that has a strategy that is an object. Raises ConfigError where it
        is lacking or another, UsageError for an unfinished run.
        """
        past = Recording(partial(self.store.events, self.run))
        if not past.finished:
            raise UsageError(
                f"run {self.run} is not finished, so its record ends before its tree does: "
                "go on with it by hch resume first"
            )
        recipe = self._recipe()
        if "strategy" in recipe.pop("objects", []) and hch is None:
            raise ConfigError(
                f"run {self.run} was made in Python with its own strategy: replay it there, by "
                "Past(store, run).replay(hch=HCH(…))"
            )
        hch = hch or HCH(**recipe, **self._kept, record=self.started, config=_sending())
        read = recorded_prompts(self.run, self.started)
        if prompts is not None:
            edited = reader([folder(prompts)], hch.redaction)
            if not any(map(edited.file, self.started.prompts)):
                used = ", ".join(f"{name}.md" for name in self.started.prompts)
                raise UsageError(f"{prompts} has none of the prompts of run {self.run}: {used}")
            read = _Edited(edited, read)
        setup = hch.again(self.run, self.started, read)
        again = Run(self.run, setup, self.store, planned(self.started))
        return Replay(again, past, edited=prompts is not None)

    def changes(self, person: Person | None = None) -> list[str]:
        """What is no longer as it was when the run was started, in lines; `person` plays `human`.

        What matters is hch's version, what the same words now mean by the configuration, the
        prompt files, and whether the run is anybody's own: an imported one says by itself which
        servers are asked.
        """
        return list(self._changes(person))

    def _changes(self, person: Person | None) -> Iterator[str]:
        self._recipe()
        started = self.started
        imported = any(row.imported for row in self.store.runs() if row.run == self.run)
        if imported:
            who = ", ".join(dict.fromkeys(started.players))
            yield f"it was imported, and the file that it came in says who is asked: {who}"
        if started.version != __version__:
            yield f"it was started by hch {started.version}, and this is {__version__}"
        named = started.setup.get("named")
        if named is None or imported:  # nothing that others name is built or looked into
            return
        beside = [Side(**side) for side in named.get("beside", ())]
        now = HCH(
            **{**named, "beside": beside},
            depth=len(started.players) - 1,
            task=started.setup.get("task"),
            store=self.store,
            person=person,
            config=Config.read().unsent(),
        )
        try:
            specs, others = now.specs, put_to(now.lineups)
        except HchError as error:
            yield f"its players cannot be made any more: {error}"
        else:
            for are, were in zip(specs, (started.players, *started.lineups), strict=True):
                if are != were:
                    yield f"its players were {by_level(were)}, and are {by_level(are)}"
            for are, were in zip_longest(others, started.others, fillvalue=()):
                if are != were:
                    told = (", ".join(found) or "nobody" for found in (were, are))
                    yield "the players beside were {}, and are {}".format(*told)
        yield from self._edited(now)

    def _edited(self, now: HCH) -> Iterator[str]:
        """The prompts that are not what they were."""
        folders = [Path(now.chosen.prompts)] if now.chosen.prompts else []
        if folders and not folders[0].is_dir():
            yield f"the prompts folder {folders[0]} is not there"
            return
        read = reader([*folders, shipped()], now.redaction)
        for name, text in self.started.prompts.items():
            try:
                same = read(name) == text
            except PromptError:
                same = False
            if not same:
                yield f"the prompt {name} has changed"

    def _recipe(self) -> dict[str, Any]:
        if (document := self.started.setup.get("document")) is not None:
            raise UsageError(
                f"run {self.run} was read from {one_line(document)}, and nobody played it: it can "
                "be shown, exported and learned from, but not resumed or replayed"
            )
        recipe = dict(self.started.setup)
        recipe.pop("named", None)
        return {**recipe, "beside": [Side(**side) for side in recipe.get("beside", ())]}

    @property
    def _kept(self) -> dict[str, Any]:
        rates = self.started.rates.items()
        prices = {name: row.rate() if row else None for name, row in rates}
        return {"store": self.store, "prices": prices}


@dataclass(frozen=True, slots=True)
class _Edited:
    """Reads a prompt from where it was edited, else as it was."""

    edited: Files
    recorded: Callable[[str], str]

    def __call__(self, name: str) -> str:
        return self.edited(name) if self.edited.file(name) else self.recorded(name)


def _sending() -> Config:
    """Of the configuration, what decides how a run's calls are sent."""
    now = look().config
    kept = {"concurrency", "cache_days", "cache_mb"}
    defaults = Defaults(**now.file.defaults.model_dump(include=kept))
    return now.model_copy(update={"file": File(defaults=defaults)})
