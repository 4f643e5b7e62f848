"""Puts a question to HCH_n and prints the answer."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import PurePath
from typing import Annotated, Any

from typer import Argument, Exit, Option

from hch.commands._asked import check_levels, from_stdin, meant, notices, players_at, sound
from hch.commands._completion import (
    complete_file,
    complete_task,
)
from hch.commands._given import check_filled, read_text
from hch.commands._options import (
    AnswerTokensOption,
    AtOption,
    CacheOption,
    ConcurrencyOption,
    DepthOption,
    DryRunOption,
    FanoutOption,
    JsonOption,
    ManualOption,
    ModelOption,
    PromptsOption,
    QuietOption,
    StoreOption,
    StrategyOption,
)


def build() -> Callable[..., None]:
    return ask


def ask(
    question: Annotated[
        str, Argument(metavar="QUESTION", help="What is asked; - reads it from stdin.")
    ],
    depth: DepthOption = None,
    model: ModelOption = None,
    strategy: StrategyOption = None,
    at: AtOption = None,
    context: Annotated[
        list[str] | None,
        Option(
            metavar="FILE",
            help="A text to send along with the question. Repeatable.",
            rich_help_panel="What is sent",
            autocompletion=complete_file,
        ),
    ] = None,
    budget: Annotated[
        str | None,
        Option(
            metavar="AMOUNTS",
            help="The run's cap, such as 2usd,50calls,10min.",
            rich_help_panel="Limits",
        ),
    ] = None,
    manual: ManualOption = None,
    prompts: PromptsOption = None,
    cache: CacheOption = None,
    seed: Annotated[
        int | None, Option(metavar="N", help="Of all that is random. [0]", rich_help_panel="Limits")
    ] = None,
    fanout: FanoutOption = None,
    dry_run: DryRunOption = False,
    task: Annotated[
        str | None,
        Option(
            metavar="TASK",
            help="The task that scripts play. [arithmetic]",
            rich_help_panel="Who answers",
            autocompletion=complete_task,
        ),
    ] = None,
    instance: Annotated[
        int | None,
        Option(
            min=0,
            metavar="N",
            help="Which instance is asked about, of a task that has facts.",
            rich_help_panel="Who answers",
        ),
    ] = None,
    answer_tokens: AnswerTokensOption = None,
    concurrency: ConcurrencyOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Put a question to HCH_n; the answer, and nothing else, goes to stdout.

    With a model and no strategy it is factored: H writes sub-questions, all are asked at once of
    HCH_{n-1}, and H replies from the answers. Without a model or a key the built-in script answers:
    it does arithmetic, or plays the --task. The tree and what there is to note go to stderr;
    --quiet leaves errors only. Every run is kept, and every abnormal end prints the hch resume line
    that goes on with it.

    Where a model costs money and no --budget is given, the run is capped at 200 calls and 500,000
    tokens. --dry-run sends nothing and prints the least, the typical and the most it comes to.

    Specs:
      MODEL  NAME[:ARG][,option=value…], such as openai:gpt-5.4-mini,temperature=0, or an alias of
        [models] in hch.toml; hch plugins models lists them.
      STRATEGY  NAME[,option=value…], such as consult,turns=4, or an alias of [players]; with
        @MODEL it brings its own, in place of -m.
      PLAYER  STRATEGY@MODEL; without @ it thinks with the model of -m.
      LEVELS  N, N+ (from N up) or N-M; level 0 answers alone, level --depth is the root.
      TASK  NAME[,option=value…], such as permutation,size=8; hch task list has them. One that
        has facts wants an --instance, whose facts H never sees: it asks the task's oracle.
      AMOUNTS  usd, calls, tokens, nodes and a time (s, min, h), by commas; 200ktokens is 200,000.

    Environment:
      ANTHROPIC_API_KEY, OPENAI_API_KEY  The keys for anthropic and openai models; with one set, a
        small model of it answers where none is named.
      HCH_MODEL, …  Each of [defaults] in hch.toml has its variable; hch config show --origin.

    Exit status:
      0  Answered, and clean: every node below answered, nothing was refused, cut or failed.
      1  No answer.
      2  Wrong use: a flag, a name, a file that cannot be read, an empty question.
      3  Out of budget, or the root was truncated.
      4  Answered, but something below was refused, cut or failed.
      5  The store cannot be written.
      6  A key, the configuration, a prompt, a missing package or a dead endpoint.
      129, 130, 143  Stopped by SIGHUP, Ctrl-C or SIGTERM.

    Examples:
      hch ask "What is (17 + 4) * (3 - 1)?" --depth 3
      hch ask "Who was right, and why?" --context report.txt -m openai:gpt-5.4-mini
      hch ask "…" -m openai:NAME -s consult --depth 3 --budget 2usd,200calls
      hch ask "…" --at 1+=factored@openai:LARGE --at 0=direct@openai:SMALL
      hch ask "s^13(ab)" --task permutation --instance 7
      echo "What is 2 + 3?" | hch ask - --json

    See also:
      hch examples, hch plugins, hch task, hch show, hch resume, docs/budget.md
    """
    from hch.commands._dry_run import foreseen
    from hch.commands._person import Nobody, at_terminal
    from hch.commands._report import report
    from hch.commands._running import Place, complete
    from hch.commands._settings import check_in_force
    from hch.compose import HCH
    from hch.config import Config
    from hch.types import Text

    check_filled(model=model, strategy=strategy, at=at, context=context, budget=budget)
    check_filled(manual=manual, prompts=prompts, task=task, store=store)
    given: dict[str, Any] = {
        "depth": depth,
        "model": model,
        "strategy": strategy,
        "at": players_at(at or ()),
        "budget": budget,
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
    }
    config = Config.read()
    given["config"] = config.unsent() if dry_run else config
    hch = HCH(**{name: value for name, value in given.items() if value is not None})
    texts = [
        Text(read_text(p, "context"), f"document:{PurePath(p).name}", False) for p in context or ()
    ]
    asked = from_stdin() if question == "-" else sound(question)
    check_in_force(hch)
    check_levels(hch)
    about = meant(hch.casting.task, instance)
    if dry_run:
        foreseen(hch, asked, texts, about, fanout=fanout, as_json=as_json)
        raise Exit(0)
    with closing(hch.kept_in) as kept_in:
        run = hch.begin([asked], context=texts, instances=[about] if about else ())
        place = Place.of(store, kept_in)
        notes = () if quiet else list(notices(hch))
        finished = complete(run, place, quiet=quiet, notes=notes, person=person)
        raise Exit(report(finished, as_json=as_json, quiet=quiet))
