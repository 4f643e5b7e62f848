"""From a picked row to staged lines: cleaned, measured, held against what may not be learned."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from hashlib import blake2b

from hch.datasets.contamination import Hit
from hch.datasets.manifest import Removed
from hch.datasets.normal import mark
from hch.datasets.picking import Picked, Picking
from hch.datasets.reading import Seen
from hch.datasets.recipe import Recipe
from hch.datasets.shards import without_surrogates
from hch.datasets.staging import Rooted, Staged, Staging
from hch.datasets.standing import Standing, own, refused, standing
from hch.rows import Kind, Origin, Row, Step, Turn
from hch.types import Question

CONTAMINATED = "contaminated"

_ORIGIN = tuple(one.name for one in fields(Origin))
_DUMP = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


@dataclass
class Lines:
    """Stages the rows of a build. `taken` counts rows by the filter that took them, `whys` why."""

    recipe: Recipe
    staging: Staging
    taken: Counter[str] = field(default_factory=Counter)
    whys: Counter[str] = field(default_factory=Counter)
    _hits: dict[int, Hit] = field(default_factory=dict)

    def marked(self, question: Question) -> tuple[bytes, bytes]:
        """The marks of what a question is about, and of that and its text."""
        asked = Standing.of(question.text.body, (text.body for text in question.context))
        return self._marked(asked.text, asked.context)

    def root(self, root: Rooted) -> int:
        """Keep a root; its id. What is found in a file takes its whole tree with it."""
        id_ = self.staging.add_root(root._replace(text=self._text(root.text)))
        against = self.recipe.against
        if against is not None and (hit := against.found([root.text])) is not None:
            self._hits[id_] = hit
            self.staging.run("UPDATE roots SET lost = ? WHERE id = ?", CONTAMINATED, id_)
        return id_

    def node(self, run: int, root: int, seen: Seen, picking: Picking) -> None:
        """Keep what was asked in a root's tree, whatever rows come of it, and how good that is."""
        for asked in (own(seen.opened), *refused(seen)):
            self.staging.ask(self._mark_of(asked), root, run, seen.number)
        answers = picking.is_root(seen) and not picking.is_grading(seen.root)
        if self.recipe.best and answers and picking.against(seen) is None:
            self.staging.rate(root, self.recipe.best.of(picking.facts(seen)))

    def leave(
        self, run: int, seen: Seen, rule: str, kind: Kind | None = None, why: str | None = None
    ) -> None:
        """Keep that a rule left out a row of a node, or all that it teaches."""
        self.taken[rule] += 1
        self.staging.leave(run, seen.number, kind, rule, why)

    def add(self, run: int, root: int, seen: Seen, picked: Picked) -> None:
        """Stage a row."""
        row, facts = picked
        cleaned = self._clean(row)
        if (lack := self._lack(row, cleaned)) is not None:
            self.whys[lack] += 1
            self.leave(run, seen, "lacks", row.kind, lack)
            return
        made = [_DUMP(line) for line in self.recipe.built.encode(cleaned)]
        texts = _texts(cleaned, "".join(made))
        size = self.recipe.size(texts)
        asked = list(standing(seen, row.kind))
        marks = tuple(dict.fromkeys(map(self._mark_of, asked)))
        lost = self._against(cleaned, root, ([each.text for each in asked], texts), size)
        verdict = cleaned.good if self.recipe.built.judged else None
        digest = _digest(texts, verdict, cleaned.steps)
        origin = {
            **{name: getattr(row.origin, name) for name in _ORIGIN},
            "good": row.good,
            "by": row.by,
            "weight": row.weight,
            "score": facts.score,
            "share": facts.share,
            "check": facts.check,
            "cost": round((facts.cost or 0) * 1e6),
            "tokens": round(facts.tokens or 0),
            "calls": round(facts.calls or 0),
            "characters": sum(map(len, texts)),
            "size": size if self.recipe.tokenizer else None,
            "question": marks[0].hex(),
            "shows": [also.hex() for also in marks[1:]],
        }
        for line in made[:1] if lost else made:
            own = _digest([line]) if len(made) > 1 else digest
            self.staging.add(
                Staged(
                    root=root,
                    run=run,
                    node=seen.number,
                    kind=row.kind,
                    digest=own,
                    shows=marks,
                    class_=f"{facts.level} {facts.task}",
                    line=line,
                    origin=_DUMP({**origin, "digest": own.hex()}),
                    lost=lost,
                )
            )

    def _lack(self, row: Row, cleaned: Row) -> str | None:
        """Why a row cannot be written; None where it can."""
        if row.tokens is not None and row.completion != cleaned.completion:
            return "something was redacted, and the numbers of its tokens would tell it"
        lack = self.recipe.built.lacks(cleaned)
        return lack and f"the format wants {lack}"

    def _mark_of(self, asked: Standing) -> bytes:
        """The mark of a question."""
        return self._marked(asked.text, asked.context)[1]

    def _marked(self, text: str, context: Iterable[str]) -> tuple[bytes, bytes]:
        """As rows have them: an instance is no part of it, since no prompt says which it is."""
        return _marked(self._text(text), tuple(map(self._text, context)))

    def _against(
        self, row: Row, root: int, said: tuple[Sequence[str], Sequence[str]], size: int
    ) -> str | None:
        """The filter that takes a row by itself."""
        recipe, hit = self.recipe, self._hits.get(root)
        if not recipe.shortest <= size <= recipe.longest:
            self.taken["length"] += 1
            return "length"
        if hit is None and recipe.against is not None:
            hit = recipe.against.found(*said)
        if hit is None:
            return None
        self.taken[CONTAMINATED] += 1
        told = Removed(
            run=row.origin.run,
            node=row.origin.node,
            file=hit.file,
            line=hit.line,
            how=hit.how,
            words=self._text(hit.words),
        )
        self.staging.insert("removed", [(json.dumps(told.model_dump()),)])
        return CONTAMINATED

    def _clean(self, row: Row) -> Row:
        """The row without keys of this environment, and without what patterns match."""
        return replace(
            row,
            prompt=tuple(Turn(turn.role, self._text(turn.content)) for turn in row.prompt),
            completion=self._text(row.completion),
            thinking=self._text(row.thinking),
            rejected=self._text(row.rejected),
            steps=tuple(step._replace(text=self._text(step.text)) for step in row.steps),
            shares=tuple((self._text(text), share) for text, share in row.shares),
        )

    def _text(self, text: str) -> str:
        if not text:
            return text
        text = self.recipe.redaction.text(text)
        if self.recipe.patterns is not None:
            text, _ = self.recipe.patterns.clean(text)
        return without_surrogates(text)


def _texts(row: Row, written: str) -> list[str]:
    """All that a row says, in order; what was thought only where it is written."""
    thinking = row.thinking if row.thinking and _DUMP(row.thinking)[1:-1] in written else ""
    steps = (step.text for step in row.steps)
    shares = (text for text, _ in row.shares)
    said = (thinking, row.completion, row.rejected, *steps, *shares)
    return [*(turn.content for turn in row.prompt), *filter(None, said)]


def _digest(texts: Iterable[str], verdict: bool | None = None, steps: Iterable[Step] = ()) -> bytes:
    """Equal for rows that say the same, with the same verdicts where these are written."""
    told = repr([verdict, *(step.good for step in steps)])
    return blake2b(b"".join(map(_mark, (*texts, told))), digest_size=12).digest()


@lru_cache(maxsize=4096)
def _mark(text: str) -> bytes:
    """Its mark: most rows of a dataset begin alike, and many end so."""
    return mark(text)


@lru_cache(maxsize=1024)
def _marked(text: str, context: tuple[str, ...]) -> tuple[bytes, bytes]:
    about = blake2b(b"".join(map(mark, context)), digest_size=8).digest() if context else b""
    return about, about + mark(text)
