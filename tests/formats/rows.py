"""Training rows of each kind, whole ones and any that there can be, for tests of formats."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from hch.protocols import Column
from hch.rows import Kind, Origin, Row, Step, Tokens, Turn

ORIGIN = Origin(
    run="260102-030405-6789ab",
    root=0,
    source="5f" * 32,
    node="0.1",
    key="ab" * 16,
    parent="0",
    level=1,
    player="direct@vllm:tiny",
    model="vllm:tiny",
    revision="main",
    prompt="direct",
    prompt_hash="c3" * 32,
)

ASKED = (Turn("system", "You are a copy."), Turn("user", "What is 2 + 3?"))


def whole(kind: Kind) -> Row:
    """A row with all that a row of its kind can have."""
    row = Row(kind, ASKED, ORIGIN)
    if kind in ("answer", "decision"):
        return replace(row, completion="5", thinking="2 and 3 more.", good=True, by="truth")
    if kind == "preference":
        return replace(row, completion="5", rejected="6", thinking="Count.", by="vote")
    if kind == "step":
        steps = Step("2 + 3 is 3 + 2", True, 0.0), Step("3 + 2 is 5", True), Step("So 6", False)
        return replace(row, completion="6", steps=steps, good=False, by="check")
    if kind == "soft":
        shares = ("5", 2 / 3), ("6", 1 / 3)
        tokens = Tokens(((20, 21), (2, 9)), ((-0.25, -1.5), (0.0, -30.0)), "d4" * 32, 1, (20, 2))
        return replace(row, completion="5", shares=shares, tokens=tokens)
    return row


TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.sampled_from(["", "\x00", "\u2028\r\n", '"\\', "</think>", "=1+1", "\U0001f600\ufeff", "5"]),
)
SOME = TEXTS.filter(bool)
FINITE = st.floats(-1e6, 1e6)
TURNS = st.lists(
    st.builds(Turn, st.sampled_from(["system", "user", "assistant"]), TEXTS), min_size=1, max_size=4
)
"""Any order of turns; those of a prompt file are what mostly comes."""

PROMPTS = st.one_of(
    TURNS.map(tuple),
    st.tuples(st.builds(Turn, st.just("user"), SOME)),
    st.tuples(st.builds(Turn, st.just("system"), SOME), st.builds(Turn, st.just("user"), SOME)),
)
SCORES = st.one_of(st.none(), FINITE, st.sampled_from([-1.0, 0.0, 1.0]))
SHARES = st.one_of(
    st.lists(st.tuples(TEXTS, st.floats(0, 1)), max_size=3),
    st.lists(st.integers(1, 9), min_size=1, max_size=7).map(
        lambda votes: [(str(place), votes[place] / sum(votes)) for place in range(len(votes))]
    ),
)


@st.composite
def tokens(draw: st.DrawFn) -> Tokens:
    """Mostly of one width; sometimes not, as no server should send them."""
    lengths = st.integers(0, 3)
    steady, width = draw(st.booleans()), draw(lengths)
    widths = [width if steady else draw(lengths) for _ in range(draw(lengths))]
    numbers = st.one_of(FINITE, st.sampled_from([-0.0, float("-inf"), float("nan")]))
    return Tokens(
        tuple(tuple(draw(st.integers(0, 1 << 31)) for _ in range(k)) for k in widths),
        tuple(tuple(draw(numbers if draw(st.booleans()) else FINITE) for _ in range(k))
              for k in widths),
        draw(TEXTS),
        draw(st.one_of(st.none(), FINITE, st.integers(0, 2))),
    )  # fmt: skip


def rows(kind: Kind) -> st.SearchStrategy[Row]:
    """Any rows of a kind, those that lack something too."""
    return st.builds(
        Row,
        st.just(kind),
        PROMPTS,
        st.builds(
            replace,
            st.just(ORIGIN),
            model=st.one_of(st.none(), TEXTS),
            revision=st.one_of(st.none(), TEXTS),
        ),
        completion=TEXTS,
        thinking=TEXTS,
        rejected=TEXTS,
        good=st.one_of(st.none(), st.booleans()),
        by=TEXTS,
        steps=st.lists(st.builds(Step, TEXTS, st.booleans(), SCORES), max_size=3).map(tuple),
        shares=SHARES.map(tuple),
        tokens=st.one_of(st.none(), tokens()),
        weight=FINITE,
    )


def fits(value: object, column: Column, *, inner: bool = False) -> bool:
    """Whether a value is of a column's type; `inner` is whether it is an item of a list."""
    if isinstance(column, str):
        types = {"text": str, "number": float, "whole": int, "flag": bool}
        return type(value) is types[column] or (value is None and not inner)
    if not hasattr(column, "keys"):
        return isinstance(value, list) and all(fits(one, column[0], inner=True) for one in value)
    if value is None:
        return not inner
    return (
        isinstance(value, dict)
        and value.keys() <= column.keys()
        and all(fits(one, column[name]) for name, one in value.items())
    )
