"""A run played again out of its record: the same recursion, and nothing is sent."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import zip_longest

from hch.engine import Engine
from hch.errors import ReplayDivergence
from hch.events import (
    CallFailed,
    CallFinished,
    CallGivenUp,
    CallIntended,
    Event,
    Noted,
)
from hch.journal import SAMPLED, Journal
from hch.middleware import Recorded
from hch.planting import planted
from hch.protocols import Model
from hch.rates import Rate
from hch.recording import Recording
from hch.run import Run
from hch.trace import Trace
from hch.types import Answer, Completion, Message, Request

CALLS = (CallIntended, CallFinished, CallFailed, CallGivenUp)


class Mute:
    """A model of which only the name, the price, and whether it is a person, are known."""

    endpoint = "the record"
    keyed = False
    at_once: int | None = None

    def __init__(self, name: str, rate: Rate | None, by_hand: bool) -> None:
        self.name = name
        self.rate = rate
        self.by_hand = by_hand

    @classmethod
    def of(cls, model: Model) -> Mute:
        """A model of which only that much is left."""
        return cls(model.name, model.rate, model.by_hand)

    async def complete(self, request: Request) -> Completion:
        raise _OffRecord(request)

    async def close(self) -> None:
        pass


class _OffRecord(ReplayDivergence):
    """A request that has no reply on record."""

    def __init__(self, request: Request) -> None:
        super().__init__("no reply is on record")
        self.request = request


class Replay:
    """A finished run that can be played once more: `run` is its parts, `past` its record.

    `edited` says that its prompts are not those that it was started with.
    """

    def __init__(self, run: Run, past: Recording, *, edited: bool = False) -> None:
        self.recording = past
        self.edited = edited
        self._run = run

    async def play(self) -> Trace:
        """The tree as it grows now, equal to the recorded one to the byte.

        Raises ReplayDivergence, naming the first node that does something else.
        """
        setup, run = self._run.setup, self._run
        calls = (event for event in self.recording.events if isinstance(event, CALLS))
        tape = _Tape(run.id, calls)
        journal = Journal(tape, run.id, lambda: 0.0)
        journal.write(run.started())
        replies = self.recording.replies
        muted = setup.thinking_by(lambda model: Recorded(Mute.of(model), replies))
        rules = setup.rules(journal)
        roots = planted(run.plan, muted, rules)
        answers: dict[int, Answer] = {}
        try:
            await Engine(rules).run(roots, run.grant, answers.__setitem__)
        except _OffRecord as off:
            raise self._divergence(off.request, Trace(tape.records)) from None
        played = Trace(tape.records)
        self._compare(played)
        return played

    def _divergence(self, request: Request, played: Trace) -> ReplayDivergence:
        """Where a request went off the record: what this node asked its model then, and now."""
        node = next(node for node in played.nodes() if node.key == request.node)
        thoughts = [thought.request for thought, _ in node.thoughts]
        index = thoughts.index(request.call) if request.call in thoughts else len(thoughts)
        then = self.recording.trace.node(node.id)
        calls = [call for _, call in then.thoughts] if then else []
        call = calls[index] if index < len(calls) else None
        intent = call.intents[-1] if call and call.intents else None
        recorded = "" if intent is None else _sent(intent)
        now = _asked(request)
        did = "asked its model something else then" if intent else "asked its model nothing then"
        if recorded == now:
            did = "asked its model the same then, and no reply is on record"
        where = f"node {node.id} goes off its record at think number {index + 1}"
        return ReplayDivergence(f"{where}: it {did}", node=node.id, recorded=recorded, now=now)

    def _compare(self, played: Trace) -> None:
        """Raises ReplayDivergence where the trees are not the same to the byte."""
        recorded = self.recording.trace
        if played.repeats(recorded):
            return
        ours, theirs = (trace.canonical() for trace in (played, recorded))
        if ours == theirs:
            return
        lines = zip_longest(theirs.splitlines(), ours.splitlines(), fillvalue=b"{}")
        pairs = [(json.loads(then), json.loads(now)) for then, now in lines if then != now]
        for then, now in pairs:
            edited = {"prompts": now["prompts"]} if self.edited and "prompts" in now else {}
            if {**then, **edited} != now:
                raise _unlike({**then, **edited}, now)


class _Tape:
    """The events of a replay in order, in the place of a store."""

    def __init__(self, run: str, events: Iterable[Event]) -> None:
        self.records = [Noted(run, 0.0, event) for event in events]

    def append(self, run: str, at: float, event: Event) -> None:
        self.records.append(Noted(run, at, event))

    async def durable(self) -> None:
        pass


def _unlike(then: dict[str, object], now: dict[str, object]) -> ReplayDivergence:
    """Two lines of the canonical export that differ."""
    node = str(then.get("id", now.get("id", "")))
    fields = {key: None for key in (*then, *now) if then.get(key) != now.get(key)}
    shown = [
        "\n".join(f"{key}: {json.dumps(line[key], indent=1)}" for key in fields if key in line)
        for line in (then, now)
    ]
    where = f"node {node} differs" if node else "the run's setting differs"
    told = f"{where} from its record in {', '.join(fields)}"
    return ReplayDivergence(told, node=node, recorded=shown[0], now=shown[1])


def _asked(request: Request) -> str:
    sampling = {name: n for name in SAMPLED if (n := getattr(request.sampling, name)) is not None}
    form = (request.form.name, request.form.schema) if request.form else None
    return _told(request.messages, sampling, form, request.seed)


def _sent(intent: CallIntended) -> str:
    return _told(intent.sent(), intent.sampling, intent.form, intent.seed)


def _told(
    messages: Iterable[Message],
    sampling: dict[str, object],
    form: tuple[str, str] | None,
    seed: int,
) -> str:
    """A request in lines: its messages by role, then what else decides on the reply."""
    lines = [f"[{message.role}]\n{message.content}" for message in messages]
    settings = {**sampling, "seed": seed}
    lines.append("[settings]\n" + "\n".join(f"{k}: {v}" for k, v in sorted(settings.items())))
    if form is not None:
        lines.append(f"[form {form[0]}]\n{form[1]}")
    return "\n".join(lines)
