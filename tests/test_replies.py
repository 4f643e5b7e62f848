"""The grammar of a typed reply: what is in it is read, and of the rest its author is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hch import registry
from hch.errors import GrantExhausted, NodeError, RefusalError, ReplyError
from hch.replies import (
    Reply,
    ReplyProblem,
    SubQuestion,
    cannot,
    ended,
    form,
    parse,
    stated,
    without_reasoning,
)
from hch.types import Answer, Text

relaxed = settings(deadline=None)


class Plan(Reply):
    """What the tests read."""

    n: int
    ratio: float = 0.5
    name: str = ""
    done: bool = False
    parts: tuple[SubQuestion, ...] = ()


ANY = st.text(st.characters(codec=None, categories=None))
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from("n"), inner),
    max_leaves=8,
)
NEARLY = st.lists(
    st.sampled_from(
        ["<think>", "</think>", "```", "```json", "\n", " ", "{", "}", '{"n": 1}', '"n": 1',
         "[", "]", ",", "null", "1", "\ufeff", "\x00", "\ud800", "\\ud800", '"']
    ),
    max_size=8,
).map("".join)  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        '{"n": 1}',
        '  \n\t{"n":1}\r\n ',
        '{"n": 1, "ratio": 2, "name": "", "done": false, "parts": []}',
        '```json\n{"n": 1}\n```',
        '```\n{"n": 1}\n```',
        '\n```json  \n\n{\n"n": 1\n}\n\n  ```\n',
        '<think></think>{"n": 1}',
        ' <think>1 or 2?\n{"n": 2}\n```json</think>\n\n{"n": 1}',
        '<think>so</think>\n```json\n{"n": 1}\n```',
        '{"n": 1, "name": "\\u0000 \\ud83d\\ude00 </think> ``` {"}',
    ],
)
def test_what_is_in_the_grammar_is_read(text: str) -> None:
    assert parse(text, Plan).n == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the reply was empty"),
        (" \n ", "the reply was empty"),
        ("<think>hm</think>", "the reply was empty"),
        ('<think>{"n": 1}', "the reply was empty"),
        ("```json\n\n```", "the reply was empty"),
        ('Sure! {"n": 1}', "one JSON object and nothing else"),
        ('{"n": 1} Done.', "trailing characters"),
        ('{"n": 1}{"n": 1}', "trailing characters"),
        ('{"n": 1}\n```', "trailing characters"),
        ('{"n": 1} // so', "trailing characters"),
        ('[{"n": 1}]', "one JSON object and nothing else"),
        ('"n"', "one JSON object and nothing else"),
        ("null", "one JSON object and nothing else"),
        ("1", "one JSON object and nothing else"),
        ('\ufeff{"n": 1}', "one JSON object and nothing else"),
        ('```json\n```json\n{"n": 1}\n```\n```', "one JSON object and nothing else"),
        ('```\n{"n": 1}\n```\n```\n{"n": 1}\n```', "trailing characters"),
        ('```json\n{"n": 1}\n```\nDone.', "one JSON object and nothing else"),
        ('```python\n{"n": 1}\n```', "one JSON object and nothing else"),
        ('```json\n{"n": 1}', "one JSON object and nothing else"),
        ('<think>a</think><think>b</think>{"n": 1}', "one JSON object and nothing else"),
        ('{"n": 1}<think>a</think>', "trailing characters"),
        ("{'n': 1}", "key must be a string"),
        ('{"n": 1,}', "trailing comma"),
        ('{"n": 1', "EOF"),
        ("{n: 1}", "key must be a string"),
        ('{"n": 01}', "invalid number"),
        ("{}", "n: Field required"),
        ('{"n": null}', "n: Input should be a valid integer"),
        ('{"n": "1"}', "n: Input should be a valid integer"),
        ('{"n": 1.0}', "n: Input should be a valid integer"),
        ('{"n": true}', "n: Input should be a valid integer"),
        ('{"n": 1, "name": 1}', "name: Input should be a valid string"),
        ('{"n": 1, "done": 1}', "done: Input should be a valid boolean"),
        ('{"n": 1, "parts": {}}', "parts: Input should be a valid array"),
        ('{"n": 1, "m": 2}', "m: Extra inputs are not permitted"),
        ('{"n": 1, "n": 2}', "the field 'n' is there more than once"),
        ('{"n": 1, "n": 1}', "the field 'n' is there more than once"),
        ('{"n": 1, "parts": [{"question": "a", "question": "b", "texts": []}]}', "'question' is"),
        ('{"n": 1, "ratio": NaN}', "ratio: Input should be a finite number"),
        ('{"n": 1, "ratio": Infinity}', "ratio: Input should be a finite number"),
        ('{"n": 1, "ratio": 1e999}', "ratio: Input should be a finite number"),
        ('{"n": 1, "name": "\\ud800"}', "Invalid JSON"),
        ('{"n": 1, "name": "\\udc00\\ud800"}', "Invalid JSON"),
        ('{"n": 1, "name": "\ud800"}', "no Unicode text"),
        ('{"n": 1, "name": "a\nb"}', "Invalid JSON: control character"),
        ('{"n": 1, "name": "\x00"}', "Invalid JSON: control character"),
        ('{"n": ' + "9" * 5000 + "}", "Invalid JSON: number out of range"),
        ('{"n":' * 100_000, "recursion limit"),
        ('{"n":' + "[" * 100_000 + "]" * 100_000 + "}", "recursion limit"),
        ("{" * 100_000, "Invalid JSON"),
        ("[" * 100_000, "one JSON object"),
    ],
    ids=lambda text: ascii(text)[:30],
)
def test_what_is_outside_is_refused_in_words(text: str, said: str) -> None:
    with pytest.raises(ReplyProblem) as caught:
        parse(text, Plan)
    assert said in str(caught.value)
    assert len(str(caught.value)) <= 400


@relaxed
@given(ANY | NEARLY | JSON.map(json.dumps) | st.tuples(NEARLY, JSON.map(json.dumps)).map("".join))
@example('{"n": 1, "parts": [{"question": "?", "texts": [' + "9" * 4299 + "]}]}")
@example('{"n": 1, "' + "k" * 100_000 + '": 1}')
@example('{"n": 1, "\\u0000": 1}')
def test_any_text_is_a_reply_or_a_problem_in_words(text: str) -> None:
    try:
        plan = parse(text, Plan, texts=2)
    except ReplyProblem as problem:
        said = str(problem)
    else:
        assert parse(plan.model_dump_json(), Plan, texts=2) == plan
        return
    assert 0 < len(said) <= 400
    said.encode()


@relaxed
@given(st.integers(-(2**80), 2**80), st.floats(allow_nan=False, allow_infinity=False), st.text())
def test_what_fits_is_read_exactly(n: int, ratio: float, name: str) -> None:
    for ensure_ascii in (True, False):
        text = json.dumps({"n": n, "ratio": ratio, "name": name}, ensure_ascii=ensure_ascii)
        assert parse(text, Plan) == Plan(n=n, ratio=ratio, name=name)
        assert parse(f"<think>{n}</think>\n```json\n{text}\n```\n", Plan).name == name


def test_a_megabyte_is_read() -> None:
    questions = [{"question": "why? " * 200, "texts": []}] * 1000
    plan = parse(json.dumps({"n": 1, "parts": questions}), Plan)
    assert len(plan.parts) == 1000
    assert parse(json.dumps({"n": 1, "name": "x" * 1_000_000}), Plan).name == "x" * 1_000_000


@pytest.mark.parametrize(
    "noise", ["```json\n" * 50_000, "<think>" * 100_000, "\n ```" * 50_000, " " * 10**6]
)
def test_a_megabyte_of_nonsense_is_a_problem_too(noise: str) -> None:
    for text in (noise, noise + '{"n": 1', f"```json\n{noise}", f"<think>{noise}"):
        with pytest.raises(ReplyProblem):
            parse(text, Plan)


def test_a_reply_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        parse('{"n": 1}', Plan).n = 2  # type: ignore[misc]


# texts sent along


def asked(*texts: int) -> str:
    return json.dumps({"question": "Why?", "texts": texts})


def test_texts_are_named_by_number_and_none_named_means_all() -> None:
    context = (Text("A"), Text("B"), Text("C"))
    for numbers, sent in (((1,), "A"), ((3, 1), "CA"), ((), "ABC")):
        question = parse(asked(*numbers), SubQuestion, texts=3).asked_with(context)
        assert "".join(text.body for text in question.context) == sent
        assert question.text == Text("Why?", "model")
    assert parse('{"question": "Why?"}', SubQuestion).asked_with(()).context == ()
    repeated = parse(asked(2, 1, 2), SubQuestion, texts=3).asked_with(context)
    assert repeated.context == (context[1], context[0])


@pytest.mark.parametrize("number", [0, -1, 3, 10**30])
def test_a_number_that_no_text_has_is_refused(number: int) -> None:
    with pytest.raises(ReplyProblem, match=f"no text {number}: texts are numbered from 1 to 2"):
        parse(asked(1, number), SubQuestion, texts=2)
    with pytest.raises(ReplyProblem, match="there are no texts to send along: leave it empty"):
        parse(asked(number), SubQuestion)


# finishing texts


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("42", "42"),
        ("<think>6 * 7</think>42", "42"),
        (" \n<think>6\n*\n7</think>\n42", "\n42"),
        ("<think>6 * 7", ""),
        ("42 <think>sure?</think>", "42 <think>sure?</think>"),
        ("<think>a</think>b</think>", "b</think>"),
        ("<thinking>a</thinking>", "<thinking>a</thinking>"),
    ],
)
def test_a_finishing_text_is_taken_without_its_reasoning(text: str, rest: str) -> None:
    assert without_reasoning(text) == rest


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("CANNOT ANSWER: the texts do not say", "the texts do not say"),
        ("\n CANNOT ANSWER:  why \nmore", "why"),
        ("CANNOT ANSWER", "no reason given"),
        ("CANNOT ANSWER.", "no reason given"),
        ("CANNOT ANSWER: \n", "no reason given"),
        ("CANNOT ANSWER\n42", "no reason given"),
        ("42", None),
        ("", None),
        ("I CANNOT ANSWER: no", None),
        ("42\nCANNOT ANSWER: no", None),
        ("CANNOT ANSWERS", None),
        ("cannot answer: no", None),
    ],
)
def test_who_cannot_answer_says_so_in_the_first_line(text: str, reason: str | None) -> None:
    assert cannot(text) == reason


@relaxed
@given(ANY)
def test_any_text_has_a_reason_of_one_line_or_none(text: str) -> None:
    for said in (text, f"CANNOT ANSWER: {text}"):
        reason = cannot(without_reasoning(said))
        assert reason is None or (reason and "\n" not in reason and reason == reason.strip())
    assert cannot(f"CANNOT ANSWER: {text}") is not None


@pytest.mark.parametrize(
    ("result", "answer"),
    [
        ("ab", Answer("answered", Text("ab", "model"))),
        (Text("ab", "person"), Answer("answered", Text("ab", "person"))),
        ("CANNOT ANSWER: so", Answer("unanswered", None, "so")),
        (" \n", Answer("failed", None, "the reply was empty")),
        (Answer("answered", Text("CANNOT ANSWER")), Answer("answered", Text("CANNOT ANSWER"))),
        (Answer("answered"), Answer("failed", None, "the reply was empty")),
        (Answer("refused", None, "no"), Answer("unanswered", None, "refused: no")),
        (Answer("cancelled", Text("ab"), "stop"), Answer("failed", None, "stop")),
        (Answer("truncated", Text("ab"), "short"), Answer("truncated", None, "short")),
        (ReplyError("outside"), Answer("failed", None, "outside")),
        (RefusalError("no"), Answer("unanswered", None, "no")),
        (GrantExhausted("too small"), Answer("truncated", None, "too small")),
    ],
)
def test_what_a_strategy_comes_to_is_an_answer_of_its_node(
    result: Answer | Text | str | NodeError, answer: Answer
) -> None:
    found = ended(result)
    assert found == answer
    assert (found.text and found.text.source) == (answer.text and answer.text.source)


# forms


def every_reply() -> list[type[Reply]]:
    """The reply types of all strategies, and those inside them."""
    for name in registry.names("strategies"):
        registry.load("strategies", name)

    def below(kind: type[Reply]) -> Iterator[type[Reply]]:
        for reply in kind.__subclasses__():
            if reply.__module__.startswith("hch."):
                yield reply
            yield from below(reply)

    return list(below(Reply))


def objects(schema: Any) -> Iterator[dict[str, Any]]:
    """Every object schema within a schema."""
    if isinstance(schema, list):
        for item in schema:
            yield from objects(item)
    elif isinstance(schema, dict):
        if "properties" in schema or schema.get("type") == "object":
            yield schema
        for key, value in schema.items():
            yield from objects(list(value.values()) if key == "properties" else value)


@pytest.mark.parametrize("texts", [0, 1, 3])
@pytest.mark.parametrize("reply", every_reply(), ids=lambda reply: reply.__name__)
def test_a_form_is_one_that_strict_servers_take(reply: type[Reply], texts: int) -> None:
    made = form(reply, texts)
    assert made.name == reply.__name__
    schema = json.loads(made.schema)
    assert schema["type"] == "object"
    found = list(objects(schema))
    assert found
    for part in found:
        assert part["additionalProperties"] is False
        assert sorted(part["required"]) == sorted(part["properties"])
        assert "title" not in part
        assert "description" not in part
        for name, value in part["properties"].items():
            assert not {"title", "description", "default", "$ref"} & value.keys(), name
    assert "$ref" not in made.schema
    assert "$defs" not in made.schema
    assert ('"texts"' in made.schema) <= (texts > 0)
    assert json.dumps(schema, separators=(",", ":")) == made.schema


def test_a_form_names_the_texts_that_there_are() -> None:
    schema = json.loads(form(SubQuestion, 3).schema)
    assert schema["properties"]["texts"]["items"] == {"type": "integer", "enum": [1, 2, 3]}
    assert "texts" not in json.loads(form(SubQuestion, 0).schema)["properties"]


class Odd(Reply):
    """Its fields are called like parts of a schema."""

    title: str
    description: SubQuestion
    default: list[Plan]
    properties: int


def test_a_field_may_have_any_name() -> None:
    schema = json.loads(form(Odd, 2).schema)
    assert list(schema["properties"]) == ["title", "description", "default", "properties"]
    assert schema["required"] == list(schema["properties"])
    assert schema["properties"]["title"] == {"type": "string"}
    assert list(schema["properties"]["description"]["properties"]) == ["question", "texts"]


@pytest.mark.parametrize("reply", every_reply(), ids=lambda reply: reply.__name__)
def test_the_form_is_stated_in_words_as_it_is_sent(reply: type[Reply]) -> None:
    for texts in (0, 2):
        assert stated(reply, texts).endswith(form(reply, texts).schema)
        assert ("numbers of the texts" in stated(reply, texts)) == (
            '"texts"' in form(reply, texts).schema
        )
