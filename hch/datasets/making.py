"""What a node teaches: the rows of each kind that are made of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

from hch.datasets import judged
from hch.datasets.alternatives import Alternatives
from hch.datasets.reading import Reading, Seen, Think
from hch.datasets.solutions import solutions
from hch.datasets.where import Facts
from hch.labels import Told
from hch.prompts import Prompt, own_parts
from hch.rows import Kind, Origin, Row, Turn
from hch.types import Message, Question, Text, sha

Made: TypeAlias = Iterator[tuple[Row, str | None]]
"""Rows, each with the prompt's name where it is of one think."""


@dataclass
class Making:
    """Makes rows of the nodes of one run, asked by `direct`, the prompt of level 0.

    `alternatives` makes token numbers of recorded log-probabilities, where soft rows are to be
    those. `whys` are the reasons why what there was made no row, with how often.
    """

    reading: Reading
    told: Mapping[str, Told]
    direct: Prompt
    task: str | None
    alternatives: Alternatives | None = None
    whys: Counter[str] = field(default_factory=Counter)

    def rows(self, kind: Kind, seen: Seen, facts: Facts) -> Made:
        """The rows of that kind that a node makes."""
        return self._makers[kind](seen, facts)

    @cached_property
    def _makers(self) -> Mapping[Kind, Callable[[Seen, Facts], Made]]:
        return {
            "answer": self._answer,
            "decision": self._decisions,
            "preference": self._preferences,
            "step": self._steps,
            "soft": self._shares if self.alternatives is None else self._tokens,
            "prompt-only": self._prompt,
        }

    def _answer(self, seen: Seen, facts: Facts) -> Made:
        known = judged.judged(self.told.get(seen.opened.key), facts.check)
        yield (
            Row(
                kind="answer",
                prompt=self._question(seen),
                origin=self._origin(seen),
                completion=judged.body(seen.closed) or "",
                good=known.good,
                by=known.by,
                weight=judged.success(seen, self.told),
            ),
            None,
        )

    def _decisions(self, seen: Seen, facts: Facts) -> Made:
        known = judged.judged(self.told.get(seen.opened.key), facts.check)
        weight = judged.success(seen, self.told)
        mended = {think.index - 1 for think in seen.thoughts if _mends(think)}
        for think in seen.thoughts:
            if think.sent is None or think.got is None or think.got.finish != "stop":
                self.whys["a think has no whole reply"] += 1
            elif think.index in mended:
                self.whys["a reply was not of its form, and was asked for again"] += 1
            else:
                yield (
                    Row(
                        kind="decision",
                        prompt=turns(think.sent.sent()),
                        origin=self._origin(seen, think),
                        completion=think.got.text,
                        thinking=think.got.thinking,
                        good=known.good,
                        by=known.by,
                        weight=weight,
                    ),
                    think.prompt,
                )

    def _preferences(self, seen: Seen, facts: Facts) -> Made:
        for pair in judged.pairs(seen):
            yield (
                Row(
                    kind="preference",
                    prompt=self._question(seen),
                    origin=self._origin(seen),
                    completion=pair.chosen,
                    rejected=pair.rejected,
                    good=True,
                    by=pair.by,
                ),
                None,
            )

    def _steps(self, seen: Seen, facts: Facts) -> Made:
        for solution in solutions(seen, self.told, facts.check):
            yield (
                Row(
                    kind="step",
                    prompt=(Turn("user", seen.opened.question.body),),
                    origin=self._origin(seen),
                    completion="" if solution.good is None else judged.body(seen.closed) or "",
                    good=solution.good,
                    steps=solution.steps,
                    by=solution.by,
                ),
                None,
            )

    def _shares(self, seen: Seen, facts: Facts) -> Made:
        if shares := judged.shares(seen.closed):
            yield (
                Row(
                    kind="soft",
                    prompt=self._question(seen),
                    origin=self._origin(seen),
                    completion=judged.body(seen.closed) or "",
                    shares=shares,
                    by="vote",
                ),
                None,
            )

    def _tokens(self, seen: Seen, facts: Facts) -> Made:
        assert self.alternatives is not None
        for think in seen.thoughts:
            if think.sent is None or think.got is None:
                continue
            made = self.alternatives.tokens(think.sent, think.got)
            if isinstance(made, str):
                self.whys[made] += 1
                continue
            yield (
                Row(
                    kind="soft",
                    prompt=turns(think.sent.sent()),
                    origin=self._origin(seen, think),
                    completion=think.got.text,
                    thinking=think.got.thinking,
                    tokens=made,
                ),
                think.prompt,
            )

    def _prompt(self, seen: Seen, facts: Facts) -> Made:
        yield (
            Row(kind="prompt-only", prompt=self._question(seen), origin=self._origin(seen)),
            None,
        )

    def _question(self, seen: Seen) -> tuple[Turn, ...]:
        """The node's question as `direct` is asked it."""
        opened = seen.opened
        context = tuple(words.text() for words in opened.context)
        asked = Question(opened.question.text(), context, opened.instance)
        return turns(self.direct.fill(own_parts(asked, self._manual)))

    def _origin(self, seen: Seen, think: Think | None = None) -> Origin:
        """Where a row of a node, or of one think of it, is from."""
        outline, opened = self.reading.outline, seen.opened
        parent = outline.parent[seen.number]
        prompt = think.prompt if think else self.direct.name
        model = judged.player(opened).model
        if think and think.sent:
            model = think.sent.model
        return Origin(
            run=self.reading.run,
            root=seen.root,
            source=self._sources[seen.root // len(self.reading.plan.entries)],
            node=outline.id(seen.number),
            key=opened.key,
            parent=outline.id(parent) if parent >= 0 else None,
            level=opened.level,
            player=opened.player,
            model=model,
            revision=self._revisions.get(model or ""),
            prompt=prompt,
            prompt_hash=self._hashes.get(prompt) if think else sha(self.direct.text),
            task=self.task,
            instance=opened.instance,
            thought=think.index if think else None,
        )

    @cached_property
    def _manual(self) -> Text | None:
        manual = self.reading.started.setup.get("manual")
        return Text(manual) if isinstance(manual, str) else None

    @cached_property
    def _revisions(self) -> dict[str, str]:
        return self.reading.revisions()

    @cached_property
    def _hashes(self) -> dict[str, str]:
        return {name: sha(text) for name, text in self.reading.started.prompts.items()}

    @cached_property
    def _sources(self) -> list[str]:
        return [sha(root.text.body) for root in self.reading.plan.questions]


def turns(messages: tuple[Message, ...]) -> tuple[Turn, ...]:
    """Messages as they are sent."""
    return tuple(Turn(message.role, message.content) for message in messages)


def _mends(think: Think) -> bool:
    """Whether a think asked again for what came before it, since that was not of its form."""
    sent = think.sent
    return sent is not None and any(
        origin == "reply" for _, parts in sent.messages for origin, _ in parts
    )
