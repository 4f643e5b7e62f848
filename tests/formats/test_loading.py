"""`datasets.load_dataset` reads what a format writes, from JSONL and from Parquet alike."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import pytest

from hch.datasets.card import Card
from hch.datasets.shards import Container, Shards, write_text
from hch.rows import Turn
from tests.formats.rows import whole
from tests.formats.test_consumers import CONSUMERS, made

ODD = "\x00 é\u2028\r\n\U0001f600 =1+1 </think>"


def lines_of(spec: str, kind: str) -> list[Any]:
    """Rows with nothing where nothing need be, then odd texts and all that there can be."""
    form, row = made(spec), whole(kind)
    bare = replace(row, thinking="", by="", origin=replace(row.origin, model=None, revision=None))
    odd = replace(row, prompt=(Turn("user", ODD),), completion=ODD, thinking=ODD)
    return [line for each in (bare, bare, odd, row) for line in form.encode(each)]


def known(value: Any) -> Any:
    """The value without the fields of which nothing is known, which a file need not tell apart."""
    if isinstance(value, dict):
        return {name: known(one) for name, one in value.items() if one is not None}
    return [known(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("container", ["jsonl", "parquet"])
@pytest.mark.parametrize("spec", CONSUMERS)
def test_datasets_loads_the_folder_of_every_format(
    spec: str, container: Container, tmp_path: Path
) -> None:
    form, folder = made(spec), tmp_path / "made"
    lines = {kind: lines_of(spec, kind) for kind in form.kinds}
    with Shards(folder, form.columns, container, rows=2) as shards:
        for kind in form.kinds:
            for line in lines[kind]:
                shards.write(kind, "train", json.dumps(line), "{}")
        names = [entry.path.rpartition("/") for entry in shards.close()]
    counts = {kind: {"train": len(lines[kind])} for kind in form.kinds}
    card = Card(spec, container, form.columns, counts, 1, "hch dataset build")
    write_text(folder, "README.md", card.text())
    shown = {parent: [name] for parent, _, name in names if not parent.startswith("origins")}
    for name, text in form.beside(shown).items():
        write_text(folder, name, text)
    for kind in form.kinds:
        cache = str(tmp_path / "cache")
        loaded = datasets.load_dataset(str(folder), kind, split="train", cache_dir=cache)
        assert loaded.column_names == list(form.columns)
        assert [known(row) for row in loaded] == [known(line) for line in lines[kind]]
