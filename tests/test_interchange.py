"""The format of exports: whatever happened comes back to the byte, and nothing else comes in."""

from __future__ import annotations

import io
import json
import tracemalloc
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import count, groupby
from math import nan
from operator import attrgetter
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from hch import HCH, ScriptedModel, Trace
from hch.beginning import Recipe
from hch.blocking import completed
from hch.errors import HchError, UsageError
from hch.events import Event, Record, RootOpened, RunFinished, RunResumed
from hch.interchange import LONGEST, Export, lines, parts
from hch.jsonl import decoded, encoded, unlike
from hch.keeping import Store
from hch.labels import Label
from hch.redaction import Redaction
from hch.soundness import Soundness
from hch.stores.memory import MemoryStore
from hch.stores.sqlite import SqliteStore
from tests.hostile_imports import (
    FILES,
    GOOD,
    LABELLED,
    LABELS,
    RUN,
    begun,
    exported,
    whole,
)
from tests.stores.samples import FREE, anything, closed, finished, opened
from tests.support import Plan, rough

relaxed = settings(deadline=None, suppress_health_check=list(HealthCheck))

SHORT = [h.data for h in FILES.values() if isinstance(h.data, bytes) and len(h.data) < 30_000]


def records(events: Iterable[Event], run: str = RUN) -> list[Record]:
    return [
        Record(run=run, seq=n, at=1e9 + n / 7, event=event) for n, event in enumerate(events, 1)
    ]


def written(store: Store) -> bytes:
    """Every run of a store as an export."""
    runs = [row.run for row in reversed(store.runs())]
    return "".join(f"{s}\n" for s in lines(runs, store.events, None, store.labels)).encode()


def read(data: bytes) -> Iterator[Record]:
    return Export("it", io.BytesIO(data)).records()


def bring(data: bytes, store: Store) -> Store:
    for run, found in groupby(Export("it", io.BytesIO(data)).items(), attrgetter("run")):
        store.bring(run, *parts(found))
    return store


# one event


@relaxed
@given(anything(), st.floats(0, 1e10))
def test_any_event_is_a_line_of_ascii_and_comes_back(event: Event, at: float) -> None:
    record = Record(run=RUN, seq=7, at=at, event=event)
    line = encoded(record)
    assert line.isascii()
    assert "\n" not in line
    found = Record.model_validate(decoded(line.encode()))
    assert unlike(decoded(line.encode()), found) is None
    assert found == record
    assert encoded(found) == line


def test_what_json_cannot_hold() -> None:
    odd = finished("r", raw=bytes(range(256))).model_copy(
        update={"text": "\x00\ud800\U0001f600\udc00", "logprobs": (("a", nan, (("b", -1e-308),)),)}
    )
    [record] = records([odd])
    found = Record.model_validate(decoded(encoded(record).encode()))
    assert encoded(found) == encoded(record)
    assert '"$float":"nan"' in encoded(record)
    assert found.event.text == "\x00\ud800\U0001f600\udc00"  # type: ignore[union-attr]


MARKS = [{"$base64": "YQ=="}, {"$float": "inf"}, {"$dict": []}, {"$": 1}, {"$float": "inf", "b": 2}]


@pytest.mark.parametrize("mark", MARKS)
def test_what_looks_like_a_mark_is_none(mark: dict[str, Any]) -> None:
    for inside in (mark, {"a": [mark, {"$x": mark}]}, {"$dict": mark}):
        [record] = records([begun("Why?", setup=inside)])
        found = Record.model_validate(decoded(encoded(record).encode()))
        assert found == record
        assert encoded(found) == encoded(record)


@pytest.mark.leaves_open
def test_any_events_go_from_store_to_store_and_are_the_same_bytes(tmp_path: Path) -> None:
    runs = (f"run-{n}" for n in count())

    @settings(relaxed, max_examples=60)
    @given(st.lists(anything(), min_size=1, max_size=6))
    def check(events: list[Event]) -> None:
        run = next(runs)
        for event in events:
            first.append(run, 1e9, event)
        first.flush()
        out = list(lines([run], first.events))
        second.bring(run, (Record.model_validate(decoded(s.encode())) for s in out[1:-1]))
        assert list(lines([run], second.events)) == out

    with SqliteStore(tmp_path / "a.db") as first, SqliteStore(tmp_path / "b.db") as second:
        check()


# labels


def any_label() -> st.SearchStrategy[Label]:
    return st.builds(
        Label,
        key=st.sampled_from(["root", "leaf"]),
        by=st.sampled_from(["person", "person:a\x00é", "truth", "file:' \u2028"]),
        at=st.floats(0, 1e10),
        said=st.sampled_from(["good", "bad", None]),
        score=st.none() | st.floats(allow_nan=False, allow_infinity=False),
        note=st.text(st.characters(exclude_categories=()), max_size=20),
    )


@relaxed
@given(st.lists(any_label(), max_size=6))
def test_any_labels_go_from_store_to_store_and_are_the_same_bytes(labels: list[Label]) -> None:
    data = exported(labels, r260102_030405_6789ab=whole(), r260102_030405_6789ac=whole())
    assert data.isascii()
    store = bring(data, MemoryStore())
    assert store.labels(RUN) == labels
    assert written(store) == data


def test_without_labels_the_bytes_are_those_that_older_readers_know() -> None:
    assert GOOD.startswith(b'{"hch":"events","format":1,')
    assert exported([], r260102_030405_6789ab=whole()) == GOOD
    with_labels = LABELLED.splitlines()
    assert with_labels[1:17] == GOOD.splitlines()[1:17]
    assert with_labels[-1] == f'{{"end":{{"{RUN}":16}},"labels":{{"{RUN}":2}}}}'.encode()


def test_a_label_that_is_given_while_an_export_goes_on_does_not_break_it() -> None:
    store = bring(GOOD, MemoryStore())
    out = lines([RUN], store.events, None, store.labels)
    first = next(out)
    store.label(RUN, LABELS)
    assert "".join(f"{line}\n" for line in (first, *out)).encode() == GOOD
    assert b'"label"' in written(store)


def test_what_is_kept_of_labels_meanwhile_is_nothing() -> None:
    def most(labels: int) -> int:
        head, label_ = LABELLED.splitlines(keepends=True)[:17], LABELLED.splitlines()[17].decode()
        made = iter([*(s.decode()[:-1] for s in head), *(label_ for _ in range(labels))])
        tracemalloc.start()
        with pytest.raises(UsageError, match="cut off before it"):
            sum(1 for _ in Export("it", Endless(made)).items())
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak

    most(10)
    assert (most(4000) - most(2000)) / 2000 < 50


# real runs


def asked(seed: int, store: Store) -> None:
    """A run by a random mind, with failures and a cap; stopped by it, or not."""
    rng = Random(seed)
    hch = HCH(
        model=ScriptedModel(Plan(seed), **rough(seed)),
        store=store,
        depth=rng.randrange(4),
        strategy=rng.choice(["factored", "consult", "direct", "script"]),
        budget=rng.choice([None, None, "9calls", "12calls,3ktokens", "20nodes"]),
        seed=seed,
        pause=0.0,
        answer_tokens=64,
    )
    questions = ["What is (2 + 3) * 4?", "Why?"][: rng.choice([1, 1, 2])]
    for going in (hch.begin(questions), None):
        try:
            completed((going or hch.resume(store.runs()[0].run, budget="99calls")).finish)
        except HchError:
            continue
        return


@pytest.mark.leaves_open
@pytest.mark.parametrize("seed", range(60))
def test_a_run_goes_out_and_in_and_out_again(seed: int, tmp_path: Path) -> None:
    store = MemoryStore()
    asked(seed, store)
    out = written(store)
    with SqliteStore(tmp_path / "runs.db") as other:
        assert written(bring(out, other)) == out
        assert written(bring(written(other), MemoryStore())) == out
        [row] = store.runs()
        [there] = other.runs()
        assert replace(there, imported=False) == row
        assert there.imported
        assert Trace(other.events(row.run)).canonical() == Trace(store.events(row.run)).canonical()


@pytest.mark.leaves_open
@pytest.mark.parametrize("seed", range(20))
def test_so_does_a_run_that_was_cut_off_anywhere(seed: int) -> None:
    store = MemoryStore()
    asked(seed, store)
    kept = list(store.events(store.runs()[0].run))
    sound = Soundness()
    for record in kept:
        sound.take(record)  # that a prefix is sound depends on nothing that follows it
    for end in range(1, len(kept), max(1, len(kept) // 15)):
        cut = MemoryStore()
        cut.bring(kept[0].run, kept[:end])
        assert written(bring(written(cut), MemoryStore())) == written(cut)


def test_the_recipe_of_a_run_can_hold_all_that_is_put_into_it() -> None:
    store = MemoryStore()
    HCH(store=store, strategy="script", at={"0": "script"}).ask_sync("What is 2 + 3?")
    [record] = store.events(store.runs()[0].run, "RunStarted")
    assert set(record.event.setup) <= set(Recipe.model_fields)  # type: ignore[union-attr]


def test_a_live_run_is_exported_as_it_stands() -> None:
    store = MemoryStore()
    for record in records(whole()[:5]):
        store.append(RUN, record.at, record.event)
    out = lines([RUN], store.events)
    begun_ = [next(out), next(out)]
    store.append(RUN, 2e9, whole()[5])
    rest = [*begun_, *out]
    assert len(rest) == 2 + 5
    assert [r.event for r in read("".join(f"{s}\n" for s in rest).encode())] == whole()[:5]


# what is refused


def test_a_file_that_was_cut_at_any_byte_is_refused() -> None:
    ends = [at for at in range(len(GOOD)) if GOOD[at : at + 1] == b"\n"]
    for at in (*range(0, len(GOOD), 11), *ends, *(end + 1 for end in ends[:-1])):
        with pytest.raises(UsageError):
            list(read(GOOD[:at]))


def falls(trace: Trace) -> bool:
    """Whether every node is reached and (level, wrappers left) falls from asker to asked."""
    places = {node.key: (node.level, -node.opened.wrapper) for node in trace.nodes()}
    pairs = [(node.key, ask.node.key) for node in trace.nodes() for ask in node.asks if ask.node]
    return not trace.orphans and all(places[one] > places[other] for one, other in pairs)


def is_sound_or_refused(data: bytes) -> bool:
    """Reads what may be no export: whether it is one, whose trace then is a tree."""
    try:
        found = list(read(data))
    except UsageError:
        return False
    for _, kept in groupby(found, attrgetter("run")):
        trace = Trace(kept)
        assert falls(trace)
        assert trace.canonical()
    return True


@settings(relaxed, max_examples=500)
@given(
    st.sampled_from([GOOD, LABELLED, *SHORT]),
    st.lists(st.tuples(st.integers(0), st.integers(0, 30), st.binary(max_size=30)), max_size=3),
)
def test_bytes_that_were_changed_anywhere_are_refused_or_a_tree(
    data: bytes, changes: list[tuple[int, int, bytes]]
) -> None:
    for where, length, new in changes:
        at = where % (len(data) + 1)
        data = data[:at] + new + data[at + length :]
    is_sound_or_refused(data)


@settings(relaxed, max_examples=250)
@given(st.randoms(use_true_random=False))
def test_events_in_any_order_are_refused_or_a_tree(rng: Random) -> None:
    """Those of a run, some of them left out, repeated, about another node or at another place."""
    events = whole()
    for _ in range(rng.randrange(1, 4)):
        at, to = rng.randrange(1, len(events)), rng.randrange(1, len(events))
        match rng.randrange(4):
            case 0:
                del events[at]
            case 1:
                events.insert(to, events[at])
            case 2:
                events.insert(to, events.pop(at))
            case 3:
                keys = {"key", "parent", "child"} & set(type(events[at]).model_fields)
                other = rng.choice(["root", "leaf", "none"])
                events[at] = events[at].model_copy(update=dict.fromkeys(keys, other))
        if len(events) < 3:
            return
    is_sound_or_refused(exported(r260102_030405_6789ab=events))


def test_a_file_by_another_program_is_read() -> None:
    """Spaces, another order of fields, letters in UTF-8, fields that have a default left out."""
    found = [json.loads(line) for line in exported(r260102_030405_6789ab=whole("é?")).splitlines()]
    del found[1]["event"]["priced_by"]
    found[3] = dict(reversed(found[3].items()))
    data = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in found).encode()
    assert b"\xc3\xa9" in data
    assert [record.event for record in read(data)] == whole("é?")


def test_a_run_may_be_resumed_after_its_end() -> None:
    again = [*whole(), RunResumed(version="1", cap=FREE, again=("r1",)), *whole()[1:]]
    assert len(list(read(exported(r260102_030405_6789ab=again)))) == len(again)


# what is not exported


def test_a_key_of_this_environment_does_not_go_out() -> None:
    redaction = Redaction([SecretStr("sk-canary-123")])
    reply = [finished("r", raw=b'"sk-canary-123"')]
    for events in (whole("sk-canary-123?"), reply):
        with pytest.raises(UsageError, match="event 1 has a key"):
            list(lines([RUN], lambda _, kept=events: records(kept), redaction))


def test_what_could_not_come_in_again_does_not_go_out() -> None:
    long = [finished("r", text="\ud800" * (LONGEST // 6))]
    with pytest.raises(UsageError, match="event 1 takes 67,1"):
        list(lines([RUN], lambda _: records(long)))
    with pytest.raises(UsageError, match="cannot be exported under such a name"):
        list(lines(["../evil"], lambda _: records(long)))


# room


def wide(nodes: int) -> Iterator[Record]:
    """A run of one root and so many nodes below it, each with a call of some 4,000 bytes."""

    def events() -> Iterator[Event]:
        yield from (begun("Why?"), RootOpened(index=0, key="root", question="q"))
        yield opened("root", "Why?", level=1)
        for n in range(nodes):
            ask, key = whole()[6], f"{n:032}"
            yield ask.model_copy(update={"parent": "root", "slot": n + 1, "child": key})
            yield opened(key, f"Why {n}?")
            yield finished(key, text=f"so {n} " * 200, raw=f"so {n} ".encode() * 200)
            yield closed(key)
        yield closed("root")
        yield RunFinished(statuses={"answered": 1})

    return (Record(run=RUN, seq=n, at=1e9, event=e) for n, e in enumerate(events(), 1))


class Endless(io.RawIOBase):
    """Lines as a stream, made as they are read."""

    def __init__(self, made: Iterator[str]) -> None:
        self._made = made

    def readline(self, size: int | None = -1, /) -> bytes:
        return f"{line}\n".encode() if (line := next(self._made, "")) else b""

    def read(self, size: int = -1, /) -> bytes:
        return b""


def test_what_is_kept_of_a_run_meanwhile_is_a_little_for_each_node() -> None:
    def most(nodes: int) -> int:
        stream = Endless(lines([RUN], lambda _: wide(nodes)))
        tracemalloc.start()
        assert sum(1 for _ in Export("it", stream).records()) == 4 * nodes + 5
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak

    most(10)
    assert (most(400) - most(200)) / 200 < 800


def test_what_is_kept_of_an_export_meanwhile_is_nothing() -> None:
    tracemalloc.start()
    for _ in lines([RUN], lambda _: wide(400)):
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000
