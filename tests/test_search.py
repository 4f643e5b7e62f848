"""The search finds what is said in a run, and nothing else, whatever is typed."""

from __future__ import annotations

import asyncio
import re
from random import Random
from threading import Thread
from unicodedata import normalize

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hch import HCH, ScriptedModel
from hch.errors import ModelError
from hch.events import Asked, NodeClosed, NodeOpened, RootOpened
from hch.keeping import Store
from hch.nodes import Node
from hch.safe_text import safe_text
from hch.search import FIELDS, Finder, nodes
from hch.stores.memory import MemoryStore
from hch.stores.sqlite import SqliteStore
from hch.trace import Trace
from hch.wanted import snippet
from tests.payloads import PAYLOADS
from tests.stores.samples import FREE, opened, words
from tests.support import Plan, ask, decomposition, memory, regular, scripted
from tests.test_laws import LAW, seeds, shapes


def finder(store: Store, run: str) -> Finder:
    found = Finder(store, run)
    assert found.take()
    assert found.progress == 1.0
    return found


def hits(store: Store, run: str, query: str, most: int = 10_000) -> dict[str, set[str]]:
    """By node id, where it is found."""
    outline = store.outline(run)
    found = nodes(outline, finder(store, run).find(query, most))
    return {outline.id(node): set(fields) for node, fields in found.items()}


def said(query: str, *parts: str, **options: object) -> dict[str, set[str]]:
    """Where a query is found in a run of one question with such answers."""
    model = ScriptedModel(lambda request: parts[0])
    result = ask(model, "q?", depth=0, **options)
    return hits(result.store, result.run, query)


def texts(node: Node) -> dict[str, list[str]]:
    """All that a node has of each field, by the trace and not by the index."""
    closed, calls = node.closed, [call for _, call in node.thoughts if call]
    refused = [ask for ask in node.asks if ask.node is None]
    parts = [
        part.body
        for call in calls for intent in call.intents for message in intent.sent()
        for part in message.parts if part.origin != "mark"
    ]  # fmt: skip
    return {
        "question": [node.opened.question.body],
        "answer": [closed.answer.body if closed.answer else "", closed.reason, *closed.notes]
        if closed
        else [],
        "refusal": [text for ask in refused for text in (ask.question, ask.refusal or "")],
        "prompt": parts,
        "reply": [t for c in calls if c.finished for t in (c.finished.text, c.finished.thinking)],
    }


def tokens(text: str) -> list[str]:
    plain = re.sub("[\u0300-\u036f]", "", normalize("NFD", safe_text(text).casefold()))
    return re.findall(r"[^\W_]+", plain)


def has(text: str, query: str) -> bool:
    """Whether each word of a query is in a text, the last one as the beginning of a word."""
    there, typed = tokens(text), query.split()
    for i, word in enumerate(typed):
        phrase = tokens(word)
        for at in range(len(there)):
            some = there[at : at + len(phrase)]
            if some[:-1] == phrase[:-1] and (
                some[-1] == phrase[-1] or (i == len(typed) - 1 and some[-1].startswith(phrase[-1]))
            ):
                break
        else:
            return False
    return True


def naive(trace: Trace, query: str) -> dict[str, set[str]]:
    found = {
        node.id: {name for name, some in texts(node).items() if any(has(t, query) for t in some)}
        for node in trace.nodes()
    }
    return {id: fields for id, fields in found.items() if fields}


@settings(LAW, max_examples=30)
@given(seeds, shapes, st.data())
def test_it_finds_what_reading_every_text_finds(seed, shape, data):
    result = ask(scripted(Plan(seed)), "What is it, after all: 2+3 (or not)?", **shape)
    trace, store = result.trace, result.store
    every = {t for node in trace.nodes() for some in texts(node).values() for t in some if t}
    index, outline = finder(store, result.run), store.outline(result.run)
    for _ in range(10):
        text = data.draw(st.sampled_from(sorted(every)))
        typed = [word for word in text.split() if tokens(word) and '"' not in word]
        query = " ".join(data.draw(st.lists(st.sampled_from(typed), max_size=3))) if typed else ""
        query = query[: data.draw(st.integers(1, len(query)))] if query else ""
        if not query or not all(map(tokens, query.split())):
            continue
        found = nodes(outline, index.find(query))
        assert list(found) == sorted(found)
        assert {outline.id(i): set(f) for i, f in found.items()} == naive(trace, query)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("blue sky", True),
        ("sky blue", True),
        ("BLUE", True),
        ("blue sk", True),
        ("blu sky", True),  # not as words, but it is there
        ("blu red", False),
        ("2+3", True),
        ("2 + 3", True),
        ("3+2", False),
        ('"sky is blue"', True),
        ('"sky blue"', False),
        ('"sky is blu', True),
        ('"sky is blu"', True),
        ("ecole", True),
        ("ÉCOLE", True),
        ("e\u0301cole", True),
        ("хлеб", True),
        ("cole", True),
        ("→", True),
        ("blue →", True),
        ("red →", False),
        ("青空", True),
        ("空", True),
        ("空 blue", True),
        ("空 red", False),
        ("100%", True),
        ("%", True),
        ("_", False),
        ("b_ue", False),
        ("two lines", True),
        ('"two lines"', True),
        ("AND", False),
        ("blue NOT sky", False),
        ("body:blue", False),
        ("blue*", True),
        ("^sky", True),
        ("", False),
        ("  ", False),
        ('"', True),
        ('""', True),  # as it was typed
        ("nothing", False),
    ],
)
def test_what_is_typed_is_found(query, found):
    answer = 'The sky is blue; 2+3. École, Хлеб → 100% of "" or "今日は青空です" in two\n   lines'
    assert ("answer" in said(query, answer).get("0", ())) == found


def test_each_field_is_told():
    result = ask(regular(2), "alpha?", depth=1)
    assert hits(result.store, result.run, '"alpha? / 2"') == {
        "0": {"prompt", "reply"},
        "0.2": {"question", "prompt", "reply", "answer"},
    }
    assert hits(result.store, result.run, '"answer to alpha? / 2"') == {
        "0": {"prompt"},
        "0.2": {"reply", "answer"},
    }


def test_a_call_belongs_to_all_who_thought_it():
    result, store = ask(regular(2), "alpha?", depth=0), MemoryStore()
    for record in result.store.events(result.run):
        store.append("r", record.at, record.event)
    [thought] = [r.event for r in store.events("r", "Thought")]
    store.append("r", 1.0, RootOpened(index=1, key="other", question="d"))
    store.append("r", 1.0, opened("other", "beta?"))
    store.append("r", 1.0, thought.model_copy(update={"parent": "other"}))
    found = hits(store, "r", "alpha")
    assert found["1"] == {"prompt", "reply"}
    assert found["0"] == {"question", "prompt", "reply", "answer"}


def test_a_refusal_and_what_was_refused_are_found_at_the_asker():
    model = ScriptedModel(lambda r: decomposition("mine?", "yours?") if r.form else "so")
    result = ask(model, "q?", depth=1, fanout=1)
    [refused] = [one for one in result.trace.roots[0].asks if one.refusal]
    for query in (refused.refusal, "yours"):
        assert "refusal" in hits(result.store, result.run, query)["0"]


@pytest.mark.parametrize("most", [1, 2, 5])
def test_it_finds_no_more_than_it_may_and_those_first_that_came_first(most):
    result = ask(regular(3), "alpha?", depth=2)
    found = finder(result.store, result.run).find("alpha", most)
    assert len(found) == most
    assert result.trace.roots[0].key in {hit.key for hit in found}
    assert all(hit.fields <= set(FIELDS) for hit in found)


async def test_a_run_that_grows_is_taken_up_where_it_was_left(tmp_path):
    with SqliteStore(tmp_path / "runs.db") as store:
        whole = memory()
        done = await HCH(model=ScriptedModel(regular(3)), depth=2, store=whole).ask("alpha?")
        records = list(whole.events(done.run))
        for record in records[:40]:
            store.append(done.run, record.at, record.event)
        store.flush()
        growing = Finder(store, done.run)
        assert growing.take()
        before = growing.find("alpha")
        assert before == finder(store, done.run).find("alpha")
        for record in records[40:]:
            store.append(done.run, record.at, record.event)
        assert growing.take()
        assert growing.progress == 1.0
        after = growing.find("alpha")
        assert {h.key for h in before} < {h.key for h in after}
        assert after == finder(whole, done.run).find("alpha")
        assert growing.take()
        assert growing.find("alpha") == after


def test_it_stops_when_told_and_goes_on_from_there():
    store = MemoryStore()
    run = "r"
    for event in _many(9_000):
        store.append(run, 1.0, event)
    index, asked = Finder(store, run), []
    assert index.progress == 0.0
    assert not index.take(lambda: asked.append(1) or len(asked) > 2)
    assert 0 < index.progress < 1
    some = index.find("question")
    assert 0 < len(some) < 9_000
    assert index.take()
    assert len(index.find("question")) == 9_000


def _many(n: int) -> list[NodeOpened]:
    return [opened(f"k{i}", f"question {i}?") for i in range(n)]


def test_a_query_meanwhile_finds_what_is_there():
    store = MemoryStore()
    for event in _many(10_000):
        store.append("r", 1.0, event)
    index = Finder(store, "r")
    thread = Thread(target=index.take)
    thread.start()
    counts = []
    while thread.is_alive():
        counts.append(len(index.find("question")))
    thread.join()
    assert counts == sorted(counts)
    assert len(index.find("question")) == 10_000


def test_what_was_said_before_a_node_began_again_is_no_hit():
    store = MemoryStore()

    def closed(key: str, answer: str) -> NodeClosed:
        return NodeClosed(
            key=key, status="answered", answer=words(answer), reason="", notes=(), spent=FREE
        )

    def asked(child: str, question: str) -> Asked:
        return Asked(parent="top", slot=0, round=1, question=words(question), child=child)

    for event in (
        RootOpened(index=0, key="top", question="d"),
        opened("top", "summit?", 1), asked("old", "former?"), opened("old", "former?"),
        closed("old", "stale"), closed("top", "stale and common"),
        opened("top", "summit?", 1), asked("new", "latter?"), opened("new", "latter?"),
        closed("new", "fresh"), closed("top", "fresh and common"),
    ):  # fmt: skip
        store.append("r", 1.0, event)
    assert hits(store, "r", "former") == {}
    assert hits(store, "r", "stale") == {}
    assert hits(store, "r", "summit") == {"0": {"question"}}
    assert hits(store, "r", "fresh") == {"0": {"answer"}, "0.0": {"answer"}}
    assert hits(store, "r", "common") == {"0": {"answer"}}


@pytest.mark.leaves_open
@settings(LAW, max_examples=20)
@given(seeds)
def test_a_run_that_was_taken_up_again_has_only_hits_that_are_there(seed):
    store = memory()

    def fail(request: object, attempt: int) -> ModelError | None:
        broken = Random(f"{seed} {request.call}").random() < 0.4
        return ModelError("the wire broke", kind="http 500", ran=False) if broken else None

    def hch(**failing: object) -> HCH:
        model = ScriptedModel(regular(2), **failing)
        return HCH(depth=2, model=model, store=store, pause=0.0, attempts=1)

    run = asyncio.run(hch(failures=fail).ask("alpha?")).run
    index = Finder(store, run)
    assert index.take()
    asyncio.run(hch().resume(run, retry_failed=True).finish())
    assert index.take()
    outline, trace = store.outline(run), Trace(store.events(run))
    for query in ("alpha", "wire", "answer", "sub-question"):
        found = nodes(outline, index.find(query))
        assert {outline.id(i): set(f) for i, f in found.items()} == naive(trace, query)


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda p: p.name)
def test_a_hostile_text_is_found_by_itself_and_as_it_is_shown(payload):
    store = MemoryStore()
    store.append("r", 1.0, RootOpened(index=0, key="k", question="d"))
    store.append("r", 1.0, opened("k", payload.text))
    store.append("r", 1.0, opened("other", "calm"))
    index = finder(store, "r")
    assert {hit.key for hit in index.find("PWN")} <= {"k"}
    if '"' not in payload.text:
        for query in (payload.text, safe_text(payload.text)):
            assert [hit.key for hit in index.find(query)] == ["k"]
    for width in (1, 10, 80):
        line = snippet(f"{'x ' * 500}{payload.text}{' y' * 500}", payload.text, width)
        assert len(line) <= width
        assert safe_text(line) == line
        assert "\n" not in line


@settings(LAW, max_examples=200)
@given(st.text(st.characters(codec=None), max_size=60), st.sampled_from(["", '"', "*", "NEAR("]))
def test_no_query_is_an_error(query, more):
    result = ask(regular(2), "alpha?", depth=0)
    index = finder(result.store, result.run)
    index.find(query + more)
    index.find(more + query)
    index.close()


@settings(LAW, max_examples=200)
@given(
    st.text(max_size=300), st.text(st.characters(categories=["L"]), min_size=3, max_size=8),
    st.text(max_size=300), st.integers(30, 90),
)  # fmt: skip
def test_an_excerpt_shows_what_was_found(before, word, after, width):
    line = snippet(f"{before} {word} {after}", word, width)
    assert len(line) <= width
    assert safe_text(line) == line


@pytest.mark.parametrize("width", [20, 40, 79])
@pytest.mark.parametrize("around", ["lorem ", "ŁŒÉß ", "青空 ", "\u1e9e\u0345 "])
def test_an_excerpt_is_around_the_first_match(around, width):
    text = f"{around * 3_000}\nNeedle, in it {around * 3_000}"
    for query in ("needle", "needl", '"needle, in', "NEEDLE nowhere"):
        line = snippet(text, query, width)
        assert "Needle" in line
        assert len(line) == width
        assert line[0] == line[-1] == "…"
    assert snippet("a short one", "one", 20) == "a short one"
    assert snippet(text, "nowhere", width).startswith(around.strip())


def test_a_closed_index_finds_nothing_and_takes_nothing():
    result = ask(regular(2), "alpha?", depth=1)
    index = finder(result.store, result.run)
    index.close()
    assert index.find("alpha") == []
    fresh = Finder(result.store, result.run)
    fresh.close()
    assert not fresh.take()
