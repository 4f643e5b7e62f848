"""`hch dataset build` on the command line: what its options may be, and how signals end it."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import get_args

import pytest

from hch.commands._dataset_build import Apart, As, By
from hch.commands._stopping import ending
from hch.datasets import cleaning, recipe, shards
from hch.datasets.place import building


def test_every_way_that_there_is_can_be_typed() -> None:
    assert tuple(As) == get_args(shards.Container)
    assert tuple(Apart) == get_args(cleaning.Apart)
    assert tuple(By) == get_args(recipe.By)


def stopped(out: Path, number: signal.Signals) -> None:
    """A build that gets that signal, and all of them while it takes away what it made."""
    with ending(), building(out) as folder:
        (folder / "rows.jsonl").write_text("{}")
        try:
            signal.raise_signal(number)
        finally:
            for again in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.raise_signal(again)
            (folder / "rows.jsonl").write_text("")


@pytest.mark.parametrize(
    ("number", "error", "code"),
    [
        (signal.SIGTERM, SystemExit, (143,)),
        (signal.SIGHUP, SystemExit, (129,)),
        (signal.SIGINT, KeyboardInterrupt, ()),
    ],
)
def test_of_many_signals_the_first_ends_a_build_and_nothing_is_left(
    number: signal.Signals, error: type[BaseException], code: tuple[int, ...], tmp_path: Path
) -> None:
    before = {each: signal.getsignal(each) for each in signal.Signals}
    with pytest.raises(error) as caught:
        stopped(tmp_path / "d", number)
    assert caught.value.args == code
    assert list(tmp_path.iterdir()) == []
    assert {each: signal.getsignal(each) for each in signal.Signals} == before
