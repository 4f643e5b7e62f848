"""The lines of PRM800K, of Lightman et al. 2023 (arXiv 2305.20050): each step has a rating.

What a row does not tell is null: times, the truth, the answer apart from the solution, the
verifier's score. A rating is 1 for a right step, -1 for a wrong one, and 0 for a right one whose
score is 0: it is not wrong, and gets nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hch.protocols import Column, Format
from hch.rows import Row, Step

_COMPLETION: Column = {"text": "text", "rating": "whole", "flagged": "flag"}
_BY_HAND: Column = {"text": "text", "rating": "whole", "source": "text", "flagged": "flag"}
_STEP: Column = {
    "completions": [_COMPLETION],
    "human_completion": _BY_HAND,
    "chosen_completion": "whole",
}

_COLUMNS: Mapping[str, Column] = {
    "labeler": "text",
    "timestamp": "text",
    "generation": "whole",
    "is_quality_control_question": "flag",
    "is_initial_screening_question": "flag",
    "question": {
        "problem": "text",
        "ground_truth_solution": "text",
        "ground_truth_answer": "text",
        "pre_generated_steps": ["text"],
        "pre_generated_answer": "text",
        "pre_generated_verifier_score": "number",
    },
    "label": {"steps": [_STEP], "total_time": "whole", "finish_reason": "text"},
}


class PRM800K(Format):
    """A line as `openai/prm800k` has it: the question, the solution, and a rating a step."""

    kinds = ("step",)
    columns = _COLUMNS

    def lacks(self, row: Row) -> str | None:
        return None if row.steps else "steps"

    def encode(self, row: Row) -> Sequence[Mapping[str, Any]]:
        question = {
            "problem": row.question,
            "ground_truth_solution": None,
            "ground_truth_answer": None,
            "pre_generated_steps": [step.text for step in row.steps],
            "pre_generated_answer": None,
            "pre_generated_verifier_score": None,
        }
        label = {
            "steps": [_rated(step) for step in row.steps],
            "total_time": None,
            "finish_reason": _end(row),
        }
        line = {
            "labeler": row.by or None,
            "timestamp": None,
            "generation": None,
            "is_quality_control_question": False,
            "is_initial_screening_question": False,
            "question": question,
            "label": label,
        }
        return [line]


def _rated(step: Step) -> Mapping[str, Any]:
    rating = -1 if not step.good else 0 if step.score == 0 else 1
    return {
        "completions": [{"text": step.text, "rating": rating, "flagged": None}],
        "human_completion": None,
        "chosen_completion": 0,
    }


def _end(row: Row) -> str | None:
    """Where labelling ended, in the words of PRM800K; None where it is not known."""
    if not all(step.good for step in row.steps):
        return "found_error"
    return "solution" if row.good else None


def build() -> Format:
    return PRM800K()
