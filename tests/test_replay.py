"""A finished run played once more out of its record: the same bytes, or the node that differs."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hch import HCH, ScriptedModel
from hch.errors import ConfigError, ReplayDivergence, UsageError
from hch.events import CallFinished, NodeClosed
from hch.keeping import Store
from hch.past import Past
from hch.prompts import shipped
from hch.stores.memory import MemoryStore
from hch.trace import Trace
from tests.support import Plan, ask, memory, regular, scripted
from tests.test_laws import LAW, seeds, shapes


def played(store: Store, run: str, **options: Any) -> Trace:
    return asyncio.run(Past(store, run).replay(**options).play())


def tree(depth: int = 2) -> tuple[MemoryStore, str]:
    """A regular tree of two sub-questions a node, in a store."""
    store = memory()
    return store, ask(ScriptedModel(regular(2)), depth=depth, store=store).run


def edited(folder: Path, name: str, old: str, new: str) -> Path:
    """A folder with one prompt, its words changed."""
    text = (shipped() / f"{name}.md").read_text("utf-8")
    assert old in text
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.md").write_text(text.replace(old, new), "utf-8")
    return folder


@LAW
@given(seeds, shapes)
def test_I7_a_replay_comes_to_the_same_bytes(seed, shape):  # noqa: N802
    store = memory()
    result = ask(scripted(Plan(seed)), **shape, store=store)
    before = [*store.events(result.run)]
    replay = Past(store, result.run).replay()
    for _ in range(2):
        assert asyncio.run(replay.play()).canonical() == result.trace.canonical()
    assert [*store.events(result.run)] == before


@LAW
@given(seeds, st.integers(0, 200))
def test_a_reply_that_is_changed_is_found_at_its_node(seed, which):
    store = memory()
    result = ask(scripted(Plan(seed, trouble=0.0)), depth=2, store=store)
    replies = [r for r in store.events(result.run) if isinstance(r.event, CallFinished)]
    changed = replies[which % len(replies)]
    other = memory()
    for record in store.events(result.run):
        event = record.event
        if record.seq == changed.seq:
            event = event.model_copy(update={"text": "CANNOT ANSWER: changed"})
        other.append(result.run, record.at, event)
    askers = {
        node.id
        for node in result.trace.nodes()
        for thought, _ in node.thoughts
        if thought.request == changed.event.request
    }
    with pytest.raises(ReplayDivergence) as caught:
        played(other, result.run)
    # Its own reply is on record as changed; what is off is the repair, its asker, or how it ended.
    assert any(
        asker == caught.value.node or asker.startswith(f"{caught.value.node}.") for asker in askers
    )


def test_an_edited_prompt_shows_what_it_would_have_changed_first(tmp_path: Path) -> None:
    store, run = tree()
    assert played(store, run, prompts=edited(tmp_path / "a", "direct", "", "")).finished is None
    folder = edited(tmp_path / "b", "factored/synthesize", "as well and as briefly", "as wordily")
    with pytest.raises(ReplayDivergence) as caught:
        played(store, run, prompts=folder)
    told = caught.value
    node = Trace(store.events(run)).node(told.node)
    assert node
    assert node.level == 1
    assert f"node {told.node} " in str(told)
    assert "think number 2" in str(told)
    assert "as well and as briefly" in told.recorded
    assert told.now == told.recorded.replace("as well and as briefly", "as wordily")


def test_a_node_that_ends_otherwise_is_named() -> None:
    store, run = tree()
    other = memory()
    for record in store.events(run):
        event = record.event
        if isinstance(event, NodeClosed) and event.answer and "/ 2 / 1" in event.answer.body:
            event = event.model_copy(update={"reason": "it was forged"})
        other.append(run, record.at, event)
    with pytest.raises(ReplayDivergence, match=r"node 0\.2\.1 differs from its record in closed"):
        played(other, run)


def test_an_unfinished_run_is_not_replayed() -> None:
    store, run = tree()
    other = memory()
    for record in [*store.events(run)][:-1]:
        other.append(run, record.at, record.event)
    with pytest.raises(UsageError, match="is not finished"):
        played(other, run)


def test_a_strategy_of_ones_own_is_replayed_in_python() -> None:
    class Mine:
        prompts: ClassVar[Any] = {"direct": frozenset[str]()}
        thinks = True
        refuses_repeats = False

        def __init__(self, loud: bool = False) -> None:
            self.loud = loud

        async def __call__(self, workspace: Any) -> str:
            said = await workspace.think("direct", last=True)
            return said.upper() if self.loud else said

        def least(self, workspace: Any) -> Any:
            return workspace.quote("direct")

        finish = least

    store, model = memory(), ScriptedModel({"Why?": "so"})
    run = HCH(depth=0, model=model, strategy=Mine(), store=store).ask_sync("Why?").run
    with pytest.raises(ConfigError, match="its own strategy"):
        Past(store, run).replay()
    unsent = ScriptedModel({})
    again = HCH(depth=0, model=unsent, strategy=Mine(), store=store)
    assert played(store, run, hch=again).roots[0].answer.text.body == "so"
    with pytest.raises(ReplayDivergence, match="node 0 differs"):
        played(store, run, hch=replace(again, strategy=Mine(loud=True)))
    assert unsent.requests == []
