"""Two rows of evaluations, of one run or of two, on the questions that both were asked."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

from hch.errors import UsageError
from hch.evals.paired import Paired, compared
from hch.evals.rows import Given, Row
from hch.types import Question

_Key: TypeAlias = tuple[str, tuple[str, ...], str | None]


@dataclass(frozen=True, slots=True)
class Comparison:
    """How two rows fare on the `questions` that they share: the same text, context and instance.

    `only_one` and `only_other` are how many questions just that row was asked, and `apart` to how
    many the two expect another answer, or only one of them expects any. In `paired` the one is the
    first.
    """

    one: Row
    other: Row
    questions: int
    only_one: int
    only_other: int
    apart: int
    paired: Paired

    @classmethod
    def of(cls, one: Row, other: Row) -> Comparison:
        """The comparison. Raises UsageError where they have no question in common."""
        mine, yours = _by_question(one), _by_question(other)
        shared = [key for key in mine if key in yours]
        if not shared:
            raise UsageError(
                f"{_name(one)} and {_name(other)} share no question: compare rows that were asked "
                "the same questions, such as evaluations of one task with the same --seed, --count "
                "and --instances"
            )
        pairs = [(mine[key].right is True, yours[key].right is True) for key in shared]
        paired = compared([a for a, _ in pairs], [b for _, b in pairs])
        apart = sum(mine[key].expected != yours[key].expected for key in shared)
        n = len(shared)
        return cls(one, other, n, len(mine) - n, len(yours) - n, apart, paired)

    def json(self) -> dict[str, Any]:
        """It as JSON-like data, without the rows' own figures."""
        return {
            "one": _plain(self.one),
            "other": _plain(self.other),
            "questions": self.questions,
            "only_one": self.only_one,
            "only_other": self.only_other,
            "expected_apart": self.apart,
            **asdict(self.paired),
        }


def _by_question(row: Row) -> dict[_Key, Given]:
    return {_key(given.question): given for given in row.answers}


def _key(question: Question) -> _Key:
    context = tuple(text.body for text in question.context)
    return question.text.body, context, question.instance


def _name(row: Row) -> str:
    return f"row {row.number} ({row.label}, depth {row.depth})"


def _plain(row: Row) -> dict[str, Any]:
    return {
        "row": row.number,
        "label": row.label,
        "depth": row.depth,
        "what": row.what,
        "scorer": row.scorer,
    }
