"""What a run keeps of its nodes and calls as plain data: how a `Stash` writes it away."""

from __future__ import annotations

from base64 import b64decode, b64encode
from sys import getsizeof
from typing import Any, TypeAlias

from hch.errors import LengthError, ModelError, NodeError
from hch.stash import Codec, as_bytes, of_bytes
from hch.types import Answer, Ballot, Completion, Text, TokenLogprob, Usage

Reply: TypeAlias = Completion | NodeError
"""What a call came to."""

OBJECTS = 500
"""About the bytes that an answer, a completion or a failure has in memory beside its texts."""

_TOKEN = 200
"""About the bytes that a token has in memory, and each of its alternatives."""


def plain(answer: Answer) -> list[Any]:
    """An answer as data for `as_bytes`."""
    text, ballot = answer.text, answer.ballot
    return [
        answer.status,
        text and [text.body, text.source, text.trusted],
        answer.reason,
        answer.notes,
        ballot and [ballot.votes, ballot.tries, ballot.of],
    ]


def answer_of(data: list[Any]) -> Answer:
    """The answer that `plain` was given."""
    status, text, reason, notes, ballot = data
    if ballot is not None:
        votes, tries, of = ballot
        ballot = Ballot(tuple((said, n) for said, n in votes), tries, of)
    return Answer(status, text and Text(*text), reason, tuple(notes), ballot)


def length(answer: Answer) -> int:
    """About the bytes that an answer has in memory."""
    size = OBJECTS + getsizeof(answer.reason)
    if answer.text is not None:
        size += getsizeof(answer.text.body)
    if answer.notes:
        size += sum(map(getsizeof, answer.notes))
    if answer.ballot is not None:
        size += sum(_TOKEN + getsizeof(said) for said, _ in answer.ballot.votes)
    return size


def replies() -> Codec[Reply]:
    """Completions, without what an endpoint said of its limits, and failures.

    A failure has its class, its message and, of those that `hch.errors` names, what else they say
    but for the limits. Its class is known by a number, in this process only.
    """
    classes: list[type[NodeError]] = []

    def pack(reply: Reply) -> bytes:
        if isinstance(reply, Completion):
            return as_bytes(_completed(reply))
        if type(reply) not in classes:
            classes.append(type(reply))
        return as_bytes([classes.index(type(reply)), str(reply), _more(reply)])

    def unpack(data: bytes) -> Reply:
        found = of_bytes(data)
        if len(found) > 3:
            return _completion(*found)
        number, message, more = found
        if more.get("usage") is not None:
            more["usage"] = tuple(more["usage"])
        failure: NodeError = classes[number](message, **more)
        return failure

    return Codec(pack, unpack, _size)


def _completed(said: Completion) -> list[Any]:
    u, tokens = said.usage, said.logprobs
    usage = (u.input, u.output, u.cached, u.reasoning, u.cache_write)
    logprobs = None if tokens is None else [(one.token, one.logprob, one.top) for one in tokens]
    return [said.text, said.finish, usage, logprobs, said.thinking, b64encode(said.raw).decode()]


def _completion(
    text: str, finish: Any, usage: list[int], logprobs: list[Any] | None, thinking: str, raw: str
) -> Completion:
    tokens = None
    if logprobs is not None:
        tokens = tuple(
            TokenLogprob(token, logprob, tuple((other, low) for other, low in top))
            for token, logprob, top in logprobs
        )
    return Completion(text, finish, Usage(*usage), tokens, thinking, b64decode(raw))


def _more(error: NodeError) -> dict[str, Any]:
    """What a failure says beside its message, as its constructor takes it."""
    names: tuple[str, ...] = ()
    if isinstance(error, ModelError):
        names = ("kind", "ran", "retry_after", "usage")
    elif isinstance(error, LengthError):
        names = ("usage",)
    return {name: getattr(error, name) for name in names}


def _size(reply: Reply) -> int:
    if isinstance(reply, NodeError):
        return OBJECTS + getsizeof(str(reply))
    size = OBJECTS + getsizeof(reply.text) + getsizeof(reply.thinking) + len(reply.raw)
    if reply.logprobs is not None:
        size += sum(_TOKEN * (1 + len(token.top)) for token in reply.logprobs)
    return size
