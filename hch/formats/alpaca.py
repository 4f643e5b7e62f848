"""`{"instruction", "input", "output", "system"}` with a `dataset_info.json`: LLaMA-Factory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from hch.formats._llama_factory import KINDS, Stage, apart, dataset_info, verdicts, without_for
from hch.formats._messages import thoughtful
from hch.protocols import Column, Format
from hch.rows import Row

_SAID: Mapping[Stage, Mapping[str, Column]] = {
    "sft": {"output": "text"},
    "dpo": {"chosen": "text", "rejected": "text"},
    "kto": {"output": "text", "label": "flag"},
}


class Alpaca(Format):
    """The one message of the user as `instruction`, the system's, and the reply.

    `input` is empty, since LLaMA-Factory puts it after the instruction and a line break.
    """

    def __init__(self, stage: Stage, inline: bool) -> None:
        self._stage, self._inline = stage, inline
        self.kinds, self.judged = KINDS[stage], stage == "kto"
        self.columns = {"instruction": "text", "input": "text", **_SAID[stage], "system": "text"}

    def lacks(self, row: Row) -> str | None:
        if lack := without_for(self._stage, row):
            return lack
        one = [role for role, _ in apart(row)[1]] == ["user"]
        return None if one else "a prompt of one message of the user"

    def encode(self, row: Row) -> Sequence[Mapping[str, Any]]:
        system, [(_, asked)] = apart(row)
        return [
            {"instruction": asked, "input": "", **said, "system": system}
            for said in self._said(row)
        ]

    def _said(self, row: Row) -> Sequence[Mapping[str, Any]]:
        if self._stage == "dpo":
            return [{"chosen": row.completion, "rejected": row.rejected}]
        if self._stage == "kto":
            return [{"output": text, "label": label} for text, label in verdicts(row)]
        inline = self._inline
        return [{"output": thoughtful(row.completion, row.thinking) if inline else row.completion}]

    def beside(self, folders: Mapping[str, Sequence[str]]) -> Mapping[str, str]:
        names = {"prompt": "instruction", "query": "input", "system": "system"}
        if self._stage == "dpo":
            names |= {"chosen": "chosen", "rejected": "rejected"}
        else:
            names |= {"response": "output"}
        if self._stage == "kto":
            names |= {"kto_tag": "label"}
        ranking = {"ranking": True} if self._stage == "dpo" else {}
        return dataset_info(folders, {"formatting": "alpaca", **ranking, "columns": names})


def build(*, stage: Stage = "sft", reasoning: Literal["out", "inline"] = "out") -> Format:
    """`stage` is LLaMA-Factory's; `reasoning` counts in SFT only."""
    return Alpaca(stage, reasoning == "inline")
