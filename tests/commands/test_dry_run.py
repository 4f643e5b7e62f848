"""`hch ask … --dry-run`: what it would come to, with nothing sent and nothing kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commands.terminal import Done, hch, install, rules

Typed = Callable[..., Done]
PAID = ("ask", "Why?", "-m", "openai:gpt-5.4-mini", "--dry-run")


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")


def test_it_prints_three_bills_and_keeps_nothing(typed: Typed, home: Path) -> None:
    done = typed(*PAID)
    assert (done.code, done.err) == (0, "")
    first, head, least, typical, most, cap = done.out.splitlines()
    assert first == "HCH_2 by factored@openai:gpt-5.4-mini; nothing was sent"
    assert head.split() == ["calls", "nodes", "tokens", "cost"]
    assert least.split()[:3] == ["least", "2", "1"]
    assert typical.split()[:3] == ["typical", "17", "13"]
    assert "3 sub-questions a node" in typical
    assert "--fanout K" in typical
    assert most.split()[:5] == ["most", "200", "273", "500k", "$2.250"]
    assert cap.startswith("capped at 200calls,500ktokens;")
    assert typed("runs").err.startswith("hch: there are no runs")


def test_the_fan_out_that_is_told_sharpens_it(typed: Typed) -> None:
    done = typed(*PAID, "--fanout", "5", "--depth", "1")
    assert "typical      7      6" in done.out
    assert "--fanout K" not in done.out


def test_where_nobody_can_ask_only_replies_are_told_of(typed: Typed) -> None:
    for words in (("-s", "direct"), ("-s", "factored", "--depth", "0")):
        out = typed(*PAID, *words).out
        assert "  replies as short as can be\n" in out
        assert "  replies of 60 tokens\n" in out
        assert "  replies of 2048 tokens\n" in out
        assert "sub-question" not in out


@pytest.mark.parametrize(
    ("strategy", "least", "most"),
    [
        ("vote,ahead=3/direct", 3, 30),
        ("vote,k=5,scorer=choice/direct", 3, 5),
        ("verify,tries=4,by=direct/direct", 2, 8),
        ("vote,k=3/verify,by=direct/direct", 4, 12),
    ],
)
def test_votes_and_checks_are_told_to_their_last_try(
    typed: Typed, strategy: str, least: int, most: int
) -> None:
    said = json.loads(typed(*PAID, "-s", strategy, "--depth", "0", "--json").out)
    assert (said["least"]["calls"], said["most"]["calls"]) == (least, most)


ALWAYS_TWO = """
from hch.budget import Price

class Twice:
    prompts = {"direct": frozenset()}
    thinks = True
    refuses_repeats = False

    async def __call__(self, workspace):
        if workspace.level == 0:
            return await workspace.think("direct", last=True)
        question = workspace.question
        return (await workspace.ask(question, question.again(1), last=True))[0]

    def least(self, workspace):
        return workspace.quote("direct") if workspace.level == 0 else workspace.below() * 2

    def finish(self, workspace, m):
        return workspace.quote("direct") if workspace.level == 0 else Price()

def build():
    return Twice()
"""


def test_what_a_strategy_asks_by_itself_is_not_h_s_choice(home: Path) -> None:
    env = install(home, "strategies.twice", "twice", ALWAYS_TWO)
    out = hch(*PAID, "-s", "twice", **env).out
    assert "sub-question" not in out
    assert "needs no help" not in out
    out = hch(*PAID, "--at", "2=twice", **env).out
    assert "  nobody asks more than it must\n" in out
    assert "  where H may choose, 3 sub-questions a node, of 15 tokens" in out


DRAFTS = """
from hch.budget import Price
from hch.types import Text

WRAPS = True

class Drafts:
    prompts, thinks, refuses_repeats = {}, False, False

    async def __call__(self, workspace):
        for _ in range(2):
            [draft] = await workspace.tries(1, of=4)
        return (await workspace.tries(1, draft.text, of=4))[0]

    def least(self, workspace):
        return workspace.within() * 2

    def finish(self, workspace, m):
        return Price()

def build():
    return Drafts()
"""


def test_a_wrapper_of_one_s_own_makes_the_tries_it_wants_and_at_the_most_all(home: Path) -> None:
    env = install(home, "strategies.drafts", "drafts", DRAFTS)
    said = json.loads(hch(*PAID, "-s", "drafts/direct", "--depth", "0", "--json", **env).out)
    assert [said[bill]["calls"] for bill in ("least", "typical", "most")] == [3, 3, 4]


def test_what_is_beyond_counting_says_so(typed: Typed) -> None:
    out = typed(*PAID, "--depth", "40", "--budget", f"{10**24}calls").out
    assert "1e18+" in out
    assert "+ is where counting ends" in out
    assert "counting ends" not in typed(*PAID).out


def test_a_model_without_a_price_says_so(typed: Typed) -> None:
    done = typed("ask", "Why?", "-m", "openai:unheard-of", "--dry-run")
    assert "openai:unheard-of has no known price" in done.out
    said = json.loads(typed("ask", "Why?", "-m", "openai:unheard-of", "--dry-run", "--json").out)
    assert said["most"]["microusd"] is None
    assert said["unpriced"] == ["openai:unheard-of"]


def test_a_price_of_one_s_own_goes_over_the_known_one(typed: Typed, home: Path) -> None:
    dear = json.loads(typed(*PAID, "--json").out)["typical"]
    row = (
        '[models]\nsmall = "openai:gpt-5.4-mini"\n[prices]\nsmall = { input = 0, output = 0.45 }\n'
    )
    (home / "hch.toml").write_text(row)
    cheap = json.loads(typed(*PAID, "--json").out)["typical"]
    assert cheap["tokens"] == dear["tokens"]
    assert 0 < cheap["microusd"] < dear["microusd"] / 10


def test_a_server_of_one_s_own_costs_what_one_says(typed: Typed, home: Path) -> None:
    words = ("ask", "Why?", "-m", "openai:mine,base_url=http://127.0.0.1:9/v1", "--dry-run")
    assert "free" in typed(*words).out
    (home / "hch.toml").write_text('[prices]\n"openai:mine" = { input = 1, output = 2 }\n')
    priced = typed(*words).out
    assert "free" not in priced
    assert "capped at 200calls,500ktokens" in priced


def test_the_script_is_free(typed: Typed) -> None:
    done = typed("ask", "What is 2 + 3 * 4?", "--dry-run", "-s", "script")
    assert "free" in done.out
    assert "no cap" in done.out


def test_a_cap_that_is_too_small_for_the_root_is_told(typed: Typed, home: Path) -> None:
    model = rules(home / "rules.toml", {"match": ".", "reply": "x"})
    words = ("ask", "Why?", "-m", model, "--dry-run", "--budget")
    assert "the cap does not pay for the root" in typed(*words, "30tokens").out
    assert "does not pay" not in typed(*words, "30ktokens").out
