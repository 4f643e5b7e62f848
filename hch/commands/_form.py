"""What a person types for a reply, field by field, by the reply's form; pure.

A reply is a fold over what was typed: `walk` takes all of it from the start and says what is asked
next, or the whole reply. So undoing an entry, and going on after a stop, need no code of their own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, TypeAlias

from hch.replies import without_reasoning
from hch.types import Form
from hch.words import listed

Entry: TypeAlias = tuple[str, str]
"""The name of a field, and what was typed there, as it was typed."""

CANNOT = "cannot"
NEEDS: Mapping[str, tuple[str, ...]] = {
    "ask": ("questions", "last_round"),
    "answer": ("text",),
    CANNOT: ("text",),
}
"""The fields that a move of `consult` uses; the others stay empty."""

EMPTY: Mapping[str, Any] = {"array": [], "boolean": False, "string": "", "integer": 0, "object": {}}
DEEPEST, MOST_DIGITS = 100, 300
"""The most brackets in brackets, and digits of a whole number, in JSON that is typed."""

TOO_DEEP = f"brackets stand in brackets more than {DEEPEST} deep"
NONE = "no sub-questions: answer it alone? [y/N] "
LABELS = {"last_round": "last round?", "answer": "your answer: ", CANNOT: "why not? "}


@dataclass(frozen=True, slots=True)
class Field:
    """One thing to type. `check` makes its value; raises ValueError with what is wrong.

    A `long` one may have many lines. `hint` tells what else can be typed.
    """

    name: str
    prompt: str
    check: Callable[[str], Any]
    long: bool = True
    hint: str = ""


Fields: TypeAlias = Generator[Field, Any, Any]
"""Yields what is asked, is sent each value, and returns what they make together."""


@dataclass(frozen=True, slots=True)
class State:
    """How far some entries go: those that `fit`, each with its field, then what is asked next.

    Where nothing is, the `reply` is whole.
    """

    fit: tuple[tuple[Field, str], ...]
    field: Field | None
    reply: str = ""


def only_asks(form: Form | None) -> bool:
    """Whether a form has room for sub-questions and for nothing else."""
    properties = json.loads(form.schema).get("properties", {}) if form else {}
    return bool(properties) and all(map(_of_questions, properties.values()))


def walk(form: Form | None, entries: Sequence[Entry]) -> State:
    """Take entries from the first to the last, or up to one that does not fit there."""
    fields = _typed(form) if form else _free()
    fit: list[tuple[Field, str]] = []
    field = next(fields)
    try:
        for name, raw in entries:
            if name != field.name:
                break
            value = field.check(raw)
            fit.append((field, raw))
            field = fields.send(value)
    except StopIteration as end:
        return State(tuple(fit), None, end.value)
    except ValueError:
        pass
    return State(tuple(fit), field)


def _free() -> Fields:
    """A finishing text, or that there is none."""
    answer = yield Field("answer", LABELS["answer"], _finishing, hint="cannot: no answer")
    if answer is not None:
        return answer
    reason = yield Field("reason", LABELS[CANNOT], _filled("a reason"))
    return f"CANNOT ANSWER: {' '.join(reason.split())}"


def _typed(form: Form) -> Fields:
    value = yield from _object("", json.loads(form.schema))
    return json.dumps(value)


def _object(within: str, schema: Mapping[str, Any]) -> Fields:
    """An object: of one that has a move, only the fields that the move needs are asked for."""
    properties: dict[str, Any] = schema.get("properties", {})
    value: dict[str, Any] = {}
    needed: Sequence[str] = list(properties)
    if "move" in properties:
        moves = _choices(properties["move"])
        needed = NEEDS.get(moves[0], needed)
        if len(moves) > 1:
            move = yield Field("move", f"{_or(moves)}? ", _one_of(moves), long=False)
            needed = NEEDS.get(move, needed)
        value["move"] = move if len(moves) > 1 else moves[0]
    for name, inner in properties.items():
        if name in value:
            continue
        if name in needed and name == "questions" and value.get("move") == "ask":
            value[name] = yield from _questions(inner["items"], least=1)
        elif name in needed:
            label = str(value.get("move", name)) if name == "text" else name
            value[name] = yield from _value(within + name, label, inner)
        else:
            value[name] = EMPTY.get(inner.get("type", ""))
    return value


def _value(name: str, label: str, schema: Mapping[str, Any]) -> Fields:
    """A value of any kind; one that no field is made for is typed as JSON."""
    kind = schema.get("type")
    said = LABELS.get(label, f"{label}: ")
    if choices := _choices(schema):
        return (yield Field(name, f"{said}{_or(choices)}? ", _one_of(choices), long=False))
    if kind == "boolean":
        return (yield Field(name, f"{said} [y/N] ", _yes, long=False))
    if kind == "string":
        return (yield Field(name, said, _filled("it")))
    if kind == "object" and "properties" in schema:
        return (yield from _object(f"{name} ", schema))
    if _of_questions(schema):
        return (yield from _questions(schema["items"], schema.get("minItems", 0)))
    return (yield Field(name, f"{said}(JSON) ", _json))


def _questions(items: Mapping[str, Any], least: int) -> Fields:
    """Sub-questions, one after the other, up to an empty one; none at all is said twice."""
    found: list[dict[str, Any]] = []
    texts = items["properties"].get("texts")
    known = texts["items"]["enum"] if texts else []
    along = "the text goes along" if len(known) == 1 else ""
    while True:
        n = len(found) + 1
        name, more = f"sub-question {n}", n > least
        ends = f"Enter alone: {'no more' if found else 'none'}" if more else ""
        check = _text if more else _filled("a sub-question")
        question = yield Field(name, f"{name}: ", check, hint=listed((ends, along)))
        if not question:
            if found or (yield Field("none", NONE, _yes, long=False)):
                return found
            continue
        item = {"question": question}
        for name, inner in items["properties"].items():
            if name == "texts":
                item[name] = yield from _texts(n, known)
            elif name != "question":
                item[name] = yield from _value(f"{name} {n}", name, inner)
        found.append(item)


def _texts(n: int, known: Sequence[int]) -> Fields:
    """Which texts go along with sub-question `n`; a single one always does."""
    if len(known) == 1:
        return []
    said, hint = f"its texts, 1 to {len(known)}: ", "Enter alone: all"
    return (yield Field(f"texts {n}", said, _numbers(known), long=False, hint=hint))


# What is typed, as a value.


def _text(raw: str) -> str:
    try:
        raw.encode()
    except UnicodeEncodeError:
        raise ValueError("it has bytes that are no text in UTF-8: take them out") from None
    return raw.strip()


def _filled(what: str) -> Callable[[str], str]:
    def check(raw: str) -> str:
        if not (text := _text(raw)):
            raise ValueError(f"{what} cannot be empty")
        return text

    return check


def _finishing(raw: str) -> str | None:
    """A finishing text; None for the word alone that says there is none."""
    if raw == CANNOT:
        return None
    text = _filled("an answer")(raw)
    if without_reasoning(text) != text:
        raise ValueError("it cannot begin with <think>: that would be left out")
    return text


def _one_of(choices: Sequence[str]) -> Callable[[str], str]:
    def check(raw: str) -> str:
        typed = raw.strip().lower()
        meant = [choice for choice in choices if choice.lower().startswith(typed)]
        exact = [choice for choice in meant if choice.lower() == typed]
        if not typed or not meant:
            raise ValueError(f"type {_or(choices)}")
        if len(meant) > 1 and not exact:
            raise ValueError(f"{raw.strip()!r} could be {_or(meant)}")
        return (exact or meant)[0]

    return check


def _yes(raw: str) -> bool:
    typed = raw.strip().lower()
    if not "yes".startswith(typed) and not "no".startswith(typed):
        raise ValueError("y or n")
    return bool(typed) and "yes".startswith(typed)


def _numbers(known: Sequence[int]) -> Callable[[str], list[int]]:
    def check(raw: str) -> list[int]:
        words = [word.lstrip("0") for word in raw.replace(",", " ").split()]
        if not set(words) <= set(map(str, known)):
            raise ValueError(f"numbers from 1 to {len(known)}, such as 1,{len(known)}")
        return list(dict.fromkeys(map(int, words)))

    return check


def _json(raw: str) -> Any:
    try:
        value = json.loads(
            _text(raw), parse_int=_whole, parse_float=_finite, parse_constant=_finite
        )
        _bounded(value, DEEPEST)
    except RecursionError:
        raise ValueError(f"it must be JSON: {TOO_DEEP}") from None
    except ValueError as error:
        raise ValueError(f"it must be JSON: {error}") from None
    return value


def _whole(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"a number has more than {MOST_DIGITS} digits")
    return int(digits)


def _finite(number: str) -> float:
    if not isfinite(value := float(number)):
        raise ValueError(f"{number[:MOST_DIGITS]} is no finite number")
    return value


def _bounded(value: Any, room: int) -> None:
    """Raises ValueError where brackets stand deeper in each other than there is room."""
    if isinstance(value, list | dict):
        if not room:
            raise ValueError(TOO_DEEP)
        for inner in value.values() if isinstance(value, dict) else value:
            _bounded(inner, room - 1)


def _of_questions(schema: Mapping[str, Any]) -> bool:
    items = schema.get("items", {})
    return schema.get("type") == "array" and "question" in items.get("properties", {})


def _choices(schema: Mapping[str, Any]) -> list[str]:
    found = [schema["const"]] if "const" in schema else schema.get("enum", [])
    return found if all(isinstance(choice, str) for choice in found) else []


def _or(choices: Sequence[str]) -> str:
    """`ask, answer or cannot`."""
    *head, last = choices
    return f"{', '.join(head)} or {last}" if head else last
