"""Writes runs as text, for somebody else or another store."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from enum import StrEnum
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from hch.commands._completion import complete_file, complete_run
from hch.commands._finding import find
from hch.commands._given import check_filled
from hch.commands._terminal import say, tell
from hch.errors import UsageError
from hch.safe_text import one_line
from hch.words import count

if TYPE_CHECKING:
    from hch.keeping import Store
    from hch.redaction import Redaction

AT_ONCE = 1 << 18
"""The characters that are written together, unless one line has more."""


class Format(StrEnum):
    """What `--format` may be."""

    events = "events"
    canonical = "canonical"


def build() -> Callable[..., None]:
    return export


def export(
    runs: Annotated[
        list[str] | None,
        Argument(
            metavar="RUN",
            help="Ids of runs, or how they begin; else the newest.",
            autocompletion=complete_run,
        ),
    ] = None,
    every: Annotated[bool, Option("--all", help="Every run, the oldest first.")] = False,
    form: Annotated[
        Format, Option("--format", help="Everything, or what two equal runs share.")
    ] = Format.events,
    output: Annotated[
        str | None,
        Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Where to. [stdout]",
            autocompletion=complete_file,
        ),
    ] = None,
    force: Annotated[bool, Option("--force", help="Overwrite FILE.")] = False,
    store: Annotated[
        str | None,
        Option(
            metavar="FILE",
            help="Where the runs are kept. [traces/hch.db]",
            autocompletion=complete_file,
        ),
    ] = None,
) -> None:
    """Write runs as text: every event and label, a line of JSON each, as hch import reads them.

    A run that is unfinished or still going on is written as it stands. Questions, prompts and
    replies are all in there; a run with a key of this environment in it is not written. With
    --format canonical, one run's tree is written without times, ids and attempts: two runs are the
    same when these bytes are equal.

    Exit status:
      0  Written.
      1  stdout cannot take it.
      2  There is no such run, or there are several; FILE is there already, or cannot be written.
      5  The store cannot be read.

    Examples:
      hch export > run.jsonl
      hch export --all --output runs.jsonl
      hch export 260102-030405-6789ab --format canonical

    See also:
      hch import, hch runs, docs/interchange.md
    """
    from hch.compose import HCH

    check_filled(RUN=runs, output=output, store=store)
    if every and runs:
        raise UsageError("--all is every run: name none beside it")
    hch = HCH(store=store)
    with closing(hch.kept_in) as kept_in:
        wanted = _wanted(kept_in, runs or [], every=every)
        if form is Format.canonical:
            if len(wanted) > 1:
                raise UsageError("--format canonical is of one run: name one")
            lines: Iterable[str] = _canonical(kept_in, wanted[0], hch.redaction)
        else:
            from hch.interchange import lines as all_lines

            lines = all_lines(wanted, kept_in.events, hch.redaction, kept_in.labels)
        if output is None:
            for some in _together(lines):
                say(some)
            return
        with _written(Path(output), force=force) as write:
            for some in _together(lines):
                write(f"{some}\n".encode("ascii"))
    tell(f"wrote {count(len(wanted), 'run')} to {output}")


def _wanted(store: Store, given: list[str], *, every: bool) -> list[str]:
    """The ids of what was asked for, each once."""
    names: Sequence[str | None] = given or (None,)
    if not every:
        return list(dict.fromkeys(find(store, name).run for name in names))
    find(store, None)  # for its error where there are none
    return [row.run for row in reversed(store.runs())]


def _canonical(store: Store, run: str, redaction: Redaction) -> list[str]:
    from hch.trace import Trace

    text = Trace(store.events(run)).canonical().decode("ascii")
    if redaction.shows(text):
        raise UsageError(f"run {run} is not exported: it has a key of this environment in it")
    return text.splitlines()


def _together(lines: Iterable[str]) -> Iterator[str]:
    """Lines joined to some size, without the last one's end."""
    some: list[str] = []
    size = 0
    for line in lines:
        some.append(line)
        size += len(line)
        if size >= AT_ONCE:
            yield "\n".join(some)
            some, size = [], 0
    if some:
        yield "\n".join(some)


@contextmanager
def _written(path: Path, *, force: bool) -> Iterator[Callable[[bytes], object]]:
    """A file that is there when all of it is. Raises UsageError where it may or can not be."""
    try:
        if os.path.lexists(path) and (path.is_symlink() or not path.is_file()):
            raise UsageError(f"{path} is a link or no regular file: leave --output out, or move it")
        if path.exists() and not force:
            raise UsageError(f"{path} would be overwritten: add --force")
        beside = path.with_name(f".{path.name[:100]}.{token_hex(4)}")
        with beside.open("xb") as file:
            try:
                yield file.write
                file.flush()
                os.fsync(file.fileno())
                beside.replace(path)
            except BaseException:
                beside.unlink(missing_ok=True)
                raise
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise UsageError(f"{one_line(str(path))} cannot be written: {why}") from error
