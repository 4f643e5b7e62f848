"""The command line as one object, what it does with a wrong flag, and how a bug comes out."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Annotated, Any

import typer

from hch import __version__, registry
from hch.commands import _page, _shells
from hch.commands._terminal import let_go, mutter, say, tell
from hch.errors import HchError, UsageError

BadUsage: type[Any] = typer.BadParameter.__mro__[1]
"""What typer raises for every wrong flag; where that class lives differs between its versions."""


class Commands(_page.PageGroup):
    """A group of which every plugin in `commands` is a command; imports only the one asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        return registry.names("commands")

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Raises UsageError, with the nearest name, for an unknown command."""
        if cmd_name == "help" and cmd_name not in self.list_commands(ctx):
            raise UsageError(
                "no command 'help': hch --help shows them all, and hch COMMAND --help one"
            )
        made = registry.build("commands", registry.Spec(cmd_name))
        if not isinstance(made, typer.Typer):
            alone = typer.Typer(add_completion=False, rich_markup_mode=None)
            alone.command(cmd_name, cls=_page.PageCommand)(made)
            made = alone
        return typer.main.get_command(made)


def root(
    ctx: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
    install_completion: Annotated[
        _shells.Shell | None,
        typer.Option(metavar="SHELL", help="Make bash, zsh or fish complete what is typed."),
    ] = None,
    show_completion: Annotated[
        _shells.Shell | None,
        typer.Option(metavar="SHELL", help="Print the script that does so, and install nothing."),
    ] = None,
) -> None:
    """Ask HCH, Humans Consulting HCH: a question is answered by a tree of copies.

    HCH_n is a model, a script or a person that may put sub-questions to fresh copies of HCH_{n-1},
    read their answers, ask more, and then reply. HCH_0 is H alone. Every tree is kept, and can be
    shown and gone on with. Without a key or a model the built-in script answers; it does
    arithmetic. stdout is what was asked for; all else goes to stderr.

    Environment:
      ANTHROPIC_API_KEY, OPENAI_API_KEY  The keys for anthropic and openai models. Where one is
        set and no model is named, a small model of it answers, capped at 200 calls and 500,000
        tokens.
      HCH_MODEL  The model where -m names none.
      HCH_STORE  Where runs are kept where --store names no place.
      HCH_DEPTH, …  So has each of [defaults] in hch.toml its variable.
      XDG_CONFIG_HOME  Instead of ~/.config, below.
      XDG_DATA_HOME  Instead of ~/.local/share, below.
      XDG_CACHE_HOME  Instead of ~/.cache, below.
      NO_COLOR  Set to anything, it keeps the tree without colours.

    Files:
      hch.toml  Settings and aliases, looked for here and in the folders above.
      ~/.config/hch/hch.toml  Settings for wherever there are no others.
      traces/hch.db  The runs, beside the hch.toml that was found.
      ~/.local/share/hch/hch.db  The runs where none was found.
      ~/.cache/hch/replies.db  Replies that --cache keeps across runs.

    Exit status:
      0  Answered, and clean: every node below answered; or done.
      1  No answer, or a bug.
      2  Wrong use: a flag, a name, a file that cannot be read.
      3  Out of budget; hch resume goes on.
      4  Answered, but something below was refused, cut or failed.
      5  The store cannot be read or written.
      6  A key, the configuration, a missing package or a dead endpoint.
      7  A replay came to something else than its record.
      129, 130, 143  Stopped by a signal; hch resume goes on.

    Examples:
      hch ask "What is (17 + 4) * (3 - 1)?" --depth 3
      hch ask "Which rivers cross France and Germany?" -m openai:gpt-5.4-mini
      hch show
      hch examples

    See also:
      hch examples, hch config, hch doctor, hch COMMAND --help
    """
    if version:
        say(f"hch {__version__}")
    elif install_completion:
        _shells.install(install_completion)
    elif show_completion:
        say(_shells.SCRIPTS[show_completion])
    elif ctx.invoked_subcommand is None:
        mutter(f"{ctx.get_help()}\n")
        raise typer.Exit(2)


def application() -> Any:
    """The command line as typer's command object."""
    app = typer.Typer(
        cls=Commands,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={
            "help_option_names": ["-h", "--help"],
            "terminal_width": _page.width(),
        },
    )
    app.callback(invoke_without_command=True)(root)
    return typer.main.get_command(app)


def run(arguments: Sequence[str]) -> int:
    """Run one command line; its exit code. Bugs come out as themselves."""
    try:
        if arguments[:1] and arguments[0] == _shells.ASKED:
            _shells.answer(application(), list(arguments[1:]))
            return 0
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
    said = error.format_message().replace(": Value error, ", ": ").rstrip(".")
    message = said.replace(". Did you mean", ": did you mean")
    end = "" if message.endswith("?") else ":"
    return f"{message[:1].lower()}{message[1:]}{end} see {command} --help"
