"""A filter picks just the nodes of which its conditions hold, one by one."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hch.browse.facts import WORDS
from hch.browse.filters import TYPED, Filter, parse
from hch.browse.timeline import Timeline
from hch.columns import BALLOT, DOUBTED, STATUSES
from hch.errors import UsageError
from hch.outline import Outline
from hch.rates import Rate
from hch.registry import PlayerSpec
from hch.safe_text import safe_text
from hch.stores.memory import MemoryStore
from tests.payloads import PAYLOADS
from tests.stores.samples import opened, started
from tests.support import Plan, ask, regular, rough, scripted
from tests.test_laws import LAW, seeds, shapes

OPERATORS = {
    "=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt,
    ">=": operator.ge,
}  # fmt: skip


def slow(outline: Outline, node: int, condition: str) -> bool:
    """What one condition says of one node, by what the outline says of it."""
    bare = condition.lstrip("!")
    if bare != condition:
        negated = (len(condition) - len(bare)) % 2 == 1
        return slow(outline, node, bare) is not negated
    if condition in STATUSES:
        return outline.state(node) == condition
    words = {
        "doubted": bool(outline.flags[node] & DOUBTED),
        "voted": bool(outline.flags[node] & BALLOT),
        "problem": outline.problem(node),
        "unclean": not outline.clean(node),
        "retried": outline.retries[node] > 0,
        "refused": any(outline.refused[a] for a in outline.asks(node)),
        "critical": Timeline(outline).critical(node),
    }
    if condition in words:
        return words[condition]
    name, sign, value = re.fullmatch(r"([a-z-]+)([<>!=]+)(.*)", condition).groups()
    player = PlayerSpec.parse(outline.players[outline.player[node]])
    texts = {
        "model": player.model or "",
        "strategy": str(player.strategies[outline.wrapper[node]]),
    }
    if name == "how":
        return (outline.way(node) == value) is (sign == "=")
    if name in texts:
        return (value.lower() in texts[name].lower()) is (sign == "=")
    spent = outline.spent(node)
    figures = {
        "level": outline.level[node],
        "cost": spent.microusd / 1e6,
        "own-cost": outline.own(node).microusd / 1e6,
        "tokens": spent.tokens,
        "calls": spent.calls,
        "time": outline.seconds(node),
    }
    return OPERATORS[sign](figures[name], float(value))


signs = st.sampled_from(sorted(OPERATORS))
figures = st.tuples(
    st.sampled_from(["level", "cost", "own-cost", "tokens", "calls", "time"]), signs,
    st.sampled_from(["0", "1", "2", "3", "0.0001", "0.00025", "17", "250.5", "4000"]),
).map("".join)  # fmt: skip
texts = st.tuples(
    st.sampled_from(["model", "strategy"]), st.sampled_from(["=", "!="]),
    st.sampled_from(["script", "SCRIPT", "fact", "vote", "k=3", "consult", "nobody"]),
).map("".join)  # fmt: skip
ways = st.tuples(st.sampled_from(["how=", "how!="]), st.sampled_from(["ask", "try", "put"]))
conditions = st.tuples(
    st.sampled_from(["", "", "!", "!!"]),
    st.one_of(st.sampled_from(sorted(WORDS)), figures, texts, ways.map("".join)),
).map("".join)
strategies = st.sampled_from(["factored", "vote,k=3/factored", "verify/factored", "consult"])


@settings(LAW, max_examples=80)
@given(seeds, shapes, strategies, st.lists(conditions, max_size=4))
def test_it_picks_what_a_look_at_each_node_picks(seed, shape, strategy, typed):
    model = scripted(Plan(seed), **rough(seed), rate=Rate(3, 5))
    result = ask(model, **{**shape, "strategy": strategy, "budget": None})
    outline = result.store.outline(result.run)
    for one in [[], *([c] for c in typed), typed]:
        flags = parse(" ".join(one)).apply(outline)
        assert list(flags) == [
            int(all(slow(outline, node, condition) for condition in one))
            for node in range(outline.n)
        ], one


def outline(**options: object) -> Outline:
    result = ask(regular(2), "alpha?", depth=2, **options)
    return result.store.outline(result.run)


def count(typed: str, of: Outline | None = None) -> int:
    return sum(parse(typed).apply(of or outline()))


@pytest.mark.parametrize(
    ("typed", "n"),
    [
        ("", 7),
        ("answered", 7),
        ("ANSWERED", 7),
        ("!answered", 0),
        ("answered !failed", 7),
        ("level=1", 2),
        ("level >= 1", 3),
        ("level>=1 level<2", 2),
        ("level != 0", 3),
        ("calls>1", 3),
        ("tokens<10k", 7),
        ("tokens>1k", 1),
        ("tokens<1M", 7),
        ("cost>$0.5", 0),
        ("time<3m", 7),
        ("time<1h", 7),
        ("how=ask", 7),
        ("strategy=factored", 7),
        ("Strategy=FACT", 7),
        ("model=nobody", 0),
    ],
)
def test_what_can_be_typed(typed, n):
    assert count(typed) == n


@pytest.mark.parametrize("typed", [typed for typed, _ in TYPED])
def test_all_that_the_help_shows_can_be_typed(typed):
    some = outline()
    assert len(parse(typed).apply(some)) == some.n
    assert parse(typed).describe()


def test_what_is_known_to_be_wrong_is_given():
    some = outline()
    wrong = {some.opened[1], some.opened[4]}
    assert list(parse("wrong").apply(some, wrong)) == [0, 1, 0, 0, 1, 0, 0]
    assert list(parse("!wrong level=1").apply(some, wrong)) == [0, 0, 0, 0, 0, 0, 0]
    assert sum(parse("wrong").apply(some)) == 0
    assert parse("WRONG !failed").describe() == "wrong, not failed"


def test_every_word_is_in_the_help():
    assert set(WORDS) < {typed for typed, _ in TYPED}
    assert all(meaning for _, meaning in TYPED)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", ""),
        ("failed", "failed"),
        ("!failed level>=2", "not failed, level 2 or more"),
        ("cost>0.01", "cost over $0.01"),
        ("own-cost<=1", "own-cost at most $1"),
        ("time>90", "time over 1m30s"),
        ("tokens>10k", "tokens over 10k"),
        ("model!=gpt", "not model gpt"),
        ("!!voted", "voted"),
        ("level=3", "level 3"),
    ],
)
def test_it_is_told_in_words(typed, said):
    assert parse(typed).describe() == said


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("faild", "no filter is called faild: did you mean failed?"),
        ("levl>2", "no filter is called levl: did you mean level?"),
        ("xyzzy", "no filter is called xyzzy: write such as failed !retried level>=2"),
        ("level", "level is compared with something: write such as level=1"),
        ("level>", "level>: this is no number for level: write such as level=1"),
        ("level>two", "level>two: this is no number for level"),
        ("level>nan", "no number"),
        ("level>1e9", "no number"),
        ("level>-1", "no number"),
        ("level>2k", "no number"),
        ("cost>١", "no number"),
        ("failed=1", "failed is compared with nothing: write failed or !failed"),
        ("model>gpt", "model takes = or != and a text: write such as model=gpt"),
        ("model=", "model takes = or != and a text"),
        ("how=maybe", "how=maybe: it is one of ask, try, put"),
        ("!", "no filter is called"),
        ("=", "no filter is called ="),
        (">3", "no filter is called >3"),
    ],
)
def test_what_is_wrong_is_told_with_what_to_write(typed, said):
    with pytest.raises(UsageError, match=re.escape(said)):
        parse(typed)


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda p: p.name)
def test_hostile_filters_are_told_safely(payload):
    for typed in (payload.text, f"level>{payload.text}", f"how={payload.text}"):
        if typed.strip():
            with pytest.raises(UsageError) as caught:
                parse(typed)
            assert safe_text(str(caught.value)) == str(caught.value)
    said = _try(lambda: parse(f"model={payload.text}").describe())
    assert safe_text(said) == said


def _try(make: Callable[[], str]) -> str:
    try:
        return make()
    except UsageError as error:
        return str(error)


def test_a_run_that_has_only_begun_can_be_filtered():
    store = MemoryStore()
    store.append("r", 1.0, started("q?", players=("no player at all,",)))
    assert parse("failed own-cost=0 model=x strategy=y how=ask").apply(store.outline("r")) == b""
    store.append("r", 1.0, opened("lost"))
    for typed, _ in TYPED:
        assert parse(typed).apply(store.outline("r")) == b""


def test_a_filter_without_conditions_lets_all_pass():
    assert Filter().apply(outline()) == b"\1" * 7
