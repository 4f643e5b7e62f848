"""From a picked row to staged lines: cleaned, measured, held against what may not be learned."""

from __future__ import annotations

import json
import re
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
from hch.datasets.staging import Rooted, Staged, Staging
from hch.rows import Origin, Row, Turn
from hch.types import Question

_LONE = re.compile("[\ud800-\udfff]")
_ORIGIN = tuple(one.name for one in fields(Origin))
_DUMP = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


@dataclass
class Lines:
    """Stages the rows of a build. `taken` counts rows by the filter that took them, `whys` why.

    `removed` tells of the rows that are contaminated, as lines of JSON; `mended` is how many
    matches of patterns were taken out of rows.
    """

    recipe: Recipe
    staging: Staging
    taken: Counter[str] = field(default_factory=Counter)
    whys: Counter[str] = field(default_factory=Counter)
    removed: list[str] = field(default_factory=list)
    mended: int = 0
    _hits: dict[int, Hit] = field(default_factory=dict)

    def marked(self, question: Question) -> tuple[bytes, bytes]:
        """The marks of what a question is about, and of that and its text."""
        context = tuple(text.body for text in question.context)
        return _marked(question.text.body, context, question.instance)

    def root(self, root: Rooted) -> int:
        """Keep a root; its id. What is found in a file takes its whole tree with it."""
        id_ = self.staging.add_root(root._replace(text=self._text(root.text)))
        against = self.recipe.against
        if against is not None and (hit := against.found([root.text])) is not None:
            self._hits[id_] = hit
        return id_

    def node(self, root: int, seen: Seen, picking: Picking) -> None:
        """Keep what was asked in a root's tree, whatever rows come of it, and how good that is."""
        self.staging.ask(self._asked(seen)[1], root)
        if self.recipe.best and picking.is_root(seen) and picking.against(seen) is None:
            self.staging.rate(root, self.recipe.best.of(picking.facts(seen)))

    def add(self, run: int, root: int, seen: Seen, picked: Picked) -> None:
        """Stage a row."""
        row, facts = picked
        row = self._clean(row)
        if (lack := self.recipe.built.lacks(row)) is not None:
            self.taken["lacks"] += 1
            self.whys[f"the format wants {lack}"] += 1
            return
        about, question = self._asked(seen)
        texts = _texts(row)
        size = self.recipe.size(texts)
        lost = self._against(row, root, (seen.opened.question.body, texts), size)
        origin = {
            **{name: getattr(row.origin, name) for name in _ORIGIN},
            "good": row.good,
            "by": row.by,
            "weight": row.weight,
            "score": facts.score,
            "share": facts.share,
            "check": facts.check,
            "cost": round((facts.cost or 0) * 1e6),
            "tokens": facts.tokens,
            "calls": facts.calls,
            "characters": sum(map(len, texts)),
            "size": size if self.recipe.tokenizer else None,
            "question": question.hex(),
        }
        digest = _digest(texts)
        for number, line in enumerate(self.recipe.built.encode(row)):
            own = digest + bytes([number]) if number else digest
            self.staging.add(
                Staged(
                    root=root,
                    run=run,
                    node=seen.number,
                    kind=row.kind,
                    digest=own,
                    question=question,
                    about=about,
                    class_=f"{facts.level} {facts.task}",
                    line=_DUMP(line),
                    origin=_DUMP({**origin, "digest": own.hex()}),
                    lost=lost,
                )
            )

    def _asked(self, seen: Seen) -> tuple[bytes, bytes]:
        opened = seen.opened
        context = tuple(words.body for words in opened.context)
        return _marked(opened.question.body, context, opened.instance)

    def _against(
        self, row: Row, root: int, said: tuple[str, Sequence[str]], size: int
    ) -> str | None:
        """The filter that takes a row by itself."""
        recipe, hit = self.recipe, self._hits.get(root)
        if not recipe.shortest <= size <= recipe.longest:
            self.taken["length"] += 1
            return "length"
        if hit is None and recipe.against is not None:
            hit = recipe.against.found([said[0]], said[1])
        if hit is None:
            return None
        self.taken["contaminated"] += 1
        told = Removed(
            run=row.origin.run,
            node=row.origin.node,
            file=hit.file,
            line=hit.line,
            how=hit.how,
            words=hit.words,
        )
        self.removed.append(json.dumps(told.model_dump()))
        return "contaminated"

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
            text, found = self.recipe.patterns.clean(text)
            self.mended += found
        return text if text.isascii() else _LONE.sub("\ufffd", text)


def _texts(row: Row) -> list[str]:
    """All that a row says, in order."""
    steps = (step.text for step in row.steps)
    shares = (text for text, _ in row.shares)
    said = (row.completion, row.rejected, *steps, *shares)
    return [*(turn.content for turn in row.prompt), *filter(None, said)]


def _digest(texts: Iterable[str]) -> bytes:
    """Equal for rows that say the same."""
    return blake2b(b"".join(map(_mark, texts)), digest_size=12).digest()


@lru_cache(maxsize=4096)
def _mark(text: str) -> bytes:
    """Its mark: most rows of a dataset begin alike, and many end so."""
    return mark(text)


@lru_cache(maxsize=1024)
def _marked(text: str, context: tuple[str, ...], instance: str | None) -> tuple[bytes, bytes]:
    about = blake2b(b"".join(map(mark, context)), digest_size=8)
    about.update((instance or "").encode())
    named = about.digest() if context or instance else b""
    return named, named + mark(text)
