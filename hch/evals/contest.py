"""Who is evaluated: players at several depths, beside each tree a vote that costs as much."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

from hch import registry
from hch.compose import HCH
from hch.errors import UsageError
from hch.evals.questions import Sheet
from hch.examination import Entry, Examination
from hch.protocols import Scorer
from hch.registry import PlayerSpec, Spec
from hch.run import Run
from hch.sides import DEEPEST, Side, checked_depth, clipped

_LEVELS = r"\s*[0-9]+(?:\+|\s*-\s*[0-9]+)?\s*="
_APART = re.compile(rf";(?={_LEVELS})")


def _same(player: str) -> str:
    return player


@dataclass(frozen=True, slots=True)
class Contestant:
    """Players by level, under the text that they were named by; later levels go before earlier."""

    label: str
    at: Mapping[str, str]

    @classmethod
    def parse(cls, text: str, player: Callable[[str], str] = _same) -> Contestant:
        """`factored@openai:NAME`, or by level: `0=direct@openai:NAME;1+=script`.

        `player` replaces an alias by what it stands for, such as `Config.player`. Raises UsageError
        for what is no player, or no level.
        """
        label = text.strip()
        if not re.match(_LEVELS, label):
            return cls(label, {"0+": _checked(player(label))})
        at: dict[str, str] = {}
        for part in _APART.split(label):
            levels, _, named = part.partition("=")
            registry.parse_levels(levels, DEEPEST)
            if at.setdefault(levels.strip(), found := _checked(player(named.strip()))) is not found:
                raise UsageError(f"player {label!r} names the levels {levels.strip()!r} twice")
        return cls(label, at)

    def at_depth(self, depth: int) -> dict[str, str]:
        """Who plays HCH_depth, level ranges being cut to it.

        Raises UsageError where somebody is missing.
        """
        found = clipped(self.at, depth)
        played = {level for levels in found for level in registry.parse_levels(levels, depth)}
        if missing := set(range(depth + 1)) - played:
            raise UsageError(
                f"player {self.label!r} does not say who plays level {min(missing)}: name it, such "
                f"as {min(missing)}=direct@openai:NAME"
            )
        return found

    @property
    def alone(self) -> str:
        """Who plays level 0."""
        return list(self.at_depth(0).values())[-1]


@dataclass(frozen=True)
class Contest:
    """Contestants, the depths at which each plays, and what counts as the same answer.

    HCH_0 always plays. `scorer` None is as the task grades. Raises UsageError for depths that
    cannot be, and contestants of the same name.
    """

    contestants: Sequence[Contestant]
    depths: Sequence[int]
    scorer: str | None = None

    def __post_init__(self) -> None:
        for depth in self.depths:
            checked_depth(depth)
        labels = [one.label for one in self.contestants]
        if not labels:
            raise UsageError("there is nobody to evaluate: name a player")
        if twice := [label for label in labels if labels.count(label) > 1]:
            raise UsageError(f"player {twice[0]!r} is named twice: leave one of them out")

    @property
    def entries(self) -> tuple[Entry, ...]:
        """What each question is put to, in the order of the roots.

        Where a player judges, each answer is followed by what grades it.
        """
        found: list[Entry] = []
        lineup = 0
        for _ in self.contestants:
            alone, vote = self._enter(found, Entry(lineup=lineup)), lineup + len(self._deeper) + 1
            for tree in range(lineup + 1, vote):
                paid_by = self._enter(found, Entry(lineup=tree))
                self._enter(found, Entry(lineup=vote, paid_by=paid_by, unit=alone))
            lineup = vote + bool(self._deeper)
        return tuple(found)

    @property
    def answers(self) -> int:
        """How many answers each question gets; what grades one is none."""
        return sum(entry.grades is None for entry in self.entries)

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the lineups."""
        return tuple(label for label, _ in self._lineups)

    def hch(self, **options: Any) -> HCH:
        """Everybody who plays; `options` are further fields of `HCH`."""
        others: Mapping[str, str] = options.get("others", {})
        first, *beside = (side for _, side in self._lineups)
        if self._by:
            beside[-1] = Side(0, at={"0": others.get(self._by, self._by)})
        return HCH(depth=first.depth, at=first.at or {}, beside=beside, **options)

    def begin(self, sheet: Sheet, **options: Any) -> Run:
        """The run that puts these questions to everybody, ready to `finish`.

        Raises what `HCH.examine` raises.
        """
        examination, about = self.examination(sheet), sheet.instances
        hch = self.hch(**options)
        return hch.examine(sheet.questions, self.entries, examination, instances=about)

    def examination(self, sheet: Sheet) -> Examination:
        """What the answers to these questions are held against."""
        return Examination(
            source=sheet.source,
            labels=self.labels,
            expected=sheet.expected,
            kinds=sheet.kinds,
            scorer=self.scorer,
            sample=sheet.seed,
        )

    def _enter(self, entries: list[Entry], entry: Entry) -> int:
        """Its place, what grades it being put after it."""
        place = len(entries)
        entries.append(entry)
        if self._by:
            entries.append(Entry(lineup=len(self._lineups) - 1, grades=place))
        return place

    @property
    def _deeper(self) -> list[int]:
        """The depths at which there is a tree."""
        return sorted({*self.depths} - {0})

    @cached_property
    def _by(self) -> str | None:
        """The player that judges whether answers are right, where the scorer has one."""
        return self.compared_by.by if self.compared_by else None

    @cached_property
    def compared_by(self) -> Scorer | None:
        """The scorer, built; None where it is as the task grades."""
        return cast(Scorer, registry.build("scorers", self._spec)) if self._spec else None

    @property
    def _spec(self) -> Spec | None:
        return Spec.parse(self.scorer) if self.scorer else None

    @cached_property
    def _lineups(self) -> list[tuple[str, Side]]:
        """Of each contestant HCH_0, its trees and their vote, if any; the judge comes last."""
        found: list[tuple[str, Side]] = []
        for one in self.contestants:
            sides = [Side(depth, at=one.at_depth(depth)) for depth in (0, *self._deeper)]
            votes = [Side(0, at={"0": self._vote(one)})] if self._deeper else []
            found += [(one.label, side) for side in (*sides, *votes)]
        return [*found, (self._by, Side(0, at={"0": self._by}))] if self._by else found

    def _vote(self, one: Contestant) -> str:
        """A vote over who plays level 0; how many tries it has is said when they are paid for."""
        options = [("k", "1"), *([("scorer", str(self._spec))] if self._spec else [])]
        return f"{Spec('vote', None, tuple(options))}/{one.alone}"


def _checked(player: str) -> str:
    """A player's spec. Raises UsageError where it is none."""
    PlayerSpec.parse(player)
    return player
