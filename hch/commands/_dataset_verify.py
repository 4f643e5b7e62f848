"""Compares a dataset with its manifest and with the store."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Annotated

from typer import Exit, Option

from hch.commands._completion import complete_folder
from hch.commands._dataset_given import FolderArgument, RunsOption, opened
from hch.commands._given import check_filled
from hch.commands._options import ObjectOption
from hch.commands._terminal import say, say_json, tell
from hch.errors import UsageError
from hch.safe_text import one_line
from hch.words import count

if TYPE_CHECKING:
    from hch.datasets.dataset import Dataset
    from hch.datasets.manifest import Manifest
    from hch.datasets.verifying import Fault

SHOWN = 3
"""How many runs are named that the store lacks."""


def verify_dataset(
    folder: FolderArgument,
    files: Annotated[
        bool, Option("--files", help="Compare the files alone, and no runs with the store.")
    ] = False,
    extends: Annotated[
        str | None,
        Option(
            metavar="DIR",
            help="Also say whether all rows of this dataset are where they were.",
            autocompletion=complete_folder,
        ),
    ] = None,
    store: RunsOption = None,
    as_json: ObjectOption = False,
) -> None:
    """Say whether a dataset is what its manifest says, a line for each thing that differs.

    Every file is read and compared with its hash, its size and its number of rows; every row's
    origin is to be of a run that the manifest names. Then each run is compared with what it was
    when the dataset was made, where the store still has it. Nothing is changed.

    Exit status:
      0  All is as the manifest has it; a run that the store lacks is told on stderr.
      1  Something differs.
      2  There is no dataset, or its manifest is none.
      5  The store cannot be read.
      6  Parquet lacks its package.

    Examples:
      hch dataset verify rivers
      hch dataset verify rivers --files --json
      hch dataset verify more --extends rivers

    See also:
      hch dataset build, hch store check, docs/dataset-files.md
    """
    check_filled(DIR=folder, extends=extends, store=store)
    if files and store is not None:
        raise UsageError("--files compares nothing with a store: leave out --store")
    dataset = opened(folder)
    first = opened(extends).manifest if extends else None
    found = _Found(dataset, as_json=as_json)
    found.compare_files()
    if first:
        found.compare_rows(first)
    if not files:
        found.compare_runs(store)
    found.report()
    if found.faults:
        raise Exit(1)


class _Found:
    """What differs, told as it is found; `missing` are the runs that the store lacks."""

    def __init__(self, dataset: Dataset, *, as_json: bool) -> None:
        self._dataset, self._json = dataset, as_json
        self.faults: list[Fault] = []
        self._missing: list[str] = []
        self._compared = 0
        self._place = ""

    def compare_files(self) -> None:
        from hch.datasets.verifying import faults

        for fault in faults(self._dataset):
            self._tell(fault)

    def compare_rows(self, first: Manifest) -> None:
        from hch.datasets.verifying import moved

        for fault in moved(self._dataset, first):
            self._tell(fault)

    def compare_runs(self, store: str | None) -> None:
        from hch.compose import HCH
        from hch.datasets.verifying import Fault, unlike

        with closing(HCH(store=store).kept_in) as kept_in:
            self._place = kept_in.place
            there = {row.run for row in kept_in.runs()}
            for entry in self._dataset.manifest.runs:
                if entry.run not in there:
                    self._missing.append(entry.run)
                    continue
                self._compared += 1
                if (why := unlike(kept_in, entry)) is not None:
                    self._tell(Fault("run", entry.run, why))

    def _tell(self, fault: Fault) -> None:
        self.faults.append(fault)
        if not self._json:
            say(fault.line())

    def report(self) -> None:
        from hch.datasets.manifest import totals

        manifest = self._dataset.manifest
        files, rows = len(manifest.files), totals(manifest.counts)
        if self._missing:
            some = ", ".join(one_line(run, 80) for run in self._missing[:SHOWN])
            more = len(self._missing) - SHOWN
            rest = f" and {more:,} more" if more > 0 else ""
            tell(f"not in {self._place}, so not compared: {some}{rest}")
        if self._json:
            say_json({
                "well": not self.faults, "files": files, "rows": rows, "runs": self._compared,
                "missing": self._missing, "faults": [fault._asdict() for fault in self.faults],
            })  # fmt: skip
        elif not self.faults:
            what = f"{count(files, 'file')}, {rows:,} rows, {count(self._compared, 'run')} compared"
            tell(f"nothing differs in {self._dataset.folder}: {what}")
