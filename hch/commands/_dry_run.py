"""What `--dry-run` prints: the least, the typical and the most that a run can come to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from math import inf
from typing import TYPE_CHECKING, Any

from hch.safe_text import one_line
from hch.words import budget, count, dollars, players, short

if TYPE_CHECKING:
    from hch.budget import Price
    from hch.compose import HCH
    from hch.forecast import Estimate
    from hch.steps import Instance
    from hch.types import Text

HEAD = ("", "calls", "nodes", "tokens", "cost")


def foreseen(
    hch: HCH,
    question: str,
    context: Sequence[Text],
    instance: Instance | None,
    *,
    fanout: int | None,
    as_json: bool,
) -> None:
    """Print what a run would come to. Nothing is sent, and nothing is kept."""
    import asyncio

    from hch.commands._terminal import say, say_json

    coming = hch.forecast(question, context=context, instance=instance, fanout=fanout)
    estimate = asyncio.run(coming)
    if as_json:
        say_json(as_object(hch, estimate))
    else:
        say("\n".join(_page(hch, estimate, fanout)))


def _page(hch: HCH, estimate: Estimate, fanout: int | None) -> Iterator[str]:
    yield one_line(f"{players([player.spec for player in hch.players])}; nothing was sent")
    priced = not hch.unpriced
    rows: list[tuple[str, ...]] = [HEAD]
    prices = (estimate.least, estimate.typical, estimate.most)
    for name, price in zip(("least", "typical", "most"), prices, strict=True):
        rows.append((name, *cells(price, priced=priced)))
    sizes = [max(len(row[i]) for row in rows) for i in range(len(HEAD))]
    for row, note in zip(rows, ("", *_notes(hch, estimate, fanout)), strict=True):
        first = f"{row[0]:{sizes[0]}}"
        rest = (f"{cell:>{size}}" for cell, size in zip(row[1:], sizes[1:], strict=True))
        yield "  ".join((first, *rest, note)).rstrip()
    if any(cell.endswith("+") for row in rows for cell in row):
        yield "+ is where counting ends: it is so much, or more"
    if hch.players[-1].model and not estimate.least.calls:
        yield "the cap does not pay for the root: it would end truncated"
    if cap := budget(hch.cap[0]):
        yield f"capped at {cap}; a call that has to be repeated counts again"
    else:
        yield "no cap; a call that has to be repeated counts again"
    for name in hch.unpriced:
        yield one_line(f"{name} has no known price: give it under [prices] in hch.toml")


def _notes(hch: HCH, estimate: Estimate, fanout: int | None) -> tuple[str, str, str]:
    """What each bill takes for granted: how much is asked only where H writes what it asks."""
    from hch.forecast import ANSWER, FANOUT, QUESTION

    if not any(player.model for player in hch.players):
        return ("",) * 3
    layers = [layer for player in hch.players for layer in player.layers]
    forms = any("form" in more for layer in layers for more in layer.prompts.values())
    longest = f"replies of {hch.chosen.answer_tokens} tokens"
    if forms and estimate.most.calls > 1:
        longest += ", each form asked for twice"
    if not forms or estimate.most.nodes == 1:
        return "replies as short as can be", f"replies of {ANSWER} tokens", longest
    alone = estimate.least.nodes == 1
    asks = f"{count(min(fanout or FANOUT, hch.chosen.fanout), 'sub-question')} a node"
    where = "" if alone else "where H may choose, "
    told = "" if fanout else "; --fanout K says how many"
    return (
        "the root needs no help" if alone else "nobody asks more than it must",
        f"{where}{asks}, of {QUESTION} tokens, answers of {ANSWER}{told}",
        f"{count(hch.chosen.fanout, 'sub-question')} a node at most, {longest}",
    )


def cells(price: Price, *, priced: bool) -> tuple[str, ...]:
    """The amounts in the order of `HEAD`; one at which counting ends has a `+`."""
    from hch.forecast import BEYOND

    cost = (dollars(price.microusd) if price.microusd else "free") if priced else "?"
    said = (_whole(price.calls), _whole(price.nodes), short(price.tokens), cost)
    amounts = (price.calls, price.nodes, price.tokens, price.microusd if priced else 0)
    ends = zip(said, amounts, BEYOND.amounts(), strict=True)
    return tuple(f"{cell}+" if amount >= end else cell for cell, amount, end in ends)


def _whole(n: float) -> str:
    return f"{int(n):,}" if n < 1e6 else short(n)


def as_object(hch: HCH, estimate: Estimate) -> dict[str, Any]:
    """The three bills; dollars are None where a model has no known price."""
    cap = {name: None if n == inf else n for name, n in asdict(hch.cap[0]).items()}
    bills: dict[str, Any] = {}
    for name, price in asdict(estimate).items():
        bills[name] = {**price, **({"microusd": None} if hch.unpriced else {})}
    return {**bills, "cap": cap, "unpriced": list(hch.unpriced)}
