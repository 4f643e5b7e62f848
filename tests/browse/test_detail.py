"""The pane of one node: its tabs over runs that were made, what they lead to, what they hide."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import count

import pytest
from textual.app import App, ComposeResult

from hch import Completion, Request
from hch.browse.book import Book
from hch.browse.calls import call_document
from hch.browse.canvas import LOOKS
from hch.browse.detail import TABS, Detail
from hch.browse.lines import width
from hch.errors import ModelError, TransientModelError
from hch.events import CallIntended
from hch.models.scripted import ScriptedModel
from hch.run import Result
from hch.types import Usage
from tests.payloads import PAYLOADS, raw_controls
from tests.support import STORES, answering, ask, asking, decomposition, document, regular

QUESTION, PARTS, CALLS, EVENTS, LINEAGE = range(1, 6)


def book_of(result: Result) -> Book:
    [row] = [row for row in STORES[-1].runs() if row.run == result.run]
    return Book(STORES[-1], row)


class Looks(App[None]):
    """A detail alone, and what it sent."""

    CSS = LOOKS

    def __init__(self, book: Book, id: str = "0") -> None:
        super().__init__()
        self.book, self.id_shown = book, id
        self.sent: list[tuple[str, int]] = []

    def compose(self) -> ComposeResult:
        yield Detail()

    def on_mount(self) -> None:
        self.detail.show(self.book, self.book.outline.find(self.id_shown))
        self.detail.pages.focus()

    @property
    def detail(self) -> Detail:
        return self.query_one(Detail)

    def open(self, tab: int) -> None:
        self.detail.show(self.book, self.detail.node, tab)

    @property
    def lines(self) -> list[str]:
        """Everything on the tab, beyond the screen too."""
        pages = self.detail.pages
        found = []
        for y in range(pages.count):
            line = pages.line(y, pages.room)
            assert width(line) <= pages.room
            found.append("".join(text for text, _ in line).rstrip())
        return found

    @property
    def bar(self) -> str:
        return "".join(segment.text for segment in self.detail.tabs.render_line(0)).strip()

    def where(self, text: str) -> int:
        return next(i for i, line in enumerate(self.lines) if text in line)

    def on_detail_follow(self, event: Detail.Follow) -> None:
        self.sent.append(("node", event.node))

    def on_detail_open_call(self, event: Detail.OpenCall) -> None:
        self.sent.append(("call", event.index))


def failing(kind: str, times: int) -> Callable[[Request, int], ModelError | None]:
    def fail(request: Request, attempt: int) -> ModelError | None:
        if attempt <= times:
            return TransientModelError("come back later", kind=kind, ran=False)
        return None

    return fail


def rivers(request: Request) -> Completion:
    """Asks three questions, and answers."""
    text = "**In Europe**, all of it."
    if request.form and request.form.name == "Decomposition":
        text = decomposition("Where is the Rhône?", "Where is the Rhine?", "Where is the Po?")
    return Completion(text, usage=Usage(120, 7, 100, 3))


async def test_a_question_is_shown_with_its_answer_and_its_figures() -> None:
    result = ask(
        rivers, "Which rivers?", strategy="factored", depth=1, fanout=2,
        context=[document("a map\twith tabs")],
    )  # fmt: skip
    app = Looks(book_of(result))
    async with app.run_test(size=(80, 40)):
        lines = app.lines
        assert lines[0] == "✓ 0  HCH_1   answered, not clean"
        assert "Question   from user" in lines
        assert "Text 1, sent along   from document:test, not trusted" in lines
        assert "  a map   with tabs" in lines
        assert "  In Europe, all of it." in lines
        spent, own = app.book.outline.spent(0), app.book.outline.own(0)
        assert f"  spent {4:>10}{spent.tokens:>10.0f}{0:>12}{3:>10}" in lines
        assert f"  own   {2:>10}{own.tokens:>10.0f}{0:>12}{1:>10}" in lines
        assert "  grant   no limit  no limit    no limit  no limit" in lines
        assert "  player      factored@scripted" in lines
        app.detail.toggle_raw()
        assert r"  a map\twith tabs" in app.lines
        assert "  **In Europe**, all of it." in app.lines
        assert "**In Europe**, all of it." in app.detail.text()


async def test_sub_questions_lead_to_their_nodes_and_refusals_say_why() -> None:
    app = Looks(book_of(ask(rivers, strategy="factored", depth=1, fanout=2)))
    async with app.run_test(size=(100, 30)) as pilot:
        app.open(PARTS)
        assert app.lines == [
            "Round 1: 3 questions",
            "  ✓ 0.1  Where is the Rhône? → **In Europe**, all of it.",
            "  ✓ 0.2  Where is the Rhine? → **In Europe**, all of it.",
            "  – 0.3  refused",
            "       Where is the Po?",
            "       → a node may ask 2 questions in all",
        ]
        await pilot.press("j", "enter", "G", "enter", "j", "k", "k", "k", "enter")
    assert app.sent == [
        ("node", app.book.outline.find("0.1")),
        ("node", app.book.outline.find("0.2")),
    ]


async def test_a_call_shows_its_attempts_its_prompt_and_its_reply() -> None:
    model = ScriptedModel(rivers, failures=failing("http 503", 2))
    book = book_of(ask(model, "Which rivers?", strategy="factored", depth=1, fanout=2))
    app = Looks(book)
    async with app.run_test(size=(100, 40)) as pilot:
        app.open(CALLS)
        lines = app.lines
        assert lines[0] == "✓ Call 1  factored/decompose"
        assert sum("✗ http 503: come back later" in line for line in lines) == 4
        assert sum("✓ stop" in line for line in lines) == 2
        assert "  tokens      120 in, 7 out, 100 cached, 3 reasoning" in lines
        assert any(
            line.startswith("  ■\xa0the\xa0prompt's\xa0own   ■\xa0question") for line in lines
        )
        assert any("question ┃ Question: Which rivers?" in line for line in lines)
        assert any("  asked 1 ┃ Sub-question 1: Where is the Rhône?" in line for line in lines)
        assert any(" answer 1 ┃ **In Europe**, all of it." in line for line in lines)
        app.detail.pages.go(app.where("Call 2"))
        await pilot.press("enter")
    assert app.sent == [("call", 1)]


async def test_the_prompt_can_be_read_exactly_as_it_was_sent() -> None:
    book = book_of(ask(rivers, "Which  rivers\tare\n\nthere?", strategy="factored", depth=1))
    app = Looks(book)
    async with app.run_test(size=(100, 40)):
        app.open(CALLS)
        text = app.detail.text()
    assert "■" not in text
    read = re.sub(r"(?m)\n[^┃\n]{11}[┃ ]↳|^.{11}[┃ ] ?", "", text)
    for record in book.store.events(book.run, "CallIntended"):
        assert isinstance(record.event, CallIntended)
        if record.event.node == book.node(0).key:
            for message in record.event.sent():
                assert message.content in read


async def test_of_many_calls_the_prompts_are_folded_and_the_first_ten_shown() -> None:
    def say(request: Request) -> str:
        form = request.form.name if request.form else ""
        return (
            asking(f"part {len(str(request.messages))}")
            if form == "Turn"
            else answering("so", form)
        )

    app = Looks(book_of(ask(say, strategy="consult,turns=13", depth=1)))
    async with app.run_test(size=(80, 30)) as pilot:
        app.open(CALLS)
        assert sum("▸ Prompt as sent" in line for line in app.lines) == 10
        assert app.lines[-1] == "  … 3 more (enter shows them)"
        await pilot.press("G", "enter")
        assert sum("▸ Prompt as sent" in line for line in app.lines) == 13
        app.detail.pages.go(app.where("▸ Prompt as sent"))
        await pilot.press("enter")
        assert any("question ┃ " in line for line in app.lines)


async def test_a_call_that_was_given_up_says_so() -> None:
    refused = ModelError("no such model", kind="http 404", ran=False)
    model = ScriptedModel(lambda request: refused, failures=failing("http 500", 1))
    app = Looks(book_of(ask(model, depth=0)))
    async with app.run_test(size=(80, 30)):
        assert app.lines[0] == "✗ 0  HCH_0   failed"
        assert "no such model" in "\n".join(app.lines)
        app.open(CALLS)
        assert app.lines[0] == "✗ Call 1  direct"
        assert any("✗ http 500: come back later" in line for line in app.lines)
        assert "  given up    ✗ after 2 attempts, http 404: no such model" in app.lines


async def test_the_prompt_alone_is_unfolded() -> None:
    long = "\n".join(f"line {i} of the map" for i in range(300))
    book = book_of(ask(lambda request: "so", depth=0, context=[document(long)]))
    app = Looks(book)
    async with app.run_test(size=(80, 30)):
        app.open(CALLS)
        assert any("more lines (enter shows some)" in line for line in app.lines)
        alone = call_document(book, 0, 0)
        alone.lay(80)
        shown = ["".join(text for text, _ in alone.line(y)) for y in range(alone.count)]
        assert sum("of the map" in line for line in shown) == 300
        assert not any("more lines" in line for line in shown)
        assert call_document(book, 0, 7).text() == "There is no such call.\n"


async def test_events_are_a_line_each_and_unfold() -> None:
    app = Looks(book_of(ask(rivers, strategy="factored", depth=1, fanout=2)))
    async with app.run_test(size=(100, 30)) as pilot:
        app.open(EVENTS)
        kinds = [line.split()[3] for line in app.lines]
        assert kinds == [
            "NodeOpened", "Thought", "CallIntended", "CallFinished", "Asked", "Asked", "Asked",
            "Thought", "CallIntended", "CallFinished", "NodeClosed",
        ]  # fmt: skip
        await pilot.press("j", "enter")
        assert '        "prompt": "factored/decompose"' in "\n".join(app.lines)
        await pilot.press("space")
        assert len(app.lines) == len(kinds)


async def test_a_vote_shows_its_ballot_and_its_tries() -> None:
    said = count()
    model = ScriptedModel(lambda request: "no" if next(said) == 1 else "yes")
    app = Looks(book_of(ask(model, strategy="vote,k=3/direct", depth=0)))
    async with app.run_test(size=(80, 40)):
        assert "Votes   3 tries of at most 3" in app.lines
        assert "  2     yes" in app.lines
        assert "  1     no" in app.lines
        assert "  wrapper     0 of 1" in app.lines
        app.open(PARTS)
        assert sum(" try  " in line for line in app.lines) == 3


async def test_a_try_that_a_check_rejects_is_marked() -> None:
    def say(request: Request) -> str:
        if request.form and request.form.name == "Checked":
            return '{"verdict": "reject", "reason": "it is not so"}'
        return "so"

    book = book_of(ask(ScriptedModel(say), strategy="verify/direct", depth=0))
    app = Looks(book, "0.1")
    async with app.run_test(size=(80, 30)):
        assert app.lines[0] == "! 0.1  HCH_0   answered, but a check rejects it"
        app.open(LINEAGE)
        assert any(line.startswith("! 0.1  HCH_0 try") for line in app.lines)


async def test_lineage_goes_from_the_root_and_tells_who_else_asked() -> None:
    def say(request: Request) -> str:
        if request.form and request.form.name == "Decomposition":
            return (
                decomposition("Same?")
                if "part" in request.question
                else decomposition("part 1", "part 2")
            )
        return "so"

    app = Looks(book_of(ask(say, "Whole?", strategy="factored", depth=2)), "0.1.1")
    async with app.run_test(size=(80, 30)) as pilot:
        app.open(LINEAGE)
        assert app.lines == [
            "From the root to here   3 nodes", "",
            "✓ 0  HCH_2", "  ? Whole?", "  → so", "",
            "✓ 0.1  HCH_1", "  ? part 1", "  → so", "",
            "✓ 0.1.1  HCH_0", "  ? Same?", "  → so", "",
            "Shared with   1 further question came to this node",
            "↺ 0.2  HCH_1, round 1",
        ]  # fmt: skip
        app.detail.pages.go(6)
        await pilot.press("enter", "G", "enter")
        assert app.sent == [("node", 1), ("node", app.book.outline.find("0.2"))]


async def test_a_thousand_parts_are_listed_as_they_are_looked_at() -> None:
    app = Looks(book_of(ask(regular(1001), depth=1, strategy="factored", fanout=1001)))
    async with app.run_test(size=(80, 24)) as pilot:
        app.open(PARTS)
        assert app.lines[-1] == "  … 802 more (enter shows them)"
        await pilot.press("G", "enter")
        assert app.detail.pages.count == 1002
        await pilot.press("G")
        assert "0.1001" in app.lines[-1]
        app.open(CALLS)
        assert app.lines == ["▸ Call 1   of many questions", "▸ Call 2   of many questions"]
        await pilot.press("j", "enter", "j", "enter")
        assert app.lines[2] == "✓ Call 2  factored/synthesize"
    assert app.sent == [("call", 1)]


async def test_a_tab_that_is_shown_again_is_as_it_was_left() -> None:
    long = "\n".join(f"line {i}" for i in range(100))
    app = Looks(book_of(ask(lambda request: long, depth=0)))
    async with app.run_test(size=(80, 24)) as pilot:
        pages = app.detail.pages
        pages.go(app.where("more lines"))
        await pilot.press("enter", "j")
        place, lines = (pages.cursor, pages.scroll_offset.y), app.lines
        assert "  line 99" in lines
        app.detail.show(app.book, app.detail.node)
        assert ((pages.cursor, pages.scroll_offset.y), app.lines) == (place, lines)
        app.open(CALLS)
        assert pages.cursor == 0
        app.open(QUESTION)
        assert (pages.cursor, app.lines) == (place[0], lines)
        app.detail.show(app.book, None)
        app.detail.show(app.book, 0)
        assert pages.cursor == 0
        assert any("more lines" in line for line in app.lines)


async def test_tabs_are_named_and_chosen_by_click() -> None:
    app = Looks(book_of(ask(lambda request: "so", depth=0)))
    async with app.run_test(size=(100, 24)) as pilot:
        assert app.bar == "[1 Question] 2 Sub-questions  3 Calls  4 Events  5 Lineage"
        await pilot.click("Tabs", offset=(app.bar.index("3"), 0))
        assert app.detail.tab == CALLS
        assert "[3 Calls]" in app.bar
        await pilot.resize_terminal(30, 24)
        await pilot.pause()
        assert app.bar == "1  2 [3 Calls] 4  5"
        app.detail.show(app.book, None)
        assert app.lines == ["Nothing is chosen."]
        assert TABS[app.detail.tab - 1] == "Calls"


@pytest.mark.parametrize("start", range(0, len(PAYLOADS), 40))
async def test_no_payload_reaches_the_terminal(start: int) -> None:
    some = PAYLOADS[start : start + 40]

    def say(request: Request) -> str | Completion | ModelError:
        if request.form and request.form.name == "Turn" and "answer" not in str(request.messages):
            return asking(*(payload.text for payload in some[:10]))
        text = some[len(request.question) % len(some)].text
        if len(request.question) % 3 == 0:
            return ModelError(text, kind=text[:20], ran=False)
        return (
            answering(text, request.form.name) if request.form else Completion(text, thinking=text)
        )

    asked = " ".join(payload.text for payload in some)
    context = [document(payload.text) for payload in some]
    book = book_of(ask(say, asked, strategy="consult", depth=1, context=context))
    app = Looks(book)
    async with app.run_test(size=(60, 24)):
        for node in range(min(4, book.outline.n)):
            for tab in range(1, 6):
                for _ in range(2):
                    app.detail.toggle_raw()
                    app.detail.show(book, node, tab)
                    shown = "\n".join(app.lines)
                    assert not raw_controls(shown.encode())
                    assert not raw_controls(app.detail.text().encode())


async def test_a_question_without_a_node_is_shown_whole_and_leads_to_its_asker() -> None:
    long = "Where is the Po, and " + "how long is it, " * 40 + "and why?"

    def say(request: Request) -> str:
        form = request.form and request.form.name
        return decomposition("Where?", "When?", long) if form == "Decomposition" else "so"

    app = Looks(book_of(ask(say, strategy="factored", depth=1, fanout=2)))
    async with app.run_test(size=(60, 40)) as pilot:
        app.open(PARTS)
        assert long in " ".join(" ".join(app.lines).split())
        position = app.book.outline.asks(0)[2]
        app.detail.show_ask(app.book, position)
        assert app.lines[0] == "– 0.3  refused"
        assert long in " ".join(" ".join(app.lines).split())
        assert "  a node may ask 2 questions in all" in app.lines
        assert "  round       1" in app.lines
        assert app.detail.text().startswith("– 0.3  refused\n")
        app.detail.pages.go(app.where("asked by"))
        await pilot.press("enter")
        app.open(CALLS)
        assert app.lines[0] == "✓ Call 1  factored/decompose"
    assert app.sent == [("node", 0)]


async def test_any_line_of_what_a_call_took_leads_to_it() -> None:
    app = Looks(book_of(ask(rivers, strategy="factored", depth=1, fanout=2)))
    async with app.run_test(size=(100, 40)) as pilot:
        app.open(CALLS)
        for label in ("model", "attempt 1", "tokens", "sampling"):
            app.detail.pages.go(app.where(f"  {label} "))
            await pilot.press("enter")
    assert app.sent == [("call", 0)] * 4


async def test_a_search_marks_lines_and_goes_to_the_first_one() -> None:
    said = "\n".join(f"line {i} of the map" for i in range(300))
    app = Looks(book_of(ask(lambda request: said, depth=0)))
    async with app.run_test(size=(60, 20)):
        pages = app.detail.pages
        pages.highlight = re.compile("of the")
        y = app.where("line 3 of")
        assert ("of the", "hit") in pages.line(y, pages.room)
        assert pages.seek(re.compile("line 5 of"))
        assert pages.cursor == app.where("line 5 of")
        assert pages.seek(re.compile("line 290 of"))
        assert "line 290 of" in app.lines[pages.cursor]
        assert not pages.seek(re.compile("no such thing"))
        app.open(EVENTS)
        folded = len(app.lines)
        assert not pages.seek(re.compile("no such thing"))
        assert len(app.lines) == folded
        assert pages.seek(re.compile('"max_tokens"'))
        assert '"max_tokens"' in app.lines[pages.cursor]
