"""Which texts are the same number, and that no text takes long or fails."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hch import registry
from hch.errors import UsageError
from hch.protocols import Scorer


def scorer(options: str = "") -> Scorer:
    return registry.build("scorers", registry.Spec.parse(f"numeric{options}"))


SAME = [
    ["42", "42.0", "4.2e1", "4.2E+1", "0042", "+42", "It is 42.", "$42.00", "**42**", "42 km",
     "\\boxed{42}", "6 * 7 = 42", "x=42", "420e-1", "4.2 × 10^1", "4.2 \\times 10^{1}", "答案是42",
     "84/2", "4200%", "not 41, but 42!", "the 42nd"],
    ["-5", "−5", "is -5.", "-$5", "$-5", "-5.0", "(-5)", "-10/2"],
    ["1234567.5", "1,234,567.5",
     "1\u2009234\u2009567.5", "1\xa0234\xa0567.5", "1'234'567.5", "1_234_567.50"],
    ["50%", "50 %", "50 percent", "0.5", ".5", "1/2", "\\frac{1}{2}", "3 / 6", "5e-1", "50\\%"],
    ["1 1/2", "1.5", "3/2", "150%"],
    ["1/3", "2/6", "\\dfrac{2}{6}"],
    ["0", "-0", "0.00", "0e5", "0%", "0/7"],
    ["3", "5-3", "2..3", "1.2.3", "1, 2, 3", "9 (3)", "1,23,3"],
]  # fmt: skip
NONE = ["", "   ", "none", "x2", "H2O", "1/0", "e", "-", "1e9999999999999999999", f"1/{'9' * 400}"]


@pytest.mark.parametrize("texts", SAME, ids=lambda texts: texts[0])
def test_the_forms_of_a_number_are_equal(texts):
    assert len({scorer().form(text) for text in texts}) == 1, [scorer().form(t) for t in texts]


def test_different_numbers_have_different_forms():
    forms = [scorer().form(texts[0]) for texts in SAME]
    assert None not in forms
    assert len(set(forms)) == len(SAME)


@pytest.mark.parametrize("text", NONE)
def test_a_text_without_a_number_has_no_form(text):
    assert scorer().form(text) is None


@pytest.mark.parametrize(
    ("text", "form"),
    [("3/4/2020", "2020"), ("7 (see x2)", "7"), ("2 of 3/4", "0.75"), ("10-12", "12")],
)
def test_it_is_the_last_number_that_counts(text, form):
    assert scorer().form(text) == scorer().form(form)


@pytest.mark.parametrize(
    ("text", "fits"),
    [("42", True), (" 42.0\n", True), ("-1,000.5", True), ("$3", True), ("2/3", True),
     ("42 km", False), ("it is 42", False), ("42.", False), ("1 2", False), ("", False)],
)  # fmt: skip
def test_whole_wants_nothing_but_a_number(text, fits):
    found = scorer(",whole=true").form(text)
    assert found == (scorer().form(text) if fits else None)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [("1/3", "0.3333", True), ("0.3334", "0.333", True), ("0.3336", "0.333", False),
     ("99950", "100000", True), ("99949", "100000", False), ("1234", "1230", True),
     ("-2/3", "-0.667", True), ("0", "0.000", True), ("0", "0.001", False)],
)  # fmt: skip
def test_digits_are_those_that_must_agree(one, other, same):
    found = scorer(",digits=3")
    assert (found.form(one) == found.form(other)) is same


@given(st.integers(-(10**30), 10**30), st.integers(0, 20))
def test_a_number_is_what_it_says_however_it_is_written(n, places):
    exact = Fraction(n, 10**places)
    digits = f"{abs(n):0{places + 1}d}"
    cut = len(digits) - places
    sign, whole, broken = "-" * (n < 0), digits[:cut], digits[cut:]
    ways = [
        f"{sign}{whole}{'.' + broken if broken else ''}",
        f"{sign}{int(whole):,}{'.' + broken + '00' if broken else '.0'}",
        f"{n}e-{places}",
        f"{n}/{10**places}",
        f"so {exact.numerator} / {exact.denominator}, I think",
    ]
    assert len({scorer().form(way) for way in ways}) == 1, ways


@given(st.fractions(), st.fractions())
def test_forms_are_equal_where_numbers_are(one, other):
    same = scorer().form(str(one)) == scorer().form(str(other))
    assert same is (one == other)


@given(st.text(st.sampled_from("0123456789.,-+−eE/%$ ^x*\\frac{}'_\n()") | st.characters()))
def test_no_text_fails_and_a_form_is_its_own_form(text):
    for options in ("", ",digits=4", ",whole=true"):
        found = scorer(options).form(text)
        assert found is None or scorer(options).form(found) == found
        assert found is None or re.fullmatch(r"-?[0-9]+(e-?[0-9]+|/[0-9]+)?", found)


@pytest.mark.parametrize(
    "piece",
    ["9", "1 ", "1,", "111,", "1/", "1 1/", "1.", "1e", "-", "$", "(", "x", "\\frac{1}{", "0", "٣"],
)
@pytest.mark.parametrize("options", ["", ",digits=5", ",whole=true"])
def test_a_long_text_is_read_in_one_go(piece, options):
    scorer(options).form((piece * 300_000)[:300_000])  # what is not linear would not come back
    scorer(options).form(f"1{' ' * 300_000}{piece}")


@pytest.mark.parametrize("piece", ["9", "1 ", "-", "x"])
def test_a_text_of_a_megabyte_is_read_in_one_go(piece):
    scorer().form((piece * 1_000_000)[:1_000_000])


def test_a_number_of_any_length_is_one():
    nines = "9" * 100_000
    assert scorer().form(nines) == scorer().form(f"{nines}.00") == nines
    assert scorer(",digits=3").form(nines) == scorer().form("1e100000")
    assert scorer(",digits=3").form(f"0.{nines}") == "1"


def test_an_option_that_makes_no_sense_is_refused():
    for options in (",digits=0", ",digits=101", ",digits=x", ",whole=maybe"):
        with pytest.raises(UsageError, match="scorer 'numeric'"):
            scorer(options)
