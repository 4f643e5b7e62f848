"""Answers that are known to be wrong: as an evaluation grades them, and where one comes in."""

from __future__ import annotations

import asyncio

from hch import HCH, Completion, Request, ScriptedModel
from hch.browse.book import Book
from hch.browse.truth import truth_of
from hch.evals.grading import Grades
from hch.keeping import Store
from hch.trace import Trace
from tests.evals.evaluating import contest, sheet, task_of
from tests.support import decomposition, memory

TOP = "What is (2 + 3) * (4 - 1)?"
TOLD = {"What is 2 + 3?": "6", "What is 4 - 1?": "3"}


def marked(store: Store) -> dict[str, str]:
    """The verdict on every node of the newest run of which there is one, by id."""
    book = Book(store, store.runs()[0])
    truth = truth_of(book)
    for wrong in truth.batches() if truth else ():
        book.wrong |= wrong
    outline = book.outline
    found = {outline.id(node): book.verdict(node) for node in range(outline.n)}
    problems = {outline.id(node) for node in book.problems()}
    assert problems == {outline.id(node) for node in outline.problems} | {
        id for id, said in found.items() if said == "wrong"
    }
    return {id: said for id, said in found.items() if said}


def mind(request: Request) -> str | Completion:
    """Takes 2 + 3 for 6, and goes on with that."""
    if request.question == TOP:
        return decomposition(*TOLD) if request.form and "uestions" in str(request.form) else "18"
    return TOLD[request.question]


def asked(store: Store, task: str | None) -> None:
    hch = HCH(depth=1, strategy="factored", model=ScriptedModel(mind), task=task, store=store)
    assert hch.ask_sync(TOP).text == "18"


def test_where_a_wrong_answer_comes_in_is_told_from_what_it_led_to() -> None:
    store = memory()
    asked(store, "arithmetic")
    assert marked(store) == {"0": "wrong↓", "0.1": "wrong"}


def test_right_answers_are_not_marked() -> None:
    store = memory()
    HCH(depth=1, strategy="script", store=store).ask_sync(TOP)
    assert marked(store) == {}


def test_without_a_task_nobody_knows_what_a_model_should_say() -> None:
    store = memory()
    asked(store, None)
    assert marked(store) == {}
    assert truth_of(Book(store, store.runs()[0])) is None


def test_of_an_evaluation_it_says_what_the_grades_say() -> None:
    store, questions = memory(), (TOP, "What is 7 * 6?", "What is (1 + 1) * 2 + (9 - 1)?")
    run = contest("vote,k=3/script,errors=0.4", "script,errors=0.4").begin(
        sheet(*questions, expected=("15", "41", None)), store=store, task="arithmetic", pause=0.0
    )
    asyncio.run(run.finish())
    trace = Trace(store.events(run.id))
    grades = Grades(trace, task_of(), None)
    wrong = {node.id for node in trace.nodes() if grades.right(node) is False}
    assert wrong
    assert marked(store).keys() == wrong
