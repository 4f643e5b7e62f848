"""Puts questions with known answers to players, at several depths, and says how many are right."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated, Any

from typer import Context, Exit, Option, Typer

from hch.commands._completion import (
    complete_scorer,
    complete_strategy,
)
from hch.commands._evaluated import CsvOption, PlotOption, compare, list_, show
from hch.commands._given import check_apart, check_filled, read_text
from hch.commands._options import (
    LIMITS,
    WHAT,
    WHO,
    AnswerTokensOption,
    CacheOption,
    ConcurrencyOption,
    DrawnOption,
    DryRunOption,
    FanoutOption,
    InstancesOption,
    JsonOption,
    ManualOption,
    PromptsOption,
    QuietOption,
    SizesOption,
    StoreOption,
    model_option,
    questions_option,
    strategy_option,
    task_option,
)
from hch.commands._page import group
from hch.evals import MOST


def build() -> Typer:
    return group(evaluate, list=list_, show=show, compare=compare)


def evaluate(
    ctx: Context,
    task: Annotated[
        str | None, task_option("A task, whose truth is known; also what scripts play.")
    ] = None,
    questions: Annotated[
        str | None, questions_option("Questions with answers, as .jsonl or .csv.")
    ] = None,
    count: Annotated[
        int | None,
        Option(
            min=1,
            max=MOST,
            metavar="N",
            help="Questions in all. [100, or the file's]",
            rich_help_panel=WHAT,
        ),
    ] = None,
    instances: InstancesOption = None,
    sizes: SizesOption = None,
    scorer: Annotated[
        str | None,
        Option(
            metavar="NAME",
            help="What counts as right. [as the task says, or exact]",
            rich_help_panel=WHAT,
            autocompletion=complete_scorer,
        ),
    ] = None,
    player: Annotated[
        list[str] | None,
        Option(
            metavar="PLAYER",
            help="Who answers, strategy@model. Repeatable.",
            rich_help_panel=WHO,
            autocompletion=complete_strategy,
        ),
    ] = None,
    depths: Annotated[
        str,
        Option(
            metavar="N-M",
            help="The n of HCH_n, as 0-4 or 0,2,4. [0-2]",
            show_default=False,
            rich_help_panel=WHO,
        ),
    ] = "0-2",
    model: Annotated[str | None, model_option("Who thinks where a player names no model.")] = None,
    strategy: Annotated[
        str | None, strategy_option("How H answers where there is no --player.")
    ] = None,
    budget: Annotated[
        str | None,
        Option(metavar="AMOUNTS", help="The cap of all answers together.", rich_help_panel=LIMITS),
    ] = None,
    each: Annotated[
        str | None,
        Option(
            metavar="AMOUNTS",
            help="The grant of each answer. [its part of 0.9 of the cap]",
            rich_help_panel=LIMITS,
        ),
    ] = None,
    seed: DrawnOption = None,
    fanout: FanoutOption = None,
    answer_tokens: AnswerTokensOption = None,
    concurrency: ConcurrencyOption = None,
    manual: ManualOption = None,
    prompts: PromptsOption = None,
    cache: CacheOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
    csv: CsvOption = None,
    plot: PlotOption = None,
    quiet: QuietOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """Evaluate players on questions with known answers: how many each HCH_n gets right.

    HCH_0 of each player, which is H alone, always answers too; and beside each tree a vote of
    HCH_0 with as many tries as the tree's tokens pay for (calls where there are no tokens). All
    questions, players and depths are one run with one cap. It is kept, and every abnormal end
    prints the hch resume line that goes on with it.

    The table has a row for each player at each depth, with an interval of 95%; below it is what the
    trees add, where errors enter, what votes and checks did, and how far errors go together.

    Specs:
      NAME  A task and its options, such as arithmetic or path,size=8; hch task list has them. A
        scorer is exact, numeric, choice,of=ABCD, or model,by=PLAYER, who judges.
      FILE  Lines as {"question": "…", "answer": "…"}, or CSV with these columns; kind, context
        and instance may be added.
      PLAYER  STRATEGY@MODEL, such as factored@openai:gpt-5.4-mini; without @ it thinks with the
        model of -m. LEVELS=PLAYER;LEVELS=PLAYER names players by level.
      N-M  A number, the first and the last, or some by commas, such as 0-2,4.
      AMOUNTS  usd, calls, tokens, nodes and a time (s, min, h), by commas; 200ktokens is 200,000.

    Exit status:
      0  Evaluated to the end, whatever was right.
      2  Wrong use: a flag, a name, a file that cannot be read.
      3  Out of budget; hch resume goes on.
      5  The store cannot be written.
      6  A key, the configuration, a prompt, a missing package or a dead endpoint.
      129, 130, 143  Stopped by SIGHUP, Ctrl-C or SIGTERM.

    Examples:
      hch eval --task arithmetic --player script,errors=0.02 --depths 0-4 --sizes 1-4
      hch eval --task arithmetic -m openai:gpt-5.4-mini --scorer numeric --budget 1usd --dry-run
      hch eval --questions exam.csv --scorer numeric --player direct --player vote,k=5/direct
      hch eval show --plot accuracy.svg
      hch eval compare 260102-030405-6789ab:1 260102-030405-6789ab:3

    See also:
      hch task, hch resume, docs/evaluation.md, docs/budget.md
    """
    if ctx.invoked_subcommand:
        return
    from hch.commands._examining import Asked, examined
    from hch.commands._person import Nobody, at_terminal
    from hch.commands._running import Place, complete
    from hch.commands._scored import Outputs, report
    from hch.config import Config

    check_filled(task=task, questions=questions, instances=instances, sizes=sizes, scorer=scorer)
    check_filled(player=player, depths=depths, model=model, strategy=strategy, budget=budget)
    check_filled(each=each, manual=manual, prompts=prompts, store=store, csv=csv, plot=plot)
    outputs = Outputs.of(as_json=as_json, csv=csv, plot=plot)
    config = Config.read()
    given: dict[str, Any] = {
        "model": model,
        "budget": budget,
        "each": each,
        "manual": manual and read_text(manual, "manual"),
        "prompts": prompts,
        "seed": seed,
        "fanout": fanout,
        "task": task,
        "answer_tokens": answer_tokens,
        "concurrency": concurrency,
        "store": store,
        "cache": cache,
        "person": (person := at_terminal()) or (Nobody() if dry_run else None),
        "config": config.unsent() if dry_run else config,
    }
    asked = Asked(questions, count, instances, sizes, scorer, player or (), strategy, depths)
    found = examined(asked, {name: value for name, value in given.items() if value is not None})
    check_apart(found.hch.kept_in.place, questions, csv=csv, plot=plot)
    if dry_run:
        found.say_foreseen(as_json=as_json)
        raise Exit(0)
    with closing(found.hch.kept_in) as kept_in:
        run, place = found.begin(), Place.of(store, kept_in)
        notes = () if quiet else found.notes()
        finished = complete(run, place, quiet=quiet, notes=notes, person=person)
        report(finished, outputs, quiet=quiet)
