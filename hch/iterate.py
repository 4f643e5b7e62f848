"""Iterated amplification: X_{t+1} := distil(Amplify^H(X_t)), generation after generation.

Christiano, Shlegeris and Amodei 2018 (arXiv 1810.08575), one step after the other and with no H'
that learns to be H: H works on each question over X_t, which answers all that H asks; a learner
makes X_{t+1} of the answers. X_0 knows nothing. All that is random is named by the settings, so an
iteration that was killed comes to the same generations when it is gone on with. Truths are used for
scores, to take a generation or not, and to stop; no learner sees one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from random import Random
from time import perf_counter

from hch.agents import Agent, Learned, Query, Response, Row
from hch.amplify import Amplify
from hch.cases import Case, Cases
from hch.errors import StoreError, UsageError
from hch.keeping import Store
from hch.ledger import Generation, Ledger, Score, Settings, Work, is_name
from hch.playing import Playing
from hch.protocols import Learner, Task
from hch.types import digest


class Iteration:
    """An iterated amplification of a name in a store; what is there already is gone on with.

    Raises UsageError for settings that are not those of this name, StoreError for a ledger that
    cannot be read.
    """

    def __init__(
        self, name: str, settings: Settings, store: Store, task: Task, learner: Learner
    ) -> None:
        if not is_name(name):
            raise UsageError(
                f"{name!r} is no name for an iteration: up to 100 letters, digits, and . _ - "
                "between them"
            )
        self.name = name
        self._settings = settings
        self._store = store
        self._learner = learner
        self._playing = Playing(task, errors=settings.errors)
        self._cases = Cases(task, settings.numbers)
        self.ledger = self._read()

    def generations(self, rounds: int) -> Iterator[Generation]:
        """Those that are missing of so many, each kept before it is given.

        Ends before that where nothing is left to learn. Raises UsageError for questions that the
        settings cannot mean, StoreError while another process is at the same iteration.
        """
        with self._store.live(on_shelf(self.name)):
            self.ledger = self._read()
            if not self.ledger.generations:
                self._asked_in(1)  # nothing is kept of what cannot be asked
                self._store.shelve({**self._start.kept, on_shelf(self.name): self.ledger.text})
            x = self._standing()
            self._learner.agent(x, self._settings.seed)  # what was changed meanwhile is told
            while len(self.ledger.generations) < rounds and not self.ledger.is_over:
                made, learned = self._next(len(self.ledger.generations) + 1, x)
                self.ledger = self.ledger.and_then(made)
                self._keep(learned.kept)
                x = learned if made.taken else x
                yield made

    def _next(self, number: int, x: Learned) -> tuple[Generation, Learned]:
        """X_number, taken or not, by way of targets that H makes over x."""
        settings, clock = self._settings, _Clock()
        seed, cases = settings.seed_of(number), self._asked_in(number)
        standing = self._learner.agent(x, seed)
        below = _Counted(standing)
        h = Amplify(self._playing, below, self._cases.facts, level=1, seed=seed)
        queries = [query for case in cases for query in _tries(case.query, settings.targets)]
        with clock.timing("amplify"):
            told = h.answer(queries)
        with clock.timing("distil"):
            learned = self._learner.learn(f"{self.name}/{number}", _rows(queries, told), x)
        with clock.timing("measure"):
            several = [case for case in cases for _ in range(settings.targets)]
            targets = self._cases.score(several, told)
            made = self._learner.agent(learned, seed)
            score = self._cases.score_of(made, cases)
            before = self._cases.score_of(standing, self._held_out)
            after = self._cases.score_of(made, self._held_out)
        taken = settings.take_worse or after.right >= before.right
        return Generation(
            number=number,
            model=learned.spec,
            kept=tuple(learned.kept),
            before=x.spec,
            seed=seed,
            questions=len(cases),
            targets=targets,
            learned=score,
            held_out=(before, after),
            work=Work(h=h.worked, asked=h.asked, x=len(below.seen), primitives=h.primitives),
            taken=taken,
            why=_why(before, after, taken=taken),
            seconds=clock.seconds,
        ), learned

    def _asked_in(self, number: int) -> list[Case]:
        """The questions of a generation: all there are, or a sample that is its own."""
        each = self._settings.sample
        if each is None:
            return self._cases.space
        return self._cases.drawn(each, Random(digest(self._settings.seed, "sample", number)))

    @cached_property
    def _held_out(self) -> list[Case]:
        """The questions that decide whether a generation is taken, as many of each instance."""
        size = self._settings.held_out
        each = -(-size // len(self._cases.instances))
        return self._cases.drawn(each, Random(digest(self._settings.seed, "held out")))[:size]

    @cached_property
    def _start(self) -> Learned:
        return self._learner.learn(f"{self.name}/0", (), None)

    def _read(self) -> Ledger:
        """The ledger as far as it is kept."""
        if self.name not in names(self._store):
            start = self._start
            return Ledger(
                name=self.name,
                settings=self._settings,
                start=start.spec,
                start_kept=tuple(start.kept),
            )
        ledger = read(self._store, self.name)
        if differing := _differences(ledger.settings, self._settings):
            raise UsageError(
                f"iteration {self.name!r} has other settings: {differing}; take another --name, or "
                f"remove it by hch iterate rm {self.name}"
            )
        return ledger

    def _standing(self) -> Learned:
        """The X that was taken last, as the store has it."""
        made, texts = self.ledger.standing, dict[str, str]()
        for name in made.kept if made else self.ledger.start_kept:
            text = self._store.shelved(name)
            if text is None:
                raise StoreError(
                    f"iteration {self.name!r} has lost {name!r}: take another --name, or remove it "
                    f"by hch iterate rm {self.name}"
                )
            texts[name] = text
        return Learned(self.ledger.model, texts)

    def _keep(self, more: Mapping[str, str]) -> None:
        """The ledger and what it newly speaks of, or nothing of it."""
        if self.name not in names(self._store):
            raise StoreError(f"iteration {self.name!r} was removed while it was gone on with")
        self._store.shelve({**more, on_shelf(self.name): self.ledger.text})


class _Counted:
    """An agent, and the distinct questions that were put to it."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self.seen: set[Query] = set()

    def answer(self, queries: Sequence[Query]) -> list[Response]:
        self.seen.update(queries)
        return self._agent.answer(queries)


class _Clock:
    """What each part of a generation took, in seconds."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def timing(self, part: str) -> Iterator[None]:
        begun = perf_counter()
        yield
        self.seconds[part] = round(perf_counter() - begun, 3)


def _tries(query: Query, targets: int) -> list[Query]:
    """A question as it is put for each of its targets: plainly, then as a root's own samples."""
    return [query, *(query._replace(sample=((2, 0, i),)) for i in range(1, targets))]


def _rows(queries: Sequence[Query], told: Sequence[Response]) -> Iterator[Row]:
    for query, (answer, _) in zip(queries, told, strict=True):
        yield Row(query.instance, query.body, answer)


def _why(before: Score, after: Score, *, taken: bool) -> str:
    figures = f"{after.right} of {after.of} held-out questions right, {before.right} before"
    if after.right >= before.right:
        return figures
    return f"worse, and taken as told: {figures}" if taken else f"worse: {figures}"


def on_shelf(name: str) -> str:
    """Where a store has the ledger of an iteration."""
    return f"iteration/{name}"


def read(store: Store, name: str) -> Ledger:
    """The ledger of that name. Raises UsageError for none, StoreError for one that is damaged."""
    check_known(store, name)
    try:
        return Ledger.read(store.shelved(on_shelf(name)) or "", name)
    except ValueError as error:
        raise StoreError(
            f"the ledger of iteration {name!r} cannot be read: {error}; hch iterate rm {name} "
            "removes it"
        ) from error


def check_known(store: Store, name: str) -> None:
    """Raises UsageError where there is no iteration of that name."""
    if name not in (known := names(store)):
        raise UsageError(f"no iteration {name!r}: there are {', '.join(known) or 'none'}")


def names(store: Store) -> list[str]:
    """The iterations that a store has."""
    return [name.partition("/")[2] for name in store.shelf(on_shelf(""))]


def remove(store: Store, name: str) -> None:
    """Drop an iteration with all that its learner made, also where its ledger is damaged."""
    with store.live(on_shelf(name)):
        try:
            ledger = read(store, name)
            made = [
                *ledger.start_kept,
                *(text for each in ledger.generations for text in each.kept),
            ]
        except StoreError:
            of_it = re.compile(rf"[^/]+/{re.escape(name)}/[0-9]+")
            made = list(filter(of_it.fullmatch, store.shelf()))
        store.shelve(dict.fromkeys([on_shelf(name), *made]))


def _differences(kept: Settings, given: Settings) -> str:
    """What is otherwise in the settings given than in those kept; empty where they are equal."""
    return ", ".join(
        f"{name} {value} there, {getattr(given, name)} here"
        for name, value in kept
        if getattr(given, name) != value
    )
