"""The ledger of an iterated amplification: how it was set up, and every generation of it.

As text it is lines of JSON: the settings and X_0, then a line for each generation. The same
settings give the same lines, but for the `seconds` in them.
"""

from __future__ import annotations

import json
import re
from typing import Annotated, Literal, Self, TypeAlias, TypeVar

from pydantic import AfterValidator, Field, ValidationError, model_validator

from hch.errors import UsageError
from hch.registry import Spec
from hch.settings import reason
from hch.types import digest
from hch.wire import Wire

Count: TypeAlias = Annotated[int, Field(ge=0, le=10**15)]
Drawn: TypeAlias = Annotated[int, Field(ge=1, le=1_000_000)]
Seconds: TypeAlias = Annotated[float, Field(ge=0, le=1e9)]


INSTANCES = 10_000
"""The most that one iteration is about."""


def _range(text: str) -> range:
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def _numbered(text: str) -> str:
    if not re.fullmatch("[0-9]{1,9}(-[0-9]{1,9})?", text):
        raise ValueError("write a number, or the first and the last as in 0-19")
    if not 1 <= len(_range(text)) <= INSTANCES:
        raise ValueError(f"these are not 1 to {INSTANCES:,} instances")
    found = _range(text)
    return f"{found[0]}-{found[-1]}" if len(found) > 1 else f"{found[0]}"


def _spelt(spec: str) -> str:
    """A spec without the spaces that somebody put into it."""
    try:
        return str(Spec.parse(spec))
    except UsageError as error:
        raise ValueError(str(error)) from error


class Settings(Wire):
    """What an iterated amplification is made from; all of it is in the name it has by default.

    `instances` are numbers of the task's, as `7` or `0-19`. Targets are made for the whole question
    space, or for a `sample` of so many questions of each instance, anew in each generation;
    `targets` is how many independent ones a question gets. `errors` is the rate at which H errs.
    A generation that is worse on `held_out` questions, drawn by the task's law, is taken only with
    `take_worse`.
    """

    task: Annotated[str, AfterValidator(_spelt)]
    learner: Annotated[str, AfterValidator(_spelt)] = "table"
    instances: Annotated[str, AfterValidator(_numbered)] = "0"
    sample: Drawn | None = None
    targets: Annotated[int, Field(ge=1, le=1000)] = 1
    errors: Annotated[float, Field(ge=0, le=1)] = 0.0
    held_out: Drawn = 1000
    take_worse: bool = False
    seed: int = 0

    @property
    def name(self) -> str:
        """What an iteration is called that nobody names: these settings come to it again."""
        return f"{self.task.partition(',')[0]}-{digest(self.model_dump())[:8]}"

    @property
    def numbers(self) -> range:
        """The instances, by number."""
        return _range(self.instances)

    def seed_of(self, generation: int) -> int:
        """The seed of the run that the targets of a generation would come from: 48 bits."""
        return int(digest(self.seed, generation)[:12], 16)


class Score(Wire):
    """Of so many answers: how many are no "don't know", how many right, also by other measures.

    `measures` are [right, of] by name, for those of a task that applied.
    """

    of: Count
    answered: Count
    right: Count
    measures: dict[str, tuple[Count, Count]] = Field({})

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        pairs = [(self.right, self.of), (self.answered, self.of), *self.measures.values()]
        if any(some > of for some, of in pairs):
            raise ValueError("there are more of some than there are in all")
        return self

    @property
    def accuracy(self) -> float:
        return self.right / self.of if self.of else 0.0

    @property
    def is_perfect(self) -> bool:
        return self.right == self.of


class Work(Wire):
    """What a generation's targets took: calls of H, sub-questions it asked, calls of X, primitives.

    A call of H or of X is a distinct question to it; sub-questions and primitives count as asked.
    """

    h: Count
    asked: Count
    x: Count
    primitives: Count


class Generation(Wire):
    """X_t := distil(Amplify^H(X)), X being the one before that was taken.

    `model` is X_t as a model's spec, and `kept` the names of what a store keeps of it. `seed` is
    that of the run whose answers the targets are. `held_out` is the score of X on the held-out
    questions before, then that of X_t. `seconds` are what each part took.
    """

    number: Annotated[int, Field(ge=1)]
    model: str
    kept: tuple[str, ...]
    before: str
    seed: int
    questions: Count
    targets: Score
    learned: Score
    held_out: tuple[Score, Score]
    work: Work
    taken: bool
    why: str
    seconds: dict[str, Seconds]

    @property
    def is_worse(self) -> bool:
        """Whether it gets less of the held-out questions right than the X before it."""
        before, after = self.held_out
        return after.right < before.right


def is_name(text: str) -> bool:
    """Whether an iteration can be called so."""
    return bool(re.fullmatch("[A-Za-z0-9][A-Za-z0-9._-]{0,99}", text))


def _named(text: str) -> str:
    if not is_name(text):
        raise ValueError("it is no name for an iteration")
    return text


class Ledger(Wire):
    """An iterated amplification so far; X_0 is `start`, the rest are in order."""

    hch: Literal["ledger"] = "ledger"
    format: Literal[1] = 1
    name: Annotated[str, AfterValidator(_named)]
    settings: Settings
    start: str
    start_kept: tuple[str, ...]
    generations: tuple[Generation, ...] = ()

    @property
    def standing(self) -> Generation | None:
        """The generation that was taken last."""
        return next((made for made in reversed(self.generations) if made.taken), None)

    @property
    def model(self) -> str:
        """The spec of the X that stands."""
        return self.standing.model if self.standing else self.start

    @property
    def is_over(self) -> bool:
        """Whether the X that stands is right wherever it was asked: there is nothing to learn."""
        made = self.standing
        return made is not None and made.learned.is_perfect and made.held_out[1].is_perfect

    def and_then(self, made: Generation) -> Ledger:
        """The ledger with one more generation."""
        return self.model_copy(update={"generations": (*self.generations, made)})

    @property
    def text(self) -> str:
        head = self.model_dump(mode="json", exclude={"generations"})
        rest = (made.model_dump(mode="json") for made in self.generations)
        return "".join(f"{json.dumps(line, separators=(',', ':'))}\n" for line in (head, *rest))

    @classmethod
    def read(cls, text: str, name: str) -> Ledger:
        """The ledger of that name. Raises ValueError, saying which line of the text is wrong."""
        lines = text.splitlines()
        if not lines:
            raise ValueError("it is empty")
        made = [_line(Generation, line, n) for n, line in enumerate(lines[1:], 2)]
        head = _line(Ledger, lines[0], 1)
        if head.name != name:
            raise ValueError(f"it is that of {head.name!r}")
        if [generation.number for generation in made] != [*range(1, len(made) + 1)]:
            raise ValueError("its generations are not in order")
        return head.model_copy(update={"generations": tuple(made)})


_L = TypeVar("_L", bound=Wire)


def _line(kind: type[_L], line: str, number: int) -> _L:
    try:
        return kind.model_validate_json(line)
    except ValidationError as error:
        wrong = error.errors()[0]
        where = ".".join(map(str, wrong["loc"])) or "it"
        raise ValueError(f"line {number}: {where}: {reason(wrong['msg'])}") from error
