"""The fold of a tree against a list that is made anew each time, whatever is opened and closed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hch.browse.folding import Branch, View
from hch.browse.items import Item, inner
from hch.browse.openness import ALL, CLOSED, OPEN, Key
from hch.columns import NOBODY
from hch.events import Event, RootOpened
from hch.growing import Growing
from hch.outline import Outline
from tests.commands.test_show import asked, closed, opened, started
from tests.test_outline import SLOW, forged, grown, records_of

Rows = list[tuple[Item, int]]


def outline_of(seed: int) -> Outline:
    """A wide tree with rounds, equal siblings, refusals, links: of a run, forged, or of a law."""
    if seed % 3 == 0:
        return grown(records_of(seed % 100)).settled()
    if seed % 3 == 1:
        return grown(forged(seed)).settled()
    return told(wide(seed))


def told(events: list[Event]) -> Outline:
    growing = Growing()
    for seq, event in enumerate(events, 1):
        growing.take(seq, seq / 4, event)
    return growing.settled()


def wide(seed: int, most: int = 60) -> list[Event]:
    """A run of up to so many nodes, whose siblings are often equal."""
    rng = Random(seed)
    events: list[Event] = [started(9), RootOpened(index=0, key="0", question="")]
    events.append(opened("0", 8))
    level, slots = {0: 8}, {0: 0}
    for n in range(1, rng.randrange(2, most)):
        parent = rng.choice([key for key in level if level[key] > 0])
        slots[parent] += 1
        ask = {"parent": str(parent), "slot": slots[parent], "round": slots[parent] // 5}
        if rng.random() < 0.2:
            events.append(asked(**ask, refusal=rng.choice(["no", "no", "never"])))
            continue
        if rng.random() < 0.1 and n > 1:
            lower = [key for key in level if level[key] < level[parent]]
            if lower:
                events.append(asked(**ask, child=str(rng.choice(lower))))
                continue
        level[n], slots[n] = level[parent] - 1, 0
        events.append(asked(**ask, child=str(n)))
        if rng.random() < 0.95:
            events += [opened(str(n), level[n]), closed(str(n), answer=rng.choice("aaab"))]
    return events


def flat(
    outline: Outline,
    state: dict[Key, int],
    items: Callable[[Item], list[Item]],
) -> Rows:
    """Every row that is shown, with its depth."""
    found: Rows = []
    stack = [(item, CLOSED, 0) for item in reversed(items(Item("top", NOBODY, ())))]
    while stack:
        item, inherited, depth = stack.pop()
        found.append((item, depth))
        mine = CLOSED
        if item.kind in {"node", "round", "same"}:
            opened_at = outline.opened[item.node]
            key = item.kind, opened_at, item.n if item.kind == "round" else 0
            mine = state.get(key, CLOSED if item.kind == "same" else inherited)
        if mine != CLOSED:
            below = ALL if mine == ALL else CLOSED
            stack += [(kid, below, depth + 1) for kid in reversed(items(item))]
    return found


def shown(view: View) -> Rows:
    return [(branch.item, branch.depth) for branch in view.rows(0, view.count)]


def below(view: View, branch: Branch) -> Iterator[Branch]:
    start = view.number(branch)
    yield from view.rows(start + 1, branch.height - 1)


def turned(view: View, rng: Random) -> None:
    """Open or close one row, or all below it; nothing else moves."""
    number = rng.randrange(view.count)
    branch, state = view.row(number), rng.choice([OPEN, OPEN, ALL, CLOSED])
    before, size = shown(view), branch.height
    opens = view.opens(branch)
    view.turn(branch, state)
    after = shown(view)
    assert after[: number + 1] == before[: number + 1]
    assert after[number + branch.height :] == before[number + size :]
    if not opens or state == CLOSED:
        assert branch.height == 1
    else:
        assert branch.height > 1
    if state == ALL:
        assert all(
            kid.height > 1 for kid in below(view, branch)
            if view.opens(kid) and kid.item.kind != "same"
        )  # fmt: skip


@SLOW
@given(st.integers(0, 300), st.integers(0, 10**6), st.integers(0, 2))
def test_a_view_is_the_list_of_what_is_open(seed: int, luck: int, lowest: int) -> None:
    outline, rng = outline_of(seed), Random(luck)

    def items(item: Item) -> list[Item]:
        return inner(outline, item, lowest)

    view = View(outline, lowest=lowest)
    for _ in range(12):
        if not view.count:
            return
        turned(view, rng)
        assert shown(view) == flat(outline, view.state, items)
        again = View(outline, dict(view.state), lowest=lowest)
        assert shown(again) == shown(view)
        if rng.random() < 0.3:
            view = again
        if rng.random() < 0.1:
            view.close_all()
            assert shown(view) == flat(outline, {}, items)


@SLOW
@given(st.integers(0, 300), st.integers(0, 10**6))
def test_any_row_is_found_by_its_number_and_any_node_by_itself(seed: int, luck: int) -> None:
    outline, rng = outline_of(seed), Random(luck)
    view = View(outline)
    for branch in view.kids(view.top):
        view.turn(branch, rng.choice([OPEN, ALL]))
    every = list(view.rows(0, view.count))
    assert len(every) == view.count
    for number, branch in enumerate(every):
        assert view.row(number) is branch
        assert view.number(branch) == number
    start, most = rng.randrange(view.count + 2), rng.randrange(5)
    assert list(view.rows(start, most)) == every[start : start + most]
    for number in (-1, view.count):
        with pytest.raises(IndexError):
            view.row(number)
    for node in rng.sample(range(outline.n), min(5, outline.n)):
        found = view.reveal(node)
        assert found is not None
        assert found.item.node == node
        assert view.row(view.number(found)) is found


@SLOW
@given(st.integers(0, 300), st.integers(0, 10**6))
def test_what_was_open_stays_open_when_the_run_grows(seed: int, luck: int) -> None:
    events, rng = wide(seed), Random(luck)
    outline = told(events[: rng.randrange(3, len(events) + 1)])
    view = View(outline)
    for _ in range(6):
        turned(view, rng)
    later = told(events)
    assert shown(View(later, view.state)) == flat(
        later, view.state, lambda item: inner(later, item)
    )


@SLOW
@given(st.integers(0, 300), st.integers(0, 10**6))
def test_siblings_are_put_in_an_order_and_stay_below_their_asker(seed: int, luck: int) -> None:
    outline, rng = outline_of(seed), Random(luck)
    rank = [rng.random() for _ in range(outline.n)]

    def items(item: Item) -> list[Item]:
        found = inner(outline, item)
        nodes = [kid for kid in found if kid.kind in {"node", "same"}]
        rest = [kid for kid in found if kid.kind not in {"node", "same"}]
        ranked = sorted(nodes, key=lambda kid: rank[kid.node])
        return ranked + rest if rest else ranked

    view = View(outline, rank=rank.__getitem__)
    for _ in range(6):
        turned(view, rng)
        assert shown(view) == flat(outline, view.state, items)


@SLOW
@given(st.integers(0, 300), st.integers(0, 10**6))
def test_only_what_is_shown_has_rows(seed: int, luck: int) -> None:
    outline, rng = outline_of(seed), Random(luck)
    wanted = bytearray(rng.random() < 0.3 for _ in range(outline.n))
    for node in range(outline.n - 1, -1, -1):
        if wanted[node] and outline.parent[node] != NOBODY:
            wanted[outline.parent[node]] = 1
    view = View(outline, shown=wanted)
    for branch in view.kids(view.top):
        view.turn(branch, ALL)
    assert [item.node for item, _ in shown(view)] == [n for n in range(outline.n) if wanted[n]]


def test_levels_are_opened_as_long_as_they_fit() -> None:
    outline = told(wide(5))
    for room in (1, 3, 10, 1000):
        view = View(outline)
        view.fill(room)
        assert view.count <= max(room, 1)
    everything = flat(outline, {}, lambda item: inner(outline, item))
    assert view.count > len(everything)


def test_a_hundred_thousand_siblings_and_a_chain_as_long() -> None:
    events: list[Event] = [started(2), RootOpened(index=0, key="0", question=""), opened("0", 1)]
    for i in range(1, 5001):
        node = [opened(str(i), 0), closed(str(i), answer=str(i))]
        events += [asked(parent="0", slot=i, child=str(i)), *node]
    view = View(told(events))
    view.turn(view.row(0), ALL)
    assert view.count == 5001
    assert view.row(5000).item.node == 5000
    chain: list[Event] = [started(5001), RootOpened(index=0, key="0", question="")]
    chain += [opened(str(i), 5000 - i) for i in range(5001)]
    chain += [asked(parent=str(i), slot=1, child=str(i + 1)) for i in range(5000)]
    view = View(told(chain))
    view.turn(view.row(0), ALL)
    assert view.count == 5001
    assert view.row(5000).depth == 5000
    last = view.reveal(5000)
    assert last is not None
    assert view.number(last) == 5000
