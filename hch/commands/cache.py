"""Shows what is kept of replies across runs, and clears it."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import datetime
from time import time
from typing import TYPE_CHECKING, Annotated

from typer import Context, Exit, Option, Typer

from hch.commands._completion import complete_model
from hch.commands._given import check_filled
from hch.commands._options import ObjectOption
from hch.commands._page import group
from hch.commands._terminal import columns, confirmed, say, say_json, tell
from hch.errors import UsageError
from hch.safe_text import one_line
from hch.words import count, short

if TYPE_CHECKING:
    from hch.cache import Share
    from hch.config import Config

NARROW = 60
"""Below so many columns days are left out."""

DAY = 86_400


def build() -> Typer:
    return group(cache, stats=stats, clear=clear)


def cache(ctx: Context, as_json: ObjectOption = False) -> None:
    """Show what is kept of replies across runs; see also clear.

    With hch ask --cache a request that some run has sent before, to the same model, is answered
    from what that run was replied. HCH_CACHE and cache in hch.toml make that the default.

    Exit status:
      0  Shown, also where there is nothing.
      5  The cache cannot be read.

    Examples:
      hch cache
      hch cache stats --json
      hch cache clear --older-than 7

    See also:
      hch ask, hch config, docs/cache.md
    """
    if not ctx.invoked_subcommand:
        stats(as_json)


def stats(as_json: ObjectOption = False) -> None:
    """Show where the cache is, what each model has in it, and its limits.

    oldest and newest are when replies came; --json has them in seconds since 1970. The file can be
    larger than the replies in it: the room of what was dropped is used again.

    Exit status:
      0  Shown, also where there is nothing.
      5  The cache cannot be read.

    Examples:
      hch cache stats
      hch cache stats --json

    See also:
      hch cache clear, docs/cache.md
    """
    from hch.cache import on_disk, shares
    from hch.config import Config

    config = Config.read()
    found, taken = shares(config.replies), on_disk(config.replies)
    if as_json:
        limits = config.file.defaults
        say_json(
            {
                "place": str(config.replies),
                "replies": sum(share.replies for share in found),
                "bytes": sum(share.bytes for share in found),
                "on_disk": taken,
                "cache_days": limits.cache_days,
                "cache_mb": limits.cache_mb,
                "models": [asdict(share) for share in found],
            }
        )
    elif found:
        say("\n".join([*_head(config, found, taken), "", *_rows(found)]))
    else:
        tell(f"there are no replies in {config.replies} yet: keep some with hch ask --cache")


def clear(
    model: Annotated[
        str | None,
        Option(
            "--model",
            "-m",
            metavar="MODEL",
            help="Only those of this model.",
            autocompletion=complete_model,
        ),
    ] = None,
    older_than: Annotated[
        int | None, Option(min=0, metavar="DAYS", help="Only those that came before so many days.")
    ] = None,
    yes: Annotated[bool, Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Clear replies out of the cache, and give their room back to the disk.

    Runs are not touched: each has its own record. MODEL is as hch cache stats lists it, or an alias
    of it. A file that is damaged, or is no cache, is deleted where everything is to be cleared.

    Exit status:
      0  Cleared, or there was nothing to clear.
      1  The question whether to clear them was not answered yes.
      2  No reply of that model is there, or nobody is there to be asked.
      5  The cache cannot be written, or another process holds it.

    Examples:
      hch cache clear
      hch cache clear --older-than 7 --yes
      hch cache clear --model openai:gpt-5.4-mini

    See also:
      hch cache stats, hch runs rm, docs/cache.md
    """
    from hch import cache as kept
    from hch.cache_file import delete, spoilt
    from hch.config import Config

    check_filled(model=model)
    config = Config.read()
    place = config.replies
    if model is None and older_than is None and (fault := spoilt(place)):
        if not yes and not confirmed(f"{fault}: delete it for good?", "add --yes"):
            raise Exit(1)
        delete(place)
        tell(f"deleted {place}")
        return
    before = None if older_than is None else time() - older_than * DAY
    found = kept.shares(place, before)
    if model is not None:
        model = _listed(model, config)
        found = [share for share in found if share.model == model]
    if not found:
        tell(f"there is nothing to clear in {place}")
        return
    replies = count(sum(share.replies for share in found), "reply", "replies")
    what = f"remove {replies} ({_size(sum(share.bytes for share in found))}) for good?"
    if not yes and not confirmed(what, "add --yes"):
        raise Exit(1)
    taken = kept.on_disk(place)
    kept.clear(place, before, model)
    tell(f"removed {replies}: {place} took {_size(taken)}, and takes {_size(kept.on_disk(place))}")


def _listed(model: str, config: Config) -> str:
    """A model as the cache has it. Raises UsageError where it has no reply of that one."""
    from difflib import get_close_matches

    from hch.cache import shares

    names = [share.model for share in shares(config.replies)]
    for name in (model, config.model(model)):
        if name in names:
            return name
    near = get_close_matches(config.model(model), names, 1, 0.3)
    hint = f"did you mean {near[0]!r}?" if near else "hch cache stats lists those that are"
    raise UsageError(f"no reply of {model!r} is in {config.replies}: {hint}")


def _head(config: Config, found: list[Share], taken: int) -> list[str]:
    limits = config.file.defaults
    replies = count(sum(share.replies for share in found), "reply", "replies")
    size = _size(sum(share.bytes for share in found))
    return [
        one_line(str(config.replies)),
        f"{replies}, {size} ({_size(taken)} on disk)",
        f"limits: {limits.cache_mb} MB, {count(limits.cache_days, 'day')}",
    ]


def _rows(found: list[Share]) -> list[str]:
    """A table of models; in a narrow terminal without the days, and cut."""
    from hch.browse.marks import fit

    rows = [("replies", "size", "oldest", "newest", "model")]
    rows += [
        (
            str(share.replies),
            _size(share.bytes),
            _day(share.oldest),
            _day(share.newest),
            one_line(share.model),
        )
        for share in found
    ]
    wide = columns(sys.stdout, sys.maxsize)
    first, second = (max(len(row[i]) for row in rows) for i in range(2))
    lines = []
    for replies, size, oldest, newest, model in rows:
        days = [f"{oldest:10}", f"{newest:10}"] if wide >= NARROW else []
        cells = [replies.rjust(first), size.rjust(second), *days, model]
        lines.append(fit("  ".join(cells), wide))
    return lines


def _day(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d")


def _size(n: float) -> str:
    """`812 B`, `1.4 kB`, `12 MB`."""
    figure = short(n)
    return f"{figure} B" if figure[-1].isdigit() else f"{figure[:-1]} {figure[-1]}B"
