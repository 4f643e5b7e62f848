"""`scripted:FILE`: replies by rule, from a TOML file or a Python function; for tests and demos.

A strategy is tested against `ScriptedModel`, in place of mocks:

    model = ScriptedModel({"What is 2+3?": "5"})
    model = ScriptedModel(lambda request: "5" if "2+3" in request.question else None)

In a file every `[[rule]]` has `question` (the question's exact text) or `match` (a regular
expression, searched in the last message), and a `reply`, in which `\\1` to `\\9` and `\\g<name>`
stand for what the expression's groups matched. The first rule that fits speaks:

    [[rule]]
    match = 'What is (\\d+) plus zero'
    reply = 'It is \\1.'
    latency = 0.05                      # seconds, for each attempt
    fail = ["http 429", "timeout"]      # how the first attempts of a request fail
    finish = "length"                   # stop (default), length, refusal, content_filter
    usage = { input = 40, output = 8 }  # tokens; else one for every four characters
    logprobs = [["It", -0.1], [" is", -0.2]]
"""

from __future__ import annotations

import asyncio
import re
import tomllib
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from hashlib import blake2b
from inspect import isawaitable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, ValidationError, model_validator

from hch import settings
from hch.errors import ConfigError, ModelError, NodeError, TransientModelError, UsageError
from hch.models._usage import usage_of
from hch.protocols import Model
from hch.rates import Rate
from hch.registry import Spec
from hch.types import Completion, Finish, Request, TokenLogprob, Usage

Said: TypeAlias = str | Completion | NodeError | None
"""What a script says: a text, a whole completion, an error to raise; None where it has no rule."""

Script: TypeAlias = Callable[[Request], Said | Awaitable[Said]] | Mapping[str, Said]
Seconds: TypeAlias = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Failures: TypeAlias = Callable[[Request, int], ModelError | None]

_KINDS = ("timeout", "reset", "unreachable", "bad body")
_GROUP = re.compile(r"\\(?:([1-9])|g<(\w+)>)")


class ScriptedModel:
    """A model that says what a script says, free unless a `rate` is given; a `Model`.

    `script` is a function of the request, plain or async, or a mapping from a question's text to
    what is said: matched exactly, else by being contained in the last message (the longest such).
    `latency` is in seconds. `failures(request, attempt)` may name an error for an attempt, counted
    from 1 for each request. `seed` makes other log-probabilities; with `logprobs=False` a request
    that wants some is refused (ConfigError). `requests` holds all that was sent, without a bound.
    Two models in one run need two names, since equal requests to one name are one call.
    """

    def __init__(  # noqa: PLR0913 - its parameters are its options
        self,
        script: Script,
        *,
        name: str = "scripted",
        latency: float | Callable[[Request], float] = 0.0,
        failures: Failures | None = None,
        logprobs: bool = True,
        seed: int = 0,
        rate: Rate | None = None,
    ) -> None:
        self.name = name
        self.endpoint = name
        self.rate: Rate | None = Rate() if rate is None else rate
        self.keyed = False
        self.by_hand = False
        self.at_once: int | None = None
        self.requests: list[Request] = []
        self._script = script if callable(script) else _from_mapping(script)
        self._latency = latency
        self._failures = failures
        self._logprobs = logprobs
        self._seed = seed
        self._attempts: Counter[str] = Counter()

    async def complete(self, request: Request) -> Completion:
        """What the script says.

        Raises the error that it returns or that `failures` names, and ModelError (`no rule`) where
        it has nothing to say.
        """
        self.requests.append(request)
        seconds = self._latency(request) if callable(self._latency) else self._latency
        if seconds > 0:
            await asyncio.sleep(seconds)
        if self._failures is not None:
            self._attempts[key := request.key(self.name)] += 1
            if (failure := self._failures(request, self._attempts[key])) is not None:
                raise failure.with_traceback(None)
        said = self._script(request)
        if isawaitable(said):
            said = await said
        return self._completion(request, said)

    async def close(self) -> None:
        """Nothing to let go of."""

    def _completion(self, request: Request, said: Said) -> Completion:
        if said is None:
            message = f"no rule for the question {request.question!r}"
            raise ModelError(message, kind="no rule", ran=False)
        if isinstance(said, NodeError):
            raise said.with_traceback(None)
        wanted = request.sampling.logprobs
        if wanted is not None and not self._logprobs:
            raise ConfigError(f"model {self.name!r} has no log-probabilities")
        if isinstance(said, Completion):
            return said
        tokens = None if wanted is None else logprobs_of(said, wanted, self._seed)
        return Completion(said, usage=usage_of(request, said), logprobs=tokens, raw=_bytes(said))


def logprobs_of(text: str, alternatives: int, seed: int = 0) -> tuple[TokenLogprob, ...]:
    """A made-up log-probability in (-2, 0] for each word with the white space before it.

    The words join to the text. The first alternative is the word itself, the rest are less likely.
    """
    words = re.findall(r"\s*\S+|\s+$", text)
    return tuple(_token(word, i, alternatives, seed) for i, word in enumerate(words))


def failure(kind: str) -> ModelError:
    """The error of a kind: `http 429`, `timeout`, `reset`, `unreachable` or `bad body`.

    `ran` is as the bill sees it: no 4xx, no 503, 529 and nothing unreachable was run. Raises
    ValueError for another kind.
    """
    status = re.fullmatch(r"http ([45]\d\d)", kind)
    if status is None and kind not in _KINDS:
        raise ValueError(f"{kind!r} is no failure: write http 4xx or 5xx, {', '.join(_KINDS)}")
    code = int(status[1]) if status else 0
    ran = kind != "unreachable" and code not in (503, 529) and not 400 <= code < 500
    transient = status is None or code >= 500 or code in (408, 409, 429)
    error = TransientModelError if transient else ModelError
    return error(f"scripted failure: {kind}", kind=kind, ran=ran)


class Rule(BaseModel):
    """One `[[rule]]` of a file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reply: str
    question: str | None = None
    match: str | None = None
    latency: Seconds | None = None
    fail: tuple[str, ...] = ()
    finish: Finish = "stop"
    usage: dict[Literal["input", "output", "cached", "reasoning"], NonNegativeInt] | None = None
    logprobs: tuple[tuple[str, float], ...] | None = None

    @model_validator(mode="after")
    def _sound(self) -> Rule:
        if (self.question is None) == (self.match is None):
            raise ValueError("a rule has either `question` or `match`")
        try:
            pattern = re.compile(self.match or "")
        except re.error as error:
            raise ValueError(f"match = {self.match!r}: {error}") from None
        groups = {str(i + 1) for i in range(pattern.groups)} | set(pattern.groupindex)
        for place in _GROUP.finditer(self.reply) if self.match is not None else ():
            if (place[1] or place[2]) not in groups:
                raise ValueError(f"reply has {place[0]}, but `match` has no such group")
        for kind in self.fail:
            failure(kind)
        return self

    def reading(self, request: Request) -> str | None:
        """The reply to a request, with its groups filled in; None where the rule does not fit."""
        if self.question is not None:
            return self.reply if request.question == self.question else None
        found = re.search(self.match or "", _last(request))
        if found is None:
            return None
        return _GROUP.sub(lambda g: found[int(g[1]) if g[1] else g[2]] or "", self.reply)


class Rules:
    """The rules of a file, as the script, the latency and the failures of a `ScriptedModel`."""

    def __init__(self, rules: Sequence[Rule], latency: float = 0.0) -> None:
        self._rules = rules
        self._seconds = latency

    @classmethod
    def load(cls, path: str, latency: float = 0.0) -> Rules:
        """Read a file. Raises UsageError where it is no text file, ConfigError for its content."""
        try:
            file = Path(path).expanduser()
            if file.exists() and not file.is_file() and not file.is_dir():
                raise UsageError(f"cannot read the rules in {path}: it is not a regular file")
            data = tomllib.loads(file.read_text("utf-8"))
            return cls(_File.model_validate(data).rule, latency)
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not a text file"
            raise UsageError(f"cannot read the rules in {path}: {reason}") from error
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"{path} is not TOML: {error}") from error
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(str(step) for step in first["loc"])
            raise ConfigError(f"{path}: {place}: {settings.reason(first['msg'])}") from error

    def reply(self, request: Request) -> Completion | None:
        rule, text = self._find(request)
        if rule is None:
            return None
        wanted = request.sampling.logprobs
        tokens = None if wanted is None else logprobs_of(text, wanted)
        if wanted is not None and rule.logprobs is not None:
            tokens = tuple(TokenLogprob(token, logprob) for token, logprob in rule.logprobs)
        usage = usage_of(request, text) if rule.usage is None else Usage(**rule.usage)
        return Completion(text, rule.finish, usage, tokens, raw=_bytes(text))

    def latency(self, request: Request) -> float:
        rule, _ = self._find(request)
        return self._seconds if rule is None or rule.latency is None else rule.latency

    def failures(self, request: Request, attempt: int) -> ModelError | None:
        rule, _ = self._find(request)
        return None if rule is None or attempt > len(rule.fail) else failure(rule.fail[attempt - 1])

    def _find(self, request: Request) -> tuple[Rule | None, str]:
        for rule in self._rules:
            if (text := rule.reading(request)) is not None:
                return rule, text
        return None, ""


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    rule: tuple[Rule, ...]


def build(arg: str, *, latency: Seconds = 0.0) -> Model:
    """A model from a file of rules; `latency` (seconds) is for rules without their own."""
    rules = Rules.load(arg, latency)
    options = (("latency", str(latency).removesuffix(".0")),) if latency else ()
    name = str(Spec("scripted", arg, options))
    return ScriptedModel(rules.reply, name=name, latency=rules.latency, failures=rules.failures)


def _from_mapping(replies: Mapping[str, Said]) -> Callable[[Request], Said]:
    def script(request: Request) -> Said:
        if request.question in replies:
            return replies[request.question]
        last = _last(request)
        contained = [question for question in replies if question in last]
        return replies[max(contained, key=len)] if contained else None

    return script


def _last(request: Request) -> str:
    return request.messages[-1].content if request.messages else ""


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _token(word: str, place: int, alternatives: int, seed: int) -> TokenLogprob:
    mark = blake2b(_bytes(f"{seed} {place} {word}"), digest_size=4).digest()
    logprob = -2 * int.from_bytes(mark) / 2**32
    ladder: list[tuple[str, Any]] = [(word, logprob)]
    ladder += [(f"{word}~{n}", logprob - n) for n in range(1, alternatives)]
    return TokenLogprob(word, logprob, tuple(ladder[:alternatives]))
