"""Whether a run that comes from elsewhere can be one of ours: checked event by event.

Then a `Trace` can be folded of it: every node hangs on a root, and (level, wrappers left) falls
from asker to asked, so that there is no circle; and what it says of its set-up can be built again.
Kept meanwhile is a key and a few numbers for each node, no text.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from socket import inet_aton
from typing import Annotated, Any, TypeAlias
from urllib.parse import urlsplit

from pydantic import Field, ValidationError

from hch import settings
from hch.errors import UsageError
from hch.events import (
    Asked,
    CallFinished,
    CallIntended,
    Event,
    NodeClosed,
    NodeOpened,
    PrimitiveAnswered,
    Record,
    RootOpened,
    RunFinished,
    RunResumed,
    RunStarted,
    Thought,
)
from hch.registry import PlayerSpec, Spec
from hch.steps import recorded
from hch.wire import Chars, Wire, Words

LATEST = 2.0**35
"""In Unix seconds; what is later than the year 3058, calendars cannot show everywhere."""

DEAREST = 1e6
"""A dollar a token, in micro-dollars; no model costs more."""

MOST = 2**53
"""More tokens than any reply has; more could not be counted exactly everywhere."""

_Positive: TypeAlias = Annotated[int, Field(ge=1)]


class Named(Wire):
    """The words that a run was asked for in, aliases and all."""

    model: str | None = None
    strategy: str | None = None
    at: dict[str, str] = Field({})
    prompts: str | None = None


class Recipe(Wire):
    """What `RunStarted.setup` may hold: it becomes the arguments of `HCH`."""

    depth: Annotated[int, Field(ge=0, le=10_000)] | None = None
    manual: Chars | None = None
    seed: int | None = None
    fanout: _Positive | None = None
    answer_tokens: _Positive | None = None
    cache: bool | None = None
    model: str | None = None
    strategy: str | None = None
    at: dict[str, str] = Field({})
    task: str | None = None
    named: Named | None = None
    objects: list[str] = Field([])


class Root(Wire):
    """A root question, as `hch.run` writes it."""

    text: Words
    context: list[Words]
    instance: str | None
    sample: list[int]


class Roots(Wire):
    """What `RunStarted.roots` may hold."""

    questions: Annotated[list[Root], Field(min_length=1)]
    instances: dict[str, Chars] = Field({})


class Sampled(Wire):
    """What `CallIntended.sampling` may hold."""

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    stop: list[Chars] | None = None
    logprobs: int | None = None


class Family:
    """Who asked whom. A node that is opened again begins again, and has asked nobody yet."""

    def __init__(self) -> None:
        self._roots: dict[int, str] = {}
        self._asked: dict[str, list[str]] = {}

    def take(self, event: Event) -> None:
        match event:
            case RootOpened():
                self._roots[event.index] = event.key
            case NodeOpened():
                self._asked[event.key] = []
            case Asked(child=str(child)):
                self._asked.setdefault(event.parent, []).append(child)

    def standing(self) -> set[str]:
        """The nodes that were opened and hang on a root."""
        found: set[str] = set()
        stack = list(self._roots.values())
        while stack:
            key = stack.pop()
            if key in self._asked and key not in found:
                found.add(key)
                stack += self._asked[key]
        return found


class Soundness:
    """Takes a run's records in order. Raises ValueError, saying why, for one that cannot be."""

    def __init__(self) -> None:
        self._started: RunStarted | None = None
        self._finished = False
        self._roots: dict[int, str] = {}
        self._closed: set[str] = set()
        self._places: dict[str, tuple[int, int]] = {}
        self._slots: dict[str, int] = {}
        self._family = Family()

    def take(self, record: Record) -> None:
        event = record.event
        if not 0 <= record.at < LATEST:
            raise ValueError(f"{record.at} is no time of day")
        if (self._started is None) != isinstance(event, RunStarted):
            raise ValueError("a run begins with one RunStarted, and has no other")
        if self._finished and not isinstance(event, RunResumed):
            raise ValueError(f"{event.type} comes after RunFinished")
        self._take_run(event)
        self._take_node(event)
        self._family.take(event)

    def _take_run(self, event: Event) -> None:
        match event:
            case RunStarted():
                check_started(event)
                self._started = event
            case CallIntended():
                _validated(Sampled, event.sampling, "sampling")
            case CallFinished() if not all(0 <= n < MOST for n in event.usage):
                raise ValueError(f"usage: {event.usage} are no numbers of tokens")
            case RunResumed():
                self._finished = False
            case RunFinished():
                self._finish()

    def _take_node(self, event: Event) -> None:
        match event:
            case RootOpened():
                self._root(event)
            case NodeOpened():
                self._open(event)
            case Asked():
                self._ask(event)
            case Thought(parent=key) | PrimitiveAnswered(parent=key):
                self._check_open(key)
            case NodeClosed(key=key):
                self._check_open(key)
                self._closed.add(key)

    def _root(self, event: RootOpened) -> None:
        assert self._started is not None, "it came first"
        if not 0 <= event.index < self._started.count:
            raise ValueError(f"there is no root {event.index}: the run has {self._started.count}")
        if self._roots.setdefault(event.index, event.key) != event.key:
            raise ValueError(f"root {event.index} has another key than before")
        self._place(event.key, (len(self._started.players) - 1, 0))

    def _open(self, event: NodeOpened) -> None:
        if event.key not in self._places:
            raise ValueError("nobody has asked the node that opens: it hangs on no root")
        self._place(event.key, (event.level, event.wrapper))
        self._slots[event.key] = -1
        self._closed.discard(event.key)

    def _ask(self, event: Asked) -> None:
        self._check_open(event.parent)
        if event.slot <= self._slots[event.parent]:
            raise ValueError(f"slot {event.slot} does not follow slot {self._slots[event.parent]}")
        self._slots[event.parent] = event.slot
        if (event.child is None) == (event.refusal is None):
            raise ValueError("what is asked has either a child or a refusal")
        if event.child is not None:
            level, wrapper = self._places[event.parent]
            below = (level - 1, 0) if event.how == "ask" else (level, wrapper + 1)
            self._place(event.child, below)

    def _place(self, key: str, place: tuple[int, int]) -> None:
        """A node has one place, which is below that of all who ask it."""
        if place[0] < 0:
            raise ValueError("a node of level 0 has asked another")
        if (known := self._places.setdefault(key, place)) != place:
            raise ValueError(
                f"a node is at level {place[0]}, wrapper {place[1]}, and was at level "
                f"{known[0]}, wrapper {known[1]}: levels must fall"
            )

    def _check_open(self, key: str) -> None:
        if key not in self._slots:
            raise ValueError("the node that it is about was never opened")

    def _finish(self) -> None:
        assert self._started is not None, "it came first"
        roots = self._roots.values()
        if len(roots) != self._started.count or not self._slots.keys() >= set(roots):
            raise ValueError("the run has finished, and not all of its roots were opened")
        if left := self._family.standing() - self._closed:
            raise ValueError(f"the run has finished, and {len(left)} of its nodes were not closed")
        self._finished = True


def check_started(event: RunStarted) -> None:
    """Raises ValueError where a run that begins so could not be shown, or gone on with."""
    recipe = _validated(Recipe, event.setup, "setup")
    roots = _validated(Roots, event.roots, "roots")
    if event.count != len(roots.questions):
        raise ValueError(f"count is {event.count}, and there are {len(roots.questions)} roots")
    task = Spec.parse(recipe.task or "arithmetic").name
    recorded(task, roots.instances)
    meant = [root.instance for root in roots.questions if root.instance is not None]
    if lacking := [named for named in meant if named not in roots.instances]:
        raise ValueError(f"a question is about instance {lacking[0][:8]}, which has no facts here")
    if not event.players or recipe.depth not in (None, len(event.players) - 1):
        raise ValueError(f"{len(event.players)} players do not fit the depth {recipe.depth}")
    for name, tariff in event.rates.items():
        rates = [] if tariff is None else [tariff, *(long for _, long in tariff.longer)]
        amounts = [n for rate in rates for n in rate.model_dump(exclude={"longer"}).values()]
        if not all(n is None or 0 <= n <= DEAREST for n in amounts):
            raise ValueError(f"the price of {name} is none")
    if not recipe.objects:
        named = recipe.named or Named()
        players = [recipe.strategy, named.strategy, *recipe.at.values(), *named.at.values()]
        _check_servers(recipe.model, named.model, *event.rates, *map(_thinks_with, players))


def _thinks_with(player: str | None) -> str | None:
    """The model in a player's spec."""
    try:
        return PlayerSpec.parse(player).model if player else None
    except UsageError as error:
        raise ValueError(str(error)) from error


def _check_servers(*models: str | None) -> None:
    """Raises ValueError for a server at an address where none can be but that of a cloud's keys."""
    for model in filter(None, models):
        try:
            url = dict(Spec.parse(model).options).get("base_url", "")
            host = urlsplit(url if "://" in url else f"//{url}").hostname or ""
        except (UsageError, ValueError) as error:
            raise ValueError(f"the model {model!r}: {error}") from error
        if _is_link_local([host, host.partition("%")[0]]):
            raise ValueError(f"the model {model!r} is at an address that serves no models")


def _is_link_local(hosts: Iterable[str]) -> bool:
    for host in hosts:
        try:
            address = ip_address(
                inet_aton(host) if host[:1].isdigit() and ":" not in host else host
            )
        except (ValueError, OSError):
            continue
        if (getattr(address, "ipv4_mapped", None) or address).is_link_local:
            return True
    return False


def _validated(kind: type[Any], data: dict[str, Any], what: str) -> Any:
    """Plain data as a model, nothing converted. Raises ValueError, saying where it is wrong."""
    try:
        return kind.model_validate(data, strict=True)
    except ValidationError as error:
        raise ValueError(f"{what}: {reason(error)}") from error


def reason(error: ValidationError) -> str:
    """The first thing that is wrong, and where, in a few words."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"]))
    said = settings.reason(first["msg"])
    return f"{where}: {said}" if where else said
