"""`hch show`: rows that fit, marks that need no colour, nothing unsafe, and trees of any shape."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from hch import HCH, Request, ScriptedModel
from hch.browse.book import Book
from hch.browse.lines import plain
from hch.browse.marks import MARKS, fit
from hch.budget import UNLIMITED, Price
from hch.commands._problems import lines as of_problem
from hch.commands._shown import blemishes
from hch.commands._terminal import PLAIN
from hch.commands._tree import Tree
from hch.events import (
    Asked,
    CallFinished,
    CallIntended,
    Event,
    NodeClosed,
    NodeOpened,
    RootOpened,
    RunFinished,
    RunStarted,
    RunStopped,
)
from hch.safe_text import one_line
from hch.stores.memory import MemoryStore
from hch.stores.sqlite import SqliteStore
from hch.wire import Amounts, Polled, Words
from tests.commands.terminal import Done, Screen, hch
from tests.commands.test_ask import DEEP, PAYLOAD
from tests.support import answering, asking, regular

Typed = Callable[..., Done]
FREE, SPENT = Amounts.of(UNLIMITED), Amounts.of(Price(3, 1400, 4000, 2))


def words(text: str) -> Words:
    return Words(body=text, source="user", trusted=True)


def started(levels: int) -> RunStarted:
    return RunStarted(
        version="0", setup={}, players=("script",) * levels, prompts={}, seed=0, roots={}, count=1,
        grant=FREE, cap=FREE,
    )  # fmt: skip


def opened(key: str, level: int, question: str = "Why?") -> NodeOpened:
    return NodeOpened(
        key=key, level=level, wrapper=0, player="script", question=words(question), context=(),
        instance=None, sample=(), grant=FREE,
    )  # fmt: skip


def closed(key: str, status: str = "answered", answer: str = "So.", *notes: str) -> NodeClosed:
    said = words(answer) if status == "answered" else None
    return NodeClosed(
        key=key, status=status, answer=said, reason="" if said else answer, notes=notes, spent=SPENT
    )  # type: ignore[arg-type]  # fmt: skip


asked = partial(Asked, round=0, question=words("Why so?"))


def folded(events: Iterable[Event], levels: int) -> Book:
    store = MemoryStore()
    for i, event in enumerate(
        [started(levels), RootOpened(index=0, key="0", question=""), *events], 1
    ):
        store.append("r", i / 4, event)
    return Book(store, store.runs()[0])


def chain(depth: int) -> Book:
    events: list[Event] = [opened(str(i), depth - i) for i in range(depth + 1)]
    events += [asked(parent=str(i), slot=1, child=str(i + 1)) for i in range(depth)]
    return folded(events + [closed(str(i)) for i in reversed(range(depth + 1))], depth + 1)


def lines(book: Book, width: int, lowest: int = 0) -> list[str]:
    return [plain(line) for line in Tree(book, width, lowest).lines()]


def test_the_tree_of_an_answer(typed: Typed) -> None:
    typed("ask", DEEP, "--depth", "3")
    head, *tree, foot = typed("show").out.splitlines()
    assert re.fullmatch(rf"\S+  answered  \d.\d s  HCH_3 by script  {re.escape(DEEP)}", head)
    assert tree == [
        "✓ HCH_3  What is ((2+3)*(4-1))-((6*7)+(8-5))? → -30  6↳",
        "├─ ✓ HCH_2  What is (2 + 3) * (4 - 1)? → 15          2↳",
        "│  ├─ ✓ HCH_1  What is 2 + 3? → 5",
        "│  └─ ✓ HCH_1  What is 4 - 1? → 3",
        "└─ ✓ HCH_2  What is 6 * 7 + (8 - 5)? → 45            2↳",
        "   ├─ ✓ HCH_1  What is 6 * 7? → 42",
        "   └─ ✓ HCH_1  What is 8 - 5? → 3",
    ]
    assert foot == "7 nodes, 0 calls, clean"


def test_level_leaves_out_what_is_below_it(typed: Typed) -> None:
    typed("ask", DEEP, "--depth", "3")
    tree = typed("show", "--level", "2").out.splitlines()[1:-1]
    assert [line.count("─") for line in tree] == [0, 1, 1]
    said = json.loads(typed("show", "--json", "--level", "2").out)
    assert [node["id"] for node in said["nodes"]] == ["0", "0.1", "0.2"]


def test_of_many_roots_the_first_are_shown_and_how_to_see_the_rest(typed: Typed) -> None:
    made = ("generate", "--task", "arithmetic,size=2", "-s", "script", "-d", "1", "-q")
    few = typed(*made, "-n", "200").out.strip()
    assert sum(line[2:7] == "HCH_1" for line in typed("show", few).out.splitlines()) == 200
    many = typed(*made, "-n", "201").out.strip()
    whole = typed("show", many, "--level", "0").out.splitlines()
    roots = [place for place, line in enumerate(whole) if line[2:7] == "HCH_1"]
    assert len(roots) == 201
    shown = typed("show", many).out.splitlines()
    assert [line.split() for line in shown[: roots[20]]] == [
        line.split() for line in whole[: roots[20]]
    ]
    assert shown[roots[20] : -1] == [
        "… and 181 more roots; to see them, or some:",
        f"  hch browse {many}",
        f"  hch show {many} --problems",
        f"  hch show {many} --node ID",
        f"  hch show {many} --level 0",
    ]
    assert shown[-1] == whole[-1]
    assert typed("show", many, "--node", "200").code == 0
    assert len(json.loads(typed("show", many, "--json").out)["nodes"]) > 201


def test_json_has_every_figure_of_every_node(typed: Typed) -> None:
    HCH(depth=0, model=two_turns(), strategy="consult").ask_sync("Why?", context=["A text."])
    said = json.loads(typed("show", "--json").out)
    assert (said["status"], said["clean"], said["calls"]) == ("answered", True, 1)
    assert said["cap"] == {"calls": None, "tokens": None, "microusd": None, "nodes": None}
    [root] = said["nodes"]
    assert (root["id"], root["parent"], root["level"], root["status"]) == ("0", None, 0, "answered")
    assert root["context"] == [{"source": "document", "trusted": False, "body": "A text."}]
    [thought] = root["thoughts"]
    assert (thought["prompt"], thought["finish"], thought["attempts"]) == ("direct", "stop", 1)
    assert root["spent"]["calls"] == 1
    assert root["closed"] >= root["opened"]


def two_turns() -> ScriptedModel:
    """Asks the same thing twice, its own question once, and answers."""

    def say(request: Request) -> str:
        form = request.form.name if request.form else ""
        if form == "Turn" and request.question == "Why?" and "kinship" not in str(request.messages):
            return asking("kinship", "Why?", "other", "kinship", last=False)
        return answering(PAYLOAD, form) if form else PAYLOAD

    return ScriptedModel(say)


def test_what_was_shared_or_refused_is_a_row_of_its_own(typed: Typed) -> None:
    HCH(depth=1, model=two_turns(), strategy="consult").ask_sync("Why?")
    root, first, refused, other, again, foot = typed("show").out.splitlines()[1:]
    assert root.startswith("✓ HCH_1  Why?")
    assert first.startswith("├─ ✓ HCH_0  (0.1) kinship → \\x1b[31mred")
    assert refused == "├─ – HCH_0  Why? → it repeats the asker's own question word for word"
    assert other.startswith("├─ ✓ HCH_0  other → ")
    assert again == "└─ ↺ HCH_0  kinship → see 0.1"
    assert foot.endswith(", not clean: 1 refused")


def test_every_status_has_a_mark_of_its_own() -> None:
    assert len({mark for mark, _ in MARKS.values()}) == len(MARKS)
    statuses = ["answered", "unanswered", "truncated", "failed", "cancelled", None]
    events: list[Event] = [opened("0", 1)]
    for i, status in enumerate(statuses, 1):
        events += [asked(parent="0", slot=i, child=str(i)), opened(str(i), 0)]
        events += [closed(str(i), status, "it is so")] if status else []
    events += [asked(parent="0", slot=7, child="lost"), asked(parent="0", slot=8, refusal="no")]
    events += [asked(parent="0", slot=9, child="9", how="try"), opened("9", 1)]
    events += [closed("9", "answered", "3", "cut: at 5 tokens")]
    root, *below = lines(folded(events, 2), 100)
    assert [line.split()[1] for line in below] == list("✓?✂✗⊘…·–✓")
    assert root == "… HCH_1  Why?" + " " * (len(root) - 15) + "7↳" or "7↳" in root
    assert "not begun" in below[6]
    assert "HCH_1 try  Why? → (cut: at 5 tokens) 3" in below[8]


VOTED = ("--depth", "0", "-s", "verify,by=oracle/vote,k=5/script,errors=0.3")


def test_votes_stand_before_their_answer_and_tries_and_checks_are_told_apart(typed: Typed) -> None:
    typed("ask", "What is 4-1?", *VOTED)
    _, *tree, foot, wrong = typed("show").out.splitlines()
    *voted, check = (re.sub(r"\s+\d↳$", "", line) for line in tree)
    assert voted == [
        "✓ HCH_0  What is 4-1? → (3 of 4) 3",
        "├─ ✓ HCH_0 try  What is 4-1? → (3 of 4) 3",
        "│  ├─ round 1 (3 questions)",
        "│  │  ├─ ✓ HCH_0 try  What is 4-1? → 3",
        "│  │  ├─ ✓ HCH_0 try  wrong What is 4-1? → 0",
        "│  │  └─ ✓ HCH_0 try  What is 4-1? → 3",
        "│  └─ ✓ HCH_0 try  What is 4-1? → 3",
    ]
    assert re.fullmatch("└─ ✓ HCH_0 put  Is the answer right[?] The last text .*… → ACCEPT", check)
    assert foot == "7 nodes, 0 calls, clean"
    assert wrong == "answers known to be wrong: 1"
    narrow = typed("show", "--width", "59").out.splitlines()[1:-2]
    assert [line.partition("HCH_0  ")[0] for line in narrow] == [
        line.partition("HCH_0")[0] for line in tree
    ]


def test_a_try_that_was_refused_is_one_too_and_no_vote_has_no_votes() -> None:
    events = [
        opened("0", 0),
        asked(parent="0", slot=1, child="1", how="try"),
        opened("1", 0),
        closed("1", "unanswered", "no"),
        asked(parent="0", slot=2, refusal="too little", how="try"),
        asked(parent="0", slot=3, refusal="too little", how="put"),
        closed("0", "unanswered", "so").model_copy(
            update={"ballot": Polled(votes=(("3", 1),), tries=2, of=3)}
        ),
    ]
    root, first, second, third = lines(folded(events, 1), 100)
    assert root.startswith("? HCH_0  Why? → so ")
    assert first.startswith("├─ ? HCH_0 try  Why? → no ")
    assert second.startswith("├─ – HCH_0 try  Why so? → too little")
    assert third.startswith("└─ – HCH_0 put  Why so? → too little")
    silent = closed("0").model_copy(update={"ballot": Polled(votes=(), tries=2, of=3)})
    assert lines(folded([opened("0", 0), silent], 1), 100)[0].startswith("✓ HCH_0  Why? → So.")


def test_json_has_how_a_vote_went(typed: Typed) -> None:
    typed("ask", "What is 4-1?", *VOTED)
    nodes = json.loads(typed("show", "--json").out)["nodes"]
    ballot = {"votes": [["3", 3], ["0", 1]], "tries": 4, "of": 5, "confidence": 0.75}
    assert [node["ballot"] for node in nodes[:2]] == [ballot, ballot]
    assert ["ballot" in node for node in nodes] == [True, True, *[False] * 5]


@pytest.mark.parametrize("width", [20, 80])
def test_a_chain_of_three_thousand_does_not_recurse(width: int) -> None:
    trace = chain(3000)
    assert sys.getrecursionlimit() < 3000
    shown = lines(trace, width)
    assert len(shown) == 3001
    assert max(map(cell_len, shown)) <= width
    if width >= 60:
        assert shown[-1].startswith("⋯ ")
        assert "HCH_0  Wh" in shown[-1]


def test_five_thousand_siblings() -> None:
    events: list[Event] = [opened("0", 1)]
    for i in range(1, 5001):
        node = [opened(str(i), 0), closed(str(i), "answered", f"{i}.")]
        events += [asked(parent="0", slot=i, child=str(i)), *node]
    shown = lines(folded([*events, closed("0")], 2), 100)
    assert len(shown) == 5001
    assert " 5,000↳  1.4k tok  $0.004  1h02m" in shown[0]
    assert shown[-1].startswith("└─ ✓ HCH_0  Why? → 5000. ")
    assert {cell_len(line) for line in shown} == {100}


def test_figures_go_one_after_the_other_where_it_is_narrow() -> None:
    def figures(width: int) -> str:
        return lines(chain(1), width)[0].partition("So.")[2].rstrip()

    assert re.fullmatch(r"\s+1↳  1.4k tok  \$0.004  1.0 s", figures(100))
    assert re.fullmatch(r"\s+1.4k tok  \$0.004  1.0 s", figures(81))
    assert re.fullmatch(r"\s+1.4k tok  \$0.004", figures(60))
    assert re.fullmatch(r"\s+\$0.004", figures(40))
    assert figures(20) == ""


@given(st.text(), st.text(), st.integers(20, 120))
def test_no_row_is_wider_than_it_may_be(question: str, answer: str, width: int) -> None:
    events = [opened("0", 0, question), closed("0", "answered", answer)]
    [line] = lines(folded(events, 1), width)
    assert cell_len(line) <= width
    assert line.isprintable() or not (question + answer).isprintable()


@given(st.text(), st.integers(0, 60))
def test_a_text_is_cut_to_its_cells(text: str, cells: int) -> None:
    line = one_line(text)
    assert cell_len(fit(line, cells)) <= cells
    if cell_len(line) <= cells:
        assert fit(line, cells) == line


def kept(trace_events: Sequence[Event], run: str) -> None:
    with SqliteStore(".local/share/hch/hch.db") as store:
        for i, event in enumerate(trace_events):
            store.append(run, 1.8e9 + i, event)


@pytest.mark.leaves_open
def test_an_unfinished_run_says_how_to_go_on(typed: Typed) -> None:
    begun = [started(1), RootOpened(index=0, key="0", question=""), opened("0", 0)]
    kept(begun, "260101-a")
    kept([*begun, closed("0", "cancelled", ""), RunStopped(kind="BillExhausted", reason="no more")],
         "260101-b")  # fmt: skip
    assert typed("show", "260101-a").out.endswith(
        "not clean: 1 open\nunfinished (its process ended); hch resume 260101-a\n"
    )
    assert typed("show", "260101-b").out.endswith(
        "not clean: 1 cancelled\nunfinished (no more); hch resume 260101-b\n"
    )


def test_a_run_is_found_by_how_it_begins(typed: Typed) -> None:
    for run in ("260101-abc", "260101-abd", "260102-x", "260101"):
        node = [RootOpened(index=0, key="0", question=""), opened("0", 0), closed("0")]
        kept([started(1), *node, RunFinished(statuses={"answered": 1})], run)
    assert typed("show", "260102").out.startswith("260102-x  answered")
    assert typed("show", "260101").out.startswith("260101  answered")
    done = typed("show", "260101-a")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("hch: several runs begin with 260101-a: ")
    assert "260101-abc" in done.err
    assert "260101-abd" in done.err
    assert typed("show", "9").err.startswith("hch: no run 9 in ")


def test_an_empty_store_says_so(typed: Typed) -> None:
    done = typed("show")
    assert (done.code, done.out) == (2, "")
    assert "make one with hch ask" in done.err


def test_nothing_raw_reaches_a_terminal() -> None:
    HCH(depth=1, model=two_turns(), strategy="consult").ask_sync(f"Why? {PAYLOAD}")
    for command in ("show", "runs"):
        with Screen(command, columns=400) as screen:
            said = screen.rest()
        assert said.replace("\r\n", "").isprintable(), command
        assert "[bold]x[/bold][@click=app.quit]y[/x]" in said


def test_colour_is_for_terminals_that_want_it() -> None:
    HCH(depth=1, model=two_turns(), strategy="consult").ask_sync("Why?")
    styles = re.compile(r"\x1b\[[0-9;]*m")
    with Screen("show", TERM="xterm-256color") as screen:
        coloured = screen.rest()
    assert "\x1b[32m" in coloured
    assert styles.sub("", coloured).replace("\r\n", "").isprintable()
    with Screen("show", TERM="xterm-256color", NO_COLOR="1") as screen:
        assert not re.search(r"\x1b\[[0-9;]*3[0-9]", screen.rest())
    assert "\x1b" not in hch("show").out


def test_the_width_is_the_terminals() -> None:
    HCH(depth=1, model=two_turns(), strategy="consult").ask_sync("Why? " * 50)
    with Screen("show", columns=60) as screen:
        shown = screen.rest().splitlines()[1:-1]
    assert max(map(cell_len, shown)) == 60


def test_money_and_calls_are_counted() -> None:
    intended = CallIntended(
        request="q", attempt=1, node="0", model="m", messages=(), sampling={}, form=None,
        sample=(), seed=0, question="", instance=None, worst=FREE,
    )  # fmt: skip
    finished = CallFinished(
        request="q", attempt=1, text="x", finish="stop", usage=(1000, 400, 0, 0), price=SPENT
    )
    kept(
        [started(1), RootOpened(index=0, key="0", question=""), opened("0", 0), intended, finished,
         closed("0"), RunFinished(statuses={"answered": 1})],
        "260101-abc",
    )  # fmt: skip
    assert hch("show").out.endswith("1 node, 1 call, 1.4k tok, $0.004, clean\n")


def test_many_refusals_for_one_reason_are_one_row() -> None:
    events: list[Event] = [opened("0", 1)]
    events += [asked(parent="0", slot=i, refusal="too many") for i in range(1, 12)]
    events += [asked(parent="0", slot=12, refusal="too many", more=99_980)]
    events += [asked(parent="0", slot=99_993, refusal="other")]
    book = folded([*events, closed("0")], 2)
    shown = lines(book, 100)
    assert len(shown) == 11
    assert shown[8].startswith("├─ – HCH_0  Why so? → too many")
    assert shown[9].startswith("├─ – …and 99,984 more refused: too many")
    assert shown[10].startswith("└─ – …and 1 more refused: other")
    assert blemishes(book.outline) == "99993 refused"


def test_what_repeats_a_question_is_one_row() -> None:
    events = [opened("0", 1), asked(parent="0", slot=1, child="1", more=3), opened("1", 0)]
    shown = lines(folded([*events, closed("1"), closed("0")], 2), 100)
    assert shown[1].startswith("├─ ✓ HCH_0  (0.1) Why? → So.")
    assert shown[2].startswith("└─ ↺ …and 3 more, see 0.1")


def test_marks_are_ascii_where_there_is_nothing_else() -> None:
    typed_in = hch("ask", DEEP, "--depth", "3")
    assert typed_in.code == 0
    tree = hch("show", PYTHONIOENCODING="ascii").out.splitlines()[1:-1]
    assert tree[0].startswith("+ HCH_3  What is")
    assert tree[2].startswith("|  |- + HCH_1  What is 2 + 3? > 5")
    assert tree[-1].startswith("   `- + HCH_1")
    assert len({PLAIN.get(mark, mark) for mark, _ in MARKS.values()}) == len(MARKS)
    assert hch("show", "--help", PYTHONIOENCODING="ascii").code == 0


def doubted(typed: Typed) -> None:
    typed("ask", "What is 4-1?", "--depth", "0", "-s", "verify,by=oracle/script,errors=0.5")


def test_the_tree_is_the_same_by_the_trace_and_by_the_outline(typed: Typed) -> None:
    HCH(depth=2, model=two_turns(), strategy="consult").ask_sync("Why?")
    said = json.loads(typed("show", "--json").out)
    for node in said["nodes"]:
        assert json.loads(typed("show", "--json", "--node", node["id"]).out) == node


def test_rounds_have_headings_equals_are_counted_and_retries_are_told() -> None:
    events: list[Event] = [opened("0", 1)]
    for i in range(1, 8):
        ask = asked(parent="0", slot=i, child=str(i)).model_copy(update={"round": 1 + i // 5})
        events += [ask, opened(str(i), 0), *([closed(str(i))] if i < 7 else [])]
    again = CallIntended(
        request="q", attempt=2, node="7", model="m", messages=(), sampling={}, form=None,
        sample=(), seed=0, question="", instance=None, worst=FREE,
    )  # fmt: skip
    book = folded([*events, again], 2)
    assert [re.sub(r"  +[\d$].*", "", line).rstrip() for line in lines(book, 80)] == [
        "… HCH_1  Why?",
        "├─ round 1 (4 questions)",
        "│  └─ ✓ HCH_0  ×4 Why? → So.",
        "└─ round 2 (3 questions)",
        "   ├─ ✓ HCH_0  Why? → So.",
        "   ├─ ✓ HCH_0  Why? → So.",
        "   └─ … HCH_0  ↻1 Why?",
    ]
    [node] = [i for i in range(book.outline.n) if book.outline.id(i) == "0.2"]
    assert [plain(line)[:9] for line in Tree(book, 80, top=node).lines()] == ["✓ HCH_0  "]


@pytest.mark.parametrize("width", [60, 80, 200])
def test_a_timeline_has_a_bar_for_each_node_on_one_scale(width: int) -> None:
    drawn = [plain(line) for line in Tree(chain(3), width).timeline()]
    assert {cell_len(line) for line in drawn} == {width}
    scale, *rows = drawn
    assert re.fullmatch(r" +0 s +2\.5 s", scale)
    start = scale.index("0 s")
    bars = [row[start:] for row in rows]
    assert all(set(bar) <= {" ", "━"} for bar in bars)
    assert bars[0] == "━" * (width - start)
    assert [bar.index("━") for bar in bars] == sorted(bar.index("━") for bar in bars)


def test_a_timeline_tells_what_the_run_waited_for(typed: Typed) -> None:
    doubted(typed)
    typed("ask", DEEP, "--depth", "3")
    _, scale, *rows, foot = typed("show", "--timeline", "--width", "80").out.splitlines()
    assert scale.split()[0] == "0"
    assert [("━" in row, "─" in row[40:]) for row in rows].count((True, False)) == 3
    assert foot == "7 nodes, 0 calls, clean"


def test_one_node_in_full_and_what_is_below_it(typed: Typed) -> None:
    said = "line\n" * 50
    HCH(depth=1, model=ScriptedModel(regular(2)), strategy="consult").ask_sync(
        "Why?", context=[said]
    )
    shown = typed("show", "--node", "0").out
    told = ("Question", "Text 1, sent along   from document, not trusted", "Answer", "grant")
    for part in (*told, "Round 1: 2 questions", "Call 1  consult/turn", "attempt 1", "tokens"):
        assert part in shown, part
    assert shown.count("line\n") == 50
    assert "Prompt as sent" not in shown
    assert shown.splitlines()[-3].startswith("✓ HCH_1  Why? → so")
    below = typed("show", "--node", "0.2").out
    assert "\n✓ 0.2  HCH_0   answered\n" in below
    assert below.splitlines()[-1].startswith("✓ HCH_0  Why? / 2 → ")
    done = typed("show", "--node", "0.7")
    assert (done.code, done.out) == (2, "")
    assert done.err.endswith("has no node 0.7: below 0 there are 0.1 and 0.2\n")
    assert typed("show", "--node", "x").err.endswith("has no node x: its roots are 0\n")


def test_prompts_are_shown_as_sent_with_the_names_of_their_parts(typed: Typed) -> None:
    HCH(depth=1, model=ScriptedModel(regular(2)), strategy="consult").ask_sync("Why?")
    store = SqliteStore(".local/share/hch/hch.db")
    with store:
        [row] = store.runs()
        intents = [r.event for r in store.events(row.run, "CallIntended")]
    shown = typed("show", "--node", "0", "--prompts").out
    mine = [i for i in intents if isinstance(i, CallIntended) and i.question == "Why?"]
    assert len(mine) == 2
    read = "".join(re.sub(r"(?m)\n[^┃\n]{11}[┃ ]↳|^.{11}[┃ ] ?", "", shown).split())
    for intent in mine:
        for _, parts in intent.messages:
            text = "".join(body for _, body in parts)
            assert "".join(text.split()) in read
    assert re.search(r"(?m)^ +Question:\n +question ┃↳Why\?$", shown)
    assert re.search(r"(?m)^ +asked 1 ┃↳", shown)
    assert shown.count("\nReply\n") == 2
    every = typed("show", "--prompts").out
    assert every.count("Prompt as sent") == len(intents) == 4
    assert [line.split()[0] for line in every.splitlines() if " HCH_" in line][1:] == [
        "0", "0.1", "0.2"
    ]  # fmt: skip
    assert typed("show", "--prompts", "--level", "1").out.count("Prompt as sent") == 2


def test_words_are_found_wherever_they_are(typed: Typed) -> None:
    HCH(depth=1, model=two_turns(), strategy="consult").ask_sync("Why?")
    found = typed("show", "--find", "kinship")
    assert found.code == 0
    ids = [line.split()[0] for line in found.out.splitlines()]
    assert ids == ["0", "0.1"]
    assert found.out.splitlines()[1].startswith("0.1  ✓ HCH_0  question, prompt: kinship")
    refused = typed("show", "--find", "word for word", "--node", "0").out
    assert refused.startswith("0  ✓ HCH_1  refusal, prompt: it repeats the asker's own question")
    said = json.loads(typed("show", "--find", "KINSHIP", "--json").out)
    assert [(one["id"], one["found"]) for one in said][1] == ("0.1", ["question", "prompt"])
    nothing = typed("show", "--find", "nowhere at all")
    assert (nothing.code, nothing.out) == (1, "")
    assert nothing.err.endswith("has these words in its texts: nowhere at all\n")
    nothing = typed("show", "--find", "nowhere at all", "--json")
    assert (nothing.code, nothing.out) == (1, "[]\n")
    assert typed("show", "--find", "kinship", "--level", "1").out.startswith("0  ")


def test_problems_are_told_with_why_and_where(typed: Typed) -> None:
    typed("ask", DEEP, "--depth", "3")
    assert typed("show", "--problems").out == "no problems\n"
    assert typed("show", "--problems", "--json").out == "[]\n"
    doubted(typed)
    first, why, wrong, under, *_ = typed("show", "--problems").out.splitlines()
    assert first == "0.1  ! HCH_0  What is 4-1?"
    assert why == "  doubted: 0.2 rejects it: it is not the truth"
    assert wrong == "  wrong: this is not the right answer, and nothing that it asked is wrong"
    assert under == "  under: What is 4-1?"
    HCH(depth=1, model=two_turns(), strategy="consult").ask_sync("Why?")
    assert typed("show", "--problems").out == (
        "0  ✓ HCH_1  Why?\n"
        "  refused: Why? → it repeats the asker's own question word for word\n"
    )  # fmt: skip
    [one] = json.loads(typed("show", "--problems", "--json").out)
    assert (one["id"], one["path"], one["problems"][0]["what"]) == ("0", [], "refused")


def test_every_way_of_being_wrong_is_a_problem() -> None:
    events: list[Event] = [opened("0", 1, "Who?")]
    for i, status in enumerate(["unanswered", "truncated", "failed", "cancelled"], 1):
        events += [asked(parent="0", slot=i, child=str(i)), opened(str(i), 0)]
        events += [closed(str(i), status, f"so {PAYLOAD}")]
    events += [asked(parent="0", slot=5, child="5"), opened("5", 0)]
    events += [closed("5", "answered", "3", "cut: at 5 tokens", "fallback: by hand", "aside")]
    events += [asked(parent="0", slot=i, refusal=f"no {i}") for i in range(6, 16)]
    events += [asked(parent="0", slot=16, refusal="no", more=7)]
    book = folded([*events, closed("0")], 2)
    told = [[plain(x) for x in of_problem(book, node, 80)] for node in book.outline.problems]
    assert told[0][0] == "0  ✓ HCH_1  Who?"
    assert told[0][1] == "  refused: Why so? → no 6"
    assert told[0][9] == "  …and 3 more refused"
    assert [head.split()[:2] for head, *_ in told[1:]] == [
        ["0.1", "?"], ["0.2", "✂"], ["0.3", "✗"], ["0.4", "⊘"], ["0.5", "✓"]
    ]  # fmt: skip
    assert [line.partition(":")[0].strip() for line in told[3]] == [
        "0.3  ✗ HCH_0  Why?", "failed", "under"
    ]  # fmt: skip
    assert told[5][1:3] == ["  cut: at 5 tokens", "  fallback: by hand"]
    assert all(line.isprintable() for lines_ in told for line in lines_)


@pytest.mark.parametrize(
    "options",
    [
        ("--find", "x", "--problems"),
        ("--find", "x", "--timeline"),
        ("--problems", "--prompts"),
        ("--timeline", "--prompts"),
        ("--json", "--timeline"),
        ("--json", "--prompts", "--node", "0"),
    ],
)
def test_options_that_do_not_go_together_are_named(typed: Typed, options: tuple[str, ...]) -> None:
    done = typed("show", *options)
    assert (done.code, done.out) == (2, "")
    assert all(word in done.err for word in options if word.startswith("--") and word != "--node")
    assert "do not go together" in done.err
