"""`{"prompt": "…", "completions": ["…"], "labels": [true]}`: reward models of steps.

Axolotl's `stepwise_supervised` takes it, and TRL's PRMTrainer did up to TRL 1.13; since then it is
data for the classification of tokens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hch.protocols import Column, Format
from hch.rows import Row

_COLUMNS: Mapping[str, Column] = {"prompt": "text", "completions": ["text"], "labels": ["flag"]}


class Stepwise(Format):
    """The question, the texts of the steps, and whether each is right."""

    kinds = ("step",)
    columns = _COLUMNS

    def lacks(self, row: Row) -> str | None:
        return None if row.steps else "steps"

    def encode(self, row: Row) -> Sequence[Mapping[str, Any]]:
        texts = [step.text for step in row.steps]
        labels = [step.good for step in row.steps]
        return [{"prompt": row.question, "completions": texts, "labels": labels}]


def build() -> Format:
    return Stepwise()
