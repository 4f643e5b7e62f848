"""Makes a dataset of runs."""

from __future__ import annotations

import sys
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from hch.commands._completion import (
    complete_file,
    complete_folder,
    complete_format,
    complete_run,
)
from hch.commands._finding import finished
from hch.commands._given import check_filled
from hch.commands._options import JsonOption, PromptsOption, QuietOption, StoreOption
from hch.commands._terminal import say_json, tell
from hch.errors import UsageError

TAKEN, CLEANED = "Which rows", "What is cleaned"
SPLIT, WRITTEN = "How it is split", "What is written"


class As(StrEnum):
    """What `--as` may be: `Container` of `hch.datasets.shards`.

    That and those below are written again, since a page of help loads nothing of `hch.datasets`.
    """

    jsonl = "jsonl"
    parquet = "parquet"


class Apart(StrEnum):
    """What `--apart` may be: `Apart` of `hch.datasets.cleaning`."""

    trees = "trees"
    questions = "questions"


class By(StrEnum):
    """What `--best` may be: `By` of `hch.datasets.recipe`."""

    score = "score"
    share = "share"
    cost = "cost"
    tokens = "tokens"


def build_dataset(
    runs: Annotated[
        list[str] | None,
        Argument(
            metavar="RUN",
            help="Ids of runs, or how they begin; none with --where: every finished one.",
            autocompletion=complete_run,
        ),
    ] = None,
    out: Annotated[
        str | None,
        Option(
            "--out",
            "-o",
            metavar="DIR",
            help="The folder to make.",
            rich_help_panel=WRITTEN,
            autocompletion=complete_folder,
        ),
    ] = None,
    form: Annotated[
        str,
        Option(
            "--format",
            "-f",
            metavar="FORMAT",
            help="What a row looks like, and its options.",
            rich_help_panel=WRITTEN,
            autocompletion=complete_format,
        ),
    ] = "prompt-completion",
    rows: Annotated[
        str | None,
        Option(
            metavar="KIND,…",
            help="answer, decision, preference, step, soft, prompt-only. [the format's first]",
            rich_help_panel=TAKEN,
        ),
    ] = None,
    container: Annotated[
        As, Option("--as", help="jsonl, lines of JSON, or parquet.", rich_help_panel=WRITTEN)
    ] = As.jsonl,
    where: Annotated[
        str,
        Option(
            metavar="CONDITIONS",
            help="Only nodes that fit, such as 'level>=2 label=good'.",
            rich_help_panel=TAKEN,
        ),
    ] = "",
    partial: Annotated[
        bool,
        Option(
            "--allow-partial",
            help="Nodes too below which something was refused.",
            rich_help_panel=TAKEN,
        ),
    ] = False,
    untrusted: Annotated[
        bool,
        Option(help="Nodes too that read text which nobody vouches for.", rich_help_panel=TAKEN),
    ] = False,
    wrong: Annotated[
        bool, Option("--wrong", help="Answers too that are labelled bad.", rich_help_panel=TAKEN)
    ] = False,
    best: Annotated[
        By | None,
        Option(
            help="Of samples the best only: by score, share, cost or tokens.",
            rich_help_panel=TAKEN,
        ),
    ] = None,
    balance: Annotated[
        bool,
        Option(help="As many rows of each level and task.", rich_help_panel=TAKEN),
    ] = False,
    shortest: Annotated[
        int,
        Option(min=0, metavar="N", help="The least size of a row.", rich_help_panel=TAKEN),
    ] = 0,
    longest: Annotated[
        int | None,
        Option(
            min=1,
            metavar="N",
            help="The most size: tokens of --tokenizer, or characters.",
            rich_help_panel=TAKEN,
        ),
    ] = None,
    tokenizer: Annotated[
        str | None,
        Option(
            metavar="NAME",
            help="What counts tokens: a file, a folder, or a name on the hub.",
            rich_help_panel=TAKEN,
            autocompletion=complete_file,
        ),
    ] = None,
    redact: Annotated[
        list[str] | None,
        Option(
            metavar="REGEX", help="What becomes [redacted]. Repeatable.", rich_help_panel=CLEANED
        ),
    ] = None,
    decontaminate: Annotated[
        list[str] | None,
        Option(
            metavar="FILE",
            help="Texts that must not be learned: .jsonl, .csv, .txt. Repeatable.",
            rich_help_panel=CLEANED,
            autocompletion=complete_file,
        ),
    ] = None,
    near: Annotated[
        str,
        Option(
            metavar="X",
            help="From which similarity on root questions are near-equal; or off.",
            rich_help_panel=SPLIT,
        ),
    ] = "0.8",
    drop_near: Annotated[
        bool, Option(help="Of near-equal root questions only the first.", rich_help_panel=CLEANED)
    ] = False,
    split: Annotated[
        str, Option(metavar="NAME=SHARE,…", help="The splits.", rich_help_panel=SPLIT)
    ] = "train=0.9,test=0.1",
    apart: Annotated[
        Apart,
        Option(help="What lies on one side only: trees or questions.", rich_help_panel=SPLIT),
    ] = Apart.trees,
    seed: Annotated[int, Option(metavar="N", help="Of the splits.", rich_help_panel=SPLIT)] = 0,
    extends: Annotated[
        str | None,
        Option(
            metavar="DIR",
            help="A dataset whose rows all stay where they are.",
            rich_help_panel=SPLIT,
            autocompletion=complete_folder,
        ),
    ] = None,
    shard: Annotated[
        int, Option(min=1, metavar="N", help="The rows of a file.", rich_help_panel=WRITTEN)
    ] = 50_000,
    force: Annotated[
        bool, Option("--force", help="Replace the dataset at DIR.", rich_help_panel=WRITTEN)
    ] = False,
    prompts: PromptsOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Make a dataset of runs: rows, cleaned and split, with where each is from.

    Rows are made of the nodes that answered and are clean: every node below answered, nothing was
    refused, cut or fallen back on. Answers are asked as level 0 asks them by the prompt direct,
    decisions as they were sent. Rows that say the same are written once. Root questions that are
    nearly equal are in one split, and so is a tree with all it asks. The same runs and options give
    the same bytes. A build that is stopped leaves nothing.

    Kinds:
      answer  The question, and its amplified answer, of level 1 and up, or of a vote.
      decision  The prompt that a copy saw, and its reply to it.
      preference  A question with two answers, of which a vote or a check chose one.
      step  A question with the steps to its answer, each judged by a label or a check.
      soft  A question with the shares of the votes; with the format logprobs, tokens.
      prompt-only  The question alone.

    Specs:
      FORMAT  NAME[,option=value…], such as conversational,reasoning=inline; hch plugins formats
        lists them.
      CONDITIONS  NAME, an operator and a value, by blanks: level, depth, task, player, strategy,
        model, prompt, run, root, label, by, score, share, check, cost, tokens, calls, nodes. Texts
        take * for any characters, and several by commas.

    Exit status:
      0  The dataset is there.
      2  Wrong use, no such run, no row at all, or a file that cannot be read or written.
      5  The store cannot be read.
      6  A package is missing: pip install 'hch[data]'.
      129, 130, 143  Stopped by SIGHUP, Ctrl-C or SIGTERM.

    Examples:
      hch dataset build 260102-030405 --out rows
      hch dataset build --where "task=arithmetic level>=1" --as parquet --out rows
      hch dataset build 260102-030405 --format preference --out pairs
      hch dataset build 260102-030405 -f unpaired --where by=truth --decontaminate exam.jsonl -o kto

    See also:
      hch generate, hch label, hch dataset verify, hch dataset stats, docs/datasets.md
    """
    from hch.commands._dataset_built import Progress, as_data, report
    from hch.commands._recipes import recipe_of
    from hch.commands._stopping import ending
    from hch.compose import HCH
    from hch.datasets.building import Build

    check_filled(RUN=runs, out=out, format=form, rows=rows, tokenizer=tokenizer, redact=redact)
    check_filled(decontaminate=decontaminate, near=near, split=split, extends=extends)
    check_filled(prompts=prompts, store=store)
    if out is None:
        raise UsageError("--out says which folder is to be made: name one")
    if not runs and not where.strip():
        raise UsageError("there is nothing to make rows of: name runs, or say which by --where")
    given = {name: value for name, value in (("store", store), ("prompts", prompts)) if value}
    hch = HCH(**given)  # type: ignore[arg-type]
    asked: dict[str, Any] = {
        "format": form, "rows": rows, "container": container.value, "where": where,
        "partial": partial, "untrusted": untrusted, "wrong": wrong, "best": best and best.value,
        "balance": balance, "shortest": shortest, "longest": longest, "tokenizer": tokenizer,
        "redact": redact, "decontaminate": decontaminate, "near": near, "drop_near": drop_near,
        "split": split, "apart": apart.value, "seed": seed, "extends": extends, "shard": shard,
    }  # fmt: skip
    recipe = recipe_of(hch, asked)
    with closing(hch.kept_in) as kept_in:
        wanted = finished(kept_in, runs or (), recipe.where, quiet=quiet)
        progress = Progress(quiet=quiet or not sys.stderr.isatty())
        build = Build(kept_in, wanted, recipe, progress)
        with progress, ending(build.give_up):
            built = build.into(Path(out), force=force)
    if as_json:
        say_json(as_data(built))
    if not quiet:
        for line in report(built, out):
            tell(line)
