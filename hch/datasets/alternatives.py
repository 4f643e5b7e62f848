"""Soft targets of recorded log-probabilities: what each token of a reply was drawn from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TypeAlias

from hch.datasets.tokenizer import Tokenizer
from hch.errors import UsageError
from hch.events import CallFinished, CallIntended
from hch.registry import Spec
from hch.rows import Tokens

NONE_RECORDED = (
    "no reply there has log-probabilities with alternatives: have some recorded when the questions "
    "are asked, such as -m vllm:NAME,logprobs=5,token_ids=true"
)
"""What is said where rows of log-probabilities are asked for, and no call has any."""

UNRECORDED = "no log-probabilities were recorded"

_BY_NUMBER = re.compile("token_id:(0|[1-9][0-9]{0,9})")
_ALONE = "no alternatives were recorded: ask for some, such as logprobs=5"
_UNNAMED = (
    "a token's text is that of no token or of several: have tokens recorded by number, by "
    "-m vllm:NAME,logprobs=5,token_ids=true"
)

_Top: TypeAlias = Sequence[tuple[str, float]]


@dataclass(frozen=True, slots=True)
class Alternatives:
    """Makes token numbers of what was recorded of replies; the tokenizer is the model's."""

    tokenizer: Tokenizer

    def tokens(self, sent: CallIntended, got: CallFinished) -> Tokens | str:
        """What a reply's tokens were drawn from; or why that cannot be said, in words.

        Each position has as many alternatives as were asked for, the most likely first. The token
        that ends a reply is a position like any other, and so are those of what was thought.
        """
        if not got.logprobs:
            return UNRECORDED
        options = options_of(sent.model)
        if not (k := _whole(sent.sampling.get("logprobs", options.get("logprobs")))):
            return _ALONE
        read = [self._position(top, k) for _, _, top in got.logprobs]
        if wrong := next((why for why in read if isinstance(why, str)), None):
            return wrong
        drawn = [token for token, _, _ in got.logprobs]
        if not self._says(drawn, got.text):
            return (
                f"the tokenizer {self.tokenizer.name!r} makes another text of a reply's tokens: "
                "name that of the model"
            )
        positions = [one for one in read if not isinstance(one, str)]
        known = [number for token in drawn if isinstance(number := self._id(token), int)]
        return Tokens(
            ids=tuple(ids for ids, _ in positions),
            logprobs=tuple(logprobs for _, logprobs in positions),
            tokenizer=self.tokenizer.hash,
            temperature=_number(sent.sampling.get("temperature", options.get("temperature"))),
            drawn=tuple(known) if len(known) == len(drawn) else (),
        )

    def _position(self, top: _Top, k: int) -> tuple[tuple[int, ...], tuple[float, ...]] | str:
        """The numbers and log-probabilities of the k most likely, or why there are none."""
        likely = sorted(top, key=lambda pair: -pair[1])[:k]
        if len(likely) < k:
            return f"a position has fewer alternatives than the {k} that were asked for"
        if not all(isfinite(logprob) for _, logprob in likely):
            return "a log-probability is no finite number"
        ids = [self._id(token) for token, _ in likely]
        if wrong := next((why for why in ids if isinstance(why, str)), None):
            return wrong
        if len(set(ids)) < k:
            return "a position has the same token twice"
        return tuple(n for n in ids if not isinstance(n, str)), tuple(n for _, n in likely)

    def _id(self, token: str) -> int | str:
        if found := _BY_NUMBER.fullmatch(token):
            if self.tokenizer.has(int(found[1])):
                return int(found[1])
            return f"the tokenizer {self.tokenizer.name!r} lacks a token: name that of the model"
        ids = self.tokenizer.numbers(token)
        return ids[0] if len(ids) == 1 else _UNNAMED

    def _says(self, drawn: Sequence[str], text: str) -> bool:
        """Whether tokens make that text, white space and what was thought before it aside.

        Servers and tokenizers differ in the blanks at the edges of tokens.
        """
        numbers = [found for token in drawn if (found := _BY_NUMBER.fullmatch(token))]
        by_number = len(numbers) == len(drawn)
        said = self.tokenizer.text([int(n[1]) for n in numbers]) if by_number else "".join(drawn)
        return "".join(text.split()) in "".join(said.split())


def options_of(model: str) -> dict[str, str]:
    """The options of a model's spec; none where a foreign run has another."""
    try:
        return dict(Spec.parse(model).options)
    except UsageError:
        return {}


def _whole(given: object) -> int:
    number = _number(given)
    return int(number) if number is not None else 0


def _number(given: object) -> float | None:
    try:
        return None if given is None else float(str(given))
    except ValueError:
        return None
