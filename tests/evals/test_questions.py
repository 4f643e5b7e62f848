"""The questions of an evaluation: a task's law, and files as people write them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from hch import registry
from hch.errors import UsageError
from hch.evals.questions import MOST, Sheet
from hch.playing import drawn
from hch.protocols import Scorer
from hch.registry import Spec
from tests.evals.evaluating import task_of


def test_questions_of_a_task_are_different_and_the_same_again() -> None:
    sheet = Sheet.of_task(task_of(), "arithmetic", 200)
    bodies = [question.text.body for question in sheet.questions]
    assert len(set(bodies)) == 200
    assert {*sheet.kinds} == {"height 4"}
    assert sheet.expected == (None,) * 200
    assert sheet.instances == ()
    assert sheet == Sheet.of_task(task_of(), "arithmetic", 200)
    first = Sheet.of_task(task_of(), "arithmetic", 3, range(7, 10)).questions
    assert [q.text.body for q in first] == [
        f"What is {drawn(task_of(), number).facts}?" for number in range(7, 10)
    ]


def test_sizes_take_turns() -> None:
    sheet = Sheet.of_task(task_of(), "arithmetic", 7, sizes=(1, 2, 5))
    assert sheet.kinds == tuple(f"height {n}" for n in (1, 2, 5, 1, 2, 5, 1))
    twice = Sheet.of_task(task_of(), "arithmetic", 40, sizes=(1, 1))
    assert len({question.text.body for question in twice.questions}) == 40
    few = Counter(Sheet.of_task(task_of(), "arithmetic", 100, sizes=(0, 2)).kinds)
    assert few == {"height 0": 30, "height 2": 70}


def test_instances_share_the_questions_and_are_named() -> None:
    task = task_of("permutation,size=4")
    sheet = Sheet.of_task(task, "permutation,size=4", 10, (3, 4, 5))
    facts = [drawn(task, number) for number in (3, 4, 5)]
    by_instance = Counter(question.instance for question in sheet.questions)
    assert by_instance == dict(zip((one.digest for one in facts), (4, 3, 3), strict=True))
    assert [*sheet.instances] == facts
    assert len({(q.text.body, q.instance) for q in sheet.questions}) == 10
    other = Sheet.of_task(task, "permutation,size=4", 10, (3, 4, 5), seed=1)
    assert other.questions != sheet.questions
    assert other.seed == 1


def test_where_one_instance_has_too_few_questions_others_give_more() -> None:
    task = task_of("wildcard")
    sheet = Sheet.of_task(task, "wildcard", 20, (0,), sizes=(2, 4))
    assert Counter(len(q.text.body) for q in sheet.questions) == {7: 5, 9: 15}
    with pytest.raises(UsageError, match="gives only 70 different questions here, and 1,000 are"):
        Sheet.of_task(task, "wildcard", 1000, (0,), sizes=(2, 4))
    towers = Sheet.of_task(task_of("hanoi"), "hanoi", 2, sizes=(2, 3))
    assert towers.kinds == ("up to 4 moves", "up to 8 moves")


Write: TypeAlias = Callable[[str, str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(name: str, text: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_lines_of_json(write: Write) -> None:
    path = write(
        "some.jsonl",
        '\ufeff{"question": "What is 2 + 3?", "answer": 5}\r\n'
        "\r\n"
        '{"question": "Who\\u2028won?", "answer": "Ada", "kind": "easy", "context": ["a", "b"]}\r\n'
        '{"question": "How many?", "answer": 12345678901234567890.50, "context": "a"}',
    )
    sheet = Sheet.of_file(path, task_of())
    assert [q.text.body for q in sheet.questions] == [
        "What is 2 + 3?",
        "Who\u2028won?",
        "How many?",
    ]
    assert sheet.expected == ("5", "Ada", "12345678901234567890.50")
    assert sheet.kinds == ("height 1", "easy", "")
    assert [[t.body for t in q.context] for q in sheet.questions] == [[], ["a", "b"], ["a"]]
    assert not sheet.questions[1].context[0].trusted
    assert sheet.source == str(path)


def test_csv(write: Write) -> None:
    path = write(
        "some.CSV",
        '\ufeffquestion,answer,kind,context\r\n"Who won,\r\nand why?",Ada,"a ""kind""",\r\n'
        "\r\nWhat is 2 + 3?,,,a text\r\n",
    )
    sheet = Sheet.of_file(path, task_of())
    assert [q.text.body for q in sheet.questions] == ["Who won,\r\nand why?", "What is 2 + 3?"]
    assert sheet.expected == ("Ada", None)
    assert sheet.kinds == ('a "kind"', "height 1")
    assert [t.body for t in sheet.questions[1].context] == ["a text"]


def test_instances_are_named_by_number(write: Write) -> None:
    task = task_of("permutation,size=8")
    path = write("some.jsonl", '{"question": "s^3(aa)", "instance": 7}\n')
    sheet = Sheet.of_file(path, task)
    assert sheet.instances == (drawn(task, 7),)
    assert sheet.questions[0].instance == sheet.instances[0].digest
    with pytest.raises(UsageError, match=r"line 1: an instance is named, and there is no task"):
        Sheet.of_file(path)


DEEP = '{"question": ' + "[" * 100_000


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        ("a.txt", "What?", "is neither .jsonl nor .csv"),
        ("a.jsonl", "", "has no questions"),
        ("a.jsonl", "\n\nWhat?", "line 3: it is no JSON"),
        ("a.jsonl", "[1]", "line 1: it is no JSON object"),
        ("a.jsonl", DEEP, "line 1: it is no JSON"),
        ("a.jsonl", '{"question": NaN}', "line 1: it is no JSON that can be read: NaN"),
        ("a.jsonl", '{"answer": "x", "answer": "y"}', "can be read: 'answer' is named twice"),
        ("a.jsonl", '{"answer": "x"}', "line 1: there is no question"),
        ("a.jsonl", '{"question": " ", "answer": "x"}', "line 1: the question is empty"),
        ("a.jsonl", '{"question": ["x"], "answer": "x"}', "line 1: question:"),
        (
            "a.jsonl",
            '{"question": "q", "answer": true}',
            "line 1: answer: write a text or a num",
        ),
        ("a.jsonl", '{"question": "q", "number": 3}', "line 1: 'number' is unknown"),
        ("a.jsonl", '{"question": "q", "anwser": "x"}', "line 1: 'anwser' is unknown: there are"),
        ("a.jsonl", '{"question": "q"}', "line 1: there is no answer, and no task"),
        ("a.jsonl", '{"question": "q", "answer": "x", "instance": -1}', "line 1: instance:"),
        ("a.jsonl", '{"question": "q", "answer": ""}', "line 1: there is no answer, and no task"),
        ("a.jsonl", '{"question": "q", "answer": " "}', "line 1: there is no answer, and no task"),
        ("a.csv", "question,answer\nq,", "line 2: there is no answer, and no task"),
        ("a.csv", "question,answer\nq, ", "line 2: there is no answer, and no task"),
        ("a.jsonl", b'\n{"question": "q", "answer": "\xff"}', "line 2: it is not UTF-8"),
        ("a.csv", b"question,answer\r\nq,\xed\xa0\x80", "line 2: it is not UTF-8"),
        (
            "a.jsonl",
            '{"question": "q", "answer": "x"}\n\n{"question": "q", "answer": "y"}',
            "line 3: the question is that of line 1",
        ),
        ("a.csv", "question,solution\nq,x", "line 1: the columns are to be named"),
        ("a.csv", "answer\nq", "line 1: the columns are to be named"),
        ("a.csv", "question,question\nq,x", "line 1: the columns are to be named"),
        ("a.csv", "question,answer\nq,x,y", "line 2: there are 3 columns, and 2 names"),
        ("a.csv", 'question,answer\n"q\nr",x\n,y', "line 4: the question is empty"),
        ("a.csv", 'question,answer\n"q"r,x', "line 2: it is no CSV"),
        ("a.csv", 'question,answer\n"q,x', "line 2: it is no CSV"),
        ("a.csv", "question,answer\nq," + "x" * 200_000, "line 2: a cell has more than 131,072 "),
        ("a.csv", "question,answer", "has no questions"),
        ("a.csv", "", "has no questions"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(
    write: Write, name: str, text: str | bytes, what: str
) -> None:
    with pytest.raises(UsageError) as told:
        Sheet.of_file(write(name, text))
    assert what in str(told.value)
    assert name in str(told.value)
    assert len(str(told.value)) < 500


def test_no_more_is_read_of_a_file_than_is_wanted(write: Write) -> None:
    first = '{"question": "1?", "answer": "1"}\n{"question": "2?", "answer": "2"}\n'
    path = write("some.jsonl", first.encode() + b"\xff\n")
    assert Sheet.of_file(path, count=2).expected == ("1", "2")
    with pytest.raises(UsageError, match="line 3: it is not UTF-8"):
        Sheet.of_file(path, count=3)
    path = write("some.csv", "question,answer\n1?,1\n2?,2\nno,more,of,these\n")
    assert Sheet.of_file(path, count=2).expected == ("1", "2")


def test_a_file_has_as_many_questions_as_are_wanted_and_not_too_many(write: Write) -> None:
    path = write("some.csv", "question,answer\n1?,1\n2?,2\n")
    with pytest.raises(UsageError, match="has only 2 of the 3 questions wanted: ask for fewer"):
        Sheet.of_file(path, count=3)
    many = "".join(f"{n}?,1\n" for n in range(MOST + 1))
    path = write("many.csv", f"question,answer\n{many}")
    with pytest.raises(UsageError, match="more than 100,000 questions, the most there can be"):
        Sheet.of_file(path)
    assert len(Sheet.of_file(path, count=MOST).questions) == MOST


def test_an_answer_that_the_scorer_cannot_read_is_refused(write: Write) -> None:
    numeric: Scorer = registry.build("scorers", Spec.parse("numeric"))
    path = write(
        "some.jsonl", '{"question": "1?", "answer": 1}\n{"question": "2?", "answer": "II"}'
    )
    assert Sheet.of_file(path).expected == ("1", "II")
    with pytest.raises(UsageError, match="line 2: the scorer cannot read the answer 'II', so that"):
        Sheet.of_file(path, scorer=numeric)


def test_an_empty_answer_is_the_truth_of_the_task(write: Write) -> None:
    for name, text in (
        ("a.jsonl", '{"question": "What is 2 + 3?", "answer": " "}'),
        ("a.csv", "question,answer\nWhat is 2 + 3?, \n"),
    ):
        assert Sheet.of_file(write(name, text), task_of()).expected == (None,)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        Sheet.of_file(tmp_path / "none.jsonl")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(UsageError, match="cannot be read: Is a directory"):
        Sheet.of_file(tmp_path / "folder.csv")
