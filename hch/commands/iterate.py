"""Amplifies and distils, round after round, and keeps a ledger of it."""

from __future__ import annotations

from collections import deque
from contextlib import closing
from typing import Annotated

from typer import Context, Option, Typer

from hch.commands._completion import complete_learner, complete_task
from hch.commands._given import check_apart, check_filled
from hch.commands._iterations import JsonOption, PlotOption, StoreOption, list_, rm, show
from hch.commands._page import group
from hch.commands._terminal import say, say_json
from hch.errors import UsageError
from hch.safe_text import one_line


def build() -> Typer:
    return group(iterate, list=list_, show=show, rm=rm)


def iterate(
    ctx: Context,
    task: Annotated[
        str | None,
        Option(
            metavar="NAME",
            help="What H has a script for, such as permutation,size=8.",
            rich_help_panel="What is learned",
            autocompletion=complete_task,
        ),
    ] = None,
    learner: Annotated[
        str,
        Option(
            metavar="NAME",
            help="How a generation is made of targets. [table]",
            show_default=False,
            rich_help_panel="What is learned",
            autocompletion=complete_learner,
        ),
    ] = "table",
    rounds: Annotated[
        int,
        Option(
            min=1,
            metavar="N",
            help="The most generations. [60]",
            show_default=False,
            rich_help_panel="What is learned",
        ),
    ] = 60,
    instances: Annotated[
        str,
        Option(
            metavar="N-M",
            help="The task's instances, by number. [0]",
            show_default=False,
            rich_help_panel="What is asked",
        ),
    ] = "0",
    sample: Annotated[
        int | None,
        Option(
            min=1,
            metavar="N",
            help="Questions of each instance in a round. [all there are]",
            rich_help_panel="What is asked",
        ),
    ] = None,
    targets: Annotated[
        int,
        Option(
            min=1,
            max=1000,
            metavar="N",
            help="Independent targets of a question. [1]",
            show_default=False,
            rich_help_panel="What is asked",
        ),
    ] = 1,
    errors: Annotated[
        float,
        Option(
            min=0,
            max=1,
            metavar="P",
            help="How often H errs. [0]",
            show_default=False,
            rich_help_panel="What is asked",
        ),
    ] = 0.0,
    held_out: Annotated[
        int,
        Option(
            min=1,
            metavar="N",
            help="Questions that decide what is taken. [1000]",
            show_default=False,
            rich_help_panel="What is taken",
        ),
    ] = 1000,
    take_worse: Annotated[
        bool,
        Option(
            "--take-worse",
            help="Take a generation also where it is worse.",
            rich_help_panel="What is taken",
        ),
    ] = False,
    seed: Annotated[
        int,
        Option(
            metavar="N",
            help="Of all that is random. [0]",
            show_default=False,
            rich_help_panel="What is asked",
        ),
    ] = 0,
    name: Annotated[
        str | None,
        Option(
            metavar="NAME",
            help="What it is kept as. [from the settings]",
            rich_help_panel="Output",
        ),
    ] = None,
    store: StoreOption = None,
    plot: PlotOption = None,
    as_json: JsonOption = False,
    quiet: Annotated[bool, Option("--quiet", "-q", help="Errors only on stderr.")] = False,
) -> None:
    """Iterate amplification and distillation: X_{t+1} is learned from H over X_t.

    H, a task's script, works on every question of the task's instances and asks X_t whatever it
    cannot tell; a learner makes X_{t+1} of its answers. X_0 does not know anything. The table on
    stderr has a row for each generation: how many targets are right, how much of X, what it took.
    What is printed is the model that stands at the end, to be asked as any other model.

    A generation that is worse on held-out questions is not taken. Every generation is kept when it
    is made; the same command goes on where it stopped, or ends at once where all is right.

    Exit status:
      0  Done: all is right, or the rounds are over.
      2  Wrong use, such as other settings for a name that is taken.
      5  The store cannot be written, or another process is at the same iteration.
      6  A missing package, such as that of --plot.
      129, 130, 143  Stopped by SIGHUP, Ctrl-C or SIGTERM; the same command goes on.

    Examples:
      hch iterate --task permutation
      hch iterate --task path --rounds 50 --plot path.svg
      hch iterate --task permutation --errors 0.1 --targets 5 --take-worse --rounds 8
      hch iterate list
      hch iterate show permutation-1a2b3c4d --json

    See also:
      hch task, hch ask --at, docs/amplify.md, docs/distillation.md
    """
    if ctx.invoked_subcommand:
        return
    from hch import registry
    from hch.commands._iterating import flags, go, settled
    from hch.commands._plot import ledger_figure
    from hch.commands._running import Place
    from hch.commands._stopping import stopping
    from hch.compose import HCH
    from hch.iterate import Iteration

    check_filled(task=task, learner=learner, instances=instances, name=name, store=store, plot=plot)
    draw = ledger_figure(plot)
    hch = HCH(task=task, store=store)
    if hch.chosen.task is None:
        raise UsageError("--task is missing: hch task list shows what there is")
    settings = settled(
        task=hch.chosen.task,
        learner=learner,
        instances=instances,
        sample=sample,
        targets=targets,
        errors=errors,
        held_out=held_out,
        take_worse=take_worse,
        seed=seed,
    )
    made = registry.build("learners", registry.Spec.parse(learner))
    with closing(hch.kept_in) as kept_in:
        check_apart(kept_in.place, plot=plot)
        iteration = Iteration(name or settings.name, settings, kept_in, hch.casting.task, made)
        place = Place.of(store, kept_in)
        with stopping(place.command("iterate", *flags(settings, name), "--rounds", str(rounds))):
            if quiet:
                deque(iteration.generations(rounds), maxlen=0)
            else:
                go(iteration, rounds, place.command("iterate", "show", iteration.name))
    if as_json:
        say_json(iteration.ledger.model_dump(mode="json"))
    else:
        say(one_line(iteration.ledger.model))
    draw(iteration.ledger)
