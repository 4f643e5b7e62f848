"""docs/formats.md shows what each format writes, and has every format and option in its table."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path

import pytest

from hch import registry
from hch.rows import KINDS
from tests.formats.rows import whole
from tests.formats.test_consumers import FOLDER, made

PAGE = (Path(__file__).parents[2] / "docs" / "formats.md").read_text("utf-8")
NAMES = sorted(path.stem.replace("_", "-") for path in FOLDER.glob("[!_]*.py"))
SECTIONS = {part.partition("\n")[0]: part for part in PAGE.split("\n## ")}


@pytest.mark.parametrize("name", NAMES)
def test_the_lines_that_the_page_shows_are_what_a_format_writes(name: str) -> None:
    shown = [
        [json.loads(line) for line in block.splitlines()]
        for block in re.findall(r"(?s)```json\n(.*?)\n```", SECTIONS[name])
    ]
    stages = ["sft", "dpo", "kto"] if len(shown) == 3 else []
    forms = [made(f"{name},stage={stage}") for stage in stages] or [made(name)]
    written = [list(form.encode(whole(kind))) for form in forms for kind in form.kinds]
    assert shown[0] == written[0]
    assert all(lines in written for lines in shown)


@pytest.mark.parametrize("name", NAMES)
def test_the_table_has_every_format_with_its_kinds_and_options(name: str) -> None:
    [row] = [line for line in PAGE.splitlines() if line.startswith(f"| [{name}](#{name})")]
    _, _, kinds, _, options, _ = re.split(r"(?<!\\)\|", row)
    assert [kind for kind in re.split(r"[,;] ?", kinds.strip()) if kind in KINDS] == list(
        made(name).kinds
    )
    takes = inspect.signature(registry.load("formats", name).build).parameters
    assert re.findall(r"`(\w+)=", options) == list(takes)
