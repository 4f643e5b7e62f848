"""The command line as one object, what it does with a wrong flag, and how a bug comes out."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from hch import __version__, registry
from hch.commands._terminal import let_go, say, tell
from hch.errors import HchError

BadUsage: type[Any] = typer.BadParameter.__mro__[1]
"""What typer raises for every wrong flag; where that class lives differs between its versions."""


class Commands(TyperGroup):
    """A group of which every plugin in `commands` is a command; imports only the one asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        return registry.names("commands")

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Raises UsageError, with the nearest name, for an unknown command."""
        made = registry.build("commands", registry.Spec(cmd_name))
        if not isinstance(made, typer.Typer):
            alone = typer.Typer(add_completion=False, rich_markup_mode=None)
            alone.command(cmd_name)(made)
            made = alone
        return typer.main.get_command(made)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """One line for each command; one that cannot be imported says what it lacks."""
        rows = []
        for name in self.list_commands(ctx):
            try:
                rows.append((name, self.get_command(ctx, name).get_short_help_str(200)))
            except HchError as error:
                rows.append((name, str(error)))
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def root(
    ctx: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    """Ask HCH, Humans Consulting HCH: a question is answered by a tree of copies.

    \b
    hch ask "What is (17 + 4) * (3 - 1)?" --depth 3
    hch ask "Which rivers cross both France and Germany?" -m openai:gpt-5.4-mini
    hch show
    """
    if version:
        say(f"hch {__version__}")
    elif ctx.invoked_subcommand is None:
        sys.stderr.write(ctx.get_help() + "\n")
        raise typer.Exit(2)


def application() -> Any:
    """The command line as typer's command object."""
    app = typer.Typer(
        cls=Commands,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True)(root)
    return typer.main.get_command(app)


def run(arguments: Sequence[str]) -> int:
    """Run one command line; its exit code. Bugs come out as themselves."""
    try:
        code = application().main(list(arguments), prog_name="hch", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except HchError as error:
        tell(str(error))
        return error.exit_code
    except BadUsage as error:
        tell(_in_words(error))
        return 2
    except (typer.Abort, KeyboardInterrupt):
        return 130
    except SystemExit as error:
        if isinstance(error.__context__, BrokenPipeError):  # whoever read the help has left
            return 0
        raise
    finally:
        let_go()


def _in_words(error: Any) -> str:
    """What typer says of a wrong flag, as one sentence with the nearest flag and where to look."""
    command = error.ctx.command_path if error.ctx else "hch"
    if (option := getattr(error, "option_name", None)) and error.message.startswith("No such"):
        near = get_close_matches(option, getattr(error, "possibilities", None) or (), 1)
        hint = f"did you mean {near[0]}? " if near else ""
        dashed = "; put -- before a question that begins with a dash"
        end = dashed if command == "hch ask" and not near else ""
        return f"no option {option}: {hint}see {command} --help{end}"
    message = error.format_message().rstrip(".")
    return f"{message[:1].lower()}{message[1:]}: see {command} --help"
