"""Other players: what a wrapper puts beside its tries, and runs of several lineups."""

from __future__ import annotations

import json
from dataclasses import replace
from io import BytesIO

import pytest

from hch import HCH, Completion, Question, ScriptedModel, Text
from hch.blocking import completed
from hch.budget import Price
from hch.config import Config
from hch.errors import ConfigError, UsageError
from hch.examination import Entry, Examination, check_entries
from hch.interchange import Export, lines
from hch.past import Past
from hch.planting import paid_for
from hch.roots import planned
from hch.sides import Side
from hch.soundness import TRIES
from hch.trace import Trace
from hch.votes import MOST
from tests.support import memory

ACCEPTS = {"accept": "ACCEPT", "reject": "REJECT: no"}


def model(*, rejects: int = 0, name: str = "scripted") -> ScriptedModel:
    """Answers its n-th sample by `try n`; rejects the answers of the first so many."""

    def say(request):
        if request.form and request.form.name == "Checked":
            said = request.messages[-1].content
            bad = any(f"try {i}\n" in said for i in range(rejects))
            return json.dumps({"reason": "so", "verdict": "reject" if bad else "accept"})
        if request.form:
            return json.dumps({"questions": [{"question": "a part?"}]})
        return f"try {request.sample[-1][-1]}" if request.sample else "plain"

    return ScriptedModel(say, name=name)


def hows(node):
    return [(ask.how, ask.node.level, ask.node.opened.player) for ask in node.asks if ask.node]


def test_a_check_is_another_player_at_the_same_level_with_a_node_of_its_own() -> None:
    hch = HCH(depth=1, model=model(rejects=1), strategy="verify/factored", store=memory())
    result = hch.ask_sync("why?")
    root = result.trace.roots[0]
    player = "verify/factored@scripted"
    assert hows(root) == [
        ("try", 1, player),
        ("put", 1, "check@scripted"),
        ("try", 1, player),
        ("put", 1, "check@scripted"),
    ]
    assert [node.id for node in root.children] == ["0.1", "0.2", "0.3", "0.4"]
    checked = root.children[1].question
    assert [text.body for text in checked.context] == ["why?", root.children[0].answer.text.body]
    assert result.clean


def test_a_checker_that_is_a_tree_asks_the_level_below() -> None:
    hch = HCH(depth=1, model=model(), strategy="verify,by=factored/direct", store=memory(), seed=3)
    root = hch.ask_sync("why?").trace.roots[0]
    check = next(ask.node for ask in root.asks if ask.how == "put")
    assert [(child.level, child.opened.player) for child in check.children] == [
        (0, "verify,by=factored/direct@scripted")
    ]


@pytest.mark.parametrize(
    "spec",
    ["verify,by=looped/direct", "verify,by=votes/direct", "vote/verify,by=votes/direct"],
)
def test_players_that_could_put_questions_in_a_circle_are_refused(spec: str, tmp_path) -> None:
    (tmp_path / "hch.toml").write_text(
        '[players]\nlooped = "verify,by=looped/direct"\nvotes = "vote/direct"\n'
    )
    with pytest.raises(UsageError, match="1 are left from there on"):
        HCH(depth=1, model=model(), strategy=spec, store=memory()).ask_sync("why?")


def test_a_checker_may_have_fewer_wrappers_than_are_left() -> None:
    hch = HCH(
        depth=0,
        model=model(),
        strategy="verify,by=votes/vote/direct",
        others={"votes": "vote/check"},
        store=memory(),
    )
    result = hch.ask_sync("why?")
    assert result.status == "answered"
    players = {node.opened.player for node in result.trace.nodes()}
    assert players == {"verify,by=votes/vote/direct@scripted", "vote/check@scripted"}


async def test_who_checks_is_on_record_and_is_the_same_on_a_resume(tmp_path) -> None:
    (tmp_path / "rules.toml").write_text(
        '[[rule]]\nmatch = "Is the answer right"\nreply = \'{"reason": "", "verdict": "accept"}\'\n'
        '[[rule]]\nmatch = "."\nreply = "5"\n'
    )
    (tmp_path / "hch.toml").write_text('[players]\nchecker = "check@scripted:rules.toml"\n')
    store = memory()
    hch = HCH(
        depth=0,
        strategy="verify,by=checker/direct",
        model="scripted:rules.toml,latency=0.001",
        store=store,
    )
    result = await hch.ask("What is 2+3?")
    started = result.trace.started
    assert started.setup["others"] == {"checker": "check@scripted:rules.toml"}
    assert {*started.rates} == {"scripted:rules.toml", "scripted:rules.toml,latency=0.001"}
    (tmp_path / "hch.toml").write_text('[players]\nchecker = "check@scripted:other.toml"\n')
    past = Past(store, result.run)
    (tmp_path / "other.toml").write_text('[[rule]]\nmatch = "."\nreply = "5"\n')
    [changed] = past.changes()
    were, are = (f"checker=check@scripted:{name}.toml" for name in ("rules", "other"))
    assert changed == f"the players beside were {were}, and are {are}"
    other = replace(hch, config=Config.read(), others={"checker": "check@scripted:other.toml"})
    with pytest.raises(ConfigError, match="started with others beside: checker=check@scripted:ru"):
        other.resume(result.run)
    [again] = await past.hch().resume(result.run).finish()
    assert again.answer == result.answer
    assert (await past.replay().play()).canonical() == result.trace.canonical()


def checked(calls: int, tries: int, rejects: int) -> Trace:
    """Tries of a call each, and a check of one for each of them, with a grant of so many."""
    hch = HCH(
        depth=0,
        model=model(rejects=rejects),
        strategy=f"verify,tries={tries}/direct",
        store=memory(),
        budget=f"{2 * calls}calls",
        each=f"{calls}calls",
    )
    return hch.ask_sync("why?").trace


@pytest.mark.parametrize("tries", [1, 2, 3, 4])
@pytest.mark.parametrize("calls", range(2, 12))
def test_every_try_that_the_grant_pays_for_is_checked(calls: int, tries: int) -> None:
    trace = checked(calls, tries, rejects=tries)
    root = trace.roots[0]
    made = [ask.how for ask in root.asks if ask.node]
    assert made == ["try", "put"] * min(tries, calls // 2)
    assert root.status == "unanswered"
    for node in trace.nodes():
        assert node.opened.grant.price().covers(node.spent)
        for ask in node.asks:
            if ask.node:
                assert node.opened.grant.price().covers(ask.node.opened.grant.price())


def test_two_players_of_one_spec_whose_checks_think_with_others_are_two() -> None:
    def verdict(said: str) -> ScriptedModel:
        reply = json.dumps({"reason": "so", "verdict": said})
        return ScriptedModel(lambda request: reply, name=said)

    hch = HCH(
        depth=0,
        strategy="verify,tries=1/script",
        model=verdict("accept"),
        beside=[Side(0, model=verdict("reject"))],
        store=memory(),
    )
    entries = [Entry(lineup=0), Entry(lineup=1)]
    run = hch.examine([Question(Text("What is 1+2?"))], entries, examination(1, 2))
    results = completed(run.finish)
    assert [result.status for result in results] == ["answered", "unanswered"]
    started = results[0].trace.started
    assert started.others == (("check=check@accept",), ("check=check@reject",))


def test_a_side_is_what_it_says_and_the_first_where_it_says_nothing() -> None:
    hch = HCH(
        depth=2,
        at={"0": "direct", "2": "script"},
        model=model(),
        strategy="factored",
        beside=[Side(0), Side(1, at={}), Side(1, strategy="direct@human")],
        person=object(),
        store=memory(),
    )
    assert hch.specs == (
        ("direct@scripted", "factored@scripted", "script"),
        ("direct@scripted",),
        ("factored@scripted", "factored@scripted"),
        ("direct@human", "direct@human"),
    )


def test_an_oracle_wants_the_instance_that_a_question_is_about() -> None:
    hch = HCH(
        depth=0,
        task="permutation",
        model=model(),
        strategy="verify,by=oracle/direct",
        store=memory(),
    )
    with pytest.raises(UsageError, match="say which instance is meant"):
        hch.ask_sync("s^2(ab)")


def examination(questions: int, lineups: int) -> Examination:
    return Examination(
        source="by hand",
        labels=tuple(f"lineup {i}" for i in range(lineups)),
        expected=(None,) * questions,
        kinds=("",) * questions,
    )


def examined(**options):
    """Three arithmetic questions, each of HCH_0, HCH_1 and HCH_2, and of an equal-cost vote."""
    hch = HCH(
        depth=0,
        strategy="script",
        beside=[Side(1), Side(2), Side(0, at={"0": "vote,k=1/script"})],
        **{"store": memory(), **options},
    )
    questions = [Question(Text(f"What is {q}?")) for q in ("1+2", "(1+2)*3", "(1+2)*(3-(4*5))")]
    entries = [Entry(lineup=n) for n in range(3)] + [Entry(lineup=3, paid_by=2, unit=0)]
    return hch, hch.examine(questions, entries, examination(3, 4))


async def test_one_run_asks_every_question_of_every_lineup() -> None:
    hch, run = examined()
    results = await run.finish()
    trace = results[0].trace
    assert [root.level for root in trace.roots] == [0, 1, 2, 0] * 3
    assert [result.text for result in results[:3]] == ["3"] * 3
    assert [result.status for result in results[8:11]] == ["unanswered"] * 2 + ["answered"]
    # A vote of as many tries as the tree has nodes, since nobody is called and there are no tokens.
    assert [trace.roots[n].opened.player for n in (3, 7, 11)] == [
        f"vote,k={k}/script" for k in (1, 2, 4)
    ]
    assert trace.started.players == ("script",)
    assert trace.started.lineups[1:] == (("script",) * 3, ("vote,k=1/script",))
    past = Past(hch.kept_in, run.id)
    assert (await past.replay().play()).canonical() == trace.canonical()
    again = await past.hch().resume(run.id).finish()
    assert [r.answer for r in again] == [r.answer for r in results]


async def test_what_lineups_have_in_common_is_one_subtree_and_charged_to_each() -> None:
    _, run = examined()
    trace = (await run.finish())[0].trace
    third = trace.roots[8:11]
    shared = [ask for root in third[1:] for ask in root.asks if ask.shared]
    assert {ask.node.level for ask in shared} <= {0, 1}
    assert third[2].spent.nodes == 1 + sum(ask.node.spent.nodes for ask in third[2].asks)


def changed(data: bytes, old: str, new: str) -> bytes:
    assert old.encode() in data
    return data.replace(old.encode(), new.encode(), 1)


async def exported() -> tuple[bytes, Trace]:
    hch, run = examined()
    trace = (await run.finish())[0].trace
    text = "\n".join(lines([run.id], hch.kept_in.events)) + "\n"
    return text.encode(), trace


async def test_an_examination_travels() -> None:
    data, trace = await exported()
    brought = Trace(Export("x", BytesIO(data)).records())
    assert brought.canonical() == trace.canonical()
    assert planned(brought.started) == planned(trace.started)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('"paid_by":2', '"paid_by":7', "does not come before"),
        ('"lineup":3', '"lineup":4', "there are 4"),
        ('"kinds":["",', '"kinds":["","",', "does not fit 3 questions of 4 lineups"),
        (
            '"depth":1,"model":null,"strategy":"script"',
            '"depth":2,"model":null,"strategy":"script"',
            "do not fit",
        ),
        ('"count":12', '"count":3', "there are 12 roots"),
        ('"votes":[["', '"votes":[["again",9],["', "cannot have these votes"),
        ('"how":"try"', '"how":"put"', "levels must fall"),
        ('"tries":1,"of":1}', '"tries":1,"of":1000000000}', "cannot have these votes"),
        ('"more":0', '"more":1000000000', "are not asked in one round"),
    ],
)
async def test_what_cannot_be_an_examination_is_refused(old: str, new: str, why: str) -> None:
    data, _ = await exported()
    with pytest.raises(UsageError, match=why):
        list(Export("x", BytesIO(changed(data, old, new))).records())


async def test_players_that_go_in_a_circle_are_no_run() -> None:
    hch = HCH(depth=0, model=model(), strategy="verify/direct", store=memory())
    result = await hch.ask("why?")
    data = ("\n".join(lines([result.run], hch.kept_in.events)) + "\n").encode()
    looped = changed(data, '"player":"check@scripted"', '"player":"vote/check@scripted"')
    with pytest.raises(UsageError, match="must fall from asker to asked"):
        list(Export("x", BytesIO(looped)).records())


@pytest.mark.parametrize(
    ("entries", "why"),
    [
        ((Entry(lineup=1),), "there are 1"),
        ((Entry(), Entry(grades=1)), "does not come before"),
        ((Entry(paid_by=0, unit=0),), "does not come before"),
    ],
)
def test_an_entry_waits_for_earlier_ones_of_a_lineup_that_there_is(entries, why) -> None:
    with pytest.raises(ValueError, match=why):
        check_entries(entries, 1)


def test_other_lineups_on_a_resume_are_refused() -> None:
    hch, run = examined()
    other = replace(hch, beside=[Side(1), Side(3), Side(0, at={"0": "vote,k=1/script"})])
    hch.kept_in.append(run.id, 0.0, run.started())
    with pytest.raises(ConfigError, match="started with other players"):
        other.resume(run.id)


@pytest.mark.parametrize("each", ["2s", "5min,1calls"])
def test_a_grant_is_no_time(each: str) -> None:
    with pytest.raises(UsageError, match="at least a call and a node"):
        examined(each=each)


async def test_every_root_gets_the_grant_that_is_said() -> None:
    _, run = examined(each="7calls,9nodes", budget="100calls,500nodes")
    trace = (await run.finish())[0].trace
    assert {root.opened.grant.nodes for root in trace.roots} == {9}
    assert trace.cap.calls == 100


@pytest.mark.parametrize(("calls", "tries"), [(1, 1), (2, 2), (3, 3), (4, 4), (10, 5)])
def test_as_many_tries_are_made_as_the_grant_pays_for(calls: int, tries: int) -> None:
    """Of five tries of a call each, with a grant of so many calls."""
    told = ScriptedModel(lambda request: f"try {request.sample[-1][-1]}")
    hch = HCH(
        depth=0, model=told, strategy="vote,k=5/direct", store=memory(),
        budget=f"{2 * calls}calls", each=f"{calls}calls",
    )  # fmt: skip
    trace = hch.ask_sync("why?").trace
    root = trace.roots[0]
    made = [ask.node for ask in root.asks if ask.node]
    assert len(made) == tries
    assert all(ask.refusal for ask in root.asks if not ask.node)
    assert root.answer.ballot.of == 5
    assert root.opened.grant.price().covers(root.spent)


def judged(say: str | None, judge: ScriptedModel) -> list[tuple[str, str | None]]:
    """What grading comes to where the answer is this, and 4 is right, by word of a judge."""

    def answers(request):
        return Completion("no", "refusal") if say is None else say

    hch = HCH(
        depth=0,
        model=ScriptedModel(answers, name="player"),
        strategy="direct",
        beside=[Side(0, model=judge, strategy="check")],
        store=memory(),
    )
    held = Examination(
        source="x", labels=("it", "judge"), expected=("4",), kinds=("",), scorer="model"
    )
    run = hch.examine([Question(Text("What is 2+2?"))], [Entry(), Entry(lineup=1, grades=0)], held)
    return [(result.status, result.text) for result in completed(run.finish)]


@pytest.mark.parametrize(
    ("said", "calls", "grade"),
    [
        (None, 0, ("unanswered", None)),
        (" 4 ", 0, ("answered", "ACCEPT")),
        ("four", 1, ("answered", "REJECT: so")),
    ],
)
def test_a_judge_is_asked_only_where_it_is_not_plain(said, calls, grade) -> None:
    seen = []

    def says(request):
        seen.append(request.messages[-1].content)
        return json.dumps({"reason": "so", "verdict": "reject"})

    assert judged(said, ScriptedModel(says, name="judge"))[1] == grade
    assert len(seen) == calls
    if seen:  # the question, what is right, and what was said, in this order
        places = [seen[0].index(text) for text in ("What is 2+2?", "\n4\n", "\nfour\n")]
        assert places == sorted(places)


@pytest.mark.parametrize(
    "entries",
    [
        (Entry(), Entry(grades=0), Entry(grades=1)),
        (Entry(), Entry(grades=0), Entry(paid_by=1, unit=0)),
        (Entry(), Entry(), Entry(paid_by=1, unit=0), Entry(paid_by=2, unit=0)),
    ],
)
def test_an_entry_is_about_an_answer_of_its_own(entries) -> None:
    with pytest.raises(ValueError, match="no answer of its own"):
        check_entries(entries, 1)


def test_a_vote_of_equal_cost_has_no_more_tries_than_a_vote_may_have() -> None:
    assert paid_for(Price(nodes=10**9), Price(nodes=1)) == MOST
    assert paid_for(Price(5, 100), Price(1, 30)) == 3  # tokens go before calls
    assert paid_for(Price(5), Price(2)) == 2
    assert paid_for(Price(0, 10), Price(0, 30)) == 1
    assert TRIES >= MOST
