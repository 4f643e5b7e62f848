"""What LLaMA-Factory wants beside its files: `dataset_info.json`, an entry a folder of shards.

By `data/README.md` and `src/llamafactory/data/{parser,loader,converter}.py` of
hiyouga/LLaMA-Factory: a `file_name` may be a folder whose files are all of one type, and of
`columns` only those count that are named.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeAlias

from hch.formats._messages import without, without_two, without_verdict
from hch.rows import Kind, Row

Stage: TypeAlias = Literal["sft", "dpo", "kto"]
"""LLaMA-Factory's stages of training that want different columns."""

KINDS: Mapping[Stage, tuple[Kind, ...]] = {
    "sft": ("answer", "decision"),
    "dpo": ("preference",),
    "kto": ("answer", "preference"),
}


def without_for(stage: Stage, row: Row) -> str | None:
    """What a row lacks to be learned from in that stage."""
    return {"sft": without, "dpo": without_two, "kto": without_verdict}[stage](row)


def verdicts(row: Row) -> list[tuple[str, bool]]:
    """The replies of a row for KTO, and whether each is one to give."""
    if row.kind == "preference":
        return [(row.completion, True), (row.rejected, False)]
    return [(row.completion, bool(row.good))]


def apart(row: Row) -> tuple[str, list[tuple[str, str]]]:
    """The system's text of a prompt, empty where there is none, and the other turns of it."""
    first, *others = row.prompt
    system = first.role == "system"
    return first.content if system else "", [*others] if system else [first, *others]


def dataset_info(folders: Iterable[str], entry: Mapping[str, Any]) -> Mapping[str, str]:
    """The file, by its name; `answer/train` is the dataset `answer-train` there."""
    entries = {
        folder.replace("/", "-"): {"file_name": folder, **entry} for folder in sorted(folders)
    }
    return {"dataset_info.json": json.dumps(entries, indent=2) + "\n"}
