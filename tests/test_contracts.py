"""What every plugin of every folder must keep; whatever is added is covered without an edit."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Literal, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hch import HCH, ScriptedModel, registry
from hch.agents import Learned, Query, Row
from hch.prompts import ALWAYS, Prompt, reader, shipped
from hch.rows import KINDS, Turn
from hch.stores.memory import MemoryStore
from hch.types import Answer, Text
from tests.formats.rows import fits, rows, whole
from tests.support import Plan, ask, check_tree, regular

ROOT = Path(__file__).parent.parent
FOLDERS = ("models", "strategies", "stores", "tasks", "formats", "learners", "scorers", "commands")
PLUGINS = [(kind, name) for kind in FOLDERS for name in registry.names(kind)]
STRATEGIES = registry.names("strategies")
ALONE = [
    name
    for name in STRATEGIES
    if not any(hasattr(registry.load("strategies", name), said) for said in ("WRAPS", "CHECKS"))
]
"""Those that answer any question by themselves; of the wrappers see `tests/test_wrappers.py`."""

LEARNERS = registry.names("learners")


@pytest.mark.parametrize(("kind", "name"), PLUGINS)
def test_a_plugin_says_what_it_is_and_types_its_options(kind, name):
    module = registry.load(kind, name)
    line, options = registry.describe(kind, name)
    assert line.endswith("."), "the first docstring line is what `hch plugins` shows"
    assert not set(options) & registry.PARTS
    hints = get_type_hints(module.build)
    for parameter in inspect.signature(module.build).parameters:
        assert parameter in hints, f"{parameter} has no annotation to convert by"


@pytest.mark.parametrize("name", STRATEGIES)
def test_the_prompts_of_a_strategy_have_the_placeholders_that_it_names(name):
    strategy = registry.build("strategies", registry.Spec(name), task=HCH().casting.task)
    for prompt, more in strategy.prompts.items():
        assert Prompt.parse(prompt, reader([shipped()])(prompt), more | ALWAYS).text


@pytest.mark.parametrize("depth", [0, 1, 3])
@pytest.mark.parametrize("name", ALONE)
def test_a_strategy_answers_at_every_depth(name, depth):
    result = ask(regular(2), "What is 2 + 3?", strategy=name, depth=depth)
    assert (result.status, result.clean) == ("answered", True)


@pytest.mark.parametrize(
    "budget", ["1calls", "3calls", "900tokens", "3ktokens", "1nodes", "9nodes"]
)
@pytest.mark.parametrize("name", ALONE)
def test_a_strategy_ends_under_any_cap_and_within_it(name, budget):
    for seed in range(8):
        trace = ask(
            ScriptedModel(Plan(seed)),
            "What is (2 + 3) * 4?",
            strategy=name,
            depth=3,
            budget=budget,
            answer_tokens=64,
        ).trace
        check_tree(trace)
        assert trace.cap.covers(trace.bill)
        assert trace.roots[0].opened.grant.price().covers(trace.roots[0].spent)


@pytest.mark.parametrize("name", ALONE)
def test_a_strategy_that_is_given_its_least_is_not_truncated(name):
    for tokens in (200, 400, 800, 1600):
        result = ask(
            regular(2),
            "What is 2 + 3?",
            strategy=name,
            depth=2,
            budget=f"{tokens}tokens",
            answer_tokens=64,
        )
        [root] = result.trace.roots
        assert result.status != "truncated" or not root.thoughts


ROWS = [Row(None, f"What is {n}+1?", Answer("answered", Text(f"{n + 1}"))) for n in range(8)]
PUTS = [Query(row.question) for row in ROWS]


@pytest.mark.parametrize("name", LEARNERS)
def test_what_was_learned_answers_from_what_is_kept_of_it_alone(name):
    made = registry.build("learners", registry.Spec(name)).learn("it/1", ROWS, None)
    kept = Learned(str(made.spec), {name: str(text) for name, text in made.kept.items()})
    learner = registry.build("learners", registry.Spec(name))
    agents = [learner.agent(learned, 3) for learned in (made, kept)]
    first, second = ([told.answer for told in agent.answer(PUTS)] for agent in agents)
    assert first == second
    assert [answer.text for answer in first] == [row.answer.text for row in ROWS]
    again = learner.learn("it/1", ROWS, None)
    assert again == made
    assert agents[0].answer([*PUTS[::-1], *PUTS]) == agents[1].answer([*PUTS[::-1], *PUTS])


@pytest.mark.parametrize("name", LEARNERS)
def test_what_was_learned_is_the_model_that_it_is_said_to_be(name):
    learner = registry.build("learners", registry.Spec(name))
    made = learner.learn("it/1", ROWS, None)
    store = MemoryStore()
    store.shelve(made.kept)
    direct = HCH(0, made.spec, "direct", store=store)
    agent = learner.agent(made, direct.chosen.seed)
    for put in (*PUTS, Query("What is 99+1?")):
        result = direct.ask_sync(put.body)
        assert result.trace.started.players == (f"direct@{made.spec}",)
        assert agent.answer([put])[0].answer == result.answer


@pytest.mark.parametrize("name", LEARNERS)
def test_without_any_rows_nothing_is_known(name):
    learner = registry.build("learners", registry.Spec(name))
    agent = learner.agent(learner.learn("it/0", (), None), 0)
    told = agent.answer([*PUTS, *PUTS])
    assert {(answer.status, answer.text, calls) for answer, calls in told} == {
        ("unanswered", None, 0)
    }
    assert agent.answer([]) == []


@pytest.mark.parametrize("name", registry.names("scorers"))
@given(text=st.text())
def test_a_scorer_takes_any_text_and_says_the_same_of_it_again(name, text):
    first, second = (registry.build("scorers", registry.Spec(name)) for _ in range(2))
    assert first.form(text) == first.form(text) == second.form(text)
    assert first.form(text) != ""
    assert first.form("") is first.form(" \n") is None


def specs() -> Iterator[registry.Spec]:
    """Every format, with every choice of those of its options that are switches or lists."""
    for name in registry.names("formats"):
        module = registry.load("formats", name)
        hints = get_type_hints(module.build)
        choices = [
            [(option, str(value)) for value in (get_args(hint) or (False, True))]
            for option, hint in hints.items()
            if get_origin(hint) is Literal or hint is bool
        ]
        for options in product(*choices):
            yield registry.Spec(name, None, options)


FORMATS = list(specs())
TAKEN = [(spec, kind) for spec in FORMATS for kind in registry.build("formats", spec).kinds]
SCALARS = ("text", "number", "whole", "flag")


def is_column(column):
    if isinstance(column, Mapping):
        return bool(column) and all(is_column(field) for field in column.values())
    return column in SCALARS if isinstance(column, str) else [*map(is_column, column)] == [True]


@pytest.mark.parametrize("spec", FORMATS, ids=str)
def test_a_format_names_the_kinds_of_its_rows_and_the_types_of_its_columns(spec):
    plugin = registry.build("formats", spec)
    assert plugin.kinds
    assert set(plugin.kinds) <= set(KINDS)
    assert len(set(plugin.kinds)) == len(plugin.kinds)
    assert isinstance(plugin.judged, bool)
    assert isinstance(plugin.numbered, bool)
    assert is_column(plugin.columns)


def check_lines(plugin, row):
    """Its lines have its columns, each of its type; JSON holds them; and it says the same again."""
    lines = plugin.encode(row)
    assert lines
    for line in lines:
        assert list(line) == list(plugin.columns)
        assert all(fits(line[name], column) for name, column in plugin.columns.items()), line
    assert json.loads(json.dumps(lines, allow_nan=False)) == list(lines)
    assert plugin.encode(row) == lines


@pytest.mark.parametrize(("spec", "kind"), TAKEN, ids=str)
@settings(max_examples=40)
@given(data=st.data())
def test_a_format_writes_every_row_of_its_kinds_that_lacks_nothing(spec, kind, data):
    plugin = registry.build("formats", spec)
    row = data.draw(rows(kind))
    lack = plugin.lacks(row)
    assert lack == registry.build("formats", spec).lacks(row)
    if lack is None:
        check_lines(plugin, row)
        assert registry.build("formats", spec).encode(row) == plugin.encode(row)
    else:
        assert 0 < len(lack) <= 60
        assert lack.isprintable()


@pytest.mark.parametrize(("spec", "kind"), TAKEN, ids=str)
def test_a_row_with_all_that_its_kind_can_have_lacks_nothing_however_long(spec, kind):
    plugin, row = registry.build("formats", spec), whole(kind)
    assert plugin.lacks(row) is None
    check_lines(plugin, row)
    long = "\x00é\u2028\U0001f600" * 250_000
    texts = {name: long + name for name in ("completion", "thinking", "rejected")}
    longer = replace(row, prompt=(Turn("user", long),), **texts)
    assert plugin.lacks(longer) is None
    check_lines(plugin, longer)


@pytest.mark.parametrize("spec", FORMATS, ids=str)
def test_what_a_format_wants_beside_its_files_is_texts_by_plain_names(spec):
    plugin = registry.build("formats", spec)
    folders = {f"{kind}/{split}": ["00000.jsonl", "00001.jsonl"]
               for kind in plugin.kinds for split in ("train", "test")}  # fmt: skip
    made = plugin.beside(folders)
    assert all(name.replace(".", "").replace("_", "").isalnum() for name in made)
    assert all(isinstance(text, str) for text in made.values())
    assert plugin.beside(dict(reversed(folders.items()))) == made


QUIET = """
import sys
from hch import registry
from tests.formats.rows import whole

specs = [registry.Spec.parse(text) for text in sys.argv[1:]]
formats = [registry.build("formats", spec) for spec in specs]
made = [[whole(kind) for kind in format.kinds] for format in formats]
heard = []
sys.addaudithook(lambda event, args: heard.append(event) if event != "builtins.id" else None)
for format, rows in zip(formats, made):
    for row in rows:
        format.lacks(row), format.encode(row)
    format.beside({"answer/train": ["00000.jsonl"]})
print(*heard)
"""


def test_a_format_touches_nothing_outside():
    done = subprocess.run(
        [sys.executable, "-c", QUIET, *map(str, FORMATS)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


@pytest.mark.parametrize("name", registry.names("commands"))
def test_a_command_has_help_with_an_example(name):
    run = subprocess.run(
        [sys.executable, "-m", "hch.cli", name, "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"hch {name}" in run.stdout
    assert "Example" in run.stdout


def test_equal_specs_make_equal_models_and_no_key_stands_in_a_name():
    from pydantic import SecretStr

    keys = {"OPENAI_API_KEY": SecretStr("sk-canary")}
    names = {
        registry.build(
            "models", registry.Spec.parse("openai:x,temperature=0"), keys=keys, rate=None
        ).name
        for _ in range(2)
    }
    assert len(names) == 1
    assert "canary" not in names.pop()
