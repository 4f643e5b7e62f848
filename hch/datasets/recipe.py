"""What a dataset is to be: which rows, cleaned how, split how, in which format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from hch.datasets.alternatives import Alternatives
from hch.datasets.cleaning import Apart
from hch.datasets.contamination import Contamination
from hch.datasets.patterns import Patterns
from hch.datasets.shards import ROWS, Container
from hch.datasets.splits import Splits
from hch.datasets.tokenizer import Tokenizer
from hch.datasets.where import EVERYTHING, Facts, Where
from hch.errors import UsageError
from hch.prompts import Prompt
from hch.protocols import Format
from hch.redaction import Redaction
from hch.registry import Spec
from hch.rows import Kind
from hch.types import sha

By: TypeAlias = Literal["score", "share", "cost", "tokens"]

ENDLESS = 10**15
"""More than any row has."""


@dataclass(frozen=True, slots=True)
class Best:
    """What is best of K samples: the highest score or share, the lowest cost or tokens.

    Where there is no score, a label that is good counts 1, one that is bad 0.
    """

    by: By

    def of(self, facts: Facts) -> float | None:
        """How good an answer is, None where nobody knows."""
        if self.by == "score" and facts.score is None:
            return None if facts.label is None else float(facts.label == "good")
        known: float | None = getattr(facts, self.by)
        return known if known is None or self.by in ("score", "share") else -known


@dataclass(frozen=True, slots=True)
class Recipe:
    """All of it. `built` is the format of that spec, `direct` the prompt of level 0.

    A row's size is in tokens of the `tokenizer`, or else in characters; `shortest` and `longest`
    are the least and the most. `near` is the similarity from which on roots are near-equal, None
    for equal ones only. `extends` is the folder of an earlier dataset, and `command` what somebody
    typed, without folders. `alternatives` are wanted where soft rows are to be log-probabilities.
    """

    format: Spec
    built: Format
    kinds: tuple[Kind, ...]
    direct: Prompt
    splits: Splits
    container: Container = "jsonl"
    where: Where = EVERYTHING
    partial: bool = False
    untrusted: bool = False
    wrong: bool = False
    apart: Apart = "trees"
    best: Best | None = None
    near: float | None = 0.8
    drop_near: bool = False
    balance: bool = False
    seed: int = 0
    patterns: Patterns | None = None
    against: Contamination | None = None
    tokenizer: Tokenizer | None = None
    alternatives: Alternatives | None = None
    shortest: int = 0
    longest: int = ENDLESS
    rows: int = ROWS
    extends: Path | None = None
    redaction: Redaction = field(default_factory=Redaction)
    command: str = ""

    def __post_init__(self) -> None:
        if wrong := [kind for kind in self.kinds if kind not in self.built.kinds]:
            raise UsageError(
                f"format {self.format.name!r} takes no {wrong[0]} rows: it takes "
                f"{', '.join(self.built.kinds)}"
            )
        if self.extends and self.balance:
            raise UsageError("--balance would count anew what --extends keeps: leave one out")

    def size(self, texts: Sequence[str]) -> int:
        """The size of a row that has these texts."""
        return self.tokenizer.count(texts) if self.tokenizer else sum(map(len, texts))

    def options(self) -> dict[str, Any]:
        """What decides of the rows, canonical, without folders: equal ones give equal rows.

        Of what is redacted it has hashes, since patterns may tell it.
        """
        given: dict[str, Any] = {
            "format": str(self.format),
            "rows": list(self.kinds),
            "as": self.container,
            "where": str(self.where),
            "splits": str(self.splits),
            "apart": self.apart,
            "near": self.near,
            "seed": self.seed,
            "shard": self.rows,
            "best": self.best and self.best.by,
            "drop_near": self.drop_near,
            "balance": self.balance,
            "partial": self.partial,
            "untrusted": self.untrusted,
            "wrong": self.wrong,
            "decontaminate": sorted(f.sha256 for f in self.against.files) if self.against else [],
            "redact": [sha(text) for text in self.patterns.texts] if self.patterns else [],
            "direct": sha(self.direct.text),
            "tokens": self.tokenizer.hash if self.built.numbered and self.tokenizer else None,
            "tokenizer": self.tokenizer and self.tokenizer.name,
            "shortest": self.shortest,
            "longest": None if self.longest == ENDLESS else self.longest,
        }
        return given
