"""From what was typed to the recipe of a dataset."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, cast, get_args

from hch import registry
from hch.errors import UsageError
from hch.registry import Spec
from hch.rows import KINDS, Kind
from hch.safe_text import one_line

if TYPE_CHECKING:
    from hch.compose import HCH
    from hch.datasets.recipe import Recipe
    from hch.protocols import Format

SHORT = {"format": "prompt-completion", "container": "jsonl", "near": "0.8", "apart": "trees",
         "split": "train=0.9,test=0.1", "shard": 50_000}  # fmt: skip
"""What is not written into a card's command, since it is so anyway."""


def recipe_of(hch: HCH, asked: Mapping[str, Any]) -> Recipe:
    """The recipe that flags ask for, by their names. Raises UsageError and ConfigError."""
    from hch.datasets.alternatives import Alternatives
    from hch.datasets.contamination import Contamination
    from hch.datasets.patterns import Patterns
    from hch.datasets.recipe import ENDLESS, Best, Recipe
    from hch.datasets.splits import Splits
    from hch.datasets.tokenizer import Tokenizer
    from hch.datasets.where import Where

    spec = Spec.parse(asked["format"])
    built = cast("Format", registry.build("formats", spec))
    named, against = asked["tokenizer"], asked["decontaminate"]
    if built.numbered and not named:
        raise UsageError(
            f"format {spec.name!r} wants numbers of tokens: name the model's --tokenizer"
        )
    tokenizer = Tokenizer.named(named) if named else None
    longest = asked["longest"]
    return Recipe(
        format=spec,
        built=built,
        kinds=_kinds(built, asked["rows"]),
        direct=hch.direct,
        splits=Splits.parse(asked["split"]),
        container=asked["container"],
        where=Where.parse(asked["where"]),
        partial=asked["partial"],
        untrusted=asked["untrusted"],
        wrong=asked["wrong"],
        apart=asked["apart"],
        best=Best(asked["best"]) if asked["best"] else None,
        near=_near(asked["near"]),
        drop_near=asked["drop_near"],
        balance=asked["balance"],
        seed=asked["seed"],
        patterns=Patterns.parse(asked["redact"]) if asked["redact"] else None,
        against=Contamination.read(map(Path, against)) if against else None,
        tokenizer=tokenizer,
        alternatives=Alternatives(tokenizer) if built.numbered and tokenizer else None,
        shortest=asked["shortest"],
        longest=ENDLESS if longest is None else longest,
        rows=asked["shard"],
        extends=Path(asked["extends"]) if asked["extends"] else None,
        redaction=hch.redaction,
        command=shlex.join(_command(asked)),
    )


def _kinds(built: Format, given: str | None) -> tuple[Kind, ...]:
    """The kinds that were named, in their own order; else the first that the format takes."""
    if given is None:
        return built.kinds[:1]
    named = [name.strip() for name in given.split(",")]
    if wrong := [name for name in named if name not in get_args(Kind)]:
        raise UsageError(
            f"--rows: {one_line(wrong[0], 40)!r} is no kind of row: there are {', '.join(KINDS)}"
        )
    return tuple(kind for kind in KINDS if kind in named)


def _near(given: str) -> float | None:
    if given.strip().casefold() == "off":
        return None
    try:
        near = float(given)
    except ValueError:
        near = 0.0
    if not 0 < near <= 1:
        raise UsageError(f"--near {one_line(given, 40)!r}: write a similarity up to 1, or off")
    return near


def _command(asked: Mapping[str, Any]) -> Iterator[str]:
    """The command, as it would be typed: without what goes without saying, and without folders."""
    yield from ("hch", "dataset", "build", "RUN…")
    flags = {"container": "as", "partial": "allow-partial"}
    for name, value in asked.items():
        if value in (None, False, "", 0, [], ()) or SHORT.get(name) == value:
            continue
        flag = f"--{flags.get(name, name).replace('_', '-')}"
        for one in value if isinstance(value, list) else [value]:
            text = str(one)
            if name in ("decontaminate", "extends", "tokenizer"):
                text = PurePath(text).name
            elif name == "redact":  # it may tell what is not to be told
                text = "REGEX"
            yield from (flag,) if one is True else (flag, text)
