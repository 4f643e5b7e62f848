"""Answers by instance and question: what a learner that is a table knows, as one text and back.

    {"hch":"table","format":1,"answers":{INSTANCE:{QUESTION:"5",QUESTION:{"4":0.25,"5":0.75}}}}

An instance is named by its digest, and by nothing where a question has none. Equal tables are equal
texts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from hashlib import sha256
from math import inf
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias

from pydantic import BaseModel, ConfigDict, InstanceOf, PlainValidator, ValidationError

from hch.chance import Chance
from hch.errors import ConfigError
from hch.registry import canonical
from hch.safe_text import one_line
from hch.settings import reason

UNKNOWN = "CANNOT ANSWER: the table has no answer to it"
"""What is said to a question that has no row."""

DIGITS = 12

FORMAT = 1

Said: TypeAlias = str | Mapping[str, float]
"""An answer, or answers by how likely each is."""

_EXACT = 1e-9
"""How near to 1 the shares of a distribution add up."""


class Kept(NamedTuple):
    """What is said to a question about an instance; None takes away what was said before."""

    instance: str | None
    question: str
    said: Said | None


class Table:
    """What is said to each question about each instance; of two rows about one the later holds.

    Raises ValueError for weights that are no weights.
    """

    def __init__(self, rows: Iterable[tuple[str | None, str, Said | None]] = ()) -> None:
        answers: dict[str, dict[str, Said]] = {}
        for instance, question, said in rows:
            about = answers.setdefault(instance or "", {})
            if said is None:
                about.pop(question, None)
            else:
                about[question] = said if isinstance(said, str) else _shares(said)
        self._answers = {instance: about for instance, about in answers.items() if about}

    @classmethod
    def read(cls, text: str) -> Table:
        """The table of that text. Raises ValueError with what is wrong, and where."""
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"it is no JSON: {error}") from error
        if not isinstance(data, dict):
            raise ValueError("it is no JSON object")
        try:
            file = _File.model_validate(data)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ", ".join(one_line(str(step), 60) for step in first["loc"])
            raise ValueError(f"{place}: {reason(first['msg'])}") from error
        return cls(
            (instance, question, said)
            for instance, about in file.answers.items()
            for question, said in about.items()
        )

    def find(
        self, instance: str | None, question: str, seed: int, chance: Chance | None = None
    ) -> str | None:
        """What is said to a question, None where nothing is; drawn, if there are several answers.

        The same draw for the same instance, question and seed. Whoever asks often has a `chance`
        of its own at hand, since to make one takes longer than all else.
        """
        about = self._answers.get(instance or "")
        said = None if about is None else about.get(question)
        if said is None or isinstance(said, str):
            return said
        return _at(said, (chance or Chance()).named(seed, instance, question).random())

    def rows(self) -> Iterator[Kept]:
        """All that it has, in the order in which it was said."""
        for instance, about in self._answers.items():
            for question, said in about.items():
                yield Kept(instance or None, question, said)

    def __len__(self) -> int:
        return sum(map(len, self._answers.values()))

    @cached_property
    def text(self) -> str:
        """The table as one line of JSON, sorted."""
        file = {"hch": "table", "format": FORMAT, "answers": self._answers}
        return json.dumps(file, ensure_ascii=False, separators=(",", ":"), sort_keys=True)

    @cached_property
    def digest(self) -> str:
        """The sha256 of the text in hex."""
        return sha256(self.text.encode("utf-8", "surrogatepass")).hexdigest()


def on_shelf(name: str) -> str:
    """Where a store has the table of that name."""
    return f"table/{name}"


def spec_of(name: str, table: Table) -> str:
    """The spec of just this table."""
    return canonical("table", name, {"sha": table.digest[:DIGITS]})


def found(name: str, shelf: Callable[[str], str | None], sha: str | None) -> Table:
    """The table of that name on a shelf, its digest beginning so.

    Raises ConfigError where there is none, or another, or one that cannot be read.
    """
    text = shelf(on_shelf(name))
    if text is None:
        raise ConfigError(
            f"there is no table {name!r} in the store: hch iterate list names those there are, as "
            "NAME/ROUND, and --store says which store is meant"
        )
    try:
        table = Table.read(text)
    except ValueError as error:
        raise ConfigError(f"the table {name!r} cannot be read: {error}") from error
    if sha is not None and sha != (now := table.digest[:DIGITS]):
        raise ConfigError(
            f"the table {name!r} is not the one that is meant: its sha is {now}, and not {sha}; "
            "leave sha= out to take it as it is, or bring the other one back"
        )
    return table


def _shares(weights: Mapping[str, float]) -> Said:
    """Weights as shares of 1 in the order of the answers; a sure answer as itself."""
    if not weights or not all(0 < weight < inf for weight in weights.values()):
        raise ValueError(f"weights are numbers above 0, which {dict(weights)} are not")
    if len(weights) == 1:
        return next(iter(weights))
    total = sum(weights.values())
    whole = 1.0 if abs(total - 1) < _EXACT else total
    return {answer: weights[answer] / whole for answer in sorted(weights)}


def _at(shares: Mapping[str, float], point: float) -> str:
    """The answer at a point from 0 to 1; the last one where rounding has left a gap."""
    answer = ""
    for answer, share in shares.items():  # noqa: B007 - it is what is left at the end
        point -= share
        if point < 0:
            break
    return answer


def _said(value: Any) -> Said:
    if isinstance(value, str):
        return value
    if not isinstance(value, dict) or not value:
        raise ValueError("it is neither a text nor texts with their weights")
    for weight in value.values():
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight <= 1:
            raise ValueError("its weights are not all numbers above 0 and up to 1")
    return value


_Chars: TypeAlias = InstanceOf[str]
"""Any Python string: unlike pydantic's own, lone surrogates pass."""


class _File(BaseModel):
    """A table as it is written."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hch: Literal["table"]
    format: Literal[1]
    answers: dict[_Chars, dict[_Chars, Annotated[Any, PlainValidator(_said)]]]
