"""The scorers that compare texts: exactly, or by another player's judgement."""

from __future__ import annotations

import pytest

from hch import registry
from hch.protocols import Scorer


def scorer(spec: str) -> Scorer:
    return registry.build("scorers", registry.Spec.parse(spec))


@pytest.mark.parametrize(
    ("spec", "one", "other", "same"),
    [
        ("exact", "Paris", " Paris\n", True),
        ("exact", "Paris", "paris", False),
        ("exact", "a b", "a  b", False),
        ("exact,case=false", "Straße", "STRASSE", True),
        ("exact,case=false", "Paris", "Rome", False),
        ("model", "a b", " a\n b", True),
        ("model", "A b", "a b", False),
    ],
)
def test_equal_forms_are_the_same_answer(spec, one, other, same):
    assert (scorer(spec).form(one) == scorer(spec).form(other)) is same


def test_only_a_judged_scorer_names_who_judges():
    assert [scorer(name).by for name in ("exact", "numeric", "choice")] == [None] * 3
    assert scorer("model").by == "check"
    assert scorer("model,by=judge").by == "judge"
