"""Pages through the rows of a dataset beside the trees that they are from."""

from __future__ import annotations

import sys
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Exit, Option

from hch.commands._dataset_given import FolderArgument, RunsOption, opened
from hch.commands._given import check_filled
from hch.commands._terminal import is_drawn_on, is_terminal, say, say_json, tell
from hch.errors import UsageError
from hch.safe_text import one_line

if TYPE_CHECKING:
    from hch.datasets.dataset import Dataset, Shard
    from hch.keeping import Store


def look_at_dataset(
    folder: FolderArgument,
    row: Annotated[
        int,
        Argument(metavar="[ROW]", min=0, help="Its number, from 0. [0]", show_default=False),
    ] = 0,
    kind: Annotated[
        str | None, Option(metavar="KIND", help="Only rows of this kind, such as answer.")
    ] = None,
    split: Annotated[
        str | None, Option(metavar="SPLIT", help="Only rows of this split, such as train.")
    ] = None,
    plain: Annotated[
        bool, Option("--plain", help="Print the row, also where there is a terminal.")
    ] = False,
    theme: Annotated[str | None, Option(metavar="dark|light", help="The colours. [dark]")] = None,
    store: RunsOption = None,
    as_json: Annotated[bool, Option("--json", help="Print the row as JSON.")] = False,
) -> None:
    """Look at a row, beside the tree that it is from, and page through the others.

    In a terminal, n and p turn to the next row and the one before, tab goes to the tree, o walks
    it as hch browse does, ? shows all keys, q leaves. Else, and with --plain, the row is printed,
    and the nodes from the root to it. Where the store has not got the run, there is only the row.

    ROW counts the rows of that kind and split, as datasets.load_dataset does; without --kind and
    --split it counts all, kind after kind.

    Exit status:
      0  Shown, or left.
      2  There is no dataset, no such row, or a file of it cannot be read.
      5  The store cannot be read.
      6  Parquet lacks its package.
      129, 130, 143  Stopped by a signal.

    Examples:
      hch dataset look rivers
      hch dataset look rivers 7 --kind decision --split test
      hch dataset look rivers 7 --plain

    See also:
      hch browse, hch dataset stats, docs/dataset-files.md
    """
    check_filled(DIR=folder, kind=kind, split=split, theme=theme, store=store)
    if theme not in (None, "dark", "light"):
        raise UsageError(f"no theme is called {theme}: it is dark or light")
    dataset = opened(folder)
    shards = dataset.shards(kind, split)
    from hch.compose import HCH

    with closing(HCH(store=store).kept_in) as kept_in:
        if as_json or plain or not _drawn_on():
            _print(dataset, shards, kept_in, row, as_json=as_json)
            return
        dataset.page(shards, row)
        from hch.browse.leafing import Leafing

        code = Leafing(dataset, shards, kept_in, row, theme=theme).leave()
    if code:
        raise Exit(code)


def _drawn_on() -> bool:
    """Whether a screen can be drawn, and somebody types."""
    streams = (sys.stdin, sys.stdout, sys.stderr)
    return all(map(is_terminal, streams)) and is_drawn_on(sys.stdout)


def _print(
    dataset: Dataset, shards: list[Shard], store: Store, number: int, *, as_json: bool
) -> None:
    from hch.browse.book import Book
    from hch.browse.training import described, node_of

    page = dataset.page(shards, number)
    run = page.origin.get("run")
    listed = next((row for row in store.runs() if row.run == run), None)
    book = Book(store, listed) if listed else None
    node = node_of(book, page) if book else None
    if as_json:
        path = book.outline.path(node)[::-1] if book and node is not None else []
        say_json({
            "kind": page.shard.kind, "split": page.shard.split, "file": page.shard.entry.path,
            "line": page.line + 1, "row": page.row, "origin": page.origin,
            "path": [_node(book, each) for each in path] if book else [],
        })  # fmt: skip
        return
    rows = sum(shard.entry.rows for shard in shards)
    say(f"{page.shard.kind}/{page.shard.split}  row {number:,} of {rows:,}")
    say("\n".join(described(page, book, node)))
    if node is None:
        tell(f"{store.place} has no node that this row is from: {one_line(str(run), 80)}")


def _node(book: object, node: int) -> dict[str, object]:
    from hch.browse.book import Book

    assert isinstance(book, Book)
    [said] = book.said([node])
    outline = book.outline
    return {
        "node": outline.id(node), "level": outline.level[node], "status": outline.state(node),
        "question": said.question, "said": said.said,
    }  # fmt: skip
