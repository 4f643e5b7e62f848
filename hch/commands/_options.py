"""The options that commands have in common, those that start a run above all."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from typer import Option

from hch.commands._completion import (
    complete_file,
    complete_folder,
    complete_levels,
    complete_model,
    complete_strategy,
    complete_task,
)

WHAT, WHO, SENT = "What is asked", "Who answers", "What is sent"
LIMITS, OUTPUT = "Limits", "Output"


def task_option(help: str) -> Any:  # noqa: A002 - as `Option` calls it
    """`--task`, of which each command says what else it is."""
    return Option(metavar="NAME", help=help, rich_help_panel=WHAT, autocompletion=complete_task)


def questions_option(help: str) -> Any:  # noqa: A002
    """`--questions`, with answers or without."""
    return Option(metavar="FILE", help=help, rich_help_panel=WHAT, autocompletion=complete_file)


def model_option(help: str) -> Any:  # noqa: A002
    """`--model`."""
    return Option(
        "--model", "-m", metavar="MODEL", help=help, rich_help_panel=WHO,
        autocompletion=complete_model,
    )  # fmt: skip


def strategy_option(help: str) -> Any:  # noqa: A002
    """`--strategy`."""
    return Option(
        "--strategy", "-s", metavar="STRATEGY", help=help, rich_help_panel=WHO,
        autocompletion=complete_strategy,
    )  # fmt: skip


InstancesOption: TypeAlias = Annotated[
    str | None,
    Option(metavar="N-M", help="The task's instances, by number.", rich_help_panel=WHAT),
]
SizesOption: TypeAlias = Annotated[
    str | None,
    Option(metavar="N-M", help="The task in several sizes, in turn.", rich_help_panel=WHAT),
]
DrawnOption: TypeAlias = Annotated[
    int | None, Option(metavar="N", help="Of all that is random. [0]", rich_help_panel=WHAT)
]
DepthOption: TypeAlias = Annotated[
    int | None,
    Option(
        "--depth", "-d", metavar="N", help="The n of HCH_n; 0 is H alone. [2]", rich_help_panel=WHO
    ),
]
ModelOption: TypeAlias = Annotated[str | None, model_option("Who thinks, as NAME[:ARG].")]
StrategyOption: TypeAlias = Annotated[str | None, strategy_option("How H answers. [factored]")]
AtOption: TypeAlias = Annotated[
    list[str] | None,
    Option(
        metavar="LEVELS=PLAYER",
        help="Another player, strategy@model, for levels N, N+ or N-M. Repeatable.",
        rich_help_panel=WHO,
        autocompletion=complete_levels,
    ),
]

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
        help="Where runs are kept. [traces/hch.db]",
        rich_help_panel=OUTPUT,
        autocompletion=complete_file,
    ),
]
ObjectOption: TypeAlias = Annotated[bool, Option("--json", help="Print one JSON object instead.")]
"""That of commands whose page of help has no panels."""

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
