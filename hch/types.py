"""The frozen values that everything else passes round. No behaviour beyond their own shape."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from hashlib import blake2b, sha256
from json import JSONEncoder
from typing import Any, Literal, TypeAlias

from pydantic_core import to_json

Status: TypeAlias = Literal["answered", "unanswered", "truncated", "failed", "cancelled"]
Finish: TypeAlias = Literal["stop", "length", "refusal", "content_filter"]
Path: TypeAlias = tuple[tuple[int, int, int], ...]
"""An absolute sample path: one (asker's level, wrapper index, i) for each `again(i)` or try i."""

KEPT = 2000
"""The characters that are kept of an answer in a ballot, and of why an answer was rejected."""


_ENCODE = JSONEncoder(separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode


@lru_cache(maxsize=1024)
def sha(body: str) -> str:
    """The sha256 of a text in hex; lone surrogates are hashed as they are."""
    return sha256(body.encode("utf-8", "surrogatepass")).hexdigest()


def digest(*parts: Any) -> str:
    """A 32-digit hash of JSON-like parts; equal parts, and only those, give equal digests."""
    return blake2b(_encoded(parts), digest_size=16).hexdigest()


def _encoded(parts: tuple[Any, ...]) -> bytes:
    """The canonical JSON of parts; json's own encoder takes five times as long as pydantic's."""
    try:
        data = to_json(parts)
    except ValueError:  # there are lone surrogates
        return _ENCODE(parts).encode("utf-8", "surrogatepass")
    # Where there may be a dict, its keys are to be sorted.
    return _ENCODE(parts).encode() if b"{" in data else data


@dataclass(frozen=True, slots=True)
class Text:
    """Characters, who they come from, and whether no untrusted text had a part in them.

    `source` is `user`, `document:NAME`, `model`, `script`, `task`, `oracle` or `person`; texts are
    equal whatever it is.
    """

    body: str
    source: str = field(default="user", compare=False)
    trusted: bool = True

    @property
    def mark(self) -> str:
        """The first 12 digits of the body's sha256: what marks this text in a prompt."""
        return sha(self.body)[:12]

    def __hash__(self) -> int:
        return hash(self.body)


@dataclass(frozen=True, slots=True)
class Question:
    """What is put to a copy: a text, the context sent along, and which sample is meant.

    `sample` is relative to whoever asks; `instance` is the hash of a task's facts.
    """

    text: Text
    context: tuple[Text, ...] = ()
    instance: str | None = None
    sample: tuple[int, ...] = ()

    def again(self, i: int) -> Question:
        """The same question, an independent sample; `again(0)` is not the plain question."""
        return replace(self, sample=(*self.sample, i))

    def __hash__(self) -> int:
        return hash((self.text.body, self.sample))


@dataclass(frozen=True, slots=True)
class Ballot:
    """How tries voted: each answer with its votes; what won is first, then what has the most.

    `tries` were made, of at most `of`; those that failed, were refused or discarded have no vote.
    """

    votes: tuple[tuple[str, int], ...]
    tries: int
    of: int

    @property
    def confidence(self) -> float:
        """The share of the tries that voted for what won, or has the most; 0 without any vote."""
        return self.votes[0][1] / self.tries if self.votes else 0.0

    @property
    def saved(self) -> int:
        """The tries that were not needed any more."""
        return self.of - self.tries


@dataclass(frozen=True, slots=True)
class Answer:
    """How a node ended, and with what. `refused` is for a question that got no node.

    `notes` say what was not as it should be: `cut: …` and `fallback: …` make a tree not clean.
    `ballot` is how the vote went that it comes from, where it comes from one.
    """

    status: Status | Literal["refused"]
    text: Text | None = None
    reason: str = ""
    notes: tuple[str, ...] = ()
    ballot: Ballot | None = None

    @property
    def answered(self) -> bool:
        return self.status == "answered"


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question that was asked, and what came back."""

    question: Question
    answer: Answer


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a message and where it came from: `prompt`, `question`, `answer 2`, `grant`, …

    The origin is outside equality: it is never sent.
    """

    body: str
    origin: str = field(default="prompt", compare=False)


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a chat, in pieces whose origin is known; `content` is what is sent."""

    role: Literal["system", "user", "assistant"]
    parts: tuple[Part, ...]

    @property
    def content(self) -> str:
        return "".join(part.body for part in self.parts)


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to sample. None is the model's own default; what a provider cannot send it refuses.

    `logprobs` is how many alternatives to record for each token (0: the chosen one only).
    """

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] | None = None
    logprobs: int | None = None


@dataclass(frozen=True, slots=True)
class Form:
    """The form a typed reply must have: a name, and a JSON schema as canonical JSON text."""

    name: str
    schema: str


@dataclass(frozen=True, slots=True)
class Request:
    """One call to a model, as a value: equal requests to one model are one call.

    `seed` is derived from the run's seed and the sample path. `question` and `instance` are for
    models that are not chat models. Outside equality ride along: `call`, its `key`; `node`, the
    key of who thinks; `level`; and `bound`, the most tokens that its input can be.
    """

    messages: tuple[Message, ...]
    sampling: Sampling = Sampling()
    form: Form | None = None
    sample: Path = ()
    seed: int = 0
    question: str = ""
    instance: str | None = None
    call: str = field(default="", compare=False)
    node: str = field(default="", compare=False)
    level: int = field(default=0, compare=False)
    bound: int = field(default=0, compare=False)

    def key(self, model: str) -> str:
        """The digest of (model spec, request): what a recording finds it by."""
        s = self.sampling
        return digest(
            model,
            [[m.role, *(p.body for p in m.parts)] for m in self.messages],
            [s.max_tokens, s.temperature, s.top_p, s.seed, s.stop, s.logprobs],
            self.form and [self.form.name, self.form.schema],
            self.sample,
            self.seed,
            self.question,
            self.instance,
        )


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call. `output` includes `reasoning`, and `input` all others.

    `cached` were read from the provider's cache, and `cache_write` were put into it.
    """

    input: int = 0
    output: int = 0
    cached: int = 0
    reasoning: int = 0
    cache_write: int = 0


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """A token of the reply, its natural log-probability, and the alternatives recorded with it."""

    token: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class RateLimit:
    """What an endpoint said is left of one limit; it is whole again after `reset` seconds."""

    limit: int
    remaining: int
    reset: float


@dataclass(frozen=True, slots=True)
class RateLimits:
    """What an endpoint said of its limits, each None where it said nothing."""

    requests: RateLimit | None = None
    tokens: RateLimit | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """What a model replied. `raw` is the reply's bytes as received; `thinking` is kept apart.

    `limits` rides along outside equality, for whoever sends the next request; it is not recorded.
    """

    text: str
    finish: Finish = "stop"
    usage: Usage = Usage()
    logprobs: tuple[TokenLogprob, ...] | None = None
    thinking: str = ""
    raw: bytes = b""
    limits: RateLimits | None = field(default=None, compare=False)
