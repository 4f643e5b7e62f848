"""Events survive their plain JSON whatever they hold, and those of nodes are idempotent."""

from __future__ import annotations

import json
from functools import partial
from math import inf, nan
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from hch.budget import Price
from hch.errors import LengthError, ModelError, RefusalError
from hch.events import (
    FORMAT,
    Asked,
    CallFinished,
    CallGivenUp,
    CallIntended,
    Event,
    NodeClosed,
    NodeOpened,
    PrimitiveAnswered,
    Record,
    RootOpened,
    RunStarted,
    Thought,
    decode,
    identity,
)
from hch.journal import Journal, finished, intended
from hch.recording import Recording
from hch.types import (
    Answer,
    Completion,
    Form,
    Message,
    Part,
    Request,
    Sampling,
    Text,
    TokenLogprob,
    Usage,
)
from hch.wire import Amount, Amounts, Chars, Words
from tests.support import memory

relaxed = settings(deadline=None)

EVENTS: tuple[type[BaseModel], ...] = get_args(Event)
IDEMPOTENT = {
    RootOpened: ("index",),
    NodeOpened: ("key",),
    Thought: ("parent", "index"),
    Asked: ("parent", "slot"),
    PrimitiveAnswered: ("parent", "index"),
    NodeClosed: ("key",),
}


def is_one_in_json(text: str) -> bool:
    """JSON joins two halves of a character; a text with such a pair comes back as another."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass") == text


CHARS = st.text(st.characters(codec=None, categories=None), max_size=5).filter(is_one_in_json)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | CHARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(CHARS, inner, max_size=2),
    max_leaves=4,
)
SIMPLE: dict[Any, st.SearchStrategy[Any]] = {
    Chars: CHARS,
    Amount: st.integers(0, 2**70) | st.just(inf),
    Any: PLAIN,
    str: st.text(max_size=3) | st.sampled_from(["\x00", "a"]),
    int: st.integers(-3, 2**70),
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
    bytes: st.binary(max_size=5),
    NoneType: st.none(),
}


def values(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a type that events are made of."""
    if (simple := SIMPLE.get(hint)) is not None:
        return simple
    inside = get_args(hint)
    match get_origin(hint):
        case origin if origin is Annotated:
            return values(inside[0])
        case origin if origin is Literal:
            return st.sampled_from(inside)
        case origin if origin in (Union, UnionType):
            return st.one_of(*map(values, inside))
        case origin if origin is dict:
            return st.dictionaries(values(inside[0]), values(inside[1]), max_size=2)
        case origin if origin is tuple and inside[-1] is Ellipsis:
            return st.lists(values(inside[0]), max_size=2).map(tuple)
        case origin if origin is tuple:
            return st.tuples(*map(values, inside))
    return made(hint)


def made(model: type[BaseModel]) -> st.SearchStrategy[Any]:
    """Models of this type, every field given."""
    hints = {
        n: h
        for n, h in get_type_hints(model, include_extras=True).items()
        if n in model.model_fields
    }
    fields = {name: st.just(FORMAT) if name == "format" else values(h) for name, h in hints.items()}
    return st.builds(model, **fields)


ANY_EVENT = st.one_of(*map(made, EVENTS))


def plain(event: BaseModel) -> str:
    """An event as ASCII JSON; bytes are written in hex."""
    return json.dumps(event.model_dump(), allow_nan=False, default=bytes.hex)


def read(text: str) -> Event:
    data = json.loads(text)
    if "raw" in data:
        data["raw"] = bytes.fromhex(data["raw"])
    return decode(data)


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.__name__)
def test_every_event_survives_its_plain_json(kind: type[BaseModel]) -> None:
    @relaxed
    @given(made(kind))
    def check(event: Event) -> None:
        text = plain(event)
        assert text.isascii()
        back = read(text)
        assert type(back) is kind
        assert back == event
        assert plain(back) == text

    check()


def test_no_two_events_share_a_tag() -> None:
    tags = [kind.model_fields["type"].default for kind in EVENTS]
    assert tags == [kind.__name__ for kind in EVENTS]
    assert len(set(tags)) == len(tags)


@relaxed
@given(ANY_EVENT, st.text())
def test_an_unknown_field_is_refused(event: Event, name: str) -> None:
    data = {**event.model_dump(), f"x{name}": 1}
    with pytest.raises(ValidationError, match="extra_forbidden"):
        decode(data)


@relaxed
@given(ANY_EVENT, st.data())
def test_a_missing_field_is_refused_unless_it_has_a_default(
    event: Event, data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(sorted(type(event).model_fields)))
    rest = {key: value for key, value in event.model_dump().items() if key != name}
    if name != "type" and not type(event).model_fields[name].is_required():
        assert type(decode(rest)) is type(event)
    else:
        with pytest.raises(ValidationError):
            decode(rest)


@pytest.mark.parametrize(
    "data", [{}, {"type": "RunExploded"}, {"type": None}, [], "RunFinished", None]
)
def test_what_has_no_known_tag_is_no_event(data: Any) -> None:
    with pytest.raises(ValidationError):
        decode(data)


@relaxed
@given(ANY_EVENT)
def test_an_event_cannot_be_changed(event: Event) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        event.type = "RunFinished"  # type: ignore[misc, assignment]


@relaxed
@given(ANY_EVENT, st.integers(1, 2**40), st.floats(0, 2**40))
def test_a_record_adds_run_number_and_time(event: Event, seq: int, at: float) -> None:
    record = Record(run="r", seq=seq, at=at, event=event)
    back = Record(**json.loads(json.dumps(record.model_dump(exclude={"event"}))), event=event)
    assert back == record
    assert Record.model_validate(record.model_dump()) == record


# amounts and formats


@pytest.mark.parametrize("amount", ["", "5", "many", -1, -inf, nan, True, [1], {}, 1j, b"1"])
def test_what_is_no_amount_is_refused(amount: Any) -> None:
    with pytest.raises(ValidationError, match="not an amount"):
        Amounts(calls=amount, tokens=0, microusd=0, nodes=0)


@relaxed
@given(made(Amounts))
def test_amounts_are_a_price_and_null_is_infinity(amounts: Amounts) -> None:
    assert Amounts.of(amounts.price()) == amounts
    for name, amount in amounts.model_dump().items():
        price = getattr(amounts.price(), name)
        assert price == (inf if amount is None else amount)


def test_an_event_of_a_newer_format_is_refused() -> None:
    started = RunStarted(
        version="9",
        setup={},
        players=(),
        prompts={},
        seed=0,
        roots={},
        count=0,
        grant=Amounts.of(Price()),
        cap=Amounts.of(Price()),
    )
    assert decode(started.model_dump()) == started
    with pytest.raises(ValidationError, match="format"):
        decode({**started.model_dump(), "format": FORMAT + 1})


# what a call was


@relaxed
@given(
    st.lists(st.tuples(CHARS, st.sampled_from(["prompt", "answer 1"])), max_size=3),
    st.builds(
        Sampling,
        max_tokens=st.none() | st.integers(0, 9),
        temperature=st.none() | st.floats(0, 2),
        stop=st.none() | st.lists(CHARS, max_size=2).map(tuple),
    ),
    st.none() | st.builds(Form, st.just("Turn"), st.text()),
)
def test_what_was_sent_can_be_read_back_piece_by_piece(
    pieces: list[tuple[str, str]], sampling: Sampling, form: Form | None
) -> None:
    message = Message("user", tuple(Part(body, origin) for body, origin in pieces))
    request = Request((message,), sampling, form, ((2, 0, 1),), 7, "Q", "i", node="n")
    event = read(plain(intended(request, "key", 3, "m", Price(1, 2, 3, inf))))
    assert isinstance(event, CallIntended)
    assert event.sent() == request.messages
    assert [[(p.body, p.origin) for p in m.parts] for m in event.sent()] == [pieces]
    assert event.sampled() == sampling
    assert event.form == (form and (form.name, form.schema))
    assert (event.request, event.attempt, event.node, event.model) == ("key", 3, "n", "m")
    assert event.worst.price() == Price(1, 2, 3, inf)


@relaxed
@given(CHARS, CHARS, st.binary(), st.none() | st.lists(CHARS, max_size=2))
def test_what_came_back_can_be_read_back(
    text: str, thinking: str, raw: bytes, tokens: list[str] | None
) -> None:
    logprobs = None
    if tokens is not None:
        logprobs = tuple(TokenLogprob(t, -0.5, ((t, -0.5), ("x", -1.5))) for t in tokens)
    completion = Completion(text, "length", Usage(4, 3, 2, 1), logprobs, thinking, raw)
    event = read(plain(finished("key", 2, completion, Price(1, 7, 9))))
    assert isinstance(event, CallFinished)
    assert event.completion() == completion


@relaxed
@given(CHARS, st.sampled_from(["user", "document:x"]), st.booleans())
def test_words_are_a_text(body: str, source: str, trusted: bool) -> None:
    text = Text(body, source, trusted)
    back = Words.of(text).text()
    assert (back.body, back.source, back.trusted) == (body, source, trusted)


def test_a_call_given_up_ends_its_thinker_as_the_call_did() -> None:
    def failure(kind: str) -> Any:
        return CallGivenUp(request="r", attempts=1, kind=kind, message="why").failure()

    assert isinstance(failure("length"), LengthError)
    assert failure("length").status == "truncated"
    assert isinstance(failure("refusal"), RefusalError)
    assert failure("refusal").status == "unanswered"
    assert type(failure("http 500")) is ModelError
    assert failure("http 500").status == "failed"
    assert str(failure("http 500")) == "the call was given up (http 500): why"
    assert failure("http 500").kind == "http 500"


# identity


@relaxed
@given(st.data(), st.sampled_from(EVENTS))
def test_two_node_events_are_the_same_by_their_names_alone(
    data: st.DataObject, kind: type[Any]
) -> None:
    one, other = data.draw(made(kind)), data.draw(made(kind))
    names = IDEMPOTENT.get(kind)
    if names is None:
        assert identity(one) is None
        return
    alike = other.model_copy(update={name: getattr(one, name) for name in names})
    assert identity(alike) == identity(one) is not None
    same = all(getattr(one, name) == getattr(other, name) for name in names)
    assert (identity(one) == identity(other)) == same


@relaxed
@given(st.lists(ANY_EVENT, min_size=2, max_size=6))
def test_events_of_two_types_are_never_the_same(events: list[Event]) -> None:
    named = {type(event): identity(event) for event in events if identity(event)}
    assert len(set(named.values())) == len(named)


def words(body: str = "Q") -> Words:
    return Words.of(Text(body))


def nothing() -> Amounts:
    return Amounts.of(Price())


def closed(status: Any, reason: str = "") -> NodeClosed:
    return NodeClosed(key="k", status=status, answer=None, reason=reason, notes=(), spent=nothing())


def test_on_a_resume_node_events_are_not_written_twice_and_the_last_end_of_a_node_wins() -> None:
    store = memory()
    events: list[Event] = [
        NodeOpened(
            key="k", level=0, wrapper=0, player="p", question=words(), context=(), instance=None,
            sample=(), grant=nothing(),
        ),
        RootOpened(index=0, key="k", question="q"),
        Thought(parent="k", index=0, request="r", prompt="direct"),
        PrimitiveAnswered(parent="k", index=0, question="1+1", status=None, answer=None),
        CallGivenUp(request="r", attempts=1, kind="timeout", message="late"),
        closed("cancelled"),
    ]  # fmt: skip
    first = Journal(store, "run", lambda: 1.0)
    for event in (started(), *events):
        first.write(event)
    watched: list[Event] = []
    past = Recording(partial(store.events, "run"))
    again = Journal(store, "run", lambda: 2.0, past.written, watched.append)
    for event in (*events, closed("answered")):
        again.write(event)
    written = [record.event for record in store.events("run") if record.at == 2.0]
    assert written == [events[4], closed("answered")]
    assert watched == [*events, closed("answered")]
    outcome = Recording(partial(store.events, "run")).trace.roots[0].answer
    assert outcome == Answer("answered")


def started() -> RunStarted:
    return RunStarted(
        version="1", setup={}, players=("p",), prompts={}, seed=0, roots={}, count=1,
        grant=nothing(), cap=nothing(),
    )  # fmt: skip
