"""Tables: what is found, one text for equal ones, and what is no table."""

from __future__ import annotations

import json
from collections import Counter
from hashlib import sha256
from math import sqrt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hch.tables import Kept, Table

CHARS = st.text(st.characters(), max_size=5)  # lone surrogates among them
WEIGHTS = st.dictionaries(CHARS, st.floats(0.001, 1000), min_size=1, max_size=4)
ROWS = st.lists(st.tuples(st.none() | CHARS, CHARS, st.none() | CHARS | WEIGHTS), max_size=12)


def text(answers: object, **more: object) -> str:
    return json.dumps({"hch": "table", "format": 1, "answers": answers, **more})


def test_what_was_said_is_found_by_instance_and_question() -> None:
    table = Table([("i", "Why?", "so"), (None, "Why?", "because"), Kept("i", "What?", "that")])
    assert len(table) == 3
    for seed in range(3):
        assert table.find("i", "Why?", seed) == "so"
        assert table.find(None, "Why?", seed) == "because"
        assert table.find("j", "Why?", seed) is None
        assert table.find(None, "What?", seed) is None
        assert table.find("i", "why?", seed) is None


def test_of_two_rows_the_later_one_holds_and_none_takes_away() -> None:
    table = Table([("i", "a", "1"), ("i", "b", "1"), ("i", "a", "2"), ("i", "b", None)])
    assert list(table.rows()) == [("i", "a", "2")]
    gone = Table([*table.rows(), ("i", "a", None), ("j", "c", None)])
    assert gone.text == Table().text == '{"answers":{},"format":1,"hch":"table"}'
    assert (len(gone), gone.find("i", "a", 0)) == (0, None)


def test_the_text_of_a_table() -> None:
    table = Table([("i", "b", {"y": 3, "x": 1}), (None, "é", "\n"), ("i", "a", {"sure": 7})])
    assert table.text == (
        '{"answers":{"":{"é":"\\n"},"i":{"a":"sure","b":{"x":0.25,"y":0.75}}},'
        '"format":1,"hch":"table"}'
    )
    assert table.digest == sha256(table.text.encode()).hexdigest()


@settings(deadline=None)
@given(ROWS, st.randoms())
def test_equal_tables_are_equal_texts_and_come_back(rows, random) -> None:
    table = Table(rows)
    last = {(row[0] or "", row[1]): row for row in rows}
    mixed = list(last.values())
    random.shuffle(mixed)
    for same in (Table(mixed), Table(table.rows()), Table.read(table.text)):
        assert (same.text, same.digest) == (table.text, table.digest)
        for instance, question, _ in rows:
            for seed in range(3):
                found = table.find(instance, question, seed)
                assert same.find(instance, question, seed) == found
                said = last[instance or "", question][2]
                assert found in said if isinstance(said, dict) else found == said


def test_answers_are_drawn_by_their_weights_and_the_same_for_a_seed() -> None:
    weights = {"a": 0.5, "b": 0.3, "c": 0.2}
    table = Table([("i", "Why?", weights), ("j", "Why?", weights)])
    n = 4000
    drawn = [table.find("i", "Why?", seed) for seed in range(n)]
    assert drawn == [Table.read(table.text).find("i", "Why?", seed) for seed in range(n)]
    for answer, count in Counter(drawn).items():
        p = weights[answer or ""]
        assert abs(count / n - p) < 4 * sqrt(p * (1 - p) / n)
    assert drawn != [table.find("j", "Why?", seed) for seed in range(n)]


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("", "it is no JSON: Expecting value: line 1 column 1"),
        ("[" * 100_000, "it is no JSON: "),
        ("9" * 5000, "it is no JSON: "),
        ("[]", "it is no JSON object"),
        ("{}", "hch: Field required"),
        (text({}, hch="rows"), "hch: Input should be 'table'"),
        (text({}, format=2), "format: Input should be 1"),
        (text({}, more=1), "more: Extra inputs are not permitted"),
        (text([]), "answers: Input should be a valid dictionary"),
        (text({"i": "x"}), "answers, i: Input should be a valid dictionary"),
        (text({"i": {"Why?": 5}}), "answers, i, Why?: it is neither a text nor texts with"),
        (text({"i": {"Why?": {}}}), "answers, i, Why?: it is neither a text nor texts with"),
        (text({"i": {"Why?": {"a": 0}}}), "answers, i, Why?: its weights are not all numbers"),
        (text({"i": {"Why?": {"a": 1.5}}}), "answers, i, Why?: its weights are not all numbers"),
        (text({"i": {"Why?": {"a": True}}}), "answers, i, Why?: its weights are not all numbers"),
        (text({"i": {"Why?": {"a": None}}}), "answers, i, Why?: its weights are not all numbers"),
        (text({"i": {"Why?": {"a": float("nan")}}}), "answers, i, Why?: its weights are not all"),
        (text({"\x1b[2J": {"\n" * 99: 5}}), r"answers, \x1b[2J, : it is neither"),
    ],
)
def test_what_is_no_table_is_refused_with_what_and_where(bad: str, why: str) -> None:
    with pytest.raises(ValueError, match=r"^[^\n\x1b]*$") as refused:
        Table.read(bad)
    assert str(refused.value).startswith(why)


@pytest.mark.parametrize("weights", [{}, {"a": 0}, {"a": 1, "b": -1}, {"a": float("inf")}])
def test_weights_that_are_none_are_refused(weights: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="weights are numbers above 0"):
        Table([(None, "Why?", weights)])
