"""`table:NAME`: a model that answers from a stored table."""

from __future__ import annotations

import asyncio

import pytest

from hch import HCH, registry
from hch.errors import ConfigError, UsageError
from hch.playing import drawn
from hch.protocols import Model
from hch.rates import Rate
from hch.registry import Spec
from hch.stores.memory import MemoryStore
from hch.tables import Table
from hch.tasks.permutation import build as permutation
from hch.types import Message, Part, Question, Request, Text, Usage

FIVE = Table([(None, "What is 2+3?", "5"), ("i", "Who?", {"A": 0.5, "B": 0.5})])
SPEC = f"table:gen/1,sha={FIVE.digest[:12]}"


def built(spec: str, table: Table | str | None = FIVE) -> Model:
    text = table.text if isinstance(table, Table) else table
    shelf = {"table/gen/1": text}.get
    model = registry.build("models", Spec.parse(spec), shelf=shelf, keys={}, rate=None)
    assert isinstance(model, Model)
    return model


def asked(question: str, **more: object) -> Request:
    return Request((Message("user", (Part(question),)),), question=question, **more)  # type: ignore[arg-type]


async def test_it_says_what_the_table_says_and_costs_nothing() -> None:
    model = built("table:gen/1")
    assert (model.rate, model.keyed, model.by_hand, model.at_once) == (Rate(), False, False, None)
    completion = await model.complete(asked("What is 2+3?"))
    assert (completion.text, completion.usage, completion.raw) == ("5", Usage(3, 1), b"5")
    for other in (asked("What is 2+4?"), asked("What is 2+3?", instance="i"), asked("Who?")):
        text = (await model.complete(other)).text
        assert text == "CANNOT ANSWER: the table has no answer to it"
    for seed in range(20):
        said = (await model.complete(asked("Who?", instance="i", seed=seed))).text
        assert said == FIVE.find("i", "Who?", seed)
    await model.close()


def test_its_name_says_which_table_it_is() -> None:
    assert built("table:gen/1").name == built(SPEC).name == SPEC
    other = Table([(None, "What is 2+3?", "6")])
    assert built("table:gen/1", other).name != SPEC
    with pytest.raises(ConfigError, match=f"its sha is {other.digest[:12]}, and not {SPEC[-12:]}"):
        built(SPEC, other)


@pytest.mark.parametrize(
    ("spec", "table", "why"),
    [
        ("table:gen/2", FIVE, r"there is no table 'gen/2' in the store: hch iterate list names"),
        ("table:", FIVE, r"there is no table '' in the store"),
        ("table:gen/1", None, r"there is no table 'gen/1' in the store"),
        ("table:gen/1", "{}", r"the table 'gen/1' cannot be read: hch: Field required"),
        ("table:a\x1b[2J", FIVE, r"there is no table 'a\\x1b\[2J'"),
    ],
)
def test_a_table_that_is_not_there_or_is_none(spec: str, table: object, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        built(spec, table)  # type: ignore[arg-type]


@pytest.mark.parametrize("spec", ["table", "table:gen/1,sha=5", "table:gen/1,shelf=x"])
def test_a_spec_that_means_nothing(spec: str) -> None:
    with pytest.raises(UsageError):
        built(spec)


def test_it_is_asked_about_the_instance_of_the_question() -> None:
    task = permutation()
    seven, eight = drawn(task, 7), drawn(task, 8)
    store = MemoryStore()
    table = Table([(seven.digest, "s(ab)", "cd"), (None, "s(ab)", "ef")])
    store.shelve({"table/x": table.text})
    direct = HCH(depth=0, model="table:x", strategy="direct", task="permutation", store=store)
    assert direct.ask_sync("s(ab)", instance=seven).text == "cd"
    assert direct.ask_sync("s(ab)").text == "ef"
    result = direct.ask_sync("s(ab)", instance=eight)
    assert (result.status, result.reason) == ("unanswered", "the table has no answer to it")


def test_samples_of_a_question_draw_on_their_own() -> None:
    store = MemoryStore()
    weights = Table([(None, "Heads or tails?", {"heads": 1, "tails": 1})])
    store.shelve({"table/coin": weights.text})
    coin = HCH(depth=0, model="table:coin", strategy="direct", store=store)
    question = Question(Text("Heads or tails?"))
    run = coin.begin([question.again(i) for i in range(40)])
    said = [result.text for result in asyncio.run(run.finish())]
    assert set(said) == {"heads", "tails"}
