"""Terms of arithmetic for its tests, and what Python itself makes of them."""

from __future__ import annotations

from hypothesis import strategies as st

from hch.tasks._expression import Negation, Number, Operation, Term

terms: st.SearchStrategy[Term] = st.recursive(
    st.builds(Number, st.integers()),
    lambda inner: (
        st.builds(Negation, inner) | st.builds(Operation, st.sampled_from("+-*"), inner, inner)
    ),
    max_leaves=25,
)


def value(term: Term) -> int:
    if isinstance(term, Number):
        return term.value
    if isinstance(term, Negation):
        return -value(term.operand)
    left, right = value(term.left), value(term.right)
    return {"+": left + right, "-": left - right, "*": left * right}[term.op]


def operator_height(term: Term) -> int:
    if isinstance(term, Number):
        return 0
    if isinstance(term, Negation):
        return 1 + operator_height(term.operand)
    return 1 + max(operator_height(term.left), operator_height(term.right))
