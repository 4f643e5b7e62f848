"""From the nodes of a run to training rows: which nodes are taken, and why others are not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from hch.columns import CLEAN, NOBODY, STATUSES
from hch.datasets import judged
from hch.datasets.alternatives import Alternatives
from hch.datasets.making import Making
from hch.datasets.reading import Reading, Seen
from hch.datasets.where import EVERYTHING, Facts, Where
from hch.labels import Told
from hch.nodes import wrappers
from hch.outline import Outline
from hch.prompts import Prompt
from hch.registry import PlayerSpec, Spec
from hch.rows import Kind, Row

DOCUMENT = "document"
"""Who plays an imported question."""

UNTRIED = judged.Try()

ANSWERED = STATUSES.index("answered")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is taken, and how it is asked: `direct` is the prompt of level 0.

    `partial` takes nodes below which something was refused, `untrusted` those that read text which
    nobody vouches for, `wrong` answers that were labelled bad, and `tries` answers that a vote or a
    check only considered. `alternatives` makes token numbers of recorded log-probabilities, where
    soft rows are to be those.
    """

    kinds: tuple[Kind, ...]
    direct: Prompt
    where: Where = EVERYTHING
    partial: bool = False
    untrusted: bool = False
    wrong: bool = False
    tries: bool = False
    alternatives: Alternatives | None = None

    @property
    def calls(self) -> bool:
        """Whether it takes what was sent and received."""
        return "decision" in self.kinds or ("soft" in self.kinds and self.alternatives is not None)


class Picked(NamedTuple):
    """A row, and what is known of the node that it is from."""

    row: Row
    facts: Facts


class Left(NamedTuple):
    """A row that a rule left out; of no kind where the rule is about all that a node teaches."""

    rule: str
    kind: Kind | None = None


@dataclass
class Picking:
    """Takes one run's rows."""

    reading: Reading
    told: Mapping[str, Told]
    wanted: Wanted

    def __post_init__(self) -> None:
        started, wanted = self.reading.started, self.wanted
        self._outline = self.reading.outline
        self._fit = _partial(self._outline) if wanted.partial else None
        self._task = _task(started.setup.get("task"), started.players)
        self.making = Making(
            self.reading, self.told, wanted.direct, self._task, wanted.alternatives
        )
        self._tries: dict[int, judged.Try] = {}
        entries = self.reading.plan.entries
        self._grading = {n for n, entry in enumerate(entries) if entry.grades is not None}

    def rows(self, seen: Seen) -> Iterator[Picked | Left]:
        """The rows of a node, in the order of the kinds, and those that a rule leaves out."""
        tried = self._tries.pop(seen.number, UNTRIED)
        self._tries |= dict(judged.tries(seen))
        if self.is_grading(seen.root):
            return
        if (rule := self.against(seen)) is not None:
            yield Left(rule)
            return
        facts = self.facts(seen, tried)
        for kind in self.wanted.kinds:
            if kind in ("answer", "prompt-only") and not self._is_answer(seen):
                yield Left("not amplified", kind)
                continue
            for row, prompt in self.making.rows(kind, seen, facts):
                about = replace(facts, prompt=prompt) if prompt else facts
                if not self.wanted.where.holds(about):
                    yield Left("where", kind)
                elif facts.label == "bad" and self._is_to_be_right(kind):
                    yield Left("bad", kind)
                else:
                    yield Picked(row, about)

    def _is_to_be_right(self, kind: Kind) -> bool:
        """Whether what a row says is to be learned, and nobody asked for what is wrong."""
        said = kind in ("answer", "decision", "preference", "soft")
        return said and not (self.wanted.wrong or self.wanted.tries or self.wanted.where.bad)

    def is_root(self, seen: Seen) -> bool:
        """Whether it hangs on nobody."""
        return bool(self._outline.parent[seen.number] == NOBODY)

    def is_grading(self, root: int) -> bool:
        """Whether a root only grades another's answer."""
        return root % len(self.reading.plan.entries) in self._grading

    def facts(self, seen: Seen, tried: judged.Try = UNTRIED) -> Facts:
        """What is known of a node; `tried` is what its asker's vote or check said of it."""
        opened, closed, outline = seen.opened, seen.closed, self._outline
        spec = judged.player(opened)
        told = self.told.get(opened.key, Told())
        ballot = closed.ballot.ballot() if closed and closed.ballot else None
        spent = outline.spent(seen.number)
        return Facts(
            run=self.reading.run,
            root=seen.root,
            level=opened.level,
            depth=outline.id(seen.number).count("."),
            player=opened.player,
            strategy=spec.strategies[-1].name,
            model=spec.model,
            task=self._task,
            label=told.said,
            by=told.by or None,
            score=told.score,
            share=ballot.confidence if ballot else tried.share,
            check=judged.checked(opened, closed) or tried.check,
            cost=spent.microusd / 1e6,
            tokens=spent.tokens,
            calls=spent.calls,
            nodes=spent.nodes,
        )

    def against(self, seen: Seen) -> str | None:
        """The rule that leaves a node out; None where none does."""
        if judged.body(seen.closed) is None:
            return "not answered"
        clean = self._outline.flags[seen.number] & CLEAN
        if not (clean or (self._fit and self._fit[seen.number])):
            return "not clean"
        if not self.wanted.untrusted and not _trusted(seen):
            return "untrusted"
        return None

    def _is_answer(self, seen: Seen) -> bool:
        """Whether it is an answer that was amplified: of a level above 0, or of several tries.

        A level that is asked for by name is taken as it is.
        """
        way = self._outline.way(seen.number)
        if way == "put" or (way == "try" and not self.wanted.tries):
            return False
        if seen.opened.player == DOCUMENT:  # nobody answered: a file says so
            return self.is_root(seen)
        amplified = seen.opened.level > 0 or bool(seen.asks) or way == "try"
        return amplified or self.wanted.where.names("level")


def _trusted(seen: Seen) -> bool:
    opened, answer = seen.opened, seen.closed.answer if seen.closed else None
    words = (opened.question, *opened.context, *([answer] if answer else ()))
    return all(one.trusted for one in words)


def _task(spec: Any, players: tuple[str, ...]) -> str | None:
    """The task of a run: as it is named, or that of scripts that play none by name."""
    if isinstance(spec, str) and spec:
        return Spec.parse(spec).name
    plays = {PlayerSpec.parse(player).strategies[-1].name for player in players}
    return "arithmetic" if plays == {"script"} else None


def _partial(outline: Outline) -> bytearray:
    """A 1 for each node that answered, as did all below that were not refused, nothing cut."""
    fits = bytearray(outline.n)

    def height(node: int) -> tuple[int, int]:
        further: int = wrappers(outline.players[outline.player[node]]) - outline.wrapper[node]
        return outline.level[node], further

    for node in sorted(range(outline.n), key=height):
        whole = outline.status[node] == ANSWERED
        whole = whole and not (outline.cuts[node] or outline.fallbacks[node])
        asks = (position for position in outline.asks(node) if not outline.refused[position])
        children = (outline.node(position) for position in asks)
        fits[node] = whole and all(child >= 0 and fits[child] for child in children)
    return fits
