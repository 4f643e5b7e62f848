"""The options that commands which start a run have in common."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from typer import Option

from hch.commands._completion import complete_file, complete_folder

SENT, LIMITS, OUTPUT = "What is sent", "Limits", "Output"

ManualOption: TypeAlias = Annotated[
    str | None,
    Option(
        metavar="FILE",
        help="A text that is put into every prompt.",
        rich_help_panel=SENT,
        autocompletion=complete_file,
    ),
]
PromptsOption: TypeAlias = Annotated[
    str | None,
    Option(
        metavar="DIR",
        help="Prompt files that go before the shipped ones.",
        rich_help_panel=SENT,
        autocompletion=complete_folder,
    ),
]
CacheOption: TypeAlias = Annotated[
    bool | None,
    Option(
        "--cache/--no-cache",
        help="Take replies to equal requests of earlier runs, and keep new ones. [no-cache]",
        rich_help_panel=SENT,
    ),
]
FanoutOption: TypeAlias = Annotated[
    int | None,
    Option(
        min=1, metavar="N", help="The most sub-questions of a node. [16]", rich_help_panel=LIMITS
    ),
]
AnswerTokensOption: TypeAlias = Annotated[
    int | None,
    Option(min=1, metavar="N", help="The longest reply, in tokens. [2048]", rich_help_panel=LIMITS),
]
ConcurrencyOption: TypeAlias = Annotated[
    int | None,
    Option(
        min=1, metavar="N", help="Calls in flight to one endpoint. [64]", rich_help_panel=LIMITS
    ),
]
StoreOption: TypeAlias = Annotated[
    str | None,
    Option(
        metavar="FILE",
        help="Where the run is kept. [traces/hch.db]",
        rich_help_panel=OUTPUT,
        autocompletion=complete_file,
    ),
]
JsonOption: TypeAlias = Annotated[
    bool, Option("--json", help="Print one JSON object instead.", rich_help_panel=OUTPUT)
]
QuietOption: TypeAlias = Annotated[
    bool, Option("--quiet", "-q", help="Errors only on stderr.", rich_help_panel=OUTPUT)
]
DryRunOption: TypeAlias = Annotated[
    bool,
    Option("--dry-run", help="Send nothing; print what it would come to.", rich_help_panel=OUTPUT),
]
