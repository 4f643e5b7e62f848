"""Help as a page of a manual: what a command does, its options by group, then its sections.

A docstring is that page. Its paragraphs are filled; one that begins with a title and a colon, with
indented lines below, is a section and comes after the options. In a section a row is `term  text`
or a sentence, and deeper lines go on with it. `Examples` stay as they are.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from hch.commands._terminal import columns, say
from hch.errors import HchError, UsageError

NARROW = 60
"""Below so many columns an option's help stands under it."""

_SECTION = re.compile(r"(?:[\b]\n)?([A-Z][\w ]*):\n((?:  .*(?:\n|\Z))+)")


class Page:
    """What makes a command's help a page; goes before the class of typer's."""

    help: str | None
    get_params: Callable[[Any], list[Any]]

    def get_help_option(self, ctx: Any) -> Any:
        """One that writes as every command does: a disk that is full gets one line."""
        option: Any = super().get_help_option(ctx)  # type: ignore[misc]
        if option is not None:
            option.callback = _show_help
        return option

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        pieces: list[str] = super().collect_usage_pieces(ctx)  # type: ignore[misc]
        return [re.sub("[{}]", "", piece) for piece in pieces]

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        about = _SECTION.sub("", self.help or "").rstrip()
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(about)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Arguments, then each group of options (typer's `rich_help_panel`), then commands."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            kind = "Arguments" if param.param_type_name == "argument" else "Options"
            title = getattr(param, "rich_help_panel", None) or kind
            if record := param.get_help_record(ctx):
                groups.setdefault(title, []).append((re.sub(" <.*>$", "", record[0]), record[1]))
        for title, records in groups.items():
            with formatter.section(title):
                write_rows(formatter, records)
        if isinstance(self, PageGroup):
            self.format_commands(ctx, formatter)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """The sections of the docstring."""
        for title, body in _SECTION.findall(self.help or ""):
            with formatter.section(title):
                _write_section(formatter, title, body)


class PageCommand(Page, TyperCommand):
    """A command whose help is a page."""


class PageGroup(Page, TyperGroup):
    """A command with commands of its own, whose help is a page.

    Its options hold for them too: what stands before a command is as if it stood after it.
    """

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Raises UsageError for an option that the command does not have."""
        name, command, rest = super().resolve_command(ctx, args)
        takes = {param.opts[0]: param.name for param in command.params} if command else {}
        before: dict[str | None, Any] = {}
        for option in self.params:
            if ctx.get_parameter_source(option.name).name == "COMMANDLINE":
                if command and option.opts[0] not in takes:
                    raise UsageError(
                        f"{option.opts[0]} does not go with {name}: "
                        f"see {ctx.command_path} {name} --help"
                    )
                before[takes.get(option.opts[0])] = ctx.params[option.name]
        ctx.default_map = {name: before}
        return name, command, rest

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """One row for each command; one that cannot be imported says what it lacks."""
        rows = []
        for name in self.list_commands(ctx):
            try:
                command: Any = self.get_command(ctx, name)
                rows.append((name, command.get_short_help_str(200)))
            except HchError as error:
                rows.append((name, str(error)))
        with formatter.section("Commands"):
            write_rows(formatter, rows)


class ArgumentGroup(PageGroup):
    """A group that takes arguments by itself: a first word that names none of its commands."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] in self.list_commands(ctx):
            super().parse_args(ctx, [])
            ctx._protected_args, ctx.args = args[:1], args[1:]  # noqa: SLF001 - as groups do it
            return list(args[1:])
        ctx.allow_interspersed_args = True
        rest: list[str] = super().parse_args(ctx, args)
        return rest

    def get_params(self, ctx: Any) -> list[Any]:
        """Its arguments are not part of how its commands are called."""
        found: list[Any] = super().get_params(ctx)
        if ctx.command is self:
            return found
        return [param for param in found if param.param_type_name != "argument"]


def _show_help(ctx: Any, _: Any, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        say(ctx.get_help())
        ctx.exit()


def group(alone: Callable[..., None], **commands: Callable[..., None]) -> typer.Typer:
    """A command that does `alone` by itself, and has these commands of its own."""
    app = typer.Typer(cls=PageGroup, add_completion=False, rich_markup_mode=None)
    app.callback(invoke_without_command=True)(alone)
    for name, command in commands.items():
        app.command(name, cls=PageCommand)(command)
    return app


def width() -> int:
    """How wide a page is: that of the terminal, 80 columns at most."""
    return max(min(columns(sys.stdout, 80), 80) - 2, 22)


def write_rows(formatter: Any, rows: list[tuple[str, str]]) -> None:
    """Rows of a term and its text: side by side, or where it is narrow one under the other."""
    formatter.write_dl(rows, col_max=6 if formatter.width < NARROW else 26)


def _write_section(formatter: Any, title: str, body: str) -> None:
    lines = [line.removeprefix("  ") for line in body.splitlines()]
    if title == "Examples":
        formatter.write("".join(f"{'':{formatter.current_indent}}{line}\n" for line in lines))
        return
    rows: list[str] = []
    for line in lines:
        if line.startswith(" ") and rows:
            rows[-1] += f" {line.strip()}"
        else:
            rows.append(line)
    pairs = [tuple(part.strip() for part in re.split(r" {2,}", row, maxsplit=1)) for row in rows]
    if all(len(pair) == 2 for pair in pairs):
        write_rows(formatter, [(pair[0], pair[1]) for pair in pairs])
    else:
        formatter.write_text(" ".join(rows))
