"""Counts what a dataset has: rows, lengths, levels, what filters took, the most costly rows."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from hch.commands._completion import complete_file
from hch.commands._dataset_given import (
    WIDTH,
    FolderArgument,
    check_outside,
    opened,
)
from hch.commands._given import check_apart, check_filled
from hch.commands._options import ObjectOption
from hch.commands._terminal import columns, say, say_json
from hch.errors import UsageError
from hch.safe_text import one_line
from hch.words import count, exactly, listed

if TYPE_CHECKING:
    from hch.datasets.dataset import Dataset, Page
    from hch.datasets.statistics import Lengths, Statistics

HEAD = (
    "kind", "split", "file", "line", "run", "root", "node", "level", "player", "model", "task",
    "characters", "tokens", "spent_tokens", "dollars",
)  # fmt: skip

SIZE = (10.0, 4.0)
"""Inches."""

BARS = 40
"""The steps of a plot's lengths."""


def stats_of_dataset(
    folder: FolderArgument,
    top: Annotated[
        int,
        Option(
            min=0,
            max=1000,
            metavar="N",
            help="How many of the most costly rows. [10]",
            show_default=False,
        ),
    ] = 10,
    as_json: ObjectOption = False,
    csv: Annotated[
        str | None,
        Option(
            metavar="FILE",
            help="Also write every row's figures, a line each.",
            autocompletion=complete_file,
        ),
    ] = None,
    plot: Annotated[
        str | None,
        Option(
            metavar="FILE",
            help="Also draw it, as .png, .svg or .pdf; wants hch[plot].",
            autocompletion=complete_file,
        ),
    ] = None,
) -> None:
    """Count what a dataset has: rows by kind, split, level and task, and how long they are.

    Below are the filters that rows went through, in their order, with how many each took, and the
    rows whose nodes cost the most. Lengths are in characters of text, and in tokens where the
    dataset was built with a tokenizer; from 10,000 on they are counted to four digits. It is one
    pass, and takes no more memory for more rows.

    Exit status:
      0  Counted.
      2  There is no dataset, a file of it cannot be read, or one cannot be written.
      6  A package is missing: for Parquet, or to plot.

    Examples:
      hch dataset stats rivers
      hch dataset stats rivers --plot lengths.svg --csv rows.csv
      hch dataset stats rivers --json --top 100

    See also:
      hch dataset look, hch dataset verify, docs/dataset-files.md
    """  # fmt: skip
    from hch.commands._plot import figure

    check_filled(DIR=folder, csv=csv, plot=plot)
    if csv is not None and not Path(csv).parent.is_dir():
        raise UsageError(f"--csv {csv}: there is no folder {Path(csv).parent}")
    dataset = opened(folder)
    check_outside(dataset.folder, csv=csv, plot=plot)
    check_apart("", csv=csv, plot=plot)
    draw = figure(plot, _draw, SIZE)
    found = _counted(dataset, top, csv)
    draw(found)
    if as_json:
        filters = [entry.model_dump() for entry in dataset.manifest.filters]
        say_json({**found.json(), "filters": filters})
    else:
        say("\n".join(_page(dataset, found, columns(sys.stdout, WIDTH))))


def _counted(dataset: Dataset, top: int, csv: str | None) -> Statistics:
    from hch.datasets.statistics import Statistics

    found = Statistics(top)
    with _written(csv) as write:
        for page in dataset.pages(dataset.shards()):
            found.take(page)
            write(page)
    return found


@contextmanager
def _written(path: str | None) -> Iterator[Callable[[Page], None]]:
    """What writes a row's figures as a line of a file; nothing where there is none."""
    if path is None:
        yield lambda _: None
        return
    try:
        with Path(path).open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(HEAD)
            yield lambda page: writer.writerow(_cells(page))
    except OSError as error:
        raise UsageError(f"--csv {path} cannot be written: {error.strerror}") from error


def _cells(page: Page) -> Sequence[Any]:
    from hch.commands._scored import cell
    from hch.datasets.statistics import characters, cost, length_in_tokens

    shard, origin = page.shard, page.origin
    named = ("run", "root", "node", "level", "player", "model", "task")
    given = ["" if origin.get(name) is None else cell(str(origin[name])) for name in named]
    length = sum(characters(value) or 0 for value in page.row.values())
    microusd, tokens = cost(origin)
    figures = (length, length_in_tokens(origin), tokens, microusd / 1e6)
    return [shard.kind, shard.split, shard.entry.path, page.line + 1, *given, *figures]


def _page(dataset: Dataset, found: Statistics, width: int) -> Iterator[str]:
    manifest = dataset.manifest
    rows = sum(sum(splits.values()) for splits in found.rows.values())
    of = count(len(manifest.runs), "run")
    yield f"{one_line(str(dataset.folder), width)}  {listed((f'{rows:,} rows', of))}"
    yield from _titled("Rows", _rows(found, width))
    yield from _titled("By level", _counts(found.levels, "level", width))
    if any(set(tasks) - {""} for tasks in found.tasks.values()):
        yield from _titled("By task", _counts(found.tasks, "task", width))
    yield from _titled("Characters", _lengths(found, width))
    tokens = [(kind, "", lengths) for kind, lengths in found.tokens.items()]
    yield from _titled("Tokens", _quantiles(tokens, width))
    yield from _titled("Taken by filters, in this order", _filters(dataset, width))
    yield from _titled("The most costly rows", _costly(found, width))


def _titled(title: str, lines: Iterator[str]) -> Iterator[str]:
    found = list(lines)
    yield from ["", title, *found] if found else ()


def _rows(found: Statistics, width: int) -> Iterator[str]:
    cells = [(k, s, f"{n:,}") for k, splits in found.rows.items() for s, n in splits.items()]
    yield from _table(("kind", "split", "rows"), cells, width, texts=2)


def _counts(by_kind: Any, name: str, width: int) -> Iterator[str]:
    cells = [
        (kind, one_line(str(what), 60) or "none", f"{n:,}")
        for kind, counts in by_kind.items()
        for what, n in sorted(counts.items())
    ]
    yield from _table(("kind", name, "rows"), cells, width, texts=2)


def _lengths(found: Statistics, width: int) -> Iterator[str]:
    columns_ = [
        (kind, one_line(column, 40), lengths)
        for kind, by_column in found.characters.items()
        for column, lengths in by_column.items()
    ]
    yield from _quantiles(columns_, width)


def _quantiles(given: Sequence[tuple[str, str, Lengths]], width: int) -> Iterator[str]:
    from hch.datasets.statistics import QUANTILES

    cells = []
    for kind, column, lengths in given:
        sizes = (f"{length:,}" for length in lengths.quantiles().values())
        cells.append((kind, column, *sizes, f"{lengths.mean:,.1f}"))
    yield from _table(("kind", "column", *QUANTILES, "mean"), cells, width, texts=2)


def _filters(dataset: Dataset, width: int) -> Iterator[str]:
    from hch.commands._columns import Column, table

    cells = [
        (one_line(entry.name, 40), f"{entry.taken:,}", one_line(entry.what, 200))
        for entry in dataset.manifest.filters
    ]
    if cells:
        names, taken, what = map(list, zip(*cells, strict=True))
        told = [Column("filter", names, 2, texts=True), Column("taken", taken, 3)]
        yield from table([*told, Column("what", what, 1, texts=True)], width)


def _costly(found: Statistics, width: int) -> Iterator[str]:
    cells = [
        (one_line(f"{row.run} {row.node}", 60), row.place,
         f"{row.tokens:,.0f}", exactly(row.microusd) if row.microusd else "")
        for row in found.costly
    ]  # fmt: skip
    yield from _table(("run and node", "row", "tokens", "cost"), cells, width, texts=2)


def _table(
    titles: Sequence[str], rows: Sequence[Sequence[str]], width: int, *, texts: int
) -> Iterator[str]:
    """Rows under titles, the first columns texts; what is on the right goes first."""
    from hch.commands._columns import Column, table

    if rows:
        by_column = zip(*rows, strict=True)
        yield from table(
            [
                Column(title, list(cells), len(titles) - place, texts=place < texts)
                for place, (title, cells) in enumerate(zip(titles, by_column, strict=True))
            ],
            width,
        )


def _draw(drawn: Any, found: Statistics) -> None:
    """Lengths by kind, and rows by level."""
    by_length, by_level = drawn.subplots(1, 2)
    for kind, by_column in found.characters.items():
        for column, lengths in by_column.items():
            sizes = sorted(lengths.counts.items())
            shares, seen = [], 0
            for _, n in sizes:
                seen += n
                shares.append(100 * seen / lengths.n)
            name = one_line(f"{kind}: {column}", BARS).replace("$", r"\$")
            by_length.step([size for size, _ in sizes], shares, where="post", label=name)
    by_length.set_xlabel("characters at most")
    by_length.set_ylabel("rows, %")
    by_length.set_xscale("symlog")
    levels = sorted({level for counts in found.levels.values() for level in counts})
    below = [0] * len(levels)
    for kind, counts in found.levels.items():
        heights = [counts[level] for level in levels]
        by_level.bar(range(len(levels)), heights, bottom=below, label=kind)
        below = [low + height for low, height in zip(below, heights, strict=True)]
    by_level.set_xticks(range(len(levels)), [str(level) for level in levels])
    by_level.set_xlabel("level")
    by_level.set_ylabel("rows")
    for axes in (by_length, by_level):
        axes.grid(alpha=0.3)
        if axes.get_legend_handles_labels()[0]:
            axes.legend()
