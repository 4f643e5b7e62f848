"""Questions that are written like calls, `D(ab,cd)`: how they are read, and what answers them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from hch.safe_text import one_line
from hch.tasks._replies import read
from hch.types import Answer


class Call(NamedTuple):
    """A question's term: the name, and the arguments in order."""

    name: str
    args: tuple[str, ...]


class Form(NamedTuple):
    """A kind of question: patterns of its arguments and of its answers, and how it is shown."""

    args: tuple[str, ...]
    answer: str
    shown: str


class Grammar:
    """Every kind of question that a task has, by name."""

    def __init__(self, forms: Mapping[str, Form]) -> None:
        self._forms = forms
        self._answers = {name: re.compile(form.answer) for name, form in forms.items()}
        self._calls = {
            name: re.compile(rf"{name}\({','.join(f'({arg})' for arg in form.args)}\)")
            for name, form in forms.items()
        }

    def parse(self, text: str) -> Call:
        """The term of a question, letter by letter. Raises ValueError with what is asked here."""
        name = text.partition("(")[0]
        pattern = self._calls.get(name)
        match = pattern.fullmatch(text) if pattern else None
        if match is None:
            known = [self._forms[name]] if pattern else self._forms.values()
            wanted = " or ".join(form.shown for form in known)
            raise ValueError(f"{one_line(text, 60)!r} is not of the form {wanted}")
        return Call(name, match.groups())

    def render(self, term: Call) -> str:
        return f"{term.name}({','.join(term.args)})"

    def said(self, term: Call, answer: Answer) -> str | None:
        """What an answer to this term says; None where it is none, or not of the term's type."""
        return read(answer, self._answers[term.name])
