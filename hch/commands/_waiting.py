"""What a run waits for, node by node and in all, so that slow is told apart from stuck."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from hch.commands._growth import Call, Growth, Node
from hch.endpoints import Endpoint
from hch.lanes import Lane
from hch.run import Run
from hch.safe_text import one_line
from hch.words import cost, seconds, tokens

State: TypeAlias = Literal["thinking", "held", "person", "queued", "asking", "working"]
"""`held` is who must wait out a failure or a limit of the endpoint."""

SILENT = 5.0
"""Seconds without a reply after which it is said how long that has been."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Says it of one run; without the run, nothing of endpoints. Times are the event loop's."""

    growth: Growth
    run: Run | None

    def of(self, node: Node, now: float) -> tuple[State, str, str]:
        """What an open node waits for, in a word or two, and more: `thinking` and ` 12 s`."""
        if node.call is not None and node.call.state != "done":
            return self._of_call(node.call, node.model, now)
        if node.children is not None and (awaited := node.children.awaited):
            return "asking", f"awaits {awaited:,} of {len(node.children.known):,}", ""
        return ("working", "working", "") if node.level >= 0 else ("queued", "to begin", "")

    def _of_call(self, call: Call, model: str, now: float) -> tuple[State, str, str]:
        waited = now - call.since
        if call.state == "flying":
            state: State = "person" if call.person else "thinking"
            what = "asks you" if call.person else "thinking"
            return state, what, f" {_whole(waited)}" if waited >= 1 else ""
        endpoint, lane = self._shared(model)
        rest = endpoint.paused_until - now if endpoint else 0.0
        if call.state == "failed":
            pause = f", paused {_whole(rest)} more" if rest > 0 else ""
            return "held", f"retry {call.failures}", f" after {one_line(call.kind, 24)}{pause}"
        if rest > 0:
            return "held", "paused", f" {_whole(rest)} more"
        if lane and (short := lane.short(now)):
            return "held", "limited", f" by {short[0]}, {_whole(short[1])} more"
        full = endpoint is not None and endpoint.full
        return "queued", "queued", f" behind {endpoint.flying:,}" if endpoint and full else ""

    def _shared(self, name: str) -> tuple[Endpoint | None, Lane | None]:
        """The endpoint that the calls of the model of that name go to, and their lane there."""
        model = self.run.setup.models.get(name) if self.run else None
        if self.run is None or model is None:
            return None, None
        named = next((e for e in self.run.endpoints if e.name == model.endpoint), None)
        return named, named.lanes.get(model.name) if named else None

    def in_all(self, now: float) -> Iterator[str]:
        """What there is to wait for, most telling first: `12 thinking, longest 14 s`."""
        growth = self.growth
        asked = sum(call.person for call in growth.flying.values())
        if asked:
            yield f"{asked:,} {'asks' if asked == 1 else 'ask'} you"
        if thinking := len(growth.flying) - asked:
            first = next(call for call in growth.flying.values() if not call.person)
            yield f"{thinking:,} thinking, longest {_whole(now - first.since)}"
        endpoints = self.run.endpoints if self.run else ()
        for endpoint in endpoints:
            yield from _limits(endpoint, now)
        if growth.failing:
            last = next(reversed(growth.failing.values()))
            yield f"{len(growth.failing):,} to retry after {one_line(last.kind, 24)}"
        if queued := growth.queued:
            full = [f"{e.flying:,} of {e.ceiling:,} in flight" for e in endpoints if e.full]
            yield f"{queued:,} queued{' behind ' if full else ''}{' and '.join(full)}"
        if growth.asking:
            yield f"{growth.asking:,} {'awaits' if growth.asking == 1 else 'await'} answers"
        heard = growth.heard
        if thinking and heard is not None and now - heard >= SILENT:
            yield f"last reply {_whole(now - heard)} ago"


def _limits(endpoint: Endpoint, now: float) -> Iterator[str]:
    """What an endpoint's calls wait out: a pause for all, or a limit of their model's."""
    if (rest := endpoint.paused_until - now) > 0:
        yield f"{one_line(endpoint.name, 24)} paused {_whole(rest)} more"
        return
    for name, lane in endpoint.lanes.items():
        if short := lane.short(now):
            yield f"{one_line(name, 24)} used up its {short[0]}, {_whole(short[1])} more"


def totals(growth: Growth, run: Run | None) -> Iterator[str]:
    """What there is so far: `13 nodes`, `4 open`, `17 calls`, `1.2k tok`, `$0.004`."""
    yield _many(growth.opened, "node")
    yield f"{growth.open:,} open"
    yield from (f"{n:,} {status}" for status, n in growth.statuses.items() if status != "answered")
    yield _many(growth.sent, "call")
    if growth.flying:
        yield f"{len(growth.flying):,} in flight"
    if growth.failed:
        yield f"{_many(growth.failed, 'attempt')} failed"
    yield tokens(growth.tokens)
    models = run.setup.models.values() if run else ()
    priced = all(model.rate is not None for model in models)
    if growth.sent and (money := cost(growth.microusd, priced=priced)):
        yield money


def _many(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def _whole(s: float) -> str:
    return f"{max(0, s):.0f} s" if s < 59.5 else seconds(s)
