"""Integer expressions: terms, how a sentence is read to one, and how one is written.

`parse` finds the one expression in a sentence, by a rule that would rather refuse than misread:

- Numbers, signs and parentheses that stand together are a candidate if there is a number among
  them; × · ⋅ and the typographic minus are signs too. There must be exactly one candidate, and
  all of it must be an expression.
- If it has two numbers or more, any words may stand around it, but for those that are numbers or
  operations themselves ("times", "squared", "million"). If it has one ("5", "-(3)"), only the few
  asking words may: "Which 3 rivers cross France?" is not answered with 3.
- A minus with a digit right before and right after it may also be a hyphen. So if any other than
  the asking words are there, it makes a range and no difference, whatever else the candidate has:
  "the war of 1939-1945", "the 3-1 and so on", "2*3-1 apples"; but "What is 3-1?" is read, and
  "2 - 3 in total". What looks like a date (2020-01-02) is refused with any words and with none.
- Around it there is prose punctuation only, and no word touches it ("sqrt(4 + 5)"). A minus at its
  start must not follow a word that may be what it takes from ("x - 2 + 3").

Deliberately not here: division, powers, decimals, unary plus, digits grouped by commas, words as
operators, products without a sign, variables. Nothing is evaluated by Python's own parser, nothing
recurses with the height, and no limit on the digits of an integer is changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal, TypeAlias, cast

from hch.safe_text import one_line
from hch.tasks._integers import read_integer, write_integer

Op: TypeAlias = Literal["+", "-", "*"]

_NEGATE = "negate"
_PRECEDENCE = {"+": 1, "-": 1, "*": 2, _NEGATE: 3}

_SAME = str.maketrans("×·⋅−", "***-")
_FOREIGN = {
    **dict.fromkeys(("/", "÷"), "division"),
    **dict.fromkeys(("^", "**"), "a power"),
    "%": "a percentage or remainder",
    "!": "a factorial",
    ".": "a decimal number",
    ",": "a comma in a number",
}
_TOKEN = re.compile(
    r"""(?P<number>[0-9]++(?!\w))
    | (?P<word>\w++(?:['’]\w++)*+)
    | (?P<sign>\*\*|[-+*()/÷^%]|\.(?=[0-9])|(?<=[0-9]),(?=[0-9])|(?<=[0-9)])!)
    | (?P<mark>[.,;:?!=&'"`“”‘’„«»‹›…–—¿¡。、，？！：；])
    | (?P<other>\S)""",
    re.VERBOSE,
)
_RANGE = re.compile(r"\d-\d")
_DATE = re.compile(r"\b(?:\d{4}-\d\d-\d\d|\d\d-\d\d-\d{4})\b")
_LEADING = re.compile(  # words that a minus may follow
    "calculate|compute|equals?|evaluate|is|are|of|please|simplify|solve|to|what['’]?s"
)
_ASKING = re.compile(_LEADING.pattern + "|answer|does|how|me|much|result|tell|the|value|what")
_ARITHMETIC = re.compile(
    "plus|minus|times|multiplied|divided|squared?|cubed?|root|power|factorial|modulo|mod|percent|"
    "negative|half|twice|thrice|double|triple|sqrt|abs|max|min|log|ln|exp|sin|cos|tan|gcd|lcm|two|"
    "three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|dozen|hundred|thousand|million"
)


class Expression:
    """Terms are equal where their texts are: that compares terms of any height."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return str(self) == str(other) if isinstance(other, Expression) else NotImplemented

    def __hash__(self) -> int:
        return hash(str(self))

    def __repr__(self) -> str:
        return f"<{self}>"

    def __str__(self) -> str:
        """The expression with the fewest parentheses; a negation always has its own."""
        done: list[str] = []
        todo: list[Any] = [self]
        while todo:
            match todo.pop():
                case Number(value):
                    done.append(write_integer(value))
                case Negation(operand):
                    todo += [")", operand, "-("]
                case Operation(op, left, right):
                    tight = _PRECEDENCE[op]
                    todo += [*_enclosed(right, tight + 1), f" {op} ", *_enclosed(left, tight)]
                case text:
                    done.append(text)
        return "".join(done)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Number(Expression):
    """An integer; `-5` is one too."""

    value: int


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Negation(Expression):
    """A unary minus before anything but the digits of a number: `-(3)`, `--3`, `-(2 + 3)`."""

    operand: Term


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Operation(Expression):
    """Two operands and the sign between them."""

    op: Op
    left: Term
    right: Term


Term: TypeAlias = Number | Negation | Operation


def parse(text: str) -> Term:
    """The term of the one expression in a text. Raises ValueError with what is wrong."""
    return _build(_find(text.translate(_SAME)))


def render(term: Term) -> str:
    """A question for the value of a term."""
    return f"What is {term}?"


def operands(term: Term) -> tuple[Term, ...]:
    """The terms that the outermost operator combines; none of a number."""
    match term:
        case Number():
            return ()
        case Negation(operand):
            return (operand,)
        case Operation(_, left, right):
            return (left, right)


def postorder(term: Term) -> Iterator[Term]:
    """A term's parts and itself, each after its operands, the left one's parts first."""
    order: list[Term] = []
    todo = [term]
    while todo:
        order.append(todo.pop())
        todo += operands(order[-1])
    return reversed(order)


def height(term: Term) -> int:
    """Operators on the longest way from the outermost to a number."""
    heights: list[int] = []
    for node in postorder(term):
        below = [heights.pop() + 1 for _ in operands(node)]
        heights.append(max(below, default=0))
    return heights[0]


def _enclosed(term: Term, least: int) -> tuple[Any, ...]:
    """What to write for an operand, last first: in parentheses if it binds less than `least`."""
    loose = isinstance(term, Operation) and _PRECEDENCE[term.op] < least
    return (")", term, "(") if loose else (term,)


def _find(text: str) -> list[str]:
    """The numbers and signs of the one expression in a text. Raises ValueError."""
    items = [*_TOKEN.finditer(text)]
    groups = groupby(items, key=lambda item: item.lastgroup in {"number", "sign"})
    candidates = [[*group] for among, group in groups if among]
    numbers = [sum(item.lastgroup == "number" for item in group) for group in candidates]
    spans = [group for group, count in zip(candidates, numbers, strict=True) if count]
    if not spans:
        raise ValueError("there is no arithmetic expression in it")
    words = {item[0].lower() for item in items if item.lastgroup == "word"}
    asking = all(_ASKING.fullmatch(word) for word in words)
    if max(numbers) == 1 and not asking:
        raise ValueError("it is another kind of question: this task answers arithmetic only")
    if len(spans) > 1:
        raise ValueError("there are two separate expressions in it, or more")
    start, end = spans[0][0].start(), spans[0][-1].end()
    _check_around(text, items, start, end)
    _check_hyphens(text[start:end], asking)
    return [item[0] for item in spans[0]]


def _check_around(text: str, items: list[re.Match[str]], start: int, end: int) -> None:
    """Raise ValueError if what stands around text[start:end] may change what it means."""
    before = ""
    for item in items:
        if item.lastgroup == "other":
            raise ValueError(f"the sign {item[0]!r} is not in this task")
        if _ARITHMETIC.fullmatch(item[0].lower()):
            raise ValueError(f"{item[0]!r} is arithmetic in words: write it in numbers and signs")
        if item.end() <= start:
            before = item[0] if item.lastgroup == "word" else ""
    if re.search(r"\w", text[max(0, start - 1) : start] + text[end : end + 1]):
        raise ValueError("a word touches the expression, and may change what it means")
    if before and text[start] == "-" and not _LEADING.fullmatch(before.lower()):
        raise ValueError(f"the minus after {one_line(before, 40)!r} may take something from it")


def _check_hyphens(expression: str, asking: bool) -> None:
    """Raise ValueError for a hyphen that may be no minus: in a date, or among other words."""
    if _DATE.search(expression):
        raise ValueError("it may be a date: a difference needs spaces round its minus")
    if not asking and _RANGE.search(expression):
        raise ValueError(
            "it may be a range or a date: a difference needs spaces round its minus, "
            "or only asking words around"
        )


def _build(signs: list[str]) -> Term:
    """The term of numbers and signs, by operator precedence. Raises ValueError."""
    terms: list[Term] = []
    pending: list[str] = []
    due = True  # an operand is due, and not an operator
    for sign in signs:
        if sign in _FOREIGN:
            raise ValueError(f"{_FOREIGN[sign]} is not in this task, which has + - * on integers")
        begins = sign.isdigit() or sign == "(" or (due and sign == "-")
        if begins != due:
            lacks = "an operator is missing between two numbers"
            raise ValueError(lacks if begins else f"a number is missing before {sign!r}")
        if sign.isdigit():
            minus = pending.pop() if pending[-1:] == [_NEGATE] else ""
            terms.append(Number(read_integer(f"-{sign}" if minus else sign)))
        elif begins:
            pending.append(_NEGATE if sign == "-" else sign)
        else:
            _combine(terms, pending, _PRECEDENCE.get(sign, 1))
            if sign != ")":
                pending.append(sign)
            elif not pending or pending.pop() != "(":
                raise ValueError("its parentheses do not match: one is not opened")
        due = sign != ")" and not sign.isdigit()
    if "(" in pending:
        raise ValueError("its parentheses do not match: one is not closed")
    if due:
        raise ValueError("a number is missing at the end of the expression")
    _combine(terms, pending, 1)
    return terms[0]


def _combine(terms: list[Term], pending: list[str], least: int) -> None:
    """Apply the pending operators that bind at least so much, back to a parenthesis."""
    while pending and _PRECEDENCE.get(pending[-1], 0) >= least:
        op, right = pending.pop(), terms.pop()
        if op == _NEGATE:
            terms.append(Negation(right))
        else:
            terms.append(Operation(cast(Op, op), terms.pop(), right))
