"""The card of a dataset, `README.md`: what `datasets.load_dataset` reads, and a page for people.

A subset is a kind of row, its splits those that have rows; its columns stand in it, so that they
are the same whatever the first rows have.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hch.datasets.manifest import BRIDGES, LEFT_OUT, NAME, REMOVED, totals
from hch.datasets.shards import Container
from hch.protocols import Column
from hch.safe_text import one_line

FILE = "README.md"

_TYPES = {"text": "string", "number": "float64", "whole": "int64", "flag": "bool"}

_PAGE = """
# {rows:,} training rows made by hch

They are in the format `{format}`, from {runs} of *Humans Consulting HCH*: trees of questions, each
answered by asking copies. {name} names the runs, the options, the filters and what each took, the
prompts, the models, and the sha256 of every file.

| subset | split | rows |
|---|---|---:|
{table}

## Load

```python
from datasets import load_dataset

{loads}
```

## Where each row is from

`origins/SUBSET/SPLIT/00000.jsonl` has a line for each row of `SUBSET/SPLIT/00000.{end}`, in the
same order: run, root, node, parent, level, player, model, prompt. `roots.jsonl` has the root
questions with their splits; all rows of a root, and of roots near-equal to it, are in one split.
Roots that were left out are not in it: bridges, what stands in a file that must not be learned, and
what `--drop-near` or `--best` took.
`{removed}` lists rows that were taken out because a file that must not be learned has them,
`{bridges}` roots that were left out because they would have joined two splits, and `{left}` every
row that was made and then left out, with the filter that took it, where there are any.
`hch dataset look` shows a row beside the tree that it is from.

## Made by

{made}

`hch dataset verify` says whether anything was changed since.
"""


@dataclass(frozen=True, slots=True)
class Card:
    """What a card tells: `counts` are rows by kind and split, `columns` those of the format.

    `command` is the command that made it, as somebody would type it; `runs` how many there were.
    """

    format: str
    container: Container
    columns: Mapping[str, Column]
    counts: Mapping[str, Mapping[str, int]]
    runs: int
    command: str

    def text(self) -> str:
        """The whole file."""
        head = "\n".join(("---", *self._head(), "---"))
        page = _PAGE.format(
            rows=totals(self.counts),
            format=self.format,
            runs="one run" if self.runs == 1 else f"{self.runs:,} runs",
            name=f"`{NAME}`",
            table="\n".join(self._table()),
            loads="\n".join(self._loads()),
            end=self.container,
            removed=REMOVED,
            bridges=BRIDGES,
            left=LEFT_OUT,
            made=fenced(self.command),
        )
        return f"{head}\n{page}"

    def _splits(self) -> Iterator[tuple[str, Mapping[str, int]]]:
        """The kinds and splits that have rows: to load one without is an error."""
        for kind, splits in self.counts.items():
            if some := {split: rows for split, rows in splits.items() if rows}:
                yield kind, some

    def _head(self) -> Iterator[str]:
        found = list(self._splits())
        yield "tags:"
        yield "- hch"
        if not found:
            return
        yield "configs:"
        for number, (kind, splits) in enumerate(found):
            yield f"- config_name: {kind}"
            if number == 0:
                yield "  default: true"
            yield "  data_files:"
            for split in splits:
                yield f"  - split: {split}"
                yield f"    path: {kind}/{split}/*.{self.container}"
        yield "dataset_info:"
        for kind, _ in found:
            yield f"- config_name: {kind}"
            yield "  features:"
            yield from (f"  {line}" for line in _fields(self.columns))

    def _table(self) -> Iterator[str]:
        for kind, splits in self.counts.items():
            for split, rows in splits.items():
                yield f"| {kind} | {split} | {rows:,} |"

    def _loads(self) -> Iterator[str]:
        for number, (kind, splits) in enumerate(self._splits()):
            named = "" if number == 0 else f', "{kind}"'
            yield f'{kind.replace("-", "_")} = load_dataset("DIR"{named})  # {", ".join(splits)}'


def _fields(columns: Mapping[str, Column]) -> Iterator[str]:
    """The columns as `datasets` names them in a card."""
    for name, column in columns.items():
        yield f"- name: {name}"
        yield from (f"  {line}" for line in _typed(column))


def _typed(column: Any) -> Iterator[str]:
    match column:
        case str():
            yield f"dtype: {_TYPES[column]}"
        case Mapping():
            yield "struct:"
            yield from _fields(column)
        case [str() as of]:
            yield f"list: {_TYPES[of]}"
        case [Mapping() as of]:
            yield "list:"
            yield from _fields(of)
        case [of]:
            yield "list:"
            yield from (f"  {line}" for line in _typed(of))


def fenced(text: str) -> str:
    """Somebody's text as a block of code that it cannot end."""
    safe = one_line(text)
    longest = max((len(run) for run in re.findall("`+", safe)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{safe}\n{fence}"
