"""The traces in traces/examples played once more: what hch does otherwise is seen at its node."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.commands.terminal import Done
from tests.golden import ASKED, FOLDER
from tests.rivers import NAME

NAMES = (*ASKED, NAME)


def test_each_is_listed() -> None:
    listed = (FOLDER / "README.md").read_text("utf-8")
    assert {path.stem for path in FOLDER.glob("*.jsonl")} == set(NAMES)
    assert all(f"`{name}.jsonl`" in listed for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_it_comes_to_the_same(typed: Callable[..., Done], name: str) -> None:
    path = FOLDER / f"{name}.jsonl"
    brought = typed("import", str(path), "--store", "golden.db")
    assert brought.code == 0, brought.err
    again = typed("replay", brought.out.strip(), "--store", "golden.db")
    assert again.code == 0, again.err
    assert "comes to the same, to the byte" in again.err
    out = typed("export", brought.out.strip(), "--store", "golden.db")
    assert out.out.encode() == path.read_bytes()
