"""Who is evaluated: players by level, the depths they play at, and the votes beside them."""

from __future__ import annotations

from typing import Any

import pytest

from hch import ScriptedModel
from hch.errors import UsageError
from hch.evals.contest import Contest, Contestant
from hch.examination import Entry, check_entries
from tests.evals.evaluating import contest
from tests.support import memory


def specs(contest: Contest, **options: Any) -> tuple[tuple[str, ...], ...]:
    return contest.hch(task="arithmetic", store=memory(), **options).specs


def test_one_player_plays_all_levels() -> None:
    one = Contestant.parse(" script,errors=.1 ")
    assert one.label == "script,errors=.1"
    assert one.at_depth(0) == {"0": "script,errors=.1"}
    assert one.at_depth(3) == {"0-3": "script,errors=.1"}


def test_levels_are_cut_to_the_depth() -> None:
    one = Contestant.parse("0-1=vote,k=3/script; 2+=script ;4=script,errors=.1")
    assert one.at_depth(0) == {"0": "vote,k=3/script"}
    assert one.at_depth(1) == {"0-1": "vote,k=3/script"}
    assert one.at_depth(2) == {"0-1": "vote,k=3/script", "2": "script"}
    assert one.at_depth(5) == {
        "0-1": "vote,k=3/script",
        "2-5": "script",
        "4": "script,errors=.1",
    }
    assert one.alone == "vote,k=3/script"


def test_later_levels_go_before_earlier_also_where_they_are_cut_to_the_same() -> None:
    found = contest("0-1=script;0=script,errors=.1;0+=script,errors=.2", depths=[0, 1])
    assert specs(found)[:2] == (("script,errors=.2",), ("script,errors=.2", "script,errors=.2"))
    assert Contestant.parse("0-1=script;0=direct;0+=oracle").at_depth(1) == {
        "0": "direct",
        "0-1": "oracle",
    }


def test_an_alias_is_replaced_and_the_label_is_as_typed() -> None:
    aliases = {"small": "vote/script"}
    one = Contestant.parse("0=small;1+=script", lambda name: aliases.get(name, name))
    assert one.label == "0=small;1+=script"
    assert one.alone == "vote/script"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("0=script;0=script,errors=.1", "names the levels '0' twice"),
        ("2-1=script", "levels '2-1' are not within"),
        ("0=", "has no name"),
        ("", "has no name"),
        ("factored@", "names no model"),
    ],
)
def test_what_is_no_player_is_refused(text: str, what: str) -> None:
    with pytest.raises(UsageError, match=what):
        Contestant.parse(text)


def test_everybody_plays_alone_and_at_each_depth_beside_a_vote() -> None:
    found = contest("script", "0=script,errors=.1;1+=script", depths=[2, 0, 1], scorer="numeric")
    vote = "vote,k=1,scorer=numeric"
    assert specs(found) == (
        ("script",),
        ("script", "script"),
        ("script", "script", "script"),
        (f"{vote}/script",),
        ("script,errors=.1",),
        ("script,errors=.1", "script"),
        ("script,errors=.1", "script", "script"),
        (f"{vote}/script,errors=.1",),
    )
    assert found.labels == ("script",) * 4 + ("0=script,errors=.1;1+=script",) * 4
    assert found.entries == (
        Entry(lineup=0),
        Entry(lineup=1),
        Entry(lineup=3, paid_by=1, unit=0),
        Entry(lineup=2),
        Entry(lineup=3, paid_by=3, unit=0),
        Entry(lineup=4),
        Entry(lineup=5),
        Entry(lineup=7, paid_by=6, unit=5),
        Entry(lineup=6),
        Entry(lineup=7, paid_by=8, unit=5),
    )
    check_entries(found.entries, len(found.labels))


def test_a_scorer_with_options_stays_whole_in_the_vote() -> None:
    found = contest("vote,k=3,fits=a,,b/script", depths=[1], scorer="numeric,digits=3")
    [alone, _, vote] = specs(found)
    assert vote == (f"vote,k=1,scorer=numeric,,digits=3/{alone[0]}",)


def test_at_depth_0_there_is_nothing_to_pay_a_vote_by() -> None:
    found = contest("script", "script,errors=.1", depths=[0])
    assert specs(found) == (("script",), ("script,errors=.1",))
    assert found.entries == (Entry(lineup=0), Entry(lineup=1))


def test_where_a_player_judges_each_answer_is_graded() -> None:
    found = contest("direct", "factored", depths=[1], scorer="model,by=judge")
    hch = {"model": ScriptedModel({}), "others": {"judge": "check"}}
    assert specs(found, **hch)[-1] == ("check@scripted",)
    assert found.labels == ("direct",) * 3 + ("factored",) * 3 + ("judge",)
    assert found.entries[:6] == (
        Entry(lineup=0),
        Entry(lineup=6, grades=0),
        Entry(lineup=1),
        Entry(lineup=6, grades=2),
        Entry(lineup=2, paid_by=2, unit=0),
        Entry(lineup=6, grades=4),
    )
    assert len(found.entries) == 12
    check_entries(found.entries, len(found.labels))
    assert len(contest("direct", scorer="model").entries) == 2


@pytest.mark.parametrize(
    ("players", "depths", "what"),
    [
        ((), (1,), "there is nobody to evaluate"),
        (("script", " script"), (1,), "player 'script' is named twice"),
        (("script",), (1, -1), "depth -1 is not between"),
        (("1+=script",), (1,), "does not say who plays level 0"),
        (("0=script;2=script",), (2,), "does not say who plays level 1"),
    ],
)
def test_a_contest_that_cannot_be_is_refused(
    players: tuple[str, ...], depths: tuple[int, ...], what: str
) -> None:
    with pytest.raises(UsageError, match=what):
        contest(*players, depths=depths).hch(store=memory(), task="arithmetic")
