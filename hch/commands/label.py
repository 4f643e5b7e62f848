"""Says of nodes that they are good or bad: beside the run, as datasets then take it."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from math import isfinite
from time import time
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Context, Option, Typer

from hch.commands._completion import complete_run, complete_scorer
from hch.commands._finding import find
from hch.commands._given import check_filled
from hch.commands._options import StoreOption
from hch.commands._page import ArgumentGroup, PageCommand
from hch.commands._terminal import say, say_json, tell
from hch.errors import UsageError
from hch.safe_text import one_line, safe_text
from hch.words import count

if TYPE_CHECKING:
    from hch.keeping import RunRow, Store
    from hch.labels import Label

LONGEST = 200
"""The characters of a name."""

AT_ONCE = 500
"""The lines that are printed together."""


def build() -> Typer:
    app = Typer(cls=ArgumentGroup, add_completion=False, rich_markup_mode=None)
    app.callback(invoke_without_command=True)(label)
    app.command("list", cls=PageCommand)(list_)
    return app


def label(
    ctx: Context,
    run: Annotated[
        str | None,
        Argument(metavar="RUN", help="A run's id, or how it begins.", autocompletion=complete_run),
    ] = None,
    node: Annotated[
        str | None, Argument(metavar="NODE", help="A node's id, as hch show has it.")
    ] = None,
    said: Annotated[str | None, Argument(metavar="SAID", help="good or bad.")] = None,
    score: Annotated[
        float | None, Option(metavar="X", help="How good: a number, on a scale of yours.")
    ] = None,
    note: Annotated[str | None, Option(metavar="TEXT", help="Why, or anything else.")] = None,
    by: Annotated[str | None, Option(metavar="NAME", help="Which person says so.")] = None,
    truth: Annotated[
        bool, Option("--truth", help="Label every answer that the run's task can grade.")
    ] = False,
    scorer: Annotated[
        str | None,
        Option(
            metavar="NAME",
            help="Label the roots with an expected answer, as it compares.",
            autocompletion=complete_scorer,
        ),
    ] = None,
    clear: Annotated[bool, Option("--clear", help="Take back what the same said before.")] = False,
    store: StoreOption = None,
) -> None:
    """Say of a node that it is good or bad: a record beside the run, which stays as it is.

    A person labels one node: good or bad, with a score or a note, or one of these alone. What is
    not given stays as the same person said it before. --truth labels all answers that the task of
    the run can tell right or wrong, and those that an evaluation holds against an expected one;
    --scorer only the roots that have an expected answer. The last word of each counts; people are
    believed before the truth of a task, that before scorers, and these before files.

    hch label list shows the labels of a run; hch export writes them, hch import reads them, and
    hch dataset selects by them.

    Exit status:
      0  Labelled, or taken back.
      2  There is no such run or node, or nothing that could tell what is right.
      5  The store cannot be read or written.

    Examples:
      hch label 260102-030405-6789ab 0.2.1 good
      hch label 260102 0.2 bad --score 0.1 --note "the sign is wrong" --by ada
      hch label 260102 --truth
      hch label 260102 --scorer numeric
      hch label 260102 0.2.1 --clear
      hch label list 260102

    See also:
      hch show, hch export, hch dataset, docs/labels.md
    """
    if ctx.invoked_subcommand:
        return
    check_filled(RUN=run, NODE=node, by=by, scorer=scorer, note=note, store=store)
    given = _Given(node, said, score, note, by, truth, scorer, clear)
    given.check(run)
    from hch.compose import HCH

    hch = HCH(store=store)
    with closing(hch.kept_in) as kept_in:
        row = find(kept_in, run)
        if truth or scorer is not None:
            _label_all(kept_in, row, given)
        else:
            _label_one(kept_in, row, given, hch.redaction.text(note or ""))


def list_(
    run: Annotated[
        str | None,
        Argument(
            metavar="RUN",
            help="A run's id, or how it begins; else the newest.",
            autocompletion=complete_run,
        ),
    ] = None,
    store: StoreOption = None,
    as_json: Annotated[bool, Option("--json", help="Print JSON, one object a node.")] = False,
) -> None:
    """Show what was said of a run's nodes: a line for each, with its question.

    --json also has every label that was given, of which the last by each counts.

    Exit status:
      0  Shown, also where there are none.
      2  There is no such run, or there are several.
      5  The store cannot be read.

    Examples:
      hch label list
      hch label list 260102 --json
    """
    from itertools import islice

    from hch.browse.book import Book
    from hch.commands._labels import lines, objects
    from hch.compose import HCH

    check_filled(RUN=run, store=store)
    with closing(HCH(store=store).kept_in) as kept_in:
        book = Book(kept_in, find(kept_in, run))
        if as_json:
            say_json(list(objects(book)))
            return
        left, any_ = lines(book), False
        while some := list(islice(left, AT_ONCE)):
            say("\n".join(some))
            any_ = True
        if not any_:
            tell(f"run {book.run} has no labels")


@dataclass(frozen=True, slots=True)
class _Given:
    """What was typed."""

    node: str | None
    said: str | None
    score: float | None
    note: str | None
    by: str | None
    truth: bool
    scorer: str | None
    clear: bool

    def check(self, run: str | None) -> None:
        """Raises UsageError for what does not go together, or lacks."""
        if run is None:
            raise UsageError("name a run, and a node of it: hch label RUN NODE good")
        own = {
            "NODE": self.node, "--score": self.score, "--note": self.note, "--by": self.by,
        }  # fmt: skip
        words = [name for name, value in own.items() if value is not None]
        many = [
            name
            for name, is_given in (("--truth", self.truth), ("--scorer", self.scorer))
            if is_given
        ]
        if len(many) > 1 or (many and words):
            raise UsageError(
                f"{' and '.join([*many, *words])} do not go together: a person labels one node, "
                "and --truth or --scorer all that they can tell"
            )
        if not many:
            self._check_person()

    def _check_person(self) -> None:
        said = [value for value in (self.said, self.score, self.note) if value is not None]
        if self.node is None:
            raise UsageError("name a node, as in hch label RUN 0.2.1 good; or say --truth")
        if self.said not in (None, "good", "bad"):
            raise UsageError(f"{one_line(self.said, 40)!r} is neither good nor bad")
        if self.clear and said:
            raise UsageError("--clear takes all back: say nothing else beside it")
        if not self.clear and not said:
            raise UsageError("say good or bad, or give a --score or a --note")
        if self.score is not None and not isfinite(self.score):
            raise UsageError(f"--score {self.score:g} is no finite number")
        if self.by and (len(self.by) > LONGEST or safe_text(self.by) != self.by or "\n" in self.by):
            raise UsageError(f"--by is a name of at most {LONGEST} characters, all of them visible")


def _label_one(store: Store, row: RunRow, given: _Given, note: str) -> None:
    """Label a node as a person says. Raises UsageError where there is no such node."""
    from hch.browse.book import Book
    from hch.browse.named import named
    from hch.events import NodeOpened
    from hch.labels import LONGEST as NOTE

    if len(note) > NOTE:
        raise UsageError(f"--note has {len(note):,} characters, and may have {NOTE:,}")
    book = Book(store, row)
    node = named(book.outline, book.run, given.node or "")
    [opened] = store.picked(book.run, [book.outline.opened[node]])
    assert isinstance(opened.event, NodeOpened)
    by = f"person:{given.by}" if given.by else "person"
    new = _merged(store, book.run, opened.event.key, by, given, note)
    store.label(book.run, [new])
    what = "what was said is taken back" if new.blank else _told(new)
    tell(f"run {book.run}, node {given.node}: {what}, by {by}")


def _merged(store: Store, run: str, key: str, by: str, given: _Given, note: str) -> Label:
    """The label by a person, what is not given now being as it was said before."""
    from hch.labels import Label, latest

    blank = Label(key=key, by=by, at=0.0)
    before = latest(store.labels(run, [key])).get((key, by), blank)
    at = max(time(), before.at)
    if given.clear:
        return blank.model_copy(update={"at": at})
    more: dict[str, Any] = {"said": given.said, "score": given.score, "note": note or None}
    told = {name: value for name, value in more.items() if value is not None}
    return Label.model_validate({**before.model_dump(), **told, "at": at})


def _told(label: Label) -> str:
    score = None if label.score is None else f"{label.score:g}"
    return ", ".join(filter(None, (label.said, score, label.note and f"“{label.note}”")))


def _label_all(store: Store, row: RunRow, given: _Given) -> None:
    """Label what the truth, or a scorer, can tell. Raises UsageError where it can tell nothing."""
    from hch.evals.labelling import clear_all, label_all
    from hch.evals.truth import Truth, alone
    from hch.past import Past

    by = "truth" if given.scorer is None else f"scorer:{given.scorer}"
    if len(by) > LONGEST:
        raise UsageError(f"--scorer is a spec of at most {LONGEST} characters")
    scorer = None if given.scorer is None else alone(given.scorer)
    if given.clear:
        cleared = clear_all(store, row.run, by, time())
        tell(f"run {row.run}: {count(cleared, 'label')} by {by} taken back")
        return
    truth = Truth(Past(store, row.run).started, scorer)
    if not truth.known:
        what = "no answer is expected in it" if scorer else "it has no task, and expects no answers"
        raise UsageError(f"run {row.run} cannot be labelled by {by}: {what}")
    counts = label_all(store, row.run, truth, by, time())
    tell(
        f"run {row.run}: {counts['good']:,} good, {counts['bad']:,} bad, by {by}; "
        f"{count(counts['new'], 'label')} new"
    )
