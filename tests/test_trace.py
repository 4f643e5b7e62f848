"""What the fold makes of events that a resumed run wrote."""

from __future__ import annotations

from hch.events import Asked, Event, Record, RootOpened
from hch.trace import Trace
from tests.stores.samples import closed, opened, started, words


def folded(*events: Event) -> Trace:
    return Trace(Record(run="r", seq=n, at=float(n), event=e) for n, e in enumerate(events))


def test_a_node_that_is_opened_again_begins_again():
    ask = Asked(parent="k", slot=0, round=0, question=words("Sub?"), child="l")
    first = [
        started("Why?"),
        RootOpened(index=0, key="k", question="Why?"),
        opened("k", level=1),
        ask,
        opened("l"),
        closed("l", None, "failed"),
        closed("k", None, "failed"),
    ]
    [failed] = folded(*first).roots
    assert failed.closed
    assert failed.closed.status == "failed"
    [again] = folded(*first, opened("k", level=1)).roots
    assert (again.closed, again.asks) == (None, [])
    [ended] = folded(*first, opened("k", level=1), closed("k")).roots
    assert ended.closed
    assert ended.closed.status == "answered"
    assert ended.asks == []
