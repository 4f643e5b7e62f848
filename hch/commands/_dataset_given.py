"""A dataset as it is named on a command line."""

from __future__ import annotations

from os.path import realpath
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

from typer import Argument, Option

from hch.commands._completion import complete_file, complete_folder
from hch.errors import UsageError
from hch.safe_text import one_line

if TYPE_CHECKING:
    from hch.datasets.dataset import Dataset

WIDTH = 100
"""Columns where stdout is no terminal."""

FolderArgument: TypeAlias = Annotated[
    str,
    Argument(
        metavar="DIR",
        help="The folder of a dataset, as hch dataset build made it.",
        autocompletion=complete_folder,
    ),
]
RunsOption: TypeAlias = Annotated[
    str | None,
    Option(
        metavar="FILE",
        help="Where its runs are kept. [traces/hch.db]",
        autocompletion=complete_file,
    ),
]


def opened(given: str) -> Dataset:
    """The dataset of that folder. Raises UsageError where there is none."""
    from hch.datasets.dataset import Dataset

    folder = Path(given)
    try:
        is_folder = folder.is_dir()
    except (OSError, ValueError):
        is_folder = False
    if not is_folder:
        raise UsageError(f"there is no folder {one_line(given, 200)}: hch dataset build makes one")
    return Dataset(folder)


def check_outside(folder: Path, **written: str | None) -> None:
    """Raises UsageError for a file to be written that would be one of the dataset's."""
    inside = f"{realpath(folder)}/"
    for name, path in written.items():
        if path is not None and realpath(path).startswith(inside):
            raise UsageError(f"--{name} {one_line(path)} is within the dataset: name another file")
