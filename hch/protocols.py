"""Everything pluggable, on one page. A plugin's `build(...)` returns one of these."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import Any, Literal, Protocol, TypeAlias, TypeVar, overload, runtime_checkable

from hch.agents import Agent, Learned, Row
from hch.budget import Price
from hch.rates import Rate
from hch.replies import Reply
from hch.rows import Kind
from hch.rows import Row as TrainingRow
from hch.steps import Instance, Step
from hch.types import Answer, Completion, Exchange, Question, Request, Text

R = TypeVar("R", bound=Reply)


@runtime_checkable
class Model(Protocol):
    """H's brain: one value in, one value out, so that concerns wrap it.

    `name` is its canonical spec, part of every request's key. `endpoint` names what it shares
    limits with, and `at_once` how many requests it can take, if that is limited. `rate` is its
    price, or None where unknown; `keyed` says that a key pays for it, and `by_hand` that a person
    replies, who has no deadline, uses no tokens and has a queue of their own.
    """

    name: str
    endpoint: str
    rate: Rate | None
    keyed: bool
    by_hand: bool
    at_once: int | None

    async def complete(self, request: Request) -> Completion:
        """Answer one request. Raises TransientModelError, ModelError, LengthError for
        a prompt too long, RefusalError, and ConfigError for what stops the run.
        """
        ...

    async def close(self) -> None:
        """Let go of connections and threads; the model may be used again afterwards."""
        ...


class Person(Protocol):
    """Somebody who can be asked, in whatever way: what the model `human` speaks to."""

    async def reply(self, request: Request) -> str:
        """The person's reply, by the request's form where it has one. As long as it takes."""
        ...


@dataclass(frozen=True, slots=True)
class GrantView:
    """What H is told of its grant: each finite amount as a power of two, None where infinite."""

    calls: int | None
    tokens: int | None
    microusd: int | None
    nodes: int | None


class Workspace(Protocol):
    """What one copy of H can see and do. A second call at the same time raises RuntimeError."""

    question: Question
    level: int

    @property
    def grant(self) -> GrantView:
        """What is left of the grant, rounded: all that H may be told of it."""
        ...

    @property
    def asked(self) -> tuple[Exchange, ...]:
        """Everything asked so far and what came back, refusals too, in the order of asking."""
        ...

    @overload
    async def think(
        self, prompt: str, /, *, returns: type[str] = str, last: bool = False, **values: Value
    ) -> str: ...
    @overload
    async def think(
        self, prompt: str, /, *, returns: type[R], last: bool = False, **values: Value
    ) -> R: ...
    async def think(
        self, prompt: str, /, *, returns: Any = str, last: bool = False, **values: Value
    ) -> Any:
        """H works on a prompt: a text, or a typed reply. Unless `last`, the finish stays paid for.

        Raises GrantExhausted, LengthError, ReplyError, RefusalError, ModelError.
        """
        ...

    async def ask(self, *questions: Question, last: bool = False) -> list[Answer]:
        """Put questions to fresh copies of HCH_{level-1}; their answers, in the order of asking.

        `last` says that no further round follows, so that all that is left is shared out.
        """
        ...

    async def primitive(self, question: Question) -> Answer | None:
        """The answer of the task's oracle; None where the question is not primitive."""
        ...

    def grade(self, question: str, answer: str) -> bool | None:
        """Whether that is right, by the task's truth: for checks; None where it cannot tell."""
        ...

    def chance(self, what: str) -> Random:
        """Randomness of this copy's own, for a purpose: the same whenever it is asked for."""
        ...

    async def tries(self, n: int, *context: Text, of: int | None = None) -> list[Answer]:
        """For wrappers: n more independent tries of the own question, of at most `of` in all.

        Each is a copy at the same level, a wrapper further in, and is sent these texts too.
        """
        ...

    async def put(self, question: Question, player: str) -> Answer:
        """For wrappers: another question, a check or a judgement, to another player.

        That is a copy at the same level too. `player` is one of the strategy's `others`.
        """
        ...

    def quote(
        self, prompt: str, /, *, returns: Any = str, coming: int = 0, **values: Value
    ) -> Price:
        """The worst case of that think, with `coming` more answers in its prompt than now."""
        ...

    def affords(self, *prices: Price) -> bool:
        """Whether what is left of the grant covers the sum of these."""
        ...

    def below(self) -> Price:
        """The least that a sub-question as long as the own one can cost."""
        ...

    def within(self) -> Price:
        """For wrappers: the least that a try can cost."""
        ...

    def beside(self, question: Question, player: str, coming: int = 0) -> Price:
        """The least that such a `put` can cost, with `coming` more answers in its texts."""
        ...

    def note(self, note: str) -> None:
        """Put a note on the node's answer; `fallback: …` and `cut: …` make its tree not clean."""
        ...


Value = Text | Sequence[Exchange]
"""What a strategy puts into a prompt of its own: a text, or what it asked and was told."""


class Strategy(Protocol):
    """How a node turns its question into an answer.

    `prompts` maps each prompt it uses to the placeholders that its file must have beside those
    that every file has (`hch.prompts.ALWAYS`). `thinks` is False where it needs no model.
    `refuses_repeats`: a child that repeats its asker's question word for word is refused.
    """

    @property
    def prompts(self) -> Mapping[str, frozenset[str]]: ...
    @property
    def thinks(self) -> bool: ...
    @property
    def refuses_repeats(self) -> bool: ...

    async def __call__(self, workspace: Workspace) -> Answer | Text | str: ...

    def least(self, workspace: Workspace) -> Price:
        """With less it cannot answer at all (the node itself not counted)."""
        ...

    def finish(self, workspace: Workspace, m: int) -> Price:
        """The worst case of replying after m more answers."""
        ...


@runtime_checkable
class Putting(Protocol):
    """A strategy that puts questions to other players than that of its level.

    `others` names them, each as a player's spec or as an alias of the configuration.
    """

    @property
    def others(self) -> tuple[str, ...]: ...


class Scorer(Protocol):
    """What counts as the same answer.

    Answers of equal form are the same. Where others may be so too, `by` names the player that
    judges of it (`hch.judging`); None where the forms say all.
    """

    @property
    def by(self) -> str | None: ...

    def form(self, text: str) -> str | None:
        """What equal answers have in common; None for a text that is no such answer at all."""
        ...


class Task(Protocol):
    """A problem family with checkable answers; no I/O.

    One description drives the tree, the batched loop and the tests. A term is a task's own type,
    hashable. `size` is that of an instance where none is said; `has_facts` whether an answer
    depends on an instance, or the question says all. A task inherits what it does not define.
    """

    name: str
    size: int
    has_facts: bool

    @abstractmethod
    def sample(self, rng: Random, size: int) -> Instance:
        """A random instance of this size. Every task takes small sizes, 4 and 8 among them."""

    @abstractmethod
    def questions(self, instance: Instance, rng: Random) -> Iterator[Question]:
        """Root questions by the task's law, without end or until all are given."""

    @abstractmethod
    def parse(self, text: str) -> Any:
        """The term that a question's text means. Raises ValueError with what is wrong."""

    @abstractmethod
    def render(self, term: Any) -> str:
        """The text of a question; `parse` is its inverse."""

    @abstractmethod
    def steps(self, term: Any) -> Generator[Step, Any, Answer]:
        """H's script: yields what is asked, is sent the answers, returns H's answer.

        An `Ask` and a `Primitive` are sent an Answer each, never None: where the oracle has
        none, one that is not answered. A tuple of asks is sent a tuple of answers.
        """

    @abstractmethod
    def primitive(self, instance: Instance | None, term: Any, rng: Random) -> Answer | None:
        """The oracle: the answer of a primitive question, None for any other."""

    @abstractmethod
    def truth(self, instance: Instance | None, term: Any) -> Answer:
        """The right answer, or one of them; `unanswered` where the instance has none."""

    @abstractmethod
    def valid(self, term: Any, answer: Answer) -> bool:
        """Whether an answer has the type that this term's answers have.

        False for all that is not `answered`, such as an unanswered or a refused one.
        """

    def check(self, instance: Instance) -> None:
        """Raises ValueError, or a TypeError, where these cannot be the facts of an instance.

        By default: where no question can be drawn, or its truth not be told.
        """
        for question in islice(self.questions(instance, Random(0)), 1):
            self.truth(instance, self.parse(question.text.body))

    def space(self, instance: Instance) -> Iterable[Any] | None:
        """Every term that can be asked of an instance, or None where they cannot be listed."""
        return None

    def beyond(self, term: Any, level: int) -> str | None:
        """Why HCH_level cannot answer this term, where that can be told beforehand."""
        return None

    def grade(self, instance: Instance | None, term: Any, answer: Answer) -> bool:
        """Whether an answer is right: by default, whether it says what the truth does."""
        truth = self.truth(instance, term)
        return self.valid(term, answer) and truth.answered and answer.text == truth.text

    def measures(self, instance: Instance | None, term: Any, answer: Answer) -> Mapping[str, bool]:
        """Whether an answer is right by other measures than `grade`, of those that apply to it."""
        return {}

    def kind(self, term: Any) -> str:
        """What accuracy is told apart by, such as `height 3`: terms that are as hard; or empty."""
        return ""

    def guess(self, term: Any, rng: Random) -> Answer | None:
        """A random answer of this term's type, None where nobody can guess: how H errs."""
        return None


Scalar: TypeAlias = Literal["text", "number", "whole", "flag"]
Column: TypeAlias = "Scalar | Sequence[Column] | Mapping[str, Column]"
"""The type of a column: a scalar, `[of]` for a list, or a dict of fields, each of a type.

A scalar or a dict is None where nothing is known, and may be left out of a dict then.
"""


class Format(Protocol):
    """A kind of training row as a file has it, and what its consumer wants beside it; no I/O.

    `kinds` are the kinds of rows that it takes, the first by default, and `columns` what it makes
    of them. `judged`: it wants answers of which somebody told if they are right, wrong ones too.
    `numbered`: its soft rows are of tokens' log-probabilities, and not of votes. A format inherits
    what it does not define.
    """

    kinds: tuple[Kind, ...]
    columns: Mapping[str, Column]
    judged: bool = False
    numbered: bool = False

    def lacks(self, row: TrainingRow) -> str | None:
        """What a row of these kinds lacks to be written so, in a few words; None for nothing."""
        return None

    @abstractmethod
    def encode(self, row: TrainingRow) -> Sequence[Mapping[str, Any]]:
        """The lines that a row which lacks nothing is written as, mostly one: what JSON can hold.

        Each has a value for every column, in their order, and no other.
        """

    def beside(self, folders: Mapping[str, Sequence[str]]) -> Mapping[str, str]:
        """Further files that its consumer wants, their texts by name: by default none.

        `folders` are those of the dataset, such as `answer/train`, with their files' names.
        """
        return {}


class Learner(Protocol):
    """Distillation: makes agents of rows."""

    def learn(self, name: str, rows: Iterable[Row], before: Learned | None) -> Learned:
        """An agent of that name from these rows, and from the agent before it, if there is one.

        A question has a row for each target that it got. What is not in the rows may be learned
        from the agent before. Without any rows it does not know anything.
        """
        ...

    def agent(self, learned: Learned, seed: int) -> Agent:
        """The agent as a run of that seed meets it at level 0. Raises ConfigError."""
        ...
