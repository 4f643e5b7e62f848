"""Iterated amplification from Python: what each round comes to, the gate, going on, the ledger."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from math import comb
from pathlib import Path
from typing import Any

import pytest

from hch import HCH, registry
from hch.agents import Learned, Row
from hch.cases import Cases
from hch.errors import ConfigError, StoreError, UsageError
from hch.iterate import Iteration, names, on_shelf, read, remove
from hch.keeping import Store
from hch.ledger import Generation, Ledger, Settings
from hch.playing import drawn
from hch.protocols import Task
from hch.registry import Spec
from hch.stores.memory import MemoryStore
from hch.stores.sqlite import SqliteStore
from hch.types import Answer, Question, Text

SMALL = {
    "permutation": "permutation,size=8,bits=5",
    "wildcard": "wildcard,size=4",
    "assignments": "assignments,size=16",
    "path": "path,size=8",
    "unionfind": "unionfind,size=12",
}


def task_of(spec: str) -> Task:
    built: Task = registry.build("tasks", Spec.parse(spec))
    return built


def iteration(store: Store, task: str, name: str = "mine", **more: Any) -> Iteration:
    settings = Settings(task=task, **more)
    learner = registry.build("learners", Spec.parse(settings.learner))
    return Iteration(name, settings, store, task_of(task), learner)


def shares(generations: Iterable[Generation]) -> list[float]:
    return [made.learned.accuracy for made in generations]


def timeless(ledger: Ledger) -> str:
    """The very text, but for the times in it."""
    return re.sub(r'"seconds":\{[^}]*\}', "", ledger.text)


def test_permutation_doubles_what_is_known_with_every_round() -> None:
    made = list(iteration(MemoryStore(), "permutation,size=8").generations(10))
    assert shares(made) == [0.0625, 0.125, 0.25, 0.5, 1.0]
    assert [each.targets.accuracy for each in made] == shares(made)
    assert all(each.questions == 8 * 64 and each.work.h == 8 * 64 for each in made)


def test_wildcard_gains_a_star_with_every_round() -> None:
    made = list(iteration(MemoryStore(), "wildcard").generations(10))
    known = [sum(comb(6, k) * 2 ** (6 - k) for k in range(t + 1)) / 3**6 for t in range(1, 7)]
    assert shares(made) == pytest.approx(known)


@pytest.mark.parametrize("number", range(5))
def test_assignments_take_as_many_rounds_as_the_instance_is_deep(number: int) -> None:
    task = task_of("assignments")
    depth: dict[str, int] = {}
    for x, *given in drawn(task, number).facts:
        if len(given) == 1:
            depth[x] = 1
        elif len(x) > 1:
            depth[x] = 1 + max(depth[operand] for operand in given)
    made = list(iteration(MemoryStore(), "assignments", instances=str(number)).generations(40))
    assert len(made) == max(depth.values())
    for each in made:
        assert each.learned.right == sum(d <= each.number for d in depth.values())


@pytest.mark.parametrize("task", SMALL.values(), ids=SMALL)
def test_every_task_of_the_paper_is_learned_wholly(task: str) -> None:
    found = iteration(MemoryStore(), task, instances="0-2")
    made = list(found.generations(60))
    assert found.ledger.is_over
    assert made[-1].learned.is_perfect
    assert made[-1].learned.of == made[-1].questions == len(Cases(task_of(task), range(3)).space)


def test_shortest_path_is_scored_by_every_measure() -> None:
    [*_, last] = iteration(MemoryStore(), "path,size=8").generations(60)
    assert set(last.learned.measures) == {"strict", "steps", "distances", "reachable"}
    strict, of = last.learned.measures["strict"]
    assert strict <= last.learned.right == last.learned.of == of


def test_a_generation_answers_what_the_tree_over_the_one_before_answers() -> None:
    store, task = MemoryStore(), task_of("path,size=8")
    made = list(iteration(store, "path,size=8", errors=0.1, take_worse=True).generations(4))
    instance = drawn(task, 0)
    questions = [
        Question(Text(task.render(term)), instance=instance.digest)
        for term in task.space(instance) or ()
    ]
    for each in made:
        hch = HCH(
            depth=1,
            at={"1": "script,errors=0.1", "0": f"direct@{each.before}"},
            task="path,size=8",
            seed=each.seed,
            store=store,
        )
        told = [hch.ask_sync(question, instance=instance).text for question in questions[:40]]
        [text] = [store.shelved(name) for name in each.kept]
        answers = json.loads(text or "")["answers"][instance.digest]
        assert told == [answers.get(question.text.body) for question in questions[:40]]


def test_what_is_worse_is_not_taken_and_the_next_one_is_made_from_what_stands() -> None:
    found = iteration(MemoryStore(), "permutation,size=4,bits=4", errors=0.3, held_out=40)
    made = list(found.generations(12))
    standing = found.ledger.start
    assert not all(each.taken for each in made)
    for each in made:
        before, after = each.held_out
        assert each.before == standing
        assert each.taken is (after.right >= before.right)
        assert each.why.startswith("worse: ") is not each.taken
        standing = each.model if each.taken else standing
    assert found.ledger.model == standing


def test_what_is_worse_is_taken_where_it_is_wanted() -> None:
    found = iteration(
        MemoryStore(), "permutation,size=4,bits=4", errors=0.3, held_out=40, take_worse=True
    )
    made = list(found.generations(12))
    assert all(each.taken for each in made)
    worse = [each for each in made if each.is_worse]
    assert worse
    assert all(each.why.startswith("worse, and taken as told: ") for each in worse)


def test_many_targets_and_their_majority_take_errors_out() -> None:
    first: list[Generation] = []
    for targets in (1, 9):
        found = iteration(MemoryStore(), "permutation,size=8,bits=2", errors=0.2, targets=targets)
        first += found.generations(1)
    one, nine = first
    assert (one.targets.of, nine.targets.of) == (32, 9 * 32)
    assert nine.targets.accuracy < 0.9
    assert nine.learned.accuracy > nine.targets.accuracy
    assert one.learned.right == one.targets.right


def test_a_task_without_facts_learns_a_sample_of_its_questions() -> None:
    [made] = iteration(MemoryStore(), "minmax,size=1", instances="0-29", sample=1).generations(1)
    assert made.questions == made.learned.right == 30
    assert made.held_out[1].is_perfect


def test_samples_differ_from_round_to_round_and_what_was_learned_stays() -> None:
    store = MemoryStore()
    made = list(iteration(store, "permutation,size=4,bits=4", sample=10).generations(12))
    tables = [json.loads(store.shelved(each.kept[0]) or "")["answers"] for each in made]
    known = [sum(map(len, table.values())) for table in tables]
    assert made[0].questions == 10
    assert known == sorted(known)
    assert known[0] < known[-1]


def test_it_goes_on_where_it_stopped() -> None:
    whole, broken = MemoryStore(), MemoryStore()
    settings: dict[str, Any] = {"errors": 0.1, "instances": "0-1", "targets": 2}
    straight = iteration(whole, "unionfind,size=12", **settings)
    assert len(list(straight.generations(7))) == 7
    for rounds in (2, 2, 5, 7, 7):
        part = iteration(broken, "unionfind,size=12", **settings)
        before = len(part.ledger.generations)
        assert [each.number for each in part.generations(rounds)] == [
            *range(before + 1, rounds + 1)
        ]
    assert timeless(part.ledger) == timeless(straight.ledger) == timeless(read(broken, "mine"))
    assert whole.shelf("table/") == broken.shelf("table/")
    assert all(whole.shelved(n) == broken.shelved(n) for n in whole.shelf("table/"))


def test_what_is_all_right_is_over() -> None:
    store = MemoryStore()
    assert len(list(iteration(store, "permutation,size=4,bits=3").generations(60))) == 2
    again = iteration(store, "permutation,size=4,bits=3")
    assert again.ledger.is_over
    assert list(again.generations(60)) == []


def test_a_name_has_one_set_of_settings() -> None:
    store = MemoryStore()
    list(iteration(store, "permutation,size=4").generations(1))
    with pytest.raises(
        UsageError, match=r"'mine' has other settings: errors 0\.0 there, 0\.5 here"
    ):
        iteration(store, "permutation,size=4", errors=0.5)
    assert Settings(task="path").name != Settings(task="path", seed=1).name


@pytest.mark.parametrize("name", ["", "a/b", ".", "a b", "é", "x" * 101, "a\n", "-a"])
def test_a_name_is_plain(name: str) -> None:
    with pytest.raises(UsageError, match="is no name for an iteration"):
        iteration(MemoryStore(), "path", name)


def test_questions_that_cannot_be_listed_are_to_be_drawn() -> None:
    with pytest.raises(
        UsageError, match=r"'minmax' cannot list its questions: .* --sample 1 --inst"
    ):
        list(iteration(MemoryStore(), "minmax").generations(1))
    with pytest.raises(UsageError, match=r"more than 1,000,000 questions: .* --sample 1000"):
        list(iteration(MemoryStore(), "permutation,bits=21").generations(1))


def test_a_file_has_one_owner_of_an_iteration(tmp_path: Path) -> None:
    with SqliteStore(tmp_path / "runs.db") as store, SqliteStore(tmp_path / "runs.db") as other:
        going = iteration(store, "permutation,size=4").generations(5)
        next(going)
        with pytest.raises(StoreError, match="is in use by this process"):
            next(iteration(other, "permutation,size=4").generations(5))
        assert [each.number for each in going] == [2, 3, 4, 5]
        assert list(iteration(other, "permutation,size=4").generations(5)) == []


def test_removing_an_iteration_leaves_nothing_of_it_and_all_of_others() -> None:
    store = MemoryStore()
    for name in ("one", "one.more"):
        list(iteration(store, "permutation,size=4", name).generations(2))
    remove(store, "one")
    assert names(store) == ["one.more"]
    assert store.shelf("table/") == [f"table/one.more/{n}" for n in range(3)]
    with pytest.raises(UsageError, match=r"no iteration 'one': there are one\.more"):
        read(store, "one")


@pytest.mark.parametrize("rounds", [3, 9])
def test_a_lost_table_and_a_changed_one_are_told(rounds: int) -> None:
    store = MemoryStore()
    made = list(iteration(store, "permutation,size=4").generations(rounds))
    [name] = made[-1].kept
    store.shelve({name: store.shelved("table/mine/1")})
    with pytest.raises(ConfigError, match="is not the one that is meant"):
        list(iteration(store, "permutation,size=4").generations(9))
    store.shelve({name: None})
    with pytest.raises(StoreError, match=rf"'mine' has lost '{name}': .* hch iterate rm mine"):
        list(iteration(store, "permutation,size=4").generations(9))


def test_an_iteration_that_is_removed_meanwhile_does_not_go_on() -> None:
    store = MemoryStore()
    going = iteration(store, "permutation,size=4").generations(5)
    next(going)
    store.shelve(dict.fromkeys(store.shelf()))
    with pytest.raises(StoreError, match="'mine' was removed while it was gone on with"):
        next(going)
    assert store.shelf() == []


def test_nothing_is_kept_of_what_cannot_be_asked() -> None:
    store = MemoryStore()
    with pytest.raises(UsageError, match="cannot list its questions"):
        list(iteration(store, "minmax,size=1").generations(1))
    assert store.shelf() == []
    assert list(iteration(store, "minmax,size=1", sample=1).generations(1))


def test_one_setting_has_one_name_however_it_is_spelt() -> None:
    plain = Settings(task="path,size=8", instances="0")
    assert Settings(task="path, size=8 ", instances="00-0") == plain
    assert Settings(task="path", instances="03-010").instances == "3-10"


@pytest.mark.parametrize(
    ("spoiled", "said"),
    [
        (lambda text: "", "it is empty"),
        (lambda text: "{", "line 1: it: "),
        (lambda text: text.replace('"of":', '"off":', 1), r"line 2: targets\.of: "),
        (
            lambda text: text.replace('"number":1', '"number":2', 1),
            "its generations are not in order",
        ),
        (lambda text: text.replace('"number":1,', '"number":0,', 1), "line 2: number: "),
        (lambda text: text.replace('"format":1', '"format":2', 1), "line 1: format: "),
        (lambda text: f"{text}5\n", "line 4: it: "),
        (
            lambda text: text.replace("permutation,size=4", ",", 1),
            r"line 1: settings\.task: '' in",
        ),
        (lambda text: text.replace('"name":"mine"', '"name":"other"', 1), "it is that of 'other'"),
        (
            lambda text: text.replace('"name":"mine"', '"name":"\\u001b"', 1),
            "line 1: name: it is no",
        ),
        (lambda text: text.replace('"amplify":', '"amplify":NaN,"b":', 1), r"line 2: seconds\.amp"),
        (lambda text: text.replace('"amplify":', '"amplify":1e308,"b":', 1), "line 2: seconds"),
        (lambda text: text.replace('"h":', '"h":1' + 400 * "0", 1), r"line 2: work\.h: "),
        (lambda text: text.replace('"right":', '"right":9', 1), "line 2: .*more of some"),
    ],
)
def test_a_damaged_ledger_is_told_by_its_line(spoiled: Any, said: str) -> None:
    store = MemoryStore()
    list(iteration(store, "permutation,size=4").generations(2))
    text = store.shelved(on_shelf("mine")) or ""
    store.shelve({on_shelf("mine"): spoiled(text)})
    with pytest.raises(StoreError, match=f"'mine' cannot be read: {said}"):
        iteration(store, "permutation,size=4")
    remove(store, "mine")
    assert store.shelf() == []


def test_a_ledger_reads_back_as_it_was_written() -> None:
    store = MemoryStore()
    found = iteration(store, "path,size=4", errors=0.2)
    list(found.generations(3))
    assert Ledger.read(found.ledger.text, "mine") == found.ledger == read(store, "mine")


@pytest.mark.parametrize(
    "wrong",
    [
        {"instances": "5-4"},
        {"instances": "0-10000"},
        {"instances": "a"},
        {"instances": "-1"},
        {"instances": "٣"},
        {"errors": 1.5},
        {"errors": float("nan")},
        {"targets": 0},
        {"sample": 0},
        {"held_out": 0},
        {"more": 1},
    ],
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Settings(task="path", **wrong)


def test_a_size_that_a_task_does_not_have_is_told() -> None:
    task = task_of("permutation,size=4")
    task.size = 999
    settings, learner = Settings(task="permutation"), registry.build("learners", Spec("table"))
    with pytest.raises(UsageError, match="'permutation' has no instance of size 999: there are 2"):
        list(Iteration("mine", settings, MemoryStore(), task, learner).generations(1))


class Parrot:
    """A learner of another kind: its agent knows one answer to everything."""

    def learn(self, name: str, rows: Iterable[Row], before: Learned | None) -> Learned:
        said = [row.answer.text.body for row in rows if row.answer.text]
        return Learned(f"parrot:{name}", {f"parrot/{name}": said[0] if said else ""})

    def agent(self, learned: Learned, seed: int) -> Any:
        [text] = learned.kept.values()
        table = registry.build("learners", Spec("table"))
        rows = [Row(None, "What?", Answer("answered", Text(text or "nothing")))]
        return table.agent(table.learn("parrot", rows, None), seed)


def test_any_learner_will_do() -> None:
    store = MemoryStore()
    found = Iteration("p", Settings(task="wildcard"), store, task_of("wildcard"), Parrot())
    made = list(found.generations(2))
    assert [each.model for each in made] == ["parrot:p/1", "parrot:p/2"]
    assert store.shelf("parrot/") == ["parrot/p/0", "parrot/p/1", "parrot/p/2"]
    assert made[0].learned.answered == 0
    remove(store, "p")
    assert store.shelf() == []
