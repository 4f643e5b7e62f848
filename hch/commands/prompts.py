"""Lists the prompts with who uses them, shows one, and copies them to be edited."""

from __future__ import annotations

import os
import shlex
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from typer import Argument, Context, Option, Typer

from hch import prompts as files
from hch.commands._completion import complete_folder, complete_prompt
from hch.commands._given import check_filled
from hch.commands._page import group
from hch.commands._placeholders import Use, uses
from hch.commands._terminal import say, say_json, say_raw, tell
from hch.errors import PromptError, UsageError
from hch.safe_text import one_line

Origin: TypeAlias = Literal["shipped", "copied", "changed", "added", "unused", "missing"]

SAID: Mapping[Origin, str] = {
    "shipped": "",
    "copied": "a copy of the shipped one",
    "changed": "changed",
    "added": "added",
    "unused": "no strategy uses it",
    "missing": "there is no such file",
}
"""What stands beside a prompt, by where its text is from."""

FolderOption: TypeAlias = Annotated[
    str | None,
    Option(
        "--prompts",
        metavar="DIR",
        help="Files that go before the shipped ones. [defaults.prompts of hch.toml]",
        autocompletion=complete_folder,
    ),
]
JsonOption: TypeAlias = Annotated[bool, Option("--json", help="Print JSON, one object a prompt.")]


@dataclass(frozen=True)
class Row:
    """A prompt as it is listed. `file` is where its text is read from; `problem` what is wrong."""

    name: str
    strategies: list[str]
    placeholders: list[str]
    origin: Origin
    file: str | None
    near: str | None = None
    problem: str | None = None


def build() -> Typer:
    return group(prompts, list=list_, show=show, copy=copy)


def prompts(ctx: Context, folder: FolderOption = None, as_json: JsonOption = False) -> None:
    """List the prompts, show one, or copy them to be edited; alone it lists them.

    What a model is sent is a prompt file, filled in. A folder of your own goes before the shipped
    one: a file in it stands in for the one of the same name. A run keeps the exact text of every
    prompt it uses, so a run that is resumed goes on with what it was begun with.

    Exit status:
      0  Done, also where a file was found to be wrong.
      2  An unknown name, a folder that is none, or a file that would be overwritten.
      6  A prompt that cannot be read, or a wrong setting.

    Examples:
      hch prompts
      hch prompts show factored/decompose
      hch prompts copy my-prompts factored/decompose
      hch ask "What is 2 + 3?" --prompts my-prompts

    See also:
      hch plugins strategies, docs/prompts.md
    """
    check_filled(prompts=folder)
    if ctx.invoked_subcommand is None:
        _list(folder, as_json=as_json)


def list_(folder: FolderOption = None, as_json: JsonOption = False) -> None:
    """List the prompts: who uses each, its own placeholders, and whether it is the shipped one.

    A file that no strategy uses, or that cannot be used as it is, is pointed out.

    Examples:
      hch prompts list
      hch prompts list --prompts my-prompts
      hch prompts list --json
    """
    check_filled(prompts=folder)
    _list(folder, as_json=as_json)


def show(
    name: Annotated[
        str, Argument(metavar="NAME", help="Such as direct.", autocompletion=complete_prompt)
    ],
    folder: FolderOption = None,
    as_json: Annotated[bool, Option("--json", help="Print one JSON object instead.")] = False,
) -> None:
    """Print the exact text of a prompt.

    Examples:
      hch prompts show direct
      hch prompts show factored/decompose --prompts my-prompts
      hch prompts show direct --json
    """
    check_filled(NAME=name, prompts=folder)
    folders = _folders(folder)
    known = sorted({*uses().by_prompt, *(found for place in folders for found in _in(place))})
    read, name = files.reader(folders), _known(name, known)
    text = read(name)
    if as_json:
        say_json({"name": name, "file": str(read.file(name)), "text": text})
    else:
        say_raw(text.removesuffix("\n"))


def copy(
    into: Annotated[
        str,
        Argument(metavar="DIR", help="A folder, new or not.", autocompletion=complete_folder),
    ],
    names: Annotated[
        list[str] | None,
        Argument(metavar="NAME", help="Which; else all.", autocompletion=complete_prompt),
    ] = None,
    force: Annotated[bool, Option("--force", help="Overwrite what is there.")] = False,
) -> None:
    """Copy shipped prompts into a folder, to be edited there; what is written is printed.

    Copy only what you mean to change: what is not in your folder stays as hch ships it.

    Examples:
      hch prompts copy my-prompts
      hch prompts copy my-prompts factored/decompose factored/synthesize
    """
    check_filled(DIR=into, NAME=names)
    known = _in(files.shipped())
    wanted = list(dict.fromkeys(_known(name, known) for name in names or known))
    there = [str(path) for name in wanted if _is_there(path := _file(Path(into), name), Path(into))]
    if there and not force:
        raise UsageError(f"{', '.join(there)} would be overwritten: add --force")
    for name in wanted:
        path = _file(Path(into), name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(_file(files.shipped(), name).read_bytes())
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UsageError(f"{path} cannot be written: {reason}") from error
        say(one_line(str(path)))
    quoted = shlex.quote(into)
    tell(f"edit them, see what hch makes of them with hch prompts --prompts {quoted}")
    tell(f"and use them with hch ask … --prompts {quoted}")


def _is_there(path: Path, into: Path) -> bool:
    """Whether there is a file. Raises UsageError for what else there is, so that none is hit."""
    if path.parent != into and os.path.lexists(path.parent) and path.parent.is_symlink():
        raise UsageError(f"{path.parent} is a link: move it away first")
    there = os.path.lexists(path)
    if there and (path.is_symlink() or not path.is_file()):
        raise UsageError(f"{path} is a link or no regular file: move it away first")
    return there


def _list(given: str | None, *, as_json: bool) -> None:
    used = uses()
    for why in used.left_out:
        tell(f"left out: {why}")
    folders = _folders(given)
    names = {*used.by_prompt, *(name for folder in folders for name in _in(folder))}
    rows = [_row(name, folders, used.by_prompt) for name in sorted(names)]
    if as_json:
        say_json([asdict(row) for row in rows])
        return
    say("\n".join(map(_line, rows)))
    always = " ".join(f"${name}" for name in sorted(files.ALWAYS))
    tell(f"every prompt but {files.REPAIR} has {always} as well")


def _row(name: str, folders: list[Path], used: Mapping[str, Use]) -> Row:
    use = used.get(name, Use((), frozenset()))
    read, shipped = files.reader(folders), files.reader([files.shipped()])
    path = read.file(name)
    origin: Origin = "shipped"
    problem = near = None
    if path is None:
        origin = "missing"
    elif shipped.file(name) is None:
        origin = "added"
    elif path != shipped.file(name):
        origin = "changed"
    if name not in used:
        origin = "unused"
        near = _nearest(name, used)
    elif path is not None:
        try:
            prompt = files.Prompt.read(read, name, use.placeholders)
        except PromptError as error:
            problem = str(error)
        else:
            copied = origin == "changed" and prompt.text == shipped(name)
            origin = "copied" if copied else origin
    file = str(path) if path else None
    wanted = sorted(use.placeholders)
    return Row(name, list(use.strategies), wanted, origin, file, near, problem)


def _line(row: Row) -> str:
    """A line for the prompt, and one for what is to be said of it."""
    own = row.placeholders if row.name == files.REPAIR else set(row.placeholders) - files.ALWAYS
    users = "for a reply of no use" if row.name == files.REPAIR else ", ".join(row.strategies)
    words = [f"{one_line(row.name):20}", f"{one_line(users):24}"]
    line = "  ".join([*words, " ".join(f"${name}" for name in sorted(own))]).rstrip()
    more = SAID[row.origin]
    if row.file and more:
        more = f"{more}: {row.file}"
    more += f"; did you mean {row.near}.md?" if row.near else ""
    notes = [more] if more else []
    notes += [f"not usable: {row.problem}"] if row.problem else []
    return "\n".join([line, *(f"    {one_line(note)}" for note in notes)])


def _folders(given: str | None) -> list[Path]:
    """Where prompts are looked for, in order. Raises UsageError for a folder that is none."""
    from hch.config import Config

    folder = given or Config.read().file.defaults.prompts
    return [*([files.folder(folder)] if folder else []), files.shipped()]


def _in(folder: Path) -> list[str]:
    found = (path.relative_to(folder) for path in folder.rglob("*.md"))
    return sorted(path.with_suffix("").as_posix() for path in found)


def _file(folder: Path, name: str) -> Path:
    return folder / f"{name}.md"


def _known(name: str, known: list[str]) -> str:
    """A prompt's name, with or without `.md`. Raises UsageError, with the nearest."""
    if (bare := name.removesuffix(".md")) in known:
        return bare
    near = _nearest(bare, known)
    hint = f"did you mean {near!r}? " if near else ""
    raise UsageError(f"no prompt {name!r}: {hint}there are {', '.join(known)}")


def _nearest(name: str, known: Collection[str]) -> str | None:
    return next(iter(get_close_matches(name, known, 1)), None)
