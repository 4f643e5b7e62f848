"""Training data from runs: builds it, verifies it, counts it, looks at it."""

from __future__ import annotations

from typer import Context, Typer

from hch.commands._dataset_build import build_dataset
from hch.commands._dataset_look import look_at_dataset
from hch.commands._dataset_stats import stats_of_dataset
from hch.commands._dataset_verify import verify_dataset
from hch.commands._page import group
from hch.commands._terminal import say


def build() -> Typer:
    return group(
        dataset,
        build=build_dataset,
        verify=verify_dataset,
        stats=stats_of_dataset,
        look=look_at_dataset,
    )


def dataset(ctx: Context) -> None:
    """Make training data of runs, and see what it is; alone, what there is to do.

    A dataset is a folder: rows in files by kind and split, where each row is from, a card for
    datasets.load_dataset, and a manifest with the hash of every file.

    Exit status:
      0  Done; of verify, nothing differs.
      1  Of verify: something differs.
      2  Wrong use, or there is no dataset.
      5  The store cannot be read.
      6  A package is missing.

    Examples:
      hch dataset build 260102-030405 --out rivers
      hch dataset verify rivers
      hch dataset stats rivers
      hch dataset look rivers 7

    See also:
      hch generate, hch runs, docs/datasets.md, docs/dataset-files.md
    """
    if ctx.invoked_subcommand is None:
        say(ctx.get_help())
