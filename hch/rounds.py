"""One round of asking: which questions are refused, which get a copy, and with what grant."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, takewhile
from typing import Literal

from hch.budget import Price, share
from hch.events import Asked
from hch.prompts import HEAD, SHOWN_IN_VAIN
from hch.rules import Limits, Seat
from hch.types import Question
from hch.wire import Words

TOO_LITTLE = "the grant is too small for another copy"
_SHOWN_OF_A_REFUSED_QUESTION = 2000
_WRITTEN = 64


@dataclass(frozen=True, slots=True)
class Guard:
    """Refuses what no copy may be asked. Word-for-word repeats only where the strategy wants it."""

    limits: Limits
    level: int
    own: str | None

    def refuses(self, body: str, room: int) -> str | None:
        """Why this question gets no copy, `room` being how many more the node may ask."""
        limit = self.limits.message_bytes
        if self.level == 0:
            return "level 0 has nobody to ask"
        if room <= 0:
            return f"a node may ask {self.limits.fanout} questions in all"
        if not body.strip():
            return "the question is empty"
        if len(body) * 4 > limit and len(body[: limit + 1].encode("utf-8", "replace")) > limit:
            return f"the question is longer than {limit} bytes"
        if self.own is not None and _folded(body) == _folded(self.own):
            return "it repeats the asker's own question word for word"
        return None


@dataclass(slots=True)
class Round:
    """The questions of one round, sorted: `refusals` by question, and `copies` by question."""

    questions: Sequence[Question]
    refusals: dict[Question, str] = field(default_factory=dict)
    copies: dict[Question, Seat] = field(default_factory=dict)

    def sift(self, guard: Guard, known: Mapping[Question, object]) -> list[Question]:
        """The new questions that pass every guard, in order; equal ones once."""
        fresh: list[Question] = []
        seen = set(known)
        for question in self.questions:
            if question in seen:
                continue
            seen.add(question)
            room = guard.limits.fanout - len(known) - len(fresh)
            why = guard.refuses(question.text.body, room)
            if why is None:
                fresh.append(question)
            else:
                self.refusals[question] = why
        return fresh

    def in_vain(self, fresh: Sequence[Question]) -> list[str]:
        """What a prompt may show of the questions that get no copy of their own."""
        if len(fresh) == len(self.questions):
            return []
        wanted = set(fresh)
        vain = (heading(question) for question in self.questions if question not in wanted)
        repeats = max(0, len(self.questions) - len(self.refusals) - len(fresh))
        return [*islice(vain, SHOWN_IN_VAIN), *[""] * min(repeats, SHOWN_IN_VAIN)]

    def grant(
        self,
        fresh: Sequence[Question],
        spare: Callable[[Sequence[Question]], tuple[Price, Price]],
        child: Callable[[Question, Price], Seat],
        *,
        last: bool,
    ) -> None:
        """Copies for the most of the fresh questions, in order, whose share is enough for each.

        `spare` gives (left, keep) for so many questions.
        """
        for m in range(len(fresh), 0, -1):
            amount = share(*spare(fresh[:m]), m, last=last)
            copies = list(takewhile(_viable, (child(q, amount) for q in fresh[:m])))
            if len(copies) == m:
                self.copies = dict(zip(fresh, copies, strict=False))
                break
        self.refusals |= dict.fromkeys(fresh[len(self.copies) :], TOO_LITTLE)

    def events(
        self,
        parent: str,
        before: tuple[int, int],
        known: Mapping[Question, str],
        how: Literal["ask", "try", "put"],
    ) -> list[Asked]:
        """What is written of the round; `before` is the (slots, rounds) there were already.

        Of many questions in vain only the first of each kind is written, and how many more.
        """
        slots, rounds = before
        kept: dict[tuple[str | None, str | None], list[int]] = {}
        written: list[tuple[int, Question, tuple[str | None, str | None], list[int]]] = []
        opened: set[Question] = set()
        for i, question in enumerate(self.questions, 1):
            fresh = question in self.copies and question not in opened
            opened.add(question)
            kind = self._kind(question, known)
            more = None if fresh or len(written) < _WRITTEN else kept.get(kind)
            if more is None:
                more = kept[kind] = [0]
                written.append((i, question, kind, more))
            else:
                more[0] += 1
        return [
            Asked(
                parent=parent,
                slot=slots + i,
                round=rounds + 1,
                how=how,
                question=_words(question, refusal),
                child=child,
                refusal=refusal,
                more=more[0],
            )
            for i, question, (child, refusal), more in written
        ]

    def _kind(
        self, question: Question, known: Mapping[Question, str]
    ) -> tuple[str | None, str | None]:
        """Whose answer it gets, by key, or why none."""
        if (refusal := self.refusals.get(question)) is not None:
            return None, refusal
        copy = self.copies.get(question)
        return known[question] if copy is None else copy.key, None


def _words(question: Question, refusal: str | None) -> Words:
    text = question.text
    if refusal is not None:
        text = replace(text, body=text.body[:_SHOWN_OF_A_REFUSED_QUESTION])
    return Words.of(text)


def heading(question: Question) -> str:
    """As much text as a prompt may show of a refused question, with the reason."""
    return question.text.body[:HEAD] + "x" * HEAD


def _viable(copy: Seat) -> bool:
    return copy.is_viable()


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())
