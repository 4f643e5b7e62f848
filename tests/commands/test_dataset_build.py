"""`hch dataset build` on the command line: what its options may be, and how signals end it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from hch.commands._dataset_build import Apart, As, By
from hch.datasets import cleaning, recipe, shards


def test_every_way_that_there_is_can_be_typed() -> None:
    assert tuple(As) == get_args(shards.Container)
    assert tuple(Apart) == get_args(cleaning.Apart)
    assert tuple(By) == get_args(recipe.By)


STOPPED = """
import signal, sys
from pathlib import Path
from hch.commands._stopping import ending
from hch.datasets.place import building, give_up

def take_away():
    for again in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.raise_signal(again)
    give_up(Path("d"))

with ending(take_away), building(Path("d")) as folder:
    (folder / "rows.jsonl").write_text("{}")
    signal.raise_signal(int(sys.argv[1]))
"""
"""A build that gets that signal, and all of them while it takes away what it made."""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_of_many_signals_the_first_ends_a_build_and_nothing_is_left(
    number: signal.Signals, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", STOPPED, str(int(number))]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 128 + number
    assert done.stderr == f"hch: stopped by {number.name}\n"
    assert list(tmp_path.iterdir()) == []
