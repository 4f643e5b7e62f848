"""What happened in a run, as a tagged union: the truth of which everything else is a fold.

Events name a node by its key. Those of nodes are idempotent by `identity`, so that a resume
appends only what is missing; a node that is opened again begins again. No event stamps itself: a
`Record` adds run, number and time. `FORMAT` rises when an old reader could misread a new event.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple, TypeAlias

from pydantic import Field, TypeAdapter

from hch.errors import LengthError, ModelError, NodeError, RefusalError
from hch.types import (
    Answer,
    Completion,
    Message,
    Part,
    Path,
    Sampling,
    Status,
    TokenLogprob,
    Usage,
)
from hch.wire import Amounts, Chars, Polled, Tariff, Wire, Words

FORMAT = 1

Used: TypeAlias = tuple[int, int, int, int] | tuple[int, int, int, int, int]
"""The tokens of a `Usage`; those put into a cache are left out where there are none."""


class RunStarted(Wire):
    """How the run was set up: enough to build it again (`setup`), its grants and its cap.

    `players` are those of the first lineup, by level, and `lineups` those of the others; `others`
    are, by lineup, who is put questions to beside it, as `NAME=PLAYER`.
    `roots` is where the root questions come from: `{"questions": [Words and context…]}`, with the
    `instances` that they are about, if any: facts as JSON by digest. Where each question has more
    than the one answer, `entries` say whose, and `examination` what they are held against
    (`hch.examination`).
    `prompts` maps the name of every prompt in use to its exact text, and `rates` every model to
    its price, None where it has no known one; `priced_by` says whose prices these are. `by_hand`
    are those models that are a person.
    """

    type: Literal["RunStarted"] = "RunStarted"
    format: Annotated[int, Field(ge=1, le=FORMAT)] = FORMAT
    version: str
    setup: dict[str, Any]
    players: tuple[str, ...]
    prompts: dict[str, Chars]
    seed: int
    roots: dict[str, Any]
    count: int
    grant: Amounts
    cap: Amounts
    rates: dict[str, Tariff | None] = Field({})
    priced_by: str = ""
    by_hand: tuple[str, ...] = ()
    lineups: tuple[tuple[str, ...], ...] = ()
    others: tuple[tuple[str, ...], ...] = ()


class RootOpened(Wire):
    """Root `index` is the node `key`; `question` is the digest of what the source gave."""

    type: Literal["RootOpened"] = "RootOpened"
    index: int
    key: str
    question: str


class NodeOpened(Wire):
    """A copy of HCH_level got a question, as wrapper number `wrapper` of its player."""

    type: Literal["NodeOpened"] = "NodeOpened"
    key: str
    level: int
    wrapper: int
    player: str
    question: Words
    context: tuple[Words, ...]
    instance: str | None
    sample: Path
    grant: Amounts


class Thought(Wire):
    """Think number `index` of the node `parent` came to `request`, by the prompt of that name."""

    type: Literal["Thought"] = "Thought"
    parent: str
    index: int
    request: str
    prompt: str


class Asked(Wire):
    """The node `parent` asked: slot numbers run over all its rounds; child, or why there is none.

    `how` is `ask` for a sub-question a level down, `try` for the same question a wrapper in, `put`
    for another question to another player at the same level. `more`
    further questions of the round came to the same; they have slots, and no event of their own.
    """

    type: Literal["Asked"] = "Asked"
    parent: str
    slot: int
    round: int
    how: Literal["ask", "try", "put"] = "ask"
    question: Words
    child: str | None = None
    refusal: Chars | None = None
    more: int = 0


class PrimitiveAnswered(Wire):
    """The node `parent` asked the task's oracle; `status` None: it is no primitive question."""

    type: Literal["PrimitiveAnswered"] = "PrimitiveAnswered"
    parent: str
    index: int
    question: Chars
    status: str | None
    answer: Chars | None
    reason: Chars = ""


class CallIntended(Wire):
    """Attempt `attempt` of a request is about to be sent; `worst` is reserved for it on the bill.

    Attempts count from 1; number 0 is not sent, since the cache has the reply to its request.
    `messages` are (role, (origin, body)…) for each message, as sent.
    """

    type: Literal["CallIntended"] = "CallIntended"
    request: str
    attempt: int
    node: str
    model: str
    messages: tuple[tuple[str, tuple[tuple[str, Chars], ...]], ...]
    sampling: dict[str, Any]
    form: tuple[str, str] | None
    sample: Path
    seed: int
    question: Chars
    instance: str | None
    worst: Amounts

    def sent(self) -> tuple[Message, ...]:
        return tuple(
            Message(role, tuple(Part(body, origin) for origin, body in parts))  # type: ignore[arg-type]
            for role, parts in self.messages
        )

    def sampled(self) -> Sampling:
        stop = self.sampling.get("stop")
        return Sampling(**{**self.sampling, "stop": None if stop is None else tuple(stop)})


class CallFinished(Wire):
    """An attempt brought a completion, at this true price. `raw` is the reply as received."""

    type: Literal["CallFinished"] = "CallFinished"
    request: str
    attempt: int
    text: Chars
    finish: Literal["stop", "length", "refusal", "content_filter"]
    usage: Used
    price: Amounts
    thinking: Chars = ""
    logprobs: tuple[tuple[Chars, float, tuple[tuple[Chars, float], ...]], ...] | None = None
    raw: bytes = b""

    def completion(self) -> Completion:
        tokens = None
        if self.logprobs is not None:
            tokens = tuple(TokenLogprob(*token) for token in self.logprobs)
        return Completion(
            self.text, self.finish, Usage(*self.usage), tokens, self.thinking, self.raw
        )


class CallFailed(Wire):
    """An attempt failed; `price` is what is counted for it. `kind` is one word for the fault."""

    type: Literal["CallFailed"] = "CallFailed"
    request: str
    attempt: int
    kind: str
    message: Chars
    price: Amounts


class CallGivenUp(Wire):
    """No further attempt of a request is made; its thinker ends with this failure.

    `dead` marks those that stopped the run because their endpoint answered nobody.
    """

    type: Literal["CallGivenUp"] = "CallGivenUp"
    request: str
    attempts: int
    kind: str
    message: Chars
    dead: bool = False

    def failure(self) -> NodeError:
        """What its thinker ends with, in the run itself and in a resume alike."""
        for refused in (LengthError, RefusalError):
            if self.kind == refused.kind:
                return refused(self.message)
        return ModelError(f"the call was given up ({self.kind}): {self.message}", kind=self.kind)


class PersonTyped(Wire):
    """What a person has typed so far towards a reply to `request`; the last one counts."""

    type: Literal["PersonTyped"] = "PersonTyped"
    request: str
    text: Chars


class NodeClosed(Wire):
    """How a node ended, and what it spent of its grant, children included.

    `ballot` is how the vote went that its answer comes from, if it comes from one.
    """

    type: Literal["NodeClosed"] = "NodeClosed"
    key: str
    status: Status
    answer: Words | None
    reason: Chars
    notes: tuple[Chars, ...]
    spent: Amounts
    ballot: Polled | None = None

    def outcome(self) -> Answer:
        text = self.answer.text() if self.answer else None
        ballot = self.ballot.ballot() if self.ballot else None
        return Answer(self.status, text, self.reason, self.notes, ballot)


class RunStopped(Wire):
    """The run ended before its roots did; it can be resumed. `kind` is the error's name."""

    type: Literal["RunStopped"] = "RunStopped"
    kind: str
    reason: Chars


class RunResumed(Wire):
    """The run goes on, under this cap. `again` are requests given up before, and tried again now.

    Where there are some, the nodes that went on without their replies begin again.
    """

    type: Literal["RunResumed"] = "RunResumed"
    version: str
    cap: Amounts
    again: tuple[str, ...] = ()


class RunFinished(Wire):
    """Every root has closed. A run without this event is unfinished."""

    type: Literal["RunFinished"] = "RunFinished"
    statuses: dict[str, int]


Event: TypeAlias = (
    RunStarted | RootOpened | NodeOpened | Thought | Asked | PrimitiveAnswered | CallIntended
    | CallFinished | CallFailed | CallGivenUp | PersonTyped | NodeClosed
    | RunStopped | RunResumed | RunFinished
)  # fmt: skip

_EVENT: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="type")])


class Record(Wire):
    """An event with its run, its number in that run (from 1) and its time in Unix seconds."""

    run: str
    seq: int
    at: float
    event: Annotated[Event, Field(discriminator="type")]


class Noted(NamedTuple):
    """An event of a run, and when, as a fold wants it: a `Record` that is kept nowhere."""

    run: str
    at: float
    event: Event


def decode(data: dict[str, Any]) -> Event:
    """An event from its plain data. Raises pydantic.ValidationError for anything else."""
    return _EVENT.validate_python(data)


def identity(event: Event) -> tuple[str, ...] | None:
    """What makes two node events the same one; None for events that may well repeat."""
    match event:
        case RootOpened(index=index):
            return ("root", str(index))
        case NodeOpened(key=key):
            return ("open", key)
        case Thought(parent=parent, index=index):
            return ("thought", parent, str(index))
        case Asked(parent=parent, slot=slot):
            return ("asked", parent, str(slot))
        case PrimitiveAnswered(parent=parent, index=index):
            return ("primitive", parent, str(index))
        case NodeClosed(key=key):
            return ("closed", key)
    return None
