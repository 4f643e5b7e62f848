"""Makes many trees for datasets: each of many questions is put to HCH_n, in one run."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Annotated, Any

from typer import Exit, Option

from hch.commands._asked import players_at
from hch.commands._given import check_apart, check_filled, read_text
from hch.commands._options import (
    LIMITS,
    OUTPUT,
    WHAT,
    AnswerTokensOption,
    AtOption,
    CacheOption,
    ConcurrencyOption,
    DepthOption,
    DrawnOption,
    DryRunOption,
    FanoutOption,
    InstancesOption,
    ManualOption,
    ModelOption,
    PromptsOption,
    QuietOption,
    SizesOption,
    StoreOption,
    StrategyOption,
    questions_option,
    task_option,
)
from hch.evals import MOST


def build() -> Callable[..., None]:
    return generate


def generate(
    task: Annotated[
        str | None,
        task_option("A task, whose questions are drawn by its law; also what scripts play."),
    ] = None,
    questions: Annotated[
        str | None, questions_option("Questions, with answers or without, as .jsonl or .csv.")
    ] = None,
    n: Annotated[
        int | None,
        Option(
            "--n",
            "-n",
            min=1,
            max=MOST,
            metavar="N",
            help="Questions in all. [100, or the file's]",
            rich_help_panel=WHAT,
        ),
    ] = None,
    samples: Annotated[
        int,
        Option(
            min=1,
            max=MOST,
            metavar="K",
            help="Independent trees for each question. [1]",
            show_default=False,
            rich_help_panel=WHAT,
        ),
    ] = 1,
    instances: InstancesOption = None,
    sizes: SizesOption = None,
    seed: DrawnOption = None,
    depth: DepthOption = None,
    model: ModelOption = None,
    strategy: StrategyOption = None,
    at: AtOption = None,
    budget: Annotated[
        str | None,
        Option(metavar="AMOUNTS", help="The cap of all trees together.", rich_help_panel=LIMITS),
    ] = None,
    each: Annotated[
        str | None,
        Option(
            metavar="AMOUNTS",
            help="The grant of each tree. [its part of 0.9 of the cap]",
            rich_help_panel=LIMITS,
        ),
    ] = None,
    fanout: FanoutOption = None,
    answer_tokens: AnswerTokensOption = None,
    concurrency: ConcurrencyOption = None,
    manual: ManualOption = None,
    prompts: PromptsOption = None,
    cache: CacheOption = None,
    store: StoreOption = None,
    as_json: Annotated[
        bool,
        Option("--json", help="Print the report as JSON in its place.", rich_help_panel=OUTPUT),
    ] = False,
    quiet: QuietOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """Make many trees for datasets: each question is put to HCH_n, --samples times.

    All trees are one run with one cap, whose id goes to stdout. The report goes to stderr: how many
    roots answered and are clean, why others are not, and what it took. A root that fails ends no
    run; every abnormal end prints the hch resume line that goes on with it. Memory does not grow
    with the roots that are done, but for the run's index.

    Questions are drawn by a task's law, each once, or read from a file, whose right answers are
    kept with the run, for whoever grades later.

    Specs:
      NAME  A task and its options, such as arithmetic or path,size=8; hch task list has them.
      FILE  Lines as {"question": "…", "answer": "…"}, or CSV with these columns; answer, kind,
        context and instance may be left out.
      MODEL  NAME[:ARG][,option=value…], such as openai:gpt-5.4-mini,temperature=0.
      STRATEGY  NAME[,option=value…], such as consult,turns=4; with @MODEL it brings its own.
      PLAYER  STRATEGY@MODEL; without @ it thinks with the model of -m.
      LEVELS  N, N+ (from N up) or N-M; level 0 answers alone, level --depth is the root.
      N-M  A number, the first and the last, or some by commas, such as 0-2,4.
      AMOUNTS  usd, calls, tokens, nodes and a time (s, min, h), by commas; 200ktokens is 200,000.

    Exit status:
      0  Gone to the end, whatever failed.
      1  Gone to the end, and no root was answered.
      2  Wrong use: a flag, a name, a file that cannot be read.
      3  Out of budget; hch resume goes on.
      5  The store cannot be written.
      6  A key, the configuration, a prompt, a missing package or a dead endpoint.
      129, 130, 143  Stopped by SIGHUP, Ctrl-C or SIGTERM.

    Examples:
      hch generate --task arithmetic,size=4 --n 1000 --depth 3 -s script
      hch generate --task path -m openai:gpt-5.4-mini --n 500 --budget 5usd --dry-run
      hch generate --questions train.jsonl -m vllm:NAME --samples 8 --each 40calls
      RUN=$(hch generate --task arithmetic -s script)

    See also:
      hch dataset, hch resume, hch eval, docs/generate.md, docs/budget.md
    """
    from hch.commands._generated import report
    from hch.commands._generating import Wanted, generating
    from hch.commands._person import Nobody, at_terminal
    from hch.commands._running import Place, complete
    from hch.config import Config

    check_filled(task=task, questions=questions, instances=instances, sizes=sizes, model=model)
    check_filled(strategy=strategy, at=at, budget=budget, each=each, manual=manual)
    check_filled(prompts=prompts, store=store)
    config = Config.read()
    given: dict[str, Any] = {
        "depth": depth,
        "model": model,
        "strategy": strategy,
        "at": players_at(at or ()),
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
    wanted = Wanted(questions, n, instances, sizes, samples)
    found = generating(wanted, {name: value for name, value in given.items() if value is not None})
    check_apart(found.hch.kept_in.place, questions)
    if dry_run:
        found.say_foreseen(as_json=as_json)
        raise Exit(0)
    with closing(found.hch.kept_in) as kept_in:
        run, place = found.begin(), Place.of(store, kept_in)
        notes = () if quiet else found.notes()
        finished = complete(run, place, quiet=quiet, notes=notes, person=person)
        raise Exit(report(run, finished, as_json=as_json, quiet=quiet))
