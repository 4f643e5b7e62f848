"""The batched driver and the tree engine are one machine: the same answers to the letter.

Every task in hch/tasks is covered by being there. Each of `SETTINGS` is tried on questions of the
task's law, on what its script asks and on malformed ones, about several instances, as roots of one
run, plain or as samples: 480 questions of each task. HCH_TEST_LONG=1 asks 10,000 of each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from random import Random
from typing import Any, NamedTuple

import pytest

from hch import HCH, Completion, Question, Request, ScriptedModel, Text, Trace, registry
from hch.agents import Agent, Query, Response
from hch.amplify import Amplify
from hch.chance import Chance
from hch.errors import ModelError, UsageError
from hch.playing import NO_ORACLE, Playing, drawn
from hch.polls import unrolled
from hch.protocols import Task
from hch.rules import Limits
from hch.run import Result
from hch.steps import Ask, Instance, Primitive
from hch.strategies.script import Script
from hch.tasks.permutation import Permutation
from hch.types import Answer, Path, digest
from tests.promises import LONG
from tests.support import memory

BATCH = 40
BATCHES = 250 if LONG else 12


class Mind(NamedTuple):
    """Something that a model says, and the answer that it comes to."""

    says: str | Completion | ModelError
    answer: Answer


TROUBLE = [
    Mind("CANNOT ANSWER: nobody knows", Answer("unanswered", None, "nobody knows")),
    Mind("", Answer("failed", None, "the reply was empty")),
    Mind(" \n ", Answer("failed", None, "the reply was empty")),
    Mind("<think>ab? no", Answer("failed", None, "the reply was empty")),
    Mind("It is ab.", Answer("answered", Text("It is ab.", "model"))),
    Mind("ab\nab", Answer("answered", Text("ab\nab", "model"))),
    Mind("\x00\x1b[31m", Answer("answered", Text("\x00\x1b[31m", "model"))),
    Mind(Completion("I will not", finish="refusal"), Answer("unanswered", None, "I will not")),
    Mind(
        Completion("", finish="content_filter"),
        Answer("unanswered", None, "stopped by the model's provider (content_filter)"),
    ),
    Mind(
        Completion("", finish="length"),
        Answer("truncated", None, "the reply reached its length limit before any text"),
    ),
    Mind(
        Completion("1", finish="length"),
        Answer(
            "answered", Text("1", "model"), "", ("cut: the reply reached its limit of 2048 tokens",)
        ),
    ),
    Mind(
        ModelError("no such thing", kind="http 400", ran=False),
        Answer("failed", None, "the call was given up (http 400): no such thing"),
    ),
]


@dataclass(frozen=True)
class Weak:
    """A: right at times, else it guesses, or is in trouble; `flighty` where each sample differs."""

    task: Task
    instances: Mapping[str, Instance]
    flighty: bool

    def mind(self, body: str, instance: str | None, sample: Path) -> Mind:
        rng = Random(digest(body, instance, sample if self.flighty else ()))
        fate = rng.random()
        if fate < 0.2:
            return rng.choice(TROUBLE)
        try:
            term = self.task.parse(body)
        except ValueError:
            return TROUBLE[0]
        answer = self.task.truth(self.instances.get(instance or ""), term)
        if fate < 0.4:
            answer = self.task.guess(term, rng) or answer
        if answer.text is None:
            return TROUBLE[0]
        said = answer.text.body
        return Mind(f"<think>hm</think>\n {said} \n", Answer("answered", Text(said, "model")))

    def __call__(self, request: Request) -> str | Completion | ModelError:
        """As a model of the tree."""
        return self.mind(request.question, request.instance, request.sample).says

    def answer(self, queries: Sequence[Query]) -> list[Response]:
        """As an agent of the driver."""
        return [Response(self.mind(*put).answer) for put in queries]


@dataclass(frozen=True)
class Settings:
    """Of a run, and of the driver that should do the same.

    At level 0 is a script like all others, or A: a `steady` one that answers equal questions alike,
    or a `flighty` one whose samples differ.
    """

    depth: int
    a: str = ""
    errors: float = 0.0
    fanout: int = 16
    seed: int = 0


SETTINGS = [
    Settings(0),
    Settings(1, seed=1),
    Settings(3),
    Settings(4, fanout=4),
    Settings(2, fanout=1),
    Settings(3, errors=0.3),
    Settings(2, errors=1.0, seed=2**40),
    Settings(1, "flighty"),
    Settings(1, "steady", errors=0.3),
    Settings(2, "flighty", errors=0.3, seed=1),
    Settings(1, "flighty", fanout=2),
    Settings(3, "steady"),
]


def whole(answer: Answer | None) -> Any:
    """An answer with the source of its text, which is outside equality."""
    assert answer is not None
    return answer, answer.text and answer.text.source


def put(question: Question, depth: int) -> Query:
    """A root as it is put to HCH_depth."""
    sample = tuple((depth + 1, 0, i) for i in question.sample)
    return Query(question.text.body, question.instance, sample)


def tree(
    spec: str, roots: Sequence[Question], instances: Sequence[Instance], settings: Settings, a: Weak
) -> list[Result]:
    script = f"script,errors={settings.errors}" if settings.errors else "script"
    players: dict[str, Any] = {"strategy": script}
    if settings.a:
        players = {"strategy": "direct", "model": ScriptedModel(a), "at": {"1+": script}}
    hch = HCH(
        depth=settings.depth,
        task=spec,
        store=memory(),
        seed=settings.seed,
        fanout=settings.fanout,
        **players,
    )
    return asyncio.run(hch.begin(roots, instances=instances).finish())


def driver(task: Task, facts: Mapping[str, Instance], settings: Settings, a: Weak) -> Amplify:
    limits = Limits(settings.fanout)
    playing = Playing(task, errors=settings.errors)
    if not settings.a:
        return unrolled(playing, facts, settings.depth, seed=settings.seed, limits=limits)
    found: Agent = a
    for level in range(1, settings.depth + 1):
        found = Amplify(playing, found, facts, level=level, seed=settings.seed, limits=limits)
    assert isinstance(found, Amplify)
    return found


class Counts(NamedTuple):
    """What H did in a whole tree, equal questions once."""

    worked: int
    asked: int
    primitives: int


def counted(h: Amplify) -> Counts:
    """The counts of a driver and of those below it."""
    chain = [h]
    while isinstance(below := chain[-1].below, Amplify):
        chain.append(below)
    return Counts(
        *(
            sum(column)
            for column in zip(*((c.worked, c.asked, c.primitives) for c in chain), strict=True)
        )
    )


def counted_of(trace: Trace) -> Counts:
    """The counts of a tree, by its events; who thinks is no H."""
    hs = [node for node in trace.nodes() if not node.opened.player.startswith("direct")]
    asked = sum(1 + ask.more for node in hs for ask in node.asks)
    return Counts(len(hs), asked, sum(len(node.primitives) for node in hs))


def calls_of(trace: Trace) -> dict[str, int]:
    """How often H works for each node, by its key, where nothing is shared."""
    calls: dict[str, int] = {}
    for node in sorted(trace.nodes(), key=lambda node: node.level):
        below = [calls[ask.node.key] * (1 + ask.more) for ask in node.asks if ask.node]
        calls[node.key] = sum(below) + (not node.opened.player.startswith("direct"))
    return calls


def agree(
    spec: str, roots: Sequence[Question], instances: Sequence[Instance], settings: Settings
) -> None:
    """Tree and driver come to the same answers and counts."""
    task: Task = registry.build("tasks", registry.Spec.parse(spec))
    facts = {instance.digest: instance for instance in instances}
    a = Weak(task, facts, settings.a == "flighty")
    results = tree(spec, roots, instances, settings, a)
    h = driver(task, facts, settings, a)
    told = h.answer([put(root, settings.depth) for root in roots])
    for root, result, (answer, _) in zip(roots, results, told, strict=True):
        assert whole(answer) == whole(result.answer), (root, settings)
    trace = results[0].trace
    assert counted(h) == counted_of(trace), settings
    calls = calls_of(trace)
    assert [t.calls for t in told] == [calls[root.key] for root in trace.roots], settings


def questions(task: Task, instances: Sequence[Instance], rng: Random) -> Iterator[Question]:
    """By the law, or what H asks on the way to such a one, or malformed; as a root or a sample."""
    while True:
        instance = rng.choice(instances)
        [root] = islice(task.questions(instance, Random(rng.random())), 1)
        body, kind = root.text.body, rng.random()
        if kind < 0.3:
            body = rng.choice(asked_on_the_way(task, instance, body, rng) or [body])
        elif kind < 0.45:
            body = malformed(body, rng)
        sample = rng.choice(((), (), (0,), (1,), (1, 0)))
        named = instance.digest if task.has_facts else None
        yield Question(Text(body, "task"), instance=named, sample=sample)


def asked_on_the_way(task: Task, instance: Instance, body: str, rng: Random) -> list[str]:
    """What H asks for this question, where all it is told is true or guessed."""
    met: list[str] = []
    term = task.parse(body)
    steps, sent = task.steps(term), None
    try:
        while True:
            step = steps.send(sent)
            asks = step if isinstance(step, tuple) else (step,)
            met += [task.render(ask.term) for ask in asks]
            if isinstance(step, Primitive):
                sent = task.primitive(instance, step.term, rng) or NO_ORACLE
            else:
                got = [
                    rng.choice((task.truth, task_guess(task, rng)))(instance, a.term) for a in asks
                ]
                sent = tuple(got) if isinstance(step, tuple) else got[0]
    except StopIteration:
        return met


def task_guess(task: Task, rng: Random) -> Callable[[Instance, Any], Answer]:
    return lambda instance, term: task.guess(term, rng) or task.truth(instance, term)


def malformed(body: str, rng: Random) -> str:
    at = rng.randrange(len(body))
    other = rng.choice(("", "z", "9", "(", ",", " ", "\n", "\x00", "\ud800", body))
    return rng.choice(("?", "s^99(ab)", body[:at] + other + body[at + 1 :])).strip(" \n") or "?"


def built(name: str) -> Task:
    task: Task = registry.build("tasks", registry.Spec(name))
    return task


@pytest.mark.parametrize("batch", range(BATCHES))
@pytest.mark.parametrize("name", registry.names("tasks"))
def test_tree_and_driver_agree_to_the_letter(name: str, batch: int) -> None:
    rng, task = Random(f"{name} {batch}"), built(name)
    instances = [task.sample(rng, rng.choice((4, 8, task.size))) for _ in range(4)]
    roots = list(islice(questions(task, instances, rng), BATCH))
    settings = SETTINGS[batch % len(SETTINGS)]
    if type(task).guess is Task.guess:
        settings = replace(settings, errors=0.0)
    agree(name, roots, instances if task.has_facts else (), settings)


class Unguessed(Permutation):
    """Powers at which nobody guesses."""

    guess = Task.guess


def test_a_task_that_nobody_can_guess_at_has_no_h_that_errs() -> None:
    with pytest.raises(UsageError, match="'permutation' has no guess at an answer, so that its H"):
        Playing(Unguessed(8, 6), errors=0.1)
    Playing(Unguessed(8, 6), errors=0.0)


class Sure(Permutation):
    """Powers at which nobody guesses anything else than what is right of the even ones."""

    def guess(self, term: Any, rng: Random) -> Answer | None:
        return None if term.k % 2 else Answer("answered", Text("ab"))

    def steps(self, term: Any) -> Any:
        return Answer("answered", Text("ab", "script"))
        yield


def test_where_nothing_else_can_be_guessed_no_mistake_is_made() -> None:
    h = unrolled(Playing(Sure(8, 6), errors=1.0), {}, 0)
    for told in h.answer([Query("s^2(ac)"), Query("s^3(ac)")]):
        assert whole(told.answer) == (Answer("answered", Text("ab")), "script")


class Odd(Permutation):
    """Powers whose H does what no task should; `said` is what it was told, to be looked at."""

    def __init__(self, script: Callable[[Odd, Any], Any]) -> None:
        super().__init__(8, 6)
        self._script = script

    def render(self, term: Any) -> str:
        return term if isinstance(term, str) else super().render(term)

    def steps(self, term: Any) -> Any:
        return self._script(self, term)

    def primitive(self, instance: Instance | None, term: Any, rng: Random) -> Answer | None:
        drawn = [round(rng.gauss(), 6), rng.choice("abc"), rng.randbytes(2).hex(), rng.random()]
        return Answer("answered", Text(f"{self.render(term)} {drawn}", "oracle"))


def shown(*replies: Answer) -> Answer:
    """What H was told, as its answer."""
    return Answer("answered", Text(repr(replies), "script"))


def rounds(task: Odd, term: Any) -> Any:
    """Rounds of no question, of refused ones, of the same again, of too many."""
    deeper = term._replace(k=term.k >> 1)
    nothing = yield ()
    one = yield Ask(deeper)
    two = yield (Ask(deeper), Ask(deeper, again=0), Ask(deeper), Ask(deeper, again=0))
    blank = yield (Ask(""), Ask(" \n"), Ask("x" * 500), Ask("x" * 500), Ask("é" * 140))
    only = yield Ask(" ")
    many = yield tuple(Ask(deeper, again=i % 7) for i in range(200))
    last = yield (Ask("é" * 140), Ask(deeper), Ask("x" * 500))
    return shown(*nothing, one, *two, *blank, only, *many, *last)


def filled(task: Odd, term: Any) -> Any:
    """A round in which two are refused twice, the second time without room for any."""
    deeper = term._replace(k=term.k >> 1)
    long = (Ask("é" * 151), Ask("x" * 301))
    told = yield (*long, *(Ask(deeper, again=i) for i in range(6)), *long, Ask(deeper))
    return shown(*told)


def draws(task: Odd, term: Any) -> Any:
    """Primitives that draw of every kind, half a pair of normal deviates left over each time."""
    first = yield Primitive(term)
    second = yield Primitive(term._replace(k=1))
    below = yield Ask(term._replace(k=term.k >> 1))
    third = yield Primitive(term)
    return shown(first, second, below, third)


def lengthy(task: Odd, term: Any) -> Any:
    below = yield Ask(term._replace(k=term.k >> 1))
    long = Text("é" * 300 + "x" * (below.text is not None), "script")
    return Answer("answered", long, notes=("fallback: so", "fallback: so"))


def reasoned(task: Odd, term: Any) -> Any:
    below = yield Ask(term._replace(k=term.k >> 1))
    return Answer("unanswered", None, f"{below.reason}." * 2 + "!" * 3000)


def ending(answer: Answer | str) -> Callable[[Odd, Any], Any]:
    def script(task: Odd, term: Any) -> Any:
        below = yield Ask(term._replace(k=term.k >> 1))
        return answer if term.k < 8 else shown(below)

    return script


def failing(task: Odd, term: Any) -> Any:
    below = yield Ask(term._replace(k=term.k >> 1))
    if term.k < 8:
        raise ModelError("the task asked somebody", kind="odd")
    return shown(below)


ODD = {
    "rounds": rounds,
    "a full round": filled,
    "draws": draws,
    "a long answer": lengthy,
    "a long reason": reasoned,
    "an error of a node's": failing,
    "a text that cannot": ending("CANNOT ANSWER: so it is"),
    "a text": ending("a text"),
    "a blank": ending(Answer("answered", Text(" "))),
    "nothing": ending(Answer("answered", None)),
    "refused": ending(Answer("refused", None, "no")),
    "cancelled": ending(Answer("cancelled", Text("ab"), "stopped")),
    "truncated": ending(Answer("truncated", Text("ab"), "short")),
}


@pytest.mark.parametrize("depth", [0, 1, 3])
@pytest.mark.parametrize("name", ODD)
def test_tree_and_driver_agree_on_what_no_task_should_do(name: str, depth: int) -> None:
    task = Odd(ODD[name])
    instance = task.sample(Random(0), 8)
    roots = [Question(Text(f"s^{k}(ab)"), instance=instance.digest) for k in (0, 5, 8, 63)]
    limits = Limits(fanout=5, message_bytes=300)
    results, playing = odd_tree(task, roots, instance, depth, limits)
    h = unrolled(playing, {instance.digest: instance}, depth, limits=limits)
    told = h.answer([put(root, depth) for root in roots])
    assert [whole(t.answer) for t in told] == [whole(result.answer) for result in results]
    assert counted(h) == counted_of(results[0].trace)


def odd_tree(
    task: Task, roots: Sequence[Question], instance: Instance, depth: int, limits: Limits
) -> tuple[list[Result], Playing]:
    """The tree of a task that is no plugin, and how it is played."""
    playing = Playing(task, reach=depth)
    hch = HCH(depth=depth, strategy=Script(playing), task="permutation", store=memory())
    run = hch.begin(roots, instances=[instance])
    run.setup = replace(run.setup, task=task, limits=limits)
    return asyncio.run(run.finish()), playing


def test_a_bug_in_a_task_ends_both_as_itself() -> None:
    def buggy(task: Odd, term: Any) -> Any:
        yield Ask(term)
        raise ZeroDivisionError("a bug")

    task = Odd(buggy)
    instance = task.sample(Random(0), 8)
    root = Question(Text("s^3(ab)"), instance=instance.digest)
    with pytest.raises(ZeroDivisionError, match="a bug"):
        odd_tree(task, [root], instance, 1, Limits())
    h = unrolled(Playing(task), {instance.digest: instance}, 1)
    for _ in range(2):  # what was left undone is done again
        with pytest.raises(ZeroDivisionError, match="a bug"):
            h.answer([put(root, 1)])


class Recorder:
    """An agent that answers each question by itself, and keeps every batch."""

    def __init__(self, short: int = 0) -> None:
        self.batches: list[list[Query]] = []
        self._short = short

    def answer(self, queries: Sequence[Query]) -> list[Response]:
        self.batches.append(list(queries))
        told = [Response(Answer("answered", Text("ab", "model"))) for _ in queries]
        return told[: len(told) - self._short]


def permutations() -> tuple[Playing, dict[str, Instance], Instance]:
    task = built("permutation")
    instance = task.sample(Random(0), 8)
    return Playing(task), {instance.digest: instance}, instance


def test_an_agent_is_asked_by_the_batch_each_question_once() -> None:
    playing, facts, instance = permutations()
    a = Recorder()
    h = Amplify(playing, a, facts, level=1)
    queries = [Query(f"s^{k}(ab)", instance.digest) for k in (4, 5, 9, 4, 1)]
    told = h.answer(queries)
    assert [len(batch) for batch in a.batches] == [2, 2]
    assert a.batches[0] == [Query("s^2(ab)", instance.digest), Query("s^4(ab)", instance.digest)]
    assert told[0] == told[3]
    assert counted(h) == Counts(4, 6, 3)
    assert h.answer(queries) == told
    assert [len(batch) for batch in a.batches] == [2, 2]
    assert h.answer([]) == []


def test_so_much_work_is_done_and_no_more_at_all_levels_together() -> None:
    task = built("unionfind")
    instance = drawn(task, 0)
    facts, root = {instance.digest: instance}, Query("V(aa)", instance.digest)
    free = unrolled(Playing(task), facts, 6)
    told = free.answer([root])
    needed = counted(free).worked
    enough = unrolled(Playing(task), facts, 6)
    assert enough.answer([root], most=needed) == told
    assert enough.answer([root], most=0) == told  # it is known
    low = unrolled(Playing(task), facts, 6)
    with pytest.raises(UsageError, match=f"takes more than {needed - 1:,} calls of H: lower --d"):
        low.answer([root], most=needed - 1)
    assert counted(low).worked < needed
    assert low.answer([root]) == told
    with pytest.raises(UsageError, match="takes more than 1,000 calls of H: lower --depth"):
        unrolled(Playing(task), facts, 200).answer([root], most=1000)


def test_what_needs_no_answer_asks_for_none() -> None:
    playing, facts, instance = permutations()
    a = Recorder()
    h = Amplify(playing, a, facts, level=1)
    h.answer([Query(text, instance.digest) for text in ("s^1(ab)", "s^3(ab)", "What?", "")])
    assert a.batches == []


def test_an_agent_that_leaves_answers_out_is_refused() -> None:
    playing, facts, instance = permutations()
    h = Amplify(playing, Recorder(short=1), facts, level=1)
    with pytest.raises(ValueError, match="shorter"):
        h.answer([Query("s^9(ab)", instance.digest), Query("s^9(aa)", instance.digest)])


@pytest.mark.parametrize(("level", "below"), [(0, Recorder()), (1, None), (-1, None)])
def test_a_level_that_cannot_be_is_refused(level: int, below: Agent | None) -> None:
    playing, facts, _ = permutations()
    with pytest.raises(ValueError, match="level 0 has nobody below it"):
        Amplify(playing, below, facts, level=level)


def test_tree_and_driver_go_down_three_thousand_levels() -> None:
    def deeper(task: Odd, term: Any) -> Any:
        """The same question again, down to level 0, which is refused it."""
        below = yield Ask(term)
        return below if below.answered else (yield Primitive(term))

    task, depth = Odd(deeper), 3000
    instance = task.sample(Random(0), 8)
    root = Question(Text("s^1(ab)"), instance=instance.digest)
    [result], playing = odd_tree(task, [root], instance, depth, Limits())
    h = unrolled(playing, {instance.digest: instance}, depth)
    [told] = h.answer([put(root, depth)])
    assert whole(told.answer) == whole(result.answer)
    assert told.calls == depth + 1
    assert counted(h) == counted_of(result.trace) == Counts(depth + 1, depth + 1, 1)


def test_draws_under_a_name_do_not_depend_on_those_before() -> None:
    one = Chance()
    for name in "ab":
        one.named(name).gauss()
    assert one.named("c").gauss() == Chance("c").gauss()
    assert one.named("c").random() == Chance("c").random()
