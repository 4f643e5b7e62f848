"""Shows a run's tree."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Exit, Option

from hch.commands._completion import complete_file, complete_run
from hch.commands._finding import find
from hch.commands._given import check_filled
from hch.commands._terminal import columns, say, say_json, tell
from hch.errors import UsageError

if TYPE_CHECKING:
    from hch.browse.lines import Line
    from hch.commands._tree import Tree

WIDTH = 100
"""Columns where stdout is no terminal."""

AT_ONCE = 500
"""Lines that are printed together."""

MANY, FIRST = 200, 20
"""Of more roots than these, how many are shown where nothing is said of which."""


def build() -> Callable[..., None]:
    return show


def show(
    run: Annotated[
        str | None,
        Argument(
            metavar="RUN",
            help="A run's id, or how it begins; else the newest.",
            autocompletion=complete_run,
        ),
    ] = None,
    node: Annotated[
        str | None, Option(metavar="ID", help="That node in full, and the tree below it.")
    ] = None,
    find: Annotated[
        str | None, Option(metavar="TEXT", help="The nodes in whose texts these words are.")
    ] = None,
    problems: Annotated[
        bool, Option("--problems", help="Only what is wrong: where, what, and why.")
    ] = False,
    prompts: Annotated[
        bool, Option("--prompts", help="What was sent and received, for every node shown.")
    ] = False,
    timeline: Annotated[
        bool, Option("--timeline", help="When each node was at work; ━ is the critical path.")
    ] = False,
    level: Annotated[
        int | None,
        Option(min=0, metavar="N", help="Leave out the nodes below level N; at 0 show all roots."),
    ] = None,
    width: Annotated[
        int | None, Option(min=20, metavar="N", help="Columns. [the terminal's, else 100]")
    ] = None,
    store: Annotated[
        str | None,
        Option(
            metavar="FILE",
            help="Where the run is kept. [traces/hch.db]",
            autocompletion=complete_file,
        ),
    ] = None,
    as_json: Annotated[bool, Option("--json", help="Print JSON, with every figure.")] = False,
) -> None:
    """Show a run's tree: who was asked what, what came back, and what it took.

    ✓ answered, ? unanswered, ✂ truncated, ✗ failed, ⊘ cancelled, … not ended, · not begun,
    – refused, ↺ shared with a node that stands elsewhere, ! doubted by a check. Figures are the
    subtree's. A `try` is of the question above it, `put` is what another player is asked; (3 of 5)
    are an answer's votes, ↻2 calls made again, ×4 equal siblings in one row. An answer is `wrong`
    where the truth is known, as of a task, and `wrong↓` where one below it is, too.

    A run that is still going on is shown as it stands. Of more than 200 roots the first 20 are
    shown, unless a level is given.

    Exit status:
      0  Shown, however the run ended.
      1  No text has the words of --find.
      2  There is no such run or node, or there are several runs.
      5  The store cannot be read.

    Examples:
      hch show
      hch show 260102 --level 2 --timeline
      hch show --node 0.1 --prompts
      hch show --find "the Rhine"
      hch show --problems
      hch show --json | python -m json.tool

    See also:
      hch browse, hch runs, hch resume
    """
    check_filled(RUN=run, node=node, find=find, store=store)
    wanted = _Wanted(node, find, problems, prompts, timeline, as_json)
    wanted.check()
    _show(run, wanted, level, width or columns(sys.stdout, WIDTH), store)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What of a run is to be shown, and how."""

    node: str | None
    find: str | None
    problems: bool
    prompts: bool
    timeline: bool
    json: bool

    def check(self) -> None:
        """Raises UsageError for options of which each wants something else to be shown."""
        given = {
            "--find": self.find is not None,
            "--problems": self.problems,
            "--prompts": self.prompts,
            "--timeline": self.timeline,
        }
        names = [name for name, is_given in given.items() if is_given]
        if self.json:
            names += ["--json"] if {"--prompts", "--timeline"} & set(names) else []
        if len(names) > 1:
            raise UsageError(f"{' and '.join(names)} do not go together: each shows another thing")


def _show(
    run: str | None, wanted: _Wanted, level: int | None, width: int, store: str | None
) -> None:
    from hch.compose import HCH

    with closing(HCH(store=store).kept_in) as kept_in:
        row = find(kept_in, run)
        if wanted.json and not (wanted.node or wanted.find or wanted.problems):
            from hch.commands._figures import as_object
            from hch.trace import Trace

            say_json(as_object(Trace(kept_in.events(row.run)), row.status, level or 0))
            return
        from hch.browse.book import Book
        from hch.browse.named import named
        from hch.browse.truth import truth_of
        from hch.commands._tree import Tree

        book = Book(kept_in, row)
        truth = truth_of(book)
        for wrong in truth.batches() if truth else ():
            book.wrong |= wrong
        top = -1 if wanted.node is None else named(book.outline, book.run, wanted.node)
        most = FIRST if level is None and len(book.outline.roots) > MANY else None
        tree = Tree(book, width, level or 0, top, most)
        if wanted.find is not None:
            _found(tree, wanted.find, as_json=wanted.json)
        elif wanted.problems:
            _problems(tree, as_json=wanted.json)
        elif wanted.json:
            from hch.browse.figures import of_node
            from hch.commands._labels import labels_of

            labels = [label.model_dump(exclude={"key"}) for label in labels_of(book, top)]
            say_json({**of_node(book, top), **({"labels": labels} if labels else {})})
        else:
            _print(_page(tree, wanted, store))


def _page(tree: Tree, wanted: _Wanted, store: str | None) -> Iterator[Line]:
    from hch.commands._node import described
    from hch.commands._running import Place
    from hch.commands._shown import examined, footer, header, unshown

    book, place = tree.book, Place(store)
    yield header(book, tree.width)
    yield from examined(book, place)
    if tree.top >= 0:
        yield []
        for text in described(book, tree.top, prompts=wanted.prompts):
            yield [(text, "")]
        yield []
    elif wanted.prompts:
        yield from _prompts(tree)
        return
    yield from tree.timeline() if wanted.timeline else tree.lines()
    if tree.top < 0:
        yield from unshown(tree, place)
        yield from footer(book, place)


def _prompts(tree: Tree) -> Iterator[Line]:
    """What was sent for every node, and what came back."""
    from hch.commands._node import called, heading

    for node in tree.nodes():
        yield []
        yield heading(tree.book, node, tree.width)
        for text in called(tree.book, node, prompts=True):
            yield [(text, "")]


def _found(tree: Tree, query: str, *, as_json: bool) -> None:
    """Raises Exit with 1 where nothing was found."""
    from hch.commands._found import as_object, finding, line

    found = finding(tree.book, query, tree.nodes())
    first = next(found, None)
    every = chain([first] if first else [], found)
    if as_json:
        say_json([as_object(tree.book, one, query) for one in every])
    else:
        _print(line(tree.book, one, query, tree.width) for one in every)
    if first is None:
        tell(f"nothing in run {tree.book.run} has these words in its texts: {query}")
        raise Exit(1)


def _problems(tree: Tree, *, as_json: bool) -> None:
    from hch.commands._problems import as_object, lines

    shown = set(tree.nodes())
    nodes = [node for node in tree.book.problems() if node in shown]
    if as_json:
        say_json([as_object(tree.book, node) for node in nodes])
    elif not nodes:
        say("no problems")
    else:
        _print(line for node in nodes for line in lines(tree.book, node, tree.width))


def _print(lines: Iterator[Line]) -> None:
    """Print lines as they are, never as markup; coloured where stdout is a terminal."""
    from rich.console import Console
    from rich.text import Text

    from hch.browse.lines import STYLES, plain

    console = Console(markup=False, highlight=False, emoji=False, soft_wrap=True)
    while some := list(islice(lines, AT_ONCE)):
        if not console.is_terminal:
            say("\n".join(plain(line).rstrip() for line in some))
            continue
        texts = [Text.assemble(*((text, STYLES[style]) for text, style in line)) for line in some]
        with console.capture() as captured:
            console.print(Text("\n").join(texts), no_wrap=True, crop=False, overflow="ignore")
        say(captured.get().removesuffix("\n"))
