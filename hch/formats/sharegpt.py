"""`{"conversations": [{"from", "value"}], "system"}` with a `dataset_info.json`: LLaMA-Factory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from hch.formats._llama_factory import KINDS, Stage, apart, dataset_info, verdicts, without_for
from hch.formats._messages import thoughtful
from hch.protocols import Column, Format
from hch.rows import Row

_SAID: Column = {"from": "text", "value": "text"}
_SPEAKERS = {"user": "human", "assistant": "gpt"}
_TAGS = {
    "role_tag": "from",
    "content_tag": "value",
    "user_tag": "human",
    "assistant_tag": "gpt",
    "observation_tag": "observation",
    "function_tag": "function_call",
    "system_tag": "system",
}


class ShareGPT(Format):
    """The turns of the prompt and the reply; for DPO two replies beside the prompt.

    In SFT every reply of a conversation is learned, so that the prompt may have none.
    """

    def __init__(self, stage: Stage, inline: bool) -> None:
        self._stage, self._inline = stage, inline
        self.kinds, self.judged = KINDS[stage], stage == "kto"
        more: Mapping[Stage, Mapping[str, Column]] = {
            "sft": {},
            "dpo": {"chosen": _SAID, "rejected": _SAID},
            "kto": {"label": "flag"},
        }
        self.columns = {"conversations": [_SAID], "system": "text", **more[stage]}

    def lacks(self, row: Row) -> str | None:
        if lack := without_for(self._stage, row):
            return lack
        roles = [role for role, _ in apart(row)[1]]
        turns = [("user", "assistant")[place % 2] for place in range(len(roles))]
        if roles != turns or len(roles) % 2 == 0:
            return "a prompt in which user and assistant take turns"
        return "a prompt without replies in it" if self._stage == "sft" and roles[1:] else None

    def encode(self, row: Row) -> Sequence[Mapping[str, Any]]:
        system, turns = apart(row)
        said = [_said(_SPEAKERS[role], content) for role, content in turns]
        if self._stage == "dpo":
            pair = {"chosen": _said("gpt", row.completion), "rejected": _said("gpt", row.rejected)}
            return [{"conversations": said, "system": system, **pair}]
        if self._stage == "kto":
            return [
                {"conversations": [*said, _said("gpt", text)], "system": system, "label": label}
                for text, label in verdicts(row)
            ]
        text = thoughtful(row.completion, row.thinking) if self._inline else row.completion
        return [{"conversations": [*said, _said("gpt", text)], "system": system}]

    def beside(self, folders: Mapping[str, Sequence[str]]) -> Mapping[str, str]:
        names = {"messages": "conversations", "system": "system"}
        if self._stage == "dpo":
            names |= {"chosen": "chosen", "rejected": "rejected"}
        elif self._stage == "kto":
            names |= {"kto_tag": "label"}
        ranking = {"ranking": True} if self._stage == "dpo" else {}
        return dataset_info(
            folders, {"formatting": "sharegpt", **ranking, "columns": names, "tags": _TAGS}
        )


def _said(speaker: str, text: str) -> Mapping[str, str]:
    return {"from": speaker, "value": text}


def build(*, stage: Stage = "sft", reasoning: Literal["out", "inline"] = "out") -> Format:
    """`stage` is LLaMA-Factory's; `reasoning` counts in SFT only."""
    return ShareGPT(stage, reasoning == "inline")
