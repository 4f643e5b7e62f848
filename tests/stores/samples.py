"""Events for the tests of stores: a small run whose figures are known, and any event at all."""

from __future__ import annotations

from math import inf
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, Le
from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from hch.events import (
    Asked,
    CallFailed,
    CallFinished,
    CallIntended,
    Event,
    NodeClosed,
    NodeOpened,
    RootOpened,
    RunFinished,
    RunStarted,
    Thought,
)
from hch.labels import Label
from hch.wire import Amounts, Words

FREE = Amounts(calls=inf, tokens=inf, microusd=inf, nodes=inf)


def price(microusd: float = 0, tokens: float = 0) -> Amounts:
    return Amounts(calls=1, tokens=tokens, microusd=microusd, nodes=0)


def words(body: str) -> Words:
    return Words(body=body, source="user", trusted=True)


def started(*questions: str, players: tuple[str, ...] = ("direct@x",)) -> RunStarted:
    return RunStarted(
        version="1",
        setup={"depth": 1},
        players=players,
        prompts={"direct": "Answer: {question}"},
        seed=7,
        roots={"questions": [{"text": words(q).model_dump(), "context": []} for q in questions]},
        count=len(questions),
        grant=FREE,
        cap=FREE,
    )


def opened(key: str, question: str = "Why?", level: int = 0) -> NodeOpened:
    return NodeOpened(
        key=key,
        level=level,
        wrapper=0,
        player="direct@x",
        question=words(question),
        context=(),
        instance=None,
        sample=(),
        grant=FREE,
    )


def closed(key: str, answer: str | None = "42", status: Any = "answered") -> NodeClosed:
    return NodeClosed(
        key=key,
        status=status,
        answer=None if answer is None else words(answer),
        reason="",
        notes=(),
        spent=price(30, 12),
    )


def intended(request: str, node: str, attempt: int = 1, text: str = "Why?") -> CallIntended:
    return CallIntended(
        request=request,
        attempt=attempt,
        node=node,
        model="x",
        messages=(("user", (("prompt", "Answer: "), ("question", text))),),
        sampling={"max_tokens": 512},
        form=None,
        sample=(),
        seed=7,
        question=text,
        instance=None,
        worst=price(100, 50),
    )


def finished(
    request: str, attempt: int = 1, text: str = "42", raw: bytes = b"{}", microusd: int = 30
) -> CallFinished:
    return CallFinished(
        request=request,
        attempt=attempt,
        text=text,
        finish="stop",
        usage=(10, 2, 4, 1),
        price=price(microusd, 12),
        raw=raw,
    )


def failed(request: str, attempt: int = 1) -> CallFailed:
    return CallFailed(
        request=request, attempt=attempt, kind="timeout", message="too late", price=price(5)
    )


def label(key: str, by: str = "person", at: float = 200.0, **said: Any) -> Label:
    return Label(key=key, by=by, at=at, **said)


def story() -> list[Event]:
    """A finished run: a root that asks one question; 3 calls, of which one failed."""
    return [
        started("What is the answer?"),
        RootOpened(index=0, key="root", question="q"),
        opened("root", "What is the answer?", level=1),
        Thought(parent="root", index=0, request="r1", prompt="decompose"),
        intended("r1", "root"),
        finished("r1"),
        Asked(parent="root", slot=0, round=0, question=words("Six times seven?"), child="leaf"),
        opened("leaf", "Six times seven?"),
        Thought(parent="leaf", index=0, request="r2", prompt="direct"),
        intended("r2", "leaf"),
        failed("r2"),
        intended("r2", "leaf", attempt=2),
        finished("r2", attempt=2),
        closed("leaf"),
        closed("root"),
        RunFinished(statuses={"answered": 1}),
    ]


def anything() -> st.SearchStrategy[Event]:
    """Any event that the union has, also of a type or with a field that is new."""
    return st.one_of(*(_of(kind) for kind in get_args(Event)))


_PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=300),
    int: st.integers(),
    bool: st.booleans(),
    float: st.floats(allow_nan=False),
    bytes: st.binary(max_size=300),
    NoneType: st.none(),
}
_WILD = st.one_of(
    st.text(st.characters(exclude_categories=())),
    st.sampled_from(["\x00", "\ud800", "$text", "\U0001f600\udc00", "{}:", '"}:', "é" * 300]),
    st.text(st.sampled_from("a\ud800\x00é"), min_size=195, max_size=205),
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | _WILD,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            _WILD | st.sampled_from(["$text", "$blob", "$dict", "$float"]), inner, max_size=2
        )
    ),
    max_leaves=8,
)


def _of(hint: Any) -> st.SearchStrategy[Any]:
    if hint in _PLAIN:
        return _PLAIN[hint]
    if hint is Any:
        return _JSON
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        fields = get_type_hints(hint, include_extras=True)
        return st.builds(hint, **{name: _of(fields[name]) for name in hint.model_fields})
    inner = get_args(hint)
    match get_origin(hint):
        case kind if kind is Annotated:
            return _annotated(*inner)
        case kind if kind is Literal:
            return st.sampled_from(inner)
        case kind if kind in {Union, UnionType}:
            return st.one_of(*map(_of, inner))
        case kind if kind is dict:
            return st.dictionaries(_of(inner[0]), _of(inner[1]), max_size=3)
        case kind if kind is tuple and inner[1:] == (...,):
            return st.lists(_of(inner[0]), max_size=3).map(tuple)
        case kind if kind is tuple:
            return st.tuples(*map(_of, inner))
    raise NotImplementedError(f"no way to draw a {hint}")


def _annotated(base: Any, *notes: Any) -> st.SearchStrategy[Any]:
    """A text of any characters, an amount, or a number within bounds."""
    if base is str:
        return _WILD
    if base is float:
        return st.just(inf) | st.integers(0) | st.floats(0, allow_nan=False)
    bounds = [bound for note in notes if isinstance(note, FieldInfo) for bound in note.metadata]
    low = next((bound.ge for bound in bounds if isinstance(bound, Ge)), None)
    high = next((bound.le for bound in bounds if isinstance(bound, Le)), None)
    return st.integers(low, high)
