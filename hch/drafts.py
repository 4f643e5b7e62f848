"""From a copy's prompt to the one request that asks a model for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from hch.bounds import call_bound, input_bound
from hch.budget import Price
from hch.chance import seed_of
from hch.prompts import Parts, exchange_parts, marked, neutral, own_parts
from hch.protocols import GrantView, Model, Value
from hch.rates import token_bound
from hch.replies import ReplyProblem, form, stated
from hch.rules import Rules
from hch.types import Message, Part, Path, Question, Request, Sampling, Text

_SHOWN_OF_A_BAD_REPLY = 2000


class Drafts:
    """Makes a copy's requests; remembers the last prompt sent, whose true size is known."""

    def __init__(
        self, rules: Rules, question: Question, place: tuple[str, int, Path], model: Model
    ) -> None:
        self._rules = rules
        self._question = question
        self._node, self._level, self._sample = place
        self._model = model
        self._sent: tuple[tuple[Message, ...], int] = ((), 0)
        self._seed = seed_of(rules.seed, self._sample)
        self._own: dict[str, Parts] = {
            **own_parts(question, rules.manual),
            "level": (Part(str(self._level), "level"),),
        }

    def draft(
        self, prompt: str, returns: Any, grant: GrantView, values: Mapping[str, Value]
    ) -> Request:
        """The request of a think. Raises PromptError for a prompt that no strategy has named."""
        rules, question = self._rules, self._question
        typed = returns is not str
        filled: dict[str, Parts] = {
            **self._own,
            "grant": (Part(shown(grant), "grant"),),
            "form": (Part(stated(returns, len(self._question.context)), "form"),) if typed else (),
        }
        for name, value in values.items():
            filled[name] = marked(value, name) if isinstance(value, Text) else exchange_parts(value)
        request = Request(
            messages=rules.prompts[prompt].fill(filled),
            sampling=Sampling(max_tokens=rules.limits.answer_tokens),
            form=form(returns, len(question.context)) if typed else None,
            sample=self._sample,
            seed=self._seed,
            question=question.text.body,
            instance=question.instance,
            node=self._node,
            level=self._level,
        )
        return self._sealed(request)

    def repair(self, request: Request, returns: Any, bad: str, problem: ReplyProblem) -> Request:
        """The same request, its last message extended by the bad reply and what was wrong."""
        shown_reply = Text(bad[:_SHOWN_OF_A_BAD_REPLY], "model", trusted=False)
        values: dict[str, Parts] = {
            "reply": marked(shown_reply, "reply"),
            "problem": (Part(neutral(str(problem)), "problem"),),
            "form": (Part(stated(returns, len(self._question.context)), "form"),),
        }
        added = [
            part for message in self._rules.prompts.repair.fill(values) for part in message.parts
        ]
        *head, last = request.messages
        extended = Message(last.role, (*last.parts, Part("\n\n"), *added))
        return self._sealed(replace(request, messages=(*head, extended)))

    def worst(self, request: Request) -> Price:
        return call_bound(request, self._model)

    def sent(self, request: Request, tokens: int) -> None:
        """Remember what a prompt truly took, for the next one that begins with it."""
        self._sent = (request.messages, tokens)

    def _sealed(self, request: Request) -> Request:
        """The request with its key, and with the most tokens that its input can be.

        A beginning that was sent before is as long as it was told to be, and an answer that came
        as one reply is no longer than a reply may be.
        """
        sent, tokens = self._sent
        parts, begun = _parts(request.messages), _parts(sent)
        if begun and parts[: len(begun)] == begun:
            parts = parts[len(begun) :]
        else:
            tokens = 0
        most, rest = self._rules.limits.answer_tokens, []
        for part in parts:
            if part.origin.startswith("answer "):
                tokens += min(token_bound(part.body), most)
            else:
                rest.append(part.body)
        bound = tokens + input_bound(request, "".join(rest))
        return replace(request, call=request.key(self._model.name), bound=bound)


@lru_cache(maxsize=64)
def shown(grant: GrantView) -> str:
    """A grant in words, for H."""
    amounts = [
        f"{n} {unit}"
        for n, unit in (
            (grant.calls, "calls"),
            (grant.tokens, "tokens"),
            (grant.microusd, "millionths of a dollar"),
            (grant.nodes, "copies"),
        )
        if n is not None
    ]
    return "about " + ", ".join(amounts) if amounts else "no limit"


def _parts(messages: Sequence[Message]) -> list[Part]:
    return [part for message in messages for part in message.parts]
